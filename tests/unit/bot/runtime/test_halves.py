"""The parent of front and back, over real processes: who ends whom, who is started again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]
SECONDS = 60.0
PROGRAM = """
import os, signal, sys, time
from bot.runtime import halves

halves.AGAIN_SECONDS = 0.01
halves.KILL_SECONDS = {patience}


def say(text):
    os.write(1, text.encode() + b"\\n")


asked = []


def until_told():
    while not asked:
        time.sleep(0.01)


def front(line, up):
    signal.signal(signal.SIGTERM, lambda *_: asked.append(1))
    say(f"front {{os.getpid()}}")
{front}


def back(line, told):
    signal.signal(signal.SIGTERM, lambda *_: asked.append(1))
    say(f"back {{os.getpid()}} {{told}}")
{back}


sys.exit(halves.run_halves(front, back))
"""
FRONT = """
up.tell("redis")
until_told()
say("front ends")
up.end()
assert line.recv(10) == b""  # the back is gone, and none comes any more
say("front saw the back end")
return 0
"""
BACK = """
until_told()
say("back ends")
return 0
"""
DEAF = """
while True:
    time.sleep(0.01)
"""


class Parent:
    def __init__(self, front: str, back: str, patience: float) -> None:
        source = PROGRAM.format(
            front=textwrap.indent(front, "    "),
            back=textwrap.indent(back, "    "),
            patience=patience,
        )
        self.process = subprocess.Popen(
            [sys.executable, "-c", source],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self.process.stdout is not None
        self._output = self.process.stdout

    def says(self) -> list[str]:
        return self._output.readline().split()

    def rest(self) -> list[str]:
        """Return what is said until all three have ended: each of them holds the pipe."""
        return self._output.read().splitlines()

    def code(self) -> int:
        return self.process.wait(SECONDS)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self._output.close()


class Begun:
    """Parents with the process ids of their halves; all are killed at the end of a test."""

    def __init__(self) -> None:
        self.parents: list[Parent] = []

    def parent(self, front: str = FRONT, back: str = BACK, patience: float = SECONDS) -> Parent:
        self.parents.append(Parent(front, back, patience))
        return self.parents[-1]

    def both(
        self, front: str = FRONT, back: str = BACK, patience: float = SECONDS
    ) -> tuple[Parent, int, int]:
        parent = self.parent(front, back, patience)
        name, front_pid = parent.says()
        assert name == "front"
        return parent, int(front_pid), back_of(parent)


def back_of(parent: Parent) -> int:
    name, pid, detail = parent.says()
    assert (name, detail) == ("back", "redis")
    return int(pid)


@pytest.fixture
def begun() -> Iterator[Begun]:
    begun = Begun()
    yield begun
    for parent in begun.parents:
        parent.close()


def test_a_signal_ends_both_and_the_front_ends_last(begun: Begun) -> None:
    parent, _, _ = begun.both()
    parent.process.terminate()
    lines = parent.rest()
    assert sorted(lines[:2]) == ["back ends", "front ends"]
    assert lines[2:] == ["front saw the back end"]
    assert parent.code() == 0


def test_a_back_that_is_killed_is_started_again_and_the_front_stays(begun: Begun) -> None:
    parent, _, back = begun.both()
    os.kill(back, signal.SIGKILL)
    assert back_of(parent) != back
    parent.process.terminate()
    assert parent.rest()[-1] == "front saw the back end"
    assert parent.code() == 0


def test_a_front_that_is_killed_ends_the_bot_and_the_back_may_end_in_order(begun: Begun) -> None:
    parent, front, _ = begun.both()
    os.kill(front, signal.SIGKILL)
    assert parent.rest() == ["back ends"]
    assert parent.code() == 128 + signal.SIGKILL


def test_the_exit_code_is_that_of_a_front_that_cannot_start_and_no_back_begins(
    begun: Begun,
) -> None:
    parent = begun.parent(front="return 2")
    assert parent.says()[0] == "front"
    assert parent.rest() == []
    assert parent.code() == 2


def test_no_half_outlives_a_parent_that_is_killed_not_even_a_deaf_one(begun: Begun) -> None:
    parent, _, _ = begun.both(back=DEAF)
    parent.process.kill()
    assert parent.rest() == [], "all of them are gone, and none was told to end"


def test_a_signal_to_the_front_alone_ends_the_bot(begun: Begun) -> None:
    parent, front, _ = begun.both()
    os.kill(front, signal.SIGTERM)
    assert parent.rest()[-1] == "front saw the back end"
    assert parent.code() == 0


def test_ctrl_c_of_a_terminal_reaches_all_three_and_ends_them_in_order(begun: Begun) -> None:
    parent, front, back = begun.both()
    for pid in (front, back, parent.process.pid):
        os.kill(pid, signal.SIGINT)
    assert parent.rest()[-1] == "front saw the back end"
    assert parent.code() == 0


def test_a_half_that_does_not_end_is_killed(begun: Begun) -> None:
    parent, _, _ = begun.both(back=DEAF, patience=0.2)
    parent.process.terminate()
    assert "back ends" not in parent.rest()
    assert parent.code() in (0, 128 + signal.SIGKILL), "the front may be late as well"
