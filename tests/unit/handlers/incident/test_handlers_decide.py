"""Decisions by clicks and forms.

People may or may not decide, are late, click twice, or click on what is over.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from bot.store.incident_store import Store
from handlers import views
from phases.messages.actions import TriageOverdue
from phases.messages.commands import Cancel
from phases.messages.results import ChannelOpened, DeployFinished, DeployStarted, Triaged
from phases.record.findings import Choice, DeployProof, Recommendation, Release, Word
from phases.record.incident import ActionKind, Channel, Incident, Severity, Status
from sandbox.slack.modals import Modals
from tests.support.values.factories import NOW, blast, report
from tests.support.worlds.handlers_world import SHOP, House, house


@pytest.fixture
async def home(store: Store) -> AsyncIterator[House]:
    async with house(store) as opened:
        yield opened


async def rolled_back(home: House, incident: Incident) -> Incident:
    """The deploy of the round that was decided ends well."""
    assert incident.round is not None
    assert incident.round.action is not None
    deploy = incident.round.action.deploy_id or ""
    await home.dispatch(DeployStarted(deploy_id=deploy), incident.id)
    proof = DeployProof(
        before="1.3.0", after="1.2.0", started_at=NOW, finished_at=NOW + timedelta(seconds=9)
    )
    return await home.dispatch(
        DeployFinished(deploy_id=deploy, result="done", proof=proof), incident.id
    )


async def test_an_owner_rolls_back_with_one_confirmed_click(home: House) -> None:
    _, message = await home.decision()
    await home.slack.alice.click(message, "decision.rollback")
    incident = await home.newest()
    assert incident.status is Status.MITIGATING
    assert incident.round is not None
    action = incident.round.action
    assert action is not None
    assert (action.by, action.kind) == ("U0ALICE", ActionKind.ROLLBACK)
    assert (action.from_release, action.to_release) == (
        Release(version="1.3.0"),
        Release(version="1.2.0"),
    )


async def test_the_confirm_names_from_and_to_and_cancel_sends_nothing(home: House) -> None:
    _, message = await home.decision()
    assert "1.3.0 → 1.2.0" in str(message["blocks"])
    assert await home.slack.alice.click(message, "decision.rollback", confirm=False) is None
    assert (await home.newest()).status is Status.DECIDING


async def test_who_may_not_deploy_is_told_who_may_and_can_break_the_glass(home: House) -> None:
    _, message = await home.decision()
    bob = home.slack.bob
    await bob.click(message, "decision.rollback")
    refusal = await bob.sees("Only the owners of this service deploy it: <@U0ALICE>")
    assert (await home.newest()).status is Status.DECIDING
    await bob.click(refusal, "incident.break_glass")
    view = await bob.open_modal("incident.break_glass")
    await bob.submit(view, {"reason": "Alice does not answer, users cannot pay"})
    incident = await home.newest()
    assert incident.round is not None
    assert incident.round.action is not None
    assert incident.round.action.break_glass == "Alice does not answer, users cannot pay"
    assert "break glass: 1" in incident.paged


@pytest.mark.parametrize("who", ["guest", "other"])
async def test_guests_and_people_of_other_workspaces_are_refused(home: House, who: str) -> None:
    incident, message = await home.decision()
    assert incident.channel is not None
    person = getattr(home.slack, who)
    home.slack.workspace.join(home.slack.workspace.channel(incident.channel.id), person.id)
    await person.click(message, "decision.rollback")
    await home.idle()
    assert (await home.newest()).status is Status.DECIDING
    assert "Only full members" in str(person.ephemerals())


async def test_two_clicks_of_one_person_at_once_are_one_decision(home: House) -> None:
    _, message = await home.decision()
    alice = home.slack.alice
    await asyncio.gather(
        alice.click(message, "decision.rollback"), alice.click(message, "decision.rollback")
    )
    await home.idle()
    incident = await home.newest()
    assert len(incident.rounds) == 1
    # Refused by whoever sees it first: the handler, the door, or the deploy that waits.
    answers = str(alice.ephemerals())
    assert re.search(r"Nothing (more )?was done|<@U0ALICE> decided roll|already decided", answers)


async def test_a_click_on_an_old_picture_changes_nothing(home: House) -> None:
    incident, message = await home.decision()
    other = Recommendation(
        choice=Choice.ROLLBACK, suspect=Release(version="1.3.0"), target=Release(version="1.1.0")
    )
    await home.dispatch(Triaged(report=report(recommendation=other)), incident.id)
    await home.slack.alice.click(message, "decision.rollback")
    await home.slack.alice.sees(
        "The decision changed while you looked at it: it now says 1.3.0 → 1.1.0"
    )
    assert (await home.newest()).status is Status.DECIDING


async def test_a_click_on_a_cancelled_incident_is_refused_with_who_and_why(home: House) -> None:
    incident, message = await home.decision()
    await home.dispatch(Cancel(by="U0BOB", reason="load test"), incident.id)
    await home.slack.alice.click(message, "decision.rollback")
    await home.slack.alice.sees("was cancelled")


async def test_investigate_keeps_the_other_choices_open(home: House) -> None:
    measured = report(Choice.INVESTIGATE, blast=blast(Word.MANY, Word.ONE))
    _, message = await home.decision(measured)
    assert "with a rollback ready beside it" in str(message["blocks"])
    await home.slack.bob.click(message, "decision.investigate")
    incident = await home.newest()
    assert incident.round is not None
    assert incident.round.investigate_by == "U0BOB"
    await home.slack.alice.click(message, "decision.rollback")
    assert (await home.newest()).status is Status.MITIGATING


async def test_fixed_another_way_takes_a_sentence(home: House) -> None:
    _, message = await home.decision()
    alice = home.slack.alice
    await alice.click(message, "decision.fixed")
    await alice.submit(
        await alice.open_modal("incident.fixed"), {"sentence": "flag new-pricing <off>"}
    )
    incident = await home.newest()
    assert incident.status is Status.VERIFYING
    assert incident.round is not None
    assert incident.round.action is not None
    assert incident.round.action.sentence == "flag new-pricing <off>"


async def test_a_hotfix_ships_the_head_commit_of_a_branch(home: House) -> None:
    _, message = await home.decision()
    alice = home.slack.alice
    await alice.click(message, "decision.hotfix")
    view = await filled(home, "incident.hotfix")
    await alice.submit(view, {"fix": f"{'ab' * 20} fix/rate"})
    incident = await home.newest()
    assert incident.round is not None
    assert incident.round.action is not None
    assert incident.round.action.to_release == Release(
        version="hotfix fix/rate@abababa", commit="ab" * 20
    )


async def test_a_form_is_filled_by_the_id_that_slack_gave_it(
    home: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lost answer alone needs our own `external_id`.

    A Slack that does not find views by it fills forms all the same.
    """
    find = Modals.find
    monkeypatch.setattr(Modals, "find", lambda modals, view_id, _: find(modals, view_id, None))
    _, message = await home.decision()
    await home.slack.alice.click(message, "decision.hotfix")
    assert "fix/rate" in str(await filled(home, "incident.hotfix"))


