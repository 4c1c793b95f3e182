"""A lead whose account is deactivated leads no more: somebody who is there hears of it."""

from __future__ import annotations

from datetime import timedelta

from phases.messages import actions as said
from phases.messages import effects as wanted
from phases.postmortem.draft import proposed_items
from phases.record.documents import ActionItem
from phases.shared.people_left import person_in_charge
from tests.support.bots.story import Story, mitigated
from tests.support.values.factories import postmortem, service

GONE = said.PeopleLeft(people=("U0ALICE",))


def test_the_owners_hear_that_nobody_leads():
    story = Story(service(owners=("U0BOB",))).opened().measured()
    story.fires("update")
    (reminder,) = story.wants(wanted.Remind)
    assert reminder.who == "U0ALICE"
    story.say(GONE)
    assert story.record.lead is None
    (told,) = story.wants(wanted.Say)
    assert told.mention == ("U0BOB",)
    assert told.text == (
        "*Nobody leads INC-0001:* <@U0ALICE>'s account is deactivated. `/incident lead` takes over."
    )
    assert story.noted == ["Nobody leads: <@U0ALICE>'s account is deactivated"]
    story.fires("update")
    assert story.in_channel[0].endswith("Nobody leads.")
    story.say(GONE)
    assert story.wants(wanted.Say) == [], "it is said once"


def test_somebody_else_who_left_changes_no_lead():
    story = Story().opened().measured()
    story.say(said.PeopleLeft(people=("U0BOB",)))
    assert (story.record.lead, story.wants(wanted.Say)) == ("U0ALICE", [])


def test_who_takes_the_lead_is_here():
    story = Story().opened().measured()
    story.say(GONE)
    story.say(said.TakeLead(by="U0ALICE", lead="U0ALICE"))
    assert person_in_charge(story.record) == "U0ALICE"


def test_the_post_mortem_is_asked_of_those_who_are_here():
    story = mitigated()
    (asked,) = story.wants(wanted.AskZone)
    assert asked.people == ("U0ALICE",)
    story.say(said.Zones(offsets={"U0ALICE": 0}, left=("U0ALICE",)))
    assert story.record.lead is None
    assert story.in_channel[0].startswith("*Nobody leads INC-0001:*")
    story.fires("postmortem")
    (reminder,) = story.wants(wanted.Say)
    assert reminder.mention == story.service.owners, "who declared it has left as well"
    assert {item.owner for item in proposed_items(story.record, story.now)} == {""}


def test_an_item_whose_owner_left_is_asked_of_the_lead():
    story = mitigated()
    item = ActionItem(kind="tests", text="a test", owner="<@U0BOB>", due=story.now.date())
    story.say(said.SubmitPostmortem(postmortem=postmortem(items=(item,))))
    story.say(said.AdrNumbered(repository="/srv/shop/docs/adr", number=2))
    written = said.AdrWritten.model_validate({"adr": {"number": 2, "path": "docs/adr/0002.md"}})
    story.say(written)
    story.say(said.Zones(offsets={"U0BOB": 0}, left=("U0BOB",)))
    story.now += timedelta(days=1)
    story.fires("items")
    assert [e.person for e in story.wants(wanted.RemindOwner)] == ["U0ALICE"]
