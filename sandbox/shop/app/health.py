"""Whether each feature really answers, tried as one account that nobody owns."""

from __future__ import annotations

from .routes import FEATURES, respond
from .store import Store

HEALTH_USER = "healthcheck"


def check(store: Store, only: str = "") -> dict[str, str]:
    """What each feature says: `ok`, or the exception."""
    found: dict[str, str] = {}
    for feature, path in FEATURES.items():
        if only and feature != only:
            continue
        try:
            respond(path, HEALTH_USER, store)
            found[feature] = "ok"
        except Exception as error:  # noqa: BLE001 (whatever it is, it is the answer)
            found[feature] = type(error).__name__
    return found
