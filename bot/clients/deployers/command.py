"""The `command` deployer: the catalogue's argv lists, run as detached local processes.

Each runs under a record (`recorded.py`). The running release is never concluded from the exit code:
the caller reads it back with `running`.
"""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from bot.clients.deployers import check_name, hotfix_commit
from bot.clients.deployers.recorded import RecordedCommands
from bot.clients.git.tags import tags_with_commits
from bot.clients.processes.commands import CommandFailed, Output, run
from bot.runtime.redaction import redact
from phases.ports.ports import DeployState, NotSetUp, PortError
from phases.record.findings import ABBREVIATED, COMMIT, Release
from phases.record.service import DEPLOYABLE, DeployCommands, Service

log = logging.getLogger(__name__)

ASK_SECONDS = 15.0
"""The time of `current` and `releases`."""
RELEASES_SHOWN = 200


class CommandDeployer:
    """Keeps `phases.ports.ports.Deployer`.

    `state_dir` holds the records; several bots on one host may share it.
    """

    def __init__(self, state_dir: Path) -> None:
        self._jobs = RecordedCommands(state_dir)

    async def running(self, service: Service) -> Release | None:
        """Return the release in the first line of the `current` command.

        It is a version, or the commit of a hotfix started from here.
        """
        commands = _commands(service)
        output = await self._output_of(service, commands.current, "what runs now")
        name = _first_line(output.text)
        if name is None:
            return None
        sha = name.lower()
        if ABBREVIATED.fullmatch(sha):
            for release in self._hotfixes(service):
                if release.commit is not None and release.commit.startswith(sha):
                    return release
        read = (service.release.version_of(pattern, name) for pattern in _patterns(service))
        version = next((version for version in read if version is not None), name)
        return Release(version=version, commit=sha if COMMIT.fullmatch(sha) else None)

    async def release_names(self, service: Service) -> list[str]:
        """Return the lines that the `releases` command prints (`firebreak doctor`)."""
        output = await self._output_of(
            service, _commands(service).releases, "which releases there are"
        )
        return [line.strip() for line in output.text.splitlines() if line.strip()]

    async def releases(self, service: Service) -> Sequence[Release]:
        """Return the names that the `releases` command prints, newest first, a name a line.

        All names are read by one pattern, `tag` or `deploy`, whichever says more of the two and
        fits any: with tags `v{version}` a `nightly` beside them is no release. A name that does not
        fit, or may not be deployed (rules: Releases and deploys), is left out.
        """
        names = await self.release_names(service)
        for pattern in _patterns(service):
            versions = [
                version
                for name in names
                if (version := service.release.version_of(pattern, name)) is not None
                and not service.of_another(name, pattern)
            ]
            if versions:
                fit = list(dict.fromkeys(v for v in versions if DEPLOYABLE.fullmatch(v)))
                commits = await self._commits(service)
                return [
                    Release(version=version, commit=_commit(service, version, commits))
                    for version in fit[:RELEASES_SHOWN]
                ]
        return []

    async def _commits(self, service: Service) -> dict[str, str]:
        """Return the commits of the clone's tags, by which others may know a release."""
        if not service.checkout:
            return {}
        try:
            return await tags_with_commits(service.checkout)
        except PortError as error:
            log.warning("the commits of the tags of %s are not known: %s", service.name, error.text)
            return {}

    async def start(self, service: Service, deploy_id: str, to: Release, *, hotfix: bool) -> None:
        if self._jobs.known(deploy_id) is None:
            argv = await self._argv(service, to, hotfix=hotfix)
            commands = _commands(service)
            job = {
                "argv": argv,
                "cwd": commands.directory,
                "limit_seconds": commands.limit_seconds,
                "deploy_id": deploy_id,
                "service": service.name,
                "version": to.version,
                "commit": to.commit,
                "hotfix": hotfix,
            }
            self._jobs.record(deploy_id, job)
        await self._jobs.launch(deploy_id)

    async def look(self, service: Service, deploy_id: str) -> DeployState:
        return await self._jobs.look(deploy_id)

    async def give_up(self, service: Service, deploy_id: str) -> bool:
        return await self._jobs.give_up(deploy_id)

    async def _argv(self, service: Service, to: Release, *, hotfix: bool) -> list[str]:
        """Return the command for this deploy.

        A placeholder fills one whole argument; nothing else is ever put into an argument.
        """
        commands = _commands(service)
        if hotfix:
            if not commands.hotfix:
                raise NotSetUp(
                    "deployer",
                    f"{service.name} has no hotfix command (`deploy.hotfix` in the catalogue)",
                )
            commit = hotfix_commit(to)
            filled = {"{commit}": commit, "{release}": commit}
            return [filled.get(argument, argument) for argument in commands.hotfix]
        check_name(to)
        if to.version not in {release.version for release in await self.releases(service)}:
            raise PortError("deployer", f"{to.version} is not in the deployer's list of releases")
        name = service.release.deploy.replace("{version}", to.version)
        filled = {"{release}": name, "{version}": to.version}
        if "{commit}" in commands.run:
            if not to.commit or not COMMIT.fullmatch(to.commit):
                raise PortError("deployer", f"the commit of {to.version} is not known")
            filled["{commit}"] = to.commit
        return [filled.get(argument, argument) for argument in commands.run]

    async def _output_of(self, service: Service, argv: Sequence[str], what: str) -> Output:
        commands = _commands(service)
        if not argv:
            raise NotSetUp("deployer", f"{service.name} has no command that tells {what}")
        try:
            output = await run(argv, cwd=commands.directory, seconds=ASK_SECONDS)
        except CommandFailed as error:
            raise PortError(
                "deployer", f"it cannot be asked {what}: {error.text}", retryable=True
            ) from error
        if output.code and not output.truncated:
            text = f"it cannot be asked {what}: {argv[0]} said {output.complaint!r}"
            raise PortError("deployer", redact(text), retryable=True)
        return output

    def _hotfixes(self, service: Service) -> list[Release]:
        """Return the hotfixes that were started from this host, by their records."""
        hotfixes: list[Release] = []
        for job in self._jobs.all():
            if job.get("hotfix") and job["service"] == service.name:
                hotfixes.append(Release(version=job["version"], commit=job["commit"]))
        return hotfixes


def _commands(service: Service) -> DeployCommands:
    if not isinstance(service.deploy, DeployCommands):
        raise NotSetUp("deployer", f"{service.name} has no deploy commands in the catalogue")
    return service.deploy


def _commit(service: Service, version: str, tags: Mapping[str, str]) -> str | None:
    """Return the commit of a version: its tag's, or itself."""
    if COMMIT.fullmatch(version.lower()):
        return version.lower()
    return tags.get(service.release.tag.replace("{version}", version))


def _patterns(service: Service) -> list[str]:
    """The patterns under which the commands may name a release, the one that says more first."""
    return sorted({service.release.tag, service.release.deploy}, key=lambda p: (-len(p), p))


def _first_line(text: str) -> str | None:
    line = next((line.strip() for line in text.splitlines() if line.strip()), None)
    return line[:200] if line and line.isprintable() else None
