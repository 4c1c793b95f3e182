"""Paths and the pages that answer them."""

from __future__ import annotations

from . import cart, catalog, flags, pay, pricing
from .session import current_visitor
from .store import Store

FEATURES = {"catalog": "/", "cart": "/cart", "pay": "/pay"}


class NotFound(Exception):
    """There is no such page."""


def respond(path: str, user_id: str, store: Store) -> str:
    visitor = current_visitor(user_id, store)
    if flags.enabled(pricing.FLAG, user_id):
        pricing.price_list(user_id, store)
    if path == "/":
        return catalog.page(visitor)
    if path == "/cart" or path.startswith("/cart/"):
        return cart.page(visitor, store)
    if path == "/pay" or path.startswith("/pay/"):
        return pay.page(visitor, store)
    raise NotFound(path)
