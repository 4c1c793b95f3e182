"""What handlers need from outside, as small protocols; `bot/` keeps them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from phases.postmortem.gate import Parts
from phases.record.findings import DeploySeen, Release
from phases.record.service import Service


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

    async def keep(
        self, incident: str, by: str, parts: Parts, at: datetime, *, writing: bool
    ) -> None:
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
    """Who has App Home open, over all replicas. Raises `handlers.dispatcher.StoreUnavailable`."""

    async def opened(self, user: str, seconds: float, at_most: int) -> None:
        """They look at it for so long; of more than `at_most` the ones that looked last are kept."""
        ...

    async def looking(self) -> Looking | None:
        """None where nobody looks, or another replica draws for them."""
        ...

    async def drawn(self, user: str, shown: str) -> None:
        """What they see now; empty: they are not to be drawn for any more."""
        ...


class Members(Protocol):
    async def of(self, channel: str) -> Collection[str]:
        """Slack ids of who is in a channel; nobody where Slack cannot say."""
        ...
