"""Bodies of other programs: size, then signature over the raw bytes; then they may be parsed.

Nothing of a refused body reaches a log.
"""

import asyncio
import codecs
import hashlib
import hmac
import logging
import re
from collections.abc import Callable

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

log = logging.getLogger(__name__)

BODY_LIMIT = 1024 * 1024  # contract, HTTP
BODY_SECONDS = 5.0
"""Slack waits 3 s for its ack, Sentry 1 s: no sender of ours is slower than this."""
_ESCAPES = re.compile(
    rb"\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|(?P<lone>\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)


class TooLarge(Exception):
    """The body is over the limit; what was read of it is dropped."""


async def raw_body(request: Request, limit: int) -> bytes:
    """Return the body's bytes, read up to `limit`. Raises `TooLarge`."""
    declared = request.headers.get("content-length", "0")
    if not declared.isdecimal() or int(declared) > limit:
        raise TooLarge
    read = bytearray()
    async for chunk in request.stream():
        read += chunk
        if len(read) > limit:
            raise TooLarge
    return bytes(read)


async def signed_body(
    request: Request, signed: Callable[[bytes], bool], limit: int = BODY_LIMIT
) -> bytes | Response:
    """Return the body that is signed, or the answer that refuses it: 413, 408, 400, 401.

    A byte order mark, which Windows writes before a text, is signed and is no part of the body; nor
    is half an emoji, which a sender leaves that cuts texts after so many UTF-16 units.
    """
    try:
        async with asyncio.timeout(BODY_SECONDS):
            raw = await raw_body(request, limit)
    except TimeoutError:
        return refused(request, 408, "the body did not come in time")
    except TooLarge:
        return refused(request, 413, f"the body is larger than {limit // BODY_LIMIT} MiB")
    except ClientDisconnect:
        return Response(status_code=400)
    if not signed(raw):
        return refused(request, 401, "the signature does not fit")
    return _whole_letters(raw.removeprefix(codecs.BOM_UTF8))


def _whole_letters(raw: bytes) -> bytes:
    """Return JSON without the escapes of lone surrogates, which no reader of UTF-8 takes.

    JavaScript writes them: https://tc39.es/ecma262/#sec-quotejsonstring
    """
    if b"\\ud" not in raw and b"\\uD" not in raw:
        return raw
    return _ESCAPES.sub(lambda it: b"\\ufffd" if it["lone"] else it[0], raw)


def hmac_fits(raw: bytes, secret: str, signature: str, *, prefix: str = "") -> bool:
    """Return whether `signature` is `prefix` and the hex HMAC-SHA256 of the raw body.

    It is compared in constant time.
    """
    expected = prefix + hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected.encode(), signature.strip().encode("utf-8", "replace"))


def refused(request: Request, status: int, why: str) -> Response:
    log.warning("%s %s refused with %s: %s", request.method, request.url.path, status, why)
    return JSONResponse({"error": why}, status_code=status)
