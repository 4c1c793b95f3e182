"""Events as SDKs send and Sentry answers them: their cause, and the frames that lead to it.

Shapes: https://github.com/getsentry/sentry/tree/master/tests/sentry/grouping/grouping_inputs, and
the SDK that each test names.
"""

from __future__ import annotations

from typing import Any

import pytest

from bot.clients.sentry.event import EventShape
from phases.ports.source_paths import PathIndex
from phases.ports.tracker_values import EventDetail
from phases.root_cause.stack_trace import own_code_frames, why_no_stack

Json = dict[str, Any]


def frame(name: str, line: int = 10, *, app: bool | None = True, **more: Any) -> Json:
    return {
        "filename": f"{name}.py",
        "function": name,
        "lineNo": line,
        "inApp": app,
        "context": [],
    } | more


def raised(name: str, /, *crash_first: Json, value: str | None = "x", **mechanism: Any) -> Json:
    """A value of the exception; its frames go to Sentry the other way round."""
    generic = {"type": "generic", "handled": True} | mechanism
    stack = {"frames": list(reversed(crash_first))} if crash_first else None
    return {
        "type": name,
        "value": value,
        "mechanism": generic,
        "stacktrace": stack,
        "rawStacktrace": None,
    }


def event(*values: Json | None, **entries: Any) -> EventDetail:
    there = [{"type": kind, "data": data} for kind, data in entries.items()]
    if values:
        there.append({"type": "exception", "data": {"values": list(values), "excOmitted": None}})
    return EventShape.model_validate({"entries": there, "release": None, "tags": []}).detail()


def names(detail: EventDetail) -> list[str]:
    return [f.function for f in detail.frames]


def own(detail: EventDetail) -> list[str]:
    return [f.function for f in own_code_frames(detail.frames)]


# --- chains ---------------------------------------------------------------------------------------


def java(method: str, line: int, cls: str, app: bool | None) -> Json:
    file = f"{cls.rsplit('.', 1)[-1].partition('$')[0]}.java"
    return frame(method, line, app=app, filename=file, absPath=file, module=cls)


SPRING = [
    java("doDispatch", 1081, "org.springframework.web.servlet.DispatcherServlet", False),
    java("processRequest", 1006, "org.springframework.web.servlet.FrameworkServlet", False),
    java("run", 840, "java.lang.Thread", False),
]


@pytest.mark.parametrize("app", [True, None, False])
def test_springs_wrapper_around_a_cause(app: bool | None) -> None:
    """sentry-java marks our own frames only where `inAppIncludes` names them.

    Sentry stores those that are not marked as false.
    """
    crash = java("priceOf", 44, "com.acme.shop.PriceService", app)
    caller = java("show", 20, "com.acme.shop.CartController$Lambda", app)
    cause = raised(
        "NullPointerException", crash, caller, *SPRING, value=None, exception_id=1, parent_id=0
    )
    again = java("processRequest", 1014, "org.springframework.web.servlet.FrameworkServlet", False)
    outer = raised(
        "ServletException", again, SPRING[-1], value="Request failed", exception_id=0, handled=False
    )
    detail = event(cause, outer)
    assert (detail.exception_type, detail.exception_value, detail.wrapped_in) == (
        "NullPointerException",
        "",
        ("ServletException",),
    )
    assert (own(detail), detail.handled) == (["priceOf", "show"], False)
    assert names(detail) == [
        "priceOf",
        "show",
        "doDispatch",
        "processRequest",
        "run",
        "processRequest",
    ]
    assert detail.in_app_told is (app is True)


