"""The composition root: settings become stores, clients, one context for them, and workers."""

import asyncio
import dataclasses
import json
import logging
import traceback
from collections.abc import Callable, Coroutine, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, Self, TypeVar

from pydantic import SecretStr

from bot.clients.deployers import deployer_for
from bot.clients.deployers.command import CommandDeployer
from bot.clients.deployers.github import GitHubDeployer
from bot.clients.deployers.hotfix_merges import HotfixMerges
from bot.clients.deployers.turn_off import CommandSwitch
from bot.clients.discord import Discord
from bot.clients.git.archive import LocalArchive
from bot.clients.git.bisect import LocalBisector
from bot.clients.git.source import LocalGit
from bot.clients.github.archive import GitHubArchive
from bot.clients.github.client import GitHub
from bot.clients.github.clone import CloneOnGitHub
from bot.clients.github.deployments import GitHubDeployments
from bot.clients.github.reverts import GitHubReverts
from bot.clients.github.source import GitHubSource
from bot.clients.http.endpoint import HttpEndpoint
from bot.clients.http.errors import HttpError
from bot.clients.linear.client import Linear
from bot.clients.pagerduty import PagerDuty
from bot.clients.sentry.client import Sentry
from bot.clients.sentry.resolver import SentryIssues
from bot.clients.slack.channel_members import ChannelMembers
from bot.clients.slack.client import Slack
from bot.clients.slack.people import SlackPeople
from bot.config.catalogue import Catalogue
from bot.config.settings import Settings
from bot.configured_channels import Announced, ChannelCache
from bot.connection.embedded import embedded
from bot.live.editor import Live
from bot.live.rendering import renderer
from bot.outbox.turns import SystemTurns
from bot.outbox.worker import Outbox
from bot.performers.context import EffectContext, registered
from bot.runtime.clock_jump import ClockJumps
from bot.runtime.worker import WorkerEntry, end_if_cancelled
from bot.self_test import check_at_start
from bot.store.changes import Changes
from bot.store.deploy_history import Deploys
from bot.store.dispatch_ledger import Dispatches
from bot.store.drafts import RedisDrafts
from bot.store.expiring_keys import ExpiringKeys
from bot.store.home_viewers import StoreViewers
from bot.store.incident_store import Store
from bot.store.incidents import Incidents
from bot.store.past_incidents import RedisMemory
from bot.store.rich_blocks import RichBlocksSetting
from bot.timers.deploy_watch import DeployWatch
from bot.timers.monthly_trends import MonthlyTrends
from bot.timers.scheduler import Clock
from handlers.events.app_home import Homes
from handlers.slack.context import Identity
from phases.messages.effects import KINDS
from phases.ports.coordination import Archive
from phases.ports.ports import (
    Deployer,
    NotSetUp,
    PortError,
    PullRequests,
    SourceCode,
)
from phases.record.service import Service
from phases.workflow import step

log = logging.getLogger("firebreak")

STATE_BESIDE_REDIS = Path(".firebreak-state")
"""Records of deploys and bisects, where Redis is elsewhere and DATA_DIR is not set."""
ATTEMPT_SECONDS = 2.0
AGAIN_SECONDS = 5.0
"""Between the failure of a worker and its next start."""


@dataclass(frozen=True, slots=True)
class Start:
    """Facts that one process found out when it began, so that the other need not ask."""

    redis_url: str
    me: Identity

    def to_line(self) -> str:
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_line(cls, line: str) -> Self:
        fields = json.loads(line)
        return cls(fields["redis_url"], Identity(**fields["me"]))


@dataclass(frozen=True, slots=True)
class Bot:
    """Everything that runs, once it is wired."""

    settings: Settings
    context: EffectContext
    store: Store
    outbox: Outbox
    clock: Clock
    live: Live
    workers: tuple[WorkerEntry, ...]
    start: Start


def now() -> datetime:
    return datetime.now(UTC)


async def wire(
    settings: Settings, catalogue: Catalogue, stack: AsyncExitStack, start: Start | None = None
) -> Bot:
    """Build the whole bot. `stack` closes everything that was opened.

    Without a `start` Redis is tried out, and Slack is asked who we are. Raises what makes a start
    impossible.
    """
    process = await _process(settings, stack, start)
    store = process.store
    rich_support = RichBlocksSetting(store, settings.slack_rich_blocks)
    slack = await _slack(settings, stack, rich_support)
    me = await _check_and_identify(process, slack) if start is None else start.me
    slack.channels.remembers = ChannelCache(store)
    announced = Announced(slack, settings.incidents_channel)
    outside = Outside.of(settings, stack)
    code = Code(outside.github, store, settings.data_dir or STATE_BESIDE_REDIS)
    dispatcher = Incidents(store, step, catalogue)
    render = renderer(catalogue, reverts=code.reverts is not None)
    live = Live(store, render, slack, dispatcher)
    context = EffectContext(
        dispatcher=dispatcher,
        catalogue=catalogue,
        people=SlackPeople(slack, me.team, me.enterprise),
        client=slack.web,
        me=me,
        source_for=code.source_for,
        deployer_for=code.deployer_for,
        pulls_for=code.pulls_for,
        bisector_for=code.bisector_for,
        merges=code.merges,
        reverts=code.reverts,
        archive_for=code.archive_for,
        deployments=code.deployments,
        tracker=outside.tracker,
        resolver=outside.resolver,
        tickets=outside.tickets,
        announcer=outside.announcer,
        pager=outside.pager,
        endpoint=outside.endpoint,
        once=ExpiringKeys(store),
        deploys=Deploys(store, watching=outside.tracker is not None),
        changes=Changes(store),
        switch=code.switch,
        flags=outside.tracker.flags if outside.tracker is not None else None,
        drafts=RedisDrafts(store),
        viewers=StoreViewers(store),
        memory=RedisMemory(store),
        members=ChannelMembers(slack),
        watched=frozenset(settings.watched),
        rich_support=rich_support,
        now=now,
        slack=slack,
        render=render,
        posted=live.posted,
        incidents_channel=announced.channel,
        redis_now=store.server_now,
        clock_doubt=process.clock_jumps.doubt_since,
    )
    return _bot(process, context, live, announced)


