"""Commands that change production, run as detached local processes under a record.

A command is started at most once for an id: the record is made before the process, and the process
claims it. Past its `limit_seconds` it is stopped (see `watcher.py`) and has failed. The bot may die
meanwhile.
"""

import os
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from signal import SIGTERM, Signals
from typing import Any, Literal

from bot.clients.processes import records
from bot.clients.processes.commands import CommandFailed, run
from bot.runtime.redaction import HIDDEN, LINES_SHOWN, printed, redact
from phases.ports.ports import DeployState, PortError
from phases.record.findings import DeployOutput
from phases.text.wording import short

START_SECONDS = 10.0
"""The time until the watcher has said that the command runs."""
LAST_WORD = 160
"""Characters of the last line that stand beside the exit code: one message on a phone."""
STANDS_STILL_SECONDS = 5.0
"""A line without its end is held back for so long: it may be half of a secret."""

_ROOT = Path(__file__).resolve().parents[3]


class RecordedCommands:
    """The records of one host, in `state_dir`; several bots on it may share them."""

    def __init__(self, state_dir: Path) -> None:
        self._state_dir = state_dir.resolve()

    def known(self, id: str) -> dict[str, Any] | None:
        """Return the job that was recorded under this id."""
        return records.read(self._folder(id) / "job.json")

    def record(self, id: str, job: Mapping[str, Any]) -> None:
        """Record a job, once; `argv`, `cwd` and `limit_seconds` say what is run."""
        records.create(self._folder(id) / "job.json", {**job, "at": records.now()})

    def all(self) -> Iterator[dict[str, Any]]:
        """Return every job of this host."""
        for path in sorted(self._state_dir.glob("deploys/*/job.json")):
            job = records.read(path)
            if job is not None:
                yield job

    async def launch(self, id: str) -> None:
        """Start the recorded command, unless a watcher has claimed it.

        A bot that was killed right here leaves a record behind that nobody claimed. The watcher
        takes it, or finds it taken. Raises `PortError` when nothing was started.
        """
        folder = self._folder(id)
        if records.read(folder / "process.json") is not None:
            return
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
            raise PortError("deployer", text)

    async def look(self, id: str) -> DeployState:
        folder = self._folder(id)
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
            return _ended_state(result, job, output, started)
        if watcher is None:
            return _never_seen(started)
        if process == "running":
            return _deploy_state("running", output, started)
        if process == "elsewhere":
            reason = (
                f"it was started on the host {watcher['host']}, from here nothing can be seen of it"
            )
            return _deploy_state("unknown", output, started, reason)
        return self._without_watcher(folder, job, output, started)

    async def give_up(self, id: str) -> bool:
        """Take the record as a watcher would: return whether nothing was started nor will be.

        A watcher that comes late (on a host so busy that it was not waited for) finds it taken.
        """
        folder = self._folder(id)
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
                return _deploy_state("running", output, started)
            records.stop_group(child, SIGTERM)
            reason = f"it hung past its limit of {_minutes(job['limit_seconds'])} and was stopped"
            return _deploy_state("unknown", output, started, reason)
        reason = (
            "its process is gone without an exit code: it was killed, or the host was restarted"
        )
        return _deploy_state("unknown", output, started, reason)

    def _folder(self, id: str) -> Path:
        return records.folder_of(self._state_dir, "deploys", id)


def _ended_state(
    result: dict[str, Any], job: dict[str, Any], output: DeployOutput, started: datetime | None
) -> DeployState:
    finished = records.when(result["at"])
    if "not_started" in result:
        reason = redact(f"the command could not be started: {result['not_started']}")
    elif result.get("limit"):
        reason = f"it hung past its limit of {_minutes(job['limit_seconds'])} and was stopped"
    elif result["code"] == 0:
        return _deploy_state("done", output, started, finished=finished, end="exit code 0")
    else:
        end = _exit(int(result["code"]))
        return _deploy_state(
            "failed", output, started, _with_its_last_word(end, output), finished, end=end
        )
    return _deploy_state("failed", output, started, reason, finished, end=reason)


def _with_its_last_word(end: str, output: DeployOutput) -> str:
    """Add the last line that a command printed before it failed; mostly it says why.

    So people who decide again need not open the output.
    """
    last = next((line.strip() for line in reversed(output.lines) if line.strip()), "")
    return f"{end}: {short(last, LAST_WORD)}" if last and last != HIDDEN else end


def _deploy_state(
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
