"""The history of the shop's repository: a dozen commits, three releases."""

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

We write each one down as a numbered file in this directory, as Michael Nygard described it.
Post-mortems of incidents are kept here, too: they are decisions about what we do differently.

## Consequences

A new colleague reads this directory first.
"""

README = """# Shop

A catalogue, a cart, a till. `python -m shop` serves it; `/health` says whether each part answers.
"""

ACCOUNTS_SQL = (
    "create table accounts (id bigint primary key, customer text not null, region text not null);\n"
)

RECEIPTS_SQL = """\
create table receipts (
  number bigint primary key, account bigint not null, cents bigint not null
);
"""

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


SUGGESTIONS = """    return "\\n".join([*lines, *suggestions(visitor)])


def suggestions(visitor: Visitor) -> list[str]:
    try:
        return [f"Others bought: {name}" for name in recommend(visitor.region)]
    except TimeoutError:
        observe.report(handled=True)
        return []
"""


def edited(name: str, *edits: tuple[str, str]) -> Files:
    """Return a source file with each old text replaced by a new one. Raises `ValueError`."""
    text = (SOURCE / name).read_text()
    for old, new in edits:
        text = replaced(text, old, new)
    return {f"shop/{name}": text}


def recommendations() -> Files:
    catalog = edited(
        "catalog.py",
        (
            "from .money import format_price\n",
            "from . import observe\nfrom .money import format_price\n",
        ),
        (
            "from .session import Visitor\n",
            "from .recommend import recommend\nfrom .session import Visitor\n",
        ),
        ('    return "\\n".join(lines)\n', SUGGESTIONS),
    )
    return {"shop/recommend.py": RECOMMEND, **catalog}


def cables() -> Files:
    notebook = '    Product("NB-04", "Squared notebook", 700),\n'
    cable = '    Product("CB-05", "Braided cable", 1200),\n'
    return edited("products.py", (notebook, notebook + cable))


def invitation() -> Files:
    empty = "Your cart is empty."
    return edited("cart.py", (f'"{empty}"', f'"{empty} Have a look around!"'))


BASICS = {"README.md": README, ".gitignore": "__pycache__/\n", "CHANGELOG.md": "# Changes\n"}
ACCOUNTS = {"migrations/0001_accounts.sql": ACCOUNTS_SQL}
RECEIPTS = {"migrations/0002_receipts.sql": RECEIPTS_SQL}
ADR_1 = {"docs/adr/0001-record-architecture-decisions.md": ADR}
CODE = source("__init__.py", "money.py", "products.py")
PAGES = source("catalog.py", "cart.py", "pay.py", "flags.py", "pricing.py", "routes.py")
SERVER = source("observe.py", "health.py", "server.py", "__main__.py")
ENTRIES = (
    Entry("Prices and products", MARA, 34, BASICS | CODE),
    Entry(
        "Read accounts, carts and orders from the data directory",
        TOMAS,
        33,
        source("store.py") | ACCOUNTS,
    ),
    Entry("Know who is in the shop", PRIYA, 31, source("session.py")),
    Entry("First page, cart and till", MARA, 29, PAGES),
    Entry("Serve it over HTTP and report errors to Sentry", TOMAS, 26, SERVER),
    Entry("Record architecture decisions", MARA, 22, ADR_1, tag="v1.0.0"),
    Entry("Recommend something on the first page", PRIYA, 17, recommendations()),
    Entry("Test prices and carts", JONAS, 14, {"tests/test_shop.py": TESTS}),
    Entry("Keep receipts", TOMAS, 10, RECEIPTS, tag="v1.1.0"),
    Entry("Sell braided cables", JONAS, 7, cables()),
    Entry("Invite people with an empty cart to look around", PRIYA, 4, invitation()),
    Entry("Write down how to roll back", MARA, 3, {"docs/runbook.md": RUNBOOK}, tag="v1.2.0"),
)


def build(repository: Path, now: datetime) -> None:
    """Make the repository, with `main` checked out.

    Raises:
        GitFailed
    """
    repository.mkdir(parents=True)
    tree = Tree(repository)
    tree.git("init", "--quiet", "--initial-branch=main")
    # Commits without a name of their own are the shop CI's.
    tree.git("config", "user.name", "Shop CI")
    tree.git("config", "user.email", "ci@shop.example")
    tree.git("config", "commit.gpgsign", "false")
    for entry in ENTRIES:
        at = (now - timedelta(days=entry.days)).replace(microsecond=0)
        tree.commit(entry.message, entry.files, author=entry.author, at=at)
        if entry.tag:
            tree.git("tag", entry.tag)
