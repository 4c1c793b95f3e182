"""The visitor of a request."""

from __future__ import annotations

from dataclasses import dataclass

from .money import CURRENCIES
from .store import Store

SESSION_DAYS = 30


@dataclass(frozen=True)
class Visitor:
    user_id: str
    customer: str
    region: str
    currency: str


def current_visitor(user_id: str, store: Store) -> Visitor:
    account = store.account(user_id)
    region = account["region"]
    return Visitor(user_id, account["customer"], region, CURRENCIES[region])
