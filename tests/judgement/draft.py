"""An ordinary service on an ordinary day: what every kind of world begins with."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from phases.ports.ports import HotfixRef
from phases.ports.source_values import Commit, CommitFile
from phases.record.findings import Frame, HypothesisKind
from phases.record.service import DeployCommands, Service
from tests.judgement.ports import commit_of
from tests.judgement.world import DAY, Changed, Deploy, Failure, Told, When, World

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
CRASHES = (
    ("TypeError", "Cannot read properties of undefined (reading 'price')"),
    ("KeyError", "'currency'"),
    ("AttributeError", "'NoneType' object has no attribute 'total'"),
    ("ValueError", "invalid literal for int() with base 10: ''"),
    ("NullPointerException", ""),
    ("UnboundLocalError", "cannot access local variable 'basket'"),
    ("ValidationError", "1 validation error for Order"),
)
NOISE = (
    ("TimeoutError", "read timed out"),
    ("BrokenPipeError", "[Errno 32] Broken pipe"),
    ("PermissionDenied", "csrf token missing"),
    ("IntegrityError", "duplicate key value violates unique constraint"),
    ("ConnectionResetError", "[Errno 104] Connection reset by peer"),
    ("UnicodeDecodeError", "'utf-8' codec can't decode byte 0xe9"),
)
EDGES: dict[str, tuple[str, str, str, str]] = {
    "database": (
        "OperationalError",
        "could not connect to server: Connection refused",
        "psycopg/connection.py",
        "connect",
    ),
    "pool": (
        "TimeoutError",
        "QueuePool limit of size 10 overflow 20 reached, connection timed out",
        "sqlalchemy/pool/impl.py",
        "_do_get",
    ),
    "provider": (
        "ReadTimeout",
        "HTTPSConnectionPool(host='api.provider.com', port=443): Read timed out",
        "requests/adapters.py",
        "send",
    ),
    "provider5xx": (
        "HTTPError",
        "503 Server Error: Service Unavailable for url: https://api.provider.com/v1/charges",
        "requests/models.py",
        "raise_for_status",
    ),
    "certificate": (
        "SSLError",
        "certificate verify failed: certificate has expired (_ssl.c:1006)",
        "urllib3/connectionpool.py",
        "urlopen",
    ),
    "dns": (
        "ConnectionError",
        "[Errno -2] Name or service not known",
        "urllib3/connection.py",
        "connect",
    ),
    "disk": (
        "OSError",
        "[Errno 28] No space left on device",
        "django/core/files/storage.py",
        "_save",
    ),
    "memory": ("MemoryError", "", "json/decoder.py", "raw_decode"),
    "neighbour": (
        "ApiError",
        "500 Internal Server Error from http://payments.internal/charge",
        "httpx/_models.py",
        "raise_for_status",
    ),
}
"""What the edge of a service says: type, text, the library's file and function."""


