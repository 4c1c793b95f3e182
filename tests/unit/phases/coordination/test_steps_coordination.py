"""Phase 4 in the record.

Declared, channel, ticket, Discord, words of people, and alerts of one storm.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from phases.coordination.discord import discord_text
from phases.coordination.ticket import ticket_body
from phases.messages import actions as said
from phases.messages import effects as wanted
from phases.record.findings import LookVerdict
from phases.record.incident import Channel, MessageRef, Severity, Status
from tests.support.bots.story import Story, mitigated, verifying
from tests.support.values.factories import NOW, TICKET, evidence, one_feature, service

CHANNEL = said.ChannelOpened(channel=Channel(id="C1", name="inc-0001-checkout"))


# --- declared -------------------------------------------------------------------------------------


def test_declaring_begins_channel_and_triage_beside_each_other():
    story = Story(seeds=("41",), echo="echo:U0ALICE:C0:abc")
    assert story.last.effects == (wanted.OpenChannel(), wanted.Triage())
    assert story.claims == {
        "open:shop:production": None,
        "fingerprint:41": None,
        "echo:U0ALICE:C0:abc": 60,
    }
    assert story.due("triage") == 3
    assert story.record.lead == "U0ALICE"
    assert story.noted == ["/incident by <@U0ALICE>: checkout is failing"]


def test_something_else_beside_an_open_incident_takes_no_claim_on_the_service():
    story = Story(else_of="INC-0009", seeds=("41",))
    assert "open:shop:production" not in story.claims
    assert [c.soft for c in story.last.claims] == [True], (
        "the issue may stay with the other incident"
    )


def test_words_without_a_word_are_asked_for():
    story = Story()
    story.incident = None
    assert (
        "Say in a few words" in story.refuses(said.Declare(**{**_declared(), "title": " \n "})).text
    )


def _declared() -> dict[str, object]:
    from tests.support.values.factories import declare

    return declare().model_dump()


def test_a_long_title_is_cut():
    assert len(Story(title="x" * 10_000, description="y" * 10_000).record.title) == 300


# --- channel --------------------------------------------------------------------------------------


def test_the_channel_brings_status_announcement_invitations_ticket_and_discord():
    story = Story()
    story.say(CHANNEL)
    assert story.wants(wanted.Invite) == [wanted.Invite(people=("U0ALICE",))]
    assert [e.name for e in story.wants(wanted.PostLive)] == ["status", "announcement"]
    assert story.wants(wanted.OpenTicket) == [wanted.OpenTicket()]
    assert story.wants(wanted.TellDiscord) == [wanted.TellDiscord()]
    story.say(CHANNEL)
    assert story.last.effects == (), "told twice, done once"


def test_a_status_and_a_decision_that_somebody_deleted_are_posted_anew():
    story = Story().opened().measured()
    before = story.record.messages
    for name in ("status", "decision:1"):
        story.say(said.LiveMessageDeleted(ref=before[name]))
        assert story.wants(wanted.PostLive) == [wanted.PostLive(name=name)]
        story.say(said.LiveMessageDeleted(ref=before[name]))
        assert story.last.effects == (), "told twice, posted once"
        story.say(said.MessagePosted(name=name, ref=MessageRef(channel="C1", ts="9.000100")))
        assert name in story.record.messages
    story.posted("tree")
    story.say(said.LiveMessageDeleted(ref=story.record.messages["tree"]))
    assert story.last.effects == (), "what nobody needs to act stays away"
    status = story.record.messages["status"]
    story.say(said.Cancel(by="U0BOB", reason="a test"))
    story.say(said.LiveMessageDeleted(ref=status))
    assert story.last.effects == (), "nothing is left to be done"


def test_a_private_incident_is_announced_too_and_the_announcement_holds_no_details():
    """The channel's message then is in tests/workspace/opening/test_private.py."""
    story = Story(private=True)
    story.say(CHANNEL)
    assert [e.name for e in story.wants(wanted.PostLive)] == ["status", "announcement"]
    assert story.wants(wanted.TellDiscord) == []


