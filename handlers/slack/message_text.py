"""The words of a message: its text, blocks, attachments, what it forwards, its files. Pure.

Alerts of other programs (Grafana, Alertmanager, Sentry's own app) have no text, or only a line for
notifications; their words are in `attachments` and `blocks`.
https://docs.slack.dev/reference/events/message, https://docs.slack.dev/reference/block-kit/blocks,
https://docs.slack.dev/legacy/legacy-messaging/legacy-secondary-message-attachments
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from handlers.slack import slack_text

PEOPLES = frozenset({"", "file_share", "thread_broadcast", "reply_broadcast", "me_message"})
"""Subtypes of what a person says: with a file, in a thread that is also sent to the channel, as `/me`.

`reply_broadcast` is the old name of `thread_broadcast`.
https://docs.slack.dev/reference/events/message#subtypes
"""
SLACKBOT = "USLACKBOT"
LINKS, LINES, DEPTH = 5, 200, 6
FILE_WORDS = 1000
SENTENCE = 12
"""Letters from which words within other words are the same words."""
NO_PREVIEW = "[no preview available]"
UNSHOWN = frozenset({NO_PREVIEW, "This content can't be displayed."})
"""What Slack writes into `text` and `fallback` where a program gave none: nobody says that.

https://docs.slack.dev/reference/methods/chat.postMessage, on `text` beside `blocks`.
"""

_TOKEN = re.compile(r"<([^<>|\n]{1,3000})\|([^<>\n]{1,3000})>")
_MENTIONS = re.compile(r"<[@!][^<>]*>|(?<![\w.])@[\w.-]+|:[\w+-]+:|[\s,.:]")
_FORMAT = re.compile(r"(?<!\w)([*~`])(\S(?:[^\n]*?\S)?)\1(?!\w)")
_SAME = re.compile(r":[\w+-]+:|[\s*_~`>•]")

Json = Mapping[str, Any]


def by_person(message: Json) -> bool:
    """Return whether a person said it: no bot, no note of Slack's own, no edit."""
    subtype, user = message.get("subtype") or "", message.get("user")
    return subtype in PEOPLES and not message.get("bot_id") and bool(user) and user != SLACKBOT


def message_text(message: Json) -> str:
    """Return every word that a reader sees, once.

    The first line is the headline. The addresses behind its words follow it.
    """
    said = _Said()
    if message.get("text") not in UNSHOWN:
        said.add(_text(message.get("text"), said), own=True)
    said.add(line for block in _list(message.get("blocks")) for line in _block(block, said))
    alone = not said.words()
    for attachment in _list(message.get("attachments")):
        if alone or not _is_preview(attachment):
            said.add(_attachment(attachment, said))
    files = _list(message.get("files"))
    for one in files:
        said.add(_file_says(one))
    names = ", ".join(_file(one) for one in files)
    return said.told(f"(file: {names})" if names else "")


def own_words(message: Json) -> str:
    """Return what a person says, themselves or by forwarding: no link's preview, no file's name."""
    shared = [one for one in _list(message.get("attachments")) if one.get("is_share")]
    return message_text({"text": message.get("text"), "attachments": shared})


class _Said:
    """Lines in their order, none of them twice, with the addresses that stand behind words."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._known = "\n"
        self.links: list[str] = []

    def add(self, lines: Iterable[str], *, own: bool = False) -> None:
        """`own`: a person's text stays as it is, with its empty lines and its marks."""
        for line in lines:
            shown = line.rstrip() if own else _FORMAT.sub(r"\2", line).strip().strip("`").strip()
            same = _SAME.sub("", shown).casefold()
            if len(self._lines) < LINES and (
                (own and (same or self._lines)) or (same and not self._has(same))
            ):
                self._lines.append(shown)
                self._known += f"{same}\n"

    def _has(self, same: str) -> bool:
        """Return whether a line, or a sentence within one, says so: text, blocks and fallback repeat words."""
        return f"\n{same}\n" in self._known or (len(same) >= SENTENCE and same in self._known)

    def link(self, url: object) -> None:
        if (
            isinstance(url, str)
            and url.startswith(("http://", "https://"))
            and url not in self.links
        ):
            self.links.append(slack_text.plain(url))

    def words(self) -> bool:
        """Return whether anything is said besides addresses and mentions."""
        return any(_MENTIONS.sub("", re.sub(r"https?://\S+", "", line)) for line in self._lines)

    def told(self, files: str) -> str:
        mentions = [line for line in self._lines if line and not _MENTIONS.sub("", line)]
        lines = [line for line in self._lines if line not in mentions]
        known = "\n".join(lines)
        links = [url for url in self.links if url not in known][:LINKS]
        return "\n".join(
            [*lines[:1], *links, *lines[1:], *mentions, *([files] if files else [])]
        ).strip()


