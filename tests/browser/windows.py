"""A browser window on the page, and what went wrong in it."""

from __future__ import annotations

from pathlib import Path

from playwright.async_api import Browser, BrowserContext, Locator, Page

PRESSED_MS = 90_000
"""So long something may take until it can be pressed, or until a page is there."""
SHOTS = Path(__file__).parent / "shots"


class Window:
    """One browser window on the page. Its errors are collected, and fail the test at its end."""

    def __init__(self, context: BrowserContext, page: Page) -> None:
        self.context = context
        self.page = page
        self.problems: list[str] = []
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on(
            "console",
            lambda message: self.problems.append(message.text) if message.type == "error" else None,
        )

    async def shot(self, name: str) -> None:
        """A picture of the window, light and dark, kept in `shots/`."""
        SHOTS.mkdir(exist_ok=True)
        for theme in ("light", "dark"):
            await self.page.emulate_media(color_scheme=theme, reduced_motion="reduce")
            await self.page.screenshot(path=SHOTS / f"{name}-{theme}.png")
        await self.page.emulate_media(color_scheme="light")

    async def part(self, shown: Locator, name: str) -> None:
        """A picture of one message or form, light and dark, kept in `shots/`."""
        SHOTS.mkdir(exist_ok=True)
        for theme in ("light", "dark"):
            await self.page.emulate_media(color_scheme=theme, reduced_motion="reduce")
            await shown.screenshot(path=SHOTS / f"{name}-{theme}.png")
        await self.page.emulate_media(color_scheme="light")

    async def fits(self) -> bool:
        """Return if nothing hangs out of the window at its right or bottom."""
        return await self.page.evaluate(
            "() => document.documentElement.scrollWidth <= innerWidth && "
            "document.documentElement.scrollHeight <= innerHeight"
        )


async def window(browser: Browser, url: str, *, width: int = 1280, height: int = 800) -> Window:
    """A window of its own, with its own storage."""
    context = await browser.new_context(
        viewport={"width": width, "height": height}, color_scheme="light"
    )
    context.set_default_timeout(PRESSED_MS)
    opened = Window(context, await context.new_page())
    await opened.page.goto(url)
    return opened
