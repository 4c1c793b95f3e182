"""What people write about going back: a warning brakes, and everything else does not."""

from __future__ import annotations

import pytest

from phases.ports.source_values import Commit
from phases.record.incident import Entry
from phases.triage.rollback.written_warnings import (
    warning_in,
    warnings_in_commits,
    warnings_of_people,
)
from tests.support.values.factories import NOW, incident

WARNINGS = (
    "checkout is failing, do not roll back",
    "Checkout is failing. DO NOT ROLLBACK!",
    "Please don't roll back, the data was converted.",
    "don’t revert this one",
    # The accent beside the quote of many keyboards, an opening quote, what a phone makes of it.
    "don´t roll back",
    "don‘t roll back, the data was converted",
    "do not roll\u00adback",
    "do not ｒｏｌｌ back",
    "We can't roll back: 0042 dropped the old table.",
    "We cannot go back past 1.3.0",
    "never roll it back",
    "This must not be rolled back.",
    "It is not safe to roll back.",
    "Rollback is not possible after this.",
    "rollback is unsafe",
    "A rollback will lose orders.",
    "This migration cannot be undone.",
    "irreversible migration",
    "This release holds an irreversible data migration",
    "The schema change is not backwards compatible",
    "Contains a one-way migration of carts",
    "raise ActiveRecord::IrreversibleMigration",
    "After this there is no way back",
    "Forward-only: see the runbook",
    "no rollback please",
    "No rollback!",
    "kein Rollback",
    "Bitte kein Rollback, die Migration ist durch",
    "Nicht zurückrollen!",
    "Auf keinen Fall zurückrollen",
    "Rollback ist nicht möglich",
    "Die Migration ist unumkehrbar",
    "Das lässt sich nicht rückgängig machen",
    "Ne pas faire de rollback",
    "pas de retour en arrière",
    "no hacer rollback",
    "migración irreversible",
    "não fazer rollback",
    "non fare rollback",
    "geen rollback",
    "не откатывать",
    "不要回滚",
    "ロールバック禁止",
    "Avoid rolling back until Ann is here",
    "downgrading is not supported",
    "unable to roll back: the topic was deleted",
)
HARMLESS = (
    "checkout is failing",
    "can we roll back?",
    "Can't we just roll back?",
    "Why don't we roll back?",
    "Should we not roll back?",
    "rollback is safe",
    "A rollback is perfectly safe, the migration only adds a column.",
    "we can roll back",
    "roll back now",
    "Please roll back to 1.2.0",
    "Don't hesitate to roll back",
    "don't be afraid to revert",
    "Do not forget to roll back the canary",
    "no reason not to roll back",
    "No rollback needed so far",
    "There is no irreversible migration in this release",
    "nothing irreversible: only a new column",
    "This is not a one-way change",
    "without breaking changes",
    "reversible migration",
    "The migration can be undone",
    "OperationalError: cannot rollback - no transaction is active",
    "Can't reconnect until invalid transaction is rolled back.",
    "Rollback did not help",
    "We rolled back, it did not help",
    "kann man zurückrollen?",
    "Rollback ist möglich",
    "zurückrollen ist ok",
    "Add rollback command to the deploy script",
    "cart is down and search is slow, do something",
)


OF_CODE = (
    "Do not roll back the session on 404",
    "Warn that deleting a cart cannot be undone",
    "Confirmation dialog: this cannot be undone",
    "Test that a failed save does not roll back others",
)


@pytest.mark.parametrize("text", OF_CODE)
def test_a_commit_speaks_of_what_its_code_does(text: str) -> None:
    assert warnings_in_commits([Commit(sha="a" * 40, subject=text)]) == ()


@pytest.mark.parametrize("text", WARNINGS)
def test_a_warning_is_found_and_quoted(text: str) -> None:
    assert warning_in(text), text
    assert warning_in(f"Since 14:02 carts are empty.\n{text}\nAnn looks at it.")


@pytest.mark.parametrize("text", HARMLESS)
def test_everything_else_is_no_warning(text: str) -> None:
    assert warning_in(text) == ""


def test_the_quote_is_the_sentence_and_says_who() -> None:
    entries = [
        Entry(at=NOW, kind="pin", text="Tax is wrong. Do not roll back!", by="U0BOB"),
        Entry(at=NOW, kind="deploy", text="<@U0ANN> chose not to roll back", by="U0ANN"),
        Entry(at=NOW, kind="pin", text="do not roll back", by=None),
    ]
    warnings = warnings_of_people(incident(description="Irreversible migration in 1.3.0"), entries)
    assert [(quote.text, quote.where, quote.by) for quote in warnings] == [
        ("Do not roll back!", "the timeline", "U0BOB"),
        ("Irreversible migration in 1.3.0", "the report", None),
    ]


def test_the_title_of_an_error_is_nobodys_warning() -> None:
    declared = incident(title="Error: do not roll back")
    assert warnings_of_people(declared, ())
    source = declared.source.model_copy(update={"kind": "sentry"})
    assert warnings_of_people(declared.model_copy(update={"source": source}), ()) == ()


def test_messages_of_commits_hold_what_pull_requests_say() -> None:
    commits = [
        Commit(
            sha="a" * 40, subject="Carts in cents (#7)", body="Cannot be rolled back.", author="Ann"
        ),
        Commit(sha="b" * 40, subject='Revert "Do not roll back"'),
    ]
    assert [(q.text, q.where) for q in warnings_in_commits(commits)] == [
        ("Cannot be rolled back.", "commit aaaaaaa by Ann")
    ]
