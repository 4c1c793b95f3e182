"""The advice, held against hindsight over drawn incidents (`tests/judgement/`), and the judge."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from tests.judgement import kinds
from tests.judgement.hindsight import Act, Hindsight
from tests.judgement.judge import Judged, drawn, judge
from tests.judgement.story import story
from tests.judgement.world import World

SEEDS = range(1, 61)


@pytest.fixture(scope="module")
def judged() -> list[Judged]:
    return [asyncio.run(judge(seed)) for seed in SEEDS]


def test_no_advice_harms_and_no_wide_fire_is_missed(judged: list[Judged]) -> None:
    bad = [j for j in judged if j.harm or j.missed]
    assert not bad, "\n\n".join(map(story, bad))


def test_most_advice_is_the_best_there_is(judged: list[Judged]) -> None:
    """A floor that a rule may not fall under unseen; `make judgement` has the figures."""
    assert sum(j.right for j in judged) >= 0.75 * len(judged)
    assert sum(j.needless for j in judged) <= 0.15 * len(judged)


def test_a_seed_is_always_the_same_world(judged: list[Judged]) -> None:
    again = asyncio.run(judge(SEEDS[7]))
    assert story(again) == story(judged[7])


def world(kind: str, seed: int = 3) -> World:
    return drawn(seed, kind)[0]


@pytest.mark.parametrize("kind", kinds.names())
def test_each_kind_has_events_and_the_trouble_that_it_tells_of(kind: str) -> None:
    drawn_world, events = drawn(5, kind)
    assert events
    assert drawn_world.truth
    sight = Hindsight(drawn_world, finding=20)
    hit = [
        sight.hits(drawn_world.production(), minute)
        for minute in (drawn_world.asked, drawn_world.asked + 1)
    ]
    over = kind in ("hotfix_during", "put_back", "failover", "migration_lock")
    assert (max(hit) > 0) == (drawn_world.cause is not None) or over or kind == "one_person"


def test_going_back_ends_what_a_release_did_and_nothing_else() -> None:
    drawn_world = world("bad_release")
    sight = Hindsight(drawn_world, finding=20)
    target = drawn_world.order[-2]
    assert sight.helps(Act("roll back", target))
    assert not sight.harms(Act("roll back", target))
    outside = Hindsight(world("database"), finding=20)
    target = outside.world.order[-2]
    assert not outside.helps(Act("roll back", target))
    assert outside.cost(Act("roll back", target)) > outside.cost(Act("investigate"))


def test_what_makes_it_worse_is_harm() -> None:
    drawn_world = world("one_way")
    assert Hindsight(drawn_world, finding=20).harms(Act("roll back", drawn_world.order[-2])) == (
        "more customers are hit than before"
    )
    fixed = next(w for s in range(40) if (w := world("after_hotfix", s)).security)
    [fix] = fixed.security
    behind = fixed.order[fixed.order.index(fix) - 1]
    assert "security" in Hindsight(fixed, finding=20).harms(Act("roll back", behind))
    assert not Hindsight(fixed, finding=20).harms(Act("roll back", fix))


def test_a_flag_is_turned_off_in_a_minute_and_nothing_can_be_cheaper() -> None:
    drawn_world = world("flag")
    [flag] = drawn_world.changes
    sight = Hindsight(drawn_world, finding=20)
    best, least = sight.best()
    assert best == Act("turn off", flag.name)
    assert least < sight.cost(Act("investigate")) < sight.cost(Act("nothing"))
    unknown = replace(drawn_world, changes=(replace(flag, known=False),))
    assert Hindsight(unknown, finding=20).best()[0].verb != "turn off"
