"""Some lives of `make lives`, and that a life is the same life when it is told again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]


def lives(*arguments: str) -> subprocess.CompletedProcess[str]:
    """A process of its own: virtual time has to be there before anything is imported."""
    command = [sys.executable, "-m", "tests.lives", *arguments]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )


def test_nothing_is_lost_doubled_or_stale() -> None:
    lived = lives("--lives", "20")
    assert lived.returncode == 0, lived.stdout + lived.stderr
    assert lived.stdout.startswith("20 lives, 0 wrong")


def test_a_life_is_the_same_when_it_is_told_again() -> None:
    once, again = lives("--seed", "7"), lives("--seed", "7")
    assert "shop003: begins" in once.stdout
    assert once.stdout.splitlines()[:-1] == again.stdout.splitlines()[:-1]
