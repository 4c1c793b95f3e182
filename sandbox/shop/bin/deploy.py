"""Put a release of the shop into production: check out, restart, wait until it is healthy.

    deploy.py --home DIR [--as WHO] v1.2.0            a release
    deploy.py --home DIR [--as WHO] --hotfix COMMIT   one commit, not released
    deploy.py --home DIR --current                    print what runs
    deploy.py --home DIR --releases                   print the releases, newest first

Exit 0: it runs. 1: it did not come up, and the one before was put back. 2: there is no such
release; nothing was done. 3: another deploy is running; nothing was done. Only the standard library
is used, so that it starts at once.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any, TextIO

from reports import (
    begin_deployment,
    end_deployment,
    opener,
    report_to_sentry,
    report_to_webhook,
    say,
    sentry_name,
)

UP_WITHIN = 15.0
"""Seconds in which a release has to answer."""

STOPPED_WITHIN = 3.0
HANG_SECONDS = 900.0
SLOW_SECONDS = 4.0
CHECKED_SECONDS = 0.3

DONE, FAILED, UNKNOWN_RELEASE, BUSY = 0, 1, 2, 3


class DeployFailed(Exception):
    """The release does not run."""


class Cancelled(Exception):
    """SIGTERM."""


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass
class House:
    """The folder of the shop, and its `shop.json`."""

    home: Path
    config: dict[str, Any]

    @property
    def live(self) -> Path:
        return self.home / "live"

    @property
    def run(self) -> Path:
        return self.home / "run"

    def git(self, *arguments: str) -> str:
        """Run git in the live checkout. Raises `DeployFailed` with its words."""
        clean = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
        clean |= {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "LC_ALL": "C"}
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.live,
            env=clean,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        if done.returncode:
            raise DeployFailed(f"git {arguments[0]}: {done.stderr.strip()}")
        return done.stdout.strip()

    def releases(self) -> list[str]:
        return self.git("tag", "--list", "v*", "--sort=-version:refname").split()

    def current(self) -> str | None:
        """Return the release that the running process names; None when nothing answers."""
        try:
            with opener().open(
                f"http://127.0.0.1:{self.config['port']}/healthz", timeout=2
            ) as answer:
                return str(json.load(answer)["release"])
        except (OSError, ValueError, KeyError):
            return None

    # -- the process ------------------------------------------------------------------------------

    def runs(self) -> bool:
        """Return whether a shop process lives: it holds the lock on its pid file."""
        with (self.run / "shop.pid").open("a+") as handle:
            # Shared, so that those who only check do not see one another.
            return not try_lock(handle, fcntl.LOCK_SH)

    def stop(self) -> int | None:
        """End the running process, and return its pid."""
        if not self.runs():
            return None
        pid = int((self.run / "shop.pid").read_text() or 0)
        for number in (signal.SIGTERM, signal.SIGKILL):
            if pid and self.runs():
                # It may end between the check and the signal.
                with suppress(ProcessLookupError):
                    os.kill(pid, number)
            if wait(lambda: not self.runs(), STOPPED_WITHIN):
                return pid
        raise DeployFailed(f"the running shop (pid {pid}) cannot be stopped")

    def start(self, name: str, *, broken: bool = False) -> subprocess.Popen[bytes]:
        """Start what is checked out, as `name`; it outlives this program."""
        keep = {
            key: os.environ[key] for key in ("PATH", "HOME", "LANG", "TMPDIR") if key in os.environ
        }
        keep |= {
            "SHOP_RELEASE": name,
            "SENTRY_RELEASE": sentry_name(self.config, name),
            "SENTRY_ENVIRONMENT": self.config["environment"],
            "SENTRY_DSN": self.config["dsn"],
            "SHOP_PORT": str(self.config["port"]),
            "SHOP_DATA": str(self.home / "data"),
            "SHOP_FLAGS": str(self.run / "flags.json"),
            "SHOP_PID_FILE": str(self.run / "shop.pid"),
            "SHOP_HOUSE_LOCK": str(self.run / "house.lock"),
            "SHOP_SLOW_RECOMMENDER": str(self.config.get("background_errors", 0)),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        if broken:
            keep["SHOP_REFUSE_START"] = "1"
        with (self.run / "shop.log").open("ab") as log:
            return subprocess.Popen(
                [self.config["python"], "-m", "shop"],
                cwd=self.live,
                env=keep,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def come_up(self, name: str, *, broken: bool = False) -> int:
        """Start, and wait until it answers. Raises `DeployFailed`, with nothing left running."""
        process = self.start(name, broken=broken)
        if (
            wait(lambda: process.poll() is not None or self.current() == name, UP_WITHIN)
            and process.poll() is None
        ):
            return process.pid
        if process.poll() is not None:
            last = (self.run / "shop.log").read_text(errors="replace").strip().splitlines()[-1:]
            raise DeployFailed(
                f"the process ended at once: {' '.join(last) or f'exit {process.returncode}'}"
            )
        process.kill()
        process.wait()
        raise DeployFailed(f"it did not answer within {UP_WITHIN:.0f} s")

    def check_out(self, commit: str) -> None:
        self.git("checkout", "--quiet", "--detach", "--force", commit)

    # -- what is written down ---------------------------------------------------------------------

    def log(self, entry: dict[str, Any]) -> None:
        with (self.run / "deploys.jsonl").open("a") as handle:
            handle.write(json.dumps(entry) + "\n")

    def begin(self, entry: dict[str, Any]) -> None:
        fresh = self.run / "deploying.new"
        fresh.write_text(json.dumps(entry | {"pid": os.getpid()}))
        os.replace(fresh, self.run / "deploying.json")

    def end(self) -> None:
        (self.run / "deploying.json").unlink(missing_ok=True)

    def take_trouble(self) -> str:
        """Return the trouble of this deploy: `fail`, `hang`, `slow`, or nothing. It is for one."""
        wish = self.run / "next-deploy"
        if not wish.exists():
            return ""
        trouble = wish.read_text().strip()
        wish.unlink()
        return trouble


def wait(condition: Any, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.03)
    return True


@contextmanager
def alone(house: House) -> Iterator[bool]:
    """One deploy at a time; False when there is another."""
    with (house.run / "deploy.lock").open("w") as handle:
        # Somebody who only checks holds the lock for a moment.
        yield wait(lambda: try_lock(handle), CHECKED_SECONDS)


def try_lock(handle: TextIO, kind: int = fcntl.LOCK_EX) -> bool:
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def cancel(number: int, frame: FrameType | None) -> None:
    raise Cancelled


def boot(house: House, name: str, commit: str) -> int:
    """Start what production runs after the machine was off; this is no deploy, and not logged."""
    house.stop()
    house.check_out(commit)
    try:
        pid = house.come_up(name)
    except DeployFailed as failed:
        say(f"{name} does not come up: {failed}")
        return FAILED
    say(f"{name} is up (pid {pid})")
    return DONE


def deploy(house: House, name: str, commit: str, who: str) -> int:
    """The deploy itself, under the lock."""
    before = house.current()
    if before == name:
        say(f"{name} already runs: nothing to do")
        return DONE
    started = now()
    entry: dict[str, Any] = {
        "who": who,
        "from": before,
        "to": name,
        "commit": commit,
        "started": started,
    }
    house.begin(entry)
    signal.signal(signal.SIGTERM, cancel)
    result, reason = "failed", "ended before it was done"
    deployment = begin_deployment(house.config, name, who)
    try:
        replace(house, name, commit, before, who)
        result, reason = "succeeded", ""
    except Cancelled:
        result, reason = "cancelled", "it was told to stop"
    except DeployFailed as failed:
        reason = str(failed)
    finally:
        finished = now()
        house.log(
            entry
            | {"finished": finished, "result": result}
            | ({"reason": reason} if reason else {})
        )
        house.end()
    end_deployment(house.config, deployment, well=result == "succeeded")
    if result != "succeeded":
        say(f"{name} is NOT in production: {reason}")
        return FAILED
    report_to_sentry(house.config, name, who, started, finished)
    if who == "ci":
        times = 2 if (house.run / "tell-twice").exists() else 1
        report_to_webhook(house.config, name, finished, times=times)
    say(f"{name} runs in production")
    return DONE


def replace(house: House, name: str, commit: str, before: str | None, who: str) -> None:
    """Run `commit` in place of what runs. Raises `DeployFailed` after putting that back."""
    say(f"Deploying {name} ({before or 'nothing'} runs now), asked for by {who}")
    trouble = house.take_trouble()
    if trouble == "hang":
        say("  waiting for a machine")
        time.sleep(HANG_SECONDS)
        raise DeployFailed("no machine became free")
    if trouble == "slow":
        say("  waiting for a machine")
        time.sleep(SLOW_SECONDS)
    old = house.git("rev-parse", f"{before}^{{commit}}" if before else "HEAD")
    changed = house.git("diff", "--name-only", old, commit).splitlines()
    house.check_out(commit)
    say(
        f"  checked out {commit[:7]} ({len(changed)} file{'s' if len(changed) != 1 else ''} "
        f"{'differ' if len(changed) != 1 else 'differs'})"
    )
    if stopped := house.stop():
        say(f"  stopped {before or 'the old process'} (pid {stopped})")
    begun = time.monotonic()
    try:
        pid = house.come_up(name, broken=trouble == "fail")
    except DeployFailed as failed:
        say(f"  {name} does not come up: {failed}")
        put_back(house, old, before)
        raise
    say(f"  started {name} (pid {pid}), healthy after {time.monotonic() - begun:.1f} s")


def put_back(house: House, old: str, before: str | None) -> None:
    house.check_out(old)
    if before is None:
        return
    try:
        pid = house.come_up(before)
    except DeployFailed as failed:
        say(f"  {before} does not come up again either: {failed}")
        return
    say(f"  put {before} back (pid {pid})")


def wanted(house: House, arguments: argparse.Namespace) -> tuple[str, str] | None:
    """Return name and commit of what shall be deployed; None when there is no such thing."""
    name = arguments.hotfix or arguments.release
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._/+-]*", name):
        return None
    if arguments.release and name not in house.releases():
        return None
    try:
        commit = house.git("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
    except DeployFailed:
        return None
    return (name if arguments.release else commit, commit)


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="deploy.py", description="Deploys the shop.")
    parser.add_argument("--home", required=True, type=Path)
    parser.add_argument("--as", dest="who", default=os.environ.get("DEPLOY_BY", "firebreak"))
    parser.add_argument("--boot", action="store_true", help="only start it, as after a power cut")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--current", action="store_true")
    what.add_argument("--releases", action="store_true")
    what.add_argument("--hotfix", metavar="COMMIT")
    what.add_argument("release", nargs="?")
    arguments = parser.parse_args(argv)
    house = House(arguments.home, json.loads((arguments.home / "shop.json").read_text()))
    if arguments.current:
        name = house.current()
        say(name) if name else print("nothing runs", file=sys.stderr, flush=True)
        return DONE if name else FAILED
    if arguments.releases:
        say("\n".join(house.releases()))
        return DONE
    target = wanted(house, arguments)
    if target is None:
        say(
            f"{arguments.hotfix or arguments.release} is not a release or commit of this shop: "
            "nothing was done"
        )
        return UNKNOWN_RELEASE
    with alone(house) as free:
        if not free:
            say("another deploy is running: nothing was done")
            return BUSY
        return boot(house, *target) if arguments.boot else deploy(house, *target, arguments.who)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
