"""What the catalogue says of one service, with its numbers. `bot/config/catalogue.py` reads the file and makes these."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import timedelta
from functools import lru_cache
from typing import Literal

from pydantic import Field

from phases.record.findings import Release, Value

WINDOW_SECONDS = 900  # workflow, phase 1: "in last 15 minutes"
RECHECK_AFTER_SECONDS = 300  # workflow, phase 5: "Wait 5-10 min after action"
RECHECK_UNTIL_SECONDS = 600

DEPLOYABLE = re.compile(
    r"[A-Za-z0-9](?:[A-Za-z0-9._+@/ -]{0,198}[A-Za-z0-9._+@/-])?"
)  # rules: Releases and deploys
HOTFIX = re.compile(
    r"hotfix (?:#[1-9][0-9]{0,8}|[A-Za-z0-9][A-Za-z0-9._+@/ -]{0,180})@[0-9a-f]{7,40}"
)
"""What a hotfix is called: by its branch, or by its pull request."""


_PART = re.compile(r"(\{version\}(?:\{build\}|\*)?|\{build\}|\*)")
_READS = {"{version}": "(?P<version>.+)", "{build}": ".+", "*": ".*"}
_BARE = "{version}"
COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
ABBREVIATED = re.compile(r"[0-9a-f]{7,64}")
_NUMBERED = re.compile(
    r"\d+\.\d.*|\d+(?:-\d+)*|\d{8}.*|(?:.*[^A-Za-z0-9])?(?:v\d|\d+\.\d+\.\d).*|.*@\d.*"
)
"""How tags are mostly numbered: `1.4`, `v2`, `billing-v7.1.0`, `shop@7`.

The branches `release/1.3` and `12-fix` are not numbered so.
"""


_BRANCH = re.compile(
    r"(?:feat(?:ure)?|bug-?fix|fix|hot-?fix|support|chore|dependabot|renovate)/", re.IGNORECASE
)
"""How branches begin: `hotfix/1.4.1`. https://nvie.com/posts/a-successful-git-branching-model/ and Dependabot, Renovate"""
_BEFORE = re.compile(
    r"(?:alpha|beta|rc|cr|pre|preview|dev|snapshot|canary|next|nightly|m|a|b|c)(?![a-z])",
    re.IGNORECASE,
)


@lru_cache(maxsize=1000)
def _reader(pattern: str) -> re.Pattern[str]:
    """Compile a pattern.

    A build right behind the version is one as SemVer writes it, from the first `+` on, or none
    (https://semver.org/#spec-item-10).
    """
    reads = (
        _READS.get(part)
        or (r"(?P<version>[^+]+)(?:\+.*)?" if part.startswith(_BARE) else re.escape(part))
        for part in _PART.split(pattern)
    )
    return re.compile("".join(reads), re.DOTALL)


class ReleaseNames(Value):
    """How each system writes a `version` (rules: Releases and deploys)."""

    sentry: str = _BARE
    """May hold `{build}` or `*`: what is there in Sentry alone and says nothing of the version."""
    tag: str = _BARE
    deploy: str = _BARE

    def version_of(self, pattern: str, name: str) -> str | None:
        """The version in `name` as `pattern` writes it, or None where it does not fit: shown, never chosen."""
        found = _reader(pattern).fullmatch(name)
        return found["version"] if found else None

    @property
    def with_builds(self) -> bool:
        """Whether Sentry alone knows the whole name of a release."""
        return "{build}" in self.sentry or "*" in self.sentry

    def in_sentry(self, version: str) -> str:
        """As Sentry's search finds it: where names have builds, of whatever build."""
        return self.sentry.replace(_BARE, version).replace("{build}", "*")


class DeployCommands(Value):
    """The `command` deployer: argv lists, a placeholder fills one whole argument, no shell."""

    directory: str
    run: tuple[str, ...]
    current: tuple[str, ...]
    releases: tuple[str, ...]
    hotfix: tuple[str, ...] = ()
    limit_seconds: int = 900


