"""Effects that people see: messages and channels in Slack, the post in Discord, pages."""

from datetime import datetime
from typing import Literal

from phases.messages.base import RETRY_SECONDS, Effect

# --- Slack -----------------------------------------------------------------------------------


class OpenChannel(Effect):
    """Opens the incident's channel; a thread takes its place where Slack refuses one."""

    type: Literal["open.channel"] = "open.channel"
    words = "The incident channel could not be opened"
    needed = True
    retry_seconds = RETRY_SECONDS


class SetPurpose(Effect):
    """Sets the channel's purpose, by which it is told from another store's of the same name."""

    type: Literal["set.purpose"] = "set.purpose"
    words = "The channel's description could not be set"
    small = True
    one_of_a_kind = True


class SetTopic(Effect):
    """Sets the channel's topic."""

    type: Literal["set.topic"] = "set.topic"
    words = "The topic could not be set"
    small = True
    one_of_a_kind = True


class Invite(Effect):
    """Invites people into the channel."""

    type: Literal["invite"] = "invite"
    words = "People could not be invited"
    small = True
    people: tuple[str, ...]
    """Slack user ids. The performer resolves owners as the catalogue writes them."""
    members_of: str | None = None
    """The channel of a duplicate, whose members are invited, too."""
    owners: bool = True
    """Invite the service's owners, too."""


class ArchiveChannel(Effect):
    """Archives the channel, unless somebody wrote in it within the last day."""

    type: Literal["archive"] = "archive"
    words = "The channel could not be archived"
    after_end = True


class SetBookmark(Effect):
    """Sets one of the channel's bookmarks, by its name in `Incident.bookmarks`."""

    type: Literal["bookmark"] = "bookmark"
    words = "A bookmark could not be added"
    small = True
    name: str


class PostLive(Effect):
    """Posts a live message for the first time; a dirty mark edits it later.

    Names are `status`, `decision:1`, `tree`, `announcement` and the like.
    """

    type: Literal["post.live"] = "post.live"
    words = "A message could not be posted"
    needed = True
    retry_seconds = RETRY_SECONDS
    name: str


class Pin(Effect):
    """Pins the status in the channel."""

    type: Literal["pin"] = "pin"
    words = "The status could not be pinned"
    small = True
    one_of_a_kind = True


class Say(Effect):
    """Posts a sentence in the incident's channel, or in the thread of the newest decision."""

    type: Literal["say"] = "say"
    words = "A message could not be posted"
    after_end = True
    text: str
    thread: bool = False
    mention: tuple[str, ...] = ()
    """People (Slack ids) who are mentioned in front of the text."""
    try_again: str | None = None
    """The id of the effect that a *Try again* button under it tries again."""
    goes_to: Literal["incident", "announcement"] = "incident"
    ask: Literal[
        "recovered", "not over", "foreign deploy", "fixed", "update", "postmortem", "after", ""
    ] = ""
    """A question whose buttons stand under it."""
    picture: bool = False
    """Show the chart of events a minute under it."""
    due: datetime | None = None
    """The time of the next update, shown under it."""


class Remind(Effect):
    """Tells the lead alone that an update is due; the channel, where Slack refuses that."""

    type: Literal["remind"] = "remind"
    words = "The lead could not be reminded of the update"
    small = True
    who: str
    text: str


class ReadMessage(Effect):
    """Reads a message of the channel, and the people who pin it to the timeline."""

    type: Literal["message.read"] = "message.read"
    words = "A pinned message could not be read"
    small = True
    after_end = True
    ts: str
    seen: str
    pinned: bool
    """Slack's event set a pin. It counts where the message does not list its reactions."""


class PostSummary(Effect):
    """Posts that it is resolved, with the PRODUCTION INCIDENT summary in its exact layout."""

    type: Literal["post.summary"] = "post.summary"
    words = "The summary could not be posted"
    after_end = True
    one_of_a_kind = True
    by: str | None = None
    """The person who resolved it; None: it resolved by itself, as nothing was missing."""
    said: bool = False
    """Another message has said already that it is resolved."""


# --- Discord and PagerDuty -------------------------------------------------------------------


class TellDiscord(Effect):
    """Posts the status to Discord, or edits what was posted."""

    type: Literal["discord"] = "discord"
    words = "Discord could not be updated"
    system = "discord"
    small = True
    after_end = True
    one_of_a_kind = True


class PinDiscord(Effect):
    """Pins the post in Discord while the incident is open; takes the pin off afterwards."""

    type: Literal["discord.pin"] = "discord.pin"
    words = "The post in Discord could not be pinned"
    system = "discord"
    small = True
    after_end = True
    one_of_a_kind = True


class Page(Effect):
    """Pages by PagerDuty, or mentions the owners where that is off or fails."""

    type: Literal["page"] = "page"
    words = "Nobody could be paged"
    system = "pagerduty"
    after_end = True
    key: str
    text: str


class TellPager(Effect):
    """Acknowledges or resolves the page.

    `pages` is the number of pages by then: this says nothing of a newer page.
    """

    type: Literal["page.follow"] = "page.follow"
    words = "PagerDuty could not be updated"
    system = "pagerduty"
    after_end = True
    what: Literal["acknowledge", "resolve"]
    pages: int
