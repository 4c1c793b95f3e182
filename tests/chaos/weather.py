"""Slack and the others in trouble while whole incidents run.

From alert to post-mortem the end is the same. Each weather is staged beside the lives of
`tests/chaos/life.py`. Where it passes, they still have to come to their end in it.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Coroutine
from dataclasses import dataclass

from sandbox.faults import Fault
from sandbox.page.faults_panel import HANG_SECONDS, LINEAR_STORM, STORM
from sandbox.slack.to_app.socket_mode import MOST, Reason
from tests.chaos.kill import BY_ALERT, BY_GITHUB, Outcome, Way, batch
from tests.chaos.life import channels
from tests.chaos.town import Town, eventually

OTHERS = ("sentry", "discord", "pagerduty")
EVERYBODY = ("slack", *OTHERS, "linear")
SECONDARY = (
    "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
)
"""https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api#rate-limit-errors"""
HUB_STORM = tuple(Fault(status=status, error=SECONDARY, retry_after=1) for status in (429, 403))
BETWEEN_SECONDS = 3.0
"""Between two accidents of the socket: a few of them in every step of an incident."""
OFF_SECONDS = 8.0
"""Somebody turns Socket Mode off, and notices; or others hold all connections for so long."""


async def slack_says_429(town: Town) -> None:
    town.world.faults.always("slack.*", STORM, every=2)


async def others_say_429(town: Town) -> None:
    town.world.faults.always("linear.*", LINEAR_STORM, every=2)
    for system in OTHERS:
        town.world.faults.always(f"{system}.*", STORM, every=2)


async def slack_fails(town: Town) -> None:
    town.world.faults.always("slack.*", Fault(status=503), every=3)


async def others_fail(town: Town) -> None:
    """Linear, as it does, also with HTTP 200."""
    broken = (
        Fault(status=503),
        Fault(status=200, error="INTERNAL_SERVER_ERROR"),
        Fault(status=502),
    )
    town.world.faults.always("linear.*", broken, every=3)
    for system in OTHERS:
        town.world.faults.always(f"{system}.*", (Fault(status=503), Fault(status=500)), every=3)


async def answers_get_lost(town: Town) -> None:
    """The first call of each method of each system that has taken effect."""
    for system in EVERYBODY:
        town.world.faults.once_each(system, Fault(lose_answer=True))


async def github_says_429(town: Town) -> None:
    """Both of its limits: as 429, and as 403 in its own words."""
    town.world.faults.always("github.*", HUB_STORM, every=2)


async def github_fails(town: Town) -> None:
    town.world.faults.always("github.*", (Fault(status=503), Fault(status=502)), every=3)


async def answers_of_github_get_lost(town: Town) -> None:
    town.world.faults.once_each("github", Fault(lose_answer=True))


async def a_dispatch_is_taken_late(town: Town) -> None:
    """Carried out long after who sent it has given up."""
    town.world.faults.next("github.dispatch", Fault(delay=HANG_SECONDS / 2))


async def everything_twice(town: Town) -> None:
    town.world.deliver_twice(True)


def hangs(system: str) -> Weather:
    """For 30 s calls are answered after the caller has given up, if at all.

    Every second call is carried out.
    """

    async def hang(town: Town) -> None:
        # Without a channel a thread would take its place; without a watch, nothing.
        if system in (
            "slack",
            "github",
        ):
            for number in town.numbers:
                await eventually(
                    lambda number=number: bool(channels(town, number)), "its channel", 60
                )
        town.world.faults.hang(system, HANG_SECONDS)
        await asyncio.sleep(HANG_SECONDS)
        town.world.faults.hang(system, 0)

    return hang


async def the_socket_goes(town: Town) -> None:
    """The socket to Slack ends in every way.

    Slack asks to connect anew, or says that it will close or that there are too many. The network
    breaks off or forgets us. Somebody turns Socket Mode off.
    """
    socket = town.world.socket_mode
    assert socket is not None
    reasons: tuple[Reason | None, ...] = (
        "warning",
        None,
        "refresh_requested",
        "too_many_websockets",
        "link_disabled",
    )
    for reason in itertools.cycle(reasons):
        await asyncio.sleep(BETWEEN_SECONDS)
        await eventually(lambda: socket.connected, "the bot to come back", 60)
        if reason == "too_many_websockets":
            socket.most = 0
        if reason in (None, "too_many_websockets"):
            socket.drop()
        else:
            await socket.disconnect(reason)
        if reason == "too_many_websockets":
            await asyncio.sleep(OFF_SECONDS)
            socket.most = MOST
        if reason == "link_disabled":
            await asyncio.sleep(OFF_SECONDS)
            socket.on = True
            await eventually(lambda: socket.connected, "the bot to come back", 60)
            socket.deafen()


Weather = Callable[[Town], Coroutine[None, None, None]]


@dataclass(frozen=True, slots=True)
class Row:
    weather: Weather
    socket_mode: bool = False
    way: Way = BY_ALERT


ROWS: dict[str, Row] = {
    "Slack says 429 to every second call": Row(slack_says_429),
    "the others say 429 to every second call": Row(others_say_429),
    "Slack fails at every third call": Row(slack_fails),
    "the others fail at every third call": Row(others_fail),
    "answers lost, once for each method": Row(answers_get_lost),
    "everything told twice and out of order": Row(everything_twice),
    "the socket goes in each way, Socket Mode": Row(the_socket_goes, socket_mode=True),
    "GitHub's two limits at every second call": Row(github_says_429, way=BY_GITHUB),
    "GitHub fails at every third call": Row(github_fails, way=BY_GITHUB),
    "GitHub's answers lost, once for each method": Row(answers_of_github_get_lost, way=BY_GITHUB),
    "GitHub takes a dispatch when its sender has gone": Row(
        a_dispatch_is_taken_late, way=BY_GITHUB
    ),
    "CI and GitHub tell everything twice": Row(everything_twice, way=BY_GITHUB),
    "github hangs for 30 s": Row(hangs("github"), way=BY_GITHUB),
    **{f"{system} hangs for 30 s": Row(hangs(system)) for system in EVERYBODY},
}


async def lived_through(row: Row, *, services: int = 2, replicas: int = 2) -> Outcome:
    return await batch(
        [],
        services=services,
        replicas=replicas,
        beside=row.weather,
        socket_mode=row.socket_mode,
        way=row.way,
    )
