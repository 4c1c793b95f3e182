"""Results: actions that report how an effect ended, and what came out of it."""

from datetime import datetime
from typing import Literal

from phases.messages.base import Action
from phases.record.documents import Adr, Contradiction, LinearIssue, SubIssue, Ticket
from phases.record.findings import (
    Bisect,
    DeployOutput,
    DeployProof,
    Investigation,
    Look,
    MergeState,
    Picture,
    Release,
    TriageReport,
)
from phases.record.incident import Channel, GuardLook, MessageRef
from phases.record.memories import Recollection
from phases.record.traffic_seen import BeforeAction


class PutOffArchive(Action):
    """Somebody wrote in the channel within the last day."""

    type: Literal["archive.put.off"] = "archive.put.off"


class ChannelArchived(Action):
    """The channel is archived, by the bot or by a person, or deleted by a person."""

    type: Literal["channel.archived"] = "channel.archived"
    channel: str
    by: str | None = None
    deleted: bool = False


class BookmarkSet(Action):
    """A bookmark stands in the channel."""

    type: Literal["bookmark.set"] = "bookmark.set"
    name: str
    id: str
    """Slack's id of it."""


class ChannelOpened(Action):
    """The incident has a channel, or a thread in place of one."""

    type: Literal["channel.opened"] = "channel.opened"
    channel: Channel
    reason: str = ""
    """The reason for a thread; empty for a channel."""


class MessagePosted(Action):
    """A live message exists; `name` as in `Incident.messages`."""

    type: Literal["message.posted"] = "message.posted"
    name: str
    ref: MessageRef


class Invited(Action):
    """People were invited into the channel."""

    type: Literal["invited"] = "invited"
    people: tuple[str, ...]
    failed: tuple[str, ...] = ()
    """`<@U…>: reason` for each person who could not be invited."""


class PeopleLeft(Action):
    """The Slack accounts of these people are deactivated."""

    type: Literal["people.left"] = "people.left"
    people: tuple[str, ...]


class Triaged(Action):
    """The blast radius is measured."""

    type: Literal["triaged"] = "triaged"
    report: TriageReport
    recollection: Recollection | None = None


class IssuesLookedUp(Action):
    """The issues whose short ids people named were looked up."""

    type: Literal["issues.looked.up"] = "issues.looked.up"
    issues: tuple[str, ...] = ()
    short_ids: str = ""
    """The short ids of `issues`, for people."""
    lost: tuple[str, ...] = ()
    """Short ids that Sentry does not know."""


class Investigated(Action):
    """The root cause was looked for."""

    type: Literal["investigated"] = "investigated"
    investigation: Investigation


class BisectMoved(Action):
    """A bisect was started, moved on or ended."""

    type: Literal["bisect.moved"] = "bisect.moved"
    bisect: Bisect


class RevertPrepared(Action):
    """The pull request that reverts another one is there."""

    type: Literal["revert.prepared"] = "revert.prepared"
    pull_request: str
    url: str


class DeployStarted(Action):
    """The deploy is under way."""

    type: Literal["deploy.started"] = "deploy.started"
    deploy_id: str
    running: Release | None = None
    """The release that ran before; None where an earlier try started the deploy."""


class DeployNotStarted(Action):
    """Nothing was started: something else runs by now, or the deployer refused."""

    type: Literal["deploy.not.started"] = "deploy.not.started"
    deploy_id: str
    running: str | None = None
    reason: str


class DeployProgressed(Action):
    """The deploy goes on."""

    type: Literal["deploy.progressed"] = "deploy.progressed"
    deploy_id: str
    lines: tuple[str, ...] = ()
    output: DeployOutput | None = None


class MergeSeen(Action):
    """The state of the hotfix's branch or pull request; None: nobody can tell here."""

    type: Literal["merge.seen"] = "merge.seen"
    round: int
    state: MergeState | None


class MergeRefused(Action):
    """The pull request could not be merged."""

    type: Literal["merge.refused"] = "merge.refused"
    round: int
    reason: str


class DeployFinished(Action):
    """The deploy has ended."""

    type: Literal["deploy.finished"] = "deploy.finished"
    deploy_id: str
    result: Literal["done", "failed", "unknown"]
    proof: DeployProof
    reason: str = ""
    lines: tuple[str, ...] = ()
    output: DeployOutput | None = None
    merge: MergeState | None = None
    """The state of a hotfix's pull request: it may have been merged during the deploy."""


