"""Sentry's flag log and the events with a flag on: by the real client over HTTP."""

from __future__ import annotations

import pytest

from bot.clients.http.errors import HttpError
from bot.clients.sentry.flags import flags_of, searchable
from phases.record.findings import Choice
from tests.support.worlds.sentry_world import NOW, SHOP, World, ago, busy_world, world

PEOPLE = tuple(f"u{n}" for n in range(30))


def burn_with_flag(w: World, *, on: bool = True) -> None:
    """Every page fails since six minutes; an error of nine days goes on, with the flag off."""
    for path in ("/cart", "/pay", "/search"):
        w.burn(path, since=6, flags={"new-pricing": on})
    w.local.load(
        "TimeoutError: slow",
        at=ago(9 * 24 * 60),
        every=120,
        times=9 * 24 * 30,
        users=PEOPLE,
        transaction="/",
        release="v3",
        function="slow",
        flags={"new-pricing": False},
    )


async def test_changes_are_read_as_sentry_writes_them() -> None:
    async with world() as w:
        w.local.add_flag_change("a", at=ago(90).timestamp(), by="ann@shop.example")
        w.local.add_flag_change("b", "deleted", at=ago(3).timestamp(), by="Bo")
        w.local.add_flag_change("old", at=ago(60 * 50).timestamp())
        w.local.add_flag_change("c", at=ago(2).timestamp(), tags={"environment": "staging"})
        b, a = await w.client.flags.changes(SHOP, ago(60 * 24), NOW)
    assert (a.name, a.by, a.new, a.source, a.at) == ("a", "ann", None, "sentry", ago(90))
    assert (b.name, b.by, b.new) == ("b", "Bo", "deleted")
    assert a.url
    assert a.url.endswith("/organizations/acme/feature-flags/")


@pytest.mark.parametrize("flag", ["new-pricing", "checkout:eu"])
async def test_events_with_the_flag_off_are_counted_by_issue(flag: str) -> None:
    async with world() as w:
        w.burn("/cart", flags={flag: True}, times=40)
        w.burn("/pay", flags={flag: False}, times=10)
        w.burn("/search", times=7)
        counts = await w.client.flags.off([SHOP], flag, (ago(10), NOW))
        odd = await w.client.flags.off([SHOP], 'x"]:true OR is:', (ago(10), NOW))
    assert list(counts.values()) == [(10, 10)]
    assert not odd


async def test_a_flag_that_splits_the_errors_is_turned_off_although_a_deploy_is_nearer() -> None:
    async with world() as w:
        w.deployed("v2", 600)
        w.deployed("v3", 7)
        w.local.add_flag_change("new-pricing", at=ago(20).timestamp())
        burn_with_flag(w)
        report = await w.triage()
    advice = report.recommendation
    assert advice.choice is Choice.TURN_OFF
    assert advice.change is not None
    assert advice.change.name == "new-pricing"
    assert "100 % of the events have it on, against 0 % of the other errors." in advice.reasons


async def test_a_flag_that_is_off_where_it_fails_is_no_suspect() -> None:
    async with world() as w:
        w.deployed("v2", 600)
        w.deployed("v3", 9)
        w.local.add_flag_change("new-pricing", at=ago(7).timestamp())
        burn_with_flag(w, on=False)
        report = await w.triage()
    assert report.recommendation.choice is not Choice.TURN_OFF
    assert report.recommendation.change is None


@pytest.mark.parametrize(
    ("status", "message"), [(404, "it has no flag log"), (403, "org:read"), (500, "")]
)
async def test_without_the_log_one_line_says_so_and_the_rest_stands(
    status: int, message: str
) -> None:
    async with world() as w:
        w.deployed("v2", 600)
        w.deployed("v3", 9)
        w.burn("/cart", "/pay", "/search")
        w.refusing.refuse("/flags/logs/", status=status, message="no")
        report = await w.triage()
    lines = [note for note in report.notes if note.startswith("Flag changes are not known")]
    assert len(lines) == 1
    assert message in lines[0]
    assert report.recommendation.choice is Choice.ROLLBACK


async def test_an_odd_shape_is_an_error_and_an_odd_row_is_left_out() -> None:
    async with world() as w:
        w.local.add_flag_change("a", at=ago(5).timestamp())
        w.local.flag_log.append(w.local.flag_log[0].__class__(2, None, 7, ago(4).timestamp()))  # pyright: ignore[reportArgumentType]
        (a,) = await w.client.flags.changes(SHOP, ago(60), NOW)
        assert a.name == "a"
        w.refusing.refuse("/flags/logs/", status=200, message="nothing of the kind")
        with pytest.raises(HttpError, match="shape that is not known"):
            await w.client.flags.changes(SHOP, ago(60), NOW)


def test_flags_of_an_event_in_odd_shapes() -> None:
    rows = [{"flag": "a", "result": True}, {"flag": "b", "result": "false"}, "x", {"result": True}]
    assert flags_of({"flags": {"values": rows}}) == {"a": True, "b": False}
    for odd in ({}, {"flags": None}, {"flags": {"values": "x"}}, {"flags": []}):
        assert flags_of(odd) == {}
    assert searchable("a.b:c-1")
    assert not searchable('x"]:true OR is:')


async def test_beside_two_hundred_issues_the_log_is_read_where_flags_are_used() -> None:
    async with busy_world() as w:
        assert w.calls is not None
        w.local.add_flag_change("new-pricing", at=ago(8).timestamp())
        await w.client.warm([w.service])
        w.calls.paths.clear()
        w.calls.rounds = 0
        report = await w.triage()
    assert w.calls.rounds <= 3
    assert [change.name for change in report.changes] == ["new-pricing"]
