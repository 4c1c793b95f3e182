"""The one record of an incident: frozen, at most 32 KiB as JSON. The timeline is another list."""

from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Literal

from pydantic import Field

from phases.record.documents import Adr, Contradiction, Postmortem, Ticket
from phases.record.findings import (
    Bisect,
    Cause,
    ChangeSeen,
    DeployOutput,
    DeployProof,
    Evidence,
    Hypothesis,
    Investigation,
    Look,
    MergeState,
    Picture,
    Recommendation,
    Release,
    Suspect,
    TriageReport,
    Value,
)
from phases.record.memories import Recollection
from phases.record.traffic_seen import BeforeAction

RECORD_LIMIT_BYTES = 32 * 1024  # rules: Size and memory


class Status(StrEnum):
    """The life of an incident. An incident is open until it is resolved, closed or cancelled."""

    DECLARED = "declared"
    DECIDING = "deciding"
    MITIGATING = "mitigating"
    VERIFYING = "verifying"
    MITIGATED = "mitigated"
    RESOLVED = "resolved"
    CLOSED = "closed"
    CANCELLED = "cancelled"

    @property
    def open(self) -> bool:
        return self not in (Status.RESOLVED, Status.CLOSED, Status.CANCELLED)

    @property
    def undecided(self) -> bool:
        """Nothing is being done on production yet, or again."""
        return self in (Status.DECLARED, Status.DECIDING)

    @property
    def fine(self) -> bool:
        """Users were verified to be fine, and nothing was begun since."""
        return self in (Status.MITIGATED, Status.RESOLVED, Status.CLOSED)

    @property
    def over(self) -> bool:
        """Nothing of the incident is left to be done."""
        return self in (Status.CLOSED, Status.CANCELLED)


class Severity(IntEnum):
    SEV1 = 1
    SEV2 = 2
    SEV3 = 3
    SEV4 = 4


class Source(Value):
    """The way by which the incident became known: the summary's `via <source>`."""

    kind: Literal["person", "phrase", "sentry", "deploy", "github", "alert", "script"]
    text: str
    """Words for people: `/incident by <@U…>`, `Sentry alert SHOP-3`."""
    url: str | None = None


class MessageRef(Value):
    """A Slack message. `ts` is a string: as a number it loses digits."""

    channel: str
    ts: str


class Channel(Value):
    id: str
    name: str
    thread_ts: str | None = None
    """Set if no channel could be created and the incident runs in a thread.

    (rules: When Slack itself gets in the way)
    """


class Bookmark(Value):
    """One of the channel's bookmarks."""

    link: str
    id: str | None = None
    """Slack's id; None while it is being added."""


class ActionKind(StrEnum):
    """The actions on production that use up a round."""

    ROLLBACK = "rollback"
    TURN_OFF = "turn off"
    HOTFIX = "hotfix"
    FIXED = "fixed"


class Merge(Value):
    """The merge of a hotfix that was shipped before it was merged (rules: Hotfix)."""

    asked_by: str | None = None
    """Slack id of the person who asked for the merge that is under way."""
    state: MergeState = MergeState()
    by: str = ""
    """The person who merged it, or said so: `<@U…>` or a login."""


class RoundAction(Value):
    """The one action on production of a round: who, what, when, result."""

    kind: ActionKind
    by: str
    at: datetime
    from_release: Release | None = None
    to_release: Release | None = None
    change: ChangeSeen | None = None
    """The flag or switch that was turned off."""
    sentence: str = ""
    """*Fixed another way* in the person's words."""
    deploy_id: str | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    result: Literal["waiting", "running", "done", "failed", "unknown", "not started"] = "waiting"
    reason: str = ""
    lines: tuple[str, ...] = ()
    """The newest lines of the deploy, at most five, redacted."""
    lines_at: datetime | None = None
    """The time at which these were shown; the next ones come some seconds later."""
    output: DeployOutput | None = None
    """More lines, for the message in the decision's thread."""
    output_asked: bool = False
    """True if that message was requested; it is posted once."""
    proof: DeployProof | None = None
    break_glass: str | None = None
    merge: Merge | None = None
    """The merge of a hotfix that runs."""

    @property
    def deploys(self) -> bool:
        """Another release runs after it, if it is done."""
        return self.kind in (ActionKind.ROLLBACK, ActionKind.HOTFIX)

    @property
    def began(self) -> bool:
        """Return whether it went beyond being wanted."""
        return self.result not in ("waiting", "not started")


