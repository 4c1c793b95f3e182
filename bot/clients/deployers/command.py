"""The `command` deployer: the catalogue's argv lists, run as detached local processes.

Each runs under a record. A deploy is started at most once for a deploy id: the record is made
before the process, and the process claims it. Past its `limit_seconds` a deploy is stopped (see
`watcher.py`) and has failed. The running release is never concluded from the exit code: the caller
reads it back with `running`.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from signal import SIGTERM, Signals
from typing import Any, Literal

from bot.clients.git.tags import tags_with_commits
from bot.clients.processes import records
from bot.clients.processes.commands import CommandFailed, Output, run
from bot.runtime.redaction import HIDDEN, LINES_SHOWN, printed, redact
from phases.ports.ports import DeployState, NotSetUp, PortError
from phases.record.findings import ABBREVIATED, COMMIT, DeployOutput, Release
from phases.record.service import DEPLOYABLE, DeployCommands, Service
from phases.text.cleaning import cut

log = logging.getLogger(__name__)

ASK_SECONDS = 15.0
"""The time of `current` and `releases`."""
START_SECONDS = 10.0
"""The time until the watcher has said that the command runs."""
RELEASES_SHOWN = 200
LAST_WORD = 160
"""Characters of the last line that stand beside the exit code: one message on a phone."""
STANDS_STILL_SECONDS = 5.0
"""A line without its end is held back for so long: it may be half of a secret."""

_ROOT = Path(__file__).resolve().parents[3]


class CommandDeployer:
    """Keeps `phases.ports.ports.Deployer`.

    `state_dir` holds the records; several bots on one host may share it.
    """

    def __init__(self, state_dir: Path) -> None:
        self._state_dir = state_dir.resolve()

    async def running(self, service: Service) -> Release | None:
        """Return the release in the first line of the `current` command.

        It is a version, or the commit of a hotfix started from here.
        """
        commands = _commands(service)
        output = await self._ask(service, commands.current, "what runs now")
        name = _first_line(output.text)
        if name is None:
            return None
        sha = name.lower()
        if ABBREVIATED.fullmatch(sha):
            for release in self._hotfixes(service):
                if release.commit is not None and release.commit.startswith(sha):
                    return release
        read = (service.release.version_of(pattern, name) for pattern in _patterns(service))
        version = next((version for version in read if version is not None), name)
        return Release(version=version, commit=sha if COMMIT.fullmatch(sha) else None)

    async def release_names(self, service: Service) -> list[str]:
        """Return the lines that the `releases` command prints (`firebreak doctor`)."""
        output = await self._ask(service, _commands(service).releases, "which releases there are")
        return [line.strip() for line in output.text.splitlines() if line.strip()]

    async def releases(self, service: Service) -> Sequence[Release]:
        """Return the names that the `releases` command prints, newest first, a name a line.

        All names are read by one pattern, `tag` or `deploy`, whichever says more of the two and
        fits any: with tags `v{version}` a `nightly` beside them is no release. A name that does not
        fit, or may not be deployed (rules: Releases and deploys), is left out.
        """
        names = await self.release_names(service)
        for pattern in _patterns(service):
            versions = [
                version
                for name in names
                if (version := service.release.version_of(pattern, name)) is not None
                and not service.of_another(name, pattern)
            ]
            if versions:
                fit = list(dict.fromkeys(v for v in versions if DEPLOYABLE.fullmatch(v)))
                commits = await self._commits(service)
                return [
                    Release(version=version, commit=_commit(service, version, commits))
                    for version in fit[:RELEASES_SHOWN]
                ]
        return []

    async def _commits(self, service: Service) -> dict[str, str]:
        """Return the commits of the clone's tags, by which others may know a release."""
        if not service.checkout:
            return {}
        try:
            return await tags_with_commits(service.checkout)
        except PortError as error:
            log.warning("the commits of the tags of %s are not known: %s", service.name, error.text)
            return {}

    async def start(self, service: Service, deploy_id: str, to: Release, *, hotfix: bool) -> None:
        folder = self._folder(deploy_id)
        job = records.read(folder / "job.json")
        if job is None:
            argv = await self._argv(service, to, hotfix=hotfix)
            commands = _commands(service)
            job = {
                "argv": argv,
                "cwd": commands.directory,
                "limit_seconds": commands.limit_seconds,
                "deploy_id": deploy_id,
                "service": service.name,
                "version": to.version,
                "commit": to.commit,
                "hotfix": hotfix,
                "at": records.now(),
            }
            records.create(folder / "job.json", job)
        # A bot that was killed right here leaves a record behind that nobody claimed. The watcher
        # takes it, or finds it taken.
        if records.read(folder / "process.json") is None:
            await self._launch(folder)

    async def look(self, service: Service, deploy_id: str) -> DeployState:
        folder = self._folder(deploy_id)
        job = records.read(folder / "job.json")
        if job is None:
            return DeployState(
                state="unknown", reason="no record of this deploy on the host that was asked"
            )
        watcher = records.read(folder / "process.json")
        process = records.find(watcher)
        # Read after looking for the watcher: it writes the result and then ends.
        result = records.read(folder / "result.json")
        output = _printed(folder, going_on=result is None)
        started = records.when((watcher or job)["at"])
        if result is not None:
            return _ended(result, job, output, started)
        if watcher is None:
            return _never_seen(started)
        if process == "running":
            return _state("running", output, started)
        if process == "elsewhere":
            reason = (
                f"it was started on the host {watcher['host']}, from here nothing can be seen of it"
            )
            return _state("unknown", output, started, reason)
        return self._without_watcher(folder, job, output, started)

    async def give_up(self, service: Service, deploy_id: str) -> bool:
        """Take the record as a watcher would.

        A watcher that comes late (on a host so busy that it was not waited for) finds it taken.
        """
        folder = self._folder(deploy_id)
        if records.read(folder / "job.json") is None:
            return True
        if not records.create(folder / "process.json", records.mark(os.getpid())):
            return False
        records.create(
            folder / "result.json", {"not_started": "it was given up", "at": records.now()}
        )
        return True

    def _without_watcher(
        self, folder: Path, job: dict[str, Any], output: DeployOutput, started: datetime | None
    ) -> DeployState:
        """Return the state after somebody killed the watcher.

        The command may go on, but nobody will learn how it ends.
        """
        child = records.read(folder / "child.json")
        if records.find(child) == "running":
            limit = timedelta(seconds=float(job["limit_seconds"]))
            if started is not None and datetime.now(UTC) - started <= limit:
                return _state("running", output, started)
            records.stop_group(child, SIGTERM)
            reason = f"it hung past its limit of {_minutes(job['limit_seconds'])} and was stopped"
            return _state("unknown", output, started, reason)
        reason = (
            "its process is gone without an exit code: it was killed, or the host was restarted"
        )
        return _state("unknown", output, started, reason)

    async def _argv(self, service: Service, to: Release, *, hotfix: bool) -> list[str]:
        """Return the command for this deploy.

        A placeholder fills one whole argument; nothing else is ever put into an argument.
        """
        commands = _commands(service)
        if hotfix:
            if not commands.hotfix:
                raise NotSetUp(
                    "deployer",
                    f"{service.name} has no hotfix command (`deploy.hotfix` in the catalogue)",
                )
            commit = (to.commit or "").lower()
            if not COMMIT.fullmatch(commit):
                raise PortError(
                    "deployer",
                    "a hotfix is deployed by its full commit, and none was given",
                    retryable=False,
                )
            filled = {"{commit}": commit, "{release}": commit}
            return [filled.get(argument, argument) for argument in commands.hotfix]
        if not DEPLOYABLE.fullmatch(to.version):
            raise PortError(
                "deployer", f"{to.version[:200]!r} is no name that may be deployed", retryable=False
            )
        if to.version not in {release.version for release in await self.releases(service)}:
            raise PortError(
                "deployer",
                f"{to.version} is not in the deployer's list of releases",
                retryable=False,
            )
        name = service.release.deploy.replace("{version}", to.version)
        filled = {"{release}": name, "{version}": to.version}
        if "{commit}" in commands.run:
            if not to.commit or not COMMIT.fullmatch(to.commit):
                raise PortError(
                    "deployer", f"the commit of {to.version} is not known", retryable=False
                )
            filled["{commit}"] = to.commit
        return [filled.get(argument, argument) for argument in commands.run]

    async def _launch(self, folder: Path) -> None:
        argv = [sys.executable, "-m", "bot.clients.processes.watcher", str(folder)]
        try:
            output = await run(argv, cwd=str(_ROOT), seconds=START_SECONDS)
        except CommandFailed as error:
            if records.read(folder / "process.json") is not None:
                return  # slow to say so, but it runs: `look` tells the rest
            raise PortError(
                "deployer", f"nothing was started: {error.text}", retryable=True
            ) from error
        if output.code < 0 and records.read(folder / "process.json") is not None:
            return  # its starter was killed after the start: `look` tells the rest
        if output.code:
            job = records.read(folder / "job.json") or {"argv": ["the command"]}
            text = redact(f"nothing was started: {job['argv'][0]}: {output.complaint}")
            raise PortError("deployer", text, retryable=False)

    async def _ask(self, service: Service, argv: Sequence[str], what: str) -> Output:
        commands = _commands(service)
        if not argv:
            raise NotSetUp("deployer", f"{service.name} has no command that tells {what}")
        try:
            output = await run(argv, cwd=commands.directory, seconds=ASK_SECONDS)
        except CommandFailed as error:
            raise PortError(
                "deployer", f"it cannot be asked {what}: {error.text}", retryable=True
            ) from error
        if output.code and not output.truncated:
            text = f"it cannot be asked {what}: {argv[0]} said {output.complaint!r}"
            raise PortError("deployer", redact(text), retryable=True)
        return output

    def _hotfixes(self, service: Service) -> list[Release]:
        """Return the hotfixes that were started from this host, by their records."""
        hotfixes: list[Release] = []
        for path in sorted(self._state_dir.glob("deploys/*/job.json")):
            job = records.read(path)
            if job is not None and job["hotfix"] and job["service"] == service.name:
                hotfixes.append(Release(version=job["version"], commit=job["commit"]))
        return hotfixes

    def _folder(self, deploy_id: str) -> Path:
        return records.folder_of(self._state_dir, "deploys", deploy_id)


