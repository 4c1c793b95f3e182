"""Phase 2: the hypothesis tree: what could have brought the trouble, which check was done, and how
sure its outcome is. A person's judgement stays, whatever the bot finds later.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple

from phases.ports.file_kinds import FileKind, kind_of
from phases.ports.source_values import Commit
from phases.record.findings import (
    Choice,
    Hypothesis,
    HypothesisKind,
    Suspect,
    TriageReport,
    Verdict,
    Word,
)
from phases.record.going_back import Likelihood
from phases.record.service import Service
from phases.root_cause.change_hypothesis import change_hypothesis
from phases.root_cause.error_clues import (
    speaks_of_database,
    speaks_of_outside,
    speaks_of_setting,
)
from phases.root_cause.no_culprit import rank_elsewhere_first
from phases.text.wording import counted, lasting, listed, short, stamp

AT_ONCE_AFTER = timedelta(seconds=30)  # closer than this nobody counts
SOON_AFTER = timedelta(minutes=15)  # workflow, phase 2: "almost certainly the most-recent deploy"
HOURS_AFTER = timedelta(hours=2)
RELEASE_CONFIDENCE = (
    (SOON_AFTER, 0.8),
    (HOURS_AFTER, 0.5),
    (timedelta(days=1), 0.25),
    (timedelta.max, 0.08),
)
"""The confidence in a release, by the time between its deploy and the beginning of trouble."""
GAP_UNKNOWN = 0.4  # the same, where that time is not known
COMMITS_MOST = 3  # commits that become hypotheses of their own
MENTIONED_FROM = 0.1  # the probability from which a commit is worth a hypothesis of its own …
CLEAR_FROM = 0.6  # … and from which it is a finding, no longer a hint
BESIDE_A_CHANGE = 0.4  # most for a release or a commit where a change lies nearer
ONE_PLACE = 0.9  # share of the events at one customer or in one region that makes it theirs
SPREAD_BELOW = 0.6  # below this share of the largest, it is nobody's own
ERROR_TEXT = 2_000  # characters of an error's text that are looked at


class Question(NamedTuple):
    says: str
    predicts: str
    check: str


QUESTIONS: dict[HypothesisKind, Question] = {
    HypothesisKind.RELEASE: Question(
        says="A release caused it",
        predicts="errors begin within minutes of a deploy",
        check="when it began, against the deploys",
    ),
    HypothesisKind.COMMIT: Question(
        says="A commit caused it",
        predicts="its changes are on the path to the crash, and reverting it ends the errors",
        check="the commits, against the stack trace and the error message",
    ),
    HypothesisKind.CONFIGURATION: Question(
        says="A configuration change, feature flag or migration caused it",
        predicts="configuration changed shortly before, "
        "and the same code works with the old values",
        check="configuration files and migrations in the release",
    ),
    HypothesisKind.DEPENDENCY: Question(
        says="A library upgrade or another service caused it",
        predicts="a library or another service changed shortly before, "
        "and the stack trace ends in it",
        check="lock files in the release, and deploys of the services it depends on",
    ),
    HypothesisKind.DATA: Question(
        says="Traffic or one customer's data caused it",
        predicts="one user, customer or region has the errors, in every release",
        check="events by user, customer and region",
    ),
    HypothesisKind.INFRASTRUCTURE: Question(
        says="Network, database or hosts caused it",
        predicts="timeouts and refused connections in many features at once, without a deploy",
        check="the types of the errors",
    ),
}
"""The six questions of every incident."""


@dataclass(frozen=True, slots=True)
class Facts:
    """The outcome of triage and of the walk, against which hypotheses are checked."""

    report: TriageReport
    service: Service
    suspects: tuple[Suspect, ...] = ()
    commits: tuple[Commit, ...] | None = None
    """Newest first; None where the source could not be asked."""
    span: str = ""
    """`41..42`, for people."""
    message: str = ""
    """The error's text."""
    nobody: float | None = None
    """The probability that none of the commits brought it; None where they cannot tell."""
    nobody_leads: bool = False
    """That is likelier than each of them."""


