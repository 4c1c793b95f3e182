"""Reading a request's raw body within a limit: signatures are over raw bytes, and nothing unsigned is parsed."""

from __future__ import annotations

from starlette.requests import Request

LIMIT_BYTES = 1024 * 1024  # contract: body ≤ 1 MiB


class TooLarge(Exception):
    """The body is over the limit; answer 413."""


async def read_body(request: Request, limit: int = LIMIT_BYTES) -> bytes:
    """The raw bytes, read piece by piece so that an endless body costs no memory. Raises `TooLarge`."""
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit:
        raise TooLarge
    pieces: list[bytes] = []
    size = 0
    async for piece in request.stream():
        size += len(piece)
        if size > limit:
            raise TooLarge
        pieces.append(piece)
    return b"".join(pieces)
