"""Traps for triage. The real client measures each on the local Sentry's answers over HTTP."""

from __future__ import annotations

from datetime import timedelta

from phases.record.findings import (
    Choice,
    Confidence,
    Release,
    Word,
)
from phases.record.going_back import Likelihood
from phases.record.incident import Severity
from phases.triage.picture.blast_radius import severity_of
from tests.support.worlds.sentry_world import SHOP, ago, world


async def test_a_release_that_breaks_everything_for_everybody_is_rolled_back() -> None:
    async with world() as w:
        w.deployed("v2", 600)
        w.deployed("v3", 8)
        w.burn("/cart/add", "/pay", "/search")
        report = await w.triage()
    assert report.recommendation.choice is Choice.ROLLBACK
    assert report.recommendation.target == Release(version="v2")
    assert report.recommendation.brakes == ()
    assert report.suspect == Release(version="v3")
    assert (report.blast.users, report.blast.user_count, report.blast.features) == (
        Word.MANY,
        30,
        Word.MANY,
    )
    assert report.blast.confidence is Confidence.HIGH
    assert report.events == 120
    assert report.began_at == ago(6)
    assert report.suspect_minutes == 2.0
    assert severity_of(report) is Severity.SEV1
    assert (
        report.blast.sentences[0]
        == "30 users, 120 events in the last 15 min (8/min, baseline 0/min)."
    )
    assert report.recommendation.reasons == (
        "30 users, 3 features: cart, pay and search.",
        "Trouble began 2026-05-05 14:09 UTC, 2 min after v3 was deployed.",
        "v2, the release before, ran well.",
    )
    assert report.frame is not None
    assert (report.frame.file, report.frame.line) == ("shop/session.py", 21)
    assert report.exception_type == "KeyError"
    assert report.handled is False


async def test_one_feature_for_everybody_is_investigated_with_a_rollback_beside_it() -> None:
    async with world() as w:
        w.deployed("v2", 600)
        w.deployed("v3", 8)
        w.burn("/cart/add", "/cart/remove")
        report = await w.triage()
    assert report.recommendation.choice is Choice.INVESTIGATE
    assert report.recommendation.offer_rollback
    assert report.recommendation.target == Release(version="v2")
    assert report.blast.features is Word.ONE
    assert severity_of(report) is Severity.SEV2


async def test_one_users_data_never_rolls_back() -> None:
    async with world() as w:
        w.deployed("v2", 600)
        w.deployed("v3", 8)
        w.burn("/cart", "/pay", users=1, times=5000)
        report = await w.triage()
    assert (report.blast.users, report.blast.user_count, report.events) == (Word.ONE, 1, 10_000)
    assert report.recommendation.choice is Choice.INVESTIGATE
    assert not report.recommendation.loud
    assert severity_of(report) is Severity.SEV3


async def test_no_user_context_at_all_is_inferred_and_said() -> None:
    async with world() as w:
        w.deployed("v2", 600)
        w.deployed("v3", 8)
        w.burn("/cart", users=0, times=12)
        report = await w.triage()
    assert report.blast.users is Word.MANY
    assert report.blast.user_count is None
    assert report.blast.inferred
    assert report.blast.confidence is Confidence.LOW
    assert any("inferred from 12 events" in s for s in report.blast.sentences)


async def test_few_events_without_users_in_one_place_are_at_least_one_user() -> None:
    async with world() as w:
        w.burn("/cart", users=0, times=4)
        report = await w.triage()
    assert report.blast.users is Word.ONE
    assert severity_of(report) is Severity.SEV3


async def test_a_health_checker_is_no_user() -> None:
    async with world(service=SHOP.model_copy(update={"not_users": ("healthcheck*",)})) as w:
        w.local.load(at=ago(5), every=1, times=200, users=["healthcheck-1"], transaction="/cart")
        only = await w.triage()
        w.burn("/cart", users=2, times=6)
        both = await w.triage()
    assert only.blast.users is Word.NOBODY
    assert severity_of(only) is Severity.SEV4
    assert (both.blast.users, both.blast.user_count) == (Word.MANY, 2)


