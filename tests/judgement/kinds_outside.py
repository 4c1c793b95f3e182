"""Kinds of worlds in which neither a release nor a setting of ours did it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from phases.record.findings import HypothesisKind
from phases.record.service import Service
from tests.judgement.draft import PAGES, Draft
from tests.judgement.edges import words_of
from tests.judgement.world import ALWAYS, Deploy, Failure, When

DATA, INFRASTRUCTURE = HypothesisKind.DATA, HypothesisKind.INFRASTRUCTURE
DEPENDENCY = HypothesisKind.DEPENDENCY


def _maybe_deploy(d: Draft, chance: float, least: float = 2.0, most: float = 50.0) -> str:
    """An innocent release lies near: teams deploy on through everything."""
    if d.rng.random() >= chance:
        return ""
    return f"; {d.deploy(-d.rng.uniform(least, most))} is innocent"


def neighbour(d: Draft) -> None:
    """https://medium.com/square-corner-blog/incident-summary-2017-03-16-2f65be39297"""
    innocent = _maybe_deploy(d, 0.4, 8.0)
    service = Service(name="payments", sentry=("payments",))
    before = d.rng.uniform(0.5, 5)
    d.neighbours.append((service, (Deploy("7.0.0", -4000), Deploy("7.1.0", -before))))
    d.edge("neighbour", When())
    if d.rng.random() < 0.6:
        d.fail(
            "KeyError",
            "'amount'",
            ("/charge",),
            When(),
            rate=d.events(d.active / 2),
            users=0,
            project="payments",
            frames=d.frames("charge", "charge"),
            mend="hand",
        )
    d.cause = DEPENDENCY
    d.truth = (
        f"payments 7.1.0, on which the shop depends, fails since {before:.0f} min before{innocent}"
    )


def provider(d: Draft) -> None:
    """https://status.pagerduty.com/incidents/70m30bh7qfmx"""
    innocent = _maybe_deploy(d, 0.35)
    ends = d.rng.uniform(30, 150)
    name = d.rng.choice(("provider", "provider5xx", "quota", "dns"))
    d.edge(
        name,
        When(ends=ends, ramp=d.rng.choice((0.0, 10.0))),
        wide=d.rng.random() < 0.6,
        mend="itself",
    )
    d.cause = DEPENDENCY
    d.truth = f"a provider is down for {ends:.0f} min{innocent}"


def database(d: Draft) -> None:
    """https://github.blog/2023-10-11-github-availability-report-september-2023/"""
    innocent = _maybe_deploy(d, 0.35)
    name = d.rng.choice(("database", "database", "disk", "pool", "cache"))
    d.edge(name, When(ramp=d.rng.choice((0.0, 0.0, 15.0))))
    if d.rng.random() < 0.4:  # the health check asks it, too
        d.fields["down"] = (0.0, ALWAYS)
    d.cause = INFRASTRUCTURE
    d.truth = f"infrastructure gave up: {name}{innocent}"


def certificate_out(d: Draft) -> None:
    """A certificate ran out on the way to somebody else: on the hour, whatever runs."""
    d.zero = d.zero.replace(minute=0, second=0)
    innocent = _maybe_deploy(d, 0.3)
    d.edge("certificate", When(), wide=d.rng.random() < 0.5)
    d.cause = INFRASTRUCTURE
    d.truth = f"a certificate ran out{innocent}"


def silent(d: Draft) -> None:
    """Nobody gets in: load balancer, DNS or our own certificate. Sentry is quiet.

    https://certpulse.dev/blog/the-2am-certificate-expiry-an-incident-postmortem-and-the-runbook-we-built-after
    """
    innocent = _maybe_deploy(d, 0.3)
    d.failures = [_until(f, 1.0) for f in d.failures]
    d.fail("Outage", "", ("/",), When(), rate=0, hit=d.active, mend="hand")
    if d.rng.random() < 0.5:
        d.fail(
            "Downtime detected for https://shop.example.com/health",
            "",
            ("/",),
            When(),
            rate=0.5,
            category="uptime",
            mend="hand",
            steady=True,
        )
    d.fields |= {
        "down": (0.0, ALWAYS),
        "reported": "users are reporting that the shop is down",
        "seeded": False,
    }
    d.later = d.rng.uniform(3, 12)
    d.cause = INFRASTRUCTURE
    d.truth = f"nothing reaches the service, so Sentry is silent{innocent}"


def _until(failure: Failure, minute: float) -> Failure:
    return replace(failure, when=replace(failure.when, ends=minute))


