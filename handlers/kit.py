"""What the listeners work with, handed in once when they are registered."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from slack_sdk.web.async_client import AsyncWebClient

from handlers.adoption import Issues
from handlers.door import Door
from handlers.rich import NEVER, Taste
from handlers.seeing import Members
from handlers.tasks import Tasks
from phases.incident import Incident
from phases.ports import Catalogue, Deployer, Memory, People, PullRequests, SourceCode
from phases.postmortem import Parts
from phases.report import DeploySeen, Release
from phases.service import Service


class Once(Protocol):
    async def first(self, key: str, seconds: int) -> bool:
        """True for the first who asks for `key` within `seconds`, over all replicas. Raises `PortError`."""
        ...


class Deploys(Protocol):
    async def told(self, deploy: DeploySeen, environment: str) -> None:
        """Remembers a finished deploy and begins its watch; twice is once. Raises `PortError`."""
        ...


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of a person's form: a draft, or only that they have it open."""

    by: str
    at: datetime
    parts: Parts | None = None
    opened_at: datetime | None = None


class Deployments(Protocol):
    async def release(self, service: Service, ref: str, sha: str, told: str) -> Release | None:
        """What a deployment is called (`Service.deployed`), as well as can be told in 2 s; None: it is another service's."""
        ...


class Drafts(Protocol):
    """Drafts of post-mortems, one a person and incident: nobody's draft overwrites another's. Raises `PortError`."""

    async def of(self, incident: str) -> Sequence[Kept]: ...

    async def keep(self, incident: str, by: str, parts: Parts, at: datetime, *, writing: bool) -> None:
        """In place of this person's earlier draft; `writing`: they have the form open still."""
        ...

    async def opened(self, incident: str, by: str, at: datetime | None) -> None:
        """They have the form open since `at`; None: they closed it. A draft that is kept stays."""
        ...


@dataclass(frozen=True, slots=True)
class Looking:
    """Whose App Home is to be kept current, with what each of them sees; `mark` grows with every change."""

    mark: str
    shown: Mapping[str, str]


class Viewers(Protocol):
    """Who has App Home open, over all replicas. Raises `handlers.door.OutOfReach`."""

    async def opened(self, user: str, seconds: float, at_most: int) -> None:
        """They look at it for so long; of more than `at_most` the ones that looked last are kept."""
        ...

    async def looking(self) -> Looking | None:
        """None where nobody looks, or another replica draws for them."""
        ...

    async def drawn(self, user: str, shown: str) -> None:
        """What they see now; empty: they are not to be drawn for any more."""
        ...


_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def new_ulid() -> str:
    """https://github.com/ulid/spec: 48 bits of milliseconds, 80 bits of chance, in Crockford's base 32."""
    number = (int(datetime.now(UTC).timestamp() * 1000) << 80) | secrets.randbits(80)
    return "".join(_CROCKFORD[(number >> shift) & 31] for shift in range(125, -1, -5))


class Whereabouts(Protocol):
    async def elsewhere(self, service: Service, issue: str) -> str | None:
        """The environment that an issue burns in, where it does in none that counts; None: it does, or nobody can tell.

        Raises `PortError`.
        """
        ...

    async def count(self, services: Sequence[Service], issues: Sequence[str], since: datetime, until: datetime) -> int:
        """Events of these issues in the counted environments. Raises `PortError`."""
        ...


@dataclass(frozen=True, slots=True)
class Kit:
    door: Door
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
