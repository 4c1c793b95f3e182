"""The findings of the phases: plain values that the record keeps, actions carry and views show."""

import re
from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import Field

from phases.record.changes import ChangeSeen, FlagEvidence
from phases.record.going_back import Likelihood, Quote, TakenBack
from phases.record.value import Value

COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
ABBREVIATED = re.compile(r"[0-9a-f]{7,64}")
"""Git abbreviates no commit further:
https://git-scm.com/docs/git-config#Documentation/git-config.txt-coreabbrev
"""


class Release(Value):
    """A release by its one identity, `version` (rules: Releases and deploys)."""

    version: str
    commit: str | None = None
    """Full sha, if it is known: others may call the release by it; a hotfix is shipped by it."""

    def same_as(self, other: "Release") -> bool:
        """True for the same version, or the same commit, which may be abbreviated.

        Two abbreviated ones need a letter: `20261129` is a date.
        """
        if self.version == other.version:
            return True
        names = (self.commit or self.version, other.commit or other.version)
        shorter, longer = sorted((name.lower() for name in names), key=len)
        sure = COMMIT.fullmatch(longer) or (
            ABBREVIATED.fullmatch(longer) and not shorter.isdecimal()
        )
        return bool(sure and ABBREVIATED.fullmatch(shorter)) and longer.startswith(shorter)


class Evidence(Value):
    """One observation with its source; the text is escaped only when it is shown."""

    at: datetime
    source: str
    text: str = Field(max_length=2000)
    url: str | None = None


# --- Phase 1: triage -----------------------------------------------------------------------------

EXTENSION = "a browser extension"
"""The host of a script that is no page's."""


class Frame(Value):
    file: str
    function: str = ""
    line: int | None = None
    in_app: bool = True
    module: str = ""
    context: tuple[tuple[int, str], ...] = ()
    """Line numbers with their source, at most five, around `line`."""
    path: str = ""
    """The file's place when it was built or ran, if that says more than `file`; never shown."""
    host: str = ""
    """The host of a browser's script."""
    of: str = ""
    """The exception whose stack this is, if it is not the cause's.

    One that the cause was wrapped in, or another of a group.
    """
    again: bool = False
    """True if the code only caught another exception here, and raised `of` instead."""


class Share(Value):
    """A region, organisation or feature with its events in the window."""

    name: str
    events: int
    users: int | None = None
    """Distinct users, of a feature; None where they were not asked for."""


class IssueSeen(Value):
    """One Sentry issue of the incident, counted in the window."""

    id: str
    short_id: str
    title: str
    url: str | None = None
    level: str = "error"
    category: str = "error"
    """Sentry's word: only of `error` users and features are counted."""
    handled: bool | None = None
    first_seen: datetime
    events: int
    baseline_per_minute: float = 0.0
    new: bool = False
    spiking: bool = False
    regressed: bool = False
    burns: bool = True
    """It began or grew with the fire; False: it belongs only because somebody named it."""


class DeploySeen(Value):
    """A deploy of the service (or a neighbour) to the counted environment."""

    release: Release
    service: str
    started_at: datetime
    finished_at: datetime | None = None
    by: str | None = None
    source: str
    """`bot`, `webhook`, `github`, `sentry`, `deployer`, or a first event (`FIRST_EVENTS`)."""
    rolled_back: bool = False
    last_event: datetime | None = None
    """The time of the release's newest event of any kind, where Sentry tells: it runs still."""


class Word(StrEnum):
    """A number in the only words that the decision knows (rules: The picture)."""

    NOBODY = "nobody"
    ONE = "one"
    MANY = "many"


class Confidence(StrEnum):
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


Part = Literal["users", "features", "places"]
"""The parts of a blast radius; `places` are regions and organisations."""


Usual = Literal["", "regular", "renamed", "the same few", "not customers"]
"""The reasons why trouble is no new fire; empty: it is one, or nobody can tell."""


class BlastRadius(Value):
    """The users and features that are hit, with confidence, and sentences a person can check."""

    users: Word
    user_count: int | None = None
    """Distinct users in the window, where they are known. Never their names."""
    features: Word
    top_features: tuple[Share, ...] = ()
    regions: tuple[Share, ...] = ()
    organisations: tuple[Share, ...] = ()
    confidence: Confidence = Confidence.MEDIUM
    inferred: bool = False
    unknown: tuple[Part, ...] = ()
    """Parts that could not be asked for. They count as many, and are shown as not known."""
    sentences: tuple[str, ...] = ()
    usual: Usual = ""
    """Why nobody is newly hit, although there are events; the first sentence says it."""
    down: bool = False
    """The endpoint fails and Sentry is silent: a total outage until shown otherwise."""

    def knows(self, part: Part) -> bool:
        return part not in self.unknown


