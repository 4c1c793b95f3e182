"""Deploys by CI.

They are watched without anybody's word, told to the open incident, and warned about.
"""

from __future__ import annotations

from sandbox.slack.people import Json
from sandbox.world import World
from tests.support.bots.stage import burn, ephemeral_with, eventually, incidents, messages_with
from tests.support.worlds.ci import ci


async def test_after_a_deploy_new_errors_open_an_incident_by_themselves_and_a_rollback_holds(
    small: World,
):
    alice, world = small.alice, small
    assert await ci(world, "v1.3.0") == {"hold": False, "incident": None}
    world.kill_bot()  # the watch is not the process's
    burn(world, seconds=10)
    await world.bot.until_running()

    channel = await alice.channel("inc-0001-")
    await alice.command("/incident timeline", channel)
    await ephemeral_with(alice, "the watch after the deploy of 1.3.0")
    decision = await alice.sees("Recommended: roll back", channel)
    assert len(incidents(world)) == 1

    # Another deploy meanwhile may be the fix: the channel is asked.
    answer = await ci(world, "1.3.1")
    assert answer == {"hold": False, "incident": "INC-0001"}
    await alice.sees("Is that the fix?", channel)

    # Once rolled back, whoever deploys is told to hold.
    await alice.click(decision, "decision.rollback")
    await alice.sees("Deployed: 1.3.0 → 1.2.0", channel)
    assert await ci(world, "1.3.2") == {"hold": True, "incident": "INC-0001"}

    def warned() -> list[Json]:
        holds = messages_with(alice, channel, "over the rollback to 1.2.0: it could")
        return [message for message in holds if "1.3.2 was deployed" in str(message)]

    warning, *_ = await eventually(world, warned, "a warning")
    assert len(incidents(world)) == 1

    # Until somebody who may deploy says that what brought it is mended.
    await alice.sees("Recovered.", channel)
    await alice.click(warning, "incident.cause_fixed")
    await alice.sees("says that the cause is fixed: deploys are no longer on hold", channel)
    assert await ci(world, "1.3.3") == {"hold": False, "incident": "INC-0001"}