class DeployWorkflow(Value):
    """The `github` deployer: by workflow dispatch, or by the Deployments API."""

    via: Literal["workflow", "deployments"] = "workflow"
    workflow: str = "deploy.yml"
    hotfix_workflow: str = "hotfix.yml"
    environment: str = "production"


class AdrPlace(Value):
    """Where post-mortems are written: a local directory of a Git clone, or a path in a GitHub repository."""

    directory: str | None = None
    repository: str | None = None
    path: str = "docs/adr"


class Service(Value):
    name: str
    aliases: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    """As written in the catalogue: `@group-handle`, `@user`, or Slack ids."""
    sentry: tuple[str, ...] = ()
    environments: tuple[str, ...] = ("production",)
    features: dict[str, str] = Field(default_factory=dict[str, str])
    """Feature → transaction pattern (`*` and `?` as in a shell)."""
    region_tag: str = "region"
    org_tag: str = "customer"
    not_users: tuple[str, ...] = ()
    release: ReleaseNames = ReleaseNames()
    beside: tuple[str, ...] = ()
    """How the other services of the same repository write their tags and deploys (`bot/config/catalogue.py` fills it in)."""
    beside_in_sentry: tuple[str, ...] = ()
    """And how they are written in Sentry, whose releases are an organisation's."""
    depends_on: tuple[str, ...] = ()
    runbook: str | None = None
    one_way: tuple[str, ...] = ()
    repository: str | None = None
    deployer: Literal["command", "github"] | None = None
    deploy: DeployCommands | DeployWorkflow | None = None
    checkout: str | None = None
    bisect: tuple[str, ...] = ()
    endpoint: str | None = None
    linear_team: str | None = None
    adr: AdrPlace | None = None

    window_seconds: int = WINDOW_SECONDS
    recheck_after_seconds: int = RECHECK_AFTER_SECONDS
    recheck_until_seconds: int = RECHECK_UNTIL_SECONDS

    def version_in(self, name: str) -> str | None:
        """Return the version that a name in Git or of the deployer stands for.

        None: it is no release of this service; it is shown, never chosen. Beside a pattern that says something a bare
        `{version}` reads only what begins with a digit: not `billing-v7.1.0`.
        """
        patterns = sorted({self.release.tag, self.release.deploy}, key=lambda p: (-len(p), p))
        for pattern in patterns:
            version = self.release.version_of(pattern, name)
            plain = pattern != _BARE or len(patterns) == 1 or name[:1].isdigit()
            if version is not None and plain and not self.of_another(name, pattern):
                return version
        return None

    def version_in_sentry(self, name: str) -> str | None:
        """Return the version that a release in Sentry stands for; None: it is no release of this service."""
        pattern = self.release.sentry
        others = any(
            len(p) > len(pattern) and _reader(p).fullmatch(name) for p in self.beside_in_sentry
        )
        return None if others else self.release.version_of(pattern, name)

    def of_another(self, name: str, pattern: str = _BARE) -> bool:
        """Whether a pattern of another service in the same repository fits, and says more than `pattern`."""
        return any(len(p) > len(pattern) and _reader(p).fullmatch(name) for p in self.beside)

    def deployed(
        self,
        ref: str,
        sha: str,
        told: str = "",
        tags: Mapping[str, str] | None = None,
        gone: Collection[str] = (),
    ) -> Release | None:
        """Return the release of a deployment on GitHub; None: it is another service's.

        A `ref` may be a tag, a branch or a commit, and does not say which
        (https://docs.github.com/en/rest/deployments/deployments#create-a-deployment). A tag names a version. Everything
        else moves: then the commit names what was deployed, by a tag that points at it, else by itself.

        `tags` are the repository's, with their commits; None: they cannot be asked for. `gone` are names that are neither
        a tag nor a branch now: as little is known of them as without the tags. `told` is what the deployment's payload
        calls it. It is believed of a hotfix whose commit it names.
        """
        commit = sha.lower() if COMMIT.fullmatch(sha.lower()) else None
        if HOTFIX.fullmatch(told) and sha.startswith(told.rpartition("@")[2]):
            return Release(version=told, commit=commit)
        name = tag_in(ref)
        if _may_be_tag(ref, name, sha):
            sure = name != ref or (tags is not None and name in tags)
            if sure or tags is None or name in gone:
                version = self.version_in(name)
                if version is not None and self._tells(name, sure=sure):
                    return Release(version=version, commit=commit)
                if version is None and (self.of_another(name) or _numbered(name, sure=sure)):
                    return None
        if commit is None:
            return Release(version=name)
        at = sorted(
            n
            for n, there in (tags or {}).items()
            if there.lower() == commit and self._tells(n, sure=True)
        )
        versions = [version for n in at if (version := self.version_in(n)) is not None]
        return Release(version=max(versions, key=_natural, default=commit), commit=commit)

    def _tells(self, name: str, *, sure: bool) -> bool:
        """Whether a name is a version's: a bare pattern would read `latest` and `main`, too, which move."""
        said = any(
            p != _BARE and _reader(p).fullmatch(name)
            for p in (self.release.tag, self.release.deploy)
        )
        return said or _numbered(name, sure=sure)

    def cannot(self, kind: Literal["rollback", "hotfix"], *, deployer: bool = True) -> str:
        """Say why the bot cannot deploy it, or return an empty text.

        `deployer`: the one that the catalogue names is set up.
        """
        if self.deployer is None or not deployer:
            missing = "deployer in the catalogue. Deploy by hand"
        elif (
            kind == "hotfix" and isinstance(self.deploy, DeployCommands) and not self.deploy.hotfix
        ):
            missing = "`hotfix` command in the catalogue. Ship it by hand"
        else:
            return ""
        return f"{self.name} has no {missing}, then say *Fixed another way*."

    @property
    def environment(self) -> str:
        """The environment that counts; an event without one counts as this (rules: The picture)."""
        return self.environments[0] if self.environments else "production"

    @property
    def window(self) -> timedelta:
        return timedelta(seconds=self.window_seconds)


