"""The context of performers, with every store and client, and their register."""

import re
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from bot.clients.deployers.hotfix_merges import HotfixMerges
from bot.clients.deployers.turn_off import CommandSwitch
from bot.clients.discord import Discord
from bot.clients.git.bisect import LocalBisector
from bot.clients.github.deployments import GitHubDeployments
from bot.clients.github.reverts import GitHubReverts
from bot.clients.linear.client import Linear
from bot.clients.pagerduty import PagerDuty
from bot.clients.sentry.resolver import SentryIssues
from bot.clients.slack.client import MessageKey, Slack
from bot.clients.slack.errors import SlackRefused
from bot.clients.slack.people import SlackPeople
from bot.store.changes import Changes
from bot.store.deploy_history import Deploys
from bot.store.job import Job, Performer
from bot.store.past_incidents import RedisMemory
from handlers.slack.context import Context
from handlers.views.blocks import Message
from phases.messages.base import Action, Effect
from phases.messages.results import ChannelArchived, EffectDone
from phases.ports.coordination import Archive
from phases.ports.ports import Endpoint, ErrorTracker, FlagLog, NotSetUp, PortError
from phases.record.incident import Entry, Incident
from phases.record.service import Service
from phases.shared.rounds import decision_name

PATIENCE_SECONDS = 10.0
"""What people wait for is not put off for longer than this: they are told at once."""
PEOPLE = re.compile(r'<@([UW][A-Z0-9]{2,})>|"(?:by|lead|declared_by)":"([UW][A-Z0-9]{2,})"')
"""People in a record's JSON: mentioned in a text, or the author of something."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectContext(Context):
    """The context of the handlers, and what only effects need."""

    people: SlackPeople
    deploys: Deploys
    changes: Changes
    memory: RedisMemory
    deployments: GitHubDeployments | None = None
    slack: Slack
    switch: CommandSwitch
    """Runs the catalogue's `turn_off`."""
    flags: FlagLog | None = None
    """Sentry's log of flag changes; None where Sentry is not set up."""
    bisector_for: Callable[[Service], LocalBisector | None]
    tickets: Linear | None
    announcer: Discord | None
    pager: PagerDuty | None
    endpoint: Endpoint
    archive_for: Callable[[Service], Archive]
    """Returns where the post-mortems of a service go. Raises `NotSetUp`."""
    merges: HotfixMerges
    reverts: GitHubReverts | None
    resolver: SentryIssues | None
    """Sets Sentry's issues to resolved; None where that is switched off."""
    render: Callable[[str, Incident, datetime], Awaitable[Message]]
    """Renders a live message by its name, from the newest state."""
    posted: Callable[[str, str, Message | None], Awaitable[None]]
    """Hears of a live message's first post, so that the same text is not sent again as an edit.

    None where an earlier try may have posted it: what it shows is not known.
    """
    redis_now: Callable[[], Awaitable[datetime]]
    """Returns the time by the clock of Redis, which effects are committed by; ours may differ."""
    clock_doubt: Callable[[datetime], str]
    """Says why the time since that moment is not known (bot/runtime/clock_jump.py). "": it is."""

    async def incident(self, job: Job) -> Incident:
        """Return the newest state. Raises `PortError` when the record is gone: the effect ends."""
        return _existing(job, await self.dispatcher.load(job.incident))

    async def recent(self, job: Job) -> Incident:
        """Return the state that the effect was wanted in, or a newer one. Raises as `incident`.

        For effects that tell something: effects of one commit begin together, and need not each
        ask Redis.
        """
        version = int(job.effect_id.split(".")[1])
        return _existing(job, await self.dispatcher.recent(job.incident, version))

    def neighbours(self, service: Service) -> Sequence[Service]:
        known = map(self.catalogue.get, service.depends_on)
        return [neighbour for neighbour in known if neighbour is not None]

    async def post(
        self,
        job: Job,
        incident: Incident,
        message: Message,
        channel: str,
        thread: str | None = None,
    ) -> str:
        """Post what an effect says, once over all its tries. Return the message's `ts`."""
        key = self._key(job, incident, channel, thread)
        return await self.post_once(incident, channel, message, key, thread)

    async def post_once(
        self,
        incident: Incident,
        channel: str,
        message: Message,
        key: MessageKey,
        thread: str | None,
    ) -> str:
        """Post a message. Return its `ts`.

        Where the incident's channel is archived and nobody heard of it (the bot was away, or the
        app's manifest is an older one), the incident hears of it now; another try then finds the
        channel that takes its place.
        """
        try:
            return await self.slack.post(channel, message, key, thread)
        except SlackRefused as refused:
            if refused.error != "is_archived":
                raise
            await self.dispatcher.dispatch(ChannelArchived(channel=channel), incident.id)
            own = incident.own_channel
            again = incident.open and own is not None and own.id == channel
            raise PortError("slack", refused.text, retryable=again) from refused

    async def find_posted(self, job: Job, incident: Incident, channel: str) -> str | None:
        """Return the `ts` of what an earlier try of an effect has posted; None where none did."""
        return await self.slack.posted(channel, self._key(job, incident, channel, None))

    def _key(self, job: Job, incident: Incident, channel: str, thread: str | None) -> MessageKey:
        since = incident.declared_at if job.wanted_as else job.created
        return MessageKey(
            job.incident,
            job.key,
            since,
            maybe_posted=job.maybe_done,
            threads=other_threads(incident, channel, thread),
        )

    async def owners(self, incident: Incident) -> tuple[tuple[str, ...], str]:
        """Return the owners that a message mentions, and why there are none.

        Such a message is posted all the same. Raises `PortError` while Slack is away.
        """
        try:
            return tuple(await self.people.owners(self.service(incident))), ""
        except PortError as error:
            if error.retryable:
                raise
            return (), f" (No owner is mentioned: {error.text}.)"

    async def has_left(self, person: str) -> bool:
        """Return whether an account is deactivated; where Slack cannot say, it is not."""
        try:
            return (await self.people.person(person, None)).left
        except PortError:
            return False

    async def names(self, incident: Incident, entries: Sequence[Entry] = ()) -> dict[str, str]:
        """Return the display names of the people who acted, for texts outside Slack."""
        texts = " ".join((incident.model_dump_json(), *(e.model_dump_json() for e in entries)))
        ids = {mention or author for mention, author in PEOPLE.findall(texts)}
        return {person: await self.people.name(person) for person in sorted(ids)}

    def channel(self, incident: Incident) -> tuple[str, str | None]:
        """Return the channel's id, and the thread where the incident runs in one.

        Raises `PortError` before there is a channel.
        """
        if incident.channel is None:
            raise PortError("slack", "the incident has no channel yet", retryable=True)
        return incident.channel.id, incident.channel.thread_ts


