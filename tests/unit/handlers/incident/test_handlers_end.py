"""Understanding and ending an incident.

Covers cause, hypotheses, post-mortem, resolve, cancel, check again, App Home, and failures.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from typing import Any

import pytest

from bot.store.incident_store import Store
from handlers import views
from handlers.views import postmortem
from phases.messages.effects import EFFECT, OpenTicket, Say
from phases.messages.results import AdrWritten, EffectFailed, Investigated, Looked
from phases.record.documents import Adr
from phases.record.findings import (
    Hypothesis,
    HypothesisKind,
    Investigation,
    Look,
    LookVerdict,
    Verdict,
)
from phases.record.incident import Incident, Status
from sandbox.slack.channels import BOT_USER
from tests.support.worlds.handlers_world import House, house

PARTS = {
    "timeline": "03:00 alert\n03:05 rollback",
    "root_cause": "The rate table of eu-west was empty.",
    "monitoring": "No alert on payments.",
    "tests": "No test without a rate.",
    "item_1": "pay without a rate",
    "item_2": "alert on payments",
    "item_3": "",
    "revisit": "When the items are done.",
}


@pytest.fixture
async def home(store: Store) -> AsyncIterator[House]:
    async with house(store) as opened:
        yield opened


async def fixed(home: House) -> Incident:
    """An incident that users have recovered from."""
    incident, message = await home.decision()
    await home.slack.alice.click(message, "decision.fixed")
    await home.slack.alice.submit(
        await home.slack.alice.open_modal("incident.fixed"), {"sentence": "flag off"}
    )
    look = Look(number=1, at=datetime.now(UTC), verdict=LookVerdict.RECOVERED, minutes=5)
    return await home.dispatch(Looked(round=1, look=look), incident.id)


async def posted(home: House, incident: Incident, message: Any) -> dict[str, Any]:
    assert incident.channel is not None
    answer = await home.slack.client.chat_postMessage(
        channel=incident.channel.id, **message.payload()
    )
    where = home.slack.workspace.channel(incident.channel.id)
    original = home.slack.workspace.message(where, str(answer["ts"]))
    return {**original, "channel": incident.channel.id}


async def test_a_hypothesis_is_confirmed_as_the_cause_by_name(home: House) -> None:
    incident, _ = await home.decision()
    investigation = Investigation(
        hypotheses=(
            Hypothesis(
                id="H1", kind=HypothesisKind.DATA, says="One customer's data", confidence=0.2
            ),
            Hypothesis(
                id="H2",
                kind=HypothesisKind.RELEASE,
                says="Release 1.3.0 caused it",
                confidence=0.8,
            ),
        )
    )
    incident = await home.dispatch(Investigated(investigation=investigation), incident.id)
    tree = await posted(home, incident, views.tree(incident))
    alice = home.slack.alice
    await alice.click(tree, "incident.evidence")
    whole = await alice.sees("Evidence · INC-")
    data = next(h for h in incident.hypotheses if h.kind is HypothesisKind.DATA)
    release = next(h for h in incident.hypotheses if h.kind is HypothesisKind.RELEASE)
    await alice.click(
        whole, "incident.rule_out", f'{{"incident":"{incident.id}","hypothesis":"{data.id}"}}'
    )
    await alice.click(
        tree, "incident.cause", f'{{"incident":"{incident.id}","hypothesis":"{release.id}"}}'
    )
    view = await alice.open_modal("incident.cause")
    assert "Release 1.3.0 caused it" in str(view)
    await alice.submit(view, {"text": "1.3.0 divides by an empty rate"})
    incident = await home.newest()
    assert incident.cause is not None
    assert (incident.cause.text, incident.cause.by) == ("1.3.0 divides by an empty rate", "U0ALICE")
    assert incident.cause.release == "1.3.0"
    verdicts = {h.id: h.verdict for h in incident.hypotheses}
    assert verdicts[data.id] is Verdict.RULED_OUT
    assert verdicts[release.id] is Verdict.SUPPORTED


async def test_a_person_adds_a_hypothesis(home: House) -> None:
    incident, _ = await home.decision()
    investigation = Investigation(
        hypotheses=(Hypothesis(id="H1", kind=HypothesisKind.DATA, says="x"),)
    )
    incident = await home.dispatch(Investigated(investigation=investigation), incident.id)
    tree = await posted(home, incident, views.tree(incident))
    await home.slack.bob.click(tree, "incident.hypothesis")
    await home.slack.bob.submit(
        await home.slack.bob.open_modal("incident.hypothesis"), {"says": "the tax service"}
    )
    assert any(
        h.says == "the tax service" and h.by == "U0BOB" for h in (await home.newest()).hypotheses
    )


async def test_resolve_is_refused_with_what_is_missing(home: House) -> None:
    incident = await fixed(home)
    assert incident.channel is not None
    alice = home.slack.alice
    await alice.command("/incident resolve", incident.channel.id)
    refusal = await alice.sees("cannot be resolved yet")
    assert "root cause" in str(refusal)
    assert (await home.newest()).status is Status.MITIGATED
    await alice.click(refusal, "incident.postmortem")
    assert (await alice.open_modal("incident.postmortem"))["callback_id"] == "incident.postmortem"


async def test_the_post_mortem_is_prefilled_checked_and_kept(home: House) -> None:
    incident = await fixed(home)
    assert incident.channel is not None
    alice = home.slack.alice
    await alice.command("/incident postmortem", incident.channel.id)
    await alice.open_modal("incident.postmortem")
    await home.idle()
    view = alice.modal()
    assert view is not None
    prefilled = {
        b["block_id"]: b["element"].get("initial_value", "")
        for b in view["blocks"]
        if b["type"] == "input"
    }
    assert set(prefilled) == {*postmortem.PARTS, "item_1", "item_2", "item_3"}
    assert "alice" in prefilled["timeline"]  # names, no ids: the file leaves Slack
    assert "<@" not in "".join(prefilled.values())
    await alice.submit(view, {**PARTS, "item_1": "", "item_2": ""})
    assert "Add at least one action item" in alice.errors(view)["item_1"]
    who_and_when = {"incident.item.owner.1": "U0BOB", "incident.item.due.1": "2027-01-04"}
    await alice.submit(view, {**PARTS, **who_and_when})
    incident = await home.newest()
    assert incident.postmortem is not None
    assert [i.kind for i in incident.postmortem.items] == ["tests", "monitors"]
    assert (incident.postmortem.items[0].owner, incident.postmortem.items[0].due) == (
        "<@U0BOB>",
        date(2027, 1, 4),
    )
    assert incident.cause is not None
    await home.dispatch(AdrWritten(adr=Adr(number=7, path="docs/adr/0007.md")), incident.id)
    assert (await home.newest()).status is Status.RESOLVED


async def test_no_post_mortem_while_it_bleeds(home: House) -> None:
    incident, _ = await home.decision()
    assert incident.channel is not None
    await home.slack.alice.command("/incident postmortem", incident.channel.id)
    await home.slack.alice.sees("once the bleeding has stopped")
    assert home.slack.alice.modal() is None


async def test_a_person_is_asked_where_numbers_cannot_tell(home: House) -> None:
    incident, message = await home.decision()
    await home.slack.alice.click(message, "decision.fixed")
    await home.slack.alice.submit(
        await home.slack.alice.open_modal("incident.fixed"), {"sentence": "flag off"}
    )
    for number in (1, 2):
        look = Look(number=number, at=datetime.now(UTC), verdict=LookVerdict.TOO_FEW)
        incident = await home.dispatch(Looked(round=1, look=look), incident.id)
    asked = await posted(
        home,
        incident,
        views.say(Say(text="Does it work for users again?", ask="recovered"), incident),
    )
    await home.slack.bob.click(asked, "incident.recovered")
    incident = await home.newest()
    assert incident.status is Status.MITIGATED
    assert "not measured" in str(await home.dispatcher.timeline(incident.id))


async def test_what_failed_is_tried_again_once(home: House) -> None:
    incident, _ = await home.decision()
    effect = EFFECT.dump_json(OpenTicket()).decode()
    failed = EffectFailed(
        effect_id="9-1",
        kind="ticket.open",
        reason="Linear says no",
        effect=effect,
        at=datetime.now(UTC),
    )
    incident = await home.dispatch(failed, incident.id)
    status = await posted(
        home, incident, views.status(incident, datetime.now(UTC), home.heard.ctx.service(incident))
    )
    assert "The ticket could not be opened" in str(status["blocks"])
    await home.slack.bob.click(status, "incident.try_again")
    assert (await home.newest()).failures == ()
    await home.slack.bob.click(status, "incident.try_again")
    await home.slack.bob.sees("been retried already")


async def test_status_shows_the_six_proofs_and_timeline_what_happened(home: House) -> None:
    incident, _ = await home.decision()
    alice = home.slack.alice
    await alice.command("/incident status")
    shown = await alice.sees("INC-0001 · checkout of the shop is failing")
    assert str(shown["blocks"]).count("✓") + str(shown["blocks"]).count("○") >= 6
    await alice.command(f"/incident timeline {incident.id}")
    await alice.sees("/incident by <@U0ALICE>")
    await alice.command("/incident list")
    await alice.sees("1 incident open")
    await alice.command("/incident help")
    await alice.sees("Nothing here changes production without a second click.")


async def test_an_incident_nobody_was_named_for(home: House) -> None:
    alice = home.slack.alice
    await alice.command("/incident status INC-0777")
    await alice.sees("There is no incident INC-0777.")
    await alice.command("/incident resolve")
    await alice.sees("No incident is open.")


async def test_app_home_lists_what_is_open(home: House) -> None:
    await home.decision()
    await home.slack.bob.open_home()
    await home.idle()
    shown = home.slack.bob.home()
    assert "INC-0001" in str(shown)
    assert shown is not None
    await home.slack.bob.click(shown, "incident.declare")
    assert await home.slack.bob.open_modal("incident.declare")


async def test_a_button_of_another_version_is_answered(home: House) -> None:
    incident, message = await home.decision()
    old = {
        **message,
        "blocks": [{"type": "actions", "block_id": "b", "elements": [_button("incident.dance")]}],
    }
    await home.slack.alice.click(old, "incident.dance")
    await home.slack.alice.sees("no longer exists")
    assert incident.open


def _button(action_id: str) -> dict[str, Any]:
    return {
        "type": "button",
        "action_id": action_id,
        "text": {"type": "plain_text", "text": "x"},
        "value": "{",
    }


async def test_redis_out_of_reach_is_said_and_never_a_bare_500(
    home: House, caplog: pytest.LogCaptureFixture
) -> None:
    _, message = await home.decision()

    async def gone(*_: object, **__: object) -> None:
        raise ConnectionError("secret words of a person")

    home.dispatcher.load = gone  # type: ignore[method-assign, assignment]
    ack = await home.slack.alice.click(message, "decision.rollback")
    assert ack is not None
    assert ack.ok
    await home.slack.alice.sees("Something went wrong on my side")
    assert "secret words" not in caplog.text


async def test_a_person_who_archives_an_open_incidents_channel_is_heard_and_the_bot_is_not(
    home: House,
) -> None:
    incident, _ = await home.decision()
    assert incident.channel is not None
    channel = home.slack.workspace.channels[incident.channel.id]
    home.slack.workspace.archive(channel, BOT_USER)  # its effect tells of it, with its result
    await home.slack.delivery.idle()
    await home.heard.ctx.tasks.idle()
    assert (await home.newest()).channel == incident.channel
    channel.is_archived = False
    home.slack.workspace.archive(channel, "U0ALICE")
    await home.slack.delivery.idle()
    await home.heard.ctx.tasks.idle()
    assert (await home.newest()).channel is None, "it needs another one"


@pytest.mark.parametrize("private", [False, True])
@pytest.mark.parametrize("deleted", [False, True])
async def test_a_channel_that_goes_away_is_replaced(
    home: House, private: bool, deleted: bool
) -> None:
    incident, _ = await home.decision()
    assert incident.channel is not None
    workspace = home.slack.workspace
    channel = workspace.channels[incident.channel.id]
    channel.is_private = private
    (workspace.delete_channel if deleted else workspace.archive)(channel, "U0ALICE")
    await home.slack.delivery.idle()
    await home.heard.ctx.tasks.idle()
    assert (await home.newest()).channel is None
    done = "deleted" if deleted else "archived"
    assert f"<@U0ALICE> {done} the channel" in str(await home.dispatcher.timeline(incident.id))
