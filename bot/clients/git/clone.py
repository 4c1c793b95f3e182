"""What a local clone holds, and what it may bring in: new commits and tags, history that was cut, contents that were left out.

All of it comes from the clone's own remote, as `git fetch` would bring it, for a limited time. No branch or tag of the clone is moved
or removed but by that fetch, and no lock file is taken away: it may be another git's.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bot.clients.git.run import (
    attempt,
    checkout_of,
    commit_of,
    complaint,
    git,
    promisor,
    resolve,
    sha_of,
    sound,
    tag_of,
)
from bot.clients.processes.commands import CommandFailed, Output
from phases.ports.ports import PortError
from phases.record.service import Service

log = logging.getLogger(__name__)

FETCH_SECONDS = 8.0
FETCH_EVERY_SECONDS = 60.0
DEEPER = ("--deepen=500", "--unshallow")
"""First a little more history, which is there soon; then all of it."""
BROUGHT = 4000
"""Objects that are asked for in one request at most."""

_WHOLE_SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_BLOBS = re.compile(rb":\d{6} \d{6} ([0-9a-f]{40,64}) ([0-9a-f]{40,64}) ")
_MOVED = re.compile(r"(?m)^ ! \[rejected\] +(\S+) +-> .*\(would clobber existing tag\)")
_BESIDE = ("--no-tags", "--no-write-fetch-head", "--no-recurse-submodules")
"""A fetch that brings objects and leaves the clone's refs alone."""
_ALL_OF_IT = ("-c", "fetch.negotiationAlgorithm=noop")
_NO_MORE = "its remote has no more"


@dataclass(slots=True)
class _Known:
    """Of one clone, what is remembered while the bot runs."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    """One fetch at a time: they would get into each other's lock files."""
    fetched: float | None = None
    answers: bool = True
    """Whether the remote answered the newest fetch."""
    trouble: str = ""
    """Why the newest fetch did not bring everything."""
    moved: frozenset[str] = frozenset()
    """Tags that stand for another commit at the remote."""
    head: tuple[str, str] | None = None
    """The remote's own branch and its newest commit, as the newest fetch was told."""
    deepened: dict[str, tuple[float, str]] = field(default_factory=dict[str, tuple[float, str]])
    alone: dict[str, tuple[float, str | None, str]] = field(
        default_factory=dict[str, tuple[float, str | None, str]]
    )
    """Names that were asked for by themselves, the commit that came, and why none did."""


@dataclass(frozen=True, slots=True)
class Main:
    """The branch that merges go to."""

    commit: str
    fresh: bool
    """It is as new as the remote's, or there is no remote."""


