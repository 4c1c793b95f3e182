"""Phase 6: the gate, the six parts, and how action items are read."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from phases.postmortem.contradictions.case import Case
from phases.postmortem.contradictions.lengths import span_and_length
from phases.postmortem.draft import draft_parts
from phases.postmortem.form_parts import Parts, checked_postmortem
from phases.postmortem.proofs import proofs
from phases.record.documents import ActionItem, Postmortem
from phases.record.findings import Cause
from phases.record.incident import ActionKind, Entry, RoundAction, Source, Status
from phases.shared.resolution import missing_to_resolve
from tests.support.values import incidents
from tests.support.values.incidents import NAMES, minute

# --- the gate -------------------------------------------------------------------------------------


def test_with_everything_there_nothing_is_missing() -> None:
    assert missing_to_resolve(incidents.incident()) == ()
    assert [proof.complete for proof in proofs(incidents.incident())] == [True] * 6


def test_each_missing_thing_is_named_with_what_to_do() -> None:
    bare = incidents.incident(
        cause=None, adr=None, postmortem=None, recovered_at=None, status=Status.DECIDING
    )
    recovery, cause, written = missing_to_resolve(bare)
    assert recovery.startswith("recovery: nothing was done that was checked")
    assert "/incident cause" in cause
    assert "/incident postmortem" in written
    assert "is not written yet" in missing_to_resolve(incidents.incident(adr=None))[0]
    assert (
        "has not ended"
        in missing_to_resolve(incidents.incident(recovered_at=None, status=Status.VERIFYING))[0]
    )


@given(
    status=st.sampled_from(list(Status)),
    cause=st.sampled_from(
        [None, Cause(text="why", at=minute(1), by="UANN"), Cause(text="bisect", at=minute(1))]
    ),
    adr=st.booleans(),
    written=st.booleans(),
    recovered=st.booleans(),
)
def test_nothing_gets_past_the_gate_without_cause_adr_and_recovery(
    status: Status, cause: Cause | None, adr: bool, written: bool, recovered: bool
) -> None:
    whole = incidents.incident()
    incident = whole.model_copy(
        update={
            "status": status,
            "cause": cause,
            "adr": whole.adr if adr else None,
            "postmortem": whole.postmortem if written else None,
            "recovered_at": whole.recovered_at if recovered else None,
        }
    )
    lacking = missing_to_resolve(incident)
    assert (lacking == ()) == (
        cause is not None and adr and recovered and status is Status.MITIGATED
    )
    assert any("root cause" in text for text in lacking) == (cause is None)
    assert any("post-mortem" in text and "cause <why>" not in text for text in lacking) == (not adr)
    shown = {proof.name: proof.complete for proof in proofs(incident)}
    assert shown["Root cause with evidence"] == (cause is not None)
    assert shown["Post-mortem"] == adr
    assert shown["Recovery check"] == recovered


def test_the_deploy_proof_is_read_back_or_missing() -> None:
    def deploy_proof(**changes: object) -> tuple[bool, str]:
        action = incidents.rollback().action
        assert action is not None
        round_ = incidents.rollback(action=action.model_copy(update=changes))
        proof = proofs(incidents.incident(rounds=(round_,)))[2]
        return proof.complete, proof.says

    assert deploy_proof() == (True, "v42 → v41 (done)")
    assert deploy_proof(proof=None, result="unknown") == (
        False,
        "rollback to v41: unknown, release not read back",
    )
    assert deploy_proof(kind=ActionKind.FIXED, sentence="flag off", proof=None) == (
        True,
        "no deploy was needed",
    )
    assert proofs(incidents.incident(rounds=()))[2].says == "nothing was done in production"


def test_what_was_not_measured_is_said_so() -> None:
    by_hand = incidents.incident(
        triage=incidents.report(manual_by="UANN"),
        rounds=(incidents.rollback(verdict="confirmed by a person"),),
    )
    proof_texts = {proof.name: proof.says for proof in proofs(by_hand)}
    assert "not measured" in proof_texts["Triage report"]
    assert "not measured" in proof_texts["Recovery check"]


# --- the draft ------------------------------------------------------------------------------------


def test_the_draft_is_made_of_timeline_cause_and_triage() -> None:
    parts = draft_parts(incidents.incident(), incidents.entries(), minute(30), NAMES)
    assert parts.timeline.splitlines() == [
        "2026-11-22 14:03 UTC  Sentry alert SHOP-3: checkout is failing",
        "2026-11-22 14:04 UTC  40 users, cart | payment; 590 events in 15 min",
        "2026-11-22 14:06 UTC  Ann chose rollback to v41",
    ]
    assert parts.root_cause == "v42 dropped the region key\nand more\n- git bisect: 9f3c2d1"
    assert parts.impact == (
        "40 users (counted over 15 min), cart, payment and search, 20 min, from 2026-11-22 "
        "13:59 to 14:19 UTC"
    )
    assert parts.monitoring == (
        "Sentry alert SHOP-3 fired 4 min after it began (2026-11-22 13:59 UTC). It was not "
        "caught earlier because …"
    )
    assert parts.tests == "KeyError in shop/pricing.py, total. It slipped through because …"
    assert [(item.kind, bool(item.text)) for item in parts.items] == [
        ("tests", True),
        ("monitors", False),
        ("gates", True),
    ]
    assert (parts.items[0].owner, parts.items[0].due) == ("<@UBOB>", date(2026, 12, 6))
    assert parts.revisit == "When the action items are complete."


@given(lasted=st.integers(1, 20_000))
def test_the_length_that_the_draft_states_fits_its_times(lasted: int) -> None:
    """However short it was: the window over which users were counted is no length of it."""
    began = incidents.report().began_at
    assert began is not None
    record = incidents.incident(recovered_at=began + timedelta(seconds=lasted))
    parts = draft_parts(record, incidents.entries(), minute(400), NAMES)
    assert list(span_and_length(Case(record, parts, minute(400)))) == []


def test_a_draft_is_not_an_answer_until_a_person_finished_it() -> None:
    parts = draft_parts(incidents.incident(), incidents.entries(), minute(30), NAMES)
    wrong = checked_postmortem(parts, "UANN", minute(40))
    assert isinstance(wrong, dict)
    assert set(wrong) == {"monitoring", "tests"}
    assert "Finish the sentence" in wrong["tests"]
    finished = parts.model_copy(
        update={
            "monitoring": parts.monitoring.replace("…", "the alert waits five minutes."),
            "tests": parts.tests.replace("…", "every test sets a region."),
        }
    )
    post = checked_postmortem(finished, "UANN", minute(40))
    assert isinstance(post, Postmortem)
    assert (post.by, post.at, len(post.items)) == ("UANN", minute(40), 2)


def test_without_a_known_cause_the_best_hypothesis_is_proposed_and_nothing_is_made_up() -> None:
    best = incidents.incident(cause=None)
    assert draft_parts(best, [], minute(30)).root_cause.startswith(
        "Probably: v42 broke pricing\n- first event"
    )
    bare = incidents.incident(
        cause=None,
        hypotheses=(),
        triage=None,
        lead=None,
        source=Source(kind="person", text="/incident by <@UANN>"),
    )
    parts = draft_parts(bare, [], minute(30), NAMES)
    assert parts.root_cause == ""
    assert parts.monitoring == (
        "A person said it first, at 2026-11-22 14:03 UTC, via /incident by Ann. No alert "
        "fired. It was not caught earlier because …"
    )
    assert parts.items[1].text == "alert on shop before users report it"


def test_a_long_timeline_keeps_what_matters() -> None:
    many = [Entry(at=minute(n / 10), kind="evidence", text="again " * 30) for n in range(200)]
    text = draft_parts(
        incidents.incident(), [*many, *incidents.entries()], minute(30), NAMES
    ).timeline
    assert len(text) <= 3000
    assert "chose rollback" in text
    assert "(200 smaller entries left out" in text


# --- action items ---------------------------------------------------------------------------------


def rows(*texts: str) -> tuple[ActionItem, ...]:
    return tuple(ActionItem(kind="monitors", text=text) for text in texts)


def test_a_row_without_a_text_is_no_item() -> None:
    post = checked_postmortem(
        ANSWERS.model_copy(update={"items": rows("", " - ", "alert\n sooner ", "")}),
        "UANN",
        minute(1),
    )
    assert isinstance(post, Postmortem)
    assert [(item.kind, item.text) for item in post.items] == [("monitors", "alert sooner")]


def test_what_is_wrong_with_an_item_stands_under_its_row() -> None:
    def wrong(*texts: str) -> dict[str, str]:
        errors = checked_postmortem(
            ANSWERS.model_copy(update={"items": rows(*texts)}), "UANN", minute(1)
        )
        assert isinstance(errors, dict)
        return errors

    assert "Add at least one action item" in wrong("", "tbd")["item_1"]
    assert "at most 300" in wrong("fine", "y" * 301)["item_2"]
    assert "too many" in wrong(*"abcdefghijk")["item_10"]


# --- the check ------------------------------------------------------------------------------------

ANSWERS = Parts(
    timeline="a", root_cause="b", monitoring="c", tests="d", items=rows("e"), revisit="f"
)


@given(
    part=st.sampled_from(["timeline", "root_cause", "monitoring", "tests", "revisit"]),
    text=st.sampled_from(["", " \n ", "-", "n/a", "TBD", "…", "none"]),
)
def test_no_part_is_ever_empty(part: str, text: str) -> None:
    wrong = checked_postmortem(ANSWERS.model_copy(update={part: text}), "UANN", minute(1))
    assert isinstance(wrong, dict)
    assert set(wrong) == {part}
    assert "cannot be empty" in wrong[part]


def test_every_part_is_checked_at_once_and_lengths_too() -> None:
    wrong = checked_postmortem(
        ANSWERS.model_copy(update={"items": (), "tests": "x" * 3001, "revisit": ""}),
        "UANN",
        minute(1),
    )
    assert isinstance(wrong, dict)
    assert set(wrong) == {"item_1", "tests", "revisit"}
    wide = ANSWERS.model_copy(update={"timeline": "界" * 3000, "tests": "界" * 2000})
    too_much = checked_postmortem(wide, "UANN", minute(1))
    assert isinstance(too_much, dict)
    assert set(too_much) == {"timeline"}
    assert isinstance(checked_postmortem(ANSWERS, "UANN", minute(1)), Postmortem)


def test_an_action_that_never_started_is_no_action() -> None:
    waiting = RoundAction(kind=ActionKind.ROLLBACK, by="UANN", at=minute(3), result="not started")
    assert not proofs(incidents.incident(rounds=(incidents.rollback(action=waiting),)))[2].complete
