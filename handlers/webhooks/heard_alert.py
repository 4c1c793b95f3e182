"""One alert of another system, as each of their bodies is read into it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated

from pydantic import BeforeValidator

from handlers.webhooks.route import Part, Word, address
from phases.text.wording import word_list

QUIET = frozenset({"info", "informational", "information", "debug", "low", "p4", "p5"})
"""Severities at which people are not woken: evidence of what is open, and no incident."""
HEARTBEAT = "none"
"""The severity of an alert that tells of no trouble: `Watchdog` always fires, to show that alerts
arrive, and `InfoInhibitor` only silences others.

https://runbooks.prometheus-operator.dev/runbooks/general/watchdog/
"""
SERVICE_LABELS = word_list(
    """
    firebreak_service service service_name app application app_kubernetes_io_name job deployment
    kube_deployment statefulset daemonset container namespace kube_namespace
    """
)
"""Labels that may name a service of the catalogue; the first that does counts.

Those of Kubernetes are kube-state-metrics' and Datadog's:
https://github.com/kubernetes/kube-state-metrics/tree/main/docs/metrics/workload,
https://docs.datadoghq.com/containers/kubernetes/tag/
"""
SHOWN_LABELS = word_list(
    """
    severity priority region zone cluster namespace deployment pod host instance job handler
    method status queue
    """
)
PLACES = ("env", "environment", "deployment_environment", "deployment_environment_name")
"""The last two are OpenTelemetry's, before and since version 1.27 of its conventions.

https://opentelemetry.io/docs/specs/semconv/registry/attributes/deployment/
"""


def _mapping(value: object) -> object:
    return value if isinstance(value, dict) else {}


Labels = Annotated[dict[str, Word], BeforeValidator(_mapping)]


@dataclass(frozen=True, slots=True)
class HeardAlert:
    """One alert of another system."""

    system: str
    title: str
    key: str
    """The sender's own id of what fires: the same while it fires, and when it is resolved. That of
    another system has its name before it; ours is also that of a script's `POST /api/incidents`.
    """
    firing: bool = True
    names: tuple[str, ...] = ()
    """What may name the service, the surest first."""
    environment: str | None = None
    severity: str = ""
    text: str = ""
    name: str = ""
    """The rule's name, where the title is another."""
    runbook: str = ""
    url: str | None = None
    at: datetime | None = None
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    test: bool = False
    """Somebody tries the sender out: nothing burns."""
    key_of_fire: bool = False
    """Its key names this fire until it is over, and `at` is only when it was told."""

    @property
    def quiet(self) -> bool:
        return self.severity.casefold() in QUIET

    @property
    def tells_nothing(self) -> bool:
        """Return whether it only shows that alerts arrive."""
        return self.test or self.severity.casefold() == HEARTBEAT

    @property
    def line(self) -> str:
        """Return the title, with what the sender says beside it, for one line of a timeline."""
        first = next(iter(self.text.splitlines()), "").strip()
        return f"{self.title}: {first}" if first and first not in self.title else self.title

    @property
    def details(self) -> str:
        """Return what the sender says beside the title, for people."""
        shown = [
            f"{name} {value}"
            for name in SHOWN_LABELS
            if (value := self.labels.get(name)) and value != self.title
        ]
        if self.severity and "severity" not in self.labels:
            shown.insert(0, f"severity {self.severity}")
        runbook = f"Runbook: {link}" if (link := address(self.runbook)) else ""
        parts = (self.text or self.name, " · ".join(shown), runbook)
        return "\n".join(part for part in parts if part)


class Body(Part):
    """A body of one of the kinds."""

    def alerts(self) -> Iterator[HeardAlert]:
        raise TypeError("each shape tells its own")


def first(labels: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    return next((labels[name] for name in names if labels.get(name)), None)


def names_of(labels: Mapping[str, str]) -> tuple[str, ...]:
    """Return what the labels hold that may name the service, the surest first."""
    return tuple(labels[label] for label in SERVICE_LABELS if labels.get(label))