def test_what_was_suppressed_is_no_cause() -> None:
    """sentry-java puts it before its suppressor.

    It has the type `suppressed`, and its causes stand behind it.
    """
    suppressed = raised(
        "CloseFailed", frame("close"), type="suppressed", exception_id=1, parent_id=0
    )
    of_it = raised("DiskFull", frame("write"), type="chained", exception_id=2, parent_id=1)
    cause = raised("KeyError", frame("price"), type="chained", exception_id=3, parent_id=0)
    detail = event(cause, of_it, suppressed, raised("OrderFailed", frame("order"), exception_id=0))
    assert (detail.exception_type, detail.wrapped_in, names(detail)[0]) == (
        "KeyError",
        ("OrderFailed",),
        "price",
    )
    alone = event(of_it, suppressed, raised("OrderFailed", frame("order"), exception_id=0))
    assert (alone.exception_type, alone.wrapped_in, names(alone)[0]) == ("OrderFailed", (), "order")
    assert {f.of for f in alone.frames} == {"", "CloseFailed", "DiskFull"}


def test_a_cause_in_javascript() -> None:
    """sentry-javascript prepends each `error.cause`; its stack ends where the wrapper's goes on."""
    cause = raised(
        "TypeError",
        frame("total"),
        frame("load"),
        type="chained",
        source="cause",
        exception_id=1,
        parent_id=0,
    )
    outer = raised("Error", frame("load", 14), frame("render"), exception_id=0, handled=False)
    detail = event(cause, outer)
    assert [(f.function, f.of, f.again) for f in detail.frames] == [
        ("total", "", False),
        ("load", "", False),
        ("render", "", False),
        ("load", "Error", True),
    ]


@pytest.mark.parametrize("ids", [(1, 0), (0, 1)], ids=["depth first", "as older ones number them"])
def test_go_has_a_stack_at_the_outermost_only(ids: tuple[int, int]) -> None:
    """sentry-go `convertErrorToExceptions`.

    Up to 0.35 `SetException` numbered the cause 0 and made it its wrapper's parent.
    """
    inner, outer = ids
    cause = raised("*pq.Error", value="pq: no such column", exception_id=inner)
    cause["mechanism"] |= {"parent_id": outer} if inner else {"is_exception_group": True}
    wrapper = raised("*fmt.wrapError", frame("List"), frame("main"), exception_id=outer)
    wrapper["mechanism"] |= {"parent_id": inner, "is_exception_group": True} if outer else {}
    detail = event(cause, wrapper)
    assert (detail.exception_type, detail.exception_value) == ("*pq.Error", "pq: no such column")
    assert detail.wrapped_in == ("*fmt.wrapError",)
    assert [(f.function, f.of) for f in detail.frames] == [("List", ""), ("main", "")]


def test_a_cause_inside_of_libraries_leads_to_our_own_line() -> None:
    refused = raised(
        "ConnectionRefusedError", frame("connect", app=False), frame("new_conn", app=False)
    )
    failed = raised(
        "NewConnectionError", frame("new_conn", 12, app=False), frame("send", app=False)
    )
    outer = raised(
        "requests.ConnectionError",
        frame("send", 31, app=False),
        frame("get", app=False),
        frame("rates"),
    )
    detail = event(refused, failed, outer)
    assert detail.exception_type == "ConnectionRefusedError"
    assert own(detail) == ["rates"]
    assert own_code_frames(detail.frames)[0].of == ""


def test_a_crash_in_the_handler_of_another_counts_before_its_callers() -> None:
    """`During handling of the above exception, another exception occurred`.

    There the second one may be the one that hurts.
    """
    missing = raised("KeyError", frame("price"), frame("order"))
    second = raised(
        "ZeroDivisionError", frame("share"), frame("split"), frame("order", 12), frame("main")
    )
    detail = event(missing, second)
    assert [(f.function, f.of) for f in detail.frames] == [
        ("price", ""),
        ("order", ""),
        ("share", "ZeroDivisionError"),
        ("split", "ZeroDivisionError"),
        ("main", ""),
        ("order", "ZeroDivisionError"),
    ]


# --- groups ---------------------------------------------------------------------------------------


def member(n: int, name: str, *frames: Json, source: str = "InnerExceptions") -> Json:
    return raised(name, *frames, type="chained", source=f"{source}[{n - 1}]", parent_id=0)


