"""A leak of the release, or the load: more people, jobs that fall behind, a few who loop."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phases.ports.source_values import Commit, CommitFile
from phases.ports.tracker_values import EventDetail
from phases.record.findings import BlastRadius, DeploySeen, Frame, IssueSeen, Release, Share, Word
from phases.record.going_back import Likelihood
from phases.record.traffic_seen import TrafficSeen
from phases.triage.deploys.deploy_history import merge_deploys
from phases.triage.rollback.more_people import SURGE_FACTOR, is_job, rush_factor
from phases.triage.rollback.situation import Situation
from phases.triage.rollback.weighing import Weighing, weigh
from tests.support.worlds.sentry_world import NOW, ago

FULL = ("TimeoutError", "QueuePool limit of size 10 overflow 20 reached, connection timed out")
PAGES = ("/cart", "/pay")
RISES = (4, 12, 20, 28, 36, 44, 52, 60, 68, 76)
"""Events of each minute: 400 in ten."""
PATCH = "@@ -40,2 +40,3 @@ def create(order):\n before\n+    keep(order)\n after\n"


def weighed(
    *,
    began: float = 10,
    error: tuple[str, str] = FULL,
    pages: tuple[str, ...] = PAGES,
    users: int = 300,
    by_minute: tuple[int, ...] = (),
    changed: str = "",
    **fields: Any,
) -> Weighing:
    """Weigh a fire that began so many minutes ago, five hours after v2 was deployed."""
    deploys = [
        DeploySeen(
            release=Release(version=version),
            service="shop",
            started_at=ago(minutes),
            finished_at=ago(minutes - 1),
            source="github",
        )
        for version, minutes in (("v2", 310), ("v1", 6000))
    ]
    known = merge_deploys(deploys)
    counts = by_minute or RISES
    events = sum(counts)
    title = f"{error[0]}: {error[1]}"
    issue = IssueSeen(id="1", short_id="S-1", title=title, first_seen=ago(began), events=events)
    frames = (
        Frame(file="shop/orders.py", function="create", line=41, in_app=True),
        Frame(file="shop/views.py", function="dispatch", line=12, in_app=True),
    )
    commits = (
        (Commit(sha="a" * 40, files=(CommitFile(path=changed, patch=PATCH),)),) if changed else None
    )
    blast = BlastRadius(
        users=Word.MANY,
        user_count=users,
        features=Word.MANY,
        top_features=tuple(Share(name=page, events=9) for page in pages),
    )
    given: dict[str, Any] = {
        "now": NOW,
        "window": timedelta(minutes=15),
        "service": "shop",
        "blast": blast,
        "events": events,
        "began": ago(began),
        "known": known,
        "suspect": known.deploys[0],
        "issues": (issue,),
        "minutes": {ago(began - n): count for n, count in enumerate(counts)},
        "crash": EventDetail(
            exception_type=error[0],
            exception_value=error[1],
            handled=False,
            frames=frames,
            release="v2",
        ),
        "commits": commits,
    }
    weighing = weigh(Situation(**{**given, **fields}))
    assert weighing is not None
    return weighing


def sampled_traffic(requests: float, minutes: float, share: float = 1.0) -> TrafficSeen:
    return TrafficSeen(requests=requests, kept=round(requests * share), minutes=minutes)


def test_a_full_pool_hours_after_the_deploy_is_likely_a_leak() -> None:
    assert weighed().likely is Likelihood.LIKELY


def test_more_people_than_before_explain_a_full_pool_without_a_leak() -> None:
    weighing = weighed(rush=2.1)
    assert weighing.likely is Likelihood.UNLIKELY
    assert "At least 2.1 times the requests of the hour before came just before it failed." in (
        weighing.points_away
    )


def test_more_people_explain_no_crash_of_our_own_code() -> None:
    crash = ("KeyError", "'total'")
    assert weighed(error=crash, rush=3.0) == weighed(error=crash)


def test_a_pool_that_only_jobs_find_empty_may_be_a_backlog() -> None:
    weighing = weighed(pages=("jobs.confirm", "shop.tasks.send_mail"))
    assert weighing.likely is Likelihood.UNDECIDED
    assert weighing.points_away == ("Only background jobs fail: a backlog explains that as well.",)
    assert weighed(pages=("jobs.confirm", "/cart")).likely is Likelihood.LIKELY


def test_a_few_users_who_have_it_again_and_again_speak_for_their_data() -> None:
    assert "Only 2 users run into it, 200 times each." in weighed(users=2).points_away
    assert weighed(users=2).sum < weighed(users=300).sum


def test_what_eases_from_its_first_minutes_on_is_no_leak() -> None:
    eases = (90, 80, 70, 60, 50, 40, 35, 30, 25, 20)
    assert weighed(by_minute=eases).likely is Likelihood.UNLIKELY


def test_a_disk_that_the_changed_function_writes_to_may_be_filled_by_it() -> None:
    full = ("OSError", "[Errno 28] No space left on device")
    assert weighed(error=full, changed="shop/orders.py").likely is Likelihood.LIKELY
    assert weighed(error=full, changed="shop/wishlist.py").likely is Likelihood.UNLIKELY


def test_a_caller_that_changed_does_not_explain_a_full_pool() -> None:
    weighing = weighed(changed="shop/views.py", rush=2.0)
    assert "v2 changed shop/views.py, which is in the stack." in weighing.points_to
    assert "The failure is a timeout or an exhausted pool." in weighing.points_away


# --- how many times the usual requests came ------------------------------------------------------


def test_twice_the_requests_are_a_rush_where_enough_were_kept() -> None:
    assert rush_factor(sampled_traffic(2400, 5), sampled_traffic(14400, 60)) > SURGE_FACTOR
    assert rush_factor(sampled_traffic(1200, 5), sampled_traffic(14400, 60)) < SURGE_FACTOR
    assert (
        rush_factor(sampled_traffic(2400, 5, 0.003), sampled_traffic(14400, 60, 0.003))
        < SURGE_FACTOR
    ), "seven tell nothing"


def test_no_traces_tell_of_no_rush() -> None:
    assert (
        rush_factor(sampled_traffic(0, 5), sampled_traffic(10, 60))
        == rush_factor(sampled_traffic(10, 5), sampled_traffic(0, 60))
        == 0.0
    )


@given(st.integers(1, 10**6), st.integers(1, 10**6))
def test_no_more_is_said_than_was_measured(just: int, before: int) -> None:
    assert (
        0
        <= rush_factor(sampled_traffic(just, 5), sampled_traffic(before, 60))
        <= (just / 5) / (before / 60)
    )


@pytest.mark.parametrize(
    "name",
    [
        "shop.tasks.confirm",
        "jobs.mail",
        "ConfirmJob",
        "Sidekiq/MailWorker",
        "orders-consumer",
        "OrderListener.onMessage",
        "celery",
    ],
)
def test_background_jobs_are_known_by_their_names(name: str) -> None:
    assert is_job(name)


@pytest.mark.parametrize(
    "name", ["/cart", "/pay/[id]", "OrdersController#show", "cart", "/tasklist"]
)
def test_pages_are_no_jobs(name: str) -> None:
    assert not is_job(name)
