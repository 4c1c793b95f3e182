"""An ordinary service on an ordinary day: what every kind of world begins with."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from phases.ports.ports import HotfixRef
from phases.ports.source_values import Commit, CommitFile
from phases.record.findings import Frame, HypothesisKind
from phases.record.service import DeployCommands, Service
from tests.judgement.edges import words_of
from tests.judgement.errors import CRASHES, LANGUAGES, NOISE, Language, Said, file_of
from tests.judgement.ports import commit_of
from tests.judgement.world import DAY, Changed, Deploy, Failure, Told, When, World

LONG_AGO = -60 * DAY
MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
PAGES = {
    "cart": ("/cart", "/cart/items"),
    "pay": ("/pay", "/pay/confirm"),
    "search": ("/search",),
    "account": ("/account", "/account/orders"),
    "catalogue": ("/products", "/products/[id]"),
    "login": ("/login",),
    "invoices": ("/invoices",),
    "upload": ("/upload",),
}


MIGRATIONS = {
    "drop": "ALTER TABLE bookings DROP COLUMN booking_ref;",
    "add": "CREATE INDEX CONCURRENTLY bookings_by_day ON bookings (day);",
}


def _patch(path: str, line: int) -> str:
    """Return what a commit did to a file: a migration says what it does."""
    does = (sql for what, sql in MIGRATIONS.items() if f"_{what}_" in path)
    return f"@@ -{line},2 +{line},3 @@\n before\n+{next(does, 'x = 1')}\n after\n"


@dataclass
class Draft:
    rng: random.Random
    seed: int
    kind: str
    zero: datetime = MONDAY
    language: Language = "python"
    active: float = 100.0
    deploys: list[Deploy] = field(default_factory=list[Deploy])
    failures: list[Failure] = field(default_factory=list[Failure])
    changes: list[Changed] = field(default_factory=list[Changed])
    neighbours: list[tuple[Service, tuple[Deploy, ...]]] = field(default_factory=list[Any])
    code: dict[str, tuple[Commit, ...]] = field(default_factory=dict[str, tuple[Commit, ...]])
    hunks: dict[str, int] = field(default_factory=dict[str, int])
    """The line at which the newest commit of each file changed it."""
    cause: HypothesisKind | None = HypothesisKind.RELEASE
    truth: str = ""
    later: float = 0.0
    """Minutes from the alarm until triage asks."""
    fields: dict[str, Any] = field(default_factory=dict[str, Any])

    # --- the ordinary day ----------------------------------------------------------------------

    def begin(self) -> None:
        rng = self.rng
        hours = rng.choice((*range(7, 23), *range(24)))  # most of it happens while people work
        self.zero = MONDAY + timedelta(
            days=rng.randrange(14),
            hours=hours,
            minutes=rng.randrange(60),
            seconds=rng.randrange(60),
        )
        self.active = math.exp(rng.uniform(math.log(15), math.log(900)))
        self.later = rng.choice((1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 45.0))
        self.language = rng.choice(LANGUAGES)
        self._history()
        for n in range(rng.randint(2, 8)):
            error = rng.choice(NOISE)
            rate = self.active / 100 * math.exp(rng.uniform(math.log(0.005), math.log(0.4)))
            paths = self.paths(rng.randint(1, 3))
            known = -rng.uniform(3, 400) * DAY
            when = When(begins=LONG_AGO)
            self.fail(
                error.type,
                error.value,
                paths,
                when,
                rate=rate,
                users=max(3, int(self.active / 3)),
                first=known,
                noise=True,
                frames=self.frames(f"old{n}", "view"),
            )

        if rng.random() < 0.3:  # an earlier fire, which is no part of the usual
            begins = -rng.uniform(2, 13) * DAY
            when = When(begins=begins, ends=begins + rng.uniform(20, 300))
            error = rng.choice(CRASHES[self.language])
            self.fail(
                error.type,
                error.value,
                self.paths(2),
                when,
                rate=self.active / 3,
                users=self.pool(self.active),
                first=begins,
                noise=True,
                frames=self.frames("earlier", "run"),
            )

    def _history(self) -> None:
        """Deploy as teams do: several times a day, daily, or weekly (DORA's clusters)."""
        every = self.rng.choice((90, 240, 480, DAY, DAY, 3 * DAY, 7 * DAY))
        at, made = -every * self.rng.random() - 30, 0
        times: list[float] = []
        while made < 6:
            times.append(at)
            at -= every * self.rng.uniform(0.4, 1.6)
            made += 1
        self.deploy(LONG_AGO, "1.0.0")
        for n, minute in enumerate(reversed(times), 1):
            self.deploy(minute, f"1.{n}.0")

    # --- what happens --------------------------------------------------------------------------

    @property
    def newest(self) -> str:
        return max(self.deploys, key=lambda d: d.begins).version

    @property
    def versions(self) -> list[str]:
        return list(dict.fromkeys(d.version for d in sorted(self.deploys, key=lambda d: d.begins)))

    def since(self, version: str) -> frozenset[str]:
        """Return this release and all that were made after it."""
        return frozenset(self.versions[self.versions.index(version) :])

    def before(self, version: str) -> frozenset[str]:
        return frozenset(self.versions[: self.versions.index(version)])

    def deploy(self, at: float, version: str = "", *files: str, **fields: Any) -> str:
        """Deploy a release with a few commits; `files` are among what they change."""
        version = version or f"1.{len(self.versions)}.0"
        fields.setdefault("minutes", self.rng.choice((1.0, 2.0, 4.0)))
        if version not in self.versions:
            subject = fields.pop("subject", "")
            others = [f"part{self.rng.randrange(60)}" for _ in range(self.rng.randint(1, 6))]
            if self.rng.random() < 0.2:  # by chance it is in somebody's stack
                others.append(self.rng.choice((*PAGES, "views")))
            paths = [self.file(name) for name in (*files, *others)]
            self.hunks |= {path: self.rng.randint(10, 300) for path in paths}
            self.code[version] = tuple(
                Commit(
                    sha=commit_of(f"{version}-{n}"),
                    author="dev",
                    at=self.zero + timedelta(minutes=at - 40 - n),
                    subject=subject or f"change {path}",
                    files=(
                        CommitFile(
                            path=path, added=12, deleted=4, patch=_patch(path, self.hunks[path])
                        ),
                    ),
                )
                for n, path in enumerate(dict.fromkeys(paths))
            )
        fields.pop("subject", None)
        self.deploys.append(Deploy(version, at, **fields))
        return version

    def fail(
        self, kind: str, value: str, paths: tuple[str, ...], when: When, **fields: Any
    ) -> Failure:
        failure = Failure(str(1000 + len(self.failures)), kind, value, paths, when, **fields)
        self.failures.append(failure)
        return failure

    def crash(
        self, when: When, *, wide: bool = True, share: float = 0.0, file: str = "", **fields: Any
    ) -> None:
        """Customers fail by a bug in our own code, as one to four issues."""
        rng = self.rng
        hit = self.active * (share or rng.uniform(0.1, 0.9))
        parts = rng.randint(1, 4) if wide else 1
        pages = self.pages(rng.randint(2, 4)) if wide else self.pages(1)
        every = tuple(p for page in pages for p in PAGES[page])
        for n in range(parts):
            error = rng.choice(CRASHES[self.language])
            frames = self.frames(file or pages[0], f"handle{n}", error)
            paths = every if n == 0 else PAGES[rng.choice(pages)]
            self._hit(
                error, paths, when, hit / parts, frames=frames, users=self.pool(hit), **fields
            )

    def edge(
        self, name: str, when: When, *, wide: bool = True, share: float = 0.0, **fields: Any
    ) -> None:
        """Customers fail at the edge of the service; our own frames only call the library."""
        rng = self.rng
        hit = self.active * (share or rng.uniform(0.2, 0.95))
        error = words_of(rng, name, self.language)
        pages = self.pages(rng.randint(2, 5)) if wide else self.pages(1)
        groups = [pages] if rng.random() < 0.5 else [[page] for page in pages]
        part, file = hit / len(groups), fields.pop("file", "")
        fields = {"mend": "hand", "users": self.pool(part), **fields}
        for group in groups:
            paths = tuple(p for page in group for p in PAGES[page])
            caller = file or ("db" if name in ("database", "pool") else group[0])
            self._hit(
                error, paths, when, part, frames=self.frames(caller, "fetch", error), **fields
            )

    def _hit(
        self, error: Said, paths: tuple[str, ...], when: When, hit: float, **fields: Any
    ) -> None:
        """Add an issue of so many customers; one in eight has been there before, now and then."""
        if "first" not in fields and self.rng.random() < 0.12:
            fields |= {"first": -self.rng.uniform(5, 200) * DAY, "base": self.active * 2e-5}
        self.fail(error.type, error.value, paths, when, hit=hit, rate=self.events(hit), **fields)

    # --- small parts ---------------------------------------------------------------------------

    def events(self, hit: float) -> float:
        """Return events a minute: some clients give up at once, others try again."""
        return min(hit * self.rng.uniform(0.15, 1.2), 250.0)

    def pool(self, hit: float) -> int:
        """Return the distinct people who run into it over a while: they come and go."""
        return max(3, int(hit * self.rng.uniform(2, 6)))

    def pages(self, n: int) -> list[str]:
        return self.rng.sample(list(PAGES), n)

    def paths(self, n: int) -> tuple[str, ...]:
        return tuple(p for page in self.pages(n) for p in PAGES[page])

    def file(self, name: str) -> str:
        """Return the path of one of the project's parts; what is a path already stays."""
        return name if "/" in name or name.endswith(".txt") else file_of(self.language, name)

    def frames(self, name: str, function: str, error: Said | None = None) -> tuple[Frame, ...]:
        """Return a stack that crashes in a part of the project, or in the library that it calls."""
        own = (self._frame(self.file(name), function), self._frame(self.file("views"), "dispatch"))
        if error is None or not error.file:
            return own
        return (self._frame(error.file, error.function or "call", in_app=False), *own)

    def _frame(self, file: str, function: str, *, in_app: bool = True) -> Frame:
        module = file.rpartition(".")[0].replace("/", ".") if self.language != "node" else ""
        line = self.rng.randint(10, 300)
        if file in self.hunks and self.rng.random() < 0.5:
            line = self.hunks[file] + 1
        frame = Frame(file=file, function=function, line=line, module=module, in_app=in_app)
        return frame.model_copy(update={"host": urlsplit(file).hostname or ""})

    def known_fix(self, failure: Failure) -> None:
        ref = HotfixRef(
            name=f"fix/SHOP-{failure.id}", commit="f" * 40, subject=f"Fix SHOP-{failure.id}"
        )
        self.fields["fixes"] = (ref,)

    def end(self) -> World:
        rng = self.rng
        source: Told = rng.choices(
            ("sentry", "webhook", "github", "first events"), (45, 25, 22, 8)
        )[0]
        features = (
            {name: f"{paths[0]}*" for name, paths in PAGES.items()} if rng.random() < 0.6 else {}
        )
        service = Service(
            name="shop",
            sentry=("shop-web",),
            features=features,
            deployer="command",
            checkout="/srv/shop",
            deploy=DeployCommands(
                directory="/srv", run=("d", "{release}"), current=("c",), releases=("r",)
            ),
            depends_on=tuple(s.name for s, _ in self.neighbours),
            one_way=("migrations/**",) if rng.random() < 0.6 else (),
            endpoint="https://shop.example.com/health",
        )
        given: dict[str, Any] = {
            "deploys_from": source,
            "releases_told": rng.random() < 0.92 or source == "first events",
            "users_told": rng.random() < 0.85,
            "seeded": rng.random() < 0.6,
            "deploy_minutes": rng.choice((3.0, 5.0, 8.0, 12.0)),
            "mend_minutes": rng.uniform(5, 40),
            "service": service,
            "traces_kept": rng.choices((0.0, 0.05, 0.2, 1.0), (35, 25, 20, 20))[0],
            **self.fields,
        }
        return World(
            seed=self.seed,
            kind=self.kind,
            zero=self.zero,
            active=self.active,
            deploys=tuple(self.deploys),
            failures=tuple(self.failures),
            cause=self.cause,
            truth=self.truth,
            changes=tuple(self.changes),
            neighbours=tuple(self.neighbours),
            code=self.code,
            asked=self.later,
            **given,
        )