def numbered(value: Json, id: int, parent: int | None = None) -> Json:
    links = {"exception_id": id} | ({} if parent is None else {"parent_id": parent})
    return value | {"mechanism": value["mechanism"] | links}


def test_nets_group_whose_first_member_was_only_cancelled() -> None:
    """sentry-dotnet lists the last member first and the group last.

    Each member's own inner exceptions stand behind it.
    """
    third = numbered(member(3, "FormatException", frame("parse")), 4)
    inner = numbered(
        raised("NullReferenceException", frame("total"), frame("quote"), type="chained"), 3, 2
    )
    second = numbered(member(2, "QuoteException", frame("quote", 30), frame("task")), 2)
    first = numbered(
        member(1, "System.Threading.Tasks.TaskCanceledException", frame("wait", app=False)), 1
    )
    group = numbered(
        raised("System.AggregateException", frame("all"), is_exception_group=True, handled=False), 0
    )
    detail = event(third, inner, second, first, group)
    assert detail.exception_type == "NullReferenceException"
    assert detail.wrapped_in == ("QuoteException", "System.AggregateException")
    assert own(detail) == ["total", "quote", "parse", "task", "all", "quote"]
    assert [f.of for f in own_code_frames(detail.frames)] == [
        "",
        "",
        "FormatException",
        "",
        "System.AggregateException",
        "QuoteException",
    ]


@pytest.mark.parametrize("source", ["errors", "exceptions", ""])
def test_a_group_of_three(source: str) -> None:
    """JavaScript's `AggregateError`, Python's `ExceptionGroup`.

    One is without sources, as the RFC first had it.
    """
    inside: list[Json] = []
    for n in (3, 2, 1):
        crash, name = frame(f"crash{n}"), f"Error{n}"
        inside.append(
            numbered(member(n, name, crash, source=source) if source else raised(name, crash), n, 0)
        )
    group = numbered(raised("AggregateError", frame("any"), is_exception_group=True), 0)
    detail = event(*inside, group)
    assert (detail.exception_type, detail.wrapped_in) == ("Error1", ("AggregateError",))
    assert names(detail) == ["crash1", "crash3", "crash2", "any"]


@pytest.mark.parametrize(
    "numbers",
    [
        [(1, 0), (1, 0), (0, None)],
        [(2, 7), (1, 0), (0, None)],
        [(2, 1), (1, 2), (0, None)],
        [(2, 2), (1, 0), (0, None)],
        [(2, None), (1, 0), (0, None)],
        [(None, None), (None, None), (None, None)],
        [(2, 1), (1, 0), (0, 2)],
    ],
    ids=[
        "doubled",
        "no such parent",
        "circle",
        "its own parent",
        "two roots",
        "none",
        "root in a circle",
    ],
)
def test_numbers_that_make_no_tree_leave_the_order(
    numbers: list[tuple[int | None, int | None]],
) -> None:
    values = [
        raised(f"E{n}", frame(f"at{n}"), exception_id=id, parent_id=of)
        for n, (id, of) in enumerate(numbers)
    ]
    detail = event(*values)
    assert (detail.exception_type, detail.wrapped_in, names(detail)[0]) == (
        "E0",
        ("E1", "E2"),
        "at0",
    )


# --- what is missing ------------------------------------------------------------------------------


def test_values_and_stacks_that_are_null() -> None:
    empty = raised("KeyError", value=None) | {"stacktrace": None}
    null = raised("Wrapped", value=None) | {"stacktrace": {"frames": None}, "mechanism": None}
    outer = raised("Outer", frame("main", None, context=None)) | {"value": None}  # type: ignore[arg-type]
    detail = event(None, empty, null, outer)
    assert (detail.exception_type, detail.exception_value) == ("KeyError", "")
    assert [(f.function, f.line, f.of) for f in detail.frames] == [("main", None, "")]
    nothing = event(raised("KeyError"))
    assert (nothing.exception_type, nothing.frames, nothing.kind, nothing.in_app_told) == (
        "KeyError",
        (),
        "exception",
        True,
    )


