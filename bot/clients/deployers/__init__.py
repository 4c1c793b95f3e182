"""Which deployer a service has. Another kind is one more entry in the mapping that the wiring hands in."""

from __future__ import annotations

from collections.abc import Mapping

from phases.ports.ports import Deployer
from phases.record.service import Service

Deployers = Mapping[str, Deployer]
"""By the catalogue's word for the kind: `command`, `github`."""


def deployer_for(service: Service, deployers: Deployers) -> Deployer | None:
    """The service's deployer, or None where it has none that is set up: then the bot can advise, but not deploy."""
    return (
        deployers.get(service.deployer) if service.deployer and service.deploy is not None else None
    )
