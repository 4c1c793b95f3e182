"""Limits and timer names that several phases share."""

from __future__ import annotations

SEEDS = 50  # Sentry issues an incident keeps by name; a storm has few issues and many events
DRILL = "DRILL:"  # in front of its title, and so in channel, topic, status, announcement and ticket
HEARD = 50  # deploys and alerts remembered, so that each is said once
OVERDUE = "triage"  # timer
OVERDUE_SECONDS = 3  # rules: the decision message is posted after 3 s without an answer
MEASURE = "measure"  # timer: measure again while nobody has acted
NOTHING = "Sentry shows nothing unusual."
