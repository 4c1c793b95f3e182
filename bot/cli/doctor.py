"""`firebreak doctor`: one table of what works, what does not, and how to mend it.

The exit code is 1 when something needed is broken. Nothing of production is touched. In Slack one
message is posted into INCIDENTS_CHANNEL, read back, and deleted. In Redis a few keys of doctor's
own are. PagerDuty hears that an alert which never was has ended.
"""

import asyncio
import importlib.util
import logging
import shutil
import sys
import textwrap
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import TextIO

from bot.cli.checks import Finding, broken, off, unproven, works
from bot.cli.checks.outside import linear_and_others
from bot.cli.checks.sentry import sentry
from bot.cli.checks.services import services
from bot.cli.checks.slack import slack
from bot.cli.checks.store import store
from bot.cli.checks.webhooks import webhooks
from bot.clients.slack.client import Slack
from bot.config import catalogue as catalogues
from bot.config import settings as settings_module
from bot.config.catalogue import Catalogue
from bot.config.settings import Faults, Settings
from bot.wiring import Outside

SIGNS = {"works": "✓", "off": "○", "unproven": "?", "broken": "✗"}
WIDTH, NAME = 118, 24


def doctor(out: TextIO = sys.stdout) -> int:
    """Return exit code 0, or 1 where something that is needed, or was set up, does not work."""
    logging.getLogger().addHandler(logging.NullHandler())  # what a client warns of is in the table
    findings = asyncio.run(examine())
    print(table(findings), file=out)
    return 1 if any(finding.state == "broken" for finding in findings) else 0


async def examine() -> list[Finding]:
    """Return all findings, in the order in which they have to be mended."""
    try:
        settings = settings_module.load()
    except Faults as faults:
        wrong = catalogues.faults(*settings_module.services_file())
        return [
            *(broken("Settings", fault) for fault in faults.faults),
            *(broken("Catalogue", fault) for fault in wrong),
        ]
    findings = [works("Settings", "complete; nothing is misspelt")]
    findings += [unproven("Settings", warning) for warning in settings.warnings()]
    try:
        catalogue = catalogues.load(settings)
    except Faults as faults:
        return findings + [broken("Catalogue", fault) for fault in faults.faults]
    findings += _catalogue(settings, catalogue)
    findings += await _systems(settings, catalogue)
    findings.append(agents())
    findings += [
        off(system.system, system.costs, f"set {' and '.join(system.variables)} (docs/settings.md)")
        for system in settings.describe_off()
    ]
    return findings


async def _systems(settings: Settings, catalogue: Catalogue) -> list[Finding]:
    async with AsyncExitStack() as stack:
        outside = Outside.of(settings, stack)
        client = Slack(settings.slack_bot_token.get_secret_value(), settings.slack_api_url)
        await client.start()
        stack.push_async_callback(client.aclose)
        return [
            *await slack(settings, client),
            *await store(settings, stack),
            *await webhooks(settings, stack),
            *await sentry(outside.tracker, catalogue),
            *await linear_and_others(settings, catalogue, outside),
            *await services(settings, catalogue, outside, client),
        ]


def _catalogue(settings: Settings, catalogue: Catalogue) -> list[Finding]:
    what, file = "Catalogue", settings.services_file
    if not file.exists():
        says = "no file: one service, nothing to deploy, triage of every project"
        return [off(what, says, f"describe your services in {file} (docs/services.md)")]
    names = ", ".join(service.name for service in catalogue.all())
    warnings = [unproven(what, warning) for warning in catalogue.warnings]
    return [works(what, f"{file}: {names}"), *warnings]


def agents() -> Finding:
    """Return whether `firebreak mcp` can start; its host starts it, and tells if it did."""
    what = "Agents"
    if importlib.util.find_spec("mcp") is None:
        costs = "`firebreak mcp` is not installed: no agent can read incidents"
        return off(what, costs, "pip install 'firebreak[mcp]' (docs/agents.md)")
    return works(what, "the MCP SDK is installed; `firebreak mcp --person …` starts their door")


def table(findings: Sequence[Finding]) -> str:
    """Return a line for each finding, with how to mend it under it.

    The last line names what is broken once more.
    """
    width = min(WIDTH, shutil.get_terminal_size((WIDTH, 24)).columns)
    lines: list[str] = []
    for finding in findings:
        head = f" {SIGNS[finding.state]} {finding.what:<{NAME}} "
        lines += _wrapped(finding.says, head, width) or [head]
        lines += _wrapped(finding.mend, " " * (NAME + 4) + "→ ", width)
    bad = list(dict.fromkeys(finding.what for finding in findings if finding.state == "broken"))
    last = f"To be mended: {'; '.join(bad)}." if bad else "Everything that is set up works."
    signs = "   ".join(f"{sign} {state}" for state, sign in SIGNS.items())
    return "\n".join((*lines, "", last, f"({signs})"))


def _wrapped(text: str, head: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, initial_indent=head, subsequent_indent=" " * len(head))
