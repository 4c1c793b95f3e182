"""Messages to Slack hold its limits for any input.

Nothing in them mentions, links or formats by accident.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handlers import views
from handlers.views import forms, notes, postmortem
from handlers.views.blocks import MESSAGE_BLOCKS, MESSAGE_CHARACTERS, Message
from handlers.views.text import size
from handlers.views.timeline import timeline
from phases.coordination.updates import Template, update_template
from phases.messages.effects import Say
from phases.ports.ports import HotfixRef
from phases.postmortem.form_parts import Parts
from phases.record.documents import ActionItem
from phases.record.findings import (
    Release,
)
from phases.record.incident import (
    Entry,
    Incident,
    Status,
)
from sandbox.slack.block_kit.limits import check_message_blocks
from tests.support.values.block_limits import (
    check_blocks,
    check_mrkdwn,
    incidents,
    releases,
    some,
    texts,
    times,
)
from tests.support.values.draws import draws
from tests.support.values.factories import NOW, service
from tests.support.values.factories import postmortem as written
from tests.support.worlds.homes import home_of

pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")

few = st.integers(0, 4)


def cut(text: str, limit: int) -> str:
    return text[:limit]


NOW_TOO = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)


LIMITS = {"header": 150, "button": 75}


def check(message: Message) -> None:
    assert 1 <= size(message.text) <= 3000
    check_mrkdwn(message.text)
    assert len(message.blocks) <= MESSAGE_BLOCKS
    assert size(json.dumps(list(message.blocks), ensure_ascii=False)) <= MESSAGE_CHARACTERS
    json.dumps(message.payload(), ensure_ascii=False).encode()
    ids = [b["block_id"] for b in message.blocks if "block_id" in b]
    assert len(ids) == len(set(ids))
    check_blocks(message.blocks)
    for blocks, rich in ((message.blocks, False), (message.rich, True)):
        if blocks:
            check_message_blocks(list(blocks), rich=rich)


many = settings(max_examples=draws(40), suppress_health_check=list(HealthCheck))


@many
@given(incidents(), times)
def test_any_incident_fits(record: Incident, now: datetime) -> None:
    check(views.status(record, now, service()))
    check(views.tree(record))
    check(views.evidence(record))
    check(views.announcement(record))
    check(views.say(Say(text="*Recovered.*", picture=True), record))
    assert size(views.topic(record)) <= 250
    for shop in (service(), service(deployer=None, deploy=None)):
        for number in range(1, len(record.rounds) + 2):
            check(views.decision(record, now, shop, number))
            check(views.progress(record, number))


@many
@given(incidents(), texts, st.sampled_from(["recovered", "foreign deploy", ""]))
def test_anything_said_fits(record: Incident, text: str, ask: Any) -> None:
    check(
        views.say(
            Say(
                text=text,
                mention=("U0ALICE", text, "S0123"),
                try_again="e-1",
                ask=ask,
                goes_to="announcement",
            ),
            record,
        )
    )
    check(views.summary(text))
    check(notes.note(text))
    check(notes.offer(text, {"channel": "C1"}))
    check(notes.open_already(text, record, {"title": "x"}))
    line = Entry(at=NOW, kind="note", text=text[:2000], by="U0ALICE", url=text)
    pinned = line.model_copy(update={"kind": "pin", "ref": "message:1.000100"})
    for until in (None, 0, 30, 77):
        check(timeline(record, [line, pinned] * 45, until=until))
    check(timeline(record, []))
    check(views.listing([record] * notes.LISTED, 30))


@many
@given(incidents(), texts, releases, some(releases))
def test_every_form_fits(
    record: Incident, text: str, running: Release, targets: tuple[Release, ...]
) -> None:
    refs = [HotfixRef(name=text, commit="0" * 40, subject=text)]
    item = ActionItem(kind="tests", text=text, owner="<@U0ALICE>", due=NOW.date())
    owed = written(items=(item, item.model_copy(update={"owner": text})))
    shown = [
        forms.declare(
            [service(), service(name="search")],
            forms.Prefill(text, text),
            metadata={},
            note=text,
        ),
        forms.triage(record, 1),
        forms.rollback(
            record,
            service(),
            [Release(version="1.0"), *targets],
            running=running,
            healthy=targets,
            metadata={},
        ),
        forms.hotfix(record, service(), refs, running=running, metadata={}),
        forms.fixed(record, 1, text),
        forms.cause(record, text=text, metadata={}),
        postmortem.postmortem(
            record,
            Parts(
                **dict.fromkeys(postmortem.PARTS, text),
                items=(ActionItem(kind="gates", text=text, owner=text),) * 30,
            ),
            drafts=postmortem.KnownDrafts(
                text, NOW, "U0BOB", NOW, ((text, NOW),) * 9, NOW, (text,) * 9
            ),
            edition=12,
        ),
        forms.update(record, update_template(record), None),
        forms.update(record, Template(knows=text, users=text, doing=text), 30),
        forms.cancel(record, text),
        forms.break_glass(record, service(), text, {}),
        forms.refused(text, text),
        *(
            home_of(
                [
                    record.model_copy(update={"status": status, "id": f"INC-{number:04d}"})
                    for number, status in enumerate([*Status] * 9)
                ],
                who,
                NOW,
                owned=[record.service],
                owing=[record.model_copy(update={"postmortem": owed})] * 9,
                site="https://firebreak.slack.com/",
            )
            for who in ("U0ALICE", text)
        ),
        home_of([], text, NOW),
    ]
    for view in shown:
        payload = view.payload()
        assert len(payload["blocks"]) <= 100
        assert size(payload.get("title", {}).get("text", "")) <= 24
        json.dumps(payload, ensure_ascii=False).encode()
        check_blocks(payload["blocks"])
