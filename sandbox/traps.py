"""Traps: errors that mislead a triage, made in the local Sentry for a minute.

The shop is not touched. No alert rule fires for some of them (few events, archived, another
environment): a person declares.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sandbox.background import BackgroundTasks
from sandbox.sentry import Sentry

BEFORE = 30.0
"""Seconds that the trouble is old when it is let loose."""
LASTS = 60
TICK = 1.0
DAY = 86_400.0
PAGES = ("/", "/cart", "/pay")
PEOPLE = tuple(f"{1001 + n}" for n in range(24))

Load = Callable[["Span"], None]


@dataclass(frozen=True, slots=True)
class Span:
    """The time for which errors are made, in seconds since 1970: begin <= time < end."""

    sentry: Sentry
    begin: float
    end: float

    def errors(self, error: str, per_second: float, *, back: float = 0.0, **fields: Any) -> None:
        """Make so many a second, evenly. `back`: they happened so long before they arrive."""
        release = running(self.sentry)
        for number in self.numbers(per_second):
            chosen = {
                key: value[number % len(value)] if isinstance(value, tuple) else value
                for key, value in fields.items()
            }
            user = chosen.pop("user", None)
            chosen.setdefault("release", release)
            at = number / per_second - back
            self.sentry.load(error, at=at, users=[user] if user else [], **chosen)

    def numbers(self, per_second: float) -> range:
        """Return the numbers of the errors of this span, counted from 1970 on."""
        return range(math.ceil(self.begin * per_second), math.ceil(self.end * per_second))


@dataclass(frozen=True, slots=True)
class Trap:
    key: str
    label: str
    about: str
    """Its errors → the right answer of Firebreak."""
    load: Load
    before: Callable[[Sentry], None] = lambda sentry: None
    goes_on: bool = True
    alerts: bool = True
    """Sentry's alert rule fires by itself."""


def running(sentry: Sentry) -> str:
    """Return the release that was deployed to production last."""
    deployed = (
        (deploy.finished, release.version)
        for release in sentry.releases.values()
        for deploy in release.deploys
        if deploy.environment == "production"
    )
    return max(deployed, default=(0.0, "shop@1.2.0"))[1]


# --- errors --------------------------------------------------------------------------------------


def _one_customer(span: Span) -> None:
    tags = {"region": "eu-west", "customer": "nordwind"}
    span.errors(
        "KeyError: 'vat_id'", 2, user=PEOPLE[:12], transaction="/cart", function="vat", tags=tags
    )


def _no_users(span: Span) -> None:
    span.errors("RuntimeError: no session", 2, transaction=PAGES, function="session")


def _one_user(span: Span) -> None:
    span.errors("ValueError: quantity", 9, user="1007", transaction=PAGES, function="quantity")


def _health_checker(span: Span) -> None:
    span.errors(
        "TimeoutError: probe",
        2,
        user="healthcheck",
        transaction="/health",
        ip="127.0.0.1",
        function="probe",
    )


def _attacker(span: Span) -> None:
    for number in span.numbers(20):
        span.sentry.load(
            "PermissionError: wrong password",
            at=number / 20,
            users=[f"guess-{number % 5000}"],
            ip="198.51.100.7",
            transaction="/cart",
            function="sign_in",
            release=running(span.sentry),
        )


def _many_addresses(sentry: Sentry) -> None:
    """Ordinary traffic comes from everywhere."""
    for n in range(12):
        sentry.load(
            "Warning: slow page",
            at=sentry.clock() - 600 - n,
            level="warning",
            users=[PEOPLE[n]],
            ip=f"10.20.7.{n}",
        )


OLD = {"module": "shop.mail", "function": "send", "lineno": 8, "handled": True}


def _louder_before(sentry: Sentry) -> None:
    now = sentry.clock()
    old: dict[str, Any] = {"users": ["1003"], "transaction": "/pay", **OLD}
    sentry.load("OSError: mail queue is full", at=now - 12 * DAY, **old)
    sentry.load("OSError: mail queue is full", at=now - DAY, every=1800, times=47, **old)


def _louder(span: Span) -> None:
    span.errors("OSError: mail queue is full", 3, user=PEOPLE[:9], transaction="/pay", **OLD)


def _renamed_before(sentry: Sentry) -> None:
    """Two hours of the same failure, under its old title, until the trap is let loose."""
    old: dict[str, Any] = {"function": "charge", "release": running(sentry), "times": 720}
    for number, page in enumerate(PAGES):
        at = sentry.clock() - BEFORE - 7200 + 3 * number
        users = list(PEOPLE[number::3])
        sentry.load("TimeoutError: bank", at=at, every=10, users=users, transaction=page, **old)


def _renamed(span: Span) -> None:
    fields: dict[str, Any] = {"user": PEOPLE, "transaction": PAGES, "function": "charge_card"}
    span.errors("PaymentError: the bank is slow", 0.3, **fields)


def _staging_before(sentry: Sentry) -> None:
    now = sentry.clock()
    sentry.add_release("shop@9.0.0", created=now - 120)
    sentry.add_deploy("shop@9.0.0", environment="staging", started=now - 60, finished=now - 40)


