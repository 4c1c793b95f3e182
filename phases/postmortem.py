"""Phase 6, the post-mortem: the gate in front of *resolved*, the six parts, their drafts and their checks.

Workflow: "Phase 6 — Post-mortem (always, mandatory)"; "Phase 6 ADR cannot be written without root cause → block; do not
declare resolved without understanding why". The six proofs are in `proofs.py`, the texts that leave the bot in `adr.py`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Literal

from phases.adr import adr_text, file_name, summary
from phases.incident import Entry, Incident, Status
from phases.markdown import Names, cut, readable
from phases.proofs import Proof, proofs
from phases.report import ActionItem, Hypothesis, Postmortem, Value, Verdict
from phases.wording import lasting, listed, stamp

__all__ = [
    "Items",
    "Parts",
    "Proof",
    "adr_text",
    "draft",
    "file_name",
    "missing",
    "parse_items",
    "proofs",
    "submitted",
    "summary",
]

PART_LIMIT = (
    3000  # a text input of Slack: https://docs.slack.dev/reference/block-kit/block-elements/plain-text-input-element
)
PARTS_BYTES = 14 * 1024  # the record has 32 KiB for everything (rules: Size and memory)
ITEMS_LIMIT = 25
ITEM_LIMIT = 300
DUE_DAYS = 14
"""An action item is proposed for two weeks after."""

_UNFINISHED = "because …"
_EMPTY = frozenset({"", "-", "--", ".", "…", "?", "n/a", "na", "none", "tbd", "todo"})


# --- the gate --------------------------------------------------------------------------------------------------


NO_POSTMORTEM = "A drill needs no post-mortem. End it with `/incident resolve` or `/incident cancel <why>`."


def missing(incident: Incident) -> tuple[str, ...]:
    """What stands between this incident and *resolved*; empty: nothing does."""
    lacking: list[str] = []
    if incident.recovered_at is None or incident.status is not Status.MITIGATED:
        lacking.append(_recovery_lacks(incident))
    if incident.drill:
        return tuple(lacking)  # practice leaves no post-mortem behind
    if incident.cause is None:
        lacking.append("the root cause: name it with `/incident cause <why>`, or in the post-mortem")
    if incident.adr is None:
        written = incident.postmortem is not None
        lacking.append(
            "the post-mortem's file: it was submitted and is not written yet; what hinders it is said above"
            if written
            else "the post-mortem: write it with `/incident postmortem`"
        )
    return tuple(lacking)


def _recovery_lacks(incident: Incident) -> str:
    match incident.status:
        case Status.VERIFYING:
            return "recovery: the check after the last action has not ended"
        case Status.MITIGATING:
            return "recovery: a deploy is under way"
        case _:
            return "recovery: nothing was done that was checked; roll back, hotfix or say *Fixed another way*"


# --- the form --------------------------------------------------------------------------------------------------


class Parts(Value):
    """The six parts as texts: as they are proposed, and as a person submits them."""

    timeline: str
    root_cause: str
    monitoring: str
    tests: str
    items: str
    revisit: str


def draft(incident: Incident, entries: Sequence[Entry], now: datetime, names: Names | None = None) -> Parts:
    """What is known, as a first draft. What only people know is left as a sentence to be finished: `because …`."""
    names = names or {}
    return Parts(
        timeline=_timeline_draft(entries, names),
        root_cause=cut(readable(_cause_draft(incident), names), PART_LIMIT),
        monitoring=cut(readable(_monitoring_draft(incident), names), PART_LIMIT),
        tests=cut(readable(_tests_draft(incident), names), PART_LIMIT),
        items=cut(_items_draft(incident, now, names), PART_LIMIT),
        revisit="When the action items are complete.",
    )


_LEFT_OUT_FIRST = (("evidence", "comms"), ("note", "update", "severity", "lead"), ("check", "page", "failure"))


def _timeline_draft(entries: Sequence[Entry], names: Names) -> str:
    """Alert → triage → action → resolve (workflow, phase 4). What matters least is left out where it gets too long."""
    kept = sorted(entries, key=lambda entry: entry.at)
    left_out, text = 0, ""
    for kinds in ((), *_LEFT_OUT_FIRST):
        fewer = [entry for entry in kept if entry.kind not in kinds]
        left_out += len(kept) - len(fewer)
        kept = fewer
        lines = [f"{stamp(e.at)}  {' '.join(readable(e.text, names).split())[:200]}" for e in kept]
        if left_out:
            lines.append(f"({left_out} smaller entries left out; the file lists them all)")
        text = "\n".join(lines)
        if len(text) <= PART_LIMIT:
            break
    return cut(text, PART_LIMIT)


def _best(incident: Incident) -> Hypothesis | None:
    alive = [one for one in incident.hypotheses if one.verdict is not Verdict.RULED_OUT]
    return max(alive, key=lambda one: (one.verdict is Verdict.SUPPORTED, one.confidence), default=None)


def _cause_draft(incident: Incident) -> str:
    if incident.cause is not None:
        return "\n".join([incident.cause.text, *(f"- {one}" for one in incident.cause.evidence)])
    culprit = incident.bisect.culprit if incident.bisect else None
    if culprit is not None:
        return f"Commit {culprit.sha[:10]} ({culprit.subject}), found by bisect."
    best = _best(incident)
    if best is None:
        return ""
    found = f"\n- {best.found}" if best.found else ""
    return f"Probably: {best.says}{found}"


AT_ONCE_SECONDS = 5  # detected so soon after the first event: no delay worth a word


def _monitoring_draft(incident: Incident) -> str:
    began = incident.triage.began_at if incident.triage else None
    via = f"via {incident.source.text}"
    if began is None or (incident.detected_at - began).total_seconds() < AT_ONCE_SECONDS:
        return f"Detected {stamp(incident.detected_at)} {via}. It was not caught earlier {_UNFINISHED}"
    late = lasting(incident.detected_at - began)
    return f"Trouble began {stamp(began)} and was detected {late} later, {via}. It was not caught earlier {_UNFINISHED}"


def _tests_draft(incident: Incident) -> str:
    report = incident.triage
    where = ""
    if report is not None and report.frame is not None:
        what = report.exception_type or "The error"
        where = f"{what} in {report.frame.file}{f', {report.frame.function}' if report.frame.function else ''}. "
    release = f"{report.suspect.version} passed tests and CI" if report and report.suspect else "It passed tests and CI"
    return f"{where}{release} {_UNFINISHED}"


def _items_draft(incident: Incident, now: datetime, names: Names) -> str:
    """One proposal of each kind that the evidence speaks for; owner: who leads."""
    report = incident.triage
    who = incident.lead or incident.declared_by
    owner = f" @{' '.join(readable(f'<@{who}>', names).split()[:3])}" if who else ""
    due = f" {(now + timedelta(days=DUE_DAYS)).date():%Y-%m-%d}"
    features = [share.name for share in report.blast.top_features] if report else []
    what = (report.exception_type if report else None) or "this failure"
    place = f" in {report.frame.file}" if report and report.frame else ""
    lines = [f"tests: reproduce {what}{place}"]
    if incident.source.kind in ("person", "phrase"):
        lines.append(f"monitors: alert on {listed(features) or incident.service} before users report it")
    if report is not None and report.suspect is not None:
        lines.append(f"gates: stop a release like {report.suspect.version} before it reaches everybody")
    return "\n".join(f"{' '.join(line.split())[:ITEM_LIMIT]}{owner}{due}" for line in lines)


# --- action items ----------------------------------------------------------------------------------------------

_KINDS: Mapping[str, Literal["tests", "monitors", "gates"]] = {
    "test": "tests",
    "tests": "tests",
    "monitor": "monitors",
    "monitors": "monitors",
    "gate": "gates",
    "gates": "gates",
}
_ITEM = re.compile(r"(?:[-*•]\s*)?(?:\[[ xX]?\]\s*)?(\w+)\s*[:：]\s*(.*)", re.DOTALL)
_DUE = re.compile(r"(?:^|\s)(?:(?:due|by|until)\s+)?(\d{4}-\d{1,2}-\d{1,2})$", re.IGNORECASE)
_OWNER_BEFORE_DUE = re.compile(r"(?:^|\s)@(\S+(?:\s+[^\s@]+){0,2})$")
_OWNER = re.compile(r"(?:^|\s)(?:@(\S+)|(<@[UW][A-Z0-9]+>))$")
_EXAMPLE = "tests: checkout with an empty cart @ann 2026-12-01"


class Items(Value):
    """What could be read, and what could not: one sentence a line, with its number."""

    items: tuple[ActionItem, ...] = ()
    errors: tuple[str, ...] = ()


def parse_items(text: str) -> Items:
    """Action items, one a line: `tests: … @owner 2026-12-01`; owner and date may be left out, a list's sign is ignored."""
    items: list[ActionItem] = []
    errors: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        item = _item(line.strip())
        if isinstance(item, str):
            errors.append(f"line {number}: {item}")
        else:
            items.append(item)
    if not items and not errors:
        errors.append(f"at least one action item is needed, e.g. {_EXAMPLE}")
    if len(items) > ITEMS_LIMIT:
        errors.append(f"{len(items)} action items are too many to be done: at most {ITEMS_LIMIT}")
    return Items(items=tuple(items), errors=tuple(errors))


