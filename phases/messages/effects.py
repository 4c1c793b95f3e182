"""Everything that an incident wants done outside, with the policy of each kind.

Effects that people see stand in `notifications.py` and are handed on from here. A new effect is
its class, a performer in `bot/performers/`, and the rule that wants it.
"""

from datetime import date, datetime
from typing import Literal

from pydantic import TypeAdapter

from phases.messages.base import RETRY_SECONDS, Effect, adapter, kinds
from phases.messages.notifications import *  # noqa: F403  handed on
from phases.record.findings import Release
from phases.record.incident import ActionKind, GuardLook

TICKET_RETRY_SECONDS = 15 * 60
"""Linear may be away for long: the ticket is tried again every 15 minutes."""

# --- Sentry, Git, deployer -------------------------------------------------------------------


class Triage(Effect):
    """Measures the blast radius."""

    type: Literal["triage"] = "triage"
    words = "Sentry could not be queried"
    system = "sentry"
    needed = True
    retry_seconds = RETRY_SECONDS


class LookUpIssues(Effect):
    """Looks up short ids that Sentry did not answer for while the command waited."""

    type: Literal["issues.lookup"] = "issues.lookup"
    words = "The issues that were named could not be looked up"
    system = "sentry"
    small = True
    short_ids: tuple[str, ...]


class Investigate(Effect):
    """Looks for the root cause."""

    type: Literal["investigate"] = "investigate"
    words = "The investigation could not run"
    system = "git"
    small = True


class StartBisect(Effect):
    """Starts a bisect between two commits."""

    type: Literal["bisect.start"] = "bisect.start"
    words = "The bisect could not be started"
    system = "git"
    small = True
    bisect_id: str
    good: str
    bad: str


class FollowBisect(Effect):
    """Asks how the bisect stands, or stops it."""

    type: Literal["bisect.follow"] = "bisect.follow"
    words = "The bisect could not be followed"
    system = "git"
    small = True
    bisect_id: str
    cancel: bool = False


class Revert(Effect):
    """Makes the pull request that reverts this one, or finds it."""

    type: Literal["revert"] = "revert"
    words = "The revert could not be prepared"
    system = "github"
    small = True
    pull_request: str


class StartDeploy(Effect):
    """Starts a deploy, unless something else runs than `running`."""

    type: Literal["deploy.start"] = "deploy.start"
    words = "The deploy could not be started"
    system = "deployer"
    deploy_id: str
    kind: ActionKind
    running: Release | None
    to: Release
    beside: bool = False
    """`running` is a canary beside `to`, which is what the deployer names."""


class StartTurnOff(Effect):
    """Runs the catalogue's `turn_off` with this name; it is followed as a deploy is."""

    type: Literal["turn_off.start"] = "turn_off.start"
    words = "It could not be turned off"
    system = "deployer"
    deploy_id: str
    change: str


class FollowDeploy(Effect):
    """Asks how the deploy stands."""

    type: Literal["deploy.follow"] = "deploy.follow"
    words = "The deploy could not be followed"
    system = "deployer"
    deploy_id: str


class MergePullRequest(Effect):
    """Merges a hotfix's pull request at the shipped commit; never past a check or a rule."""

    type: Literal["merge"] = "merge"
    words = "The pull request could not be merged"
    system = "github"
    round: int
    number: int
    commit: str


class LookAtMerge(Effect):
    """Asks if the hotfix of this round is merged by now."""

    type: Literal["merge.look"] = "merge.look"
    words = "Whether the hotfix is merged could not be checked"
    system = "github"
    round: int


class LookAgain(Effect):
    """Looks once at Sentry and the endpoint (workflow, phase 5)."""

    type: Literal["look"] = "look"
    words = "The check could not be made"
    system = "sentry"
    round: int
    number: int
    minute: int = 0
    """Of a look between the re-checks, which only counts."""


class LookBack(Effect):
    """Looks at Sentry after recovery, for the same trouble; reads only (rules: Guard)."""

    type: Literal["guard.look"] = "guard.look"
    words = "Sentry could not be checked after recovery"
    system = "sentry"
    look: GuardLook


class ResolveIssues(Effect):
    """Sets Sentry's issues to resolved; twice is once.

    After a hotfix they are resolved in its release. After a rollback they are resolved so that
    events of `taken_back` and of older releases are no regression.
    """

    type: Literal["issues.resolve"] = "issues.resolve"
    words = "Sentry's issues could not be set to resolved"
    system = "sentry"
    after_end = True
    issues: tuple[str, ...]
    release: str | None = None
    """The version of a hotfix, as the catalogue writes it."""
    commit: str | None = None
    """The commit of a hotfix: its release may be called by that."""
    taken_back: str | None = None
    """The version that a rollback took back; empty where nobody could name it."""


# --- coordination ----------------------------------------------------------------------------


class OpenTicket(Effect):
    """Opens the ticket."""

    type: Literal["ticket.open"] = "ticket.open"
    words = "The ticket could not be opened"
    system = "linear"
    needed = True
    after_end = True
    one_of_a_kind = True
    retry_seconds = TICKET_RETRY_SECONDS


