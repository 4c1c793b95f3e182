"""The post-deploy watch: looks at Sentry after every deploy, and raises an incident by itself.

Any replica may look; the claim in the incident's commit lets one of them raise it
(rules: `phases/verification/post_deploy.py`).
"""

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import datetime

from ulid import ULID

from bot.runtime.worker import Worker, log_crash
from bot.store.deploy_history import Deploys
from handlers.dispatcher import Delivery, Dispatcher
from handlers.slack import slack_text
from handlers.webhooks.alarms import Alarm, ReportedIssue, raise_alarm
from phases.ports.ports import Catalogue, ErrorTracker, PortError
from phases.record.incident import Source
from phases.record.service import Service
from phases.text.wording import short
from phases.verification.post_deploy import (
    LOOKS,
    WatchedDeploy,
    headline,
    is_too_old,
    looks_due,
    new_since,
    watch_is_over,
)

log = logging.getLogger(__name__)

SWEEP_SECONDS = 0.5
AGAIN_SECONDS = 10.0
"""After a Sentry, or a store, that could not be asked."""


class DeployWatch(Worker):
    """Runs until cancelled.

    The number of looks is not kept: after a restart it looks once more, which harms nothing.
    """

    def __init__(
        self,
        deploys: Deploys,
        dispatcher: Dispatcher,
        tracker: ErrorTracker | None,
        catalogue: Catalogue,
        *,
        now: Callable[[], datetime],
    ) -> None:
        super().__init__(log, "watch")
        self._deploys = deploys
        self._dispatcher = dispatcher
        self._tracker = tracker
        self._catalogue = catalogue
        self._now = now
        self._made: dict[str, int] = {}
        self._later: dict[str, float] = {}
        """Not before; monotonic seconds."""

    async def run(self) -> None:
        while True:
            with self.turn():
                await self.sweep()
            await asyncio.sleep(SWEEP_SECONDS)

    async def sweep(self) -> None:
        """Every look that is due, once. Raises `PortError` where Redis cannot be used."""
        watches = await self._deploys.watches()
        keys = {watched.key for watched in watches}
        self._made = {key: made for key, made in self._made.items() if key in keys}
        self._later = {key: at for key, at in self._later.items() if key in keys}
        await asyncio.gather(*(self._look_at(watched) for watched in watches))

    async def _look_at(self, watched: WatchedDeploy) -> None:
        service = self._catalogue.get(watched.service)
        now = self._now()
        if service is None or self._tracker is None or is_too_old(watched, now):
            log.warning("the deploy of %s is not watched any longer", watched.service)
            await self._deploys.ended(watched)
            return
        due = looks_due(watched, service, now)
        if due <= self._made.get(watched.key, 0) or time.monotonic() < self._later.get(
            watched.key, 0.0
        ):
            return
        try:
            raised = await self._look_and_raise(watched, service, self._tracker, now)
        except PortError as error:
            log.warning("after the deploy of %s: %s; trying again", watched.service, error.text)
            raised = None
        # A deploy that cannot be looked at must not end the others' watch, nor the bot.
        except Exception as error:  # noqa: BLE001
            log_crash(log, f"after the deploy of {watched.service}", error)
            raised = None
        if raised is None and watch_is_over(watched, service, now):
            log.warning("the deploy of %s is not watched any longer", watched.service)
            await self._deploys.ended(watched)
        elif raised is None:
            self._later[watched.key] = time.monotonic() + AGAIN_SECONDS
        elif raised or due == len(LOOKS):
            await self._deploys.ended(watched)
        else:
            self._made[watched.key] = due

    async def _look_and_raise(
        self, watched: WatchedDeploy, service: Service, tracker: ErrorTracker, now: datetime
    ) -> bool | None:
        """True: new issues, and an incident knows; False: none; None: it could not be recorded."""
        since = new_since(watched, service)
        pages = await asyncio.gather(
            *(tracker.new_issues(service, name, since, now) for name in watched.names)
        )
        new = list({issue.id: issue for rows in pages for issue in rows}.values())
        if not new:
            return False
        loudest = sorted(new, key=lambda issue: issue.events, reverse=True)[:50]
        version = slack_text.typed(watched.version)
        alarm = Alarm(
            service=service,
            title=slack_text.title(slack_text.typed(headline(loudest, version))),
            source=Source(
                kind="deploy", text=f"the watch after the deploy of {version}", url=loudest[0].url
            ),
            at=now,
            reported=tuple(
                ReportedIssue(
                    issue.id,
                    short(slack_text.typed(f"{issue.short_id} {issue.title}"), 1000),
                    issue.url,
                )
                for issue in loudest
            ),
        )
        delivery = Delivery((f"watch:{watched.key}",))
        owner = await raise_alarm(
            self._dispatcher, self._catalogue, lambda: str(ULID()), alarm, delivery
        )
        if owner is not None:
            log.info("after the deploy of %s: %s new issues, %s", service.name, len(new), owner)
        return True if owner is not None else None