class Clones:
    """The clones of the catalogue, by their directory."""

    def __init__(self) -> None:
        self._known: defaultdict[str, _Known] = defaultdict(_Known)

    def trouble(self, directory: str) -> str:
        """Why the clone may lack what is new; empty where nothing is known to be missing."""
        return self._known[directory].trouble

    # --- what is new -----------------------------------------------------------------------------------------------

    async def fetch(self, directory: str) -> None:
        """Brings new branches and tags in, at most once a minute. What did come is used, whatever git says of the rest."""
        known = self._known[directory]
        async with known.lock:
            if known.fetched is not None and time.monotonic() - known.fetched < FETCH_EVERY_SECONDS:
                return
            remote = await remote_of(directory)
            if remote is not None:
                tags = (
                    () if await cut_at(directory) else ("--tags",)
                )  # old tags would bring all of what was cut
                told, head = await asyncio.gather(
                    _fetched(directory, *tags, "--no-recurse-submodules", remote),
                    _told(directory, "ls-remote", "--symref", remote, "HEAD"),
                )
                known.answers, known.head = head is not None, _head(head or "")
                if (
                    known.head is not None and await commit_of(directory, known.head[1]) is None
                ):  # a clone of one branch
                    await _fetched(directory, *_BESIDE, remote, "HEAD")
                known.moved = frozenset(_MOVED.findall(told))
                known.trouble = _why(
                    "\n".join(row for row in told.split("\n") if not _MOVED.match(row))
                )
                if known.trouble:
                    log.warning("git fetch in the clone: %s", known.trouble)
            known.fetched = time.monotonic()

    async def commit(self, service: Service, name: str) -> str:
        """The commit of a version; raises `PortError` where neither clone nor remote knows it."""
        directory = checkout_of(service)
        known, tag = self._known[directory], tag_of(service, name)
        commit = await resolve(directory, service, name)
        if commit is None:
            await self.fetch(directory)
            commit = await resolve(directory, service, name)
        if commit is not None and tag not in known.moved:
            return commit
        alone, why = await self._alone(directory, tag, sha_of(name))
        if alone is not None:
            return alone
        cut = ", whose history is cut (a shallow clone)" if await cut_at(directory) else ""
        text = f"{name[:100]} is not known in the clone of {service.name}{cut}"
        if commit is not None:
            text = f"the tag {tag} of the clone is another one at its remote, which did not give it"
        elif tag is not None and await _there(directory, f"refs/tags/{tag}"):
            text = f"the tag {tag} is in the clone of {service.name}, and its commit cannot be read (`git fsck` there says why)"
        why = why or known.trouble
        raise PortError("git", f"{text} (git fetch: {why})" if why else text, retryable=False)

    async def _alone(
        self, directory: str, tag: str | None, sha: str | None
    ) -> tuple[str | None, str]:
        """One tag, or one commit, straight from the remote, whatever else is the matter there. No ref of the clone is written."""
        remote, known = await remote_of(directory), self._known[directory]
        whole = sha if sha is not None and _WHOLE_SHA.fullmatch(sha) else None
        name = f"refs/tags/{tag}" if tag is not None else whole
        if remote is None or name is None or not known.answers:
            return None, ""
        async with known.lock:
            asked, commit, why = known.alone.get(name, (None, None, ""))
            if asked is None or time.monotonic() - asked >= FETCH_EVERY_SECONDS:
                at = await _at_remote(directory, remote, name) if tag is not None else None
                commit, why = await self._brought(directory, remote, at, name) if at else (None, "")
                if commit is None and whole is not None:
                    commit, why = await self._brought(directory, remote, whole, whole)
                known.alone[name] = (time.monotonic(), commit, why)
        return commit, why

    async def _brought(
        self, directory: str, remote: str, at: str, name: str
    ) -> tuple[str | None, str]:
        why = ""
        if (commit := await commit_of(directory, at)) is None and await cut_at(directory):
            await self._deepen(
                directory, remote, DEEPER[0]
            )  # less than all that lies behind an old tag
            commit = await commit_of(directory, at)
        if commit is None:
            why = _why(await _fetched(directory, *_BESIDE, remote, name))
            commit = await commit_of(directory, at)
        return commit, why

    # --- the main branch -------------------------------------------------------------------------------------------

    async def main(self, directory: str) -> Main:
        """The remote's own branch, as it says itself; where it cannot be asked, as the clone knows it. Raises `PortError`."""
        await self.fetch(directory)
        remote = await remote_of(directory)
        if remote is not None:
            branch, newest = self._known[directory].head or ("", "")
            if newest and (commit := await commit_of(directory, newest)) is not None:
                return Main(commit, fresh=True)
            named = f"refs/remotes/{remote}"
            refs = (
                [f"{named}/{branch}"]
                if branch
                else [f"{named}/HEAD", f"{named}/main", f"{named}/master"]
            )
            for ref in refs:
                if (commit := await commit_of(directory, ref)) is not None:
                    return Main(commit, fresh=False)
        refs = ["refs/heads/main", "refs/heads/master"]
        if (
            remote is None
            or (await attempt(directory, "rev-parse", "--is-bare-repository")).text.strip()
            == "true"
        ):
            refs += (await attempt(directory, "symbolic-ref", "--quiet", "HEAD")).text.split()
        for ref in refs:
            if (commit := await commit_of(directory, ref)) is not None:
                return Main(commit, fresh=remote is None)
        text = "which branch is the main one is not known in the clone (`git remote set-head <remote> --auto` there says it)"
        raise PortError("git", text, retryable=False)

    # --- history that was cut --------------------------------------------------------------------------------------

    async def whole(self, directory: str, is_cut: Callable[[], Awaitable[bool]]) -> None:
        """Deepens a shallow clone for as long as `is_cut` says that it is needed. Raises `PortError` where that does not help."""
        if not await is_cut():
            return
        why = "it has no remote"
        remote = await remote_of(directory)
        async with self._known[directory].lock:
            for more in DEEPER if remote is not None else ():
                if not await is_cut():  # another question has deepened it meanwhile
                    return
                why = await self._deepen(directory, remote or "", more)
                if why:
                    break
            if not await is_cut():
                return
        mends = "`git fetch --unshallow` in the clone mends that"
        if remote is None or why == _NO_MORE:
            mends = "only a clone with all of it mends that"
        told = f" ({why})" if why else ""
        text = f"the history of the clone is cut (a shallow clone) and could not be deepened{told}; {mends}"
        raise PortError("git", text, retryable=False)

    async def _deepen(self, directory: str, remote: str, more: str) -> str:
        """Why it is not deeper than before; empty where it is."""
        known, now = self._known[directory], time.monotonic()
        asked, why = known.deepened.get(more, (None, ""))
        if asked is not None and why and now - asked < FETCH_EVERY_SECONDS:
            return why
        before = await cut_at(directory)
        told = await _fetched(directory, more, "--tags", "--no-recurse-submodules", remote)
        after = await cut_at(directory)
        why = "" if after != before else _why(told) or _NO_MORE
        known.deepened[more] = (now, why)
        return why

    async def cut_between(self, directory: str, one: str, other: str) -> bool:
        """Whether what one commit has and the other has not ends where the history was cut."""
        cut = await cut_at(directory)
        if not cut:
            return False
        told = await attempt(
            directory, "rev-list", "--max-parents=0", "--end-of-options", f"{one}...{other}", "--"
        )
        return not cut.isdisjoint(sound(told, "rev-list").text.split())

    # --- contents that were left out -------------------------------------------------------------------------------

    async def bring(self, directory: str, *of_log: str) -> None:
        """What `git log -p` of these commits reads, in one request: a partial clone would ask for one object after another.

        What does not come is missed by whoever reads it.
        """
        remote = await promisor(directory)
        listing = (
            "log",
            "--raw",
            "--no-renames",
            "--no-abbrev",
            "--format=",
            f"--max-count={BROUGHT}",
            *of_log,
        )
        listed = await attempt(directory, *listing)
        if listed.code and not listed.truncated:  # not even the trees are there
            commits = of_log[: of_log.index("--")]
            trees = await attempt(
                directory,
                "rev-list",
                "--boundary",
                "--format=%T",
                f"--max-count={BROUGHT}",
                *commits,
            )
            await self._objects(
                directory,
                remote,
                [row for row in trees.text.split("\n") if _WHOLE_SHA.fullmatch(row)],
            )
            listed = await attempt(directory, *listing)
        blobs = [
            sha.decode() for pair in _BLOBS.findall(listed.out) for sha in pair if sha.strip(b"0")
        ]
        await self._objects(directory, remote, blobs)

    async def _objects(self, directory: str, remote: str, objects: Sequence[str]) -> None:
        """As git itself asks for them (https://git-scm.com/docs/partial-clone#_fetching_missing_objects)."""
        wanted = list(dict.fromkeys(objects))[:BROUGHT]
        if wanted and remote:
            told = await _fetched(
                directory, *_BESIDE, "--filter=blob:none", remote, *wanted, before=_ALL_OF_IT
            )
            if why := _why(told):
                log.warning("contents of a partial clone did not come: %s", why)


