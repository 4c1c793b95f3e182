"""Messages put the recommendation first.

One button is marked, from and to are named, and missing facts are said.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from handlers import views
from handlers.views import forms, notes
from handlers.views.blocks import MESSAGE_CHARACTERS, Message, button, message, section
from handlers.views.text import clock, cut, inline_code, link, plain, size, spoken, when, words
from phases.messages.effects import Say
from phases.record.findings import (
    Bisect,
    Cause,
    Choice,
    DeployProof,
    Hypothesis,
    HypothesisKind,
    Investigation,
    Look,
    LookVerdict,
    Recommendation,
    Release,
    Suspect,
    Verdict,
    Word,
)
from phases.record.incident import (
    ActionKind,
    Channel,
    Failure,
    Incident,
    Round,
    RoundAction,
    Severity,
    Status,
)
from phases.record.memories import Recollection
from phases.record.service import DeployCommands
from tests.support.values.factories import NOW, blast, incident, report, service

HOTFIX = DeployCommands(
    directory="/s", run=("r",), current=("c",), releases=("l",), hotfix=("h", "{commit}")
)


def text_of(shown: Message) -> str:
    return json.dumps(shown.blocks, ensure_ascii=False)


def buttons(shown: Message) -> dict[str, dict[str, Any]]:
    return {
        e["action_id"]: e for b in shown.blocks if b["type"] == "actions" for e in b["elements"]
    }


def deciding(choice: Choice = Choice.ROLLBACK, **fields: Any) -> Incident:
    measured = report(choice)
    round_ = Round(number=1, opened_at=NOW, why="triage", recommendation=measured.recommendation)
    given: dict[str, Any] = {
        "status": Status.DECIDING,
        "triage": measured,
        "rounds": (round_,),
        "severity": Severity.SEV1,
    }
    return incident(**{**given, **fields})


def decided(**fields: Any) -> Incident:
    before = deciding()
    given: dict[str, Any] = {
        "kind": ActionKind.ROLLBACK,
        "by": "U0ALICE",
        "at": NOW,
        "from_release": Release(version="1.3.0"),
        "to_release": Release(version="1.2.0"),
        "result": "running",
        "started_at": NOW,
    }
    acted = before.rounds[0].model_copy(
        update={"action": RoundAction.model_validate({**given, **fields})}
    )
    return before.model_copy(update={"rounds": (acted,), "status": Status.MITIGATING})


# --- the decision ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("choice", "action_id"),
    [
        (Choice.ROLLBACK, "decision.rollback"),
        (Choice.HOTFIX, "decision.hotfix"),
        (Choice.INVESTIGATE, "decision.investigate"),
    ],
)
def test_only_the_recommended_button_is_primary_comes_first_and_says_so(
    choice: Choice, action_id: str
) -> None:
    shown = buttons(views.decision(deciding(choice), NOW, service(deploy=HOTFIX), 1))
    assert {
        "decision.rollback",
        "decision.hotfix",
        "decision.investigate",
        "decision.fixed",
    } <= set(shown)
    assert [a for a, b in shown.items() if b.get("style") == "primary"] == [action_id]
    assert next(iter(shown)) == action_id
    assert "(recommended)" in shown[action_id]["text"]["text"]


def test_the_recommendation_is_first_and_the_picture_is_whole() -> None:
    shown = views.decision(deciding(), NOW, service(), 1)
    assert "Recommended: roll back to `1.2.0`" in shown.blocks[0]["text"]["text"]
    text = text_of(shown)
    for part in (
        "214 events in 15 min (14/min, normally 0.2)",
        "37",
        "eu-west",
        "acme",
        "payment",
        "3 min after 1.3.0",
    ):
        assert part in text
    assert "`shop/pay.py:12` in `total`" in text
    assert "return net / rate" in text
    assert "*Why*: Trouble began 3 min after 1.3.0 was deployed." in text


def test_a_button_carries_incident_and_round_and_production_is_confirmed_from_to() -> None:
    shown = buttons(views.decision(deciding(), NOW, service(), 1))
    for action_id in ("decision.rollback", "decision.investigate", "decision.fixed"):
        assert json.loads(shown[action_id]["value"]) == {"incident": "INC-0001", "round": 1}
    asked = shown["decision.rollback"]["confirm"]
    assert "1.3.0 → 1.2.0" in asked["text"]["text"]
    assert "confirm" not in shown["decision.investigate"]


def test_without_a_measurement_nothing_is_recommended_and_the_form_is_offered() -> None:
    round_ = Round(number=1, opened_at=NOW, why="Sentry has not answered yet")
    shown = views.decision(
        deciding(triage=None, triage_overdue=True, rounds=(round_,)), NOW, service(), 1
    )
    assert "Sentry has not answered" in text_of(shown)
    assert not [b for b in buttons(shown).values() if b.get("style") == "primary"]
    assert "incident.triage" in buttons(shown)
    # Opens the form, which is the confirmation.
    assert "confirm" not in buttons(shown)["decision.rollback"]


def test_what_cannot_work_is_not_shown_and_said() -> None:
    by_hand = views.decision(deciding(), NOW, service(deployer=None, deploy=None), 1)
    assert not {"decision.rollback", "decision.hotfix"} & set(buttons(by_hand))
    assert "has no deployer in the catalogue" in text_of(by_hand)
    braked = report().recommendation.model_copy(
        update={
            "choice": Choice.INVESTIGATE,
            "offer_rollback": False,
            "target": None,
            "brakes": ("No healthy release before the suspect.",),
        }
    )
    round_ = Round(number=1, opened_at=NOW, why="triage", recommendation=braked)
    without = HOTFIX.model_copy(update={"hotfix": ()})
    shown = views.decision(deciding(rounds=(round_,)), NOW, service(deploy=without), 1)
    assert "decision.rollback" not in buttons(shown)
    assert "No rollback: No healthy release before the suspect." in text_of(shown)
    assert "has no `hotfix` command" in text_of(shown)


def test_loudly_where_a_rollback_is_not_safe() -> None:
    loud = Recommendation(
        choice=Choice.INVESTIGATE, loud=True, brakes=("migrations/0007 cannot be undone",)
    )
    round_ = Round(number=1, opened_at=NOW, why="triage", recommendation=loud)
    text = text_of(views.decision(deciding(rounds=(round_,)), NOW, service(), 1))
    assert "A rollback would be right, but is not safe" in text
    assert "migrations/0007 cannot be undone" in text


def test_progress_while_it_runs_then_who_what_when_result() -> None:
    running = views.decision(decided(lines=("fetching", "checking out 1.2.0")), NOW, service(), 1)
    assert not buttons(running)
    assert "▸ running" in text_of(running)
    assert "checking out 1.2.0" in text_of(running)
    proof = DeployProof(before="1.3.0", after="1.2.0")
    done = views.decision(
        decided(result="done", finished_at=NOW + timedelta(seconds=41), proof=proof),
        NOW,
        service(),
        1,
    )
    text = text_of(done)
    assert "✓ done in 41 s" in text
    assert "<@U0ALICE>" in text
    assert "Read back from the deployer: `1.3.0` → `1.2.0`" in text
    failed = text_of(
        views.decision(decided(result="failed", reason="exit status 1"), NOW, service(), 1)
    )
    assert "✗ *failed*" in failed
    assert "exit status 1" in failed


def test_the_next_round_says_why_and_the_old_one_is_closed() -> None:
    two = decided(result="done")
    again = Round(
        number=2,
        opened_at=NOW,
        why="rollback to 1.2.0 did not help",
        recommendation=two.rounds[0].recommendation,
    )
    two = two.model_copy(update={"rounds": (*two.rounds, again), "status": Status.DECIDING})
    assert "Rollback to 1.2.0 did not help." in text_of(views.decision(two, NOW, service(), 2))
    assert buttons(views.decision(two, NOW, service(), 2))
    assert not buttons(views.decision(two, NOW, service(), 1))


def test_the_buttons_of_an_earlier_incident_of_the_same_number_have_another_seal() -> None:
    """Numbers begin anew with an empty Redis, and the old channel's message is still there."""
    record = deciding()
    anew = record.model_copy(update={"ulid": f"{record.ulid[:-4]}K3V9"})
    first, second = (
        next(b["block_id"] for b in views.decision(i, NOW, service(), 1).blocks if "block_id" in b)
        for i in (record, anew)
    )
    assert first != second