class Looked(Action):
    """A re-check was made."""

    type: Literal["looked"] = "looked"
    round: int
    look: Look
    picture: Picture | None = None
    """The chart of a recovery, where Sentry has counts by the minute."""
    before: BeforeAction | None = None
    """What was measured of the time before the action, where it was measured now."""


class GuardLooked(Action):
    """A look after recovery was made. `back` is sure, and only it changes anything."""

    type: Literal["guard.looked"] = "guard.looked"
    look: GuardLook
    at: datetime
    outcome: Literal["back", "fires", "quiet", "cannot tell", "not asked", "not set up"]
    """`fires`: another issue does, as an alarm said. `not asked`: Sentry was away."""
    text: str = ""
    """The issue that fires, or the reason why Sentry could not be queried."""
    stragglers: int = 0
    """The number of events of releases that no longer run."""
    gone: tuple[str, ...] = ()
    """The releases of `stragglers`."""
    events: int = 0
    minutes: float = 0.0
    """The minutes before `at` over which `events` were counted."""
    allowed: int = 0
    """The number of events up to which it is normal."""


class IssuesResolved(Action):
    """Sentry's issues were resolved after recovery, or `refused` says why not."""

    type: Literal["issues.resolved"] = "issues.resolved"
    resolved: int
    release: str | None
    next: bool = False
    """They are resolved in the next release that Sentry will hear of."""
    refused: str = ""
    links: tuple[str, ...] = ()


class TicketOpened(Action):
    """The ticket is there."""

    type: Literal["ticket.opened"] = "ticket.opened"
    ticket: Ticket
    parent: Ticket | None = None
    """The issue that the incident was escalated from, where it was found."""


class TicketLooked(Action):
    """Ticket and sub-issues were looked at in Linear."""

    type: Literal["ticket.looked"] = "ticket.looked"
    issues: tuple[LinearIssue, ...]


class TicketSynced(Action):
    """The ticket has the incident's state and priority; `wrote` names the fields we changed."""

    type: Literal["ticket.synced"] = "ticket.synced"
    issue: LinearIssue
    wrote: tuple[Literal["state", "priority"], ...] = ()
    kind: str = "ticket.sync"


class ItemsOpened(Action):
    """These items, by number, have sub-issues."""

    type: Literal["items.opened"] = "items.opened"
    issues: dict[int, SubIssue]


class ItemSynced(Action):
    """An item's sub-issue has the item's state."""

    type: Literal["items.synced"] = "items.synced"
    number: int
    issue: LinearIssue


class DiscordPosted(Action):
    """The post in Discord is there."""

    type: Literal["discord.posted"] = "discord.posted"
    id: str
    channel: str | None = None


class MessageRead(Action):
    """A pinned message was read, as it stands now."""

    type: Literal["message.read"] = "message.read"
    ts: str
    event_ts: str
    """The `event_ts` for which it was read."""
    at: datetime
    text: str = ""
    """Empty: nobody pins the message any more, or it is gone."""
    by: str | None = None
    """The author; None for a bot."""
    url: str | None = None


class Paged(Action):
    """Somebody was paged."""

    type: Literal["paged"] = "paged"
    key: str
    via: str
    """`PagerDuty`, or `mention` where no pager is set up."""


class Zones(Action):
    """Time zones of people are known: seconds ahead of UTC by Slack id."""

    type: Literal["zones"] = "zones"
    offsets: dict[str, int]
    left: tuple[str, ...] = ()
    """Those whose account is deactivated."""


class AdrNumbered(Action):
    """A free number for the post-mortem was found."""

    type: Literal["adr.numbered"] = "adr.numbered"
    repository: str
    number: int


class AdrWritten(Action):
    """The post-mortem's file is written."""

    type: Literal["adr.written"] = "adr.written"
    adr: Adr
    contradictions: tuple[Contradiction, ...] = ()
    """What contradicts itself in it, as the file says."""


class AdrMended(Action):
    """The file has the mended post-mortem, or says what is kept."""

    type: Literal["adr.mended"] = "adr.mended"
    contradictions: tuple[Contradiction, ...] | None = None
    """None: only who keeps what was written."""


class EffectDone(Action):
    """An effect succeeded, and nothing came out of it."""

    type: Literal["effect.done"] = "effect.done"
    kind: str
    about: str = ""
    """The value of a field that tells the effect from others of its kind; empty: there is one."""


class EffectFailed(Action):
    """An effect was given up."""

    type: Literal["effect.failed"] = "effect.failed"
    effect_id: str
    kind: str
    reason: str
    effect: str
    """The effect as JSON."""
    at: datetime
    wanted_at: datetime | None = None
    """The time at which the effect was committed."""
