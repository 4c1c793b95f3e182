"""Limits and timer names that several phases share."""

SEEDS_MOST = 50  # Sentry issues an incident keeps by name; a storm has few issues and many events
DRILL_PREFIX = (
    "DRILL:"  # in front of its title, and so in channel, topic, status, announcement and ticket
)
HEARD_MOST = 50  # deploys and alerts remembered, so that each is said once
OVERDUE_TIMER = "triage"  # timer
OVERDUE_SECONDS = 3  # rules: the decision message is posted after 3 s without an answer
MEASURE_TIMER = "measure"  # timer: measure again while nobody has acted
NOTHING_UNUSUAL = "Sentry shows nothing unusual."
