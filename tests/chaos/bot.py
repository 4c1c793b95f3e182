"""The bot, for worlds in which an hour passes in half a minute.

`python -m tests.chaos.bot` is `firebreak serve` with five differences. Live messages may be edited
twenty times as often: an incident here lives in seconds what takes others an hour, and Slack's
limit of edits a minute (`bot/live/edit_budget.py`) would only make every row wait for the next
minute. Work that a dead worker held is taken over after 8 s instead of 15. It is given up after 20
deaths instead of 5: here a dozen fall in a few seconds, and none of them is the fault of the work.
A run that GitHub does not show for 20 s instead of 60 is unknown. The clock of Redis can be set by
hand (`tests/chaos/clock.py`), while the real scripts run.
"""

from __future__ import annotations

import sys

from tests.chaos import clock

clock.by_hand()

from bot.clients.deployers import github  # noqa: E402
from bot.live import edit_budget  # noqa: E402
from bot.outbox import worker  # noqa: E402
from bot.server import serve  # noqa: E402

MORE = 20

if __name__ == "__main__":
    edit_budget.A_MINUTE *= MORE
    edit_budget.BURST *= MORE
    edit_budget.STRICT = {kind: limit * MORE for kind, limit in edit_budget.STRICT.items()}
    worker.DELIVERIES_MOST = 20
    worker.RENEW_SECONDS, worker.RECLAIM_SECONDS = 2.0, 8.0
    github.SEEN_SECONDS = 20.0
    sys.exit(serve())