def hypothesis_tree(facts: Facts) -> tuple[Hypothesis, ...]:
    """Return an answer to each of the six questions, the likeliest first."""
    raised = [
        _release_hypothesis(facts),
        *_commit_hypotheses(facts),
        _configuration_hypothesis(facts),
        _dependency_hypothesis(facts),
        _data_hypothesis(facts),
        _infrastructure_hypothesis(facts),
    ]
    if facts.nobody_leads and facts.nobody is not None:
        raised = rank_elsewhere_first(raised, facts.nobody)
    ordered = best_hypotheses(raised, len(raised))
    return tuple(h.model_copy(update={"id": f"H{n}"}) for n, h in enumerate(ordered, 1))


def best_hypotheses(hypotheses: Sequence[Hypothesis], n: int) -> tuple[Hypothesis, ...]:
    """Return the `n` best: supported before open before ruled out, then the surer first."""
    order = {Verdict.SUPPORTED: 0, Verdict.OPEN: 1, Verdict.RULED_OUT: 2}
    return tuple(sorted(hypotheses, key=lambda h: (order[h.verdict], -h.confidence))[:n])


def answer_question(
    kind: HypothesisKind,
    found: str,
    confidence: float,
    verdict: Verdict = Verdict.OPEN,
    **fields: Any,
) -> Hypothesis:
    """Answer one of the six questions; `fields` say it more exactly than the table does."""
    asked = {**QUESTIONS[kind]._asdict(), **fields}
    return Hypothesis(
        id="", kind=kind, found=found, confidence=confidence, verdict=verdict, **asked
    )


# --- the release -------------------------------------------------------------------------------


def _release_hypothesis(facts: Facts) -> Hypothesis:
    report = facts.report
    if report.suspect is None:
        unknown = "When it began is not known."
        if report.began_at:
            unknown = "No deploy is known from before the trouble."
        return answer_question(HypothesisKind.RELEASE, unknown, 0.2 if report.deploys else 0.3)
    version = report.suspect.version
    sure, finding = after_deploy(report, version)
    fresh = [issue for issue in report.issues if issue.new]
    if fresh:
        many = len(report.issues)
        which = "The issue" if many == 1 else f"{len(fresh)} of {many} issues"
        finding += f" {which} had never been seen before."
        minutes = report.suspect_minutes
        sure += 0.1 if minutes is not None and timedelta(minutes=minutes) <= HOURS_AFTER else 0.0
    if report.recommendation.choice is Choice.TURN_OFF:
        # A change lies nearer: the release may only be where its code has stood all along.
        sure = min(sure, BESIDE_A_CHANGE)
    if (against := _point_against_release(report)) is not None:
        sure, finding = min(sure, 0.15), f"{finding} But {against}."
    return answer_question(
        HypothesisKind.RELEASE,
        finding,
        round(min(sure, 0.92), 2),
        Verdict.SUPPORTED if sure >= 0.75 else Verdict.OPEN,
        says=f"Release {version} caused it",
        predicts=f"errors begin with the deploy of {version} and end with a rollback",
        check="when it began and when each issue was first seen, against the deploys",
    )


def after_deploy(report: TriageReport, version: str) -> tuple[float, str]:
    """Return how sure the time between deploy and trouble makes the release, and that in words."""
    if report.suspect_minutes is None:
        unknown = "how long before is not known"
        return GAP_UNKNOWN, f"{version} was deployed before the trouble; {unknown}."
    gap = timedelta(minutes=report.suspect_minutes)
    after = f"{'right' if gap < AT_ONCE_AFTER else lasting(gap)} after its deploy started"
    after = "before its deploy had ended" if gap < timedelta(0) else after
    began = f" ({stamp(report.began_at)})" if report.began_at else ""
    sure = next(sure for within, sure in RELEASE_CONFIDENCE if gap <= within)
    return sure, f"Trouble began {after}{began}."


