"""Phase 5.

The judgement of a check as values, and one check over the local Sentry and a real endpoint.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from bot.clients.http.endpoint import HttpEndpoint
from phases.record.findings import DeployProof, EndpointAnswer, LookVerdict, Release
from phases.record.incident import ActionKind, Incident, Round, RoundAction
from phases.shared.counts import Measured
from phases.text.wording import counted
from phases.verification.burning_span import acted_at
from phases.verification.burning_span import burning_span as left_alone
from phases.verification.event_counts import EXPECTED_EVENTS_LEAST, limits_for
from phases.verification.recheck import Recheck, grace
from phases.verification.releases import running_release
from phases.verification.steps import look_sentence
from phases.verification.verdicts import judge_look
from sandbox.faults import Fault
from tests.support.values import factories
from tests.support.worlds.local_http import serving
from tests.support.worlds.recovery import ACTED, CLOCK, burned, look
from tests.support.worlds.sentry_world import NOW, SHOP, World, ago, incident, world

SET = "the clock here was set forward by 60 min meanwhile"
GOOD = EndpointAnswer(ok=True, said="200 in 3 ms")
BAD = EndpointAnswer(ok=False, said="503 in 3 ms")


def test_grace_is_a_minute_or_a_fifth_of_the_first_wait() -> None:
    assert grace(SHOP) == timedelta(seconds=60)
    assert grace(SHOP.model_copy(update={"recheck_after_seconds": 20})) == timedelta(seconds=4)


BASE = Measured(per_minute=1, minutes=1440)
"""4 events expected in a look of 4 minutes."""
SIZES = {"large": 45.0, "gap": 6.0, "small": 2.0}
"""Events a minute while it burned: 180, 24 and 8 in such a look."""


@pytest.mark.parametrize(
    ("events", "size", "endpoint", "new", "expected"),
    [
        (0, "large", GOOD, [], LookVerdict.RECOVERED),
        (15, "large", GOOD, [], LookVerdict.RECOVERED),
        (16, "large", GOOD, [], LookVerdict.TOO_FEW),  # better, not over
        (90, "large", GOOD, [], LookVerdict.TOO_FEW),
        (91, "large", GOOD, [], LookVerdict.NOT_RECOVERED),
        (16, "large", BAD, [], LookVerdict.NOT_RECOVERED),
        (0, "large", None, [], LookVerdict.RECOVERED),
        (0, "large", BAD, [], LookVerdict.NOT_RECOVERED),
        (0, "large", GOOD, ["SHOP-9"], LookVerdict.NOT_RECOVERED),
        (2, "gap", GOOD, [], LookVerdict.RECOVERED),
        (3, "gap", GOOD, [], LookVerdict.TOO_FEW),
        (15, "gap", GOOD, [], LookVerdict.TOO_FEW),
        (16, "gap", GOOD, [], LookVerdict.NOT_RECOVERED),
        (0, "small", GOOD, [], LookVerdict.TOO_FEW),
        (40, "small", GOOD, [], LookVerdict.TOO_FEW),
        (60, "small", GOOD, [], LookVerdict.NOT_RECOVERED),
        (0, "small", BAD, [], LookVerdict.NOT_RECOVERED),
    ],
)
def test_verdict(
    events: int, size: str, endpoint: EndpointAnswer | None, new: list[str], expected: LookVerdict
) -> None:
    judged, reasons = judge_look(
        events, limits_for(BASE, Measured(SIZES[size], 30), 4), endpoint, new
    )
    assert judged is expected
    assert reasons[0].startswith(f"{counted(events, 'event')} where up to 15 are normal, about ")
    assert len(reasons) == 1 or judged is not LookVerdict.RECOVERED


def test_the_reasons_can_be_checked() -> None:
    _, few = judge_look(4, limits_for(BASE, Measured(45, 15), 4), GOOD, [])
    assert few == ("4 events where up to 15 are normal, about 180 if nothing had changed",)
    _, small = judge_look(0, limits_for(BASE, Measured(2, 15), 4), GOOD, [])
    assert small[1] == "too little to tell below 20"
    _, gap = judge_look(5, limits_for(BASE, Measured(6, 15), 4), GOOD, [])
    assert gap[1] == "an ongoing problem could look this quiet by chance"
    _, better = judge_look(36, limits_for(BASE, Measured(45, 15), 4), GOOD, [])
    assert better[1:] == ("down by 80 %, still 32 above normal",)
    _, bad = judge_look(99, limits_for(BASE, Measured(45, 15), 4), BAD, ["SHOP-9"])
    assert bad[1:] == (
        "the endpoint does not answer well: 503 in 3 ms",
        "1 issue new in the release that runs now: SHOP-9",
    )


@given(st.integers(0, 400), st.floats(0, 100), st.floats(0, 100), st.booleans())
def test_recovered_is_never_said_over_too_many_events_or_a_bad_endpoint(
    events: int, usual: float, burning: float, well: bool
) -> None:
    held = limits_for(Measured(usual, 1440), Measured(burning, 15), 4)
    judged, _ = judge_look(events, held, GOOD if well else BAD, [])
    if judged is LookVerdict.RECOVERED:
        assert well
        assert events <= held.allowed
        assert held.unchanged >= EXPECTED_EVENTS_LEAST
    if (events > max(held.allowed, held.grew) and not held.better(events)) or not well:
        assert judged is LookVerdict.NOT_RECOVERED


# --- one look -------------------------------------------------------------------------------------


async def test_silence_after_the_rollback_is_recovered() -> None:
    async with world() as w:
        measurement = await look(w, await burned(w))
    assert measurement.verdict is LookVerdict.RECOVERED
    assert (measurement.events, measurement.allowed, measurement.minutes) == (0, 3, 5.0)
    # One every 10 s, from the beginning to the rollback.
    assert measurement.before_per_minute == pytest.approx(6, abs=0.1)
    assert measurement.unchanged == pytest.approx(30, abs=0.5)
    assert (
        measurement.reasons[0]
        == "0 events where up to 3 are normal, about 30 if nothing had changed"
    )
    assert measurement.after_per_minute == 0
    assert "no endpoint to check" in measurement.reasons


def monitored(w: World, at: timedelta, times: int = 1) -> str:
    """An uptime monitor's issue."""
    title = "Downtime detected for https://shop.example"
    w.local.load(
        title, at=NOW - at, times=times, tags={"uptime_rule": "7"}, function=title, release=None
    )
    return str(max(w.local.issues))


