"""The words of a message: of its text, blocks, attachments and files. Pure.

Alerts of other programs (Grafana, Alertmanager, Sentry's own app) have no text, or only a line for
notifications; their words are in `attachments` and `blocks`.
https://docs.slack.dev/reference/events/message
https://docs.slack.dev/reference/block-kit/blocks
https://docs.slack.dev/legacy/legacy-messaging/legacy-secondary-message-attachments
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from handlers.slack import slack_text
from phases.text.wording import short

PEOPLES = frozenset({"", "file_share", "thread_broadcast", "reply_broadcast", "me_message"})
"""Subtypes of the messages of people: with a file, in a thread and in the channel, as `/me`.

`reply_broadcast` is the old name of `thread_broadcast`.
https://docs.slack.dev/reference/events/message#subtypes
"""
SLACKBOT = "USLACKBOT"
LINKS, LINES, DEPTH = 5, 200, 12
FILE_WORDS = 1000
SENTENCE_FROM = 12
"""Characters from which words that stand within other words are not repeated."""
NO_PREVIEW = "[no preview available]"
UNSHOWN = frozenset({NO_PREVIEW, "This content can't be displayed."})
"""Slack writes these into `text` and `fallback` where a program gave none: nobody says that.

https://docs.slack.dev/reference/methods/chat.postMessage, on `text` beside `blocks`.
"""

_TOKEN = re.compile(r"<([^<>|\n]{1,3000})\|([^<>\n]{1,3000})>")
_MENTIONS = re.compile(r"<[@!][^<>]*>|(?<![\w.])@[\w.-]+|:[\w+-]+:|[\s,.:]")
_FORMAT = re.compile(r"(?<!\w)([*~`])(\S(?:[^\n]*?\S)?)\1(?!\w)")
_SAME = re.compile(r":[\w+-]+:|[\s*_~`>•]")

WORDS = (
    "pretext",
    "title",
    "subtitle",
    "text",
    "description",
    "body",
    "details",
    "output",
    "message",
)
"""Keys of the words of blocks and attachments, in the order in which Slack shows them."""
PARTS = ("blocks", "elements", "cards", "tasks", "attachments", "message_blocks")
"""Keys under which they have lists of blocks and attachments."""

Json = Mapping[str, Any]


def by_person(message: Json) -> bool:
    """Return whether a person said it: no bot, no note of Slack's own, no edit."""
    subtype, user = message.get("subtype") or "", message.get("user")
    return subtype in PEOPLES and not message.get("bot_id") and bool(user) and user != SLACKBOT


def message_text(message: Json) -> str:
    """Return every word that a reader sees, once.

    The first line is the headline. The addresses behind its words follow it.
    """
    collected = _Collected()
    if isinstance(message.get("text"), str):
        collected.add(_markup(message["text"], collected), own=True)
    for block in _objects(message.get("blocks")):
        collected.add(_lines(block, collected))
    alone = not collected.has_words()
    for attachment in _objects(message.get("attachments")):
        if alone or not _is_preview(attachment):
            collected.add(_lines(attachment, collected))
    files = _objects(message.get("files"))
    for file in files:
        collected.add(_file_content(file))
    return collected.text(_file_names(files))


def own_words(message: Json) -> str:
    """Return the words of a person, their own or forwarded: no link's preview, no file's name."""
    shared = [part for part in _objects(message.get("attachments")) if part.get("is_share")]
    return message_text({"text": message.get("text"), "attachments": shared})


class _Collected:
    """Lines in their order, none of them twice, with the addresses that stand behind words."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._known = "\n"
        self._links: list[str] = []

    def add(self, lines: Iterable[str], *, own: bool = False) -> None:
        """`own`: a person's text stays as it is, with its empty lines and its marks."""
        for line in lines:
            shown = line.rstrip() if own else _FORMAT.sub(r"\2", line).strip().strip("`").strip()
            same = _SAME.sub("", shown).casefold()
            wanted = (same or self._lines) if own else (same and not self._repeats(same))
            if wanted and len(self._lines) < LINES:
                self._lines.append(shown)
                self._known += f"{same}\n"

    def _repeats(self, same: str) -> bool:
        """Return whether a line has these words: blocks and fallback repeat the text."""
        return f"\n{same}\n" in self._known or (len(same) >= SENTENCE_FROM and same in self._known)

    def link(self, url: object) -> None:
        if not isinstance(url, str) or not url.startswith(("http://", "https://")):
            return
        if url not in self._links:
            self._links.append(slack_text.plain(url))

    def has_words(self) -> bool:
        """Return whether anything stands there besides addresses and mentions."""
        return any(_MENTIONS.sub("", re.sub(r"https?://\S+", "", line)) for line in self._lines)

    def text(self, files: str) -> str:
        """Return headline, addresses, words, mentions and the names of the files."""
        mentions = [line for line in self._lines if line and not _MENTIONS.sub("", line)]
        lines = [line for line in self._lines if line not in mentions]
        words = "\n".join(lines)
        links = [url for url in self._links if url not in words][:LINKS]
        parts = [*lines[:1], *links, *lines[1:], *mentions, *([files] if files else [])]
        return "\n".join(parts).strip()


def _objects(value: object) -> list[Json]:
    """Return the objects of a list that came from outside."""
    return [part for part in value if isinstance(part, Mapping)] if isinstance(value, list) else []


