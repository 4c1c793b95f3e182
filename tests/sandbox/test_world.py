"""The local world without its shop and bot.

It starts at once, several times, alone in its folder, and complete.
"""

from __future__ import annotations

import sys
from pathlib import Path

import httpx
import pytest

from sandbox.serving import PortTaken, free_port
from sandbox.world import FolderTaken, World


def bare(folder: Path, port: int = 0) -> World:
    return World(folder, port=port, with_bot=False, with_shop=False)


async def test_every_system_answers_under_one_address(tmp_path: Path) -> None:
    async with (
        bare(tmp_path) as world,
        httpx.AsyncClient(base_url=world.url, trust_env=False, verify=False) as http,
    ):
        assert "Firebreak" in (await http.get("/")).text
        slack = await http.post(
            "/slack/api/auth.test", headers={"Authorization": "Bearer xoxb-sandbox"}
        )
        assert slack.json()["ok"] is True
        token = {"Authorization": "Bearer sntryi_sandbox"}
        assert (
            await http.get("/sentry/api/0/organizations/sandbox/issues/", headers=token)
        ).json() == []
        asked = {"query": "query { viewer { id } }"}
        assert (
            "data"
            in (
                await http.post(
                    "/linear/graphql", json=asked, headers={"Authorization": "lin_api_sandbox"}
                )
            ).json()
        )
        assert (
            await http.post("/discord/api/webhooks/1/sandbox?wait=true", json={"content": "x"})
        ).json()["content"] == "x"
        assert (await http.post("/pagerduty/v2/enqueue", json={})).status_code == 400
        link = world.workspace.permalink("C0GENERAL", "1700000000.000100")
        assert (await http.get(link)).headers["location"] == "/?channel=C0GENERAL#p1700000000000100"


async def test_one_after_another_in_the_same_folder(tmp_path: Path) -> None:
    for _ in range(2):
        async with bare(tmp_path) as world:
            world.discord.post("left behind")
            (world.folder / "valkey").mkdir()
    async with bare(tmp_path) as world:
        assert not (world.folder / "valkey").exists()
        assert world.discord.posts == []


async def test_alone_in_its_folder_and_on_its_port(tmp_path: Path) -> None:
    async with bare(tmp_path / "one") as world:
        with pytest.raises(FolderTaken):
            bare(tmp_path / "one")
        port = int(world.url.rsplit(":", 1)[1])
        with pytest.raises(PortTaken):
            bare(tmp_path / "two", port)
    async with bare(tmp_path / "one"):
        pass


@pytest.mark.skipif(sys.platform != "linux", reason="chance has to do elsewhere")
def test_a_port_is_given_to_nobody_else_before_somebody_listens(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    port = free_port()
    monkeypatch.setattr("sandbox.serving.random.sample", lambda *_: [port])
    with pytest.raises(PortTaken):
        free_port()


async def test_the_bot_is_told_of_this_world_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://production.example")
    monkeypatch.setenv("GITHUB_TOKEN", "real")
    async with bare(tmp_path) as world:
        assert not {"REDIS_URL", "GITHUB_TOKEN"} & world.bot.env.keys()
        assert all(
            world.url in world.bot.env[name]
            for name in ("SLACK_API_URL", "SENTRY_URL", "LINEAR_API_URL")
        )