async def test_an_attacker_with_many_ids_from_one_place_is_one_user() -> None:
    async with world() as w:
        ids = [f"bot{n}" for n in range(5000)]
        w.local.load(
            "Oops: a",
            at=ago(5),
            every=0.05,
            times=5000,
            users=ids,
            transaction="/cart",
            ip="198.51.100.7",
        )
        alone = await w.triage()
        for n in range(5):
            w.local.load(
                "Warn: b", at=ago(300), level="warning", users=[f"x{n}"], ip=f"198.51.100.{20 + n}"
            )
        report = await w.triage()
    # The service may sit behind a proxy: then one address says nothing.
    assert alone.blast.user_count == 5000
    assert (report.blast.users, report.blast.user_count) == (Word.ONE, 1)
    assert any("all from one address" in s for s in report.blast.sentences)


async def test_a_shared_name_counts_its_addresses() -> None:
    async with world() as w:
        for n in range(12):
            w.local.load(
                "Oops: a",
                at=ago(5),
                times=2,
                users=["guest"],
                transaction="/cart",
                ip=f"203.0.113.{n}",
            )
        report = await w.triage()
    assert (report.blast.users, report.blast.user_count) == (Word.MANY, 12)


async def test_an_old_issue_that_only_got_louder_began_when_it_got_loud() -> None:
    async with world() as w:
        w.deployed("v1", 60 * 24 * 9)
        w.deployed("v2", 60 * 24 * 3)
        w.deployed("v3", 9)
        w.local.load("Oops: old", at=ago(60 * 24 * 5), times=1, transaction="/cart", release="v1")
        w.local.load(
            "Oops: old",
            at=ago(60 * 23),
            every=900,
            times=90,
            users=["u1"],
            transaction="/cart",
            release="v2",
        )
        w.local.load(
            "Oops: old",
            at=ago(7),
            every=4,
            times=100,
            users=[f"u{n}" for n in range(9)],
            transaction="/cart",
            release="v3",
        )
        report = await w.triage()
    assert report.issues[0].spiking
    assert not report.issues[0].new
    assert report.began_at == ago(7)
    assert report.suspect == Release(version="v3")
    assert 0.05 < report.baseline_per_minute < 0.07


async def test_a_spike_from_before_the_deploy_does_not_blame_it() -> None:
    async with world() as w:
        w.deployed("v2", 500)
        w.deployed("v3", 3)
        w.burn("/cart", "/pay", since=10, release="v2")
        report = await w.triage()
    assert report.suspect == Release(version="v2")
    assert report.recommendation.choice is not Choice.ROLLBACK
    assert report.recommendation.likely is Likelihood.UNLIKELY
    assert any("v2 ran well for 8 h 10 min" in p for p in report.recommendation.points_away)


async def test_two_deploys_in_the_window_blame_the_one_before_trouble_began() -> None:
    async with world() as w:
        w.deployed("v1", 400)
        w.deployed("v2", 9)
        w.deployed("v3", 2)
        w.burn("/cart", "/pay", since=8, release="v2")
        report = await w.triage()
    assert report.suspect == Release(version="v2")
    assert report.recommendation.target == Release(version="v1")
    assert report.recommendation.choice is Choice.ROLLBACK
    assert any("2 deploys around that time" in a for a in report.recommendation.against)


async def test_a_release_only_in_staging_is_nothing_to_us() -> None:
    async with world() as w:
        w.deployed("v2", 600)
        w.deployed("v3", 7, environment="staging")
        w.local.load(
            "Oops: staging",
            at=ago(6),
            every=1,
            times=300,
            transaction="/cart",
            environment="staging",
        )
        w.burn("/pay", since=5, release="v2")
        report = await w.triage()
    assert report.events == 40
    assert report.suspect == Release(version="v2")
    assert [d.release.version for d in report.deploys] == ["v2"]


async def test_events_without_an_environment_count_as_the_first() -> None:
    async with world() as w:
        w.burn("/pay", environment=None)
        report = await w.triage()
    assert report.events == 40


async def test_one_region_and_one_customer_are_named() -> None:
    async with world() as w:
        w.burn("/cart", tags={"region": "eu-west", "customer": "Globex"})
        report = await w.triage()
    assert [(s.name, s.events) for s in report.blast.regions] == [("eu-west", 40)]
    assert "All of it in one region: eu-west." in report.blast.sentences
    assert "All of it in one organisation: Globex." in report.blast.sentences
    assert report.blast.sentences[0].startswith(
        "30 users in 1 region and 1 organisation, 40 events"
    )


