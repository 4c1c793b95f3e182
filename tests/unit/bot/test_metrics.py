"""`/metrics` as Prometheus reads it.

One bot worked, one failed, and one has no Redis.
"""

from __future__ import annotations

from collections.abc import Mapping

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.clients.http.call_counts import CALLS, LIMITED
from bot.clients.http.client import Http
from bot.clients.http.errors import HttpError
from bot.clients.slack.client import Slack
from bot.clients.slack.errors import SlackRefused
from bot.live.editor import Live
from bot.live.rendering import renderer
from bot.metrics import Metrics, Timed
from bot.outbox.worker import Outbox
from bot.report import Report
from bot.runtime.worker import WorkerEntry
from bot.store.incident_store import Store
from bot.store.job import Job
from bot.timers.scheduler import Clock
from phases.messages.base import Action
from phases.messages.effects import Page, Say
from phases.ports.ports import PortError
from tests.support.worlds.local_http import serving
from tests.support.worlds.outbox_world import Perform, World, done, quick_outbox
from tests.support.worlds.small_world import running, until

__all__ = ["quick_outbox"]  # a fixture for every test here


@pytest.fixture(autouse=True)
def counted_from_here() -> None:
    """The counters are the process's, and other tests call Slack, too."""
    CALLS.clear()
    LIMITED.clear()


class _Nobody:
    async def update(self, *_: object) -> None: ...


def metrics_of(world: World, outbox: Outbox) -> Metrics:
    render = renderer(None, reverts=False)  # type: ignore[arg-type]  nothing is rendered here
    live = Live(world.store, render, _Nobody())
    clock = Clock(world.store, world.dispatcher)
    workers = [
        WorkerEntry("outbox", outbox.run, lambda: outbox.running),
        WorkerEntry("clock", clock.run, lambda: clock.running),
    ]

    def report() -> Report:
        # Front and back are one process here, and count a call once.
        both = Report.of(world.store, outbox, clock, live, workers)
        return both.model_copy(update={"calls": (), "limited": {}})

    return Metrics(world.store, report, lambda: report().running)