def test_without_a_channel_of_its_own_it_runs_in_a_thread():
    story = Story()
    channel = Channel(id="C0", name="a thread", thread_ts="1.2")
    story.say(said.ChannelOpened(channel=channel, reason="restricted_action"))
    assert story.wants(wanted.Invite) == []
    assert story.wants(wanted.SetTopic) == []
    assert story.noted == ["No channel could be opened: restricted_action. It runs in a thread."]
    assert story.wants(wanted.OpenTicket) == [wanted.OpenTicket()]


def test_a_sev4_has_a_thread_and_gets_a_channel_when_it_grows():
    story = Story(severity=Severity.SEV4)
    assert story.record.in_thread
    thread = Channel(id="C0", name="a thread", thread_ts="1.2")
    story.say(said.ChannelOpened(channel=thread))
    assert story.wants(wanted.Invite) == []
    assert "SEV4: a thread, until it grows" in story.noted
    story.posted("status")
    story.say(said.SetSeverity(by="U0BOB", severity=Severity.SEV3))
    assert story.wants(wanted.OpenChannel) == [wanted.OpenChannel()]
    (announcement,) = [e for e in story.wants(wanted.Say) if e.goes_to == "announcement"]
    assert announcement.text == "It has grown and gets a channel of its own: it stands above."
    assert set(story.record.messages) == {"announcement"}, "the thread's root stays"
    story.say(CHANNEL)
    assert next(e.name for e in story.wants(wanted.PostLive)) == "status"
    story.say(said.SetSeverity(by="U0BOB", severity=Severity.SEV1))
    assert story.wants(wanted.OpenChannel) == [], "once"


def test_what_was_posted_to_the_thread_meanwhile_stands_anew_in_the_channel():
    story = Story(severity=Severity.SEV4)
    story.say(said.ChannelOpened(channel=Channel(id="C0", name="a thread", thread_ts="1.2")))
    story.say(said.SetSeverity(by="U0BOB", severity=Severity.SEV2))
    late = MessageRef(channel="C0", ts="1.3")
    story.say(said.MessagePosted(name="decision:1", ref=late))
    story.say(CHANNEL)
    story.say(said.MessagePosted(name="status", ref=late))
    assert set(story.record.messages) == {"announcement"}


def test_a_sev4_that_grows_before_its_thread_is_there_gets_a_channel_at_once():
    story = Story(severity=Severity.SEV4)
    story.say(said.SetSeverity(by="U0BOB", severity=Severity.SEV2))
    assert not story.record.in_thread
    assert story.wants(wanted.OpenChannel) == [], "the first one is still on its way"


@pytest.mark.parametrize("apart", ["private", "drill"])
def test_a_drill_and_a_private_incident_keep_a_channel(apart: str):
    assert not Story(severity=Severity.SEV4, **{apart: True}).record.in_thread


def test_a_channel_that_comes_after_the_end_begins_nothing():
    story = Story()
    story.say(said.Cancel(by="U0BOB", reason="load test"))
    story.say(CHANNEL)
    assert story.wants(wanted.OpenTicket) == []
    assert story.wants(wanted.Invite) == []
    assert [e.name for e in story.wants(wanted.PostLive)] == ["status"]


def test_the_status_is_pinned_when_it_is_posted():
    story = Story()
    story.say(CHANNEL)
    story.posted("status")
    assert story.last.effects == (wanted.Pin(),)


# --- ticket and Discord ---------------------------------------------------------------------------


def test_what_happened_before_the_ticket_was_there_is_its_first_comment():
    story = Story()
    story.say(CHANNEL)
    story.measured(one_feature()).rolled_back()
    story.say(said.TicketOpened(ticket=TICKET))
    assert story.on_ticket == [
        "Triage: 37 users, payment; 214 events in 15 min\nRollback to 1.2.0, <@U0ALICE>: waiting"
    ]
    assert [e.title for e in story.wants(wanted.AttachToTicket)] == ["Sentry SHOP-3"]
    assert "Triage" not in ticket_body(story.record), "it is said once: in the comments"
    story.say(said.TicketOpened(ticket=TICKET))
    assert story.last.effects == ()


