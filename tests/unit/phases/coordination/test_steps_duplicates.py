"""Incidents that are one, and that part again: nothing is lost, nothing is there twice."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phases.coordination.duplicates import AT_ONCE
from phases.messages.commands import MergeDuplicates, PostUpdate, Reopen, SplitOff
from phases.messages.effects import CloseTicket, Page, Say, Triage
from phases.record.claims import fingerprint_claim, open_claim
from phases.record.incident import Channel, Incident, Severity, Status
from phases.shared.change import Change, Refused
from phases.workflow import step
from tests.support.bots.story import Story, mitigated, verifying
from tests.support.values.factories import NOW, incident, one_feature, service

KEPT = "INC-0001"
ISSUES, KEYS, VERSIONS = ("11", "12", "13", "14"), ("alert:a", "alert:b"), ("1.1.0", "1.2.0")


def open_incident(number: int, **fields: object) -> Incident:
    fields = {"status": Status.DECIDING, "service": f"service{number}", **fields}
    return incident(id=f"INC-{number:04d}", number=number, **fields)


def merged(original: Incident, *gone: Incident) -> Change:
    action = MergeDuplicates(by="U0BOB", others=tuple(g.id for g in gone), records=gone)
    change = step(original, action, service(), NOW)
    assert isinstance(change, Change), change
    return change


def parted(original: Incident, gone: Incident) -> tuple[Incident, Change]:
    """Return the incident that goes on, and the change of the one that parts from it."""
    action = SplitOff(by="U0BOB", others=(original.id,), records=(original,))
    change = step(gone, action, service(name=gone.service), NOW)
    assert isinstance(change, Change), change
    return change.also[0].incident, change


def test_a_duplicate_is_archived_and_becomes_small_like_everything_that_is_over():
    goes_on = Story().opened().measured().record
    change = merged(goes_on, open_incident(2))
    (also,) = change.also
    assert also.incident.status is Status.CANCELLED
    assert {"archive", "shrink"} <= {timer.name for timer in also.timers}
    assert not {"archive", "shrink"} & {timer.name for timer in change.timers}


def test_three_become_one_in_one_change_and_it_is_said_once():
    original = Story().opened().measured().record
    change = merged(original, open_incident(2, seeds=("11",)), open_incident(3, seeds=("12",)))
    assert [part.incident.id for part in change.also] == ["INC-0002", "INC-0003"]
    assert {part.incident.duplicate_of for part in change.also} == {KEPT}
    assert change.incident.merged == ("INC-0002", "INC-0003")
    assert {"11", "12"} <= set(change.incident.seeds)
    (message,) = [effect.text for effect in change.effects if isinstance(effect, Say)]
    assert message.startswith("*INC-0002 and INC-0003 are the same:*")


OTHERS = pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (open_incident(3, status=Status.MITIGATING), "A deploy of INC-0003 is under way"),
        (open_incident(3, drill=True), "A drill is not merged"),
        (open_incident(3, private=True), "A private and a public incident"),
        (open_incident(3, duplicate_of="INC-0009"), "INC-0003 is already merged into INC-0009"),
        (open_incident(1), "INC-0001 cannot be its own duplicate"),
    ],
)


@OTHERS
def test_where_one_of_them_cannot_be_merged_none_is(wrong: Incident, why: str):
    action = MergeDuplicates(
        by="U0BOB", others=("INC-0002", wrong.id), records=(open_incident(2), wrong)
    )
    refused = step(open_incident(1), action, service(), NOW)
    assert isinstance(refused, Refused)
    assert refused.text.startswith(why)
    assert refused.text.endswith("Nothing was changed.")


def test_one_that_is_not_there_and_too_many_are_refused():
    lost = MergeDuplicates(by="U0BOB", others=("INC-0002", "INC-0003"), records=(open_incident(2),))
    refused = step(open_incident(1), lost, service(), NOW)
    assert isinstance(refused, Refused)
    assert "There is no incident INC-0003." in refused.text
    crowd = tuple(open_incident(2 + n) for n in range(AT_ONCE + 1))
    action = MergeDuplicates(by="U0BOB", others=tuple(g.id for g in crowd), records=crowd)
    assert isinstance(step(open_incident(1), action, service(), NOW), Refused)


def test_one_that_was_merged_by_mistake_is_open_again_by_itself():
    original = Story().opened().measured().record
    change = merged(original, open_incident(2, seeds=("11",)))
    goes_on, part = parted(change.incident, change.also[0].incident)
    again = part.incident
    assert (again.status, again.duplicate_of, again.cancel_reason) == (Status.DECIDING, None, None)
    assert any(isinstance(effect, Triage) for effect in part.effects)
    assert not any(isinstance(effect, CloseTicket) for effect in part.effects)
    assert open_claim("service2", "production") in {claim.key for claim in part.claims}
    assert fingerprint_claim("11") in {claim.key for claim in part.claims}
    assert fingerprint_claim("11") in part.also[0].releases, "or its alerts went to the other one"
    assert goes_on.merged == ()
    assert goes_on.seeds == original.seeds
    assert "measure" in {timer.name for timer in part.also[0].timers}


def test_of_the_same_service_it_stands_beside_the_other():
    original = Story().opened().measured().record
    change = merged(original, open_incident(2, service=original.service))
    _, part = parted(change.incident, change.also[0].incident)
    assert part.incident.else_reason == KEPT
    assert open_claim(original.service, "production") not in {claim.key for claim in part.claims}


def test_what_was_over_before_it_was_merged_stays_over():
    change = merged(
        open_incident(1), open_incident(2, status=Status.CANCELLED, cancel_reason="load test")
    )
    _, part = parted(change.incident, change.also[0].incident)
    assert part.incident.status is Status.CANCELLED
    assert part.incident.cancel_reason == "load test"
    assert part.incident.duplicate_of is None


def test_a_duplicate_of_a_duplicate_waits_for_the_one_between():
    inner = merged(open_incident(2), open_incident(3))
    outer = merged(open_incident(1), inner.incident)
    assert outer.incident.merged == ("INC-0002", "INC-0003")
    between, innermost = outer.also[0].incident, inner.also[0].incident
    action = SplitOff(by="U0BOB", others=("INC-0002",), records=(between,))
    refused = step(innermost, action, service(), NOW)
    assert isinstance(refused, Refused)
    assert "Split that one off first: `/incident split INC-0002`" in refused.text
    goes_on, part = parted(outer.incident, between)
    assert (goes_on.merged, part.incident.merged) == ((), ("INC-0003",))


def test_a_duplicate_is_not_reopened_behind_the_back_of_the_other():
    change = merged(open_incident(1), open_incident(2))
    refused = step(change.also[0].incident, Reopen(by="U0BOB"), service(), NOW)
    assert isinstance(refused, Refused)
    assert "`/incident split INC-0002`" in refused.text


def test_what_is_said_in_a_duplicate_is_sent_to_the_one_that_goes_on():
    ended = merged(open_incident(1), open_incident(2)).also[0].incident
    refused = step(ended, PostUpdate(by="U0BOB", text="cards work again"), service(), NOW)
    assert isinstance(refused, Refused)
    assert refused.text.endswith("Nothing was changed. Say it in INC-0001.")


@pytest.mark.parametrize(
    ("noted", "issues", "says"),
    [(False, ("11",), True), (True, ("11",), False), (False, (), False)],
)
def test_of_what_an_older_version_merged_the_issues_stay_and_that_is_said(
    noted: bool, issues: tuple[str, ...], says: bool
):
    change = merged(Story().opened().measured().record, open_incident(2, seeds=issues))
    record = change.incident
    record = record if noted else record.model_copy(update={"brought": {}})
    now, parts = parted(record, change.also[0].incident)
    assert ("11" in now.seeds) is says
    messages = [effect.text for effect in parts.also[0].effects if isinstance(effect, Say)]
    assert ("its Sentry issues stay with INC-0001, too." in messages[0]) is says


def test_what_is_no_duplicate_cannot_be_split_off():
    refused = step(open_incident(2), SplitOff(by="U0BOB"), service(), NOW)
    assert isinstance(refused, Refused)
    assert refused.text == "INC-0002 is not merged into another one. Nothing was changed."


def some(number: int) -> st.SearchStrategy[Incident]:
    def sets(values: tuple[str, ...]) -> st.SearchStrategy[tuple[str, ...]]:
        return st.lists(st.sampled_from(values), unique=True).map(tuple)

    return st.builds(
        lambda seeds, heard, versions: open_incident(
            number, seeds=seeds, heard=heard, rolled_back=versions
        ),
        sets(ISSUES),
        sets(KEYS),
        sets(VERSIONS),
    )


def has(incident: Incident) -> Mapping[str, set[str]]:
    names = ("seeds", "heard", "rolled_back", "merged", "brought")
    return {name: set(getattr(incident, name)) for name in names}


@given(
    original=some(1),
    gone=st.tuples(some(2), some(3), some(4)),
    at_once=st.booleans(),
    order=st.permutations([0, 1, 2]),
)
def test_split_off_again_in_any_order_each_has_what_it_had(
    original: Incident, gone: tuple[Incident, ...], at_once: bool, order: list[int]
):
    now, parts = original, list(gone)
    for some in [gone] if at_once else [(duplicate,) for duplicate in gone]:
        change = merged(now, *some)
        now = change.incident
        for part in change.also:
            parts[part.incident.number - 2] = part.incident
    whole = (original, *gone)
    assert has(now)["seeds"] == {issue for each in whole for issue in each.seeds}
    left = set(range(3))
    for place in order:
        now, part = parted(now, parts[place])
        left.remove(place)
        assert has(part.incident) == has(gone[place])
        stay = (original, *(gone[n] for n in left))
        assert has(now)["seeds"] == {issue for each in stay for issue in each.seeds}
        released = {name for other in part.also for name in other.releases}
        assert not released & {fingerprint_claim(issue) for issue in now.seeds}
    assert has(now) == has(original)


# --- what burns, and what was done, is not lost ---------------------------------------------------


def test_what_seemed_fine_opens_again_where_its_duplicate_still_burns():
    original = mitigated().record
    change = merged(original, open_incident(2), open_incident(3, status=Status.MITIGATED))
    assert change.incident.status is Status.DECIDING
    assert change.incident.recovered_at is None
    assert change.incident.round is not None
    assert change.incident.round.why == "INC-0002 is the same and has not recovered"
    assert any(isinstance(effect, Triage) for effect in change.effects)
    fine = merged(
        original,
        open_incident(2, status=Status.MITIGATED),
        open_incident(3, status=Status.RESOLVED),
    )
    assert (fine.incident.status, fine.incident.rounds) == (Status.MITIGATED, original.rounds)


def test_the_worst_that_burns_says_how_bad_it_is_and_its_page_goes_on():
    original = Story().opened().measured(one_feature()).record
    assert original.severity is Severity.SEV2
    change = merged(original, open_incident(2, severity=Severity.SEV1, severity_by="U0BOB"))
    assert (change.incident.severity, change.incident.severity_by) == (Severity.SEV1, "U0BOB")
    (message,) = [effect.text for effect in change.effects if isinstance(effect, Say)]
    assert "SEV2 → SEV1, as INC-0002." in message
    assert any(isinstance(effect, Page) for effect in change.effects), "that of the other one ends"
    assert "nobody" in {timer.name for timer in change.timers}


@pytest.mark.parametrize(
    ("original", "gone"),
    [
        ({"severity": Severity.SEV3, "severity_by": "U0ALICE"}, {"severity": Severity.SEV1}),
        ({"severity": Severity.SEV1}, {"severity": Severity.SEV2}),
        (
            {"severity": Severity.SEV3},
            {"severity": Severity.SEV1, "status": Status.MITIGATED},
        ),
    ],
)
def test_a_persons_word_a_worse_one_and_one_that_is_fine_leave_the_severity(
    original: Mapping[str, object], gone: Mapping[str, object]
):
    before = open_incident(1, **original)
    change = merged(before, open_incident(2, **gone))
    assert change.incident.severity is before.severity
    assert not any(isinstance(effect, Page) for effect in change.effects)


def test_what_is_being_checked_is_merged_when_the_check_has_ended():
    action = MergeDuplicates(by="U0BOB", others=("INC-0001",), records=(verifying().record,))
    refused = step(open_incident(2), action, service(), NOW)
    assert isinstance(refused, Refused)
    assert refused.text == (
        "What was done in INC-0001 is being checked. Keep INC-0001, or merge it when that has "
        "ended. Nothing was changed."
    )


def test_the_one_that_changed_production_goes_on_so_that_its_hold_does():
    rolled_back = mitigated().record
    action = MergeDuplicates(by="U0BOB", others=("INC-0001",), records=(rolled_back,))
    refused = step(open_incident(2), action, service(), NOW)
    assert isinstance(refused, Refused)
    assert refused.text.startswith("INC-0001 changed production (rollback to 1.2.0): keep INC-0001")
    both = open_incident(2, rounds=rolled_back.rounds)
    assert isinstance(step(both, action, service(), NOW), Change), "both did: one has to end"


# --- the words -----------------------------------------------------------------------------------


def in_channel(change: Change) -> str:
    (text,) = [effect.text for effect in change.effects if isinstance(effect, Say)]
    return text


def test_a_title_that_asks_ends_in_its_question_mark_alone():
    change = merged(open_incident(1), open_incident(2, title="is the cart empty?"))
    assert "is the cart empty? Its timeline" in in_channel(
        merged(Story().opened().measured().record, open_incident(2, title="is the cart empty?"))
    )
    assert "?." not in change.entries[0].text


def test_only_what_was_open_is_called_cancelled():
    original = Story().opened().measured().record
    assert in_channel(merged(original, open_incident(2))).endswith(
        "moved here; it is cancelled. (<@U0BOB>)"
    )
    over = open_incident(2, status=Status.RESOLVED)
    assert in_channel(merged(original, over)).endswith("have moved here. (<@U0BOB>)")
    mixed = in_channel(merged(original, over, open_incident(3)))
    assert mixed.endswith("have moved here; INC-0003 is cancelled. (<@U0BOB>)")


def test_nobody_is_told_to_go_where_there_is_no_channel():
    thread = Channel(id="C9", name="a thread", thread_ts="1.2")
    room = Channel(id="C2", name="inc-0002-cart")
    change = merged(open_incident(1, channel=thread), open_incident(2, channel=room))
    assert "Its timeline has moved here" in in_channel(change)
    assert "work goes on in a thread in <#C9>." in in_channel(change.also[0])
    assert "invited" not in in_channel(change.also[0])


def test_what_stays_over_after_a_split_does_not_go_on_by_itself():
    original = Story().opened().measured().record
    change = merged(original, open_incident(2, status=Status.CANCELLED, cancel_reason="load test"))
    _, part = parted(change.incident, change.also[0].incident)
    assert "It stays cancelled. (" in in_channel(part.also[0])
