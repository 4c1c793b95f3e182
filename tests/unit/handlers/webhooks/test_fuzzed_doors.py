"""Every way in, fuzzed.

Recorded payloads are torn, swapped and blown up, rightly signed, at the real routes. Each brings no
5xx, an answer in time, and no word of the payload in the log. The house still works afterwards.
"""

from __future__ import annotations

import asyncio
import copy
import hashlib
import hmac
import json
import logging
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.store.incident_store import Store
from tests.support.redis.servers import served
from tests.support.values.draws import draws
from tests.support.worlds.alert_webhooks import grouped, monitored, paged, plain
from tests.support.worlds.handlers_world import (
    ALERT_SECRET,
    CI_SECRET,
    GITHUB_HOOK_SECRET,
    HOOK_SECRET,
    House,
    house,
)
from tests.support.worlds.slack_world import SECRET
from tests.support.worlds.webhook_bodies import body as deployment
from tests.support.worlds.webhook_bodies import changed, event_alert, issue, metric
from tests.support.worlds.webhook_bodies import deploy_body as finished

CANARY = "canary-4f2a"
SECONDS = 30.0
"""Something hangs that has not answered by then, on however slow a machine."""


@dataclass
class Ways:
    """The recorded payloads by way in, and the house that they are thrown at."""

    runner: asyncio.Runner
    home: House
    slack: list[dict[str, Any]]
    log: list[logging.LogRecord]

    def send(self, path: str, raw: bytes, headers: dict[str, str]) -> httpx.Response:
        async def sent() -> httpx.Response:
            raw_headers = [
                (key.encode(), value.encode("latin-1")) for key, value in headers.items()
            ]
            answer = await self.home.http.post(
                f"{self.home.url}{path}", content=raw, headers=raw_headers, timeout=SECONDS
            )
            await self.home.idle()
            return answer

        return self.runner.run(sent())


class _Kept(logging.Handler):
    def __init__(self, records: list[logging.LogRecord]) -> None:
        super().__init__(logging.DEBUG)
        self._records = records

    def emit(self, record: logging.LogRecord) -> None:
        self._records.append(record)


@pytest.fixture(scope="module")
def ways(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ways]:
    stack, records = AsyncExitStack(), list[logging.LogRecord]()
    handler = _Kept(records)

    async def opened() -> House:
        server = served(tmp_path_factory.mktemp("fuzzed"), "--databases", "1")
        store = Store.open((await stack.enter_async_context(server)).url)
        stack.push_async_callback(store.close)
        home = await stack.enter_async_context(house(store))
        await recorded(home)
        return home

    with asyncio.Runner() as runner:
        home = runner.run(opened())
        logging.getLogger().addHandler(handler)
        try:
            yield Ways(
                runner, home, [delivered.body for delivered in home.slack.delivery.log], records
            )
        finally:
            logging.getLogger().removeHandler(handler)
            runner.run(stack.aclose())


async def recorded(home: House) -> None:
    """One payload of each kind, as the local Slack sends them.

    Commands, clicks, forms, a shortcut, messages and App Home are recorded.
    """
    alice = home.slack.alice
    incident, message = await home.decision()
    assert incident.channel is not None
    where = incident.channel.id
    await alice.command("/incident help")
    await alice.command("/incident list", where)
    await alice.click(message, "decision.investigate")
    await alice.command("/incident cause", where)
    form = await alice.open_modal("incident.cause")
    await alice.submit(form, {"text": "A deploy divided by zero"})
    await alice.command("/incident declare")
    await alice.submit(
        await alice.open_modal("incident.declare"), {"title": "search is slow", "service": "search"}
    )
    alice.say("general", "prod is down, users are reporting errors")
    await alice.open_home()
    await alice.shortcut("incident.declare")
    await home.idle()
    kinds = {delivered.kind for delivered in home.slack.delivery.log}
    assert {"command", "block_actions", "view_submission", "event", "shortcut"} <= kinds


