"""What fails tells if going back would end it: what runs dry, what passes, what is not ours."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from phases.ports.source_values import Commit, CommitFile
from phases.ports.tracker_values import EventDetail
from phases.record.findings import (
    EXTENSION,
    BlastRadius,
    Choice,
    DeploySeen,
    EndpointAnswer,
    Frame,
    IssueSeen,
    Release,
    Word,
)
from phases.record.going_back import Likelihood
from phases.triage.deploys.deploy_history import merge_deploys, suspect_of
from phases.triage.rollback.edge_errors import is_exhaustion, is_lock_wait, is_stale_page
from phases.triage.rollback.recommendation import recommend
from phases.triage.rollback.situation import Situation
from tests.support.worlds.sentry_world import NOW, ago

WINDOW = timedelta(minutes=15)
WIDE = BlastRadius(users=Word.MANY, user_count=140, features=Word.MANY)
ONE_FEATURE = BlastRadius(users=Word.MANY, user_count=140, features=Word.ONE)
OWN = Frame(file="shop/cart.py", function="total", line=41)
HIKARI = "HikariPool-1 - Connection is not available, request timed out after 30000ms."
FIVE_HOURS = (("v3", 300.0), ("v2", 2000.0))
LOCKED = "canceling statement due to lock timeout"


def deploy(version: str, minutes: float, **fields: Any) -> DeploySeen:
    attributes: dict[str, Any] = {
        "source": "github",
        "finished_at": ago(minutes - 1),
        "started_at": ago(minutes),
        **fields,
    }
    return DeploySeen(release=Release(version=version), service="shop", **attributes)


def issue(title: str, *, first: float, events: int = 200, **fields: Any) -> IssueSeen:
    given: dict[str, Any] = {"id": title, "short_id": "SHOP-1", "new": True, **fields}
    return IssueSeen(title=title, first_seen=ago(first), events=events, **given)


def shop(
    error: str,
    *,
    began: float = 5,
    deploys: tuple[tuple[str, float], ...] = (("v3", 8.0), ("v2", 600.0)),
    frames: tuple[Frame, ...] = (OWN,),
    changed: tuple[str, ...] = ("shop/wishlist.py",),
    first: float | None = None,
    **more: Any,
) -> Situation:
    """Return a shop that fails since `began` minutes, many users in many features."""
    known = merge_deploys([deploy(*arguments) for arguments in deploys])
    type, _, value = error.partition(": ")
    crash = EventDetail(
        exception_type=type, exception_value=value, handled=False, frames=frames, release=None
    )
    files = tuple(CommitFile(path=path, added=1, patch="@@ -1 +1 @@\n+x\n") for path in changed)
    facts: dict[str, Any] = {
        "blast": WIDE,
        "known": known,
        "suspect": suspect_of(known.deploys, ago(began), WINDOW),
        "running": Release(version=deploys[0][0]),
        "listed": tuple(Release(version=v) for v in dict.fromkeys(v for v, _ in deploys)),
        "issues": (issue(error, first=began if first is None else first),),
        "crash": crash,
        "commits": (Commit(sha="a" * 40, subject="Change it", files=files),),
        **more,
    }
    return Situation(now=NOW, window=WINDOW, service="shop", events=200, began=ago(began), **facts)


def advised(situation: Situation) -> tuple[Choice, Likelihood | None]:
    recommendation = recommend(situation)
    return recommendation.choice, recommendation.likely


# --- what runs dry -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "call"),
    [
        (HIKARI, ""),
        ("QueuePool limit of size 10 overflow 20 reached, connection timed out", ""),
        ("couldn't get a connection after 30.00 sec", ""),
        ("timeout exceeded when trying to connect", ""),
        ("Knex: Timeout acquiring a connection. The pool is probably full.", ""),
        ("Timed out fetching a new connection from the connection pool.", ""),
        ("could not obtain a connection from the pool within 5.000 seconds", ""),
        ("Timeout expired prior to obtaining a connection from the pool.", ""),
        ("Timeout: Pool empty. Unable to fetch a connection in 30 seconds", ""),
        ("Waited 1.0 sec, 0/5 available", ""),
        ("FATAL:  sorry, too many clients already", ""),
        ("(1040, 'Too many connections')", ""),
        ("no more connections allowed (max_client_conn)", ""),
        ("accept4: too many open files", ""),
        ("connect: cannot assign requested address", ""),
        ("can't start new thread", ""),
        ("JS heap out of memory", ""),
        ("context deadline exceeded", "database/sql/sql.go (*DB).conn"),
    ],
)
def test_words_of_libraries_for_what_is_used_up(error: str, call: str) -> None:
    assert is_exhaustion("Error", error, [call])


@pytest.mark.parametrize(
    "error",
    [
        "Read timed out",
        "connect ECONNREFUSED 10.0.3.7:5432",
        "context deadline exceeded",
        "The swimming pool of hotel 7 has no price",
    ],
)
def test_a_time_limit_or_a_refused_connection_is_not_used_up(error: str) -> None:
    assert not is_exhaustion("Error", error, ["net/http/client.go Do"])


def test_what_runs_dry_hours_after_the_deploy_points_to_it() -> None:
    dry = shop(f"SQLTransientConnectionException: {HIKARI}", began=20, deploys=FIVE_HOURS)
    assert advised(dry) == (Choice.ROLLBACK, Likelihood.LIKELY)


def test_a_release_that_bore_a_whole_day_does_not_run_dry_by_itself() -> None:
    borne = shop(f"E: {HIKARI}", began=20, deploys=(("v3", 1600.0), ("v2", 9000.0)))
    assert advised(borne)[0] is Choice.INVESTIGATE


def test_what_eases_from_its_first_minutes_on_is_no_leak() -> None:
    """A cache that fills again, or a short outage."""
    eases = {ago(20 - n): 60 // (n + 1) for n in range(20)}
    grows = {ago(20 - n): 2 * n + 1 for n in range(20)}
    few = {ago(20): 1, ago(19): 1}
    for minutes, right in (
        (eases, Choice.INVESTIGATE),
        (grows, Choice.ROLLBACK),
        (few, Choice.ROLLBACK),
    ):
        dry = shop(f"E: {HIKARI}", began=20, deploys=FIVE_HOURS, minutes=minutes)
        assert advised(dry)[0] is right


def test_code_that_is_asked_for_late_accuses_the_release_that_changed_it() -> None:
    changed = ("shop/cart.py",)
    late = shop("KeyError: 'total'", began=20, deploys=FIVE_HOURS, changed=changed)
    assert advised(late) == (Choice.ROLLBACK, Likelihood.LIKELY)
    old = shop("KeyError: 'total'", began=20, deploys=FIVE_HOURS, changed=changed, first=90_000)
    assert advised(old)[0] is Choice.INVESTIGATE, "it was seen before"
    two_days = (("v3", 2900.0), ("v2", 9000.0))
    borne = shop("KeyError: 'total'", began=20, deploys=two_days, changed=changed)
    assert advised(borne)[0] is Choice.INVESTIGATE, "it bore each hour of a day"
    other = shop("KeyError: 'total'", began=20, deploys=FIVE_HOURS)
    assert advised(other)[0] is Choice.INVESTIGATE, "it changed another file"


@pytest.mark.parametrize(
    ("file", "readable"),
    [
        ("shop/cart.py", True),
        ("src/cart.ts", True),
        ("src/order-handlers.js", True),
        ("static/js/main.3f2a1b9c.js", False),
        ("assets/index-BqX3k9aL.js", False),
        ("main.dart.js", False),
        ("vendor.min.js", False),
        ("index.android.bundle", False),
        ("<anonymous>", False),
    ],
)
def test_a_stack_that_a_build_named_does_not_tell_that_nothing_in_it_changed(
    file: str, readable: bool
) -> None:
    frames = (Frame(file=file, function="e", line=2),)
    half_an_hour = (("v3", 40.0), ("v2", 600.0))
    crash = shop("TypeError: e is no function", began=6, deploys=half_an_hour, frames=frames)
    says = [point for point in recommend(crash).points_away if "changed no code" in point]
    assert bool(says) is readable
    assert advised(crash)[0] is (Choice.INVESTIGATE if readable else Choice.ROLLBACK)


def test_a_database_that_refuses_connections_uses_up_the_pool() -> None:
    refused = issue("Error: connect ECONNREFUSED 10.0.3.7:5432", first=21, events=90)
    both = (issue(f"E: {HIKARI}", first=20), refused)
    assert advised(shop(f"E: {HIKARI}", began=20, deploys=FIVE_HOURS, issues=both))[0] is (
        Choice.INVESTIGATE
    )
    noise = (both[0], refused.model_copy(update={"events": 3}))
    assert advised(shop(f"E: {HIKARI}", began=20, deploys=FIVE_HOURS, issues=noise))[0] is (
        Choice.ROLLBACK
    )


def test_an_old_issue_that_was_rare_until_now_says_nothing_by_its_age() -> None:
    """Sentry may have known it for months: a few events a day."""
    burning = {NOW - timedelta(minutes=n): 14 for n in range(20)}
    old = shop(
        f"E: {HIKARI}", began=20, deploys=FIVE_HOURS, first=90_000, minutes={ago(900): 2, **burning}
    )
    assert advised(old)[0] is Choice.ROLLBACK
    before = {ago(310 + 10 * n): 40 for n in range(90)}
    often = shop(
        f"E: {HIKARI}", began=20, deploys=FIVE_HOURS, first=90_000, minutes={**before, **burning}
    )
    assert advised(often) == (Choice.INVESTIGATE, Likelihood.UNLIKELY)


# --- what passes, and what is not ours -----------------------------------------------------------


def test_a_migration_that_holds_a_lock_is_not_ended_by_going_back() -> None:
    assert is_lock_wait("OperationalError", "(1205, 'Lock wait timeout exceeded')")
    migrates = shop(f"LockNotAvailable: {LOCKED}", changed=("migrations/0044_add_index.sql",))
    assert advised(migrates) == (Choice.INVESTIGATE, Likelihood.UNLIKELY)


def test_open_pages_that_miss_old_scripts_pass_by_themselves() -> None:
    assert is_stale_page("TypeError", "Failed to fetch dynamically imported module: /a.js")
    stale = shop("ChunkLoadError: Loading chunk 42 failed", frames=(), first=90_000)
    assert advised(stale) == (Choice.INVESTIGATE, Likelihood.UNLIKELY)
    missing = shop("ChunkLoadError: Loading chunk 42 failed", frames=())
    assert advised(missing)[0] is Choice.ROLLBACK, "never seen before: its scripts are not there"


def test_a_script_of_somebody_else_is_not_ended_by_going_back() -> None:
    gtm = Frame(file="/gtm.js", line=1, host="www.googletagmanager.com")
    recommendation = recommend(shop("TypeError: undefined is not a function", frames=(gtm, OWN)))
    assert recommendation.choice is Choice.INVESTIGATE
    assert "www.googletagmanager.com" in recommendation.points_away[0]
    wallet = gtm.model_copy(update={"file": "/a/main-3f2a1b9c.js", "host": EXTENSION})
    recommendation = recommend(shop("TypeError: ethereum", frames=(wallet, OWN)))
    assert recommendation.choice is Choice.INVESTIGATE
    assert "in a script of a browser extension" in recommendation.points_away[0]
    ours = gtm.model_copy(update={"host": "cdn.shop.example.com"})
    built = gtm.model_copy(update={"file": "/a/main-3f2a1b9c.js", "host": "d1.cloudfront.net"})
    for frame in (ours, built):
        own = shop(
            "TypeError: undefined is not a function",
            frames=(frame, OWN),
            endpoint_host="shop.example.com",
        )
        assert advised(own)[0] is Choice.ROLLBACK


def test_a_release_that_nobody_deployed_is_an_app_s() -> None:
    app = {"com.acme.shop@5.2.0+812": 200}
    recommendation = recommend(
        shop("ValueError: x", began=30, deploys=(("v3", 50), ("v2", 900)), by_release=app)
    )
    assert recommendation.choice is Choice.INVESTIGATE
    assert any("com.acme.shop@5.2.0" in point for point in recommendation.points_away)


def test_what_has_stopped_needs_no_rollback() -> None:
    burned = {ago(n): 20 for n in range(12, 24)}
    late = {"began": 23, "deploys": (("v3", 26.0), ("v2", 900.0)), "minutes": burned}
    answers = EndpointAnswer(ok=True, said="200 in 31 ms")
    stopped = shop("KeyError: 'x'", last_event=ago(12), endpoint=answers, **late)
    assert advised(stopped)[0] is Choice.INVESTIGATE
    silent = shop("KeyError: 'x'", last_event=ago(12), **late)
    assert advised(silent)[0] is Choice.ROLLBACK, "nobody asked whether the service answers"
    goes_on = shop("KeyError: 'x'", last_event=ago(2), endpoint=answers, **late)
    assert advised(goes_on)[0] is Choice.ROLLBACK


# --- what the release did not touch --------------------------------------------------------------


def test_a_stack_that_the_release_did_not_touch_points_away_half_an_hour_later() -> None:
    later = {"began": 20, "deploys": (("v3", 60.0), ("v2", 900.0))}
    assert advised(shop("KeyError: 'x'", **later)) == (Choice.INVESTIGATE, Likelihood.UNLIKELY)
    touched = shop("KeyError: 'x'", changed=("shop/cart.py",), **later)
    assert advised(touched)[0] is Choice.ROLLBACK
    assert advised(shop("KeyError: 'x'"))[0] is Choice.ROLLBACK, "minutes after it, in doubt"
    reaches_far = shop("KeyError: 'x'", changed=("requirements.txt",), **later)
    assert advised(reaches_far)[0] is Choice.ROLLBACK


def test_a_dependency_that_is_no_library_of_the_stack_explains_no_failure_there() -> None:
    redis = Frame(file="/usr/lib/python3/site-packages/redis/connection.py", in_app=False)
    later = {"began": 20, "deploys": (("v3", 30.0), ("v2", 900.0)), "frames": (redis, OWN)}

    def bumped(error: str, line: str) -> Situation:
        file = CommitFile(path="requirements.txt", added=1, patch=f"@@ -1 +1 @@\n+{line}\n")
        commits = (Commit(sha="a" * 40, subject="Bump", files=(file,)),)
        return shop(error, commits=commits, **later)

    for error in ("ConnectionError: Connection refused", "OddError: 8 of 9"):
        assert advised(bumped(error, "pytest==8"))[0] is Choice.INVESTIGATE, error
        assert advised(bumped(error, "redis==5"))[0] is Choice.ROLLBACK, error


def test_a_type_of_another_namespace_is_a_library_s() -> None:
    def rust(type: str) -> Situation:
        own = Frame(file="src/stock.rs", module="shop::stock", function="stock::level")
        return shop(f"{type}: no answer", deploys=(("v3", 15.0), ("v2", 900.0)), frames=(own,))

    assert advised(rust("reqwest::Error"))[0] is Choice.INVESTIGATE
    assert advised(rust("stock::Error"))[0] is Choice.ROLLBACK


def test_a_release_may_bring_its_own_list_of_issuers() -> None:
    unknown = "SSLError: certificate verify failed: unable to get local issuer certificate"
    expired = "SSLError: certificate verify failed: certificate has expired"
    assert advised(shop(unknown))[0] is Choice.INVESTIGATE
    assert advised(shop(unknown, changed=("shop/cart.py",)))[0] is Choice.ROLLBACK
    assert advised(shop(expired, changed=("shop/cart.py",)))[0] is Choice.INVESTIGATE


def test_a_release_that_was_only_deployed_again_had_shown_that_it_is_well() -> None:
    again = (("v3", 8.0), ("v3", 600.0), ("v2", 2000.0))
    recommendation = recommend(shop("KeyError: 'x'", deploys=again))
    assert recommendation.choice is Choice.INVESTIGATE
    assert recommendation.points_away[0].startswith("v3 was only deployed again")
    between = (("v3", 8.0), ("v2", 300.0), ("v3", 600.0))
    assert advised(shop("KeyError: 'x'", deploys=between))[0] is Choice.ROLLBACK


def test_a_canary_began_with_its_first_event_though_ci_tells_the_end_only() -> None:
    end = deploy("v3", 5, source="webhook", finished_at=ago(5))
    first = deploy("v3", 40, source="first event", finished_at=None)
    older = deploy("v2", 900, source="webhook", finished_at=ago(900))
    assert merge_deploys([end, older], [first]).deploys[0].started_at == ago(40)
    other = deploy("v4", 20, source="webhook", finished_at=ago(20))
    assert merge_deploys([end, other, older], [first]).deploys[0].started_at == ago(5)


# --- one feature ---------------------------------------------------------------------------------


def test_one_feature_is_investigated_and_the_likely_release_is_named_beside_it() -> None:
    recommendation = recommend(shop("KeyError: 'x'", blast=ONE_FEATURE, changed=("shop/cart.py",)))
    assert recommendation.choice is Choice.INVESTIGATE
    assert recommendation.likely_beside
    assert recommendation.reasons[-1] == "v3 is likely the cause."
    undecided = recommend(shop("KeyError: 'x'", blast=ONE_FEATURE))
    assert not undecided.likely_beside
    unknown = ONE_FEATURE.model_copy(update={"unknown": ("users",)})
    not_known = shop("KeyError: 'x'", blast=unknown, changed=("shop/cart.py",))
    assert not recommend(not_known).likely_beside


# --- other deploys, and other people's releases --------------------------------------------------


def test_what_goes_on_through_a_restart_is_no_leak() -> None:
    """A deploy starts everything anew: what took hours to fill is not full again at once."""
    v2 = deploy("v2", 900, last_event=ago(10))
    v3, v1 = deploy("v3", 10, last_event=ago(0)), deploy("v1", 9000)
    burning = {ago(n): 40 for n in range(1, 43)}
    listed = tuple(Release(version=version) for version in ("v3", "v2", "v1"))
    facts: dict[str, Any] = {"began": 42, "suspect": v2, "minutes": burning, "listed": listed}
    ended = shop(f"E: {HIKARI}", known=merge_deploys([v1, v2, v3]), **facts)
    assert advised(ended)[0] is Choice.INVESTIGATE
    beside = v2.model_copy(update={"last_event": ago(0)})
    canary = shop(f"E: {HIKARI}", known=merge_deploys([v1, beside, v3]), **facts)
    assert advised(canary)[0] is Choice.ROLLBACK, "it runs on beside the newer one"


def test_a_release_of_which_only_the_last_deploy_is_told_was_deployed_again() -> None:
    """Of each release Sentry names its last deploy, and its first event is days older."""
    again = deploy("v3", 8, source="sentry", last_event=ago(0))
    first = deploy("v3", 3000, source="first event", last_event=ago(0))
    before = deploy("v2", 9000, source="sentry", last_event=ago(3000))
    known = merge_deploys([again, first, before])
    recommendation = recommend(shop("E: NOAUTH", known=known, suspect=known.deploys[0], changed=()))
    assert (recommendation.choice, recommendation.likely) == (
        Choice.INVESTIGATE,
        Likelihood.UNLIKELY,
    )
    assert "v3 was only deployed again; it had run for 2 days before." in recommendation.points_away
    runs = before.model_copy(update={"last_event": ago(9)})
    known = merge_deploys([again, first, runs])
    canary = shop("E: x", known=known, suspect=known.deploys[0])
    assert advised(canary)[0] is Choice.ROLLBACK, "it ran beside the other one until now"


def test_releases_of_apps_do_not_say_that_ours_is_the_cure() -> None:
    app = deploy("ios@5.1.0", 9000, source="first event")
    known = merge_deploys([app, deploy("v3", 12), deploy("v2", 900)])
    carried = {"ios@5.1.0": 100, "android@9.3.2": 100}
    facts: dict[str, Any] = {"began": 10, "deploys": (("v3", 12.0), ("v2", 900.0)), "known": known}
    apps = shop("DecodingError: price", by_release=carried, **facts)
    assert advised(apps)[0] is Choice.ROLLBACK
    theirs = shop("DecodingError: price", by_release={"v2": 200}, **facts)
    assert advised(theirs)[0] is Choice.INVESTIGATE


def test_a_service_behind_it_that_was_deployed_in_the_same_minute_may_be_the_cause() -> None:
    behind = deploy("7.2.0", 8.0).model_copy(update={"service": "payments"})
    error = "Error: payments answered 500"
    assert advised(shop(error, neighbours=(behind,)))[0] is Choice.INVESTIGATE
    assert advised(shop(error))[0] is Choice.ROLLBACK


@pytest.mark.parametrize(
    ("changed", "choice"),
    [
        ("src/order.avsc", Choice.ROLLBACK),
        ("api/cart.proto", Choice.ROLLBACK),
        ("theme/style.css", Choice.INVESTIGATE),
        ("fonts/a.woff2", Choice.INVESTIGATE),
    ],
)
def test_a_schema_reaches_further_than_its_file_and_styles_run_nowhere(
    changed: str, choice: Choice
) -> None:
    assert advised(shop("OddError: channel is missing", changed=(changed,)))[0] is choice
    likely = recommend(shop("OddError: channel is missing", changed=(changed,))).likely
    assert likely is (Likelihood.LIKELY if choice is Choice.ROLLBACK else Likelihood.UNLIKELY)


def test_an_open_page_of_another_build_passes_by_itself() -> None:
    says = 'Failed to find Server Action "40a1". This request might be from an older or newer'
    assert advised(shop(f"Error: {says} deployment."))[0] is Choice.INVESTIGATE


def test_a_file_system_is_read_only_by_a_chart_of_the_release_or_by_itself() -> None:
    error = "OSError: [Errno 30] Read-only file system: '/app/tmp/a'"
    charts = shop(error, changed=("deploy/deployment.yaml",), began=7)
    assert advised(charts)[0] is Choice.ROLLBACK
    assert advised(shop(error, began=7))[0] is Choice.INVESTIGATE
