"""A real Valkey, asked at once and by virtual time: the bot's connections end in this process.

The bot's client opens its unix socket here (`opened`). What it writes is read as commands, carried
out by the server when the driver lets it, and answered, late or never. `shim.lua` gives the server
the driver's clock.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
import random
import re
import socket
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.lives.clock import BEGIN, CLOCK, WHOSE, Runs, context_of
from tests.lives.protocol import Command, packed, unpacked, whole

SHIM = Path(__file__).with_name("shim.lua").read_text()
ADVANCE = SHIM + "return 0"
GENERIC = SHIM + "return redis.call(unpack(ARGV))"
SPECIAL = frozenset(
    b"TIME SET DEL GETDEL PEXPIRE EXPIRE PTTL TTL XADD XREADGROUP".split()
    + b"XPENDING XCLAIM XAUTOCLAIM".split()
)
CHANGING = frozenset(b"SET PEXPIRE EXPIRE XADD".split())
MAY_CHANGE = re.compile(rb"XADD|'SET'|EXPIRE")
NEWS: tuple[list[bytes], ...] = (
    [b"GET", b"virtual:entries"],
    [b"ZRANGE", b"virtual:ttl", b"0", b"0", b"WITHSCORES"],
)
"""How many entries there ever were in a stream, and which key ends next."""
LATENCY = (0.00005, 0.0004)
"""Seconds on the way to Redis."""
RARE = 20
"""After so many of one kind its sender dies half as often."""
SLOW_SECONDS = 1.2
"""Longer than the bot waits for an answer (bot/connection/client.py READ_SECONDS)."""
AWAY = 0.25
"""The chance that nobody reaches Redis for a while after an answer was lost."""
AWAY_SECONDS = 3.0
"""Longer than a dispatch lasts (bot/connection/client.py DISPATCH_SECONDS): it ends without knowing
whether it has committed, and is made again.
"""


class Server:
    """The one real connection to Valkey, and the time that is told to it."""

    def __init__(self, path: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(path)
        self._socket.settimeout(20)
        self._scripts: dict[bytes, tuple[bytes, bool]] = {}
        """By the bot's hash of a script: the one here, and whether it may change its `NEWS`."""
        self.offset = 0.0
        """Seconds by which the clock of Redis is set away from the true time."""
        self.commands = 0
        self.heard: Callable[[Command, bytes], None] = lambda *_: None
        """Called with each command of the bot's that was carried out, and its answer."""
        self.added = False
        """The last batch added to the outbox."""
        self._entries = b""
        self._ends = math.inf
        """Microseconds since 1970 at which the next key ends."""
        self.ask([b"FLUSHALL"])
        self._advance = self._load(ADVANCE)
        self._generic = self._load(GENERIC)

    def close(self) -> None:
        self._socket.close()

    def ask(self, *commands: Command) -> list[bytes]:
        """Carry out these commands as they are; return their answers as they come."""
        self._socket.sendall(b"".join([packed(command) for command in commands]))
        answers: list[bytes] = []
        data, at = b"", 0
        try:
            while True:
                while len(answers) < len(commands) and (end := whole(data, at)) is not None:
                    answers.append(data[at:end])
                    at = end
                if len(answers) == len(commands):
                    return answers
                more = self._socket.recv(1 << 20)
                if not more:
                    raise ConnectionError("Valkey is gone")
                data, at = data[at:] + more, 0
        except TimeoutError as error:
            raise RuntimeError(f"Valkey does not answer {commands!r:.600}") from error

    def perform(self, batch: list[Command]) -> bytes:
        """Carry out what the bot asks, by the time of now; return the answers."""
        self.commands += len(batch)
        now = round((BEGIN + CLOCK.passed + self.offset) * 1e6)
        asked, given = list[Command](), list[bytes | None]()
        is_told = news = False
        for command in batch:
            if command[0] == b"TIME" and batch[0][0] != b"MULTI":
                given.append(packed([b"%d" % part for part in divmod(now, 1_000_000)]))
                continue
            translated, may_change = self._translated(command, b"%d" % now)
            if translated is None:
                return b"-NOSCRIPT No matching script. Please use EVAL.\r\n"
            # Each script ends what is over by now; a command without one has to be told first.
            if translated is command and not asked and now >= self._ends:
                asked.append([b"EVALSHA", self._advance, b"0", b"%d" % now])
                is_told = news = True
            asked.append(translated)
            given.append(None)
            news = news or may_change
        answers = iter(self.ask(*asked, *(NEWS if news else ())) if asked else ())
        if is_told:
            next(answers)
        answered = [next(answers) if here is None else here for here in given]
        for command, answer in zip(batch, answered, strict=True):
            self.heard(command, answer)
        self.added = news and self._looked(*answers)
        return b"".join(answered)

    def _looked(self, entries: bytes, ends: bytes) -> bool:
        """See which key ends next, and whether there are new entries."""
        words = ends.split(b"\r\n")
        self._ends = float(words[-2]) * 1000 if len(words) > 2 else math.inf
        before, self._entries = self._entries, entries
        return entries != before

    def _translated(self, command: Command, now: bytes) -> tuple[Command | None, bool]:
        """Return the command for this server, and whether it may add entries, or keys that end."""
        name = command[0].upper()
        if name == b"EVAL":
            sha = hashlib.sha1(command[1], usedforsecurity=False).hexdigest().encode()
            if sha not in self._scripts:
                loaded = self._load(SHIM + command[1].decode())
                self._scripts[sha] = (loaded, MAY_CHANGE.search(command[1]) is not None)
            command = [b"EVALSHA", sha, *command[2:]]
        elif name != b"EVALSHA":
            if name not in SPECIAL:
                return command, False
            return [b"EVALSHA", self._generic, b"0", *command, now], name in CHANGING
        known, may_change = self._scripts.get(command[1], (None, False))
        return (None if known is None else [b"EVALSHA", known, *command[2:], now]), may_change

    def _load(self, text: str) -> bytes:
        (answer,) = self.ask([b"SCRIPT", b"LOAD", text.encode()])
        if not answer.startswith(b"$"):
            raise RuntimeError(answer.decode())
        return answer.split(b"\r\n")[1]


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
    log: Callable[[str], None] = lambda _: None
    """Called with each trouble."""
    deadly: float = 0.0
    """Of a kind of command that was never sent before, the chance that its sender dies with it."""
    sent: Counter[bytes] = field(default_factory=Counter[bytes])
    away_until: float = 0.0
    links: list[_Link] = field(default_factory=list)
    _blocked: deque[_Blocked] = field(default_factory=deque)

    async def opened(
        self, path: str | None = None, **_: object
    ) -> tuple[asyncio.StreamReader, _Link]:
        """In the place of `asyncio.open_unix_connection`."""
        if self.is_away:
            raise ConnectionRefusedError(111, "Connection refused")
        reader = asyncio.StreamReader(limit=1 << 26)
        self.links = [other for other in self.links if not other.gone]
        self.links.append(link := _Link(self, reader))
        return reader, link

    @property
    def is_away(self) -> bool:
        return asyncio.get_running_loop().time() < self.away_until

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

    def __init__(self, redis: Redis, reader: asyncio.StreamReader) -> None:
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
        while self._written and (parsed := unpacked(self._written)) is not None:
            command, end = parsed
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
        if fate < trouble.lost_requests or redis.is_away:
            what = self._lose_request
        elif (fate := fate - trouble.lost_requests) < trouble.lost_answers:
            what = self._lose_answer
        elif fate - trouble.lost_answers < trouble.slow:
            redis.log("redis: an answer is slow")
            delay += SLOW_SECONDS
        self._last = max(self._last, loop.time() + delay)
        loop.call_at(self._last, what, batch, context=context_of(None))

    def _lose_request(self, batch: list[Command]) -> None:
        self._redis.log(f"redis: a request is lost ({batch[0][0].decode()})")
        self._break()

    def _lose_answer(self, batch: list[Command]) -> None:
        self._redis.log(f"redis: an answer is lost ({batch[0][0].decode()})")
        self._redis.server.perform(batch)
        if self._redis.server.added:
            self._redis.wake()
        self._break()
        if self._redis.dice.random() < AWAY:
            self._redis.log(f"redis: is away for {AWAY_SECONDS:.0f} s")
            self._redis.away_until = asyncio.get_running_loop().time() + AWAY_SECONDS

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
        try:
            answer = self._redis.server.perform(batch)
        except Exception as error:  # the driver's own: the bot would see a lost answer
            raise SystemExit("the driver cannot read this command") from error
        if not self.gone and self._redis.kills(self.whose, batch[-1]):
            self._redis.log(f"redis: that was at {batch[-1][0].decode()}, which was carried out")
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
