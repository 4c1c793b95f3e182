"""The values that an error tracker answers with: issues, users, events, minutes."""

from datetime import datetime

from pydantic import Field

from phases.record.findings import Frame, Part, Share, Value


class IssueRow(Value):
    """An issue of level error or fatal with events in the asked window, whatever its status."""

    id: str
    short_id: str
    title: str
    """Without addresses of people: those are taken out at the edge."""
    url: str | None
    project: str
    level: str
    first_seen: datetime
    events: int
    """In the window."""
    status: str = "unresolved"
    substatus: str | None = None
    handled: bool | None = None
    events_before: int = 0
    """In about the day before the window …"""
    minutes_before: float = 0.0
    """… which was this long. 0: Sentry did not say."""
    hours: tuple[tuple[datetime, int], ...] = ()
    """Its events by the hours of the last day, which may reach into the window."""
    last_seen: datetime | None = None
    culprit: str = ""
    """The place in Sentry's words: its newest event's transaction, else module and function."""
    category: str = "error"
    """Sentry's word: `error`; `uptime`, `cron`, `outage` for monitors; `metric`, `performance` and
    more. Only errors have users and features."""


class IssuePage(Value):
    """A page of issues, most events first."""

    rows: tuple[IssueRow, ...]
    next: str | None = None
    """The beginning of the next page; None: this was the last."""
    since: datetime | None = None
    """The time at which the oldest of these projects was made, where Sentry tells."""
    missing: str = ""
    """The reason why issues of some projects are not here, where they were asked for one by one;
    empty: all are."""
    passing: bool = False
    """Another try may tell them."""


class Minutes(Value):
    """Events of some issues together, by whole minutes of event time.

    Minutes without events may be missing.
    """

    counts: dict[datetime, int] = Field(default_factory=dict[datetime, int])
    incomplete: tuple[datetime, ...] = ()
    """Minutes that may still grow: late events. They are no part of a baseline."""
    known: bool = True
    """False where this Sentry has no time series, or could not tell it now."""
    sampled: bool = False


class UserShare(Value):
    """Events of one end user in the window; `key` is a one-way hash, never the value itself."""

    key: str
    events: int
    addresses: int | None = None
    """Distinct client addresses of this user; None where Sentry does not tell."""


class EventPicture(Value):
    """Rows over the incident's issues in the window, joined over issues."""

    events: int
    users: tuple[UserShare, ...] = ()
    """The users without the catalogue's `not_users`, most events first; may be cut, then
    `user_count` knows more."""
    user_count: int | None = None
    """Distinct users, `not_users` excepted; None where they could not be asked for."""
    events_without_user: int = 0
    events_of_not_users: int = 0
    addresses: int | None = None
    """Distinct client addresses in the window; None where Sentry does not tell."""
    first: datetime | None = None
    """The first event in the window; None where Sentry does not tell."""
    transactions: tuple[Share, ...] = ()
    regions: tuple[Share, ...] = ()
    organisations: tuple[Share, ...] = ()
    browsers: tuple[Share, ...] = ()
    per_issue: bool = False
    """Counted issue by issue from tags, over each issue's life: this Sentry has no Discover."""
    sampled: bool = False
    unknown: tuple[Part, ...] = ()
    """The parts that could not be asked for: their fields hold what is known all the same, which
    may be nothing."""
    why: tuple[str, ...] = ()
    """The reasons, in Sentry's words."""
    passing: bool = False
    """Another try may tell it."""
    not_counted: tuple[Share, ...] = ()
    """Issues that are not counted as errors (a monitor's), by the feature that they are about; ``
    where that is not known."""


class OtherErrors(Value):
    """The places of the service's errors, besides those of some issues."""

    organisations: tuple[Share, ...] = ()
    regions: tuple[Share, ...] = ()
    browsers: tuple[Share, ...] = ()


class EventDetail(Value):
    """The newest event of an issue."""

    exception_type: str | None
    """The type of the cause: the exception that was raised first."""
    handled: bool | None
    frames: tuple[Frame, ...]
    """Crashing frame first: the cause's, then those of what it was wrapped in."""
    release: str | None
    environment: str = ""
    """Empty: none was told, which counts as the first of those that count."""
    exception_value: str = ""
    """The cause's text, without addresses of people."""
    wrapped_in: tuple[str, ...] = ()
    """The types of the exceptions that the cause was raised again as, the last one caught last."""
    kind: str = ""
    """`exception`, `message`, `csp` and the like; empty: nothing of these."""
    in_app_told: bool = True
    """A frame is marked as in-app."""
    flags: dict[str, bool] = Field(default_factory=dict[str, bool])
    """The flags that were evaluated before it, on or off."""
    from_laptop: bool = False
    """It was sent by a developer's machine."""
