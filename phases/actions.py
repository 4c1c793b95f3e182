"""Everything that can be said to an incident: by people (`asks.py`), a timer, a webhook or the end of an effect; one union."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from phases.asks import (
    AddHypothesis,
    Cancel,
    CancelBisect,
    ConfirmRecovery,
    DecideFixed,
    DecideHotfix,
    DecideInvestigate,
    DecideRollback,
    Declare,
    HotfixIsIn,
    JudgeHypothesis,
    ManualTriage,
    MarkItem,
    MergeDuplicate,
    MergeHotfix,
    MessageTouched,
    NameCause,
    PostUpdate,
    PrepareRevert,
    RecheckNow,
    Reopen,
    Resolve,
    SetSeverity,
    SnoozeUpdate,
    SubmitPostmortem,
    TakeLead,
    TryAgain,
)
from phases.incident import Channel, MessageRef, Ticket
from phases.past import PastIncident, Recollection
from phases.report import (
    Adr,
    Bisect,
    DeployOutput,
    DeployProof,
    DeploySeen,
    Evidence,
    Investigation,
    LinearIssue,
    Look,
    MergeState,
    Picture,
    Release,
    SubIssue,
    TriageReport,
    Value,
)

# --- said by other programs ------------------------------------------------------------------------------------


class AddEvidence(Value):
    """An alert of the same storm, or a neighbour's; becomes a line in the timeline, a seed for the next triage."""

    type: Literal["evidence"] = "evidence"
    evidence: Evidence
    issue: str | None = None


class SeenAgain(Value):
    """The same Sentry issue fires within the guard: the incident opens again by itself."""

    type: Literal["seen.again"] = "seen.again"
    issue: str
    evidence: Evidence


class DeployedByOthers(Value):
    """A deploy of the service that the bot did not start."""

    type: Literal["deployed"] = "deployed"
    deploy: DeploySeen


class TicketTold(Value):
    """Linear says by webhook that somebody changed the ticket, or an item's sub-issue. Our own changes come back so, too."""

    type: Literal["ticket.told"] = "ticket.told"
    issue: LinearIssue
    changed: tuple[Literal["state", "priority"], ...]
    by: str = ""
    """Who it was, as Linear names them; empty where it does not say."""


# --- said by timers --------------------------------------------------------------------------------------------


class TriageOverdue(Value):
    type: Literal["triage.overdue"] = "triage.overdue"


class NobodyActed(Value):
    type: Literal["nobody.acted"] = "nobody.acted"


class PostmortemDue(Value):
    """A working morning, and nobody has written the post-mortem yet."""

    type: Literal["postmortem.due"] = "postmortem.due"


class UpdateDue(Value):
    """Nobody has said how it stands for as long as the severity allows."""

    type: Literal["update.due"] = "update.due"


class MeasureDue(Value):
    """Nobody has acted yet: the blast radius is measured again, because it may have grown."""

    type: Literal["measure.due"] = "measure.due"


class DeployTick(Value):
    type: Literal["deploy.tick"] = "deploy.tick"
    deploy_id: str


class BisectTick(Value):
    type: Literal["bisect.tick"] = "bisect.tick"
    bisect_id: str


class MergeDue(Value):
    """Is the hotfix merged by now? Also said by GitHub's webhook, so that nobody waits for the next look."""

    type: Literal["merge.due"] = "merge.due"
    round: int


class LookDue(Value):
    type: Literal["look.due"] = "look.due"
    round: int
    number: int


class TicketLookDue(Value):
    type: Literal["ticket.look.due"] = "ticket.look.due"


class ItemsDue(Value):
    """Items are overdue: their owners hear of it once a week."""

    type: Literal["items.due"] = "items.due"


class RetryDue(Value):
    """What failed and is tried again by itself: channel, decision, triage, a question; the ticket every 15 minutes."""

    type: Literal["retry.due"] = "retry.due"
    effect_id: str


class ShrinkDue(Value):
    """It has been over for a month: its record becomes small."""

    type: Literal["shrink.due"] = "shrink.due"


# --- said by the end of an effect ------------------------------------------------------------------------------


class ArchiveDue(Value):
    """A week after the end: the channel is archived."""

    type: Literal["archive.due"] = "archive.due"


