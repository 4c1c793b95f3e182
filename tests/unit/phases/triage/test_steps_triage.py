"""Phase 1 in the record: the answer, the silence, the form, and growth while nobody acts."""

from __future__ import annotations

from datetime import timedelta

from handlers import views
from phases.messages import actions as said
from phases.messages import effects as wanted
from phases.record.findings import (
    Choice,
    Confidence,
    Investigation,
    IssueSeen,
    Recommendation,
    Release,
    Share,
    Word,
)
from phases.record.incident import Severity, Source, Status
from tests.support.bots.story import Story
from tests.support.values.factories import NOW, blast, nothing_unusual, one_feature, report, service

FORM = said.ManualTriage(by="U0BOB", users=Word.MANY, features=Word.MANY, report="nobody can pay")


# --- the answer -----------------------------------------------------------------------------------


def test_the_answer_opens_the_first_round_with_its_recommendation():
    story = Story().opened()
    story.say(said.Triaged(report=report()))
    assert story.record.status is Status.DECIDING
    assert story.record.round is not None
    assert story.record.round.recommendation == report().recommendation
    assert [e.name for e in story.wants(wanted.PostLive)] == ["decision:1"]
    assert story.in_channel == [], "the decision message is all that the channel gets"
    assert story.on_ticket == ["Triage: 37 users, payment and cart; 214 events in 15 min"]
    assert "fingerprint:41" in story.claims
    assert "triage" not in story.timers, "nobody is told any more that Sentry is silent"


def test_before_there_is_a_channel_the_decision_waits_and_is_then_posted_once():
    story = Story()
    story.say(said.Triaged(report=report()))
    assert story.wants(wanted.PostLive) == []
    story.opened()
    assert story.record.round is not None
    assert story.record.round.asked
    story.say(said.Triaged(report=report()))
    assert story.wants(wanted.PostLive) == []


def test_many_users_of_many_features_are_sev1_and_paged_with_who_is_hit():
    story = Story().opened().measured()
    assert story.record.severity is Severity.SEV1
    paged = next(e for e in story.timeline if e.kind == "page")
    assert "37 users" in paged.text
    assert story.due("nobody") > 590


def test_a_rollback_comes_first_and_the_investigation_after_its_start():
    story = Story().opened().measured()
    assert not story.record.investigating, "rollback first, debug after"
    story.rolled_back()
    assert not story.record.investigating
    story.say(said.DeployStarted(deploy_id=story.deploy))
    assert story.wants(wanted.Investigate) == [wanted.Investigate()]


def test_one_feature_is_investigated_at_once():
    story = Story().opened()
    story.say(said.Triaged(report=one_feature()))
    assert story.wants(wanted.Investigate) == [wanted.Investigate()]
    assert story.record.severity is Severity.SEV2
    assert story.pages == []


def test_a_braked_rollback_of_a_sev1_is_one_page_that_says_why():
    brakes = ("A one-way path changed since then: migrations/7.sql.",)
    braked = Recommendation(choice=Choice.INVESTIGATE, brakes=brakes, loud=True)
    story = Story().opened()
    story.say(said.Triaged(report=report(recommendation=braked)))
    assert len(story.pages) == 1
    assert "is not safe: A one-way path changed" in story.pages[0]


def test_each_reason_pages_once_however_often_it_is_measured():
    braked = Recommendation(choice=Choice.INVESTIGATE, brakes=("No healthy release.",), loud=True)
    story = Story().opened().measured()
    story.say(said.Triaged(report=report(recommendation=braked)))
    assert len(story.pages) == 1, "SEV1 was paged before; that it is braked is new"
    story.say(said.Triaged(report=report(recommendation=braked)))
    assert story.pages == []


def test_what_was_decided_on_stays_the_picture_of_the_decision():
    story = Story().opened().measured().rolled_back()
    decided_on = story.record.triage
    story.say(said.Triaged(report=nothing_unusual()))
    assert story.record.triage == decided_on, "the looks compare with what was before the action"
    assert story.last.effects == ()


def test_an_answer_after_the_end_changes_nothing():
    story = Story().opened()
    story.say(said.Cancel(by="U0BOB", reason="load test"))
    story.say(said.Triaged(report=report()))
    assert story.last.effects == ()
    assert story.last.claims == ()
    assert story.record.triage is None


# --- silence --------------------------------------------------------------------------------------


def test_three_seconds_of_silence_post_a_decision_without_a_recommendation():
    story = Story().opened()
    assert set(story.timers) == {"triage", "ticket"}
    story.fires("triage")
    assert story.record.triage_overdue
    assert story.record.round is not None
    assert story.record.round.recommendation is None
    assert [e.name for e in story.wants(wanted.PostLive)] == ["decision:1"]


