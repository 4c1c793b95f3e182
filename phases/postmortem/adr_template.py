"""The post-mortem in the shape of the folder's own template: front matter, title, headings.

Known shapes: MADR (https://adr.github.io/madr/), Nygard's (https://github.com/npryce/adr-tools),
post-mortem templates. A part of ours goes under the heading that asks for it; without one, below
the heading of its kind (context, decision, consequences); else at the end. Guidance and
placeholders of the template do not get into the file.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from phases.postmortem.adr_headings import ENGLISH, Language, asks_for_part, fact_key, language_of
from phases.text.markdown import inline

LIMIT = 64 * 1024

FACT = re.compile(
    r"^(?P<mark>\s*(?:[-*+]\s+)?(?:\*\*|__)?)(?P<key>[^\W\d_][\w -]{0,60}?(?:\([^)]{1,5}\))?)"
    r"(?P<colon>(?:\*\*|__)?\s*:\s*(?:\*\*|__)?)\s*(?P<value>.*)$"
)
"""`status: accepted` in front matter (MADR), `* **Status**: accepted` or `Date: 2026-11-22`."""
HEADING = re.compile(r"^(?P<level>#{1,6})\s+(?P<text>.*?)\s*#*$")

_KINDS: Mapping[str, tuple[str, ...]] = {
    "context": ("impact", "timeline", "cause", "before", "factors"),
    "decision": ("done", "picture", "items"),
    "consequences": ("monitoring", "tests", "went_well", "revisit", "contradictions", "proofs"),
}
_ONLY_WHERE_ASKED = ("status", "date", "summary", "options")
"""Parts that stand only where a template asks for them."""
FOR_PEOPLE = ("factors", "went_well")
"""Parts that may stay empty in the form: their headings stay for people to fill."""
_OPTIONAL = "<!--optional-->"
_IS_OPTIONAL = re.compile(
    r"optional|optionn?el|opcional|opzionale|facultati|opcjonal|任意|可选", re.IGNORECASE
)
_PLACEHOLDER = re.compile(r"[{}<>\[\]|…]|\.\.\.|^\s*$|yyyy|tbd|todo", re.IGNORECASE)
_NUMBERED = re.compile(
    r"^(?P<before>(?:ADR|RFC|PM|DR)?[- #]?)"
    r"(?P<number>N{2,6}|X{2,6}|0{2,6}|#{2,6}|NUMBER|\d{1,6}|[{<\[][^}>\]]*n[uú]m[^}>\]]*[}>\]]"
    r"|(?<=[A-Za-z][- #])[{<\[][^}>\]]{1,20}[}>\]])(?P<after>\s*[.:—–-]?\s+)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the post-mortem: its key, our own heading for it, its Markdown."""

    key: str
    title: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Content:
    """Everything that the file says, whatever its shape."""

    number: int
    title: str
    facts: Mapping[str, str]
    """Plain words by key: `status`, `date`, `people`, `title`."""
    head: Sequence[str]
    """Lines right behind the title."""
    meta: Sequence[tuple[str, str]]
    """Names and Markdown, below `head`."""
    sections: Sequence[Section]
    """Every part but `status` and `date`, which are facts."""


@dataclass(slots=True)
class _Heading:
    """A heading of the template, and the parts of ours that go below it."""

    level: int
    text: str
    optional: bool
    own: list[Section] = field(default_factory=list[Section])
    below: list[Section] = field(default_factory=list[Section])

    @property
    def full(self) -> bool:
        return bool(self.own or self.below)

    def lines(self) -> Iterator[str]:
        yield from (f"{'#' * self.level} {self.text}", "")
        for section in self.own:
            yield from (*section.lines, "")
        for section in self.below:
            yield from (f"{'#' * min(self.level + 1, 6)} {section.title}", "", *section.lines, "")


def follow_template(template: str, content: Content) -> str:
    """Return the file.

    Headings are in the template's language, where it is one of `adr_headings.toml`. Of a template
    in another language only front matter and title are followed: nothing may stand below a heading
    that asks for something else.
    """
    front, body = _front_matter(template.removeprefix("\ufeff").replace("\r\n", "\n")[:LIMIT])
    front, in_front = _filled_front_matter(front, content)
    title, top, headings = _outline(body)
    top, at_top = _below_title(top, content.facts)
    needed = [
        heading.text
        for heading in headings
        if heading.level == 2 and not heading.optional and not _PLACEHOLDER.search(heading.text)
    ]
    language = language_of([heading.text for heading in headings], needed=needed)
    if language is None:
        language, headings = ENGLISH, []
    facts = [Section(key, key.capitalize(), (content.facts[key],)) for key in ("status", "date")]
    sections = [
        replace(section, title=language.headings.get(section.key, section.title))
        for section in (*facts, *content.sections)
    ]
    placed = _place_sections(headings, sections, language)
    stated = in_front | at_top | placed
    lines = ["---", *front, "---", ""] if front else []
    lines += [f"# {_numbered_title(title, content)}", "", *content.head, "", *top]
    lines += [f"- {name}: {text}" for name, text in content.meta if name.lower() not in stated]
    lines.append("")
    for heading in _wanted_headings(headings, language):
        lines += heading.lines()
    for section in sections:
        if section.key not in placed and section.key not in _ONLY_WHERE_ASKED:
            lines += [f"## {section.title}", "", *section.lines, ""]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines).rstrip()) + "\n"


# --- front matter and title ----------------------------------------------------------------------


def _front_matter(text: str) -> tuple[list[str], str]:
    lines = text.split("\n")
    if lines[0].strip() != "---":
        return [], text
    end = next((n for n, line in enumerate(lines[1:60], 1) if line.strip() in ("---", "...")), None)
    return ([], text) if end is None else (lines[1:end], "\n".join(lines[end + 1 :]))