class PutOffArchive(Value):
    """Somebody wrote in the channel within the last day."""

    type: Literal["archive.put.off"] = "archive.put.off"


class ChannelArchived(Value):
    """By the bot, or by a person."""

    type: Literal["channel.archived"] = "channel.archived"
    channel: str
    by: str | None = None


class BookmarkSet(Value):
    type: Literal["bookmark.set"] = "bookmark.set"
    name: str
    id: str
    """Slack's."""


class ChannelOpened(Value):
    type: Literal["channel.opened"] = "channel.opened"
    channel: Channel
    reason: str = ""
    """Why it runs in a thread instead, where it does."""


class MessagePosted(Value):
    """A live message exists; `name` as in `Incident.messages`."""

    type: Literal["message.posted"] = "message.posted"
    name: str
    ref: MessageRef


class Pinned(Value):
    type: Literal["pinned"] = "pinned"


class Invited(Value):
    type: Literal["invited"] = "invited"
    people: tuple[str, ...]
    failed: tuple[str, ...] = ()
    """`<@U…>: reason`, one each: who could not be invited does not stop the others."""


class Triaged(Value):
    type: Literal["triaged"] = "triaged"
    report: TriageReport
    past: tuple[PastIncident, ...] = ()
    recollection: Recollection | None = None


class IssuesLookedUp(Value):
    """Of the short ids that people named: the issues' ids, and what Sentry does not know."""

    type: Literal["issues.looked.up"] = "issues.looked.up"
    found: tuple[str, ...] = ()
    said: str = ""
    """The short ids of `found`, for people."""
    lost: tuple[str, ...] = ()


class Investigated(Value):
    type: Literal["investigated"] = "investigated"
    investigation: Investigation


class BisectMoved(Value):
    """A bisect was started, moved on or ended."""

    type: Literal["bisect.moved"] = "bisect.moved"
    bisect: Bisect


class RevertPrepared(Value):
    type: Literal["revert.prepared"] = "revert.prepared"
    pull_request: str
    url: str


class DeployStarted(Value):
    type: Literal["deploy.started"] = "deploy.started"
    deploy_id: str
    running: Release | None = None
    """What ran before, read from the deployer; None where it was started by an earlier try."""


class DeployNotStarted(Value):
    """Nothing was started: something else runs by now, or the deployer refused."""

    type: Literal["deploy.not.started"] = "deploy.not.started"
    deploy_id: str
    running: str | None = None
    reason: str


class DeployProgressed(Value):
    type: Literal["deploy.progressed"] = "deploy.progressed"
    deploy_id: str
    lines: tuple[str, ...] = ()
    output: DeployOutput | None = None


class MergeSeen(Value):
    """How the hotfix's branch or pull request stands; None: nobody can tell here."""

    type: Literal["merge.seen"] = "merge.seen"
    round: int
    state: MergeState | None


class MergeRefused(Value):
    type: Literal["merge.refused"] = "merge.refused"
    round: int
    reason: str


class DeployFinished(Value):
    type: Literal["deploy.finished"] = "deploy.finished"
    deploy_id: str
    result: Literal["done", "failed", "unknown"]
    proof: DeployProof
    reason: str = ""
    lines: tuple[str, ...] = ()
    output: DeployOutput | None = None
    merge: MergeState | None = None
    """Of a hotfix: somebody may have merged it while it was deployed."""


class Looked(Value):
    type: Literal["looked"] = "looked"
    round: int
    look: Look
    picture: Picture | None = None
    """Of a recovery, where Sentry has minutes."""


class IssuesResolved(Value):
    """Sentry's issues after recovery: how many are resolved, or why we may not."""

    type: Literal["issues.resolved"] = "issues.resolved"
    resolved: int
    release: str | None
    refused: str = ""
    links: tuple[str, ...] = ()


class TicketOpened(Value):
    type: Literal["ticket.opened"] = "ticket.opened"
    ticket: Ticket
    parent: Ticket | None = None
    """What the incident was escalated from, where it was found."""


class TicketLooked(Value):
    """How ticket and sub-issues stand in Linear."""

    type: Literal["ticket.looked"] = "ticket.looked"
    issues: tuple[LinearIssue, ...]