def _list(thing: object) -> list[Json]:
    """The objects of a list that came from outside."""
    return [one for one in thing if isinstance(one, Mapping)] if isinstance(thing, Sequence) else []  # pyright: ignore[reportUnknownVariableType]


def _text(thing: object, said: _Said) -> list[str]:
    """Return the lines of Slack's markup, or of a text object; the address behind a link's words is kept."""
    text = thing.get("text") if isinstance(thing, Mapping) else thing  # pyright: ignore[reportUnknownMemberType,reportUnknownVariableType]
    if not isinstance(text, str):
        return []

    def labelled(found: re.Match[str]) -> str:
        where, label = found.groups()
        if (
            not where.startswith(("http://", "https://"))
            or label.rstrip("/") in where
            or where in label
        ):
            return found.group(0)
        said.link(where)
        return label

    return slack_text.plain(_TOKEN.sub(labelled, text)).split("\n")


def _block(block: Json, said: _Said, depth: int = 0) -> Iterator[str]:
    match block.get("type"):
        case "rich_text":
            yield from _rich(block, said, depth)
        case "table" | "data_table":
            rows = block.get("rows")
            for row in rows if isinstance(rows, list) else []:  # pyright: ignore[reportUnknownVariableType]
                cells = [" ".join(_block(cell, said, depth + 1)) for cell in _list(row)]  # pyright: ignore[reportUnknownArgumentType]
                yield " | ".join(cell for cell in cells if cell)
        case "context":
            yield " ".join(
                line for one in _list(block.get("elements")) for line in _text(one, said)
            )
        case "actions":
            for one in _list(block.get("elements")):
                said.link(one.get("url"))
        case _:
            yield from _shown(block, said, depth)


def _shown(block: Json, said: _Said, depth: int) -> Iterator[str]:
    """Section, header, image, markdown, and blocks that are not known yet: their words have these names."""
    for key in ("title", "subtitle", "text", "description", "body", "details", "output"):
        thing = block.get(key)
        if isinstance(thing, Mapping) and "elements" in thing:
            yield from _block(thing, said, depth + 1) if depth < DEPTH else ()  # pyright: ignore[reportUnknownArgumentType]
        else:
            yield from _text(thing, said)
    if block.get("type") == "image" and not block.get("title"):
        yield from _text(block.get("alt_text"), said)
    for one in _list(block.get("fields")):
        yield " ".join(_text(one, said))
    if isinstance(accessory := block.get("accessory"), Mapping):
        said.link(accessory.get("url"))  # pyright: ignore[reportUnknownMemberType,reportUnknownArgumentType]
    said.link(block.get("title_url"))
    if depth < DEPTH:
        for key in ("blocks", "elements", "cards", "tasks"):
            for one in _list(block.get(key)):
                yield from _block(one, said, depth + 1)


def _rich(element: Json, said: _Said, depth: int) -> Iterator[str]:
    """https://docs.slack.dev/reference/block-kit/blocks/rich-text-block"""
    inside = _list(element.get("elements"))
    match element.get("type"):
        case "rich_text" | "rich_text_list" if depth < DEPTH:
            for one in inside:
                yield from _rich(one, said, depth + 1)
        case "rich_text_quote":
            yield from (
                f"> {line}" for line in "".join(_inline(one, said) for one in inside).split("\n")
            )
        case _:
            yield from "".join(_inline(one, said) for one in inside).split("\n")