async def test_no_branch_to_ship_says_so(home: House) -> None:
    _, message = await home.decision()
    home.shop.branches.clear()
    await home.slack.alice.click(message, "decision.hotfix")
    await home.idle()
    assert "There is no unmerged branch" in str(home.slack.alice.modal())


async def test_another_release_is_chosen_in_the_form(home: House) -> None:
    _, message = await home.decision()
    await home.slack.alice.click(message, "incident.rollback")
    view = await filled(home, "incident.rollback")
    await home.slack.alice.submit(view, {"target": "1.1.0"})
    incident = await home.newest()
    assert incident.round is not None
    assert incident.round.action is not None
    assert incident.round.action.to_release == Release(version="1.1.0")


async def test_who_may_not_deploy_breaks_the_glass_from_the_form_too(home: House) -> None:
    _, message = await home.decision()
    bob = home.slack.bob
    await bob.click(message, "incident.rollback")
    await home.idle()
    view = await bob.open_modal("incident.rollback")
    await bob.submit(view, {"target": "1.1.0"})
    glass = await bob.open_modal("incident.break_glass")
    await bob.submit(glass, {"reason": "nobody answers"})
    assert (await home.newest()).status is Status.MITIGATING


async def test_without_an_answer_of_sentry_the_button_opens_the_form_and_people_report(
    home: House,
) -> None:
    alice = home.slack.alice
    await alice.command("/incident the shop is down")
    incident = await home.newest()
    channel = home.slack.workspace.create_channel("inc-0001-shop", "U0ALICE")
    await home.dispatch(
        ChannelOpened(channel=Channel(id=channel.id, name=channel.name)), incident.id
    )
    incident = await home.dispatch(TriageOverdue(), incident.id)
    shown = views.decision(incident, datetime.now(UTC), SHOP, 1)
    assert "recommended" not in str(shown.blocks)
    await home.slack.client.conversations_join(channel=channel.id)
    await home.slack.client.chat_postMessage(channel=channel.id, **shown.payload())
    message = await alice.sees("Sentry has not answered", channel.id)
    await alice.click(message, "decision.rollback")
    assert (await filled(home, "incident.rollback"))["submit"]["text"] == "Roll back"
    await alice.click(message, "incident.triage")
    view = await alice.open_modal("incident.triage")
    await alice.submit(
        view,
        {"users": "many", "features": "many", "names": "cart, payment", "report": "12 tickets"},
    )
    incident = await home.newest()
    assert incident.triage is not None
    assert incident.triage.manual_by == "U0ALICE"


async def test_after_recovery_only_a_form_opens_a_new_round(home: House) -> None:
    incident, message = await home.decision()
    alice = home.slack.alice
    await alice.click(message, "decision.rollback")
    incident = await rolled_back(home, await home.newest())
    assert incident.status is Status.VERIFYING
    await alice.click(message, "decision.rollback")
    await alice.sees("One action in production at a time")
    await alice.command("/incident rollback INC-0001")
    await alice.sees("One action in production at a time")


async def test_severity_lead_and_update_by_command(home: House) -> None:
    incident, _ = await home.decision()
    assert incident.channel is not None
    bob = home.slack.bob
    await bob.command("/incident severity 3", incident.channel.id)
    await bob.command("/incident lead @bob", incident.channel.id)
    await bob.command("/incident update cards work again & carts too", incident.channel.id)
    incident = await home.newest()
    assert incident.severity is Severity.SEV3
    assert incident.lead == "U0BOB"
    assert incident.latest_update == "cards work again & carts too"


async def filled(home: House, callback_id: str) -> dict[str, object]:
    """The form, once the look-up has filled it."""
    view = await home.slack.alice.open_modal(callback_id)
    await home.idle()
    shown = home.slack.alice.modal()
    assert shown is not None
    assert shown["id"] == view["id"]
    return shown
