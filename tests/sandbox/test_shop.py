"""The shop: a real repository, a real process, real deploys, and each way to break it."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import os
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from sandbox.sentry import Event, Sentry, sentry_app
from sandbox.shop.catalogue import REPRODUCE, deploy_command
from sandbox.shop.git import Tree
from sandbox.shop.shop import Shop
from sandbox.shop.work import Breakage
from tests.support.worlds.local_http import serving


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    sentry = Sentry()
    async with serving(Starlette(routes=[Mount("/sentry", sentry_app(sentry))])) as base:
        sentry.base_url = f"{base}/sentry"
        shop = Shop(tmp_path / "shop", sentry, background_errors=0)
        shop.traffic.pause, shop.traffic.retry, shop.traffic.most = 0.5, 2.0, 60
        await shop.start(traffic=False)
        yield shop
        await shop.stop()


async def until(condition: Callable[[], object], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        await asyncio.sleep(0.1)  # every look goes through all events


async def status_of(shop: Shop, path: str, user: str = "1001") -> int:
    async with httpx.AsyncClient(trust_env=False, verify=False, timeout=60) as http:
        return (await http.get(shop.url + path, headers={"X-User": user})).status_code


def since(shop: Shop, start: float) -> list[Event]:
    return [event for event in shop.sentry.events if event.timestamp >= start]


def reproduced(shop: Shop, directory: Path) -> int:
    command = [sys.executable, str(REPRODUCE), str(shop.home / "sample")]
    return subprocess.run(command, cwd=directory, check=False).returncode


def bisected(shop: Shop, good: str, bad: str, tmp_path: Path) -> str:
    """The first bad commit as `git bisect run` finds it in a scratch worktree."""
    scratch = Tree(tmp_path / "scratch")
    Tree(shop.repo).git("worktree", "add", "--quiet", "--detach", str(scratch.path), bad)
    scratch.git("bisect", "start", bad, good)
    scratch.git("bisect", "run", sys.executable, str(REPRODUCE), str(shop.home / "sample"))
    commit = scratch.git("rev-parse", "refs/bisect/bad")
    scratch.git("bisect", "reset")
    Tree(shop.repo).git("worktree", "remove", "--force", str(scratch.path))
    return commit


async def test_the_repository_and_what_is_known_of_its_releases(shop: Shop) -> None:
    repo = Tree(shop.repo)
    assert repo.tags() == ["v1.2.0", "v1.1.0", "v1.0.0"]
    assert len(repo.git("log", "--format=%H", "main").split()) == 12
    assert len(set(repo.git("log", "--format=%an").splitlines())) == 4
    assert "Record architecture decisions" in repo.git("log", "--format=%s")
    assert (shop.repo / "docs/adr/0001-record-architecture-decisions.md").exists()
    assert shop.current_release() == "v1.2.0"
    assert [entry["to"] for entry in shop.deploy_log()] == ["v1.0.0", "v1.1.0", "v1.2.0"]
    assert set(shop.sentry.releases) == {"shop@1.0.0", "shop@1.1.0", "shop@1.2.0"}
    assert all(len(release.deploys) == 1 for release in shop.sentry.releases.values())
    for path in ("/", "/cart", "/pay/confirm", "/health", "/health/pay"):
        assert await status_of(shop, path) == 200
    for tag in repo.tags():
        repo.git("worktree", "add", "--quiet", "--detach", str(shop.home / tag), tag)
        assert reproduced(shop, shop.home / tag) == 0, tag


async def test_a_deploy_can_be_asked_for_twice_and_is_told_to_sentry(shop: Shop) -> None:
    first = await shop.deploy("v1.1.0", who="firebreak")
    assert first.well, first.output
    assert "v1.1.0 runs in production" in first.output
    again = await shop.deploy("v1.1.0", who="firebreak")
    assert again.well
    assert "nothing to do" in again.output
    (entry,) = shop.deploy_log()[3:]
    assert (entry["who"], entry["from"], entry["to"], entry["result"]) == (
        "firebreak",
        "v1.2.0",
        "v1.1.0",
        "succeeded",
    )
    assert [deploy.name for deploy in shop.sentry.releases["shop@1.1.0"].deploys] == [
        "v1.1.0 by ci",
        "v1.1.0 by firebreak",
    ]
    assert (await shop._script("--current")).output == "v1.1.0\n"
    assert (await shop._script("--releases")).output.split() == ["v1.2.0", "v1.1.0", "v1.0.0"]
    for wrong in ("v9.9.9", "main", "../etc", "-x"):
        refused = await shop.deploy(wrong)
        assert refused.code == 2, wrong
    assert shop.current_release() == "v1.1.0"


async def test_a_release_that_does_not_come_up_is_not_in_production(shop: Shop) -> None:
    shop.next_deploy("fail")
    failed = await shop.deploy("v1.1.0")
    assert failed.code == 1
    assert (
        "v1.1.0 is NOT in production: the process ended at once: shop: no connection"
        in failed.output
    )
    assert "put v1.2.0 back" in failed.output
    assert shop.current_release() == "v1.2.0"
    assert shop.deploy_log()[-1]["result"] == "failed"
    assert (await shop.deploy("v1.1.0")).well


async def test_a_deploy_that_hangs_blocks_others_and_can_be_cancelled(shop: Shop) -> None:
    shop.next_deploy("hang")
    hanging = asyncio.create_task(shop.deploy("v1.1.0", who="firebreak"))
    await until(lambda: not (shop.run / "next-deploy").exists())
    deploying = shop.deploying()
    assert deploying
    assert (deploying["who"], deploying["to"]) == ("firebreak", "v1.1.0")
    busy = await shop.deploy("v1.0.0")
    assert (busy.code, busy.output) == (3, "another deploy is running: nothing was done\n")
    os.kill(deploying["pid"], signal.SIGTERM)
    assert (await hanging).code == 1
    assert shop.deploying() is None
    assert shop.deploy_log()[-1]["result"] == "cancelled"
    assert shop.current_release() == "v1.2.0"


PAGES = {"/", "/cart", "/pay"}


@pytest.mark.parametrize(("kind", "turns"), [("everything", 2), ("one-feature", 2)])
async def test_a_bad_release_breaks_it_and_bisect_finds_the_commit(
    shop: Shop, tmp_path: Path, kind: str, turns: int
) -> None:
    break_it = shop.break_everything if kind == "everything" else shop.break_one_feature
    good = "v1.2.0"
    for _ in range(turns):
        start = time.time()
        broken: Breakage = await break_it()
        assert shop.current_release() == broken.release
        await shop.traffic.start()
        await until(
            lambda since_=start: len({event.tags["user"] for event in since(shop, since_)}) >= 30
        )
        if kind == "everything":
            await until(
                lambda since_=start: {event.transaction for event in since(shop, since_)} >= PAGES
            )
        await shop.traffic.stop()
        events = [
            event for event in since(shop, start) if event.release == f"shop@{broken.release[1:]}"
        ]
        assert {event.type for event in events} == {broken.error}
        assert all(
            event.frame["filename"].startswith("shop/") and event.frame["in_app"]
            for event in events
        )
        assert {event.tags["region"] for event in events} == {"eu-west", "us-east", "ap-south"}
        assert len({event.tags["customer"] for event in events}) == 6
        assert not events[0].handled
        if kind == "one-feature":
            assert {event.transaction for event in events} <= {"/pay", "/pay/confirm"}
        assert await status_of(shop, "/health") == 503
        # The frame nearest to the crash is in a file that the guilty commit touched, or is called
        # from there.
        touched = Tree(shop.repo).git("show", "--format=", "--name-only", broken.commit).split()
        (exception,) = events[0].payload["exception"]["values"]
        assert set(touched) & {frame["filename"] for frame in exception["stacktrace"]["frames"]}
        assert bisected(shop, good, broken.release, tmp_path) == broken.commit
        assert (await shop.deploy(good, who="firebreak")).well
        assert await status_of(shop, "/health") == 200
        # The next break is made on top of a release that mends this one.
        number = int(broken.release.split(".")[1])
        good = f"v1.{number + 1}.0"


async def test_those_who_look_do_not_disturb_a_deploy(shop: Shop) -> None:
    over = False

    def look() -> None:
        while not over:
            shop.deploying()
            shop.current_release()

    lookers = [asyncio.create_task(asyncio.to_thread(look)) for _ in range(3)]
    for release in ("v1.1.0", "v1.0.0", "v1.2.0"):
        deployed = await shop.deploy(release)
        assert deployed.well, deployed.output
    over = True
    await asyncio.gather(*lookers)


async def test_a_killed_deploy_leaves_no_lock(shop: Shop) -> None:
    shop.next_deploy("hang")
    hanging = asyncio.create_task(shop.deploy("v1.1.0", who="firebreak"))
    await until(lambda: not (shop.run / "next-deploy").exists())
    deploying = shop.deploying()
    assert deploying
    os.kill(deploying["pid"], signal.SIGKILL)
    assert (await hanging).code == -signal.SIGKILL
    assert shop.deploying() is None
    assert len(shop.deploy_log()) == 3
    assert shop.current_release() == "v1.2.0"
    assert (await shop.deploy("v1.1.0")).well


async def test_ci_tells_who_wants_to_know(tmp_path: Path) -> None:
    heard: list[tuple[str, bytes]] = []

    async def hook(request: Request) -> Response:
        heard.append((request.headers["x-firebreak-signature"], await request.body()))
        return JSONResponse({"hold": True, "incident": "INC-0042"})

    async with serving(Starlette(routes=[Route("/hook", hook, methods=["POST"])])) as base:
        shop = Shop(
            tmp_path / "shop",
            Sentry(),
            background_errors=0,
            deploy_webhook=(f"{base}/hook", "a secret"),
        )
        await shop.start(traffic=False)
        deployed = await shop.deploy("v1.1.0")
        await shop.deploy("v1.2.0", who="firebreak")
        await shop.stop()
    ((signature, body),) = heard
    assert signature == "sha256=" + hmac.new(b"a secret", body, hashlib.sha256).hexdigest()
    payload = json.loads(body)
    assert (payload["service"], payload["version"], payload["event"]) == (
        "shop",
        "1.1.0",
        "finished",
    )
    assert "on hold because of INC-0042" in deployed.output
    assert "Sentry was not told" in deployed.output


async def test_a_little_is_always_wrong_and_has_been_for_long(tmp_path: Path) -> None:
    sentry = Sentry()
    async with serving(Starlette(routes=[Mount("/sentry", sentry_app(sentry))])) as base:
        sentry.base_url = f"{base}/sentry"
        shop = Shop(tmp_path / "shop", sentry, background_errors=1.0)
        shop.traffic.pause, shop.traffic.most = 0.5, 60
        start = time.time()
        await shop.start()
        await until(lambda: since(shop, start))
        await shop.stop()
    assert max(issue.times_seen for issue in sentry.issues.values()) > 1000
    event = since(shop, start)[0]
    assert event.handled
    assert event.transaction == "/"
    before = sentry.window(start - 86_400, start - 60)
    assert 0.6 < len(before) / 1440 < 1.2


async def test_a_hotfix_ships_the_head_of_its_branch(shop: Shop) -> None:
    broken = await shop.break_one_feature()
    assert await status_of(shop, "/pay") == 500
    assert Tree(shop.repo).resolve(broken.fix_branch) == broken.fix_commit
    shipped = await shop.deploy(broken.fix_commit, who="firebreak", hotfix=True)
    assert shipped.well, shipped.output
    assert await status_of(shop, "/pay") == 200
    assert shop.current_release() == broken.fix_commit
    assert f"shop@{broken.fix_commit}" in shop.sentry.releases
    assert await shop.ship_fix() == "v1.4.0"
    assert await status_of(shop, "/pay") == 200
    assert await shop.ship_fix() is None


async def test_bad_data_hits_one_person_in_one_feature(shop: Shop) -> None:
    await shop.traffic.start()
    for error in ("ValueError", "LookupError"):
        start = time.time()
        broken = await shop.break_bad_data()
        await until(lambda: len(since(shop, start)) >= 5)  # noqa: B023
        events = since(shop, start)
        assert {event.tags["user"] for event in events} == {f"id:{broken.user_id}"}
        assert {event.tags["customer"] for event in events} == {broken.customer}
        assert {event.transaction for event in events} <= {"/cart", "/cart/add"}
        assert {event.type for event in events} == {error} == {broken.error}
        assert await status_of(shop, "/health") == 200
        assert await shop.repair_data() == 1
        assert await status_of(shop, "/cart", broken.user_id) == 200
    assert shop.current_release() == "v1.2.0"


async def test_breaks_in_any_order_leave_the_repository_sound(shop: Shop) -> None:
    """Somebody commits a post-mortem in between, on main and on a branch; both survive."""
    repo = Tree(shop.repo)
    first = await shop.break_everything(one_way=True)
    assert "migrations/" in repo.git("diff", "--name-only", "v1.2.0", first.release)
    await shop.break_bad_data()
    (shop.repo / "docs/adr/0002-post-mortem.md").write_text("# 2. Post-mortem\n")
    repo.git("add", "docs/adr/0002-post-mortem.md")
    repo.git("commit", "--quiet", "-m", "Post-mortem of INC-0001")
    second = await shop.break_one_feature()
    repo.git("checkout", "--quiet", "-b", "adr/inc-0002")
    third = await shop.break_everything()
    repo.git("checkout", "--quiet", "main")
    assert [breakage.release for breakage in (first, second, third)] == [
        "v1.3.0",
        "v1.5.0",
        "v1.7.0",
    ]
    assert (shop.repo / "docs/adr/0002-post-mortem.md").exists()
    assert repo.git("status", "--porcelain") == ""
    assert len(repo.git("log", "--format=%H", "v1.2.0..v1.3.0").split()) in (5, 6)
    assert len({breakage.fix_branch for breakage in (first, second, third)}) == 3
    dates = [int(line) for line in repo.git("log", "--format=%ct", "v1.7.0").split()]
    assert dates == sorted(dates, reverse=True)


async def test_the_shop_stays_when_nobody_deploys_and_leaves_with_its_keeper(shop: Shop) -> None:
    pid = int((shop.run / "shop.pid").read_text())
    another = Shop(shop.home, shop.sentry)
    with pytest.raises(RuntimeError, match="another sandbox"):
        another._build(fresh=False)
    assert shop._house
    shop._house.close()
    await until(lambda: shop.current_release() is None)
    assert pid
    again = Shop(shop.home, shop.sentry, background_errors=0)
    await again.start(traffic=False)
    assert again.current_release() == "v1.2.0"
    assert len(again.deploy_log()) == 3
    await again.stop()
    assert again.current_release() is None


def test_the_catalogue_is_toml(tmp_path: Path) -> None:
    shop = Shop(tmp_path / 'with "quotes" and ümlaut', Sentry())
    shop.write_services(tmp_path / "services.toml")
    service = tomllib.loads((tmp_path / "services.toml").read_text())["services"]["shop"]
    assert service["deploy"]["run"] == deploy_command(sys.executable, shop.home, "{release}")
    assert service["deploy"]["hotfix"][-2:] == ["--hotfix", "{commit}"]
    assert service["endpoint"] == f"http://127.0.0.1:{shop.port}/health"
    assert service["features"]["payment"] == "/pay*"
    assert service["release"]["sentry"] == "shop@{version}"
