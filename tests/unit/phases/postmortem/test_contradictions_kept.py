"""Contradictions in the record: named once it is written, kept once, mended in the same file."""

from __future__ import annotations

from phases.messages import actions as said
from phases.messages import effects as wanted
from phases.postmortem.contradictions.case import contradiction
from phases.record.documents import Adr
from phases.record.incident import Status
from tests.support.bots.story import Story, mitigated
from tests.support.values.factories import postmortem

ONE = contradiction("blame", "tests", "“Bob forgot it” blames a person.", "Bob forgot it")
ADR = Adr(number=2, path="docs/adr/0002-inc-0001.md")


def written() -> Story:
    story = mitigated()
    story.say(said.SubmitPostmortem(postmortem=postmortem()))
    story.say(said.AdrNumbered(repository="/srv/shop/docs/adr", number=2))
    story.say(said.AdrWritten(adr=ADR, contradictions=(ONE,)))
    return story


def test_it_is_named_and_resolves_all_the_same():
    story = written()
    assert story.record.status is Status.RESOLVED
    assert wanted.PostLive(name="contradictions") in story.wants(wanted.PostLive)


def test_kept_twice_is_kept_once_under_the_first_name():
    story = written()
    story.say(said.KeepContradiction(by="U0BOB", contradiction=ONE))
    assert story.wants(wanted.MendAdr) == [wanted.MendAdr(whole=False)]
    story.say(said.KeepContradiction(by="U0ALICE", contradiction=ONE))
    assert story.last.effects == ()
    assert [kept_contradiction.kept_by for kept_contradiction in story.record.contradictions] == [
        "U0BOB"
    ]


def test_what_was_kept_stays_kept_when_the_file_is_written_anew():
    story = written()
    story.say(said.KeepContradiction(by="U0BOB", contradiction=ONE))
    story.say(said.MendPostmortem(postmortem=postmortem(tests="No test has a rate of zero.")))
    assert story.wants(wanted.MendAdr) == [wanted.MendAdr()]
    story.say(said.AdrMended(contradictions=(ONE,)))
    assert [kept_contradiction.kept_by for kept_contradiction in story.record.contradictions] == [
        "U0BOB"
    ]
    story.say(said.AdrMended(contradictions=()))
    assert story.record.contradictions == ()


def test_before_it_is_written_nothing_is_mended():
    refused = mitigated().refuses(said.MendPostmortem(postmortem=postmortem()))
    assert "is not written yet" in refused.text