def _point_against_release(report: TriageReport) -> str | None:
    """Return triage's strongest point against the release, where it hardly brought the trouble."""
    advice = report.recommendation
    if advice.likely is not Likelihood.UNLIKELY or not advice.points_away:
        return None
    point = advice.points_away[0].rstrip(".")
    suspect = report.suspect.version if report.suspect else ""
    return point if suspect and point.startswith(suspect) else point[:1].lower() + point[1:]


# --- commits -----------------------------------------------------------------------------------


def commit_says(suspect: Suspect) -> str:
    by = f" by {suspect.author}" if suspect.author else ""
    return f"Commit {suspect.sha[:9]}{by} caused it: “{short(suspect.subject, 120)}”"


def _commit_hypotheses(facts: Facts) -> list[Hypothesis]:
    if facts.nobody_leads:  # the one that comes closest is shown beside the tree
        return []
    many = counted(len(facts.commits or ()), "commit")
    raised: list[Hypothesis] = []
    for position, suspect in enumerate(facts.suspects[:COMMITS_MOST]):
        sure = round(suspect.confidence, 2)
        if sure < MENTIONED_FROM:
            break
        if facts.report.recommendation.choice is Choice.TURN_OFF:  # as the release that shipped it
            sure = min(sure, BESIDE_A_CHANGE)
        raised.append(
            answer_question(
                HypothesisKind.COMMIT,
                "; ".join(suspect.reasons[:3])[:400],
                sure,
                Verdict.SUPPORTED if position == 0 and sure >= CLEAR_FROM else Verdict.OPEN,
                says=commit_says(suspect),
                check=f"{many} in {facts.span}, against the stack trace and the error message",
                url=suspect.url,
            )
        )
    return raised


# --- configuration, dependencies ---------------------------------------------------------------


def _changed_files(facts: Facts, *kinds: FileKind) -> list[tuple[Commit, str]]:
    return [(c, f.path) for c in facts.commits or () for f in c.files if kind_of(f.path) in kinds]


def _configuration_hypothesis(facts: Facts) -> Hypothesis:
    return change_hypothesis(facts.report) or _configuration_files(facts)


def _configuration_files(facts: Facts) -> Hypothesis:
    changed = _changed_files(facts, FileKind.CONFIGURATION, FileKind.MIGRATION)
    error = f"{facts.report.exception_type or ''}: {facts.message[:ERROR_TEXT]}"
    of_setting = speaks_of_setting(error)
    migrated = any(kind_of(path) is FileKind.MIGRATION for _, path in changed)
    fits = of_setting or (migrated and speaks_of_database(error))
    if facts.commits is None:
        finding, sure = "The changed files are not known.", 0.15
    elif changed:
        finding = f"{facts.span} changes {_path_list(changed)} ({_sha_list(changed)})."
        sure = 0.45 if fits else 0.25
    else:
        unseen = "a feature flag cannot be seen in the code"
        finding = f"No configuration file changed in {facts.span}; {unseen}."
        sure = 0.15 if fits else 0.08
    if fits:
        of = "names a setting" if of_setting else "comes from the database"
        finding += f" The error {of}."
    return answer_question(HypothesisKind.CONFIGURATION, finding, sure)


def _dependency_hypothesis(facts: Facts) -> Hypothesis:
    bumps = _changed_files(facts, FileKind.DEPENDENCY)
    began, beside = facts.report.began_at, facts.report.deploys_beside
    near = [
        d for d in beside if began is None or d.started_at <= began <= d.started_at + HOURS_AFTER
    ]
    findings: list[str] = []
    sure = 0.05
    if near:
        deploys = [f"{d.service} {d.release.version} at {stamp(d.started_at)}" for d in near]
        findings.append(f"Also deployed: {listed(deploys)}.")
        sure = 0.4 if facts.report.suspect is None else 0.25
    named = [s for s in facts.suspects[:5] if any("dependency `" in reason for reason in s.reasons)]
    if named:
        findings.append(f"{named[0].sha[:9]} {named[0].reasons[0]}.")
        sure = max(sure, 0.55)
    elif bumps:
        findings.append(f"{_path_list(bumps)} changed ({_sha_list(bumps)}).")
        sure = max(sure, 0.2)
    if facts.commits is None and not findings:
        return answer_question(HypothesisKind.DEPENDENCY, "The changed files are not known.", 0.15)
    nothing = facts.commits is not None and not bumps and not near
    if nothing:
        findings.append(f"No dependency changed in {facts.span}; {_other_deploys_in_words(facts)}.")
    verdict = Verdict.RULED_OUT if nothing and beside else Verdict.OPEN
    return answer_question(HypothesisKind.DEPENDENCY, " ".join(findings), sure, verdict)


