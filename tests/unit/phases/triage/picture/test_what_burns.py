"""What burns, measured by the real client on the local Sentry's answers: one story a rule."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import pytest

from phases.record.findings import Choice, EndpointAnswer, TriageReport, Word
from phases.record.incident import Severity
from phases.triage.measure import triage
from phases.triage.picture.blast_radius import severity_of
from phases.triage.reading.questions import Sources
from phases.triage.steps import headline
from tests.support.worlds.sentry_world import NOW, World, ago, incident, world

URL = "https://shop.example/health"
PEOPLE = [f"u{n}" for n in range(150)]


@dataclass
class Front:
    """An endpoint with one answer, after a while."""

    answer: EndpointAnswer
    called: int = 0

    async def call(self, url: str) -> EndpointAnswer:
        assert url == URL
        self.called += 1
        return self.answer


UP = EndpointAnswer(ok=True, said="200 in 31 ms")
DOWN = EndpointAnswer(ok=False, said="503")


async def with_front(w: World, front: Front) -> TriageReport:
    shop = w.service.model_copy(update={"endpoint": URL})
    sources = Sources(shop, w.client, deployer=w.deployer, endpoint=front)
    return (await triage(incident(), sources, (), NOW)).report


def chatter(w: World, per_minute: float = 0.2, path: str = "/search") -> None:
    """Two weeks of what always fails a little."""
    times = int(14 * 24 * 60 * per_minute)
    w.local.load(
        "Timeout: read",
        at=ago(14 * 24 * 60),
        every=60 / per_minute,
        times=times,
        users=PEOPLE,
        transaction=path,
        function="old",
        release="v1",
    )


def small(w: World, issues: int, per_minute: float, minutes: float, paths: int = 3) -> None:
    """Many issues of few events each, for everybody, since so long."""
    names = ("/cart/add", "/pay", "/search")[:paths]
    for n in range(issues):
        w.local.load(
            f"KeyError: {n}",
            at=ago(minutes) + timedelta(seconds=n),
            every=60 / per_minute,
            times=int(minutes * per_minute),
            users=PEOPLE[n:] + PEOPLE[:n],
            transaction=names[n % paths],
            function=f"view{n}",
            release="v3",
        )


# --- its own beginning ----------------------------------------------------------------------------


@pytest.mark.parametrize("minutes", [55, 67, 480])
@pytest.mark.parametrize("noisy", [False, True])
async def test_many_small_issues_are_one_fire_however_old(minutes: int, noisy: bool) -> None:
    async with world() as w:
        w.deployed("v2", 3000)
        w.deployed("v3", minutes + 2)
        if noisy:
            chatter(w)
        small(w, 20, 0.55, minutes)
        report = await w.triage()
    assert len(report.issue_ids) >= 20
    assert (report.blast.users, report.blast.features) == (Word.MANY, Word.MANY)
    assert severity_of(report) is Severity.SEV1
    assert report.suspect is not None
    assert report.suspect.version == "v3"
    assert report.began_at is not None
    assert abs((report.began_at - ago(minutes)).total_seconds()) < 120


@pytest.mark.parametrize("minutes", [90, 240, 480])
async def test_four_issues_of_an_event_every_two_minutes_are_seen(minutes: int) -> None:
    async with world() as w:
        chatter(w, 0.1)
        small(w, 4, 0.5, minutes)
        report = await w.triage()
    assert report.blast.users is Word.MANY
    assert sum(issue.title.startswith("KeyError") for issue in report.issues) == 4


async def test_old_issues_that_each_grew_a_little_belong_where_the_service_is_louder() -> None:
    """A slow database: forty old issues at an event in 20 minutes, now each one in five."""
    async with world() as w:
        for n in range(40):
            fields = {"transaction": f"/p{n % 4}", "function": f"old{n}", "release": "v1"}
            w.local.load(
                f"Slow: {n}", at=ago(4320 - n), every=1200, times=215, users=PEOPLE, **fields
            )
            w.local.load(f"Slow: {n}", at=ago(30), every=300, times=6, users=PEOPLE, **fields)
        report = await w.triage()
    assert len(report.issue_ids) == 40
    assert report.blast.users is Word.MANY


# --- nothing unusual ------------------------------------------------------------------------------


async def test_what_could_not_be_looked_for_is_not_called_unusual_or_not() -> None:
    async with world() as w:
        chatter(w)
        w.refusing.refuse("interval=5m", status=503, message="Service unavailable")
        report = await w.triage()
    assert report.blast.sentences[0].startswith("I cannot tell whether anything is unusual")
    assert "(503)" in report.blast.sentences[0]
    assert severity_of(report) is Severity.SEV3, "not known is no SEV4"
    assert report.incomplete, "and is asked for again"


async def test_a_fire_that_has_just_ended_is_not_called_usual() -> None:
    async with world() as w:
        chatter(w)
        for n, path in enumerate(("/cart/add", "/pay")):
            begin = ago(44)
            w.local.load(
                f"KeyError: {n}",
                at=begin,
                every=1,
                times=int((ago(15.5) - begin).total_seconds()),
                users=PEOPLE,
                transaction=path,
                release="v3",
            )
        report = await w.triage()
    text = " ".join(report.blast.sentences)
    assert "as usual" not in text, text
    assert ", but only 3 in the last 15 min: it may be over" in text


async def test_a_sentry_that_falls_silent_is_no_good_sign() -> None:
    async with world() as w:
        w.local.load("Timeout: read", at=ago(20160), every=60, times=20_140, transaction="/search")
        report = await w.triage()
    assert "nothing unusual" not in headline(report).lower()
    assert "no error" in headline(report)
    assert severity_of(report) is Severity.SEV3


# --- regular --------------------------------------------------------------------------------------


async def test_what_comes_every_hour_is_regular() -> None:
    async with world() as w:
        w.deployed("v2", 600)
        w.deployed("v3", 12)
        for hour in range(24):  # at :05 of each hour
            w.local.load(
                "Job: import",
                at=ago(10.5 + 60 * hour),
                every=3,
                times=40,
                users=PEOPLE,
                transaction=("/cart", "/pay")[hour % 2],
                function="job",
                release="v3" if hour == 0 else "v2",
            )
        report = await w.triage()
        assert headline(report) == "It does this every hour at :05, about 40 events each time"
        assert report.blast.usual == "regular"
        assert report.recommendation.choice is Choice.INVESTIGATE
        assert severity_of(report) is Severity.SEV4
        small(w, 20, 4, 8)
        burning = await w.triage()
    assert burning.blast.users is Word.MANY, "a fire beside it is a fire"
    assert burning.suspect is not None
    assert not any(issue.title.startswith("Job") for issue in burning.issues)


async def test_what_comes_every_night_under_another_title_is_regular() -> None:
    async with world() as w:
        for day in range(13):
            w.local.load(
                f"Report: of day {day}",
                at=ago(8 + 1440 * day),
                every=5,
                times=60,
                users=PEOPLE,
                transaction="/report",
                function=f"night{day}",
            )
        report = await w.triage()
    assert headline(report) == "It does this every day at 14:07 UTC, about 60 events each time"


async def test_ten_times_as_much_as_each_hour_is_a_fire() -> None:
    async with world() as w:
        for hour in range(24):
            w.local.load(
                "Job: import",
                at=ago(10.5 + 60 * hour),
                every=1,
                times=40 if hour else 400,
                users=PEOPLE,
                transaction="/cart",
                function="job",
            )
        report = await w.triage()
    assert report.blast.users is Word.MANY
    assert report.blast.usual == ""


# --- renamed --------------------------------------------------------------------------------------


def renamed(w: World, minutes: float, *, ceases: bool = True) -> None:
    w.local.projects["shop"].created = ago(2880).timestamp()
    for n, path in enumerate(("/cart", "/pay")):
        times = int(2880 - (minutes if ceases else 0)) * 3
        fields = {"users": PEOPLE, "transaction": path}
        w.local.load(f"Old: {n}", at=ago(2880), every=20, times=times, function=path, **fields)
        w.local.load(
            f"New: {n}",
            at=ago(minutes),
            every=20,
            times=int(minutes * 3),
            function=f"new{path}",
            release="v3",
            **fields,
        )


async def test_the_same_failure_under_another_title_is_not_new() -> None:
    async with world() as w:
        w.deployed("v2", 3000)
        w.deployed("v3", 9)
        renamed(w, 8)
        report = await w.triage()
    assert report.blast.usual == "renamed"
    assert headline(report) == (
        "Not new: until 2026-05-05 14:07 UTC /cart and /pay failed as often under another title"
    )
    assert report.recommendation.choice is Choice.INVESTIGATE
    assert not report.recommendation.loud


async def test_a_new_failure_beside_the_old_one_is_new() -> None:
    async with world() as w:
        w.deployed("v2", 3000)
        w.deployed("v3", 9)
        renamed(w, 8, ceases=False)
        report = await w.triage()
    assert report.blast.users is Word.MANY
    assert report.recommendation.choice is Choice.ROLLBACK


async def test_a_fire_that_had_ended_before_is_no_older_title_of_this_one() -> None:
    """Another fire burned for 15 minutes, and a hotfix ended it 17 minutes before this one."""
    async with world() as w:
        w.deployed("v2", 3000)
        w.deployed("v3", 9)
        for n, path in enumerate(("/cart", "/pay")):
            fields = {"users": PEOPLE, "transaction": path}
            w.local.load(
                f"Old: {n}", at=ago(40), every=6, times=150, function=path, release="v2", **fields
            )
            w.local.load(
                f"New: {n}", at=ago(8), every=20, times=24, function="x", release="v3", **fields
            )
        report = await w.triage()
    assert report.blast.usual == ""
    assert report.blast.users is Word.MANY


# --- few who shout, and no customers --------------------------------------------------------------


async def test_a_few_clients_that_loop_for_weeks_are_no_wide_fire() -> None:
    async with world() as w:
        w.deployed("v2", 3000)
        w.deployed("v3", 9)
        events = [
            w.local.load(
                f"Loop: {n}",
                at=ago(8 * 1440),
                every=60,
                times=8 * 1440,
                users=["a", "b", "c"],
                transaction=path,
                function=f"loop{n}",
            )[0]
            for n, path in enumerate(("/cart", "/pay"))
        ]
        report = await w.triage(seeds=tuple(str(event.issue_id) for event in events))
    assert headline(report) == (
        "The same few (3 users) have run into it for 8 days, and no more often than usual"
    )
    assert severity_of(report) is Severity.SEV4
    assert report.recommendation.choice is Choice.INVESTIGATE


async def test_users_decide_how_wide_it_is() -> None:
    """Two clients loop in one feature; two more features are broken for everybody."""
    async with world() as w:
        w.deployed("v2", 600)
        w.deployed("v3", 8)
        w.burn("/pay", "/search", times=60)
        w.burn("/cart", users=2, times=4000)
        report = await w.triage()
        assert {f.name for f in report.blast.top_features} >= {"pay", "search"}
    async with world() as w:
        w.burn("/pay", users=100, times=200)
        w.burn("/cart", users=1, times=2000)
        looping = await w.triage()
    assert looping.blast.features is Word.ONE, "a client that loops is no second feature"


async def test_scanners_are_no_customers() -> None:
    async with world() as w:
        for n, path in enumerate(
            ("/wp-login.php", "/.env", "/.git/config", "/phpmyadmin/", "/a.php")
        ):
            w.local.load(
                "Http404: no such page",
                at=ago(5 + n / 10),
                every=10,
                times=12,
                transaction=path,
                ip="203.0.113.9",
            )
        report = await w.triage()
        assert headline(report) == "Scanners (5 paths) ran into it. Nobody else ran into it"
        assert severity_of(report) is Severity.SEV4
        w.burn("/pay", users=100, times=200)
        both = await w.triage()
    assert both.blast.users is Word.MANY
    assert [f.name for f in both.blast.top_features] == ["pay"]


async def test_pages_that_are_missing_for_customers_are_a_fire() -> None:
    async with world() as w:
        w.deployed("v2", 600)
        w.deployed("v3", 8)
        w.local.load(
            "Http404: no such page",
            at=ago(5),
            every=2,
            times=100,
            users=PEOPLE,
            transaction="/pay/confirm",
        )
        report = await w.triage()
    assert report.blast.users is Word.MANY


async def test_a_developers_machine_is_no_customer() -> None:
    async with world() as w:
        fields = {"transaction": "/cart", "tags": {"url": "http://localhost:3000/cart"}}
        w.local.load("Oops: a", at=ago(5), every=2, times=100, users=["dev1", "dev2"], **fields)
        report = await w.triage()
        assert headline(report) == "Only a developer's machine ran into it"
        w.burn("/cart", "/pay")
        both = await w.triage()
    assert both.blast.user_count == 30


async def test_an_app_that_serves_itself_is_one_of_customers() -> None:
    async with world() as w:
        w.local.load(
            "Oops: a",
            at=ago(5),
            every=2,
            times=100,
            users=PEOPLE,
            transaction="/cart",
            tags={"url": "https://localhost/cart"},
        )
        report = await w.triage()
    assert report.blast.users is Word.MANY


# --- the endpoint ---------------------------------------------------------------------------------


async def test_an_endpoint_that_fails_beside_a_silent_sentry_is_a_total_outage() -> None:
    async with world() as w:
        front = Front(DOWN)
        report = await with_front(w, front)
    assert report.endpoint == DOWN
    assert headline(report) == (
        "The endpoint fails (503): taken as a total outage until shown otherwise"
    )
    assert (report.blast.users, report.blast.features) == (Word.MANY, Word.MANY)
    assert severity_of(report) is Severity.SEV1
    assert report.recommendation.reasons[0].startswith("The endpoint fails (503)")
    assert "nothing unusual" not in " ".join(report.blast.sentences).lower()


async def test_an_endpoint_that_answers_is_shown() -> None:
    async with world() as w:
        w.deployed("v2", 600)
        w.deployed("v3", 8)
        quiet = await with_front(w, Front(UP))
        w.burn("/cart", "/pay")
        report = await with_front(w, Front(DOWN))
    assert quiet.blast.sentences[-1] == "The endpoint answers: 200 in 31 ms."
    assert report.blast.sentences[-1] == "The endpoint fails: 503."
    assert report.recommendation.choice is Choice.ROLLBACK


async def test_health_checks_that_fail_alone_are_nobody_unless_the_endpoint_fails() -> None:
    async with world() as w:
        w.local.load("Oops: db", at=ago(5), every=5, times=60, transaction="/healthz")
        report = await with_front(w, Front(UP))
        assert headline(report).startswith("Health checks (/healthz) ran into it.")
        assert report.blast.users is Word.NOBODY
        down = await with_front(w, Front(DOWN))
    assert severity_of(down) is Severity.SEV1


# --- monitors -------------------------------------------------------------------------------------


async def test_an_old_monitors_issue_with_events_is_no_silence() -> None:
    async with world() as w:
        fields = {"tags": {"uptime_rule": "7"}, "function": "watch", "release": None}
        w.local.load("Downtime: shop", at=ago(9000), times=1, **fields)
        w.local.load("Downtime: shop", at=ago(600), every=60, times=600, **fields)
        report = await w.triage()
    assert report.blast.users is Word.MANY
    assert any("not counted as errors" in sentence for sentence in report.blast.sentences)