def _lines(part: object, collected: _Collected, depth: int = 0) -> Iterator[str]:
    """Return the lines of a block, an attachment, a text object, or a part of one.

    Blocks that are not known yet have their words under the same keys.
    """
    if isinstance(part, str):
        yield from _markup(part, collected)
    if not isinstance(part, Mapping) or depth > DEPTH:
        return
    elements, kind = _objects(part.get("elements")), str(part.get("type") or "")
    if kind in ("table", "data_table"):
        yield from _table_rows(part, collected, depth)
    elif kind == "context":
        texts = (line for e in elements for line in _lines(e.get("text"), collected, depth + 1))
        yield " ".join(texts)
    elif kind == "actions":
        _add_links(elements, collected)
    elif kind == "image":
        yield from _lines(part.get("title") or part.get("alt_text"), collected, depth + 1)
    elif kind.startswith("rich_text_") and kind != "rich_text_list":
        quote = "> " if kind == "rich_text_quote" else ""
        text = "".join(_inline(element, collected) for element in elements)
        yield from (f"{quote}{line}" for line in text.split("\n"))
    else:
        yield from _lines_by_key(part, collected, depth)


def _lines_by_key(part: Json, collected: _Collected, depth: int) -> Iterator[str]:
    """Return the words in the order in which Slack shows them; without any, the fallback."""
    lines: list[str] = []
    for key in WORDS:
        lines += _lines(part.get(key), collected, depth + 1)
    for key in ("title_link", "title_url"):
        collected.link(part.get(key))
    for field in _objects(part.get("fields")):
        title, value = (
            " ".join(_lines(field.get(key), collected, depth + 1)) for key in ("title", "value")
        )
        pair = f"{title}: {value}" if title and value else title or value
        lines.append(pair or " ".join(_lines(field, collected, depth + 1)))
    _add_links([part.get("accessory"), *_objects(part.get("actions"))], collected)
    for key in PARTS:
        for inner in _objects(part.get(key)):
            lines += _lines(inner, collected, depth + 1)
    lines += _lines(part.get("footer"), collected, depth + 1)
    # The link of a fallback may stand nowhere else.
    fallback = list(_lines(part.get("fallback"), collected, depth + 1))
    yield from lines if any(line.strip() for line in lines) else fallback
    files = _objects(part.get("files"))
    for file in files:
        yield from _file_content(file)
    yield _file_names(files)
    collected.link(part.get("from_url"))


def _table_rows(table: Json, collected: _Collected, depth: int) -> Iterator[str]:
    rows = table.get("rows")
    for row in rows if isinstance(rows, list) else []:
        cells = [" ".join(_lines(cell, collected, depth + 1)) for cell in _objects(row)]
        yield " | ".join(cell for cell in cells if cell)


def _add_links(buttons: Iterable[object], collected: _Collected) -> None:
    """A button says nothing, but it may lead somewhere."""
    for button in buttons:
        if isinstance(button, Mapping):
            collected.link(button.get("url"))


def _markup(text: str, collected: _Collected) -> list[str]:
    """Return the lines of Slack's markup; the address behind a link's words is kept."""
    if text in UNSHOWN:
        return []

    def labelled(link: re.Match[str]) -> str:
        url, label = link.groups()
        if not url.startswith(("http://", "https://")):
            return link.group(0)
        if label.rstrip("/") in url or url in label:
            return link.group(0)
        collected.link(url)
        return label

    return slack_text.plain(_TOKEN.sub(labelled, text)).split("\n")


def _inline(element: Json, collected: _Collected) -> str:
    """https://docs.slack.dev/reference/block-kit/blocks/rich-text-block"""
    match element.get("type"):
        case "link":
            url, text = str(element.get("url") or ""), str(element.get("text") or "")
            if url == f"http://{text}":  # made a link by Slack itself
                return slack_text.plain(text)
            if not text or text in url:
                return slack_text.plain(url)
            collected.link(url)
            return slack_text.plain(text)
        case "user":
            return f"<@{element.get('user_id')}>"
        case "channel":
            return f"#{element.get('channel_id')}"
        case "usergroup":
            return "@group"
        case "broadcast":
            return f"@{element.get('range')}"
        case "emoji":
            return f":{element.get('name')}:"
        case "date":
            return str(element.get("fallback") or "")
        case _:
            text = element.get("text") or element.get("value")
            return slack_text.decoded(text) if isinstance(text, str) else ""


def _is_preview(attachment: Json) -> bool:
    """Return whether it shows where a link leads.

    A forwarded message is no preview: it is said here.
    """
    urls = ("from_url", "original_url", "is_msg_unfurl")
    return not attachment.get("is_share") and any(attachment.get(key) for key in urls)


def _file_content(file: Json) -> list[str]:
    """Return the transcript of a clip, an e-mail that came in, or the beginning of a snippet.

    https://docs.slack.dev/reference/objects/file-object; the SDKs' file types have `transcription`
    and `plain_text`.
    """
    mail = file.get("plain_text") if file.get("subject") else None
    snippet = file.get("preview") if file.get("mode") == "snippet" else None
    contents = (_transcript(file), mail, snippet)
    words = next((text for text in contents if isinstance(text, str) and text.strip()), "")
    subject = [str(file["subject"])] if mail and words == mail else []
    return [*subject, *short(slack_text.typed(words), FILE_WORDS).split("\n")]


def _transcript(file: Json) -> object:
    transcription = file.get("transcription")
    preview = transcription.get("preview") if isinstance(transcription, Mapping) else None
    return preview.get("content") if isinstance(preview, Mapping) else None


def _file_names(files: Iterable[Json]) -> str:
    """Return `(file: till.png)`. Another workspace's file and a deleted one have only an id.

    https://docs.slack.dev/reference/objects/file-object
    """
    titles = (file.get("subject") or file.get("title") or file.get("name") for file in files)
    names = [" ".join(slack_text.typed(str(t)).split()) if t else "a file" for t in titles]
    return f"(file: {', '.join(names)})" if names else ""