def test_a_changed_target_changes_the_seal() -> None:
    record = deciding()
    other = record.model_copy(
        update={
            "rounds": (
                record.rounds[0].model_copy(
                    update={
                        "recommendation": Recommendation(
                            choice=Choice.ROLLBACK, target=Release(version="1.1.0")
                        )
                    }
                ),
            )
        }
    )
    seals = [
        b["block_id"]
        for i in (record, other)
        for b in views.decision(i, NOW, service(), 1).blocks
        if "block_id" in b
    ]
    assert len(set(seals)) == 2


# --- the tree -------------------------------------------------------------------------------------


def test_what_a_bisect_found_is_said_once_and_callers_only_where_the_release_brought_them() -> None:
    culprit = Suspect(sha="c0ffee123456", author="Mara", subject="simplify tax")
    leads = Hypothesis(
        id="H1",
        kind=HypothesisKind.COMMIT,
        says="Commit c0ffee123 by Mara caused it: “simplify tax”",
        verdict=Verdict.SUPPORTED,
        confidence=0.97,
        found="Bisect: the reproduction passes before this commit and fails with it.",
    )
    walk = (
        "Crashes in shop/pay.py:12. Last touched by c0ffee123: new in 1.3.0.",
        "Called from shop/routes.py:9. Last touched by f51e545e0: it was in 1.2.0 already.",
    )
    bisect = Bisect(id="b", good="1.2.0", bad="1.3.0", state="found", culprit=culprit)
    record = incident(
        hypotheses=(leads,),
        bisect=bisect,
        suspects=(culprit,),
        investigation=Investigation(walk=walk),
    )
    shown = text_of(views.tree(record))
    assert "Bisect found it" not in shown
    assert "Crashes in shop/pay.py:12." in shown
    assert "Called from" not in shown
    assert "Called from" in text_of(views.evidence(record))
    other = leads.model_copy(update={"says": "Commit badc0de12 caused it", "by": "U0BOB"})
    shown = text_of(views.tree(record.model_copy(update={"hypotheses": (other,)})))
    assert "Bisect found it" in shown, "what a person thinks is something else"


