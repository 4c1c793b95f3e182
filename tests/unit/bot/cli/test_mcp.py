"""`firebreak mcp`: what an agent reads and adds, by the SDK's own client."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from mcp import Client

from bot.cli.agent_door import ADDS_A_MINUTE, Door
from bot.cli.mcp_server import server
from bot.config.catalogue import Catalogue
from bot.store.agent_calls import AgentCalls
from bot.store.incident_store import Store
from bot.store.incidents import Incidents
from bot.store.past_incidents import RedisMemory
from handlers.dispatcher import Recorded
from phases.messages.actions import Action
from phases.messages.commands import Cancel, Declare, JudgeHypothesis
from phases.messages.results import Triaged
from phases.record.findings import Verdict
from phases.record.incident import Incident, Source
from phases.workflow import step
from tests.support.values.factories import report, service


class House:
    """An incident dispatcher over a real store, and an agent's client to it."""

    def __init__(self, store: Store, client: Client, members: set[str]) -> None:
        self.incidents, self.client = Incidents(store, step, Catalogue([service()])), client
        self.members = members

    async def declared(self, title: str = "checkout is failing", **more: Any) -> Incident:
        action = Declare(
            ulid=f"01JD{title:0<22.22}",
            title=title,
            service="shop",
            source=Source(kind="person", text="/incident by <@U0ALICE>"),
            by="U0ALICE",
            **more,
        )
        return await self.dispatch(action, None)

    async def dispatch(self, action: Action, id: str | None) -> Incident:
        answer = await self.incidents.dispatch(action, id)
        assert isinstance(answer, Recorded), answer
        return answer.incident

    async def ask(self, tool: str, **given: Any) -> Any:
        """Return what a tool answers; fails where it answers with an error."""
        answer = await self.client.call_tool(tool, given)
        assert not answer.is_error, answer.content
        assert answer.structured_content is not None
        return answer.structured_content.get("result", answer.structured_content)

    async def refused(self, tool: str, **given: Any) -> str:
        answer = await self.client.call_tool(tool, given)
        assert answer.is_error, answer.structured_content
        return json.dumps([part.model_dump(mode="json") for part in answer.content])


@pytest.fixture
async def home(store: Store) -> AsyncIterator[House]:
    members = {"U0BOB"}

    async def is_member() -> bool:
        return "U0BOB" in members

    door = Door(
        incidents=Incidents(store, step, Catalogue([service()])),
        past=RedisMemory(store),
        calls=AgentCalls(store, "U0BOB"),
        person="U0BOB",
        agent="tracer",
        now=lambda: datetime.now(UTC),
        is_member=is_member,
    )
    async with Client(server(door)) as client:
        yield House(store, client, members)


async def test_no_tool_acts_on_production(home: House) -> None:
    tools = {tool.name for tool in (await home.client.list_tools()).tools}
    assert tools == {
        "list_incidents",
        "get_incident",
        "get_timeline",
        "get_evidence",
        "get_what_a_rollback_takes_back",
        "get_history",
        "get_trends",
        "add_hypothesis",
        "add_evidence",
    }


async def test_an_agent_reads_what_was_measured(home: House) -> None:
    incident = await home.declared()
    await home.dispatch(Triaged(report=report()), incident.id)
    (listed,) = await home.ask("list_incidents")
    assert (listed["id"], listed["service"]) == (incident.id, "shop")
    read = await home.ask("get_incident", id=incident.id)
    assert read["recommendation"]["choice"] == "rollback"
    assert read["lead"] == "U0ALICE"
    entries = await home.ask("get_timeline", id=incident.id)
    assert any("checkout is failing" in entry["text"] for entry in entries)
    assert (await home.ask("get_what_a_rollback_takes_back", id=incident.id))["target"]
    assert await home.ask("get_history") == []
    assert len((await home.ask("get_trends"))["months"]) == 6


