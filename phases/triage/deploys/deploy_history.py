"""Phase 1: the deploys of a service as several sources tell of them, and the suspect among them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Self

from phases.record.findings import DeploySeen, Release
from phases.record.release_names import Names, join_names, names_a_version

GRACE_PER_WINDOW = 1 / 15  # Suspect: "(a minute of grace)", beside a window of 15 minutes
SAME_DEPLOY = timedelta(minutes=10)
"""Two sources tell of one deploy within this time: their clocks and moments differ."""

AT_ONCE = timedelta(minutes=1)
"""Several releases that are first seen so near to each other were not deployed then."""

ROLLS_OUT = timedelta(minutes=5)
"""A deploy of which only the end is told may have begun so long before."""

ROLLOUT = timedelta(hours=1)
"""A canary has its first event at most so long before CI tells the end of its rollout."""

SOURCES = ("bot", "webhook", "github", "sentry", "deployer", "first event")
"""The sources of deploys, the one whose word is taken first (rules: Deploy history)."""
STANDS_IN = "first event"
UNTOLD = "first event, deploys not told"
"""The source of a release whose own deploys could not be asked for: it counts beside what is told
of the others."""
FIRST_EVENTS = (STANDS_IN, UNTOLD)


@dataclass(frozen=True, slots=True)
class History:
    """Deploys of one service to the counted environment, newest first."""

    deploys: tuple[DeploySeen, ...] = ()
    first: Mapping[str, datetime] = field(default_factory=dict[str, datetime])
    """Version → when it was first there, as far as anybody knows."""
    last: Mapping[str, datetime] = field(default_factory=dict[str, datetime])
    """Version → its newest event of any kind, where Sentry tells."""
    names: Names = field(default_factory=Names)

    @property
    def stands_in(self) -> bool:
        """Nobody told of a deploy: the first event of each release stands for it."""
        return bool(self.deploys) and all(d.source == STANDS_IN for d in self.deploys)

    def without(self, rolled_back: Collection[str]) -> Self:
        """Return the history in which these versions are not healthy, whatever the sources say."""
        out = {self.names.called(version) for version in rolled_back}
        deploys = (
            d.model_copy(update={"rolled_back": True}) if d.release.version in out else d
            for d in self.deploys
        )
        return replace(self, deploys=tuple(deploys))


def merge_deploys(*sources: Sequence[DeploySeen], deployable: Sequence[Release] = ()) -> History:
    """Join what several sources tell of one service's deploys, by version, or by commit.

    `deployable` is the deployer's list. First events stand for deploys only where no other source
    knows any, and for what came after all of these. The bot's own records do not count as one: that
    the bot rolled back once does not mean that ordinary deploys are told of.
    """
    raw = _without_moving_names(
        [deploy for source in sources for deploy in source],
        {release.version for release in deployable},
    )
    by_sentry = [d.release for d in raw if d.source in ("sentry", STANDS_IN)]
    known = join_names(by_sentry, deployable, (d.release for d in raw))
    deploys = [d.model_copy(update={"release": known.of(d.release)}) for d in raw]
    first: dict[str, datetime] = {}
    last: dict[str, datetime] = {}
    for d in deploys:
        version = d.release.version
        first[version] = min(d.started_at, first.get(version, d.started_at))
        if d.last_event is not None:
            last[version] = max(d.last_event, last.get(version, d.last_event))
    reported = [d for d in deploys if d.source not in ("bot", *FIRST_EVENTS)]
    ours = _packages_deployed(deploys, reported)
    first_events = [d for d in deploys if d.source == STANDS_IN]
    deploys = [
        d
        for d in deploys
        if d.source != STANDS_IN
        or not reported
        or (_stands_for_deploy(d, reported, ours) and not _in_crowd(d, first_events))
    ]
    joined: list[DeploySeen] = []
    for d in sorted(deploys, key=_source_rank):
        stands = any(_is_known_deploy(d, other) for other in joined)
        if d.source in FIRST_EVENTS and stands:
            continue
        at = next((n for n, other in enumerate(joined) if _is_same_deploy(d, other, deploys)), None)
        if at is None:
            joined.append(d)
        else:
            joined[at] = _merge_reports(joined[at], d)
    joined = [_with_first_sign(d, first[d.release.version], joined) for d in joined]
    newest_first = sorted(joined, key=lambda d: (d.started_at, d.release.version), reverse=True)
    return History(tuple(newest_first), first, last, known)


def _packages_deployed(deploys: Sequence[DeploySeen], reported: Sequence[DeploySeen]) -> set[str]:
    """Return the packages of those releases with events that deploys tell of, too.

    Sentry's names are `package@version` (https://docs.sentry.io/product/releases/naming-releases/).
    """
    return {
        _package(d.release.version)
        for d in deploys
        if d.source == STANDS_IN and any(d.release.same_as(other.release) for other in reported)
    }


def _package(version: str) -> str:
    return version.rpartition("@")[0]


def _stands_for_deploy(
    deploy: DeploySeen, reported: Sequence[DeploySeen], ours: Collection[str]
) -> bool:
    """Say whether a first event stands for a deploy beside those that are told.

    It does for a release that nobody has told of, and that came after all of them: CI tells of the
    end of a rollout, and a canary may have none. A release of another package is not the service's:
    an app sends its events to the same project.
    """
    if ours and _package(deploy.release.version) not in ours:
        return False
    later = all(d.started_at < deploy.started_at for d in reported)
    return later and not any(d.release.same_as(deploy.release) for d in reported)


def _in_crowd(deploy: DeploySeen, others: Sequence[DeploySeen]) -> bool:
    """Say whether another release was first seen at the same time: the versions of an app.

    No service is deployed so; what all of them meet began then.
    """
    version = deploy.release.version
    near = (d for d in others if abs(d.started_at - deploy.started_at) <= AT_ONCE)
    return any(d.release.version != version for d in near)


def _without_moving_names(
    deploys: list[DeploySeen], deployable: Collection[str]
) -> list[DeploySeen]:
    """Leave out Sentry's names that move, such as `main`, where another source tells deploys."""
    if all(d.source in ("bot", "sentry", STANDS_IN) for d in deploys):
        return deploys
    return [
        d
        for d in deploys
        if d.source not in ("sentry", STANDS_IN)
        or names_a_version(d.release.version)
        or d.release.version in deployable
    ]