def test_a_late_answer_completes_the_decision_in_place():
    story = Story().opened()
    story.fires("triage")
    story.posted("decision:1")
    story.say(said.Triaged(report=report()))
    assert len(story.record.rounds) == 1
    assert story.record.round is not None
    assert story.record.round.recommendation == report().recommendation
    assert "decision:1" in story.last.dirty
    assert story.wants(wanted.PostLive) == [], "it is not posted a second time"


def test_sentry_out_for_long_is_said_once_and_asked_again_by_itself():
    story = Story().opened()
    story.fires("triage")
    story.posted("decision:1")
    story.fails(wanted.Triage(), "Sentry answered 503")
    assert story.in_channel == ["Sentry could not be queried: Sentry answered 503. I keep trying."]
    assert story.due("retry:INC-0001.9.1") == 60
    story.fires("retry:INC-0001.9.1")
    assert story.wants(wanted.Triage) == [wanted.Triage()]
    story.fails(wanted.Triage(), "Sentry answered 502", id="INC-0001.12.1")
    assert story.in_channel == [], "the same failure is not said twice"
    assert [f.reason for f in story.record.failures] == ["Sentry answered 502"]
    story.fires("retry:INC-0001.9.1")
    story.measured()
    assert story.record.failures == ()
    assert story.record.round is not None
    assert story.record.round.recommendation is not None
    story.fires("retry:INC-0001.9.1") if "retry:INC-0001.9.1" in story.timers else None
    assert story.wants(wanted.Triage) == [], "measured: nothing is left to be tried"


def test_what_fails_for_hours_is_tried_less_often():
    story = Story().opened()
    story.fails(wanted.Triage())
    story.now = story.now.replace(hour=5)
    story.fails(wanted.Triage(), id="INC-0001.99.1")
    assert 600 < story.due("retry:INC-0001.9.1") <= 900


def test_sentry_that_fails_at_once_does_not_wait_for_the_three_seconds():
    story = Story().opened()
    story.fails(wanted.Triage(), "Sentry is not set up")
    assert [e.name for e in story.wants(wanted.PostLive)] == ["decision:1"]
    assert "triage" not in story.timers


# --- the form -------------------------------------------------------------------------------------


def test_what_people_report_stands_in_where_sentry_is_silent():
    story = Story().opened()
    story.fires("triage")
    story.say(FORM)
    assert story.record.triage is not None
    assert story.record.triage.manual_by == "U0BOB"
    assert story.record.severity is Severity.SEV1
    assert len(story.pages) == 1
    assert story.wants(wanted.Investigate) == [wanted.Investigate()]
    assert story.record.round is not None
    assert story.record.round.recommendation is not None
    assert story.record.round.recommendation.choice is Choice.INVESTIGATE, (
        "no rollback without evidence"
    )


def test_the_form_is_taken_where_sentry_shows_nothing_and_people_keep_their_word():
    story = Story().opened().measured(nothing_unusual())
    assert story.record.severity is Severity.SEV4
    story.say(FORM)
    assert story.record.severity is Severity.SEV1
    assert story.record.triage is not None
    assert story.record.triage.running == Release(version="1.3.0"), (
        "what Sentry and the deployer know stays"
    )
    assert "Sentry shows nothing unusual." in story.record.triage.notes
    story.say(said.Triaged(report=nothing_unusual()))
    assert story.record.triage.blast.users is Word.MANY
    assert story.on_ticket == [], "nothing new is said"
    story.say(said.Triaged(report=report()))
    assert story.record.triage.manual_by is None
    assert story.record.triage.events == 214


def test_the_form_is_refused_once_sentry_has_numbers():
    assert "Sentry has answered meanwhile" in Story().opened().measured().refuses(FORM).text


def test_evidence_that_comes_after_a_report_by_hand_is_walked_along():
    story = Story().opened()
    story.fires("triage")
    story.say(FORM)
    story.say(said.Investigated(investigation=Investigation()))
    story.say(said.Triaged(report=one_feature()))
    assert story.wants(wanted.Investigate) == [wanted.Investigate()]


# --- while nobody acts ----------------------------------------------------------------------------


def test_nobody_acts_on_a_sev1_for_ten_minutes_paged_once_more():
    story = Story().opened().measured()
    story.fires("nobody")
    assert "nobody has acted for 10 minutes" in story.pages[0]


def test_an_action_or_the_choice_to_investigate_ends_that_watch():
    acted, looking = Story().opened().measured().rolled_back(), Story().opened().measured()
    looking.say(said.DecideInvestigate(by="U0BOB", round=1))
    assert "nobody" not in acted.timers
    assert "nobody" not in looking.timers


