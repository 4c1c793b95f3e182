"""Charts and tables: a setting, and a refusal of Slack that all replicas remember for a day."""

import logging
from typing import Literal

from bot.connection.client import StoreError
from bot.store.expiring_keys import ExpiringKeys
from bot.store.incident_store import Store

log = logging.getLogger(__name__)

REFUSED_SECONDS = 24 * 3600  # rules: Charts and tables


class RichBlocksSetting:
    """Keeps `handlers.slack.rich_blocks.RichBlocksSupport`."""

    def __init__(self, store: Store, setting: Literal["auto", "off"]) -> None:
        self._keys = ExpiringKeys(store, "rich")
        self._on = setting == "auto"

    async def supported(self) -> bool:
        """Without Redis: no, the plain message says the same."""
        try:
            return self._on and await self._keys.get("refused") is None
        except StoreError as error:
            log.warning("charts are left out: %s", error.text)
            return False

    async def note_refusal(self) -> None:
        """Remember that Slack refuses them. Without Redis the next message is refused again."""
        log.warning("Slack refuses charts and tables here: sent without them for a day")
        try:
            await self._keys.set("refused", REFUSED_SECONDS)
        except StoreError as error:
            log.warning("the refusal is not remembered: %s", error.text)