def _is_known_deploy(deploy: DeploySeen, other: DeploySeen) -> bool:
    """The first event of another build of the version stands for a deploy of its own."""
    another_build = other.source in FIRST_EVENTS and deploy.started_at != other.started_at
    return deploy.release.version == other.release.version and not another_build


def _with_first_sign(
    deploy: DeploySeen, first: datetime, others: Sequence[DeploySeen]
) -> DeploySeen:
    """Take the first sign of a release shortly before a deploy's end as its start.

    CI's webhook tells of the end only. A canary has been there for longer; then nothing else was
    deployed in between.
    """
    if not ends_only(deploy) or not deploy.started_at - ROLLOUT <= first < deploy.started_at:
        return deploy
    between = any(first <= d.started_at < deploy.started_at for d in others if d is not deploy)
    if between and first < deploy.started_at - SAME_DEPLOY:
        return deploy
    return deploy.model_copy(update={"started_at": first})


def ends_only(deploy: DeploySeen) -> bool:
    """Say whether only the end of a deploy is told.

    So does CI's webhook, and in Sentry `dateStarted` is optional
    (https://docs.sentry.io/api/releases/create-a-deploy/).
    """
    return deploy.source in ("webhook", "sentry") and deploy.finished_at == deploy.started_at


def _source_rank(deploy: DeploySeen) -> tuple[int, datetime]:
    source = deploy.source
    return (SOURCES.index(source) if source in SOURCES else len(SOURCES), deploy.started_at)


def _is_same_deploy(deploy: DeploySeen, other: DeploySeen, deploys: Sequence[DeploySeen]) -> bool:
    """Say whether two sources tell of one deploy: the same version, near in time, nothing between.

    A source that tells of a deploy twice names the same moment, as GitHub does by its webhook and
    when it is asked.
    """
    if not other.release.same_as(deploy.release):
        return False
    if deploy.source == other.source:
        return deploy.started_at == other.started_at
    begin, end = sorted((deploy.started_at, other.started_at))
    between = (d for d in deploys if begin < d.started_at < end and d.source != STANDS_IN)
    return end - begin <= SAME_DEPLOY and all(d.release.same_as(deploy.release) for d in between)


def _merge_reports(better: DeploySeen, other: DeploySeen) -> DeploySeen:
    release = better.release
    if release.commit is None and other.release.commit is not None:
        release = release.model_copy(update={"commit": other.release.commit})
    return better.model_copy(
        update={
            "release": release,
            "finished_at": better.finished_at or other.finished_at,
            "by": better.by or other.by,
            "rolled_back": better.rolled_back or other.rolled_back,
        }
    )


def suspect_of(
    deploys: Sequence[DeploySeen], began: datetime | None, window: timedelta
) -> DeploySeen | None:
    """Return the deploy that had started last when trouble began, whatever its version number."""
    if began is None:
        return None
    grace = window * GRACE_PER_WINDOW
    rolled_out = max(grace, ROLLS_OUT)
    before = (d for d in deploys if d.started_at <= began + (rolled_out if ends_only(d) else grace))
    return max(before, key=lambda d: d.started_at, default=None)
