"""What an incident wants done outside. Each may run twice; how each is safe then stands in docs/code.md."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from phases.record.findings import Release, Value
from phases.record.incident import ActionKind, GuardLook

# --- Slack -----------------------------------------------------------------------------------------------------


class OpenChannel(Value):
    type: Literal["open.channel"] = "open.channel"


class SetTopic(Value):
    type: Literal["set.topic"] = "set.topic"


class Invite(Value):
    type: Literal["invite"] = "invite"
    people: tuple[str, ...]
    """Slack user ids; owners as the catalogue writes them are resolved by the performer."""
    members_of: str | None = None
    """A channel whose people come along: a duplicate's."""
    owners: bool = True
    """The service's owners, too."""


class ArchiveChannel(Value):
    """Unless somebody wrote in it within the last day."""

    type: Literal["archive"] = "archive"


class SetBookmark(Value):
    """One of the channel's bookmarks, by its name in `Incident.bookmarks`."""

    type: Literal["bookmark"] = "bookmark"
    name: str


class PostLive(Value):
    """Posts a live message for the first time: `status`, `decision:1`, `tree`, `announcement`. Edits are dirty marks."""

    type: Literal["post.live"] = "post.live"
    name: str
    again: bool = False
    """A person tries it again: an earlier one was given up, and may have posted it for all that."""


class Pin(Value):
    type: Literal["pin"] = "pin"


class Say(Value):
    """One sentence of the bot in the incident's channel, or in the thread of the newest decision."""

    type: Literal["say"] = "say"
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


class Remind(Value):
    """Tells the lead alone that an update is due; where Slack lets nobody write to them, the channel."""

    type: Literal["remind"] = "remind"
    who: str
    text: str


class ReadMessage(Value):
    """Reads a message of the channel, and who pins it to the timeline."""

    type: Literal["message.read"] = "message.read"
    ts: str
    seen: str
    pinned: bool
    """What Slack told: a pin was set. Counts where the message as it is read does not say who reacted."""


class PostSummary(Value):
    """That it is resolved, with the PRODUCTION INCIDENT summary in its exact layout."""

    type: Literal["post.summary"] = "post.summary"
    by: str | None = None
    """Who resolved it; None: it resolved by itself, as everything was there."""
    said: bool = False
    """That it is resolved was said with other news already."""


# --- Sentry, Git, deployer -------------------------------------------------------------------------------------


class Triage(Value):
    type: Literal["triage"] = "triage"


class LookUpIssues(Value):
    """Short ids that people named, and that Sentry did not answer for within the moment that a command has."""

    type: Literal["issues.lookup"] = "issues.lookup"
    short_ids: tuple[str, ...]


class Investigate(Value):
    type: Literal["investigate"] = "investigate"


class StartBisect(Value):
    type: Literal["bisect.start"] = "bisect.start"
    bisect_id: str
    good: str
    bad: str


class FollowBisect(Value):
    type: Literal["bisect.follow"] = "bisect.follow"
    bisect_id: str
    cancel: bool = False


class Revert(Value):
    """Makes the pull request that reverts this one, or finds it."""

    type: Literal["revert"] = "revert"
    pull_request: str


class StartDeploy(Value):
    """Reads what runs; if that is not `running`, nothing is started."""

    type: Literal["deploy.start"] = "deploy.start"
    deploy_id: str
    kind: ActionKind
    running: Release | None
    to: Release
    by: str


class FollowDeploy(Value):
    type: Literal["deploy.follow"] = "deploy.follow"
    deploy_id: str


class MergePullRequest(Value):
    """The ordinary merge of a hotfix's pull request, at the commit that was shipped; never past a check or a rule."""

    type: Literal["merge"] = "merge"
    round: int
    number: int
    commit: str


class LookAtMerge(Value):
    """Whether the hotfix of this round is merged by now."""

    type: Literal["merge.look"] = "merge.look"
    round: int


class LookAgain(Value):
    """One look at Sentry and the endpoint (workflow, phase 5)."""

    type: Literal["look"] = "look"
    round: int
    number: int


class LookBack(Value):
    """After recovery: one look at Sentry whether it burns again; reads only (rules: Guard)."""

    type: Literal["guard.look"] = "guard.look"
    look: GuardLook


class ResolveIssues(Value):
    """Sets Sentry's issues to resolved; twice is once.

    After a hotfix in its release; after a rollback so that `taken_back` and older releases are no regression; else plainly.
    """

    type: Literal["issues.resolve"] = "issues.resolve"
    issues: tuple[str, ...]
    release: str | None = None
    """A version, as the catalogue writes it …"""
    commit: str | None = None
    """… or a hotfix's commit: its release may be called by that."""
    taken_back: str | None = None
    """The version that a rollback took back; empty where nobody could name it."""


