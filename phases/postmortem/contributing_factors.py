"""Phase 6, facts for the two whys: the first alert, the tests of the file, the checks that ran.

Each fact is from the record or looked up in the source. A person has to say what it means.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

from phases.ports.file_kinds import FileKind, kind_of
from phases.ports.notes import Notes
from phases.ports.ports import PullRequests, SourceCode
from phases.ports.source_values import Commit, Covered, PullChecks
from phases.record.findings import Frame, Value
from phases.record.incident import Entry, Incident
from phases.record.service import Service
from phases.record.timeline import as_recorded
from phases.root_cause.leading_cause import leading_cause
from phases.text.wording import lasting, listed, short, stamp

AT_ONCE_SECONDS = 5  # a shorter delay is not worth a word
ASK_SECONDS = 4.0
"""A person waits in front of the form. What has not answered by then is left out, with a note."""
ALERT = "Sentry "
"""The beginning of a timeline entry that is an alert of Sentry (`AddEvidence` of the webhook)."""


class LookedUp(Value):
    """Facts that were looked up when the form was opened. None: not asked, or not known."""

    tests: Covered | None = None
    commit: Commit | None = None
    """The commit that brought the trouble."""
    confirmed: bool = False
    """True if a bisect or a person named that commit; else it is the first of the suspects."""
    checks: PullChecks | None = None
    users: int | None = None
    notes: tuple[str, ...] = ()
    """Questions without an answer, with the reason."""


async def look_up(
    incident: Incident, service: Service, source: SourceCode | None, pulls: PullRequests | None
) -> LookedUp:
    """Ask for the tests of the crashing file, the commit, and its pull request's checks."""
    ends = asyncio.get_running_loop().time() + ASK_SECONDS
    notes = Notes(form="{cost}: {why}", no_answer="no answer in time", ends=ends)
    lead = leading_cause(incident)
    sha = lead.commit
    report = incident.triage
    release = (report.suspect or report.running) if report else None
    frame = report.frame if report else None

    async def tests() -> Covered | None:
        if source is None or release is None or frame is None:
            return None
        return await notes.soft(_covered_by(source, service, release.version, frame), None, "Tests")

    async def commit() -> Commit | None:
        if source is None or not sha:
            return None
        return await notes.soft(source.commit(service, sha), None, "The commit")

    async def checks() -> PullChecks | None:
        if pulls is None or not sha:
            return None
        return await notes.soft(pulls.checks(service, sha), None, "Checks")

    covered, commits, ran = await asyncio.gather(tests(), commit(), checks())
    return LookedUp(
        tests=covered,
        commit=commits,
        confirmed=lead.confirmed,
        checks=ran,
        notes=tuple(notes.sentences),
    )


async def _covered_by(
    source: SourceCode, service: Service, release: str, frame: Frame
) -> Covered | None:
    place = await source.place(service, release, frame)
    return await source.tests_of(service, release, place.path) if place.path else None


# --- why monitoring did not catch it earlier ------------------------------------------------------


def first_report(incident: Incident, entries: Sequence[Entry]) -> str:
    """Return the first report, its delay, and the first alert if there was one."""
    began = incident.triage.began_at if incident.triage else None
    after = (
        _delay_text(incident.detected_at, began) if began else f"at {stamp(incident.detected_at)}"
    )
    match incident.source.kind:
        case "sentry" | "alert":
            return f"{incident.source.text} fired {after}."
        case "person" | "phrase":
            first = f"A person said it first, {after}, via {incident.source.text}."
        case _:
            first = f"Detected {after}, via {incident.source.text}."
    return f"{first} {first_alert(incident, entries)}"


def _delay_text(detected: datetime, began: datetime) -> str:
    if (detected - began).total_seconds() < AT_ONCE_SECONDS:
        return f"as soon as it began ({stamp(began)})"
    return f"{lasting(detected - began)} after it began ({stamp(began)})"


def first_alert(incident: Incident, entries: Sequence[Entry]) -> str:
    first = alert_entry(entries)
    if first is None:
        return "No alert fired."
    name, after = short(first.text.partition(":")[0], 80), first.at - incident.detected_at
    when = f"{lasting(after)} later" if after >= timedelta() else f"{lasting(-after)} before"
    return f"The first alert ({name}) came {when}."


def alert_entry(entries: Sequence[Entry]) -> Entry | None:
    """Return the first alert of the timeline, as it is shown; the record says what is an alert."""
    alerts = [
        entry
        for entry in entries
        if entry.kind == "evidence" and as_recorded(entry).text.startswith(ALERT)
    ]
    return min(alerts, key=lambda entry: entry.at, default=None)


# --- why it slipped through tests and CI ----------------------------------------------------------


def how_it_passed(incident: Incident, looked_up: LookedUp) -> str:
    """Return the place of the crash, the tests of that file, the commit and its checks."""
    report = incident.triage
    sentences: list[str] = []
    if report is not None and report.frame is not None:
        function = f", {report.frame.function}" if report.frame.function else ""
        file = (
            "a file that the stack does not name" if report.frame.file == "?" else report.frame.file
        )
        sentences.append(f"{report.exception_type or 'The error'} in {file}{function}.")
        if looked_up.tests is not None:
            sentences.append(coverage_text(looked_up.tests))
    if looked_up.commit is not None:
        sentences.append(_commit_text(looked_up.commit, confirmed=looked_up.confirmed))
    if looked_up.checks is not None:
        sentences.append(_checks_text(looked_up.checks))
    return " ".join(sentences)


def coverage_text(tests: Covered) -> str:
    if tests.naming:
        return f"{listed(tests.naming)} {'names' if len(tests.naming) == 1 else 'name'} that file."
    if not tests.everywhere:
        return "No test of that name lies in the usual places."
    if not tests.read:
        return "No test is called after that file."
    if not tests.files:
        return "The repository has no test file."
    if tests.files == 1:
        return "The only test file does not name that file."
    return f"None of the {tests.files} test files names that file."


def _commit_text(commit: Commit, *, confirmed: bool) -> str:
    tests = [file.path for file in commit.files if kind_of(file.path) is FileKind.TESTS]
    who = "Commit" if confirmed else "Suspect commit"
    return f"{who} {commit.sha[:9]} changed {listed(tests) if tests else 'no test'}."


def _checks_text(checks: PullChecks) -> str:
    if not checks.checks:
        return f"No check ran on {checks.pull_request}."
    results = [f"{check.name} {check.conclusion}" for check in checks.checks]
    return f"Checks on {checks.pull_request}: {listed(results, most=8)}."
