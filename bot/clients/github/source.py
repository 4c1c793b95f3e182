"""Source code over GitHub, for services with a `repository` and no local clone. Keeps `phases.ports.ports.SourceCode`.

Commits by comparison with the files of each (https://docs.github.com/en/rest/commits/commits), blame by GraphQL, which alone has it
(https://docs.github.com/en/graphql/reference/objects#blame), hotfixes are open pull requests with the state of their checks.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
import re
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import ValidationError

from bot.clients.github import endpoints as calls
from bot.clients.github import models as shapes
from bot.clients.github.checks import ASK_CHECKS, pull_checks, rollup_of
from bot.clients.github.client import PAGE, SYSTEM, GitHub, read
from bot.clients.github.paths import candidates
from bot.clients.github.rest_fallback import RestInstead, without_graphql
from bot.clients.http.client import HttpError
from phases.ports.ports import HotfixRef, NotSetUp, PortError
from phases.ports.source_paths import PathIndex
from phases.ports.source_values import Commit, CommitFile, Covered, Place, PullChecks, placed
from phases.postmortem import test_coverage
from phases.postmortem.adr import BRANCH
from phases.record.findings import Frame, Suspect
from phases.record.service import HOTFIX, Service

log = logging.getLogger(__name__)

COMMITS = 500
DETAILED = 120
"""Of so many of the newest commits the files are asked for: a call each …"""
DETAIL_SECONDS = 12.0
"""… and not for longer than this."""
AT_ONCE = 8
"""https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api: no bursts"""
FILES_SHOWN = 300
"""A comparison shows no more files than these."""
PATCH_OF_A_FILE = 64 * 1024
BODY_LIMIT = 2000
HOTFIXES = 25
TESTS_SHOWN = 5
SNIPPET_AROUND = 2
REMEMBERED = 1000
NAME_SECONDS = 300.0
"""How long it is remembered which commit a tag names."""
TREES = 3
"""Lists of files that are kept: one may have 100,000."""
TREE_SECONDS = 8.0
AGAIN_SECONDS = 60.0
"""So long a list that did not come is not asked for again."""

_SHA = re.compile(r"[0-9a-f]{40}")
_SHORT_SHA = re.compile(r"[0-9a-f]{7,40}")

PULLS = """
query FirebreakPulls($owner: String!, $name: String!) {
  repository(owner: $owner, name: $name) {
    pullRequests(states: OPEN, first: 50, orderBy: {field: UPDATED_AT, direction: DESC}) {
      nodes {
        number title body url headRefName headRefOid isCrossRepository
        commits(last: 1) { nodes { commit { statusCheckRollup { state } } } }
      }
    }
  }
}
"""
BLAME = """
query FirebreakBlame($owner: String!, $name: String!, $commit: String!, $path: String!) {
  repository(owner: $owner, name: $name) {
    object(expression: $commit) {
      ... on Commit {
        blame(path: $path) {
          ranges {
            startingLine endingLine
            commit {
              oid messageHeadline authoredDate url
              author { name }
              associatedPullRequests(first: 1) { nodes { number url } }
            }
          }
        }
      }
    }
  }
}
"""

Checks = Literal["green", "red", "running"]
CHECKS: Mapping[str, Checks] = {
    "SUCCESS": "green",
    "FAILURE": "red",
    "ERROR": "red",
    "PENDING": "running",
    "EXPECTED": "running",
}
"""https://docs.github.com/en/graphql/reference/enums#statusstate"""


