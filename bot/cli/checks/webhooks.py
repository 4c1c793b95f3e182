"""Webhooks and requests: if each whose secret is set ever came, and with the right signature."""

from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta

from bot.cli.checks import Finding, broken, unproven, works
from bot.config.settings import Settings
from bot.config.tokens import WHERE
from bot.connection.client import StoreError
from bot.connection.embedded import running
from bot.store.incident_store import Store
from bot.store.webhook_log import Arrived, Webhook, arrived, opened

A_DAY = timedelta(days=1)


async def webhooks(settings: Settings, stack: AsyncExitStack) -> list[Finding]:
    wanted = opened(settings)
    url = await _store_url(settings) if wanted else None
    if url is None:
        return []  # where it should be there, the store's own row says why it is not
    store = Store.open(url)
    stack.push_async_callback(store.close)
    try:
        known = await arrived(store)
    except StoreError:
        return []  # likewise
    now = datetime.now(UTC)
    return [finding_of(webhook, known[webhook.whose], settings.port, now) for webhook in wanted]


def finding_of(webhook: Webhook, known: Arrived, port: int, now: datetime) -> Finding:
    """Return what is known. A webhook that never came is not known to be cut off."""
    what = f"Webhook of {webhook.whose}" if webhook.whose != "Slack" else "Requests of Slack"
    if known.refused:
        times = f"{known.refused} time{'s' if known.refused > 1 else ''}"
        last = f"last {_stamp(known.refused_at)}" if known.refused_at else "when is not known"
        good = "and none was ever right"
        if known.at:
            good = f"since {_stamp(known.at)}, when the last good one came"
        secret = f"{webhook.variable}: {WHERE[webhook.field]} (docs/alerts.md)"
        return broken(what, f"refused with a wrong signature {times} ({last}), {good}.", secret)
    if known.at is not None:
        return works(what, f"last arrived {_stamp(known.at)}")
    if known.since is None:
        says = f"{webhook.variable} is set, and the bot has not run with it yet"
    elif now - known.since < A_DAY:
        says = f"none has arrived since the bot first ran, {_stamp(known.since)}"
    else:
        says = (
            "no webhook has ever arrived, "
            f"and the bot has run with {webhook.variable} since {_stamp(known.since)}"
        )
    mend = (
        f"let {webhook.whose} reach {webhook.path} on port {port} from outside, "
        "and subscribe to it (docs/alerts.md)"
    )
    return unproven(what, says, mend)


async def _store_url(settings: Settings) -> str | None:
    if settings.redis_url is not None:
        return settings.redis_url.get_secret_value()
    return await running(settings.data_dir) if settings.data_dir is not None else None


def _stamp(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
