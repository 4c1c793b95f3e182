"""The first check leaves to the second what few minutes cannot tell."""

from __future__ import annotations

from datetime import timedelta

from bot.clients.http.endpoint import HttpEndpoint
from phases.record.findings import LookVerdict
from phases.verification.recheck import Recheck
from tests.support.worlds.recovery import CLOCK, burned
from tests.support.worlds.sentry_world import NOW, SHOP, world


async def test_what_is_left_after_five_minutes_may_be_a_fifth_of_it_and_after_ten_is_not():
    async with world() as w:
        burning = await burned(w)
        at = CLOCK + timedelta(seconds=70)
        w.local.load("Oops: a", at=at, times=2, transaction="/cart", release="v2", function="f")
        endpoint, later = HttpEndpoint(timeout=60, pause=0), CLOCK + timedelta(minutes=10)
        early = await Recheck(burning, SHOP, w.client, endpoint, NOW).look(1, 1)
        late = await Recheck(burning, SHOP, w.client, endpoint, later).look(1, 2)
        await endpoint.aclose()
    assert early.look.verdict is LookVerdict.TOO_FEW
    assert late.look.verdict is LookVerdict.RECOVERED
    assert not any(why.startswith("only the newest") for why in late.look.reasons)
