"""The deployer of a service. Another kind is one more entry in the mapping of the wiring."""

from __future__ import annotations

from collections.abc import Mapping

from phases.ports.ports import Deployer
from phases.record.service import Service

Deployers = Mapping[str, Deployer]
"""By the catalogue's word for the kind: `command`, `github`."""


def deployer_for(service: Service, deployers: Deployers) -> Deployer | None:
    """Return the service's deployer, or None where none is set up.

    Then the bot can advise, but not deploy.
    """
    return (
        deployers.get(service.deployer) if service.deployer and service.deploy is not None else None
    )
