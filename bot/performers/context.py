"""What the performers work with: the door to read the newest state, Slack, and one port an outside system."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from bot.clients.slack.client import Slack
from bot.clients.slack.people import SlackPeople
from handlers.dispatcher import Dispatcher
from handlers.views.blocks import Message
from phases.messages.actions import Action
from phases.messages.effects import PostLive
from phases.ports.coordination import Announcer, Archive, Memory, Pager, Tickets
from phases.ports.ports import (
    Bisector,
    Catalogue,
    Deployer,
    DeployHistory,
    Endpoint,
    ErrorTracker,
    NotSetUp,
    PortError,
    SourceCode,
)
from phases.record.findings import DeploySeen
from phases.record.incident import Entry, Incident
from phases.record.service import Service


class JobLike(Protocol):
    """One effect as the worker hands it over."""

    @property
    def incident(self) -> str: ...
    @property
    def effect_id(self) -> str: ...
    @property
    def created(self) -> datetime: ...
    @property
    def attempt(self) -> int: ...


Performer = Callable[[Any, Any], Awaitable[Action]]
Render = Callable[[str, Incident, datetime], Awaitable[Message]]


@dataclass(frozen=True, slots=True)
class EffectContext:
    dispatcher: Dispatcher
    slack: Slack
    people: SlackPeople
    catalogue: Catalogue
    tracker: ErrorTracker | None
    deployer_for: Callable[[Service], Deployer | None]
    source_for: Callable[[Service], SourceCode | None]
    bisector_for: Callable[[Service], Bisector | None]
    tickets: Tickets | None
    announcer: Announcer | None
    pager: Pager | None
    endpoint: Endpoint
    archive: Archive | None
    memory: Memory
    claimed: Callable[[str], Awaitable[str | None]]
    """Owner of a claim, or None: the next ADR number is one that nobody has taken."""
    told_deploys: Callable[[str], Awaitable[Sequence[DeploySeen]]]
    """What CI told of a service's deploys, newest first."""
    deploy_history: DeployHistory | None
    """Who else knows of deploys: GitHub."""
    render: Render
    """A live message by its name, from the newest state."""
    posted: Callable[[str, str, Message], Awaitable[None]]
    """Told of a live message's first posting, so that the same rendering is not sent again as an edit."""
    incidents_channel: Callable[[], Awaitable[str | None]]
    now: Callable[[], datetime]
    forward_since: Callable[[datetime], float]
    """Seconds by which this machine's clock was set forward after that moment."""

    async def incident(self, job: JobLike) -> Incident:
        """The newest state. Raises `PortError` when the record is gone, which ends the effect."""
        found = await self.dispatcher.load(job.incident)
        if found is None:
            raise PortError(
                "redis", f"{job.incident} is not in the store any more", retryable=False
            )
        return found

    def service(self, incident: Incident) -> Service:
        return self.catalogue.get(incident.service) or Service(name=incident.service)

    def neighbours(self, service: Service) -> Sequence[Service]:
        return [one for name in service.depends_on if (one := self.catalogue.get(name)) is not None]

    async def post(
        self, job: JobLike, message: Message, channel: str, thread: str | None = None
    ) -> str:
        """Posts what an effect says, once over all its tries; returns its `ts`."""
        return await self.slack.post(
            channel,
            message,
            incident=job.incident,
            effect=job.effect_id,
            since=job.created,
            maybe_posted=job.attempt > 1,
            thread_ts=thread,
        )

    async def post_live(
        self,
        job: JobLike,
        incident: Incident,
        effect: PostLive,
        message: Message,
        channel: str,
        thread: str | None,
    ) -> str:
        """Posts a live message, once over all effects that ask for it: one that was given up may have posted it for all that."""
        given_up = effect.again or any(
            one.kind == effect.type and PostLive.model_validate_json(one.effect).name == effect.name
            for one in incident.failures
        )
        return await self.slack.post(
            channel,
            message,
            incident=job.incident,
            effect=job.effect_id,
            since=incident.declared_at if given_up else job.created,
            maybe_posted=given_up or job.attempt > 1,
            thread_ts=thread,
            live=f"{incident.ulid}:{effect.name}",
        )

    async def owners(self, incident: Incident) -> tuple[tuple[str, ...], str]:
        """Return whom a message mentions, and why nobody: it is posted all the same. Raises where Slack is away."""
        try:
            return tuple(await self.people.owners(self.service(incident))), ""
        except PortError as error:
            if error.retryable:
                raise
            return (), f" (No owner is mentioned: {error.text}.)"

    async def names(self, incident: Incident, entries: Sequence[Entry] = ()) -> dict[str, str]:
        """Display names of the people who acted, for texts outside Slack."""
        texts = " ".join((incident.model_dump_json(), *(e.model_dump_json() for e in entries)))
        ids = set(
            re.findall(
                r'<@([UW][A-Z0-9]{2,})>|"(?:by|lead|declared_by)":"([UW][A-Z0-9]{2,})"', texts
            )
        )
        return {one: await self.people.name(one) for one in sorted(a or b for a, b in ids)}

    def channel(self, incident: Incident) -> tuple[str, str | None]:
        """Channel id, and the thread where the incident runs in one. Raises `PortError` before there is any."""
        if incident.channel is None:
            raise PortError("slack", "the incident has no channel yet", retryable=True)
        return incident.channel.id, incident.channel.thread_ts

    async def burning(self, service: Service, asking: Incident) -> set[str]:
        """Versions that are the suspect of another open incident of this service: no target for a rollback."""
        others = await self.dispatcher.find(service=service.name, open_only=True)
        reports = [
            one.triage
            for one in others
            if one.id != asking.id and not one.drill and one.triage is not None
        ]
        return {report.suspect.version for report in reports if report.suspect is not None}

    async def own_deploys(self, service: Service) -> list[DeploySeen]:
        """What the bot deployed by itself on this service, newest first."""
        seen: list[DeploySeen] = []
        for one in await self.dispatcher.find(service=service.name, open_only=False):
            if one.drill:
                continue  # what it decided was never deployed
            for each in one.rounds:
                done = each.action
                if done and done.result == "done" and done.to_release and done.started_at:
                    seen.append(
                        DeploySeen(
                            release=done.to_release,
                            service=service.name,
                            started_at=done.started_at,
                            finished_at=done.finished_at,
                            by=f"<@{done.by}>",
                            source="bot",
                        )
                    )
        return sorted(seen, key=lambda d: d.started_at, reverse=True)


def need_tracker(ctx: EffectContext) -> ErrorTracker:
    if ctx.tracker is None:
        raise NotSetUp(
            "sentry",
            "Sentry is not set up (SENTRY_ORG, SENTRY_AUTH_TOKEN): nothing can be measured",
        )
    return ctx.tracker
