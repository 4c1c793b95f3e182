"""One service of the catalogue, and the names of its releases.

`bot/config/catalogue.py` reads the file.
"""

import re
from collections.abc import Collection, Mapping
from datetime import timedelta
from functools import lru_cache
from typing import Annotated, Any, Literal, cast

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from phases.record.findings import ABBREVIATED, COMMIT, Release

WINDOW_SECONDS = 900  # workflow, phase 1: "in last 15 minutes"
RECHECK_AFTER_SECONDS = 300  # workflow, phase 5: "Wait 5-10 min after action"
RECHECK_UNTIL_SECONDS = 600

# rules: Releases and deploys
DEPLOYABLE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._+@/ -]{0,198}[A-Za-z0-9._+@/-])?")
HOTFIX = re.compile(
    r"hotfix (?:#[1-9][0-9]{0,8}|[A-Za-z0-9][A-Za-z0-9._+@/ -]{0,180})@[0-9a-f]{7,40}"
)
"""A hotfix's name: by its branch, or by its pull request."""

_BARE = "{version}"
_PLACEHOLDER = re.compile(r"(\{version\}(?:\{build\}|\*)?|\{build\}|\*)")
_READS = {"{version}": "(?P<version>.+)", "{build}": ".+", "*": ".*"}
_NUMBERED = re.compile(
    r"\d+\.\d.*|\d+(?:-\d+)*|\d{8}.*|(?:.*[^A-Za-z0-9])?(?:v\d|\d+\.\d+\.\d).*|.*@\d.*"
)
"""How tags are mostly numbered: `1.4`, `v2`, `billing-v7.1.0`, `shop@7`.

The branches `release/1.3` and `12-fix` are not numbered so.
"""
_BRANCH = re.compile(
    r"(?:feat(?:ure)?|bug-?fix|fix|hot-?fix|support|chore|dependabot|renovate)/", re.IGNORECASE
)
"""The beginning of a branch: `hotfix/1.4.1`.

https://nvie.com/posts/a-successful-git-branching-model/ and Dependabot, Renovate
"""
_PRERELEASE = re.compile(
    r"(?:alpha|beta|rc|cr|pre|preview|dev|snapshot|canary|next|nightly|m|a|b|c)(?![a-z])",
    re.IGNORECASE,
)


@lru_cache(maxsize=1000)
def _pattern_reader(pattern: str) -> re.Pattern[str]:
    """Compile a pattern.

    A build right behind the version is one as SemVer writes it, from the first `+` on, or none
    (https://semver.org/#spec-item-10).
    """
    reads = (
        _READS.get(part)
        or (r"(?P<version>[^+]+)(?:\+.*)?" if part.startswith(_BARE) else re.escape(part))
        for part in _PLACEHOLDER.split(pattern)
    )
    return re.compile("".join(reads), re.DOTALL)


def _tuple(value: Any) -> Any:
    """Return a list of TOML as a tuple: strict validation would refuse it."""
    return tuple(cast("list[Any]", value)) if isinstance(value, list) else value


def _owners_tuple(value: Any) -> Any:
    """Owners may stand in one text, with commas or blanks between them."""
    return tuple(value.replace(",", " ").split()) if isinstance(value, str) else _tuple(value)


def _distinct(value: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value))


Texts = Annotated[tuple[str, ...], BeforeValidator(_tuple)]
Arguments = Annotated[Texts, Field(min_length=1)]


class Table(BaseModel):
    """A table of `services.toml`. An unknown key is a fault, and a number where text belongs."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class ReleaseNames(Table):
    """Patterns of a `version` in each system (rules: Releases and deploys)."""

    sentry: str = _BARE
    """May hold `{build}` or `*`, for a part that only Sentry knows and that is not the version."""
    tag: str = _BARE
    deploy: str = _BARE

    def version_of(self, pattern: str, name: str) -> str | None:
        """Return the version in `name` as `pattern` writes it, or None where it does not fit."""
        match = _pattern_reader(pattern).fullmatch(name)
        return match["version"] if match else None

    @property
    def with_builds(self) -> bool:
        """True if only Sentry knows the whole name of a release."""
        return "{build}" in self.sentry or "*" in self.sentry

    def in_sentry(self, version: str) -> str:
        """Return the name for Sentry's search. A build may be any build."""
        return self.sentry.replace(_BARE, version).replace("{build}", "*")


