"""Everything that can be reported to an incident, under one name.

People's commands stand in `commands.py`, what ended effects report in `results.py`; both are handed
on from here. The reports of other programs and of timers are below.
"""

from __future__ import annotations

from typing import Literal

from pydantic import TypeAdapter

from phases.messages.base import Action, adapter
from phases.messages.commands import *  # noqa: F403  handed on
from phases.messages.results import *  # noqa: F403  handed on
from phases.record.documents import LinearIssue
from phases.record.findings import DeploySeen, Evidence
from phases.record.incident import GuardLook

# --- said by other programs ------------------------------------------------------------------------------------


class AddEvidence(Action):
    """An alert of the same storm, or a neighbour's; becomes a line in the timeline, a seed for the next triage."""

    type: Literal["evidence"] = "evidence"
    evidence: Evidence
    issue: str | None = None
    looked: bool = False
    """Somebody looked already, and saw that it burns: after recovery people hear of it at once."""


class SeenAgain(Action):
    """The same Sentry issue fires within the guard: the bot looks, and opens the incident again where it burns."""

    type: Literal["seen.again"] = "seen.again"
    issue: str
    evidence: Evidence


class DeployedByOthers(Action):
    """A deploy of the service that the bot did not start."""

    type: Literal["deployed"] = "deployed"
    deploy: DeploySeen


class TicketTold(Action):
    """Linear says by webhook that somebody changed the ticket, or an item's sub-issue. Our own changes come back so, too."""

    type: Literal["ticket.told"] = "ticket.told"
    issue: LinearIssue
    changed: tuple[Literal["state", "priority"], ...]
    by: str = ""
    """Who it was, as Linear names them; empty where it does not say."""


# --- said by timers --------------------------------------------------------------------------------------------


class TriageOverdue(Action):
    type: Literal["triage.overdue"] = "triage.overdue"


class NobodyActed(Action):
    type: Literal["nobody.acted"] = "nobody.acted"


class PostmortemDue(Action):
    """A working morning, and nobody has written the post-mortem yet."""

    type: Literal["postmortem.due"] = "postmortem.due"


class UpdateDue(Action):
    """Nobody has said how it stands for as long as the severity allows."""

    type: Literal["update.due"] = "update.due"


class MeasureDue(Action):
    """Nobody has acted yet: the blast radius is measured again, because it may have grown."""

    type: Literal["measure.due"] = "measure.due"


class DeployTick(Action):
    type: Literal["deploy.tick"] = "deploy.tick"
    deploy_id: str


class BisectTick(Action):
    type: Literal["bisect.tick"] = "bisect.tick"
    bisect_id: str


class MergeDue(Action):
    """Is the hotfix merged by now? Also said by GitHub's webhook, so that nobody waits for the next look."""

    type: Literal["merge.due"] = "merge.due"
    round: int


class LookDue(Action):
    type: Literal["look.due"] = "look.due"
    round: int
    number: int


class GuardDue(Action):
    """After recovery: does it burn again?"""

    type: Literal["guard.due"] = "guard.due"
    look: GuardLook


class TicketLookDue(Action):
    type: Literal["ticket.look.due"] = "ticket.look.due"


class ItemsDue(Action):
    """Items are overdue: their owners hear of it once a week."""

    type: Literal["items.due"] = "items.due"


class RetryDue(Action):
    """What failed and is tried again by itself: channel, decision, triage, a question; the ticket every 15 minutes."""

    type: Literal["retry.due"] = "retry.due"
    effect_id: str


class ShrinkDue(Action):
    """It has been over for a month: its record becomes small."""

    type: Literal["shrink.due"] = "shrink.due"


ACTION: TypeAdapter[Action] = adapter(Action)
"""Reads and writes an action as JSON."""
