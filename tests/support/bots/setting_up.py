"""The run of `firebreak doctor` as a program."""

from __future__ import annotations

from sandbox.world import World
from tests.support.bots.forked import firebreak


async def doctor(world: World, **env: str) -> tuple[int, str]:
    """Run the program as a person would, with the bot's settings and changes to them.

    An empty setting is not set.
    """
    settings = {name: value for name, value in {**world.bot.env, **env}.items() if value}
    code, output, complained = await firebreak("doctor", env=settings, cwd=world.folder)
    return code, output + complained


def line(output: str, what: str) -> str:
    return next((row for row in output.splitlines() if row[3:].startswith(what)), "")
