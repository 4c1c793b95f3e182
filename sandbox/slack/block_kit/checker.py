"""Collects faults of a piece of Block Kit, each with a JSON pointer, in Slack's words."""

from __future__ import annotations

from typing import Any

from sandbox.wire import Json


class Checker:
    def __init__(self) -> None:
        self.faults: list[str] = []

    def fault(self, what: str, at: str) -> None:
        self.faults.append(f"{what} [json-pointer:{at}]")

    def length(self, text: str, at: str, most: int, least: int = 1) -> None:
        if len(text) > most:
            self.fault(f"must be less than {most + 1} characters", at)
        if len(text) < least:
            self.fault(f"must be more than {least - 1} characters", at)

    def string(
        self, owner: Json, key: str, at: str, most: int, *, least: int = 1, required: bool = False
    ) -> None:
        """A string at `key`, of `least` to `most` characters, if it is there."""
        value = owner.get(key)
        if value is None:
            if required:
                self.fault(f"missing required field: {key}", at)
        elif not isinstance(value, str):
            self.fault("must be a string", f"{at}/{key}")
        else:
            self.length(value, f"{at}/{key}", most, least)

    def items(self, owner: Json, key: str, at: str, most: int, least: int = 1) -> list[Any]:
        """The list at `key`, of `least` to `most` items; empty when it is no list."""
        value = owner.get(key)
        if not isinstance(value, list):
            self.fault(f"missing required field: {key}", at)
            return []
        if len(value) > most:
            self.fault(f"no more than {most} items allowed", f"{at}/{key}")
        if len(value) < least:
            self.fault(f"no less than {least} items allowed", f"{at}/{key}")
        return value

    def only(self, owner: Json, at: str, allowed: set[str]) -> None:
        for key in owner.keys() - allowed:
            self.fault(f"invalid additional property: {key}", f"{at}/{key}")

    def one_of(
        self, owner: Json, key: str, at: str, allowed: tuple[str, ...], *, required: bool = False
    ) -> None:
        value = owner.get(key)
        if value is None and not required:
            return
        if value not in allowed:
            self.fault(f"must be one of {', '.join(allowed)}", f"{at}/{key}")
