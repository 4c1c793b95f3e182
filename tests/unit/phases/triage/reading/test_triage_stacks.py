"""Triage and investigation of events as SDKs send them, through the local Sentry."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from phases.record.findings import Investigation, TriageReport
from phases.root_cause.investigate import investigate
from tests.support.worlds.sentry_world import NOW, SHOP, ago, incident, world

Json = dict[str, Any]


async def examined(times: int = 12, **payload: Any) -> tuple[TriageReport, Investigation]:
    """The report over so many events of this shape, and what is found without a source."""
    async with world() as w:
        for number in range(times):
            fields = {
                "event_id": uuid.uuid4().hex,
                "timestamp": ago(4).timestamp() + number,
                "environment": "production",
            }
            w.local.ingest(
                {
                    **fields,
                    "level": "error",
                    "user": {"id": f"u{number}"},
                    "transaction": "/cart",
                    **payload,
                }
            )
        report = await w.triage()
    case = incident().model_copy(update={"triage": report})
    return report, (await investigate(case, SHOP, None, False, NOW)).investigation


def frame(function: str, line: int = 7, **more: Any) -> Json:
    return {"filename": "shop/cart.py", "function": function, "lineno": line, "in_app": True} | more


async def test_a_wrapped_crash_of_java() -> None:
    def java(method: str, line: int, cls: str) -> Json:
        return {
            "filename": f"{cls.rsplit('.', 1)[-1]}.java",
            "module": cls,
            "function": method,
            "lineno": line,
        }

    spring = java("doDispatch", 1081, "org.springframework.web.servlet.DispatcherServlet")
    crash, shown = (
        java("priceOf", 44, "com.acme.shop.PriceService"),
        java("show", 20, "com.acme.shop.CartController"),
    )
    cause = {
        "type": "NullPointerException",
        "value": None,
        "stacktrace": {"frames": [spring, shown, crash]},
    }
    outer = {
        "type": "ServletException",
        "value": "Request failed",
        "stacktrace": {"frames": [spring]},
    }
    report, investigation = await examined(exception={"values": [cause, outer]})
    assert report.exception_type == "NullPointerException"
    assert (
        report.issues[0].title == "ServletException: Request failed, caused by NullPointerException"
    )
    assert report.frame is not None
    assert (report.frame.file, report.frame.line) == ("PriceService.java", 44)
    assert (
        "Sentry marks no frame of the stack as in-app: "
        "frames outside known libraries count as ours." in report.notes
    )
    assert investigation.walk == (
        "Crashes in PriceService.java:44 in priceOf.",
        "Called from CartController.java:20 in show.",
    )


async def test_a_logged_message_with_its_stack_is_logged_somewhere() -> None:
    threads = {
        "values": [
            {"id": 1, "current": True, "stacktrace": {"frames": [frame("main"), frame("total", 9)]}}
        ]
    }
    report, investigation = await examined(
        logentry={"formatted": "the price is missing"}, threads=threads
    )
    assert (report.exception_type, report.event_kind) == (None, "message")
    assert investigation.walk == (
        "Logged in shop/cart.py:9 in total.",
        "Called from shop/cart.py:7 in main.",
    )


@pytest.mark.parametrize(
    ("payload", "sentence"),
    [
        (
            {"logentry": {"formatted": "the queue is full"}},
            "The newest event is a logged message without a stack",
        ),
        (
            {"csp": {"effective_directive": "img-src"}, "message": "Blocked"},
            "a Content Security Policy report",
        ),
        (
            {"exception": {"values": [{"type": "KeyError", "value": "'eu'"}]}},
            "No frame of our own code is known.",
        ),
    ],
)
async def test_without_a_stack_there_is_no_crash_and_that_is_said(
    payload: Json, sentence: str
) -> None:
    report, investigation = await examined(**payload)
    assert (report.frame, report.frames, investigation.walk) == (None, (), ())
    assert any(sentence in note for note in investigation.notes)
    assert not any("in-app" in note for note in report.notes)
