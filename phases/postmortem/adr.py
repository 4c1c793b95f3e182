"""Phase 6: the PRODUCTION INCIDENT summary in its layout, and the post-mortem as a numbered ADR."""

import re
from collections.abc import Sequence
from datetime import UTC

from phases.postmortem.adr_status import contradiction_line
from phases.postmortem.adr_template import Content, Section, follow_template
from phases.postmortem.contradictions.named import parts_of
from phases.postmortem.entry_table import entry_table
from phases.postmortem.proofs import proofs
from phases.postmortem.sources import sources
from phases.record.documents import ActionItem, Postmortem
from phases.record.findings import BlastRadius, Look, Share, Word
from phases.record.incident import Entry, Incident
from phases.record.tokens import Form, what_was_done
from phases.root_cause.leading_cause import leading_cause
from phases.shared.rounds import look_of_recovery, round_of_recovery
from phases.text.markdown import Names, inline, one_line, paragraphs
from phases.text.wording import counted, listed, per_minute_text, stamp
from phases.triage.picture.who_is_hit import FEATURES_UNKNOWN, users
from phases.verification.event_chart import chart_in_words, letters_explained, mermaid_chart
from phases.verification.steps import look_sentence
from phases.verification.verdicts import was_measured

KINDS = ("tests", "monitors", "gates")
BESIDE = {"factors": "Contributing factors", "went_well": "What went well"}
"""Parts that may stay empty: they stand in the file where somebody wrote them."""
BRANCH = "firebreak/adr-"
"""The beginning of branches of post-mortems: our own texts, which nobody ships as a hotfix."""
_SUMMARY = re.compile(r"```text\nPRODUCTION INCIDENT — .*?\n```", re.DOTALL)


# --- the summary ---------------------------------------------------------------------------------


def summary(incident: Incident, names: Names, *, number: int | None = None) -> str:
    """Return the reconciliation of the workflow, line by line.

    `number` is the ADR's, while it is being written. Plain words on known lines: nothing in them
    can add a line or end a code block. The view escapes them for Slack.
    """
    items = incident.postmortem.items if incident.postmortem else ()
    counts = ", ".join(f"{kind}:{sum(item.kind == kind for item in items)}" for kind in KINDS)
    adr = incident.adr.name if incident.adr else "none"
    if incident.adr is None and number is not None:
        adr = f"ADR-{number:04d}"
    return "\n".join(
        (
            f"PRODUCTION INCIDENT — {one_line(incident.title, names) or incident.id}",
            "",
            f"Detected:    {stamp(incident.detected_at)} via "
            f"{one_line(incident.source.text, names)}",
            f"Blast:       {one_line(blast_line(incident), names)}",
            f"Root cause:  {one_line(cause_in_one_line(incident), names)}",
            f"Action:      {one_line(what_was_done_in_all(incident), names, 500)}",
            f"Resolution:  {_resolution_line(incident)}",
            f"Sentry:      {_rates_before_and_after(incident)}",
            "",
            f"Linear:      {one_line(incident.ticket.url, names) if incident.ticket else 'none'}",
            f"Post-mortem: {adr}",
            "",
            f"Action items: {len(items)} ({counts})",
        )
    )


def minutes_taken(incident: Incident) -> int | None:
    """Return whole minutes from *Detected* to verified recovery (rules: Post-mortem)."""
    if incident.recovered_at is None:
        return None
    return max(round((incident.recovered_at - incident.detected_at).total_seconds() / 60), 1)


def blast_line(incident: Incident) -> str:
    """Return who and what was hit, in counts; regions and organisations by name."""
    report = incident.triage
    if report is None:
        return "not measured"
    radius = report.blast
    parts = [users(radius), _features_hit(radius)]
    parts += [
        f"{preposition} {_share_names(shares)}"
        for preposition, shares in (("in", radius.regions), ("of", radius.organisations))
        if shares
    ]
    mark = ""
    if report.manual_by:
        mark = " (reported, not measured)"
    elif radius.inferred:
        mark = " (inferred)"
    return ", ".join(part for part in parts if part) + mark


def cause_in_one_line(incident: Incident) -> str:
    text = ""
    if incident.cause is not None:
        text = incident.cause.text
    elif incident.postmortem is not None:
        text = incident.postmortem.root_cause
    return next((line.strip() for line in text.splitlines() if line.strip()), "not known")


def what_was_done_in_all(incident: Incident, form: Form = "noun") -> str:
    """Return every action on production in its order, with what went wrong.

    `rollback to v41 (did not help); then fixed: flag off`.
    """
    parts: list[str] = []
    for round in incident.rounds:
        action = round.action
        if action is None or action.result == "not started":
            continue
        wrong = {"failed": " (failed)", "unknown": " (result unknown)"}.get(action.result, "")
        if not wrong and round.verdict == "not recovered":
            wrong = " (did not help)"
        parts.append(what_was_done(action, form) + wrong)
    if not parts:
        return "none" if form == "noun" else "nothing was done"
    return "; then ".join(parts) + (" (drill: nothing was deployed)" if incident.drill else "")


