"""The till: authorise the amount, write a receipt."""

from __future__ import annotations

from typing import Any

from .money import format_price
from .session import Visitor
from .store import Store

RECEIPT_FOOTER = "Thank you."


def authorise(cents: int, currency: str) -> str:
    """The card gateway's answer: an authorisation code."""
    return f"A{(cents * 7919) % 100_000:05d}{currency[0]}"


def receipt_number(order: dict[str, Any]) -> str:
    return f"R-{order['number']:06d}"


def page(visitor: Visitor, store: Store) -> str:
    order = store.order(visitor.user_id)
    code = authorise(order["cents"], visitor.currency)
    amount = format_price(order["cents"], visitor.currency)
    return f"{receipt_number(order)}: {amount} ({code})\n{RECEIPT_FOOTER}"
