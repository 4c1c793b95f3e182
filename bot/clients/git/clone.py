"""The contents of a local clone, and their completion from its remote.

New commits and tags, history that was cut, and contents that were left out come from the clone's
own remote, as `git fetch` would bring them, for a limited time. Only that fetch moves or removes a
branch or tag of the clone. No lock file is taken away: it may be another git's.
"""

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
    checked,
    checkout_of,
    commit_of,
    complaint,
    git,
    promisor_remote,
    resolve,
    sha_of,
    tag_of,
)
from bot.clients.processes.commands import CommandFailed, Output
from phases.ports.ports import PortError
from phases.record.findings import COMMIT
from phases.record.service import Service

log = logging.getLogger(__name__)

FETCH_SECONDS = 8.0
FETCH_EVERY_SECONDS = 60.0
DEEPER = ("--deepen=500", "--unshallow")
"""First a little more history, which is there soon; then all of it."""
OBJECTS_AT_ONCE = 4000
"""Objects that are asked for in one request at most."""

_BLOBS = re.compile(rb":\d{6} \d{6} ([0-9a-f]{40,64}) ([0-9a-f]{40,64}) ")
_MOVED = re.compile(r"(?m)^ ! \[rejected\] +(\S+) +-> .*\(would clobber existing tag\)")
_BESIDE = ("--no-tags", "--no-write-fetch-head", "--no-recurse-submodules")
"""A fetch that brings objects and leaves the clone's refs alone."""
_ALL_OF_IT = ("-c", "fetch.negotiationAlgorithm=noop")
_NO_MORE = "its remote has no more"


