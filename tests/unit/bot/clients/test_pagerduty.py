"""The PagerDuty client against the local one, over real HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from bot.clients.pagerduty import PagerDuty as Client
from phases.ports.ports import PortError
from sandbox.faults import Fault, Faults
from sandbox.pagerduty import ROUTING_KEY, PagerDuty, pagerduty_app
from tests.support.worlds.local_http import serving


class World:
    def __init__(self, pagerduty: PagerDuty, faults: Faults, url: str) -> None:
        self.pagerduty, self.faults, self.url = pagerduty, faults, url
        self.client = Client(f"{url}/v2/enqueue", ROUTING_KEY)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    pagerduty, faults = PagerDuty(), Faults()
    async with serving(pagerduty_app(pagerduty, faults)) as url:
        world = World(pagerduty, faults, url)
        yield world
        await world.client.aclose()


async def test_the_same_key_is_the_same_alert(world: World) -> None:
    pager = world.client
    for _ in range(2):
        await pager.page(key="INC-0001:sev1", text="SEV1 " + "x" * 2000)
    await pager.page(key="INC-0001:rollback failed", text="rollback failed")
    first, second = world.pagerduty.events
    assert (first.dedup_key, first.times, first.severity, len(first.summary)) == (
        "INC-0001:sev1",
        2,
        "critical",
        1024,
    )
    assert second.times == 1


@pytest.mark.parametrize(
    ("fault", "retryable", "after"),
    [
        (Fault(status=429, retry_after=5), True, 5),
        (Fault(status=500), True, None),
        (Fault(lose_answer=True), True, None),
        (Fault(status=400), False, None),
        (Fault(status=403), False, None),
    ],
)
async def test_errors_say_whether_trying_again_helps(
    world: World, fault: Fault, retryable: bool, after: float | None
) -> None:
    world.faults.next("pagerduty.enqueue", fault)
    with pytest.raises(PortError) as refused:
        await world.client.page(key="k", text="t")
    assert refused.value.retryable is retryable
    assert refused.value.retry_after == after


async def test_a_wrong_key_says_which_setting_and_not_which_key(world: World) -> None:
    for key in ("short", "f" * 32):
        client = Client(f"{world.url}/v2/enqueue", key)
        with pytest.raises(PortError, match="is PAGERDUTY_ROUTING_KEY right") as refused:
            await client.page(key="k", text="t")
        assert key not in refused.value.text
        await client.aclose()


async def test_doctor_proves_the_key_and_calls_nobody(world: World) -> None:
    await world.client.check()
    assert world.pagerduty.events == []
    client = Client(f"{world.url}/v2/enqueue", "f" * 32)
    with pytest.raises(PortError, match="is PAGERDUTY_ROUTING_KEY right"):
        await client.check()
    await client.aclose()


async def test_what_pagerduty_refuses_for_another_reason_is_not_called_the_key(
    world: World,
) -> None:
    world.faults.next("pagerduty.enqueue", Fault(status=400, error="'payload.summary' is too long"))
    with pytest.raises(PortError, match="summary") as refused:
        await world.client.page(key="k", text="t")
    assert "PAGERDUTY_ROUTING_KEY" not in refused.value.text


async def test_acknowledged_and_resolved_with_the_key_it_was_triggered_with(world: World) -> None:
    pager = world.client
    await pager.follow(key="01JD", what="acknowledge")
    assert world.pagerduty.events == [], "nothing was triggered: nothing is made of it"
    await pager.page(key="01JD", text="sev1")
    await pager.follow(key="01JD", what="acknowledge")
    assert [e.state for e in world.pagerduty.events] == ["acknowledged"]
    await pager.follow(key="01JD", what="resolve")
    await pager.page(key="01JD", text="rollback failed")
    assert [(e.dedup_key, e.state) for e in world.pagerduty.events] == [
        ("01JD", "resolved"),
        ("01JD", "triggered"),
    ]


async def test_a_page_of_a_proxy_has_called_nobody() -> None:
    async def login(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse("<html>Please log in</html>")(scope, receive, send)

    async with serving(login) as url:
        client = Client(f"{url}/v2/enqueue", ROUTING_KEY)
        with pytest.raises(PortError, match="not JSON") as refused:
            await client.page(key="k", text="t")
        await client.aclose()
    assert refused.value.retryable
