"""The faults that a service of the catalogue can have, in sentences that name the key."""

import difflib
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from pydantic import BaseModel

from phases.record.service import AdrPlace, DeployCommands, ReleaseNames, Service


class Numbers(TypedDict, total=False):
    """The settings that every service carries, in seconds."""

    window_seconds: int
    recheck_after_seconds: int
    recheck_until_seconds: int


COMPUTED = ("name", "beside", "beside_in_sentry", "turn_off_in", *Numbers.__annotations__)
"""Fields of a service that the bot fills in. Nobody may write them in the file."""


def turn_off_faults(command: Sequence[str], where: str) -> list[str]:
    """Return the faults of `turn_off`. The change's name is one whole argument, never the first."""
    faults = [
        f"{where}: turn_off: {{change}} must be a whole argument of its own, not a part of "
        f"{argument!r}"
        for argument in command
        if "{change}" in argument and argument != "{change}"
    ]
    if command and "{change}" not in command[1:]:
        faults.append(
            f"{where}: turn_off never names what to turn off: one argument must be {{change}}"
        )
    if command and command[0] in ("", "{change}"):
        faults.append(f"{where}: turn_off must begin with the command that is run")
    return faults


def placeholder_faults(commands: DeployCommands, where: str) -> list[str]:
    """Return the faults of placeholders.

    A placeholder fills one whole argument, so that the name of a release stays one argument.
    """
    faults = [
        f"{where}: {key}: {placeholder} must be a whole argument of its own, not a part of "
        f"{argument!r}"
        for key in ("run", "current", "releases", "hotfix")
        for argument in getattr(commands, key)
        for placeholder in ("{release}", "{commit}", "{version}")
        if placeholder in argument and argument != placeholder
    ]
    if not {"{release}", "{version}", "{commit}"} & set(commands.run):
        faults.append(f"{where}: run never names what to deploy: one argument must be {{release}}")
    if commands.hotfix and not {"{commit}", "{release}"} & set(commands.hotfix):
        faults.append(
            f"{where}: hotfix never names what to deploy: one argument must be {{commit}}"
        )
    return faults


def fault_sentence(model: type[BaseModel], fault: Mapping[str, Any]) -> str:
    """Return one of pydantic's faults in words, with its key as written in the file."""
    # Members of a union are in the place of a fault, too.
    place = [part for part in fault["loc"] if part not in ("DeployCommands", "DeployWorkflow")]
    key = ".".join(str(part) if isinstance(part, str) else f"[{part}]" for part in place)
    key = key.replace(".[", "[")
    match fault["type"]:
        case "extra_forbidden":
            return f"unknown key {key}{nearest_of(str(place[-1]), keys_of(model, *place[:-1]))}"
        case "missing":
            return f"{key} is missing"
        case "string_type":
            return f"{key} must be a text in quotes"
        case "tuple_type" if key == "owners":
            return "owners must be a text in quotes, or a list of them"
        case "tuple_type":
            return f"{key} must be a list"
        case "dict_type" | "model_type":
            return f"{key} must be a table"
        case "int_type":
            return f"{key} must be a whole number"
        case "too_short":
            return f"{key} must not be empty"
        case "literal_error":
            return f"{key} must be {fault['ctx']['expected']}"
        case _:
            return f"{key}: {fault['msg']}"


def keys_of(model: type[BaseModel], *place: str | int) -> Sequence[str]:
    """Return the keys that may be written at this place of the model."""
    for part in place:
        if part not in ("release", "adr"):
            return ()
        model = ReleaseNames if part == "release" else AdrPlace
    return [key for key in model.model_fields if model is not Service or key not in COMPUTED]


def nearest_of(word: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(word, known, 1, 0.5)
    if near:
        return f"; did you mean {near[0]}?"
    return f"; known are {', '.join(known)}" if known else ""
