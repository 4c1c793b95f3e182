"""The services.toml of the sandbox: the catalogue in which the bot reads about the shop."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

DEPLOY = Path(__file__).parent / "bin" / "deploy.py"
FLAG = Path(__file__).parent / "bin" / "flag.py"
REPRODUCE = Path(__file__).parent / "bin" / "reproduce.py"


def deploy_command(python: str, home: Path, *arguments: str) -> list[str]:
    """Return the argv of the deploy script."""
    return [python, str(DEPLOY), "--home", str(home), *arguments]


def flag_command(python: str, home: Path, *arguments: str) -> list[str]:
    """Return the argv of the script that turns a flag on or off."""
    return [python, str(FLAG), "--home", str(home), *arguments]


PLAIN: dict[str, Any] = {
    "aliases": ["checkout", "store", "cart", "webshop"],
    "owners": "@checkout-oncall",
    "sentry": ["shop"],
    "features": {"catalog": "/", "cart": "/cart*", "payment": "/pay*"},
    "region_tag": "region",
    "org_tag": "customer",
    "not_users": ["healthcheck*"],
    "release": {"sentry": "shop@{version}"},
    "linear_team": "ENG",
}
"""The shop where nothing can be deployed."""


def service(python: str, home: Path, port: int, repository: str | None = None) -> dict[str, Any]:
    """Return the shop as one service; `repository` is its name on the local GitHub."""
    return {
        **PLAIN,
        **({"repository": repository} if repository else {}),
        "environments": ["production"],
        "release": {"sentry": "shop@{version}", "tag": "v{version}", "deploy": "v{version}"},
        "runbook": "https://wiki.shop.example/runbook",
        "one_way": ["migrations/**"],
        "turn_off": flag_command(python, home, "off", "{change}"),
        "deployer": "command",
        "deploy": {
            "directory": str(home / "repo"),
            "run": deploy_command(python, home, "{release}"),
            "current": deploy_command(python, home, "--current"),
            "releases": deploy_command(python, home, "--releases"),
            "hotfix": deploy_command(python, home, "--hotfix", "{commit}"),
        },
        "checkout": str(home / "repo"),
        "bisect": [python, str(REPRODUCE), str(home / "sample")],
        "endpoint": f"http://127.0.0.1:{port}/health",
        "adr": {"directory": str(home / "repo" / "docs" / "adr")},
    }


def write(path: Path, services: dict[str, dict[str, Any]]) -> None:
    """Write a services.toml."""
    path.write_text("\n".join(section(name, keys) for name, keys in services.items()))


def section(name: str, keys: dict[str, Any]) -> str:
    lines = [f"[services.{name}]", *(f"{key} = {toml(value)}" for key, value in keys.items())]
    return "\n".join(lines) + "\n"


def toml(value: Any) -> str:
    """Return a TOML value. TOML takes a JSON string without surrogates as a basic string."""
    if isinstance(value, dict):
        pairs = (f"{json.dumps(key)} = {toml(entry)}" for key, entry in value.items())
        return "{ " + ", ".join(pairs) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(toml(entry) for entry in value) + "]"
    return json.dumps(value, ensure_ascii=False)
