"""`POST /webhooks/alerts`: alerts of Alertmanager, Grafana, Datadog, PagerDuty, or of a script.

One storm is one incident, as with Sentry's alerts; Sentry stays the measure. *Resolved* is evidence
and never recovery: an alert ends when its own threshold says so, and users may still be hit.
The answer: `{"incident": "INC-0042", "incidents": ["INC-0042"]}`.
"""

import logging
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from starlette.requests import Request
from starlette.routing import Route

from handlers import deliveries
from handlers.dispatcher import Delivery
from handlers.slack import slack_text
from handlers.slack.context import Context
from handlers.webhooks.alarms import Alarm, add_quietly, raise_alarm
from handlers.webhooks.alert_bodies import read
from handlers.webhooks.alert_senders import secrets_of, sent_by
from handlers.webhooks.alert_storm import reported
from handlers.webhooks.alert_unplaced import tell_unplaced
from handlers.webhooks.deploys import service_of
from handlers.webhooks.heard_alert import HeardAlert
from handlers.webhooks.route import Unreadable, address, finished, one_line, webhook
from handlers.webhooks.signature import BODY_LIMIT
from phases.record.incident import Source
from phases.record.service import Service, environment_among
from phases.text.cleaning import foreign, visible
from phases.text.wording import short

log = logging.getLogger(__name__)

PATH = "/webhooks/alerts"
CLOCK_AHEAD = timedelta(days=1)
"""A sender's clock, or its zone, may be so far ahead; its alert is then taken as of now.

Nobody reads the answer that a monitoring system gets, and a refused alert is lost.
"""
OWN_PAGE = re.compile(r"INC-\d{4,9}\b")
"""Every page of the bot's begins with its incident."""
TEXT_LIMIT = 1000
"""So much of a text may name the service."""
STORM_LIMIT = 8 * BODY_LIMIT
"""Alertmanager puts a whole group into one body: thousands of alerts are more than a megabyte, and
what is refused is not sent again (https://github.com/alerta/docker-alerta/issues/441)."""
STANDING_AFTER = timedelta(minutes=5)
"""An alert that has fired for longer says since when: it may have waited for the bot."""
ALERTS_SHOWN = 5
"""So many alerts of one group are written out in the incident's description."""


def alerts_route(ctx: Context, secret: str) -> Route:
    """Return the route. `secret`: one, or several with commas, one for each sender."""

    async def receive(request: Request, raw: bytes) -> Mapping[str, object]:
        heard, now = read(raw), ctx.now()
        if any(alert.at is not None and alert.at - now > CLOCK_AHEAD for alert in heard):
            raise Unreadable("an alert is of the future: the sender's clock is wrong")
        placed, unplaced = _by_service(ctx, heard)
        answer = await finished(ctx.tasks, _record(ctx, placed, raw), "the alert webhook")
        orphans = [alert for alert in unplaced if not await _is_own_page(ctx, alert)]
        if orphans:
            await finished(ctx.tasks, tell_unplaced(ctx, orphans), "unplaced alerts")
        if unplaced and not placed:
            names = ", ".join(service.name for service in ctx.catalogue.all()[:20])
            raise Unreadable(f"it names no service: give it a label `service`, of {names}")
        return {"incident": answer[0] if answer else None, "incidents": answer}

    signed = sent_by(secrets_of(secret))

    def limit(request: Request) -> int:
        """A token or a password is seen before the body is read; a signature is not."""
        return STORM_LIMIT if signed(request, b"") else BODY_LIMIT

    return webhook(PATH, signed, receive, limit)


def _by_service(
    ctx: Context, heard: Sequence[HeardAlert]
) -> tuple[list[tuple[Service, list[HeardAlert]]], list[HeardAlert]]:
    """Return the alerts by service, in their order, and those that name none."""
    by_service: dict[str, tuple[Service, list[HeardAlert]]] = {}
    unplaced: list[HeardAlert] = []
    for alert in heard:
        service = _service(ctx, alert)
        if service is None:
            unplaced.append(alert)
        else:
            by_service.setdefault(service.name, (service, []))[1].append(alert)
    return list(by_service.values()), unplaced


