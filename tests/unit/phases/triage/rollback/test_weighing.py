"""Would going back end it? Laws of the weighing, and each row of its table on the local Sentry."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from phases.ports.source_values import Commit, CommitFile
from phases.ports.tracker_values import EventDetail
from phases.record.findings import (
    BlastRadius,
    Choice,
    DeploySeen,
    Frame,
    IssueSeen,
    Release,
    Usual,
    Word,
)
from phases.record.going_back import Likelihood, Quote, TakenBack
from phases.triage.deploys.beginning_text import beginning_sentence
from phases.triage.deploys.deploy_history import merge_deploys, suspect_of
from phases.triage.rollback.edge_errors import Edge, edge_of
from phases.triage.rollback.recommendation import recommend
from phases.triage.rollback.situation import OtherChange, Situation
from phases.triage.rollback.weighing import weigh
from tests.support.worlds.sentry_world import NOW, SHOP, Repository, ago, world

WINDOW = timedelta(minutes=15)
EVERYTHING = BlastRadius(users=Word.MANY, user_count=99, features=Word.MANY)


def deploy(version: str, minutes_ago: float, **fields: Any) -> DeploySeen:
    given: dict[str, Any] = {"source": "github", "service": "shop", **fields}
    release = Release(version=version)
    return DeploySeen(release=release, started_at=ago(minutes_ago), **given)


ERRORS = st.sampled_from(
    [
        ("KeyError", "'total'"),
        ("OperationalError", "Connection refused"),
        ("MemoryError", ""),
        ("ReadTimeout", "host='api.stripe.com': Read timed out"),
        ("OSError", "[Errno 28] No space left on device"),
    ]
)


@st.composite
def situations(draw: st.DrawFn) -> Situation:
    at = draw(st.floats(2, 3000))
    known = merge_deploys(
        [
            deploy("v3", at, last_event=NOW),
            deploy("v2", at + draw(st.floats(1, 5000)), last_event=draw(st.none() | st.just(NOW))),
            deploy("v1", 9999),
        ]
    )
    began = ago(draw(st.floats(0.5, at)))
    type, value = draw(ERRORS)
    frame = Frame(file="shop/cart.py", function="total", line=41)
    issue = IssueSeen(
        id="1",
        short_id="S-1",
        title=type,
        first_seen=draw(st.sampled_from([began, ago(9999)])),
        events=50,
    )
    paths = draw(st.none() | st.lists(st.sampled_from(["shop/cart.py", "shop/x.py", "docs/a.md"])))
    commits = None
    if paths is not None:
        commits = tuple(Commit(sha="a" * 40, files=(CommitFile(path=path),)) for path in paths)
    return Situation(
        now=NOW,
        window=WINDOW,
        service="shop",
        blast=EVERYTHING,
        events=50,
        began=began,
        known=known,
        suspect=suspect_of(known.deploys, began, WINDOW),
        running=Release(version="v3"),
        listed=tuple(Release(version=v) for v in ("v3", "v2", "v1")),
        by_release=draw(st.sampled_from([{}, {"v3": 50}, {"v3": 48, "v2": 2}])),
        issues=(issue,),
        crash=EventDetail(
            exception_type=type, exception_value=value, handled=False, frames=(frame,), release=None
        ),
        commits=commits,
    )


def usual(why: Usual, sentence: str) -> BlastRadius:
    return EVERYTHING.model_copy(update={"usual": why, "sentences": (sentence,)})


AWAY = (
    {"blast": usual("regular", "It does this every hour at :05.")},
    {"blast": usual("renamed", "Not new: until 14:02 cart failed as often.")},
    {"by_release": {"v3": 20, "v2": 30}},
    {"only": {"organisation": "Globex"}, "beside": {"organisation": (9, 500)}},
    {"only": {"region": "eu"}, "beside": {"region": (2, 500)}},
    {"only": {"browser": "Safari"}, "beside": {"browser": (4, 500)}},
)
BRAKES = (
    {"written": (Quote(text="do not roll back", where="the title"),)},
    {"one_way": ("migrations/7.sql",)},
    {"takes_back": TakenBack(since="v2", fixes=("INC-0031 (fix/tax)",))},
    {"rolled_back": ("v9",)},
)


@given(situations(), st.sampled_from(AWAY))
def test_more_evidence_away_never_turns_investigate_into_rollback(
    s: Situation, more: dict[str, Any]
) -> None:
    assume("by_release" not in more or s.by_release.get("v2", 0) < 30)
    before, after = recommend(s), recommend(replace(s, **more))
    if before.choice is not Choice.ROLLBACK:
        assert after.choice is not Choice.ROLLBACK
    weighed, heavier = weigh(s), weigh(replace(s, **more))
    if weighed is not None and heavier is not None:
        assert heavier.sum <= weighed.sum


@given(situations())
def test_a_change_that_is_nearer_never_makes_the_release_more_guilty(s: Situation) -> None:
    assert s.began is not None
    near = OtherChange(what="The flag x was turned on", at=s.began - timedelta(seconds=20))
    weighed, heavier = weigh(s), weigh(replace(s, other_changes=(near,)))
    if weighed is not None and heavier is not None:
        assert heavier.sum <= weighed.sum


@given(situations(), st.sampled_from(BRAKES))
def test_a_brake_holds_every_rollback_and_takes_nothing_from_the_weighing(
    s: Situation, brake: dict[str, Any]
) -> None:
    before, after = recommend(s), recommend(replace(s, **brake))
    assert after.choice is not Choice.ROLLBACK
    assert (after.likely, after.points_to) == (before.likely, before.points_to)
    assert after.loud == (before.choice is Choice.ROLLBACK)


@given(situations())
def test_the_words_fit_the_choice(s: Situation) -> None:
    recommendation = recommend(s)
    match recommendation.likely:
        case Likelihood.UNLIKELY:
            assert recommendation.choice is Choice.INVESTIGATE
            assert recommendation.points_away
            assert not recommendation.loud
            assert any(recommendation.points_away[0] in reason for reason in recommendation.reasons)
        case Likelihood.LIKELY:
            assert recommendation.points_to
            assert (recommendation.choice is Choice.ROLLBACK) == (not recommendation.brakes)
        case _:
            assert recommendation.choice in (Choice.ROLLBACK, Choice.INVESTIGATE)
    if recommendation.choice is Choice.ROLLBACK:
        assert recommendation.target in s.targets
        assert recommendation.brakes == ()


# --- the edge -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "edge"),
    [
        ("ConnectionRefusedError: [Errno 111] Connection refused", Edge.CONNECTION),
        ("Error: read ECONNRESET", Edge.CONNECTION),
        ("MongoServerSelectionError: connection timed out", Edge.CONNECTION),
        ("*net.OpError: dial tcp 10.0.0.5:5432: connect: connection refused", Edge.CONNECTION),
        ("java.net.ConnectException: Connection refused (Connection refused)", Edge.CONNECTION),
        ("com.mysql.cj.jdbc.exceptions.CommunicationsException: Communications link failure",
         Edge.CONNECTION),
        ("Redis::CannotConnectError: Error connecting to Redis (ECONNREFUSED)", Edge.CONNECTION),
        ("PDOException: SQLSTATE[HY000] [2002] No such file or directory", Edge.CONNECTION),
        ("SocketException: No connection could be made because the target machine actively "
         "refused it.", Edge.CONNECTION),
        ("InternalError: cannot execute INSERT in a read-only transaction", Edge.CONNECTION),
        ("Error: getaddrinfo ENOTFOUND db.internal", Edge.NAME),
        ("socket.gaierror: [Errno -2] Name or service not known", Edge.NAME),
        ("*net.DNSError: lookup api.bank: no such host", Edge.NAME),
        ("SSLError: certificate verify failed: certificate has expired", Edge.CERTIFICATE),
        ("Error: CERT_HAS_EXPIRED", Edge.CERTIFICATE),
        ("javax.net.ssl.SSLHandshakeException: PKIX path building failed", Edge.ISSUER),
        ("AuthenticationException: The remote certificate is invalid", Edge.CERTIFICATE),
        ("Error: ENOSPC: no space left on device, write", Edge.DISK),
        ("PG::DiskFull: ERROR: could not extend file", Edge.DISK),
        ("IOException: There is not enough space on the disk.", Edge.DISK),
        ("RateLimitError: 429 Too Many Requests", Edge.BEHIND),
        ("HTTPError: 429 Client Error: Too Many Requests for url: https://api.github.com/x",
         Edge.QUOTA),
        ("AxiosError: Request failed with status code 429", Edge.BEHIND),
        ("ApiError: 429 quota exceeded", Edge.QUOTA),
        ("OperationalError: FATAL:  the database system is shutting down", Edge.FAILOVER),
        ("ThrottlingException: Rate exceeded", Edge.QUOTA),
        ("HTTPError: 502 Server Error: Bad Gateway for url: https://api.x.io/", Edge.PROVIDER),
        ("ReadTimeout: HTTPSConnectionPool(host='api.stripe.com', port=443): Read timed out.",
         Edge.PROVIDER),
        ("QueryCanceled: canceling statement due to statement timeout", Edge.OVERLOAD),
        ("TimeoutError: Knex: Timeout acquiring a connection. The pool is probably full",
         Edge.OVERLOAD),
        ("Mysql2::Error: Lock wait timeout exceeded", Edge.OVERLOAD),
        ("TypeError: f() got an unexpected keyword argument 'timeout'", None),
        ("KeyError: 'connection'", None),
        ("AttributeError: 'Pool' object has no attribute 'acquire'", None),
        ("NullPointerException: quota is null", None),
        ("TemplateDoesNotExist: refused.html", None),
        ("ValueError: too large", None),
    ],
)  # fmt: skip
def test_errors_at_the_edge_in_the_words_of_many_languages(error: str, edge: Edge | None) -> None:
    type, _, value = error.partition(": ")
    assert edge_of(type, value) is edge


def test_a_host_of_ours_is_no_provider() -> None:
    value = "503 Server Error: Service Unavailable for url: https://api.shop.example.com/cart"
    assert edge_of("HTTPError", value) is Edge.PROVIDER
    assert edge_of("HTTPError", value, own="www.shop.example.com") is Edge.BEHIND


# --- when, with its precision ---------------------------------------------------------------------


def test_the_beginning_is_told_with_the_precision_that_it_has() -> None:
    exact = deploy("v3", 8)
    assert (
        beginning_sentence(ago(5), exact)
        == "Trouble began 2026-05-05 14:10 UTC, 3 min after v3 was deployed."
    )
    assert "about 3 min after v3" in beginning_sentence(ago(5), exact, exact=False)
    assert "within a minute of v3's deploy" in beginning_sentence(ago(7.6), exact, exact=False)
    assert "24 s after v3 was deployed" in beginning_sentence(ago(7.6), exact)
    assert "36 s before v3 was deployed" in beginning_sentence(ago(8.6), exact)
    ends_only = deploy("v3", 8, source="webhook", finished_at=ago(8))
    assert "just as v3 was being deployed" in beginning_sentence(ago(8.6), ends_only)
    first = deploy("v3", 8, source="first event")
    assert "within a minute of v3's first event" in beginning_sentence(ago(7.6), first, exact=False)
    assert beginning_sentence(None, exact) == ""


# --- each row, measured ---------------------------------------------------------------------------


def commit(*paths: str, subject: str = "Change it", **fields: Any) -> Commit:
    files = tuple(CommitFile(path=path, added=1) for path in paths)
    return Commit(sha="a" * 40, subject=subject, files=files, **fields)


async def test_a_provider_that_is_down_is_not_rolled_back() -> None:
    async with world(source=Repository(log=[commit("shop/wishlist.py")])) as w:
        w.deployed("v2", 600)
        w.deployed("v3", 9)
        for path in ("/cart", "/pay"):
            w.local.load(
                "HTTPError: 503 Server Error: Service Unavailable for url: https://api.stripe.com/",
                at=ago(5),
                every=5,
                times=50,
                users=[f"u{n}" for n in range(30)],
                transaction=path,
                function=f"charge{path}",
                release="v3",
            )
        report = await w.triage()
    advice = report.recommendation
    assert (advice.choice, advice.likely) == (Choice.INVESTIGATE, Likelihood.UNLIKELY)
    assert advice.target == Release(version="v2")
    assert advice.reasons[-1] == (
        "A rollback would probably not end it. The failure is a third party that "
        "does not answer as it should, and v3 changed no code in its stack."
    )


async def test_changed_code_in_the_stack_points_to_the_release() -> None:
    async with world(source=Repository(log=[commit("shop/session.py")])) as w:
        w.deployed("v2", 600)
        w.deployed("v3", 50)
        w.burn("/cart", "/pay", since=10)
        report = await w.triage()
    advice = report.recommendation
    assert advice.choice is Choice.ROLLBACK
    assert "v3 changed shop/session.py, which is in the stack." in advice.points_to


async def test_a_canary_that_fails_alone_is_taken_back_to_what_runs_beside_it() -> None:
    async with world() as w:
        w.deployed("v1", 9000)
        w.deployed("v2", 600)
        w.deployed("v3", 40)
        w.burn("/cart", "/pay", since=20)
        w.local.load("Other: x", at=ago(1), release="v2", transaction="/search", function="x")
        assert w.deployer is not None
        w.deployer.runs = "v2"
        report = await w.triage()
    advice = report.recommendation
    assert (report.canary, report.running) == (True, Release(version="v3"))
    assert (advice.choice, advice.target) == (Choice.ROLLBACK, Release(version="v2"))
    assert "Only v3 fails: v2 is still running and does not." in advice.points_to


async def test_one_customer_who_fails_alone_is_not_rolled_back() -> None:
    async with world() as w:
        w.deployed("v2", 600)
        w.deployed("v3", 18)
        w.burn("/cart", "/pay", since=6, tags={"customer": "Globex"})
        for n in range(30):
            w.local.load(
                f"Rare: {n}",
                at=ago(50),
                users=[f"n{n}"],
                transaction="/search",
                function=f"rare{n}",
                tags={"customer": f"customer-{n % 5}"},
                release="v2",
            )
        report = await w.triage()
    advice = report.recommendation
    assert (advice.choice, advice.likely) == (Choice.INVESTIGATE, Likelihood.UNLIKELY)
    assert "All of it is in one organisation, Globex; 5 others do not fail." in advice.points_away


async def test_a_rollout_that_ci_has_not_told_of_yet_is_seen_by_its_first_event() -> None:
    known = (deploy("v2", 600, source="webhook", finished_at=ago(600)),)
    async with world(known=known) as w:
        w.local.load("Warn: x", at=ago(700), level="warning", release="v2")
        w.burn("/cart", "/pay", since=6, release="v3")
        report = await w.triage()
    assert report.suspect == Release(version="v3")
    assert report.recommendation.choice is Choice.ROLLBACK
    assert report.recommendation.target == Release(version="v2")


async def test_what_people_wrote_brakes_and_is_quoted() -> None:
    async with world(
        source=Repository(
            log=[
                commit(
                    "shop/x.py", subject="Carts in cents", body="Do not roll back.", author="Ann"
                )
            ]
        )
    ) as w:
        w.deployed("v2", 600)
        w.deployed("v3", 8)
        w.burn("/cart", "/pay")
        report = await w.triage(description="The data was converted. Please don't roll back!")
        by_commit = await w.triage()
    assert report.recommendation.choice is Choice.INVESTIGATE
    assert report.recommendation.loud
    assert [q.where for q in report.recommendation.written] == [
        "the report",
        "commit aaaaaaa by Ann",
    ]
    assert by_commit.recommendation.brakes == ("Commit aaaaaaa by Ann says “Do not roll back.”.",)


async def test_a_repository_without_the_targets_tag_is_one_line_and_the_rest_stands() -> None:
    async with world(source=Repository(lost="v2 is not known in the clone")) as w:
        w.deployed("v2", 600)
        w.deployed("v3", 8)
        w.burn("/cart", "/pay")
        report = await w.triage()
    advice = report.recommendation
    assert advice.choice is Choice.ROLLBACK
    assert advice.takes_back is not None
    assert advice.takes_back.unknown == (
        "What else is taken back since v2 is not known: v2 is not known in the clone."
    )


async def test_a_migration_that_removes_what_the_target_reads_brakes() -> None:
    patch = "@@ -0,0 +1,2 @@\n+ALTER TABLE carts DROP COLUMN total;\n"
    file = CommitFile(path="migrations/0042_carts.sql", added=1, patch=patch)
    log = [Commit(sha="a" * 40, subject="Carts", files=(file,))]
    async with world(source=Repository(log=log), service=SHOP) as w:
        w.deployed("v2", 600)
        w.deployed("v3", 8)
        w.burn("/cart", "/pay")
        report = await w.triage()
    assert report.recommendation.brakes == (
        "v2 may miss what migrations/0042_carts.sql removed: going back does not undo it.",
    )
    assert report.recommendation.loud


def down(minutes_ago: float, **fields: Any) -> Situation:
    """The endpoint fails, Sentry is silent, and v3 went out so long ago."""
    known = merge_deploys(
        [deploy("v3", minutes_ago, **fields), deploy("v2", 900), deploy("v1", 9999)]
    )
    return Situation(
        now=NOW,
        window=WINDOW,
        service="shop",
        blast=EVERYTHING.model_copy(
            update={"down": True, "sentences": ("The endpoint fails (503).",)}
        ),
        events=0,
        known=known,
        suspect=known.deploys[0],
        running=Release(version="v3"),
        listed=tuple(Release(version=v) for v in ("v3", "v2", "v1")),
    )


def test_a_release_that_does_not_start_is_rolled_back_although_sentry_is_silent() -> None:
    recommendation = recommend(down(4))
    assert (recommendation.choice, recommendation.target) == (
        Choice.ROLLBACK,
        Release(version="v2"),
    )
    assert "The endpoint fails, and v3 was deployed 4 min ago." in recommendation.reasons
    assert recommend(down(40)).choice is Choice.INVESTIGATE  # one that does not start fails at once
    ran = recommend(down(40, last_event=ago(2)))
    assert (ran.choice, ran.likely) == (Choice.INVESTIGATE, Likelihood.UNLIKELY)
    assert "v3 ran for 38 min, as its last event shows." in ran.points_away
