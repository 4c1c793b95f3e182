"""Sentry: the token, what it sees of the catalogue, and the calls that this Sentry has."""

from __future__ import annotations

from collections.abc import Awaitable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import TypeVar

from bot.cli.checks import Finding, broken, works
from bot.clients.http.errors import HttpError
from bot.clients.sentry.client import Sentry
from bot.config.catalogue import Catalogue
from bot.config.settings import Settings
from phases.ports.ports import PortError
from phases.ports.tracker_values import IssueRow
from phases.record.service import Service

MEND_SENTRY = (
    "SENTRY_AUTH_TOKEN: an internal integration of SENTRY_ORG with org:read, project:read, project:releases, event:read; "
    "projects as `sentry` in the catalogue"
)
MEND_PAGE = (
    "docs/sentry.md: what the bot asks of a Sentry, since which version, and what is lost without"
)
ABOUT_US = (401, 403, 404)
"""Statuses that speak of the token, its scopes, or an organisation that it may not see."""
PASSING = (408, 429, 502, 503, 504)
COSTS = {
    "events/": "users and features are counted in the tags of the three loudest issues, over their whole lives",
    "events-stats/": "when trouble began is known of new issues only, and recovery has no picture",
}

T = TypeVar("T")


async def sentry(settings: Settings, catalogue: Catalogue, stack: AsyncExitStack) -> list[Finding]:
    """Make the calls of a triage once for every service, each by itself."""
    if settings.sentry_org is None or settings.sentry_auth_token is None:
        return []
    client = Sentry(
        settings.sentry_url, settings.sentry_org, settings.sentry_auth_token.get_secret_value()
    )
    stack.push_async_callback(client.aclose)
    found: list[Finding] = []
    for service in catalogue.all():
        found += await _service(client, service, datetime.now(UTC))
    return found + (_kind(client) if found else [])


async def _service(client: Sentry, service: Service, now: datetime) -> list[Finding]:
    what, since = f"Sentry, {service.name}", now - service.window
    page = await _asked(what, client.page([service], since, now))
    if isinstance(page, Finding):
        return [page]
    asked = [
        await _asked(what, client.per_minute([service], [], since, now)),
        await _asked(
            what, client.picture([service], [], since, now), "users and features are not known"
        ),
        *(
            [await _asked(what, _event(client, service, page.rows[0]), "no stack trace")]
            if page.rows
            else []
        ),
    ]
    found = [one for one in asked if isinstance(one, Finding)]
    if "events/" in client.lacking and page.rows:
        tags = client.picture([service], [page.rows[0].id], since, now)
        told = await _asked(
            what, tags, "users and features are not known: the tags of an issue do not answer"
        )
        found += [told] if isinstance(told, Finding) else []
    deploys = await _asked(what, client.deploys([service]), "no deploy is known from Sentry")
    if isinstance(deploys, Finding):
        return [*found, deploys]
    told = sum(one.source == "sentry" for one in deploys)
    if not any(one.state == "broken" for one in found):
        says = f"{len(page.rows)} issues in the last {service.window_seconds // 60} min; {told} deploys told"
        found.insert(0, works(what, says))
    if page.missing and not page.passing:
        mend = "`environment` in the catalogue: as the SDK of this service names it"
        found.append(Finding("unproven", what, f"{page.missing}: nothing of it is counted", mend))
    if not told:
        stands = (
            "the first event of each release stands for it"
            if deploys
            else "so Sentry names no suspect"
        )
        says = f"no deploy to this environment is told: {stands}"
        mend = (
            "tell Sentry of deploys in CI (sentry-cli deploys new), or use POST /webhooks/deploys"
        )
        found.append(Finding("unproven", what, says, mend))
    return found


async def _event(client: Sentry, service: Service, row: IssueRow) -> None:
    """Ask for the newest event of a listed issue. Raises `PortError` where there is none."""
    if await client.detail(service, row.id) is None:
        text = "Sentry lists an issue and has no newest event of it (events/latest/)"
        raise HttpError("Sentry", text, retryable=False, status=405)


async def _asked(what: str, question: Awaitable[T], costs: str = "") -> T | Finding:
    """Return the answer, or why there is none. A scope is advised only for `ABOUT_US`."""
    try:
        return await question
    except PortError as error:
        says = f"{error.text}{f': {costs}' if costs else ''}."
        if isinstance(error, HttpError) and error.mend:  # the way to Sentry is the trouble
            return broken(what, says, error.mend)
        status = error.status if isinstance(error, HttpError) else None
        about_us = status in ABOUT_US or (status is None and not error.retryable)
        if about_us:
            return broken(what, says, MEND_SENTRY)
        passes = status is None or status in PASSING or (status == 400 and error.retryable)
        return broken(what, says, "" if passes else MEND_PAGE)


def _kind(client: Sentry) -> list[Finding]:
    """Return what this Sentry lacks. The bot works without it, and says so in each decision."""
    found: list[Finding] = []
    for call, status in client.lacking.items():
        says = f"{call} answers {status}: {COSTS[call]}"
        mend = MEND_SENTRY if status == 403 else MEND_PAGE
        found.append(Finding("unproven", "Sentry's calls", says, mend))
    if client.glitchtip:
        says = "GlitchTip: it has no events/, events-stats/ and shortids/, and counts an issue over its whole life"
        says = f"{says}; recovery is asked of people"
        found.append(Finding("unproven", "Sentry's kind", says, MEND_PAGE))
    return found
