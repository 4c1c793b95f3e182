"""The services of a world: what the catalogue says of them, and what runs in production."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sandbox.github.state import GitHub

SERVICE = """
[services.NAME]
repository = "acme/NAME"
owners = "@checkout-oncall"
sentry = ["NAME"]
features = { catalog = "/", cart = "/cart*", payment = "/pay*" }
release = { sentry = "NAME@{version}", tag = "v{version}", deploy = "{version}" }
deployer = "DEPLOYER"
linear_team = "ENG"
adr = { repository = "acme/NAME", path = "docs/adr" }
turn_off = ["shopctl", "off", "NAME", "{change}"]
"""
COMMANDS = """
[services.NAME.deploy]
directory = "FOLDER"
run = ["shopctl", "deploy", "NAME", "{release}"]
current = ["shopctl", "current", "NAME"]
releases = ["shopctl", "releases", "NAME"]
hotfix = ["shopctl", "hotfix", "NAME", "{commit}"]
"""
BY_COMMAND = 0.3
"""The share of services that are deployed by a command, the others by GitHub."""


@dataclass
class Shop:
    """A service in production: what runs, and whether it burns."""

    number: int
    hub: GitHub
    running: str = "1.3.0"
    on_fire: bool = False
    """The trouble is there while `mended_by` has not happened."""
    mended_by: tuple[str, ...] = ("1.2.0", "1.1.0")
    """Versions on which it does not burn."""
    since: float = 0.0
    fails: int = 0
    """So many of the next runs end in failure."""
    slow: float = 0.0
    """Seconds that each run takes longer."""
    error: str = ""
    by_command: bool = False
    flag: str = ""
    """What was turned on, and brings the trouble."""

    @property
    def name(self) -> str:
        return name_of(self.number)

    @property
    def burns(self) -> bool:
        return self.on_fire and self.running not in self.mended_by


def name_of(number: int) -> str:
    return f"shop{number:03d}"


def catalogued(shop: Shop, folder: Path) -> str:
    """Return its part of the catalogue."""
    text = SERVICE + (COMMANDS if shop.by_command else "")
    deployer = "command" if shop.by_command else "github"
    named = text.replace("NAME", shop.name).replace("DEPLOYER", deployer)
    return named.replace("FOLDER", str(folder))
