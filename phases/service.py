"""What the catalogue says of one service, with its numbers. `bot/catalogue.py` reads the file and makes these."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Literal

from pydantic import Field

from phases.report import Release, Value

WINDOW_SECONDS = 900  # workflow, phase 1: "in last 15 minutes"
RECHECK_AFTER_SECONDS = 300  # workflow, phase 5: "Wait 5-10 min after action"
RECHECK_UNTIL_SECONDS = 600

DEPLOYABLE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._+@/ -]{0,198}[A-Za-z0-9._+@/-])?")  # rules: Releases and deploys
HOTFIX = re.compile(r"hotfix (?:#[1-9][0-9]{0,8}|[A-Za-z0-9][A-Za-z0-9._+@/ -]{0,180})@[0-9a-f]{7,40}")
"""What a hotfix is called: by its branch, or by its pull request."""


class ReleaseNames(Value):
    """How each system writes a `version` (rules: Releases and deploys)."""

    sentry: str = "{version}"
    tag: str = "{version}"
    deploy: str = "{version}"

    def version_of(self, pattern: str, name: str) -> str | None:
        """The version in `name` as `pattern` writes it, or None where it does not fit: shown, never chosen."""
        before, _, after = pattern.partition("{version}")
        if len(name) <= len(before) + len(after) or not name.startswith(before) or not name.endswith(after):
            return None
        return name[len(before) : len(name) - len(after)]


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

    def deployed(self, ref: str, sha: str, told: str = "") -> Release:
        """The release of a deployment on GitHub: its `ref` as the catalogue writes tags or deploys, the one that says more first.

        `told` is what the deployment's own payload calls it: believed of a hotfix whose commit it names.
        """
        commit = sha if re.fullmatch(r"[0-9a-f]{40}(?:[0-9a-f]{24})?", sha) else None
        if HOTFIX.fullmatch(told) and sha.startswith(told.rpartition("@")[2]):
            return Release(version=told, commit=commit)
        name = ref.removeprefix("refs/tags/")
        patterns = sorted({self.release.tag, self.release.deploy}, key=lambda p: (-len(p), p))
        version = next((v for p in patterns if (v := self.release.version_of(p, name)) is not None), name)
        return Release(version=version, commit=commit)

    @property
    def environment(self) -> str:
        """The environment that counts; an event without one counts as this (rules: The picture)."""
        return self.environments[0] if self.environments else "production"

    @property
    def window(self) -> timedelta:
        return timedelta(seconds=self.window_seconds)
