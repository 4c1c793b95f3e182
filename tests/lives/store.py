"""A real Valkey, asked at once and by virtual time: the bot's connections end in this process.

The bot's client opens its unix socket here (`opened`). What it writes is read as commands, carried
out by the server when the driver lets it, and answered, late or never. `shim.lua` gives the server
the driver's clock.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import socket
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.lives.clock import BEGIN, CLOCK, WHOSE, Runs, context_of

SHIM = Path(__file__).with_name("shim.lua").read_text()
ADVANCE = SHIM + "return 0"
GENERIC = SHIM + "return redis.call(unpack(ARGV))"
SPECIAL = frozenset(
    b"TIME SET DEL GETDEL PEXPIRE EXPIRE PTTL TTL XADD XREADGROUP".split()
    + b"XPENDING XCLAIM XAUTOCLAIM".split()
)
LATENCY = (0.00005, 0.0004)
"""Seconds on the way to Redis."""
RARE = 20
"""After so many of one kind its sender dies half as often."""
SLOW_SECONDS = 1.2
"""Longer than the bot waits for an answer (bot/connection/client.py READ_SECONDS)."""

Command = list[bytes]


def packed(command: Command) -> bytes:
    words = b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in command)
    return b"*%d\r\n%b" % (len(command), words)


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


class Server:
    """The one real connection to Valkey, and the time that is told to it."""

    def __init__(self, path: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(path)
        self._socket.settimeout(20)
        self._read = b""
        self._scripts: dict[bytes, bytes] = {}
        self.offset = 0.0
        """Seconds by which the clock of Redis is set away from the true time."""
        self.commands = 0
        self.added = False
        """The last batch added to the outbox."""
        self._entries = b""
        self.ask([b"FLUSHALL"])
        self._advance = self._load(ADVANCE)
        self._generic = self._load(GENERIC)

    def close(self) -> None:
        self._socket.close()

    def ask(self, *commands: Command) -> list[bytes]:
        """Carry out these commands as they are; return their answers as they come."""
        self._socket.sendall(b"".join(packed(command) for command in commands))
        try:
            return [self._answer() for _ in commands]
        except TimeoutError as error:
            raise RuntimeError(f"Valkey does not answer {commands!r:.600}") from error

    def perform(self, batch: list[Command]) -> bytes:
        """Carry out what the bot asks, by the time of now; return the answers."""
        self.commands += len(batch)
        now = b"%d" % round((BEGIN + CLOCK.passed + self.offset) * 1e6)
        asked: list[Command] = []
        for command in batch:
            translated = self._translated(command, now)
            if translated is None:
                return b"-NOSCRIPT No matching script. Please use EVAL.\r\n"
            asked.append(translated)
        # Each script ends what is over by now; a command without one has to be told first.
        told = [[b"EVALSHA", self._advance, b"0", now]] if asked[0] is batch[0] else []
        if asked == batch:
            self.added = False
            return b"".join(self.ask(*told, *asked)[1:])
        *answers, entries = self.ask(*told, *asked, [b"GET", b"virtual:entries"])
        self.added, self._entries = entries != self._entries, entries
        return b"".join(answers[len(told) :])

    def _translated(self, command: Command, now: bytes) -> Command | None:
        name = command[0].upper()
        if name == b"EVAL":
            sha = hashlib.sha1(command[1], usedforsecurity=False).hexdigest().encode()
            if sha not in self._scripts:
                self._scripts[sha] = self._load(SHIM + command[1].decode())
            return [b"EVALSHA", self._scripts[sha], *command[2:], now]
        if name == b"EVALSHA":
            known = self._scripts.get(command[1])
            return None if known is None else [b"EVALSHA", known, *command[2:], now]
        if name in SPECIAL:
            return [b"EVALSHA", self._generic, b"0", *command, now]
        return command

    def _load(self, text: str) -> bytes:
        (answer,) = self.ask([b"SCRIPT", b"LOAD", text.encode()])
        if not answer.startswith(b"$"):
            raise RuntimeError(answer.decode())
        return answer.split(b"\r\n")[1]

    def _answer(self) -> bytes:
        while (end := _whole(self._read, 0)) is None:
            more = self._socket.recv(1 << 20)
            if not more:
                raise ConnectionError("Valkey is gone")
            self._read += more
        answer, self._read = self._read[:end], self._read[end:]
        return answer


def _whole(data: bytes, at: int) -> int | None:
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
            inner = _whole(data, rest)
            if inner is None:
                return None
            rest = inner
    return rest


@dataclass
class Trouble:
    """How often Redis is in the way, of a thousand requests."""

    lost_requests: float = 0.0
    lost_answers: float = 0.0
    slow: float = 0.0


@dataclass
class Redis:
    """The server as the replicas reach it."""

    server: Server
    dice: random.Random
    trouble: Trouble = field(default_factory=Trouble)
    far: float = 1.0
    """So many times as long as usual is the way to it."""
    said: Callable[[str], None] = lambda _: None
    """Called with each trouble."""
    deadly: float = 0.0
    """Of a kind of command that was never sent before, the chance that its sender dies with it."""
    sent: Counter[bytes] = field(default_factory=Counter[bytes])
    links: list[_Link] = field(default_factory=list)
    _blocked: deque[_Blocked] = field(default_factory=deque)

    async def opened(self, path: str | None = None, **_: object) -> tuple[_Reader, _Link]:
        """In the place of `asyncio.open_unix_connection`."""
        reader = _Reader(limit=1 << 26)
        self.links = [one for one in self.links if not one.gone]
        self.links.append(link := _Link(self, reader))
        return reader, link

    def cut(self, whose: Runs) -> None:
        """Close the connections of a replica that is dead."""
        for link in self.links:
            if link.whose is whose:
                link.gone = True

    def kills(self, whose: Runs | None, command: Command) -> bool:
        """Kill a sender whose command was carried out, rather at what is rarely done."""
        if whose is None or not self.deadly:
            return False
        kind = command[1] if command[0].upper() == b"EVALSHA" else command[0]
        self.sent[kind] += 1
        if self.dice.random() * (1 + self.sent[kind] / RARE) > self.deadly:
            return False
        whose.die()
        return True

    def wake(self) -> None:
        """Look again for those who wait for the stream, who waits longest first."""
        for blocked in list(self._blocked):
            blocked.look()

    def block(self, link: _Link, command: Command, seconds: float) -> None:
        self._blocked.append(blocked := _Blocked(self, link, command))
        blocked.begin(seconds)

    def unblock(self, blocked: _Blocked) -> None:
        if blocked in self._blocked:
            self._blocked.remove(blocked)


class _Reader(asyncio.StreamReader):
    """As the stream's own, which takes several times as long for a line that is there."""

    _buffer: bytearray

    async def readline(self) -> bytes:
        end = self._buffer.find(b"\n") + 1
        if not end or self.exception() is not None:
            return await super().readline()
        line = bytes(self._buffer[:end])
        del self._buffer[:end]
        return line