def test_what_could_not_be_symbolicated_has_its_raw_stack() -> None:
    value = raised("SIGSEGV") | {"rawStacktrace": {"frames": [None, frame("main"), frame("crash")]}}
    assert names(event(value)) == ["crash", "main"]


def test_frames_that_are_marked_by_nobody() -> None:
    """`in_app: null` everywhere: frames of no known library may be ours.

    Beside a frame that is marked they are not.
    """
    library = frame("send", app=None, filename="/usr/lib/python3/site-packages/requests/api.py")
    detail = event(raised("KeyError", library, frame("price", app=None)))
    assert [(f.function, f.in_app) for f in detail.frames] == [("send", False), ("price", True)]
    assert (detail.in_app_told, own(detail)) == (False, ["price"])
    detail = event(raised("KeyError", frame("helper", app=None), frame("price")))
    assert (detail.in_app_told, own(detail)) == (True, ["price"])


def test_a_long_stack_of_a_framework_hides_no_frame_of_ours() -> None:
    many = [frame(f"filter{n}", app=False) for n in range(60)]
    detail = event(raised("KeyError", *many, frame("price")), raised("Outer", frame("main")))
    assert own(detail)[:2] == ["price", "main"]
    assert len(detail.frames) == 30


def test_a_build_s_query_is_no_part_of_a_file() -> None:
    detail = event(
        raised(
            "TypeError",
            frame("total", filename="Cart.vue?4f2a", absPath="webpack:///./src/Cart.vue?4f2a"),
        )
    )
    assert (detail.frames[0].file, detail.frames[0].path) == ("Cart.vue", "src/Cart.vue")


# --- without an exception's own stack -------------------------------------------------------------


def thread(id: Any, *crash_first: Json, crashed: bool = False, current: bool = False) -> Json:
    stack = {"frames": list(reversed(crash_first))} if crash_first else None
    return {
        "id": id,
        "crashed": crashed,
        "current": current,
        "name": "t",
        "stacktrace": stack,
        "rawStacktrace": None,
    }


@pytest.mark.parametrize(
    ("threads", "name"),
    [
        (
            [thread(1, frame("idle")), thread(2, frame("crash"), crashed=True, current=True)],
            "crash",
        ),
        ([thread(1, frame("idle")), thread("2", frame("now"), current=True)], "now"),
        ([thread(None, frame("log"))], "log"),
        (
            [
                thread(1, frame("idle")),
                thread(7, frame("hung")),
                thread(3, frame("main"), crashed=True),
            ],
            "hung",
        ),
        ([thread(7), thread(3, frame("main"), crashed=True)], "main"),
    ],
    ids=["crashed", "current", "the only one", "the exception's", "the exception's is empty"],
)
def test_the_thread_that_crashed(threads: list[Json], name: str) -> None:
    native = raised("SIGABRT") | {"threadId": 7}
    assert names(event(native, threads={"values": [None, *threads]})) == [name]


def test_of_several_threads_none_is_guessed() -> None:
    assert event(threads={"values": [thread(1, frame("a")), thread(2, frame("b"))]}).frames == ()


def test_an_exceptions_own_stack_goes_before_its_thread() -> None:
    detail = event(
        raised("E", frame("crash")), threads={"values": [thread(1, frame("sdk"), current=True)]}
    )
    assert names(detail) == ["crash"]


def test_a_stack_of_its_own() -> None:
    detail = event(
        message={"formatted": "slow"}, stacktrace={"frames": [frame("main"), frame("log")]}
    )
    assert (names(detail), detail.kind, detail.exception_type) == (["log", "main"], "message", None)


