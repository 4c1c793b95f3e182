"""Redis' protocol, in whole commands and whole answers.

https://redis.io/docs/latest/develop/reference/protocol-spec/
"""

from __future__ import annotations

from typing import Any

from redis._parsers.resp2 import _AsyncRESP2Parser  # pyright: ignore[reportPrivateUsage]
from redis._parsers.socket import SERVER_CLOSED_CONNECTION_ERROR
from redis.exceptions import ConnectionError as Closed

Command = list[bytes]


def packed(command: Command) -> bytes:
    words = [b"$%d\r\n%b\r\n" % (len(word), word) for word in command]
    return b"*%d\r\n%b" % (len(command), b"".join(words))


def unpacked(data: bytes, at: int = 0) -> tuple[Command, int] | None:
    """Return the first command in here and where it ends; None where it is not whole."""
    end = data.find(b"\r\n", at)
    if end < 0:
        return None
    command, at = [], end + 2
    for _ in range(int(data[1 + data.rfind(b"*", 0, end) : end])):
        end = data.find(b"\r\n", at)
        if end < 0:
            return None
        size = int(data[at + 1 : end])
        at = end + 2 + size + 2
        if len(data) < at:
            return None
        command.append(data[end + 2 : at - 2])
    return command, at


def whole(data: bytes, at: int) -> int | None:
    """Return where the answer that begins here ends; None where it is not whole (RESP2)."""
    end = data.find(b"\r\n", at)
    if end < 0:
        return None
    kind, rest = data[at : at + 1], end + 2
    if kind == b"$":
        size = int(data[at + 1 : end])
        rest += size + 2 if size >= 0 else 0
        return rest if rest <= len(data) else None
    if kind == b"*":
        for _ in range(int(data[at + 1 : end])):
            inner = whole(data, rest)
            if inner is None:
                return None
            rest = inner
    return rest


def _value(data: bytes, at: int, parser: _AsyncRESP2Parser) -> tuple[Any, int]:
    """Return what redis-py makes of the answer that begins here, and where it ends."""
    end = data.index(b"\r\n", at)
    kind, after = data[at : at + 1], end + 2
    if kind == b"$":
        size = int(data[at + 1 : end])
        if size < 0:
            return None, after
        return data[after : after + size].decode(), after + size + 2
    if kind == b"*":
        count = int(data[at + 1 : end])
        if count < 0:
            return None, after
        values: list[Any] = []
        for _ in range(count):
            value, after = _value(data, after, parser)
            values.append(value)
        return values, after
    if kind == b":":
        return int(data[at + 1 : end]), after
    text = data[at + 1 : end].decode()
    return (parser.parse_error(text) if kind == b"-" else text), after


async def _read(parser: Any, disable_decoding: bool = False) -> Any:
    stream: Any = parser._stream
    if not parser._connected:
        raise Closed(SERVER_CLOSED_CONNECTION_ERROR)
    if disable_decoding or not parser.encoder.decode_responses:
        raise NotImplementedError("answers are texts here")
    while True:
        if stream.exception() is not None:
            raise stream.exception()
        if stream._buffer:
            break
        await stream._wait_for_data("read_response")
    value, end = _value(bytes(stream._buffer), 0, parser)
    del stream._buffer[:end]
    if isinstance(value, Closed):
        raise value
    return value


def install() -> None:
    """Read answers as redis-py does, which waits for each line: here they come whole."""
    _AsyncRESP2Parser.read_response = _read  # pyright: ignore