def _features_hit(blast: BlastRadius) -> str:
    if blast.features is Word.NOBODY:
        return ""
    names = _share_names(blast.top_features)
    if not blast.knows("features"):
        return FEATURES_UNKNOWN + (f", at least {names}" if names else "")
    number = "one feature"
    if blast.features is Word.MANY:
        several = len(blast.top_features) > 1
        number = counted(len(blast.top_features), "feature") if several else "several features"
    return f"{number} ({names})" if names else number


def _share_names(shares: Sequence[Share]) -> str:
    return listed([share.name for share in shares])


def _resolution_line(incident: Incident) -> str:
    minutes = minutes_taken(incident)
    if incident.recovered_at is None or minutes is None:
        return "recovery is not verified"
    return f"{stamp(incident.recovered_at)}, took {minutes} min"


def _rates_before_and_after(incident: Incident) -> str:
    """Return events a minute before and after, from the look that verified recovery."""
    current = round_of_recovery(incident)
    if (look := look_of_recovery(current)) is not None:
        return f"{_before_after(look)} events a minute before / after"
    report = incident.triage
    confirmed = current is not None and current.verdict == "confirmed by a person"
    after = "not measured, confirmed by a person" if confirmed else "not measured"
    if report is None or report.manual_by:
        return after
    return f"{per_minute_text(report.per_minute)} / {after} (events a minute before / after)"


def _before_after(look: Look) -> str:
    return f"{per_minute_text(look.before_per_minute)} / {per_minute_text(look.after_per_minute)}"


# --- the ADR -------------------------------------------------------------------------------------


def adr_text(
    incident: Incident, entries: Sequence[Entry], number: int, names: Names, template: str = ""
) -> str:
    """Return the post-mortem as a Markdown file, in the shape of the folder's `template`.

    It begins with the summary. `Record` tells this incident from another one of the same number,
    should the numbers ever begin again. Raises `ValueError` before the post-mortem was submitted.
    """
    written = incident.postmortem
    if written is None:
        raise ValueError(f"{incident.id} has no post-mortem to write")
    severity = f", SEV{incident.severity.value}" if incident.severity else ""
    service = f"{inline(incident.service, names)} ({inline(incident.environment, names)})"
    day = f"{written.at.astimezone(UTC):%Y-%m-%d}"
    content = Content(
        number=number,
        title=f"{inline(incident.id, names)}, {inline(incident.title, names)}",
        facts={
            "status": "accepted",
            "date": day,
            "title": one_line(f"{incident.id}, {incident.title}", names),
            "people": one_line(f"<@{written.by}>", names),
        },
        head=("```text", summary(incident, names, number=number), "```"),
        meta=(
            ("Status", "accepted"),
            ("Date", day),
            ("Incident", f"{incident.id}, {service}{severity}"),
            ("Written by", inline(f"<@{written.by}>", names)),
            ("Record", incident.ulid),
        ),
        sections=_sections(incident, written, entries, number, names),
    )
    return follow_template(template, content)


def up_to_date(text: str, incident: Incident, number: int, names: Names) -> str:
    """Return the same file with today's summary and proofs. Whatever else people changed stays."""
    text = _SUMMARY.sub(
        lambda _: f"```text\n{summary(incident, names, number=number)}\n```", text, count=1
    )
    rows = {row.split("|")[1].strip(): row for row in _proof_rows(incident, number, names)[2:]}
    return "\n".join(
        rows.get(line.split("|")[1].strip(), line) if line.startswith("| ") else line
        for line in text.split("\n")
    )


def _sections(
    incident: Incident, written: Postmortem, entries: Sequence[Entry], number: int, names: Names
) -> tuple[Section, ...]:
    """Return the six parts of the workflow with their proofs, in our own order."""

    def part(key: str, title: str, text: str, *more: str) -> Section:
        return Section(key, title, (paragraphs(text, names), *more))

    sections = (
        Section("summary", "Summary", (inline(cause_in_one_line(incident), names),)),
        Section("impact", "Impact", (inline(written.impact or blast_line(incident), names),)),
        part("timeline", "Timeline", written.timeline, "", *entry_table(entries, names)),
        part("cause", "Root cause", written.root_cause, *_cause_evidence(incident, names)),
        Section("before", "Seen before", tuple(_seen_before(incident, names))),
        Section("done", "What was done", tuple(_what_was_done(incident, names))),
        Section("picture", "Events a minute", tuple(_event_chart(incident, names))),
        Section("options", "Considered options", tuple(_considered_options(incident, names))),
        part("monitoring", "Why monitoring did not catch it earlier", written.monitoring),
        part("tests", "Why it slipped through tests and CI", written.tests),
        *(
            part(key, title, getattr(written, key))
            for key, title in BESIDE.items()
            if getattr(written, key)
        ),
        Section("items", "Action items", tuple(_item_line(item, names) for item in written.items)),
        part("revisit", "Revisit when", written.revisit),
        Section(
            "contradictions",
            "Contradictions",
            tuple(
                contradiction_line(contradiction, names)
                for contradiction in incident.contradictions
            ),
        ),
        Section(
            "proofs",
            "Proofs",
            (
                *_proof_rows(incident, number, names),
                *_cited_sources(incident, written, entries, names),
            ),
        ),
    )
    return tuple(section for section in sections if section.lines)


