"""`make lives`: a thousand incidents from their beginning to their end, in virtual time.

make lives ARGS="--lives 1000"
make lives ARGS="--seed 4711"      tells the story of life 4711
"""

from __future__ import annotations

import os
import sys


def _same_hashes() -> None:
    """Start anew with fixed hashes of texts: the order of a set must be that of the seed, too."""
    if os.environ.get("PYTHONHASHSEED") != "0":
        os.environ["PYTHONHASHSEED"] = "0"
        os.execv(sys.executable, [sys.executable, "-m", "tests.lives", *sys.argv[1:]])


if __name__ == "__main__":
    _same_hashes()
    from tests.lives import clock

    clock.install()
    from tests.lives.run import main

    sys.exit(main())
