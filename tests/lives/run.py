"""Worlds of lives, each in a process of its own, so that nothing of one reaches the next."""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import gc
import json
import logging
import os
import random
import resource
import select
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bot.connection.embedded import _program
from tests.lives import clock, pace, protocol
from tests.lives.judge import faults
from tests.lives.life import Life
from tests.lives.planted import FAULTS, Plant
from tests.lives.store import Redis, Server
from tests.lives.town import Town
from tests.lives.weather import Forecast

SIDE_BY_SIDE = 5
"""Lives of one world: life N is lived in world N // 5."""
CPU_SECONDS = 200
"""After which a world is taken for one that turns in circles."""
SETTLE_SECONDS = 60.0
"""Virtual: so long after the last change nothing may show what is over."""

Tell = Callable[[str], None]


@dataclass
class Ended:
    """What one world tells of itself."""

    seed: int
    lives: int = 0
    wrong: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    """Life → its faults."""
    calls: int = 0
    commands: int = 0
    deaths: int = 0
    virtual: float = 0.0
    cpu: float = 0.0


@contextmanager
def valkey() -> Iterator[str]:
    """A server without a disk, for one world at a time; the path of its socket."""
    with tempfile.TemporaryDirectory(prefix="firebreak-lives-") as folder:
        path = f"{folder}/valkey.sock"
        command = [str(_program()), "--port", "0", "--unixsocket", path, "--dir", folder]
        server = subprocess.Popen(
            [*command, "--save", "", "--appendonly", "no", "--hash-seed", "lives"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=lambda: ctypes.CDLL(None).prctl(1, signal.SIGKILL),  # with this process
        )
        try:
            while not _listens(path):
                assert server.poll() is None, "Valkey ended as it began"
                os.sched_yield()
            yield path
        finally:
            server.kill()
            server.wait()


def _listens(path: str) -> bool:
    """The file of a socket is there before anybody listens to it."""
    with socket.socket(socket.AF_UNIX) as asking:
        return asking.connect_ex(path) == 0


def forked(
    seed: int, path: str, tell: Tell | None = None, plant: Plant | None = None
) -> tuple[int, int]:
    """Begin a world in a process of its own; return it, and the file that it writes its end to.

    `plant` puts a fault into the product there.
    """
    reading, writing = os.pipe()
    if child := os.fork():
        os.close(writing)
        return child, reading
    os.close(reading)
    signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
    try:
        if plant is not None:
            plant()
        ended = lived(seed, path, tell)
    except BaseException:  # noqa: BLE001  whatever it is, the parent prints it
        ended = Ended(seed, wrong={f"{seed * SIDE_BY_SIDE}": [traceback.format_exc()]})
    with os.fdopen(writing, "w") as pipe:
        json.dump(asdict(ended), pipe)
    sys.stdout.flush()
    os._exit(0)


def lived(seed: int, path: str, tell: Tell | None = None) -> Ended:
    """Live one world in this process, which is good for nothing else afterwards."""
    clock.sow(str(seed))
    gc.freeze()
    gc.disable()  # a world is small, and ends
    loop = clock.Loop()
    asyncio.set_event_loop(loop)
    logging.basicConfig(
        level=logging.INFO if tell else logging.CRITICAL + 1,  # a world is told, or silent
        format="    %(name)s: %(message)s",
        stream=sys.stdout,
    )
    with tempfile.TemporaryDirectory(prefix="firebreak-life-") as folder:
        return loop.run_until_complete(_world(seed, path, Path(folder), tell or (lambda _: None)))


async def _world(seed: int, path: str, folder: Path, tell: Tell) -> Ended:
    forecast = Forecast.drawn(random.Random(f"{seed} weather"))
    tell(f"{forecast}")
    server = Server(path)
    redis = Redis(server, random.Random(f"{seed} redis"), log=tell)
    asyncio.open_unix_connection = redis.opened
    protocol.install()
    pace.install(forecast.slower)
    town = Town(folder, SIDE_BY_SIDE, forecast.replicas, redis, str(seed), tell)
    await town.open()
    forecast.begins(town)
    first = seed * SIDE_BY_SIDE
    lives = [Life(town, shop, f"{first + number - 1}") for number, shop in town.shops.items()]
    ends = await asyncio.gather(*(life.live() for life in lives), return_exceptions=True)
    forecast.ends(town)
    await asyncio.sleep(SETTLE_SECONDS)
    ended = Ended(
        seed,
        len(lives),
        calls=town.wire.calls,
        commands=server.commands,
        deaths=town.fleet.deaths,
        virtual=clock.CLOCK.passed,
    )
    for number, (life, end) in enumerate(zip(lives, ends, strict=True), start=first):
        wrong = await _faults(town, life, end)
        if wrong:
            ended.wrong[f"{number}"] = [f"{life.shop.name}, {life.plot}", *wrong]
    if town.broken is not None:
        ended.wrong["the driver"] = traceback.format_exception(town.broken)
    ended.cpu = resource.getrusage(resource.RUSAGE_SELF).ru_utime
    return ended


async def _faults(town: Town, life: Life, end: BaseException | None) -> list[str]:
    if end is not None:
        return ["".join(traceback.format_exception(end))[-1500:]]
    return await faults(town, life)


# --- many of them ---------------------------------------------------------------------------------


def many(
    seeds: Iterable[int], processes: int, plant: Plant | None = None
) -> Generator[Ended, None, None]:
    """Live these worlds, `processes` at a time; who closes this ends those that run."""
    waiting = list(reversed(list(seeds)))
    with ExitStack() as stack:
        free = [stack.enter_context(valkey()) for _ in range(processes)]
        running: dict[int, tuple[int, str, int, bytearray]] = {}
        stack.callback(_kill, running)
        while waiting or running:
            while waiting and free:
                seed, path = waiting.pop(), free.pop()
                child, pipe = forked(seed, path, plant=plant)
                running[pipe] = (seed, path, child, bytearray())
            readable, _, _ = select.select(list(running), [], [])
            for pipe in readable:
                seed, path, child, output = running[pipe]
                if more := os.read(pipe, 1 << 20):
                    output.extend(more)
                    continue
                os.close(pipe)
                os.waitpid(child, 0)
                del running[pipe]
                free.append(path)
                yield _ended(seed, bytes(output))


def _kill(running: dict[int, tuple[int, str, int, bytearray]]) -> None:
    for pipe, (_, _, child, _) in running.items():
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(pipe)


def _ended(seed: int, output: bytes) -> Ended:
    if not output:
        why = f"the world did not end within {CPU_SECONDS} s of CPU"
        return Ended(seed, wrong={f"{seed * SIDE_BY_SIDE}": [why]})
    return Ended(**json.loads(output))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="make lives", description="lives in virtual time")
    parser.add_argument("--lives", type=int, default=1000)
    parser.add_argument("--from", type=int, default=0, dest="first", help="the first life")
    parser.add_argument("--seed", type=int, help="tell the story of this life again")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--first-fault", action="store_true", help="end with the first fault")
    parser.add_argument(
        "--faults", nargs="?", const="", help="plant each fault (with this in its name)"
    )
    given = parser.parse_args(arguments)
    if given.seed is not None:
        return tell_life(given.seed)
    worlds = range(given.first // SIDE_BY_SIDE, -(-(given.first + given.lives) // SIDE_BY_SIDE))
    if given.faults is not None:
        return planted(worlds, given.processes, given.faults)
    lives = wrong = deaths = calls = 0
    cpu = 0.0
    for ended in many(list(worlds), given.processes):
        lives, wrong = lives + ended.lives, wrong + len(ended.wrong)
        deaths, calls, cpu = deaths + ended.deaths, calls + ended.calls, cpu + ended.cpu
        for life, words in ended.wrong.items():
            print(f"✗ life {life}")
            for line in words:
                print(f"    {line}")
        sys.stdout.flush()
        if wrong and given.first_fault:
            break
    print(
        f"{lives} lives, {wrong} wrong; {calls} calls outside, {deaths} deaths of a replica; "
        f"{cpu:.0f} s of CPU"
    )
    if wrong:
        print('One again, with its story: make lives ARGS="--seed LIFE"')
    return 1 if wrong else 0


def planted(worlds: range, processes: int, named: str) -> int:
    """Plant one fault after the other, and live until a life finds it. Prints a table."""
    missed = 0
    print("| fault | found by seed | lives | what the judge says |\n| --- | --- | --- | --- |")
    for name, plant in FAULTS.items():
        if named not in name:
            continue
        lives, found_by, fault = 0, "-", "nothing"
        with closing(many(worlds, processes, plant)) as ends:
            for ended in ends:
                lives += ended.lives or SIDE_BY_SIDE
                if ended.wrong:
                    found_by, words = next(iter(ended.wrong.items()))
                    fault = " ".join(words[min(1, len(words) - 1)].split())[-100:]
                    break
        missed += found_by == "-"
        print(f"| {name} | {found_by} | {lives} | {fault.replace('|', '/')} |", flush=True)
    return 1 if missed else 0


def tell_life(life: int) -> int:
    """Tell the story of one life; it is lived with the others of its world."""

    def tell(text: str) -> None:
        print(f"{clock.CLOCK.passed:9.3f} {text}")

    with valkey() as path:
        child, reading = forked(life // SIDE_BY_SIDE, path, tell)
        with os.fdopen(reading) as pipe:
            ended = _ended(life // SIDE_BY_SIDE, pipe.read().encode())
        os.waitpid(child, 0)
    for other, words in ended.wrong.items():
        print(f"✗ life {other}", *words, sep="\n    ")
    print(ended)
    return 1 if ended.wrong else 0
