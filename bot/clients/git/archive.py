"""The archive of post-mortems in a directory of a local Git clone.

Each incident has one file and one commit, and nothing else is touched. The commit is made beside
the index (https://git-scm.com/docs/git-commit-tree). So staged changes, a merge under way and hooks
stay as they are, and a clone whose HEAD a deploy has detached still gets the post-mortem on its
branch.
"""

import asyncio
import logging
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bot.clients.git.clone import remote_of
from bot.clients.git.run import complaint, git, promisor_remote
from bot.clients.processes.commands import CommandFailed, Output
from phases.ports.ports import NotSetUp, PortError
from phases.postmortem.adr_numbering import Numbering, is_of, template_among
from phases.record.documents import Adr
from phases.record.incident import Incident
from phases.record.service import Service
from phases.text.markdown import in_git

log = logging.getLogger(__name__)

SYSTEM = "git"
FOLDERS_DEEP = 3
"""Folders below the archive's own that are looked into: one for each year, or for each decision."""
_NOTHING = ""
"""For `git update-ref`: the branch must not be there yet. Zeros would go by the hash."""
_READING = ("show", "ls-tree", "read-tree")
"""Calls for which a partial clone may have to ask its remote."""
_AUTHOR = {
    "GIT_AUTHOR_NAME": "Firebreak",
    "GIT_AUTHOR_EMAIL": "firebreak@localhost",
    "GIT_COMMITTER_NAME": "Firebreak",
    "GIT_COMMITTER_EMAIL": "firebreak@localhost",
}


@dataclass(frozen=True, slots=True)
class _Clone:
    top: Path
    """The work tree in which the branch is checked out, if it is in any."""
    inside: str
    """The directory of the post-mortems below `top`, with `/`; empty for `top` itself."""
    branch: str
    """`refs/heads/…`."""
    checked_out: bool

    def path(self, name: str) -> str:
        return f"{self.inside}/{name}" if self.inside else name


class LocalArchive:
    """Keeps `phases.ports.coordination.Archive` for services whose `adr` names a directory.

    Methods raise `PortError`.
    """

    def __init__(self) -> None:
        self._locks: dict[Path, asyncio.Lock] = {}

    async def highest(self, service: Service) -> int:
        """Return the highest number among the files that are there and those of the branch."""
        return (await self.numbering(service)).highest

    async def numbering(self, service: Service) -> Numbering:
        """Return the numbering of the files that are there and those of the branch."""
        directory = _directory(service)
        return Numbering.of(await _file_paths(directory, await _clone(directory)))

    async def template(self, service: Service) -> str:
        """Return the template of the branch, else as it lies in the directory."""
        directory = _directory(service)
        clone = await _clone(directory)
        name = template_among(await _committed(clone) if clone is not None else _listed(directory))
        if name is None:
            return ""
        if clone is not None:
            committed = await _try_git(clone.top, "show", f"{clone.branch}:{clone.path(name)}")
            return "" if committed.code else committed.text
        try:
            return (directory / name).read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            log.warning("the template of the post-mortems cannot be read: %s", error.strerror)
            return ""

    async def write(self, service: Service, incident: Incident, number: int, text: str) -> Adr:
        """Write and commit once.

        A second time finds the file by the incident's id and record, and changes nothing. A file
        that a crash left without its commit is written again and committed.
        """
        directory = _directory(service)
        clone = await _clone(directory)
        lock = self._locks.setdefault(clone.top if clone else directory, asyncio.Lock())
        async with lock:
            if clone is None:
                ways = Numbering.of(_listed(directory))
                name = _earlier_file(directory, incident) or ways.file(incident, number)
                _write_whole(directory, name, text)
                log.warning(
                    "the post-mortem is in a directory outside git", extra={"incident": incident.id}
                )
                return Adr(
                    number=_number(name, ways, number),
                    path=f"{directory / name} (outside Git: written, not committed)",
                )
            return await _write_in(clone, incident, number, text)

    async def revise(
        self, service: Service, incident: Incident, revised: Callable[[str], str], why: str
    ) -> str | None:
        """Change the incident's file on the branch, and where it is checked out.

        What people changed in it stays.
        """
        directory = _directory(service)
        clone = await _clone(directory)
        lock = self._locks.setdefault(clone.top if clone else directory, asyncio.Lock())
        async with lock:
            if clone is None:
                if (name := _earlier_file(directory, incident)) is not None:
                    _rewrite(directory, name, revised)
                return None
            await _revise_in(clone, incident, revised, why)
        return None

    def repository(self, service: Service) -> str:
        """Return the directory's real path: the numbers of one directory are one sequence."""
        return str(_directory(service).resolve())


def _directory(service: Service) -> Path:
    place = service.adr
    if place is None:
        raise NotSetUp(
            SYSTEM,
            f"no place for the post-mortems of {service.name} is set up (`adr` in the catalogue)",
        )
    if place.directory is None:
        text = f"post-mortems of {service.name} cannot be written by pull request yet"
        raise NotSetUp(SYSTEM, f"{text}: set `adr.directory`")
    return Path(place.directory)


