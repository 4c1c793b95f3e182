"""The deployer of a service. Another kind is one more entry in the mapping of the wiring."""

from collections.abc import Mapping

from phases.ports.ports import Deployer, PortError
from phases.record.findings import COMMIT, Release
from phases.record.service import DEPLOYABLE, Service

Deployers = Mapping[str, Deployer]
"""By the catalogue's word for the kind: `command`, `github`."""


def deployer_for(service: Service, deployers: Deployers) -> Deployer | None:
    """Return the service's deployer, or None where none is set up.

    Then the bot can advise, but not deploy.
    """
    return (
        deployers.get(service.deployer) if service.deployer and service.deploy is not None else None
    )


def hotfix_commit(to: Release) -> str:
    """Return the full commit by which a hotfix is deployed. Raises `PortError` without one."""
    commit = (to.commit or "").lower()
    if not COMMIT.fullmatch(commit):
        text = "a hotfix is deployed by its full commit, and none was given"
        raise PortError("deployer", text)
    return commit


def check_name(to: Release) -> None:
    """Raises `PortError` for a name that may not be deployed (rules: Releases and deploys)."""
    if not DEPLOYABLE.fullmatch(to.version):
        text = f"{to.version[:200]!r} is no name that may be deployed"
        raise PortError("deployer", text)
