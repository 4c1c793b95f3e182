"""Two fires at once: the newer one is decided by itself, and the older one is told beside it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from phases.record.findings import Choice
from tests.judgement.postmortems.stage import Fire, Story, triaged_story

MAIL = Fire(
    error="HTTPError: 502 Server Error: Bad Gateway for url: https://api.mail.example/send",
    stack=("/usr/lib/python3.12/site-packages/requests/models.py:1024 raise_for_status",),
    since=65,
    rate=90,
    users=300,
    paths=("/newsletter",),
    releases=("v2", "v3"),
)
PROFILE = Fire(
    error="RelatedObjectDoesNotExist: User has no profile.",
    stack=("shop/base.py:42 locale",),
    since=4,
)
BOTH = Story(
    name="both",
    right=("rollback",),
    deploys=(("v3", 5), ("v2", 900), ("v1", 4000)),
    changed={"shop/base.py": "user = request.user.profile.locale"},
    fires=(MAIL, PROFILE),
)


async def test_the_newer_one_is_decided_by_itself_and_the_older_one_is_told() -> None:
    report = await triaged_story(BOTH)
    assert report.recommendation.choice is Choice.ROLLBACK
    assert report.recommendation.target is not None
    assert report.recommendation.target.version == "v2", "it ran well, but for the provider"
    assert [share.name for share in report.blast.top_features] == ["cart", "pay", "search"]
    (told,) = [note for note in report.notes if "gone on beside it" in note]
    assert "Bad Gateway" in told


@pytest.mark.parametrize("since", [3.6, 4.0, 4.4, 4.8])
async def test_a_quiet_older_one_is_counted_by_whole_minutes(since: float) -> None:
    fires = (replace(MAIL, rate=30, since=125), replace(PROFILE, since=since, rate=60))
    report = await triaged_story(replace(BOTH, fires=fires))
    assert report.recommendation.choice is Choice.ROLLBACK


async def test_what_an_earlier_release_began_is_ended_by_going_back_behind_it() -> None:
    total = Fire(error="KeyError: 'total'", stack=("shop/cart.py:42 total",), since=48)
    fires = (
        replace(total, until=5),
        replace(total, since=5, releases=("v4",)),
        replace(PROFILE, releases=("v4",), paths=("/search",)),
    )
    releases = (("v4", 5.0), ("v3", 50.0), *BOTH.deploys[1:])
    report = await triaged_story(replace(BOTH, fires=fires, deploys=releases))
    assert report.recommendation.choice is Choice.ROLLBACK
    assert report.recommendation.target is not None
    assert report.recommendation.target.version == "v2"


@pytest.mark.parametrize(
    "fires",
    [
        (replace(MAIL, until=5), PROFILE),  # the deploy ended it: the rest may be what is left
        (MAIL, replace(PROFILE, rate=8)),  # as rare as a part of it
        (MAIL, replace(PROFILE, error="ConnectTimeout: api.mail.example")),  # at the same edge
        (replace(MAIL, since=9), PROFILE),  # hardly older
    ],
)
async def test_what_may_be_a_part_of_the_older_one_is_not_parted(fires: tuple[Fire, ...]) -> None:
    report = await triaged_story(replace(BOTH, fires=fires))
    assert not any("gone on beside it" in note for note in report.notes)
