"""The releases to which a rollback may go: those that were shown to be well."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phases.ports.tracker_values import Minutes
from phases.record.findings import DeploySeen, Release
from phases.triage.deploys.deploy_history import History, merge_deploys
from phases.triage.deploys.targets import (
    Candidates,
    EarlierFire,
    Targets,
    earlier_fire,
    periods,
    targets_of,
    why_not_healthy,
)
from phases.triage.picture.fire import Series
from tests.support.worlds.sentry_world import NOW, ago

WINDOW = timedelta(minutes=15)


def deploy(version: str, minutes_ago: float, **fields: object) -> DeploySeen:
    return DeploySeen.model_validate(
        {
            "release": Release(version=version),
            "service": "shop",
            "started_at": ago(minutes_ago),
            "source": "sentry",
            **fields,
        }
    )


def targets_among(*deploys: DeploySeen, listed: Collection[str] = (), **fields: object) -> Targets:
    """Return the targets where the newest is the suspect, and everything can be deployed."""
    known = merge_deploys(deploys)
    names = listed or {d.release.version for d in known.deploys}
    may = [Release(version=name) for name in names]
    fire = fields.pop("fire", None)
    candidates = Candidates(known, may, **fields)  # type: ignore[arg-type]
    return targets_of(known.deploys[0], candidates, WINDOW, fire)  # type: ignore[arg-type]


def names(targets: Targets) -> list[str]:
    return [release.version for release in targets.releases]


def test_the_release_before_needs_no_explanation() -> None:
    targets = targets_among(deploy("v3", 8), deploy("v2", 600), deploy("v1", 9000))
    assert (names(targets), targets.why) == (["v2", "v1"], "")


def test_one_that_ran_for_two_minutes_proves_nothing() -> None:
    targets = targets_among(deploy("v3", 8), deploy("v2", 10), deploy("v1", 9000))
    assert (names(targets), targets.why) == (["v1"], "To v1, because v2 ran for 2 min only.")


def test_what_was_rolled_back_is_not_well() -> None:
    targets = targets_among(
        deploy("v5", 8), deploy("v3", 90), deploy("v4", 100), deploy("v3", 4000), deploy("v1", 9000)
    )
    assert (names(targets), targets.why) == (["v3", "v1"], "")
    told_targets = targets_among(
        deploy("v5", 8), deploy("v4", 100, rolled_back=True), deploy("v3", 4000)
    )
    assert (names(told_targets), told_targets.why) == (["v3"], "To v3, because v4 was rolled back.")


def test_one_that_ran_twice_is_not_bad_for_ever() -> None:
    """It was rolled back after ten minutes, for another reason, and has run for two days since."""
    targets = targets_among(
        deploy("v4", 8),
        deploy("v3", 2880),
        deploy("v2", 2990),
        deploy("v3", 3000),
        deploy("v2", 9000),
    )
    assert names(targets) == ["v3", "v2"]


def test_one_that_burned_alike_in_its_time_is_not_well() -> None:
    minutes = {ago(300 - n).replace(second=0): 20 for n in range(20)}
    minutes |= {ago(n).replace(second=0): 20 for n in range(6)}
    fire = earlier_fire(minutes, ago(6), NOW, 0.0, WINDOW)
    targets = targets_among(deploy("v3", 8), deploy("v2", 400), deploy("v1", 900), fire=fire)
    assert (names(targets), targets.why) == (["v1"], "To v1, because v2 failed alike.")


def test_the_minute_in_which_the_suspect_went_out_is_not_the_release_before() -> None:
    """Deployed at 14:07:30 and burning since 14:07:45: Sentry counts that minute from 14:07:00."""
    minutes = {ago(n).replace(second=0): 60 for n in range(9)}
    fire = earlier_fire(minutes, ago(7.75), NOW, 0.0, WINDOW)
    assert (
        names(targets_among(deploy("v3", 8), deploy("v2", 400), deploy("v1", 900), fire=fire))[0]
        == "v2"
    )
    late = earlier_fire(minutes, ago(6), NOW, 0.0, WINDOW)  # the beginning is known less well
    assert names(targets_among(deploy("v3", 8), deploy("v2", 400), fire=late)) == ["v2"]


def test_usual_noise_is_no_fire() -> None:
    minutes = {ago(n).replace(second=0): 1 for n in range(6, 1400)}
    minutes |= {ago(n).replace(second=0): 30 for n in range(6)}
    fire = earlier_fire(minutes, ago(6), NOW, 1.0, WINDOW)
    assert names(targets_among(deploy("v3", 8), deploy("v2", 400), fire=fire)) == ["v2"]


def test_what_burned_while_it_went_out_was_the_one_before() -> None:
    """v2 is the hotfix of another fire of the same issues, which ended with it."""
    minutes = {ago(405 - n).replace(second=0): 20 for n in range(10)}
    minutes |= {ago(n).replace(second=0): 20 for n in range(6)}
    fire = earlier_fire(minutes, ago(6), NOW, 0.0, WINDOW)
    targets = targets_among(deploy("v3", 8), deploy("v2", 400), deploy("v1", 440), fire=fire)
    assert names(targets) == ["v2"]


def test_one_that_needed_a_hotfix_is_not_well() -> None:
    targets = targets_among(
        deploy("v3", 8),
        deploy("hotfix fix/tax@aaaaaaa", 500),
        deploy("v2", 600),
        deploy("v1", 9000),
        listed=("v3", "v2", "v1"),
    )
    assert names(targets) == ["v1"]
    assert targets.why == (
        "To v1, because hotfix fix/tax@aaaaaaa cannot be deployed and v2 needed a hotfix."
    )


def test_a_target_is_in_the_deployers_list_and_has_no_incident_of_its_own() -> None:
    deploys = (deploy("v3", 8), deploy("v2", 600), deploy("v1", 9000))
    assert names(targets_among(*deploys, listed=("v1",))) == ["v1"]
    burns = targets_among(*deploys, burning=("v2",))
    assert (names(burns), burns.why) == (
        ["v1"],
        "To v1, because v2 has an open incident of its own.",
    )
    known = merge_deploys(deploys)
    assert targets_of(known.deploys[0], Candidates(known, None), WINDOW) == Targets()
    assert targets_of(None, Candidates(known, [Release(version="v1")]), WINDOW) == Targets()
    assert names(targets_among(deploy("v2", 5), deploy("--force", 60))) == []


def test_what_was_deployed_since_the_suspect_is_no_target_even_if_it_was_there_before() -> None:
    known = merge_deploys([deploy("v2", 2), deploy("v3", 8), deploy("v2", 600), deploy("v1", 9000)])
    may = [Release(version=name) for name in ("v1", "v2", "v3")]
    assert names(targets_of(known.deploys[1], Candidates(known, may), WINDOW)) == ["v1"]


def test_two_deploys_of_one_release_after_each_other_are_one_period() -> None:
    assert names(targets_among(deploy("v3", 8), deploy("v2", 10), deploy("v2", 600))) == ["v2"]


versions = st.sampled_from([f"v{n}" for n in range(5)])
deploys = st.lists(
    st.builds(deploy, versions, st.floats(0, 3000), rolled_back=st.booleans()),
    min_size=1,
    max_size=9,
)


@given(deploys, st.dictionaries(st.integers(0, 2000), st.integers(0, 40), max_size=40), versions)
def test_a_target_was_always_shown_to_be_well(
    history_of: list[DeploySeen], minutes: dict[int, int], burning: str
) -> None:
    known = merge_deploys(history_of)
    suspect = known.deploys[0]
    counts = {ago(at).replace(second=0, microsecond=0): n for at, n in minutes.items()}
    fire = earlier_fire(counts, suspect.started_at, NOW, 0.0, WINDOW)
    may = [Release(version=f"v{n}") for n in range(5)]
    candidates = Candidates(known, may, suspect.release, burning=(burning,))
    targets = targets_of(suspect, candidates, WINDOW, fire)
    for target in targets.releases:
        assert target.version not in (suspect.release.version, burning)
        assert _well_once(target.version, known, suspect.started_at, counts)
    newest = next(iter(targets.releases), None)
    since = {d.release.version for d in known.deploys if d.started_at >= suspect.started_at}
    later = periods(known, suspect.started_at)
    for period in later[
        : next((n for n, p in enumerate(later) if newest and p.version == newest.version), 0)
    ]:
        out = period.version == burning or period.version in since
        assert out or why_not_healthy(period, known, WINDOW, fire), "a newer one was well, too"


def _well_once(version: str, known: History, until: datetime, counts: dict[datetime, int]) -> bool:
    """Read the deploys anew, in another way: some time of it was long, quiet and not cut short."""
    own = sorted(known.deploys, key=lambda d: d.started_at)
    for n, start in enumerate(own):
        if start.release.version != version or start.started_at >= until:
            continue
        after = next((d for d in own[n + 1 :] if d.release.version != version), None)
        end = min(after.started_at if after else until, until)
        if end - start.started_at >= WINDOW and not start.rolled_back:
            return True
    return False


def test_first_events_tell_of_a_rollback_by_what_outlived_it() -> None:
    def deploy_seen(version: str, began: float, ended: float) -> DeploySeen:
        return deploy(version, began, source="first event", last_event=ago(ended))

    put_back = (deploy_seen("v5", 8, 0), deploy_seen("v4", 350, 335), deploy_seen("v3", 470, 1))
    assert names(targets_among(*put_back)) == ["v3"]
    stragglers = (deploy_seen("v5", 8, 0), deploy_seen("v4", 350, 12), deploy_seen("v3", 470, 1))
    assert names(targets_among(*stragglers)) == ["v4", "v3"]
    told_deploys = (
        deploy("v5", 8),
        deploy("v4", 350, last_event=ago(335)),
        deploy_seen("v3", 470, 1),
    )
    assert names(targets_among(*told_deploys))[0] == "v4", (
        "where deploys are told, they say what runs"
    )


def test_a_release_that_burned_with_other_errors_until_the_next_one_is_no_target() -> None:
    """The next one was its hotfix, and going back to it brings the first fire back."""
    deploys = (deploy("v3", 30), deploy("v2", 95), deploy("v1", 9000))
    now = {ago(n): 40 for n in range(1, 28)}

    def fire(others: dict[datetime, int]) -> EarlierFire | None:
        series = Series(Minutes(counts={**now, **others}), ago(20_000), NOW)
        return earlier_fire(now, ago(28), NOW, 0.0, WINDOW, series)

    first = {ago(n): 40 for n in range(32, 92)}
    targets = targets_among(*deploys, fire=fire(first))
    assert names(targets) == ["v1"]
    assert targets.why == "To v1, because v2 burned with other errors until its end."
    assert names(targets_among(*deploys, fire=fire({ago(n): 40 for n in range(60, 92)}))) == [
        "v2",
        "v1",
    ]
    few = {ago(n): 1 for n in range(32, 92)}
    assert names(targets_among(*deploys, fire=fire(few))) == ["v2", "v1"], "noise beside this fire"


@pytest.mark.parametrize(("ran", "names_"), [(9, ["v2", "v0"]), (4, ["v0"])])
def test_one_that_ended_a_fire_is_well_after_a_third_of_a_window(
    ran: int, names_: list[str]
) -> None:
    """The hotfix, out for nine minutes, is known to be better than what it mended."""
    deploys = (deploy("v3", 8), deploy("v2", 8 + ran), deploy("v1", 8 + ran + 60))
    now = {ago(n): 40 for n in range(1, 7)}
    first = {ago(n): 40 for n in range(9 + ran, 8 + ran + 50)}
    series = Series(Minutes(counts={**now, **first}), ago(20_000), NOW)
    fire = earlier_fire(now, ago(7), NOW, 0.0, WINDOW, series)
    assert names(targets_among(*deploys, deploy("v0", 9000), fire=fire)) == names_
