"""The stories' small stage.

It is a world without the shop: three files and two tiny scripts are its production.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sandbox.linear.state import Issue
from sandbox.slack.channels import Channel
from sandbox.slack.people import Json, Person, plain
from sandbox.wire import copied
from sandbox.world import World
from tests.support.bots.forked import firebreak, launch

RECHECK = 1
"""Seconds until the first look; the second one comes after twice as long."""
WINDOW = 60
PATIENCE_SECONDS = 120.0
"""Longer than anything takes that happens at all."""
PAGES = ("/", "/cart", "/pay")
PEOPLE = tuple(f"id:{n}" for n in range(30))

SHOP = """
[services.shop]
aliases = ["checkout", "store"]
owners = "@checkout-oncall"
sentry = ["shop"]
features = { catalog = "/", cart = "/cart*", payment = "/pay*" }
release = { sentry = "shop@{version}", tag = "v{version}", deploy = "v{version}" }
deployer = "command"
linear_team = "ENG"
adr = { directory = "FOLDER/adr" }

[services.shop.deploy]
directory = "FOLDER"
run = ["sh", "deploy.sh", "{release}"]
current = ["cat", "current"]
releases = ["cat", "releases"]
"""
"""The command deployer over files; `FOLDER` becomes the world's folder."""

SEARCH = """
[services.search]
aliases = ["finder"]
sentry = ["search"]
"""
"""A second service: nobody owns it, and nothing deploys it."""

DEPLOY = """\
echo "fetching $1"
echo "$1" >> asked
test ! -e hold || { echo "waiting for a free machine"; while test -e hold; do sleep 0.05; done; }
test ! -e broken || { cat broken; exit 1; }
echo "$1" > current
echo "$1 is up"
"""
"""The deploy command. Files beside it stage its trouble, and `asked` counts its runs.

`hold` keeps it waiting, and the text in `broken` lets it fail.
"""


def town(folder: Path, *, services: str = SHOP, recheck_after: int = RECHECK, **more: Any) -> World:
    """A world without the shop, in which v1.3.0 runs and v1.2.0 ran before.

    Nothing is wrong in it yet; no alert fires.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "adr").mkdir(exist_ok=True)
    (folder / "deploy.sh").write_text(DEPLOY)
    (folder / "current").write_text("v1.3.0\n")
    (folder / "releases").write_text("v1.3.0\nv1.2.0\nv1.1.0\n")
    world = World(
        folder,
        with_shop=False,
        services=services.replace("FOLDER", str(folder)),
        recheck_after=recheck_after,
        window=WINDOW,
        **{"launch": launch, **more},
    )
    patient(world)
    world.alerts.enabled = False
    world.sentry.add_project("search")
    now = time.time()
    world.sentry.traffic(200, since=now - 3 * 86400)
    for version, ago in (("1.1.0", 6 * 86400), ("1.2.0", 2 * 86400), ("1.3.0", 40)):
        world.sentry.add_release(f"shop@{version}", created=now - ago - 60)
        world.sentry.add_deploy(f"shop@{version}", started=now - ago - 2, finished=now - ago)
    return world


@asynccontextmanager
async def running(world: World) -> AsyncIterator[World]:
    """Run the world for a story, and print what happened: pytest shows it where a story fails."""
    async with world:
        try:
            yield world
        finally:
            print(transcript(world))
            log = world.folder / "bot.log"
            if log.exists():
                text = log.read_text()
                print(*(line for line in text.splitlines() if '"INFO"' not in line), sep="\n")
                print(text[-6000:])


def patient(world: World) -> World:
    """Let people and systems wait as long as a busy machine takes: speed is for the bench."""
    world.workspace.changes.patience = PATIENCE_SECONDS
    world.workspace.modals.trigger_seconds = PATIENCE_SECONDS
    world.delivery.ack_seconds = PATIENCE_SECONDS
    world.webhook_delivery.patience = PATIENCE_SECONDS
    world.bot.patience = PATIENCE_SECONDS
    return world


def burn(
    world: World,
    *,
    pages: Sequence[str] = PAGES,
    people: Sequence[str] = PEOPLE,
    seconds: float = 17.5,
    every: float = 0.05,
    error: str = "KeyError: 'region'",
) -> None:
    """Errors of the newest release until now, as Sentry has them.

    They are dense enough that a minute's wait for the machine leaves their rate measurable.
    """
    for page in pages:
        begin, times = time.time() - seconds, round(seconds / every)
        world.sentry.load(
            error,
            at=begin,
            every=every,
            times=times,
            users=people,
            transaction=page,
            release="shop@1.3.0",
        )


def go_on_burning(
    world: World,
    *,
    seconds: float = 45,
    error: str = "KeyError: 'region'",
    release: str = "shop@1.3.0",
    every: float = 0.02,
) -> None:
    """The errors of the next seconds, whatever runs: for looks that shall not be clean.

    They go on for longer than a busy machine may take to look, at nearly the rate of `burn`.
    """
    world.sentry.load(
        error,
        at=time.time(),
        every=every,
        times=round(seconds / every),
        users=PEOPLE,
        release=release,
    )


def runs(world: World) -> str:
    """Return the release that production runs."""
    return (world.folder / "current").read_text().strip()


def asked(world: World) -> list[str]:
    """Return the deploy script's arguments, run by run."""
    log = world.folder / "asked"
    return log.read_text().split() if log.exists() else []


