"""For `git bisect run`: does every page of the shop in the current directory answer?

Exit 0: yes. 1: no. 125: this commit cannot tell (it cannot even be loaded). It runs in any checkout
of the shop's repository, also an old one, and touches nothing outside.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

GOOD, BAD, CANNOT_TELL = 0, 1, 125

PAGES = ("/", "/cart", "/pay")


def main(data: Path) -> int:
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(Path.cwd()))
    try:
        routes = importlib.import_module("shop.routes")
        store = importlib.import_module("shop.store").Store(data)
    except Exception as error:  # noqa: BLE001 (a half-finished commit may fail in any way)
        print(f"cannot tell: the shop cannot be loaded here ({type(error).__name__}: {error})")
        return CANNOT_TELL
    users = sorted(path.stem for path in (data / "accounts").glob("*.json"))
    if not users:
        print(f"cannot tell: no accounts in {data}")
        return CANNOT_TELL
    for page in PAGES:
        for user in users:
            try:
                routes.respond(page, user, store)
            except Exception as error:  # noqa: BLE001 (any exception at all is what we look for)
                print(f"bad: {page} fails with {type(error).__name__}: {error}")
                return BAD
    print(f"good: {len(PAGES)} pages for {len(users)} accounts")
    return GOOD


if __name__ == "__main__":
    if len(sys.argv) != 2:
        print("usage: reproduce.py DATA_DIRECTORY")
        sys.exit(CANNOT_TELL)
    sys.exit(main(Path(sys.argv[1])))