def _commands(service: Service) -> DeployCommands:
    if not isinstance(service.deploy, DeployCommands):
        raise NotSetUp("deployer", f"{service.name} has no deploy commands in the catalogue")
    return service.deploy


def _commit(service: Service, version: str, tags: Mapping[str, str]) -> str | None:
    """Return the commit of a version: its tag's, or itself."""
    if COMMIT.fullmatch(version.lower()):
        return version.lower()
    return tags.get(service.release.tag.replace("{version}", version))


def _patterns(service: Service) -> list[str]:
    """The patterns under which the commands may name a release, the one that says more first."""
    return sorted({service.release.tag, service.release.deploy}, key=lambda p: (-len(p), p))


def _first_line(text: str) -> str | None:
    line = next((line.strip() for line in text.splitlines() if line.strip()), None)
    return line[:200] if line and line.isprintable() else None


def _ended(
    result: dict[str, Any], job: dict[str, Any], output: DeployOutput, started: datetime | None
) -> DeployState:
    finished = records.when(result["at"])
    if "not_started" in result:
        reason = redact(f"the command could not be started: {result['not_started']}")
    elif result.get("limit"):
        reason = f"it hung past its limit of {_minutes(job['limit_seconds'])} and was stopped"
    elif result["code"] == 0:
        return _state("done", output, started, finished=finished, end="exit code 0")
    else:
        end = _exit(int(result["code"]))
        return _state(
            "failed", output, started, _with_its_last_word(end, output), finished, end=end
        )
    return _state("failed", output, started, reason, finished, end=reason)