def _cited_sources(
    incident: Incident, written: Postmortem, entries: Sequence[Entry], names: Names
) -> list[str]:
    """Return what Firebreak proposed and people left as it was, each with where it is from."""
    lines: list[str] = []
    for source in sources(incident, entries, parts_of(written), names):
        url = inline(source.url, {}) if source.url else ""
        link = f" {url}" if url.startswith("<http") else ""
        says = inline(source.says, names, 300)
        lines.append(f"- “{says}”: {inline(source.comes_from, names)}{link}")
    return ["", "Proposed by the record, and left as it was:", "", *lines] if lines else []


def _proof_rows(incident: Incident, number: int, names: Names) -> list[str]:
    lines = ["| Proof | State | |", "| --- | --- | --- |"]
    for proof in proofs(incident):
        state, says = ("complete" if proof.complete else "missing"), proof.says
        if proof.name == "Post-mortem" and not proof.complete:
            state, says = "complete", f"this file, ADR-{number:04d}"
        lines.append(f"| {proof.name} | {state} | {inline(says, names)} |")
    return lines


def _considered_options(incident: Incident, names: Names) -> list[str]:
    """Return what the bot recommended and what people did, round by round."""
    lines: list[str] = []
    for round in incident.rounds:
        advice = round.recommendation.choice.value if round.recommendation else "nothing"
        chosen = inline(what_was_done(round.action) if round.action else "nothing", names)
        lines.append(f"- Round {round.number}: {advice} was recommended, {chosen} was chosen")
    return lines


def _cause_evidence(incident: Incident, names: Names) -> list[str]:
    """Return what stands behind the cause, and what was ruled out on the way."""
    cause = incident.cause
    lines: list[str] = []
    if cause is not None:
        lines += [f"- {inline(text, names)}" for text in cause.evidence]
        if cause.commit:
            lines.append(f"- Commit: {inline(cause.commit, names)}")
        if cause.release:
            lines.append(f"- Release: {inline(cause.release, names)}")
    for hypothesis in incident.hypotheses:
        finding = f": {inline(hypothesis.found, names, 400)}" if hypothesis.found else ""
        lines.append(
            f"- {inline(hypothesis.id, names)} {hypothesis.verdict.value}: "
            f"{inline(hypothesis.says, names, 400)}{finding}"
        )
    if (near := leading_cause(incident).nearest) is not None:
        by = f" ({inline(near.author, names)})" if near.author else ""
        why = f": {inline(near.reasons[0], names)}" if near.reasons else ""
        title = f"{near.sha[:9]} {inline(near.subject, names)}".strip()
        sure = f"{near.confidence:.0%}"
        lines.append(f"- No commit stood out. Nearest: {title}{by}, {sure}{why}")
    return ["", "Evidence:", "", *lines] if lines else []


def _seen_before(incident: Incident, names: Names) -> list[str]:
    """Return what keeps coming back, and what was known of it when triage asked."""
    recollection = incident.recollection
    if recollection is None:
        return []
    pattern = [inline(recollection.pattern, names), ""] if recollection.pattern else []
    return [*pattern, *(f"- {inline(line, names)}" for line in recollection.lines)]


def _what_was_done(incident: Incident, names: Names) -> list[str]:
    lines: list[str] = []
    for round in incident.rounds:
        action = round.action
        if action is None:
            continue
        done = f"{what_was_done(action)} by <@{action.by}>, {stamp(action.at)}: {action.result}"
        if (proof := action.proof) is not None:
            done += f", {proof.before or 'not known'} → {proof.after or 'not known'}"
        if action.break_glass:
            done += f", break glass: {action.break_glass}"
        lines.append(f"- Round {round.number}: {inline(done, names)}")
        lines += [
            f"  - {stamp(look.at)}: {inline(_look_in_words(look), names)}" for look in round.looks
        ]
        if round.verdict == "confirmed by a person":
            lines.append("  - recovered on a person's word, not measured")
    return lines or ["Nothing was done in production."]


def _look_in_words(look: Look) -> str:
    if not was_measured(look):
        return look_sentence(look)
    words = f"{look.said}, {_before_after(look)} events a minute before / after"
    if look.endpoint:
        words += f", endpoint {look.endpoint.said}"
    return f"{words} ({'; '.join(look.reasons)})" if look.reasons else words


def _event_chart(incident: Incident, names: Names) -> list[str]:
    drawing = mermaid_chart(incident)
    if not drawing:
        return []
    marks = [f"- {inline(mark, names)}" for mark in letters_explained(incident)]
    return [*drawing, "", *marks, "", inline(chart_in_words(incident), names)]


def _item_line(item: ActionItem, names: Names) -> str:
    owner = f"owner {item.owner}" if item.owner else "no owner"
    due = f"due {item.due}" if item.due else "no date"
    words = f"{item.kind}: {inline(item.text, names)} ({inline(f'{owner}, {due}', names)})"
    return f"- [{'x' if item.done else ' '}] {words}"
