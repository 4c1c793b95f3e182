"""Wires everything: settings → store, clients, performers, workers, listeners, HTTP. What each part does stands in its own file."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bot.clients.deployers import deployer_for
from bot.clients.deployers.command import CommandDeployer
from bot.clients.deployers.github import GitHubDeployer
from bot.clients.deployers.hotfix_merges import HotfixMerges
from bot.clients.discord import Discord
from bot.clients.git.archive import LocalArchive
from bot.clients.git.bisect import LocalBisector
from bot.clients.git.source import LocalGit
from bot.clients.github.archive import Archives, GitHubArchive
from bot.clients.github.client import GitHub
from bot.clients.github.clone import CloneOnGitHub
from bot.clients.github.deployments import GitHubDeployments
from bot.clients.github.reverts import GitHubReverts
from bot.clients.github.source import GitHubSource
from bot.clients.http.client import HttpError
from bot.clients.http.endpoint import HttpEndpoint
from bot.clients.linear.client import Linear
from bot.clients.pagerduty import PagerDuty
from bot.clients.sentry.client import Sentry
from bot.clients.sentry.resolver import SentryIssues
from bot.clients.slack.client import Slack
from bot.clients.slack.people import SlackPeople
from bot.config.catalogue import Catalogue
from bot.config.settings import Settings
from bot.configured_channels import Announced, ChannelCache
from bot.live.editor import Live
from bot.live.rendering import renderer
from bot.outbox.worker import Outbox
from bot.performers import SYSTEMS, performers
from bot.performers.context import EffectContext
from bot.runtime.ack_priority import AckPriority
from bot.runtime.clock_jump import ClockJumps
from bot.runtime.worker import end_if_cancelled
from bot.self_test import check_at_start
from bot.store.deploy_history import Deploys
from bot.store.dispatch_ledger import Dispatches
from bot.store.embedded import embedded
from bot.store.incident_store import Store
from bot.store.incidents import Incidents
from bot.store.memory import RedisMemory
from bot.store.rich_blocks import RichBlocksSetting
from bot.timers.deploy_watch import DeployWatch
from bot.timers.monthly_trends import MonthlyTrends
from bot.timers.scheduler import Clock
from phases.ports.ports import (
    Bisector,
    Deployer,
    ErrorTracker,
    PortError,
    PullRequests,
    Reverts,
    SourceCode,
)
from phases.record.service import Service
from phases.workflow import step

log = logging.getLogger("firebreak")

STATE_BESIDE_REDIS = Path(".firebreak-state")
"""Records of deploys and bisects, where Redis is elsewhere and DATA_DIR is not set."""
ATTEMPT_SECONDS = 2.0
AGAIN_SECONDS = 5.0
"""After a worker failed."""


@dataclass(frozen=True, slots=True)
class Bot:
    """What runs, once it is wired."""

    settings: Settings
    catalogue: Catalogue
    store: Store
    dispatcher: Incidents
    slack: Slack
    me: Identity
    people: SlackPeople
    outbox: Outbox
    clock: Clock
    live: Live
    tracker: ErrorTracker | None
    deploys: Deploys
    memory: RedisMemory
    watch: DeployWatch
    monthly_trends: MonthlyTrends
    deployer_for: Callable[[Service], Deployer | None]
    source_for: Callable[[Service], SourceCode | None]
    pulls_for: Callable[[Service], PullRequests | None]
    deployments: GitHubDeployments | None
    incidents_channel: Callable[[], Awaitable[str | None]]
    look_early: Callable[[], Coroutine[Any, Any, None]]
    """Finds what the settings name before somebody waits for it."""
    ack_priority: AckPriority


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the token says that we are (auth.test)."""

    team: str
    enterprise: str | None
    user: str
    bot: str
    url: str
    """Where people find this workspace."""


def now() -> datetime:
    return datetime.now(UTC)