# --- the status -----------------------------------------------------------------------------------


def test_the_status_says_it_all_with_signs_and_words() -> None:
    recollection = Recollection(
        lines=(
            (
                "Last time (INC-0000, 22 Nov): rolled back to 1.1.0; cause: empty rates; 2 "
                "action items open"
            ),
        )
    )
    failure = Failure(
        effect_id="7-1", kind="ticket.open", reason="Linear: no such team", at=NOW, effect="{}"
    )
    shown = views.status(
        deciding(recollection=recollection, failures=(failure,)),
        NOW,
        service(runbook="https://wiki.example/shop"),
    )
    text = text_of(shown)
    for part in (
        "INC-0001 · checkout is failing",
        "▸ To decide",
        "🔴 SEV1",
        "37 users since",
        "*Lead*: <@U0ALICE>",
        "*Recommended*: roll back to `1.2.0`",
        "*Suspected*: `1.3.0`",
        "*The ticket could not be opened*: Linear: no such team",
        "<https://wiki.example/shop|runbook>",
    ):
        assert part in text
    for phase in ("✓Triage", "○Cause", "○Action", "✗Ticket", "○Check", "○Learn"):
        assert phase in text
    assert json.loads(buttons(shown)["incident.try_again"]["value"])["effect"] == "7-1"


