"""The world as the panel beside the workspace shows it, and the levers that move it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal

from sandbox.alarms_of_others import BY_KEY as SENDERS_BY_KEY
from sandbox.alarms_of_others import SENDERS, AlarmsOfOthers
from sandbox.discord import Discord, Post
from sandbox.linear.state import Linear
from sandbox.page import github_view, linear_view, shop_view
from sandbox.page.faults_panel import KEYS, PLAIN, FaultSwitches
from sandbox.page.model import Lever, Panel, Row, Tone
from sandbox.pagerduty import PagerDuty, PagerEvent
from sandbox.process import SupervisedProcess
from sandbox.sentry.alerts import Alerts
from sandbox.sentry.models import Issue
from sandbox.sentry.shapes import users
from sandbox.sentry.state import Sentry
from sandbox.shop import old_tabs
from sandbox.shop.shop import Shop
from sandbox.slack.to_app.delivery import Delivered, Delivery
from sandbox.traps import BY_KEY as TRAPS_BY_KEY
from sandbox.traps import TRAPS, Traps

CHART_SECONDS = 600
CHART_STEP = 2
SMOOTH_SECONDS = 10
"""A rate is the number of events in so many seconds, times six."""
FAILING_RATE = 8.0
"""Errors a minute from which the panel calls production failing."""
OTHERS = ("ci", "start")
"""Names under which others than the bot deploy."""
ISSUES = 12
AWAY = 0.8
"""The share of their pages that people leave for later, where that lever is on."""
LOUD_EVENTS = 5
"""Events in the last minute from which an issue is marked as burning."""
BREAKS = (
    Lever(
        "everything",
        "Ship a release that breaks everything",
        "All pages, all customers → roll back",
    ),
    Lever(
        "one-feature",
        "Ship a release that breaks one feature",
        "The till, all customers → investigate first",
    ),
    Lever("bad-data", "Corrupt one customer’s data", "One cart, no release → investigate"),
    Lever(
        "bad-flag",
        "Turn on a flag that breaks every page",
        "Most customers, no release → turn it off",
    ),
)


@dataclass(frozen=True, slots=True)
class WorldParts:
    """The parts of the world that the panel reads and moves. Times are in seconds."""

    sentry: Sentry
    alerts: Alerts
    alarms_of_others: AlarmsOfOthers
    traps: Traps
    linear: Linear
    discord: Discord
    pagerduty: PagerDuty
    shop: Shop | None
    bot: SupervisedProcess
    delivery: Delivery
    recheck_after: int
    window: int


class WorldPanel:
    """Reads the world's parts each time it is asked."""

    def __init__(self, world: WorldParts, switches: FaultSwitches) -> None:
        self._world = world
        self._switches = switches
        self._ever_broken = False
        self._began = world.sentry.clock()

    # Reading

    def panel(self) -> Panel:
        world, bot = self._world, self._world.bot
        return Panel(
            health=self._health(),
            bot="restarting" if bot.state == "starting" else bot.state,
            bot_note=f"came back {bot.restarts}×" if bot.restarts else "",
            traps=[Lever(trap.key, trap.label, trap.about) for trap in TRAPS],
            senders=[Lever(sender.key, sender.name, sender.about) for sender in SENDERS],
            ringing=world.alarms_of_others.ringing,
            faults=self._switches.on,
            switches=list(PLAIN),
            odd=self._switches.odd(),
            odd_acts=self._switches.acts(),
            issues=self._issues(),
            tickets=linear_view.tickets(world.linear),
            discord=[_discord_post(post) for post in reversed(world.discord.posts)],
            pages=[_page(event) for event in reversed(world.pagerduty.events)],
            steps_done=self._steps_done(),
            shortened=self._shortened(),
            **(_of_shop(world.shop) if world.shop else {}),
        )

    def rate(self) -> list[tuple[float, float]]:
        """Return (seconds since 1970, errors a minute) every two seconds, oldest first."""
        now = self._world.sentry.clock()
        end = int(now) // CHART_STEP * CHART_STEP
        span = min(CHART_SECONDS, max(120, int(now - self._began)))
        begin = end - span // CHART_STEP * CHART_STEP
        steps = SMOOTH_SECONDS // CHART_STEP
        points = (end - begin) // CHART_STEP + 1
        counts = [0] * (points + steps)
        first = begin - SMOOTH_SECONDS
        for event in self._world.sentry.window(first, now):
            index = int((event.timestamp - first) // CHART_STEP)
            if event.level in ("error", "fatal") and index < len(counts):
                counts[index] += 1
        rates = [sum(counts[n : n + steps]) * 60 / SMOOTH_SECONDS for n in range(points)]
        return [(float(begin + n * CHART_STEP), rate) for n, rate in enumerate(rates)]

    def marks(self) -> list[tuple[float, str]]:
        """Return the deploys of the chart, oldest first."""
        shop, since = self._world.shop, self._world.sentry.clock() - CHART_SECONDS
        deploys = reversed(shop_view.deploys(shop)) if shop else ()
        return [(row.at, row.title) for row in deploys if row.at and row.at > since]

    def log(self) -> str:
        return self._world.bot.tail(400)

    # Levers

    async def act(self, verb: str, on: bool) -> str | None:
        """Move a lever. Return what to tell the person if it did not work."""
        what, _, detail = verb.partition(":")
        if what == "fault" and detail in KEYS:
            return await self._switches.switch(detail, on)
        if what == "socket":
            return await self._switches.socket(detail)
        if what == "trap" and detail in TRAPS_BY_KEY:
            self._world.alerts.forget()
            self._world.traps.let_loose(detail)
            return None
        if what == "alarm" and detail in SENDERS_BY_KEY:
            return await self._ring(detail, on)
        if what == "kill-bot":
            return None if self._world.bot.kill() else "The bot does not run."
        if what == "linear":
            return linear_view.act(self._world.linear, detail)
        if self._world.shop is None:
            return "There is no shop in this world."
        return await self._act_on_shop(self._world.shop, verb, on)

    async def _ring(self, sender: str, on: bool) -> str | None:
        alarms = self._world.alarms_of_others
        if not on and sender not in alarms.ringing:
            return None
        answer = await (alarms.ring(sender) if on else alarms.ring_off(sender))
        return None if answer == 200 else f"The bot has not taken it ({answer or 'no answer'})."

    async def _act_on_shop(self, shop: Shop, verb: str, on: bool) -> str | None:
        what, _, detail = verb.partition(":")
        if what.startswith("pull-"):
            async with shop.github.working():
                return github_view.act(shop.github, what.removeprefix("pull-"), detail)
        if verb == "next-deploy-fails":
            shop.next_deploy("fail" if on else "")
            return None
        if verb == "people-away":
            shop.traffic.away = AWAY if on else 0.0
            return None
        if verb == "old-tabs":
            return None if old_tabs.report(shop.sentry) else "No release was taken back yet."
        levers: dict[str, Callable[[], Awaitable[Any]]] = {
            "break:everything": shop.break_everything,
            "break:one-feature": shop.break_one_feature,
            "break:bad-flag": shop.turn_on_bad_flag,
            "break:bad-data": shop.break_bad_data,
            "repair": shop.repair_data,
        }
        if verb not in levers:
            return f"There is no lever {verb}."
        if what == "break":
            self._ever_broken = True
            self._world.alerts.forget()
        try:
            done = await levers[verb]()
        except RuntimeError as failed:
            return str(failed)
        return "No customer's data is broken." if verb == "repair" and not done else None

    # Parts

    def _health(self) -> Literal["healthy", "failing", "deploying", "off"]:
        if self._world.shop is None:
            return "off"
        if self._world.shop.deploying():
            return "deploying"
        return "failing" if self.rate()[-1][1] >= FAILING_RATE else "healthy"

    def _issues(self) -> list[Row]:
        """Return issues of Sentry, last seen first."""
        sentry = self._world.sentry
        newest_first = sorted(sentry.issues.values(), key=lambda issue: -issue.last_seen)
        return [_issue(issue, sentry.last_minute(issue)) for issue in newest_first[:ISSUES]]

    def _steps_done(self) -> frozenset[int]:
        """Return the numbers of the first steps that somebody has taken."""
        shop = self._world.shop
        done = {1} if self._ever_broken else set[int]()
        log = shop.deploy_log() if shop else []
        deployed = any(
            entry["who"] not in OTHERS and entry["result"] == "succeeded" for entry in log
        )
        if deployed or any(map(_is_decision, self._world.delivery.log)):
            done |= {1, 2}
        if shop and shop_view.documents(shop):
            done |= {1, 2, 3}
        return frozenset(done)

    def _shortened(self) -> str:
        after, window = self._world.recheck_after, self._world.window
        if (after, window) == (300, 900):
            return "Re-checks and window are as in production here: 5 and 10 minutes, 15 minutes."
        return (
            f"Shortened here: Firebreak looks at the last {window} s of Sentry, checks again "
            f"{after} and {after * 2} s after an action, and looks whether it is back "
            f"{after * 3}, {after * 6} and {after * 12} s after recovery. In production that "
            "is 15 minutes; 5 and 10 minutes; 15, 30 and 60 minutes."
        )


def _of_shop(shop: Shop) -> dict[str, Any]:
    """Return the fields of a `Panel` that show the shop."""
    running = shop_view.running(shop)
    return {
        "release": shop_view.short(running["to"]) if running else "",
        "released_at": shop_view.seconds(running["finished"]) if running else None,
        "breaks": list(BREAKS),
        "broken": shop_view.broken_kinds(shop),
        "fixes": shop_view.fixes(shop),
        "next_deploy_fails": (shop.run / "next-deploy").exists(),
        "people_away": shop.traffic.away > 0,
        "deploys": shop_view.deploys(shop),
        "pulls": github_view.pulls(shop.github),
        "deployments": github_view.deployments(shop.github),
        "documents": shop_view.documents(shop),
    }


def _issue(issue: Issue, last_minute: int) -> Row:
    fields = [
        ("last minute", f"{last_minute:,}"),
        ("in all", f"{issue.times_seen:,}"),
        ("users", f"{users(issue.events):,}"),
        ("since", issue.first_release or "?"),
    ]
    tone: Tone = "quiet"
    if issue.status != "unresolved":
        fields.append(("", issue.status))
        tone = "good" if issue.status == "resolved" else "quiet"
    elif last_minute >= LOUD_EVENTS:
        tone = "bad"
    return Row(issue.title, issue.culprit, issue.short_id, tone, issue.last_seen, fields=fields)


def _discord_post(post: Post) -> Row:
    return Row(
        post.author,
        f"edited {post.edits}×" if post.edits else "",
        "pinned" if post.pinned else "post",
        at=(post.edited_at or post.at).timestamp(),
        body=post.content,
    )


def _page(event: PagerEvent) -> Row:
    return Row(
        event.summary,
        f"sent {event.times}×, one page" if event.times > 1 else "",
        f"{event.severity}, {event.state}",
        "bad",
        event.at.timestamp(),
    )


def _is_decision(delivered: Delivered) -> bool:
    """A choice that the deploy log does not show."""
    body = delivered.body
    if body.get("type") == "view_submission":
        return body["view"]["callback_id"] == "incident.fixed"
    actions = body.get("actions", [])
    decided = ("decision.investigate", "decision.turn_off")
    return any(action.get("action_id") in decided for action in actions)