class TicketSynced(Value):
    """The ticket as it stands after we wrote these of its fields; none: nothing had to be written."""

    type: Literal["ticket.synced"] = "ticket.synced"
    issue: LinearIssue
    wrote: tuple[Literal["state", "priority"], ...] = ()
    kind: str = "ticket.sync"


class ItemsOpened(Value):
    """The sub-issues of these items, by number."""

    type: Literal["items.opened"] = "items.opened"
    issues: dict[int, SubIssue]


class ItemSynced(Value):
    type: Literal["items.synced"] = "items.synced"
    number: int
    issue: LinearIssue


class DiscordPosted(Value):
    type: Literal["discord.posted"] = "discord.posted"
    id: str


class MessageRead(Value):
    """A message that was pinned, as it stands now."""

    type: Literal["message.read"] = "message.read"
    ts: str
    seen: str
    """Of the event for which it was read."""
    at: datetime
    text: str = ""
    """Empty: nobody pins it any more, or it is gone."""
    by: str | None = None
    """Who wrote it; None for a bot."""
    url: str | None = None


class Paged(Value):
    type: Literal["paged"] = "paged"
    key: str
    via: str
    """`PagerDuty`, or `mention` where no pager is set up."""


class LeadZone(Value):
    type: Literal["lead.zone"] = "lead.zone"
    offset: int
    """Seconds that the lead's clock is ahead of UTC."""


class AdrNumbered(Value):
    type: Literal["adr.numbered"] = "adr.numbered"
    repository: str
    number: int


class AdrWritten(Value):
    type: Literal["adr.written"] = "adr.written"
    adr: Adr


class Remembered(Value):
    type: Literal["remembered"] = "remembered"


class EffectDone(Value):
    """An effect succeeded and there is nothing more to say of it."""

    type: Literal["effect.done"] = "effect.done"
    kind: str
    about: str = ""
    """Which of its kind it was, where there may be several: words of the effect."""


class EffectFailed(Value):
    type: Literal["effect.failed"] = "effect.failed"
    effect_id: str
    kind: str
    reason: str
    effect: str
    """The effect as JSON."""
    at: datetime
    wanted_at: datetime | None = None
    """When the effect was committed."""


PeopleSay = (
    Declare
    | DecideRollback
    | DecideHotfix
    | DecideInvestigate
    | DecideFixed
    | ManualTriage
    | PostUpdate
    | SnoozeUpdate
    | MessageTouched
    | SetSeverity
    | TakeLead
    | AddHypothesis
    | JudgeHypothesis
    | NameCause
    | RecheckNow
    | ConfirmRecovery
    | SubmitPostmortem
    | MarkItem
    | Resolve
    | Cancel
    | TryAgain
    | CancelBisect
    | PrepareRevert
    | MergeHotfix
    | HotfixIsIn
    | MergeDuplicate
    | Reopen
)
ProgramsSay = AddEvidence | SeenAgain | DeployedByOthers | TicketTold
TimersSay = (
    ArchiveDue
    | TriageOverdue
    | PostmortemDue
    | UpdateDue
    | MeasureDue
    | NobodyActed
    | DeployTick
    | MergeDue
    | BisectTick
    | LookDue
    | TicketLookDue
    | ItemsDue
    | RetryDue
    | ShrinkDue
)
EffectsSay = (
    BookmarkSet
    | ChannelArchived
    | PutOffArchive
    | ChannelOpened
    | MessagePosted
    | Pinned
    | Invited
    | Triaged
    | IssuesLookedUp
    | Investigated
    | BisectMoved
    | RevertPrepared
    | DeployStarted
    | DeployNotStarted
    | DeployProgressed
    | DeployFinished
    | MergeSeen
    | MergeRefused
    | Looked
    | IssuesResolved
    | TicketOpened
    | TicketLooked
    | TicketSynced
    | ItemsOpened
    | ItemSynced
    | DiscordPosted
    | MessageRead
    | Paged
    | LeadZone
    | AdrNumbered
    | AdrWritten
    | Remembered
    | EffectDone
    | EffectFailed
)
Action = Annotated[PeopleSay | ProgramsSay | TimersSay | EffectsSay, Field(discriminator="type")]
ACTION: TypeAdapter[Action] = TypeAdapter(Action)
"""Reads and writes an action as JSON."""