def _item(line: str) -> ActionItem | str:
    found = _ITEM.fullmatch(line)
    kind = _KINDS.get(found.group(1).lower()) if found else None
    if found is None or kind is None:
        return f"begin with tests:, monitors: or gates:, e.g. {_EXAMPLE}"
    text = " ".join(found.group(2).split())
    due: date | None = None
    owner = ""
    if one := _OWNER.search(text):  # the date may stand in front of the owner
        before = text[: one.start()]
        if _DUE.search(before):
            owner, text = (one.group(1) or one.group(2)), before
    if dated := _DUE.search(text):
        try:
            due = date(*(int(part) for part in dated.group(1).split("-")))
        except ValueError:
            return f"{dated.group(1)} is no date: write the year, the month and the day, e.g. 2026-12-01"
        text = text[: dated.start()]
        one = None if owner else _OWNER_BEFORE_DUE.search(text)
    else:
        one = None if owner else _OWNER.search(text)
    if one is not None:
        owner, text = (one.group(1) or one.group(2) or ""), text[: one.start()]
    text = text.strip()
    if _is_empty(text):
        return f"say what shall be done, e.g. {_EXAMPLE}"
    if len(text) > ITEM_LIMIT:
        return f"too long: {len(text)} characters, at most {ITEM_LIMIT}"
    return ActionItem(kind=kind, text=text, owner=owner.removesuffix(",").strip()[:80], due=due)