def test_a_sev1_by_a_persons_word_is_paged_without_triage():
    story = Story(severity=Severity.SEV1)
    assert len(story.pages) == 1
    assert "nobody" in story.timers
    word = Story().opened().measured(one_feature())
    word.say(said.SetSeverity(by="U0BOB", severity=Severity.SEV1))
    assert len(word.pages) == 1
    assert "nobody" in word.timers


def test_a_persons_severity_stays():
    story = Story().opened()
    story.say(said.SetSeverity(by="U0BOB", severity=Severity.SEV3))
    story.measured()
    assert story.record.severity is Severity.SEV3


def test_the_picture_is_measured_again_each_minute_while_nobody_has_acted():
    story = Story().opened().measured(one_feature())
    assert story.due("measure") == 60 - 1
    story.fires("measure")
    assert story.wants(wanted.Triage) == [wanted.Triage()]
    story.rolled_back().say(said.MeasureDue())
    assert story.wants(wanted.Triage) == []


def test_measuring_again_ends_with_the_window():
    story = Story(service(window_seconds=60)).opened().measured(one_feature())
    for _ in range(30):
        if "measure" not in story.timers:
            break
        story.fires("measure")
        story.say(said.Triaged(report=one_feature()))
    assert "measure" not in story.timers
    assert (story.now - NOW).total_seconds() < 90


def test_what_grows_is_said_because_an_edit_rings_no_bell():
    small = one_feature(blast=blast(Word.ONE, Word.ONE, user_count=1, confidence=Confidence.LOW))
    story = Story().opened().measured(small)
    story.say(said.Triaged(report=small))
    assert story.in_channel == []
    story.say(said.Triaged(report=report()))
    assert story.in_channel == [
        (
            "*It has grown.* 37 users, payment and cart; 214 events in 15 min. Recommended now: "
            "roll back to 1.2.0."
        )
    ]
    assert len(story.pages) == 1, "SEV1 as soon as it is known"


def test_only_new_issues_are_attached_to_the_ticket():
    def issue(n: int) -> IssueSeen:
        url = f"https://sentry.example.com/issues/{n}/"
        return IssueSeen(
            id=str(n), short_id=f"SHOP-{n}", title="t", url=url, first_seen=NOW, events=9
        )

    story = Story().opened().measured(one_feature(issues=(issue(1),)))
    story.say(said.Triaged(report=one_feature(issues=(issue(2), issue(1)))))
    assert [e.title for e in story.wants(wanted.AttachToTicket)] == ["Sentry SHOP-2"]


def test_an_issue_that_has_gone_quiet_still_belongs_and_is_given_back_at_the_end():
    story = Story().opened().measured(one_feature(issue_ids=("41", "42")))
    story.say(said.Triaged(report=one_feature(issue_ids=("43", "41"))))
    assert story.record.triage is not None
    assert set(story.record.triage.issue_ids) == {"41", "42", "43"}
    story.say(said.Cancel(by="U0BOB", reason="load test"))
    assert set(story.claims) == {"linear:t1"}, (
        "a cancelled incident would swallow the issue's next alerts"
    )


def test_a_second_report_by_hand_keeps_what_sentry_knows():
    story = Story().opened().measured(nothing_unusual(issue_ids=("41",)))
    story.say(FORM)
    story.say(FORM.model_copy(update={"report": "search as well"}))
    assert story.record.triage is not None
    assert story.record.triage.issue_ids == ("41",)


def test_a_new_suspect_is_investigated_anew():
    story = Story().opened().measured(one_feature())
    story.say(said.Investigated(investigation=Investigation()))
    story.say(said.Triaged(report=one_feature()))
    assert story.wants(wanted.Investigate) == []
    story.say(said.Triaged(report=one_feature(suspect=Release(version="1.2.9"))))
    assert story.wants(wanted.Investigate) == [wanted.Investigate()]


def test_what_begins_with_one_user_is_investigated_anew_when_many_are_hit():
    """The first event after a deploy has one user.

    Their data is the likely cause, and no bisect runs.

    The thirtieth event says something else.
    """
    first = report(Choice.INVESTIGATE, blast=blast(Word.ONE, Word.ONE))
    story = Story().opened().measured(first)
    story.say(said.Investigated(investigation=Investigation(walk=("Crashes in shop/pay.py:12.",))))
    story.say(said.Triaged(report=first))
    assert story.wants(wanted.Investigate) == []
    story.say(said.Triaged(report=one_feature()))
    assert story.wants(wanted.Investigate) == [wanted.Investigate()]
    story.say(said.Investigated(investigation=Investigation(walk=("Crashes in shop/pay.py:12.",))))
    assert [e.text for e in story.timeline if e.kind == "evidence"] == [
        "Crashes in shop/pay.py:12."
    ]
    story.say(said.Triaged(report=report()))
    assert story.wants(wanted.Investigate) == [wanted.Investigate()], (
        "it runs beside the rollback, once it has begun"
    )