@pytest.mark.parametrize(
    ("entries", "kind", "message"),
    [
        (
            {"message": {"formatted": "the queue is full", "message": None, "params": None}},
            "message",
            "logged message",
        ),
        (
            {"csp": {"effective_directive": "img-src"}, "message": {"formatted": "Blocked"}},
            "csp",
            "Content Security",
        ),
        ({"hpkp": {"hostname": "shop"}}, "hpkp", "key pinning"),
        ({"request": {}}, "", ""),
    ],
)
def test_what_has_no_stack_says_so(entries: Json, kind: str, message: str) -> None:
    detail = event(**entries)
    assert (detail.frames, detail.exception_type, detail.kind) == ((), None, kind)
    assert message in why_no_stack(detail.kind)


def test_an_error_calls_nobody_and_names_no_address() -> None:
    detail = event(
        raised("Key<!here>Error", frame("a"), value="<!channel> ann@example.com 10.0.0.1 <@U0BOB>")
    )
    assert (detail.exception_type, detail.exception_value) == (
        "Key!hereError",
        "!channel … … @U0BOB",
    )


# --- the whole of it ------------------------------------------------------------------------------


def test_the_cause_and_its_crashing_frame_come_first() -> None:
    around = [[n, f"line {n}"] for n in range(5, 16)]
    payload = {
        "entries": [
            {"type": "message", "data": {}},
            {
                "type": "exception",
                "data": {
                    "values": [
                        {
                            "type": "KeyError",
                            "value": "'bob@example.com'",
                            "stacktrace": {
                                "frames": [
                                    frame("main"),
                                    frame("lib", app=False),
                                    frame("crash", context=around),
                                ]
                            },
                        },
                        {
                            "type": "OrderFailed",
                            "mechanism": {"handled": False},
                            "stacktrace": {
                                "frames": [frame("wsgi"), frame("main") | {"lineNo": 12}]
                            },
                        },
                    ]
                },
            },
        ],
        "release": None,
        "tags": [{"key": "release", "value": "v3"}],
    }
    detail = EventShape.model_validate(payload).detail()
    assert (detail.exception_type, detail.exception_value, detail.wrapped_in) == (
        "KeyError",
        "'…'",
        ("OrderFailed",),
    )
    assert detail.handled is False
    assert [(f.function, f.line, f.of) for f in detail.frames] == [
        ("crash", 10, ""),
        ("lib", 10, ""),
        ("main", 10, ""),
        ("wsgi", 10, ""),
        ("main", 12, "OrderFailed"),
    ]
    assert [n for n, _ in detail.frames[0].context] == [8, 9, 10, 11, 12]
    assert detail.release == "v3"


def test_an_event_without_exception_has_no_frames() -> None:
    detail = EventShape.model_validate({"entries": [], "release": {"version": "v1"}}).detail()
    assert (detail.exception_type, detail.frames, detail.release) == (None, (), "v1")


# --- whose frames they are ------------------------------------------------------------------------

CARGO = (
    "/usr/local/cargo/registry/src/index.crates.io-6f17d22bba15001f/tokio-1.35.0/src/runtime/mod.rs"
)
GEM = "/usr/local/bundle/gems/activerecord-7.0.4/lib/active_record/core.rb"
SITE = "/usr/local/lib/python3.12/site-packages/django/db/models/query.py"