_FILE_KEYS = re.compile(r"id|slug|number|permalink|sidebar_label", re.IGNORECASE)
"""Keys that name the file itself. Two documents with one `id` break Docusaurus:
https://docusaurus.io/docs/api/plugins/@docusaurus/plugin-content-docs
"""
_NOUGHTS = re.compile(r"(?<!\d)0{2,}(?!\d)")


def _filled_front_matter(front: Sequence[str], content: Content) -> tuple[list[str], set[str]]:
    """Return the front matter with our facts, and the keys of these facts.

    Placeholders go. Everything that the folder sets for all of its files stays. In keys that name
    the file, the template's number becomes ours.
    """
    lines: list[str] = []
    keys: set[str] = set()
    dropping = False
    for line in front:
        match = FACT.match(line) if line[:1].isalpha() else None
        if match is None:
            if not dropping and line.strip() and not line.lstrip().startswith("#"):
                lines.append(line)
            continue
        name, value = match["key"].strip(), match["value"]
        key = fact_key(name) or name.lower()
        placeholder = _PLACEHOLDER.search(value) and not re.fullmatch(r"\[[\w, -]*\]|", value)
        dropping = key in content.facts or bool(placeholder)
        if key in content.facts:
            lines.append(f"{name}: {json.dumps(content.facts[key], ensure_ascii=False)}")
            keys.add(key)
        elif not dropping and _FILE_KEYS.fullmatch(name):
            lines.append(_NOUGHTS.sub(lambda m: f"{content.number:0{len(m[0])}d}", line))
        elif not dropping:
            lines.append(line)
    return lines, keys


def _numbered_title(asked: str, content: Content) -> str:
    """Return our title with its number, in the template's style of numbering if it has one."""
    match = _NUMBERED.match(asked)
    if match is None:
        return f"ADR-{content.number:04d}: {content.title}"
    width = len(match["number"]) if re.fullmatch(r"(.)\1+|\d+", match["number"]) else 4
    return f"{match['before']}{content.number:0{width}d}{match['after']}{content.title}"


def _below_title(top: Sequence[str], facts: Mapping[str, str]) -> tuple[list[str], set[str]]:
    """Return the facts between the title and the first heading with our values, and their keys."""
    lines: list[str] = []
    keys: set[str] = set()
    for line in top:
        match = FACT.match(line)
        key = (fact_key(match["key"]) or match["key"].strip().lower()) if match else ""
        if match is not None and key in facts:
            mark = match["mark"] if match["mark"].strip() else "- " + match["mark"]
            lines.append(f"{mark}{match['key']}{match['colon'].rstrip()} {inline(facts[key], {})}")
            keys.add(key)
    return lines, keys


# --- headings ------------------------------------------------------------------------------------


def _outline(body: str) -> tuple[str, list[str], list[_Heading]]:
    """Return the title, the lines below it, and the headings without their guidance."""
    title, top, headings, fenced = "", list[str](), list[_Heading](), False
    text = re.sub(
        r"<!--.*?-->",
        lambda comment: _OPTIONAL if _IS_OPTIONAL.search(comment[0]) else "",
        body,
        flags=re.DOTALL,
    )
    text = re.sub(
        r"^(\S[^\n]*)\n(=+|-{3,})[ ]*$",
        lambda m: f"{'#' if m[2][0] == '=' else '##'} {m[1]}",
        text,
        flags=re.MULTILINE,
    )
    optional = False  # a remark right in front of a heading is about the heading
    for line in text.split("\n"):
        if line.lstrip().startswith(("```", "~~~")):
            fenced = not fenced
        match = None if fenced else HEADING.match(line)
        words = match["text"].replace(_OPTIONAL, "").strip() if match else ""
        if match and len(match["level"]) == 1 and not title and not asks_for_part(match["text"]):
            title = words
        elif match:
            level = max(len(match["level"]), 2)
            headings.append(_Heading(level, words, optional or _OPTIONAL in match["text"]))
        elif not headings:
            top.append(line.replace(_OPTIONAL, ""))
        optional = line.strip() == _OPTIONAL or (optional and not line.strip())
    return title, top, headings


def _place_sections(
    headings: Sequence[_Heading], sections: Sequence[Section], language: Language
) -> set[str]:
    """Put each part under the heading that asks for it, and return the keys of these parts."""

    def free(key: str) -> _Heading | None:
        return next((h for h in headings if language.key(h.text) == key and not h.own), None)

    placed: set[str] = set()
    written = {section.key for section in sections}
    for section in sections:
        spot = free(section.key)
        if spot is None and section.key == "tests" and "factors" not in written:
            spot = free("factors")  # what let it through is one
        if spot is not None:
            spot.own.append(section)
            placed.add(section.key)
    for kind, keys in _KINDS.items():
        if (spot := free(kind)) is not None:
            spot.below += [part for part in sections if part.key in keys and part.key not in placed]
            placed |= {part.key for part in spot.below}
    return placed


def _wanted_headings(headings: Sequence[_Heading], language: Language) -> Iterator[_Heading]:
    """Yield the headings that are full, have full ones below them, or are for people to fill.

    A known heading that stayed empty is answered elsewhere. People fill an unknown one, if it is
    neither optional nor a placeholder.
    """
    for place, heading in enumerate(headings):
        full = heading.full
        for below in headings[place + 1 :]:
            if below.level <= heading.level:
                break
            full = full or below.full
        to_fill = language.key(heading.text) in (None, *FOR_PEOPLE)
        unknown = to_fill and heading.level == 2
        if full or (unknown and not heading.optional and not _PLACEHOLDER.search(heading.text)):
            yield heading
