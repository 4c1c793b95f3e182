"""Errors go to Sentry, with who met them and where; so does a trace of each request."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import sentry_sdk
from sentry_sdk.utils import event_from_exception

from .store import Store


def start() -> None:
    if not os.environ.get("SENTRY_DSN"):
        return
    sentry_sdk.init(
        dsn=os.environ["SENTRY_DSN"],
        release=os.environ["SENTRY_RELEASE"],
        environment=os.environ.get("SENTRY_ENVIRONMENT", "production"),
        server_name="shop-1",
        auto_enabling_integrations=False,
        auto_session_tracking=False,
        traces_sample_rate=1.0,
        send_client_reports=False,
        shutdown_timeout=1,
    )


@contextmanager
def request(path: str, user_id: str, address: str, store: Store) -> Iterator[None]:
    """Everything reported inside carries the user, the customer, the region and the page."""
    with sentry_sdk.isolation_scope() as scope:
        account = store.account(user_id)
        scope.set_transaction_name(path)
        scope.set_user({"id": user_id, "ip_address": address})
        scope.set_tag("customer", account.get("customer"))
        scope.set_tag("region", account.get("region"))
        with sentry_sdk.start_transaction(op="http.server", name=path, source="url"):
            yield


def report(*, handled: bool) -> None:
    """Send the exception that is being handled."""
    client = sentry_sdk.get_client()
    if not client.is_active():
        return
    event, hint = event_from_exception(
        sys.exc_info(),
        client_options=client.options,
        mechanism={"type": "shop", "handled": handled},
    )
    sentry_sdk.capture_event(event, hint=hint)