class GitHubSource:
    def __init__(self, github: GitHub) -> None:
        self._github = github
        self._rest = RestInstead(github)
        self._shas: dict[tuple[str, str], tuple[float, str]] = {}
        self._places: OrderedDict[tuple[str, str, str], str | None] = OrderedDict()
        self._trees: OrderedDict[tuple[str, str], PathIndex | None] = OrderedDict()
        self._without_tree: dict[tuple[str, str], float] = {}
        self._reading = asyncio.Lock()
        self._detailed: OrderedDict[tuple[str, str], shapes.Commit] = OrderedDict()

    async def commits(self, service: Service, older: str, newer: str) -> Sequence[Commit]:
        repository = repository_of(service)
        base, head = await self._ends(service, older, newer)
        first = await self._compare(repository, base, head, 1)
        pages = -(-first.total_commits // PAGE)
        wanted = range(max(2, (first.total_commits - COMMITS) // PAGE + 1), pages + 1)
        rest = await self._few([self._compare(repository, base, head, page) for page in wanted])
        oldest_first = {c.sha: c for page in (first, *rest) for c in page.commits}
        newest = list(oldest_first.values())[::-1][:COMMITS]
        if len(newest) == 1 and first.files:
            return (_commit(newest[0].model_copy(update={"files": first.files})),)
        known = await self._details(repository, [c.sha for c in newest[:DETAILED] if not c.merges])
        return tuple(_commit(known.get(c.sha, c)) for c in newest)

    async def place(self, service: Service, release: str, frame: Frame) -> Place:
        """By the list of all files; where GitHub shows only a part of it, in the usual places."""
        repository = repository_of(service)
        commit = await self._sha(service, release)
        index = await self._tree(repository, commit)
        if index is not None:
            return placed(index, frame)
        names = dict.fromkeys((*candidates(frame.file, frame.module), *candidates(frame.path)))
        there = await self._there(repository, commit, list(names))
        return placed(PathIndex(there), frame, complete=False)

    async def blame(self, service: Service, release: str, file: str, line: int) -> Suspect | None:
        repository = repository_of(service)
        commit = await self._sha(service, release)
        path = await self._place(repository, commit, file)
        if path is None or line < 1:
            return None
        asked = {**_names(repository), "commit": commit, "path": path}
        data = await self._github.graphql(BLAME, asked, permission="Contents: read")
        blamed = (((data.get("repository") or {}).get("object") or {}).get("blame") or {}).get(
            "ranges"
        ) or []
        found = next((r for r in blamed if r["startingLine"] <= line <= r["endingLine"]), None)
        return _suspect(found["commit"]) if found else None

    async def snippet(
        self, service: Service, release: str, file: str, line: int
    ) -> Sequence[tuple[int, str]]:
        repository = repository_of(service)
        commit = await self._sha(service, release)
        path = await self._place(repository, commit, file)
        if path is None:
            return ()
        content = read(
            shapes.Content,
            await self._github.get(calls.CONTENTS, repository, {"ref": commit}, path=path),
        )
        if content.type == "file" and content.encoding != "base64":
            raise PortError(
                SYSTEM, f"{path[:200]} is too large for GitHub to show its lines", retryable=False
            )
        lines = _text(content).splitlines()
        if not 1 <= line <= len(lines):
            return ()
        first, last = max(1, line - SNIPPET_AROUND), min(len(lines), line + SNIPPET_AROUND)
        return tuple((number, lines[number - 1][:300]) for number in range(first, last + 1))

    def remarks(self, service: Service) -> Sequence[str]:
        return ()

    async def hotfixes(self, service: Service) -> Sequence[HotfixRef]:
        """Open pull requests of the repository's own branches. Left out are forks', which anybody can open, and post-mortems."""
        repository = repository_of(service)
        try:
            data = await self._github.graphql(
                PULLS, _names(repository), permission="Pull requests: read"
            )
            nodes = ((data.get("repository") or {}).get("pullRequests") or {}).get("nodes") or []
        except HttpError as error:
            if not without_graphql(error):
                raise
            nodes = await self._rest.pulls(repository)
        own = [node for node in nodes if node and not node.get("isCrossRepository", True)]
        found = [
            _hotfix(node)
            for node in own
            if not str(node.get("headRefName") or "").startswith(BRANCH)
        ]
        return tuple(found[:HOTFIXES])

    async def changed_paths(self, service: Service, older: str, newer: str) -> Sequence[str]:
        """Raises where GitHub shows only a part of them: what is not shown could be a one-way path."""
        repository = repository_of(service)
        base, head = await self._ends(service, older, newer)
        there = await self._compare(repository, base, head, 1)
        sides = [there]
        if there.status in ("behind", "diverged"):
            sides.append(await self._compare(repository, head, base, 1))
        if any(len(side.files) >= FILES_SHOWN for side in sides):
            text = f"{FILES_SHOWN} or more files changed from {older} to {newer}, and GitHub shows no more of them"
            raise PortError(SYSTEM, text, retryable=False)
        paths = (
            p for side in sides for f in side.files for p in (f.filename, f.previous_filename) if p
        )
        return tuple(dict.fromkeys(paths))

    async def pull_request(self, service: Service, sha: str) -> str | None:
        """The address of the pull request that brought a commit."""
        answer = await self._github.polled(
            calls.COMMIT_PULLS, repository_of(service), commit_sha=sha
        )
        rows = read(shapes.PullNumbers, {"rows": answer}).rows
        merged = [row for row in rows if row.merged_at is not None]
        return next((row.html_url for row in (*merged, *rows)), None)

    async def commit(self, service: Service, sha: str) -> Commit | None:
        try:
            answer = await self._github.polled(
                calls.COMMIT, repository_of(service), {"per_page": 1}, ref=sha
            )
        except HttpError as error:
            if error.status not in (404, 422):
                raise
            return None
        return _commit(read(shapes.Commit, answer))

    async def tests_of(self, service: Service, release: str, file: str) -> Covered | None:
        """By their names: GitHub searches text on the default branch only. Without a list of files: in the usual places."""
        repository = repository_of(service)
        commit = await self._sha(service, release)
        path = await self._place(repository, commit, file)
        if path is None:
            return None
        if (index := await self._tree(repository, commit)) is not None:
            tests = test_coverage.tests_among(path, index.paths)
            named = [test for test in tests if test_coverage.called_after(test, path)]
            return Covered(naming=tuple(named[:TESTS_SHOWN]), files=len(tests), read=False)
        there = await self._there(repository, commit, test_coverage.candidates(path))
        return Covered(naming=tuple(there[:TESTS_SHOWN]), read=False, everywhere=False)

    async def checks(self, service: Service, sha: str) -> PullChecks | None:
        """Check runs and commit statuses together, in one question."""
        repository = repository_of(service)
        asked = {**_names(repository), "commit": sha}
        try:
            data = await self._github.graphql(
                ASK_CHECKS, asked, permission="Pull requests: read, Checks: read"
            )
            found = ((data.get("repository") or {}).get("object") or {}).get(
                "associatedPullRequests"
            ) or {}
            nodes = [node for node in found.get("nodes") or [] if node]
        except HttpError as error:
            if not without_graphql(error):
                raise
            nodes = await self._rest.pulls_of(repository, sha)
        pull = next((node for node in nodes if node.get("merged")), nodes[0] if nodes else None)
        return pull_checks(pull) if pull else None

    # --- pages and details ---------------------------------------------------------------------------------------

    async def _compare(self, repository: str, base: str, head: str, page: int) -> shapes.Comparison:
        asked = {"per_page": PAGE, "page": page}
        answer = await self._github.get(
            calls.COMPARE, repository, asked, basehead=f"{base}...{head}"
        )
        return read(shapes.Comparison, answer)

    async def _few(self, asked: Sequence[Any]) -> list[Any]:
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(coroutine: Any) -> Any:
            async with gate:
                return await coroutine

        return list(await asyncio.gather(*(one(coroutine) for coroutine in asked)))

    async def _details(self, repository: str, shas: Sequence[str]) -> Mapping[str, shapes.Commit]:
        """The files of these commits; a commit never changes. Out of time, or out of calls: what is there by then."""

        async def detail(sha: str) -> None:
            if (repository, sha) not in self._detailed:
                answer = await self._github.get(calls.COMMIT, repository, ref=sha)
                self._detailed[repository, sha] = read(shapes.Commit, answer)

        try:
            async with asyncio.timeout(DETAIL_SECONDS):
                await self._few([detail(sha) for sha in shas])
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
        known = {
            sha: self._detailed[repository, sha]
            for sha in shas
            if (repository, sha) in self._detailed
        }
        while len(self._detailed) > COMMITS:
            self._detailed.popitem(last=False)
        return known

    # --- names ---------------------------------------------------------------------------------------------------

    async def _ends(self, service: Service, older: str, newer: str) -> tuple[str, str]:
        base, head = await asyncio.gather(self._sha(service, older), self._sha(service, newer))
        return base, head

    async def _sha(self, service: Service, name: str) -> str:
        """The commit of a version, as its tag says; of a hotfix; or of a sha. Raises where GitHub does not know it."""
        repository = repository_of(service)
        if _SHA.fullmatch(name.lower()):
            return name.lower()
        at, sha = self._shas.get((repository, name), (0.0, ""))
        if sha and time.monotonic() - at < NAME_SECONDS:
            return sha
        short = name.rpartition("@")[2] if HOTFIX.fullmatch(name) else name.lower()
        tag = service.release.tag.replace("{version}", name)
        for ref in (f"tags/{tag}", short):
            if ref is short and not _SHORT_SHA.fullmatch(short):
                continue
            try:
                answer = await self._github.polled(
                    calls.COMMIT, repository, {"per_page": 1}, ref=ref
                )
            except HttpError as error:
                if error.status not in (404, 409, 422):
                    raise
                continue
            sha = read(shapes.Commit, answer).sha
            self._shas[repository, name] = (time.monotonic(), sha)
            return sha
        raise PortError(
            SYSTEM,
            f"{name[:100]} is not known in {repository} (its tag would be {tag[:100]})",
            retryable=False,
        )

    async def _place(self, repository: str, commit: str, file: str) -> str | None:
        """The path in the repository that a frame's file stands for. Without a list of files: the longest end of it that is there."""
        key = (repository, commit, file)
        if key in self._places:
            return self._places[key]
        index = await self._tree(repository, commit)
        there = (
            index.locate(file) if index else await self._there(repository, commit, candidates(file))
        )
        found = there[0] if there and (index is None or len(there) == 1) else None
        self._places[key] = found
        while len(self._places) > REMEMBERED:
            self._places.popitem(last=False)
        return found

    async def _tree(self, repository: str, commit: str) -> PathIndex | None:
        """All files of a commit, which never change. None where GitHub does not list them all, or not now."""
        key = (repository, commit)
        async with self._reading:
            if time.monotonic() - self._without_tree.get(key, -AGAIN_SECONDS) < AGAIN_SECONDS:
                return None
            if key not in self._trees:
                try:
                    async with asyncio.timeout(TREE_SECONDS):
                        answer = await self._github.get(
                            calls.TREE, repository, {"recursive": "1"}, tree_sha=commit
                        )
                except (HttpError, TimeoutError) as error:
                    said = (
                        error.text
                        if isinstance(error, HttpError)
                        else f"no answer within {TREE_SECONDS:g} s"
                    )
                    log.warning("the list of files of %s at %s: %s", repository, commit[:9], said)
                    self._without_tree = {key: time.monotonic()}
                    return None
                tree = read(shapes.Tree, answer)
                paths = [entry["path"] for entry in tree.tree if entry["type"] == "blob"]
                self._trees[key] = (
                    None if tree.truncated else await asyncio.to_thread(PathIndex, paths)
                )
                while len(self._trees) > TREES:
                    self._trees.popitem(last=False)
            return self._trees[key]

    async def _there(self, repository: str, commit: str, places: Sequence[str]) -> list[str]:
        """Those of the paths at which there is a file, in their order; one question for all."""
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
            data = await self._github.graphql(
                document, {**_names(repository), **variables}, permission="Contents: read"
            )
        except HttpError as error:
            if not without_graphql(error):
                raise
            return await self._rest.files(repository, commit, places)
        there = data.get("repository") or {}
        return [
            p
            for n, p in enumerate(places)
            if (there.get(f"p{n}") or {}).get("__typename") == "Blob"
        ]


def repository_of(service: Service) -> str:
    """Raises `NotSetUp` where the catalogue names none."""
    if not service.repository:
        raise NotSetUp(
            SYSTEM, f"no repository of {service.name} is set up (`repository` in the catalogue)"
        )
    return service.repository


def _names(repository: str) -> dict[str, str]:
    owner, _, name = repository.partition("/")
    return {"owner": owner, "name": name}


def _commit(found: shapes.Commit) -> Commit:
    """Without files of a merge, as `git log` has it: GitHub shows the whole pull request again there, and it would be a suspect twice."""
    subject, _, body = found.commit.message.partition("\n")
    author = found.commit.author
    return Commit(
        sha=found.sha,
        author=(author.name if author else None) or "",
        at=author.date if author else None,
        subject=subject[:300],
        body=body.strip()[:BODY_LIMIT],
        files=tuple(
            CommitFile(
                path=f.filename,
                added=f.additions,
                deleted=f.deletions,
                patch=f.patch[:PATCH_OF_A_FILE],
            )
            for f in (() if found.merges else found.files)
        ),
        url=found.html_url,
    )


def _suspect(blamed: Mapping[str, Any]) -> Suspect:
    pulls = (blamed.get("associatedPullRequests") or {}).get("nodes") or []
    try:
        return Suspect(
            sha=blamed["oid"],
            author=(blamed.get("author") or {}).get("name") or "",
            at=datetime.fromisoformat(
                str(blamed["authoredDate"]).replace("Z", "+00:00")
            ).astimezone(UTC),
            subject=str(blamed.get("messageHeadline") or "")[:200],
            url=blamed.get("url"),
            pull_request=pulls[0]["url"] if pulls else None,
        )
    except (KeyError, ValueError, ValidationError) as error:
        raise HttpError(
            SYSTEM, "GitHub's blame has not the shape that is documented", retryable=True
        ) from error


def _hotfix(node: Mapping[str, Any]) -> HotfixRef:
    rollup = rollup_of(node)
    try:
        return HotfixRef(
            name=f"#{node['number']}",
            commit=node["headRefOid"],
            subject=str(node.get("title") or "")[:200],
            body=str(node.get("body") or "")[:BODY_LIMIT],
            url=node.get("url"),
            checks=CHECKS.get(str(rollup.get("state"))) if rollup else None,
        )
    except (KeyError, ValidationError) as error:
        raise HttpError(
            SYSTEM, "GitHub's pull requests have not the documented shape", retryable=True
        ) from error


def _text(content: shapes.Content) -> str:
    """Empty for a directory, and for a file over 1 MB, of which GitHub sends nothing here."""
    if content.type != "file" or content.encoding != "base64":
        return ""
    try:
        return base64.b64decode(content.content).decode("utf-8", "replace")
    except binascii.Error as error:
        raise HttpError(
            SYSTEM, "GitHub sent a file that cannot be decoded", retryable=True
        ) from error
