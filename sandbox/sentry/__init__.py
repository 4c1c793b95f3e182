"""A local Sentry: envelopes in from the real SDK, the API and signed webhooks out."""

from sandbox.sentry.alerts import Alerts, Delivery, MetricRule, Rule, sign
from sandbox.sentry.api.app import sentry_app
from sandbox.sentry.events import Event
from sandbox.sentry.models import Deploy, Issue, Project, Release
from sandbox.sentry.state import ALL_SCOPES, Sentry

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
