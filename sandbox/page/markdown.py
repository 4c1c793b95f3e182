"""Just enough Markdown, as safe HTML, to read a post-mortem in the page: headings, lists, tables, code, quotes.

Like `mrkdwn`, everything leaves through `markupsafe.escape`, and HTML in the source stays text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from markupsafe import Markup, escape

from sandbox.page.mrkdwn import link

_HEADING = re.compile(r"^(#{1,6}) (.+?)#*$")
_ITEM = re.compile(r"^(\s*)([-*+]|\d+[.)]) (?:\[([ xX])\] )?(.*)$")
_RULE = re.compile(r"^\s*([-*_])(?:\s*\1){2,}\s*$")
_DIVIDER = re.compile(r"^\s*\|?[\s:|-]+\|?\s*$")
_INLINE = re.compile(
    r"`(?P<code>[^`]+)`"
    r"|\*\*(?P<bold>.+?)\*\*"
    r"|(?<!\w)[*_](?P<italic>[^*_\s](?:[^*_]*[^*_\s])?)[*_](?!\w)"
    r"|\[(?P<label>[^\]]+)\]\((?P<address>[^)\s]+)\)"
    r"|<?(?P<url>https?://[^\s<>|`]+[^\s<>|`.,;:!?)])>?"
    r"|\\(?P<escaped>[\\`*_{}\[\]()#+.!|<>-])"
)


def render(source: str) -> Markup:
    """A Markdown document as HTML. A front matter block is left out."""
    lines = source.replace("\r\n", "\n").split("\n")
    if lines and lines[0].strip() == "---" and "---" in (line.strip() for line in lines[1:]):
        lines = lines[[line.strip() for line in lines[1:]].index("---") + 2 :]
    return Markup("\n").join(_blocks(lines))


def _blocks(lines: list[str]) -> Iterator[Markup]:
    index = 0
    while index < len(lines):
        line = lines[index]
        if not line.strip():
            index += 1
        elif line.lstrip().startswith("```"):
            end = _until(lines, index + 1, lambda text: text.lstrip().startswith("```"))
            yield Markup("<pre>{}</pre>").format("\n".join(lines[index + 1 : end]))
            index = end + 1
        elif heading := _HEADING.match(line):
            level = len(heading[1])
            yield Markup("<h{}>{}</h{}>").format(level, inline(heading[2].strip()), level)
            index += 1
        elif _RULE.match(line):
            yield Markup("<hr>")
            index += 1
        elif line.startswith(">"):
            end = _until(lines, index, lambda text: not text.startswith(">"))
            inner = [text[1:].removeprefix(" ") for text in lines[index:end]]
            yield Markup("<blockquote>{}</blockquote>").format(Markup("").join(_blocks(inner)))
            index = end
        elif "|" in line and index + 1 < len(lines) and "-" in lines[index + 1] and _DIVIDER.match(lines[index + 1]):
            end = _until(lines, index, lambda text: "|" not in text)
            yield _table(lines[index:end])
            index = end
        elif _ITEM.match(line):
            end = _until(lines, index, lambda text: not text.strip() or bool(_HEADING.match(text)))
            yield _list(lines[index:end])
            index = end
        else:
            end = _until(lines, index + 1, _starts_block)
            yield Markup("<p>{}</p>").format(_paragraph(lines[index:end]))
            index = end


def _paragraph(lines: list[str]) -> Markup:
    """https://spec.commonmark.org/0.31.2/#hard-line-breaks: two blanks or a backslash at a line's end."""
    parts: list[list[str]] = [[]]
    for line in lines:
        hard = line.endswith("  ") or (line.endswith("\\") and not line.endswith("\\\\"))
        parts[-1].append((line.removesuffix("\\") if hard else line).strip())
        parts += [[]] if hard else []
    return Markup("<br>").join(inline(" ".join(part)) for part in parts if part)


def _until(lines: list[str], start: int, found: object) -> int:
    assert callable(found)
    return next((index for index in range(start, len(lines)) if found(lines[index])), len(lines))


def _starts_block(line: str) -> bool:
    return not line.strip() or line.startswith((">", "```", "#")) or bool(_ITEM.match(line))


def _list(lines: list[str]) -> Markup:
    """A list with its nested ones; a line that is no item continues the one before it."""
    items: list[tuple[int, str, str | None, list[str]]] = []
    for line in lines:
        found = _ITEM.match(line)
        if found:
            items.append((len(found[1]), found[2], found[3], [found[4]]))
        elif items:
            items[-1][3].append(line.strip())
    return _nested(items)


def _nested(items: list[tuple[int, str, str | None, list[str]]]) -> Markup:
    tag = "ol" if items[0][1][0].isdigit() else "ul"
    depth = items[0][0]
    out: list[Markup] = []
    index = 0
    while index < len(items):
        _, _, box, text = items[index]
        end = index + 1
        while end < len(items) and items[end][0] > depth:
            end += 1
        mark = Markup("")
        if box is not None:
            mark = Markup('<span class="box{}"></span> ').format(" on" if box in "xX" else "")
        inner = _nested(items[index + 1 : end]) if end > index + 1 else Markup("")
        out.append(Markup("<li>{}{}{}</li>").format(mark, inline(" ".join(text)), inner))
        index = end
    return Markup("<{}>{}</{}>").format(Markup(tag), Markup("").join(out), Markup(tag))


def _table(lines: list[str]) -> Markup:
    def cells(line: str) -> list[str]:
        return [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]

    head = Markup("").join(Markup("<th>{}</th>").format(inline(cell)) for cell in cells(lines[0]))
    rows = Markup("").join(
        Markup("<tr>{}</tr>").format(Markup("").join(Markup("<td>{}</td>").format(inline(cell)) for cell in cells(row)))
        for row in lines[2:]
    )
    return Markup("<table><thead><tr>{}</tr></thead><tbody>{}</tbody></table>").format(head, rows)


def inline(text: str) -> Markup:
    """Emphasis, code and links of one paragraph."""
    out: list[Markup] = []
    position = 0
    for found in _INLINE.finditer(text):
        out.append(escape(text[position : found.start()]))
        out.append(_token(found))
        position = found.end()
    out.append(escape(text[position:]))
    return Markup("").join(out)


def _token(found: re.Match[str]) -> Markup:
    if found["code"]:
        return Markup("<code>{}</code>").format(found["code"])
    if found["bold"]:
        return Markup("<b>{}</b>").format(inline(found["bold"]))
    if found["italic"]:
        return Markup("<em>{}</em>").format(inline(found["italic"]))
    if found["label"]:
        return link(found["address"], inline(found["label"]))
    if found["url"]:
        return link(found["url"], escape(found["url"]))
    return escape(found["escaped"])
