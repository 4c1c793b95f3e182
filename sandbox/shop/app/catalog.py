"""The first page: what there is, and what it costs."""

from __future__ import annotations

from .money import format_price
from .products import PRODUCTS
from .session import Visitor

PAGE_SIZE = 12


def page(visitor: Visitor) -> str:
    lines = [
        f"{product.name}: {format_price(product.cents, visitor.currency)}"
        for product in PRODUCTS[:PAGE_SIZE]
    ]
    return "\n".join(lines)