def slack_request(body: dict[str, Any]) -> tuple[bytes, dict[str, str]]:
    """Encode and sign a request as Slack does.

    A command is a form, an interaction a form with a payload, an event JSON.
    """
    if "command" in body:
        raw, kind = (
            urlencode(
                {k: v if isinstance(v, str) else json.dumps(v) for k, v in body.items()},
                errors="replace",
            ),
            "form",
        )
    elif "event" in body or body.get("type") == "event_callback":
        raw, kind = json.dumps(body), "json"
    else:
        raw, kind = urlencode({"payload": json.dumps(body)}), "form"
    types = {"form": "application/x-www-form-urlencoded", "json": "application/json"}
    return raw.encode(), {"content-type": types[kind], **signed(raw.encode())}


def signed(raw: bytes) -> dict[str, str]:
    at = str(int(time.time()))
    digest = hmac.new(
        SECRET.encode(), b"v0:" + at.encode() + b":" + raw, hashlib.sha256
    ).hexdigest()
    return {"x-slack-request-timestamp": at, "x-slack-signature": f"v0={digest}"}


# --- torn, swapped, blown up ----------------------------------------------------------------------

JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from(
        [
            0,
            -1,
            2**63,
            1e308,
            "",
            " ",
            "0",
            "null",
            "<!channel>",
            CANARY,
            CANARY * 500,
            "\x00",
            "\ud83d\ude00",
            "‮",
        ]
    ),
    st.sampled_from([[], {}, [[]], [{}], {"id": None}, {"": {}}, ["x"] * 300]),
    st.text(max_size=20),
    st.recursive(
        st.integers() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3), max_leaves=6
    ),
)


