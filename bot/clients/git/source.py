"""Git: the local clone that a service names as its `checkout`, read by the real `git`.

Nothing in its work tree is ever changed. `run.py` makes the calls, and `clone.py` brings in what
the clone lacks. Where history was cut, or cannot be read, nobody is named: the commit at the edge
would stand for all that lies behind it.
"""

import asyncio
from collections.abc import Sequence
from functools import partial
from pathlib import PurePosixPath

from bot.clients.git.blame import blame_line
from bot.clients.git.clone import Clones, cut_at, remote_of
from bot.clients.git.log import FORMAT, patches, read_log
from bot.clients.git.run import GIT_SECONDS, ask, attempt, checked, checkout_of, read, resolve
from phases.ports.ports import HotfixRef, PortError
from phases.ports.source_paths import PathIndex
from phases.ports.source_values import Commit, Covered, Place, lines_around, placed
from phases.postmortem import test_coverage
from phases.postmortem.adr import BRANCH
from phases.record.findings import COMMIT, Frame, Suspect
from phases.record.service import DEPLOYABLE, Service
from phases.text.cleaning import foreign

COMMITS = 500
HOTFIXES = 25
TESTS_SHOWN = 5

HISTORY_SECONDS = 18.0
"""The time for the commits of a range with their patches; then their names must do.

An investigation has 25 s.
"""
PATCH_BYTES = 24 * 1024 * 1024
"""Patches beyond this are left out, the oldest first; names and sizes of files are still known."""
PATCH_OF_A_FILE = 64 * 1024