@pytest.mark.parametrize(
    ("library", "marked"),
    [
        ({"filename": "mod.rs", "absPath": CARGO}, True),
        ({"filename": "mod.rs", "absPath": CARGO.replace("/", "\\")}, True),
        (
            {
                "filename": "mod.rs",
                "absPath": "/root/.cargo/git/checkouts/tokio-8a1f00d5e0f6a1b2/9f3/src/mod.rs",
            },
            True,
        ),
        ({"filename": "option.rs", "absPath": "/rustc/9fc6/library/core/src/option.rs"}, True),
        (
            {
                "filename": "errors.go",
                "absPath": "/go/pkg/mod/github.com/pkg/errors@v0.9.1/errors.go",
            },
            True,
        ),
        (
            {"filename": "ink_well.dart", "absPath": "package:flutter/src/material/ink_well.dart"},
            True,
        ),
        ({"filename": "[internal]", "absPath": "[internal]"}, True),
        ({"filename": "django/db/models/query.py", "absPath": SITE}, False),
        ({"filename": "active_record/core.rb", "absPath": GEM}, False),
        (
            {"filename": "json\\decoder.py", "absPath": "C:\\Python312\\Lib\\json\\decoder.py"},
            False,
        ),
        ({"filename": "encoding/json/decode.go", "module": "encoding/json"}, False),
        ({"filename": "internal/process/task_queues.js"}, False),
    ],
)
def test_a_library_s_frame_is_not_ours_whatever_its_sdk_marks(library: Json, marked: bool) -> None:
    crash, called = (
        frame("theirs", app=marked, **library),
        frame("ours", app=marked, filename="crates/pay/src/pay.rs"),
    )
    assert own(event(raised("E", crash, called))) == ["ours"]


def test_a_library_s_frame_keeps_the_part_of_its_path_that_says_so() -> None:
    """Cut to its end it looked like a file of ours: `mod/github.com/lib/pq@v1.10.9/conn.go`."""
    pq = frame("query", filename="conn.go", absPath="/go/pkg/mod/github.com/lib/pq@v1.10.9/conn.go")
    crate = frame("send", filename="mod.rs", absPath=CARGO)
    for theirs in event(raised("E", pq, crate)).frames:
        assert PathIndex(["conn.go", "src/mod.rs"]).locate(theirs.file, "", theirs.path) == []


def test_a_package_of_ours_that_is_installed_keeps_its_name() -> None:
    pay = frame("pay", filename="shop/pay.py", absPath="/usr/lib/python3/site-packages/shop/pay.py")
    detail = event(raised("E", pay, frame("run", filename="wsgi.py", absPath="/app/wsgi.py")))
    assert (own(detail), detail.frames[0].file) == (["pay", "run"], "shop/pay.py")


def test_a_folder_of_ours_may_be_called_internal() -> None:
    price = frame(
        "Of", filename="internal/price/price.go", module="github.com/acme/shop/internal/price"
    )
    assert own(
        event(raised("E", price, frame("main", filename="cmd/shop/main.go", module="main")))
    ) == ["Of", "main"]


@pytest.mark.parametrize("numbered_too", [True, False])
def test_the_tree_of_components_is_no_cause(numbered_too: bool) -> None:
    """https://github.com/getsentry/sentry-javascript/blob/develop/packages/react/src/error.ts"""
    tree, real = (
        raised("React ErrorBoundary TypeError", frame("App")),
        raised("TypeError", frame("total")),
    )
    if numbered_too:
        tree, real = numbered(tree, 1, 0), numbered(real, 0)
    detail = event(tree, real)
    assert (detail.exception_type, detail.wrapped_in, own(detail)) == (
        "TypeError",
        (),
        ["total", "App"],
    )
    alone = event(tree)
    assert (alone.exception_type, own(alone)) == ("React ErrorBoundary TypeError", ["App"])


@pytest.mark.parametrize(
    ("version", "cause"),
    [("8.14.2", "FormatException"), ("9.1.0", "CartException"), (None, "CartException")],
)
def test_dart_sent_its_chains_the_wrong_way_round(version: str | None, cause: str) -> None:
    values = [raised("CartException", frame("load")), raised("FormatException", frame("parse"))]
    for value in values:
        value["mechanism"] = None
    payload = {"entries": [{"type": "exception", "data": {"values": values}}], "tags": []}
    sdk = {"name": "sentry.dart.flutter", "version": version}
    assert EventShape.model_validate(payload | {"sdk": sdk}).detail().exception_type == cause


def test_an_assembly_is_named_without_its_version() -> None:
    module = "Acme.Shop, Version=1.0.0.0, Culture=neutral, PublicKeyToken=null"
    (crash_frame,) = event(raised("E", frame("Of", filename=None, module=module))).frames
    assert crash_frame.file == "Acme.Shop"
