"""A deploy's output, followed in the thread of its decision.

It is one message without secrets, also over a crash.
"""

from __future__ import annotations

import time

from sandbox.slack.people import plain
from sandbox.world import World
from tests.support.bots.stage import burn, declared, eventually, messages_with

CHATTY = """\
echo "push with token=hunter2hunter2 to https://me:secretpw@registry/x"
n=0; while test $n -lt 3000; do n=$((n+1)); echo "layer $n"; done
touch printed
while test -e hold; do sleep 0.05; done
printf 'half a ghp_0123456'
while test -e half; do sleep 0.05; done
echo '789abcdefghij'
echo "migrating & <!channel> @here"
exit 7
"""


async def test_the_output_of_a_deploy_is_streamed_into_one_reply_and_ends_with_its_exit_code(
    small: World,
):
    world, alice, began = small, small.alice, time.monotonic()
    (world.folder / "deploy.sh").write_text(CHATTY)
    (world.folder / "hold").touch()
    (world.folder / "half").touch()
    burn(world)
    channel = await declared(alice, "checkout is failing")
    decision = await alice.sees("Recommended: roll back", channel)
    await alice.click(decision, "decision.rollback")

    def output() -> str:
        replies = [
            m for m in alice.thread(channel, decision["ts"]) if "Output of the deploy" in plain(m)
        ]
        assert len(replies) <= 1, "one message, edited"
        return plain(replies[0]) if replies else ""

    await eventually(world, lambda: "layer 3000" in output(), "the newest lines")
    assert "running" in output()
    assert "Earlier lines are left out" in output()
    await alice.sees_change(decision, "layer 3000")

    world.kill_bot()
    (world.folder / "hold").unlink()
    await world.bot.until_running()
    (world.folder / "half").unlink()

    await eventually(world, lambda: "exit code 7]" in output(), "its end")
    await eventually(world, lambda: "*failed*" in output(), "how it ended")
    assert "half a [redacted]" in output()
    assert "layer 2999\nlayer 3000\nhalf" in output(), "nothing is missing"
    assert len(output()) < 4_000
    again = await alice.sees("Decision 2", channel)
    assert "exit code 7" in plain(again)
    everything = str(world.workspace.calls)
    for secret in ("hunter2hunter2", "secretpw", "ghp_0123456789abcdefghij", "ghp_0123456"):
        assert secret not in everything
    assert "<!channel>" not in plain(alice.now(decision)) + output()
    edits = [c for c in world.workspace.calls if c.method == "chat.update"]
    minutes = (time.monotonic() - began) / 60
    assert len(edits) < 40 * (1 + minutes), "the budget of a minute"
    assert len(messages_with(alice, channel, "Output of the deploy")) == 1
