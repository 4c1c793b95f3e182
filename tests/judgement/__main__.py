"""Draw incidents and judge the bot's advice.

`make judgement` judges 1,000 worlds from seed 1 on, `ARGS="--worlds 200 --seed 5000"` others,
`--only silent` one kind, `--story 17` one world, `--told` the incidents of public post-mortems
alone. Exit code 1 if one of these is answered wrongly, an advice harms, or a wide fire is called
nothing unusual.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from concurrent.futures import ProcessPoolExecutor

from tests.judgement import kinds
from tests.judgement.judge import Judged, judge
from tests.judgement.postmortems.told import wrong
from tests.judgement.story import story, table, worst

HELD_OUT = 1_000_000
"""Seeds from here on are for the final figure alone."""
CHUNK = 20


def main() -> int:
    parser = argparse.ArgumentParser(prog="make judgement", description=__doc__)
    parser.add_argument("--worlds", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1, help="of the first world")
    parser.add_argument("--only", choices=kinds.names(), default="", metavar="KIND")
    parser.add_argument("--story", type=int, metavar="SEED", help="tell one world")
    parser.add_argument("--told", action="store_true", help="the incidents of post-mortems alone")
    parser.add_argument("--worst", type=int, default=5, help="so many stories")
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    if given.story is not None:
        print(story(asyncio.run(judge(given.story, given.only))))
        return 0
    lines, many = ([], 0) if given.only else wrong()
    print("\n".join([*lines, f"{many} incidents of post-mortems told", ""]))
    if given.told:
        return 1 if lines else 0
    began = time.monotonic()
    judged = _all(range(given.seed, given.seed + given.worlds), given.only, given.workers)
    print(table(judged))
    print(f"{len(judged)} worlds from seed {given.seed} on in {time.monotonic() - began:.0f} s\n")
    print("\n\n".join(story(j) for j in worst(judged, given.worst)))
    return 1 if lines or any(j.harm or j.missed for j in judged) else 0


def _all(seeds: range, only: str, workers: int) -> list[Judged]:
    if workers <= 1:
        return [_judged((seed, only)) for seed in seeds]
    with ProcessPoolExecutor(workers) as pool:
        return list(pool.map(_judged, ((seed, only) for seed in seeds), chunksize=CHUNK))


def _judged(given: tuple[int, str]) -> Judged:
    return asyncio.run(judge(*given))


if __name__ == "__main__":
    sys.exit(main())
