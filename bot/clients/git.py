"""Git: the local clone that a service names as its `checkout`, read by the real `git`. Nothing in its work tree is ever changed.

argv without a shell, a time and an output limit on every call, no prompt, no pager, no external diff. Names from outside never reach git
as an option: a ref must fit a pattern and is asked for below `refs/` or as a sha, a path is one that git itself listed.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from bot.clients.commands import CommandFailed, Output, run
from bot.clients.git_log import FORMAT, patches, read_log
from phases import covering
from phases.adr import BRANCH
from phases.paths import PathIndex
from phases.ports import Commit, Covered, HotfixRef, NotSetUp, PortError
from phases.report import Frame, Suspect
from phases.service import DEPLOYABLE, Service
from phases.source import Place, placed
from phases.wording import foreign

log = logging.getLogger(__name__)

COMMITS = 500
HOTFIXES = 25
TESTS_SHOWN = 5
SNIPPET_AROUND = 2
"""Lines of code before and after the crashing one."""

SECONDS = 10.0
FETCH_SECONDS = 8.0
FETCH_EVERY_SECONDS = 60.0
LOG_BYTES = 8 * 1024 * 1024
PATCH_BYTES = 24 * 1024 * 1024
"""Patches beyond this are left out, the oldest first; the files are still known by name and size."""
PATCH_OF_A_FILE = 64 * 1024

_ENVIRONMENT = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_PAGER": "cat",
    "GIT_ASKPASS": "true",
    "SSH_ASKPASS": "true",
    "GIT_SSH_COMMAND": "ssh -oBatchMode=yes",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "LC_ALL": "C",
}
_FUNCTIONS = "\n".join(
    (
        r"!^[ \t]*(if|else|elif|for|foreach|while|do|switch|catch|with|return|case|throw|raise|new|await|yield)([^A-Za-z0-9_]|$)",
        r"^[ \t]*((async[ \t]+)?(def|class|module)[ \t].*)$",
        r"^[ \t]*((export[ \t]+)?(default[ \t]+)?(abstract[ \t]+)?((async[ \t]+)?function|class|interface)([^A-Za-z0-9_]|$).*)$",
        r"^[ \t]*((export[ \t]+)?(const|let|var)[ \t]+[A-Za-z_$][A-Za-z0-9_$]*[ \t]*=[ \t]*(async[ \t]*)?(\(|function).*)$",
        r"^[ \t]*((pub[^ \t]*[ \t]+)?(async[ \t]+)?(unsafe[ \t]+)?(fn|impl|trait)([^A-Za-z0-9_]|$).*)$",
        r"^[ \t]*((public|private|protected|internal|static|override|virtual|final|abstract|func|fun|sub)[ \t].*)$",
        r"^[ \t]*((async[ \t]+)?[A-Za-z_$][A-Za-z0-9_$]*\([^)]*\)[ \t]*\{)$",
        r"^([A-Za-z_$].*)$",
    )
)
"""What heads a hunk, in any language. Git's own default knows only lines that begin in the first column, so it would name a class where a
method was changed. https://git-scm.com/docs/gitattributes#_defining_a_custom_hunk_header"""
_SETTINGS = (
    "--no-pager",
    *("-c", "core.quotePath=false"),
    *("-c", "core.fsmonitor=false"),
    *("-c", "core.hooksPath=/dev/null"),
    *("-c", "log.showSignature=false"),
    *("-c", "diff.noprefix=false"),
    *("-c", "diff.mnemonicPrefix=false"),
    *("-c", "color.ui=false"),
    *("-c", f"diff.default.xfuncname={_FUNCTIONS}"),
)
_SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_SHORT_SHA = re.compile(r"[0-9a-f]{7,64}")
_HOTFIX = re.compile(r"hotfix .+@([0-9a-f]{7,64})")
_REF = re.compile(r"(?!.*(?:\.\.|@\{|//|\.lock(?:/|$)|/\.))[A-Za-z0-9][A-Za-z0-9._+@/-]{0,199}(?<![./])")