async def test_a_hypothesis_carries_the_agents_name_and_people_judge_it(home: House) -> None:
    incident = await home.declared()
    await home.ask(
        "add_hypothesis",
        id=incident.id.lower(),
        says="The tax table is <!channel> empty",
        predicts="only eu-west fails",
        check="count its rows",
    )
    (hypothesis,) = (await home.ask("get_evidence", id=incident.id))["hypotheses"]
    assert (hypothesis["agent"], hypothesis["by"], hypothesis["verdict"]) == (
        "tracer",
        "U0BOB",
        "open",
    )
    assert (hypothesis["predicts"], hypothesis["check"]) == ("only eu-west fails", "count its rows")
    assert "<!" not in hypothesis["says"]
    entries = await home.incidents.timeline(incident.id)
    assert entries[-1].text.startswith("Agent tracer for <@U0BOB> suspects: The tax table")
    again = await home.refused("add_hypothesis", id=incident.id, says=hypothesis["says"])
    assert "says that already" in again
    judged = JudgeHypothesis(by="U0ALICE", id=hypothesis["id"], verdict=Verdict.RULED_OUT)
    assert (await home.dispatch(judged, incident.id)).hypotheses[0].verdict is Verdict.RULED_OUT


async def test_evidence_is_a_line_of_the_timeline_once(home: House) -> None:
    incident = await home.declared()
    given = {"id": incident.id, "text": "db-2 has no free connection", "url": "https://db.example"}
    await home.ask("add_evidence", **given)
    await home.ask("add_evidence", **given)
    entries = await home.incidents.timeline(incident.id)
    lines = [entry for entry in entries if "db-2" in entry.text]
    assert [entry.text for entry in lines] == [
        "Agent tracer for <@U0BOB>: db-2 has no free connection"
    ]
    assert lines[0].url == "https://db.example"


async def test_a_private_incident_is_answered_like_none(home: House) -> None:
    secret = await home.declared("a key was in a public log", private=True)
    assert await home.ask("list_incidents", open_only=False) == []
    for tool, more in (
        ("get_incident", {}),
        ("get_timeline", {}),
        ("get_evidence", {}),
        ("get_what_a_rollback_takes_back", {}),
        ("add_hypothesis", {"says": "x"}),
        ("add_evidence", {"text": "x"}),
    ):
        private = await home.refused(tool, id=secret.id, **more)
        none = await home.refused(tool, id="INC-0999", **more)
        assert private.replace(secret.id, "INC-0999") == none
    assert "key" not in private


async def test_what_cannot_be_added_says_why(home: House) -> None:
    incident = await home.declared()
    assert "in a sentence" in await home.refused("add_hypothesis", id=incident.id, says=" ")
    assert "in a sentence" in await home.refused("add_evidence", id=incident.id, text=" ")
    bad = await home.refused("add_evidence", id=incident.id, text="x", url="javascript:alert(1)")
    assert "https://" in bad
    await home.dispatch(Cancel(by="U0ALICE", reason="a test"), incident.id)
    assert "is cancelled" in await home.refused("add_evidence", id=incident.id, text="late")


async def test_an_agent_that_floods_is_told_of_the_limit(home: House) -> None:
    incident = await home.declared()
    for number in range(ADDS_A_MINUTE):
        await home.ask("add_evidence", id=incident.id, text=f"line {number}")
    refusal = await home.refused("add_evidence", id=incident.id, text="one more")
    assert f"At most {ADDS_A_MINUTE} additions a minute. Try again in" in refusal


async def test_the_limit_is_that_of_the_person_in_however_many_processes(store: Store) -> None:
    here, there = AgentCalls(store, "U0BOB"), AgentCalls(store, "U0BOB")
    assert [await here.count("reads", 2), await there.count("reads", 2)] == [0, 0]
    assert 0 < await here.count("reads", 2) <= 60
    assert 0 < await there.count("reads", 2) <= 60, "what was refused is not counted"
    assert await here.count("additions", 2) == 0
    assert await AgentCalls(store, "U0ALICE").count("reads", 2) == 0


async def test_who_left_meanwhile_reads_nothing_more(home: House) -> None:
    incident = await home.declared()
    await home.ask("get_incident", id=incident.id)
    home.members.clear()
    for tool, given in (
        ("list_incidents", {}),
        ("get_incident", {"id": incident.id}),
        ("get_timeline", {"id": incident.id}),
        ("get_evidence", {"id": incident.id}),
        ("get_what_a_rollback_takes_back", {"id": incident.id}),
        ("get_history", {}),
        ("get_trends", {}),
        ("add_hypothesis", {"id": incident.id, "says": "x"}),
        ("add_evidence", {"id": incident.id, "text": "x"}),
    ):
        assert "is not a full member" in await home.refused(tool, **given), tool