def test_the_next_check_is_named_until_it_is_over() -> None:
    record = decided(result="done")
    waiting = record.rounds[0].model_copy(update={"clock_started_at": NOW})
    record = record.model_copy(update={"status": Status.VERIFYING, "rounds": (waiting,)})
    text = text_of(views.status(record, NOW, service()))
    assert when(NOW + timedelta(seconds=300), "{time_secs}") in text
    assert "(first of two)" in text
    looked = waiting.model_copy(
        update={"looks": (Look(number=1, at=NOW, verdict=LookVerdict.NOT_RECOVERED),)}
    )
    text = text_of(views.status(record.model_copy(update={"rounds": (looked,)}), NOW, service()))
    assert when(NOW + timedelta(seconds=600), "{time_secs}") in text
    over = record.model_copy(
        update={"status": Status.MITIGATED, "recovered_at": NOW + timedelta(minutes=12)}
    )
    text = text_of(views.status(over, NOW, service()))
    assert "Next check" not in text
    assert "12 min" in text


def test_after_the_end_nothing_can_be_clicked() -> None:
    for status in (Status.RESOLVED, Status.CANCELLED, Status.CLOSED):
        assert not buttons(views.status(deciding(status=status), NOW, service()))
        assert not buttons(views.decision(deciding(status=status), NOW, service(), 1))


def test_where_there_is_room_the_status_says_what_is_remembered_and_how_it_became_known() -> None:
    recollection = Recollection(
        lines=(
            (
                "Last time (INC-0000, 22 Nov): rolled back to 1.1.0; cause: empty rates; 2 "
                "action items open"
            ),
        )
    )
    text = text_of(
        views.status(deciding(triage=None, recollection=recollection, rounds=()), NOW, service())
    )
    assert "empty rates; 2 action items open" in text
    assert "via /incident by <@U0ALICE>" in text


# --- tree, announcement, sentences ----------------------------------------------------------------


def test_the_tree_shows_the_one_that_leads_and_every_other_in_a_line() -> None:
    hypotheses = tuple(
        Hypothesis(
            id=f"H{n}",
            kind=HypothesisKind.OTHER,
            says=f"guess {n}",
            confidence=n / 10,
            found=f"found {n}",
        )
        for n in range(1, 6)
    )
    ruled_out = hypotheses[4].model_copy(update={"verdict": Verdict.RULED_OUT})
    record = deciding(hypotheses=(*hypotheses[:4], ruled_out))
    shown = views.tree(record)
    text = text_of(shown)
    assert (
        text.index("guess 4")
        < text.index("guess 3")
        < text.index("guess 2")
        < text.index("guess 1")
    )
    assert judged(shown) == ["H4"]
    assert "found 4" in text
    assert "found 3" not in text
    assert "✗ H5 guess 5 · ruled out" in text
    whole = views.evidence(record)
    assert judged(whole) == ["H4", "H3", "H2", "H1"]
    assert all(f"found {n}" in text_of(whole) for n in range(1, 6))


def test_where_no_commit_stands_out_the_nearest_is_one_line_without_a_button() -> None:
    near = Suspect(
        sha="abc1234567890",
        author="Ann & Co",
        subject="Split <the> total",
        confidence=0.304,
        reasons=("changes code near shop/pay.py:41", "second"),
        pull_request="https://github.com/acme/shop/pull/7",
    )
    record = deciding(investigation=Investigation(nearest=near))
    line = (
        "No commit stands out. Nearest: `abc123456` Split &lt;the&gt; total (Ann &amp; Co) "
        "– changes code near shop/pay.py:41 (30\u00a0%)"
    )
    for shown in (views.tree(record, reverts=True), views.evidence(record)):
        assert line in text_of(shown)
        assert "incident.revert" not in str(shown.payload())
    bisect = Bisect(id="b", good="1", bad="2", state="found", culprit=Suspect(sha="d" * 40))
    cause = Cause(text="A flag", at=NOW, by="U0BOB")
    assert "stands out" not in text_of(views.tree(record.model_copy(update={"bisect": bisect})))
    assert "stands out" not in text_of(views.tree(record.model_copy(update={"cause": cause})))


