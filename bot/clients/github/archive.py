"""Post-mortems by pull request: `adr = { repository = "acme/shop", path = "docs/adr" }`.

Each incident has a branch and a pull request. The branch carries the number and the incident's id,
so that writing it twice is writing it once. Nothing is merged.
"""

import asyncio
import base64
import hashlib
import re
from collections.abc import Callable, Sequence

from bot.clients.github import endpoints as calls
from bot.clients.github import models as shapes
from bot.clients.github.client import PAGE, GitHub, or_none, read
from bot.clients.github.http import SYSTEM
from bot.clients.http.errors import HttpError
from phases.ports.ports import NotSetUp, PortError
from phases.postmortem.adr import BRANCH
from phases.postmortem.adr_numbering import Numbering, is_of, template_among
from phases.record.documents import Adr
from phases.record.incident import Incident
from phases.record.service import AdrPlace, Service
from phases.text.markdown import in_git

LISTED_MOST = 1000
"""Most entries of a folder that GitHub lists:
https://docs.github.com/en/rest/repos/contents#get-repository-content"""
FOLDERS_MOST = 30
"""Folders below the archive's own that are looked into: one for each year, or for each decision."""
_CHANGED = ("does not match", "but expected")
"""GitHub's words where the file or its branch has changed since it was read."""
_BRANCH = re.compile(rf"{BRANCH}(\d{{1,6}})-.+")


