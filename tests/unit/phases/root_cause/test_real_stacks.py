"""Stacks of the real SDK, stored by the local Sentry, read by the real client.

Chains, groups, messages.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest
import sentry_sdk

from bot.clients.sentry.client import Sentry as Client
from phases.ports.tracker_values import EventDetail
from phases.record.service import Service
from sandbox.faults import Faults
from sandbox.sentry import Sentry, sentry_app
from tests.support.worlds.local_http import serving

SHOP = Service(name="shop", sentry=("shop",))


class OrderFailed(Exception):
    pass


def price(prices: dict[str, int], region: str) -> int:
    return prices[region]


def place(region: str) -> int:
    try:
        return price({"us": 2}, region)
    except KeyError as error:
        raise OrderFailed("could not place the order") from error


def checkout(region: str) -> None:
    place(region)


async def rate(region: str) -> int:
    return price({"us": 2}, region)


async def quote(*asked: Coroutine[Any, Any, int]) -> None:
    async with asyncio.TaskGroup() as group:
        for coroutine in asked:
            group.create_task(coroutine)


async def number(text: str) -> int:
    return int(text)


async def one_quote() -> None:
    await quote(rate("eu"))


async def three_quotes() -> None:
    await quote(rate("eu"), number("x"), rate("asia"))


async def order(region: str) -> int:
    return place(region)


async def quote_in_quote() -> None:
    await quote(nested())


async def nested() -> int:
    await one_quote()
    return 1


def suppressed() -> None:
    try:
        price({}, "eu")
    except KeyError:
        raise OrderFailed("nobody is told why") from None


@asynccontextmanager
async def stored() -> AsyncIterator[tuple[Sentry, Client]]:
    sentry = Sentry(projects=("shop",))
    async with serving(sentry_app(sentry, Faults())) as url:
        sentry.base_url = url
        client = Client(url, "acme", "sntrys_local")
        try:
            yield sentry, client
        finally:
            await client.aclose()


def sent(dsn: str, happens: Callable[[], None]) -> None:
    sdk = sentry_sdk.Client(
        dsn=dsn,
        environment="production",
        default_integrations=False,
        auto_enabling_integrations=False,
        attach_stacktrace=True,
    )
    with sentry_sdk.new_scope() as scope:
        scope.set_client(sdk)
        try:
            happens()
        except (OrderFailed, KeyError, ExceptionGroup) as error:
            scope.capture_exception(error)
    sdk.flush(timeout=60)
    sdk.close(timeout=5)


async def read(happens: Callable[[], None]) -> tuple[str, EventDetail]:
    """The title that Sentry gives the issue, and the newest event as the bot reads it."""
    async with stored() as (sentry, client):
        await asyncio.to_thread(sent, sentry.dsn(), happens)
        (issue,) = sentry.issues.values()
        detail = await client.detail(SHOP, str(issue.id))
    assert detail is not None
    return issue.title, detail


def way(detail: EventDetail) -> list[str]:
    return [
        f.function
        for f in detail.frames
        if f.in_app and not f.of and not f.function.startswith("sent")
    ]


async def test_raised_from_another() -> None:
    title, detail = await read(lambda: checkout("eu"))
    assert title == "OrderFailed: could not place the order"
    assert (detail.exception_type, detail.exception_value) == ("KeyError", "'eu'")
    assert detail.wrapped_in == ("OrderFailed",)
    assert way(detail)[:3] == ["price", "place", "checkout"]
    (again,) = [f for f in detail.frames if f.again]
    assert (again.function, again.of, dict(again.context)[again.line or 0].strip()) == (
        "place",
        "OrderFailed",
        'raise OrderFailed("could not place the order") from error',
    )
    assert detail.frames[-1] == again


@pytest.mark.parametrize("happens", [one_quote, quote_in_quote])
async def test_a_group_with_one_inside(happens: Callable[[], Coroutine[Any, Any, None]]) -> None:
    title, detail = await read(lambda: asyncio.run(happens()))
    assert title == "KeyError: 'eu'"
    assert (detail.exception_type, detail.exception_value) == ("KeyError", "'eu'")
    assert way(detail)[:2] == ["price", "rate"]
    assert "quote" in [f.function for f in detail.frames]


async def test_a_group_with_three_inside_has_the_frames_of_all() -> None:
    title, detail = await read(lambda: asyncio.run(three_quotes()))
    assert title.startswith("ExceptionGroup: ")
    assert (detail.exception_type, detail.exception_value, detail.kind) == (
        "KeyError",
        "'eu'",
        "exception",
    )
    assert way(detail)[:2] == ["price", "rate"]
    assert [f.function for f in detail.frames if f.of == "ValueError"] == ["number"]


async def test_a_cause_inside_of_a_group() -> None:
    """The SDK gives it the group as its parent; it belongs to what was raised from it."""
    _, detail = await read(lambda: asyncio.run(quote(number("1"), order("eu"), number("x"))))
    assert (detail.exception_type, detail.exception_value) == ("KeyError", "'eu'")
    assert detail.wrapped_in == ("OrderFailed", "ExceptionGroup")
    assert way(detail)[:3] == ["price", "place", "order"]


async def test_what_was_raised_from_none_is_the_cause_itself() -> None:
    _, detail = await read(suppressed)
    assert (detail.exception_type, detail.wrapped_in, way(detail)[0]) == (
        "OrderFailed",
        (),
        "suppressed",
    )


async def test_a_logged_message_has_its_stack_in_a_thread() -> None:
    def total() -> None:
        sentry_sdk.capture_message("the price is missing", level="error")

    title, detail = await read(total)
    assert title == "the price is missing"
    assert (detail.exception_type, detail.kind) == (None, "message")
    assert way(detail)[0] == "total"
