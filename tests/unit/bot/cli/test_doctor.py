"""`firebreak doctor` on scopes, release names and the store.

The whole of it runs in tests/workspace/operations/test_setting_up.py.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import yaml

from bot.cli.checks import Finding, broken, works
from bot.cli.checks.release_names import side_by_side
from bot.cli.checks.slack import SCOPES
from bot.cli.checks.store import store as look_at_store
from bot.cli.doctor import agents, table
from bot.config.settings import Settings, load
from bot.connection.embedded import embedded
from bot.outbox.dead_letters import add_timer_letter
from bot.store.incident_store import Store
from phases.record.service import ReleaseNames, Service
from tests.support.values.factories import service

NAMES = ReleaseNames(sentry="shop@{version}", tag="v{version}", deploy="{version}")
SHOP = service(release=NAMES)


def test_the_scopes_are_the_manifests() -> None:
    manifest = yaml.safe_load((Path(__file__).parents[4] / "manifest.yml").read_text())
    assert set(SCOPES) == set(manifest["oauth_config"]["scopes"]["bot"])


def test_names_that_fit_are_shown_side_by_side() -> None:
    sides = [
        ("sentry", NAMES.sentry, ["shop@1.3.0", "shop@1.2.0", "shop@1.1.0", "shop@1.0.0"]),
        ("tag", NAMES.tag, ["v1.3.0", "nightly"]),
        ("deploy", NAMES.deploy, ["1.3.0"]),
    ]
    findings = side_by_side(SHOP, sides)
    assert [finding.state for finding in findings] == ["works"] * 3
    assert "shop@1.3.0, shop@1.2.0, shop@1.1.0 (read by" in findings[0].says


def test_names_that_no_pattern_reads_are_broken_with_the_pattern_that_would() -> None:
    [finding] = side_by_side(
        SHOP, [("sentry", NAMES.sentry, ["shop-web@1.3.0+7", "shop-web@1.2.0+6"])]
    )
    assert finding.state == "broken"
    assert 'sentry = "shop-web@{version}+{build}"' in finding.mend


def test_versions_that_no_two_systems_share_are_broken() -> None:
    sides = [("sentry", "{version}", ["shop@1.3.0"]), ("tag", "v{version}", ["v1.3.0"])]
    findings = side_by_side(SHOP, sides)
    assert findings[-1].state == "broken"
    assert "Sentry and Git have not one version in common" in findings[-1].says


def test_a_system_without_releases_is_no_fault() -> None:
    [finding] = side_by_side(SHOP, [("tag", "v{version}", [])])
    assert finding.state == "unproven"


def test_the_table_names_what_is_broken_once_more() -> None:
    text = table(
        [
            works("Settings", "complete"),
            broken("Slack token", "Slack refused auth.test: invalid_auth.", "copy it"),
        ]
    )
    assert "✓ Settings" in text
    assert "→ copy it" in text
    assert "To be mended: Slack token." in text
    assert "Everything that is set up works." in table([Finding("off", "Linear", "no ticket")])


def settings(**more: object) -> Settings:
    return load(slack_bot_token="xoxb-1", slack_signing_secret="s", **more)


async def looked(given: Settings) -> list[Finding]:
    async with AsyncExitStack() as stack:
        return await look_at_store(given, stack)


async def test_what_was_set_aside_is_listed(store: Store, redis_url: str) -> None:
    given = settings(redis_url=redis_url)
    assert [finding.says for finding in await looked(given) if finding.what == "Outbox"] == [
        "nothing was set aside"
    ]
    await add_timer_letter(
        store, incident="INC-0007", name="timer 3", reason="2 fields do not fit", action="{}"
    )
    [aside] = [finding for finding in await looked(given) if finding.what == "Outbox"]
    assert "timer 3 of INC-0007: 2 fields do not fit" in aside.says


async def test_a_redis_that_is_not_there_is_broken(tmp_path: Path) -> None:
    [finding] = await looked(settings(redis_url=f"unix://{tmp_path}/none.sock"))
    assert (finding.state, finding.what) == ("broken", "Redis")
    assert "REDIS_URL" in finding.mend


async def test_a_folder_on_which_the_bot_runs_is_fine(tmp_path: Path) -> None:
    async with embedded(tmp_path):
        [finding] = await looked(settings(data_dir=tmp_path))
    assert finding.state == "works"
    assert "in use" in finding.says


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1"])
async def test_no_secret_is_in_the_table(url: str) -> None:
    findings = await looked(settings(redis_url=url.replace("//", "//:hunter2hunter2@")))
    assert "hunter2" not in table(findings)


C, D = "1a2b3c4d5e6f7a8b9c0d1e2f3a4b5c6d7e8f9a0b", "cd" * 20


def test_releases_that_are_commits_need_no_tag_at_each() -> None:
    sides = [
        ("sentry", "{version}", [C, D]),
        ("tag", "{version}", ["v1.4.0"]),
        ("deploy", "{version}", [C[:7]]),
    ]
    findings = side_by_side(Service(name="shop"), sides, {"v1.4.0": "ef" * 20})
    assert [finding.state for finding in findings] == ["works", "works", "works", "unproven"]
    assert findings[-1].says.startswith(
        "Sentry and the deployer: commits, at none of which a tag points"
    )
    elsewhere = side_by_side(
        Service(name="shop"),
        [*sides[:2], ("deploy", "{version}", ["812", "811"])],
        {"v1.4.0": "ef" * 20},
    )
    assert "Sentry and the deployer have not one version in common." in [
        finding.says for finding in elsewhere
    ]


@pytest.mark.parametrize("before", ["shop@", "main-", "sha-"])
def test_what_stands_before_a_commit_is_advised_though_no_tag_points_at_it(before: str) -> None:
    names = [f"{before}{sha[:7]}" for sha in (C, "f" + C)]
    sides = [("sentry", "{version}", names), ("tag", "{version}", ["v1.4.0"])]
    findings = side_by_side(Service(name="shop"), sides, {"v1.4.0": "ef" * 20})
    assert findings[-1].mend.endswith(f'sentry = "{before}{{version}}"')


def test_the_door_of_agents_has_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    assert agents().state == "works"
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert (agents().state, agents().mend) == (
        "off",
        "pip install 'firebreak[mcp]' (docs/agents.md)",
    )
