"""What the listeners work with, handed in once when they are registered."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime

from slack_sdk.web.async_client import AsyncWebClient

from handlers.dispatcher import Dispatcher
from handlers.ids import new_ulid
from handlers.ports import Deployments, Deploys, Drafts, Issues, Members, Once, Viewers, Whereabouts
from handlers.slack.background import Tasks
from handlers.slack.rich_blocks import NEVER, Taste
from phases.ports.coordination import Memory
from phases.ports.ports import Catalogue, Deployer, People, PullRequests, SourceCode
from phases.record.incident import Incident
from phases.record.service import Service


@dataclass(frozen=True, slots=True)
class Context:
    dispatcher: Dispatcher
    catalogue: Catalogue
    people: People
    client: AsyncWebClient
    source_for: Callable[[Service], SourceCode | None]
    deployer_for: Callable[[Service], Deployer | None]
    once: Once
    deploys: Deploys
    drafts: Drafts
    viewers: Viewers
    memory: Memory
    tasks: Tasks
    now: Callable[[], datetime]
    watched: Collection[str] = ()
    """Channel ids or names where the phrases are listened for; none: public channels."""
    me: str = ""
    """Our own Slack id."""
    members: Members | None = None
    """Who is in a private incident's channel; without it only who declared it sees it."""
    pulls_for: Callable[[Service], PullRequests | None] = lambda _: None
    """Who knows the pull requests of a service's repository, whatever reads its source."""
    site: str = ""
    """The workspace's address, for links to messages."""
    sentry: Issues | None = None
    """Looks up the issues that people name."""
    whereabouts: Whereabouts | None = None
    """Knows in which environment an issue burns: Sentry's issue webhook does not say."""
    taste: Taste = NEVER
    """Whether charts and tables are taken here."""
    ulid: Callable[[], str] = new_ulid
    deployments: Deployments | None = None
    """Knows whether a deployment's ref is a tag: its webhook does not say."""

    def service(self, incident: Incident) -> Service:
        """The catalogue's service; one that was removed since lives on under its name, with every default."""
        return self.catalogue.get(incident.service) or Service(name=incident.service)