def _other_deploys_in_words(facts: Facts) -> str:
    """Say what is known of other services' deploys where none was near."""
    if facts.report.deploys_beside:
        return f"no service that it depends on was deployed in the {lasting(HOURS_AFTER)} before"
    if facts.service.depends_on:
        return f"no deploy of {listed(facts.service.depends_on)} is known"
    return "the catalogue names no services that it depends on"


def _path_list(changed: Sequence[tuple[Commit, str]]) -> str:
    return listed(list(dict.fromkeys(path for _, path in changed)))


def _sha_list(changed: Sequence[tuple[Commit, str]]) -> str:
    return listed(list(dict.fromkeys(commit.sha[:9] for commit, _ in changed)))


# --- data and infrastructure -------------------------------------------------------------------


def _data_hypothesis(facts: Facts) -> Hypothesis:
    report = facts.report
    sure, finding = _who_has_the_errors(report)
    verdict = Verdict.RULED_OUT if sure < 0.1 else Verdict.OPEN
    if report.suspect is None and report.issues and not any(issue.new for issue in report.issues):
        finding += (
            " A known error became more frequent without a deploy: more traffic, or new data."
        )
        sure, verdict = max(sure, 0.4), Verdict.OPEN
    if sure >= 0.6:
        verdict = Verdict.SUPPORTED
    return answer_question(HypothesisKind.DATA, finding, sure, verdict)


def _who_has_the_errors(report: TriageReport) -> tuple[float, str]:
    """Return how sure it is that the errors are somebody's own, and that in words."""
    blast, events = report.blast, report.events
    if blast.users is Word.ONE:
        return (0.45 if blast.inferred else 0.75), "One user has all the errors."
    largest = [
        max(shares, key=lambda share: share.events)
        for shares in (blast.organisations, blast.regions)
        if shares and events > 0
    ]
    if not largest:
        if blast.users is Word.MANY and blast.knows("users"):
            return 0.1, "Many users are hit; their customers are not known."
        return 0.15, "Who is hit is not known."
    place = largest[0]
    share = f"{min(100, round(100 * place.events / events))} %"
    if place.events >= ONE_PLACE * events:
        return 0.65, f"{share} of the events come from {place.name}."
    known = blast.knows("users") and blast.knows("places")
    spread = place.events < SPREAD_BELOW * events and blast.users is Word.MANY and known
    return (0.04 if spread else 0.15), f"Most affected: {place.name}, with {share} of the events."


def _infrastructure_hypothesis(facts: Facts) -> Hypothesis:
    report = facts.report
    titles = [issue.title for issue in report.issues]
    titles = titles or [f"{report.exception_type or ''} {facts.message}"]
    outside = [title for title in titles if speaks_of_outside(title)]
    if not outside:
        quiet = "No error is about connections, timeouts or memory."
        return answer_question(HypothesisKind.INFRASTRUCTURE, quiet, 0.04)
    share = len(outside) / len(titles)
    everywhere = report.suspect is None or report.blast.features is Word.MANY
    sure = 0.2 + 0.4 * share if everywhere else 0.1 + 0.3 * share
    finding = (
        f"{len(outside)} of {counted(len(titles), 'issue')} are about connections, timeouts "
        f"or memory (“{short(outside[0], 100)}”)."
    )
    return answer_question(HypothesisKind.INFRASTRUCTURE, finding, round(min(sure, 0.7), 2))
