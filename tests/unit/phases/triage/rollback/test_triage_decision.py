"""The decision as values.

The deploy history, the suspect, healthy releases, the brakes, and the table.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phases.record.findings import (
    BlastRadius,
    Choice,
    Confidence,
    DeploySeen,
    Release,
    Share,
    Word,
)
from phases.record.going_back import Likelihood, Quote, TakenBack
from phases.triage.deploys.deploy_history import History, merge_deploys, suspect_of
from phases.triage.rollback.recommendation import brakes, recommend
from phases.triage.rollback.situation import Situation
from tests.support.worlds.sentry_world import NOW, ago

WINDOW = timedelta(minutes=15)
V1, V2, V3 = (Release(version=f"v{n}") for n in (1, 2, 3))


# --- history --------------------------------------------------------------------------------------


def deploy(
    version: str, minutes_ago: float, source: str = "sentry", **fields: object
) -> DeploySeen:
    return DeploySeen.model_validate(
        {
            "release": Release(version=version),
            "service": "shop",
            "started_at": ago(minutes_ago),
            "source": source,
            **fields,
        }
    )


def versions(known: History) -> list[str]:
    return [d.release.version for d in known.deploys]


def test_one_deploy_told_by_two_sources_is_one() -> None:
    known = merge_deploys([deploy("v2", 100, "bot")], [deploy("v2", 99.5), deploy("v1", 200)])
    assert [(d.release.version, d.source) for d in known.deploys] == [
        ("v2", "bot"),
        ("v1", "sentry"),
    ]


def test_the_same_version_put_back_is_another_deploy() -> None:
    known = merge_deploys([deploy("v2", 2, "bot")], [deploy("v3", 5), deploy("v2", 8)])
    assert versions(known) == ["v2", "v3", "v2"]


def test_first_events_stand_in_only_where_nobody_tells_of_deploys() -> None:
    firsts = [deploy("v3", 10, "first event"), deploy("v2", 90, "first event")]
    assert versions(merge_deploys(firsts)) == ["v3", "v2"]
    assert merge_deploys(firsts).stands_in
    assert versions(merge_deploys(firsts, [deploy("v3", 11)])) == ["v3"]
    # One rollback tells nothing of v3.
    assert versions(merge_deploys(firsts, [deploy("v2", 3, "bot")])) == [
        "v2",
        "v3",
    ]


def test_a_release_of_another_package_is_no_deploy_of_the_service() -> None:
    """An app sends its events to the same project, and nobody tells of its releases."""
    told_deploys = [deploy("shop@3", 45), deploy("shop@2", 900)]
    firsts = [deploy(v, at, "first event") for v, at in (("shop@3", 44), ("ios@7.2.0", 20))]
    assert versions(merge_deploys(told_deploys, firsts)) == ["shop@3", "shop@2"]
    canary = [deploy("shop@3", 44, "first event"), deploy("shop@4", 20, "first event")]
    assert versions(merge_deploys(told_deploys, canary)) == ["shop@4", "shop@3", "shop@2"]
    unknown = [deploy("ios@7.2.0", 20, "first event")]
    assert versions(merge_deploys(told_deploys, unknown))[0] == "ios@7.2.0", (
        "no name of ours is known"
    )


def test_the_suspect_is_the_deploy_that_had_started_last_with_a_minute_of_grace() -> None:
    known = [deploy("v10", 3), deploy("v9", 20), deploy("v8", 90)]
    assert suspect_of(known, ago(10), WINDOW) == known[1]
    assert suspect_of(known, ago(3.9), WINDOW) == known[0]
    assert suspect_of(known, ago(4.1), WINDOW) == known[1]
    assert suspect_of(known, ago(500), WINDOW) is None
    # In a drill's minute the grace shrinks, too.
    assert suspect_of(known, ago(3.9), timedelta(minutes=1)) == known[1]
    assert suspect_of(known, None, WINDOW) is None


def test_a_deploy_of_which_only_the_end_is_told_may_have_begun_five_minutes_before() -> None:
    ended = deploy("v10", 3).model_copy(update={"finished_at": ago(3)})
    known = [ended, deploy("v9", 20)]
    assert suspect_of(known, ago(7.9), WINDOW) == ended
    assert suspect_of(known, ago(8.1), WINDOW) == known[1]
    started = ended.model_copy(update={"source": "github"})
    assert suspect_of([started, known[1]], ago(7.9), WINDOW) == known[1], "its start is told"


# --- the decision ---------------------------------------------------------------------------------

EVERYTHING = BlastRadius(
    users=Word.MANY,
    user_count=30,
    features=Word.MANY,
    top_features=(Share(name="a", events=9), Share(name="b", events=9)),
    confidence=Confidence.HIGH,
)


def situation(**fields: object) -> Situation:
    known = merge_deploys([deploy("v3", 8), deploy("v2", 600), deploy("v1", 9000)])
    basic: dict[str, object] = {
        "now": NOW,
        "window": WINDOW,
        "service": "shop",
        "blast": EVERYTHING,
        "events": 100,
        "began": ago(6),
        "known": known,
        "suspect": known.deploys[0],
        "running": V3,
        "listed": (V3, V2, V1),
        "by_release": {"v3": 100},
    }
    return Situation(**(basic | fields))  # type: ignore[arg-type]


def with_history(*deploys: DeploySeen, suspect: str, **fields: object) -> Situation:
    known = merge_deploys(deploys)
    of = next(d for d in known.deploys if d.release.version == suspect)
    return situation(
        known=known, suspect=of, listed=tuple({d.release for d in known.deploys}), **fields
    )


def test_the_open_road() -> None:
    recommendation = recommend(situation())
    assert (
        recommendation.choice,
        recommendation.target,
        recommendation.suspect,
        recommendation.brakes,
        recommendation.loud,
    ) == (
        Choice.ROLLBACK,
        V2,
        V3,
        (),
        False,
    )


@pytest.mark.parametrize(
    ("braked", "says"),
    [
        (situation(listed=(V3,)), "No release from before v3 that was shown to be well"),
        (situation(listed=None, cannot_deploy="the deployer sleeps"), "The deployer sleeps."),
        (situation(burning=frozenset({"v1", "v2"})), "No release from before v3"),
        (
            situation(one_way=("migrations/7.sql",)),
            "A one-way path changed since then: migrations/7.sql.",
        ),
        (situation(one_way=None), "cannot be seen"),
        (situation(rolled_back=("v2",)), "already rolled back v2"),
        (situation(broken_rollbacks=("v2",)), "The rollback to v2 failed"),
        (
            situation(written=(Quote(text="Do not roll back", where="the report"),)),
            "The report says “Do not roll back”.",
        ),
        (
            situation(takes_back=TakenBack(since="v2", fixes=("INC-0031 (fix/tax)",))),
            "Going back takes back the fix for INC-0031 (fix/tax).",
        ),
        (
            situation(takes_back=TakenBack(since="v2", one_way=("db/migrate/7_drop.rb",))),
            "v2 may miss what db/migrate/7_drop.rb removed: going back does not undo it.",
        ),
    ],
)
def test_every_brake_is_shown_and_makes_a_braked_everything_loud(
    braked: Situation, says: str
) -> None:
    recommendation = recommend(braked)
    assert any(says in b for b in recommendation.brakes), recommendation.brakes
    assert recommendation.choice is Choice.INVESTIGATE
    assert recommendation.loud
    with_fix = recommend(replace(braked, fix="fix-cart"))
    assert (with_fix.choice, with_fix.loud) == (Choice.HOTFIX, True)


def test_what_somebody_put_back_is_not_called_right_but_unsafe() -> None:
    recommendation = recommend(
        with_history(deploy("v2", 2), deploy("v3", 8), deploy("v2", 900), suspect="v3")
    )
    assert any("v2 was put back, 2026-05-05 14:13 UTC" in b for b in recommendation.brakes)
    assert (recommendation.choice, recommendation.loud) == (Choice.INVESTIGATE, False)


@pytest.mark.parametrize(
    ("unknown", "says"),
    [
        (situation(began=None), "When trouble began is not known"),
        (situation(suspect=None), "No deploy of shop is known from before"),
        (situation(suspect=None, deploys_told=False), "Sentry's deploys could not be read"),
    ],
)
def test_without_a_suspect_nobody_says_that_a_rollback_would_be_right(
    unknown: Situation, says: str
) -> None:
    recommendation = recommend(unknown)
    assert any(says in b for b in recommendation.brakes), recommendation.brakes
    assert (recommendation.choice, recommendation.likely, recommendation.loud) == (
        Choice.INVESTIGATE,
        None,
        False,
    )


@pytest.mark.parametrize(
    ("innocent", "says"),
    [
        (situation(by_release={"v3": 79, "v2": 21}), "21 % of the events"),
        (situation(by_release={"v2": 5, "": 95, "v3": 0}), "No event names v3"),
        (
            with_history(deploy("v3", 1500), deploy("v2", 9999), suspect="v3"),
            "v3 ran well for 24 h",
        ),
        (
            with_history(
                deploy("v4", 9),
                deploy("v3", 40),
                deploy("v2", 900),
                suspect="v3",
                running=Release(version="v4"),
                by_release={"v3": 100},
            ),
            "No event names v4, which has run for 9 min: it may be the fix.",
        ),
        (
            with_history(
                deploy("v3", 600),
                deploy("v2", 9999),
                suspect="v3",
                neighbours=(deploy("p1", 7, service="pay"),),
            ),
            "v3 ran well for 9 h 54 min",
        ),
        (
            with_history(
                deploy("v3", 30),
                deploy("v2", 9999),
                suspect="v3",
                neighbours=(deploy("p1", 7, service="pay"),),
            ),
            "Pay p1 was deployed 60 s before trouble began.",
        ),
    ],
)
def test_what_points_away_is_shown_and_is_no_brake(innocent: Situation, says: str) -> None:
    recommendation = recommend(innocent)
    assert any(says in point for point in recommendation.points_away), recommendation.points_away
    assert (recommendation.choice, recommendation.likely) == (
        Choice.INVESTIGATE,
        Likelihood.UNLIKELY,
    )
    assert recommendation.brakes == ()
    assert not recommendation.loud
    assert recommendation.offer_rollback
    assert (
        recommendation.reasons[-1]
        == f"A rollback would probably not end it. {recommendation.points_away[0]}"
    )
    assert recommend(replace(innocent, fix="fix-cart")).choice is Choice.HOTFIX


@pytest.mark.parametrize(
    "free",
    [
        situation(by_release={"v3": 80, "v2": 20}),  # a fifth is not more than a fifth
        situation(by_release={"": 100}),  # events carry no releases: nothing to learn
        situation(by_release={"other@1": 100, "v3": 1}),  # a neighbour's releases say nothing
        situation(neighbours=(deploy("p1", 500, service="pay"),)),
        with_history(
            deploy("v4", 3),
            deploy("v3", 15),
            deploy("v2", 900),
            suspect="v3",
            running=V3,
            began=ago(10),
        ),
        with_history(deploy("v3", 8), deploy("v2", 9000), suspect="v3"),
    ],
)
def test_what_does_not_brake(free: Situation) -> None:
    assert brakes(free) == ()
    assert recommend(free).choice is Choice.ROLLBACK


@pytest.mark.parametrize(
    ("users_word", "features", "fix", "choice"),
    [
        (Word.NOBODY, Word.NOBODY, None, Choice.INVESTIGATE),
        (Word.NOBODY, Word.NOBODY, "fix", Choice.INVESTIGATE),
        (Word.ONE, Word.ONE, None, Choice.INVESTIGATE),
        (Word.ONE, Word.ONE, "fix", Choice.HOTFIX),
        (Word.ONE, Word.MANY, None, Choice.INVESTIGATE),
        (Word.MANY, Word.ONE, None, Choice.INVESTIGATE),
        (Word.MANY, Word.ONE, "fix", Choice.HOTFIX),
        (Word.MANY, Word.MANY, None, Choice.ROLLBACK),
        (Word.MANY, Word.MANY, "fix", Choice.ROLLBACK),
    ],
)
def test_the_table(users_word: Word, features: Word, fix: str | None, choice: Choice) -> None:
    blast = EVERYTHING.model_copy(update={"users": users_word, "features": features})
    recommendation = recommend(situation(blast=blast, fix=fix))
    assert recommendation.choice is choice
    assert recommendation.reasons
    assert not recommendation.loud
    assert recommendation.offer_rollback == (users_word is not Word.NOBODY)


@pytest.mark.parametrize("users_word", [Word.ONE, Word.MANY])
@pytest.mark.parametrize("features", [Word.ONE, Word.MANY])
def test_a_brake_is_shown_whoever_is_hit(users_word: Word, features: Word) -> None:
    """The button is there beside every advice.

    A cause that is confirmed later asks whether anything brakes.
    """
    blast = EVERYTHING.model_copy(update={"users": users_word, "features": features})
    recommendation = recommend(situation(blast=blast, one_way=("migrations/7.sql",)))
    assert recommendation.choice is Choice.INVESTIGATE
    assert recommendation.offer_rollback
    assert recommendation.brakes == ("A one-way path changed since then: migrations/7.sql.",)
    assert recommendation.loud == (users_word is Word.MANY and features is Word.MANY)


ALL = tuple(Release(version=f"v{n}") for n in range(6))
names = st.sampled_from([r.version for r in ALL])
deploys = st.lists(
    st.builds(
        deploy,
        names,
        st.floats(0, 3000),
        st.sampled_from(["bot", "sentry", "first event", "github"]),
        rolled_back=st.booleans(),
    ),
    max_size=8,
)


@st.composite
def situations(draw: st.DrawFn) -> Situation:
    known = merge_deploys(draw(deploys))
    start = draw(st.none() | st.floats(0, 120).map(ago))
    blast = BlastRadius(
        users=draw(st.sampled_from(list(Word))),
        features=draw(st.sampled_from(list(Word))),
        user_count=draw(st.none() | st.integers(0, 99)),
    )
    any_deploy = st.sampled_from([*known.deploys, None]) if known.deploys else st.none()
    return situation(
        known=known,
        began=start,
        suspect=draw(st.just(suspect_of(known.deploys, start, WINDOW)) | any_deploy),
        blast=blast,
        events=draw(st.integers(0, 50)),
        running=draw(st.none() | names.map(lambda v: Release(version=v))),
        listed=draw(
            st.none() | st.just(ALL) | st.lists(names.map(lambda v: Release(version=v))).map(tuple)
        ),
        by_release=draw(st.dictionaries(names | st.just(""), st.integers(0, 50))),
        one_way=draw(st.none() | st.just(()) | st.just(("m.sql",))),
        rolled_back=draw(st.lists(names, max_size=2).map(tuple)),
        burning=draw(st.frozensets(names, max_size=2)),
        fix=draw(st.none() | st.just("fix")),
    )


@given(situations())
def test_never_a_rollback_without_evidence_without_target_or_onto_the_suspect(s: Situation) -> None:
    recommendation = recommend(s)
    assert recommendation.reasons
    for target in s.targets:
        assert s.suspect is not None
        of_target = [d for d in s.known.deploys if d.release.version == target.version]
        assert target.version != s.suspect.release.version
        assert target in (s.listed or ())
        assert of_target
        assert all(d.started_at < s.suspect.started_at for d in of_target)
        assert target.version not in s.rolled_back
        assert target.version not in s.burning
    if recommendation.choice is Choice.ROLLBACK:
        assert s.events > 0
        assert s.blast.users is Word.MANY
        assert s.blast.features is Word.MANY
        assert s.began is not None
        assert recommendation.brakes == ()
        assert recommendation.target in s.targets
        assert recommendation.suspect is not None
    if recommendation.loud:
        assert s.blast.users is Word.MANY
        assert recommendation.brakes
    if recommendation.choice is Choice.HOTFIX:
        assert s.fix