# --- coordination ----------------------------------------------------------------------------------------------


class OpenTicket(Value):
    type: Literal["ticket.open"] = "ticket.open"


class AttachToTicket(Value):
    """Keyed by `url`: attaching twice is attaching once."""

    type: Literal["ticket.attach"] = "ticket.attach"
    url: str
    title: str


class CommentTicket(Value):
    type: Literal["ticket.comment"] = "ticket.comment"
    text: str


class AttachChannel(Value):
    """The incident's channel on its ticket; keyed by its address, like every attachment."""

    type: Literal["ticket.channel"] = "ticket.channel"


class CatchUp(Value):
    """What the timeline says since then, in one comment: Linear was out of reach meanwhile."""

    type: Literal["ticket.catch_up"] = "ticket.catch_up"
    since: datetime


class SyncTicket(Value):
    """Asks how the ticket stands, and writes state and priority where they are not the incident's."""

    type: Literal["ticket.sync"] = "ticket.sync"


class LookAtTicket(Value):
    """Asks how the ticket and its sub-issues stand: a webhook may be lost, or not set up."""

    type: Literal["ticket.look"] = "ticket.look"


class OpenItems(Value):
    """A sub-issue for every action item that has none; each has an id of its own making."""

    type: Literal["items.open"] = "items.open"


class SyncItem(Value):
    """Writes in Linear that an item is done, or not done after all."""

    type: Literal["items.sync"] = "items.sync"
    number: int


class RemindOwner(Value):
    """Tells a person of overdue items, in a direct message; `day` makes each week's reminder one."""

    type: Literal["items.remind"] = "items.remind"
    person: str | None
    numbers: tuple[int, ...]
    day: date


class CommentParent(Value):
    """Said under the Linear issue that the incident was escalated from."""

    type: Literal["ticket.parent"] = "ticket.parent"
    text: str


class CloseTicket(Value):
    """Says the resolution on the ticket, and moves it to a state of type `completed`, or `canceled` for a false alarm."""

    type: Literal["ticket.close"] = "ticket.close"
    cancelled: bool = False


class TellDiscord(Value):
    """Posts the status to Discord, or edits what was posted."""

    type: Literal["discord"] = "discord"


class PinDiscord(Value):
    """Pins the post in Discord while the incident is open, and takes the pin off when it is over."""

    type: Literal["discord.pin"] = "discord.pin"


class Page(Value):
    type: Literal["page"] = "page"
    key: str
    text: str


class TellPager(Value):
    """Somebody acts on it, or it is over. `pages` is how often was paged by then: an older word says nothing of a newer page."""

    type: Literal["page.follow"] = "page.follow"
    what: Literal["acknowledge", "resolve"]
    pages: int


# --- post-mortem and memory ------------------------------------------------------------------------------------


class AskZone(Value):
    """Asks Slack what time it is where these people are; reads only."""

    type: Literal["zone"] = "zone"
    people: tuple[str, ...]


class NumberAdr(Value):
    """Looks for the next free ADR number; taken as a claim by the action it ends in."""

    type: Literal["adr.number"] = "adr.number"
    above: int = 0


class WriteAdr(Value):
    type: Literal["adr.write"] = "adr.write"
    number: int


class ReviseAdr(Value):
    """Brings summary and proofs of a file that was written before recovery up to date; the same text is no commit."""

    type: Literal["adr.revise"] = "adr.revise"


class CompleteAdr(Value):
    """The post-mortem's file says that its action items are done."""

    type: Literal["adr.complete"] = "adr.complete"


class Remember(Value):
    """What an older version asked for; now every commit brings its memory with it."""

    type: Literal["remember"] = "remember"


Effect = Annotated[
    OpenChannel
    | ArchiveChannel
    | SetBookmark
    | SetTopic
    | Invite
    | PostLive
    | Pin
    | Say
    | Remind
    | ReadMessage
    | PostSummary
    | Triage
    | LookUpIssues
    | Investigate
    | StartBisect
    | FollowBisect
    | Revert
    | StartDeploy
    | FollowDeploy
    | MergePullRequest
    | LookAtMerge
    | LookAgain
    | LookBack
    | ResolveIssues
    | OpenTicket
    | AttachToTicket
    | CommentTicket
    | CatchUp
    | AttachChannel
    | SyncTicket
    | LookAtTicket
    | OpenItems
    | SyncItem
    | RemindOwner
    | CommentParent
    | CloseTicket
    | TellDiscord
    | PinDiscord
    | Page
    | TellPager
    | AskZone
    | NumberAdr
    | WriteAdr
    | ReviseAdr
    | CompleteAdr
    | Remember,
    Field(discriminator="type"),
]
EFFECT: TypeAdapter[Effect] = TypeAdapter(Effect)
"""Reads and writes an effect as JSON."""
