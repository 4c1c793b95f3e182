"""Everything that an incident wants done outside, with the policy of each kind.

A new effect is a class here, a performer in `bot/performers/`, and the rule that wants it.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from pydantic import TypeAdapter

from phases.messages.base import Effect, adapter
from phases.record.findings import Release
from phases.record.incident import ActionKind, GuardLook

RETRY_SECONDS = 60
"""Without channel, decision, triage or question nobody can go on: tried again by itself."""
TICKET_RETRY_SECONDS = 15 * 60
"""Linear may be away for long: architecture, 5, tries the ticket again every 15 minutes."""

# --- Slack -----------------------------------------------------------------------------------------------------


class OpenChannel(Effect):
    type: Literal["open.channel"] = "open.channel"
    words = "The incident channel could not be opened"
    needed = True
    retry_seconds = RETRY_SECONDS


class SetTopic(Effect):
    type: Literal["set.topic"] = "set.topic"
    words = "The topic could not be set"
    small = True
    one_of_a_kind = True


class Invite(Effect):
    type: Literal["invite"] = "invite"
    words = "People could not be invited"
    small = True
    people: tuple[str, ...]
    """Slack user ids; owners as the catalogue writes them are resolved by the performer."""
    members_of: str | None = None
    """A channel whose people come along: a duplicate's."""
    owners: bool = True
    """The service's owners, too."""


class ArchiveChannel(Effect):
    """Unless somebody wrote in it within the last day."""

    type: Literal["archive"] = "archive"
    words = "The channel could not be archived"
    after_end = True


class SetBookmark(Effect):
    """One of the channel's bookmarks, by its name in `Incident.bookmarks`."""

    type: Literal["bookmark"] = "bookmark"
    words = "A bookmark could not be set"
    small = True
    name: str


class PostLive(Effect):
    """Posts a live message for the first time: `status`, `decision:1`, `tree`, `announcement`. Edits are dirty marks."""

    type: Literal["post.live"] = "post.live"
    words = "A message could not be posted"
    needed = True
    retry_seconds = RETRY_SECONDS
    name: str
    again: bool = False
    """A person tries it again: an earlier one was given up, and may have posted it for all that."""


class Pin(Effect):
    type: Literal["pin"] = "pin"
    words = "The status could not be pinned"
    small = True
    one_of_a_kind = True


class Say(Effect):
    """One sentence of the bot in the incident's channel, or in the thread of the newest decision."""

    type: Literal["say"] = "say"
    words = "A message could not be posted"
    after_end = True
    text: str
    thread: bool = False
    mention: tuple[str, ...] = ()
    """People (Slack ids) to be mentioned in front."""
    try_again: str | None = None
    """Effect id for a *Try again* button under it."""
    goes_to: Literal["incident", "announcement"] = "incident"
    ask: Literal[
        "recovered", "not over", "foreign deploy", "fixed", "update", "postmortem", "after", ""
    ] = ""
    """A question with its buttons under it."""
    picture: bool = False
    """With the picture of events a minute under it."""
    due: datetime | None = None
    """When the next update is promised, under it."""


class Remind(Effect):
    """Tells the lead alone that an update is due; where Slack lets nobody write to them, the channel."""

    type: Literal["remind"] = "remind"
    words = "The lead could not be reminded of the update"
    small = True
    who: str
    text: str


class ReadMessage(Effect):
    """Reads a message of the channel, and who pins it to the timeline."""

    type: Literal["message.read"] = "message.read"
    words = "A pinned message could not be read"
    small = True
    after_end = True
    ts: str
    seen: str
    pinned: bool
    """What Slack told: a pin was set. Counts where the message as it is read does not say who reacted."""


class PostSummary(Effect):
    """That it is resolved, with the PRODUCTION INCIDENT summary in its exact layout."""

    type: Literal["post.summary"] = "post.summary"
    words = "The summary could not be posted"
    after_end = True
    one_of_a_kind = True
    by: str | None = None
    """Who resolved it; None: it resolved by itself, as everything was there."""
    said: bool = False
    """That it is resolved was said with other news already."""


# --- Sentry, Git, deployer -------------------------------------------------------------------------------------


class Triage(Effect):
    type: Literal["triage"] = "triage"
    words = "Sentry could not be asked"
    system = "sentry"
    needed = True
    retry_seconds = RETRY_SECONDS


