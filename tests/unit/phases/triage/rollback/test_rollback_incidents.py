"""Incidents as an engineer on call meets them, and what the best one would press first.

They were written before the rules that judge them. Each has many users and many features hit
unless it says otherwise, as a smaller fire is never rolled back at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from phases.ports.source_values import Commit, CommitFile
from phases.ports.tracker_values import EventDetail
from phases.record.findings import (
    BlastRadius,
    Choice,
    Confidence,
    DeploySeen,
    Frame,
    IssueSeen,
    Release,
    Share,
    Usual,
    Word,
)
from phases.triage.deploys.deploy_history import merge_deploys, suspect_of
from phases.triage.rollback.recommendation import recommend
from phases.triage.rollback.situation import OtherChange, Situation
from tests.support.worlds.sentry_world import NOW, ago

ROLLBACK, LOOK = Choice.ROLLBACK, Choice.INVESTIGATE
WINDOW = timedelta(minutes=15)
WIDE = BlastRadius(
    users=Word.MANY,
    user_count=140,
    features=Word.MANY,
    top_features=(Share(name="cart", events=60), Share(name="pay", events=40)),
    confidence=Confidence.HIGH,
)


def usual(why: Usual, sentence: str) -> BlastRadius:
    return WIDE.model_copy(update={"usual": why, "sentences": (sentence,)})


@dataclass(frozen=True, kw_only=True)
class Case:
    name: str
    right: Choice
    began: float
    """Minutes ago."""
    deploys: tuple[tuple[str, float], ...] = (("v3", 8), ("v2", 600), ("v1", 9000))
    """Version, minutes ago, newest first."""
    rollout: float = 1
    """Minutes that each of them took."""
    starts_told: bool = True
    error: str = "KeyError: 'total'"
    stack: tuple[str, ...] = ("shop/cart.py:41 total",)
    """Crashing frame first; a library's path is not ours."""
    line: str = ""
    """The source of the crashing line."""
    changed: Mapping[str, str] | None = None
    """Path → an added line, of one commit between target and suspect; None: no repository."""
    carried: Mapping[str, int] = field(default_factory=dict[str, int])
    """Release → events since the suspect's deploy."""
    alive: tuple[str, ...] = ()
    """Earlier releases that still have traffic."""
    usual: float = 0.0
    old: bool = False
    """The issues are much older than the release."""
    target: str = "v2"
    counts: tuple[int, ...] = ()
    """Events a minute, until now."""
    more: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def situation(self) -> Situation:
        known = merge_deploys(
            [
                DeploySeen(
                    release=Release(version=version),
                    service="shop",
                    started_at=ago(at if self.starts_told else at - self.rollout),
                    finished_at=ago(at - self.rollout),
                    source="github" if self.starts_told else "webhook",
                    last_event=NOW if version in self.alive else None,
                )
                for version, at in self.deploys
            ]
        )
        began = ago(self.began)
        type, _, value = self.error.partition(": ")
        first = ago(60 * 24 * 40) if self.old else began
        issue = IssueSeen(
            id="1",
            short_id="SHOP-1",
            title=self.error,
            first_seen=first,
            events=200,
            new=not self.old,
            spiking=True,
            baseline_per_minute=self.usual,
        )
        counts = {
            (NOW - timedelta(minutes=len(self.counts) - n)).replace(second=0): count
            for n, count in enumerate(self.counts)
        }
        running = Release(version=self.deploys[0][0])
        facts: dict[str, Any] = {
            "now": NOW,
            "window": WINDOW,
            "service": "shop",
            "blast": WIDE,
            "events": 200,
            "began": began,
            "known": known,
            "suspect": suspect_of(known.deploys, began, WINDOW),
            "running": running,
            "listed": tuple(Release(version=v) for v in dict.fromkeys(d for d, _ in self.deploys)),
            "by_release": self.carried,
            "issues": (issue,),
            "usual": self.usual,
            "minutes": counts,
            "crash": EventDetail(
                exception_type=type,
                exception_value=value,
                handled=False,
                frames=tuple(
                    _frame(text, self.line if n == 0 else "") for n, text in enumerate(self.stack)
                ),
                release=None,
                kind="exception",
            ),
            "commits": None if self.changed is None else _commits(self.changed),
        }
        return Situation(**(facts | dict(self.more)))


