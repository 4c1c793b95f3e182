"""A slow burn grows from the deploy on; a fire that begins at once, hours later, does not."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest

from phases.record.findings import BlastRadius, DeploySeen, IssueSeen, Release, Word
from phases.triage.deploys.deploy_history import merge_deploys
from phases.triage.rollback.situation import Situation
from phases.triage.rollback.weighing import weigh
from tests.support.worlds.sentry_world import NOW, ago

HOURS = 160  # minutes since the deploy
GROWN = "It has grown since the deploy, and was hardly seen before v2."


def points_to(counts: Sequence[int], began: float) -> tuple[str, ...]:
    """Return what points to v2. `counts`: events by tenth of the time since its deploy."""
    deploys = [
        DeploySeen(
            release=Release(version=version),
            service="shop",
            started_at=ago(minutes),
            finished_at=ago(minutes - 1),
            source="github",
        )
        for version, minutes in (("v2", HOURS), ("v1", 6000))
    ]
    known = merge_deploys(deploys)
    issue = IssueSeen(id="1", short_id="SHOP-1", title="E", first_seen=ago(began), events=500)
    tenth = timedelta(minutes=HOURS / len(counts))
    weighed = weigh(
        Situation(
            now=NOW,
            window=timedelta(minutes=15),
            service="shop",
            blast=BlastRadius(users=Word.MANY, features=Word.MANY),
            events=500,
            began=ago(began),
            known=known,
            suspect=known.deploys[0],
            issues=(issue,),
            minutes={ago(HOURS) + n * tenth: count for n, count in enumerate(counts)},
        )
    )
    assert weighed is not None
    return weighed.points_to


def test_what_grows_from_the_deploy_on_points_to_it() -> None:
    assert GROWN in points_to((2, 5, 10, 20, 30, 45, 60, 80, 110, 140), began=90)


@pytest.mark.parametrize(
    "counts",
    [(0, 1, 1, 1, 2, 2, 90, 400, 420, 430), (1, 0, 1, 2, 1, 2, 3, 3, 400, 500)],
)
def test_noise_before_a_sudden_fire_is_no_growth(counts: tuple[int, ...]) -> None:
    assert GROWN not in points_to(counts, began=60)