async def git(directory: str, *arguments: str, seconds: float = SECONDS, limit: int = LOG_BYTES) -> Output:
    """One call of git in `directory`; raises `CommandFailed` when it cannot be started or does not end in time."""
    return await run(["git", *_SETTINGS, *arguments], cwd=directory, seconds=seconds, limit=limit, extra=_ENVIRONMENT)


def checkout_of(service: Service) -> str:
    """The clone's directory; raises `NotSetUp` where the catalogue names none, or it is not there."""
    if not service.checkout:
        raise NotSetUp("git", f"no local clone of {service.name} is set up (`checkout` in the catalogue)")
    if not Path(service.checkout).is_dir():
        raise NotSetUp("git", f"the local clone of {service.name} is not there (`checkout` in the catalogue)")
    return service.checkout


async def ask(directory: str, *arguments: str, seconds: float = SECONDS, limit: int = LOG_BYTES) -> Output:
    """As `git`, but a call that did not work is a `PortError` with git's own last line."""
    try:
        output = await git(directory, *arguments, seconds=seconds, limit=limit)
    except CommandFailed as error:
        raise PortError("git", error.text, retryable=error.timed_out) from error
    if output.code and not output.truncated:
        raise PortError("git", f"git {arguments[0]}: {output.complaint}", retryable=False)
    return output


async def resolve(directory: str, service: Service, name: str) -> str | None:
    """The full sha of a version, as its tag says; of a `hotfix <branch>@<sha>`; or of a sha. None where git does not know it."""
    hotfix = _HOTFIX.fullmatch(name)
    candidates: list[str] = []
    tag = service.release.tag.replace("{version}", name)
    if hotfix is None and _REF.fullmatch(tag):
        candidates.append(f"refs/tags/{tag}")
    sha = hotfix.group(1) if hotfix else name.lower()
    if _SHORT_SHA.fullmatch(sha):
        candidates.append(sha)
    for candidate in candidates:
        output = await _try(
            directory, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{candidate}^{{commit}}"
        )
        if not output.code:
            return output.text.strip()
    return None


async def _try(directory: str, *arguments: str) -> Output:
    """A call whose failure is an answer; only a git that cannot be asked at all is an error."""
    try:
        output = await git(directory, *arguments)
    except CommandFailed as error:
        raise PortError("git", error.text, retryable=error.timed_out) from error
    if output.code == 128 and b"not a git repository" in output.err:
        raise NotSetUp("git", "the directory that the catalogue names as `checkout` is no git clone")
    if output.code == 128 and b"dubious ownership" in output.err:
        raise NotSetUp("git", "the clone belongs to another user: git wants `safe.directory` to be set for it")
    return output


