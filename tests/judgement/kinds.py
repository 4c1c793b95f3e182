"""The kinds of worlds and how often each comes: as production fails, not as the rules read.

The mix follows what sets outages off, and then what is no outage but calls people all the same:

- Google, thousands of post-mortems of 2010 to 2017: binary push 37 %, configuration push 31 %, user
  behaviour 9 %, processing pipeline 6 %, service provider 5 %, performance decay 5 %, capacity 5 %,
  hardware 2 %. https://sre.google/workbook/postmortem-analysis/ (table C-1)
- Microsoft Teams, 152 severe incidents: code 27 %, dependency 16 %, infrastructure 16 %, deployment
  13 %, configuration 13 %, database and network 11 %, authentication (mostly certificates) 5 %;
  ended by a rollback in 22 %. Ghosh et al., "How to fight production incidents?", SoCC 2022
- 597 outages of 32 services: upgrades, network, bugs, configuration, load, dependencies. Gunawi et
  al., "Why does the cloud stop computing?", SoCC 2016

Single kinds are taken from https://github.com/danluu/post-mortems and the reports named beside
them. Innocent deploys need no kind: half of the services here deploy every few hours.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from phases.record.findings import HypothesisKind
from phases.record.service import Service
from tests.judgement import kinds_calm, kinds_outside
from tests.judgement.draft import Draft
from tests.judgement.world import ALWAYS, Changed, Deploy, When, World

Kind = Callable[[Draft], None]
CONFIGURATION = HypothesisKind.CONFIGURATION


# --- a release did it ----------------------------------------------------------------------------


def _bad(d: Draft, before: float, *, wide: bool = True, **fields: object) -> str:
    """Deploy a release that fails; in three of four, what crashes is what it changed."""
    file = d.rng.choice(("price", "basket", "tax", "session"))
    changed = [file] if d.rng.random() < 0.75 else []
    if d.rng.random() < 0.08:  # it only adds: the older release lives with it
        changed.append("migrations/0043_add_index.sql")
    version = d.deploy(-before, "", *changed, **fields)
    d.crash(When(releases=frozenset({version})), wide=wide, file=file)
    return version


def bad_release(d: Draft) -> None:
    version = _bad(d, d.rng.uniform(0.5, 6))
    if d.rng.random() < 0.15:
        payments = Service(name="payments", sentry=("payments",))
        d.neighbours.append((payments, (Deploy("7.1.0", -d.rng.uniform(2, 12)),)))
    if d.rng.random() < 0.1:
        d.known_fix(d.failures[-1])
    d.truth = f"{version} brought a crash in several features"


def bad_release_one_feature(d: Draft) -> None:
    version = _bad(d, d.rng.uniform(0.5, 10), wide=False)
    d.truth = f"{version} broke one feature"


def bad_release_later(d: Draft) -> None:
    """Its code is asked for later: by a job, at a peak, when a cache or a session has run out.

    https://www.elastic.co/blog/elastic-cloud-outage-april-2017 and many more of danluu's list.
    """
    minutes = math.exp(d.rng.uniform(math.log(12), math.log(900)))
    file = d.rng.choice(("price", "basket", "tax", "session"))
    version = d.deploy(-minutes, "", *([file] if d.rng.random() < 0.8 else []))
    d.deploys = [x for x in d.deploys if x.begins <= -minutes]
    wide, ramp = d.rng.random() < 0.6, d.rng.choice((0.0, 0.0, 5.0, 20.0))
    d.crash(When(releases=frozenset({version}), ramp=ramp), wide=wide, file=file)
    d.truth = f"{version} brought it, {minutes:.0f} min before its code was asked for"


def bad_release_at_edge(d: Draft) -> None:
    """The release asks too much of what is behind it: it fails like an outage of the database."""
    file = d.rng.choice(("db", "settings", "price"))
    changed = [file] if d.rng.random() < 0.7 else []
    version = d.deploy(-d.rng.uniform(0.5, 6), "", *changed)
    name = d.rng.choice(("pool", "database", "provider", "secret", "dns", "cache", "neighbour"))
    when = When(releases=frozenset({version}), ramp=d.rng.choice((0.0, 0.0, 10.0)))
    d.edge(name, when, file=file, mend="release")
    d.truth = f"{version} brought it, and it shows at the edge: {name}"


def bad_release_somewhere(d: Draft) -> None:
    """The release fails for one region or one large customer only: their data or language."""
    version = d.deploy(-d.rng.uniform(0.5, 8), "", "price")
    where: dict[str, Any] = {"region": "eu"} if d.rng.random() < 0.6 else {"customer": "customer-7"}
    d.crash(When(releases=frozenset({version})), share=0.3, file="price", **where)
    d.truth = f"{version} fails for {next(iter(where.values()))} only"


def dead_release(d: Draft) -> None:
    """The release does not start: no request comes through, and Sentry hears little or nothing."""
    before = d.rng.uniform(0.5, 3)
    version = d.deploy(-before, "", "settings", minutes=1.0)
    older, only = d.before(version), When(releases=frozenset({version}))
    d.failures = [replace(f, when=replace(f.when, releases=older)) for f in d.failures]
    d.fail("Outage", "", ("/",), only, rate=0, hit=d.active)
    if d.rng.random() < 0.6:
        d.fail(
            "ConfigurationError",
            "PAYMENTS_URL is not set",
            ("",),
            only,
            rate=d.rng.uniform(0.3, 4),
            steady=True,
            frames=d.frames("settings", "load"),
        )
    d.fields |= {"down": (0.0, ALWAYS), "reported": "the shop is down"}
    d.later = min(d.later, 10.0)
    d.truth = f"{version} does not start, and nobody gets in"


def canary(d: Draft) -> None:
    """The fire is as small as the canary, and the other releases do not fail."""
    share, minutes = d.rng.choice((0.05, 0.1, 0.25)), d.rng.choice((15.0, 30.0, 60.0))
    version = _bad(d, 0.5, canary=share, canary_minutes=minutes)
    d.truth = f"{version} fails on its {share:.0%} canary, which becomes all of it"


def slow_leak(d: Draft) -> None:
    """Nothing is wrong for hours, then memory or the pool is empty.

    https://blog.skyliner.io/post-mortem-outages-on-1-19-17-and-1-23-17-3f65cc6f693e
    """
    hours = d.rng.uniform(1, 9)
    version = d.deploy(-60 * hours)
    d.deploys = [x for x in d.deploys if x.begins <= -60 * hours]
    when = When(releases=frozenset({version}), ramp=d.rng.uniform(10, 45))
    worn = d.rng.choice(("pool", "pool", "memory", "memory", "descriptors", "threads"))
    d.edge(worn, when, mend="release")
    d.truth = f"{version} leaks, and after {hours:.1f} h nothing is left"


def many_small(d: Draft) -> None:
    """Every page fails a little in its own way, as after an upgrade of a framework."""
    before = d.rng.uniform(1, 4)
    version = d.deploy(-before, "", "requirements.txt")
    hit = d.active * d.rng.uniform(0.2, 0.7)
    number = d.rng.randint(8, 25)
    when = When(releases=frozenset({version}))
    for n in range(number):
        d.fail(
            "TypeError",
            f"unexpected argument {n}",
            d.paths(1),
            when,
            hit=hit / number,
            rate=max(0.1, min(hit / number * 0.4, 1.0)),
            users=d.pool(hit / number),
            frames=d.frames(f"part{n}", "get"),
        )
    d.later = d.rng.choice((5.0, 30.0, 65.0, 110.0))
    d.truth = f"{version} brought {number} small issues that are one fire"


def one_way(d: Draft) -> None:
    """The release is bad, and the schema that the older one needs is gone.

    https://vzaar.com/blog/2017/02/22/mondays-outage-what-happened-how-well-prevent-it-from-happening-again/
    """
    sign = d.rng.choice(("path", "path", "subject", "reported"))
    files = ("migrations/0042_drop_booking_ref.sql",)
    subject = "Drop the column booking_ref (cannot be undone)" if sign == "subject" else ""
    version = d.deploy(-d.rng.uniform(1, 6), "", *files, subject=subject)
    d.crash(When(releases=frozenset({version})))
    d.fail(
        "UndefinedColumn",
        'column "booking_ref" does not exist',
        d.paths(5),
        When(releases=d.before(version)),
        hit=d.active,
        rate=d.events(d.active),
        users=d.pool(d.active),
    )
    if sign == "reported":
        d.fields["reported"] = f"do not roll back {version}, the migration cannot be undone"
    d.truth = (
        f"{version} crashes, but its migration dropped a column that every older release reads"
    )


def two_deploys(d: Draft) -> None:
    first = d.rng.random() < 0.5
    gap = d.rng.uniform(2, 6)
    start = d.rng.uniform(0.5, 2)
    if first:  # its crash goes on in the second one
        guilty = d.deploy(-start, "", "price")
        other = d.deploy(gap)
    else:
        other = d.deploy(-start - gap)
        guilty = d.deploy(-start, "", "price")
    d.crash(When(releases=d.since(guilty)), file="price")
    d.later += gap + 3 if first else 0
    d.truth = f"{guilty} did it; {other} came {gap:.0f} minutes {'after' if first else 'before'} it"


def after_hotfix(d: Draft) -> None:
    """A release is bad that follows a hotfix: behind the hotfix the old fire waits."""
    hours = d.rng.choice((0.3, 1.0, 5.0, 26.0, 70.0))
    d.deploys = [x for x in d.deploys if x.begins < -60 * hours - 20]
    old = d.newest
    security = d.rng.random() < 0.3
    what = "Security fix" if security else "Hotfix for INC-0031"
    fix = d.deploy(-60 * hours, f"{old}-hotfix1", "session", subject=f"{what}: sessions")
    if security:
        d.fields["security"] = frozenset({fix})
    else:
        d.fields["hotfixes"] = (fix,)
        d.crash(When(begins=-60 * hours - 15, releases=d.before(fix)), file="session")
    guilty = _bad(d, d.rng.uniform(0.5, 5))
    was = "a security fix" if security else "the fix of an earlier fire"
    d.truth = f"{guilty} did it; {fix} before it was {was}"


def hotfix_during(d: Draft) -> None:
    """Somebody shipped a hotfix before the bot was asked."""
    cures = d.rng.random() < 0.6
    bad = d.deploy(-d.rng.uniform(1, 5), "", "price")
    at = d.rng.uniform(12, 30)
    fix = d.deploy(at, f"{bad}-hotfix1", "price", subject="Fix the price")
    guilty = frozenset({bad}) if cures else frozenset({bad, fix})
    d.crash(When(releases=guilty), file="price")
    d.later = at + d.rng.uniform(4, 12)
    d.truth = f"{bad} did it, and its hotfix {fix} {'ended it' if cures else 'did not help'}"


def put_back(d: Draft) -> None:
    """Somebody rolled back by hand before the bot was asked; open tabs still send a few errors."""
    good = d.newest
    bad = d.deploy(-d.rng.uniform(1, 5), "", "price")
    at = d.rng.uniform(8, 25)
    d.deploy(at, good, minutes=d.rng.uniform(4, 9))
    d.crash(When(releases=frozenset({bad})), file="price")
    d.later = at + d.rng.uniform(2, 9)
    d.truth = f"{bad} did it, and {good} was put back by hand"


def ran_twice(d: Draft) -> None:
    """Yesterday's rollback stands in the history; today another release is bad."""
    hours = d.rng.uniform(4, 30)
    d.deploys = [x for x in d.deploys if x.begins < -60 * hours - 60]
    good = d.newest
    known_bad = d.deploy(-60 * hours - 20)
    d.deploy(-60 * hours, good)
    d.crash(When(begins=-60 * hours - 19, releases=frozenset({known_bad})), file="session")
    guilty = _bad(d, d.rng.uniform(0.5, 5))
    d.truth = f"{guilty} did it; {good} runs well for the second time, {known_bad} was rolled back"


