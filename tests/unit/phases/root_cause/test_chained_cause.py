"""A crash that was caught and raised again. The author of the catching is not accused.

The SDK, Sentry and git are real; some chains are made by hand.
"""

from __future__ import annotations

import asyncio
import importlib
import io
import json
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sentry_sdk

from bot.cli.rank_suspects import suspects_main
from bot.clients.git.source import LocalGit
from bot.clients.sentry.client import Sentry as Client
from phases.memory.recall import memory_question, past_incident
from phases.record.findings import DeploySeen, HypothesisKind, Release, TriageReport, Verdict
from phases.record.service import ReleaseNames, Service
from phases.root_cause.investigate import investigate
from phases.triage.measure import triage
from phases.triage.reading.questions import Sources
from sandbox.faults import Faults
from sandbox.sentry import Sentry, sentry_app
from tests.support.git.repositories import Repository
from tests.support.values.histories import commit, frame
from tests.support.values.incidents import incident
from tests.support.worlds.local_http import serving

PRICING = "def rate(region):\n    rates = {'us': 1, 'eu': 2}\n    return rates[region.lower()]\n"
ORDERS = (
    "from till.pricing import rate\n\n\nclass OrderFailed(Exception):\n    pass\n\n\n"
    "def place(region):\n    try:\n        return rate(region)\n"
    "    except LookupError as error:\n        raise OrderFailed('order') from error\n"
)


def shop(path: Path) -> tuple[Repository, str, str]:
    """Two commits lie between the releases.

    One broke the price, the other one words the order's error.
    """
    repository = Repository(path)
    repository.commit(
        "Shop",
        {"till/__init__.py": "", "till/pricing.py": PRICING, "till/orders.py": ORDERS},
        tag="v1",
    )
    culprit = repository.commit(
        "Regions as they are typed",
        {"till/pricing.py": PRICING.replace(".lower()", "")},
        author="Grace",
    )
    innocent = repository.commit(
        "Say which order failed",
        {"till/orders.py": ORDERS.replace("'order'", "f'no order from {region}'")},
        tag="v2",
    )
    return repository, culprit, innocent


@asynccontextmanager
async def stored() -> AsyncIterator[tuple[Sentry, Client]]:
    sentry = Sentry(projects=("till",))
    async with serving(sentry_app(sentry, Faults())) as url:
        sentry.base_url = url
        client = Client(url, "acme", "sntrys_local")
        try:
            yield sentry, client
        finally:
            await client.aclose()


@pytest.fixture
def till(tmp_path: Path) -> Iterator[tuple[Path, str, str]]:
    """The deployed code can be imported, and is forgotten afterwards."""
    _, culprit, innocent = shop(tmp_path)
    sys.path.insert(0, str(tmp_path))
    yield tmp_path, culprit, innocent
    sys.path.remove(str(tmp_path))
    for name in [name for name in sys.modules if name.partition(".")[0] == "till"]:
        del sys.modules[name]


def burn(dsn: str, root: Path) -> None:
    sdk = sentry_sdk.Client(
        dsn=dsn,
        release="2",
        environment="production",
        project_root=str(root),
        default_integrations=False,
        auto_enabling_integrations=False,
    )
    orders = importlib.import_module("till.orders")
    for user in range(12):
        with sentry_sdk.new_scope() as scope:
            scope.set_client(sdk)
            scope.set_user({"id": str(user)})
            scope.set_transaction_name("/order")
            try:
                orders.place("EU")
            except orders.OrderFailed as error:
                scope.capture_exception(error)
    sdk.flush(timeout=60)
    sdk.close(timeout=5)


async def measured(client: Client, service: Service) -> TriageReport:
    now = datetime.now(UTC)
    deploys = [
        DeploySeen(
            release=Release(version=v),
            service="till",
            started_at=now - timedelta(minutes=10),
            source="webhook",
        )
        for v in ("1", "2")
    ]
    return (await triage(incident(), Sources(service, client), deploys, now)).report