class Round(Value):
    """One decision: posted once, closed by the first action on production."""

    number: int
    opened_at: datetime
    why: str
    recommendation: Recommendation | None = None
    asked: bool = False
    """True if its decision message was requested; it is posted once."""
    action: RoundAction | None = None
    looks: tuple[Look, ...] = ()
    before: BeforeAction | None = None
    """What was measured of the time before the action, for all looks."""
    glance: Look | None = None
    """The newest look between the checks."""
    clock_started_at: datetime | None = None
    """The looks are counted from here: the deploy's end, or *fixed another way*."""
    verdict: (
        Literal["recovered", "not recovered", "ask a person", "confirmed by a person"] | None
    ) = None
    investigate_by: str | None = None
    """The person who chose *Investigate*; that never uses up the round."""


VERIFIED = ("recovered", "confirmed by a person")
"""Verdicts of a round after which users were fine."""


class GuardLook(Value):
    """One of the bot's own looks after recovery (rules: Guard)."""

    until: datetime
    """The end of its guard (`Incident.guard_until`): a look of an earlier one changes nothing."""
    number: int
    """The next of the looks at each quarter of an hour."""
    seeds: int
    """The number of the incident's seeds at recovery: later ones are another issue's alerts."""
    whole: bool = True
    """True for the look at the quarter of an hour; False for one in between."""
    missed: int = 0
    """The number of looks in a row for which Sentry could not be queried."""
    burned: tuple[float, float] | None = None
    """Events a minute during the fire, and the minutes of that count, as the first look found."""
    alarm: Evidence | None = None
    """The alarm that it answers; None: one of the bot's own."""
    issue: str | None = None
    """The issue that the alarm names, if it is the incident's."""


class Alarm(Value):
    """The newest alarm after recovery, and the answer to those within an hour."""

    at: datetime
    said: Literal["", "quiet", "cannot tell"] = ""
    blind: bool = False
    """True if people were told that Sentry could not be queried, and it has not answered since."""


class PinnedMessage(Value):
    """A message that people pinned to the timeline, or took back."""

    seen: str
    """`event_ts` of Slack's newest event for it: a text read for an older one is late."""
    mark: str = ""
    """A fingerprint of the text in the timeline; empty while it shows nothing."""


class Failure(Value):
    """An effect that ended without success; shown with *Try again*."""

    effect_id: str
    kind: str
    reason: str
    at: datetime
    effect: str
    """The effect as JSON, to be emitted again."""


class Brought(Value):
    """The parts that a duplicate brought to the incident that goes on, and that were new to it."""

    issues: tuple[str, ...] = ()
    heard: tuple[str, ...] = ()
    rolled_back: tuple[str, ...] = ()


