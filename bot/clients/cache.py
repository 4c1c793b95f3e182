"""Values that a client remembers for a while."""

import math
import time
from collections import OrderedDict
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Cache(Generic[K, V]):
    """Values by key for `seconds`, `most` of them; beyond that the longest unused one goes."""

    def __init__(self, *, seconds: float = math.inf, most: float = math.inf) -> None:
        self._seconds = seconds
        self._most = most
        self._values: OrderedDict[K, tuple[float, V]] = OrderedDict()

    def __contains__(self, key: K) -> bool:
        return key in self._values and self._values[key][0] > time.monotonic()

    def __getitem__(self, key: K) -> V:
        self._values.move_to_end(key)
        return self._values[key][1]

    def get(self, key: K) -> V | None:
        if key not in self:
            return None
        return self[key]

    def __setitem__(self, key: K, value: V) -> None:
        self._values[key] = (time.monotonic() + self._seconds, value)
        self._values.move_to_end(key)
        while len(self._values) > self._most:
            self._values.popitem(last=False)

    def clear(self) -> None:
        self._values.clear()
