"""A try of each feature, as one account that nobody owns."""

from __future__ import annotations

from .routes import FEATURES, respond
from .store import Store

HEALTH_USER = "healthcheck"


def check(store: Store, only: str = "") -> dict[str, str]:
    """Return `ok` or the exception of each feature."""
    answers: dict[str, str] = {}
    for feature, path in FEATURES.items():
        if only and feature != only:
            continue
        try:
            respond(path, HEALTH_USER, store)
            answers[feature] = "ok"
        except Exception as error:  # noqa: BLE001 (whatever it is, it is the answer)
            answers[feature] = type(error).__name__
    return answers
