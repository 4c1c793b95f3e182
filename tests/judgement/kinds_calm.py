"""Kinds of worlds in which nothing is wrong that a customer would notice."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.judgement.draft import LONG_AGO, Draft
from tests.judgement.errors import CRASHES
from tests.judgement.world import DAY, When

WEEKS = -30 * DAY


def _calm(d: Draft, truth: str) -> None:
    d.cause, d.truth = None, truth


def hourly_job(d: Draft) -> None:
    """A job fails each hour for weeks, at the same minute; the alarm is new."""
    d.zero = d.zero.replace(minute=5, second=0)
    if d.rng.random() < 0.5:
        d.deploy(-d.rng.uniform(2, 40))
    when = When(begins=LONG_AGO, every=60, lasts=d.rng.uniform(2, 10))
    people = d.rng.choice((0, 0, 30))  # each row that it mails has its own user
    d.fail(
        "IntegrityError",
        'null value in column "email"',
        ("jobs.sync", "jobs.mail"),
        when,
        first=WEEKS,
        rate=d.rng.uniform(3, 30),
        users=people,
        steady=True,
        frames=d.frames("jobs", "run"),
        handled=True,
    )
    _calm(d, "an hourly job that has failed like this for weeks")


def looping_clients(d: Draft) -> None:
    """Three devices retry for ever, as they have for weeks."""
    if d.rng.random() < 0.5:
        d.deploy(-d.rng.uniform(2, 40))
    when = When(begins=LONG_AGO)
    people = d.rng.randint(2, 4)
    d.fail(
        "AuthenticationError",
        "token expired",
        d.paths(2),
        when,
        first=WEEKS,
        rate=d.rng.uniform(2, 20),
        users=people,
        loud_users=1,
        steady=True,
        frames=d.frames("login", "refresh"),
        handled=True,
    )
    _calm(d, f"{people} clients in a loop, as for weeks")


def renamed(d: Draft) -> None:
    """A release gave an old error another name: the same pages fail as often as before."""
    old, kind = d.newest, d.rng.choice(("ApiTimeout", "BackendError"))
    version = d.deploy(-d.rng.uniform(0.5, 5), "", "errors", subject="Wrap time-outs")
    rate, users = d.rng.uniform(0.5, 8), max(5, int(d.active / 4))
    paths = d.paths(d.rng.randint(1, 3))
    d.fail(
        "TimeoutError",
        "read timed out",
        paths,
        When(begins=LONG_AGO, releases=d.before(version)),
        first=WEEKS,
        rate=rate,
        users=users,
        noise=True,
        frames=d.frames("client", "get"),
    )
    before = d.failures[-1]
    d.failures.append(
        replace(
            before,
            id=str(int(before.id) + 1),
            type=kind,
            value="the backend did not answer in time",
            when=When(releases=frozenset({version})),
            first=None,
            noise=False,
        )
    )
    _calm(d, f"{version} renamed an error that {old} had as often")


def renamed_loop(d: Draft) -> None:
    """The clients in a loop get another title by a release."""
    version = d.deploy(-d.rng.uniform(0.5, 5), "", "login")
    fields: dict[str, Any] = {
        "rate": d.rng.uniform(3, 20),
        "users": d.rng.randint(2, 5),
        "loud_users": 1,
        "steady": True,
    }
    paths = d.paths(2)
    d.fail(
        "AuthenticationError",
        "token expired",
        paths,
        When(begins=LONG_AGO, releases=d.before(version)),
        first=WEEKS,
        noise=True,
        frames=d.frames("login", "refresh"),
        **fields,
    )
    d.fail(
        "TokenExpired",
        "sign in again",
        paths,
        When(releases=frozenset({version})),
        frames=d.frames("login", "refresh"),
        **fields,
    )
    _calm(d, f"{version} renamed the error of a few clients in a loop")


def scanner(d: Draft) -> None:
    """Somebody looks for holes: paths that were never served."""
    if d.rng.random() < 0.5:
        d.deploy(-d.rng.uniform(1, 40))
    paths = tuple(
        f"/{name}"
        for name in ("wp-login.php", ".env", "admin.php", "cgi-bin/x", ".git/config", "phpmyadmin")
    )
    kinds = (
        ("SuspiciousOperation", "Invalid HTTP_HOST header"),
        ("UnicodeDecodeError", "invalid start byte"),
        ("MultiPartParserError", "Invalid boundary"),
    )
    for kind, value in d.rng.sample(kinds, d.rng.randint(1, 3)):
        d.fail(
            kind,
            value,
            paths,
            When(ends=d.rng.uniform(20, 200)),
            rate=d.rng.uniform(4, 60),
            users=0,
            addresses=d.rng.choice((1, 5, 200)),
            steady=True,
            frames=d.frames("middleware", "process"),
            mend="itself",
        )
    _calm(d, "a scanner tries paths that the service never had")


def stuffing(d: Draft) -> None:
    """Somebody tries stolen passwords on the real sign-in, from a few addresses."""
    if d.rng.random() < 0.5:
        d.deploy(-d.rng.uniform(1, 40))
    d.fail(
        "InvalidCredentials",
        "wrong password",
        ("/login",),
        When(ends=d.rng.uniform(20, 200)),
        rate=d.rng.uniform(10, 120),
        users=d.rng.choice((0, 3000)),
        addresses=d.rng.randint(1, 3),
        steady=True,
        frames=d.frames("login", "check"),
        handled=True,
        mend="itself",
    )
    _calm(d, "stolen passwords are tried on the sign-in")


def monitor(d: Draft) -> None:
    """A cron monitor missed its check-in: a report comes late, and no customer waits for it."""
    if d.rng.random() < 0.5:
        d.deploy(-d.rng.uniform(2, 40))
    d.fail(
        "Monitor failure: nightly-report",
        "",
        ("jobs.report",),
        When(),
        rate=0.4,
        category="cron",
        steady=True,
        mend="hand",
    )
    _calm(d, "a nightly report is late")


def one_person(d: Draft) -> None:
    """A new crash that one person meets, again and again."""
    if d.rng.random() < 0.6:
        d.deploy(-d.rng.uniform(1, 40))
    d.fail(
        "ValueError",
        "day is out of range for month",
        d.paths(2),
        When(),
        rate=d.rng.uniform(0.3, 2),
        users=1,
        frames=d.frames("dates", "next"),
    )
    _calm(d, "one person meets an old bug")


def rush_hour(d: Draft) -> None:
    """Twice the people, twice the usual errors."""
    d.zero = d.zero.replace(hour=13)
    if d.rng.random() < 0.5:
        d.deploy(-d.rng.uniform(2, 40))
    for n, failure in enumerate(d.failures):
        d.failures[n] = replace(failure, rate=failure.rate * 1.5)
    d.fail(
        "TimeoutError",
        "read timed out",
        d.paths(3),
        When(begins=LONG_AGO),
        first=WEEKS,
        rate=d.active / 100 * 3,
        users=max(5, int(d.active)),
        frames=d.frames("client", "get"),
    )
    _calm(d, "the day's peak brings the usual errors, more of them")


def poison_message(d: Draft) -> None:
    """One message fails at each delivery, and is delivered for ever; nobody waits for it."""
    if d.rng.random() < 0.5:
        d.deploy(-d.rng.uniform(1, 40))
    error = d.rng.choice(CRASHES[d.language])
    d.fail(
        error.type,
        error.value,
        ("jobs.import",),
        When(),
        rate=d.rng.uniform(2, 60),
        steady=True,
        frames=d.frames("jobs", "consume", error),
        mend="hand",
    )
    _calm(d, "one message fails at each of its deliveries")


def stale_tabs(d: Draft) -> None:
    """Open pages ask for the scripts of the release before, until they are loaded anew.

    https://vite.dev/guide/build#load-error-handling; it comes with every deploy, and goes.
    """
    version = d.deploy(-d.rng.uniform(0.5, 3))
    when = When(fades=d.rng.uniform(3, 12))
    kinds = ("Loading chunk 42 failed", "Failed to fetch dynamically imported module")
    d.fail(
        d.rng.choice(("ChunkLoadError", "TypeError")),
        d.rng.choice(kinds),
        d.paths(3),
        when,
        rate=d.active * d.rng.uniform(0.02, 0.15),
        users=d.pool(d.active / 10),
        first=-d.rng.uniform(20, 200) * DAY,
        frames=(),
        mend="itself",
    )
    _calm(d, f"open tabs miss the scripts that {version} replaced, and get over it")


Row = tuple[Any, float]
KINDS: tuple[Row, ...] = (
    (hourly_job, 3),
    (looping_clients, 2),
    (renamed, 2.5),
    (renamed_loop, 1.5),
    (scanner, 3),
    (stuffing, 1.5),
    (monitor, 1.5),
    (one_person, 2),
    (rush_hour, 1.5),
    (poison_message, 1.5),
    (stale_tabs, 1.5),
)
