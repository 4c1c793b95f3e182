"""Measure the bot's speed beside floor programs that make the same outside calls and keep no state.

`make bench` measures bot and floor in turn in one run: quote the ratios, machines differ. `make
bench ARGS="--only NAME"` runs one part, `ARGS=--markdown` prints the table as docs/performance.md
has it. `speed` is what a million turns of a loop took near the row, in milliseconds of processor
time and by the clock: figures of two tables are compared by it. Exit code 1 if the rate of wrong
verdicts is over its limit: that is a rule and no matter of speed.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable, Mapping

from tests.bench import (
    acks,
    at_once,
    clicks,
    lists,
    live,
    memory,
    opening,
    phases,
    record,
    recovery,
    replicas,
    start,
    storm,
    suspects,
)
from tests.bench.speed import speed
from tests.bench.table import Row, markdown, text

PARTS: Mapping[str, Callable[[], Awaitable[list[Row]]]] = {
    "opening": opening.rows,
    "at-once": at_once.rows,
    "acks": acks.rows,
    "record": record.rows,
    "clicks": clicks.rows,
    "start": start.rows,
    "lists": lists.rows,
    "storm": storm.rows,
    "phases": phases.rows,
    "live": live.rows,
    "memory": memory.report,
    "recovery": recovery.table,
    "suspects": suspects.rows,
    "replicas": replicas.rows,
}
"""One line a part, in the order in which they run. A part prints nothing on stdout."""
LONG = ("replicas",)
"""Parts that run only where they are named: more than ten minutes each."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument(
        "--only", choices=PARTS, action="append", metavar="NAME", help=f"one of {', '.join(PARTS)}"
    )
    parser.add_argument("--markdown", action="store_true", help="print the table in Markdown")
    parser.add_argument(
        "--crashes", metavar="FOLDER", help="crashes with a known culprit, for `suspects`"
    )
    given = parser.parse_args()
    if given.crashes:
        os.environ[suspects.FOLDER] = given.crashes
    print(f"a million turns of a loop: {speed()} ms", file=sys.stderr)
    rows: list[Row] = []
    for name in given.only or [name for name in PARTS if name not in LONG]:
        began = time.monotonic()
        print(f"{name} …", end=" ", file=sys.stderr, flush=True)
        part_rows = asyncio.run(_part(name))
        print(f"{time.monotonic() - began:.0f} s", file=sys.stderr)
        rows += part_rows
        if not given.markdown:
            print(text(part_rows), flush=True)
    if given.markdown:
        print(markdown(rows))
    return 1 if any(row.ok is False and row.what.startswith(recovery.SIGN) for row in rows) else 0


async def _part(name: str) -> list[Row]:
    return await PARTS[name]()


if __name__ == "__main__":
    sys.exit(main())