def other_threads(incident: Incident, channel: str, thread: str | None) -> tuple[str | None, ...]:
    """Return where an earlier try may have posted what goes to the thread of a decision.

    A newer decision may be there since; before the first one it went to the channel itself.
    """
    here = incident.channel
    if thread is None or here is None or here.id != channel or here.thread_ts is not None:
        return ()
    names = (decision_name(asked.number) for asked in reversed(incident.rounds))
    return (*(known.ts for name in names if (known := incident.messages.get(name))), None)


def _existing(job: Job, incident: Incident | None) -> Incident:
    if incident is None:
        raise PortError("redis", f"{job.incident} is not in the store any more")
    return incident


E = TypeVar("E", bound=Effect)
A = TypeVar("A", bound=Action)
Function = Callable[[E, Job, EffectContext], Coroutine[Any, Any, A | None]]
"""A performer as it is written; None: the effect is done, and nothing came out of it."""
_functions: dict[type[Effect], Callable[[Any, Job, EffectContext], Awaitable[Action | None]]] = {}


def performs(kind: type[E]) -> Callable[[Function[E, A]], Function[E, A]]:
    """Register a function as the one that performs this kind of effect."""

    def register(function: Function[E, A]) -> Function[E, A]:
        _functions[kind] = function
        return function

    return register


def registered(context: EffectContext) -> dict[str, Performer]:
    """Return every registered performer by the `type` of its effect."""

    def bound(kind: type[Effect]) -> Performer:
        async def perform(effect: Effect, job: Job) -> Action:
            result = await _functions[kind](effect, job, context)
            return result if result is not None else EffectDone(kind=effect.type)

        return perform

    return {kind.model_fields["type"].default: bound(kind) for kind in _functions}


def helps_soon(error: PortError, job: Job, tries: int) -> bool:
    """Return whether another of so many tries may help while people wait."""
    soon = (error.retry_after or 0) <= PATIENCE_SECONDS
    return error.retryable and soon and job.attempt < tries


def need_tracker(context: EffectContext) -> ErrorTracker:
    if context.tracker is None:
        raise NotSetUp(
            "sentry",
            "Sentry is not set up (SENTRY_ORG, SENTRY_AUTH_TOKEN): nothing can be measured",
        )
    return context.tracker
