"""A project as the API tells it: short in an issue, complete in the organisation's list."""

from __future__ import annotations

from sandbox.sentry.events import Payload
from sandbox.sentry.models import Project

HAS = (
    *(
        "Access",
        "Feedbacks",
        "Flags",
        "MinifiedStackTrace",
        "Monitors",
        "NewFeedbacks",
        "Profiles",
        "Replays",
    ),
    *(
        "Sessions",
        "InsightsHttp",
        "InsightsDb",
        "InsightsAssets",
        "InsightsAppStart",
        "InsightsScreenLoad",
    ),
    *(
        "InsightsVitals",
        "InsightsCaches",
        "InsightsQueues",
        "InsightsAgentMonitoring",
        "InsightsMCP",
        "Logs",
    ),
    *("TraceMetrics", "UserReports"),
)
"""Which features of Sentry a project uses: github.com/getsentry/sentry-api-schema, "List an Organization's Projects"."""


def project_shape(project: Project) -> Payload:
    return {
        "id": str(project.id),
        "name": project.slug,
        "slug": project.slug,
        "platform": project.platform,
    }


def project_row(project: Project) -> Payload:
    """A row of the organisation's list, complete as Sentry describes it."""
    return {
        **project_shape(project),
        **{f"has{feature}": feature == "Access" for feature in HAS},
        **{name: [] for name in ("features", "access", "teams", "platforms", "environments")},
        **dict.fromkeys(("firstEvent", "team", "latestRelease")),
        **dict.fromkeys(("isBookmarked", "firstTransactionEvent"), False),
        "isMember": True,
    }
