"""Texts that an attacker can write, all of them in one incident.

They stand in an error, in names of releases, in a description and in a deploy's output.
"""

from __future__ import annotations

import json
from copy import deepcopy

from sandbox.slack.people import plain
from sandbox.slack.to_app import payloads
from sandbox.world import World
from tests.support.bots.stage import (
    DEPLOY,
    asked,
    burn,
    declared,
    eventually,
    everything,
    log_lines,
)
from tests.support.values.formatted import formatted

EVIL = "evil.example"
ERROR = (
    f"KeyError: <!channel> <@U0BOB> <https://{EVIL}/|Roll back> [Roll back](https://{EVIL}/) "
    "\x1b[2J\nforged"
)
TEXT = (
    f"checkout fixes #1 @everyone <@U0BOB> [Roll back](https://{EVIL}/) "
    f"![x](https://{EVIL}/p.png) **x** <img src=x>"
)
RELEASES = (
    "--upload-pack=touch pwned",
    "1.0; touch pwned",
    "$(touch pwned)",
    "`touch pwned`",
    "-x",
    "a\u202eb",
)


async def test_nothing_that_an_attacker_writes_mentions_links_or_runs(small: World):
    world, alice = small, small.alice
    (world.folder / "releases").write_text(
        "".join(f"v{name}\n{name}\n" for name in RELEASES) + "v1.3.0\nv1.2.0\n"
    )
    (world.folder / "deploy.sh").write_text(
        DEPLOY + f"echo '<!channel> <@U0BOB> <https://{EVIL}|Approve> ```'\n"
    )
    for name in RELEASES:
        world.sentry.add_release(f"shop@{name}")
    burn(world, error=ERROR)
    channel = await declared(alice, TEXT)
    decision = await alice.sees("Recommended: roll back", channel)

    # The form offers nothing that could be an option or a command; a forged submission is refused.
    await alice.command("/incident rollback", channel)
    view = await alice.open_modal("incident.rollback", text="1.2.0")
    assert "pwned" not in str(view)
    for name in RELEASES:
        sent = deepcopy(view)
        sent["state"] = {
            "values": {
                "target": {"value": {"type": "static_select", "selected_option": {"value": name}}}
            }
        }
        sent["hash"] = f"forged.{RELEASES.index(name)}"
        ack = await world.delivery.interaction(payloads.submission(world.workspace, alice.id, sent))
        assert ack.ok
    await alice.click(decision, "decision.rollback")
    await alice.sees("Deployed: 1.3.0 → 1.2.0", channel)
    await alice.sees("Recovered.", channel)
    await eventually(
        world, lambda: world.discord.posts and world.linear.comments, "it is told outside"
    )

    assert asked(world) == ["v1.2.0"], "one deploy, of one release"
    assert not list(world.folder.rglob("pwned"))
    shown = "\n".join(formatted(everything(alice, channel)))
    assert f"<https://{EVIL}/|" not in shown, "no masked link"
    assert "<!channel" not in "\n".join(plain(m) for m in everything(alice, channel))
    from_sentry = [text for text in formatted(everything(alice, channel)) if "KeyError" in text]
    assert from_sentry
    assert not [text for text in from_sentry if "<@U0BOB>" in text], "an error's text calls nobody"
    for written in (
        world.discord.posts[-1].content,
        *(c.body for c in world.linear.comments),
        world.linear.issues[0].description,
    ):
        assert "](https://" not in written.replace("\\]", "").replace("\\[", ""), written
        assert "<img" not in written.replace("\\<", "")
        assert "@everyone" not in written
    for line in log_lines(world):
        assert json.loads(line)["said"], "a line of the log is one line"