def _inline(one: Json, said: _Said) -> str:
    match one.get("type"):
        case "link":
            url, text = str(one.get("url") or ""), str(one.get("text") or "")
            if not text or text in url:
                return slack_text.plain(url)
            said.link(url)
            return slack_text.plain(text)
        case "user":
            return f"<@{one.get('user_id')}>"
        case "channel":
            return f"#{one.get('channel_id')}"
        case "usergroup":
            return "@group"
        case "broadcast":
            return f"@{one.get('range')}"
        case "emoji":
            return f":{one.get('name')}:"
        case "date":
            return str(one.get("fallback") or "")
        case _:
            text = one.get("text") or one.get("value")
            return (
                text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
                if isinstance(text, str)
                else ""
            )


def _attachment(one: Json, said: _Said, depth: int = 0) -> Iterator[str]:
    """In the order in which Slack shows it; the fallback where there is nothing else.

    A forwarded alert keeps its own attachments within.
    """
    lines: list[str] = []
    for key in ("pretext", "title", "text"):
        lines += _text(one.get(key), said)
        if key == "title":
            said.link(one.get("title_link"))
    for field in _list(one.get("fields")):
        title, value = (" ".join(_text(field.get(key), said)) for key in ("title", "value"))
        lines.append(f"{title}: {value}" if title and value else title or value)
    lines += [line for block in _list(one.get("blocks")) for line in _block(block, said)]
    inner = _list(one.get("attachments"))
    for shared in _list(one.get("message_blocks")):  # a forwarded message
        message = shared.get("message")
        if isinstance(message, Mapping):
            lines += [
                line for block in _list(message.get("blocks")) for line in _block(block, said)
            ]  # pyright: ignore[reportUnknownMemberType]
            inner += _list(message.get("attachments"))  # pyright: ignore[reportUnknownMemberType,reportUnknownArgumentType]
    if depth < DEPTH:
        lines += [line for within in inner for line in _attachment(within, said, depth + 1)]
    lines += _text(one.get("footer"), said)
    for button in _list(one.get("actions")):
        said.link(button.get("url"))
    if one.get("fallback") not in UNSHOWN:
        fallback = _text(one.get("fallback"), said)  # its link may stand nowhere else
        lines = lines if any(line.strip() for line in lines) else fallback
    files = _list(one.get("files"))
    names = ", ".join(_file(file) for file in files)
    yield from [*lines, *(line for file in files for line in _file_says(file))]
    yield from [f"(file: {names})"] if names else []
    said.link(one.get("from_url"))


def _is_preview(one: Json) -> bool:
    """Return whether it shows where a link leads. A forwarded message is no preview: it is said here."""
    return not one.get("is_share") and any(
        one.get(key) for key in ("from_url", "original_url", "is_msg_unfurl")
    )


def _file_says(file: Json) -> list[str]:
    """Return what is said in it: the transcript of a clip, an e-mail that came in, the beginning of a snippet.

    https://docs.slack.dev/reference/objects/file-object; the SDKs' file types have `transcription` and `plain_text`.
    """
    spoken = file.get("transcription")
    preview = spoken.get("preview") if isinstance(spoken, Mapping) else None  # pyright: ignore[reportUnknownMemberType,reportUnknownVariableType]
    heard_in = preview.get("content") if isinstance(preview, Mapping) else None  # pyright: ignore[reportUnknownMemberType,reportUnknownVariableType]
    mail = file.get("plain_text") if file.get("subject") else None
    snippet = file.get("preview") if file.get("mode") == "snippet" else None
    words = next(
        (one for one in (heard_in, mail, snippet) if isinstance(one, str) and one.strip()), ""
    )
    subject = [str(file["subject"])] if mail and words == mail else []
    return [*subject, *slack_text.cut(slack_text.typed(words), FILE_WORDS).split("\n")]


def _file(file: Json) -> str:
    """Return its name. Another workspace's file and a deleted one have only an id.

    https://docs.slack.dev/reference/objects/file-object
    """
    name = file.get("subject") or file.get("title") or file.get("name")
    return " ".join(slack_text.typed(str(name)).split()) if name else "a file"
