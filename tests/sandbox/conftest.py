"""Fixtures of the tests of the local world itself."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.sandbox.page_tab import Tab, open_tab


@pytest.fixture
async def tab() -> AsyncIterator[Tab]:
    async with open_tab() as opened:
        yield opened
