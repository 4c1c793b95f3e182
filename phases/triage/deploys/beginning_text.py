"""Phase 1: when trouble began and how long after a deploy, with the precision that both times have.

The texts are plain: views pass them through their escaping.
"""

from datetime import datetime, timedelta

from phases.record.findings import DeploySeen
from phases.text.wording import lasting, stamp
from phases.triage.deploys.deploy_history import FIRST_EVENTS, ends_only

BEGAN = "Trouble began"
"""The beginning of a reason: a message that says the same elsewhere leaves it out there."""
AT_ONCE = timedelta(seconds=5)  # less is said as "right after"
MINUTE = timedelta(minutes=1)
ROLLOUT_MOST = timedelta(hours=1)
"""A deploy that takes longer was out before its end."""
CLOCKS = timedelta(seconds=15)
"""Clocks of two systems that are kept by NTP differ by less."""


def start_is_unknown(deploy: DeploySeen) -> bool:
    """Say whether only a deploy's end is told, or its first event: it may have begun before."""
    return deploy.source in FIRST_EVENTS or ends_only(deploy)


def rollout_end(deploy: DeploySeen) -> datetime:
    """Return when a deploy had ended, or its start where that is not told."""
    ended = min(deploy.finished_at or deploy.started_at, deploy.started_at + ROLLOUT_MOST)
    return max(ended, deploy.started_at)


def beginning_sentence(
    began: datetime | None, suspect: DeploySeen | None, *, exact: bool = True
) -> str:
    """Return `Trouble began 2026-11-22 14:02 UTC, 3 min after v1.3.0 was deployed.`

    `exact`: the beginning is known to the second, else to the minute. Empty: it is not known.
    """
    if began is None:
        return ""
    if suspect is None:
        return f"{BEGAN} {stamp(began)}."
    gap = began - suspect.started_at
    after = time_after_deploy(gap, suspect.release.version, suspect, exact=exact)
    return f"{BEGAN} {stamp(began)}, {after}."


def time_after_deploy(gap: timedelta, name: str, deploy: DeploySeen | None, *, exact: bool) -> str:
    """Return `3 min after v1.3.0 was deployed`, or `within a minute of v1.3.0 being deployed`."""
    first_event = deploy is not None and deploy.source in FIRST_EVENTS
    did = "had its first event" if first_event else "was deployed"
    if not exact and abs(gap) < MINUTE:
        return f"within a minute of {name}'s {'first event' if first_event else 'deploy'}"
    if gap < -CLOCKS and exact and deploy is not None and not start_is_unknown(deploy):
        return f"{lasting(-gap)} before {name} was deployed"
    if gap < timedelta(0):
        return f"just as {name} was being deployed"
    if gap < AT_ONCE:
        return f"right after {name} {did}"
    return f"{'' if exact else 'about '}{lasting(gap)} after {name} {did}"
