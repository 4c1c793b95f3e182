"""Fixtures of the tests of the local world itself."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from pathlib import Path

import pytest

from sandbox.shop import history
from tests.sandbox.page_tab import Tab, open_tab


@pytest.fixture
async def tab() -> AsyncIterator[Tab]:
    async with open_tab() as opened:
        yield opened


@pytest.fixture(scope="session", autouse=True)
def one_history(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Each shop gets a copy of one repository: to build it takes fifty runs of git."""
    built, build = tmp_path_factory.mktemp("history") / "repo", history.build

    def copied(repository: Path, now: datetime) -> None:
        if not built.exists():
            build(built, now)
        shutil.copytree(built, repository)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(history, "build", copied)
        yield