class Incident(Value):
    id: str
    number: int
    ulid: str
    title: str = Field(max_length=300)
    description: str = Field(default="", max_length=3000)
    service: str
    environment: str = "production"
    private: bool = False
    """Only members of its channel see it; others see its number, and that it is private."""
    drill: bool = False
    """Practice: marked everywhere, counted separately; nobody is paged, nothing is deployed."""
    status: Status = Status.DECLARED
    severity: Severity | None = None
    severity_by: str | None = None
    """Slack id of the person who chose it; None if triage proposed it."""
    source: Source
    declared_by: str | None = None
    lead: str | None = None
    detected_at: datetime
    declared_at: datetime
    else_reason: str | None = None
    """Declared as *something else* beside an open incident of the service: that incident's id."""
    duplicate_of: str | None = None
    """The id of the incident into which it was merged."""
    merged: tuple[str, ...] = ()
    """Its duplicates: their timelines are read with its own."""
    brought: dict[str, Brought] = Field(default_factory=dict[str, Brought])
    """What each duplicate brought, by its id: it is given back where that one is split off."""

    channel: Channel | None = None
    messages: dict[str, MessageRef] = Field(default_factory=dict[str, MessageRef])
    """The live messages by name: `status`, `decision:1`, `tree`, `announcement`."""
    in_thread: bool = False
    """Declared as SEV4: a thread in the incidents channel, until it grows."""
    channel_archived: bool = False
    """No bot can open it again: a reopened incident gets another channel."""
    bookmarks: dict[str, Bookmark] = Field(default_factory=dict[str, Bookmark])
    """The channel's bookmarks by name: `sentry`, `ticket`, `adr`, `runbook`."""
    invited: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    """Slack ids of people of it whose account is deactivated."""

    seeds: tuple[str, ...] = ()
    """Sentry issue ids of alerts or people: they belong to the incident whatever triage finds."""
    heard: tuple[str, ...] = ()
    """Keys of alerts without an issue, and of others' deploys, so that each is told once."""
    triage: TriageReport | None = None
    triage_overdue: bool = False
    """Three seconds passed without an answer of Sentry."""
    recollection: Recollection | None = None
    """Sentences on earlier incidents."""

    rounds: tuple[Round, ...] = ()
    rolled_back: tuple[str, ...] = ()
    """Versions this incident rolled back."""

    investigating: bool = False
    investigation: Investigation | None = None
    hypotheses: tuple[Hypothesis, ...] = ()
    suspects: tuple[Suspect, ...] = ()
    bisect: Bisect | None = None
    tree_asked: bool = False
    """True if the message with the hypothesis tree was requested; it is posted once."""
    cause: Cause | None = None

    ticket: Ticket | None = None
    ticket_off: bool = False
    """There will be none: Linear is not set up, or the service has no team there."""
    escalated: str | None = None
    """The Linear issue that a person named when it was declared (`ENG-123`)."""
    parent: Ticket | None = None
    """The same issue as it was found: the ticket's parent."""
    discord_id: str | None = None
    discord_channel: str | None = None
    discord_pinned: bool = False
    """True if its pin was requested, and is not to be taken off yet."""
    discord_asked: bool = False
    """True if its first post was requested: a second one would be another post."""
    paged: tuple[str, ...] = ()
    """Reasons of pages, one key each (`sev1`, `rollback failed: 1`), so that each is paged once."""

    postmortem: Postmortem | None = None
    adr: Adr | None = None
    adr_before: Adr | None = None
    """Its ADR, if it went on after that was written: the file is written anew with its number."""
    rewriting: bool = False
    """True until the parts of that ADR are sent again."""
    contradictions: tuple[Contradiction, ...] = ()
    """What was found in its post-mortem and is open, or was kept."""
    postmortem_due: datetime | None = None
    """The next reminder of the post-mortem; None while nobody owes one."""
    postmortem_reminded: int = 0
    zones: dict[str, int] = Field(default_factory=dict[str, int])
    """Seconds that the clocks of lead and owners are ahead of UTC, by Slack id."""

    picture: Picture | None = None
    """Measured when recovery was verified."""
    recovered_at: datetime | None = None
    resolved_at: datetime | None = None
    closed_at: datetime | None = None
    cancelled_at: datetime | None = None
    cancel_reason: str | None = None
    guard_until: datetime | None = None
    cause_fixed_by: str | None = None
    """Slack id of the person who said that the cause is mended: deploys need not wait any more."""
    alarm: Alarm | None = None
    """An alarm after recovery that is or was checked (rules: Guard)."""
    fired_at: datetime | None = None
    """The time of an alert after recovery that the channel shows.

    For an hour, more alerts go into the thread.
    """
    latest_update: str | None = None
    updated_at: datetime | None = None
    """The time of the last update by a person."""
    update_due: datetime | None = None
    """The time of the next update; None while nobody waits for one (rules: Updates)."""
    update_promised: bool = False
    """True if a person chose that time, and not the severity."""
    reminded: Literal["", "lead", "channel"] = ""
    """The receiver of the reminder of the update that is due."""
    pins: dict[str, PinnedMessage] = Field(default_factory=dict[str, PinnedMessage])
    """Messages in the timeline by `ts`, the newest last (rules: Timeline)."""
    failures: tuple[Failure, ...] = ()
    shrunk_at: datetime | None = None
    """The time at which the record was made small (rules: Size and memory)."""

    @property
    def round(self) -> Round | None:
        """The newest round, or None before triage's first decision."""
        return self.rounds[-1] if self.rounds else None

    def round_of(self, number: int) -> Round | None:
        return next((current for current in self.rounds if current.number == number), None)

    @property
    def own_channel(self) -> Channel | None:
        """Its channel; None where there is none yet, or where it runs in a thread of another."""
        return self.channel if self.channel is not None and not self.channel.thread_ts else None

    @property
    def open(self) -> bool:
        return self.status.open

    @property
    def mark(self) -> str:
        """The name of its deploys and bisects outside: `inc-0042-k3v9`.

        Numbers begin anew with an empty Redis. An earlier run outside must not be taken for this
        incident's.
        """
        return f"{self.id}-{self.ulid[-4:]}".lower()

    @property
    def apart(self) -> bool:
        """True for a drill or a private incident: it claims nothing, and nobody outside is told."""
        return self.drill or self.private


def as_json(incident: Incident) -> str:
    """Return the record as it is stored; a small one without its defaults."""
    return incident.model_dump_json(exclude_defaults=incident.shrunk_at is not None)


class Entry(Value):
    """A line of the timeline, never changed or lost.

    A withdrawal hides other entries, a correction mends one.
    """

    at: datetime
    kind: str
    """`declared`, `triage`, `decision`, `deploy`, `check`, `note`, `cause`, `comms` …"""
    text: str = Field(max_length=2000)
    by: str | None = None
    url: str | None = None
    ref: str | None = None
    """Set if its words can change or be taken back (`message:<ts>`).

    The newest entry of a `ref` is shown.
    """
    hides: str | None = None
    """A withdrawal: entries with this `ref` are not shown any more, and their words are erased."""
    corrects: str | None = None
    """A correction: the entry that it mends (`Shown.id`). Its `text` has the right words, if any.
    """
    moved_to: datetime | None = None
    """The right time of the entry that it mends; None if the time stays."""