class LookUpIssues(Effect):
    """Short ids that people named, and that Sentry did not answer for within the moment that a command has."""

    type: Literal["issues.lookup"] = "issues.lookup"
    words = "The issues that were named could not be looked up"
    system = "sentry"
    small = True
    short_ids: tuple[str, ...]


class Investigate(Effect):
    type: Literal["investigate"] = "investigate"
    words = "The investigation could not run"
    system = "git"
    small = True


class StartBisect(Effect):
    type: Literal["bisect.start"] = "bisect.start"
    words = "The bisect could not be started"
    system = "git"
    small = True
    bisect_id: str
    good: str
    bad: str


class FollowBisect(Effect):
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
    """Reads what runs; if that is not `running`, nothing is started."""

    type: Literal["deploy.start"] = "deploy.start"
    words = "The deploy could not be started"
    system = "deployer"
    deploy_id: str
    kind: ActionKind
    running: Release | None
    to: Release


class FollowDeploy(Effect):
    type: Literal["deploy.follow"] = "deploy.follow"
    words = "The deploy could not be followed"
    system = "deployer"
    deploy_id: str


class MergePullRequest(Effect):
    """The ordinary merge of a hotfix's pull request, at the commit that was shipped; never past a check or a rule."""

    type: Literal["merge"] = "merge"
    words = "The pull request could not be merged"
    system = "github"
    round: int
    number: int
    commit: str


class LookAtMerge(Effect):
    """Whether the hotfix of this round is merged by now."""

    type: Literal["merge.look"] = "merge.look"
    words = "Whether the hotfix is merged could not be asked"
    system = "github"
    round: int


class LookAgain(Effect):
    """One look at Sentry and the endpoint (workflow, phase 5)."""

    type: Literal["look"] = "look"
    words = "The check could not be made"
    system = "sentry"
    round: int
    number: int


class LookBack(Effect):
    """After recovery: one look at Sentry whether it burns again; reads only (rules: Guard)."""

    type: Literal["guard.look"] = "guard.look"
    words = "Sentry could not be looked at after recovery"
    system = "sentry"
    look: GuardLook


class ResolveIssues(Effect):
    """Sets Sentry's issues to resolved; twice is once.

    After a hotfix in its release; after a rollback so that `taken_back` and older releases are no regression; else plainly.
    """

    type: Literal["issues.resolve"] = "issues.resolve"
    words = "Sentry's issues could not be set to resolved"
    system = "sentry"
    after_end = True
    issues: tuple[str, ...]
    release: str | None = None
    """A version, as the catalogue writes it …"""
    commit: str | None = None
    """… or a hotfix's commit: its release may be called by that."""
    taken_back: str | None = None
    """The version that a rollback took back; empty where nobody could name it."""


# --- coordination ----------------------------------------------------------------------------------------------


class OpenTicket(Effect):
    type: Literal["ticket.open"] = "ticket.open"
    words = "The ticket could not be opened"
    system = "linear"
    needed = True
    after_end = True
    one_of_a_kind = True
    retry_seconds = TICKET_RETRY_SECONDS


class AttachToTicket(Effect):
    """Keyed by `url`: attaching twice is attaching once."""

    type: Literal["ticket.attach"] = "ticket.attach"
    words = "The Sentry issue could not be attached to the ticket"
    system = "linear"
    small = True
    after_end = True
    retry_seconds = TICKET_RETRY_SECONDS
    url: str
    title: str


class CommentTicket(Effect):
    type: Literal["ticket.comment"] = "ticket.comment"
    words = "The ticket could not be commented"
    system = "linear"
    small = True
    after_end = True
    text: str


class AttachChannel(Effect):
    """The incident's channel on its ticket; keyed by its address, like every attachment."""

    type: Literal["ticket.channel"] = "ticket.channel"
    words = "The channel could not be attached to the ticket"
    system = "linear"
    small = True
    after_end = True
    one_of_a_kind = True
    retry_seconds = TICKET_RETRY_SECONDS


class CatchUp(Effect):
    """What the timeline says since then, in one comment: Linear was out of reach meanwhile."""

    type: Literal["ticket.catch_up"] = "ticket.catch_up"
    words = "The ticket is not up to date"
    system = "linear"
    small = True
    after_end = True
    one_of_a_kind = True
    retry_seconds = TICKET_RETRY_SECONDS
    since: datetime