async def read(url: str) -> dict[tuple[str, Mapping[str, str]], float]:
    """Every sample, by name and labels; parsed as Prometheus does."""
    async with httpx.AsyncClient(trust_env=False, verify=False, timeout=60) as client:
        answer = await client.get(f"{url}/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def at(name: str, **labels: str) -> tuple[str, frozenset[tuple[str, str]]]:
    return (f"firebreak_{name}", frozenset(labels.items()))


async def refuses(effect: Page, job: Job) -> Action:
    raise PortError("pagerduty", "no", retryable=False)


async def test_effects_are_counted_by_kind_and_result_and_the_queue_by_its_age(
    store: Store, redis_url: str
) -> None:
    world = World(store, redis_url, Say(text="hallo"), Page(key="k", text="t"))
    performers: dict[str, Perform] = {"say": done, "page": refuses}
    outbox = world.outbox(performers)
    metrics = metrics_of(world, outbox)
    async with serving(Starlette(routes=[metrics.route()])) as url:
        await world.want()
        before = await read(url)
        async with running(outbox.run()):
            await until(world.empty)
            after = await read(url)
    assert before[at("effects_queued")] == 2
    assert before[at("effects_oldest_seconds")] < 60
    assert before[at("open_incidents")] == 1
    assert before[at("redis_up")] == 1
    assert after[at("effects_queued")] == 0
    assert after[at("effects_total", kind="say", result="done")] == 1
    assert after[at("effects_total", kind="page", result="failed")] == 1
    assert after[at("worker_running", worker="outbox")] == 1
    assert after[at("worker_running", worker="clock")] == 0


async def test_a_timer_that_nobody_fires_is_late(store: Store, redis_url: str) -> None:
    world = World(store, redis_url)
    await world.want()
    now = (await store.server_now()).timestamp() * 1000
    await store.redis.zadd(
        store.keys.timers, {"INC-0001|old": now - 5000, "INC-0001|next": now + 60_000}
    )
    async with serving(Starlette(routes=[metrics_of(world, world.outbox({})).route()])) as url:
        samples = await read(url)
    assert samples[at("timers")] == 2
    assert samples[at("timers_late")] == 1
    assert 4 < samples[at("timers_latest_seconds")] < 60


async def test_answers_are_timed_by_path_and_status_and_paths_that_are_not_ours_are_one(
    store: Store, redis_url: str
) -> None:
    async def ours(request: Request) -> Response:
        return Response(status_code=401)

    world = World(store, redis_url)
    metrics = metrics_of(world, world.outbox({}))
    app = Timed(
        Starlette(routes=[Route("/ours", ours), metrics.route()]),
        metrics.acks,
        ["/ours", "/metrics"],
    )
    async with (
        serving(app) as url,
        httpx.AsyncClient(trust_env=False, verify=False, timeout=60) as client,
    ):
        await client.get(f"{url}/ours")
        for guess in ("/.env", "/wp-login.php", "/ours/../x"):
            await client.get(f"{url}{guess}")
        with metrics.timed("socket"):
            pass
        samples = await read(url)
    assert samples[at("ack_seconds_count", path="/ours", status="401")] == 1
    assert samples[at("ack_seconds_count", path="other", status="404")] == 3
    assert samples[at("ack_seconds_count", path="socket", status="200")] == 1
    assert not any(".env" in str(labels) for _, labels in samples)


async def test_calls_are_counted_by_status_and_what_asks_us_to_slow_down_apart(
    store: Store, redis_url: str
) -> None:
    statuses = iter((200, 429, 500))

    async def other_side(request: Request) -> Response:
        status = next(statuses)
        return Response(status_code=status, headers={"Retry-After": "1"} if status == 429 else {})

    world = World(store, redis_url)
    metrics = metrics_of(world, world.outbox({}))
    async with serving(
        Starlette(routes=[Route("/secret-id-7", other_side, methods=["POST"]), metrics.route()])
    ) as url:
        client = Http("Elsewhere", url, {})
        for _ in range(3):
            try:
                await client.request("POST", "/secret-id-7")
            except HttpError:
                continue
        await client.aclose()
        nowhere = Http("Nowhere", "http://127.0.0.1:1", {})
        with pytest.raises(HttpError):
            await nowhere.request("POST", "/x")
        await nowhere.aclose()
        samples = await read(url)
    assert samples[at("api_calls_total", system="elsewhere", method="POST", status="200")] == 1
    assert samples[at("api_calls_total", system="elsewhere", method="POST", status="500")] == 1
    assert samples[at("api_rate_limited_total", system="elsewhere")] == 1
    assert samples[at("api_calls_total", system="nowhere", method="POST", status="none")] == 1
    assert not any("secret-id" in str(labels) for _, labels in samples)


async def test_slack_is_counted_by_method_and_by_its_own_word(store: Store, redis_url: str) -> None:
    async def answers(request: Request) -> Response:
        if request.url.path.endswith("chat.postMessage"):
            return JSONResponse({"ok": False, "error": "ratelimited"}, 429, {"Retry-After": "1"})
        return JSONResponse({"ok": True})

    world = World(store, redis_url)
    metrics = metrics_of(world, world.outbox({}))
    routes = [Route("/api/{method}", answers, methods=["POST", "GET"]), metrics.route()]
    async with serving(Starlette(routes=routes)) as url:
        slack = Slack("xoxb-1", f"{url}/api/")
        await slack.start()
        await slack.web.views_open(trigger_id="1.2", view={})
        with pytest.raises(SlackRefused):
            await slack.call("chat.postMessage", channel="C1")
        await slack.aclose()
        samples = await read(url)
    assert samples[at("api_calls_total", system="slack", method="views.open", status="200")] == 1
    assert (
        samples[
            at("api_calls_total", system="slack", method="chat.postMessage", status="ratelimited")
        ]
        == 1
    )
    assert samples[at("api_rate_limited_total", system="slack")] == 1


async def test_without_redis_it_still_answers_and_says_so(redis_url: str) -> None:
    away = Store.open("unix:///nowhere/valkey.sock")
    world = World(away, redis_url)
    async with serving(Starlette(routes=[metrics_of(world, world.outbox({})).route()])) as url:
        samples = await read(url)
    await away.close()
    assert samples[at("redis_up")] == 0
    assert at("open_incidents") not in samples