def tag_in(ref: str) -> str:
    """Return the tag that a `ref` names as one, else all of it."""
    return (
        ref.removeprefix("refs/").removeprefix("tags/")
        if ref.startswith(("refs/tags/", "tags/"))
        else ref
    )


def environment_among(told: str, ours: Collection[str]) -> str | None:
    """Return the environment of ours that CI or GitHub means; capitals make no difference.

    Vercel deploys to `Production`. "Environment names are not case sensitive":
    https://docs.github.com/en/actions/how-tos/deploy/configure-and-manage-deployments/manage-environments
    """
    return next((one for one in ours if one.strip().casefold() == told.strip().casefold()), None)


def _may_be_tag(ref: str, name: str, sha: str) -> bool:
    """Not where it says that it is something else: another kind of ref, or the commit itself."""
    other = ref.startswith("refs/") and name == ref
    return (
        bool(name)
        and not other
        and not (ABBREVIATED.fullmatch(name.lower()) and sha.lower().startswith(name.lower()))
    )


def _numbered(name: str, *, sure: bool) -> bool:
    """Whether a name has a number. One that may be a branch (not `sure`) must be numbered as tags mostly are."""
    return bool(
        re.search(r"\d", name) if sure else _NUMBERED.fullmatch(name) and not _BRANCH.match(name)
    )


def _natural(version: str) -> tuple[bool, list[tuple[int, int, str]]]:
    """1.10 after 1.9, and a release after its candidates: what is promoted has both tags (https://semver.org/#spec-item-11)."""
    words = re.split(r"(\d+)", version.partition("+")[0])
    final = not any(_BEFORE.search(word) for word in words[2:])
    return final, [
        (1, int(w), "") if w.isdecimal() else (0, 0, w) for w in re.split(r"(\d+)", version)
    ]