def _with_its_last_word(end: str, output: DeployOutput) -> str:
    """Add the last line that a command printed before it failed; mostly it says why.

    So people who decide again need not open the output.
    """
    last = next((line.strip() for line in reversed(output.lines) if line.strip()), "")
    return f"{end}: {cut(last, LAST_WORD)}" if last and last != HIDDEN else end


def _state(
    state: Literal["running", "done", "failed", "unknown"],
    output: DeployOutput,
    started: datetime | None,
    reason: str = "",
    finished: datetime | None = None,
    end: str = "",
) -> DeployState:
    newest = output.lines[-LINES_SHOWN:]
    if end:
        output = output.model_copy(update={"lines": (*output.lines, f"[{end}]")})
    return DeployState(
        state=state,
        lines=newest,
        output=output,
        reason=reason,
        started_at=started,
        finished_at=finished,
    )


def _printed(folder: Path, *, going_on: bool) -> DeployOutput:
    log = folder / "output.log"
    stands_still = records.silent_seconds(log) > STANDS_STILL_SECONDS
    tail = records.tail(log)
    return printed(
        tail,
        from_the_start=len(tail) < records.TAIL_BYTES,
        going_on=going_on,
        stands_still=stands_still,
    )


def _never_seen(recorded: datetime | None) -> DeployState:
    if recorded is not None and datetime.now(UTC) - recorded < timedelta(seconds=START_SECONDS):
        return DeployState(state="running", started_at=recorded, taken=False)
    reason = "it was recorded, but never seen to start"
    return DeployState(state="unknown", reason=reason, started_at=recorded, taken=False)


def _exit(code: int) -> str:
    if code >= 0:
        return f"the command ended with exit code {code}"
    try:
        return f"the command was ended by the signal {Signals(-code).name}"
    except ValueError:
        return f"the command was ended by the signal {-code}"


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:g} min" if seconds >= 60 else f"{seconds:g} s"