class LocalGit:
    """Keeps `phases.ports.ports.SourceCode` over the clones that the catalogue names."""

    def __init__(self) -> None:
        self.clones = Clones()
        self._paths: dict[tuple[str, str], tuple[PathIndex, bool]] = {}
        """(clone, commit) → its paths, and whether these are all."""
        self._without: dict[tuple[str, str], str] = {}

    def remarks(self, service: Service) -> Sequence[str]:
        """Return what the newest answers lack.

        A fetch had trouble, history was cut, or patches could not be read.
        """
        directory = service.checkout or ""
        remarks = [why for (of, _), why in self._without.items() if of == directory]
        if trouble := self.clones.trouble(directory):
            text = f"The clone of {service.name} is used as it is"
            text += f": not all that is new could be fetched ({trouble})."
            remarks.insert(0, text)
        return remarks

    async def commits(self, service: Service, older: str, newer: str) -> Sequence[Commit]:
        directory = checkout_of(service)
        ends = (await self.clones.commit(service, older), await self.clones.commit(service, newer))
        await self.clones.whole(directory, partial(self.clones.cut_between, directory, *ends))
        span = ("--end-of-options", "..".join(ends), "--")
        self._without.pop((directory, "patches"), None)
        try:
            async with asyncio.timeout(HISTORY_SECONDS):
                return await self._with_patches(directory, span)
        except (PortError, TimeoutError) as error:
            named = await _log(directory, span)
            why = getattr(error, "text", f"not within {HISTORY_SECONDS:.0f} s")
            text = f"Of the commits only the names of their files could be read ({why})."
            self._without[directory, "patches"] = text
            return named

    async def _with_patches(self, directory: str, span: Sequence[str]) -> Sequence[Commit]:
        common = ("--no-ext-diff", "--no-textconv", "-M", f"--max-count={COMMITS}", *span)
        bring = partial(self.clones.bring, directory, f"--max-count={COMMITS}", *span[1:])
        listed = await ask(
            directory, "log", f"--format={FORMAT}", "--numstat", "-z", *common, before=bring
        )
        patched = await ask(
            directory,
            "log",
            "--format=%x1e%H",
            "-p",
            "-U3",
            *common,
            seconds=2 * GIT_SECONDS,
            limit=PATCH_BYTES,
        )
        return read_log(listed.out, patches(patched.out, PATCH_OF_A_FILE))

    async def place(self, service: Service, release: str, frame: Frame) -> Place:
        directory = checkout_of(service)
        index, whole = await self._index(directory, await self.clones.commit(service, release))
        return placed(index, frame, complete=whole)

    async def blame(self, service: Service, release: str, file: str, line: int) -> Suspect | None:
        directory = checkout_of(service)
        commit = await self.clones.commit(service, release)
        path = await self._path(directory, commit, file)
        if path is None or line < 1:
            return None
        suspect: Suspect | None = None

        async def is_cut() -> bool:
            nonlocal suspect
            suspect = await blame_line(self.clones, directory, commit, path, line)
            return suspect is not None and suspect.sha in await cut_at(directory)

        await self.clones.whole(directory, is_cut)
        return suspect

    async def snippet(
        self, service: Service, release: str, file: str, line: int
    ) -> Sequence[tuple[int, str]]:
        directory = checkout_of(service)
        commit = await self.clones.commit(service, release)
        path = await self._path(directory, commit, file)
        if path is None:
            return ()
        blob = await ask(directory, "cat-file", "blob", f"{commit}:{path}", limit=4 * 1024 * 1024)
        shown = lines_around(blob.text, line)
        if not shown and blob.truncated:
            raise PortError("git", f"{path[:200]} is too large to look at line {line}")
        return shown

    async def hotfixes(self, service: Service) -> Sequence[HotfixRef]:
        directory = checkout_of(service)
        main = await self.clones.main(directory)
        if await cut_at(directory):
            text = f"The history of the clone of {service.name} is cut"
            text += ": a branch that is merged already may be among the hotfixes."
            self._without[directory, "merged"] = text
        else:
            self._without.pop((directory, "merged"), None)
        remote = f"refs/remotes/{await remote_of(directory) or 'origin'}/"
        output = await ask(
            directory,
            "for-each-ref",
            f"--no-merged={main.commit}",
            "--sort=-committerdate",
            "--format=%(refname)%1f%(objectname)%1f%(contents:subject)",
            "refs/heads/",
            remote,
        )
        fixes: dict[str, HotfixRef] = {}
        for row in output.text.split("\n")[:-1]:
            ref, commit, subject = row.split("\x1f", 2)
            name = ref.removeprefix("refs/heads/").removeprefix(remote)
            fix = HotfixRef(name=name, commit=commit, subject=foreign(subject[:200]))
            if name.startswith(BRANCH):
                continue
            if name != "HEAD" and name not in fixes and DEPLOYABLE.fullmatch(fix.release.version):
                fixes[name] = fix
        return tuple(fixes.values())[:HOTFIXES]

    async def changed_paths(self, service: Service, older: str, newer: str) -> Sequence[str]:
        directory = checkout_of(service)
        ends = (await self.clones.commit(service, older), await self.clones.commit(service, newer))
        output = await ask(
            directory,
            "diff",
            "--name-only",
            "--no-renames",
            "--no-ext-diff",
            "-z",
            "--end-of-options",
            *ends,
            "--",
        )
        return tuple(p for p in output.text.split("\0") if p)

    async def merged(self, service: Service, commit: str) -> bool | None:
        """Return whether the main branch holds a commit, or the same changes picked onto it.

        None: the clone does not know the commit. Raises `PortError` where it cannot be told:
        history is cut, or the main branch may be an old one.
        """
        directory = checkout_of(service)
        if not COMMIT.fullmatch(commit):
            return None
        main = await self.clones.main(directory)
        there = await attempt(
            directory, "cat-file", "-e", "--end-of-options", f"{commit}^{{commit}}"
        )
        if there.code:
            return None
        if await self._is_ancestor(directory, main.commit, commit):
            return True
        await self.clones.whole(
            directory, partial(self.clones.cut_between, directory, main.commit, commit)
        )
        if await self._is_ancestor(directory, main.commit, commit):
            return True
        if not main.fresh:
            why = self.clones.trouble(directory) or "its remote did not answer"
            raise PortError(
                "git", f"whether it is merged by now is not known ({why})", retryable=True
            )
        return False

    async def _is_ancestor(self, directory: str, main: str, commit: str) -> bool:
        ancestor = await read(
            directory, "merge-base", "--is-ancestor", "--end-of-options", commit, main
        )
        if checked(ancestor, "merge-base", (0, 1)).code == 0:
            return True
        # `-` stands before a commit that has its equal in the main branch:
        # https://git-scm.com/docs/git-cherry
        picked = (await ask(directory, "cherry", main, commit)).text.splitlines()
        several = len(picked) > 1 and not all(row.startswith("-") for row in picked)
        if several and (squashed := await self._squashed(directory, main, commit)):
            picked = (await ask(directory, "cherry", main, squashed)).text.splitlines()
        return bool(picked) and all(row.startswith("-") for row in picked)

    async def _squashed(self, directory: str, main: str, commit: str) -> str:
        """Make one commit of all that a branch changes, as a squash merge does.

        No ref holds it. Empty where git cannot.
        """
        base = await attempt(directory, "merge-base", main, commit)
        author = ("-c", "user.name=Firebreak", "-c", "user.email=firebreak@localhost")
        made = await attempt(
            directory,
            *author,
            "commit-tree",
            f"{commit}^{{tree}}",
            "-p",
            base.text.strip(),
            "-m",
            "squashed",
        )
        return "" if base.code or made.code else made.text.strip()

    async def commit(self, service: Service, sha: str) -> Commit | None:
        directory = checkout_of(service)
        if (known := await resolve(directory, service, sha)) is None:
            return None

        async def is_cut() -> bool:
            return known in await cut_at(directory)

        # At a cut it would seem to have brought every file that there is.
        await self.clones.whole(directory, is_cut)
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
        bring = partial(
            self.clones.bring, directory, "--max-count=1", "--first-parent", known, "--"
        )
        listed = await ask(
            directory, "log", *options, "--end-of-options", known, "--", before=bring
        )
        return next(iter(read_log(listed.out, {})), None)

    async def tests_of(self, service: Service, release: str, file: str) -> Covered | None:
        """Return tests that are called after the file, then those that import or name it."""
        directory = checkout_of(service)
        commit = await self.clones.commit(service, release)
        path = await self._path(directory, commit, file)
        if path is None:
            return None
        tests = test_coverage.tests_among(path, self._paths[directory, commit][0].paths)
        naming = [test for test in tests if test_coverage.called_after(test, path)]
        unread = False
        if words := test_coverage.naming_patterns(path):
            asked = [part for word in words for part in ("-e", word)]
            output = await attempt(
                directory,
                "grep",
                "-l",
                "-z",
                "-w",
                "-E",
                "-I",
                "--full-name",
                *asked,
                commit,
                "--",
                f":(top)*{PurePosixPath(path).suffix}",
            )
            # Exit code 1: there is none. Others: a partial clone has not got the files, and a form
            # waits for the answer.
            unread = output.code not in (0, 1)
            saying = {row.removeprefix(f"{commit}:") for row in output.text.split("\0")}
            naming += [test for test in tests if test in saying and test not in naming]
        return Covered(naming=tuple(naming[:TESTS_SHOWN]), files=len(tests), read=not unread)

    # --- names ------------------------------------------------------------------------------------

    async def _path(self, directory: str, commit: str, file: str) -> str | None:
        """Return the repository's path for a frame's file, or None where not exactly one fits."""
        paths = (await self._index(directory, commit))[0].locate(file)
        return paths[0] if len(paths) == 1 else None

    async def _index(self, directory: str, commit: str) -> tuple[PathIndex, bool]:
        if (directory, commit) not in self._paths:
            output = await ask(
                directory,
                "ls-tree",
                "-r",
                "--full-tree",
                "--name-only",
                "-z",
                commit,
                limit=PATCH_BYTES,
            )
            if len(self._paths) > 20:
                self._paths.clear()
            paths = [p for p in output.text.split("\0") if p]
            index = await asyncio.to_thread(PathIndex, paths)  # a repository may have 100,000 files
            self._paths[directory, commit] = (index, not output.truncated)
        return self._paths[directory, commit]


async def _log(directory: str, span: Sequence[str]) -> Sequence[Commit]:
    """Return commits without their patches.

    Where the clone has not got its trees, they come without their files, too.
    """
    head = (f"--format={FORMAT}", f"--max-count={COMMITS}")
    listed = await attempt(directory, "log", *head, "--raw", "--no-renames", "-z", *span)
    if listed.code and not listed.truncated:
        # `git log` reads trees, whatever it is to show.
        listed = await ask(directory, "rev-list", *head, *span)
    return read_log(listed.out, {})
