"""Products for sale."""

from __future__ import annotations

from typing import NamedTuple


class Product(NamedTuple):
    sku: str
    name: str
    cents: int


PRODUCTS = [
    Product("KB-01", "Quiet keyboard", 8900),
    Product("MS-02", "Small mouse", 3400),
    Product("LP-03", "Desk lamp", 5200),
    Product("NB-04", "Squared notebook", 700),
]


def price_of(sku: str) -> int:
    for product in PRODUCTS:
        if product.sku == sku:
            return product.cents
    raise LookupError(f"no product {sku}")
