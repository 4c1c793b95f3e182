"""The world as the panel beside the workspace shows it, and the levers that move it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sandbox.discord import Discord
from sandbox.linear.rules import LinearError
from sandbox.linear.state import Issue, Linear
from sandbox.page import github_view
from sandbox.page.faults_panel import KEYS, PLAIN, FaultSwitches
from sandbox.page.model import Break, Document, Panel, Row, Ticket
from sandbox.pagerduty import PagerDuty
from sandbox.process import KeptProcess
from sandbox.sentry.alerts import Alerts
from sandbox.sentry.models import Issue as SentryIssue
from sandbox.sentry.shapes import users
from sandbox.sentry.state import Sentry
from sandbox.shop.shop import Shop
from sandbox.shop.work import Breakage, unmended
from sandbox.slack.to_app.delivery import Delivered, Delivery
from sandbox.traps import BY_KEY as TRAPS_BY_KEY
from sandbox.traps import TRAPS, Traps

CHART_SECONDS = 600
CHART_STEP = 2
SMOOTH_SECONDS = 10
"""A rate is what came in that many seconds, times six."""
FAILING_RATE = 8.0
"""Errors a minute from which the panel calls production failing."""
OTHERS = ("ci", "start")
"""Who deploys here besides the bot."""
MOVES = (
    ("Todo", "unstarted"),
    ("In Progress", "started"),
    ("Done", "completed"),
    ("Canceled", "canceled"),
)
COLLEAGUE = "Bob Okafor"
"""Who moves things in Linear here."""
ISSUES = 12
LOUD_EVENTS = 5
"""Events in the last minute from which an issue is marked as burning."""

BREAKS = (
    Break(
        "everything",
        "Ship a release that breaks everything",
        "All pages, all customers → roll back",
    ),
    Break(
        "one-feature",
        "Ship a release that breaks one feature",
        "The till, all customers → investigate first",
    ),
    Break("bad-data", "Corrupt one customer’s data", "One cart, no release → investigate"),
)


@dataclass(frozen=True, slots=True)
class WorldParts:
    """The parts of the world that the panel reads and moves. Times are in seconds."""

    sentry: Sentry
    alerts: Alerts
    traps: Traps
    linear: Linear
    discord: Discord
    pagerduty: PagerDuty
    shop: Shop | None
    bot: KeptProcess
    delivery: Delivery
    recheck_after: int
    window: int


class WorldPanel:
    """Reads the world's parts each time it is asked; keeps only which switches are on."""

    def __init__(self, world: WorldParts, switches: FaultSwitches) -> None:
        self._world = world
        self._switches = switches
        self._ever_broken = False
        self._began = world.sentry.clock()

    # Looking

    def panel(self) -> Panel:
        shop = self._world.shop
        runs = self._runs()
        return Panel(
            release=_short(runs["to"]) if runs else "",
            released_at=_seconds(runs["finished"]) if runs else None,
            health=self._health(),
            bot=_BOT_STATES[self._world.bot.state],
            bot_note=f"came back {self._world.bot.restarts}×" if self._world.bot.restarts else "",
            breaks=list(BREAKS) if shop else [],
            traps=[Break(trap.key, trap.label, trap.about) for trap in TRAPS],
            broken=frozenset(one.kind for one in self._broken()),
            fixes=[
                github_view.fix_name(shop.github, one.fix_branch)
                for one in self._broken()
                if one.fix_branch
            ]
            if shop
            else [],
            next_deploy_fails=bool(shop and (shop.run / "next-deploy").exists()),
            faults=self._switches.on,
            switches=[(one.key, one.label, one.about) for one in PLAIN],
            odd=[(one.key, one.label, one.about) for one in self._switches.odd()],
            odd_acts=self._switches.acts(),
            issues=self._issues(),
            deploys=self._deploys(),
            pulls=github_view.pulls(shop.github) if shop else [],
            deployments=github_view.deployments(shop.github) if shop else [],
            tickets=self._tickets(),
            discord=[
                Row(
                    post.id,
                    post.author,
                    badge="pinned" if post.pinned else "post",
                    at=(post.edited_at or post.at).timestamp(),
                    body=post.content,
                    detail=f"edited {post.edits}×" if post.edits else "",
                )
                for post in reversed(self._world.discord.posts)
            ],
            pages=[
                Row(
                    event.dedup_key,
                    event.summary,
                    badge=f"{event.severity}, {event.state}",
                    tone="bad",
                    at=event.at.timestamp(),
                    detail=f"sent {event.times}×, one page" if event.times > 1 else "",
                )
                for event in reversed(self._world.pagerduty.events)
            ],
            documents=self._documents(),
            steps_done=self._steps_done(),
            shortened=self._shortened(),
        )

    def rate(self) -> list[tuple[float, float]]:
        """(seconds since 1970, errors a minute) every two seconds, over the last ten minutes at most."""
        now = self._world.sentry.clock()
        end = int(now) // CHART_STEP * CHART_STEP
        seconds = min(CHART_SECONDS, max(120, int(now - self._began)))
        begin = end - seconds // CHART_STEP * CHART_STEP
        steps = SMOOTH_SECONDS // CHART_STEP
        counts = [0] * ((end - begin) // CHART_STEP + 1 + steps)
        first = begin - SMOOTH_SECONDS
        for event in self._world.sentry.window(first, now):
            index = int((event.timestamp - first) // CHART_STEP)
            if event.level in ("error", "fatal") and index < len(counts):
                counts[index] += 1
        return [
            (
                float(begin + number * CHART_STEP),
                sum(counts[number : number + steps]) * 60 / SMOOTH_SECONDS,
            )
            for number in range((end - begin) // CHART_STEP + 1)
        ]

    def marks(self) -> list[tuple[float, str]]:
        """Deploys, for the chart."""
        since = self._world.sentry.clock() - CHART_SECONDS
        return [
            (row.at, row.title) for row in reversed(self._deploys()) if row.at and row.at > since
        ]

    def log(self) -> str:
        return self._world.bot.tail(400)

    # Acting

    async def act(self, verb: str, on: bool) -> str | None:
        """Move a lever. Answers what to tell the person if it did not work."""
        what, _, detail = verb.partition(":")
        if what == "fault" and detail in KEYS:
            return await self._switches.switch(detail, on)
        if what == "socket":
            return await self._switches.socket(detail)
        if what == "trap" and detail in TRAPS_BY_KEY:
            self._world.alerts.forget()
            self._world.traps.let_loose(detail)
            return None
        if what == "kill-bot":
            return None if self._world.bot.kill() else "The bot does not run."
        if what == "linear":
            try:
                return self._in_linear(detail)
            except (LinearError, ValueError) as refused:
                return f"Linear: {refused}"
        shop = self._world.shop
        if shop is None:
            return "There is no shop in this world."
        levers: dict[str, Callable[[], Awaitable[Any]]] = {
            "break:everything": shop.break_everything,
            "break:one-feature": shop.break_one_feature,
            "break:bad-data": shop.break_bad_data,
            "repair": shop.repair_data,
        }
        if what.startswith("pull-"):
            async with shop.github.working():
                return github_view.act(shop.github, what.removeprefix("pull-"), detail)
        if verb == "next-deploy-fails":
            shop.next_deploy("fail" if on else "")
            return None
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

    def _runs(self) -> dict[str, Any] | None:
        """The deploy that put into production what runs there now."""
        log = self._world.shop.deploy_log() if self._world.shop else []
        return next((entry for entry in reversed(log) if entry["result"] == "succeeded"), None)

    def _broken(self) -> list[Breakage]:
        """What is broken in production now."""
        shop, runs = self._world.shop, self._runs()
        if shop is None or runs is None:
            return []
        return [
            one
            for one in unmended(shop.work.breakages)
            if one.kind == "bad-data" or one.release == runs["to"]
        ]

    def _health(self) -> Literal["healthy", "failing", "deploying", "off"]:
        shop = self._world.shop
        if shop is None:
            return "off"
        if shop.deploying():
            return "deploying"
        return "failing" if self.rate()[-1][1] >= FAILING_RATE else "healthy"

    def _issues(self) -> list[Row]:
        """Issues of Sentry, last seen first."""
        sentry = self._world.sentry
        newest_first = sorted(sentry.issues.values(), key=lambda issue: -issue.last_seen)
        return [self._issue(issue, sentry.last_minute(issue)) for issue in newest_first[:ISSUES]]

    def _issue(self, issue: SentryIssue, last_minute: int) -> Row:
        fields = [
            ("last minute", f"{last_minute:,}"),
            ("in all", f"{issue.times_seen:,}"),
            ("users", f"{users(issue.events):,}"),
            ("since", issue.first_release or "?"),
        ]
        tone = "quiet"
        if issue.status != "unresolved":
            fields.append(("", issue.status))
            tone = "good" if issue.status == "resolved" else "quiet"
        elif last_minute >= LOUD_EVENTS:
            tone = "bad"
        return Row(
            str(issue.id),
            issue.title,
            issue.culprit,
            issue.short_id,
            tone,
            issue.last_seen,
            fields=fields,
        )

    def _deploys(self) -> list[Row]:
        """Newest first, the one under way on top."""
        shop = self._world.shop
        if shop is None:
            return []
        rows = [
            Row(
                f"{entry['to']}-{entry['started']}",
                _short(entry["to"]),
                f"over {_short(entry['from'])}, by {entry['who']}"
                if entry["from"]
                else f"by {entry['who']}",
                "" if entry["result"] == "succeeded" else entry["result"],
                "good" if entry["result"] == "succeeded" else "bad",
                _seconds(entry["finished"]),
                body=entry.get("reason", ""),
            )
            for entry in reversed(shop.deploy_log())
        ]
        if under_way := shop.deploying():
            title, by = _short(under_way["to"]), f"by {under_way['who']}"
            rows.insert(
                0, Row("now", title, by, "deploying", "warn", _seconds(under_way["started"]))
            )
        return rows

    def _tickets(self) -> list[Ticket]:
        linear = self._world.linear
        return [self._ticket(issue) for issue in reversed(linear.issues) if issue.parent_id is None]

    def _ticket(self, issue: Issue) -> Ticket:
        linear = self._world.linear
        states = [
            (name, f"linear:{issue.identifier}:state:{type}")
            for name, type in MOVES
            if type != issue.state.type
        ]
        levels = [
            (name, f"linear:{issue.identifier}:priority:{number}")
            for number, name in enumerate(_PRIORITIES)
            if name and number != issue.priority
        ]
        return Ticket(
            issue.identifier,
            issue.title,
            issue.state.name,
            issue.state.type,
            issue.description,
            issue.url,
            _PRIORITIES[issue.priority],
            owner=issue.assignee.name if issue.assignee else "",
            due=issue.due_date or "",
            moves=states,
            levels=[] if issue.parent_id else levels,
            items=[self._ticket(one) for one in linear.below(issue)],
            comments=[
                Row(comment.id, "Firebreak", at=comment.at.timestamp(), body=comment.body)
                for comment in linear.comments_on(issue)
            ],
            attachments=[
                Row(a.id, a.title, a.url, href=a.url) for a in linear.attachments_on(issue)
            ],
        )

    def _in_linear(self, detail: str) -> None:
        """A colleague moves an issue in Linear's own app; the webhook goes to the bot."""
        identifier, field, value = detail.split(":")
        if field == "state":
            self._world.linear.move(identifier, value, by=COLLEAGUE)
        else:
            self._world.linear.prioritise(identifier, int(value), by=COLLEAGUE)

    def _documents(self) -> list[Document]:
        """Post-mortems in the shop's repository, the newest first."""
        shop = self._world.shop
        if shop is None:
            return []
        found: list[Document] = []
        for path in sorted((shop.repo / "docs" / "adr").glob("*.md"), reverse=True):
            source = path.read_text(errors="replace")
            if "INC-" in source:
                found.append(Document(path.name, source))
        return found

    def _steps_done(self) -> frozenset[int]:
        done = {1} if self._ever_broken else set[int]()
        log = self._world.shop.deploy_log() if self._world.shop else []
        deployed = any(
            entry["who"] not in OTHERS and entry["result"] == "succeeded" for entry in log
        )
        if deployed or any(map(_is_decision, self._world.delivery.log)):
            done |= {1, 2}
        if self._documents():
            done |= {1, 2, 3}
        return frozenset(done)

    def _shortened(self) -> str:
        after, window = self._world.recheck_after, self._world.window
        if (after, window) == (300, 900):
            return "Re-checks and window are as in production here: 5 and 10 minutes, 15 minutes."
        return (
            f"Shortened here: Firebreak looks at the last {window} s of Sentry, checks again {after} and {after * 2} s after an "
            f"action, and looks whether it is back {after * 3}, {after * 6} and {after * 12} s after recovery. In production that "
            "is 15 minutes; 5 and 10 minutes; 15, 30 and 60 minutes."
        )


_BOT_STATES: dict[str, Any] = {
    "off": "off",
    "starting": "restarting",
    "running": "running",
    "restarting": "restarting",
    "stopped": "stopped",
}
_PRIORITIES = ("", "Urgent", "High", "Medium", "Low")


def _short(release: str) -> str:
    """A release as it is; a commit by its first seven characters."""
    return release[:7] if re.fullmatch(r"[0-9a-f]{40}", release) else release


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


def _is_decision(delivered: Delivered) -> bool:
    """*Investigate*, or what was done instead; a rollback or hotfix is seen in the deploy log."""
    clicked = any(
        action.get("action_id") == "decision.investigate"
        for action in delivered.body.get("actions", [])
    )
    return clicked or (
        delivered.body.get("type") == "view_submission"
        and delivered.body["view"]["callback_id"] == "incident.fixed"
    )