async def wire(settings: Settings, catalogue: Catalogue, stack: AsyncExitStack) -> Bot:
    """Builds the whole bot; everything that was opened is closed by `stack`. Raises what makes a start impossible."""
    state = settings.data_dir or STATE_BESIDE_REDIS
    url = await _redis_url(settings, stack)
    store = Store.open(url, wait_replicas=settings.redis_wait_replicas)
    stack.push_async_callback(store.close)
    await check_at_start(url, wait_replicas=settings.redis_wait_replicas)
    dispatcher = Incidents(store, step, catalogue)

    taste = RichBlocksSetting(store, settings.slack_rich_blocks)
    slack = Slack(settings.slack_bot_token.get_secret_value(), settings.slack_api_url, taste)
    await slack.start()
    stack.push_async_callback(slack.aclose)
    me = await identify(slack)
    people = SlackPeople(slack, me.team, me.enterprise)

    tracker = linear = discord = pager = resolver = None
    if settings.sentry_on and settings.sentry_org and settings.sentry_auth_token:
        tracker = Sentry(
            settings.sentry_url, settings.sentry_org, settings.sentry_auth_token.get_secret_value()
        )
        stack.push_async_callback(tracker.aclose)
        await _warm(tracker, catalogue)
        if settings.sentry_resolve == "on":
            resolver = SentryIssues(
                settings.sentry_url,
                settings.sentry_org,
                settings.sentry_auth_token.get_secret_value(),
            )
            stack.push_async_callback(resolver.aclose)
    if settings.linear_api_key is not None:
        linear = Linear(settings.linear_api_url, settings.linear_api_key.get_secret_value())
        stack.push_async_callback(linear.aclose)
    if settings.discord_webhook_url is not None:
        bot_token = (
            settings.discord_bot_token.get_secret_value() if settings.discord_bot_token else None
        )
        discord = Discord(settings.discord_webhook_url.get_secret_value(), bot_token)
        stack.push_async_callback(discord.aclose)
    if settings.pagerduty_routing_key is not None:
        pager = PagerDuty(
            settings.pagerduty_events_url, settings.pagerduty_routing_key.get_secret_value()
        )
        stack.push_async_callback(pager.aclose)
    endpoint = HttpEndpoint()
    stack.push_async_callback(endpoint.aclose)
    deployers: dict[str, Deployer] = {"command": CommandDeployer(state / "deploys")}
    hub: GitHubSource | None = None
    reverts: Reverts | None = None
    github: GitHub | None = None
    adrs: GitHubArchive | None = None
    if settings.github_token is not None:
        github = GitHub(settings.github_api_url, settings.github_token.get_secret_value())
        stack.push_async_callback(github.aclose)
        reverts, adrs = GitHubReverts(github), GitHubArchive(github)
        deployers["github"], hub = GitHubDeployer(github, Dispatches(store)), GitHubSource(github)
    git, bisector = LocalGit(), LocalBisector(state / "bisects")
    deployments = GitHubDeployments(github) if github is not None else None
    merges = HotfixMerges(github, git)
    both = CloneOnGitHub(git, hub) if hub is not None else None

    def the_deployer(service: Service) -> Deployer | None:
        return deployer_for(service, deployers)

    def the_source(service: Service) -> SourceCode | None:
        if both is not None and service.checkout and service.repository:
            return both
        return git if service.checkout else hub if service.repository else None

    def the_bisector(service: Service) -> Bisector | None:
        return bisector if service.checkout and service.bisect else None

    memory = RedisMemory(store)
    deploys = Deploys(store, watching=tracker is not None)
    slack.channels.remembers = ChannelCache(store)
    announced = Announced(slack, settings.incidents_channel)
    render = renderer(catalogue, reverts=reverts is not None)
    ack_priority = AckPriority()
    live = Live(store, dispatcher, render, slack, ack_priority=ack_priority)
    clock_jumps = ClockJumps()
    ctx = EffectContext(
        dispatcher=dispatcher,
        slack=slack,
        people=people,
        catalogue=catalogue,
        tracker=tracker,
        deployer_for=the_deployer,
        source_for=the_source,
        bisector_for=the_bisector,
        tickets=linear,
        announcer=discord,
        pager=pager,
        endpoint=endpoint,
        archive=Archives(LocalArchive(), adrs),
        memory=memory,
        claimed=store.owner,
        told_deploys=deploys.known,
        deploy_history=deployments,
        render=render,
        posted=live.posted,
        incidents_channel=announced.channel,
        now=now,
        forward_since=clock_jumps.forward_since,
    )
    return Bot(
        settings=settings,
        catalogue=catalogue,
        store=store,
        dispatcher=dispatcher,
        slack=slack,
        me=me,
        people=people,
        outbox=Outbox(
            store,
            dispatcher,
            performers(ctx, merges, reverts, resolver),
            SYSTEMS,
            url=url,
            alone=settings.redis_url is None,
            ack_priority=ack_priority,
        ),
        clock=Clock(store, dispatcher, clock_jumps=clock_jumps),
        live=live,
        tracker=tracker,
        deploys=deploys,
        memory=memory,
        watch=DeployWatch(deploys, dispatcher, tracker, catalogue, now=now),
        monthly_trends=MonthlyTrends(store, memory, slack, announced.channel, now=now),
        deployer_for=the_deployer,
        source_for=the_source,
        pulls_for=lambda service: hub if service.repository else None,
        deployments=deployments,
        incidents_channel=announced.channel,
        look_early=announced.early,
        ack_priority=ack_priority,
    )


