"""Stories on GitHub: a rollback and a hotfix by workflow, and pull requests.

One pull request is the cause's, one the post-mortem's.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from sandbox.faults import Faults
from sandbox.github.api import github_app
from sandbox.github.state import TOKEN, File, GitHub, Pull
from sandbox.serving import bound, serving
from sandbox.slack.people import Json
from sandbox.world import World
from tests.support.bots.on_github import ON_GITHUB, SECRET, deployed, started
from tests.support.bots.stage import (
    burn,
    declared,
    eventually,
    go_on_burning,
    messages_with,
    town,
    transcript,
)

REGIONS = """@@ -18,4 +18,6 @@ def current_visitor(user_id):
     account = store.account(user_id)
     if account is None:
         raise Unknown(user_id)
+    account.zone = ZONES[account.settings['region']]
+    account.currency = CURRENCIES[account.zone]
     return account"""
"""The pull request's commit: line 21 is where the town's Sentry has it crash."""


@pytest.fixture
def github() -> GitHub:
    made = GitHub()
    for number in (1, 2):
        made.commit(f"{number}" * 40, f"Change {number}", tag=f"v1.{number}.0")
    made.commit("b" * 40, "Regions", File("shop/session.py", REGIONS, added=2)).pull = 7
    made.commit("3" * 40, "Release", tag="v1.3.0")
    made.pulls += [
        Pull(7, "Regions", "b" * 40, "regions", merged=True),
        Pull(9, "No region", "f" * 40, "fix/region"),
    ]
    made.blame["3" * 40, "shop/session.py"] = [(1, 20, "1" * 40), (21, 22, "b" * 40)]
    deployed(made)
    return made


@pytest.fixture
async def world(tmp_path: Path, github: GitHub) -> AsyncIterator[World]:
    listening = bound(0)
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    env = {"GITHUB_API_URL": url, "GITHUB_TOKEN": TOKEN, "GITHUB_WEBHOOK_SECRET": SECRET}
    async with serving(github_app(github, Faults()), listening, lambda: None):
        services = ON_GITHUB.replace('deploy = "v{version}"', 'deploy = "{version}"')
        async with town(tmp_path, services=services, env=env) as made:
            try:
                yield made
            finally:
                print(transcript(made))  # pytest shows it where a story fails


TEMPLATE = (
    "# NUMBER. TITLE\n\nDate: DATE\n\n## Status\n\nSTATUS\n\n## Context\n\nWhy?\n\n## Decision\n"
    "\n## Consequences\n"
)


async def test_a_rollback_by_workflow(world: World, github: GitHub) -> None:
    alice = world.alice
    burn(world)
    channel = await declared(alice, "checkout is failing")
    decision = await alice.sees("Recommended: roll back", channel)
    await alice.click(decision, "decision.rollback")
    run = await started(world, github, "deploy.yml")
    assert re.fullmatch(r"inc-0001-[0-9a-z]{4}-1", run.inputs["decision"]), (
        "unlike that of another incident 1"
    )
    assert {**run.inputs, "decision": ""} == {
        "release": "1.2.0",
        "commit": "",
        "decision": "",
        "hotfix": "false",
    }
    github.advance(run, "in_progress")
    world.kill_bot()
    await world.bot.until_running()
    github.finish(run)
    await alice.sees("Deployed: 1.3.0 → 1.2.0", channel)
    assert len(github.runs) == 1


async def test_the_culprits_revert_is_prepared_and_shipped_as_a_hotfix(
    world: World, github: GitHub
) -> None:
    alice = world.alice
    burn(world)
    channel = await declared(alice, "checkout is failing")
    decision = await alice.sees("Recommended: roll back", channel)
    await alice.click(decision, "decision.investigate")

    def trees() -> list[Json]:
        return [
            m
            for m in messages_with(alice, channel, "Root cause")
            if "incident.revert" in json.dumps(m)
        ]

    (tree,) = await eventually(world, trees, "a suspect with a pull request")
    await alice.click(tree, "incident.revert")
    await alice.sees("is prepared: <https://github.com/acme/shop/pull/10>", channel)
    assert [p.title for p in github.pulls] == ["Regions", "No region", 'Revert "Regions"']

    await alice.click(decision, "decision.hotfix")
    form = await alice.open_modal("incident.hotfix", text="Branch or pull request")
    shown = json.dumps(form)
    assert "checks green: No region" in shown
    assert "checks running: Revert" in shown
    revert = github.pulls[-1]
    await alice.submit(form, {"fix": f"{revert.head_sha} #10"})
    run = await started(world, github, "hotfix.yml")
    assert (run.inputs["commit"], run.inputs["release"]) == (
        revert.head_sha,
        f"hotfix #10@{revert.head_sha[:7]}",
    )
    github.finish(run)
    await alice.sees("Deployed: 1.3.0 → hotfix #10", channel)


async def test_the_post_mortem_is_a_pull_request_in_the_folders_shape_and_rewritten_on_its_branch(
    world: World, github: GitHub
) -> None:
    alice, running = world.alice, "3" * 40
    github.pulls[0].runs += [("unit", "SUCCESS"), ("e2e", "SKIPPED")]
    github.files |= {
        (running, "docs/adr/0000-template.md"): TEMPLATE,
        (running, "docs/adr/0011-we-use-flags.md"): "# 11. We use flags\n",
        (running, "shop/session.py"): "def current_visitor(): ...\n",
        (running, "tests/test_session.py"): "def test_visitor(): ...\n",
    }
    burn(world)
    channel = await declared(alice, "checkout is failing")
    await alice.click(await alice.sees("Recommended: roll back", channel), "decision.investigate")
    await eventually(world, lambda: messages_with(alice, channel, "Root cause"), "the suspects")
    await alice.command("/incident fixed flag regions off", channel)
    await alice.sees("*Recovered.*", channel)

    async def send(cause: str) -> dict[str, str]:
        await alice.command("/incident postmortem", channel)
        form = await alice.open_modal("incident.postmortem", text="Action item 1")
        values = {
            b["block_id"]: str(b.get("element", {}).get("initial_value", ""))
            for b in form["blocks"]
        }
        whys = {"monitoring": "Nobody watched.", "tests": "No test without a region."}
        await alice.submit(form, {**whys, "root_cause": cause, "item_1": "a test without a region"})
        return values

    known = await send("Regions reads a key that old accounts lack.")
    assert "tests/test_session.py names that file." in known["tests"]
    assert (
        "Suspect commit bbbbbbbbb changed no test. Checks on #7: unit passed and e2e skipped."
        in known["tests"]
    )
    await alice.sees("INC-0001 is resolved", channel)
    pull = github.pulls[-1]
    assert pull.title == "ADR-0012: INC-0001, checkout is failing"
    path = "docs/adr/0012-inc-0001-checkout-is-failing.md"
    text = github.files[github.branches[pull.head_ref], path]
    assert text.startswith(
        "# 0012. INC-0001, checkout is failing\n\n```text\nPRODUCTION INCIDENT — "
    )
    assert [line for line in text.splitlines() if line.startswith("## ")][:4] == [
        "## Status",
        "## Context",
        "## Decision",
        "## Consequences",
    ]

    # It burns again: the same file, under the same number, on the same branch.
    go_on_burning(world, seconds=2, every=0.005)
    assert (await world.alerts.event_alert(world.sentry.events[-1])).status == 200
    await alice.sees("Decision 2", channel)
    over = time.time() + 3
    await eventually(world, lambda: time.time() > over, "the last of these errors")
    await alice.command("/incident fixed importer repaired", channel)
    resolved = await eventually(
        world, lambda: messages_with(alice, channel, "*Recovered.*")[1:], "recovered again"
    )
    before = await send("The importer forgets the region.")
    assert before["item_1"] == "a test without a region", "action items keep their places"
    assert before["root_cause"] == "Regions reads a key that old accounts lack."
    await eventually(
        world, lambda: messages_with(alice, channel, "INC-0001 is resolved")[1:], "resolved again"
    )
    again = github.files[github.branches[pull.head_ref], path]
    assert "The importer forgets the region." in again
    assert "fixed: flag regions off; then fixed: importer repaired" in again
    assert [p.number for p in github.pulls] == [7, 9, pull.number], "one pull request"
    assert resolved

    # Its items done: the file on the branch says so, and is no other one.
    def left() -> list[str]:
        rows = [
            block["accessory"]
            for block in messages_with(alice, channel, "action item")[-1]["blocks"]
            if "accessory" in block
        ]
        return [row["value"] for row in rows if row["action_id"] == "incident.item_done"]

    await eventually(world, left, "the items can be settled")
    for number in range(len(left()), 0, -1):
        await alice.click(
            messages_with(alice, channel, "action item")[-1], "incident.item_done", left()[0]
        )
        await eventually(world, lambda n=number: len(left()) == n - 1, "one less")
    await alice.sees("*INC-0001 is closed.*", channel)

    def done() -> str:
        return github.files[github.branches[pull.head_ref], path]

    await eventually(world, lambda: "done, action items settled" in done(), "the file's status")
    assert "- [ ]" not in done()
    assert "The importer forgets the region." in done()
    assert [p.number for p in github.pulls] == [7, 9, pull.number], "still one pull request"


async def test_what_others_deploy(world: World, github: GitHub) -> None:
    alice = world.alice
    burn(world)
    channel = await declared(alice, "checkout is failing")
    at = datetime.now(UTC).isoformat()
    body = json.dumps(
        {
            "deployment_status": {"state": "success", "created_at": at},
            "deployment": {
                "sha": "4" * 40,
                "ref": "v1.4.0",
                "environment": "production",
                "created_at": at,
                "creator": {"login": "ci"},
            },
            "repository": {"full_name": "acme/shop"},
        }
    ).encode()
    signature = "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    headers = {
        "X-Hub-Signature-256": signature,
        "X-GitHub-Event": "deployment_status",
        "X-GitHub-Delivery": "1",
    }
    async with httpx.AsyncClient(trust_env=False, verify=False, timeout=60) as http:
        answer = await http.post(f"{world.bot_url}/webhooks/github", content=body, headers=headers)
    assert answer.json() == {"incidents": ["INC-0001"]}
    await eventually(
        world,
        lambda: messages_with(alice, channel, "1.4.0 was deployed by ci"),
        "the deploy is said",
    )
