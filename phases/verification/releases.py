"""Phase 5: the releases after an action: which one runs, which was taken back and only lingers."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from phases.ports.ports import ErrorTracker
from phases.record.findings import Release, Share
from phases.record.incident import ActionKind, Incident, Round
from phases.record.service import Service
from phases.verification.event_counts import Half


def running_release(current: Round | None) -> str | None:
    """Return the release that the deployer said runs after the action, if any was deployed."""
    action = current.action if current else None
    if action is None:
        return None
    if action.proof and action.proof.after:
        return action.proof.after
    return action.to_release.version if action.to_release and action.result == "done" else None


def deploys_heard(incident: Incident) -> tuple[tuple[datetime, str], ...]:
    """Return the deploys by others that the incident was told of: times and versions."""
    keys = [key.removeprefix("deploy:") for key in incident.heard if key.startswith("deploy:")]
    parts = (key.rpartition("@") for key in keys)
    return tuple((datetime.fromisoformat(at), version) for version, _, at in parts)


def names_to_search(incident: Incident, current: Round | None) -> tuple[str, ...]:
    """Return the names that events of the running release may carry: its version, its commit."""
    action = current.action if current else None
    if action is not None and not action.deploys:
        return _names_running_at(incident, action.at)
    running, meant = running_release(current), action.to_release if action else None
    # Sentry may know what was deployed by its commit alone. Where something else runs, that commit
    # says nothing of it.
    shipped = action is not None and action.kind is ActionKind.HOTFIX
    by_commit = meant is not None and (
        shipped or running is None or meant.same_as(Release(version=running))
    )
    commit = meant.commit if meant and by_commit else None
    return tuple(dict.fromkeys(name for name in (running, commit) if name))


def _names_running_at(incident: Incident, at: datetime) -> tuple[str, ...]:
    """Return the names of the release that ran before *Fixed another way*, which deploys nothing.

    It is that of the newest deploy before it, else that which triage saw.
    """
    done = (
        r for r in reversed(incident.rounds) if r.action is not None and r.action.result == "done"
    )
    newest = next((round for round in done if running_release(round) is not None), None)
    own = newest.action.finished_at if newest is not None and newest.action is not None else None
    known = [(own, names_to_search(incident, newest))] if own is not None else []
    report = incident.triage
    if report is not None and report.running is not None:
        names = (report.running.version, report.running.commit)
        known.append((report.at, tuple(name for name in names if name)))
    known += [(when, (version,)) for when, version in deploys_heard(incident) if when <= at]
    _, newest_names = max(known, key=lambda entry: entry[0], default=(at, ()))
    return tuple(dict.fromkeys(newest_names))


def taken_back_names(incident: Incident) -> frozenset[str]:
    """Return the versions and commits that were taken out of production and are not back.

    Events carry either name, and a person who deploys it again may use either.
    """
    actions = [round.action for round in incident.rounds if round.action is not None]
    deployed = [a for a in actions if a.result == "done" and a.deploys]
    taken = [action.from_release for action in deployed if action.from_release is not None]
    before = [action.proof.before for action in deployed if action.proof]
    taken += [Release(version=name) for name in (*before, *incident.rolled_back) if name]
    running = _running_releases(incident)
    again = [release for release in taken if any(release.same_as(other) for other in running)]
    out = [release for release in taken if not any(release.same_as(other) for other in again)]
    return frozenset(name for release in out for name in (release.version, release.commit) if name)


def _running_releases(incident: Incident) -> list[Release]:
    """Return the release of the newest deploy here, and those that others deployed since."""
    newest = next((r for r in reversed(incident.rounds) if running_release(r) is not None), None)
    action = newest.action if newest is not None else None
    releases = [
        Release(version=version)
        for at, version in deploys_heard(incident)
        if action is None or at > action.at
    ]
    version = running_release(newest)
    if action is not None and version is not None:
        releases.append(Release(version=version))
        meant = action.to_release
        releases += [meant] if meant is not None and meant.same_as(releases[-1]) else []
    return releases


class Stragglers(NamedTuple):
    """Events of releases that no longer run: old tabs, apps and queues."""

    events: int = 0
    releases: tuple[str, ...] = ()


async def count_stragglers(
    tracker: ErrorTracker,
    service: Service,
    left: frozenset[str],
    ids: Sequence[str],
    span: tuple[datetime, datetime],
) -> Stragglers:
    """Count the events of releases that are gone; those of an unknown release are none of them.

    Raises `PortError`.
    """
    if not left:
        return Stragglers()
    return _stragglers_in(await tracker.releases(service, ids, *span), service, left)


async def count_half(
    tracker: ErrorTracker,
    service: Service,
    left: frozenset[str],
    ids: Sequence[str],
    span: tuple[datetime, datetime],
) -> tuple[Half, Stragglers]:
    """Return the events of a half of a look, without those of releases that are gone, and these.

    Where nothing was taken back, or events carry no release, they may be of what ran before.
    Raises `PortError`.
    """
    since, until = span
    shares = await tracker.releases(service, ids, since, until)
    old = _stragglers_in(shares, service, left)
    events = sum(share.events for share in shares) - old.events
    nameless = sum(share.events for share in shares if not share.name) if left else events
    return Half(events, (until - since) / timedelta(minutes=1), nameless), old


def _stragglers_in(shares: Sequence[Share], service: Service, left: frozenset[str]) -> Stragglers:
    releases = [Release(version=name) for name in left]
    names = service.release
    events: dict[str, int] = {}
    for share in shares:
        name = names.version_of(names.sentry, share.name) or share.name
        if name and any(Release(version=name).same_as(release) for release in releases):
            events[name] = events.get(name, 0) + share.events
    return Stragglers(sum(events.values()), tuple(name for name, n in events.items() if n))
