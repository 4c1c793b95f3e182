"""Sentry: the token, what it sees of the catalogue, and the calls that this Sentry has."""

from collections.abc import Awaitable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.cli.checks import Finding, asked, unproven, works
from bot.clients.http.errors import HttpError
from bot.clients.sentry.client import Sentry
from bot.config.catalogue import Catalogue
from phases.ports.ports import PortError
from phases.ports.tracker_values import IssueRow
from phases.record.findings import DeploySeen
from phases.record.service import Service

MEND_SENTRY = (
    "SENTRY_AUTH_TOKEN: an internal integration of SENTRY_ORG with org:read, project:read, "
    "project:releases, event:read; projects as `sentry` in the catalogue"
)
MEND_PAGE = (
    "docs/sentry.md: what the bot asks of a Sentry, since which version, and what is lost without"
)
ABOUT_US = (401, 403, 404)
"""Statuses that speak of the token, its scopes, or an organisation that it may not see."""
PASSING = (408, 429, 502, 503, 504)
FLAGS_SINCE = timedelta(days=30)
COSTS = {
    "events/": (
        "users and features are counted in the tags of the three loudest issues, "
        "over their whole lives"
    ),
    "events-stats/": "when trouble began is known of new issues only, and recovery has no picture",
}


async def sentry(client: Sentry | None, catalogue: Catalogue) -> list[Finding]:
    """Make the calls of a triage once for every service, each by itself."""
    if client is None:
        return []
    findings: list[Finding] = []
    for service in catalogue.all():
        findings += await _service(client, service, datetime.now(UTC))
    if not findings or all(finding.state == "broken" for finding in findings):
        return findings  # the flag log would fail for the same reason
    return [*findings, *await _flags(client, catalogue.all()[0]), *_kind(client)]


async def _flags(client: Sentry, service: Service) -> list[Finding]:
    """Read the flag log, which older versions do not have; GlitchTip has no flags at all."""
    if client.glitchtip:
        return []
    what, now = "Sentry's flag log", datetime.now(UTC)
    try:
        changes = await client.flags.changes(service, now - FLAGS_SINCE, now)
    except PortError as error:
        says = f"{error.text}: flags are known from POST /webhooks/changes alone"
        return [unproven(what, says, MEND_PAGE)]
    days = FLAGS_SINCE.days
    return [works(what, f"{len(changes)} changes of flags in the last {days} days")]


async def _service(client: Sentry, service: Service, now: datetime) -> list[Finding]:
    what, since = f"Sentry, {service.name}", now - service.window
    page = await asked(what, client.page([service], since, now), _advice)
    if isinstance(page, Finding):
        return [page]
    findings = await _measures(client, service, page.rows, now)
    question = client.deploys([service])
    deploys = await asked(what, question, _advice, "no deploy is known from Sentry")
    if isinstance(deploys, Finding):
        return [*findings, deploys]
    from_ci = sum(deploy.source == "sentry" for deploy in deploys)
    if not findings:
        minutes = service.window_seconds // 60
        says = f"{len(page.rows)} issues in the last {minutes} min; {from_ci} deploys told"
        findings.append(works(what, says))
    if page.missing and not page.passing:
        mend = "`environment` in the catalogue: as the SDK of this service names it"
        findings.append(unproven(what, f"{page.missing}: nothing of it is counted", mend))
    if not from_ci:
        findings.append(_no_deploy(what, deploys))
    return findings


async def _measures(
    client: Sentry, service: Service, rows: Sequence[IssueRow], now: datetime
) -> list[Finding]:
    """Return a finding for each call of a triage that does not answer."""
    what, since = f"Sentry, {service.name}", now - service.window

    async def fault(question: Awaitable[Any], costs: str = "") -> list[Finding]:
        answer = await asked(what, question, _advice, costs)
        return [answer] if isinstance(answer, Finding) else []

    faults = await fault(client.per_minute([service], [], since, now))
    lost = "users and features are not known"
    faults += await fault(client.picture([service], [], since, now), lost)
    if rows:
        faults += await fault(_event(client, service, rows[0]), "no stack trace")
    if "events/" in client.lacking and rows:
        tags = client.picture([service], [rows[0].id], since, now)
        faults += await fault(tags, f"{lost}: the tags of an issue do not answer")
    return faults


def _no_deploy(what: str, deploys: Sequence[DeploySeen]) -> Finding:
    stands = "the first event of each release stands for it"
    says = stands if deploys else "so Sentry names no suspect"
    mend = "tell Sentry of deploys in CI (sentry-cli deploys new), or use POST /webhooks/deploys"
    return unproven(what, f"no deploy to this environment is told: {says}", mend)


async def _event(client: Sentry, service: Service, row: IssueRow) -> None:
    """Ask for the newest event of a listed issue. Raises `PortError` where there is none."""
    if await client.detail(service, row.id) is None:
        text = "Sentry lists an issue and has no newest event of it (events/latest/)"
        raise HttpError("Sentry", text, retryable=False, status=405)


def _advice(error: PortError) -> str:
    """Return what helps with the error. A scope is advised only for `ABOUT_US`."""
    status = error.status if isinstance(error, HttpError) else None
    if status in ABOUT_US or (status is None and not error.retryable):
        return MEND_SENTRY
    passes = status is None or status in PASSING or (status == 400 and error.retryable)
    return "" if passes else MEND_PAGE


def _kind(client: Sentry) -> list[Finding]:
    """Return what this Sentry lacks. The bot works without it, and says so in each decision."""
    findings: list[Finding] = []
    for call, status in client.lacking.items():
        mend = MEND_SENTRY if status == 403 else MEND_PAGE
        findings.append(unproven("Sentry's calls", f"{call} answers {status}: {COSTS[call]}", mend))
    if client.glitchtip:
        says = (
            "GlitchTip: it has no events/, events-stats/ and shortids/, "
            "and counts an issue over its whole life; recovery is asked of people"
        )
        findings.append(unproven("Sentry's kind", says, MEND_PAGE))
    return findings