class LocalGit:
    """Keeps `phases.ports.SourceCode` over the clones that the catalogue names."""

    def __init__(self) -> None:
        self._fetched: dict[str, float] = {}
        self._paths: dict[tuple[str, str], tuple[PathIndex, bool]] = {}
        """(clone, commit) → its paths, and whether these are all."""

    async def commits(self, service: Service, older: str, newer: str) -> Sequence[Commit]:
        directory = checkout_of(service)
        span = f"{await self._commit(service, older)}..{await self._commit(service, newer)}"
        common = ("--no-ext-diff", "--no-textconv", "-M", f"--max-count={COMMITS}", "--end-of-options", span, "--")
        listed = await ask(directory, "log", f"--format={FORMAT}", "--numstat", "-z", *common, limit=LOG_BYTES)
        patched = await ask(
            directory, "log", "--format=%x1e%H", "-p", "-U3", *common, seconds=2 * SECONDS, limit=PATCH_BYTES
        )
        return read_log(listed.out, patches(patched.out, PATCH_OF_A_FILE))

    async def place(self, service: Service, release: str, frame: Frame) -> Place:
        directory = checkout_of(service)
        index, whole = await self._index(directory, await self._commit(service, release))
        return placed(index, frame, complete=whole)

    async def blame(self, service: Service, release: str, file: str, line: int) -> Suspect | None:
        directory = checkout_of(service)
        commit = await self._commit(service, release)
        path = await self._path(directory, commit, file)
        if path is None or line < 1:
            return None
        output = await _try(directory, "blame", "--porcelain", f"-L{line},{line}", commit, "--", path)
        if output.code:
            return None  # the file has fewer lines
        return _blamed(output.text)

    async def snippet(self, service: Service, release: str, file: str, line: int) -> Sequence[tuple[int, str]]:
        directory = checkout_of(service)
        commit = await self._commit(service, release)
        path = await self._path(directory, commit, file)
        if path is None:
            return ()
        blob = await ask(directory, "cat-file", "blob", f"{commit}:{path}", limit=4 * 1024 * 1024)
        lines = blob.text.splitlines()
        if not 1 <= line <= len(lines):
            if blob.truncated:
                raise PortError("git", f"{path[:200]} is too large to look at line {line}", retryable=False)
            return ()
        first, last = max(1, line - SNIPPET_AROUND), min(len(lines), line + SNIPPET_AROUND)
        return tuple((number, lines[number - 1][:300]) for number in range(first, last + 1))

    async def hotfixes(self, service: Service) -> Sequence[HotfixRef]:
        directory = checkout_of(service)
        await self._fetch(directory)
        main = await self._main(directory)
        output = await ask(
            directory,
            "for-each-ref",
            f"--no-merged={main}",
            "--sort=-committerdate",
            "--format=%(refname)%1f%(objectname)%1f%(contents:subject)",
            "refs/heads/",
            "refs/remotes/origin/",
        )
        found: dict[str, HotfixRef] = {}
        for row in output.text.splitlines():
            ref, commit, subject = row.split("\x1f")
            name = ref.removeprefix("refs/heads/").removeprefix("refs/remotes/origin/")
            fix = HotfixRef(name=name, commit=commit, subject=foreign(subject[:200]))
            if name.startswith(BRANCH):
                continue
            if name != "HEAD" and name not in found and DEPLOYABLE.fullmatch(fix.release.version):
                found[name] = fix
        return tuple(found.values())[:HOTFIXES]

    async def changed_paths(self, service: Service, older: str, newer: str) -> Sequence[str]:
        directory = checkout_of(service)
        ends = (await self._commit(service, older), await self._commit(service, newer))
        output = await ask(
            directory, "diff", "--name-only", "--no-renames", "--no-ext-diff", "-z", "--end-of-options", *ends, "--"
        )
        return tuple(p for p in output.text.split("\0") if p)

    async def merged(self, service: Service, commit: str) -> bool | None:
        """Whether the main branch holds a commit, or the same changes picked onto it; None where the clone does not know it."""
        directory = checkout_of(service)
        if not _SHA.fullmatch(commit):
            return None
        await self._fetch(directory)
        main = await self._main(directory)
        output = await _try(directory, "merge-base", "--is-ancestor", "--end-of-options", commit, main)
        if output.code > 1:
            return None
        if output.code == 0:
            return True
        # https://git-scm.com/docs/git-cherry: `-` stands before what has its equal in the main branch.
        picked = (await ask(directory, "cherry", main, commit)).text.splitlines()
        return bool(picked) and all(row.startswith("-") for row in picked)

    async def commit(self, service: Service, sha: str) -> Commit | None:
        directory = checkout_of(service)
        known = await resolve(directory, service, sha)
        if known is None:
            return None
        options = (
            "--max-count=1",
            f"--format={FORMAT}",
            "--numstat",
            "-z",
            "-m",
            "--first-parent",
            "-M",
            "--no-ext-diff",
        )
        listed = await ask(directory, "log", *options, "--end-of-options", known, "--")
        return next(iter(read_log(listed.out, {})), None)

    async def tests_of(self, service: Service, release: str, file: str) -> Covered | None:
        """Those that are called after the file, then those that import it or say its path."""
        directory = checkout_of(service)
        commit = await self._commit(service, release)
        path = await self._path(directory, commit, file)
        if path is None:
            return None
        tests = covering.tests_among(path, self._paths[directory, commit][0].paths)
        naming = [test for test in tests if covering.called_after(test, path)]
        if words := covering.patterns(path):
            asked = [part for word in words for part in ("-e", word)]
            output = await _try(
                directory, "grep", "-l", "-z", "-w", "-E", "-I", *asked, commit, "--", f"*{PurePosixPath(path).suffix}"
            )  # exit code 1: nothing found
            saying = {row.removeprefix(f"{commit}:") for row in output.text.split("\0")}
            naming += [test for test in tests if test in saying and test not in naming]
        return Covered(naming=tuple(naming[:TESTS_SHOWN]), files=len(tests))

    # --- names -------------------------------------------------------------------------------------------------

    async def _commit(self, service: Service, name: str) -> str:
        directory = checkout_of(service)
        commit = await resolve(directory, service, name)
        if commit is None and await self._fetch(directory):
            commit = await resolve(directory, service, name)
        if commit is None:
            raise PortError("git", f"{name[:100]} is not known in the clone of {service.name}", retryable=False)
        return commit

    async def _path(self, directory: str, commit: str, file: str) -> str | None:
        """The repository's path for what a frame calls its file; None where no file, or more than one, fits."""
        found = (await self._index(directory, commit))[0].locate(file)
        return found[0] if len(found) == 1 else None

    async def _index(self, directory: str, commit: str) -> tuple[PathIndex, bool]:
        if (directory, commit) not in self._paths:
            output = await ask(directory, "ls-tree", "-r", "--name-only", "-z", commit, limit=PATCH_BYTES)
            if len(self._paths) > 20:
                self._paths.clear()
            paths = [p for p in output.text.split("\0") if p]
            index = await asyncio.to_thread(PathIndex, paths)  # a repository may have 100,000 files
            self._paths[directory, commit] = (index, not output.truncated)
        return self._paths[directory, commit]

    async def _main(self, directory: str) -> str:
        """What is merged is what the main branch has: origin's, else `main` or `master`, else what is checked out."""
        for ref in ("refs/remotes/origin/HEAD", "refs/heads/main", "refs/heads/master", "HEAD"):
            output = await _try(directory, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
            if not output.code:
                return output.text.strip()
        raise PortError("git", "the clone has no commit yet", retryable=False)

    async def _fetch(self, directory: str) -> bool:
        """Brings new branches and tags in, at most once a minute; without a remote, or without an answer, what is there must do."""
        now = time.monotonic()
        if now - self._fetched.get(directory, -FETCH_EVERY_SECONDS) < FETCH_EVERY_SECONDS:
            return False
        self._fetched[directory] = now
        if "origin" not in (await _try(directory, "remote")).text.split():
            return False
        try:
            output = await git(
                directory, "fetch", "--quiet", "--tags", "--no-recurse-submodules", "origin", seconds=FETCH_SECONDS
            )
        except CommandFailed as error:
            log.warning("git fetch in the clone: %s", error.text)
            return False
        if output.code:
            log.warning("git fetch in the clone ended with exit code %d", output.code)
        return not output.code


def _blamed(porcelain: str) -> Suspect | None:
    """https://git-scm.com/docs/git-blame#_the_porcelain_format"""
    head, *rest = porcelain.splitlines()
    sha = head.split(" ", 1)[0]
    fields = dict(row.split(" ", 1) for row in rest if " " in row and not row.startswith("\t"))
    if not _SHA.fullmatch(sha):
        return None
    at = datetime.fromtimestamp(int(fields["author-time"]), tz=UTC)
    author, subject = foreign(fields.get("author", "")), foreign(fields.get("summary", ""))
    return Suspect(sha=sha, author=author, at=at, subject=subject[:200])