class SyncTicket(Effect):
    """Asks how the ticket stands, and writes state and priority where they are not the incident's."""

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
    """A sub-issue for every action item that has none; each has an id of its own making."""

    type: Literal["items.open"] = "items.open"
    words = "The action items could not be opened in Linear"
    system = "linear"
    after_end = True
    one_of_a_kind = True
    retry_seconds = TICKET_RETRY_SECONDS


class SyncItem(Effect):
    """Writes in Linear that an item is done, or not done after all."""

    type: Literal["items.sync"] = "items.sync"
    words = "An action item could not be set in Linear"
    system = "linear"
    small = True
    after_end = True
    retry_seconds = TICKET_RETRY_SECONDS
    number: int


class RemindOwner(Effect):
    """Tells a person of overdue items, in a direct message; `day` makes each week's reminder one."""

    type: Literal["items.remind"] = "items.remind"
    words = "The owner of an overdue action item could not be reminded"
    after_end = True
    person: str | None
    numbers: tuple[int, ...]
    day: date


class CommentParent(Effect):
    """Said under the Linear issue that the incident was escalated from."""

    type: Literal["ticket.parent"] = "ticket.parent"
    words = "The issue it was escalated from could not be commented"
    system = "linear"
    small = True
    after_end = True
    text: str


class CloseTicket(Effect):
    """Says the resolution on the ticket, and moves it to a state of type `completed`, or `canceled` for a false alarm."""

    type: Literal["ticket.close"] = "ticket.close"
    words = "The ticket could not be closed"
    system = "linear"
    after_end = True
    one_of_a_kind = True
    retry_seconds = TICKET_RETRY_SECONDS
    cancelled: bool = False


class TellDiscord(Effect):
    """Posts the status to Discord, or edits what was posted."""

    type: Literal["discord"] = "discord"
    words = "Discord could not be told"
    system = "discord"
    small = True
    after_end = True
    one_of_a_kind = True


class PinDiscord(Effect):
    """Pins the post in Discord while the incident is open, and takes the pin off when it is over."""

    type: Literal["discord.pin"] = "discord.pin"
    words = "The post in Discord could not be pinned"
    system = "discord"
    small = True
    after_end = True
    one_of_a_kind = True


class Page(Effect):
    type: Literal["page"] = "page"
    words = "Nobody could be paged"
    system = "pagerduty"
    after_end = True
    key: str
    text: str


class TellPager(Effect):
    """Somebody acts on it, or it is over. `pages` is how often was paged by then: an older word says nothing of a newer page."""

    type: Literal["page.follow"] = "page.follow"
    words = "PagerDuty could not be told"
    system = "pagerduty"
    after_end = True
    what: Literal["acknowledge", "resolve"]
    pages: int


# --- post-mortem and memory ------------------------------------------------------------------------------------


class AskZone(Effect):
    """Asks Slack what time it is where the lead is, or these people are; reads only."""

    type: Literal["zone"] = "zone"
    words = "The lead's time zone could not be asked"
    small = True
    people: tuple[str, ...] = ()


class NumberAdr(Effect):
    """Looks for the next free ADR number; taken as a claim by the action it ends in."""

    type: Literal["adr.number"] = "adr.number"
    words = "The post-mortem's number could not be found"
    system = "git"
    needed = True
    above: int = 0


class WriteAdr(Effect):
    type: Literal["adr.write"] = "adr.write"
    words = "The post-mortem could not be written"
    system = "git"
    needed = True
    number: int


class ReviseAdr(Effect):
    """Brings summary and proofs of a file that was written before recovery up to date; the same text is no commit."""

    type: Literal["adr.revise"] = "adr.revise"
    words = "The post-mortem could not be brought up to date"
    system = "git"
    after_end = True


class CompleteAdr(Effect):
    """The post-mortem's file says that its action items are done."""

    type: Literal["adr.complete"] = "adr.complete"
    words = "The post-mortem's status could not be changed"
    system = "git"
    after_end = True
    one_of_a_kind = True


EFFECT: TypeAdapter[Effect] = adapter(Effect)
"""Reads and writes an effect as JSON."""
KINDS: dict[str, type[Effect]] = {
    kind.model_fields["type"].default: kind for kind in Effect.__subclasses__()
}
"""Every kind of effect by its `type`."""


def policy(kind: str) -> type[Effect]:
    """Return the class of this kind, or `Effect` itself where this version does not know it."""
    return KINDS.get(kind, Effect)
