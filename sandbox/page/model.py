"""Values that the page shows. Messages, views and blocks stay Slack's own JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Protocol

from sandbox.wire import Json


@dataclass(frozen=True, slots=True)
class PersonCard:
    """A person whom a tab can be."""

    id: str
    name: str
    title: str
    guest: bool = False

    @property
    def initial(self) -> str:
        return self.name[:1].upper()


@dataclass(frozen=True, slots=True)
class ChannelRow:
    """One line of the channel list."""

    id: str
    name: str
    kind: Literal["channel", "incident", "app"] = "channel"
    private: bool = False
    archived: bool = False
    unread: int = 0
    mentioned: bool = False


@dataclass(frozen=True, slots=True)
class ChannelPage:
    """The channel that a tab shows."""

    row: ChannelRow
    topic: str = ""
    purpose: str = ""
    members: int = 0
    pins: list[Json] = field(default_factory=list)
    bookmarks: list[Json] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Shortcut:
    """A shortcut of the app: `message` in a message's menu, `global` beside the composer."""

    kind: Literal["message", "global"]
    callback_id: str
    name: str


@dataclass(frozen=True, slots=True)
class Command:
    """A slash command that the composer suggests."""

    name: str
    hint: str
    about: str


Tone = Literal["", "good", "bad", "warn", "quiet"]


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a list in the world panel. `tone` colours it; `at` is in seconds since 1970."""

    title: str
    detail: str = ""
    badge: str = ""
    tone: Tone = ""
    at: float | None = None
    href: str = ""
    body: str = ""
    fields: list[tuple[str, str]] = field(default_factory=list)
    acts: list[tuple[str, str]] = field(default_factory=list)
    """Buttons: lever and label."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """A Linear issue, with its sub-issues."""

    identifier: str
    title: str
    state: str
    state_type: str
    description: str = ""
    priority: str = ""
    owner: str = ""
    due: str = ""
    moves: list[tuple[str, str]] = field(default_factory=list)
    """Other states, as buttons: label and lever."""
    levels: list[tuple[str, str]] = field(default_factory=list)
    """Other priorities, as buttons: label and lever."""
    items: list[Ticket] = field(default_factory=list)
    comments: list[Row] = field(default_factory=list)
    attachments: list[Row] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Document:
    """A post-mortem file in the shop's repository."""

    name: str
    source: str


@dataclass(frozen=True, slots=True)
class Lever:
    """A button or switch that moves the world."""

    key: str
    label: str
    about: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """The world, now."""

    release: str = ""
    released_at: float | None = None
    health: Literal["healthy", "failing", "deploying", "off"] = "healthy"
    bot: Literal["running", "restarting", "stopped", "off"] = "off"
    bot_note: str = ""
    breaks: list[Lever] = field(default_factory=list)
    traps: list[Lever] = field(default_factory=list)
    senders: list[Lever] = field(default_factory=list)
    """Other monitoring systems, whose alarm of the shop can be rung."""
    ringing: frozenset[str] = frozenset()
    """Keys of those whose alarm fires."""
    broken: frozenset[str] = frozenset()
    """Keys of `breaks` that production suffers from."""
    fixes: list[str] = field(default_factory=list)
    """Pull requests and branches that mend what is broken now."""
    next_deploy_fails: bool = False
    people_away: bool = False
    faults: frozenset[str] = frozenset()
    """Keys of the switches that are on."""
    switches: list[Lever] = field(default_factory=list)
    """Systems in trouble."""
    odd: list[Lever] = field(default_factory=list)
    """More such switches, folded away."""
    odd_acts: list[tuple[str, str]] = field(default_factory=list)
    """Buttons beside them: lever and label."""
    issues: list[Row] = field(default_factory=list)
    deploys: list[Row] = field(default_factory=list)
    pulls: list[Row] = field(default_factory=list)
    deployments: list[Row] = field(default_factory=list)
    tickets: list[Ticket] = field(default_factory=list)
    discord: list[Row] = field(default_factory=list)
    pages: list[Row] = field(default_factory=list)
    documents: list[Document] = field(default_factory=list)
    steps_done: frozenset[int] = frozenset()
    shortened: str = ""


class PanelSource(Protocol):
    """The world around the workspace."""

    def panel(self) -> Panel: ...
    def rate(self) -> list[tuple[float, float]]: ...
    def marks(self) -> list[tuple[float, str]]: ...
    def log(self) -> str: ...
    async def act(self, verb: str, on: bool) -> str | None: ...
