"""The three seconds of an ack: questions about a person share them, and a commit gets the rest."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import cast

import pytest

from handlers.dispatcher import Delivery, Unknown
from handlers.incident.decide import not_allowed
from handlers.slack.context import Context
from handlers.slack.interaction import ACK_SECONDS, LEAST_SECONDS, WHO_SECONDS, Interaction
from phases.messages.commands import Cancel
from phases.ports.ports import Person
from phases.record.service import Service
from phases.shared.change import Refused

SLACK_WAITS = 3.0
"""https://docs.slack.dev/interactivity/handling-user-interaction#acknowledgment_response"""


class Ports:
    """People whom Slack names when the test lets it, and a dispatcher that notes its time."""

    def __init__(self) -> None:
        self.named = asyncio.Event()
        self.seconds: list[float | None] = []
        self.people = self.dispatcher = self

    async def person(self, id: str, team: str | None, enterprise: str | None) -> Person:
        await self.named.wait()
        return Person(id=id, name="Alice", member=True)

    async def owners(self, service: Service) -> tuple[str, ...]:
        await self.named.wait()
        return ("U0ALICE",)

    async def dispatch(self, *_: object, seconds: float | None = None) -> Unknown:
        self.seconds.append(seconds)
        return Unknown()


@pytest.fixture
def ports() -> Ports:
    return Ports()


NOW = 1000.0


@pytest.fixture(autouse=True)
def clock_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    """No time passes between a click and the question how much of it is left."""
    monkeypatch.setattr("handlers.slack.interaction.ACK_SECONDS", ACK_SECONDS)
    monkeypatch.setattr("handlers.slack.interaction.WHO_SECONDS", WHO_SECONDS)
    monkeypatch.setattr("handlers.slack.interaction.time", SimpleNamespace(monotonic=lambda: NOW))


def clicked(ports: Ports, ago: float = 0.0) -> Interaction:
    return Interaction(
        ctx=cast(Context, ports),
        user="U0ALICE",
        channel="C1",
        trigger_id="1.2",
        team="T1",
        enterprise=None,
        delivery=Delivery(()),
        received_at=NOW - ago,
    )


async def seconds_for(ports: Ports, ago: float) -> float | None:
    await clicked(ports, ago).dispatch(Cancel(by="U0ALICE", reason="no"), "INC-0001")
    return ports.seconds.pop()


async def test_somebody_whom_slack_names_after_a_second_may_act(ports: Ports) -> None:
    click = clicked(ports, ago=1.0)
    ports.named.set()
    assert await click.refusal() is None
    assert await not_allowed(click, Service(name="checkout")) is None


async def test_who_takes_too_long_is_asked_to_try_again_by_whichever_question(
    ports: Ports,
) -> None:
    click = clicked(ports, ago=WHO_SECONDS)
    assert "try again" in str(await click.refusal())
    assert isinstance(await not_allowed(click, Service(name="checkout")), Refused)


async def test_a_commit_gets_what_is_left_and_at_least_one_try(ports: Ports) -> None:
    at_once = await seconds_for(ports, ago=0.0)
    late = await seconds_for(ports, ago=WHO_SECONDS)
    assert at_once == pytest.approx(ACK_SECONDS)
    assert late == pytest.approx(ACK_SECONDS - WHO_SECONDS)
    assert await seconds_for(ports, ago=ACK_SECONDS - 0.01) == LEAST_SECONDS
    assert await seconds_for(ports, ago=ACK_SECONDS + 1) is None, "nobody waits for that one"


def test_questions_and_one_try_fit_into_the_time_of_slack() -> None:
    assert WHO_SECONDS + LEAST_SECONDS < ACK_SECONDS < SLACK_WAITS