def surge(d: Draft) -> None:
    """More people than it can carry. https://www.buildkite.com (capacity, August 2016)"""
    innocent = _maybe_deploy(d, 0.3)
    ends = d.rng.uniform(40, 180)
    d.fields["rush"] = (-d.rng.uniform(2, 20), ends, d.rng.uniform(1.5, 4))
    d.edge(d.rng.choice(("pool", "database")), When(ends=ends, ramp=d.rng.uniform(5, 20)))
    d.cause = DATA
    d.truth = f"a surge of traffic for {ends:.0f} min{innocent}"


def bad_customer(d: Draft) -> None:
    """One customer imported data that breaks several pages, for its people only."""
    innocent = _maybe_deploy(d, 0.35)
    people = d.rng.randint(1, 12)
    pages = d.pages(3)
    paths = tuple(p for page in pages for p in PAGES[page])
    d.fail(
        "ValueError",
        "Invalid isoformat string: '31/02/2026'",
        paths,
        When(),
        hit=people / 4,
        rate=people * 0.8,
        users=people,
        customer="customer-7",
        frames=d.frames("dates", "parse"),
        mend="hand",
    )
    d.cause = DATA
    d.truth = f"one customer's import broke its own pages, for {people} people{innocent}"


def bad_data(d: Draft) -> None:
    """A job wrote rows that no page can read. https://engineering.strava.com/the-upload-outage-of-july-29-2014/"""
    innocent = _maybe_deploy(d, 0.35, 20.0, 60.0)
    d.crash(
        When(ramp=d.rng.choice((0.0, 10.0))),
        wide=d.rng.random() < 0.6,
        file="models",
        mend="hand",
    )
    d.cause = DATA
    d.truth = f"a job wrote rows that the pages cannot read{innocent}"


def one_region(d: Draft) -> None:
    """One of several places fails: a network or a zone. All releases fail alike there."""
    innocent = _maybe_deploy(d, 0.35)
    d.edge(d.rng.choice(("database", "dns")), When(), share=d.rng.uniform(0.2, 0.4), region="eu")
    d.cause = INFRASTRUCTURE
    d.truth = f"a zone lost its network{innocent}"


def client_version(d: Draft) -> None:
    """A browser or an app store changed something: old code, new clients."""
    innocent = _maybe_deploy(d, 0.35)
    when = When(ramp=d.rng.uniform(60, 240))
    d.crash(
        when,
        wide=d.rng.random() < 0.5,
        share=d.rng.uniform(0.05, 0.2),
        mend="code",
        browser="Safari",
    )
    d.cause = DATA
    d.truth = f"a new version of a browser trips over old code{innocent}"


def failover(d: Draft) -> None:
    """The database's standby takes over: minutes of refused writes, and it is over by itself.

    https://github.blog/2018-10-30-oct21-post-incident-analysis/
    """
    innocent = _maybe_deploy(d, 0.35)
    ends = d.rng.uniform(1.5, 8)
    d.edge("failover", When(ends=ends), mend="itself")
    d.later = min(d.later, 5.0)
    d.cause = INFRASTRUCTURE
    d.truth = f"the database failed over, {ends:.0f} min{innocent}"


def retry_storm(d: Draft) -> None:
    """A short outage is over, and everybody who tries again keeps the service down.

    Bronson et al., "Metastable failures in distributed systems", HotOS 2021;
    https://blog.roblox.com/2022/01/roblox-return-to-service-10-28-10-31-2021/
    """
    innocent = _maybe_deploy(d, 0.35)
    short = d.rng.uniform(2, 8)
    first = d.rng.choice(("database", "cache", "failover"))
    d.edge(first, When(ends=short), mend="itself")
    d.edge("pool", When(begins=short / 2, ramp=d.rng.uniform(1, 5)))
    d.later += short
    d.cause = INFRASTRUCTURE
    d.truth = f"{first} was away for {short:.0f} min, and retries keep the pools empty{innocent}"


def cache_flush(d: Draft) -> None:
    """An empty cache: the database is asked for everything, until the cache is warm again.

    https://www.facebook.com/notes/10158791436142200/ ("More details on today's outage", 2010)
    """
    innocent = _maybe_deploy(d, 0.35)
    fades = d.rng.uniform(8, 40)
    d.edge("pool", When(fades=fades), mend="itself")
    d.cause = INFRASTRUCTURE
    d.truth = f"a cache was emptied, and fills again in {2 * fades:.0f} min{innocent}"


