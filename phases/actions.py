"""Everything that can be said to an incident, by a person, a timer, a webhook or the end of an effect: one page, one union."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from phases.incident import Channel, MessageRef, Severity, Source, Ticket
from phases.report import (
    Adr,
    Bisect,
    DeployProof,
    DeploySeen,
    Evidence,
    Investigation,
    Look,
    PastIncident,
    Postmortem,
    Release,
    TriageReport,
    Value,
    Verdict,
    Word,
)

# --- said by people --------------------------------------------------------------------------------------------


class Declare(Value):
    """Opens an incident. `number` is the door's: the next free one, taken as a claim."""

    type: Literal["declare"] = "declare"
    number: int = 0
    ulid: str
    title: str
    description: str = ""
    service: str
    environment: str = "production"
    source: Source
    by: str | None = None
    private: bool = False
    severity: Severity | None = None
    seeds: tuple[str, ...] = ()
    parent: str | None = None
    """A Linear issue (`ENG-123`) that the person named: the bug that turned out to be on fire."""
    detected_at: datetime | None = None
    else_of: str | None = None
    """Said to be something else than this open incident: then no `open:` claim is taken."""
    echo: str | None = None
    """Claim that makes the same words, person and channel within 60 s the same incident."""


class DecideRollback(Value):
    type: Literal["decide.rollback"] = "decide.rollback"
    by: str
    round: int
    forward: bool = False
    """Said in a form that was opened after recovery: fix forward in a new round. A button never says this."""
    target: Release
    running: Release | None = None
    """What ran when the person confirmed: the *from* of the confirm."""
    break_glass: str | None = None


class DecideHotfix(Value):
    type: Literal["decide.hotfix"] = "decide.hotfix"
    by: str
    round: int
    forward: bool = False
    """Said in a form that was opened after recovery: fix forward in a new round. A button never says this."""
    fix: Release
    """`hotfix <branch>@<sha7>` with its full commit."""
    running: Release | None = None
    break_glass: str | None = None


class DecideInvestigate(Value):
    type: Literal["decide.investigate"] = "decide.investigate"
    by: str
    round: int


class DecideFixed(Value):
    type: Literal["decide.fixed"] = "decide.fixed"
    by: str
    round: int
    forward: bool = False
    """Said in a form that was opened after recovery: fix forward in a new round. A button never says this."""
    sentence: str


class ManualTriage(Value):
    """The manual form: what people report where Sentry cannot be asked (workflow, failure conditions)."""

    type: Literal["manual.triage"] = "manual.triage"
    by: str
    users: Word
    features: Word
    feature_names: tuple[str, ...] = ()
    report: str


class PostUpdate(Value):
    type: Literal["update"] = "update"
    by: str
    text: str


class SetSeverity(Value):
    type: Literal["severity"] = "severity"
    by: str
    severity: Severity


class TakeLead(Value):
    type: Literal["lead"] = "lead"
    by: str
    lead: str


class AddHypothesis(Value):
    type: Literal["hypothesis.add"] = "hypothesis.add"
    by: str
    says: str


class JudgeHypothesis(Value):
    type: Literal["hypothesis.judge"] = "hypothesis.judge"
    by: str
    id: str
    verdict: Verdict
    reason: str = ""


class NameCause(Value):
    type: Literal["cause"] = "cause"
    by: str
    text: str
    commit: str | None = None
    release: str | None = None


class RecheckNow(Value):
    type: Literal["recheck"] = "recheck"
    by: str


class ConfirmRecovery(Value):
    """A person's word where the bot could not tell: marked "not measured"."""

    type: Literal["confirm.recovery"] = "confirm.recovery"
    by: str
    round: int
    recovered: bool


class SubmitPostmortem(Value):
    type: Literal["postmortem"] = "postmortem"
    postmortem: Postmortem


class Resolve(Value):
    type: Literal["resolve"] = "resolve"
    by: str