async def test_a_monitors_issue_behind_ten_louder_ones_is_no_recovery() -> None:
    """The report shows the ten loudest, and an outage is one event."""
    async with world() as w:
        for n in range(12):
            w.local.load(
                f"Oops: {n}",
                at=ago(19),
                times=30,
                transaction="/cart",
                release="v3",
                function=f"f{n}",
            )
        monitored(w, timedelta(minutes=18))
        burning = await burned(w)
        assert burning.triage is not None
        assert all(issue.category == "error" for issue in burning.triage.issues)
        measurement = await look(w, burning)
    assert (measurement.events, measurement.verdict) == (0, LookVerdict.TOO_FEW)
    assert any("cannot be counted as errors" in why for why in measurement.reasons)


async def test_a_monitors_issue_that_an_alert_named_since_triage_is_no_recovery() -> None:
    async with world() as w:
        burning = await burned(w)
        named = burning.model_copy(update={"seeds": (monitored(w, timedelta(minutes=7)),)})
        measurement = await look(w, named)
        w.faults.always("sentry.issue", Fault(status=503))
        unknown = await look(w, named)
    assert measurement.verdict is LookVerdict.TOO_FEW
    assert "SHOP-2 cannot be counted as errors" in measurement.reasons[1]
    assert unknown.verdict is LookVerdict.UNREACHABLE, "what that is nobody knows"