def test_one_short_window_is_said_in_seconds():
    story = Story().opened()
    story.say(
        said.Triaged(
            report=report(
                window_seconds=60,
                events=1,
                blast=blast(top_features=(Share(name="pay", events=1),)),
            )
        )
    )
    assert story.on_ticket == ["Triage: 37 users, pay; 1 event in 60 s"]


def test_an_incident_that_sentry_named_says_its_cause_and_peoples_own_words_stay():
    fields = {
        "exception_type": "KeyError",
        "exception_value": "'eu'",
        "wrapped_in": ("OrderFailed",),
    }
    for source, title in (
        ("sentry", "OrderFailed: no order, caused by KeyError: 'eu'"),
        ("person", "OrderFailed: no order"),
    ):
        story = Story(
            title="OrderFailed: no order", source=Source(kind=source, text="Sentry")
        ).opened()
        for _ in range(2):
            story.say(said.Triaged(report=report(**fields)))
        assert story.record.title == title


# --- what could not be asked ----------------------------------------------------------------------

UNKNOWN = blast(
    user_count=None, top_features=(), unknown=("users", "features"), confidence=Confidence.LOW
)


def unasked():
    """Sentry tells its issues and counts no events: as for many, until it can be asked."""
    return report(blast=UNKNOWN, incomplete=True)


def test_what_could_not_be_asked_is_asked_again_soon_and_until_it_is_known():
    story = Story().opened()
    story.say(said.Triaged(report=unasked()))
    assert story.due("measure") == 10
    for _ in range(12):
        story.fires("measure")
        assert story.wants(wanted.Triage) == [wanted.Triage()]
        story.say(said.Triaged(report=unasked()), after=0)
    assert story.due("measure") == 60, "after two minutes once a minute"
    story.now += timedelta(hours=2)
    story.say(said.Triaged(report=unasked()))
    assert story.due("measure") == 60, "and however long it takes"
    story.fires("measure")
    story.say(said.Triaged(report=report()))
    assert "measure" not in story.timers, "its window is over"


def test_the_decision_is_completed_in_place_when_the_measures_come():
    story = Story().opened()
    story.say(said.Triaged(report=unasked()))
    assert story.record.severity is Severity.SEV1
    assert story.record.round is not None
    assert story.record.round.recommendation is not None
    assert story.record.round.recommendation.choice is Choice.ROLLBACK
    assert story.on_ticket == ["Triage: users not known, features not known; 214 events in 15 min"]
    story.posted("decision:1")
    story.say(said.Triaged(report=report()))
    assert story.in_channel == [], "the same advice, with numbers: the message is edited"
    assert "decision:1" in story.last.dirty
    assert story.record.triage is not None
    assert story.record.triage.blast.user_count == 37


def test_what_was_taken_as_many_and_is_one_user_is_said_and_no_sev1():
    story = Story().opened().measured(unasked())
    one_user = blast(Word.ONE, Word.ONE, top_features=(Share(name="cart", events=214),))
    story.say(said.Triaged(report=report(Choice.INVESTIGATE, blast=one_user)))
    assert story.record.severity is Severity.SEV3, "it was never measured as SEV1"
    assert story.in_channel == [
        "*Measured by now.* 1 user, cart; 214 events in 15 min. Recommended now: investigate."
    ]


def test_a_severity_that_a_person_gave_stays():
    story = Story().opened().measured(unasked())
    story.say(said.SetSeverity(by="U0BOB", severity=Severity.SEV1))
    story.say(said.Triaged(report=report(Choice.INVESTIGATE, blast=blast(Word.ONE, Word.ONE))))
    assert story.record.severity is Severity.SEV1


def test_a_look_that_could_ask_for_less_takes_nothing_away_unless_it_burns_much_more():
    story = Story().opened().measured(report(Choice.INVESTIGATE, blast=blast(Word.ONE, Word.ONE)))
    story.say(said.Triaged(report=unasked()))
    assert story.record.severity is Severity.SEV3
    assert story.record.triage is not None
    assert story.record.triage.blast.users is Word.ONE
    assert story.in_channel == []
    assert story.due("measure") == 10
    story.say(said.Triaged(report=unasked().model_copy(update={"events": 2000})))
    assert story.record.severity is Severity.SEV1


def test_a_refusal_is_told_as_what_sentry_refused():
    story = Story().opened()
    story.fires("triage")
    why = "Sentry refused the request (422) (sort: Input should be 'count')"
    story.fails(wanted.Triage(), why)
    decision = views.decision(story.record, story.now, service(), 1)
    status = views.status(story.record, story.now, service())
    for shown in (str(decision), str(status)):
        assert "sort: Input should be" in shown
        assert "has not answered" not in shown