def _service(ctx: Context, alert: HeardAlert) -> Service | None:
    """Return the service that a label names, else the one in the words, else the only one.

    Where neither does, any label may: `ingress`, `queue`, `pod`.
    """
    for name in alert.names:
        if (service := service_of(ctx, name)) is not None:
            return service
    words = (" ".join(alert.names), alert.title, alert.text, " ".join(alert.labels.values()))
    cut = (text[:TEXT_LIMIT] for text in words)
    return next((named for text in cut if (named := ctx.catalogue.named_in(text))), None)


async def _record(
    ctx: Context, placed: list[tuple[Service, list[HeardAlert]]], raw: bytes
) -> list[str] | None:
    """Return the incidents that the alerts went to. None: not all of it is recorded."""
    incident_ids: list[str] = []
    for service, alerts in placed:
        ours = [
            alert
            for alert in alerts
            if _in_scope(service, alert) and not await _is_own_page(ctx, alert)
        ]
        fires = [alert for alert in ours if alert.firing and not alert.quiet]
        rest = [alert for alert in ours if alert not in fires]
        for part, some in (("fires", fires), ("rest", rest)):
            if not some:
                continue
            delivery = deliveries.sub_delivery(
                deliveries.of_body("alert", raw), f"{part}:{service.name}"
            )
            owner = await _dispatch_alerts(ctx, service, some, delivery, fires=part == "fires")
            if owner is None:
                return None
            incident_ids += [owner] if owner and owner not in incident_ids else []
    return incident_ids


def _in_scope(service: Service, alert: HeardAlert) -> bool:
    """Return whether its environment counts; an alert without one does (rules: The picture)."""
    named = alert.environment
    if not named or environment_among(named, service.environments) is not None:
        return True
    log.info("an alarm about %s is of an environment that does not count", service.name)
    return False


async def _is_own_page(ctx: Context, alert: HeardAlert) -> bool:
    """Return whether the bot itself paged this: PagerDuty sends it back.

    Its key tells it where PagerDuty gives the key on. It does not for a service that makes alerts,
    as most do (https://github.com/PagerDuty/pdpyras/issues/44): there the title does.
    """
    page = OWN_PAGE.match(alert.title) if alert.system == "PagerDuty" else None
    incident = await ctx.dispatcher.load(page.group()) if page is not None else None
    return incident is not None and bool(incident.paged)


async def _dispatch_alerts(
    ctx: Context, service: Service, alerts: list[HeardAlert], delivery: Delivery, *, fires: bool
) -> str | None:
    first, now = alerts[0], ctx.now()
    alarm = Alarm(
        service=service,
        title=one_line(first.title) or first.system,
        source=Source(kind="alert", text=first.system, url=address(first.url)),
        at=min(first.at or now, now) if not fires else now,
        reported=reported(alerts),
        description=_description(alerts, now),
    )
    if fires:
        return await raise_alarm(ctx.dispatcher, ctx.catalogue, ctx.ulid, alarm, delivery)
    return await add_quietly(ctx.dispatcher, alarm, delivery)


def _description(alerts: list[HeardAlert], now: datetime) -> str:
    """Return what the alerts say, for people: without Sentry it is all there is."""
    began = alerts[0].at
    since = (
        f"firing since {began:%Y-%m-%d %H:%M} UTC" if began and now - began > STANDING_AFTER else ""
    )
    parts = [since, alerts[0].details]
    parts += [f"{one_line(alert.title)}\n{alert.details}" for alert in alerts[1:ALERTS_SHOWN]]
    if len(alerts) > ALERTS_SHOWN:
        parts.append(f"and {len(alerts) - ALERTS_SHOWN} more")
    text = "\n".join(part for part in parts if part.strip())
    return short(foreign(visible(text)), slack_text.DESCRIPTION - 200)