@dataclass
class Draft:
    rng: random.Random
    seed: int
    kind: str
    zero: datetime = MONDAY
    active: float = 100.0
    deploys: list[Deploy] = field(default_factory=list[Deploy])
    failures: list[Failure] = field(default_factory=list[Failure])
    changes: list[Changed] = field(default_factory=list[Changed])
    neighbours: list[tuple[Service, tuple[Deploy, ...]]] = field(default_factory=list[Any])
    code: dict[str, tuple[Commit, ...]] = field(default_factory=dict[str, tuple[Commit, ...]])
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
        self._history()
        for n in range(rng.randint(2, 8)):
            kind, value = rng.choice(NOISE)
            rate = self.active / 100 * math.exp(rng.uniform(math.log(0.005), math.log(0.4)))
            paths = self.paths(rng.randint(1, 3))
            known = -rng.uniform(3, 400) * DAY
            when = When(begins=-9 * DAY)
            self.fail(
                kind,
                value,
                paths,
                when,
                rate=rate,
                users=max(3, int(self.active / 3)),
                first=known,
                noise=True,
                frames=self.frames(f"app/old{n}.py", "view"),
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
        version = version or f"1.{len(self.versions) + 1}.0"
        fields.setdefault("minutes", self.rng.choice((1.0, 2.0, 4.0)))
        if version not in self.versions:
            subject = fields.pop("subject", "")
            paths = [
                *files,
                *(f"app/part{self.rng.randrange(60)}.py" for _ in range(self.rng.randint(1, 6))),
            ]
            self.code[version] = tuple(
                Commit(
                    sha=commit_of(f"{version}-{n}"),
                    author="dev",
                    at=self.zero + timedelta(minutes=at - 40 - n),
                    subject=subject or f"change {path}",
                    files=(
                        CommitFile(
                            path=path, added=12, deleted=4, patch="@@ -1,4 +1,12 @@\n+x = 1\n"
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
        share = share or rng.uniform(0.1, 0.9)
        hit = self.active * share
        parts = rng.randint(1, 4) if wide else 1
        pages = self.pages(rng.randint(2, 4)) if wide else self.pages(1)
        for n in range(parts):
            kind, value = rng.choice(CRASHES)
            paths = (
                tuple(p for page in pages for p in PAGES[page])
                if parts == 1 or n == 0
                else PAGES[rng.choice(pages)]
            )
            self.fail(
                kind,
                value,
                paths,
                when,
                hit=hit / parts,
                rate=self.events(hit / parts),
                users=self.pool(hit),
                frames=self.frames(file or f"app/{pages[0]}.py", f"handle_{n}"),
                **fields,
            )

    def edge(
        self, name: str, when: When, *, wide: bool = True, share: float = 0.0, **fields: Any
    ) -> None:
        """Customers fail at the edge of the service; our own frames only call the library."""
        rng = self.rng
        hit = self.active * (share or rng.uniform(0.2, 0.95))
        kind, value, file, function = EDGES[name]
        pages = self.pages(rng.randint(2, 5)) if wide else self.pages(1)
        fields = {"mend": "hand", **fields}
        groups = [pages] if rng.random() < 0.5 else [[page] for page in pages]
        for group in groups:
            paths = tuple(p for page in group for p in PAGES[page])
            caller = f"app/{group[0]}.py"
            frames = (
                Frame(
                    file=file,
                    function=function,
                    line=88,
                    in_app=False,
                    module=file[:-3].replace("/", "."),
                ),
                *self.frames("app/db.py" if name in ("database", "pool") else caller, "fetch"),
            )
            self.fail(
                kind,
                value,
                paths,
                when,
                hit=hit / len(groups),
                rate=self.events(hit / len(groups)),
                users=self.pool(hit),
                frames=frames,
                **fields,
            )

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

    def frames(self, file: str, function: str) -> tuple[Frame, ...]:
        line = self.rng.randint(10, 300)
        return (
            Frame(file=file, function=function, line=line, module=file[:-3].replace("/", ".")),
            Frame(file="app/views.py", function="dispatch", line=40, module="app.views"),
        )

    def known_fix(self, failure: Failure) -> None:
        ref = HotfixRef(
            name=f"fix/SHOP-{failure.id}", commit="f" * 40, subject=f"Fix SHOP-{failure.id}"
        )
        self.fields["fixes"] = (ref,)

    def end(self) -> World:
        rng = self.rng
        told: Told = rng.choices(("sentry", "webhook", "github", "first events"), (45, 25, 22, 8))[
            0
        ]
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
            "told": told,
            "releases_told": rng.random() < 0.92 or told == "first events",
            "users_told": rng.random() < 0.85,
            "seeded": rng.random() < 0.6,
            "deploy_minutes": rng.choice((3.0, 5.0, 8.0, 12.0)),
            "mend_minutes": rng.uniform(5, 40),
            "service": service,
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
