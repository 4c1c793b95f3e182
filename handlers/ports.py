"""The ports of handlers, as small protocols; `bot/` implements them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from phases.postmortem.form_parts import Parts
from phases.record.findings import ChangeSeen, DeploySeen, Release
from phases.record.service import Service
from phases.record.value import Value


class Once(Protocol):
    async def first(self, key: str, seconds: int) -> bool:
        """Return True for the first call with `key` within `seconds`, over all replicas.

        Raises `PortError`.
        """
        ...

    async def set(self, key: str, seconds: int, value: str) -> None:
        """Keep the key for `seconds` from now on. Raises `PortError`."""
        ...

    async def get(self, key: str) -> str | None:
        """Return its value; None where it is not kept. Raises `PortError`."""
        ...


class Deploys(Protocol):
    async def record(self, deploy: DeploySeen, environment: str) -> None:
        """Record a finished deploy and begin its watch; twice is once. Raises `PortError`."""
        ...


class Changes(Protocol):
    async def record(self, change: ChangeSeen) -> None:
        """Remember a change of a flag or a setting; twice is once. Raises `PortError`."""
        ...


class Kept(Value):
    """A person's form: its draft, or only that they have it open."""

    by: str
    at: datetime
    parts: Parts | None = None
    opened_at: datetime | None = None


class Deployments(Protocol):
    async def release(self, service: Service, ref: str, sha: str, told: str) -> Release | None:
        """Return the release of a deployment (`Service.deployed`), as far as 2 s allow.

        None: the deployment belongs to another service.
        """
        ...


class Drafts(Protocol):
    """Drafts of post-mortems, one for each person and incident. Raises `PortError`."""

    async def of(self, incident: str) -> Sequence[Kept]: ...

    async def keep(
        self, incident: str, by: str, parts: Parts, at: datetime, *, writing: bool
    ) -> None:
        """Replace this person's earlier draft. `writing`: they have the form open still."""
        ...

    async def opened(self, incident: str, by: str, at: datetime | None) -> None:
        """Record that they have the form open since `at`; None: they closed it. Drafts stay."""
        ...


@dataclass(frozen=True, slots=True)
class OpenHomes:
    """The people whose App Home is open, and what each of them sees.

    `mark` grows with every change.
    """

    mark: str
    shown: Mapping[str, str]


class Viewers(Protocol):
    """The people who have App Home open, over all replicas. Raises `StoreUnavailable`."""

    async def opened(self, user: str, seconds: float, at_most: int) -> None:
        """Record that they look at it for `seconds`; the latest `at_most` people are kept."""
        ...

    async def to_draw(self) -> OpenHomes | None:
        """Return the people to draw for; None where another replica does, or nobody looks."""
        ...

    async def drawn(self, user: str, shown: str) -> None:
        """Record what they see now; empty: nothing is drawn for them any more."""
        ...


class Members(Protocol):
    async def in_channel(self, channel: str) -> Collection[str]:
        """Return the Slack ids of a channel's members; none where Slack cannot say."""
        ...
