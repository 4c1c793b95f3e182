"""What the reader must know of a source's answers: a clone that could not be brought up to date, or holds only a part of its history."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from phases.ports.ports import SourceCode
from phases.record.service import Service


@runtime_checkable
class Remarking(Protocol):
    """A source that may answer with less than there is, and says so."""

    def remarks(self, service: Service) -> Sequence[str]:
        """Sentences about the newest answers; none where nothing is missing from them."""
        ...


def remarks_of(source: SourceCode | None, service: Service) -> Sequence[str]:
    return source.remarks(service) if isinstance(source, Remarking) else ()
