"""The catalogue's `turn_off`: run once for an id, without a shell, and stopped where it hangs."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bot.clients.deployers.turn_off import CommandSwitch
from phases.ports.ports import DeployState, PortError
from phases.record.service import DeployCommands, Service

SCRIPT = 'import sys, pathlib\npathlib.Path("seen").write_text(repr(sys.argv[1:]))\nprint("ok")\n'


def shop(folder: Path, *command: str, seconds: int = 900) -> Service:
    folder.mkdir(exist_ok=True)
    (folder / "flag.py").write_text(SCRIPT)
    commands = DeployCommands(
        directory=str(folder),
        run=("d", "{release}"),
        current=("c",),
        releases=("r",),
        limit_seconds=seconds,
    )
    argv = command or ("python3", "flag.py", "off", "{change}")
    return Service(name="shop", deploy=commands, turn_off=argv, turn_off_in=str(folder))


async def over(switch: CommandSwitch, id: str) -> DeployState:
    async with asyncio.timeout(100):
        while (state := await switch.look(id)).state == "running":  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    return state


async def test_the_name_is_one_argument_and_no_shell_reads_it(tmp_path: Path) -> None:
    service, switch = shop(tmp_path / "shop"), CommandSwitch(tmp_path / "state")
    for _ in range(2):
        await switch.start(service, "i-1", "New pricing v2")
    state = await over(switch, "i-1")
    assert (state.state, state.lines) == ("done", ("ok",))
    assert (tmp_path / "shop" / "seen").read_text() == "['off', 'New pricing v2']"


@pytest.mark.parametrize("name", ["-rf", "--all", "a;b", "$(x)", "", "a\nb"])
async def test_what_could_be_an_option_or_more_than_a_name_is_refused(
    tmp_path: Path, name: str
) -> None:
    service, switch = shop(tmp_path / "shop"), CommandSwitch(tmp_path / "state")
    with pytest.raises(PortError, match="may not become an argument"):
        await switch.start(service, "i-1", name)
    assert not (tmp_path / "state").exists()


async def test_a_command_that_hangs_is_stopped(tmp_path: Path) -> None:
    service = shop(tmp_path / "shop", "sleep", "60", "{change}", seconds=1)
    service = service.model_copy(update={"turn_off": ("sh", "-c", "sleep 60", "{change}")})
    switch = CommandSwitch(tmp_path / "state")
    await switch.start(service, "i-1", "new-pricing")
    state = await over(switch, "i-1")
    assert (state.state, state.reason) == (
        "failed",
        "it hung past its limit of 1 s and was stopped",
    )


async def test_a_command_that_is_not_there_starts_nothing(tmp_path: Path) -> None:
    service = shop(tmp_path / "shop", "./nothing.sh", "{change}")
    switch = CommandSwitch(tmp_path / "state")
    with pytest.raises(PortError, match="nothing was started"):
        await switch.start(service, "i-1", "new-pricing")
