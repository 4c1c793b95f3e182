"""The context of the listeners, handed in once when they are registered."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient
from ulid import ULID

from handlers.dispatcher import Dispatcher
from handlers.ports import Changes, Deployments, Deploys, Drafts, Members, Once, Viewers
from handlers.slack.background import Tasks
from handlers.slack.rich_blocks import NEVER, RichBlocksSupport
from phases.ports.coordination import Memory
from phases.ports.ports import Catalogue, Deployer, ErrorTracker, People, PullRequests, SourceCode
from phases.record.incident import Incident
from phases.record.service import Service


@dataclass(frozen=True, slots=True)
class Identity:
    """The bot and its workspace, as Slack names them (auth.test)."""

    team: str
    enterprise: str | None
    user: str
    """The bot's own user id."""
    bot: str
    url: str
    """The address of the workspace, for links to messages."""

    def link(self, channel: str, message: Mapping[str, Any]) -> str:
        """Return the permalink of a message as Slack makes it.

        https://docs.slack.dev/reference/methods/chat.getPermalink
        """
        ts, thread = str(message.get("ts") or ""), str(message.get("thread_ts") or "")
        if not channel or not ts:
            return ""
        reply = f"?thread_ts={thread}&cid={channel}" if thread not in ("", ts) else ""
        return f"{self.url.rstrip('/')}/archives/{channel}/p{ts.replace('.', '')}{reply}"


async def no_channel() -> None:
    """Announce nowhere: INCIDENTS_CHANNEL is not set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    dispatcher: Dispatcher
    catalogue: Catalogue
    people: People
    client: AsyncWebClient
    me: Identity
    source_for: Callable[[Service], SourceCode | None]
    deployer_for: Callable[[Service], Deployer | None]
    pulls_for: Callable[[Service], PullRequests | None] = lambda _: None
    """Returns what knows the pull requests of a service's repository."""
    tracker: ErrorTracker | None = None
    """Sentry; None where it is not set up."""
    deployments: Deployments | None = None
    """Knows if a deployment's ref is a tag: its webhook does not say."""
    once: Once
    deploys: Deploys
    changes: Changes
    drafts: Drafts
    viewers: Viewers
    memory: Memory
    members: Members | None = None
    """Knows the members of a private incident's channel; without it only its declarer sees it."""
    incidents_channel: Callable[[], Awaitable[str | None]] = no_channel
    """Returns where incidents are announced; None where it is not set. Raises `PortError`."""
    watched: Collection[str] = ()
    """Channel ids or names where the phrases are listened for; none: public channels."""
    rich_support: RichBlocksSupport = NEVER
    """Knows if charts and tables are accepted in this workspace."""
    tasks: Tasks = field(default_factory=Tasks)
    now: Callable[[], datetime]
    ulid: Callable[[], str] = lambda: str(ULID())

    def service(self, incident: Incident) -> Service:
        """Return the catalogue's service; a removed one goes on with its name and defaults."""
        return self.catalogue.get(incident.service) or Service(name=incident.service)