def _frame(text: str, line: str) -> Frame:
    place, _, function = text.partition(" ")
    file, _, number = place.rpartition(":")
    library = any(part in file for part in ("site-packages", "node_modules", "gems/", "vendor/"))
    context = ((int(number), f"    {line}"),) if line else ()
    return Frame(
        file=file, line=int(number), function=function, in_app=not library, context=context
    )


def _commits(changed: Mapping[str, str]) -> tuple[Commit, ...]:
    files = tuple(
        CommitFile(
            path=path,
            added=1,
            patch=f"@@ -40,6 +40,7 @@ def total(cart):\n     before\n+    {line}\n     after\n",
        )
        for path, line in changed.items()
    )
    return (Commit(sha="a" * 40, subject="Change it", files=files),)


PSYCOPG = "/usr/lib/python3/site-packages/psycopg2/__init__.py:122 connect"
REQUESTS = "/usr/lib/python3/site-packages/requests/adapters.py:519 send"
ELSEWHERE = {"shop/wishlist.py": "return [w for w in wishes if w.live]"}
FIVE_HOURS = (("v3", 300), ("v2", 2000), ("v1", 9000))

CASES = (
    # --- the release brought it ---------------------------------------------------------------
    Case(name="a key error everywhere, two minutes after the deploy", right=ROLLBACK, began=6),
    Case(
        name="nothing is known but the time",
        right=ROLLBACK,
        began=5,
        stack=(),
        error="Error: ",
        carried={"": 200},
    ),
    Case(
        name="a rollout of ten minutes, the new code crashes at its end",
        right=ROLLBACK,
        began=5,
        deploys=(("v3", 17), ("v2", 900)),
        rollout=10,
        error="TypeError: unsupported operand type(s) for +: 'NoneType' and 'int'",
        changed={"shop/cart.py": "return net + tax"},
    ),
    Case(
        name="a canary fails and the others do not",
        right=ROLLBACK,
        began=25,
        deploys=(("v3", 50), ("v2", 3000)),
        carried={"v3": 180, "v2": 0},
        alive=("v2",),
    ),
    Case(
        name="a rolling deploy: the old release has its usual noise",
        right=ROLLBACK,
        began=7,
        carried={"v3": 60, "v2": 22},
        alive=("v2",),
        usual=3.0,
        old=True,
    ),
    Case(
        name="new queries wear out the pool of connections",
        right=ROLLBACK,
        began=4,
        error="TimeoutError: QueuePool limit of size 5 overflow 10 reached, connection timed out",
        stack=(
            "/usr/lib/python3/site-packages/sqlalchemy/pool/impl.py:166 _do_get",
            "shop/orders.py:88 history",
        ),
        changed={"shop/orders.py": "for order in orders: session.query(Item).all()"},
    ),
    Case(
        name="a query that it changed is cancelled by its time limit",
        right=ROLLBACK,
        began=5,
        error="psycopg2.errors.QueryCanceled: canceling statement due to statement timeout",
        stack=(PSYCOPG, "shop/search.py:31 find"),
        changed={"shop/search.py": "SELECT * FROM items WHERE lower(name) LIKE '%x%'"},
    ),
    Case(
        name="pool worn out minutes after a deploy, no repository is known",
        right=ROLLBACK,
        began=5,
        error="org.postgresql.util.PSQLException: FATAL: sorry, too many clients already",
        stack=("HikariPool.java:155 getConnection",),
    ),
    Case(
        name="a leak: memory has been running out since the deploy, in this release only",
        right=ROLLBACK,
        began=70,
        deploys=(("v3", 300), ("v2", 2600)),
        error="MemoryError: ",
        carried={"v3": 200},
        counts=tuple(n // 12 for n in range(300)),
    ),
    Case(
        name="file handles leak, and the release before does not",
        right=ROLLBACK,
        began=30,
        deploys=(("v3", 400), ("v2", 2600)),
        error="Error: EMFILE: too many open files, open '/srv/shop/a.png'",
        stack=("app/images.js:12 load",),
        carried={"v3": 200},
        alive=("v2",),
    ),
    Case(
        name="connections are refused, but only to the new release",
        right=ROLLBACK,
        began=6,
        error="OperationalError: could not connect to server: Connection refused",
        stack=(PSYCOPG,),
        carried={"v3": 200},
        alive=("v2",),
    ),
    Case(
        name="it changed the settings of the database, and connections are refused at once",
        right=ROLLBACK,
        began=7.5,
        error="OperationalError: could not connect to server: Connection refused",
        stack=(PSYCOPG, "shop/db.py:10 connect"),
        changed={"config/database.yml": "host: db-new.internal"},
    ),
    Case(
        name="a known error gets fifty times louder with the deploy",
        right=ROLLBACK,
        began=7,
        old=True,
        usual=0.4,
        carried={"v3": 200},
    ),
    Case(
        name="a bumped library lacks what is imported",
        right=ROLLBACK,
        began=7.5,
        error="ImportError: cannot import name 'soft_unicode' from 'markupsafe'",
        stack=("/usr/lib/python3/site-packages/jinja2/filters.py:9 <module>",),
        changed={"requirements.txt": "markupsafe==2.1.0"},
    ),
    Case(
        name="only Safari fails, in code that was just changed",
        right=ROLLBACK,
        began=5,
        error="SyntaxError: Invalid regular expression: invalid group specifier name",
        stack=("app:///src/format.js:41 money",),
        changed={"src/format.js": "return text.replace(/(?<=[0-9])x/, '')"},
        more={"only": {"browser": "Safari"}, "beside": {"browser": (3, 400)}},
    ),
    Case(
        name="forty minutes after the deploy the line that it added crashes",
        right=ROLLBACK,
        began=10,
        deploys=(("v3", 50), ("v2", 3000)),
        line="return cart.currency.rate",
        error="AttributeError: 'NoneType' object has no attribute 'rate'",
        changed={"shop/cart.py": "return cart.currency.rate"},
    ),
    Case(
        name="deployed in the evening, its new line crashes with the first customers at eight",
        right=ROLLBACK,
        began=10,
        deploys=(("v3", 600), ("v2", 4000)),
        line="return cart.currency.rate",
        error="AttributeError: 'NoneType' object has no attribute 'rate'",
        changed={"shop/cart.py": "return cart.currency.rate"},
        carried={"v3": 200},
    ),
    Case(
        name="a variable of its environment is missing",
        right=ROLLBACK,
        began=7.5,
        error="ImproperlyConfigured: Set the STRIPE_KEY environment variable",
        stack=("shop/settings.py:8 <module>",),
    ),
    Case(
        name="rolled out in one region first, which fails alone",
        right=ROLLBACK,
        began=6,
        carried={"v3": 200},
        alive=("v2",),
        more={"only": {"region": "eu"}, "beside": {"region": (2, 80)}},
    ),
    Case(
        name="the release before ran two minutes only",
        right=ROLLBACK,
        began=6,
        deploys=(("v3", 8), ("v2", 10), ("v1", 3000)),
        target="v1",
    ),
    Case(
        name="it set the time limit of the payment provider to a second",
        right=ROLLBACK,
        began=6,
        error="ReadTimeout: HTTPSConnectionPool(host='api.stripe.com', port=443): Read timed out.",
        stack=(REQUESTS, "shop/pay.py:20 charge"),
        changed={"shop/pay.py": "requests.post(url, timeout=1)"},
    ),
    Case(
        name="too many connections after the pool was made larger",
        right=ROLLBACK,
        began=5,
        error="OperationalError: (1040, 'Too many connections')",
        stack=(PSYCOPG,),
        changed={"config/production.yml": "pool: 80"},
    ),
    Case(
        name="CI tells of the end of a rollout only, and trouble began during it",
        right=ROLLBACK,
        began=8.6,
        rollout=0,
        starts_told=False,
    ),
    Case(
        name="found two hours later, but it began with the deploy",
        right=ROLLBACK,
        began=118,
        deploys=(("v3", 120), ("v2", 3000)),
        carried={"v3": 900},
    ),
    Case(
        name="put back yesterday for another reason, v2 has run for a day since",
        right=ROLLBACK,
        began=6,
        deploys=(("v4", 8), ("v2", 1500), ("v3", 1530), ("v2", 9000)),
    ),
    # --- it did not ---------------------------------------------------------------------------
    Case(
        name="the payment provider answers 503",
        right=LOOK,
        began=4,
        error="HTTPError: 503 Server Error: Service Unavailable for url: https://api.stripe.com/v1",
        stack=(REQUESTS, "shop/pay.py:20 charge"),
        changed=ELSEWHERE,
    ),
    Case(
        name="the database refuses connections, the release touched a wish list",
        right=LOOK,
        began=2,
        error="OperationalError: connection to server at 10.2.0.4, port 5432 failed: "
        "Connection refused",
        stack=(PSYCOPG, "shop/db.py:10 connect"),
        changed=ELSEWHERE,
    ),
    Case(
        name="the database refuses connections, no repository is known",
        right=LOOK,
        began=2,
        error="Error: connect ECONNREFUSED 10.2.0.4:5432",
        stack=("node_modules/pg/lib/client.js:132 connect",),
    ),
    Case(
        name="a certificate ran out, one minute after the deploy",
        right=LOOK,
        began=7,
        error="SSLError: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: "
        "certificate has expired (_ssl.c:1006)",
        stack=(REQUESTS,),
        changed=ELSEWHERE,
    ),
    Case(
        name="names are not resolved any more",
        right=LOOK,
        began=3,
        error="Error: getaddrinfo EAI_AGAIN users.internal",
        stack=("node:dns:107 onlookup",),
        changed={"src/wishlist.js": "return []"},
    ),
    Case(
        name="the disk is full",
        right=LOOK,
        began=1,
        deploys=(("v3", 10), ("v2", 600)),
        error="OSError: [Errno 28] No space left on device: '/var/lib/uploads/1'",
        stack=("shop/uploads.py:33 keep",),
        changed=ELSEWHERE,
    ),
    Case(
        name="a flag was turned on half a minute before",
        right=LOOK,
        began=3,
        deploys=(("v3", 15), ("v2", 600)),
        more={
            "other_changes": (OtherChange(what="The flag new-checkout was turned on", at=ago(3.5)),)
        },
    ),
    Case(
        name="a setting changed a minute before, the deploy was fifty minutes ago",
        right=LOOK,
        began=3,
        deploys=(("v3", 53), ("v2", 600)),
        more={"other_changes": (OtherChange(what="max_items was set to 0", at=ago(4)),)},
    ),
    Case(
        name="all of it is one customer's, and the others use everything",
        right=LOOK,
        began=2,
        deploys=(("v3", 13), ("v2", 600)),
        more={"only": {"organisation": "Globex"}, "beside": {"organisation": (12, 300)}},
    ),
    Case(name="it ran well for five hours", right=LOOK, began=6, deploys=FIVE_HOURS),
    Case(
        name="it ran well for 26 hours",
        right=LOOK,
        began=6,
        deploys=(("v3", 1560), ("v2", 9000)),
    ),
    Case(
        name="what a partner sends has changed: both releases that run fail",
        right=LOOK,
        began=6,
        carried={"v3": 110, "v2": 90},
        alive=("v2",),
    ),
    Case(
        name="the same failure has another title since the logger was bumped",
        right=LOOK,
        began=7,
        more={"blast": usual("renamed", "Not new: until 14:02 cart failed as often.")},
    ),
    Case(
        name="it comes every hour on the hour",
        right=LOOK,
        began=3,
        deploys=(("v3", 9), ("v2", 600)),
        more={"blast": usual("regular", "It does this every hour at :05.")},
    ),
    Case(
        name="the service that it calls was deployed a minute before",
        right=LOOK,
        began=5,
        deploys=(("v3", 25), ("v2", 900)),
        error="KeyError: 'price'",
        changed=ELSEWHERE,
        more={
            "neighbours": (
                DeploySeen(
                    release=Release(version="p8"),
                    service="pricing",
                    started_at=ago(6),
                    source="github",
                ),
            )
        },
    ),
    Case(
        name="the release changed documents and tests only",
        right=LOOK,
        began=5,
        changed={"docs/cart.md": "The cart", "tests/test_cart.py": "assert total"},
    ),
    Case(
        name="the one that runs since five minutes has not failed: it may be the fix",
        right=LOOK,
        began=12,
        deploys=(("v3", 6), ("v2", 14), ("v1", 900)),
        carried={"v2": 200},
    ),
    Case(
        name="it began before the deploy did",
        right=LOOK,
        began=8.8,
    ),
    Case(
        name="Redis has reached its memory limit",
        right=LOOK,
        began=1,
        error="ResponseError: OOM command not allowed when used memory > 'maxmemory'.",
        stack=("/usr/lib/python3/site-packages/redis/connection.py:524 read_response",),
        changed=ELSEWHERE,
    ),
    Case(
        name="credentials of the cloud have expired",
        right=LOOK,
        began=3,
        error="ClientError: An error occurred (ExpiredToken) when calling the PutObject operation: "
        "The provided token has expired.",
        stack=("/usr/lib/python3/site-packages/botocore/client.py:960 _make_api_call",),
        changed=ELSEWHERE,
    ),
    Case(
        name="the quota of a provider is used up",
        right=LOOK,
        began=6,
        error="RateLimitError: Error code: 429 - You exceeded your current quota "
        "(insufficient_quota)",
        stack=("/usr/lib/python3/site-packages/openai/_base_client.py:1020 _request",),
        changed=ELSEWHERE,
    ),
    Case(
        name=".NET does not reach its SQL Server",
        right=LOOK,
        began=3,
        error="System.Data.SqlClient.SqlException: A network-related or instance-specific error "
        "occurred while establishing a connection to SQL Server.",
        stack=("Shop/Orders.cs:31 Load",),
        changed={"Shop/Wishlist.cs": "return wishes;"},
    ),
    Case(
        name="Go: a certificate of the bank is not valid any more",
        right=LOOK,
        began=3,
        error='*url.Error: Post "https://bank.example.com/pay": tls: failed to verify '
        "certificate: x509: certificate has expired or is not yet valid",
        stack=("pay/client.go:70 Charge",),
        changed={"wishlist/list.go": "return nil"},
    ),
    Case(
        name="a certificate ran out, and the release happened to touch the client",
        right=LOOK,
        began=2,
        deploys=(("v3", 13), ("v2", 600)),
        error="*url.Error: tls: failed to verify certificate: x509: certificate has expired",
        stack=("pay/client.go:70 Charge",),
        changed={"pay/client.go": "// Charge asks the bank"},
    ),
    Case(
        name="Java: the host is unknown",
        right=LOOK,
        began=4,
        error="java.net.UnknownHostException: users.internal: Name or service not known",
        stack=("com/acme/shop/Users.java:12 find",),
        changed={"src/main/java/com/acme/shop/Wishlist.java": "return List.of();"},
    ),
    Case(
        name="Ruby: the database is not there",
        right=LOOK,
        began=4,
        error="PG::ConnectionBad: could not connect to server: No route to host",
        stack=("gems/pg-1.5.4/lib/pg/connection.rb:840 connect",),
        changed={"app/models/wish.rb": "where(live: true)"},
    ),
    Case(
        name="PHP: MySQL refuses connections",
        right=LOOK,
        began=4,
        error="PDOException: SQLSTATE[HY000] [2002] Connection refused",
        stack=("src/Db.php:22 connect",),
        changed={"src/Wishes.php": "return [];"},
    ),
    Case(
        name="one region fails, and the release runs in all of them",
        right=LOOK,
        began=4,
        deploys=(("v3", 20), ("v2", 900)),
        error="Error: upstream closed",
        carried={"v3": 200},
        more={"only": {"region": "eu-west"}, "beside": {"region": (3, 500)}},
    ),
    Case(
        name="a queue elsewhere is full: it has been ten hours, and both releases wait",
        right=LOOK,
        began=20,
        deploys=(("v3", 620), ("v2", 4000)),
        error="TimeoutError: publish timed out",
        carried={"v3": 150, "v2": 50},
        alive=("v2",),
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_the_best_engineer_on_call_would_press(case: Case) -> None:
    recommendation = recommend(case.situation())
    assert recommendation.choice is case.right, (
        recommendation.likely,
        recommendation.points_to,
        recommendation.points_away,
    )
    assert recommendation.brakes == ()
    if case.right is ROLLBACK:
        assert recommendation.target == Release(version=case.target)
        assert recommendation.points_to
    else:
        assert recommendation.points_away
        assert recommendation.target is not None  # the rollback stands beside it
        assert not recommendation.loud