async def test_the_dependency_was_deployed_not_the_service() -> None:
    payments = SHOP.model_copy(update={"name": "payments", "sentry": ("payments",), "features": {}})
    async with world(neighbours=(payments,)) as w:
        w.deployed("v2", 900)
        w.deployed("v3", 300)
        w.deployed("p8", 8, project="payments")
        w.burn("/cart", "/pay", since=6)
        w.burn("/charge", since=6, project="payments", release="p8")
        w.deployed("p7", 9000, project="payments")
        report = await w.triage()
    assert report.events == 120
    beside = [(d.service, d.release.version) for d in report.deploys_beside]
    assert beside == [("payments", "p8"), ("payments", "p7")]
    assert report.suspect == Release(version="v3")
    assert report.recommendation.choice is not Choice.ROLLBACK
    assert not report.recommendation.loud
    assert report.recommendation.reasons[-1] == (
        "A rollback would probably not end it. Payments p8 was deployed 2 min before trouble began."
    )


async def test_old_releases_still_burning_brake_the_rollback() -> None:
    async with world() as w:
        w.deployed("v2", 600)
        w.deployed("v3", 8)
        w.burn("/cart", "/pay", since=6, release="v2", times=20)
        w.burn("/search", since=6, release="v3", times=20)
        report = await w.triage()
    assert report.recommendation.choice is Choice.INVESTIGATE
    assert any(
        "Earlier releases fail as well: 67 % of the events are theirs." in p
        for p in report.recommendation.points_away
    )


async def test_a_running_release_that_no_event_carries_may_be_the_cure() -> None:
    async with world() as w:
        w.deployed("v1", 600)
        w.deployed("v2", 14)
        w.deployed("v3", 6)
        w.burn("/cart", "/pay", since=12, release="v2")
        report = await w.triage()
    assert any("it may be the fix" in p for p in report.recommendation.points_away)
    assert report.recommendation.choice is not Choice.ROLLBACK


async def test_an_archived_issue_that_regresses_belongs() -> None:
    async with world() as w:
        event = w.local.load("Oops: old", at=ago(60 * 24 * 20), transaction="/cart")[0]
        w.local.set_status(event.issue_id, "ignored")
        w.local.load(
            "Oops: old", at=ago(4), every=5, times=30, users=["a", "b"], transaction="/cart"
        )
        report = await w.triage()
    assert report.issue_ids == (str(event.issue_id),)
    assert report.issues[0].spiking


async def test_many_tiny_issues_of_one_cause_are_one_picture() -> None:
    async with world() as w:
        w.deployed("v2", 600)
        w.deployed("v3", 8)
        for n in range(150):
            path = ("/cart", "/pay")[n % 2]
            w.local.load(
                f"Oops: {n}",
                at=ago(6) + timedelta(seconds=n),
                users=[f"u{n}"],
                transaction=path,
                function=f"f{n}",
                release="v3",
            )
        report = await w.triage()
    assert report.events == 150
    assert len(report.issue_ids) == 150
    assert len(report.issues) == 10
    assert report.blast.user_count == 150
    assert report.recommendation.choice is Choice.ROLLBACK


async def test_a_spike_that_is_over_says_so() -> None:
    async with world() as w:
        w.local.load(
            "Oops: a", at=ago(14), every=1, times=60, users=["a", "b"], transaction="/cart"
        )
        report = await w.triage()
    assert report.began_at == ago(14)
    assert any("it may be over" in a for a in report.recommendation.against)


async def test_events_that_arrive_late_count_where_they_happened() -> None:
    """The window is by event time.

    An event that arrives now and happened before the deploy does not blame it, and grows the
    picture.
    """
    async with world() as w:
        w.deployed("v2", 600)
        w.deployed("v3", 4)
        w.burn("/cart", since=3, times=20)
        before = await w.triage()
        w.local.load(
            "Oops: late",
            at=ago(9),
            every=2,
            times=200,
            users=["a", "b"],
            transaction="/pay",
            release="v2",
        )
        after = await w.triage()
    assert (before.suspect, before.began_at) == (Release(version="v3"), ago(3))
    assert (after.suspect, after.began_at) == (Release(version="v2"), ago(9))
    assert after.events == 220
    assert after.recommendation.likely is Likelihood.UNLIKELY


async def test_the_incomplete_last_bucket_is_no_quiet_and_no_baseline() -> None:
    """Sentry marks the newest minutes as incomplete.

    Half-full, they neither end the trouble nor thin the usual rate.
    """
    async with world() as w:
        w.local.load(
            "Oops: old", at=ago(60 * 20), every=60, times=60 * 20, users=["u1"], transaction="/cart"
        )
        w.local.load(
            "Oops: old",
            at=ago(4),
            every=0.5,
            times=300,
            users=["a", "b"],
            transaction="/cart",
            release="v3",
        )
        report = await w.triage()
    assert report.began_at == ago(4)
    assert 0.8 < report.baseline_per_minute < 1.2
    assert not any("it may be over" in a for a in report.recommendation.against)


