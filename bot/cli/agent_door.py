"""The door for one person's agents: they read incidents, and add hypotheses and evidence.

Nothing here acts on production, and a private incident does not exist here. The person is a full
member of the workspace (`bot/cli/mcp_server.py` asks Slack), as for everything in Slack itself, at
each call.
What the agent adds carries its name and the person's, and is open to people's judgement.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bot.store.agent_calls import AgentCalls
from bot.store.incidents import Incidents
from bot.store.past_incidents import RedisMemory
from handlers.dispatcher import Recorded
from phases.memory.trends import MONTHS_SHOWN, trends, visible_memories
from phases.messages.actions import AddEvidence
from phases.messages.commands import AddHypothesis
from phases.record.findings import Evidence
from phases.record.incident import Entry, Incident
from phases.record.timeline import correction_note
from phases.text import cleaning

READS_A_MINUTE = 120
ADDS_A_MINUTE = 10
"""An agent in a loop must not fill a timeline that people read. Of a person, not of a process."""
LISTED_MOST = 50
ENTRIES_MOST = 500
PAST_MOST = 100
TEXT_LIMIT = 1000
LINK_LIMIT = 2000


class Refusal(Exception):
    """The answer to the agent where nothing is read or recorded; it says what to do."""


@dataclass(frozen=True, slots=True)
class Door:
    """The reads and additions of one agent, for one person."""

    incidents: Incidents
    past: RedisMemory
    calls: AgentCalls
    person: str
    agent: str
    now: Callable[[], datetime]
    is_member: Callable[[], Awaitable[bool]]
    """Whether the person still is a full member: asked at each call, because agents run for days.

    Raises `PortError` where Slack cannot be asked.
    """

    # --- reading ----------------------------------------------------------------------------------

    async def list_incidents(self, *, service: str | None, open_only: bool) -> list[dict[str, Any]]:
        await self._may("reads", READS_A_MINUTE)
        if open_only and service is None:
            every = await self.incidents.short_records("open")
            shown = [short_record.id for short_record in every if not short_record.private][
                :LISTED_MOST
            ]
            records = await self.incidents.records(shown)
        else:
            records = await self.incidents.find(service=service, open_only=open_only)
        return [_short(incident) for incident in records if not incident.private][:LISTED_MOST]

    async def incident(self, id: str) -> dict[str, Any]:
        """Return the triage, the decisions, the lead and how it stands."""
        incident = await self._load(id)
        report = incident.triage
        return {
            **_short(incident),
            "description": incident.description,
            "detected_at": incident.detected_at.isoformat(),
            "lead": incident.lead,
            "hit": list(report.blast.sentences) if report else [],
            "began_at": report.began_at.isoformat() if report and report.began_at else None,
            "recommendation": _json_value(incident.round.recommendation)
            if incident.round
            else None,
            "rounds": [_json_value(each) for each in incident.rounds],
            "sentry_issues": [_json_value(issue) for issue in report.issues] if report else [],
            "stack": _json_value(report.frame) if report else None,
            "deploys": [_json_value(deploy) for deploy in report.deploys] if report else [],
            "cause": _json_value(incident.cause),
            "latest_update": incident.latest_update,
        }

    async def timeline(self, id: str) -> list[dict[str, Any]]:
        incident = await self._load(id)
        entries = await self.incidents.timeline(incident.id)
        return [_entry(entry) for entry in entries[-ENTRIES_MOST:]]

    async def evidence(self, id: str) -> dict[str, Any]:
        """Return the hypotheses, the suspects, and the walk along the stack."""
        incident = await self._load(id)
        return {
            "hypotheses": [_json_value(each) for each in incident.hypotheses],
            "suspects": [_json_value(each) for each in incident.suspects],
            "investigation": _json_value(incident.investigation),
            "bisect": _json_value(incident.bisect),
        }

    async def takes_back(self, id: str) -> dict[str, Any]:
        """Return what a rollback to the recommended release would take back with it."""
        incident = await self._load(id)
        advice = incident.round.recommendation if incident.round else None
        return {
            "target": _json_value(advice.target) if advice else None,
            "takes_back": _json_value(advice.takes_back) if advice else None,
            "warnings": [_json_value(quote) for quote in advice.written] if advice else [],
        }

    async def history(self, service: str | None) -> list[dict[str, Any]]:
        await self._may("reads", READS_A_MINUTE)
        return [
            _json_value(past)
            for past in visible_memories(await self.past.newest(service, PAST_MOST))
        ]

    async def trends(self) -> dict[str, Any]:
        await self._may("reads", READS_A_MINUTE)
        now = self.now()
        remembered = await self.past.since(now - timedelta(days=31 * MONTHS_SHOWN))
        return _json_value(trends(visible_memories(remembered), now))

    # --- adding -----------------------------------------------------------------------------------

    async def add_hypothesis(self, id: str, says: str, predicts: str, check: str) -> str:
        incident = await self._load(id)
        await self._may("additions", ADDS_A_MINUTE)
        action = AddHypothesis(
            by=self.person,
            says=_line(says),
            predicts=_line(predicts),
            check=_line(check),
            agent=self.agent,
        )
        return await self._dispatch(action, incident, f"The hypothesis is in {incident.id}.")

    async def add_evidence(self, id: str, text: str, url: str | None) -> str:
        incident = await self._load(id)
        line = _line(text)
        if not line:
            raise Refusal("Say the evidence in a sentence.")
        await self._may("additions", ADDS_A_MINUTE)
        source = f"Agent {self.agent} for <@{self.person}>"
        evidence = Evidence(at=self.now(), source=source, text=line, url=_link(url))
        action = AddEvidence(evidence=evidence, key=f"agent {line}", quiet=True)
        return await self._dispatch(
            action, incident, f"The evidence is in {incident.id}'s timeline."
        )

    async def _dispatch(
        self, action: AddHypothesis | AddEvidence, incident: Incident, done: str
    ) -> str:
        if incident.duplicate_of is not None:
            raise Refusal(f"{incident.id} is part of {incident.duplicate_of}: add it there.")
        if not incident.open:
            raise Refusal(f"{incident.id} is {incident.status.value}: nothing is added to it.")
        answer = await self.incidents.dispatch(action, incident.id)
        if not isinstance(answer, Recorded):
            raise Refusal(answer.text)
        return done

    async def _may(self, what: str, limit: int) -> None:
        """Raises `Refusal` where the person has left, or their agents called often enough."""
        if not await self.is_member():
            raise Refusal(f"{self.person} is not a full member of this workspace.")
        if wait := await self.calls.count(what, limit):
            seconds = max(1, round(wait))
            raise Refusal(f"At most {limit} {what} a minute. Try again in {seconds} s.")

    async def _load(self, id: str) -> Incident:
        """Raises `Refusal`: a private incident and none are answered alike."""
        await self._may("reads", READS_A_MINUTE)
        incident = await self.incidents.load(id.strip().upper())
        if incident is None or incident.private:
            raise Refusal(f"There is no incident {id.strip()[:20]!r}. list_incidents has the ids.")
        return incident


def _short(incident: Incident) -> dict[str, Any]:
    return {
        "id": incident.id,
        "title": incident.title,
        "service": incident.service,
        "environment": incident.environment,
        "status": incident.status.value,
        "severity": incident.severity.value if incident.severity else None,
        "drill": incident.drill,
        "declared_at": incident.declared_at.isoformat(),
        "recovered_at": incident.recovered_at.isoformat() if incident.recovered_at else None,
    }


def _entry(entry: Entry) -> dict[str, Any]:
    return {
        "at": entry.at.isoformat(),
        "kind": entry.kind,
        "text": entry.text,
        "by": entry.by,
        "url": entry.url,
        "corrected": correction_note(entry) or None,
    }


def _json_value(value: Any) -> Any:
    """Return a value of the record as JSON holds it."""
    return value.model_dump(mode="json") if value is not None else None


def _line(text: str) -> str:
    """Return an agent's text in one line, in which nothing mentions anybody in Slack."""
    return " ".join(cleaning.foreign(cleaning.visible(text)).split())[:TEXT_LIMIT]


def _link(url: str | None) -> str | None:
    if not url:
        return None
    if (
        not url.startswith(("https://", "http://"))
        or len(url) > LINK_LIMIT
        or not url.isprintable()
    ):
        raise Refusal("A link begins with https:// and has no blanks.")
    return url