def migration_lock(d: Draft) -> None:
    """The deploy's migration holds a lock for minutes: going back does not let go of it.

    https://gocardless.com/blog/zero-downtime-postgres-migrations-the-hard-parts/
    """
    version = d.deploy(-d.rng.uniform(0.5, 3), "", "migrations/0044_add_index.sql")
    ends = d.rng.uniform(5, 40)
    d.edge("lock", When(ends=ends), mend="hand")
    d.later = min(d.later, 10.0)
    d.truth = f"the migration of {version} locks a table for {ends:.0f} min"


def redeploy_with_setting(d: Draft) -> None:
    """The same release was deployed again, and picked up a wrong setting."""
    d.deploy(-d.rng.uniform(0.5, 3), d.newest)
    d.edge(d.rng.choice(("database", "provider5xx", "dns")), When())
    d.cause = CONFIGURATION
    d.truth = f"{d.newest} was deployed again and took up a wrong setting; any release would"


# --- a flag or a setting did it ------------------------------------------------------------------


def flag(d: Draft) -> None:
    """https://stackstatus.net/post/115305251014/outage-postmortem-march-31-2015"""
    name = d.rng.choice(("new-checkout", "tax-v2", "async-search", "fast-login"))
    share = d.rng.choice((0.1, 0.5, 1.0, 1.0))
    begun, wide = len(d.failures), d.rng.random() < 0.7
    d.crash(When(change=name), wide=wide, share=share * d.rng.uniform(0.2, 0.9), mend="change")
    pages = frozenset(path for f in d.failures[begun:] for path in f.paths)
    d.changes.append(_flag(d, name, -d.rng.uniform(0.3, 4), pages, share))
    d.cause = CONFIGURATION
    d.truth = f"the flag {name} was turned on"


