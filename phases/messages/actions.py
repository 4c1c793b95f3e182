"""Everything that can be said to an incident: by people (`asks.py`), a timer, a webhook or the end of an effect; one union."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from phases.messages.commands import (
    AddHypothesis,
    Cancel,
    CancelBisect,
    CauseFixed,
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
from phases.messages.results import (
    AdrNumbered,
    AdrWritten,
    ArchiveDue,
    BisectMoved,
    BookmarkSet,
    ChannelArchived,
    ChannelOpened,
    DeployFinished,
    DeployNotStarted,
    DeployProgressed,
    DeployStarted,
    DiscordPosted,
    EffectDone,
    EffectFailed,
    GuardLooked,
    Investigated,
    Invited,
    IssuesLookedUp,
    IssuesResolved,
    ItemsOpened,
    ItemSynced,
    Looked,
    MergeRefused,
    MergeSeen,
    MessagePosted,
    MessageRead,
    Paged,
    Pinned,
    PutOffArchive,
    Remembered,
    RevertPrepared,
    TicketLooked,
    TicketOpened,
    TicketSynced,
    Triaged,
    Zones,
)
from phases.record.documents import LinearIssue
from phases.record.findings import DeploySeen, Evidence, Value
from phases.record.incident import GuardLook

# --- said by other programs ------------------------------------------------------------------------------------


class AddEvidence(Value):
    """An alert of the same storm, or a neighbour's; becomes a line in the timeline, a seed for the next triage."""

    type: Literal["evidence"] = "evidence"
    evidence: Evidence
    issue: str | None = None
    looked: bool = False
    """Somebody looked already, and saw that it burns: after recovery people hear of it at once."""


class SeenAgain(Value):
    """The same Sentry issue fires within the guard: the bot looks, and opens the incident again where it burns."""

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


class GuardDue(Value):
    """After recovery: does it burn again?"""

    type: Literal["guard.due"] = "guard.due"
    look: GuardLook


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
    | CauseFixed
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
    | GuardDue
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
    | GuardLooked
    | IssuesResolved
    | TicketOpened
    | TicketLooked
    | TicketSynced
    | ItemsOpened
    | ItemSynced
    | DiscordPosted
    | MessageRead
    | Paged
    | Zones
    | AdrNumbered
    | AdrWritten
    | Remembered
    | EffectDone
    | EffectFailed
)
Action = Annotated[PeopleSay | ProgramsSay | TimersSay | EffectsSay, Field(discriminator="type")]
ACTION: TypeAdapter[Action] = TypeAdapter(Action)
"""Reads and writes an action as JSON."""
