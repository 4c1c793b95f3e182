"""An incident told by hand, put into the local Sentry and triaged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

from phases.ports.source_values import Commit, CommitFile
from phases.record.findings import ChangeSeen, EndpointAnswer, TriageReport
from phases.record.service import Service
from phases.triage.deploys.taken_back import Past
from phases.triage.measure import triage
from phases.triage.reading.questions import Sources
from sandbox.wire import Json
from tests.support.worlds.sentry_world import NOW, Deployer, Repository, World, ago, incident, world

Answer = Literal["rollback", "look", "investigate", "turn off"]
"""`look`: investigate, with a rollback beside it that is likely right."""
SHOP = Service(
    name="shop",
    sentry=("shop",),
    features={"cart": "/cart*", "pay": "/pay*", "search": "/search*"},
    endpoint="https://shop.example.com/health",
)
LIBRARIES = ("-packages/", "node_modules/", "gems/", "vendor/", "/pkg/mod", "go/src/", "lib/python")
WEEKS = 30 * 1440.0
BLOCKS = 6
"""Steps in which a fire that ramps up reaches its full rate."""
OLD = (
    ("ValueError: bad postcode", "/search", 6.0),
    ("KeyError: 'basket'", "/cart", 3.0),
    ("Http404: no product", "/products", 5.0),
)
"""What every service has: events an hour, for weeks."""


@dataclass(frozen=True, kw_only=True)
class Fire:
    """One issue of Sentry. Times are minutes ago."""

    error: str
    stack: Sequence[str] = ()
    """`path:line function`, the crash first."""
    rate: float = 40.0
    """Events a minute."""
    since: float = 6.0
    until: float = 0.3
    paths: Sequence[str] = ("/cart", "/pay", "/search")
    users: int = 200
    releases: Sequence[str] = ("v3",)
    platform: str = "python"
    level: str = "error"
    base: float = 0.0
    """Events an hour in the weeks before."""
    every_hour: float = 0.0
    """So many minutes of each hour, for two days, instead of `since` … `until`."""
    ramp: float = 0.0
    """Minutes until it has its full rate."""
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    flags: Mapping[str, bool] = field(default_factory=dict[str, bool])
    """What the events say of feature flags."""
    handled: bool = False
    alone: bool = False
    """All of it comes from one address."""


@dataclass(frozen=True, kw_only=True)
class Story:
    name: str
    right: Sequence[Answer]
    fires: Sequence[Fire] = ()
    deploys: Sequence[tuple[str, float]] = (("v3", 8), ("v2", 900), ("v1", 4000))
    """Version, minutes ago, newest first."""
    changed: Mapping[str, str] | None = None
    """Path → an added line, of what lies between target and newest; None: no repository."""
    changes: Sequence[Sequence[Any]] = ()
    """`flag` or `config`, name, minutes ago, and the new value where it is told."""
    down: str = ""
    """What the endpoint says, where it fails."""
    title: str = "shop is failing"
    noise: bool = True
    target: str = ""
    """The release that a rollback has to go to; empty: not looked at."""
    deploys_told: bool = True
    """Sentry is told of deploys; else only events name the releases."""
    neighbours: Sequence[tuple[str, Sequence[tuple[str, float]]]] = ()
    """Services that it depends on, with their deploys."""
    flag_log: Sequence[tuple[str, str, float]] = ()
    """Of Sentry: name, what was done, minutes ago."""
    traffic: float = 1200.0
    """Requests a minute since three days; 0: no traces."""
    rush: float = 0.0
    """So many times the traffic since `rush_since` minutes ago."""
    rush_since: float = 15.0
    sampled: bool = False
    """Sentry counts a part, and says so."""


@dataclass(frozen=True)
class _Front:
    down: str

    async def call(self, url: str) -> EndpointAnswer:
        return EndpointAnswer(ok=not self.down, said=self.down or "200 in 31 ms")


async def triaged_story(story: Story) -> TriageReport:
    """Triage the story over the local Sentry."""
    versions = list(dict.fromkeys(version for version, _ in story.deploys))
    deployer = Deployer(versions, next(iter(versions), None))
    source = None
    if story.changed is not None:
        source = Repository(log=(_commit(story.changed),), changed=list(story.changed))
    async with world(deployer=deployer, source=source, service=SHOP, traces=False) as w:
        neighbours = _beside_fires(w, story)
        if story.noise:
            for n, (error, path, hourly) in enumerate(OLD):
                stack = (f"shop/old{n}.py:4 view",)
                _put(w, story, Fire(error=error, stack=stack, paths=(path,), rate=0, base=hourly))
        for fire in story.fires:
            _put(w, story, fire)
        changes = tuple(
            ChangeSeen(
                service="shop", kind=kind, name=name, at=ago(minutes), new=next(iter(value), None)
            )
            for kind, name, minutes, *value in story.changes
        )
        sources = Sources(
            SHOP,
            w.client,
            neighbours,
            deployer,
            source,
            endpoint=_Front(story.down),
            flags=w.client.flags,
        )
        asked = incident(title=story.title)
        return (await triage(asked, sources, (), NOW, past=Past(changes=changes))).report


def _beside_fires(w: World, story: Story) -> list[Service]:
    """Put traffic, deploys and flags, and return the neighbours.

    Of each release Sentry knows the deploy that it was told of last.
    """
    w.local.sampled = story.sampled
    if story.traffic:
        w.local.traffic(story.traffic / 60, since=ago(3 * 1440))
    if story.rush:
        w.local.traffic(story.rush * story.traffic / 60, since=ago(story.rush_since))
    for version, minutes in reversed(story.deploys if story.deploys_told else ()):
        w.deployed(version, minutes)
    for name, deploys in story.neighbours:
        for version, minutes in reversed(deploys):
            w.deployed(version, minutes, project=name)
    for name, action, minutes in story.flag_log:
        w.local.add_flag_change(name, action=action, at=ago(minutes).timestamp())
    return [Service(name=name, sentry=(name,)) for name, _ in story.neighbours]


def answer_of(report: TriageReport, target: str = "") -> str:
    """Return the button; with the release, where the rollback goes to another one."""
    advice = report.recommendation
    if advice.choice.value == "rollback" and target and advice.target is not None:
        gone = advice.target.version
        return "rollback" if gone == target else f"rollback to {gone} instead of {target}"
    beside = advice.choice.value == "investigate" and advice.likely_beside
    return "look" if beside else advice.choice.value


# --- how it is put there -------------------------------------------------------------------------


def _put(w: World, story: Story, fire: Fire) -> None:
    if fire.base:
        for version, since, until in _ran(story, 0.1 if not fire.rate else fire.since):
            _load(w, fire, version, (since, until), fire.base / 60)
    if fire.every_hour:
        for hour in range(48):
            begin = 15.0 + 60 * hour
            span = (begin, begin - fire.every_hour)
            _load(w, fire, fire.releases[0], span, fire.rate)
        return
    blocks = BLOCKS if fire.ramp else 1
    length = fire.ramp / blocks
    for n in range(blocks if fire.ramp else 0):
        begin = fire.since - n * length
        _carry(w, fire, (begin, begin - length), fire.rate * (n + 0.5) / blocks)
    _carry(w, fire, (fire.since - fire.ramp, fire.until), fire.rate)


def _ran(story: Story, until: float) -> list[tuple[str, float, float]]:
    """Return the release of each span of the weeks before."""
    spans: list[tuple[str, float, float]] = []
    end = until
    for version, at in story.deploys:
        if at > end:
            spans.append((version, min(at, WEEKS), end))
            end = at
    return [span for span in spans if span[1] > span[2]]


def _carry(w: World, fire: Fire, span: tuple[float, float], rate: float) -> None:
    for version in fire.releases:
        _load(w, fire, version, span, rate / len(fire.releases))


def _load(w: World, fire: Fire, version: str, span: tuple[float, float], rate: float) -> None:
    """Put events of each page between two times, by the users in turn."""
    since, until = span
    part = rate / len(fire.paths)
    for n, path in enumerate(fire.paths):
        first = since - n / max(rate, 1.0) * min(1.0, (since - until) / 2)
        times = int((first - until) * part)
        if times <= 0:
            continue
        names = [f"u{(n + k * len(fire.paths)) % fire.users}" for k in range(fire.users)]
        fields: dict[str, Any] = {"transaction": path, "release": version, "level": fire.level}
        fields |= {"platform": fire.platform, "tags": dict(fire.tags), "flags": dict(fire.flags)}
        fields |= {"handled": fire.handled, "ip": "203.0.113.7" if fire.alone else None}
        fields["frames"] = [_frame(text) for text in reversed(fire.stack)]
        every = timedelta(minutes=1 / part).total_seconds()
        w.local.load(fire.error, at=ago(first), every=every, times=times, users=names, **fields)


def _frame(text: str) -> Json:
    place, _, function = text.partition(" ")
    file, _, line = place.rpartition(":")
    library = any(part in file for part in LIBRARIES) or file.startswith("node:")
    return {
        "filename": file,
        "abs_path": file,
        "lineno": int(line),
        "function": function,
        "module": file.rpartition(".")[0].replace("/", "."),
        "in_app": not library,
    }


def _commit(changed: Mapping[str, str]) -> Commit:
    files = tuple(
        CommitFile(
            path=path,
            added=1,
            patch=f"@@ -40,6 +40,7 @@ def total(cart):\n     before\n+    {line}\n     after\n",
        )
        for path, line in changed.items()
    )
    return Commit(sha="a" * 40, subject="Change it", at=ago(60), files=files)