def test_discord_gets_one_post_however_much_happens_while_it_is_posted():
    story = Story()
    story.say(CHANNEL)
    assert story.wants(wanted.TellDiscord) == [wanted.TellDiscord()]
    story.say(said.Triaged(report=one_feature()))
    assert story.wants(wanted.TellDiscord) == [], (
        "its id is not known: a second call would be a second post"
    )
    story.say(said.DiscordPosted(id="9"))
    assert story.wants(wanted.TellDiscord) == [wanted.TellDiscord()], (
        "what came meanwhile is edited in"
    )
    story.say(said.PostUpdate(by="U0BOB", text="cards work again"))
    assert story.wants(wanted.TellDiscord) == [wanted.TellDiscord()]


def test_a_first_post_that_failed_is_tried_with_the_next_change():
    story = Story()
    story.say(CHANNEL)
    story.fails(wanted.TellDiscord())
    story.say(said.PostUpdate(by="U0BOB", text="cards work again"))
    assert story.wants(wanted.TellDiscord) == [wanted.TellDiscord()]


def test_discord_says_what_how_bad_and_what_was_done():
    text = discord_text(verifying().record, {})
    assert "INC-0001 checkout is failing" in text
    assert "SEV1" in text
    assert "rollback to 1.2.0 (done)" in text
    assert TICKET.url in text


# --- people ---------------------------------------------------------------------------------------


def test_an_update_goes_everywhere_once():
    story = Story().opened()
    story.say(said.PostUpdate(by="U0BOB", text="cards *work* again"))
    assert story.in_channel == ["*Update by <@U0BOB>:* cards *work* again"]
    assert story.on_ticket == ["Update by <@U0BOB>: cards *work* again"]
    assert story.record.latest_update == "cards *work* again"
    assert "Say what is new" in story.refuses(said.PostUpdate(by="U0BOB", text=" ")).text


def test_somebody_else_takes_the_lead():
    story = Story().opened()
    story.say(said.TakeLead(by="U0ALICE", lead="U0BOB"))
    assert story.record.lead == "U0BOB"
    assert story.in_channel == ["<@U0BOB> leads, in place of <@U0ALICE>."]
    assert story.on_ticket == []


def test_what_is_over_says_so_and_offers_a_way_that_exists():
    story = Story().opened()
    story.say(said.Cancel(by="U0BOB", reason="load test"))
    assert story.refuses(said.PostUpdate(by="U0ALICE", text="x")).text == (
        "INC-0001 was cancelled: load test. Nothing was changed."
    )
    ended = mitigated().written().refuses(said.SetSeverity(by="U0ALICE", severity=1))
    assert "INC-0001 is resolved. Nothing was changed." in ended.text
    assert "/incident declare" in ended.text
    assert "reopen" not in ended.text, "there is no such subcommand yet"


def test_a_page_that_comes_through_only_after_the_end_is_ended():
    story = Story(severity=Severity.SEV1)
    (page,) = story.wants(wanted.Page)
    story.say(said.Cancel(by="U0BOB", reason="load test"))
    assert [e.what for e in story.wants(wanted.TellPager)] == ["resolve"]
    story.say(said.Paged(key=page.key, via="PagerDuty"))
    assert story.wants(wanted.TellPager) == [wanted.TellPager(what="resolve", pages=1)]


def test_a_page_that_comes_through_while_it_is_open_rings_on():
    story = Story(severity=Severity.SEV1)
    (page,) = story.wants(wanted.Page)
    story.say(said.Paged(key=page.key, via="PagerDuty"))
    assert story.wants(wanted.TellPager) == []


# --- one storm is one incident --------------------------------------------------------------------


def test_a_thousand_alerts_about_five_issues_are_five_lines():
    story = Story(seeds=("1",)).opened().measured(one_feature())
    lines, spoken = len(story.timeline), 0
    for n in range(1000):
        story.say(said.AddEvidence(evidence=evidence(story.now), issue=str(1 + n % 5)), after=0.01)
        spoken += len(story.in_thread)
        assert story.in_channel == []
    assert len(story.timeline) - lines == 4
    assert spoken == 4
    assert story.record.seeds == ("1", "2", "3", "4", "5")
    assert story.claims["fingerprint:5"] is None