async def cut_at(directory: str) -> frozenset[str]:
    """Commits whose parents a shallow clone left out; empty where the history is whole.

    https://git-scm.com/docs/shallow
    """
    told = await attempt(directory, "rev-parse", "--is-shallow-repository", "--git-path", "shallow")
    shallow, _, path = told.text.strip("\n").partition("\n")
    if shallow != "true":
        return frozenset()
    try:
        return frozenset((Path(directory) / path).read_text(encoding="ascii").split())
    except OSError as error:
        raise PortError(
            "git",
            f"where the clone's history is cut cannot be read: {error.strerror}",
            retryable=True,
        ) from error


async def remote_of(directory: str) -> str | None:
    """The remote that `git fetch` would ask: `origin`, the only one, or that of the branch that is checked out."""
    names = (await attempt(directory, "remote")).text.split("\n")[:-1]
    if "origin" in names or len(names) == 1:
        return "origin" if "origin" in names else names[0]
    branch = (await attempt(directory, "symbolic-ref", "--quiet", "--short", "HEAD")).text.strip()
    upstream = (
        (await attempt(directory, "config", "--get", f"branch.{branch}.remote")).text.strip()
        if branch
        else ""
    )
    return upstream if upstream in names else None


async def _there(directory: str, ref: str) -> bool:
    return not (
        await attempt(directory, "rev-parse", "--verify", "--quiet", "--end-of-options", ref)
    ).code


async def _at_remote(directory: str, remote: str, ref: str) -> str | None:
    """What the remote says that a tag stands for: the commit below an annotated one."""
    told = await _told(directory, "ls-remote", remote, ref, f"{ref}^{{}}") or ""
    rows = {name: sha for sha, _, name in (row.partition("\t") for row in told.splitlines())}
    found = rows.get(f"{ref}^{{}}") or rows.get(ref, "")
    return found if _WHOLE_SHA.fullmatch(found) else None


async def _fetched(directory: str, *arguments: str, before: tuple[str, ...] = ()) -> str:
    """What git said of a fetch, also of one that was stopped; empty where it had nothing to say."""
    try:
        output = await git(
            directory,
            *before,
            "fetch",
            "--no-progress",
            *arguments,
            seconds=FETCH_SECONDS,
            online=True,
        )
    except CommandFailed as error:
        return f"fatal: {error.text}"
    said = output.err.decode("utf-8", "replace")
    return said if not output.code or _why(said) else f"{said}\nfatal: exit code {output.code}"


def _why(told: str) -> str:
    """What went wrong, in git's words; empty where nothing did."""
    return (
        complaint(Output(1, b"", told.encode()))
        if re.search(r"(?m)^(?:fatal: |error: | ! \[)", told)
        else ""
    )


async def _told(directory: str, *arguments: str) -> str | None:
    """What the remote answers; None where it does not."""
    try:
        output = await git(directory, *arguments, seconds=FETCH_SECONDS, online=True)
    except CommandFailed as error:
        log.warning("git %s: %s", arguments[0], error.text)
        return None
    return output.text if not output.code else None


def _head(told: str) -> tuple[str, str] | None:
    """`ref: refs/heads/main TAB HEAD`, then `<sha> TAB HEAD`: https://git-scm.com/docs/git-ls-remote."""
    branch = re.search(r"(?m)^ref: refs/heads/(\S+)\tHEAD$", told)
    newest = re.search(r"(?m)^([0-9a-f]{40,64})\tHEAD$", told)
    return (branch[1] if branch else "", newest[1]) if newest else None
