"""A list of every Lua script of the bot."""

from __future__ import annotations

import importlib
import pkgutil

import bot
from bot.connection.client import Script


def scripts() -> list[Script]:
    """Every Lua script of the bot."""
    modules = [
        importlib.import_module(module.name)
        for module in pkgutil.walk_packages(bot.__path__, "bot.")
        if "__main__" not in module.name
    ]
    return [
        value for module in modules for value in vars(module).values() if isinstance(value, Script)
    ]
