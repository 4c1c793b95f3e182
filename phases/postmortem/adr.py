"""Phase 6, the texts that leave the bot: the PRODUCTION INCIDENT summary in its exact layout, and the post-mortem as a numbered ADR."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, timedelta

from phases.postmortem.adr_template import Section, follow
from phases.postmortem.proofs import proofs
from phases.record.documents import ActionItem, Postmortem
from phases.record.findings import BlastRadius, Look, LookVerdict, Share, Word
from phases.record.incident import Entry, Incident
from phases.record.markdown import Names, inline, one_line, paragraphs
from phases.record.timeline import line
from phases.record.tokens import what_was_done
from phases.record.wording import counted, listed, rate, stamp
from phases.triage.who_is_hit import FEATURES_UNKNOWN, users
from phases.verification.event_chart import explained, in_words, mermaid

KINDS = ("tests", "monitors", "gates")
BRANCH = "firebreak/adr-"
"""How the branches of post-mortems begin: our own texts, which nobody ships as a hotfix."""
_SUMMARY = re.compile(r"```text\nPRODUCTION INCIDENT — .*?\n```", re.DOTALL)
RECORDED_WITHIN = timedelta(seconds=60)
"""Between a look and its record at most so long: nothing an effect does lasts longer than 30 s."""


# --- the summary -----------------------------------------------------------------------------------------------


def summary(incident: Incident, names: Names, *, number: int | None = None) -> str:
    """The reconciliation of the workflow, line by line. `number`: the ADR's, while it is being written.

    Plain words on known lines: nothing in it can add a line or end a code block. Escaping for Slack is the view's.
    """
    items = incident.postmortem.items if incident.postmortem else ()
    counts = ", ".join(f"{kind}:{sum(item.kind == kind for item in items)}" for kind in KINDS)
    adr = (
        incident.adr.name if incident.adr else f"ADR-{number:04d}" if number is not None else "none"
    )
    return "\n".join(
        (
            f"PRODUCTION INCIDENT — {one_line(incident.title, names) or incident.id}",
            "",
            f"Detected:    {stamp(incident.detected_at)} via {one_line(incident.source.text, names)}",
            f"Blast:       {one_line(blast(incident), names)}",
            f"Root cause:  {one_line(cause_in_one_line(incident), names)}",
            f"Action:      {one_line(what_was_done_in_all(incident), names, 500)}",
            f"Resolution:  {_resolution(incident)}",
            f"Sentry:      {_rates(incident)}",
            "",
            f"Linear:      {one_line(incident.ticket.url, names) if incident.ticket else 'none'}",
            f"Post-mortem: {adr}",
            "",
            f"Action items: {len(items)} ({counts})",
        )
    )


def minutes_taken(incident: Incident) -> int | None:
    """Whole minutes from *Detected* to verified recovery, never to the paperwork (rules: Post-mortem)."""
    if incident.recovered_at is None:
        return None
    return max(round((incident.recovered_at - incident.detected_at).total_seconds() / 60), 1)


def blast(incident: Incident) -> str:
    """Who and what was hit, in counts; regions and organisations by name."""
    report = incident.triage
    if report is None:
        return "not measured"
    found = report.blast
    parts = [users(found), _features(found)]
    parts += [
        f"{what} {_names(shares)}"
        for what, shares in (("in", found.regions), ("of", found.organisations))
        if shares
    ]
    mark = (
        " (reported, not measured)" if report.manual_by else " (inferred)" if found.inferred else ""
    )
    return ", ".join(part for part in parts if part) + mark


def cause_in_one_line(incident: Incident) -> str:
    text = (
        incident.cause.text
        if incident.cause
        else incident.postmortem.root_cause
        if incident.postmortem
        else ""
    )
    return next((line.strip() for line in text.splitlines() if line.strip()), "not known")


def what_was_done_in_all(incident: Incident) -> str:
    """Every action on production in its order: `rollback to v41; then fixed: flag off`. What went wrong is said with it."""
    said: list[str] = []
    for one in incident.rounds:
        action = one.action
        if action is None or action.result == "not started":
            continue
        failed = {"failed": " (failed)", "unknown": " (result unknown)"}.get(action.result, "")
        said.append(
            what_was_done(action)
            + (failed or (" (did not help)" if one.verdict == "not recovered" else ""))
        )
    practised = " (drill: nothing was deployed)" if incident.drill and said else ""
    return ("; then ".join(said) or "none") + practised


def _features(found: BlastRadius) -> str:
    if found.features is Word.NOBODY:
        return ""
    if not found.knows("features"):
        least = f", at least {_names(found.top_features)}" if found.top_features else ""
        return f"{FEATURES_UNKNOWN}{least}"
    what = {Word.ONE: "one feature", Word.MANY: "several features"}[found.features]
    if found.features is Word.MANY and len(found.top_features) > 1:
        what = counted(len(found.top_features), "feature")
    return f"{what} ({_names(found.top_features)})" if found.top_features else what


def _names(shares: Sequence[Share]) -> str:
    return listed([share.name for share in shares])


def _resolution(incident: Incident) -> str:
    taken = minutes_taken(incident)
    if incident.recovered_at is None or taken is None:
        return "recovery is not verified"
    return f"{stamp(incident.recovered_at)}, took {taken} min"


def _rates(incident: Incident) -> str:
    """Events a minute before and after, from the look that verified recovery.

    After a fix forward that worked the first verified recovery counts (rules: Verification), and the last of an incident that
    was opened again: `recovered_at` says which. A round that never had one has no say.
    """
    ends = [one for one in incident.rounds if one.verdict in ("recovered", "confirmed by a person")]
    look = next(
        (look for one in ends for look in one.looks if _verified(look, incident)), None
    ) or next(
        (
            look
            for one in reversed(ends)
            for look in reversed(one.looks)
            if look.verdict is LookVerdict.RECOVERED
        ),
        None,
    )
    if look is not None:
        return f"{rate(look.before_per_minute)} / {rate(look.after_per_minute)} events a minute before / after"
    report = incident.triage
    before = rate(report.per_minute) if report and not report.manual_by else "not measured"
    confirmed = bool(ends) and ends[-1].verdict == "confirmed by a person"
    after = "not measured, confirmed by a person" if confirmed else "not measured"
    if before == "not measured":
        return after
    return f"{before} / {after} (events a minute before / after)"


def _verified(look: Look, incident: Incident) -> bool:
    """Whether this look is the one by which recovery was verified: it was recorded as soon as it had been made."""
    if look.verdict is not LookVerdict.RECOVERED or incident.recovered_at is None:
        return False
    return timedelta() <= incident.recovered_at - look.at <= RECORDED_WITHIN


# --- the ADR ---------------------------------------------------------------------------------------------------


def adr_text(
    incident: Incident, entries: Sequence[Entry], number: int, names: Names, template: str = ""
) -> str:
    """The post-mortem as a Markdown file, in the shape of the folder's `template`; raises `ValueError` before it was submitted.

    It begins with the summary. `Record` tells this incident from another one of the same number, should the numbers ever
    begin again.
    """
    written = incident.postmortem
    if written is None:
        raise ValueError(f"{incident.id} has no post-mortem to write")
    severity = f", SEV{incident.severity.value}" if incident.severity else ""
    day = f"{written.at.astimezone(UTC):%Y-%m-%d}"
    meta = (
        ("Status", "accepted"),
        ("Date", day),
        (
            "Incident",
            f"{incident.id}, {inline(incident.service, names)} ({inline(incident.environment, names)}){severity}",
        ),
        ("Written by", inline(f"<@{written.by}>", names)),
        ("Record", incident.ulid),
    )
    return follow(
        template,
        number=number,
        title=f"{inline(incident.id, names)}, {inline(incident.title, names)}",
        facts={
            "status": "accepted",
            "date": day,
            "title": one_line(f"{incident.id}, {incident.title}", names),
            "people": one_line(f"<@{written.by}>", names),
        },
        head=("```text", summary(incident, names, number=number), "```"),
        meta=meta,
        sections=_sections(incident, written, entries, number, names),
    )


def up_to_date(text: str, incident: Incident, number: int, names: Names) -> str:
    """The same file with today's summary and today's proofs; whatever else people changed in it stays."""
    text = _SUMMARY.sub(
        lambda _: f"```text\n{summary(incident, names, number=number)}\n```", text, count=1
    )
    rows = {row.split("|")[1].strip(): row for row in _proofs(incident, number, names)[2:]}
    return "\n".join(
        rows.get(line.split("|")[1].strip(), line) if line.startswith("| ") else line
        for line in text.split("\n")
    )


def _sections(
    incident: Incident, written: Postmortem, entries: Sequence[Entry], number: int, names: Names
) -> tuple[Section, ...]:
    """The six parts of the workflow, and what proves them; in our own order where no template has another."""
    sections = [
        Section("status", "Status", ("accepted",)),
        Section("date", "Date", (f"{written.at.astimezone(UTC):%Y-%m-%d}",)),
        Section("summary", "Summary", (inline(cause_in_one_line(incident), names),)),
        Section("impact", "Impact", (inline(written.impact or blast(incident), names),)),
        Section(
            "timeline",
            "Timeline",
            (paragraphs(written.timeline, names), "", *_table(entries, names)),
        ),
        Section(
            "cause",
            "Root cause",
            (paragraphs(written.root_cause, names), *_evidence(incident, names)),
        ),
        Section("before", "Seen before", tuple(_before(incident, names))),
        Section("done", "What was done", tuple(_done(incident, names))),
        Section("picture", "Events a minute", tuple(_picture(incident, names))),
        Section("options", "Considered options", tuple(_options(incident, names))),
        Section(
            "monitoring",
            "Why monitoring did not catch it earlier",
            (paragraphs(written.monitoring, names),),
        ),
        Section(
            "tests", "Why it slipped through tests and CI", (paragraphs(written.tests, names),)
        ),
        Section("items", "Action items", tuple(_item(item, names) for item in written.items)),
        Section("revisit", "Revisit when", (paragraphs(written.revisit, names),)),
        Section("proofs", "Proofs", tuple(_proofs(incident, number, names))),
    ]
    return tuple(
        one for one in sections if one.lines or one.key not in ("before", "options", "picture")
    )


def _proofs(incident: Incident, number: int, names: Names) -> list[str]:
    lines = ["| Proof | State | |", "| --- | --- | --- |"]
    for proof in proofs(incident):
        state, says = ("complete" if proof.complete else "missing"), proof.says
        if proof.name == "Post-mortem" and not proof.complete:
            state, says = "complete", f"this file, ADR-{number:04d}"
        lines.append(f"| {proof.name} | {state} | {inline(says, names)} |")
    return lines


def _options(incident: Incident, names: Names) -> list[str]:
    """What the bot recommended and what people did, round by round."""
    lines: list[str] = []
    for one in incident.rounds:
        said = (
            f"{one.recommendation.choice.value} was recommended"
            if one.recommendation
            else "nothing was recommended"
        )
        chosen = what_was_done(one.action) if one.action else "nothing"
        lines.append(f"- Round {one.number}: {said}, {inline(chosen, names)} was chosen")
    return lines


def _table(entries: Sequence[Entry], names: Names) -> list[str]:
    rows = [
        f"| {stamp(entry.at)} | {inline(entry.kind, names)} | {inline(line(entry), names, 600)}{_source(entry)} |"
        for entry in sorted(entries, key=lambda entry: entry.at)
    ]
    return (
        ["As it was recorded:", "", "| Time | | What |", "| --- | --- | --- |", *rows]
        if rows
        else []
    )


def _source(entry: Entry) -> str:
    url = inline(entry.url, {}) if entry.url else ""
    return f" {url}" if url.startswith("<http") else ""


def _evidence(incident: Incident, names: Names) -> list[str]:
    """What stands behind the cause, and what was ruled out on the way."""
    cause = incident.cause
    lines: list[str] = []
    if cause is not None:
        lines += [f"- {inline(one, names)}" for one in cause.evidence]
        if cause.commit:
            lines.append(f"- Commit: {inline(cause.commit, names)}")
        if cause.release:
            lines.append(f"- Release: {inline(cause.release, names)}")
    for one in incident.hypotheses:
        found = f": {inline(one.found, names, 400)}" if one.found else ""
        lines.append(
            f"- {inline(one.id, names)} {one.verdict.value}: {inline(one.says, names, 400)}{found}"
        )
    return ["", "Evidence:", "", *lines] if lines else []


def _before(incident: Incident, names: Names) -> list[str]:
    """What keeps coming back, and what was known of it when triage asked."""
    found = incident.recollection
    if found is None:
        return []
    pattern = [inline(found.pattern, names), ""] if found.pattern else []
    known = [f"- {inline(line, names)}" for line in found.lines]
    return [*pattern, *known]


def _done(incident: Incident, names: Names) -> list[str]:
    lines: list[str] = []
    for one in incident.rounds:
        if one.action is None:
            continue
        proof = one.action.proof
        releases = (
            f", {proof.before or 'not known'} → {proof.after or 'not known'}" if proof else ""
        )
        glass = f", break glass: {one.action.break_glass}" if one.action.break_glass else ""
        said = f"{what_was_done(one.action)} by <@{one.action.by}>, {stamp(one.action.at)}: {one.action.result}{releases}{glass}"
        lines.append(f"- Round {one.number}: {inline(said, names)}")
        for look in one.looks:
            numbers = f"{rate(look.before_per_minute)} / {rate(look.after_per_minute)} events a minute before / after"
            endpoint = f", endpoint {look.endpoint.said}" if look.endpoint else ""
            why = f" ({'; '.join(look.reasons)})" if look.reasons else ""
            lines.append(
                f"  - {stamp(look.at)}: {inline(f'{look.verdict.value}, {numbers}{endpoint}{why}', names)}"
            )
    return lines or ["Nothing was done on production."]


def _picture(incident: Incident, names: Names) -> list[str]:
    drawing = mermaid(incident)
    if not drawing:
        return []
    marks = [f"- {inline(one, names)}" for one in explained(incident)]
    return [*drawing, "", *marks, "", inline(in_words(incident), names)]


def _item(item: ActionItem, names: Names) -> str:
    more = [
        f"owner {item.owner}" if item.owner else "no owner",
        f"due {item.due}" if item.due else "no date",
    ]
    return f"- [{'x' if item.done else ' '}] {item.kind}: {inline(item.text, names)} ({inline(', '.join(more), names)})"