def incidents(world: World) -> list[Channel]:
    return [c for c in world.workspace.channels.values() if c.name.startswith("inc-")]


def everything(person: Person, channel: Channel) -> list[Json]:
    """All messages of a channel, replies too, oldest first."""
    return [m for root in person.messages(channel) for m in person.thread(channel, root["ts"])]


def messages_with(person: Person, channel: Channel, words: str) -> list[Json]:
    """The bot's messages in a channel, replies too, that hold these words."""
    return [m for m in everything(person, channel) if m.get("bot_id") and words in plain(m)]


async def doctor_of(world: World) -> str:
    """Return the output of `firebreak doctor` beside this world's bot."""
    _, output, complained = await firebreak("doctor", env=world.bot.env)
    return output + complained


async def announced(person: Person, words: str) -> Json:
    """Wait for an announcement with these words; return it, and no message of its thread."""
    channel = person.workspace.channel("incidents")

    def look() -> Json | None:
        own = (m for m in person.messages(channel) if m.get("bot_id") and words in plain(m))
        return next(own, None)

    return await person.workspace.until(look, what=f"{words!r} is announced")


async def eventually(world: World, look: Any, what: str, seconds: float | None = None) -> Any:
    """Waits until `look()` is truthy."""
    return await world.workspace.until(lambda: look() or None, seconds=seconds, what=what)


async def declared(person: Person, text: str, name: str = "inc-0001-") -> Channel:
    """Declares with the slash command; waits until everything that this wants in Slack is there."""
    await person.command(f"/incident {text}")
    return await opened(person, name)


async def opened(person: Person, name: str = "inc-0001-") -> Channel:
    """Wait for an incident's channel.

    It has the decision, the pinned status, the announcement and the invited person.
    """
    channel = await person.channel(name)
    await person.sees("Decision 1", channel)
    announcements = person.workspace.channel("incidents")

    def there() -> bool:
        announced = any(f"<#{channel.id}>" in plain(m) for m in announcements.messages)
        return bool(person.id in channel.members and channel.pins and announced)

    await person.workspace.until(
        there, what=f"{channel.name}: {person.id} is invited, the status pinned, it is announced"
    )
    return channel


async def insist(person: Person, message: Json, action_id: str) -> None:
    """Click until it is heard: a bot on a busy machine may ask to try again."""

    def answered() -> list[Json]:
        return [m for m in person.ephemerals() if m["ts"] not in before]

    while action_id in str(person.now(message)):
        before = {m["ts"] for m in person.ephemerals()}
        await person.click(person.now(message), action_id)
        await person.workspace.until(
            lambda: answered() or action_id not in str(person.now(message)) or None,
            what=f"an answer to {action_id}",
        )
        assert all("try again" in plain(m) for m in answered())


async def typed(person: Person, text: str, channel: Channel) -> None:
    """Type a command until it is heard: a bot on a busy machine may ask to try again."""
    while "ry again" in str((await person.command(text, channel)).body):
        pass


async def ticket(world: World) -> Issue:
    """Wait for the ticket of the first incident, and return it."""
    return (await eventually(world, lambda: world.linear.issues, "the ticket"))[0]


async def recovered_in_the_shop(person: Person, channel: Channel) -> None:
    """Wait for the end of the check.

    A shop on a busy machine serves too few people for a verdict; then the bot asks, and is told.
    """

    def ended() -> Json | None:
        over = [m for m in messages_with(person, channel, "Recovered") if "○Learn" not in plain(m)]
        asks = [m for m in everything(person, channel) if "incident.recovered" in str(m)]
        return next(iter([*over, *asks]), None)

    message = await person.workspace.until(ended, what="the check ends")
    if "incident.recovered" in str(message):
        await person.click(message, "incident.recovered")
        await person.sees("*Recovered.*", channel)


def status(channel: Channel) -> str:
    """The pinned message, as it reads now."""
    pinned = channel.message(channel.pins[0]["ts"])
    assert pinned is not None
    return plain(pinned)


async def ephemeral_with(person: Person, words: str, *, after: str = "") -> Json:
    """Waits until the person alone is told something."""

    def look() -> Json | None:
        whispered = person.workspace.ephemerals.get(person.id, [])
        ephemerals = (m for m in reversed(whispered) if m["ts"] > after)
        return next((m for m in ephemerals if words in plain(m)), None)

    what = f"{person.id} alone is told {words!r}"
    return copied(await person.workspace.until(look, what=what))


def transcript(world: World) -> str:
    """Everything that stands in the workspace: for whoever reads why a story failed."""
    lines: list[str] = []
    for channel in world.workspace.channels.values():
        for message in channel.messages:
            who = message.get("user") or message.get("bot_id")
            reply = "  ↳ " if message.get("thread_ts", message["ts"]) != message["ts"] else ""
            text = plain(message).replace("\n", "\n      ")
            lines.append(f"{message['ts']} #{channel.name} {reply}{who}: {text}")
    for user, messages in world.workspace.ephemerals.items():
        lines += [f"{m['ts']} only for {user}: {plain(m)}" for m in messages]
    for user, notices in world.workspace.toasts.items():
        lines += [f"Slack tells {user}: {notice}" for notice in notices]
    return "\n".join(lines)


def log_lines(world: World) -> list[str]:
    """Return the whole lines of the bot's log: the last one may be half written just now."""
    text, _, _ = (world.folder / "bot.log").read_text().rpartition("\n")
    return text.splitlines()
