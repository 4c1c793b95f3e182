"""Kinds of worlds in which neither a release nor a setting of ours did it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from phases.record.findings import HypothesisKind
from phases.record.service import Service
from tests.judgement.draft import PAGES, Draft
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
        "said": "users are reporting that the shop is down",
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
)
