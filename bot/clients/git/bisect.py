"""Bisect over a service's history, in a scratch worktree, as a process that outlives the bot.

The run itself is `bisect_worker.py`. The answers of commits are kept. A run whose process is gone
(a restarted host, kill -9) is taken up again where it stood, at most three times; that is reported
in `reason`. A run on another host can only be reported.
"""

import asyncio
import shutil
import sys
from functools import partial
from pathlib import Path
from typing import Any

from bot.clients.git.clone import Clones
from bot.clients.git.run import checkout_of, git
from bot.clients.processes import records
from bot.clients.processes.commands import CommandFailed, run
from phases.ports.ports import NotSetUp, PortError
from phases.record.findings import Bisect, Suspect
from phases.record.service import Service
from phases.text.cleaning import foreign

STEP_SECONDS = 180.0
"""The script's time for one commit; after that the commit cannot be told."""
WHOLE_SECONDS = 3600.0
START_SECONDS = 10.0
ATTEMPTS_MOST = 3
_ROOT = Path(__file__).resolve().parents[3]


class LocalBisector:
    """`git bisect run` in a scratch worktree, in a process group of its own.

    `state_dir` holds the records and the scratch worktrees. `clones` are those of the source code,
    so that one fetch at a time runs in a clone.
    """

    def __init__(
        self,
        state_dir: Path,
        clones: Clones,
        *,
        step_seconds: float = STEP_SECONDS,
    ) -> None:
        self._state_dir = state_dir.resolve()
        self._step_seconds = step_seconds
        self._taking_up = asyncio.Lock()
        self._clones = clones

    async def start(self, service: Service, bisect_id: str, good: str, bad: str) -> Bisect:
        """Start a bisect once; with a known id, look at it.

        Raises `PortError` when an end is unknown, when the history between the ends was cut off, or
        when nothing can be started.
        """
        folder = self._folder(bisect_id)
        if records.read(folder / "job.json") is None:
            if not service.bisect:
                raise NotSetUp(
                    "bisect",
                    f"{service.name} has no script that reproduces (`bisect` in the catalogue)",
                )
            directory = checkout_of(service)
            ends = [await self._clones.commit(service, name) for name in (good, bad)]
            await self._clones.whole(directory, partial(self._clones.cut_between, directory, *ends))
            job: dict[str, Any] = {
                "id": bisect_id,
                "checkout": directory,
                "script": list(service.bisect),
                "good": good,
                "bad": bad,
                "good_commit": ends[0],
                "bad_commit": ends[1],
                "tag": service.release.tag,
                "step_seconds": self._step_seconds,
                "whole_seconds": WHOLE_SECONDS,
                "at": records.now(),
            }
            records.create(folder / "job.json", job)
        return await self.look(service, bisect_id)

    async def look(self, service: Service, bisect_id: str) -> Bisect:
        async with self._taking_up:
            return await self._read_state(bisect_id)

    async def _read_state(self, bisect_id: str) -> Bisect:
        folder = self._folder(bisect_id)
        job = _job(folder)
        attempts = len(list(folder.glob("process-*.json")))
        watcher = records.read(folder / f"process-{attempts}.json")
        process = records.find(watcher)
        # Read after looking for the process: it writes its last word and then ends.
        state = records.read(folder / "state.json") or {}
        if state.get("state", "running") != "running" or process == "running":
            return _bisect(job, state)
        if process == "elsewhere" and watcher is not None:
            reason = (
                f"it was started on the host {watcher['host']}, from here nothing can be seen of it"
            )
            return _bisect(job, {**state, "state": "failed", "reason": reason})
        return await self._take_up(folder, job, state, attempts)

    async def cancel(self, service: Service, bisect_id: str) -> Bisect:
        """End the run and its script, whatever they are doing, and clear the worktree away."""
        folder = self._folder(bisect_id)
        job = _job(folder)
        state = records.read(folder / "state.json") or {}
        if state.get("state", "running") != "running":
            return _bisect(job, state)
        state = {**state, "state": "cancelled", "reason": "cancelled by a person"}
        records.replace(folder / "cancelled.json", {"at": records.now()})
        await asyncio.to_thread(_end_processes, folder)
        records.replace(folder / "state.json", state)
        await _clear(folder, job)
        return _bisect(job, state)

    async def _take_up(
        self, folder: Path, job: dict[str, Any], state: dict[str, Any], attempts: int
    ) -> Bisect:
        if attempts >= ATTEMPTS_MOST:
            reason = f"its process was gone without a word, {ATTEMPTS_MOST} times"
            state = {**state, "state": "failed", "reason": reason}
            records.replace(folder / "state.json", state)
            await _clear(folder, job)
            return _bisect(job, state)
        await asyncio.to_thread(_end_processes, folder)  # what the lost run may have left behind
        if attempts:
            state = {
                **state,
                "reason": "its process was gone; it is taken up again with the answers it had",
            }
            records.replace(folder / "state.json", state)
        argv = [
            sys.executable,
            "-m",
            "bot.clients.git.bisect_worker",
            str(folder),
            str(attempts + 1),
        ]
        try:
            output = await run(argv, cwd=str(_ROOT), seconds=START_SECONDS)
        except CommandFailed as error:
            raise PortError(
                "bisect", f"nothing was started: {error.text}", retryable=True
            ) from error
        if output.code:
            raise PortError("bisect", f"nothing was started: {output.complaint}", retryable=True)
        return _bisect(job, records.read(folder / "state.json") or state)

    def _folder(self, bisect_id: str) -> Path:
        return records.folder_of(self._state_dir, "bisects", bisect_id)


def _job(folder: Path) -> dict[str, Any]:
    job = records.read(folder / "job.json")
    if job is None:
        text = "nothing is known of this bisect on the host that was asked"
        raise PortError("bisect", text)
    return job


def _end_processes(folder: Path) -> None:
    """End the run first, so that no further script starts, then the script that is under way."""
    for path in sorted(folder.glob("process-*.json")):
        records.end_group(records.read(path))
    records.end_group(records.read(folder / "script.json"))


async def _clear(folder: Path, job: dict[str, Any]) -> None:
    worktree = folder / "worktree"
    if await asyncio.to_thread(worktree.exists):
        try:
            await git(job["checkout"], "worktree", "remove", "--force", "--force", str(worktree))
        except CommandFailed as error:
            raise PortError(
                "bisect", f"the scratch worktree is still there: {error.text}", retryable=True
            ) from error
        await asyncio.to_thread(shutil.rmtree, worktree, ignore_errors=True)


def _bisect(job: dict[str, Any], state: dict[str, Any]) -> Bisect:
    culprit = state.get("culprit")
    return Bisect(
        id=job["id"],
        good=job["good"],
        bad=job["bad"],
        state=state.get("state", "running"),
        step=state.get("step", 0),
        steps=state.get("steps", 0),
        culprit=_suspect(culprit) if culprit else None,
        reason=state.get("reason", ""),
    )


def _suspect(culprit: dict[str, Any]) -> Suspect:
    words = {"author": foreign(culprit["author"]), "subject": foreign(culprit["subject"])}
    return Suspect.model_validate(culprit | words)
