"""The shop in production: its folder, its process, its people, and the ways to break it."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Literal, TextIO

from sandbox.github.state import CI_TOKEN
from sandbox.sentry import Sentry
from sandbox.serving import free_port
from sandbox.shop import catalogue, data, history
from sandbox.shop.git import Tree
from sandbox.shop.github import ShopGitHub
from sandbox.shop.traffic import Traffic
from sandbox.shop.work import Breakage, Work, unmended

BACKGROUND_ERRORS = 0.01
"""The share of first pages on which the recommender is too slow."""

BAD_FLAG = "new-pricing"
FLAG_OWNER = "mara@shop.example"
BACKGROUND_A_MINUTE = 0.9
"""Errors a minute that this share makes with the usual traffic."""


@dataclass(frozen=True, slots=True)
class Deployed:
    """The end of a run of the deploy script."""

    code: int
    output: str

    @property
    def well(self) -> bool:
        return self.code == 0


class Shop:
    """Supervises the shop in `home`; all its files are in there.

    `sentry` must be reachable at its `base_url` while the shop runs. `deploy_webhook` is address
    and secret of the receiver of CI's reports. `github_url` is the API of `github`.
    """

    def __init__(
        self,
        home: Path,
        sentry: Sentry,
        *,
        people: int = data.USERS,
        background_errors: float = BACKGROUND_ERRORS,
        deploy_webhook: tuple[str, str] | None = None,
        github_url: str = "",
    ) -> None:
        self.home = home.resolve()
        self.sentry = sentry
        self.port = free_port()
        self.users = data.users(people)
        self.background_errors = background_errors
        self.deploy_webhook = deploy_webhook
        self.github_url = github_url
        self.traffic = Traffic(f"http://127.0.0.1:{self.port}", self.users)
        self._house: TextIO | None = None
        self._work: Work | None = None
        self._busy = asyncio.Lock()
        self.github = ShopGitHub(Tree(self.repo), lambda: self.work, self._busy)

    # -- start and stop ---------------------------------------------------------------------------

    async def start(self, *, traffic: bool = True) -> None:
        """Build what is not there, deploy the newest release of the history, let people in.

        Raises:
            RuntimeError: the shop does not come up.
        """
        fresh = not (self.repo / ".git").exists()
        await asyncio.to_thread(self._build, fresh)
        self._work = Work(self.home)
        if fresh:
            self._record_history()
        await self.github.refresh()
        if self.background_errors:
            history_of_errors(self.sentry, self.users)
        if await asyncio.to_thread(self.current_release) is None:
            deployed = await self._boot()
            if not deployed.well:
                raise RuntimeError(f"the shop does not come up:\n{deployed.output}")
        if traffic:
            await self.traffic.start()

    async def stop(self) -> None:
        """Stop people, a running deploy, and the shop."""
        await self.traffic.stop()
        deploying = self.deploying()
        if deploying:
            # The deploy may end between the check and the signal.
            with suppress(ProcessLookupError):
                os.kill(int(deploying["pid"]), signal.SIGTERM)
            await until(lambda: not _locked(self.run / "deploy.lock"), 5)
        await asyncio.to_thread(self._stop_process)
        if self._house:
            self._house.close()
            self._house = None

    @property
    def repo(self) -> Path:
        """The main checkout, with `docs/adr/`."""
        return self.home / "repo"

    @property
    def run(self) -> Path:
        return self.home / "run"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def work(self) -> Work:
        if self._work is None:
            raise RuntimeError("the shop is not started")
        return self._work

    def _build(self, fresh: bool) -> None:
        self.run.mkdir(parents=True, exist_ok=True)
        self._house = _keep_house(self.run / "house.lock")
        if fresh:
            now = datetime.now(UTC)
            history.build(self.repo, now)
            for name, at in (("live", "v1.2.0"), ("work", "main")):
                shutil.rmtree(self.home / name, ignore_errors=True)
                Tree(self.repo).git(
                    "worktree", "add", "--quiet", "--detach", "--force", str(self.home / name), at
                )
            data.write(self.home / "data", self.users)
        data.write(self.home / "sample", self.users[:6])
        config = {
            "port": self.port,
            "python": sys.executable,
            "project": "shop",
            "environment": "production",
            "dsn": self.sentry.dsn("shop"),
            "sentry_url": self.sentry.base_url,
            "sentry_org": self.sentry.org,
            "sentry_token": next(iter(self.sentry.tokens)),
            "background_errors": self.background_errors,
            "flag_secret": self.sentry.flag_secret,
        }
        if not (self.run / "flags.json").exists():
            (self.run / "flags.json").write_text(json.dumps({BAD_FLAG: 0}))
        if self.deploy_webhook:
            config["deploy_webhook"], config["deploy_webhook_secret"] = self.deploy_webhook
        if self.github_url:
            config["github"] = {
                "url": f"{self.github_url}/repos/{self.github.repository}",
                "token": CI_TOKEN,
            }
        (self.home / "shop.json").write_text(json.dumps(config, indent=1))

    def _record_history(self) -> None:
        """Record in Sentry, GitHub and the deploy log that earlier releases were deployed."""
        before: str | None = None
        with (self.run / "deploys.jsonl").open("w") as log:
            for tag in reversed(Tree(self.repo).tags()):
                commit, made = Tree(self.repo).git("log", "-1", "--format=%H %ct", tag).split()
                started = int(made) + 1200.0
                finished = started + 41
                version = f"shop@{tag[1:]}"
                self.sentry.add_release(version, created=started - 600)
                self.sentry.add_deploy(
                    version, started=started, finished=finished, name=f"{tag} by ci"
                )
                self.github.deploy(tag, at=datetime.fromtimestamp(started, UTC), release=tag)
                entry = {
                    "who": "ci",
                    "from": before,
                    "to": tag,
                    "commit": commit,
                    "started": _iso(started),
                }
                log.write(
                    json.dumps(entry | {"finished": _iso(finished), "result": "succeeded"}) + "\n"
                )
                before = tag

    async def _boot(self) -> Deployed:
        """Start what ran last, as after a power cut; this is no deploy."""
        last = next(
            entry["to"] for entry in reversed(self.deploy_log()) if entry["result"] == "succeeded"
        )
        return await self._script("--boot", *([] if last.startswith("v") else ["--hotfix"]), last)

    def _stop_process(self) -> None:
        pid_file = self.run / "shop.pid"
        for number, seconds in ((signal.SIGTERM, 3.0), (signal.SIGKILL, 3.0)):
            if not _locked(pid_file):
                return
            pid = pid_file.read_text()
            # It may end between the check and the signal.
            with suppress(ProcessLookupError):
                if pid:
                    os.kill(int(pid), number)
            deadline = time.monotonic() + seconds
            while _locked(pid_file) and time.monotonic() < deadline:
                time.sleep(0.02)

    # -- deploys ----------------------------------------------------------------------------------

    async def deploy(self, release: str, *, who: str = "ci", hotfix: bool = False) -> Deployed:
        """Run the deploy script, as CI does."""
        return await self._script("--as", who, *(["--hotfix"] if hotfix else []), release)

    async def _script(self, *arguments: str) -> Deployed:
        process = await asyncio.create_subprocess_exec(
            *catalogue.deploy_command(sys.executable, self.home, *arguments),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        output, _ = await process.communicate()
        return Deployed(process.returncode or 0, output.decode(errors="replace"))

    def report_twice(self, on: bool) -> None:
        """Let CI report each deploy twice."""
        wish = self.run / "tell-twice"
        wish.touch() if on else wish.unlink(missing_ok=True)

    def next_deploy(self, trouble: Literal["fail", "hang", "slow", ""]) -> None:
        """Let the next deploy fail, never end, or take long; empty: let it be."""
        wish = self.run / "next-deploy"
        if trouble:
            wish.write_text(trouble)
        else:
            wish.unlink(missing_ok=True)

    def current_release(self) -> str | None:
        """Return what runs (`v1.2.0`, or a hotfix's commit); None when nothing answers."""
        if not _locked(self.run / "shop.pid"):
            return None
        connection = HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            connection.request("GET", "/healthz")
            return str(json.load(connection.getresponse())["release"])
        except (OSError, HTTPException, ValueError, KeyError):
            return None
        finally:
            connection.close()

    def deploy_log(self) -> list[dict[str, Any]]:
        """Return deploys, oldest first: who, from, to, started, finished, result, reason."""
        log = self.run / "deploys.jsonl"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    def deploying(self) -> dict[str, Any] | None:
        """Return the deploy that is under way: who, from, to, started, pid."""
        if not _locked(self.run / "deploy.lock"):
            return None
        try:
            return json.loads((self.run / "deploying.json").read_text())
        except FileNotFoundError:
            return None

    # -- breaking ---------------------------------------------------------------------------------

    async def break_everything(self, *, one_way: bool = False) -> Breakage:
        """Deploy a release that breaks every page for everybody; `one_way`: with a migration."""
        return await self._break("everything", one_way)

    async def break_one_feature(self, *, one_way: bool = False) -> Breakage:
        """Deploy a release that breaks the till for everybody; `one_way`: with a migration."""
        return await self._break("one-feature", one_way)

    async def break_bad_data(self) -> Breakage:
        """Let an import go wrong with one person's cart. Nothing is deployed."""
        async with self._busy:
            turn = self.work.turns.get("bad-data", 0)
            self.work.turns["bad-data"] = turn + 1
            user = self.users[(16 + 7 * turn) % len(self.users)]
            data.corrupt_cart(self.home / "data", user, turn)
            error = ("ValueError", "LookupError")[turn % 2]
            breakage = Breakage(
                "bad-data", "cart-import", error, user_id=user.id, customer=user.customer
            )
            self.work.note(breakage)
            self.traffic.send(user.id, "cart")
            return breakage

    async def turn_on_bad_flag(self) -> None:
        """Turn on the flag whose code fails. Nothing is deployed."""
        command = catalogue.flag_command(
            sys.executable, self.home, "--as", FLAG_OWNER, "on", BAD_FLAG
        )
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL
        )
        if await process.wait():
            raise RuntimeError(f"{BAD_FLAG} could not be turned on")

    def flag_is_on(self, name: str = "") -> bool:
        flags = self.run / "flags.json"
        return flags.exists() and json.loads(flags.read_text()).get(name or BAD_FLAG, 0) > 0

    async def repair_data(self) -> int:
        """Repair every broken cart, and return how many there were."""
        broken = [row for row in unmended(self.work.breakages) if row.kind == "bad-data"]
        users = {user.id: user for user in self.users}
        for breakage in broken:
            data.repair_cart(self.home / "data", users[breakage.user_id])
            self.work.mended(breakage)
        return len(broken)

    async def ship_fix(self) -> str | None:
        """Deploy a release with the fixes of everything broken in `main`; None when nothing is."""
        async with self._busy:
            return await self._ship_fix()

    async def _ship_fix(self) -> str | None:
        tag = await asyncio.to_thread(self.work.release_fix)
        if tag:
            await self._must_deploy(tag)
        return tag

    async def _break(self, kind: str, one_way: bool) -> Breakage:
        async with self._busy:
            # Earlier breakages are mended first, so that there is a healthy release to go back to.
            await self._ship_fix()
            breakage = await asyncio.to_thread(self.work.release_bad, kind, one_way=one_way)
            await self._must_deploy(breakage.release)
            return breakage

    async def _must_deploy(self, tag: str) -> None:
        deployed = await self.deploy(tag)
        if not deployed.well:
            raise RuntimeError(f"{tag} could not be deployed:\n{deployed.output}")

    # -- for the bot ------------------------------------------------------------------------------

    def write_services(self, path: Path) -> None:
        """Write the services.toml with the shop in it."""
        repository = self.github.repository if self.github_url else None
        catalogue.write(
            path, {"shop": catalogue.service(sys.executable, self.home, self.port, repository)}
        )