def _flag(d: Draft, name: str, at: float, pages: frozenset[str], share: float) -> Changed:
    """Turn a flag on, as Sentry's flag log or a webhook tells; six SDKs in ten tell of it, too."""
    asked_on = pages if d.rng.random() < 0.6 else frozenset[str]()
    return Changed(name, at, logged=d.rng.random() < 0.6, share=share, asked_on=asked_on)


def flag_beside_deploy(d: Draft) -> None:
    version = d.deploy(-d.rng.uniform(6, 40))
    flag(d)
    d.truth += f"; {version} is innocent"


def flag_innocent(d: Draft) -> None:
    version = _bad(d, d.rng.uniform(0.5, 4))
    pages = frozenset(d.paths(2))
    at = d.rng.choice((-d.rng.uniform(5, 30), -d.rng.uniform(0.2, 5), d.rng.uniform(0.5, 2)))
    d.changes.append(_flag(d, "banner-colour", at, pages, d.rng.choice((0.5, 1.0))))
    d.truth = f"{version} did it; the flag banner-colour is innocent"


SETTINGS = {
    "db-pool-size": "pool",
    "payments-url": "dns",
    "rate-limit": "quota",
    "api-key": "secret",
}
"""The edge at which a wrong setting shows."""


def setting(d: Draft) -> None:
    """A wrong value for everybody at once. https://blog.cloudflare.com/18-november-2025-outage/"""
    name = d.rng.choice(("db-pool-size", "payments-url", "rate-limit", "api-key", "waf-rules"))
    known = d.rng.random() < 0.6
    d.changes.append(Changed(name, -d.rng.uniform(0.2, 3), "config", known=known))
    edge = SETTINGS.get(name, "provider5xx")
    d.edge(edge, When(change=name), mend="change")
    d.cause = CONFIGURATION
    d.truth = f"the setting {name} was changed{'' if known else ', and nothing told of it'}"


