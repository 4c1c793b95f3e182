"""Commands: actions of people, by a slash command, a button or a form."""

from datetime import datetime
from typing import Literal

from phases.messages.base import Action
from phases.record.documents import Contradiction, Postmortem
from phases.record.findings import Release, Verdict, Word
from phases.record.incident import Incident, MessageRef, Severity, Source


class Command(Action):
    """An action of one person."""

    by: str
    """The person's Slack id."""


class Decision(Command):
    """A choice for production in one round."""

    round: int
    forward: bool = False
    """Chosen in a form after recovery: fix forward in a new round. No button sets it."""


class Declare(Action):
    """Opens an incident. The dispatcher sets `number`: the next free one, taken as a claim."""

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
    """Short ids of Sentry issues that were not looked up in time: an effect does it afterwards."""
    parent: str | None = None
    """A Linear issue (`ENG-123`) that the person named: the bug that became this incident."""
    detected_at: datetime | None = None
    else_of: str | None = None
    """An open incident that this is said to be different from: no `open:` claim is taken then."""
    echo: str | None = None
    """A claim: the same words, person and channel within 60 s are the same incident."""
    keys: tuple[str, ...] = ()
    """The sender's own keys. A script's key is one incident; an alert's leads to it while it is
    open.
    """
    heard: tuple[str, ...] = ()
    """The alerts that this tells of, as `AddEvidence.key` names them."""


class DecideRollback(Decision):
    """Rolls back to `target`."""

    type: Literal["decide.rollback"] = "decide.rollback"
    target: Release
    running: Release | None = None
    """The release that ran when the person confirmed."""
    break_glass: str | None = None


class DecideTurnOff(Decision):
    """Turns off a flag or a switch, by the catalogue's command."""

    type: Literal["decide.turn_off"] = "decide.turn_off"
    change: str
    """Its name, as the bot was told of the change."""
    break_glass: str | None = None


class DecideHotfix(Decision):
    """Ships a hotfix."""

    type: Literal["decide.hotfix"] = "decide.hotfix"
    fix: Release
    """`hotfix <branch>@<sha7>` with its full commit."""
    running: Release | None = None
    break_glass: str | None = None


class DecideInvestigate(Command):
    """Investigates before anybody acts on production."""

    type: Literal["decide.investigate"] = "decide.investigate"
    round: int


class DecideFixed(Decision):
    """Reports that it was fixed another way, in a sentence."""

    type: Literal["decide.fixed"] = "decide.fixed"
    sentence: str


class ManualTriage(Command):
    """Reports the blast radius by hand, while Sentry is away (workflow, failure conditions)."""

    type: Literal["manual.triage"] = "manual.triage"
    users: Word
    features: Word
    feature_names: tuple[str, ...] = ()
    report: str


class PostUpdate(Command):
    """Tells the channel how it stands."""

    type: Literal["update"] = "update"
    text: str
    """The known facts."""
    users: str = ""
    """The trouble as users see it."""
    doing: str = ""
    """The work that is under way."""
    next_minutes: int | None = None
    """Minutes until the next update; None: as the severity says."""


class SnoozeUpdate(Command):
    """Puts the update that is due off for a little."""

    type: Literal["update.snooze"] = "update.snooze"


class MessageTouched(Action):
    """A message got or lost `:pushpin:`, or a pinned message was edited or deleted."""

    type: Literal["message.touched"] = "message.touched"
    ts: str
    event_ts: str
    """The `event_ts` of Slack's event."""
    pinned: bool = False
    """A pin was set. Anything else matters only to messages that are pinned."""


class LiveMessageDeleted(Action):
    """Somebody deleted a message in an incident's channel; it may be one that people need."""

    type: Literal["message.deleted"] = "message.deleted"
    ref: MessageRef


class CorrectEntry(Command):
    """Corrects an entry of the timeline: its words, its time, or both."""

    type: Literal["entry.correct"] = "entry.correct"
    entry: str
    """Its name: `Shown.id`."""
    text: str = ""
    """The right words; empty: they stay."""
    at: datetime | None = None
    """The right time; None: it stays."""