# --- the check -------------------------------------------------------------------------------------------------

_ASKED = {
    "timeline": "the timeline, from the alert to the end",
    "root_cause": "the root cause",
    "monitoring": "why monitoring did not catch it earlier",
    "tests": "why it slipped through tests and CI",
    "items": "the action items",
    "revisit": "when to look at this again",
}


def submitted(parts: Parts, by: str, at: datetime) -> Postmortem | dict[str, str]:
    """The post-mortem, or what is wrong: name of the part → sentence, for a form to show under it."""
    wrong: dict[str, str] = {}
    texts: dict[str, str] = {name: getattr(parts, name).strip() for name in _ASKED}
    for name, text in texts.items():
        if _is_empty(text):
            wrong[name] = f"Say {_ASKED[name]}; this part is never empty."
        elif text.rstrip(" .").endswith(_UNFINISHED.rstrip(" .")) or text.endswith(_UNFINISHED):
            wrong[name] = f"Finish the sentence: say {_ASKED[name]}."
        elif len(text) > PART_LIMIT:
            wrong[name] = f"Too long: {len(text)} characters, at most {PART_LIMIT}."
    items = parse_items(texts["items"])
    if "items" not in wrong and items.errors:
        wrong["items"] = cut("; ".join(items.errors), 500)
    size = sum(len(text.encode()) for text in texts.values())
    if not wrong and size > PARTS_BYTES:
        longest = max(texts, key=lambda name: len(texts[name].encode()))
        wrong[longest] = f"Altogether {size - PARTS_BYTES:,} bytes too long: shorten this, the longest part."
    if wrong:
        return wrong
    return Postmortem(
        timeline=texts["timeline"],
        root_cause=texts["root_cause"],
        monitoring=texts["monitoring"],
        tests=texts["tests"],
        items=items.items,
        revisit=texts["revisit"],
        by=by,
        at=at,
    )


def _is_empty(text: str) -> bool:
    return " ".join(text.split()).lower() in _EMPTY
