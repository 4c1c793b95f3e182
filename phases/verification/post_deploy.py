"""Phase 5, after any deploy: new errors in the release that now runs raise an incident.

Workflow, auto-invocation: "`ship-it` Phase 4 detected new Sentry issues post-deploy".
"""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from phases.ports.tracker_values import IssueRow
from phases.record.findings import ABBREVIATED, COMMIT, DeploySeen, Release, Value
from phases.record.service import Service, tag_in
from phases.text.wording import counted, short

LOOKS = (0.1, 0.2, 0.4, 0.7, 1.0)
"""Parts of the watch at whose ends Sentry is asked: of 10 minutes after 1, 2, 4, 7 and 10."""
BEFORE = timedelta(minutes=5)  # a rollout serves its first requests before it is finished
GIVEN_UP = timedelta(minutes=10)
"""A watch that could not ask is kept so long after its end: Sentry or the bot may be away."""
LATEST = timedelta(hours=6)
"""A bot that was away for less than that since the deploy still looks once.

Later, people know in other ways.
"""


class WatchedDeploy(Value):
    """A deploy that somebody told of, watched from its end on."""

    service: str
    environment: str
    version: str
    commit: str | None = None
    """Sentry may know the release by it alone."""
    at: datetime
    """The time at which it was finished."""

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names by which its events are searched."""
        return tuple(dict.fromkeys(name for name in (self.version, self.commit) if name))

    @property
    def key(self) -> str:
        return f"{self.service}|{self.environment}|{self.version}|{self.at.isoformat()}"


def deploy_told(
    service: Service, version: str, at: datetime, commit: str | None = None
) -> DeploySeen:
    """Return a deploy as CI's webhook tells it: its end is known, its start is not."""
    own = version.lower() if COMMIT.fullmatch(version.lower()) else None
    release = Release(version=version, commit=commit or own)
    return DeploySeen(
        release=release,
        service=service.name,
        started_at=at,
        finished_at=at,
        by="CI",
        source="webhook",
    )


def looks_due(watched: WatchedDeploy, service: Service, now: datetime) -> int:
    """Return the number of looks that should have been made by now."""
    lasts = timedelta(seconds=service.recheck_until_seconds)  # workflow: the first 10 minutes
    return sum(watched.at + lasts * part <= now for part in LOOKS)


def watch_is_over(watched: WatchedDeploy, service: Service, now: datetime) -> bool:
    """True if the watch ended long ago and was not ended as it should: one look more decides."""
    return now > watched.at + timedelta(seconds=service.recheck_until_seconds) + GIVEN_UP


def is_too_old(watched: WatchedDeploy, now: datetime) -> bool:
    """True if the deploy is too long ago to be news."""
    return now > watched.at + LATEST


def new_since(watched: WatchedDeploy, service: Service) -> datetime:
    """Return the time from which on an issue that is first seen is new with this deploy."""
    return watched.at - min(BEFORE, service.window)


def version_told(service: Service, told: str, commit: str | None = None) -> str | None:
    """Return the version of a deploy, which CI may name as the deployer, a tag or Sentry does.

    A branch moves: then it is the commit. None is a branch without a commit, or the tag of another
    service in the same repository.
    """
    name = tag_in(told)
    names = service.release
    for pattern in (names.deploy, names.tag, names.sentry):
        if pattern != "{version}" and (version := names.version_of(pattern, name)) is not None:
            return version if not service.of_another(name, pattern) else None
    if service.of_another(name):
        return None
    moves = name.startswith("refs/") or not (
        re.search(r"\d", name) or ABBREVIATED.fullmatch(name.lower())
    )
    return commit if moves else name


def headline(new: Sequence[IssueRow], version: str) -> str:
    """Return the title of the incident: the new errors, the loudest first."""
    if not new:
        return f"New errors after {version} was deployed"
    loudest = max(new, key=lambda issue: issue.events)
    others = f" and {counted(len(new) - 1, 'other')}" if len(new) > 1 else ""
    # The error stands first, because the channel is named by it.
    return f"{short(loudest.title, 160)}{others}, new in {version}"
