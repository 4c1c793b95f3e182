"""The run of `firebreak doctor` as a program."""

from __future__ import annotations

import asyncio
import sys

from sandbox.world import World


async def doctor(world: World, **env: str) -> tuple[int, str]:
    """Run the program as a person would, with the bot's settings and changes to them.

    An empty setting is not set.
    """
    settings = {name: value for name, value in {**world.bot.env, **env}.items() if value}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", "doctor"),
        env=settings,
        cwd=world.folder,
        stdout=-1,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode()


def line(told: str, what: str) -> str:
    return next((one for one in told.splitlines() if one[3:].startswith(what)), "")
