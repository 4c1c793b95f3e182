"""Envelopes, as SDKs post them: https://develop.sentry.dev/sdk/data-model/envelopes/"""

from __future__ import annotations

import gzip
import importlib
import json
import zlib
from typing import Any

MAX_ENVELOPE = 20 * 1024 * 1024
"""Bytes, after decompression ("Size Limits" of the page above)."""


class BadEnvelope(ValueError):
    """Cannot be read; the SDK made a mistake."""


class UnsupportedEncoding(BadEnvelope):
    """A content encoding that is not known here."""


def decompress(body: bytes, encoding: str) -> bytes:
    """Undo the request's `Content-Encoding`.

    Raises:
        UnsupportedEncoding, BadEnvelope
    """
    try:
        match encoding.strip().lower():
            case "" | "identity":
                return body
            case "gzip":
                return gzip.decompress(body)
            case "deflate":
                return zlib.decompress(body)
            case "br":
                # The SDK uses brotli only where that package is installed.
                return bytes(importlib.import_module("brotli").decompress(body))
            case other:
                raise UnsupportedEncoding(f"content encoding {other}")
    except ModuleNotFoundError as missing:
        raise UnsupportedEncoding("content encoding br") from missing
    except (OSError, EOFError, zlib.error) as broken:
        raise BadEnvelope(f"body is not {encoding}") from broken


def items(body: bytes) -> list[tuple[dict[str, Any], bytes]]:
    """Return the items of an envelope: header and payload of each.

    Raises:
        BadEnvelope
    """
    if len(body) > MAX_ENVELOPE:
        raise BadEnvelope("envelope too large")
    _, position = _line(body, 0)
    read: list[tuple[dict[str, Any], bytes]] = []
    while position < len(body):
        if body[position : position + 1] == b"\n":
            position += 1
            continue
        header, position = _line(body, position)
        length = header.get("length")
        if length is None:
            end = body.find(b"\n", position)
            end = len(body) if end < 0 else end
        else:
            end = position + int(length)
            if end > len(body):
                raise BadEnvelope("item is shorter than its header says")
        read.append((header, body[position:end]))
        position = end + 1
    return read


def header(body: bytes) -> dict[str, Any]:
    """Return the header of the envelope itself, with `trace` where it was sampled.

    https://develop.sentry.dev/sdk/telemetry/traces/dynamic-sampling-context/

    Raises:
        BadEnvelope
    """
    return _line(body, 0)[0]


def _line(body: bytes, start: int) -> tuple[dict[str, Any], int]:
    end = body.find(b"\n", start)
    end = len(body) if end < 0 else end
    try:
        header = json.loads(body[start:end])
    except ValueError as broken:
        raise BadEnvelope("header is not JSON") from broken
    if not isinstance(header, dict):
        raise BadEnvelope("header is not an object")
    return header, end + 1
