"""The catalogue's `turn_off`: argv, no shell, followed as a deploy of the `command` deployer is.

The change's name fills one whole argument, and is never an option (`ARGUMENT`).
"""

from bot.clients.deployers.recorded import RecordedCommands
from phases.ports.ports import NotSetUp, PortError
from phases.record.service import DeployCommands, Service
from phases.shared.suspected_changes import ARGUMENT

LIMIT_SECONDS = 60
"""A flag is one call to another system. What takes longer hangs, and people have to know."""


class CommandSwitch(RecordedCommands):
    """Turns off what was turned on. Shares the records of deploys: their ids differ."""

    async def start(self, service: Service, id: str, change: str) -> None:
        """Run the command once: with a known `id` nothing is done.

        Raises `PortError` when nothing was started.
        """
        if self.known(id) is None:
            if not service.turn_off:
                text = f"{service.name} has no `turn_off` command in the catalogue"
                raise NotSetUp("deployer", text)
            if not ARGUMENT.fullmatch(change):
                text = f"{change[:200]!r} may not become an argument of a command"
                raise PortError("deployer", text)
            argv = [change if part == "{change}" else part for part in service.turn_off]
            job = {
                "argv": argv,
                "cwd": service.turn_off_in or ".",
                "limit_seconds": limit_seconds(service),
                "deploy_id": id,
                "service": service.name,
                "change": change,
            }
            self.record(id, job)
        await self.launch(id)


def limit_seconds(service: Service) -> int:
    """Return the time it may take: a minute, or less where deploys may take less."""
    if isinstance(service.deploy, DeployCommands):
        return min(LIMIT_SECONDS, service.deploy.limit_seconds)
    return LIMIT_SECONDS
