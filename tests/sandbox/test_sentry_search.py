"""The search language of the local Sentry, and what its ingestion refuses."""

from __future__ import annotations

import gzip
import json
import zlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.sentry.envelope import BadEnvelope, UnsupportedEncoding, decompress, items
from sandbox.sentry.search import InvalidQuery, Matcher, Value, parse, seconds

THING: dict[str, Value] = {
    "title": "KeyError: 'region'",
    "level": "error",
    "release": "shop@1.2.0",
    "user": "id:42",
    "is": ["unresolved", "new"],
    "timesSeen": 12.0,
    "firstSeen": 1_000_000.0,
    "empty": "",
}


def matches(query: str) -> bool:
    return Matcher(query, lambda thing, key: thing.get(key), now=1_003_000.0)(THING)


@pytest.mark.parametrize(
    "query",
    [
        "",
        "  ",
        "level:error",
        "level:[error, fatal]",
        "!level:warning",
        "has:user !has:email",
        'user:"id:42"',
        "user:id:*",
        "release:shop@*",
        "tags[release]:shop@1.2.0",
        "is:unresolved is:new",
        "timesSeen:>11 timesSeen:<=12",
        "firstSeen:-1h",
        "firstSeen:+30m",
        "firstSeen:<1970-01-13T00:00:00Z",
        "region",
        "\"KeyError: 'region'\"",
        "level:warning OR user:id:42",
        "(level:warning OR level:error) AND has:user",
        'empty:"" missing:""',
    ],
)
def test_matches(query: str) -> None:
    assert matches(query)


@pytest.mark.parametrize(
    "query",
    [
        "level:fatal",
        "!has:user",
        "level:error level:fatal",
        "timesSeen:>12",
        "firstSeen:-10m",
        "user:id:4",
        "missing:x",
    ],
)
def test_does_not_match(query: str) -> None:
    assert not matches(query)


@pytest.mark.parametrize(
    "query", ["level:", "level:[]", "(level:error", "level:error)", "level:>3", "timesSeen:>many"]
)
def test_is_refused(query: str) -> None:
    with pytest.raises(InvalidQuery):
        matches(query)


@given(st.text(alphabet='ab:!()[]"*<> ,\\OR', max_size=30))
def test_nothing_but_a_refusal_comes_of_nonsense(query: str) -> None:
    with suppress(InvalidQuery):
        parse(query)


def test_periods() -> None:
    assert [seconds(period) for period in ("90s", "15m", "2h", "14d", "1w")] == [
        90,
        900,
        7200,
        1_209_600,
        604_800,
    ]
    for wrong in ("", "0m", "m", "15", "-1h", "1y"):
        with pytest.raises(InvalidQuery):
            seconds(wrong)


def test_envelopes_with_and_without_lengths() -> None:
    event = json.dumps({"message": "two\nlines"}).encode()
    body = b'{"event_id":"9ec79c33ec9942ab8353589fcb2e04dc"}\n'
    body += b'{"type":"attachment","length":3}\na\nb\n{"type":"event"}\n' + event + b"\n\n"
    assert [(header["type"], content) for header, content in items(body)] == [
        ("attachment", b"a\nb"),
        ("event", event),
    ]
    assert items(b"{}\n") == []
    for packed, encoding in (
        (gzip.compress(body), "gzip"),
        (zlib.compress(body), "deflate"),
        (body, ""),
    ):
        assert decompress(packed, encoding) == body


@pytest.mark.parametrize("body", [b"", b"[]\n", b"{\n", b'{}\n{"type":"event","length":99}\nshort'])
def test_a_broken_envelope_is_refused(body: bytes) -> None:
    with pytest.raises(BadEnvelope):
        items(body)


def test_a_wrong_encoding_is_refused() -> None:
    with pytest.raises(BadEnvelope):
        decompress(b"plain", "gzip")
    with pytest.raises(UnsupportedEncoding):
        decompress(b"plain", "rot13")
