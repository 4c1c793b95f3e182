"""The services.toml of the sandbox: what the bot is told about the shop."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

DEPLOY = Path(__file__).parent / "bin" / "deploy.py"
REPRODUCE = Path(__file__).parent / "bin" / "reproduce.py"


def deploy_command(python: str, home: Path, *arguments: str) -> list[str]:
    """The argv of the deploy script."""
    return [python, str(DEPLOY), "--home", str(home), *arguments]


def service(python: str, home: Path, port: int, repository: str | None = None) -> dict[str, Any]:
    """The shop as one service of the catalogue; `repository`: its name on the local GitHub."""
    return {
        **({"repository": repository} if repository else {}),
        "aliases": ["checkout", "store", "cart", "webshop"],
        "owners": "@checkout-oncall",
        "sentry": ["shop"],
        "environments": ["production"],
        "features": {"catalog": "/", "cart": "/cart*", "payment": "/pay*"},
        "region_tag": "region",
        "org_tag": "customer",
        "not_users": ["healthcheck*"],
        "release": {"sentry": "shop@{version}", "tag": "v{version}", "deploy": "v{version}"},
        "runbook": "https://wiki.shop.example/runbook",
        "one_way": ["migrations/**"],
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
        "linear_team": "ENG",
        "adr": {"directory": str(home / "repo" / "docs" / "adr")},
    }


def write(path: Path, services: dict[str, dict[str, Any]]) -> None:
    """Write a services.toml."""
    path.write_text("\n".join(section(name, keys) for name, keys in services.items()))


def section(name: str, keys: dict[str, Any]) -> str:
    lines = [f"[services.{name}]", *(f"{key} = {toml(value)}" for key, value in keys.items())]
    return "\n".join(lines) + "\n"


def toml(value: Any) -> str:
    """A TOML value. A JSON string is a TOML basic string, as long as it is ASCII-escaped without surrogates."""
    if isinstance(value, dict):
        return (
            "{ "
            + ", ".join(f"{json.dumps(key)} = {toml(entry)}" for key, entry in value.items())
            + " }"
        )
    if isinstance(value, list):
        return "[" + ", ".join(toml(entry) for entry in value) + "]"
    return json.dumps(value, ensure_ascii=False)