def history_of_errors(sentry: Sentry, people: list[data.User]) -> None:
    """Let the recommender have been slow now and then for weeks."""
    now = sentry.clock()
    dice = random.Random(len(people))
    moments = [now - 20 * 86_400]
    moment = now - 26 * 3600
    while moment < now:
        moments.append(moment)
        moment += dice.expovariate(BACKGROUND_A_MINUTE / 60)
    for moment in moments:
        user = dice.choice(people)
        sentry.load(
            "TimeoutError: recommender did not answer within 200 ms",
            at=moment,
            users=[user.id],
            ip=user.address,
            module="shop.recommend",
            function="recommend",
            lineno=15,
            transaction="/",
            release="shop@1.2.0" if now - moment < 3 * 86_400 else "shop@1.1.0",
            handled=True,
            tags={"region": user.region, "customer": user.customer, "server_name": "shop-1"},
        )


def _iso(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _keep_house(path: Path) -> TextIO:
    """Take the lock that keeps the shop's process alive.

    Raises:
        RuntimeError: somebody else keeps a shop in this folder.
    """
    handle = path.open("w")
    deadline = time.monotonic() + 2
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                handle.close()
                raise RuntimeError(
                    f"another sandbox keeps a shop in {path.parent.parent}"
                ) from None
            time.sleep(0.05)
        else:
            return handle


def _locked(path: Path) -> bool:
    """Return whether a process that lives holds the lock on this file."""
    try:
        with path.open("r+") as handle:
            # Shared, so that those who only check do not see one another.
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


async def until(condition: Callable[[], bool], seconds: float) -> bool:
    """Wait for `condition`; return whether it came true within `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.02)
    return True
