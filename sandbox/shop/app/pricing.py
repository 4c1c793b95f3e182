"""Price lists by customer; behind the flag `new-pricing` until every account has one."""

from __future__ import annotations

from .store import Store

FLAG = "new-pricing"


def price_list(user_id: str, store: Store) -> str:
    return store.account(user_id)["price_list"]
