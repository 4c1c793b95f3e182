"""The facts of a triage report that the line above them does not have."""

from datetime import timedelta

from handlers.views import phrasing
from handlers.views.blocks import Block, context, facts, section
from handlers.views.text import code, inline_code, link, person, spoken, when, words
from phases.record.findings import Confidence, DeploySeen, IssueSeen, Share, TriageReport, Word
from phases.record.service import Service
from phases.text.wording import counted, lasting
from phases.triage.deploys.beginning_text import AT_ONCE
from phases.triage.deploys.deploy_history import FIRST_EVENTS
from phases.triage.picture.blast_radius import SHOWN
from phases.triage.rollback.recommendation import AS_MANY

SENTENCES_SHOWN = 5
ISSUES = 3
DEPLOYS_SHOWN = 3


def triage_details(report: TriageReport, service: Service, *, began: bool) -> list[Block | None]:
    """Return the facts under the line that counts events, users and features.

    `began`: say when it began, and how long after which deploy; else the reasons say so.
    """
    if report.manual_by is not None:
        text = f"Reported by {person(report.manual_by)}, {when(report.at)}; not measured"
        return [section(text)]
    blast = report.blast
    doubtful = blast.confidence is not Confidence.HIGH and blast.users is not Word.NOBODY
    deploys = report.deploys[:DEPLOYS_SHOWN]
    listed = phrasing.bare(report.running) in [deploy.release.version for deploy in deploys]
    pairs = [
        ("Users", _users(report) if doubtful and blast.knows("users") else ""),
        ("Features", phrasing.shares(blast.top_features) if len(blast.top_features) > 1 else ""),
        ("Regions", _places(blast.regions, report.events)),
        ("Organisations", _places(blast.organisations, report.events)),
        ("Began", _beginning(report) if began else ""),
        ("Running", phrasing.version(report.running) if report.running and not listed else ""),
    ]
    blocks: list[Block | None] = [facts(pairs), *(_sentences(report) if _indirect(report) else [])]
    issues = [_issue(issue) for issue in report.issues[:ISSUES]]
    more = max(len(report.issue_ids), len(report.issues)) - ISSUES
    if more > 0:
        issues.append(f"and {counted(more, 'more issue')}")
    if issues:
        blocks.append(section("\n".join(issues)))
    blocks.append(_frame(report))
    if deploys:
        lines = (_deploy(report, deploy, service) for deploy in deploys)
        blocks.append(context(*lines))
    return blocks


def _places(places: tuple[Share, ...], events: int) -> str:
    """Return the places with their shares; of how many events, where most events name no place."""
    known = sum(place.events for place in places)
    few = 0 < known * 2 < events and len(places) < SHOWN
    of = f" of the {counted(known, 'event')} that name one" if few else ""
    return f"{phrasing.shares(places)}{of}"


def _indirect(report: TriageReport) -> bool:
    """Return whether users were not counted by name: then it is said how they were counted."""
    blast = report.blast
    return (
        blast.inferred
        or blast.user_count is None
        or blast.users is Word.NOBODY
        or bool(blast.unknown)
    )


def _users(report: TriageReport) -> str:
    blast = report.blast
    known = f"{blast.user_count:,}" if blast.user_count is not None else blast.users.value
    inferred = ", inferred" if blast.inferred else ""
    return f"{known} ({blast.confidence.value} confidence{inferred})"


def _beginning(report: TriageReport) -> str:
    if report.began_at is None:
        return ""
    began = when(report.began_at)
    if report.suspect is None or report.suspect_minutes is None:
        return began
    gap = timedelta(minutes=report.suspect_minutes)
    if not report.began_exact and abs(gap) < timedelta(minutes=1):
        return f"{began}, within a minute of {phrasing.version(report.suspect)} going out"
    if gap < timedelta():
        return f"{began}, just as {phrasing.version(report.suspect)} went out"
    passed = f"{'' if report.began_exact else 'about '}{_passed(gap)}"
    return f"{began}, {passed} after {phrasing.version(report.suspect)} went out"


def _passed(gap: timedelta) -> str:
    """Return how long after: `right`, `3 min`, `2 days`."""
    return "right" if gap < AT_ONCE else lasting(gap)


def _sentences(report: TriageReport) -> list[Block | None]:
    above, blast = phrasing.hit(report), report.blast
    # The line above counts, and the fields name the features.
    counts = blast.unknown and any(s.endswith("/min).") for s in blast.sentences[:1])
    fields = ("Features: ", "All of it in one ")
    many = "assumed to be many." if AS_MANY in report.recommendation.reasons else above
    new = [
        words(sentence, 300)
        for sentence in blast.sentences[1 if counts else 0 : SENTENCES_SHOWN]
        if sentence.rstrip(".") != above and not sentence.endswith(many)
        if not sentence.startswith(fields)
    ]
    return [context(*new)] if new else []


def _issue(issue: IssueSeen) -> str:
    known = {
        "new": issue.new,
        "spiking": issue.spiking,
        "regressed": issue.regressed,
        "unhandled": issue.handled is False,
    }
    marks = [mark for mark, holds in known.items() if holds]
    marked = f" ({', '.join(marks)})" if marks else ""
    first = "" if issue.new else f", first seen {when(issue.first_seen)}"
    return (
        f"{link(issue.url, issue.short_id)} {words(issue.title, 160)}: "
        f"{counted(issue.events, 'event')}{marked}{first}"
    )


def _frame(report: TriageReport) -> Block | None:
    frame = report.frame
    if frame is None:
        return None
    at = f"{frame.file}:{frame.line}" if frame.line is not None else frame.file
    inside = f" in {inline_code(frame.function)}" if frame.function else ""
    if frame.file == "?":
        at, inside = frame.function or "a function that is not named", ""
    issues, error = report.issues[:ISSUES], report.exception_type
    titled = any(error and error in issue.title for issue in issues)
    raised = f"{words(error, 80)} at " if error and not titled else "At "
    known = any(issue.handled is not None for issue in issues)
    handled = "" if known else {True: ", handled", False: ", not handled", None: ""}[report.handled]
    lines = "\n".join(
        f"{'>' if n == frame.line else ' '} {n:>4}  {text}"
        for n, text in frame.context[:5]
        if text.strip()
    )
    source = "\n" + code(lines, 900) if lines else ""
    return section(f"{raised}{inline_code(at)}{inside}{handled}{source}")


def _deploy(report: TriageReport, deploy: DeploySeen, service: Service) -> str:
    version = phrasing.version(deploy.release)
    running = phrasing.bare(report.running)
    # Deploys come newest first: of two of the same version the newer one runs.
    newest = next((d for d in report.deploys if d.release.version == running), None)
    marks = ["runs now"] if deploy is newest else []
    marks += ["suspect"] if report.suspect is not None and deploy.release == report.suspect else []
    marks += ["rolled back"] if deploy.rolled_back else []
    marked = f" ({', '.join(marks)})" if marks else ""
    by = ""
    if deploy.by:  # a person as a mention, a bare id, or a name from outside
        mention = deploy.by.startswith("<")
        by = f" by {spoken(deploy.by, 60, lines=False) if mention else person(deploy.by)}"
    other = f" of {words(deploy.service, 60)}" if deploy.service != service.name else ""
    how = "seen" if deploy.source in FIRST_EVENTS else "deployed"
    return f"{version}{other} {how} {when(deploy.started_at)}{by}{marked}"
