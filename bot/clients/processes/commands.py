"""Short commands of the catalogue and of git.

Each is an argv without a shell, has a time and an output limit, and never the bot's secrets.
"""

import asyncio
import contextlib
import os
import re
import signal
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from phases.text.cleaning import foreign

OUTPUT_LIMIT = 64 * 1024
"""Bytes of output that are kept of a command, unless it asks for more."""
GRACE_SECONDS = 2.0
"""The time of a command that is stopped to clear up.

Without it git leaves its lock files behind, and nobody gets past them.
"""

_OURS = re.compile(
    r"(?:SLACK|SENTRY|LINEAR|DISCORD|PAGERDUTY)_\w*|GITHUB_(?:TOKEN|WEBHOOK_SECRET)"
    r"|(?:DEPLOY|CHANGE|ALERT)_WEBHOOK_SECRET|API_TOKEN|REDIS_URL"
)
"""The bot's own settings: a deploy script or an old commit under bisect has no use for them."""
_GIT_PLACE = re.compile(
    r"GIT_(?:DIR|WORK_TREE|INDEX_FILE|COMMON_DIR|OBJECT_DIRECTORY|NAMESPACE|PREFIX)"
)


def child_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the bot's environment without its secrets and without its own git directory."""
    environment = {
        k: v
        for k, v in os.environ.items()
        if not _OURS.fullmatch(k) and not _GIT_PLACE.fullmatch(k)
    }
    return environment | dict(extra or {})


@dataclass(frozen=True, slots=True)
class Output:
    code: int
    """Exit code; negative: ended by that signal."""
    out: bytes
    err: bytes
    truncated: bool = False
    """The output limit was reached and the command was stopped there: `out` holds what fitted."""

    @property
    def text(self) -> str:
        return self.out.decode("utf-8", "replace")

    @property
    def complaint(self) -> str:
        """The last line that the command said on stderr, else on stdout."""
        for stream in (self.err, self.out):
            lines = [
                line.strip()
                for line in stream.decode("utf-8", "replace").splitlines()
                if line.strip()
            ]
            if lines:
                return foreign(lines[-1][:300])
        return f"exit code {self.code}"


class CommandFailed(Exception):
    """The command could not be started, or did not end in time. Its process group is gone."""

    def __init__(self, text: str, *, timed_out: bool = False) -> None:
        super().__init__(text)
        self.text = text
        self.timed_out = timed_out


async def run(
    argv: Sequence[str],
    *,
    cwd: str,
    seconds: float,
    limit: int = OUTPUT_LIMIT,
    extra: Mapping[str, str] | None = None,
) -> Output:
    """Run `argv` in `cwd` for at most `seconds`. The whole process group ends with it.

    Raises `CommandFailed`.
    """
    async with AsyncExitStack() as stack:
        out_stream, out_end = await _pipe(stack)
        err_stream, err_end = await _pipe(stack)
        try:
            process = await asyncio.create_subprocess_exec(
                *argv,
                cwd=cwd,
                env=child_environment(extra),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out_end,
                stderr=err_end,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            raise CommandFailed(
                f"{argv[0]!r} cannot be started: {_start_failure(error, argv[0], cwd)}"
            ) from error
        finally:
            os.close(out_end)
            os.close(err_end)
        try:
            async with asyncio.timeout(seconds):
                (out, cut), (err, _) = await asyncio.gather(
                    _read_capped(process, out_stream, limit, stop=True),
                    _read_capped(process, err_stream, OUTPUT_LIMIT, stop=False),
                )
                code = await process.wait()
        except TimeoutError as error:
            raise CommandFailed(
                f"{argv[0]!r} did not end within {seconds:g} s", timed_out=True
            ) from error
        finally:
            if process.returncode is None:
                await _end_group(process)
    return Output(code, out, err, cut)


async def _pipe(stack: AsyncExitStack) -> tuple[asyncio.StreamReader, int]:
    """Return a stream and the end for a command to write to, which the caller closes.

    `stack` lets go of the stream, whoever still holds the other end.
    """
    read, write = os.pipe()
    stream = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(stream), os.fdopen(read, "rb", buffering=0)
    )
    stack.callback(transport.close)
    return stream, write


async def _read_capped(
    process: asyncio.subprocess.Process, stream: asyncio.StreamReader, limit: int, *, stop: bool
) -> tuple[bytes, bool]:
    output = bytearray()
    full = False
    while chunk := await stream.read(65536):
        room = limit - len(output)
        output += chunk[:room]
        if len(chunk) > room and not full:
            full = True
            if stop:
                _kill_group(process.pid)
    return bytes(output), full


async def _end_group(process: asyncio.subprocess.Process) -> None:
    """Ask a command to end, so that it can clear up; then kill it and whatever it has started."""
    try:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GRACE_SECONDS):
                await process.wait()
    finally:
        _kill_group(process.pid)
    await process.wait()


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


def _start_failure(error: OSError | ValueError, program: str, cwd: str) -> str:
    if isinstance(error, FileNotFoundError):
        return (
            f"the directory {cwd} does not exist"
            if not os.path.isdir(cwd)
            else "there is no such program"
        )
    if isinstance(error, PermissionError):
        return "it may not be executed"
    return str(error)
