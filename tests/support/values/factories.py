"""Small makers of values for tests: plausible by default, every field to be overridden."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from phases.messages.commands import Declare
from phases.record.documents import ActionItem, Postmortem, Ticket
from phases.record.findings import (
    BlastRadius,
    Choice,
    Confidence,
    DeploySeen,
    Evidence,
    Frame,
    IssueSeen,
    Look,
    LookVerdict,
    Recommendation,
    Release,
    Share,
    TriageReport,
    Word,
)
from phases.record.incident import Incident, Source
from phases.record.service import DeployCommands, Service

NOW = datetime(2026, 11, 22, 3, 2, tzinfo=UTC)
BAD, GOOD = Release(version="1.3.0"), Release(version="1.2.0")
FIX = Release(version="hotfix fix/tax@aaaaaaa", commit="a" * 40)
TICKET = Ticket(
    id="t1", identifier="ENG-1", url="https://linear.example.com/ENG-1", state="started", priority=1
)
COMMANDS = DeployCommands(
    directory="/srv/shop",
    run=("deploy", "{release}"),
    current=("current",),
    releases=("tags",),
    hotfix=("deploy", "--hotfix", "{commit}"),
)


def service(**fields: Any) -> Service:
    given: dict[str, Any] = {
        "name": "shop",
        "owners": ("U0ALICE",),
        "sentry": ("shop",),
        "deployer": "command",
        "deploy": COMMANDS,
        "checkout": "/srv/shop",
        "bisect": ("./reproduce.sh",),
        "linear_team": "ENG",
    }
    return Service.model_validate({**given, **fields})


def declare(**fields: Any) -> Declare:
    given: dict[str, Any] = {
        "number": 1,
        "ulid": "01JD000000000000000000INC1",
        "title": "checkout is failing",
        "service": "shop",
        "source": Source(kind="person", text="/incident by <@U0ALICE>"),
        "by": "U0ALICE",
    }
    return Declare.model_validate({**given, **fields})


def blast(users: Word = Word.MANY, features: Word = Word.MANY, **fields: Any) -> BlastRadius:
    given: dict[str, Any] = {
        "users": users,
        "user_count": {Word.NOBODY: 0, Word.ONE: 1, Word.MANY: 37}[users],
        "features": features,
        "top_features": (Share(name="payment", events=120), Share(name="cart", events=80)),
        "regions": (Share(name="eu-west", events=150),),
        "organisations": (Share(name="acme", events=60),),
        "confidence": Confidence.HIGH,
        "sentences": ("37 users in 3 organisations, 214 events in the last 15 min.",),
    }
    return BlastRadius.model_validate({**given, **fields})


def report(choice: Choice = Choice.ROLLBACK, **fields: Any) -> TriageReport:
    suspect, target = Release(version="1.3.0"), Release(version="1.2.0")
    recommended = Recommendation(
        choice=choice,
        reasons=("Trouble began 3 min after 1.3.0 was deployed.",),
        suspect=suspect,
        target=target,
    )
    given: dict[str, Any] = {
        "at": NOW,
        "window_seconds": 900,
        "events": 214,
        "per_minute": 14.3,
        "baseline_per_minute": 0.2,
        "began_at": NOW - timedelta(minutes=4),
        "blast": blast(),
        "issues": (
            IssueSeen(
                id="41",
                short_id="SHOP-3",
                title="ZeroDivisionError: division by zero",
                url="https://sentry.example.com/issues/41/",
                first_seen=NOW - timedelta(minutes=4),
                events=200,
                new=True,
            ),
        ),
        "issue_ids": ("41",),
        "running": suspect,
        "suspect": suspect,
        "suspect_minutes": 3.0,
        "targets": (target, Release(version="1.1.0")),
        "exception_type": "ZeroDivisionError",
        "frame": Frame(
            file="shop/pay.py", function="total", line=12, context=((12, "    return net / rate"),)
        ),
        "recommendation": recommended,
    }
    return TriageReport.model_validate({**given, **fields})


def nothing_unusual(**fields: Any) -> TriageReport:
    """Sentry answered, and shows nothing."""
    given: dict[str, Any] = {
        "events": 0,
        "per_minute": 0.0,
        "began_at": None,
        "blast": BlastRadius(users=Word.NOBODY, user_count=0, features=Word.NOBODY),
        "issues": (),
        "issue_ids": (),
        "suspect": None,
        "recommendation": Recommendation(
            choice=Choice.INVESTIGATE, reasons=("Sentry shows nothing unusual.",)
        ),
    }
    return report(**{**given, **fields})


def one_feature(**fields: Any) -> TriageReport:
    """Many users, one feature: investigate, with a rollback beside it."""
    given: dict[str, Any] = {
        "blast": blast(Word.MANY, Word.ONE, top_features=(Share(name="payment", events=120),))
    }
    return report(Choice.INVESTIGATE, **{**given, **fields})


def look(verdict: LookVerdict = LookVerdict.RECOVERED, number: int = 1, **fields: Any) -> Look:
    events = 0 if verdict is LookVerdict.RECOVERED else 40
    compared = f"{events} events where up to 3 are normal, about 57 if nothing had changed"
    given: dict[str, Any] = {
        "number": number,
        "at": NOW,
        "verdict": verdict,
        "events": events,
        "allowed": 3,
        "unchanged": 57.2,
        "minutes": 4.0,
        "before_per_minute": 14.3,
        "after_per_minute": events / 4,
        "reasons": () if verdict is LookVerdict.UNREACHABLE else (compared,),
    }
    return Look.model_validate({**given, **fields})


def evidence(at: datetime = NOW, text: str = "SHOP-3 ZeroDivisionError", **fields: Any) -> Evidence:
    return Evidence.model_validate({"at": at, "source": "Sentry SHOP-3", "text": text, **fields})


def deploy_seen(version: str = "1.4.0", at: datetime = NOW, **fields: Any) -> DeploySeen:
    given: dict[str, Any] = {
        "release": Release(version=version),
        "service": "shop",
        "started_at": at,
        "by": "ci",
        "source": "webhook",
    }
    return DeploySeen.model_validate({**given, **fields})


def postmortem(**fields: Any) -> Postmortem:
    given: dict[str, Any] = {
        "timeline": "03:02 alert, 03:05 rolled back",
        "root_cause": "the tax table of eu-west was empty",
        "monitoring": "the alert waits for five minutes",
        "tests": "every test fills the table",
        "items": (ActionItem(kind="tests", text="a test with an empty tax table"),),
        "revisit": "when the items are done",
        "by": "U0ALICE",
        "at": NOW,
    }
    return Postmortem.model_validate({**given, **fields})


def incident(**fields: Any) -> Incident:
    given: dict[str, Any] = {
        "id": "INC-0001",
        "number": 1,
        "ulid": "01JD000000000000000000INC1",
        "title": "checkout is failing",
        "service": "shop",
        "source": Source(kind="person", text="/incident by <@U0ALICE>"),
        "declared_by": "U0ALICE",
        "lead": "U0ALICE",
        "detected_at": NOW,
        "declared_at": NOW,
    }
    return Incident.model_validate({**given, **fields})
