"""What people say to an incident, by a command, a button or a form. What programs, timers and effects say: `actions.py`."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from phases.messages.base import Action
from phases.record.documents import Postmortem
from phases.record.findings import Release, Verdict, Word
from phases.record.incident import Incident, Severity, Source


class Declare(Action):
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
    drill: bool = False
    severity: Severity | None = None
    seeds: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()
    """Short ids of Sentry issues that could not be looked up in the moment there was: they are looked up afterwards."""
    parent: str | None = None
    """A Linear issue (`ENG-123`) that the person named: the bug that turned out to be on fire."""
    detected_at: datetime | None = None
    else_of: str | None = None
    """Said to be something else than this open incident: then no `open:` claim is taken."""
    echo: str | None = None
    """Claim that makes the same words, person and channel within 60 s the same incident."""


class DecideRollback(Action):
    type: Literal["decide.rollback"] = "decide.rollback"
    by: str
    round: int
    forward: bool = False
    """Said in a form that was opened after recovery: fix forward in a new round. A button never says this."""
    target: Release
    running: Release | None = None
    """What ran when the person confirmed: the *from* of the confirm."""
    break_glass: str | None = None


class DecideHotfix(Action):
    type: Literal["decide.hotfix"] = "decide.hotfix"
    by: str
    round: int
    forward: bool = False
    """Said in a form that was opened after recovery: fix forward in a new round. A button never says this."""
    fix: Release
    """`hotfix <branch>@<sha7>` with its full commit."""
    running: Release | None = None
    break_glass: str | None = None


class DecideInvestigate(Action):
    type: Literal["decide.investigate"] = "decide.investigate"
    by: str
    round: int


class DecideFixed(Action):
    type: Literal["decide.fixed"] = "decide.fixed"
    by: str
    round: int
    forward: bool = False
    """Said in a form that was opened after recovery: fix forward in a new round. A button never says this."""
    sentence: str


class ManualTriage(Action):
    """The manual form: what people report where Sentry cannot be asked (workflow, failure conditions)."""

    type: Literal["manual.triage"] = "manual.triage"
    by: str
    users: Word
    features: Word
    feature_names: tuple[str, ...] = ()
    report: str


class PostUpdate(Action):
    type: Literal["update"] = "update"
    by: str
    text: str
    """What is known."""
    users: str = ""
    """What users see."""
    doing: str = ""
    """What is being done."""
    next_minutes: int | None = None
    """When the next update was promised; None: as the severity says."""


class SnoozeUpdate(Action):
    """The update that is due can wait a little."""

    type: Literal["update.snooze"] = "update.snooze"
    by: str


class MessageTouched(Action):
    """Somebody set `:pushpin:` on a message or took it off, or a pinned message was edited or deleted."""

    type: Literal["message.touched"] = "message.touched"
    ts: str
    seen: str
    """`event_ts` of what Slack told."""
    pinned: bool = False
    """A pin was set; anything else matters only to messages that were pinned."""


class SetSeverity(Action):
    type: Literal["severity"] = "severity"
    by: str
    severity: Severity


class TakeLead(Action):
    type: Literal["lead"] = "lead"
    by: str
    lead: str


class AddHypothesis(Action):
    type: Literal["hypothesis.add"] = "hypothesis.add"
    by: str
    says: str


class JudgeHypothesis(Action):
    type: Literal["hypothesis.judge"] = "hypothesis.judge"
    by: str
    id: str
    verdict: Verdict
    reason: str = ""


class NameCause(Action):
    type: Literal["cause"] = "cause"
    by: str
    text: str
    commit: str | None = None
    release: str | None = None


class RecheckNow(Action):
    type: Literal["recheck"] = "recheck"
    by: str


class ConfirmRecovery(Action):
    """A person's word where the bot could not tell: marked "not measured"."""

    type: Literal["confirm.recovery"] = "confirm.recovery"
    by: str
    round: int
    recovered: bool


class SubmitPostmortem(Action):
    type: Literal["postmortem"] = "postmortem"
    postmortem: Postmortem


class MarkItem(Action):
    """An action item is done, or is not done after all."""

    type: Literal["item.mark"] = "item.mark"
    by: str
    number: int
    done: bool = True


class Resolve(Action):
    type: Literal["resolve"] = "resolve"
    by: str


class Cancel(Action):
    type: Literal["cancel"] = "cancel"
    by: str
    reason: str


class TryAgain(Action):
    type: Literal["try.again"] = "try.again"
    by: str
    effect_id: str


class PrepareRevert(Action):
    type: Literal["prepare.revert"] = "prepare.revert"
    by: str
    pull_request: str


class MergeHotfix(Action):
    """The pull request of the hotfix that runs shall be merged, by the ordinary call."""

    type: Literal["merge.hotfix"] = "merge.hotfix"
    by: str
    round: int


class HotfixIsIn(Action):
    """A person's word, where nobody else can tell: what was shipped is in the default branch."""

    type: Literal["hotfix.is.in"] = "hotfix.is.in"
    by: str
    round: int


class CauseFixed(Action):
    """What brought it is mended: deploys need not wait any more."""

    type: Literal["cause.fixed"] = "cause.fixed"
    by: str


class CancelBisect(Action):
    type: Literal["bisect.cancel"] = "bisect.cancel"
    by: str


class MergeDuplicate(Action):
    """Said to the incident that goes on. `found` is the door's: the duplicate as it was read."""

    type: Literal["merge.duplicate"] = "merge.duplicate"
    by: str
    duplicate: str
    found: Incident | None = None


class Reopen(Action):
    type: Literal["reopen"] = "reopen"
    by: str
    beside: str | None = None
    """Said to be something else than this open incident of the service."""