def test_alerts_without_an_issue_are_said_once_each():
    story = Story().opened().measured(one_feature())
    alert = said.AddEvidence(
        evidence=evidence(text="error rate above 5 %", url="https://sentry.example.com/alerts/7/")
    )
    story.say(alert)
    assert len(story.in_thread) == 1
    story.say(alert)
    assert story.last.effects == ()
    assert story.last.entries == ()


def test_a_new_issue_of_the_storm_is_measured_when_the_storm_holds_its_breath():
    story = Story(seeds=("1",)).opened().measured(one_feature())
    story.say(said.AddEvidence(evidence=evidence(), issue="2"))
    assert story.due("measure") == 10
    story.fires("measure")
    assert story.wants(wanted.Triage) == [wanted.Triage()]


def test_evidence_of_what_is_over_takes_no_claim():
    story = mitigated().written()
    claims = dict(story.claims)
    story.say(said.AddEvidence(evidence=evidence(), issue="77"))
    assert story.claims == claims, "a resolved incident would keep the issue for ever"
    assert story.last.effects == ()


# --- the guard ------------------------------------------------------------------------------------


def again(story: Story, minutes: float) -> said.SeenAgain:
    at = story.now + timedelta(minutes=minutes)
    return said.SeenAgain(issue="41", evidence=evidence(at))


def test_the_same_issue_within_the_hour_opens_it_again():
    story = mitigated()
    story.rings(again(story, 59), after=59 * 60, events=240)
    assert story.record.status is Status.DECIDING
    assert story.record.recovered_at is None
    trouble = "SHOP-3 ZeroDivisionError; 240 events in 15 min, where up to 3 are normal"
    assert story.record.rounds[-1].why == f"it is back: {trouble}"
    assert story.record.rounds[-1].recommendation is None, "not before it is measured again"
    assert story.wants(wanted.Triage) == [wanted.Triage()]
    assert len(story.pages) == 1
    assert story.roots == 1
    assert story.in_channel == [], "the new decision says why it is there"
    assert story.on_ticket == [f"It is back: {trouble}. To be decided again."]
    assert "nobody" in story.timers


def test_after_the_hour_it_is_said_and_paged_once_and_people_decide():
    story = mitigated()
    story.rings(again(story, 61), after=61 * 60, events=240)
    assert story.record.status is Status.MITIGATED
    assert story.in_channel[0].startswith(
        "*Fires again:* SHOP-3 ZeroDivisionError; 240 events in 15 min,"
    )
    assert len(story.pages) == 1
    story.say(again(story, 1))
    assert story.last.effects == ()


def test_another_issue_of_a_service_that_was_fine_does_not_drown_in_the_old_channel():
    story = mitigated()
    at = story.now + timedelta(hours=5)
    alarm = said.AddEvidence(evidence=evidence(at, "SEARCH-9 Timeout"), issue="99")
    story.rings(alarm, "fires", text="SEARCH-9 Timeout: 34 events in 15 min", after=5 * 3600)
    assert "5 h after recovery" in story.in_channel[0]
    assert len(story.pages) == 1
    assert story.wants(wanted.Say)[0].mention == ("U0ALICE",)


def fires(story: Story, issue: str | None, after: float, text: str = "SEARCH-9 Timeout") -> None:
    at = story.now + timedelta(seconds=after)
    story.say(said.AddEvidence(evidence=evidence(at, text), issue=issue), after=after)
    if story.wants(wanted.LookBack):
        story.looks_back("fires", text=text, after=0)


def test_a_storm_after_recovery_rings_once_and_the_rest_is_in_the_thread():
    story = mitigated()
    fires(story, "99", 5 * 3600)
    assert len(story.in_channel) == 1
    for number in range(100, 110):
        fires(story, str(number), 60)
        assert story.in_channel == []
        assert [message.text[:14] for message in story.wants(wanted.Say)] == ["*Fires again:*"]
        assert story.pages == []
    fires(story, "200", 2 * 3600)
    assert len(story.in_channel) == 1, "two hours later that is another fire"
    assert story.pages == [], "paged once a day"
    fires(story, "201", 24 * 3600)
    assert (len(story.in_channel), len(story.pages)) == (1, 1)


