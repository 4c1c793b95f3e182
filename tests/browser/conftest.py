"""A real Chromium on the page of a real world. `CHROMIUM` names another one than Debian's."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, async_playwright, expect

ARGUMENTS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    "--disable-dev-shm-usage",  # a container's is often too small
)
STARTED_MS, SHOWN_MS = 180_000, 60_000
"""A busy machine takes its time for a start, and for what is shown (Playwright's own: 5 s)."""
expect.set_options(timeout=SHOWN_MS)


@pytest.fixture(scope="session")
def chromium() -> str:
    program = (
        os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    )
    if program is None:
        pytest.fail(
            "The browser tests need Chromium. On Debian or Ubuntu: apt-get install chromium "
            "fonts-noto-core"
        )
    return program


@pytest.fixture
async def browser(chromium: str) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(
            executable_path=chromium, args=[*ARGUMENTS], timeout=STARTED_MS
        )
        yield launched
        await launched.close()