class AttachToTicket(Effect):
    """Attaches a link; twice is once, because Linear keys attachments by `url`."""

    type: Literal["ticket.attach"] = "ticket.attach"
    words = "The Sentry issue could not be attached to the ticket"
    system = "linear"
    small = True
    after_end = True
    retry_seconds = TICKET_RETRY_SECONDS
    url: str
    title: str


class CommentTicket(Effect):
    """Comments on the ticket."""

    type: Literal["ticket.comment"] = "ticket.comment"
    words = "The ticket comment failed"
    system = "linear"
    small = True
    after_end = True
    text: str


class AttachChannel(Effect):
    """Attaches the incident's channel to its ticket."""

    type: Literal["ticket.channel"] = "ticket.channel"
    words = "The channel could not be attached to the ticket"
    system = "linear"
    small = True
    after_end = True
    one_of_a_kind = True
    retry_seconds = TICKET_RETRY_SECONDS


class CatchUp(Effect):
    """Comments once with the timeline since then: Linear was away meanwhile."""

    type: Literal["ticket.catch_up"] = "ticket.catch_up"
    words = "The ticket is not up to date"
    system = "linear"
    small = True
    after_end = True
    one_of_a_kind = True
    retry_seconds = TICKET_RETRY_SECONDS
    since: datetime


class SyncTicket(Effect):
    """Writes the ticket's state and priority where they are not the incident's."""

    type: Literal["ticket.sync"] = "ticket.sync"
    words = "The ticket's state and priority could not be set"
    system = "linear"
    small = True
    after_end = True
    retry_seconds = TICKET_RETRY_SECONDS


class LookAtTicket(Effect):
    """Asks how the ticket and its sub-issues stand: a webhook may be lost, or not set up."""

    type: Literal["ticket.look"] = "ticket.look"
    words = "The ticket could not be looked at"
    system = "linear"


class OpenItems(Effect):
    """Opens a sub-issue for every action item that has none."""

    type: Literal["items.open"] = "items.open"
    words = "The action items could not be created in Linear"
    system = "linear"
    after_end = True
    one_of_a_kind = True
    retry_seconds = TICKET_RETRY_SECONDS


class SyncItem(Effect):
    """Writes in Linear that an item is done, or not done after all."""

    type: Literal["items.sync"] = "items.sync"
    words = "An action item could not be updated in Linear"
    system = "linear"
    small = True
    after_end = True
    retry_seconds = TICKET_RETRY_SECONDS
    number: int


class RemindOwner(Effect):
    """Reminds a person of overdue items in a direct message, once a week (`day`)."""

    type: Literal["items.remind"] = "items.remind"
    words = "The owner of an overdue action item could not be reminded"
    after_end = True
    person: str | None
    numbers: tuple[int, ...]
    day: date


class CommentParent(Effect):
    """Comments on the Linear issue that the incident was escalated from."""

    type: Literal["ticket.parent"] = "ticket.parent"
    words = "The comment on the issue it was escalated from failed"
    system = "linear"
    small = True
    after_end = True
    text: str


class CloseTicket(Effect):
    """Comments the resolution and moves the ticket to a state of type `completed` or `canceled`."""

    type: Literal["ticket.close"] = "ticket.close"
    words = "The ticket could not be closed"
    system = "linear"
    after_end = True
    one_of_a_kind = True
    retry_seconds = TICKET_RETRY_SECONDS
    cancelled: bool = False


# --- post-mortem and memory ------------------------------------------------------------------


class AskZone(Effect):
    """Asks Slack for the time zone of these people; reads only."""

    type: Literal["zone"] = "zone"
    words = "The lead's time zone could not be looked up"
    small = True
    people: tuple[str, ...]


class NumberAdr(Effect):
    """Looks for the next free ADR number; the action it ends in claims the number."""

    type: Literal["adr.number"] = "adr.number"
    words = "The post-mortem's number could not be found"
    system = "git"
    needed = True
    above: int = 0


class WriteAdr(Effect):
    """Writes the post-mortem's file."""

    type: Literal["adr.write"] = "adr.write"
    words = "The post-mortem could not be written"
    system = "git"
    needed = True
    number: int


class MendAdr(Effect):
    """Writes the mended post-mortem, or into the file as it is what people kept and corrected."""

    type: Literal["adr.mend"] = "adr.mend"
    words = "The mended post-mortem could not be written"
    system = "git"
    after_end = True
    whole: bool = True
    """False: the lines of its contradictions and the list of its entries alone; whatever people
    changed elsewhere in the file stays."""


class ReviseAdr(Effect):
    """Brings a file that was written before recovery up to date; the same text is no commit."""

    type: Literal["adr.revise"] = "adr.revise"
    words = "The post-mortem could not be updated"
    system = "git"
    after_end = True


class CompleteAdr(Effect):
    """Writes into the post-mortem's file that its action items are done."""

    type: Literal["adr.complete"] = "adr.complete"
    words = "The post-mortem's status could not be changed"
    system = "git"
    after_end = True
    one_of_a_kind = True


EFFECT: TypeAdapter[Effect] = adapter(Effect)
"""Reads and writes an effect as JSON."""
KINDS: dict[str, type[Effect]] = {kind.model_fields["type"].default: kind for kind in kinds(Effect)}
"""Every kind of effect by its `type`."""


def policy(kind: str) -> type[Effect]:
    """Return the class of this kind, or `Effect` itself where this version does not know it."""
    return KINDS.get(kind, Effect)
