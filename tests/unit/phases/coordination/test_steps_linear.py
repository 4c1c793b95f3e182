"""The ticket in step both ways, and the action items up to *closed*, as pure rules."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from phases.coordination.ticket import state_fits
from phases.messages import actions as said
from phases.messages import effects as wanted
from phases.postmortem.action_items import due_again
from phases.postmortem.adr_status import with_items_settled
from phases.record.documents import ActionItem, Adr, LinearIssue, SubIssue
from phases.record.incident import Severity, Status
from tests.support.bots.story import Story, mitigated
from tests.support.values.factories import NOW, postmortem

SUB = SubIssue(
    id="s1", identifier="ENG-2", url="https://linear.example.com/ENG-2", state="unstarted"
)


def linear(
    state: str = "started", priority: int = 1, *, id: str = "t1", at: datetime = NOW
) -> LinearIssue:
    return LinearIssue(id=id, state=state, priority=priority, at=at)


def ticket_change(issue: LinearIssue, *changed: str, by: str = "Ann") -> said.TicketTold:
    return said.TicketTold.model_validate({"issue": issue, "changed": changed, "by": by})


def resolved() -> Story:
    story = mitigated()
    story.written()
    assert story.record.status is Status.RESOLVED
    return story


def test_what_we_asked_for_is_no_persons_word_whenever_it_comes_back():
    story = Story().opened().measured()
    story.say(said.SetSeverity(by="U0ALICE", severity=Severity.SEV2))
    assert story.wants(wanted.SyncTicket) == [wanted.SyncTicket()]
    story.say(said.SetSeverity(by="U0ALICE", severity=Severity.SEV3))
    # The echo of the first write, while the second is on its way.
    story.say(ticket_change(linear(priority=2, at=story.now), "priority"))
    assert (story.record.severity, story.in_channel) == (Severity.SEV3, [])
    story.say(said.TicketSynced(issue=linear(priority=3, at=story.now), wrote=("priority",)))
    story.say(
        ticket_change(linear(priority=2, at=NOW), "priority")
    )  # late: older than what is known
    assert story.record.severity is Severity.SEV3
    story.say(ticket_change(linear(priority=2, at=story.now + timedelta(seconds=9)), "priority"))
    assert story.record.severity is Severity.SEV2
    assert story.record.severity_by == "Ann (Linear)"


def test_no_priority_is_put_back_and_pages_nobody():
    story = Story().opened().measured()
    before = story.record.severity
    story.say(ticket_change(linear(priority=0, at=story.now), "priority"))
    assert story.record.severity is before
    assert story.wants(wanted.SyncTicket)


@pytest.mark.parametrize(
    ("state", "says"),
    [
        ("completed", "is not over"),
        ("canceled", "/incident cancel"),
        ("duplicate", "/incident merge INC-0001"),
    ],
)
def test_a_ticket_that_somebody_ends_is_opened_again_and_says_what_is_missing(
    state: str, says: str
):
    story = Story().opened().measured()
    story.say(ticket_change(linear(state, at=story.now), "state"))
    assert story.record.open
    assert says in story.in_channel[0]
    assert story.wants(wanted.SyncTicket)
    assert any(says in text for text in story.on_ticket), "people in Linear read it, too"


def test_moves_between_unfinished_states_are_left_to_people():
    story = Story().opened().measured()
    story.say(ticket_change(linear("backlog", at=story.now), "state"))
    assert (story.in_channel, story.wants(wanted.SyncTicket)) == ([], [])
    assert "moved it to backlog" in story.noted[0]


def test_an_item_whose_issue_is_a_duplicate_is_dropped_and_no_longer_waited_for():
    story = resolved()
    story.say(said.ItemsOpened(issues={1: SUB}))
    story.say(ticket_change(linear("duplicate", id="s1", at=story.now), "state", by="Bob"))
    assert story.record.status is Status.CLOSED
    assert "1 dropped" in story.in_channel[0]


def test_the_ticket_of_a_cancelled_incident_may_be_a_duplicate():
    assert state_fits("canceled", "duplicate")
    assert not state_fits("started", "duplicate")


def test_the_last_item_closes_the_incident_once_and_the_same_issue_opens_it_again():
    story = resolved()
    assert story.wants(wanted.OpenItems)
    story.say(said.ItemsOpened(issues={1: SUB}))
    assert "linear:s1" in story.claims
    story.say(ticket_change(linear("completed", id="s1", at=story.now), "state", by="Bob"))
    assert story.record.status is Status.CLOSED
    assert story.in_channel == ["*INC-0001 is closed.* 1 of 1 action item done."]
    assert story.wants(wanted.CompleteAdr)
    assert "items" not in story.timers
    item = story.record.postmortem.items[0] if story.record.postmortem else None
    assert item is not None
    assert (item.done, item.settled_by) == (True, "Bob")
    story.say(ticket_change(linear("completed", id="s1", at=story.now), "state", by="Bob"))
    assert story.in_channel == []


def test_an_item_can_be_settled_without_linear_and_taken_back():
    story = resolved()
    assert story.refuses(said.MarkItem(by="U0BOB", number=7)).code == "state"
    assert story.refuses(said.MarkItem(by="U0BOB", number=1, done=False)).code == "stale"
    story.say(said.MarkItem(by="U0BOB", number=1))
    assert story.record.status is Status.CLOSED
    assert story.refuses(said.MarkItem(by="U0BOB", number=1, done=False)).code == "state"


def test_comments_that_failed_become_one_of_what_happened_since():
    story = Story().opened().measured()
    story.fails(wanted.CommentTicket(text="one"), id="INC-0001.8.1")
    story.fails(wanted.CommentTicket(text="two"), id="INC-0001.9.1")
    (failure,) = story.record.failures
    assert failure.kind == "ticket.catch_up"
    story.fires(f"retry:{failure.effect_id}")
    (effect,) = story.wants(wanted.CatchUp)
    assert effect.since < story.now
    story.say(said.EffectDone(kind="ticket.catch_up"))
    assert story.record.failures == ()


@pytest.mark.parametrize(
    ("due", "reminded", "day"),
    [
        (date(2026, 11, 24), None, date(2026, 11, 25)),
        (date(2026, 11, 27), None, date(2026, 11, 28)),  # a Saturday: said on Monday
        (date(2026, 11, 24), date(2026, 11, 25), date(2026, 12, 2)),
        (None, None, None),
    ],
)
def test_who_is_late_hears_of_it_once_a_week_on_working_days(
    due: date | None, reminded: date | None, day: date | None
):
    item = ActionItem(kind="tests", text="x", due=due, reminded_on=reminded)
    assert due_again(item) == day
    assert due_again(item.model_copy(update={"done": True})) is None


@pytest.mark.parametrize(
    "text",
    [
        (
            "# ADR\n\n- Status: accepted\n\n## Action items\n\n- [ ] tests: a test\n"
            "- [ ] gates: a gate\n"
        ),
        '---\nstatus: "accepted"\n---\n# ADR\n\n* [ ] a test (tests)\n* [ ] a gate\n',
        "# 2. ADR\n\n## Status\n\nAccepted\n\n- [ ] a test\n- [ ] a gate\n",
    ],
)
def test_the_files_status_and_boxes_change_and_nothing_else(text: str):
    items = (
        ActionItem(kind="tests", text="a test", done=True),
        ActionItem(kind="gates", text="a gate", dropped=True),
    )
    after = with_items_settled(text, items=items, at=NOW, names={})
    assert "done, action items settled 2026-11-22" in after
    assert "ccepted" not in after
    assert after.count("[x]") == 2
    assert "(dropped)" in after
    assert len(after.splitlines()) == len(text.splitlines())
    assert with_items_settled(after, items=items, at=NOW + timedelta(days=9), names={}) == after, (
        "twice is once"
    )


@pytest.mark.parametrize(
    ("back", "said_at"),
    [
        (datetime(2026, 11, 28, 12, tzinfo=UTC), datetime(2026, 11, 30, 9, tzinfo=UTC)),  # Saturday
        (datetime(2026, 11, 29, 23, tzinfo=UTC), datetime(2026, 11, 30, 9, tzinfo=UTC)),
        (datetime(2026, 11, 26, 3, tzinfo=UTC), datetime(2026, 11, 26, 9, tzinfo=UTC)),
    ],
)
def test_a_reminder_that_comes_late_waits_for_a_working_morning(back: datetime, said_at: datetime):
    """The bot was down when it was due."""
    story = resolved_with_a_date(date(2026, 11, 24))
    due = story.timers.pop("items")
    assert due.at == datetime(2026, 11, 25, 9, tzinfo=UTC)
    story.now = back
    story.say(due.action, after=0)
    assert story.wants(wanted.RemindOwner) == []
    assert story.timers["items"].at == said_at
    story.fires("items")
    assert len(story.wants(wanted.RemindOwner)) == 1


@pytest.mark.parametrize(
    ("hours", "said_at"),
    [
        (0, datetime(2026, 11, 25, 9, tzinfo=UTC)),
        (-8, datetime(2026, 11, 25, 17, tzinfo=UTC)),  # San Francisco
        (13, datetime(2026, 11, 24, 20, tzinfo=UTC)),  # Auckland: there it is the 25th
    ],
)
def test_an_owner_is_reminded_in_their_own_morning(hours: int, said_at: datetime):
    story = resolved_with_a_date(date(2026, 11, 24))
    assert wanted.AskZone(people=("U0BOB",)) in story.wants(wanted.AskZone)
    story.say(said.Zones(offsets={"U0BOB": hours * 3600}))
    assert story.timers["items"].at == said_at
    story.fires("items")
    (reminder,) = story.wants(wanted.RemindOwner)
    assert (reminder.person, reminder.day) == ("U0BOB", date(2026, 11, 25))
    assert story.wants(wanted.AskZone) == [wanted.AskZone(people=("U0BOB",))], (
        "the clock may have changed since"
    )
    assert story.timers["items"].at == said_at + timedelta(days=7)


def resolved_with_a_date(day: date) -> Story:
    story = mitigated()
    item = ActionItem(kind="tests", text="a test of the empty table", owner="<@U0BOB>", due=day)
    story.say(said.SubmitPostmortem(postmortem=postmortem(items=(item,))))
    story.say(said.AdrNumbered(repository="/srv/shop/docs/adr", number=2))
    story.say(said.AdrWritten(adr=Adr(number=2, path="docs/adr/0002-inc-0001.md")))
    return story
