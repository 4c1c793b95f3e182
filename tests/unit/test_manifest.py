"""The manifest.

It asks for what the docs give a reason for, and holds the names that people and handlers use.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

HOUSE = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def manifest() -> dict[str, Any]:
    return yaml.safe_load((HOUSE / "manifest.yml").read_text(encoding="utf-8"))


def test_every_scope_and_event_has_its_reason(manifest: dict[str, Any]) -> None:
    docs = (HOUSE / "docs" / "permissions.md").read_text(encoding="utf-8")
    bot_scopes, events = (
        docs.split("## Events")[0],
        docs.split("## Events")[1].split("## App-level")[0],
    )
    assert (
        re.findall(r"^\| `([a-z:.]+)` \|", bot_scopes, re.MULTILINE)
        == manifest["oauth_config"]["scopes"]["bot"]
    )
    explained = re.findall(r"`((?:message|app|member|channel|group|reaction)[._][a-z_]+)`", events)
    assert explained == manifest["settings"]["event_subscriptions"]["bot_events"]
    assert "user" not in manifest["oauth_config"]["scopes"]


def test_the_command_escapes_mentions_and_socket_mode_needs_no_address(
    manifest: dict[str, Any],
) -> None:
    (command,) = manifest["features"]["slash_commands"]
    assert (command["command"], command["should_escape"]) == ("/incident", True)
    assert manifest["settings"]["socket_mode_enabled"] is True
    assert "url:" not in (HOUSE / "manifest.yml").read_text(encoding="utf-8")
    shortcuts = [
        (shortcut["type"], shortcut["callback_id"])
        for shortcut in manifest["features"]["shortcuts"]
    ]
    assert shortcuts == [("global", "incident.declare"), ("message", "incident.declare")]
    assert all(len(shortcut["name"]) <= 24 for shortcut in manifest["features"]["shortcuts"])
