"""What is asked of Sentry, in its search language: https://docs.sentry.io/concepts/search/"""

from __future__ import annotations

from collections.abc import Sequence

from phases.record.service import Service

ERRORS = "level:[error,fatal]"
FIELDS_BY_THEMSELVES = ("geo.", "user.", "device.", "os.")  # event fields that are no tags


def of(issues: Sequence[str]) -> str:
    """https://docs.sentry.io/concepts/search/ : several values of one key."""
    return f"issue.id:[{','.join(i for i in issues if i.isdigit())}]" if issues else ERRORS


def tag(name: str) -> str:
    return name if name.startswith(FIELDS_BY_THEMSELVES) else f"tags[{name}]"


def tag_keys(service: Service) -> tuple[str, ...]:
    return tuple(dict.fromkeys(("user", "transaction", service.region_tag, service.org_tag)))