class Choice(StrEnum):
    ROLLBACK = "rollback"
    TURN_OFF = "turn off"
    HOTFIX = "hotfix"
    INVESTIGATE = "investigate"


class Recommendation(Value):
    """The bot's advice, with its reasons for and against."""

    choice: Choice
    reasons: tuple[str, ...] = ()
    against: tuple[str, ...] = ()
    brakes: tuple[str, ...] = ()
    """Reasons why a rollback is not safe, or not possible; each is shown."""
    likely: Likelihood | None = None
    """Whether going back would end it; None where it was not weighed."""
    points_to: tuple[str, ...] = ()
    """What points to the suspect, the strongest first."""
    points_away: tuple[str, ...] = ()
    """What points away from it, the strongest first."""
    written: tuple[Quote, ...] = ()
    """Warnings against a rollback that people wrote: they brake."""
    takes_back: TakenBack | None = None
    offer_rollback: bool = True
    suspect: Release | None = None
    target: Release | None = None
    """The target of a rollback: the healthy release deployed last before the suspect."""
    change: ChangeSeen | None = None
    """The flag or setting that may have brought it; it leads where the choice is `TURN_OFF`."""
    loud: bool = False
    """Many users and features are hit, and brakes hold the rollback: people are paged."""
    likely_beside: bool = False
    """Many users, one feature, and the suspect is likely: people roll back as soon as a look at the
    evidence agrees (workflow: "Phase 2 + parallel Phase 3")."""


class EndpointAnswer(Value):
    ok: bool
    said: str
    """Words for people: `200 in 31 ms`, `503`, `no answer within 5 s`."""


class TriageReport(Value):
    at: datetime
    window_seconds: int
    events: int
    per_minute: float
    baseline_per_minute: float
    baseline_minutes: float = 0.0
    """The minutes of that baseline; 0: not known, or the project is too young to have one."""
    began_at: datetime | None = None
    began_exact: bool = True
    """False where the beginning is known to the minute only."""
    blast: BlastRadius
    issues: tuple[IssueSeen, ...] = ()
    """The incident's issues, most events first, at most ten; `issue_ids` has all of them."""
    issue_ids: tuple[str, ...] = ()
    monitors: dict[str, str] = Field(default_factory=dict[str, str])
    """Short ids, by id, of issues that are not counted as errors (a monitor's), at most twenty."""
    running: Release | None = None
    canary: bool = False
    """`running` runs beside an earlier release, which is the one that the deployer names."""
    suspect: Release | None = None
    suspect_minutes: float | None = None
    """Minutes from the start of the suspect's deploy to the beginning of trouble."""
    deploys: tuple[DeploySeen, ...] = ()
    """The service's own, newest first, at most five."""
    deploys_beside: tuple[DeploySeen, ...] = ()
    """Those of the services that it depends on, newest first, at most five."""
    changes: tuple[ChangeSeen, ...] = ()
    """What was changed near the beginning without a deploy, the nearest first, at most five."""
    flag_evidence: FlagEvidence | None = None
    targets: tuple[Release, ...] = ()
    """Healthy releases a rollback could go to, best first."""
    exception_type: str | None = None
    """The cause's type: the innermost exception of the loudest issue's newest event."""
    exception_value: str = ""
    """The cause's text, without addresses of people."""
    wrapped_in: tuple[str, ...] = ()
    """The types of the exceptions that the cause was raised again as, the outermost last."""
    event_kind: str = ""
    """The newest event's kind: `exception`, `message`, `csp` and the like; empty: none was read."""
    frame: Frame | None = None
    """Top in-app frame of the loudest issue."""
    frames: tuple[Frame, ...] = ()
    """In-app frames, crashing frame first, at most ten.

    If Sentry marks none: those of no known library.
    """
    handled: bool | None = None
    recommendation: Recommendation
    notes: tuple[str, ...] = ()
    """Remarks on these numbers for the reader: per-issue counts, sampling, no known deploys."""
    endpoint: EndpointAnswer | None = None
    """The answer of the affected endpoint during triage, where the catalogue names one."""
    incomplete: bool = False
    """A question had no answer: it is measured again soon, in place."""
    manual_by: str | None = None
    """Slack id of the person who filled in the manual form, if Sentry was not measured."""


# --- Phase 2: root cause -------------------------------------------------------------------------


class HypothesisKind(StrEnum):
    RELEASE = "release"
    COMMIT = "commit"
    CONFIGURATION = "configuration"
    DEPENDENCY = "dependency"
    DATA = "data"
    INFRASTRUCTURE = "infrastructure"
    OTHER = "other"


class Verdict(StrEnum):
    OPEN = "open"
    SUPPORTED = "supported"
    RULED_OUT = "ruled out"