def judged(shown: Message) -> list[str]:
    """The hypotheses that can be ruled out there."""
    return [
        json.loads(e["value"])["hypothesis"]
        for b in shown.blocks
        if b["type"] == "actions"
        for e in b["elements"]
        if e["action_id"] == "incident.rule_out"
    ]


def test_the_bisect_says_how_far_it_is_and_what_it_found() -> None:
    running = Bisect(id="b", good="1.2.0", bad="1.3.0", step=3, steps=5)
    assert "3 of about 5 steps" in text_of(views.tree(deciding(bisect=running)))
    culprit = Suspect(sha="c0ffee1234567", subject="Round <rates>", author="Dana")
    bisect = running.model_copy(update={"state": "found", "culprit": culprit})
    assert "`c0ffee123` Round &lt;rates&gt; by Dana" in text_of(views.tree(deciding(bisect=bisect)))
    blind = running.model_copy(update={"state": "cannot tell", "reason": "exit 125 everywhere"})
    assert "Bisect cannot tell*: exit 125 everywhere" in text_of(views.tree(deciding(bisect=blind)))
    advice = Investigation(
        notes=(
            "A bisect from 1.2.0 to 1.3.0 is worth running: 5 commits between them.",
            "Lines are read at 1.3.0.",
        )
    )
    assert "worth running" in text_of(views.tree(deciding(investigation=advice)))
    shown = text_of(views.tree(deciding(investigation=advice, bisect=running)))
    assert "worth running" not in shown
    assert "Lines are read at 1.3.0." in shown


def test_the_announcement_is_two_lines_with_the_channel() -> None:
    shown = views.announcement(deciding(channel=Channel(id="C0INC", name="inc-0001-x")))
    lines = shown.blocks[0]["text"]["text"].splitlines()
    assert len(lines) == 2
    assert "<#C0INC>" in lines[0]
    cancelled = views.announcement(deciding(status=Status.CANCELLED, cancel_reason="load test"))
    assert "load test" in text_of(cancelled)


def test_a_sentence_with_its_question_or_try_again() -> None:
    asked = views.say(Say(text="Does it work for users again?", ask="recovered"), deciding())
    assert list(buttons(asked)) == ["incident.recovered", "incident.not_recovered"]
    failed = views.say(
        Say(text="Linear says *no* & <b>", try_again="7-1", mention=("U0BOB",)), deciding()
    )
    assert json.loads(buttons(failed)["incident.try_again"]["value"])["effect"] == "7-1"
    assert failed.blocks[0]["text"]["text"] == "<@U0BOB> Linear says *no* &amp; &lt;b&gt;"


def test_the_summary_keeps_its_layout() -> None:
    text = "PRODUCTION INCIDENT — x <y>\n\nDetected:    now\nBlast:       37 users"
    shown = views.summary(text).blocks[0]["text"]["text"]
    assert shown == f"```\n{text.replace('<', '&lt;').replace('>', '&gt;')}\n```"


def test_the_topic_and_the_listing() -> None:
    whole = "INC-0001 · checkout is failing · shop production · status: see the pinned message"
    assert views.topic(deciding()) == whole
    assert views.topic(deciding(status=Status.CANCELLED)).endswith("· Cancelled")
    assert views.listing([], 0).text == "No incident is open."
    assert "*INC-0001*" in text_of(views.listing([deciding()], 1))


def test_nothing_unusual_still_offers_what_people_report() -> None:
    quiet = report(Choice.INVESTIGATE, blast=blast(Word.NOBODY, Word.ONE))
    round_ = Round(number=1, opened_at=NOW, why="triage", recommendation=quiet.recommendation)
    assert "incident.triage" in buttons(
        views.decision(deciding(triage=quiet, rounds=(round_,)), NOW, service(), 1)
    )


def test_a_release_too_long_for_an_option_is_left_out_not_cut() -> None:
    releases = [Release(version="v" * 151), Release(version="1.2.0"), Release(version="1.2.0")]
    view = forms.rollback(
        deciding(), service(), releases, running=None, healthy=(), metadata={}
    ).payload()
    options = next(b for b in view["blocks"] if b["type"] == "input")["element"]["options"]
    assert [o["value"] for o in options] == ["1.2.0"]


