"""The `command` deployer with real processes.

They start once, are followed and stopped, and are found again after a kill -9 of the bot.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bot.clients.deployers import deployer_for
from bot.clients.deployers.command import CommandDeployer
from bot.clients.processes import commands, records
from bot.performers.deploys import start_deploy
from bot.store.job import Job
from phases.messages.base import Action
from phases.messages.effects import StartDeploy
from phases.messages.results import DeployNotStarted, DeployStarted
from phases.ports.ports import DeployState, NotSetUp, PortError
from phases.record.findings import Release
from phases.record.incident import ActionKind
from phases.record.service import DeployCommands, ReleaseNames, Service

SHA = "0123456789abcdef0123456789abcdef01234567"
HOTFIX = Release(version=f"hotfix fix/tax@{SHA[:7]}", commit=SHA)


def shop(path: Path, deploy: str, *, limit: int = 60, tag: str = "v{version}") -> Service:
    """A shop that is deployed by writing what runs into a file, after whatever `deploy` does."""
    scripts = {
        "deploy.sh": f'#!/bin/sh\necho "$@" >> asked\n{deploy}\necho "$1" > running\n',
        "hotfix.sh": '#!/bin/sh\necho "$2" > running\n',
        "current.sh": "#!/bin/sh\ncat running\n",
        "releases.sh": (
            "#!/bin/sh\nprintf 'v43\\nv42\\nnightly\\nv41\\nv--help\\nv$(ls)\\n\\nv42\\n'\n"
        ),
    }
    path.mkdir(parents=True)
    for name, text in scripts.items():
        (path / name).write_text(text)
        (path / name).chmod(0o755)
    (path / "running").write_text("v43\n")
    commands = DeployCommands(
        directory=str(path),
        run=("./deploy.sh", "{release}"),
        current=("./current.sh",),
        releases=("./releases.sh",),
        hotfix=("./hotfix.sh", "--hotfix", "{commit}"),
        limit_seconds=limit,
    )
    return Service(
        name="shop",
        deployer="command",
        deploy=commands,
        release=ReleaseNames(tag=tag, deploy="v{version}"),
    )


async def until(
    deployer: CommandDeployer, shop: Service, id: str, so: Callable[[DeployState], bool]
) -> DeployState:
    deadline = time.monotonic() + 100
    while not so(state := await deployer.look(shop, id)):
        assert time.monotonic() < deadline, state
        await asyncio.sleep(0.02)
    return state


async def until_over(deployer: CommandDeployer, shop: Service, id: str) -> DeployState:
    return await until(deployer, shop, id, lambda state: state.state != "running")


def wait_until_gone(pid: int) -> None:
    """Wait for the end of a process that was killed: the system takes its time."""
    deadline = time.monotonic() + 60
    while records._started(pid) is not None:
        assert time.monotonic() < deadline, f"{pid} still runs"
        time.sleep(0.01)


def record(state: Path, name: str) -> dict[str, Any]:
    return records.read(next(state.glob(f"deploys/*/{name}"))) or {}


def kill(marked: dict[str, Any]) -> None:
    os.kill(marked["pid"], signal.SIGKILL)
    while records.find(marked) == "running":
        time.sleep(0.01)


async def test_what_runs_and_what_may_be_deployed(tmp_path: Path) -> None:
    service = shop(tmp_path / "shop", "true")
    deployer = CommandDeployer(tmp_path / "state")
    assert await deployer.running(service) == Release(version="43")
    # `nightly` fits no pattern; `v--help` and `v$(ls)` fit, but may not be deployed.
    assert [r.version for r in await deployer.releases(service)] == ["43", "42", "41"]
    assert deployer_for(service, {"command": deployer}) is deployer
    assert (
        deployer_for(service.model_copy(update={"deployer": "github"}), {"command": deployer})
        is None
    )


async def test_a_name_that_fits_no_pattern_is_shown_as_it_is(tmp_path: Path) -> None:
    service = shop(tmp_path / "shop", "true")
    deployer = CommandDeployer(tmp_path / "state")
    (tmp_path / "shop" / "running").write_text("canary build 7\n")
    assert await deployer.running(service) == Release(version="canary build 7")
    (tmp_path / "shop" / "running").write_text("\n \n")
    assert await deployer.running(service) is None


async def test_a_deploy_runs_and_is_read_back(tmp_path: Path) -> None:
    service = shop(tmp_path / "shop", "for n in 1 2 3 4 5 6 7; do echo step $n; done")
    deployer = CommandDeployer(tmp_path / "state")
    await deployer.start(service, "INC-1:1", Release(version="42"), hotfix=False)
    state = await until_over(deployer, service, "INC-1:1")
    assert (state.state, state.reason) == ("done", "")
    assert state.lines == ("step 3", "step 4", "step 5", "step 6", "step 7")
    assert state.output is not None
    assert state.output.lines == (*(f"step {n}" for n in range(1, 8)), "[exit code 0]")
    assert state.started_at is not None
    assert state.finished_at is not None
    assert state.started_at <= state.finished_at
    assert await deployer.running(service) == Release(version="42")
    assert (tmp_path / "shop" / "asked").read_text() == "v42\n"


async def test_a_known_deploy_is_never_started_again(tmp_path: Path) -> None:
    service = shop(tmp_path / "shop", "true")
    deployer, other = CommandDeployer(tmp_path / "state"), CommandDeployer(tmp_path / "state")
    await asyncio.gather(
        *(
            d.start(service, "d", Release(version="42"), hotfix=False)
            for d in (deployer, other, deployer, other)
        )
    )
    await until_over(deployer, service, "d")
    await deployer.start(service, "d", Release(version="41"), hotfix=False)
    assert (tmp_path / "shop" / "asked").read_text() == "v42\n"


async def test_a_hotfix_goes_by_its_full_commit_and_is_known_again(tmp_path: Path) -> None:
    service = shop(tmp_path / "shop", "true")
    deployer = CommandDeployer(tmp_path / "state")
    await deployer.start(service, "d", HOTFIX, hotfix=True)
    assert (await until_over(deployer, service, "d")).state == "done"
    assert (tmp_path / "shop" / "running").read_text().strip() == SHA
    assert await deployer.running(service) == HOTFIX
    with pytest.raises(PortError, match="full commit"):
        await deployer.start(
            service, "e", Release(version="hotfix x@1234567", commit="1234567"), hotfix=True
        )


@pytest.mark.parametrize(
    "version", ["44", "--help", "42; rm -rf /", "$(ls)", "nightly", "", "42\n", "x" * 300]
)
async def test_only_what_is_in_the_list_is_deployed(tmp_path: Path, version: str) -> None:
    service = shop(tmp_path / "shop", "true")
    deployer = CommandDeployer(tmp_path / "state")
    with pytest.raises(PortError) as refused:
        await deployer.start(service, "d", Release(version=version), hotfix=False)
    assert not refused.value.retryable
    assert not (tmp_path / "shop" / "asked").exists()
    assert (await deployer.look(service, "d")).state == "unknown"


async def test_a_failure_says_how_it_ended_and_hides_secrets(tmp_path: Path) -> None:
    service = shop(
        tmp_path / "shop",
        (
            "echo pushing with token=hunter2hunter2; echo 'https://me:pw@host/x' >&2; echo "
            "ghp_0123456789abcdefghij; exit 3"
        ),
    )
    deployer = CommandDeployer(tmp_path / "state")
    await deployer.start(service, "d", Release(version="42"), hotfix=False)
    state = await until_over(deployer, service, "d")
    assert (state.state, state.reason) == ("failed", "the command ended with exit code 3")
    assert state.lines == (
        "pushing with token=[redacted]",
        "https://[redacted]@host/x",
        "[redacted]",
    )
    assert state.output is not None
    assert state.output.lines == (*state.lines, "[the command ended with exit code 3]")


async def test_the_last_line_before_a_failure_mostly_says_why(tmp_path: Path) -> None:
    service = shop(
        tmp_path / "shop", "echo checking out; echo 'no connection to the database' >&2; exit 1"
    )
    deployer = CommandDeployer(tmp_path / "state")
    await deployer.start(service, "d", Release(version="42"), hotfix=False)
    state = await until_over(deployer, service, "d")
    assert state.reason == "the command ended with exit code 1: no connection to the database"


async def test_a_deploy_gets_none_of_the_bots_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-secret")
    monkeypatch.setenv("SHOP_REGION", "eu-west")
    service = shop(tmp_path / "shop", "env > env")
    deployer = CommandDeployer(tmp_path / "state")
    await deployer.start(service, "d", Release(version="42"), hotfix=False)
    await until_over(deployer, service, "d")
    environment = (tmp_path / "shop" / "env").read_text()
    assert "SLACK" not in environment
    assert "SHOP_REGION=eu-west" in environment


async def test_a_deploy_that_hangs_is_stopped_with_its_children(tmp_path: Path) -> None:
    service = shop(tmp_path / "shop", "sleep 600 & echo $! > child; wait", limit=1)
    deployer = CommandDeployer(tmp_path / "state")
    await deployer.start(service, "d", Release(version="42"), hotfix=False)
    state = await until_over(deployer, service, "d")
    assert (state.state, state.reason) == (
        "failed",
        "it hung past its limit of 1 s and was stopped",
    )
    child = int((tmp_path / "shop" / "child").read_text())
    wait_until_gone(child)
    assert await deployer.running(service) == Release(version="43")


async def test_nothing_is_started_where_the_command_is_not_there(tmp_path: Path) -> None:
    service = shop(tmp_path / "shop", "true")
    (tmp_path / "shop" / "deploy.sh").unlink()
    deployer = CommandDeployer(tmp_path / "state")
    with pytest.raises(PortError, match="nothing was started"):
        await deployer.start(service, "d", Release(version="42"), hotfix=False)
    state = await deployer.look(service, "d")
    assert state.state == "failed"
    assert "could not be started" in state.reason
    with pytest.raises(NotSetUp):
        await deployer.running(Service(name="other"))


async def test_questions_that_hang_or_fail_are_errors(tmp_path: Path) -> None:
    service = shop(tmp_path / "shop", "true")
    (tmp_path / "shop" / "current.sh").write_text(
        "#!/bin/sh\necho 'no route, password: geheim' >&2\nexit 7\n"
    )
    with pytest.raises(PortError, match=r"no route, password: \[redacted\]") as failed:
        await CommandDeployer(tmp_path / "state").running(service)
    assert failed.value.retryable


async def test_the_deploy_goes_on_when_the_bot_is_killed(tmp_path: Path) -> None:
    service = shop(tmp_path / "shop", "touch here; while [ ! -e gate ]; do sleep 0.02; done")
    bot = bot_that_starts(tmp_path / "state", service)
    while not await asyncio.to_thread((tmp_path / "shop" / "here").exists):
        assert bot.poll() is None
        await asyncio.sleep(0.02)
    os.killpg(bot.pid, signal.SIGKILL)
    bot.wait()
    deployer = CommandDeployer(tmp_path / "state")
    assert (await deployer.look(service, "d")).state == "running"
    # The outbox says it again.
    await deployer.start(service, "d", Release(version="42"), hotfix=False)
    (tmp_path / "shop" / "gate").touch()
    assert (await until_over(deployer, service, "d")).state == "done"
    assert (tmp_path / "shop" / "asked").read_text() == "v42\n"


def starter(service: Service, deployer: CommandDeployer) -> Callable[[int], Awaitable[Action]]:
    """The effect that starts a deploy, by the number of its try."""
    incident = SimpleNamespace(drill=False)

    async def incident_of(job: object) -> SimpleNamespace:
        return incident

    ctx: Any = SimpleNamespace(
        incident=incident_of, service=lambda _: service, deployer_for=lambda _: deployer
    )
    running, to = Release(version="43"), Release(version="42")
    effect = StartDeploy(deploy_id="d", kind=ActionKind.ROLLBACK, to=to, running=running)
    return lambda attempt: start_deploy(
        effect, cast("Job", SimpleNamespace(incident="INC-0001", attempt=attempt)), ctx
    )


def refusing(monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    """A host that cannot start another process for a while."""
    real = commands.run

    async def run(argv: Sequence[str], **more: Any) -> commands.Output:
        nonlocal times
        if "bot.clients.processes.watcher" in argv and times:
            times -= 1
            raise commands.CommandFailed("Resource temporarily unavailable")
        return await real(argv, **more)

    monkeypatch.setattr("bot.clients.deployers.recorded.run", run)


async def test_a_start_that_failed_is_tried_again_and_not_taken_for_one_under_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = shop(tmp_path / "shop", "true")
    deployer = CommandDeployer(tmp_path / "state")
    start = starter(service, deployer)
    refusing(monkeypatch, 1)
    with pytest.raises(PortError, match="nothing was started") as failed:
        await start(1)
    assert failed.value.retryable
    assert isinstance(await start(2), DeployStarted)
    assert (await until_over(deployer, service, "d")).state == "done"
    assert isinstance(await start(3), DeployStarted)
    assert (tmp_path / "shop" / "asked").read_text() == "v42\n"


async def test_what_is_said_not_to_have_started_does_not_start_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = shop(tmp_path / "shop", "true")
    deployer = CommandDeployer(tmp_path / "state")
    start = starter(service, deployer)
    refusing(monkeypatch, 9)
    for attempt in (1, 2, 3):
        with pytest.raises(PortError, match="nothing was started"):
            await start(attempt)
    assert isinstance(await start(4), DeployNotStarted)
    # The launcher of the first try was only slow.
    folder = str(next((tmp_path / "state" / "deploys").iterdir()))
    late = await commands.run(
        [sys.executable, "-m", "bot.clients.processes.watcher", folder],
        cwd=str(Path(__file__).parents[5]),
        seconds=10,
    )
    assert late.code == 0
    assert (await deployer.look(service, "d")).state == "failed"
    assert not (tmp_path / "shop" / "asked").exists()


async def test_a_bot_killed_between_record_and_process_leaves_a_deploy_that_starts_once(
    tmp_path: Path,
) -> None:
    service = shop(tmp_path / "shop", "true")
    deployer = CommandDeployer(tmp_path / "state")
    job = {
        "argv": ["./deploy.sh", "v42"],
        "cwd": str(tmp_path / "shop"),
        "limit_seconds": 60,
        "deploy_id": "d",
        "service": "shop",
        "version": "42",
        "commit": None,
        "hotfix": False,
        "at": "2024-05-01T00:00:00+00:00",
    }
    records.create(records.folder_of(tmp_path / "state", "deploys", "d") / "job.json", job)
    state = await deployer.look(service, "d")
    assert (state.state, state.reason) == ("unknown", "it was recorded, but never seen to start")
    assert isinstance(await starter(service, deployer)(2), DeployStarted)
    assert (await until_over(deployer, service, "d")).state == "done"


async def test_a_lost_watcher_is_reported_and_never_guessed(tmp_path: Path) -> None:
    service = shop(tmp_path / "shop", "while [ ! -e gate ]; do sleep 0.02; done")
    deployer = CommandDeployer(tmp_path / "state")
    await deployer.start(service, "d", Release(version="42"), hotfix=False)
    await asyncio.to_thread(kill, record(tmp_path / "state", "process.json"))
    assert (await deployer.look(service, "d")).state == "running"  # the command itself goes on
    (tmp_path / "shop" / "gate").touch()
    state = await until_over(deployer, service, "d")
    assert state.state == "unknown"
    assert "gone without an exit code" in state.reason
    # Which is why what runs is read back.
    assert await deployer.running(service) == Release(version="42")


async def test_a_pid_that_was_used_again_is_not_taken_for_the_deploy(tmp_path: Path) -> None:
    service = shop(tmp_path / "shop", "sleep 600")
    deployer = CommandDeployer(tmp_path / "state")
    await deployer.start(service, "d", Release(version="42"), hotfix=False)
    watcher = record(tmp_path / "state", "process.json")
    child = record(tmp_path / "state", "child.json")
    await asyncio.to_thread(kill, watcher)
    await asyncio.to_thread(records.end_group, child)
    folder = records.folder_of(tmp_path / "state", "deploys", "d")
    records.replace(folder / "process.json", {**watcher, "pid": os.getpid()})
    assert (await deployer.look(service, "d")).state == "unknown"
    records.replace(folder / "process.json", {**watcher, "host": "elsewhere"})
    assert "host elsewhere" in (await deployer.look(service, "d")).reason


def bot_that_starts(state: Path, service: Service) -> subprocess.Popen[bytes]:
    program = (
        "import asyncio, sys, time\nfrom pathlib import Path\nfrom bot.clients.deployers.command "
        "import CommandDeployer\n"
        "from phases.record.findings import Release\nfrom phases.record.service import Service\n"
        "service = Service.model_validate_json(sys.argv[2])\n"
        "asyncio.run(CommandDeployer(Path(sys.argv[1])).start(service, 'd', Release(version='42'), "
        "hotfix=False))\n"
        "time.sleep(600)"
    )
    return subprocess.Popen(
        [sys.executable, "-c", program, str(state), service.model_dump_json()],
        start_new_session=True,
    )
