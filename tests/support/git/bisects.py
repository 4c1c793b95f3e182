"""A repository with a broken commit, and the bisect over it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from bot.clients.git.bisect import LocalBisector
from phases.record.findings import Bisect
from phases.record.service import ReleaseNames, Service
from tests.support.git.repositories import Repository

SCRIPT = "#!/bin/sh\n! grep -q broken shop.txt\n"


def shop(
    path: Path, *, commits: int = 12, broken_at: int = 8, script: str = SCRIPT
) -> tuple[Repository, list[str]]:
    """A shop of `commits` commits that is broken from `broken_at` on.

    The first is tagged v1, the last v2.
    """
    repository = Repository(path)
    shas = repository.history(
        *(
            (
                f"Change {number}",
                "Grace" if number == broken_at else "Ada",
                {"shop.txt": f"{'broken' if number >= broken_at else 'fine'} {number}\n"}
                | ({"reproduce.sh": script} if number == 0 else {}),
            )
            for number in range(commits)
        )
    )
    repository.git("tag", "v1", shas[0])
    repository.git("tag", "v2", shas[-1])
    return repository, shas


def service(repository: Repository, script: tuple[str, ...] = ("./reproduce.sh",)) -> Service:
    return Service(
        name="shop",
        checkout=str(repository.path),
        bisect=script,
        release=ReleaseNames(tag="v{version}"),
    )


async def until_over(bisector: LocalBisector, shop: Service, id: str) -> Bisect:
    return await until(bisector, shop, id, lambda bisect: bisect.state != "running")


async def until(
    bisector: LocalBisector,
    shop: Service,
    id: str,
    so: Callable[[Bisect], bool],
    seconds: float = 100,
) -> Bisect:
    deadline = time.monotonic() + seconds
    while not so(bisect := await bisector.look(shop, id)):
        assert time.monotonic() < deadline, bisect
        await asyncio.sleep(0.02)
    return bisect
