"""Phase 1: what was deployed, what runs, where a rollback may go, and what lies between."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain

from phases.ports.tracker_values import EventPicture, OtherErrors
from phases.record.findings import DeploySeen, Release, Share
from phases.record.incident import Incident
from phases.triage.deploys.deploy_history import FIRST_EVENTS, History, merge_deploys
from phases.triage.deploys.taken_back import RollbackPath
from phases.triage.deploys.targets import Candidates, EarlierFire, targets_of
from phases.triage.picture.fire import MINUTE
from phases.triage.reading.questions import Questions
from phases.triage.rollback.situation import runs_beside

ONE_PLACE = 0.95  # of the events: the rest names no place, or is noise


@dataclass(frozen=True, slots=True)
class KnownDeploys:
    """The deploys, the running release, and the releases that may be deployed."""

    known: History
    neighbours: tuple[DeploySeen, ...]
    """Deploys of the services that it depends on, newest first."""
    all_told: bool
    """Sentry told of its deploys: no other one can be nearer to the trouble."""
    running: Release | None
    releases: tuple[Release, ...] | None
    cannot_deploy: str
    burning: Collection[str]
    rolled_back: Collection[str]

    @property
    def candidates(self) -> Candidates:
        return Candidates(self.known, self.releases, self.running, self.burning, self.rolled_back)

    def near(self, minute: datetime | None) -> bool:
        """Say whether a deploy is so near that the second of the beginning tells on which side."""
        return minute is not None and any(
            abs(minute - deploy.started_at) <= 2 * MINUTE for deploy in self.known.deploys
        )

    def canary(self, suspect: DeploySeen | None, by_release: Mapping[str, int]) -> bool:
        """Say whether the suspect runs beside the release that the deployer names."""
        if suspect is None or self.running is None:
            return False
        return runs_beside(suspect, self.running, self.known, by_release)


async def ask_deploys(
    ask: Questions,
    incident: Incident,
    known_deploys: Sequence[DeploySeen],
    burning: Collection[str],
) -> KnownDeploys:
    """Ask what was deployed, what runs, what may be deployed."""
    service = ask.sources.service
    by_github, (by_sentry, all_told), running, (releases, cannot_deploy) = await asyncio.gather(
        ask.deploys_on_github(), ask.deploys_in_sentry(), ask.running(), ask.releases()
    )
    outside = (*by_github, *by_sentry)
    own = [d for d in (*known_deploys, *outside) if d.service == service.name]
    known = merge_deploys(own, deployable=releases or ()).without(incident.rolled_back)
    return KnownDeploys(
        known=known,
        neighbours=_neighbour_deploys(service.name, (*known_deploys, *outside)),
        all_told=all_told,
        running=running or (known.deploys[0].release if known.deploys else None),
        releases=releases,
        cannot_deploy=cannot_deploy,
        burning=burning,
        rolled_back=incident.rolled_back,
    )


def _neighbour_deploys(service: str, told: Sequence[DeploySeen]) -> tuple[DeploySeen, ...]:
    """Return the deploys of other services, each once, newest first.

    A first event stands for no deploy here: it may be an old page's.
    """
    deploys = [d for d in told if d.service != service and d.source not in FIRST_EVENTS]
    names = dict.fromkeys(d.service for d in deploys)
    joined = (merge_deploys([d for d in deploys if d.service == name]).deploys for name in names)
    return tuple(sorted(chain.from_iterable(joined), key=lambda d: d.started_at, reverse=True))


async def ask_rollback_path(
    ask: Questions,
    deploys: KnownDeploys,
    suspect: DeploySeen | None,
    fire: EarlierFire | None,
    *,
    canary: bool = False,
) -> RollbackPath:
    """Ask what lies between what runs and the release to go back to."""
    candidates, window = deploys.candidates, ask.sources.service.window
    targets = targets_of(suspect, candidates, window, fire, beside=canary).releases
    running = suspect.release if canary and suspect is not None else deploys.running
    one_way, (commits, why) = await asyncio.gather(
        ask.one_way_changes(targets, running), ask.commits(targets, running)
    )
    return RollbackPath(targets[0] if targets else None, one_way, commits, why)


def _shares_by_kind(seen: EventPicture | OtherErrors) -> dict[str, tuple[Share, ...]]:
    return {
        "organisation": seen.organisations,
        "region": seen.regions,
        "browser": seen.browsers,
    }


def only_places(picture: EventPicture) -> dict[str, str]:
    """Return the organisation, region or browser that all events are in, where it is one."""
    names: dict[str, str] = {}
    for kind, named in _shares_by_kind(picture).items():
        known = sum(share.events for share in named)
        if known * 2 < picture.events or not named:
            continue  # most events name none
        if named[0].events >= max(known * ONE_PLACE, 2):
            names[kind] = named[0].name
    return names


def others_beside(only: Mapping[str, str], others: OtherErrors) -> dict[str, tuple[int, int]]:
    """Return, by kind, how many others there are beside the one that fails, and their events."""
    counts: dict[str, tuple[int, int]] = {}
    for kind, name in only.items():
        rest = [share.events for share in _shares_by_kind(others)[kind] if share.name != name]
        counts[kind] = (len(rest), sum(rest))
    return counts
