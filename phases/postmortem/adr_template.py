"""Phase 6, the post-mortem in the shape that the folder's own template gives: its front matter, its title, its headings in its order.

Known shapes: MADR (https://adr.github.io/madr/), Nygard's (https://github.com/npryce/adr-tools), post-mortem templates. A part of
ours goes under the heading that asks for it; without one, below the heading of its kind (context, decision, consequences); else
at the end. Guidance and placeholders of the template do not get into the file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from phases.postmortem.adr_headings import ENGLISH, Language, fact, heading, language_of
from phases.record.markdown import inline

LIMIT = 64 * 1024

_KIND: Mapping[str, tuple[str, ...]] = {
    "context": ("impact", "timeline", "cause", "before"),
    "decision": ("done", "picture", "items"),
    "consequences": ("monitoring", "tests", "revisit", "proofs"),
}
_ONLY_WHERE_ASKED = ("status", "date", "summary", "options")
_OPTIONAL = "<!--optional-->"
_IS_OPTIONAL = re.compile(
    r"optional|optionn?el|opcional|opzionale|facultati|opcjonal|任意|可选", re.IGNORECASE
)
_HEADING = re.compile(r"^(#{1,6})\s+(.*?)\s*#*$")
_FACT = re.compile(
    r"^(?P<mark>\s*(?:[-*+]\s+)?(?:\*\*|__)?)(?P<key>[^\W\d_][^\W\d_ -]*(?:[ -][^\W\d_]+){0,3}(?:\([^)]{1,5}\))?)(?P<after>(?:\*\*|__)?\s*:\s*(?:\*\*|__)?)\s*(?P<value>.*)$"
)
_PLACEHOLDER = re.compile(r"[{}<>\[\]|…]|\.\.\.|^\s*$|yyyy|tbd|todo", re.IGNORECASE)
_NUMBERED = re.compile(
    r"^(?P<before>(?:ADR|RFC|PM|DR)?[- #]?)(?P<number>N{2,6}|X{2,6}|0{2,6}|#{2,6}|NUMBER|\d{1,6}|[{<\[][^}>\]]*n[uú]m[^}>\]]*[}>\]]"
    r"|(?<=[A-Za-z][- #])[{<\[][^}>\]]{1,20}[}>\]])(?P<after>\s*[.:—–-]?\s+)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the post-mortem: its key, our own heading for it, its Markdown."""

    key: str
    title: str
    lines: tuple[str, ...]


@dataclass(slots=True)
class _Asked:
    """A heading of the template, and what of ours goes below it."""

    level: int
    text: str
    optional: bool
    own: list[Section] = field(default_factory=list[Section])
    below: list[Section] = field(default_factory=list[Section])


def follow(
    template: str,
    *,
    number: int,
    title: str,
    facts: Mapping[str, str],
    head: Sequence[str],
    meta: Sequence[tuple[str, str]],
    sections: Sequence[Section],
) -> str:
    """The file. `facts`: plain words by key (`status`, `date`, `people`); `head` stands right behind the title, `meta` after it.

    `sections` holds every part; those that only a template asks for (`status`, `date`, `summary`, `options`) only there.
    Headings are in the template's language, where it is one of `adr_words.py`. Of another template only front matter and title are
    followed: nothing may stand below a heading that asks for something else.
    """
    front, body = _front_matter(template.removeprefix("\ufeff").replace("\r\n", "\n")[:LIMIT])
    told, filled = _filled(front, facts, number)
    asked_title, facts_lines, asked = _outline(body)
    below_title, there = _below_title(facts_lines, facts)
    needed = [
        one.text
        for one in asked
        if one.level == 2 and not one.optional and not _PLACEHOLDER.search(one.text)
    ]
    language = language_of([one.text for one in asked], needed=needed)
    if language is None:
        language, asked = ENGLISH, []
    sections = [replace(one, title=language.headings.get(one.key, one.title)) for one in sections]
    placed = _place(asked, sections, language)
    told |= there | placed
    lines: list[str] = ["---", *filled, "---", ""] if filled else []
    lines += [f"# {_titled(asked_title, number, title)}", "", *head, ""]
    lines += [
        *below_title,
        *(f"- {name}: {value}" for name, value in meta if name.lower() not in told),
        "",
    ]
    for one in _kept(asked, language):
        lines += _written(one)
    for section in sections:
        if section.key not in placed and section.key not in _ONLY_WHERE_ASKED:
            lines += [f"## {section.title}", "", *section.lines, ""]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines).rstrip()) + "\n"


# --- front matter and title --------------------------------------------------------------------------------------


def _front_matter(text: str) -> tuple[list[str], str]:
    lines = text.split("\n")
    if lines[0].strip() != "---":
        return [], text
    end = next((n for n, line in enumerate(lines[1:60], 1) if line.strip() in ("---", "...")), None)
    return ([], text) if end is None else (lines[1:end], "\n".join(lines[end + 1 :]))


_NAMES_IT = re.compile(r"id|slug|number|permalink|sidebar_label", re.IGNORECASE)
_OF_TEMPLATE = re.compile(r"(?<!\d)0{2,}(?!\d)")


