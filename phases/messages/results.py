"""What the end of an effect says to its incident: how it went, and what came out. What else can be said: `actions.py`."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from phases.record.documents import Adr, LinearIssue, SubIssue, Ticket
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
    Value,
)
from phases.record.incident import Channel, GuardLook, MessageRef
from phases.record.memories import PastIncident, Recollection


class ArchiveDue(Value):
    """A week after the end: the channel is archived."""

    type: Literal["archive.due"] = "archive.due"


class PutOffArchive(Value):
    """Somebody wrote in the channel within the last day."""

    type: Literal["archive.put.off"] = "archive.put.off"


class ChannelArchived(Value):
    """By the bot, or by a person."""

    type: Literal["channel.archived"] = "channel.archived"
    channel: str
    by: str | None = None


class BookmarkSet(Value):
    type: Literal["bookmark.set"] = "bookmark.set"
    name: str
    id: str
    """Slack's."""


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
    recollection: Recollection | None = None


class IssuesLookedUp(Value):
    """Of the short ids that people named: the issues' ids, and what Sentry does not know."""

    type: Literal["issues.looked.up"] = "issues.looked.up"
    found: tuple[str, ...] = ()
    said: str = ""
    """The short ids of `found`, for people."""
    lost: tuple[str, ...] = ()


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
    output: DeployOutput | None = None


class MergeSeen(Value):
    """How the hotfix's branch or pull request stands; None: nobody can tell here."""

    type: Literal["merge.seen"] = "merge.seen"
    round: int
    state: MergeState | None


class MergeRefused(Value):
    type: Literal["merge.refused"] = "merge.refused"
    round: int
    reason: str


class DeployFinished(Value):
    type: Literal["deploy.finished"] = "deploy.finished"
    deploy_id: str
    result: Literal["done", "failed", "unknown"]
    proof: DeployProof
    reason: str = ""
    lines: tuple[str, ...] = ()
    output: DeployOutput | None = None
    merge: MergeState | None = None
    """Of a hotfix: somebody may have merged it while it was deployed."""


class Looked(Value):
    type: Literal["looked"] = "looked"
    round: int
    look: Look
    picture: Picture | None = None
    """Of a recovery, where Sentry has minutes."""


class GuardLooked(Value):
    """What a look after recovery saw: `back` is said only where it is sure, and leads on only then."""

    type: Literal["guard.looked"] = "guard.looked"
    look: GuardLook
    at: datetime
    found: Literal["back", "fires", "quiet", "cannot tell", "not asked", "not set up"]
    """`fires`: something else does, of which an alarm told. `not asked`: Sentry could not be."""
    text: str = ""
    """What fires; or why Sentry could not be asked."""
    url: str | None = None
    stragglers: int = 0
    """So many of the events are of releases that no longer run …"""
    gone: tuple[str, ...] = ()
    """… which are these."""
    events: int = 0
    minutes: float = 0.0
    """Counted over the minutes until `at`."""
    allowed: int = 0
    """Up to so many events are normal."""


class IssuesResolved(Value):
    """Sentry's issues after recovery: how many are resolved, or why we may not."""

    type: Literal["issues.resolved"] = "issues.resolved"
    resolved: int
    release: str | None
    next: bool = False
    """In the next release that Sentry will hear of."""
    refused: str = ""
    links: tuple[str, ...] = ()


class TicketOpened(Value):
    type: Literal["ticket.opened"] = "ticket.opened"
    ticket: Ticket
    parent: Ticket | None = None
    """What the incident was escalated from, where it was found."""


class TicketLooked(Value):
    """How ticket and sub-issues stand in Linear."""

    type: Literal["ticket.looked"] = "ticket.looked"
    issues: tuple[LinearIssue, ...]


class TicketSynced(Value):
    """The ticket as it stands after we wrote these of its fields; none: nothing had to be written."""

    type: Literal["ticket.synced"] = "ticket.synced"
    issue: LinearIssue
    wrote: tuple[Literal["state", "priority"], ...] = ()
    kind: str = "ticket.sync"


class ItemsOpened(Value):
    """The sub-issues of these items, by number."""

    type: Literal["items.opened"] = "items.opened"
    issues: dict[int, SubIssue]


class ItemSynced(Value):
    type: Literal["items.synced"] = "items.synced"
    number: int
    issue: LinearIssue


class DiscordPosted(Value):
    type: Literal["discord.posted"] = "discord.posted"
    id: str
    channel: str | None = None


class MessageRead(Value):
    """A message that was pinned, as it stands now."""

    type: Literal["message.read"] = "message.read"
    ts: str
    seen: str
    """Of the event for which it was read."""
    at: datetime
    text: str = ""
    """Empty: nobody pins it any more, or it is gone."""
    by: str | None = None
    """Who wrote it; None for a bot."""
    url: str | None = None


class Paged(Value):
    type: Literal["paged"] = "paged"
    key: str
    via: str
    """`PagerDuty`, or `mention` where no pager is set up."""


class Zones(Value):
    """Seconds that people's clocks are ahead of UTC, by Slack id."""

    type: Literal["zones"] = "zones"
    offsets: dict[str, int]


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
    about: str = ""
    """Which of its kind it was, where there may be several: words of the effect."""


class EffectFailed(Value):
    type: Literal["effect.failed"] = "effect.failed"
    effect_id: str
    kind: str
    reason: str
    effect: str
    """The effect as JSON."""
    at: datetime
    wanted_at: datetime | None = None
    """When the effect was committed."""