async def test_from_a_wrapped_crash_to_whoever_wrote_its_line(till: tuple[Path, str, str]) -> None:
    root, culprit, innocent = till
    service = Service(
        name="till", sentry=("till",), checkout=str(root), release=ReleaseNames(tag="v{version}")
    )
    async with stored() as (sentry, client):
        await asyncio.to_thread(burn, sentry.dsn("till"), root)
        report = await measured(client, service)
    assert (report.exception_type, report.exception_value, report.wrapped_in) == (
        "KeyError",
        "'EU'",
        ("OrderFailed",),
    )
    assert report.issues[0].title == "OrderFailed: no order from EU, caused by KeyError: 'EU'"
    assert report.frame is not None
    assert (report.frame.file, report.frame.function, report.frame.line) == (
        "till/pricing.py",
        "rate",
        3,
    )

    ends = {
        "suspect": Release(version="2"),
        "running": Release(version="2"),
        "targets": (Release(version="1"),),
    }
    case = incident().model_copy(
        update={
            "service": "till",
            "title": "OrderFailed: no order",
            "triage": report.model_copy(update=ends),
        }
    )
    investigation = (
        await investigate(case, service, LocalGit(), False, datetime.now(UTC))
    ).investigation
    assert [suspect.sha for suspect in investigation.suspects] == [culprit, innocent]
    assert investigation.suspects[0].reasons[0] == "wrote till/pricing.py:3, where it crashes"
    assert investigation.walk[0].startswith(
        "Crashes in till/pricing.py:3 in rate: return rates[region]. Last touched by"
    )
    assert investigation.walk[1].startswith(
        "Called from till/orders.py:10 in place: return rate(region)."
    )
    assert investigation.walk[-1].startswith(
        "Raised again as OrderFailed in till/orders.py:12 in place:"
    )
    best = next(h for h in investigation.hypotheses if h.kind is HypothesisKind.COMMIT)
    assert (best.verdict, best.says[:16]) == (Verdict.SUPPORTED, f"Commit {culprit[:9]}")

    past, asked = past_incident(case), memory_question(case, report, datetime.now(UTC))
    assert past.title == "OrderFailed: no order, caused by KeyError: 'EU'"
    assert (past.file, past.function) == (asked.file, asked.function) == ("till/pricing.py", "rate")


# --- `firebreak suspects` -------------------------------------------------------------------------

COMMITS = [
    commit(
        "innocent",
        "Say which order failed",
        **{
            "till/orders.py": (
                "@@ -10,3 +10,3 @@ def place(region):\n         return rate(region)\n"
                "     except LookupError as error:\n-        raise OrderFailed('order') from "
                "error\n"
                "+        raise OrderFailed(f'no order from {region}') from error\n"
            )
        },
    ),
    commit(
        "culprit",
        "Regions as they are typed",
        **{
            "till/pricing.py": (
                "@@ -1,3 +1,3 @@ def rate(region):\n def rate(region):\n"
                "     rates = {'us': 1, 'eu': 2}\n"
                "-    return rates[region.lower()]\n+    return rates[region]\n"
            )
        },
    ),
]


def ask(**more: Any) -> list[dict[str, Any]]:
    out = io.StringIO()
    question = {
        "frames": [frame("till/orders.py", "place", 12), frame("till/web.py", "order", 5)],
        "exception": {"type": "OrderFailed", "value": "no order from EU"},
        "commits": COMMITS,
        **more,
    }
    assert suspects_main(io.StringIO(json.dumps(question)), out) == 0
    return json.loads(out.getvalue())


def test_with_its_causes_the_ranking_looks_at_the_first_one() -> None:
    inner = [frame("till/pricing.py", "rate", 3), frame("till/orders.py", "place", 10)]
    causes = [{"type": "KeyError", "value": "'EU'", "frames": inner}]
    ranked = ask(chained=causes)
    assert [row["sha"] for row in ranked] == ["culprit", "innocent"]
    assert ranked[1]["confidence"] * 3 < ranked[0]["confidence"]
    assert set(ranked[0]) == {"sha", "score", "confidence", "reasons"}


@pytest.mark.parametrize("chained", [None, [], [{"type": None, "value": None, "frames": None}]])
def test_without_causes_nothing_changes(chained: Any) -> None:
    assert ask(chained=chained) == ask()