def test_refusals_name_the_way_round() -> None:
    shown = notes.break_glass(
        "Only the owners: <@U0ALICE>. Nothing was done.", {"incident": "INC-0001", "round": 1}
    )
    assert "<@U0ALICE>" in text_of(shown)
    assert "incident.break_glass" in buttons(shown)


# --- words ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("a <b> & c", "a &lt;b&gt; &amp; c"),
        ("<!channel> @here", "@\u200bchannel @\u200bhere"),
        ("<@U0ALICE|alice> *wins*", "@alice ∗wins*"),
        ("<!subteam^S012|@ops> <#C1|general>", "@ops #general"),
        ("snake_case 2*3*4 `x`", "snake_case 2*3*4 ˋxˋ"),
        ("> quoted", "› quoted"),
        ("x\u202eevil\x00", "xevil"),
    ],
)
def test_outside_words_are_harmless(raw: str, shown: str) -> None:
    assert words(raw) == shown


def test_spoken_words_mention_one_person_and_link_what_is_read() -> None:
    text = spoken("<@U0ALICE> *won*: <https://evil.example|click> see https://x.example/a?b=1&c=2.")
    assert text.startswith("<@U0ALICE> *won*: ")
    assert "<https://x.example/a?b=1&amp;c=2>." in text
    assert "|click>" not in text


def test_links_go_to_web_addresses_only() -> None:
    assert link("javascript:alert(1)", "x") == "x"
    assert link("https://x.example/a b|c>", "a|b<") == "<https://x.example/a%20b%7Cc%3E|a¦b&lt;>"
    assert link(None, "x") == "x"


def test_cutting_never_splits_an_entity_or_a_token() -> None:
    assert cut("ab&amp;cd", 5) == "ab…"
    assert cut("ab<@U0ALICE>", 8) == "ab…"
    assert size(cut("🔥" * 10, 7)) <= 7
    assert plain("  a\n b ", 10) == "a b"
    assert inline_code("a`b") == "`aˋb`"


def test_a_button_never_loses_part_of_its_value() -> None:
    with pytest.raises(ValueError, match="over 2000"):
        button("x", "a.b", {"text": "x" * 2001})


def test_a_message_that_is_too_long_keeps_what_can_be_clicked() -> None:
    row = {"type": "actions", "elements": [button("Yes", "a.b", {})]}
    shown = message("x", [*(section("y" * 3000) for _ in range(60)), row])
    assert row in shown.blocks
    assert size(json.dumps(list(shown.blocks), ensure_ascii=False)) <= MESSAGE_CHARACTERS
    assert len(shown.blocks) <= 50


def test_times_and_channels_of_our_own_stay_what_they_are():
    at = datetime(2026, 11, 22, 22, 16, 5, tzinfo=UTC)
    for written in (when(at), clock(at)):
        assert spoken(f"<@U0ALICE> decided it at {written} in <#C0GENERAL|general>.") == (
            f"<@U0ALICE> decided it at {written} in <#C0GENERAL>."
        )
    assert "&lt;!date" in spoken("<!date^1^{ago}|<!channel> x>")
    assert (
        spoken("<!date^1795385767^{time}|@channel>")
        == "&lt;!date^1795385767^{time}|@\u200bchannel&gt;"
    )
    assert words(clock(at)) == "2026-11-22 22:16 UTC"


def test_a_cause_names_people_as_its_author_did() -> None:
    """`@U024BE7LH` tells nobody who is meant; who wrote the cause mentioned a person."""
    known = incident(cause=Cause(text="a flag of <@U0BOB> & co", by="U0ALICE", at=NOW))
    for shown in (views.tree(known), views.status(known, NOW, service())):
        assert "a flag of <@U0BOB> &amp; co" in json.dumps(shown.blocks, ensure_ascii=False)
