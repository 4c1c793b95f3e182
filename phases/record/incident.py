"""The one record of an incident: what is true of it now. Frozen; at most 32 KiB as JSON; the timeline is a list of its own."""

from __future__ import annotations

from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Literal

from pydantic import Field

from phases.record.documents import Adr, Postmortem, Ticket
from phases.record.findings import (
    Bisect,
    Cause,
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
from phases.record.memories import PastIncident, Recollection

RECORD_LIMIT_BYTES = 32 * 1024  # rules: Size and memory


class Status(StrEnum):
    """The life of an incident. Open is everything that is not resolved, closed or cancelled."""

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
    """How the incident came to be known: the summary's `via <source>`."""

    kind: Literal["person", "phrase", "sentry", "deploy", "github"]
    text: str
    """`/incident by Alice`, `Sentry alert SHOP-3`: for people, with Slack ids as `<@U…>`."""
    url: str | None = None


class MessageRef(Value):
    """A Slack message. `ts` is a string: as a number it loses digits."""

    channel: str
    ts: str


class Channel(Value):
    id: str
    name: str
    thread_ts: str | None = None
    """Set where no channel could be created and the incident runs in a thread (rules: When Slack itself gets in the way)."""


class Bookmark(Value):
    """One of the channel's, by its name in `Incident.bookmarks`."""

    link: str
    id: str | None = None
    """Slack's; None while it is being added."""


class ActionKind(StrEnum):
    """The three actions on production that use up a round."""

    ROLLBACK = "rollback"
    HOTFIX = "hotfix"
    FIXED = "fixed"


class Merge(Value):
    """What becomes of a hotfix that was shipped past its merge (rules: Hotfix)."""

    asked_by: str | None = None
    """Slack id of who has it merged: under way."""
    state: MergeState = MergeState()
    by: str = ""
    """Who merged it, or said so: `<@U…>` or a login."""


class RoundAction(Value):
    """The one action on production of a round: who, what, when, result."""

    kind: ActionKind
    by: str
    at: datetime
    from_release: Release | None = None
    to_release: Release | None = None
    sentence: str = ""
    """What *fixed another way* was, in the person's words."""
    deploy_id: str | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    result: Literal["waiting", "running", "done", "failed", "unknown", "not started"] = "waiting"
    reason: str = ""
    lines: tuple[str, ...] = ()
    """The newest lines of the deploy, at most five, redacted."""
    lines_at: datetime | None = None
    """When these were shown; the next ones come some seconds later."""
    output: DeployOutput | None = None
    """More of the same, for the message in the decision's thread."""
    output_asked: bool = False
    """That message was asked for; posted once."""
    proof: DeployProof | None = None
    break_glass: str | None = None
    merge: Merge | None = None
    """Of a hotfix that runs: whether it is merged."""


class Round(Value):
    """One decision: posted once, closed by the first action on production."""

    number: int
    opened_at: datetime
    why: str
    recommendation: Recommendation | None = None
    asked: bool = False
    """Its decision message was asked for; posted once."""
    action: RoundAction | None = None
    looks: tuple[Look, ...] = ()
    clock_started_at: datetime | None = None
    """From here the looks are counted: deploy finished, or *fixed another way* said."""
    verdict: (
        Literal["recovered", "not recovered", "ask a person", "confirmed by a person"] | None
    ) = None
    investigate_by: str | None = None
    """Who chose *Investigate*; it never uses up the round."""


VERIFIED = ("recovered", "confirmed by a person")
"""Verdicts of a round after which users were fine."""


class GuardLook(Value):
    """One of the bot's own looks after recovery (rules: Guard)."""

    until: datetime
    """The guard that it belongs to, by its end (`Incident.guard_until`): one of an earlier recovery changes nothing."""
    number: int
    """Of the looks at a quarter of an hour the one that comes next."""
    seeds: int
    """So many of the incident's seeds were there at recovery: what was named since is another issue's alert."""
    whole: bool = True
    """It is that look; else one of those in between, at the newest minutes."""
    missed: int = 0
    """So many looks in a row Sentry could not be asked."""
    burned: tuple[float, float] | None = None
    """Events a minute while it burned, and over how many minutes that was counted, as the first look found it."""
    alarm: Evidence | None = None
    """It answers this alarm; None: one of the bot's own."""
    issue: str | None = None
    """What the alarm names, where it is the incident's."""


class Alarm(Value):
    """The newest alarm after recovery, and what was said of those within an hour."""

    at: datetime
    said: Literal["", "quiet", "cannot tell"] = ""
    blind: bool = False
    """It was said that Sentry could not be asked, and it has not answered since."""


class PinnedMessage(Value):
    """A message that people pinned to the timeline, or took back."""

    seen: str
    """`event_ts` of the newest that Slack told of it: what was read for an older one is late."""
    mark: str = ""
    """A fingerprint of what the timeline shows; empty while it shows nothing."""


class Failure(Value):
    """An effect that ended without success; shown with *Try again*."""

    effect_id: str
    kind: str
    reason: str
    at: datetime
    effect: str
    """The effect as JSON, to be emitted again."""


class Incident(Value):
    id: str
    number: int
    ulid: str
    title: str = Field(max_length=300)
    description: str = Field(default="", max_length=3000)
    service: str
    environment: str = "production"
    private: bool = False
    """Seen by the members of its channel only; outside there is its number, and that it is private."""
    drill: bool = False
    """Practice: marked everywhere, counted apart, nobody is paged and nothing is deployed."""
    status: Status = Status.DECLARED
    severity: Severity | None = None
    severity_by: str | None = None
    """Slack id of the person whose word it is; None when triage proposed it."""
    source: Source
    declared_by: str | None = None
    lead: str | None = None
    detected_at: datetime
    declared_at: datetime
    else_reason: str | None = None
    """Declared as *something else* beside an open incident of the service: that incident's id."""
    duplicate_of: str | None = None
    """Merged into this incident, where it goes on."""
    merged: tuple[str, ...] = ()
    """Its duplicates: their timelines are read with its own."""

    channel: Channel | None = None
    messages: dict[str, MessageRef] = Field(default_factory=dict[str, MessageRef])
    """The live messages by name: `status`, `decision:1`, `tree`, `announcement`."""
    channel_archived: bool = False
    """No bot can open it again: who opens the incident again gets another one."""
    bookmarks: dict[str, Bookmark] = Field(default_factory=dict[str, Bookmark])
    """The channel's bookmarks by name: `sentry`, `ticket`, `adr`, `runbook`."""
    pinned: bool = False
    invited: tuple[str, ...] = ()

    seeds: tuple[str, ...] = ()
    """Sentry issue ids that alerts or people named: they belong to the incident whatever triage finds."""
    heard: tuple[str, ...] = ()
    """Alerts without an issue, and deploys by others, that were said already: one key each, so that each is said once."""
    triage: TriageReport | None = None
    triage_overdue: bool = False
    """Three seconds passed without an answer of Sentry."""
    past: tuple[PastIncident, ...] = ()
    recollection: Recollection | None = None
    """What the earlier ones have to do with this one."""

    rounds: tuple[Round, ...] = ()
    rolled_back: tuple[str, ...] = ()
    """Versions this incident rolled back."""

    investigating: bool = False
    investigation: Investigation | None = None
    hypotheses: tuple[Hypothesis, ...] = ()
    suspects: tuple[Suspect, ...] = ()
    bisect: Bisect | None = None
    tree_asked: bool = False
    """The message with the hypothesis tree was asked for; posted once."""
    cause: Cause | None = None

    ticket: Ticket | None = None
    ticket_off: bool = False
    """There will be none: Linear is not set up, or the service has no team there."""
    escalated: str | None = None
    """The Linear issue that a person named when it was declared (`ENG-123`) …"""
    parent: Ticket | None = None
    """… and as it was found: the ticket's parent."""
    discord_id: str | None = None
    discord_channel: str | None = None
    discord_pinned: bool = False
    """Its pin was asked for, and not yet to be taken off."""
    discord_asked: bool = False
    """Its first post was asked for: until its id is known nothing more is, or there would be two posts."""
    paged: tuple[str, ...] = ()
    """Why people were paged, one key each (`sev1`, `rollback failed: 1`), so that each is paged once."""

    postmortem: Postmortem | None = None
    adr: Adr | None = None
    adr_before: Adr | None = None
    """Its ADR, where it went on after that was written: the file is written anew, under its number …"""
    rewriting: bool = False
    """… and its parts have not been sent again yet."""
    postmortem_due: datetime | None = None
    """When somebody is reminded of the post-mortem next; None while nobody owes one."""
    postmortem_reminded: int = 0
    zones: dict[str, int] = Field(default_factory=dict[str, int])
    """Seconds that the clocks of lead and owners are ahead of UTC, by Slack id, as Slack said."""

    picture: Picture | None = None
    """Measured when recovery was verified."""
    recovered_at: datetime | None = None
    resolved_at: datetime | None = None
    closed_at: datetime | None = None
    cancelled_at: datetime | None = None
    cancel_reason: str | None = None
    guard_until: datetime | None = None
    cause_fixed_by: str | None = None
    """Slack id of who said that what was rolled back is mended: deploys need not wait any more."""
    alarm: Alarm | None = None
    """An alarm after recovery that was looked at, or is being (rules: Guard)."""
    fired_at: datetime | None = None
    """When something fired after recovery, and was said in the channel: for an hour more of it goes into the thread."""
    latest_update: str | None = None
    updated_at: datetime | None = None
    """When a person last said how it stands."""
    update_due: datetime | None = None
    """When people expect to hear of it next; None while nobody waits for that (rules: Updates)."""
    update_promised: bool = False
    """That time is a person's word, and not the severity's."""
    reminded: Literal["", "lead", "channel"] = ""
    """Who was reminded of the update that is due."""
    pins: dict[str, PinnedMessage] = Field(default_factory=dict[str, PinnedMessage])
    """Messages in the timeline by `ts`, the newest told of last (rules: Timeline)."""
    failures: tuple[Failure, ...] = ()
    remembered: bool = False
    shrunk_at: datetime | None = None
    """Since then only what says how it went is left of the record (rules: Size and memory)."""

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
        """`inc-0042-k3v9`: what its deploys and bisects are called outside.

        Numbers begin anew with an empty Redis; a run that stands outside from before must not be taken for this one's.
        """
        return f"{self.id}-{self.ulid[-4:]}".lower()

    @property
    def apart(self) -> bool:
        """A drill or a private incident: it holds nothing that others could run into, and is not told outside."""
        return self.drill or self.private


def as_json(incident: Incident) -> str:
    """The record as it is kept; of a small one only what it says."""
    return incident.model_dump_json(exclude_defaults=incident.shrunk_at is not None)


class Entry(Value):
    """One line of the timeline. Never changed, never lost; a withdrawal is an entry that hides another."""

    at: datetime
    kind: str
    """`declared`, `triage`, `decision`, `deploy`, `check`, `note`, `cause`, `comms`, `failure`, `resolved` …"""
    text: str = Field(max_length=2000)
    by: str | None = None
    url: str | None = None
    ref: str | None = None
    """Set where its words can change or be taken back (`message:<ts>`): the newest entry of a `ref` is the one shown."""
    hides: str | None = None
    """A withdrawal: entries with this `ref` are not shown any more, and their words are erased."""
