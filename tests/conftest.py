"""Fixtures that every test shares, and what makes a run cheap and the same on any machine."""

from __future__ import annotations

import gc
import os
import shlex
import sys
import tempfile
import warnings
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.support.bots.forks import CAN_FORK, PATH, start_server

WORKER = str(Path(__file__).with_name("support") / "bots" / "fork_worker.py")
STORIES = Path(__file__).with_name("workspace")

# Little of what is imported and collected is garbage, and looking for it takes a fifth of that.
gc.disable()

# Containers often forbid bytecode files. Then each worker of pytest rewrites every test anew, and
# each process that a test starts compiles the whole bot: a third of the run's processor time.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# The tests' folders are in memory where it can hold them: no test survives a power cut, and each
# write of a bot's Valkey, each record of a deploy and each commit of git waits for the disk.
MEMORY, MEMORY_BYTES = "/dev/shm", 2**30
if "TMPDIR" not in os.environ and os.path.isdir(MEMORY):
    system = os.statvfs(MEMORY)
    if system.f_bavail * system.f_frsize > MEMORY_BYTES and not system.f_flag & os.ST_NOEXEC:
        os.environ["TMPDIR"] = tempfile.tempdir = MEMORY

# Nothing here calls the outside. A list of authorities that this machine names would be read by
# each settings.load, and by each process: 140 certificates, 30 ms.
for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
    os.environ.pop(name, None)

# `make test` draws the same few examples each time, and `make test-all` the same many: whether a
# change is right must not be a matter of luck. `EXAMPLES=anew` draws others, to look for faults.
# No deadline, and no complaint of slow draws: how long they take is the machine's mood.
unhurried: dict[str, Any] = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("anew", max_examples=400, print_blob=True, **unhurried)
settings.register_profile("all", max_examples=100, derandomize=True, **unhurried)
settings.register_profile("quick", max_examples=20, derandomize=True, **unhurried)
settings.load_profile("quick")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module", autouse=True)
def nothing_left_open() -> Iterator[None]:
    """What a file leaves open is told in that file, and not in whichever runs when it is found."""
    yield
    gc.collect()


def pytest_xdist_setupnodes(config: pytest.Config, specs: list[Any]) -> None:
    """Workers are forked from one process that has collected the tests."""
    if CAN_FORK:
        server = start_server(*config.invocation_params.args)
        os.environ[PATH] = str(server)
        for spec in specs:
            spec.python = shlex.join([sys.executable, "-I", "-S", WORKER, str(server)])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Spread the stories' files evenly among all others.

    Stories mostly wait, and the others compute meanwhile. Left to the end, stories would wait for
    each other.
    """
    begins: dict[Path, float] = {}
    for stories in (False, True):
        tests = [item for item in items if item.path.is_relative_to(STORIES) is stories]
        for number, item in enumerate(tests):
            begins.setdefault(item.path, number / len(tests))
    items.sort(key=lambda item: begins[item.path])


def pytest_collection_finish() -> None:
    """Leave out of each later garbage collection what stays to the end: modules and tests."""
    gc.collect()
    gc.freeze()
    gc.enable()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """A test that failed may leave things open; no later one fails for them."""
    failed = item.session.testsfailed
    done = yield
    if item.session.testsfailed > failed:
        for name in ("last_exc", "last_type", "last_value", "last_traceback"):
            sys.__dict__.pop(name, None)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            gc.collect()
    return done