async def _write_in(clone: _Clone, incident: Incident, number: int, text: str) -> Adr:
    directory = clone.top / clone.inside
    committed = await _committed(clone)
    ways = Numbering.of([*committed, *_listed(directory)])
    for name in committed:
        if is_of(name, incident):
            file = await _run_git(clone.top, "show", f"{clone.branch}:{clone.path(name)}")
            if incident.ulid in file.text:
                await _in_index(clone, name)
                return Adr(number=_number(name, ways, number), path=clone.path(name))
    name = (_earlier_file(directory, incident) if clone.checked_out else None) or ways.file(
        incident, number
    )
    number = _number(name, ways, number)
    if clone.checked_out:
        _write_whole(directory, name, text)
    await _commit(
        clone, name, text, f"ADR-{number:04d}: {incident.id}, {in_git(incident.title, {})}"
    )
    await _in_index(clone, name)
    return Adr(number=number, path=clone.path(name))


async def _revise_in(
    clone: _Clone, incident: Incident, revised: Callable[[str], str], why: str
) -> None:
    for name in await _committed(clone):
        if not is_of(name, incident):
            continue
        text = (await _run_git(clone.top, "show", f"{clone.branch}:{clone.path(name)}")).text
        if incident.ulid not in text:
            continue
        changed = revised(text)
        if changed != text:
            await _commit(clone, name, changed, why)
        if clone.checked_out and (clone.top / clone.inside / name).is_file():
            _rewrite(clone.top / clone.inside, name, revised)
            await _stage_unchanged(clone, name, changed)
        return


async def _stage_unchanged(clone: _Clone, name: str, text: str) -> None:
    """Leave `git status` as clean as before, where nobody has changed the file beside us."""
    path = clone.top / clone.path(name)
    if path.read_text(encoding="utf-8", errors="replace") == text:
        await _add(clone, name)


async def _add(clone: _Clone, name: str) -> None:
    added = await _try_git(clone.top, "update-index", "--add", "--", clone.path(name))
    if added.code:
        raise PortError(
            SYSTEM, f"committed, but the index is in use: {complaint(added)}", retryable=True
        )


