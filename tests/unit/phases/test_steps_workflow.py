"""The workflow's table.

Every action has its row, an unknown one is refused, and a record stays small.
"""

from __future__ import annotations

from phases.messages import actions as said
from phases.messages import effects as wanted
from phases.messages.base import kinds
from phases.record.findings import (
    Evidence,
    Frame,
    Hypothesis,
    HypothesisKind,
    Investigation,
    IssueSeen,
    Suspect,
)
from phases.record.incident import RECORD_LIMIT_BYTES, Incident
from phases.workflow import TABLE, step
from tests.support.bots.story import Story, verifying
from tests.support.values.factories import NOW, evidence, one_feature, postmortem, report, service


def test_every_action_has_a_row():
    assert set(TABLE) == set(kinds(said.Action)) - {said.Declare}


def test_an_incident_that_does_not_exist_is_refused_with_a_way_to_find_one():
    answer = step(None, said.Resolve(by="U0BOB"), service(), NOW)
    assert "`/incident list`" in getattr(answer, "text", "")


def test_a_record_stays_under_its_limit_whatever_is_brought():
    long = "ü" * 300
    frames = tuple(
        Frame(
            file=f"shop/{long}.py",
            function=long,
            line=n,
            context=tuple((i, long) for i in range(5)),
        )
        for n in range(10)
    )
    issues = tuple(
        IssueSeen(
            id=str(n),
            short_id=f"SHOP-{n}",
            title=long,
            url=f"https://s/{n}",
            first_seen=NOW,
            events=9,
        )
        for n in range(10)
    )
    story = Story(title=long, description=long * 10).opened()
    story.measured(
        one_feature(frames=frames, issues=issues, issue_ids=tuple(str(n) for n in range(400)))
    )
    tree = tuple(
        Hypothesis(
            id=f"H{n}",
            kind=HypothesisKind.OTHER,
            says=f"{n} {long}",
            found=long,
            predicts=long,
            check=long,
        )
        for n in range(12)
    )
    suspects = tuple(Suspect(sha="a" * 40, subject=long, reasons=(long,) * 4) for _ in range(5))
    walk = (long * 3,) * 10
    story.say(
        said.Investigated(
            investigation=Investigation(hypotheses=tree, suspects=suspects, walk=walk)
        )
    )
    for n in range(60):
        story.say(said.AddEvidence(evidence=evidence(text=long), issue=f"new-{n}"))
    assert len(story.record.model_dump_json().encode()) <= RECORD_LIMIT_BYTES
    assert Incident.model_validate_json(story.record.model_dump_json()) == story.record


def test_a_record_with_a_long_post_mortem_stays_under_its_limit():
    story = verifying()
    story.say(said.NameCause(by="U0BOB", text="🔥" * 2000))
    for n in range(8):
        story.fails(wanted.CommentTicket(text=f"{n} {'ü' * 1400}"), id=f"INC-0001.9.{n}")
    story.say(
        said.SubmitPostmortem(
            postmortem=postmortem(timeline="t" * 3000, monitoring="m" * 3000, tests="s" * 3000)
        )
    )
    assert len(story.record.model_dump_json().encode()) <= RECORD_LIMIT_BYTES
    assert story.record.postmortem is not None
    assert story.record.postmortem.tests == "s" * 3000, (
        "nothing of what a person wrote is lost before it is in the file"
    )


def test_a_whole_life_brings_one_message_a_change_of_state_and_a_comment_for_each():
    """Channel and ticket as somebody reads them who comes to the channel in the morning."""
    story = Story(seeds=("41",)).opened()
    channel: list[str] = []
    ticket: list[str] = []

    def heard(action: said.Action, after: float = 1) -> None:
        story.say(action, after=after)
        assert story.roots <= 1, story.in_channel
        channel.extend(story.in_channel)
        ticket.extend(story.on_ticket)

    heard(said.Triaged(report=report()))
    story.posted("decision:1")
    heard(
        said.AddEvidence(
            evidence=Evidence(at=NOW, source="Sentry SHOP-4", text="KeyError"), issue="42"
        )
    )
    story.rolled_back()
    channel += story.in_channel
    ticket += story.on_ticket
    story.deployed()
    channel += story.in_channel
    ticket += story.on_ticket
    story.recovered()
    channel += story.in_channel
    ticket += story.on_ticket
    story.written()
    channel += story.in_channel
    ticket += story.on_ticket
    assert channel == [
        "<@U0ALICE> rolls shop back from 1.3.0 to 1.2.0.",
        "Deployed: 1.3.0 → 1.2.0 in 12 s. First check in 5 min.",
        (
            "*Recovered.* 14.3 → 0 events a minute over 4 min. 0 events where up to 3 are normal, "
            "about 57 if nothing had changed."
        ),
    ]
    assert story.wants(wanted.PostSummary), "with the summary it is said that it is resolved"
    assert ticket == [
        "Triage: 37 users, payment and cart; 214 events in 15 min",
        *(t.replace("*", "") for t in channel),
        "INC-0001 is resolved.",
    ]