def _filled(
    front: Sequence[str], facts: Mapping[str, str], number: int
) -> tuple[set[str], list[str]]:
    """The keys that are known get our values, placeholders go, what the folder sets for all of its files stays.

    In what names the file itself the template's number is ours: two documents of one `id` break Docusaurus
    (https://docusaurus.io/docs/api/plugins/@docusaurus/plugin-content-docs).
    """
    kept: list[str] = []
    told: set[str] = set()
    dropping = False
    for line in front:
        found = re.match(r"^([^\W\d_][\w -]*?)\s*:\s*(.*)$", line)
        if found is None:
            if not dropping and line.strip() and not line.lstrip().startswith("#"):
                kept.append(line)
            continue
        key, value = fact(found.group(1)) or found.group(1).strip().lower(), found.group(2)
        known = facts.get(key)
        dropping = known is not None or (
            bool(_PLACEHOLDER.search(value)) and not re.fullmatch(r"\[[\w, -]*\]|", value)
        )
        if known is not None:
            kept.append(f"{found.group(1).strip()}: {json.dumps(known, ensure_ascii=False)}")
            told.add(key)
        elif not dropping:
            ours = _NAMES_IT.fullmatch(found.group(1).strip())
            kept.append(
                _OF_TEMPLATE.sub(lambda own: f"{number:0{len(own.group())}d}", line)
                if ours
                else line
            )
    return told, kept


def _titled(asked: str, number: int, title: str) -> str:
    """In the template's way of numbering, where it has one."""
    found = _NUMBERED.match(asked)
    if found is None:
        return f"ADR-{number:04d}: {title}"
    width = len(found["number"]) if re.fullmatch(r"(.)\1+|\d+", found["number"]) else 4
    return f"{found['before']}{number:0{width}d}{found['after']}{title}"


def _below_title(lines: Sequence[str], facts: Mapping[str, str]) -> tuple[list[str], set[str]]:
    """`* Status: {proposed}`, `Date: YYYY-MM-DD` between the title and the first heading."""
    kept: list[str] = []
    told: set[str] = set()
    for line in lines:
        found = _FACT.match(line)
        key = (fact(found["key"]) or found["key"].strip().lower()) if found else ""
        known = facts.get(key)
        if found is not None and known is not None:
            mark = found["mark"] if found["mark"].strip() else "- " + found["mark"]
            kept.append(f"{mark}{found['key']}{found['after'].rstrip()} {inline(known, {})}")
            told.add(key)
    return kept, told


# --- headings ------------------------------------------------------------------------------------------------------


def _outline(body: str) -> tuple[str, list[str], list[_Asked]]:
    """The title, the lines below it, and the headings; what stands under a heading is guidance."""
    title, top, asked, fenced = "", list[str](), list[_Asked](), False
    text = re.sub(
        r"<!--.*?-->",
        lambda found: _OPTIONAL if _IS_OPTIONAL.search(found[0]) else "",
        body,
        flags=re.DOTALL,
    )
    text = re.sub(
        r"^(\S[^\n]*)\n(=+|-{3,})[ ]*$",
        lambda m: f"{'#' if m[2][0] == '=' else '##'} {m[1]}",
        text,
        flags=re.MULTILINE,
    )
    ahead = False  # what is said right in front of a heading is said of it
    for line in text.split("\n"):
        if line.lstrip().startswith(("```", "~~~")):
            fenced = not fenced
        found = None if fenced else _HEADING.match(line)
        if found is not None and len(found[1]) == 1 and not title and not heading(found[2]):
            title = found[2].replace(_OPTIONAL, "").strip()
        elif found is not None:
            words = found[2].replace(_OPTIONAL, "").strip()
            asked.append(
                _Asked(max(len(found[1]), 2), words, optional=ahead or _OPTIONAL in found[2])
            )
        elif not asked:
            top.append(line.replace(_OPTIONAL, ""))
        ahead = line.strip() == _OPTIONAL or (ahead and not line.strip())
    return title, top, asked


def _place(asked: Sequence[_Asked], sections: Sequence[Section], language: Language) -> set[str]:
    """Puts each part where it is asked for; the keys of those that found a place."""
    placed: set[str] = set()
    for section in sections:
        spot = next(
            (one for one in asked if language.key(one.text) == section.key and not one.own), None
        )
        if spot is not None:
            spot.own.append(section)
            placed.add(section.key)
    for kind, keys in _KIND.items():
        spot = next((one for one in asked if language.key(one.text) == kind and not one.own), None)
        if spot is not None:
            spot.below += [one for one in sections if one.key in keys and one.key not in placed]
            placed |= {one.key for one in spot.below}
    return placed


def _kept(asked: Sequence[_Asked], language: Language) -> list[_Asked]:
    """What is filled, or has something filled below it; and what is not known, and so is for people to fill.

    A heading that is known and stayed empty is said elsewhere; one that is optional, or a placeholder, is not missed.
    """
    kept: list[_Asked] = []
    for at, one in enumerate(asked):
        children = list[_Asked]()
        for other in asked[at + 1 :]:
            if other.level <= one.level:
                break
            children.append(other)
        full = bool(one.own or one.below) or any(child.own or child.below for child in children)
        strange = language.key(one.text) is None and one.level == 2 and not one.optional
        if full or (strange and not _PLACEHOLDER.search(one.text)):
            kept.append(one)
    return kept


def _written(one: _Asked) -> list[str]:
    lines = [f"{'#' * one.level} {one.text}", ""]
    for section in one.own:
        lines += [*section.lines, ""]
    for section in one.below:
        lines += [f"{'#' * min(one.level + 1, 6)} {section.title}", "", *section.lines, ""]
    return lines