async def test_with_the_clock_set_forward_meanwhile_silence_is_no_recovery_and_noise_no_failure():
    async with world() as w:
        burning = await burned(w)
        silent = await look(w, burning, doubt=SET)
        w.local.load(
            "Oops: a", at=ago(3), times=90, transaction="/cart", release="v3", function="f"
        )
        noisy = await look(w, burning, doubt=SET)
    assert (silent.verdict, noisy.verdict) == (LookVerdict.TOO_FEW, LookVerdict.TOO_FEW)
    assert silent.reasons[0] == SET


@pytest.mark.parametrize(
    ("minutes", "verdict"), [(-3, LookVerdict.TOO_FEW), (0.5, LookVerdict.RECOVERED)]
)
async def test_by_another_clock_than_sentrys_silence_is_no_recovery(
    minutes: float, verdict: LookVerdict, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world() as w:
        burning = await burned(w)
        monkeypatch.setattr(w.client, "clock_ahead", lambda: timedelta(minutes=minutes))
        silent = await look(w, burning)
    assert silent.verdict is verdict
    said = silent.reasons[0] == "the clocks here and of Sentry are 3 min apart"
    assert said is (verdict is LookVerdict.TOO_FEW)


async def test_events_within_the_grace_do_not_count_and_later_ones_do() -> None:
    async with world() as w:
        burning = await burned(w)
        for seconds, times in ((50, 9), (70, 4)):
            at = CLOCK + timedelta(seconds=seconds)
            w.local.load(
                "Oops: a", at=at, times=times, transaction="/cart", release="v2", function="f"
            )
        measurement = await look(w, burning)
    assert measurement.events == 4
    assert (measurement.verdict, measurement.better) == (LookVerdict.TOO_FEW, True)
    assert measurement.after_per_minute == 0.8
    assert measurement.reasons[0].startswith("4 events where up to 3 are normal, ")


async def test_an_issue_new_in_the_release_that_now_runs_is_not_recovered() -> None:
    async with world() as w:
        burning = await burned(w)
        w.local.load("Other: b", at=ago(2), transaction="/pay", release="v2", function="g")
        w.local.load("Third: c", at=ago(2), transaction="/pay", release="v3", function="h")
        measurement = await look(w, burning)
    assert measurement.verdict is LookVerdict.NOT_RECOVERED
    assert measurement.new_issues == ("SHOP-2",)


@pytest.mark.parametrize(
    ("heard", "release", "new"),
    [
        ((), "v3", ("SHOP-2",)),  # what triage saw
        ((), "v4", ()),
        ((f"deploy:v4@{ago(8).isoformat()}",), "v4", ("SHOP-2",)),  # somebody's fix, told of by CI
        ((f"deploy:v4@{ago(8).isoformat()}",), "v3", ()),
        ((f"deploy:v4@{ago(3).isoformat()}",), "v3", ("SHOP-2",)),  # came after it was said
    ],
)
async def test_fixed_another_way_what_is_new_in_what_runs_is_not_recovered(
    heard: tuple[str, ...], release: str, new: tuple[str, ...]
) -> None:
    """A flag can break as much as a deploy: nothing was deployed, and something runs."""
    async with world() as w:
        burning = await burned(w, heard=heard)
        assert burning.triage is not None
        assert burning.triage.running == Release(version="v3")
        fixed = RoundAction(
            kind=ActionKind.FIXED, by="U1", at=ACTED, started_at=ACTED, result="done", sentence="x"
        )
        round_ = burning.rounds[0].model_copy(update={"action": fixed})
        w.local.load("Other: b", at=ago(2), transaction="/pay", release=release, function="g")
        measurement = await look(w, burning.model_copy(update={"rounds": (round_,)}))
    assert measurement.new_issues == new
    assert (measurement.verdict is LookVerdict.NOT_RECOVERED) == bool(new)


async def test_the_rate_before_is_counted_while_it_was_left_alone_an_hour_at_most() -> None:
    async with world() as w:
        for began, since in (
            (ago(20), ago(20)),
            (ago(300), ACTED - timedelta(hours=1)),
            (None, ACTED - SHOP.window),
            (ago(1), ACTED - SHOP.window),  # trouble seen after the action only
        ):
            burning = incident(triage=factories.report(began_at=began))
            assert await left_alone(burning, SHOP, ACTED, w.client, ()) == (since, ACTED)


def test_a_round_is_left_alone_until_somebody_acts() -> None:
    action = RoundAction(kind=ActionKind.FIXED, by="U1", at=ACTED)
    round_ = Round(number=1, opened_at=ago(14), why="x", action=action)
    assert acted_at(round_, CLOCK) == ACTED
    assert acted_at(None, CLOCK) == CLOCK


async def test_trouble_acted_on_before_triage_saw_it_begin_has_the_rate_since_its_first_event():
    async with world() as w:
        burning = await burned_for_seconds(w)
        measurement = await look(w, burning)
    assert measurement.before_per_minute == pytest.approx(60, rel=0.1)
    assert measurement.verdict is LookVerdict.RECOVERED


async def burned_for_seconds(w: World) -> Incident:
    """Half a minute of errors, taken back before triage could measure them."""
    burning = await burned(w)
    w.local.events.clear()
    w.local.load(
        "Oops: a",
        at=ACTED - timedelta(seconds=30),
        every=1,
        times=30,
        transaction="/cart",
        release="v3",
        function="f",
    )
    assert burning.triage is not None
    unseen = {"began_at": None, "baseline_per_minute": 0.0}
    return burning.model_copy(update={"triage": burning.triage.model_copy(update=unseen)})


async def test_a_hotfix_s_new_issues_carry_its_commit() -> None:
    async with world() as w:
        burning = await burned(w)
        shipped = Release(version="hotfix fix/x@abcabca", commit="abcabca" + "0" * 33)
        action = burning.rounds[0].action
        assert action is not None
        change = {
            "kind": ActionKind.HOTFIX,
            "to_release": shipped,
            "proof": DeployProof(after=shipped.version),
        }
        round_ = burning.rounds[0].model_copy(update={"action": action.model_copy(update=change)})
        w.local.load(
            "Other: b", at=ago(2), transaction="/pay", release=shipped.commit or "", function="g"
        )
        measurement = await look(w, burning.model_copy(update={"rounds": (round_,)}))
    assert measurement.new_issues == ("SHOP-2",)


async def test_too_few_events_before_to_tell_anything() -> None:
    async with world() as w:
        w.local.load(
            "Oops: a",
            at=ago(20),
            every=120,
            times=3,
            users=["a", "b"],
            transaction="/cart",
            release="v3",
        )
        report = await w.triage(now=ago(10))
        burning = incident(
            triage=report,
            rounds=(Round(number=1, opened_at=ago(9), why="x", clock_started_at=ago(6)),),
        )
        measurement = await look(w, burning)
    assert measurement.verdict is LookVerdict.TOO_FEW


async def test_sentry_out_of_reach_is_a_verdict_and_never_recovered() -> None:
    async with world() as w:
        burning = await burned(w)
        w.faults.always("sentry.*", Fault(status=503))
        measurement = await look(w, burning)
    assert measurement.verdict is LookVerdict.UNREACHABLE
    assert "Sentry has a fault of its own (503)" in measurement.reasons[0]


async def test_what_counts_alone_say_stands_whatever_else_could_not_be_asked() -> None:
    """Errors that go on are no recovery.

    Stopped errors are no recovery either while news in the running release is unknown.
    """
    async with world() as w:
        burning = await burned(w)
        w.refusing.refuse("/issues/", "sort=new")
        silent = await look(w, burning)
        w.local.load(
            "Oops: a", at=ago(3), times=200, transaction="/cart", release="v3", function="f"
        )
        noisy = await look(w, burning)
    assert silent.verdict is LookVerdict.UNREACHABLE
    assert "Query timeout" in silent.reasons[0]
    assert noisy.verdict is LookVerdict.NOT_RECOVERED


@pytest.mark.parametrize(
    "message",
    ["Query timeout. Please try again.", "Invalid query. Argument to function is wrong type."],
)
async def test_counts_that_could_not_be_asked_are_never_recovery(message: str) -> None:
    async with world() as w:
        burning = await burned(w)
        w.refusing.refuse("/events/", message=message)
        measurement = await look(w, burning)
    assert measurement.verdict is LookVerdict.UNREACHABLE
    assert message.partition(".")[0] in measurement.reasons[0]


async def test_errors_that_stop_do_not_say_that_a_monitors_issue_is_over() -> None:
    async with world() as w:
        burning = await burned(w)
        assert (await look(w, burning)).verdict is LookVerdict.RECOVERED
        report = burning.triage
        assert report is not None
        down = report.issues[0].model_copy(
            update={"id": "9", "short_id": "SHOP-9", "category": "outage"}
        )
        watched = report.model_copy(
            update={"issues": (*report.issues, down), "issue_ids": (*report.issue_ids, "9")}
        )
        measurement = await look(w, burning.model_copy(update={"triage": watched}))
    assert measurement.verdict is LookVerdict.TOO_FEW
    assert any(
        reason.startswith("SHOP-9 cannot be counted as errors") for reason in measurement.reasons
    )


async def test_without_sentry_or_without_issues_nothing_is_measured() -> None:
    round_ = Round(number=1, opened_at=ago(9), why="x", clock_started_at=ago(6))
    endpoint = HttpEndpoint()
    check = Recheck(incident(rounds=(round_,)), SHOP, None, endpoint, NOW)
    none = await check.look(1, 1)
    assert none.look.verdict is LookVerdict.TOO_FEW, "there is nobody to ask again every minute"
    assert look_sentence(none.look) == "Sentry is not set up, so nothing was measured."
    async with world() as w:
        measurement = await look(w, incident(rounds=(round_,)))
    assert measurement.verdict is LookVerdict.TOO_FEW
    assert "no Sentry issue belongs to this incident" in measurement.reasons[0]
    await endpoint.aclose()


async def test_a_plan_without_discover_counts_by_issues() -> None:
    async with world(discover=False) as w:
        burning = await burned(w)
        w.local.load("Oops: a", at=ago(3), times=7, transaction="/cart", release="v3", function="f")
        measurement = await look(w, burning)
    assert (measurement.events, measurement.verdict) == (7, LookVerdict.TOO_FEW)
    assert (measurement.better, measurement.said) == (True, "better, not over")


async def test_the_endpoint_is_tried_three_times_and_a_bad_one_is_not_recovered() -> None:
    calls: list[str] = []

    async def health(request: Request) -> Response:
        calls.append(request.url.path)
        return PlainTextResponse(
            "x", 200 if request.url.path == "/third" and len(calls) == 3 else 503
        )

    async with serving(Starlette(routes=[Route("/{rest}", health)])) as url, world() as w:
        burning = await burned(w)
        good = await look(w, burning, SHOP.model_copy(update={"endpoint": f"{url}/third"}))
        bad = await look(w, burning, SHOP.model_copy(update={"endpoint": f"{url}/down"}))
    assert calls == ["/third"] * 3 + ["/down"] * 3
    assert good.verdict is LookVerdict.RECOVERED
    assert good.endpoint is not None
    assert good.endpoint.said.startswith("200 in ")
    assert bad.verdict is LookVerdict.NOT_RECOVERED
    assert bad.reasons[1].startswith("the endpoint does not answer well: 503 in ")


async def test_an_endpoint_that_is_not_there_is_an_answer() -> None:
    endpoint = HttpEndpoint(timeout=1, pause=0)
    assert not (await endpoint.call("http://127.0.0.1:1")).ok
    assert (await endpoint.call("http://")).said
    await endpoint.aclose()


def test_what_runs_after_a_round() -> None:
    action = RoundAction(
        kind=ActionKind.ROLLBACK, by="U1", at=NOW, to_release=Release(version="v2"), result="done"
    )
    round_ = Round(number=1, opened_at=NOW, why="x", action=action)
    assert running_release(round_) == "v2"
    proven = action.model_copy(update={"proof": DeployProof(after="v1")})
    assert running_release(round_.model_copy(update={"action": proven})) == "v1"
    assert running_release(round_.model_copy(update={"action": None})) is None
    assert running_release(None) is None