def paths(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items: Any = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, inner in items:
        yield (*at, key)
        yield from paths(inner, (*at, key))


@st.composite
def torn(draw: st.DrawFn, bodies: list[dict[str, Any]]) -> dict[str, Any]:
    body = copy.deepcopy(draw(st.sampled_from(bodies)))
    if "trigger_id" in body:  # or it would be the same delivery, and nobody would look into it
        body["trigger_id"] = str(draw(st.integers(1, 10**12)))
    if "event_id" in body:
        body["event_id"] = f"Ev{draw(st.integers(1, 10**12))}"
    for _ in range(draw(st.integers(1, 3))):
        every = list(paths(body))
        if not every:
            break
        *way, last = draw(st.sampled_from(every))
        holder: Any = body
        for step in way:
            holder = holder[step]
        if draw(st.booleans()):
            holder[last] = copy.deepcopy(draw(JUNK))
        else:
            del holder[last]
    return body


FUZZ = settings(
    max_examples=draws(200),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


def holds(ways: Ways, answer: httpx.Response) -> None:
    log = "\n".join(logging.Formatter().format(record) for record in ways.log)
    ways.log.clear()
    assert answer.status_code < 500, log
    assert CANARY not in log
    assert "Traceback" not in log


@FUZZ
@given(data=st.data())
def test_a_torn_payload_of_slack_is_answered(ways: Ways, data: st.DataObject) -> None:
    body = data.draw(torn(ways.slack))
    raw, headers = slack_request(body)
    holds(ways, ways.send("/slack/events", raw, headers))


@dataclass(frozen=True)
class Webhook:
    path: str
    body: dict[str, Any]
    secret: str
    signature: str
    prefix: str = ""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


def _sentry(resource: str, body: dict[str, Any]) -> Webhook:
    headers = {"Sentry-Hook-Resource": resource}
    return Webhook("/webhooks/sentry", body, HOOK_SECRET, "Sentry-Hook-Signature", headers=headers)


def _github(kind: str, body: dict[str, Any]) -> Webhook:
    headers = {"X-GitHub-Event": kind}
    return Webhook(
        "/webhooks/github", body, GITHUB_HOOK_SECRET, "X-Hub-Signature-256", "sha256=", headers
    )


def _alert(body: dict[str, Any]) -> Webhook:
    return Webhook("/webhooks/alerts", body, ALERT_SECRET, "X-Firebreak-Signature", "sha256=")


WEBHOOKS = [
    _sentry("issue", issue()),
    _sentry("event_alert", event_alert()),
    _sentry("error", event_alert()),
    _sentry("metric_alert", metric()),
    _github("deployment_status", deployment()),
    Webhook("/webhooks/deploys", finished(), CI_SECRET, "X-Firebreak-Signature", "sha256="),
    Webhook("/webhooks/changes", changed(), CI_SECRET, "X-Firebreak-Signature", "sha256="),
    *(_alert(body) for body in (grouped(), paged(), monitored(), plain())),
]


@FUZZ
@given(data=st.data())
def test_a_torn_webhook_is_answered(ways: Ways, data: st.DataObject) -> None:
    way = data.draw(st.sampled_from(WEBHOOKS))
    raw = json.dumps(data.draw(torn([way.body]))).encode()
    digest = hmac.new(way.secret.encode(), raw, hashlib.sha256).hexdigest()
    headers = {
        **way.headers,
        way.signature: f"{way.prefix}{digest}",
        "X-GitHub-Delivery": digest[:20],
    }
    holds(ways, ways.send(way.path, raw, headers))


# --- forged and oversized -------------------------------------------------------------------------

BAD_SIGNATURES = st.sampled_from(
    [
        "",
        "v0=",
        "v0=" + "0" * 64,
        "sha256=" + "f" * 64,
        "\u00e9".encode().decode("latin-1"),
        "=" * 5000,
    ]
)


@settings(
    max_examples=draws(60),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(way=st.sampled_from(WEBHOOKS), signature=BAD_SIGNATURES, raw=st.binary(max_size=200))
def test_what_is_not_signed_is_refused_and_changes_nothing(
    ways: Ways, way: Webhook, signature: str, raw: bytes
) -> None:
    before = ways.runner.run(ways.home.count())
    answer = ways.send(way.path, raw + CANARY.encode(), {**way.headers, way.signature: signature})
    assert answer.status_code == 401
    assert len([record for record in ways.log if "refused with 401" in record.getMessage()]) == 1
    holds(ways, answer)
    assert ways.runner.run(ways.home.count()) == before


@pytest.mark.parametrize("path", sorted({way.path for way in WEBHOOKS} | {"/slack/events"}))
@pytest.mark.parametrize("sized", [True, False], ids=["length sized", "chunked"])
def test_ten_megabytes_are_refused_before_they_are_read(ways: Ways, path: str, sized: bool) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(160):
            yield b"x" * 65_536

    async def sent() -> int:
        body: Any = b"x" * 10_485_760 if sized else chunks()
        try:
            answer = await ways.home.http.post(
                f"{ways.home.url}{path}", content=body, timeout=SECONDS
            )
        except (httpx.WriteError, httpx.ReadError, httpx.RemoteProtocolError):
            return 413  # the door was shut while we still talked
        return answer.status_code

    assert ways.runner.run(sent()) == 413
    ways.log.clear()


@pytest.mark.parametrize(
    "raw",
    [
        b"[" * 200_000,
        b'{"a":' * 100_000,
        b'{"type":"event_callback","type":"x","event":{},"event":[]}',
        '{"type": "événement"}'.encode("utf-16"),
        b'{"type": "event_callback", "event": {"type": "message", "text": "\\ud800"}}',
        b"1e999",
        b'{"x": NaN}',
        b"\xef\xbb\xbf{}",
    ],
    ids=[
        "deep list",
        "deep object",
        "keys twice",
        "utf-16",
        "lone surrogate",
        "no object",
        "NaN",
        "BOM",
    ],
)
def test_json_of_an_odd_kind_is_answered_in_time(ways: Ways, raw: bytes) -> None:
    holds(
        ways, ways.send("/slack/events", raw, {"content-type": "application/json", **signed(raw)})
    )
    for way in WEBHOOKS:
        digest = hmac.new(way.secret.encode(), raw, hashlib.sha256).hexdigest()
        holds(
            ways, ways.send(way.path, raw, {**way.headers, way.signature: f"{way.prefix}{digest}"})
        )


def test_the_house_still_stands(ways: Ways) -> None:
    """Last in this file: after everything above a person is served as ever."""

    async def served() -> None:
        await ways.home.slack.alice.command("/incident help")
        await ways.home.slack.alice.command("/incident declare the search is down after all")

    before = ways.runner.run(ways.home.count())
    ways.runner.run(served())
    assert ways.runner.run(ways.home.count()) >= before
