"""`firebreak doctor`: what works, what does not, how to mend it; one table. Exit code 1 when something needed is broken.

Nothing of production is touched. In Slack one message is posted into INCIDENTS_CHANNEL, read back, and deleted; in Redis a few
keys of doctor's own are; PagerDuty hears that an alert which never was has ended.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import sys
import textwrap
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import TextIO

from bot.cli.checks import Finding, broken, off, works
from bot.cli.checks.outside import linear_and_others
from bot.cli.checks.sentry import sentry
from bot.cli.checks.services import services
from bot.cli.checks.slack import slack
from bot.cli.checks.store import store
from bot.cli.checks.webhooks import doors
from bot.config import catalogue as catalogues
from bot.config import settings as settings_module
from bot.config.catalogue import Catalogue
from bot.config.settings import Faults, Settings

SIGNS = {"works": "✓", "off": "○", "unproven": "?", "broken": "✗"}
WIDTH, NAME = 118, 24


def doctor(out: TextIO = sys.stdout) -> int:
    """Exit code 0, or 1 where something that is needed, or that was set up, does not work."""
    logging.getLogger().addHandler(logging.NullHandler())  # what a client warns of is in the table
    found = asyncio.run(examine())
    print(table(found), file=out)
    return 1 if any(one.state == "broken" for one in found) else 0


async def examine() -> list[Finding]:
    """Everything, in the order in which it has to be mended."""
    try:
        settings = settings_module.load()
    except Faults as faults:
        wrong = catalogues.faults(*settings_module.services_file())
        return [
            *(broken("Settings", fault) for fault in faults.faults),
            *(broken("Catalogue", fault) for fault in wrong),
        ]
    found = [works("Settings", "complete; nothing is misspelt")]
    found += [Finding("unproven", "Settings", warning) for warning in settings.warnings()]
    try:
        catalogue = catalogues.load(settings)
    except Faults as faults:
        return found + [broken("Catalogue", fault) for fault in faults.faults]
    found += _catalogue(settings, catalogue)
    async with AsyncExitStack() as stack:
        for part in (slack, store, doors, sentry, linear_and_others, services):
            found += await part(settings, catalogue, stack)
    found += [
        off(one.system, one.costs, f"set {' and '.join(one.variables)} (docs/settings.md)")
        for one in settings.describe_off()
    ]
    return found


def _catalogue(settings: Settings, catalogue: Catalogue) -> list[Finding]:
    names = ", ".join(service.name for service in catalogue.all())
    if not settings.services_file.exists():
        mend = f"describe your services in {settings.services_file} (docs/services.md)"
        return [
            off(
                "Catalogue",
                "no file: one service, nothing to deploy, triage of every project",
                mend,
            )
        ]
    found = [works("Catalogue", f"{settings.services_file}: {names}")]
    return found + [Finding("unproven", "Catalogue", warning) for warning in catalogue.warnings]


def table(found: Sequence[Finding]) -> str:
    """One line a finding, with how to mend it under it; what is broken is named once more at the end."""
    width = min(WIDTH, shutil.get_terminal_size((WIDTH, 24)).columns)
    lines: list[str] = []
    for one in found:
        head = f" {SIGNS[one.state]} {one.what:<{NAME}} "
        lines += textwrap.wrap(
            one.says, width, initial_indent=head, subsequent_indent=" " * len(head)
        ) or [head]
        if one.mend:
            begin = " " * (NAME + 4) + "→ "
            lines += textwrap.wrap(
                one.mend, width, initial_indent=begin, subsequent_indent=" " * len(begin)
            )
    bad = list(dict.fromkeys(one.what for one in found if one.state == "broken"))
    last = f"To be mended: {'; '.join(bad)}." if bad else "Everything that is set up works."
    signs = "   ".join(f"{sign} {state}" for state, sign in SIGNS.items())
    return "\n".join((*lines, "", last, f"({signs})"))
