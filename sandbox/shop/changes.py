"""Changes of the next releases: many innocent ones, and those that break something.

A change is a function of the files as they are. It can be made again, and differs each time.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from sandbox.shop.git import Author
from sandbox.shop.history import JONAS, MARA, PRIYA, TOMAS, Files, replaced

Read = Callable[[str], str]
"""A file of the tree, by name."""


@dataclass(frozen=True, slots=True)
class Change:
    message: str
    author: Author
    files: Files


Innocent = Callable[[Read, int], Change]


def setting(
    name: str, constant: str, values: tuple[str, ...], message: str, author: Author
) -> Innocent:
    """Another value for a constant."""

    def make(read: Read, turn: int) -> Change:
        text = read(name)
        pattern = re.compile(rf"^{constant} = (.+)$", re.MULTILINE)
        current = pattern.search(text)
        assert current, f"{constant} is not in {name}"
        choices = [value for value in values if value != current[1]]
        value = choices[turn % len(choices)]
        changed = pattern.sub(lambda match: f"{constant} = {value}", text, count=1)
        return Change(message.format(value=value.strip('"')), author, {name: changed})

    return make


PRODUCTS = (
    ("HB-06", "Hand balm", 900),
    ("TC-07", "Tea cup", 1400),
    ("WB-08", "Water bottle", 2200),
    ("HS-09", "Headset", 12900),
    ("CS-10", "Chair cushion", 3900),
    ("PL-11", "Potted plant", 1900),
    ("CL-12", "Wall clock", 4500),
    ("PN-13", "Fountain pen", 2600),
)


def sell(read: Read, turn: int) -> Change:
    sku, name, cents = PRODUCTS[turn % len(PRODUCTS)]
    sku = sku if turn < len(PRODUCTS) else f"{sku}-{turn}"
    text = replaced(
        read("shop/products.py"), "]\n", f'    Product("{sku}", "{name}", {cents}),\n]\n'
    )
    return Change(f"Sell a {name.lower()}", JONAS, {"shop/products.py": text})


def note(read: Read, turn: int) -> Change:
    lines = (
        "faster first page",
        "clearer receipts",
        "fewer cookies",
        "kinder words in the cart",
        "new photos",
    )
    text = read("CHANGELOG.md") + f"- {lines[turn % len(lines)]} ({turn + 1})\n"
    return Change(f"Changelog: {lines[turn % len(lines)]}", MARA, {"CHANGELOG.md": text})


def test_price(read: Read, turn: int) -> Change:
    cents = 1000 + 37 * turn
    price = f"{cents / 100:.2f}"
    text = read("tests/test_shop.py") + (
        f"\n\ndef test_price_{turn}() -> None:\n"
        f'    assert format_price({cents}, "USD") == "{price} USD"\n'
    )
    return Change(f"Test the price {price}", JONAS, {"tests/test_shop.py": text})


def runbook(read: Read, turn: int) -> Change:
    hints = (
        "who is on call",
        "where the dashboards are",
        "how to read the deploy log",
        "what to tell customers",
    )
    text = (
        read("docs/runbook.md")
        + f"- To be found here: {hints[turn % len(hints)]} (page {turn + 2}).\n"
    )
    return Change(f"Runbook: {hints[turn % len(hints)]}", TOMAS, {"docs/runbook.md": text})


INNOCENT: tuple[Innocent, ...] = (
    sell,
    setting(
        "shop/pay.py",
        "RECEIPT_FOOTER",
        ('"Thank you."', '"Thanks, come again."', '"See you soon."'),
        "Receipts end with: {value}",
        PRIYA,
    ),
    setting(
        "shop/session.py",
        "SESSION_DAYS",
        ("30", "14", "60", "90"),
        "Keep people signed in for {value} days",
        TOMAS,
    ),
    note,
    setting(
        "shop/catalog.py",
        "PAGE_SIZE",
        ("12", "16", "24", "20"),
        "Show {value} products on the first page",
        PRIYA,
    ),
    test_price,
    setting(
        "shop/store.py",
        "CACHE_SECONDS",
        ("30", "45", "60", "20"),
        "Cache accounts for {value} seconds",
        TOMAS,
    ),
    setting(
        "shop/cart.py",
        "EMPTY_HINT",
        ('"Nothing here yet."', '"Your cart is empty. Have a look around!"'),
        "Empty carts say: {value}",
        MARA,
    ),
    runbook,
    setting(
        "shop/server.py",
        "REQUEST_TIMEOUT",
        ("10", "15", "20"),
        "Give slow clients {value} seconds",
        TOMAS,
    ),
)


def migration(read: Read, turn: int) -> Change:
    """A one-way change: after it an older release may not understand its data."""
    name = f"migrations/{turn + 3:04d}_loyalty.sql"
    sql = f"alter table accounts add column loyalty_{turn} integer not null default 0;\n"
    return Change("Keep loyalty points with the account", TOMAS, {name: sql})


@dataclass(frozen=True, slots=True)
class Fault:
    """A change that breaks something, and its fix, as pairs of texts: before and after."""

    name: str
    message: str
    author: Author
    file: str
    edits: tuple[tuple[str, str], ...]
    error: str
    """The exception that people meet."""
    fix_message: str
    fix_author: Author

    def breaking(self, read: Read) -> Change:
        text = read(self.file)
        for old, new in self.edits:
            text = replaced(text, old, new)
        return Change(self.message, self.author, {self.file: text})

    def mending(self, read: Read) -> Change:
        text = read(self.file)
        for old, new in self.edits:
            text = replaced(text, new, old)
        return Change(self.fix_message, self.fix_author, {self.file: text})


EVERYTHING = (
    Fault(
        name="region-code",
        message="Use the region code that the account import writes",
        author=TOMAS,
        file="shop/session.py",
        edits=(('    region = account["region"]\n', '    region = account["region_code"]\n'),),
        error="KeyError",
        fix_message="Read the region again: only new accounts have a region code",
        fix_author=PRIYA,
    ),
    Fault(
        name="currency-digits",
        message="Know that not every currency has cents",
        author=PRIYA,
        file="shop/money.py",
        edits=(
            (
                "\n\ndef format_price",
                'DIGITS = {"EUR": 2, "USD": 2, "INR": 2, "JPY": 0}\n\n\ndef format_price',
            ),
            (
                '    return f"{cents / 100:.2f} {currency}"\n',
                "    digits = DIGITS[currency.lower()]\n"
                '    return f"{cents / 10**digits:.{digits}f} {currency}"\n',
            ),
        ),
        error="KeyError",
        fix_message="Two decimals for every currency that we take",
        fix_author=MARA,
    ),
)

ONE_FEATURE = (
    Fault(
        name="gateway-currency",
        message="Let the gateway choose the currency",
        author=MARA,
        file="shop/pay.py",
        edits=(
            (
                '    code = authorise(order["cents"], visitor.currency)\n',
                '    code = authorise(order["cents"])\n',
            ),
        ),
        error="TypeError",
        fix_message="Tell the gateway the currency: it has no default",
        fix_author=TOMAS,
    ),
    Fault(
        name="receipt-prefix",
        message="Put the customer's code in front of receipt numbers",
        author=JONAS,
        file="shop/pay.py",
        edits=(
            (
                "    return f\"R-{order['number']:06d}\"\n",
                "    return f\"{order['customer'].code}-{order['number']:06d}\"\n",
            ),
        ),
        error="AttributeError",
        fix_message="Plain receipt numbers: an order knows its customer by name only",
        fix_author=MARA,
    ),
)