def _rewrite(directory: Path, name: str, revised: Callable[[str], str]) -> None:
    try:
        there = (directory / name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PortError(SYSTEM, f"{directory / name} cannot be read") from error
    if (changed := revised(there)) != there:
        _write_whole(directory, name, changed)


async def _commit(clone: _Clone, name: str, text: str, message: str) -> None:
    """Commit this one file onto the branch's newest commit.

    Raises `PortError`, retryable where the branch moved meanwhile.
    """
    with tempfile.TemporaryDirectory(prefix="firebreak-adr-") as scratch:
        index = {"GIT_INDEX_FILE": str(Path(scratch, "index"))}
        draft = Path(scratch, "adr.md")
        _write_whole(Path(scratch), draft.name, text)
        blob = (
            await _run_git(clone.top, "hash-object", "-w", "--no-filters", "--", str(draft))
        ).text.strip()
        newest = await _try_git(
            clone.top, "rev-parse", "--verify", "--quiet", f"{clone.branch}^{{commit}}"
        )
        parent = newest.text.strip() if not newest.code else ""
        await _run_git(clone.top, "read-tree", *([parent] if parent else ["--empty"]), extra=index)
        await _run_git(
            clone.top,
            "update-index",
            "--add",
            "--cacheinfo",
            f"100644,{blob},{clone.path(name)}",
            extra=index,
        )
        tree = (await _run_git(clone.top, "write-tree", "--missing-ok", extra=index)).text.strip()
    parents = ["-p", parent] if parent else []
    commit = (await _run_git(clone.top, "commit-tree", tree, *parents, "-m", message)).text.strip()
    moved = await _try_git(
        clone.top,
        "update-ref",
        "-m",
        f"firebreak: {name}",
        clone.branch,
        commit,
        parent or _NOTHING,
    )
    if moved.code:
        raise PortError(
            SYSTEM, f"the post-mortem could not be committed: {complaint(moved)}", retryable=True
        )


async def _in_index(clone: _Clone, name: str) -> None:
    """Make the index know the new file, so that `git status` is as clean as before."""
    path = clone.path(name)
    if not clone.checked_out or not (clone.top / path).is_file():
        return
    if (await _run_git(clone.top, "ls-files", "--", f":(literal){path}")).text.strip():
        return
    await _add(clone, name)


async def _clone(directory: Path) -> _Clone | None:
    """Return the clone that the directory lies in, or None outside of any.

    The directory itself may not exist yet.
    """
    there = next((path for path in (directory, *directory.parents) if path.is_dir()), Path("/"))
    shown = await _try_git(there, "rev-parse", "--show-toplevel")
    if shown.code:
        if b"not a git repository" in shown.err:
            return None
        raise PortError(SYSTEM, f"git refuses {there}: {complaint(shown)}")
    top = Path(shown.text.rstrip("\n"))
    inside = _path_below(top, there, directory)
    head = await _try_git(top, "symbolic-ref", "--quiet", "HEAD")
    if not head.code:
        return _Clone(top, inside, head.text.strip(), True)
    branch = await _default_branch(top)
    elsewhere = await _checked_out_at(top, branch)
    return _Clone(elsewhere or top, inside, branch, elsewhere is not None)


async def _default_branch(top: Path) -> str:
    """Return the branch for a detached HEAD: the remote's default, else `main` or `master`."""
    remote = f"refs/remotes/{await remote_of(str(top)) or 'origin'}/"
    own = await _try_git(top, "symbolic-ref", "--quiet", f"{remote}HEAD")
    named = [own.text.strip().removeprefix(remote)] if not own.code else []
    for name in (*named, "main", "master"):
        ref = f"refs/heads/{name}"
        if not (await _try_git(top, "show-ref", "--verify", "--quiet", ref)).code:
            return ref
    raise PortError(
        SYSTEM,
        f"the clone {top} is on no branch and has neither main nor master: check a branch out",
    )


async def _checked_out_at(top: Path, branch: str) -> Path | None:
    """Return the work tree that has the branch checked out.

    https://git-scm.com/docs/git-worktree, porcelain format
    """
    listing = (await _run_git(top, "worktree", "list", "--porcelain")).text
    for block in listing.split("\n\n"):
        lines = block.splitlines()
        if lines and f"branch {branch}" in lines:
            return _existing(Path(lines[0].removeprefix("worktree ")))
    return None


def _existing(directory: Path) -> Path | None:
    return directory if directory.is_dir() else None


async def _file_paths(directory: Path, clone: _Clone | None) -> list[str]:
    """Return paths below the directory, of the files that are there and of the branch's."""
    names = _listed(directory)
    if clone is not None:
        names += [*await _committed(clone), *_listed(clone.top / clone.inside)]
    return names


async def _committed(clone: _Clone) -> list[str]:
    """Return paths of the files below the directory as the branch has it.

    There are none where branch or directory is not there yet.
    """
    place = f"{clone.branch}:{clone.inside}" if clone.inside else clone.branch
    listing = await _try_git(clone.top, "ls-tree", "-r", "--full-tree", "--name-only", "-z", place)
    if listing.code:
        return []
    return [name for name in listing.text.split("\0") if 0 < len(Path(name).parts) <= FOLDERS_DEEP]


def _path_below(top: Path, there: Path, directory: Path) -> str:
    """Return the directory below `top`, whichever links lead there; empty for `top` itself."""
    path = Path(
        os.path.relpath(there.resolve() / directory.relative_to(there), top.resolve())
    ).as_posix()
    return "" if path == "." else path


def _listed(directory: Path) -> list[str]:
    """Return the paths of the files below a directory; none where it is not there yet."""
    try:
        os.listdir(directory)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise PortError(SYSTEM, f"{directory} cannot be read: {error.strerror}") from error
    paths: list[str] = []
    for folder, folders, names in os.walk(directory):
        inside = Path(folder).relative_to(directory)
        deeper = len(inside.parts) < FOLDERS_DEEP - 1
        folders[:] = [name for name in folders if not name.startswith(".")] if deeper else []
        paths += [(inside / name).as_posix() for name in names]
    return paths


def _earlier_file(directory: Path, incident: Incident) -> str | None:
    """Return the file that was written for this very incident before.

    Ids may begin again at 1; the record's own id does not.
    """
    for name in sorted(_listed(directory)):
        if is_of(name, incident) and incident.ulid in (directory / name).read_text(
            encoding="utf-8", errors="replace"
        ):
            return name
    return None


def _number(name: str, ways: Numbering, otherwise: int) -> int:
    number = ways.number(name)
    return otherwise if number is None else number


def _write_whole(directory: Path, name: str, text: str) -> None:
    """Write all of a file or nothing: a crash leaves no half file."""
    try:
        folder = (directory / name).parent
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", dir=folder, prefix=".firebreak-", delete=False
        ) as draft:
            draft.write(text)
            draft.flush()
            os.fsync(draft.fileno())
        os.chmod(draft.name, 0o644)
        os.replace(draft.name, directory / name)
    except OSError as error:
        raise PortError(
            SYSTEM, f"{directory / name} cannot be written: {error.strerror}"
        ) from error


async def _try_git(where: Path, *arguments: str, extra: Mapping[str, str] | None = None) -> Output:
    """Return a call whose failure is an answer. Raises `PortError` where git hangs."""
    environment = _AUTHOR | dict(extra or {})
    try:
        output = await git(str(where), *arguments, extra=environment)
        if output.code and arguments[0] in _READING and await promisor_remote(str(where)):
            output = await git(str(where), *arguments, online=True, extra=environment)
        return output
    except CommandFailed as error:
        raise PortError(SYSTEM, error.text, retryable=error.timed_out) from error


async def _run_git(where: Path, *arguments: str, extra: Mapping[str, str] | None = None) -> Output:
    output = await _try_git(where, *arguments, extra=extra)
    if output.code:
        raise PortError(SYSTEM, f"git {arguments[0]}: {complaint(output)}")
    return output