async def _redis_url(settings: Settings, stack: AsyncExitStack) -> str:
    if settings.redis_url is not None:
        return settings.redis_url.get_secret_value()
    assert settings.data_dir is not None  # settings: one of the two is required
    return await stack.enter_async_context(embedded(settings.data_dir))


async def identify(slack: Slack) -> Identity:
    """Asks until Slack answers; a refused token is for the caller to say. Raises `PortError`."""
    while True:
        try:
            answer = await slack.call("auth.test")
        except PortError as error:
            if not error.retryable:
                raise
            mend = error.mend if isinstance(error, HttpError) else ""
            why = f"{error.text} ({mend})" if mend else error.text
            log.warning("%s; trying again in %.0f s", why, ATTEMPT_SECONDS)
            await asyncio.sleep(error.retry_after or ATTEMPT_SECONDS)
        else:
            return Identity(
                answer["team_id"],
                answer.get("enterprise_id"),
                answer["user_id"],
                answer.get("bot_id", ""),
                answer.get("url", ""),
            )


async def _warm(tracker: Sentry, catalogue: Catalogue) -> None:
    """Looks up what a first triage would have to; a Sentry that is away at the start is met again at triage."""
    try:
        async with asyncio.timeout(ATTEMPT_SECONDS):
            await tracker.warm(catalogue.all())
    except (PortError, TimeoutError) as error:
        log.warning(
            "Sentry: %s", error.text if isinstance(error, PortError) else "no answer at the start"
        )


async def workers(bot: Bot) -> None:
    """Outbox, clock, live messages, the watch after deploys and the look back, until cancelled."""
    async with asyncio.TaskGroup() as group:
        group.create_task(lasting("outbox", bot.outbox.run), name="outbox")
        group.create_task(lasting("clock", bot.clock.run), name="clock")
        group.create_task(lasting("live messages", bot.live.run), name="live")
        group.create_task(lasting("watch", bot.watch.run), name="watch")
        group.create_task(lasting("looking back", bot.monthly_trends.run), name="looking back")
        group.create_task(lasting("looking for channels", bot.look_early), name="channels")


async def lasting(name: str, run: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """A worker that fails in a way nobody thought of begins again: what it does stands in Redis, and would fail the next process as well.

    Ended, it would take clicks and the other workers with it, at every start anew.
    """
    while True:
        try:
            # A task of its own: before Python 3.13 a `TaskGroup` that fails leaves the task around it marked as cancelled.
            await asyncio.create_task(run(), name=name)
            return
        except Exception as error:  # noqa: BLE001  said, and begun again
            end_if_cancelled()
            frames = (
                frame for one in _all(error) for frame in traceback.format_tb(one.__traceback__)
            )
            kinds = ", ".join(type(one).__name__ for one in _all(error))
            log.critical("%s failed with %s; it begins again\n%s", name, kinds, "".join(frames))
        await asyncio.sleep(AGAIN_SECONDS)


def _all(error: Exception) -> list[Exception]:
    """What is in a group of a `TaskGroup`, or the one."""
    return (
        [e for one in error.exceptions for e in _all(one)]
        if isinstance(error, ExceptionGroup)
        else [error]
    )