class SetSeverity(Command):
    """Sets the severity."""

    type: Literal["severity"] = "severity"
    severity: Severity


class TakeLead(Command):
    """Makes a person the lead."""

    type: Literal["lead"] = "lead"
    lead: str


class AddHypothesis(Command):
    """Adds a hypothesis of a person."""

    type: Literal["hypothesis.add"] = "hypothesis.add"
    says: str
    predicts: str = ""
    check: str = ""
    agent: str = ""
    """The name of the agent that says it for the person; empty: the person does."""


class JudgeHypothesis(Command):
    """Confirms or rules out a hypothesis."""

    type: Literal["hypothesis.judge"] = "hypothesis.judge"
    id: str
    verdict: Verdict
    reason: str = ""


class NameCause(Command):
    """Names the root cause."""

    type: Literal["cause"] = "cause"
    text: str
    commit: str | None = None
    release: str | None = None


class RecheckNow(Command):
    """Checks now, and not when the next look is due."""

    type: Literal["recheck"] = "recheck"


class ConfirmRecovery(Command):
    """Answers where the bot could not tell; the record says "not measured"."""

    type: Literal["confirm.recovery"] = "confirm.recovery"
    round: int
    recovered: bool


class SubmitPostmortem(Action):
    """Hands in the post-mortem."""

    type: Literal["postmortem"] = "postmortem"
    postmortem: Postmortem


class MendPostmortem(Action):
    """Hands in the post-mortem again that is written already: something in it was mended."""

    type: Literal["postmortem.mend"] = "postmortem.mend"
    postmortem: Postmortem


class KeepContradiction(Command):
    """Keeps a contradiction as it is, under the person's name."""

    type: Literal["contradiction.keep"] = "contradiction.keep"
    contradiction: Contradiction


class MarkItem(Command):
    """Marks an action item as done, or as not done after all."""

    type: Literal["item.mark"] = "item.mark"
    number: int
    done: bool = True


class Resolve(Command):
    """Resolves the incident."""

    type: Literal["resolve"] = "resolve"


class Cancel(Command):
    """Cancels a false alarm or a duplicate."""

    type: Literal["cancel"] = "cancel"
    reason: str


class TryAgain(Command):
    """Tries a failed effect again."""

    type: Literal["try.again"] = "try.again"
    effect_id: str


class PrepareRevert(Command):
    """Asks for the pull request that reverts another one."""

    type: Literal["prepare.revert"] = "prepare.revert"
    pull_request: str


class MergeHotfix(Command):
    """Merges the pull request of the hotfix that runs, by the ordinary call."""

    type: Literal["merge.hotfix"] = "merge.hotfix"
    round: int


class HotfixIsIn(Command):
    """Reports that the hotfix is in the default branch, where no system can tell."""

    type: Literal["hotfix.is.in"] = "hotfix.is.in"
    round: int


class CauseFixed(Command):
    """Reports that the root cause is fixed: deploys need not wait any more."""

    type: Literal["cause.fixed"] = "cause.fixed"


class CancelBisect(Command):
    """Stops the bisect."""

    type: Literal["bisect.cancel"] = "bisect.cancel"


class WithOthers(Command):
    """Changes other incidents, too, in the same commit.

    The dispatcher sets `records`: the others as they were read, without those that are not there.
    """

    others: tuple[str, ...] = ()
    records: tuple[Incident, ...] = ()


class MergeDuplicates(WithOthers):
    """Merges the others into this incident."""

    type: Literal["merge.duplicate"] = "merge.duplicate"


class SplitOff(WithOthers):
    """Takes this incident out of the one into which it was merged; that is the other one."""

    type: Literal["split.off"] = "split.off"
    beside: str | None = None
    """An open incident of the service that this is said to be different from."""


class Reopen(Command):
    """Opens an incident again that was over."""

    type: Literal["reopen"] = "reopen"
    beside: str | None = None
    """An open incident of the service that this is said to be different from."""