class DeployCommands(Table):
    """The `command` deployer: argv lists, a placeholder fills one whole argument, no shell."""

    directory: str
    run: Arguments
    current: Arguments
    releases: Arguments
    hotfix: Texts = ()
    limit_seconds: int = Field(default=900, ge=1, le=24 * 3600)


class DeployWorkflow(Table):
    """The `github` deployer: by workflow dispatch, or by the Deployments API."""

    via: Literal["workflow", "deployments"] = "workflow"
    workflow: str = "deploy.yml"
    hotfix_workflow: str = "hotfix.yml"
    environment: str = "production"


class AdrPlace(Table):
    """A directory in a local Git clone, or a path in a GitHub repository, for post-mortems."""

    directory: str | None = None
    repository: str | None = None
    path: Annotated[str, AfterValidator(lambda path: path.strip("/"))] = "docs/adr"


class Service(Table):
    # A blank that was pasted along is no part of a slug, an environment or an address.
    model_config = ConfigDict(str_strip_whitespace=True)

    name: str
    aliases: Texts = ()
    owners: Annotated[
        tuple[str, ...], BeforeValidator(_owners_tuple), AfterValidator(_distinct)
    ] = ()
    """As written in the catalogue: `@group-handle`, `@user`, or Slack ids."""
    sentry: Annotated[Texts, AfterValidator(_distinct)] = ()
    environments: Arguments = ("production",)
    features: dict[str, str] = Field(default_factory=dict[str, str])
    """Feature → transaction pattern (`*` and `?` as in a shell)."""
    region_tag: str = "region"
    org_tag: str = "customer"
    not_users: Texts = ()
    release: ReleaseNames = ReleaseNames()
    beside: Texts = ()
    """Patterns of the tags and deploys of other services in the same repository.

    `bot/config/catalogue.py` fills this and `beside_in_sentry` in.
    """
    beside_in_sentry: Texts = ()
    """Patterns of their releases in Sentry, whose releases are an organisation's."""
    depends_on: Texts = ()
    runbook: str | None = None
    one_way: Texts = ()
    turn_off: Texts = ()
    """The command that turns off a flag or a switch; `{change}` is its name."""
    turn_off_in: str = ""
    """The directory in which that runs: the deployer's, the clone's, or the catalogue's own.

    `bot/config/catalogue.py` fills it in.
    """
    repository: str | None = None
    deployer: Literal["command", "github"] | None = None
    deploy: DeployCommands | DeployWorkflow | None = None
    checkout: str | None = None
    bisect: Texts = ()
    endpoint: str | None = None
    linear_team: str | None = None
    adr: AdrPlace | None = None

    window_seconds: int = WINDOW_SECONDS
    recheck_after_seconds: int = RECHECK_AFTER_SECONDS
    recheck_until_seconds: int = RECHECK_UNTIL_SECONDS

    def version_in(self, name: str) -> str | None:
        """Return the version that a name in Git or of the deployer stands for.

        None means that the name is no release of this service: it is shown, never chosen. Beside a
        pattern with more letters, a bare `{version}` reads only names that begin with a digit: not
        `billing-v7.1.0`.
        """
        patterns = sorted({self.release.tag, self.release.deploy}, key=lambda p: (-len(p), p))
        for pattern in patterns:
            version = self.release.version_of(pattern, name)
            plain = pattern != _BARE or len(patterns) == 1 or name[:1].isdigit()
            if version is not None and plain and not self.of_another(name, pattern):
                return version
        return None

    def version_in_sentry(self, name: str) -> str | None:
        """Return the version of a release in Sentry, or None if it is not this service's."""
        pattern = self.release.sentry
        others = any(
            len(p) > len(pattern) and _pattern_reader(p).fullmatch(name)
            for p in self.beside_in_sentry
        )
        return None if others else self.release.version_of(pattern, name)

    def of_another(self, name: str, pattern: str = _BARE) -> bool:
        """True if a longer pattern of another service in the same repository fits."""
        return any(
            len(p) > len(pattern) and _pattern_reader(p).fullmatch(name) for p in self.beside
        )

    def deployed(
        self,
        ref: str,
        sha: str,
        payload_name: str = "",
        tags: Mapping[str, str] | None = None,
        gone: Collection[str] = (),
    ) -> Release | None:
        """Return the release of a deployment on GitHub, or None if it is another service's.

        A `ref` may be a tag, a branch or a commit, and does not say which
        (https://docs.github.com/en/rest/deployments/deployments#create-a-deployment). A tag names a
        version. Everything else moves: then the commit names what was deployed, by a tag that
        points at it, else by itself.

        `tags` are the repository's, with their commits; None if they cannot be asked for. `gone`
        are names that are neither a tag nor a branch now: as little is known of them as without the
        tags. `payload_name` is the release's name in the deployment's payload. It is believed of a
        hotfix whose commit it names.
        """
        commit = sha.lower() if COMMIT.fullmatch(sha.lower()) else None
        if HOTFIX.fullmatch(payload_name) and sha.startswith(payload_name.rpartition("@")[2]):
            return Release(version=payload_name, commit=commit)
        name = tag_in(ref)
        if _may_be_tag(ref, name, sha):
            sure = name != ref or (tags is not None and name in tags)
            if sure or tags is None or name in gone:
                version = self.version_in(name)
                if version is not None and self._names_version(name, sure=sure):
                    return Release(version=version, commit=commit)
                if version is None and (self.of_another(name) or _has_a_number(name, sure=sure)):
                    return None
        if commit is None:
            return Release(version=name)
        versions = [
            version
            for tag, tagged in sorted((tags or {}).items())
            if tagged.lower() == commit and self._names_version(tag, sure=True)
            if (version := self.version_in(tag)) is not None
        ]
        return Release(version=max(versions, key=_natural_order, default=commit), commit=commit)

    def _names_version(self, name: str, *, sure: bool) -> bool:
        """True if a name is a version's. A bare pattern would fit `latest` and `main`, too."""
        fits = any(
            p != _BARE and _pattern_reader(p).fullmatch(name)
            for p in (self.release.tag, self.release.deploy)
        )
        return fits or _has_a_number(name, sure=sure)

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
    for prefix in ("refs/tags/", "tags/"):
        if ref.startswith(prefix):
            return ref.removeprefix(prefix)
    return ref


