"""Source code over GitHub, for services with a `repository` and no local clone.

Commits come by comparison with the files of each (https://docs.github.com/en/rest/commits/commits),
and blame by GraphQL, which alone has it
(https://docs.github.com/en/graphql/reference/objects#blame). Hotfixes are open pull requests with
the state of their checks.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence

from bot.clients.cache import Cache
from bot.clients.gather import at_once
from bot.clients.github import endpoints as calls
from bot.clients.github import models as shapes
from bot.clients.github.checks import ASK_CHECKS, pull_checks
from bot.clients.github.client import PAGE, GitHub, or_none, read
from bot.clients.github.graphql_models import BlameAnswer, OpenPulls, Places, PullsOfCommit
from bot.clients.github.http import SYSTEM
from bot.clients.github.paths import candidates
from bot.clients.github.rest_fallback import RestInstead, without_graphql
from bot.clients.github.values import BLAME, PULLS, commit_of, hotfix_of, suspect_of
from bot.clients.http.errors import HttpError
from phases.ports.ports import HotfixRef, NotSetUp, PortError
from phases.ports.source_paths import PathIndex
from phases.ports.source_values import (
    IGNORED_REVISIONS,
    Commit,
    Covered,
    Place,
    PullChecks,
    ignored_revisions,
    lines_around,
    placed,
)
from phases.postmortem import test_coverage
from phases.postmortem.adr import BRANCH
from phases.record.findings import ABBREVIATED, COMMIT, Frame, Suspect
from phases.record.service import HOTFIX, Service

log = logging.getLogger(__name__)

COMMITS = 500
DETAILED = 120
"""Of so many of the newest commits the files are asked for: a call each …"""
DETAIL_SECONDS = 12.0
"""… and not for longer than this."""
HIDDEN_MOST = 3
"""Commits whose files GitHub does not show, after which no more are asked for."""
AT_ONCE = 8
"""No bursts:
https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api"""
FILES_SHOWN = 300
"""A comparison shows no more files than these."""
HOTFIXES = 25
TESTS_SHOWN = 5
REMEMBERED = 1000
NAME_SECONDS = 300.0
"""How long it is remembered which commit a tag names."""
TREES = 3
"""Lists of files that are kept: one may have 100,000."""
TREE_SECONDS = 8.0
AGAIN_SECONDS = 60.0
"""So long a list that did not come is not asked for again."""


class GitHubSource:
    """Keeps `phases.ports.ports.SourceCode` and `PullRequests`. Methods raise `PortError`."""

    def __init__(self, github: GitHub) -> None:
        self._github = github
        self._rest = RestInstead(github)
        self._shas = Cache[tuple[str, str], str](seconds=NAME_SECONDS)
        self._places = Cache[tuple[str, str, str], str | None](most=REMEMBERED)
        self._trees = Cache[tuple[str, str], PathIndex | None](most=TREES)
        self._without_tree = Cache[tuple[str, str], bool](seconds=AGAIN_SECONDS)
        self._reading = asyncio.Lock()
        self._detailed = Cache[tuple[str, str], shapes.Commit](most=COMMITS)

    async def commits(self, service: Service, older: str, newer: str) -> Sequence[Commit]:
        repository = repository_of(service)
        base, head = await self._range_ends(service, older, newer)
        first = await self._compare(repository, base, head, 1)
        pages = -(-first.total_commits // PAGE)
        wanted = range(max(2, (first.total_commits - COMMITS) // PAGE + 1), pages + 1)
        rest = await at_once(
            AT_ONCE, lambda page: self._compare(repository, base, head, page), wanted
        )
        oldest_first = {c.sha: c for page in (first, *rest) for c in page.commits}
        newest = list(oldest_first.values())[::-1][:COMMITS]
        if len(newest) == 1 and first.files:
            return (commit_of(newest[0].model_copy(update={"files": first.files})),)
        known = await self._details(repository, [c.sha for c in newest[:DETAILED] if not c.merges])
        return tuple(commit_of(known.get(c.sha, c)) for c in newest)

    async def place(self, service: Service, release: str, frame: Frame) -> Place:
        """Return the place by the list of all files, or, where that is cut, in the usual places."""
        repository = repository_of(service)
        commit = await self._sha(service, release)
        index = await self._tree(repository, commit)
        if index is not None:
            return placed(index, frame)
        names = dict.fromkeys((*candidates(frame.file, frame.module), *candidates(frame.path)))
        there = await self._existing(repository, commit, list(names))
        return placed(PathIndex(there), frame, complete=False)

    async def blame(self, service: Service, release: str, file: str, line: int) -> Suspect | None:
        repository = repository_of(service)
        commit = await self._sha(service, release)
        path = await self._path_of(repository, commit, file)
        if path is None or line < 1:
            return None
        asked = {**names_of(repository), "commit": commit, "path": path}
        asked |= {"here": f"{commit}:{IGNORED_REVISIONS}", "main": f"HEAD:{IGNORED_REVISIONS}"}
        answer = await self._github.graphql(BlameAnswer, BLAME, asked, permission="Contents: read")
        for span in answer.ranges or ():
            if span.first <= line <= span.last:
                ignored = ignored_revisions(answer.here or "", answer.main or "")
                # Who wrote the line before it was only tidied, GitHub does not tell.
                return None if span.commit.oid in ignored else suspect_of(span.commit)
        return None

    async def snippet(
        self, service: Service, release: str, file: str, line: int
    ) -> Sequence[tuple[int, str]]:
        repository = repository_of(service)
        commit = await self._sha(service, release)
        path = await self._path_of(repository, commit, file)
        if path is None:
            return ()
        content = read(
            shapes.Content,
            await self._github.get(calls.CONTENTS, repository, {"ref": commit}, path=path),
        )
        if content.type == "file" and content.encoding != "base64":
            raise PortError(SYSTEM, f"{path[:200]} is too large for GitHub to show its lines")
        return lines_around(content.text, line)

    def remarks(self, service: Service) -> Sequence[str]:
        return ()

    async def hotfixes(self, service: Service) -> Sequence[HotfixRef]:
        """Return open pull requests of the repository's own branches.

        Left out are those of forks, which anybody can open, and post-mortems.
        """
        repository = repository_of(service)
        try:
            answer = await self._github.graphql(
                OpenPulls, PULLS, names_of(repository), permission="Pull requests: read"
            )
            pulls = answer.pulls or ()
        except HttpError as error:
            if not without_graphql(error):
                raise
            pulls = await self._rest.pulls(repository)
        own = [pull for pull in pulls if pull and not pull.of_a_fork]
        fixes = [pull for pull in own if not pull.branch.startswith(BRANCH)]
        return tuple(hotfix_of(pull) for pull in fixes[:HOTFIXES])

    async def changed_paths(self, service: Service, older: str, newer: str) -> Sequence[str]:
        """Return the paths. Raises where GitHub shows only a part: a one-way path may be hidden."""
        repository = repository_of(service)
        base, head = await self._range_ends(service, older, newer)
        there = await self._compare(repository, base, head, 1)
        sides = [there]
        if there.status in ("behind", "diverged"):
            sides.append(await self._compare(repository, head, base, 1))
        if any(len(side.files) >= FILES_SHOWN for side in sides):
            text = f"{FILES_SHOWN} or more files changed from {older} to {newer}"
            raise PortError(SYSTEM, f"{text}, and GitHub shows no more of them")
        paths = (
            p for side in sides for f in side.files for p in (f.filename, f.previous_filename) if p
        )
        return tuple(dict.fromkeys(paths))

    async def pull_request(self, service: Service, sha: str) -> str | None:
        """Return the address of the pull request that brought a commit."""
        answer = await self._github.polled(
            calls.COMMIT_PULLS, repository_of(service), commit_sha=sha
        )
        rows = read(list[shapes.PullNumber], answer)
        merged = [row for row in rows if row.merged_at is not None]
        return next((row.html_url for row in (*merged, *rows)), None)

    async def commit(self, service: Service, sha: str) -> Commit | None:
        asked = self._github.polled(calls.COMMIT, repository_of(service), {"per_page": 1}, ref=sha)
        answer = await or_none(asked, 404, 422)
        return None if answer is None else commit_of(read(shapes.Commit, answer))

    async def tests_of(self, service: Service, release: str, file: str) -> Covered | None:
        """Return tests by their names: GitHub searches text on the default branch only.

        Without a list of files they are looked for in the usual places.
        """
        repository = repository_of(service)
        commit = await self._sha(service, release)
        path = await self._path_of(repository, commit, file)
        if path is None:
            return None
        if (index := await self._tree(repository, commit)) is not None:
            tests = test_coverage.tests_among(path, index.paths)
            named = [test for test in tests if test_coverage.called_after(test, path)]
            return Covered(naming=tuple(named[:TESTS_SHOWN]), files=len(tests), read=False)
        there = await self._existing(repository, commit, test_coverage.candidate_tests(path))
        return Covered(naming=tuple(there[:TESTS_SHOWN]), read=False, everywhere=False)

    async def checks(self, service: Service, sha: str) -> PullChecks | None:
        """Return check runs and commit statuses together, from one question."""
        repository = repository_of(service)
        asked = {**names_of(repository), "commit": sha}
        try:
            answer = await self._github.graphql(
                PullsOfCommit, ASK_CHECKS, asked, permission="Pull requests: read, Checks: read"
            )
            pulls = [pull for pull in answer.pulls or () if pull]
        except HttpError as error:
            if not without_graphql(error):
                raise
            pulls = await self._rest.pulls_of(repository, sha)
        pull = next((pull for pull in pulls if pull.merged), pulls[0] if pulls else None)
        return pull_checks(pull) if pull else None

    # --- pages and details ------------------------------------------------------------------------

    async def _compare(self, repository: str, base: str, head: str, page: int) -> shapes.Comparison:
        asked = {"per_page": PAGE, "page": page}
        answer = await self._github.get(
            calls.COMPARE, repository, asked, basehead=f"{base}...{head}"
        )
        return read(shapes.Comparison, answer)

    async def _details(self, repository: str, shas: Sequence[str]) -> Mapping[str, shapes.Commit]:
        """Return these commits with their files; a commit never changes.

        Where the time or the calls run out, those that came by then are returned.
        """

        hidden: list[HttpError] = []

        async def detail(sha: str) -> None:
            if (repository, sha) in self._detailed:
                return
            try:
                answer = await self._github.get(calls.COMMIT, repository, ref=sha)
                self._detailed[repository, sha] = read(shapes.Commit, answer)
            except HttpError as error:
                # One commit may be too large for GitHub to show: the others stand.
                hidden.append(error)
                if error.limited or len(hidden) > HIDDEN_MOST:
                    raise

        try:
            async with asyncio.timeout(DETAIL_SECONDS):
                await at_once(AT_ONCE, detail, shas)
        except TimeoutError:
            log.warning(
                "GitHub did not show the files of all %d commits within %.0f s",
                len(shas),
                DETAIL_SECONDS,
            )
        except HttpError as error:
            if not error.retryable:
                raise
            log.warning(
                "GitHub does not show the files of all %d commits: %s", len(shas), error.text
            )
        if hidden and not hidden[0].retryable and len(hidden) == len(shas):
            raise hidden[0]  # not one may be seen: that is the token
        details = ((sha, self._detailed.get((repository, sha))) for sha in shas)
        return {sha: detail for sha, detail in details if detail is not None}

    # --- names ------------------------------------------------------------------------------------

    async def _range_ends(self, service: Service, older: str, newer: str) -> tuple[str, str]:
        base, head = await asyncio.gather(self._sha(service, older), self._sha(service, newer))
        return base, head

    async def _sha(self, service: Service, name: str) -> str:
        """Return the commit of a version, as its tag says; of a hotfix; or of a sha.

        Raises where GitHub does not know it.
        """
        repository = repository_of(service)
        if COMMIT.fullmatch(name.lower()):
            return name.lower()
        if (sha := self._shas.get((repository, name))) is not None:
            return sha
        short = name.rpartition("@")[2] if HOTFIX.fullmatch(name) else name.lower()
        tag = service.release.tag.replace("{version}", name)
        for ref in (f"tags/{tag}", short):
            if ref is short and not ABBREVIATED.fullmatch(short):
                continue
            asked = self._github.polled(calls.COMMIT, repository, {"per_page": 1}, ref=ref)
            if (answer := await or_none(asked, 404, 409, 422)) is None:
                continue
            sha = read(shapes.Commit, answer).sha
            self._shas[repository, name] = sha
            return sha
        raise PortError(
            SYSTEM, f"{name[:100]} is not known in {repository} (its tag would be {tag[:100]})"
        )

    async def _path_of(self, repository: str, commit: str, file: str) -> str | None:
        """Return the path in the repository that a frame's file stands for.

        Without a list of files it is the longest end of it that is there.
        """
        key = (repository, commit, file)
        if key in self._places:
            return self._places[key]
        index = await self._tree(repository, commit)
        there = (
            index.locate(file)
            if index
            else await self._existing(repository, commit, candidates(file))
        )
        self._places[key] = there[0] if there and (index is None or len(there) == 1) else None
        return self._places[key]

    async def _tree(self, repository: str, commit: str) -> PathIndex | None:
        """Return all files of a commit, which never change.

        None: GitHub does not list them all, or not now.
        """
        key = (repository, commit)
        async with self._reading:
            if key in self._without_tree:
                return None
            if key not in self._trees:
                try:
                    async with asyncio.timeout(TREE_SECONDS):
                        answer = await self._github.get(
                            calls.TREE, repository, {"recursive": "1"}, tree_sha=commit
                        )
                except (HttpError, TimeoutError) as error:
                    why = getattr(error, "text", f"no answer within {TREE_SECONDS:g} s")
                    log.warning("the list of files of %s at %s: %s", repository, commit[:9], why)
                    self._without_tree[key] = True
                    return None
                tree = read(shapes.Tree, answer)
                paths = [entry["path"] for entry in tree.tree if entry["type"] == "blob"]
                self._trees[key] = (
                    None if tree.truncated else await asyncio.to_thread(PathIndex, paths)
                )
            return self._trees[key]

    async def _existing(self, repository: str, commit: str, places: Sequence[str]) -> list[str]:
        """Return those of the paths at which there is a file, from one question for all."""
        if not places:
            return []
        variables = {f"e{n}": f"{commit}:{place}" for n, place in enumerate(places)}
        declared = "".join(f", ${name}: String!" for name in variables)
        asked = " ".join(
            f"p{n}: object(expression: $e{n}) {{ __typename }}" for n in range(len(places))
        )
        document = (
            f"query FirebreakPlace($owner: String!, $name: String!{declared}) "
            f"{{ repository(owner: $owner, name: $name) {{ {asked} }} }}"
        )
        try:
            answer = await self._github.graphql(
                Places, document, {**names_of(repository), **variables}, permission="Contents: read"
            )
        except HttpError as error:
            if not without_graphql(error):
                raise
            return await self._rest.files(repository, commit, places)
        there = answer.repository or {}
        files = {name for name, entry in there.items() if entry and entry.kind == "Blob"}
        return [place for n, place in enumerate(places) if f"p{n}" in files]


def repository_of(service: Service) -> str:
    """Raises `NotSetUp` where the catalogue names none."""
    if not service.repository:
        raise NotSetUp(
            SYSTEM, f"no repository of {service.name} is set up (`repository` in the catalogue)"
        )
    return service.repository


def names_of(repository: str) -> dict[str, str]:
    owner, _, name = repository.partition("/")
    return {"owner": owner, "name": name}