async def test_sampled_events_are_said_to_be_estimates() -> None:
    async with world() as w:
        w.deployed("v2", 600)
        w.deployed("v3", 8)
        w.burn("/cart", "/pay")
        w.local.sampled = True
        report = await w.triage()
    assert any("estimates" in a for a in report.recommendation.against)
    assert any("counted a sample" in n for n in report.notes)


async def test_very_low_traffic_is_weak_evidence() -> None:
    async with world() as w:
        w.local.load("Oops: a", at=ago(3), every=30, times=2, users=["a", "b"], transaction="/cart")
        report = await w.triage()
    assert (report.blast.users, report.blast.features) == (Word.MANY, Word.ONE)
    assert report.blast.confidence is Confidence.LOW


async def test_nothing_unusual_is_said_and_noise_is_left_out() -> None:
    async with world() as w:
        w.local.load("Oops: noise", at=ago(20160), every=300, times=4032, transaction="/cart")
        w.local.load(
            "Warning: new", at=ago(3), every=1, times=50, level="warning", transaction="/cart"
        )
        report = await w.triage()
    assert report.issues == ()
    assert report.blast.users is Word.NOBODY
    assert report.blast.sentences == (
        "Sentry shows nothing unusual.",
        "3 events in the last 15 min, as usual at this time of day (0.2/min).",
    )
    assert report.recommendation.choice is Choice.INVESTIGATE
    assert not report.recommendation.offer_rollback


async def test_a_named_issue_belongs_whatever_its_rate() -> None:
    async with world() as w:
        event = w.local.load("Oops: old", at=ago(60 * 24 * 3), transaction="/cart")[0]
        w.local.load(
            "Oops: old",
            at=ago(60 * 23),
            every=60,
            times=60 * 23,
            users=["a", "b"],
            transaction="/cart",
        )
        report = await w.triage(seeds=(str(event.issue_id),))
    assert report.issue_ids == (str(event.issue_id),)
    assert report.blast.users is Word.MANY
    assert report.began_at is None
    assert report.recommendation.choice is Choice.INVESTIGATE


async def test_first_events_stand_for_deploys_that_nobody_told_of() -> None:
    async with world() as w:
        w.local.load("Warn: x", at=ago(700), level="warning", release="v2")
        w.burn("/cart", "/pay")
        report = await w.triage()
    assert report.suspect == Release(version="v3")
    assert report.recommendation.target == Release(version="v2")
    assert any("each release's first event" in n for n in report.notes)


async def test_without_discover_counts_are_per_issue_and_said_so() -> None:
    async with world(discover=False) as w:
        w.deployed("v2", 600)
        w.deployed("v3", 8)
        w.burn("/cart", "/pay", "/search", users=30)
        report = await w.triage()
    assert report.blast.users is Word.MANY
    assert report.events == 120
    assert report.began_at == ago(6)
    assert any("no Discover" in n for n in report.notes)


async def test_a_drill_with_a_window_of_a_minute_works_within_a_minute_of_the_start() -> None:
    service = SHOP.model_copy(update={"window_seconds": 60})
    async with world(service=service) as w:
        w.deployed("v1", 3)
        w.deployed("v2", 2)
        w.deployed("v3", 0.5)
        w.burn("/cart", "/pay", since=0.4, times=12)
        report = await w.triage()
    assert report.began_at == ago(0.4).replace(microsecond=0)
    assert report.baseline_per_minute == 0
    assert report.suspect == Release(version="v3")
    assert report.recommendation.choice is Choice.ROLLBACK
    assert report.recommendation.target == Release(version="v2")
    assert "in the last 60 s (24/min" in report.blast.sentences[0]


async def test_no_value_of_an_end_user_is_in_the_report() -> None:
    async with world() as w:
        w.local.load(
            "KeyError: 'bob@example.com from 203.0.113.9'",
            at=ago(3),
            every=1,
            times=20,
            users=["alice@example.com", "bob@example.com"],
            transaction="/cart",
            ip="203.0.113.9",
        )
        report = await w.triage()
    text = report.model_dump_json()
    assert "example.com" not in text
    assert "203.0.113" not in text
    assert report.blast.user_count == 2