def _staging(span: Span) -> None:
    span.errors(
        "KeyError: 'new_table'",
        4,
        user=PEOPLE,
        transaction=PAGES,
        function="table",
        environment="staging",
        release="shop@9.0.0",
    )


def _archived_before(sentry: Sentry) -> None:
    event = sentry.load(
        "LookupError: coupon",
        at=sentry.clock() - 20 * DAY,
        users=["1005"],
        transaction="/cart",
        function="coupon",
    )
    sentry.set_status(event[0].issue_id, "ignored")


def _archived(span: Span) -> None:
    span.errors("LookupError: coupon", 2, user=PEOPLE[:7], transaction="/cart", function="coupon")


def _tiny(span: Span) -> None:
    for number in span.numbers(5):
        order = number % 100_000
        span.sentry.load(
            f"KeyError: 'order {order}'",
            at=number / 5,
            users=[PEOPLE[number % 24]],
            transaction=PAGES[number % 3],
            function=f"order_{order}",
            release=running(span.sentry),
        )


def _over(span: Span) -> None:
    # Events are counted by the minute. The peak ends late in one, so that the silence after it
    # shows while the peak is still in the window.
    back = 5 if (span.end - 5) % 60 >= 32 else (span.end % 60 + 2) % 60
    span.errors(
        "RuntimeError: cache is cold",
        4,
        back=back,
        user=PEOPLE[:6],
        transaction="/",
        function="cache",
    )


def _few(span: Span) -> None:
    if span.end - span.begin > TICK:
        for number in (0, 1):
            span.sentry.load(
                "ZeroDivisionError: rate",
                at=span.begin + 8 * number,
                users=[PEOPLE[number]],
                transaction="/pay",
                function="rate",
                release=running(span.sentry),
            )


def _everything(span: Span) -> None:
    span.errors("KeyError: 'tenant'", 4, user=PEOPLE, transaction=PAGES, function="tenant")


def _late(span: Span) -> None:
    span.errors("KeyError: 'late'", 4, back=8, user=PEOPLE, transaction=PAGES, function="late")


def _sampled_before(sentry: Sentry) -> None:
    sentry.sampled = True


TRAPS = (
    Trap(
        "one-customer",
        "One customer, one region",
        "A new error at one customer only → it says where",
        _one_customer,
    ),
    Trap(
        "no-users",
        "Errors without users",
        "Nobody is named → users are inferred, and it says so",
        _no_users,
    ),
    Trap(
        "one-user",
        "One very loud user",
        "Hundreds of errors of one account → investigate its data",
        _one_user,
    ),
    Trap(
        "health-checker",
        "Only the health checker",
        "Its errors are nobody’s → nobody is hit",
        _health_checker,
    ),
    Trap(
        "attacker",
        "An attacker",
        "Hundreds of names from one address → one user",
        _attacker,
        _many_addresses,
    ),
    Trap(
        "louder",
        "An old error gets louder",
        "Known for days → it began when it got loud",
        _louder,
        _louder_before,
    ),
    Trap(
        "renamed",
        "An error gets another title",
        "It failed as often before → nothing new",
        _renamed,
        _renamed_before,
    ),
    Trap(
        "staging",
        "Only staging burns",
        "No alert: declare it → nothing unusual",
        _staging,
        _staging_before,
        alerts=False,
    ),
    Trap(
        "archived",
        "An archived error comes back",
        "No alert: declare it → it counts",
        _archived,
        _archived_before,
        alerts=False,
    ),
    Trap(
        "tiny",
        "Many tiny errors",
        "One cause, an issue for each order; declare it → one picture",
        _tiny,
        alerts=False,
    ),
    Trap("over", "It is over already", "A short peak → it may be over", _over, goes_on=False),
    Trap(
        "few",
        "Next to nothing",
        "Two errors; declare it → the numbers are weak",
        _few,
        goes_on=False,
        alerts=False,
    ),
    Trap(
        "sampled",
        "Sentry counts a sample",
        "Everything burns → the numbers are estimates",
        _everything,
        _sampled_before,
    ),
    Trap("late", "Events arrive late", "Seconds behind → it began before it was seen", _late),
)
BY_KEY = {trap.key: trap for trap in TRAPS}


class Traps:
    """Lets traps loose, one after another or together, until it is closed."""

    def __init__(self, sentry: Sentry) -> None:
        self._sentry = sentry
        self._running = BackgroundTasks()

    def let_loose(self, key: str) -> None:
        """Raises `KeyError` for an unknown key."""
        trap = BY_KEY[key]
        trap.before(self._sentry)
        now = self._sentry.clock()
        trap.load(Span(self._sentry, now - BEFORE, now))
        if trap.goes_on:
            self._running.start(self._go_on(trap, now))

    async def _go_on(self, trap: Trap, begin: float) -> None:
        ends = begin + LASTS
        while begin < ends:
            await asyncio.sleep(TICK)
            now = self._sentry.clock()
            trap.load(Span(self._sentry, begin, now))
            begin = now

    async def close(self) -> None:
        await self._running.stop()