def heavy_job(d: Draft) -> None:
    """A report or a backfill holds the tables' locks; it began on the hour, or by hand.

    https://about.gitlab.com/blog/2017/02/10/postmortem-of-database-outage-of-january-31/ began so.
    """
    if d.rng.random() < 0.6:
        d.zero = d.zero.replace(minute=0, second=0)
    innocent = _maybe_deploy(d, 0.35)
    ends = d.rng.uniform(20, 120)
    d.edge("lock", When(ends=ends, ramp=d.rng.choice((0.0, 5.0))))
    d.cause = DATA
    d.truth = f"a job holds locks for {ends:.0f} min{innocent}"


def one_host(d: Draft) -> None:
    """One of the hosts is ill: its disk is full, or its network gone. All releases fail there."""
    innocent = _maybe_deploy(d, 0.35)
    d.edge(d.rng.choice(("disk", "dns", "cache")), When(), share=1 / d.rng.randint(4, 20))
    d.cause = INFRASTRUCTURE
    d.truth = f"one host is ill{innocent}"


def time_bomb(d: Draft) -> None:
    """Old code meets a date that it cannot take: a leap day, the first of a month.

    https://azure.microsoft.com/blog/summary-of-windows-azure-service-disruption-on-feb-29th-2012/
    """
    d.zero = d.zero.replace(hour=0, minute=0, second=d.rng.randrange(20))
    innocent = _maybe_deploy(d, 0.3)
    d.crash(When(), wide=d.rng.random() < 0.6, file="dates", mend="code")
    d.cause = DATA
    d.truth = f"old code cannot take today's date{innocent}"


def mobile_release(d: Draft) -> None:
    """A release of the app, which no rollback of the service takes back, sends what breaks.

    Its own errors carry the app's release; or the service trips over the requests.
    """
    innocent = _maybe_deploy(d, 0.35)
    app = f"com.acme.shop@{d.rng.randint(4, 9)}.{d.rng.randint(0, 20)}.0+{d.rng.randint(100, 999)}"
    carries = app if d.rng.random() < 0.5 else ""
    d.crash(
        When(ramp=d.rng.uniform(60, 600)),
        wide=d.rng.random() < 0.5,
        share=d.rng.uniform(0.05, 0.4),
        mend="code",
        browser="" if carries else "ShopApp",
        carries=carries,
    )
    d.cause = DATA
    d.truth = f"the app {app} goes out in steps, and fails{innocent}"


def vendor_script(d: Draft) -> None:
    """A script of somebody else breaks in every browser: a tag manager, a payment form.

    https://status.cloud.google.com/incidents and https://www.fastly.com/blog/summary-of-june-8-outage
    """
    d.language = "node"
    innocent = _maybe_deploy(d, 0.35)
    ends = d.rng.uniform(20, 150)
    d.edge("vendor", When(ends=ends), wide=d.rng.random() < 0.6, mend="itself")
    d.cause = DEPENDENCY
    d.truth = f"a vendor's script fails for {ends:.0f} min{innocent}"


def queue_backlog(d: Draft) -> None:
    """The workers do not keep up: orders are confirmed late, and jobs run into their limits.

    https://slack.engineering/slacks-outage-on-january-4th-2021/ has the same shape.
    """
    innocent = _maybe_deploy(d, 0.35)
    error = words_of(d.rng, "pool", d.language)
    d.fail(
        error.type,
        error.value,
        ("jobs.confirm", "jobs.mail", "jobs.stock"),
        When(ramp=d.rng.uniform(10, 60)),
        rate=d.rng.uniform(1, 20),
        hit=d.active * d.rng.uniform(0.05, 0.3),
        users=d.rng.choice((0, d.pool(d.active / 4))),
        frames=d.frames("jobs", "run", error),
        mend="hand",
    )
    d.cause = INFRASTRUCTURE
    d.truth = f"a queue grows faster than its workers{innocent}"


Row = tuple[Any, float]
KINDS: tuple[Row, ...] = (
    (neighbour, 5),
    (provider, 6),
    (database, 5),
    (certificate_out, 2.5),
    (silent, 3),
    (surge, 3),
    (bad_customer, 3),
    (bad_data, 3),
    (one_region, 2),
    (client_version, 2),
    (failover, 2),
    (retry_storm, 2),
    (cache_flush, 1.5),
    (heavy_job, 2),
    (one_host, 1.5),
    (time_bomb, 1),
    (mobile_release, 2),
    (vendor_script, 1.5),
    (queue_backlog, 1.5),
)
