"""Alerts that name no service of the catalogue: #incidents hears of them.

Nobody reads the answer that a monitoring system gets, and what fires may still be production.
"""

from collections.abc import Sequence

from handlers.slack.context import Context
from handlers.slack.retry import ANSWER_SECONDS, retry
from handlers.views import notes
from handlers.webhooks.alert_storm import digest
from handlers.webhooks.heard_alert import HeardAlert
from handlers.webhooks.route import NotRecorded, address, one_line
from phases.record.service import environment_among

AGAIN_SECONDS = 6 * 3600
"""The same alert is told again after so long."""
POSTING_SECONDS = 30
"""Slack is asked for `ANSWER_SECONDS`; what was not told by then may be told by another try."""
TOLD = "told"


async def tell_unplaced(ctx: Context, alerts: Sequence[HeardAlert]) -> bool:
    """Tell of those that fire and should wake somebody; return whether there was anything new.

    Raises `NotRecorded` while another try is at it, and what Slack raised: the alerts then count
    as not told, and the sender may try again.
    """
    channel = await ctx.incidents_channel()
    loud = [alert for alert in alerts if alert.firing and not alert.quiet and _counts(ctx, alert)]
    if channel is None or not loud:
        return False
    keys = {f"unplaced:{digest(alert.key)}": alert for alert in loud}
    news = {key: alert for key, alert in keys.items() if await _is_new(ctx, key)}
    if not news:
        return False
    titles = [f"{one_line(alert.title)} ({alert.system})" for alert in news.values()]
    link = next((link for alert in news.values() if (link := address(alert.url))), "")
    message = notes.unplaced_alerts(titles, link, [service.name for service in ctx.catalogue.all()])
    await retry(
        lambda: ctx.client.chat_postMessage(channel=channel, **message.payload()), ANSWER_SECONDS
    )
    for key in news:
        await ctx.once.set(key, AGAIN_SECONDS, TOLD)
    return True


async def _is_new(ctx: Context, key: str) -> bool:
    """Take the alert for this try; return False where it was told. Raises `NotRecorded`."""
    if await ctx.once.first(key, POSTING_SECONDS):
        return True
    if await ctx.once.get(key) == TOLD:
        return False
    raise NotRecorded


def _counts(ctx: Context, alert: HeardAlert) -> bool:
    """Return whether any service of the catalogue runs in its environment, where it names one."""
    environments = {name for service in ctx.catalogue.all() for name in service.environments}
    return not alert.environment or environment_among(alert.environment, environments) is not None