@dataclass(slots=True)
class _Known:
    """The facts about one clone that are remembered while the bot runs."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    """One fetch at a time: they would get into each other's lock files."""
    fetched: float | None = None
    answers: bool = True
    """The remote answered the newest fetch."""
    trouble: str = ""
    """The reason why the newest fetch did not bring everything."""
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
        """Return why the clone may lack what is new; empty where nothing is known to be missing."""
        return self._known[directory].trouble

    # --- what is new ------------------------------------------------------------------------------

    async def fetch(self, directory: str) -> None:
        """Fetch new branches and tags, at most once a minute.

        What did come is used, whatever git says of the rest.
        """
        known = self._known[directory]
        async with known.lock:
            if known.fetched is not None and time.monotonic() - known.fetched < FETCH_EVERY_SECONDS:
                return
            remote = await remote_of(directory)
            if remote is not None:
                # Old tags would bring all of what was cut.
                tags = () if await cut_at(directory) else ("--tags",)
                words, head = await asyncio.gather(
                    _fetched(directory, *tags, "--no-recurse-submodules", remote),
                    _remote_answer(directory, "ls-remote", "--symref", remote, "HEAD"),
                )
                known.answers, known.head = head is not None, _head(head or "")
                if known.head is not None and await commit_of(directory, known.head[1]) is None:
                    await _fetched(directory, *_BESIDE, remote, "HEAD")  # a clone of one branch
                known.moved = frozenset(_MOVED.findall(words))
                rest = (row for row in words.split("\n") if not _MOVED.match(row))
                known.trouble = _fault_in("\n".join(rest))
                if known.trouble:
                    log.warning("git fetch in the clone: %s", known.trouble)
            known.fetched = time.monotonic()

    async def commit(self, service: Service, name: str) -> str:
        """Return the commit of a version.

        Raises `PortError` where neither clone nor remote knows it.
        """
        directory = checkout_of(service)
        known, tag = self._known[directory], tag_of(service, name)
        commit = await resolve(directory, service, name)
        if commit is None:
            await self.fetch(directory)
            commit = await resolve(directory, service, name)
        if commit is not None and tag not in known.moved:
            return commit
        alone, why = await self._fetch_one(directory, tag, sha_of(name))
        if alone is not None:
            return alone
        cut = ", whose history is cut (a shallow clone)" if await cut_at(directory) else ""
        text = f"{name[:100]} is not known in the clone of {service.name}{cut}"
        if commit is not None:
            text = f"the tag {tag} of the clone is another one at its remote, which did not give it"
        elif tag is not None and await _ref_exists(directory, f"refs/tags/{tag}"):
            text = f"the tag {tag} is in the clone of {service.name}, and its commit cannot be read"
            text += " (`git fsck` there says why)"
        why = why or known.trouble
        raise PortError("git", f"{text} (git fetch: {why})" if why else text)

    async def _fetch_one(
        self, directory: str, tag: str | None, sha: str | None
    ) -> tuple[str | None, str]:
        """Fetch one tag, or one commit, straight from the remote. No ref of the clone is written.

        Return its commit, and why it did not come.
        """
        remote, known = await remote_of(directory), self._known[directory]
        whole = sha if sha is not None and COMMIT.fullmatch(sha) else None
        name = f"refs/tags/{tag}" if tag is not None else whole
        if remote is None or name is None or not known.answers:
            return None, ""
        async with known.lock:
            asked, commit, why = known.alone.get(name, (None, None, ""))
            if asked is None or time.monotonic() - asked >= FETCH_EVERY_SECONDS:
                at = await _at_remote(directory, remote, name) if tag is not None else None
                commit, why = (
                    await self._fetched_alone(directory, remote, at, name) if at else (None, "")
                )
                if commit is None and whole is not None:
                    commit, why = await self._fetched_alone(directory, remote, whole, whole)
                known.alone[name] = (time.monotonic(), commit, why)
        return commit, why

    async def _fetched_alone(
        self, directory: str, remote: str, at: str, name: str
    ) -> tuple[str | None, str]:
        why = ""
        if (commit := await commit_of(directory, at)) is None and await cut_at(directory):
            await self._deepen(directory, remote, DEEPER[0])  # less than all behind an old tag
            commit = await commit_of(directory, at)
        if commit is None:
            why = _fault_in(await _fetched(directory, *_BESIDE, remote, name))
            commit = await commit_of(directory, at)
        return commit, why

    # --- the main branch --------------------------------------------------------------------------

    async def main(self, directory: str) -> Main:
        """Return the remote's main branch, as it says itself. Raises `PortError`.

        Where the remote cannot be asked, the branch is the one that the clone knows.
        """
        await self.fetch(directory)
        remote = await remote_of(directory)
        if remote is not None:
            branch, newest = self._known[directory].head or ("", "")
            if newest and (commit := await commit_of(directory, newest)) is not None:
                return Main(commit, fresh=True)
            for name in (branch,) if branch else ("HEAD", "main", "master"):
                ref = f"refs/remotes/{remote}/{name}"
                if (commit := await commit_of(directory, ref)) is not None:
                    return Main(commit, fresh=False)
        refs = ["refs/heads/main", "refs/heads/master"]
        bare = (await attempt(directory, "rev-parse", "--is-bare-repository")).text.strip()
        if remote is None or bare == "true":
            refs += (await attempt(directory, "symbolic-ref", "--quiet", "HEAD")).text.split()
        for ref in refs:
            if (commit := await commit_of(directory, ref)) is not None:
                return Main(commit, fresh=remote is None)
        text = "which branch is the main one is not known in the clone"
        text += " (`git remote set-head <remote> --auto` there says it)"
        raise PortError("git", text)

    # --- history that was cut ---------------------------------------------------------------------

    async def whole(self, directory: str, is_cut: Callable[[], Awaitable[bool]]) -> None:
        """Deepen a shallow clone for as long as `is_cut` says that it is needed.

        Raises `PortError` where that does not help.
        """
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
        text = "the history of the clone is cut (a shallow clone) and could not be deepened"
        text += f" ({why})" if why else ""
        raise PortError("git", f"{text}; {mends}")

    async def _deepen(self, directory: str, remote: str, more: str) -> str:
        """Return why the clone is not deeper than before; empty where it is."""
        known, now = self._known[directory], time.monotonic()
        asked, why = known.deepened.get(more, (None, ""))
        if asked is not None and why and now - asked < FETCH_EVERY_SECONDS:
            return why
        before = await cut_at(directory)
        words = await _fetched(directory, more, "--tags", "--no-recurse-submodules", remote)
        after = await cut_at(directory)
        why = "" if after != before else _fault_in(words) or _NO_MORE
        known.deepened[more] = (now, why)
        return why

    async def cut_between(self, directory: str, older: str, newer: str) -> bool:
        """Return whether the commits that only one of the two has end at the cut."""
        cut = await cut_at(directory)
        if not cut:
            return False
        span = f"{older}...{newer}"
        roots = await attempt(
            directory, "rev-list", "--max-parents=0", "--end-of-options", span, "--"
        )
        return not cut.isdisjoint(checked(roots, "rev-list").text.split())

    # --- contents that were left out --------------------------------------------------------------

    async def bring(self, directory: str, *of_log: str) -> None:
        """Fetch what `git log -p` of these commits reads, in one request.

        A partial clone would ask for one object after another. An object that does not come is
        missed by its reader.
        """
        remote = await promisor_remote(directory)
        listing = (
            "log",
            "--raw",
            "--no-renames",
            "--no-abbrev",
            "--format=",
            f"--max-count={OBJECTS_AT_ONCE}",
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
                f"--max-count={OBJECTS_AT_ONCE}",
                *commits,
            )
            shas = [row for row in trees.text.split("\n") if COMMIT.fullmatch(row)]
            await self._objects(directory, remote, shas)
            listed = await attempt(directory, *listing)
        blobs = [
            sha.decode() for pair in _BLOBS.findall(listed.out) for sha in pair if sha.strip(b"0")
        ]
        await self._objects(directory, remote, blobs)

    async def _objects(self, directory: str, remote: str, objects: Sequence[str]) -> None:
        """Fetch objects as git itself asks for them:
        https://git-scm.com/docs/partial-clone#_fetching_missing_objects"""
        wanted = list(dict.fromkeys(objects))[:OBJECTS_AT_ONCE]
        if wanted and remote:
            words = await _fetched(
                directory, *_BESIDE, "--filter=blob:none", remote, *wanted, before=_ALL_OF_IT
            )
            if why := _fault_in(words):
                log.warning("contents of a partial clone did not come: %s", why)