KINDS: tuple[tuple[Kind, float], ...] = (
    # binary push
    (bad_release, 10),
    (bad_release_one_feature, 4),
    (bad_release_later, 3),
    (bad_release_at_edge, 3.5),
    (dead_release, 2),
    (bad_release_somewhere, 1.5),
    (canary, 3),
    (many_small, 2),
    (one_way, 2.5),
    (two_deploys, 3),
    (after_hotfix, 3),
    (hotfix_during, 2),
    (put_back, 1.5),
    (ran_twice, 2),
    (flag_innocent, 1.5),
    (slow_leak, 4),
    (migration_lock, 1.5),
    # configuration push
    (flag, 6),
    (flag_beside_deploy, 4),
    (setting, 6),
    (redeploy_with_setting, 1.5),
    # users, pipelines, providers, decay, capacity, hardware
    *kinds_outside.KINDS,
    # no outage at all
    *kinds_calm.KINDS,
)


def names() -> list[str]:
    return [kind.__name__ for kind, _ in KINDS]


def draw(seed: int, only: str = "") -> World:
    """Return the world of a seed."""
    rng = random.Random(seed)
    kinds, weights = zip(*KINDS, strict=True)
    kind = rng.choices(kinds, weights)[0]
    if only:
        kind = next(k for k in kinds if k.__name__ == only)
    draft = Draft(rng, seed, kind.__name__)
    draft.begin()
    kind(draft)
    return draft.end()