@dataclass(frozen=True, slots=True)
class Process:
    """The base of everything else: settings, Redis, and the clock of this process."""

    settings: Settings
    url: str
    store: Store
    clock_jumps: ClockJumps


async def _slack(settings: Settings, stack: AsyncExitStack, rich: RichBlocksSetting) -> Slack:
    slack = Slack(settings.slack_bot_token.get_secret_value(), settings.slack_api_url, rich)
    await slack.start()
    stack.push_async_callback(slack.aclose)
    return slack


async def _process(settings: Settings, stack: AsyncExitStack, start: Start | None) -> Process:
    url = await _redis_url(settings, stack) if start is None else start.redis_url
    store = Store.open(url, wait_replicas=settings.redis_wait_replicas)
    stack.push_async_callback(store.close)
    return Process(settings, url, store, ClockJumps())


def _bot(process: Process, context: EffectContext, live: Live, announced: Announced) -> Bot:
    """Build what runs beside requests."""
    settings, store, dispatcher = process.settings, process.store, context.dispatcher
    outbox = Outbox(
        store,
        dispatcher,
        registered(context),
        SystemTurns({kind: effect.system for kind, effect in KINDS.items()}),
        url=process.url,
        alone=settings.redis_url is None,
    )
    clock = Clock(store, dispatcher, clock_jumps=process.clock_jumps)
    watch = DeployWatch(context.deploys, dispatcher, context.tracker, context.catalogue, now=now)
    monthly_trends = MonthlyTrends(store, context.memory, context.slack, announced.channel, now=now)
    return Bot(
        settings=settings,
        context=context,
        store=store,
        outbox=outbox,
        clock=clock,
        live=live,
        workers=(
            WorkerEntry("outbox", outbox.run, lambda: outbox.running),
            WorkerEntry("clock", clock.run, lambda: clock.running),
            WorkerEntry("live", live.run, lambda: live.running),
            WorkerEntry("watch", watch.run, lambda: watch.running),
            WorkerEntry("app home", Homes(context).run),
            WorkerEntry("monthly trends", monthly_trends.run),
            WorkerEntry("looking for channels", announced.early),
        ),
        start=Start(process.url, context.me),
    )


class Closing(Protocol):
    async def aclose(self) -> None: ...


C = TypeVar("C", bound=Closing)


@dataclass(frozen=True, slots=True)
class Outside:
    """The clients of outside systems; None: not set up."""

    tracker: Sentry | None
    resolver: SentryIssues | None
    tickets: Linear | None
    announcer: Discord | None
    pager: PagerDuty | None
    github: GitHub | None
    endpoint: HttpEndpoint

    @classmethod
    def of(cls, settings: Settings, stack: AsyncExitStack) -> Self:
        def opened(client: C) -> C:
            stack.push_async_callback(client.aclose)
            return client

        def secret(value: SecretStr | None) -> str | None:
            return value.get_secret_value() if value is not None else None

        tracker = resolver = None
        token = secret(settings.sentry_auth_token)
        if settings.sentry_on and settings.sentry_org and token:
            tracker = opened(Sentry(settings.sentry_url, settings.sentry_org, token))
            if settings.sentry_resolve == "on":
                resolver = tracker.issues()
        linear, pager = secret(settings.linear_api_key), secret(settings.pagerduty_routing_key)
        discord, github = secret(settings.discord_webhook_url), secret(settings.github_token)
        discord_bot = secret(settings.discord_bot_token)
        return cls(
            tracker=tracker,
            resolver=resolver,
            tickets=opened(Linear(settings.linear_api_url, linear)) if linear else None,
            announcer=opened(Discord(discord, discord_bot)) if discord else None,
            pager=opened(PagerDuty(settings.pagerduty_events_url, pager)) if pager else None,
            github=opened(GitHub(settings.github_api_url, github)) if github else None,
            endpoint=opened(HttpEndpoint()),
        )


