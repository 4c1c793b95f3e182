"""The shop's repository as it is found: a dozen commits, three releases."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sandbox.shop.git import Author, Tree

SOURCE = Path(__file__).parent / "app"

MARA = Author("Mara Lind", "mara@shop.example")
TOMAS = Author("Tomás Vega", "tomas@shop.example")
PRIYA = Author("Priya Nair", "priya@shop.example")
JONAS = Author("Jonas Weber", "jonas@shop.example")
AUTHORS = (MARA, TOMAS, PRIYA, JONAS)

ADR = """# 1. Record architecture decisions

Status: accepted

## Context

Decisions about this shop are made in conversations that nobody finds again.

## Decision

We write each one down as a numbered file in this directory, as Michael Nygard described it. Post-mortems of incidents
are kept here, too: they are decisions about what we do differently.

## Consequences

A new colleague reads this directory first.
"""

README = """# Shop

A catalogue, a cart, a till. `python -m shop` serves it; `/health` says whether each feature answers.
"""

ACCOUNTS_SQL = (
    "create table accounts (id bigint primary key, customer text not null, region text not null);\n"
)

RECEIPTS_SQL = "create table receipts (number bigint primary key, account bigint not null, cents bigint not null);\n"

RECOMMEND = '''"""What others bought, from the recommender."""

from __future__ import annotations

import os
import random

SLOW_SHARE = float(os.environ.get("SHOP_SLOW_RECOMMENDER", "0"))
"""The share of calls in which the recommender is too slow, as measured."""


def recommend(region: str) -> list[str]:
    if random.random() < SLOW_SHARE:
        raise TimeoutError("recommender did not answer within 200 ms")
    return ["Desk lamp"] if region == "eu-west" else ["Small mouse"]
'''

TESTS = '''"""Prices and carts."""

from __future__ import annotations

from shop.cart import line_total
from shop.money import format_price


def test_prices_have_two_decimals() -> None:
    assert format_price(8900, "EUR") == "89.00 EUR"


def test_a_line_costs_its_quantity() -> None:
    assert line_total({"sku": "NB-04", "quantity": 3}) == 2100
'''

RUNBOOK = """# Runbook

- `/health` says which feature fails; `/healthz` says which release runs.
- Roll back with the deploy script; releases are tags.
"""

Files = dict[str, str]


@dataclass(frozen=True, slots=True)
class Entry:
    """One commit of the history. `days` before today."""

    message: str
    author: Author
    days: float
    files: Files
    tag: str = ""


def source(*names: str) -> Files:
    return {f"shop/{name}": (SOURCE / name).read_text() for name in names}


def replaced(text: str, old: str, new: str) -> str:
    """`text` with its only `old` replaced.

    Raises:
        ValueError: not exactly one.
    """
    if text.count(old) != 1:
        raise ValueError(f"{old!r} is there {text.count(old)} times")
    return text.replace(old, new)


def entries() -> list[Entry]:
    catalog = (SOURCE / "catalog.py").read_text()
    with_suggestion = replaced(
        replaced(
            replaced(
                catalog,
                "from .money import format_price\n",
                "from . import observe\nfrom .money import format_price\n",
            ),
            "from .session import Visitor\n",
            "from .recommend import recommend\nfrom .session import Visitor\n",
        ),
        '    return "\\n".join(lines)\n',
        '    return "\\n".join([*lines, *suggestions(visitor)])\n\n\n'
        "def suggestions(visitor: Visitor) -> list[str]:\n"
        "    try:\n"
        '        return [f"Others bought: {name}" for name in recommend(visitor.region)]\n'
        "    except TimeoutError:\n"
        "        observe.report(handled=True)\n"
        "        return []\n",
    )
    products = source("products.py")["shop/products.py"]
    more = replaced(
        products,
        '    Product("NB-04", "Squared notebook", 700),\n',
        '    Product("NB-04", "Squared notebook", 700),\n    Product("CB-05", "Braided cable", 1200),\n',
    )
    cart = source("cart.py")["shop/cart.py"]
    invited = replaced(cart, '"Your cart is empty."', '"Your cart is empty. Have a look around!"')
    basics = {"README.md": README, ".gitignore": "__pycache__/\n", "CHANGELOG.md": "# Changes\n"}
    return [
        Entry(
            "Prices and products",
            MARA,
            34,
            basics | source("__init__.py", "money.py", "products.py"),
        ),
        Entry(
            "Read accounts, carts and orders from the data directory",
            TOMAS,
            33,
            source("store.py") | {"migrations/0001_accounts.sql": ACCOUNTS_SQL},
        ),
        Entry("Know who is in the shop", PRIYA, 31, source("session.py")),
        Entry(
            "First page, cart and till",
            MARA,
            29,
            source("catalog.py", "cart.py", "pay.py", "routes.py"),
        ),
        Entry(
            "Serve it over HTTP and report errors to Sentry",
            TOMAS,
            26,
            source("observe.py", "health.py", "server.py", "__main__.py"),
        ),
        Entry("Record architecture decisions", MARA, 22, {ADR_1: ADR}, tag="v1.0.0"),
        Entry(
            "Recommend something on the first page",
            PRIYA,
            17,
            {"shop/recommend.py": RECOMMEND, "shop/catalog.py": with_suggestion},
        ),
        Entry("Test prices and carts", JONAS, 14, {"tests/test_shop.py": TESTS}),
        Entry(
            "Keep receipts", TOMAS, 10, {"migrations/0002_receipts.sql": RECEIPTS_SQL}, tag="v1.1.0"
        ),
        Entry("Sell braided cables", JONAS, 7, {"shop/products.py": more}),
        Entry(
            "Invite people with an empty cart to look around", PRIYA, 4, {"shop/cart.py": invited}
        ),
        Entry("Write down how to roll back", MARA, 3, {"docs/runbook.md": RUNBOOK}, tag="v1.2.0"),
    ]


ADR_1 = "docs/adr/0001-record-architecture-decisions.md"


@dataclass(frozen=True, slots=True)
class Built:
    """The releases of the history, oldest first: tag and when it was made."""

    releases: tuple[tuple[str, datetime], ...]


def build(repository: Path, now: datetime) -> Built:
    """Make the repository, with `main` checked out.

    Raises:
        GitFailed
    """
    repository.mkdir(parents=True)
    tree = Tree(repository)
    tree.git("init", "--quiet", "--initial-branch=main")
    # Whoever commits here without a name of their own is the shop's CI.
    tree.git("config", "user.name", "Shop CI")
    tree.git("config", "user.email", "ci@shop.example")
    tree.git("config", "commit.gpgsign", "false")
    releases: list[tuple[str, datetime]] = []
    for entry in entries():
        at = (now - timedelta(days=entry.days)).replace(microsecond=0)
        tree.commit(entry.message, entry.files, author=entry.author, at=at)
        if entry.tag:
            tree.git("tag", entry.tag)
            releases.append((entry.tag, at))
    return Built(tuple(releases))
