"""Canaries. Secrets and the names of end users stand in nothing that the bot writes or sends."""

from __future__ import annotations

import time
from pathlib import Path

from sandbox.credentials import DEPLOY_SECRET, SENTRY_SECRET, SENTRY_TOKEN, SIGNING_SECRET
from sandbox.slack.api import BOT_TOKEN
from sandbox.slack.people import plain
from sandbox.world import World
from tests.support.bots.stage import DEPLOY, PAGES, declared, doctor_of, eventually, transcript
from tests.support.redis.dump import dumped, redis_of

USERS = tuple(f"canary-user-{number}@example.com" for number in range(30))
ADDRESS = "203.0.113.77"


async def test_no_secret_and_no_end_user_is_written_or_sent_anywhere(small: World):
    world, alice = small, small.alice
    # A deploy that prints its whole environment, and what a careless script prints.
    (world.folder / "deploy.sh").write_text(
        DEPLOY + f"env\necho push with --password {SENTRY_TOKEN}\n"
    )
    for page in PAGES:
        world.sentry.load(
            at=time.time() - 35,
            every=0.1,
            times=350,
            users=USERS,
            ip=ADDRESS,
            transaction=page,
            release="shop@1.3.0",
        )
    channel = await declared(alice, "checkout is failing")
    decision = await alice.sees("Recommended: roll back", channel)
    await alice.click(decision, "decision.rollback")
    await alice.sees("Recovered.", channel)
    await alice.command("/incident postmortem", channel)
    form = await alice.open_modal("incident.postmortem", text="Root cause")
    filled = {
        "cause": "A release divides by zero.",
        "monitoring": "Nothing watched it.",
        "tests": "None.",
    }
    await alice.submit(
        form, {field: text for field, text in filled.items() if f"'{field}'" in str(form)}
    )
    await alice.sees("PRODUCTION INCIDENT —", channel)
    await eventually(world, lambda: list((world.folder / "adr").glob("*.md")), "the ADR is written")
    await alice.open_home()

    written = await _everything(world)
    assert all(len(text) > 100 for text in written.values()), {
        what: len(text) for what, text in written.items()
    }
    secrets = {
        "SLACK_BOT_TOKEN": BOT_TOKEN,
        "SLACK_SIGNING_SECRET": SIGNING_SECRET,
        "SENTRY_AUTH_TOKEN": SENTRY_TOKEN,
        "SENTRY_WEBHOOK_SECRET": SENTRY_SECRET,
        "DEPLOY_WEBHOOK_SECRET": DEPLOY_SECRET,
        "LINEAR_API_KEY": world.linear.api_key,
        "PAGERDUTY_ROUTING_KEY": world.pagerduty.routing_key,
        "DISCORD_WEBHOOK_URL": "api/webhooks/1/",
        "an end user": "canary-user",
        "an end user's address": ADDRESS,
    }
    leaks = [
        f"{name} in {where}"
        for where, text in written.items()
        for name, secret in secrets.items()
        if secret in text
    ]
    assert leaks == []


async def _everything(world: World) -> dict[str, str]:
    redis = redis_of(world)
    try:
        stored = str(await dumped(redis))
    finally:
        await redis.aclose()
    appended = "".join(
        path.read_bytes().decode(errors="replace")
        for path in (world.folder / "valkey").rglob("*.aof")
    )
    return {
        "the log": (world.folder / "bot.log").read_text(),
        "Redis": stored,
        "Redis's append-only file, which forgets nothing": appended,
        "what stands in Slack": transcript(world),
        "what Slack was sent": "\n".join(
            f"{call.method} {call.args}" for call in world.workspace.calls
        ),
        "App Home": plain(world.alice.home() or {"blocks": []}),
        "Linear": "\n".join(str(issue) for issue in world.linear.issues)
        + str(world.linear.comments),
        "Discord": "\n".join(str(post) for post in world.discord.posts),
        "PagerDuty": "\n".join(
            f"{event.summary} {event.dedup_key}" for event in world.pagerduty.events
        )
        + " " * 101,
        "the ADR": "\n".join(path.read_text() for path in (world.folder / "adr").glob("*.md")),
        "records of deploys": "\n".join(
            _text(path) for path in (world.folder / "valkey").rglob("*.json")
        )
        + " " * 101,
        "doctor": await doctor_of(world),
    }


def _text(path: Path) -> str:
    return path.read_text(errors="replace")