PRODUCTION = ("production", "prod", "prd", "live")
"""Short names of one thing: where one is ours, another that is not means it."""


def environment_among(name: str, ours: Collection[str]) -> str | None:
    """Return the environment of ours that CI or GitHub means. Capitals make no difference.

    Vercel deploys to `Production`. "Environment names are not case sensitive":
    https://docs.github.com/en/actions/how-tos/deploy/configure-and-manage-deployments/manage-environments
    """
    name = name.strip().casefold()
    own = {environment.strip().casefold(): environment for environment in ours}
    if name in own or name not in PRODUCTION:
        return own.get(name)
    return next((environment for word, environment in own.items() if word in PRODUCTION), None)


def _may_be_tag(ref: str, name: str, sha: str) -> bool:
    """False if the ref says that it is another kind of ref, or is the commit itself."""
    other = ref.startswith("refs/") and name == ref
    return (
        bool(name)
        and not other
        and not (ABBREVIATED.fullmatch(name.lower()) and sha.lower().startswith(name.lower()))
    )


def _has_a_number(name: str, *, sure: bool) -> bool:
    """True if a name has a number.

    A name that may be a branch (not `sure`) must be numbered as tags mostly are.
    """
    if sure:
        return bool(re.search(r"\d", name))
    return bool(_NUMBERED.fullmatch(name) and not _BRANCH.match(name))


def _natural_order(version: str) -> tuple[bool, list[tuple[int, int, str]]]:
    """Return a sort key: 1.10 after 1.9, and a release after its candidates.

    A promoted candidate has both tags (https://semver.org/#spec-item-11).
    """
    words = re.split(r"(\d+)", version.partition("+")[0])
    final = not any(_PRERELEASE.search(word) for word in words[2:])
    return final, [
        (1, int(w), "") if w.isdecimal() else (0, 0, w) for w in re.split(r"(\d+)", version)
    ]
