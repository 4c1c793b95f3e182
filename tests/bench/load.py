"""A load generator as a process.

It sends prepared requests from a file and prints the results as JSON.

`python -m tests.bench.load FILE PORT [PORT …] (--connections N | --rate N)`. With connections each
sends its next request as soon as the last is answered. With a rate every request is sent when its
time has come, over a free connection or a new one, so that a slow answer delays no other request.
Several ports are taken in turn. A latency is from the first byte sent to the end of the answer.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import pickle
import sys
import time
from collections import Counter
from pathlib import Path

HOST = "127.0.0.1"


class _Line:
    """One kept connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def open(cls, port: int) -> _Line:
        return cls(*await asyncio.open_connection(HOST, port))

    async def ask(self, raw: bytes) -> int:
        """The answer's status; its body is read and dropped."""
        self._writer.write(raw)
        head = await self._reader.readuntil(b"\r\n\r\n")
        low = head.lower()
        at = low.find(b"content-length:")
        if at >= 0:
            await self._reader.readexactly(int(low[at + 15 : low.index(b"\r\n", at)]))
        elif b"chunked" in low:
            raise SystemExit("load: a chunked answer")
        return int(head[9:12])

    def close(self) -> None:
        self._writer.close()


class Load:
    def __init__(self, requests: list[bytes], ports: list[int]) -> None:
        self._requests, self._ports = requests, ports
        self.latencies: list[float] = []
        self.statuses: Counter[int] = Counter()

    async def _send(self, line: _Line, raw: bytes) -> None:
        began = time.perf_counter()
        status = await line.ask(raw)
        self.latencies.append(time.perf_counter() - began)
        self.statuses[status] += 1

    async def closed(self, connections: int) -> None:
        waiting = iter(self._requests)

        async def person(port: int) -> None:
            line = await _Line.open(port)
            for raw in waiting:
                await self._send(line, raw)
            line.close()

        await asyncio.gather(
            *(person(self._ports[n % len(self._ports)]) for n in range(connections))
        )

    async def at_rate(self, rate: float) -> None:
        free: list[_Line] = [await _Line.open(self._ports[n % len(self._ports)]) for n in range(8)]
        tasks: set[asyncio.Task[None]] = set()

        async def send(raw: bytes) -> None:
            line = free.pop() if free else await _Line.open(self._ports[0])
            await self._send(line, raw)
            free.append(line)

        began = time.perf_counter()
        for number, raw in enumerate(self._requests):
            wait = began + number / rate - time.perf_counter()
            if wait > 0:
                await asyncio.sleep(wait)
            task = asyncio.create_task(send(raw))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        await asyncio.gather(*tasks)
        for line in free:
            line.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("ports", type=int, nargs="+")
    how = parser.add_mutually_exclusive_group(required=True)
    how.add_argument("--connections", type=int)
    how.add_argument("--rate", type=float)
    given = parser.parse_args()
    # Written by the bench that started this.
    requests: list[bytes] = pickle.loads(given.file.read_bytes())
    gc.disable()  # a pause of ours would be somebody's latency
    load = Load(requests, given.ports)
    began, busy = time.perf_counter(), time.process_time()
    asyncio.run(load.at_rate(given.rate) if given.rate else load.closed(given.connections))
    json.dump(
        {
            "seconds": time.perf_counter() - began,
            "busy": time.process_time() - busy,
            "latencies": load.latencies,
            "statuses": dict(load.statuses),
        },
        sys.stdout,
    )


if __name__ == "__main__":
    main()