def test_an_alert_that_was_heard_while_it_burned_is_news_after_recovery():
    """A metric alert has no issue: what tells it from another one is its address, which stays."""
    story = Story().opened().measured()
    fires(story, None, 10, "Too many errors")
    assert any(entry.kind == "evidence" for entry in story.last.entries)
    fires(story, None, 10, "Too many errors")
    assert story.last.entries == (), "the same storm"
    story.rolled_back().deployed().recovered()
    fires(story, None, 3600, "Too many errors")
    assert story.in_channel[0].startswith("*Fires again:* Too many errors")
    assert len(story.pages) == 1
    fires(story, None, 60, "Too many errors")
    assert (story.in_channel, story.pages) == ([], [])
    fires(story, None, 24 * 3600, "Too many errors")
    assert len(story.in_channel) == 1


def test_what_comes_back_in_an_archived_channel_gets_another_one():
    story = mitigated().written()
    story.say(said.ChannelArchived(channel="C1", by="U0BOB"))
    story.rings(again(story, 60), after=3600, events=240)
    assert story.record.status is Status.DECIDING
    assert story.record.channel is None
    assert wanted.OpenChannel() in story.last.effects
    assert set(story.record.messages) <= {"announcement"}


def test_a_late_alert_of_what_is_over_does_not_open_it_again():
    story = mitigated()
    story.say(said.SeenAgain(issue="41", evidence=evidence(NOW)))
    assert story.record.status is Status.MITIGATED
    assert story.pages == []


def test_within_a_day_of_resolved_it_opens_again_and_has_to_be_understood_anew():
    story = mitigated().written()
    assert story.claims["fingerprint:41"] == 24 * 3600
    story.rings(again(story, 23 * 60), after=23 * 3600, events=240)
    assert story.record.status is Status.DECIDING
    assert story.record.resolved_at is None
    assert story.record.cause is None
    assert story.claims["open:shop:production"] is None
    assert story.claims["fingerprint:41"] is None
    story.rolled_back(running=None).deployed().recovered()
    assert story.record.status is Status.MITIGATED, "not resolved by itself: the cause is not known"
    assert "the root cause" in story.refuses(said.Resolve(by="U0ALICE")).text
    story.say(said.NameCause(by="U0ALICE", text="the table is emptied every night"))
    assert story.record.status is Status.MITIGATED, "what was written knows nothing of this"
    assert story.written().record.status is Status.RESOLVED


def test_what_came_back_while_somebody_resolved_it_opens_it_again():
    """Sentry's alert of an event between recovery and *resolved* may come after both.

    It may be the only one.
    """
    story = mitigated()
    back = again(story, 2)
    story.now += timedelta(minutes=3)
    story.written()
    assert story.record.status is Status.RESOLVED
    story.rings(back)
    assert story.record.status is Status.DECIDING
    assert len(story.pages) == 1


def test_a_late_alert_of_before_recovery_leaves_it_resolved():
    story = mitigated().written()
    story.say(said.SeenAgain(issue="41", evidence=evidence(NOW)))
    assert story.record.status is Status.RESOLVED
    assert story.pages == []


def test_a_day_after_resolved_it_is_another_incident():
    story = mitigated().written()
    story.say(again(story, 25 * 60), after=25 * 3600)
    assert story.record.status is Status.RESOLVED
    assert story.last.effects == ()


def test_what_comes_back_while_it_is_verified_is_the_looks_to_judge():
    story = verifying()
    story.say(said.SeenAgain(issue="41", evidence=evidence(story.now)))
    assert story.record.status is Status.VERIFYING
    story.looked(LookVerdict.RECOVERED)
    assert story.record.status is Status.MITIGATED


def test_no_place_names_of_a_private_service_are_needed():
    story = Story(service(owners=())).opened().measured(one_feature())
    assert story.record.status is Status.DECIDING
