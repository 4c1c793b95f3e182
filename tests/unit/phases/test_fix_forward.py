"""Users are fine, and the incident goes on: what is said then is still true of their recovery."""

from __future__ import annotations

from datetime import timedelta

import pytest

from handlers import views
from phases.coordination.discord import discord_text
from phases.coordination.next_step import next_step
from phases.coordination.updates import awaits_update, update_template
from phases.messages import actions as said
from phases.messages import effects as wanted
from phases.postmortem.adr import adr_text, summary
from phases.postmortem.proofs import proofs
from phases.record.findings import LookVerdict
from phases.record.incident import Severity
from phases.shared.rounds import round_of_recovery
from tests.support.bots.story import Story, mitigated
from tests.support.values.factories import look, one_feature

FIRST = "2026-11-22 03:07 UTC"


def forward(*, started: bool = True) -> Story:
    """Rolled back and fine at 03:07; half an hour later a hotfix is shipped on top."""
    story = mitigated()
    story.now += timedelta(minutes=30)
    story.hotfixed(forward=True)
    return story.deployed() if started else story


def recovery_check(story: Story) -> str:
    return next(p.says for p in proofs(story.record) if p.name == "Recovery check")


def shown(story: Story) -> str:
    message = views.status(story.record, story.now, story.service)
    return "\n".join(str(block) for block in message.blocks)


def on_a_persons_word(story: Story) -> Story:
    story.looked(LookVerdict.TOO_FEW)
    story.looked(LookVerdict.TOO_FEW)
    story.say(said.ConfirmRecovery(by="U0BOB", round=story.round, recovered=True))
    return story


def test_a_measured_recovery_stays_measured_where_a_person_confirms_the_fix_forward():
    story = on_a_persons_word(forward())
    current = round_of_recovery(story.record)
    assert current is not None
    assert current.number == 1
    assert recovery_check(story) == f"{FIRST}, 0 events in 4 min, up to 3 allowed by the baseline"
    assert "not measured" not in shown(story)
    assert "Sentry:      14.3 / 0 events a minute" in summary(story.record, {})


def test_the_numbers_beside_a_recovery_are_those_of_its_own_check():
    story = forward()
    story.fires("look")
    later = look(LookVerdict.RECOVERED, at=story.now, events=2, minutes=9.0)
    story.say(said.Looked(round=story.round, look=later))
    assert recovery_check(story).startswith(f"{FIRST}, 0 events in 4 min")


def test_a_recovery_on_a_persons_word_stays_one_where_the_fix_forward_is_measured():
    story = on_a_persons_word(Story().opened().measured().rolled_back().deployed())
    story.now += timedelta(minutes=30)
    story.hotfixed(forward=True).deployed().recovered()
    assert recovery_check(story).endswith("confirmed by a person, not measured")
    assert "not measured" in shown(story)


def test_opened_again_the_newest_recovery_counts():
    story = mitigated()
    story.say(said.Reopen(by="U0BOB"), after=3600)
    assert round_of_recovery(story.record) is None
    on_a_persons_word(story.measured().hotfixed().deployed())
    assert recovery_check(story).endswith("confirmed by a person, not measured")


def test_a_check_that_somebody_asks_for_later_verifies_nothing():
    story = mitigated()
    asked = look(LookVerdict.RECOVERED, number=0, at=story.now, events=2, after_per_minute=0.5)
    story.say(said.RecheckNow(by="U0BOB"))
    story.say(said.Looked(round=1, look=asked))
    assert recovery_check(story).startswith(f"{FIRST}, 0 events")
    assert "Sentry:      14.3 / 0 events a minute" in summary(story.record, {})


def test_a_fix_forward_that_never_started_does_not_hide_what_ended_it():
    story = forward(started=False)
    story.say(said.DeployNotStarted(deploy_id=story.deploy, reason="no such commit"))
    assert "no such commit" in story.in_channel[0]
    assert "rollback to 1.2.0 (done)" in discord_text(story.record, {})
    assert "not started" not in shown(story)
    assert "✓Action" in shown(story)
    assert update_template(story.record).doing == "Rolled back to 1.2.0. It helped."


def test_once_users_are_fine_the_form_of_the_update_says_so():
    story = mitigated()
    filled = update_template(story.record)
    assert filled.users == f"Users have been fine since {FIRST}."
    assert filled.doing == "Rolled back to 1.2.0. It helped."
    checking = update_template(forward().record)
    assert checking.users == f"Users have been fine since {FIRST}."
    assert checking.doing.endswith(" is out. We are checking that users stay fine.")


def test_nobody_has_to_post_updates_while_a_fix_is_shipped_to_users_who_are_fine():
    story = forward()
    assert not awaits_update(story.record)
    assert "update" not in story.timers
    story.looked(LookVerdict.NOT_RECOVERED)
    story.looked(LookVerdict.NOT_RECOVERED)
    assert awaits_update(story.record)


def test_nobody_is_woken_by_a_severity_while_a_fix_is_shipped_to_users_who_are_fine():
    story = Story().opened().measured(one_feature()).rolled_back().deployed().recovered()
    story.hotfixed(forward=True).deployed()
    story.say(said.SetSeverity(by="U0BOB", severity=Severity.SEV1))
    assert story.wants(wanted.Page) == []


def test_what_went_on_asks_for_its_post_mortem_again():
    story = mitigated().written()
    story.say(said.Reopen(by="U0BOB"), after=3600)
    assert "○Learn" in shown(story)
    story.measured().hotfixed().deployed().recovered()
    assert next_step(story.record, "U0ALICE", story.now) == "write post-mortem"


@pytest.mark.parametrize("measured_again", [True, False])
def test_the_status_says_how_the_decision_before_ended(measured_again: bool):
    story = Story().opened().measured().rolled_back().deployed()
    story.looked(LookVerdict.NOT_RECOVERED)
    story.looked(LookVerdict.NOT_RECOVERED)
    if measured_again:
        story.measured()
    assert "before: ✗ *Rollback* to `1.2.0` did not help" in shown(story)


def test_an_update_that_is_late_is_called_late():
    story = Story().opened().measured()
    assert "*Next*: update <" in shown(story)
    story.fires("update")
    assert "*Next*: update was due <" in shown(story)


def test_the_file_gives_no_rates_of_a_check_that_counted_nothing():
    story = Story().opened().measured().rolled_back().deployed()
    away = look(LookVerdict.UNREACHABLE, at=story.now, before_per_minute=0.0)
    story.fires("look")
    story.say(said.Looked(round=1, look=away))
    story.say(said.RecheckNow(by="U0BOB"))
    on_a_persons_word(story)
    story.written()
    text = adr_text(story.record, story.timeline, 2, {})
    assert "Sentry could not be queried (no answer)." in text
    assert "0 / 0 events" not in text
    assert "  - recovered on a person's word, not measured" in text