class Code:
    """A service's source, deploys and post-mortems: by a local clone, by GitHub, or by both."""

    def __init__(self, github: GitHub | None, store: Store, state: Path) -> None:
        self._hub = GitHubSource(github) if github is not None else None
        self._git = CloneOnGitHub(self._hub) if self._hub is not None else LocalGit()
        self._bisector = LocalBisector(state / "bisects", self._git.clones)
        self._deployers: dict[str, Deployer] = {"command": CommandDeployer(state / "deploys")}
        self.switch = CommandSwitch(state / "deploys")
        self.deployments: GitHubDeployments | None = None
        if github is not None:
            deployer = GitHubDeployer(github, Dispatches(store))
            self._deployers["github"], self.deployments = deployer, deployer.deployments
        self.reverts = GitHubReverts(github) if github is not None else None
        self.merges = HotfixMerges(github, self._git)
        self._local_archive = LocalArchive()
        self._github_archive = GitHubArchive(github) if github is not None else None

    def deployer_for(self, service: Service) -> Deployer | None:
        return deployer_for(service, self._deployers)

    def source_for(self, service: Service) -> SourceCode | None:
        return self._git if service.checkout else self._hub if service.repository else None

    def bisector_for(self, service: Service) -> LocalBisector | None:
        return self._bisector if service.checkout and service.bisect else None

    def pulls_for(self, service: Service) -> PullRequests | None:
        return self._hub if service.repository else None

    def archive_for(self, service: Service) -> Archive:
        """Return where its post-mortems go: a directory or a repository. Raises `NotSetUp`."""
        if service.adr is None or service.adr.repository is None:
            return self._local_archive
        if self._github_archive is None:
            text = "go to a pull request, and GITHUB_TOKEN is not set"
            raise NotSetUp("GitHub", f"post-mortems of {service.name} {text}")
        return self._github_archive


async def _redis_url(settings: Settings, stack: AsyncExitStack) -> str:
    if settings.redis_url is not None:
        return settings.redis_url.get_secret_value()
    assert settings.data_dir is not None  # settings: one of the two is required
    return await stack.enter_async_context(embedded(settings.data_dir))


async def _check_and_identify(process: Process, slack: Slack) -> Identity:
    """Try out Redis and ask Slack who we are, side by side.

    Raises what makes a start impossible.
    """
    replicas = process.settings.redis_wait_replicas
    trying = asyncio.create_task(check_at_start(process.url, wait_replicas=replicas))
    asking = asyncio.create_task(identify(slack))
    try:
        _, me = await asyncio.gather(trying, asking)
    finally:
        for task in (trying, asking):
            task.cancel()
        await asyncio.gather(trying, asking, return_exceptions=True)
    return me


async def identify(slack: Slack) -> Identity:
    """Ask until Slack answers. Raises `PortError` where it refuses the token."""
    while True:
        try:
            answer = await slack.call("auth.test")
        except PortError as error:
            if not error.retryable:
                raise
            mend = error.mend if isinstance(error, HttpError) else ""
            reason = f"{error.text} ({mend})" if mend else error.text
            log.warning("%s; trying again in %.0f s", reason, ATTEMPT_SECONDS)
            await asyncio.sleep(error.retry_after or ATTEMPT_SECONDS)
        else:
            return Identity(
                answer["team_id"],
                answer.get("enterprise_id"),
                answer["user_id"],
                answer.get("bot_id", ""),
                answer.get("url", ""),
            )


async def warm(bot: Bot) -> None:
    """Look up what a first triage needs. A Sentry that is away now is asked again then."""
    if not isinstance(tracker := bot.context.tracker, Sentry):
        return
    try:
        async with asyncio.timeout(ATTEMPT_SECONDS):
            await tracker.warm(bot.context.catalogue.all())
    except (PortError, TimeoutError) as error:
        log.warning(
            "Sentry: %s", error.text if isinstance(error, PortError) else "no answer at the start"
        )


async def work(workers: Iterable[WorkerEntry]) -> None:
    """Run the workers until cancelled."""
    async with asyncio.TaskGroup() as group:
        for worker in workers:
            group.create_task(run_forever(worker.name, worker.run), name=worker.name)


async def run_forever(name: str, run: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a worker, and begin again when it fails in a way that nobody expected.

    Its work stands in Redis, and would fail the next process as well. If it ended, it would end
    the clicks and the other workers with it, at every start anew.
    """
    while True:
        try:
            # A task of its own: before Python 3.13 a `TaskGroup` that fails leaves the task around
            # it marked as cancelled.
            await asyncio.create_task(run(), name=name)
            return
        except Exception as error:  # noqa: BLE001  logged, and begun again
            end_if_cancelled()
            errors = _flattened(error)
            kinds = ", ".join(type(leaf).__name__ for leaf in errors)
            frames = "".join(
                frame for leaf in errors for frame in traceback.format_tb(leaf.__traceback__)
            )
            log.critical("%s failed with %s; it begins again\n%s", name, kinds, frames)
        await asyncio.sleep(AGAIN_SECONDS)


def _flattened(error: Exception) -> list[Exception]:
    """Return the errors in the group of a `TaskGroup`, or the error itself."""
    if isinstance(error, ExceptionGroup):
        return [leaf for inner in error.exceptions for leaf in _flattened(inner)]
    return [error]
