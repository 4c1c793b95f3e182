"""The shop's data, outside Git: accounts, carts and orders of forty people of six customers."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REGIONS = ("eu-west", "us-east", "ap-south")
CUSTOMERS = ("nordwind", "bluepeak", "harborline", "kestrel", "oakfield", "zenith")
SKUS = ("KB-01", "MS-02", "LP-03", "NB-04")
USERS = 40
HEALTH_USER = "healthcheck"


@dataclass(frozen=True, slots=True)
class User:
    id: str
    customer: str
    region: str
    address: str


def users(count: int = USERS) -> list[User]:
    """Return the people who shop. A customer is mostly in one region."""
    people: list[User] = []
    for number in range(count):
        place = number % len(CUSTOMERS)
        region = REGIONS[(place + (number // len(CUSTOMERS) % 5 == 4)) % len(REGIONS)]
        people.append(
            User(str(1001 + number), CUSTOMERS[place], region, f"10.20.{place}.{number + 1}")
        )
    return people


def write(directory: Path, people: list[User]) -> None:
    """Every file of the data directory, for these people and for the health check's own account."""
    everybody = [*people, User(HEALTH_USER, "nobody", REGIONS[0], "127.0.0.1")]
    for number, user in enumerate(everybody):
        put(directory, "accounts", user.id, {"customer": user.customer, "region": user.region})
        put(directory, "carts", user.id, {"lines": lines(number)})
        order = {"number": 4000 + number, "cents": 1900 + 130 * number, "customer": user.customer}
        put(directory, "orders", user.id, order)


def lines(number: int) -> list[dict[str, Any]]:
    return [
        {"sku": SKUS[(number + step) % len(SKUS)], "quantity": 1 + step}
        for step in range(1 + number % 3)
    ]


def put(directory: Path, kind: str, user_id: str, content: dict[str, Any]) -> None:
    """Replace one file in one step: the shop never reads half of it."""
    target = directory / kind / f"{user_id}.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_suffix(".new")
    fresh.write_text(json.dumps(content))
    os.replace(fresh, target)


CORRUPT: tuple[dict[str, Any], ...] = (
    {"sku": "KB-01", "quantity": "2 pcs"},
    {"sku": "KB-01-OLD", "quantity": 1},
)
"""Lines that the cart cannot add up: ValueError, LookupError."""


def corrupt_cart(directory: Path, user: User, turn: int) -> None:
    """Put a line of a failed import into one person's cart."""
    put(
        directory,
        "carts",
        user.id,
        {"lines": [*lines(int(user.id) - 1001), CORRUPT[turn % len(CORRUPT)]]},
    )


def repair_cart(directory: Path, user: User) -> None:
    put(directory, "carts", user.id, {"lines": lines(int(user.id) - 1001)})
