"""Prices are whole cents; only people see a decimal point."""

from __future__ import annotations

CURRENCIES = {"eu-west": "EUR", "us-east": "USD", "ap-south": "INR"}


def format_price(cents: int, currency: str) -> str:
    return f"{cents / 100:.2f} {currency}"
