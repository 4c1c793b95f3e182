"""What comes in: has each door whose secret is set ever been used, and with the right signature?"""

from __future__ import annotations

from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta

from bot.cli.checks import Finding, broken, works
from bot.config.catalogue import Catalogue
from bot.config.settings import Settings
from bot.config.tokens import WHERE
from bot.store.embedded import running
from bot.store.incident_store import Store
from bot.store.redis import StoreError
from bot.store.webhook_log import Arrived, Webhook, arrived, opened

A_DAY = timedelta(days=1)


async def doors(settings: Settings, catalogue: Catalogue, stack: AsyncExitStack) -> list[Finding]:
    del catalogue
    wanted = opened(settings)
    if not wanted:
        return []
    url = await _url(settings)
    if url is None:
        return []  # the store's own row says why
    store = Store.open(url)
    stack.push_async_callback(store.close)
    try:
        known = await arrived(store)
    except StoreError:
        return []  # likewise
    now = datetime.now(UTC)
    return [found(webhook, known[webhook.whose], settings.port, now) for webhook in wanted]


def found(webhook: Webhook, known: Arrived, port: int, now: datetime) -> Finding:
    """What is known is said; a door that nobody came to is not known to be shut."""
    what = f"Webhook of {webhook.whose}" if webhook.whose != "Slack" else "Requests of Slack"
    secret = f"{webhook.variable}: {WHERE[webhook.field]} (docs/alerts.md)"
    if known.refused:
        times = f"{known.refused} time{'s' if known.refused > 1 else ''}"
        last = f"last {_shown(known.refused_at)}" if known.refused_at else "when is not known"
        since = (
            f"since {_shown(known.at)}, when the last good one came"
            if known.at
            else "and none was ever right"
        )
        return broken(what, f"refused with a wrong signature {times} ({last}), {since}.", secret)
    if known.at is not None:
        return works(what, f"last arrived {_shown(known.at)}")
    reach = f"let {webhook.whose} reach {webhook.path} on port {port} from outside, and subscribe to it (docs/alerts.md)"
    if known.since is None:
        return Finding(
            "unproven",
            what,
            f"{webhook.variable} is set, and the bot has not run with it yet",
            reach,
        )
    if now - known.since < A_DAY:
        return Finding(
            "unproven",
            what,
            f"none has arrived since the bot first ran, {_shown(known.since)}",
            reach,
        )
    says = f"no webhook has ever arrived, and the bot has run with {webhook.variable} since {_shown(known.since)}"
    return Finding("unproven", what, says, reach)


async def _url(settings: Settings) -> str | None:
    if settings.redis_url is not None:
        return settings.redis_url.get_secret_value()
    return await running(settings.data_dir) if settings.data_dir is not None else None


def _shown(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC" if at is not None else ""
