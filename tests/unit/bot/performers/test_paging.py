"""A pager that refuses: the owners are mentioned, and the message says that nobody was called."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from bot.clients.pagerduty import PagerDuty
from bot.clients.slack.client import Slack
from bot.performers.context import EffectContext, Job
from bot.performers.notify import page
from phases.messages.effects import Page
from phases.record.incident import Channel
from phases.record.service import Service
from sandbox.slack.api import BOT_TOKEN
from tests.support.values.factories import NOW, incident, service
from tests.support.worlds.local_http import serving
from tests.support.worlds.slack_world import slack_world


async def refuse(request: Request) -> JSONResponse:
    """https://developer.pagerduty.com/docs/events-api-v2-overview ."""
    key = "'routing_key' is invalid (should be a 32-character alphanumeric value)"
    body = {"status": "invalid event", "message": "Event object is invalid", "errors": [key]}
    return JSONResponse(body, 400)


async def owners(of: Service) -> tuple[str, ...]:
    return ("U0ALICE",)


async def plain(text: str) -> str:
    return text


async def test_where_the_pager_refuses_the_owners_read_that_nobody_was_called() -> None:
    record = incident(channel=Channel(id="C0GENERAL", name="general"))

    async def look(id: str, version: int = 0) -> Any:
        return record

    routes = [Route("/v2/enqueue", refuse, methods=["POST"])]
    async with slack_world() as world, serving(Starlette(routes=routes)) as url:
        slack = Slack(BOT_TOKEN, f"{world.url}/slack/api/")
        await slack.start()
        pager = PagerDuty(f"{url}/v2/enqueue", "R" * 32)
        nothing: dict[str, Any] = {field.name: None for field in dataclasses.fields(EffectContext)}
        given = {
            "dispatcher": SimpleNamespace(load=look, recent=look),
            "slack": slack,
            "pager": pager,
            "people": SimpleNamespace(owners=owners, plain=plain),
            "catalogue": SimpleNamespace(get=lambda name: service()),
        }
        ctx = EffectContext(**nothing | given)
        job = Job("INC-0001", "INC-0001.2.1", NOW, 1)
        done = await page(Page(key="sev1", text="INC-0001 checkout is failing"), job, ctx)
        (message,) = (
            m for m in world.workspace.channel("general").messages if "checkout" in str(m)
        )
        assert done is not None
        assert done.via.startswith("mention, because")
        assert "Nobody was called: PagerDuty refused the page" in str(message)
        assert "is PAGERDUTY_ROUTING_KEY right?" in str(message)
        assert "right?." not in str(message)
        await pager.aclose()
        await slack.aclose()