class Hypothesis(Value):
    id: str
    """`H1`, `H2` … in the order of raising."""
    kind: HypothesisKind
    says: str
    predicts: str = ""
    check: str = ""
    found: str = ""
    verdict: Verdict = Verdict.OPEN
    confidence: float = Field(default=0.3, ge=0, le=1)
    by: str | None = None
    """Slack id of the person who raised or judged it; None for the bot."""
    agent: str = ""
    """The name of the agent that raised it for that person; empty where none did."""
    url: str | None = None


class Suspect(Value):
    """A commit that may have brought the trouble, with reasons."""

    sha: str
    author: str = ""
    at: datetime | None = None
    subject: str = ""
    score: float = 0.0
    confidence: float = 0.0
    """The measured probability that it brought the crash; 0 in records from before it was."""
    reasons: tuple[str, ...] = ()
    url: str | None = None
    pull_request: str | None = None


class Bisect(Value):
    """A `git bisect run` over the service's history."""

    id: str
    good: str
    bad: str
    state: Literal["running", "found", "cannot tell", "failed", "cancelled"] = "running"
    step: int = 0
    steps: int = 0
    culprit: Suspect | None = None
    reason: str = ""


class Investigation(Value):
    """The result of one walk over the evidence."""

    hypotheses: tuple[Hypothesis, ...] = ()
    suspects: tuple[Suspect, ...] = ()
    """Best first, at most five; none where it is likelier that no commit of the range did it."""
    nearest: Suspect | None = None
    """The commit that comes closest then. It is shown, and nothing is concluded from it."""
    walk: tuple[str, ...] = ()
    """Frame by frame to commit, pull request and author: sentences for the thread."""
    good: str | None = None
    bad: str | None = None
    """The ends of a bisect, if one is worth starting; releases or shas."""
    notes: tuple[str, ...] = ()


class Cause(Value):
    """The root cause. It counts once a person or a bisect has confirmed it."""

    text: str = Field(max_length=2000)
    at: datetime
    by: str | None = None
    """Slack id of the person who named or confirmed it; None if a bisect found it."""
    evidence: tuple[str, ...] = ()
    commit: str | None = None
    release: str | None = None


# --- Phase 3: action -----------------------------------------------------------------------------


class DeployOutput(Value):
    """The newest lines of a deploy's output, redacted."""

    lines: tuple[str, ...] = ()
    cut: bool = False
    """True if earlier lines are left out."""


class DeployProof(Value):
    """The release before and after, read back from the deployer."""

    before: str | None = None
    after: str | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None


class MergeState(Value):
    """The state of a shipped hotfix's branch or pull request, from GitHub or the local clone."""

    merged: bool = False
    closed: bool = False
    """Closed without a merge."""
    at: datetime | None = None
    by: str = ""
    """Login of the person who merged it; empty if it is not known."""
    head: str | None = None
    """Head commit of the pull request."""
    holds: bool | None = None
    """True if `head`, being another commit, holds what was shipped; None: not known."""


# --- Phase 5: verification -----------------------------------------------------------------------


BETTER = "better, not over"
"""The words of a look that is neither: an older version reads them as *too few to tell*."""


class LookVerdict(StrEnum):
    RECOVERED = "recovered"
    NOT_RECOVERED = "not recovered"
    TOO_FEW = "too few events to tell"
    UNREACHABLE = "Sentry out of reach"


class Look(Value):
    """One look at Sentry and at the endpoint after an action on production."""

    number: int
    at: datetime
    verdict: LookVerdict
    events: int = 0
    expected: float = 0.0
    """The number of events that the baseline predicts."""
    allowed: int = 0
    unchanged: float = 0.0
    """The number of events if nothing had changed, about."""
    minutes: float = 0.0
    before_per_minute: float = 0.0
    after_per_minute: float = 0.0
    endpoint: EndpointAnswer | None = None
    new_issues: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    traffic: float | None = None
    """As a share of that of the fire; None: not known."""
    minute: int = 0
    """Of a look between the checks: the minute after the action; 0: it is a check."""
    better: bool = False
    """Surely less than before the action, and surely not over: more than *too few to tell*."""
    again_at: datetime | None = None
    """The errors are those of a job, whose next run will have ended then."""

    @property
    def said(self) -> str:
        return BETTER if self.better else self.verdict.value


class Picture(Value):
    """Events of the incident's issues in equal spans of time, for a chart (`event_chart.py`)."""

    begin: datetime
    until: datetime
    """The end of the last span, which is a little longer or shorter than the others."""
    seconds: int
    """The length of a span: whole minutes, or less if windows are short."""
    counts: tuple[int, ...]
    """Events, at most 20 spans."""
