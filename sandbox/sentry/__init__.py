"""A local Sentry: envelopes in from the real SDK, the API and signed webhooks out."""

from .alerts import Alerts, Delivery, MetricRule, Rule, sign
from .api import sentry_app
from .events import Event
from .state import ALL_SCOPES, Deploy, Issue, Project, Release, Sentry

__all__ = [
    "ALL_SCOPES",
    "Alerts",
    "Delivery",
    "Deploy",
    "Event",
    "Issue",
    "MetricRule",
    "Project",
    "Release",
    "Rule",
    "Sentry",
    "sentry_app",
    "sign",
]
