"""Everything that can be reported to an incident, under one name.

People's commands stand in `commands.py`, what ended effects report in `results.py`; both are handed
on from here. The reports of other programs and of timers are below.
"""

from typing import Literal

from pydantic import TypeAdapter

from phases.messages.base import Action, adapter
from phases.messages.commands import *  # noqa: F403  handed on
from phases.messages.results import *  # noqa: F403  handed on
from phases.record.documents import LinearIssue
from phases.record.findings import ChangeSeen, DeploySeen, Evidence
from phases.record.incident import GuardLook

# --- reported by other programs -----------------------------------------------------------------


class AddEvidence(Action):
    """An alert of the same storm, or of a neighbour.

    It becomes a line of the timeline and a seed for the next triage.
    """

    type: Literal["evidence"] = "evidence"
    evidence: Evidence
    issue: str | None = None
    looked: bool = False
    """Somebody has seen already that it burns: after recovery people hear of it at once."""
    key: str | None = None
    """What the sender calls this alert, with its beginning; without one its link or text is it."""
    keys: tuple[str, ...] = ()
    """The sender's own keys, which lead to this incident from now on."""
    quiet: bool = False
    """It tells that something ended, or that nobody need come: nothing follows from it."""


class SeenAgain(Action):
    """The same Sentry issue fires again after recovery.

    The bot looks, and opens the incident again where it burns.
    """

    type: Literal["seen.again"] = "seen.again"
    issue: str
    evidence: Evidence


class DeployedByOthers(Action):
    """A deploy of the service that the bot did not start."""

    type: Literal["deployed"] = "deployed"
    deploy: DeploySeen


class ChangedByOthers(Action):
    """A flag, a setting or infrastructure of the service was changed, without a deploy."""

    type: Literal["changed"] = "changed"
    change: ChangeSeen


class TicketTold(Action):
    """Linear's webhook: the ticket or an item's sub-issue changed. Our own changes come, too."""

    type: Literal["ticket.told"] = "ticket.told"
    issue: LinearIssue
    changed: tuple[Literal["state", "priority"], ...]
    by: str = ""
    """The author of the change, as Linear names them; empty where it does not say."""


# --- reported by timers -----------------------------------------------------------------


class TriageOverdue(Action):
    """Triage has not ended in its time."""

    type: Literal["triage.overdue"] = "triage.overdue"


class NobodyActed(Action):
    """Nobody has acted on the decision in time."""

    type: Literal["nobody.acted"] = "nobody.acted"


class PostmortemDue(Action):
    """A working morning, and nobody has written the post-mortem yet."""

    type: Literal["postmortem.due"] = "postmortem.due"


class UpdateDue(Action):
    """Nobody has posted an update for as long as the severity allows."""

    type: Literal["update.due"] = "update.due"


class MeasureDue(Action):
    """Nobody has acted yet: the blast radius is measured again, because it may have grown."""

    type: Literal["measure.due"] = "measure.due"


class DeployTick(Action):
    """A deploy under way is looked at again."""

    type: Literal["deploy.tick"] = "deploy.tick"
    deploy_id: str


class BisectTick(Action):
    """A bisect under way is looked at again."""

    type: Literal["bisect.tick"] = "bisect.tick"
    bisect_id: str


class MergeDue(Action):
    """The hotfix may be merged by now. GitHub's webhook reports it, too: nobody waits then."""

    type: Literal["merge.due"] = "merge.due"
    round: int


class LookDue(Action):
    """A re-check is due."""

    type: Literal["look.due"] = "look.due"
    round: int
    number: int
    minute: int = 0
    """Of a look between the re-checks: the minute after the action."""


class GuardDue(Action):
    """A look after recovery is due."""

    type: Literal["guard.due"] = "guard.due"
    look: GuardLook


class TicketLookDue(Action):
    """The ticket is looked at, in case a webhook was lost."""

    type: Literal["ticket.look.due"] = "ticket.look.due"


class ArchiveDue(Action):
    """The end was a week ago: the channel is archived."""

    type: Literal["archive.due"] = "archive.due"


class ItemsDue(Action):
    """Items are overdue: their owners hear of it once a week."""

    type: Literal["items.due"] = "items.due"


class RetryDue(Action):
    """A failed effect is tried again by itself (`Effect.retry_seconds`)."""

    type: Literal["retry.due"] = "retry.due"
    effect_id: str


class ShrinkDue(Action):
    """It has been over for a month: its record becomes small."""

    type: Literal["shrink.due"] = "shrink.due"


ACTION: TypeAdapter[Action] = adapter(Action)
"""Reads and writes an action as JSON."""