class GitHubArchive:
    """Keeps `phases.ports.coordination.Archive` for services whose `adr` names a repository.

    Methods raise `PortError`.
    """

    def __init__(self, github: GitHub) -> None:
        self._github = github

    async def highest(self, service: Service) -> int:
        """Return the highest number in the default branch and our open pull requests."""
        repository, _ = _repository_and_path(service)
        written = (await self.numbering(service)).highest
        pulls = read(
            list[shapes.Pull], await self._github.pages(calls.PULLS, repository, {"state": "open"})
        )
        branches = (_BRANCH.fullmatch(pull.head.ref) for pull in pulls)
        return max((written, *(int(branch.group(1)) for branch in branches if branch)))

    async def numbering(self, service: Service) -> Numbering:
        """Return the numbering of the folder's files on the default branch."""
        repository, place = _repository_and_path(service)
        return Numbering.of(await self._paths(repository, place.path))

    async def template(self, service: Service) -> str:
        """Return the template of the default branch."""
        repository, place = _repository_and_path(service)
        name = template_among(await self._paths(repository, place.path))
        if name is None:
            return ""
        content = await self._content(repository, f"{place.path}/{name}")
        return content[1] if content is not None else ""

    async def write(self, service: Service, incident: Incident, number: int, text: str) -> Adr:
        """Make a branch with the file, and its pull request; each is looked for first."""
        repository, place = _repository_and_path(service)
        branch = f"{BRANCH}{number:04d}-{incident.id}-{incident.ulid[-6:]}".lower()
        url = await self._pull(repository, branch)
        base = await self._github.default_branch(repository)
        if url is None:
            await self._branch(repository, branch, base)
        names = await self._paths(repository, place.path, branch) or await self._paths(
            repository, place.path, base
        )
        ways = Numbering.of(names)
        # The file of an earlier try.
        there = (name for name in names if is_of(name, incident) and ways.number(name) == number)
        path = f"{place.path}/{next(there, None) or ways.file(incident, number)}"
        if url is None:
            title = f"ADR-{number:04d}: {incident.id}, {in_git(incident.title, {})}"
            await self._file(repository, branch, path, text, title)
            url = await self._open_pull(repository, branch, base, title, incident)
        return Adr(number=number, path=path, url=url)

    async def revise(
        self, service: Service, incident: Incident, revised: Callable[[str], str], why: str
    ) -> str | None:
        """Revise the file on its own branch until that is merged.

        Then it is revised in a pull request of its own.
        """
        repository, _ = _repository_and_path(service)
        if incident.adr is None:
            return None
        path = incident.adr.path
        base = await self._github.default_branch(repository)
        merged = await self._content(repository, path, base)
        branch = f"{BRANCH}{incident.adr.number:04d}-{incident.id}-{incident.ulid[-6:]}".lower()
        if merged is not None:
            branch = f"{branch}-{hashlib.sha256(why.encode()).hexdigest()[:8]}"
            if (there := await self._pull(repository, branch)) is not None:
                return there
            if revised(merged[1]) == merged[1]:
                return None
            await self._branch(repository, branch, base)
        content = await self._content(repository, path, branch)
        if content is None:
            raise PortError(SYSTEM, f"{path} is neither merged nor in an open pull request")
        sha, text = content
        if (changed := revised(text)) != text:
            await self._commit_file(repository, branch, path, changed, {"message": why, "sha": sha})
        return (
            await self._open_pull(repository, branch, base, why, incident)
            if merged is not None
            else incident.adr.url
        )

    def repository(self, service: Service) -> str:
        """Return repository and path: the numbers of one directory are one sequence."""
        repository, place = _repository_and_path(service)
        return f"{repository}:{place.path}"

    # --- one step each ----------------------------------------------------------------------------

    async def _paths(self, repository: str, path: str, ref: str = "") -> list[str]:
        """Return the paths of the files below a folder, and in the folders in it.

        Raises where GitHub does not tell all of them.
        """
        rows = await self._directory_entries(repository, path, ref)
        folders = [
            row.name
            for row in rows
            if row.type == "dir" and row.name[:1] != "." and row.name.isprintable()
        ]
        if len(folders) > FOLDERS_MOST:
            folders = sorted(folders)[-FOLDERS_MOST:]  # years and numbers: the newest
        inside = await asyncio.gather(
            *(self._directory_entries(repository, f"{path}/{folder}", ref) for folder in folders)
        )
        files = [row.name for row in rows if row.type != "dir"]
        return files + [
            f"{at}/{row.name}"
            for at, entries in zip(folders, inside, strict=True)
            for row in entries
        ]

    async def _directory_entries(
        self, repository: str, path: str, ref: str
    ) -> Sequence[shapes.Entry]:
        asked = {"ref": ref} if ref else None
        answer = await or_none(self._github.get(calls.CONTENTS, repository, asked, path=path))
        if answer is None:
            return ()  # the directory begins with its first file
        rows = read(list[shapes.Entry], answer)
        if len(rows) >= LISTED_MOST:
            text = f"{path} has {LISTED_MOST} entries or more, and GitHub lists no more"
            text += ": which number is free is not known. Move old ones into folders"
            raise PortError(SYSTEM, text)
        return rows

    async def _content(
        self, repository: str, path: str, ref: str | None = None
    ) -> tuple[str, str] | None:
        """Return blob and text of a file, or None where the branch or the file is not there."""
        asked = {"ref": ref} if ref else None
        answer = await or_none(self._github.get(calls.CONTENTS, repository, asked, path=path))
        if answer is None:
            return None
        content = read(shapes.Content, answer)
        return content.sha, content.text

    async def _pull(self, repository: str, branch: str) -> str | None:
        # Of a repository that moved to another owner the catalogue may name the old one.
        name = (await self._github.about(repository)).full_name or repository
        asked = {"head": f"{name.partition('/')[0]}:{branch}", "state": "all", "per_page": PAGE}
        pulls = read(list[shapes.Pull], await self._github.get(calls.PULLS, repository, asked))
        return next((pull.html_url for pull in pulls if pull.head.ref == branch), None)

    async def _branch(self, repository: str, branch: str, base: str) -> None:
        newest = read(
            shapes.GitRef, await self._github.get(calls.GIT_REF, repository, ref=f"heads/{base}")
        )
        wanted = {"ref": f"refs/heads/{branch}", "sha": newest.object.sha}
        try:
            await self._github.write(calls.CREATE_REF, repository, wanted, repeatable=True)
        except HttpError as error:
            if error.status != 422:
                raise
            # "Reference already exists", or a rule of the repository forbids it.
            asked = self._github.get(calls.GIT_REF, repository, ref=f"heads/{branch}")
            if await or_none(asked) is None:
                raise

    async def _file(self, repository: str, branch: str, path: str, text: str, message: str) -> None:
        asked = self._github.get(calls.CONTENTS, repository, {"ref": branch}, path=path)
        if await or_none(asked) is not None:
            return  # an earlier try came so far
        await self._commit_file(repository, branch, path, text, {"message": message})

    async def _commit_file(
        self, repository: str, branch: str, path: str, text: str, more: dict[str, str]
    ) -> None:
        """Make one commit.

        Sent again after a fault, it is refused where it was taken before: the branch shows it then.
        What somebody else changed meanwhile is read anew by the next try.
        """
        body = {**more, "content": base64.b64encode(text.encode()).decode(), "branch": branch}
        try:
            await self._github.write(
                calls.PUT_CONTENTS, repository, body, repeatable=True, path=path
            )
        except HttpError as error:
            there = (
                await self._content(repository, path, branch)
                if error.status in (409, 422)
                else None
            )
            if there is not None and there[1] == text:
                return
            if error.status == 409 and any(words in error.said for words in _CHANGED):
                raise HttpError(SYSTEM, error.text, retryable=True, status=409) from error
            raise

    async def _open_pull(
        self, repository: str, branch: str, base: str, title: str, incident: Incident
    ) -> str:
        words = f"The post-mortem of {incident.id}, written in Slack by the people who were there."
        body = {"title": title, "head": branch, "base": base, "body": words}
        try:
            made = await self._github.write(calls.CREATE_PULL, repository, body, repeatable=True)
            return read(shapes.Pull, made).html_url
        except HttpError as error:
            there = await self._pull(repository, branch) if error.status == 422 else None
            if there is None:
                raise
            return there


def _repository_and_path(service: Service) -> tuple[str, AdrPlace]:
    place = service.adr
    if place is None or place.repository is None:
        raise NotSetUp(
            SYSTEM, f"no repository for the post-mortems of {service.name} is set up (`adr`)"
        )
    return place.repository, place.model_copy(
        update={"path": place.path.removeprefix("./").strip("/")}
    )
