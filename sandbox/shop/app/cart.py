"""The cart of a visitor."""

from __future__ import annotations

from typing import Any

from .money import format_price
from .products import price_of
from .session import Visitor
from .store import Store

EMPTY_HINT = "Your cart is empty."


def line_total(line: dict[str, Any]) -> int:
    quantity = int(line["quantity"])
    return price_of(line["sku"]) * quantity


def page(visitor: Visitor, store: Store) -> str:
    lines = store.cart(visitor.user_id)
    if not lines:
        return EMPTY_HINT
    total = sum(line_total(line) for line in lines)
    return f"{len(lines)} items, {format_price(total, visitor.currency)}"