class Cancel(Value):
    type: Literal["cancel"] = "cancel"
    by: str
    reason: str


class TryAgain(Value):
    type: Literal["try.again"] = "try.again"
    by: str
    effect_id: str


class PrepareRevert(Value):
    type: Literal["prepare.revert"] = "prepare.revert"
    by: str
    pull_request: str


class CancelBisect(Value):
    type: Literal["bisect.cancel"] = "bisect.cancel"
    by: str


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


# --- said by timers --------------------------------------------------------------------------------------------


class TriageOverdue(Value):
    type: Literal["triage.overdue"] = "triage.overdue"


class NobodyActed(Value):
    type: Literal["nobody.acted"] = "nobody.acted"


class MeasureDue(Value):
    """Nobody has acted yet: the blast radius is measured again, because it may have grown."""

    type: Literal["measure.due"] = "measure.due"


class DeployTick(Value):
    type: Literal["deploy.tick"] = "deploy.tick"
    deploy_id: str


class BisectTick(Value):
    type: Literal["bisect.tick"] = "bisect.tick"
    bisect_id: str


class LookDue(Value):
    type: Literal["look.due"] = "look.due"
    round: int
    number: int


class RetryDue(Value):
    """What failed and is tried again by itself: channel, decision, triage, a question; the ticket every 15 minutes."""

    type: Literal["retry.due"] = "retry.due"
    effect_id: str


# --- said by the end of an effect ------------------------------------------------------------------------------


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


class DeployFinished(Value):
    type: Literal["deploy.finished"] = "deploy.finished"
    deploy_id: str
    result: Literal["done", "failed", "unknown"]
    proof: DeployProof
    reason: str = ""
    lines: tuple[str, ...] = ()


class Looked(Value):
    type: Literal["looked"] = "looked"
    round: int
    look: Look


class TicketOpened(Value):
    type: Literal["ticket.opened"] = "ticket.opened"
    ticket: Ticket
    parent: Ticket | None = None
    """What the incident was escalated from, where it was found."""


class DiscordPosted(Value):
    type: Literal["discord.posted"] = "discord.posted"
    id: str


class Paged(Value):
    type: Literal["paged"] = "paged"
    key: str
    via: str
    """`PagerDuty`, or `mention` where no pager is set up."""


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


class EffectFailed(Value):
    type: Literal["effect.failed"] = "effect.failed"
    effect_id: str
    kind: str
    reason: str
    effect: str
    """The effect as JSON."""
    at: datetime


PeopleSay = (
    Declare
    | DecideRollback
    | DecideHotfix
    | DecideInvestigate
    | DecideFixed
    | ManualTriage
    | PostUpdate
    | SetSeverity
    | TakeLead
    | AddHypothesis
    | JudgeHypothesis
    | NameCause
    | RecheckNow
    | ConfirmRecovery
    | SubmitPostmortem
    | Resolve
    | Cancel
    | TryAgain
    | CancelBisect
    | PrepareRevert
)
ProgramsSay = AddEvidence | SeenAgain | DeployedByOthers
TimersSay = TriageOverdue | MeasureDue | NobodyActed | DeployTick | BisectTick | LookDue | RetryDue
EffectsSay = (
    ChannelOpened
    | MessagePosted
    | Pinned
    | Invited
    | Triaged
    | Investigated
    | BisectMoved
    | RevertPrepared
    | DeployStarted
    | DeployNotStarted
    | DeployProgressed
    | DeployFinished
    | Looked
    | TicketOpened
    | DiscordPosted
    | Paged
    | AdrNumbered
    | AdrWritten
    | Remembered
    | EffectDone
    | EffectFailed
)
Action = Annotated[PeopleSay | ProgramsSay | TimersSay | EffectsSay, Field(discriminator="type")]
ACTION: TypeAdapter[Action] = TypeAdapter(Action)
"""Reads and writes an action as JSON."""
