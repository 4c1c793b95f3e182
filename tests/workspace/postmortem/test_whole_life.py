"""From the first failing request to the written post-mortem, as people live through it."""

from __future__ import annotations

from sandbox.slack.people import plain
from sandbox.world import World
from tests.support.bots.stage import eventually, insist, recovered_in_the_shop, typed


async def test_a_release_that_breaks_everything_is_rolled_back_verified_and_understood(
    started_by_a_host: World,
):
    world = started_by_a_host
    shop, alice = world.shop, world.alice
    assert shop is not None
    await shop.break_everything()
    broken = shop.current_release()

    # The alert opens the incident by itself; nobody has typed anything.
    channel = await alice.channel("inc-0001-")
    decision = await alice.sees("Recommended: roll back", channel)
    assert "decision.rollback" in str(decision)
    await eventually(world, lambda: len(alice.pinned(channel)) == 1, "the status is pinned")

    await insist(alice, decision, "decision.rollback")
    await alice.sees_change(decision, "Read back from the deployer")
    assert shop.current_release() != broken

    # Sentry is asked again after the wait, and the endpoint is called.
    await recovered_in_the_shop(alice, channel)

    # Without cause and post-mortem it is not over.
    await typed(alice, "/incident resolve", channel)
    refused = await alice.sees("cannot be resolved yet", channel)
    assert "post-mortem" in plain(refused).lower()

    await typed(alice, "/incident postmortem", channel)
    form = await alice.open_modal("incident.postmortem", text="Root cause")
    await alice.submit(form)  # prefilled, but two parts only a person knows
    assert {"monitoring", "tests"} <= set(alice.errors(form))
    await alice.submit(
        form,
        {
            "monitoring": "No alert watched the errors of a single release.",
            "tests": "No test loads an account as the importer writes it.",
        },
    )
    summary = await alice.sees("PRODUCTION INCIDENT —", channel)
    assert "Post-mortem: ADR-0002" in plain(summary)
    await alice.sees("is resolved", channel)
