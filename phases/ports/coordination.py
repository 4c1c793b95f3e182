"""The protocols of archive and memory."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from phases.record.documents import Adr
from phases.record.incident import Incident
from phases.record.memories import Counted, PastIncident, Question, Recalled
from phases.record.service import Service


class Archive(Protocol):
    """The place in which post-mortems are written."""

    async def highest(self, service: Service) -> int:
        """The highest ADR number in use there; 0 where there is none."""
        ...

    async def template(self, service: Service) -> str:
        """The folder's own template for such files; empty where there is none."""
        ...

    async def write(self, service: Service, incident: Incident, number: int, text: str) -> Adr:
        """Writes once: the file name carries the incident's id."""
        ...

    def repository(self, service: Service) -> str:
        """A stable name of the place, for the claim on the number."""
        ...

    async def revise(
        self, service: Service, incident: Incident, revised: Callable[[str], str], why: str
    ) -> str | None:
        """Change the written file once, and return its pull request, if any.

        `revised` changes nothing in a text that it has changed.
        """
        ...


class Memory(Protocol):
    async def recall(self, asked: Question) -> Recalled:
        """Return what was there before. Raises `PortError`."""
        ...

    async def newest(self, service: str | None, many: int) -> Sequence[PastIncident]:
        """The newest of a service, or of all; newest first. Raises `PortError`."""
        ...

    async def since(self, at: datetime) -> Sequence[Counted]:
        """Return the figures for trends of all that was detected since then.

        Raises `PortError`.
        """
        ...