async def cut_at(directory: str) -> frozenset[str]:
    """Return commits whose parents a shallow clone left out; none where the history is whole.

    https://git-scm.com/docs/shallow
    """
    asked = ("--is-shallow-repository", "--git-path", "shallow")
    answer = (await attempt(directory, "rev-parse", *asked)).text
    shallow, _, path = answer.strip("\n").partition("\n")
    if shallow != "true":
        return frozenset()
    try:
        return frozenset((Path(directory) / path).read_text(encoding="ascii").split())
    except OSError as error:
        text = f"where the clone's history is cut cannot be read: {error.strerror}"
        raise PortError("git", text, retryable=True) from error


async def remote_of(directory: str) -> str | None:
    """Return the remote that `git fetch` would ask.

    It is `origin`, the only one, or that of the branch that is checked out.
    """
    names = (await attempt(directory, "remote")).text.split("\n")[:-1]
    if "origin" in names or len(names) == 1:
        return "origin" if "origin" in names else names[0]
    branch = (await attempt(directory, "symbolic-ref", "--quiet", "--short", "HEAD")).text.strip()
    if not branch:
        return None
    setting = await attempt(directory, "config", "--get", f"branch.{branch}.remote")
    upstream = setting.text.strip()
    return upstream if upstream in names else None


async def _ref_exists(directory: str, ref: str) -> bool:
    return not (
        await attempt(directory, "rev-parse", "--verify", "--quiet", "--end-of-options", ref)
    ).code


async def _at_remote(directory: str, remote: str, ref: str) -> str | None:
    """Return the commit of a tag at the remote; it stands below an annotated one."""
    answer = await _remote_answer(directory, "ls-remote", remote, ref, f"{ref}^{{}}") or ""
    rows = {name: sha for sha, _, name in (row.partition("\t") for row in answer.splitlines())}
    sha = rows.get(f"{ref}^{{}}") or rows.get(ref, "")
    return sha if COMMIT.fullmatch(sha) else None


async def _fetched(directory: str, *arguments: str, before: tuple[str, ...] = ()) -> str:
    """Fetch, and return git's words, also where it was stopped; empty where it had none."""
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
    words = output.err.decode("utf-8", "replace")
    return (
        words if not output.code or _fault_in(words) else f"{words}\nfatal: exit code {output.code}"
    )


def _fault_in(words: str) -> str:
    """Return the fault in git's words; empty where there is none."""
    failed = re.search(r"(?m)^(?:fatal: |error: | ! \[)", words)
    return complaint(Output(1, b"", words.encode())) if failed else ""


async def _remote_answer(directory: str, *arguments: str) -> str | None:
    """Return the remote's answer, or None where it does not answer."""
    try:
        output = await git(directory, *arguments, seconds=FETCH_SECONDS, online=True)
    except CommandFailed as error:
        log.warning("git %s: %s", arguments[0], error.text)
        return None
    return output.text if not output.code else None


def _head(answer: str) -> tuple[str, str] | None:
    """Read `ref: refs/heads/main TAB HEAD`, then `<sha> TAB HEAD`.

    https://git-scm.com/docs/git-ls-remote
    """
    branch = re.search(r"(?m)^ref: refs/heads/(\S+)\tHEAD$", answer)
    newest = re.search(r"(?m)^([0-9a-f]{40,64})\tHEAD$", answer)
    return (branch[1] if branch else "", newest[1]) if newest else None