class _Blocked:
    """An `XREADGROUP` that found nothing, and waits for the next entry."""

    def __init__(self, redis: Redis, link: _Link, command: Command) -> None:
        self._redis, self._link, self._command = redis, link, command

    def begin(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(seconds, self._end, b"*-1\r\n", context=context_of(None))

    def look(self) -> None:
        if self._link.gone:
            self._end(b"")
            return
        answer = self._redis.server.perform([self._command])
        if not answer.startswith((b"*-1", b"$-1")):
            self._end(answer)

    def _end(self, answer: bytes) -> None:
        self._timer.cancel()
        self._redis.unblock(self)
        if answer and not self._link.gone:
            self._link.reader.feed_data(answer)


class _Link:
    """One connection of a replica: the writing half that redis-py is given."""

    def __init__(self, redis: Redis, reader: _Reader) -> None:
        self.reader = reader
        self.gone = False
        self._redis, self.whose = redis, WHOSE.get()
        self._written = b""
        self._last = 0.0
        self.transport = self

    # --- what redis-py asks of a writer -----------------------------------------------------------

    def write(self, data: bytes) -> None:
        self.writelines([data])

    def writelines(self, parts: list[bytes]) -> None:
        if self.gone:
            raise ConnectionResetError(104, "Connection reset by peer")
        self._written += b"".join(parts)
        batch: list[Command] = []
        while self._written and (found := unpacked(self._written)) is not None:
            command, end = found
            batch.append(command)
            self._written = self._written[end:]
        if batch:
            self._send(batch)

    async def drain(self) -> None:
        return

    def close(self) -> None:
        self.gone = True

    def is_closing(self) -> bool:
        return self.gone

    async def wait_closed(self) -> None:
        return

    def get_extra_info(self, name: str, default: object = None) -> object:
        return default

    # --- the way to the server --------------------------------------------------------------------

    def _send(self, batch: list[Command]) -> None:
        redis, loop = self._redis, asyncio.get_running_loop()
        fate, trouble = redis.dice.random() * 1000, redis.trouble
        delay = redis.dice.uniform(*LATENCY) * redis.far
        what = self._perform
        if fate < trouble.lost_requests:
            what = self._lose_request
        elif (fate := fate - trouble.lost_requests) < trouble.lost_answers:
            what = self._lose_answer
        elif fate - trouble.lost_answers < trouble.slow:
            redis.said("redis: an answer is slow")
            delay += SLOW_SECONDS
        self._last = max(self._last, loop.time() + delay)
        loop.call_at(self._last, what, batch, context=context_of(None))

    def _lose_request(self, batch: list[Command]) -> None:
        self._redis.said(f"redis: a request is lost ({batch[0][0].decode()})")
        self._break()

    def _lose_answer(self, batch: list[Command]) -> None:
        self._redis.said(f"redis: an answer is lost ({batch[0][0].decode()})")
        self._redis.server.perform(batch)
        if self._redis.server.added:
            self._redis.wake()
        self._break()

    def _break(self) -> None:
        if not self.gone:
            self.gone = True
            self.reader.set_exception(ConnectionResetError(104, "Connection reset by peer"))

    def _perform(self, batch: list[Command]) -> None:
        seconds = None
        if batch[0][0].upper() == b"XREADGROUP":
            batch, seconds = [_without_block(batch[0])], _block_of(batch[0])
            if self.gone:  # who is gone is given nothing
                return
        answer = self._redis.server.perform(batch)
        if not self.gone and self._redis.kills(self.whose, batch[-1]):
            self._redis.said(f"redis: that was at {batch[-1][0].decode()}, which was carried out")
        if seconds is not None and answer.startswith((b"*-1", b"$-1")):
            self._redis.block(self, batch[0], seconds)
            return
        if not self.gone:
            self.reader.feed_data(answer)
        if self._redis.server.added:
            self._redis.wake()


def _block_of(command: Command) -> float | None:
    words = [word.upper() for word in command]
    return int(command[words.index(b"BLOCK") + 1]) / 1000 if b"BLOCK" in words else None


def _without_block(command: Command) -> Command:
    words = [word.upper() for word in command]
    if b"BLOCK" not in words:
        return command
    at = words.index(b"BLOCK")
    return command[:at] + command[at + 2 :]
