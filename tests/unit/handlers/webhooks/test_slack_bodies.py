"""A body is parsed once, by us: it must mean what the standard library says it means."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

from hypothesis import given
from hypothesis import strategies as st

from handlers.webhooks.slack import parsed

FORM = "application/x-www-form-urlencoded"
TEXT = st.text(max_size=60)
JSON = st.dictionaries(
    TEXT,
    st.recursive(st.none() | st.booleans() | TEXT, lambda inner: st.lists(inner, max_size=3)),
    max_size=4,
)


@given(JSON)
def test_a_payload_is_what_was_sent(payload: dict[str, Any]) -> None:
    assert parsed(urlencode({"payload": json.dumps(payload)}).encode(), FORM) == payload
    assert (
        parsed(urlencode({"payload": json.dumps(payload, ensure_ascii=False)}).encode(), FORM)
        == payload
    )
    assert (
        parsed(urlencode({"payload": json.dumps(payload), "more": "x"}).encode(), FORM) == payload
    )


@given(st.dictionaries(TEXT.filter(bool), TEXT, max_size=4))
def test_a_command_is_what_was_typed(fields: dict[str, str]) -> None:
    fields.pop("payload", None)
    typed = {**fields, "command": "/incident", "text": "prod is down & 100 % broken"}
    assert parsed(urlencode(typed).encode(), FORM) == typed


def test_what_slack_does_not_send_is_no_body() -> None:
    for raw, kind in (
        (b"payload=[1]", FORM),
        (b"payload=nothing", FORM),
        (b"payload=%7B%22a%22", FORM),
        (b"text=hello", FORM),
        (b"\xff\xfe", FORM),
        (b"payload=\xff{}", FORM),
        (b"[]", "application/json"),
        (b"{", "application/json; charset=utf-8"),
        (b"", FORM),
    ):
        assert parsed(raw, kind) is None, raw
