"""Manual escalation: a Sentry issue or a Linear issue that people name in their words belongs to
the incident.

Workflow, auto-invocation: "Manual escalation from a regular bug that turned out to be
production-impacting". A short id is only taken for Sentry's where its beginning is a project of the
catalogue, and for Linear's where it is a team of it: `SHOP-3` is one, `COVID-19` is nobody's.
Nothing typed into Slack is ever called.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from enum import Enum

from handlers.ports import Issues
from handlers.slack import slack_text
from phases.ports.ports import Catalogue, PortError
from phases.ports.tracker_values import IssueRow
from phases.record.service import Service

ASK_SECONDS = 0.7  # of the 3 s in which Slack wants its ack; the door needs up to 2
AT_MOST = 5

# https://docs.sentry.io/product/issues/ : the project's slug in capitals, and a number in base 32
# Letters of other scripts, which know no blanks, and the marks of slanted words are no part of it.
_SHORT_ID = re.compile(
    r"(?<![0-9A-Z/-])(?<![0-9A-Z]_)([A-Z0-9][A-Z0-9_-]{0,49}-[0-9A-Z]{1,10})(?![-_]?[0-9A-Z])",
    re.IGNORECASE,
)
_VERSION = re.compile(r"[A-Za-z]+|[vV]\d+")
"""Behind the dash of a name in small letters: `shop-api` and `shop-v2` are no issues."""
_LINK = re.compile(r"https?://\S+")


class Missing(Enum):
    UNKNOWN = "Sentry does not know it"
    LATER = "Sentry has not answered"


UNKNOWN, LATER = Missing.UNKNOWN, Missing.LATER


@dataclass(frozen=True, slots=True)
class Named:
    """What a text names, before anybody was asked."""

    ids: tuple[str, ...] = ()
    """Of Sentry links."""
    short_ids: tuple[str, ...] = ()
    parent: str | None = None
    """A Linear identifier."""
    rest: str = ""
    """The text without them, in which a service may be named."""


@dataclass(frozen=True, slots=True)
class Adopted:
    seeds: tuple[str, ...] = ()
    service: Service | None = None
    unseen: tuple[str, ...] = ()
    """Short ids that Sentry did not answer for in time: they are looked up when the incident is
    there.
    """
    parent: str | None = None
    note: str = ""
    """What Sentry does not know; shown with the incident's description."""


def named(text: str, catalogue: Catalogue) -> Named:
    """Sentry links and short ids, and the first Linear issue; however a phone wrote their dash.

    Links and Sentry's short ids also in small letters; Linear's `eng-12` alone is more often a
    branch or a word.
    """
    every = catalogue.all()
    teams = {one.linear_team.upper() for one in every if one.linear_team}
    projects = {slug.upper() for one in every for slug in one.sentry}
    text = slack_text.spelled(text)
    short_ids = [
        one for one in slack_text.sentry_short_ids(text) if one.rpartition("-")[0] in projects
    ]
    linear = list(slack_text.linear_issues(text))
    taken: list[str] = []
    for one in dict.fromkeys(_SHORT_ID.findall(_LINK.sub(" ", text))):
        beginning, _, number = one.upper().rpartition("-")
        if beginning in projects and (one.isupper() or not _VERSION.fullmatch(number)):
            short_ids.append(one.upper())
        elif one.isupper() and beginning in teams and number.isdigit():
            linear.append(one)
        else:
            continue
        taken.append(one)
    rest = (
        re.sub("|".join(map(re.escape, sorted(taken, key=len, reverse=True))), " ", text)
        if taken
        else text
    )
    found = tuple(dict.fromkeys(short_ids))[:AT_MOST]
    return Named(
        slack_text.sentry_issues(text)[:AT_MOST], found, linear[0] if linear else None, rest
    )


def service_named(
    text: str, catalogue: Catalogue, adopted: Adopted | None = None
) -> Service | None:
    """Named in the text; a Sentry issue's project; the only one there is."""
    found = named(text, catalogue)
    if (service := catalogue.named_in(found.rest)) is not None:
        return service
    if adopted is not None and adopted.service is not None:
        return adopted.service
    slugs = {one.rpartition("-")[0].casefold() for one in found.short_ids}
    services = {s.name: s for s in catalogue.all() for slug in s.sentry if slug.casefold() in slugs}
    return next(iter(services.values())) if len(services) == 1 else None


async def adopt(text: str, catalogue: Catalogue, sentry: Issues | None) -> Adopted:
    """Looks up in Sentry what the text names, briefly; what is not known is said, what is slow is
    left for later.
    """
    found = named(text, catalogue)
    # A link holds the id; the look-up would only tell its project, which one service does not need.
    ask_links = (
        sentry is not None and len(catalogue.all()) > 1 and catalogue.named_in(found.rest) is None
    )
    asked: list[tuple[str, Awaitable[IssueRow]]] = []
    if sentry is not None:
        asked += [(id, sentry.issue(id)) for id in found.ids if ask_links]
        asked += [(id, sentry.by_short_id(id)) for id in found.short_ids]
    answers = await asyncio.gather(*(_within(one) for _, one in asked))
    rows = [row for row in answers if isinstance(row, IssueRow)]
    services = [s for row in rows if (s := catalogue.by_sentry_project(row.project)) is not None]
    told = dict(zip((id for id, _ in asked), answers, strict=True))
    # `shop-3` may be a machine: only what was written as Sentry writes it is missed.
    written = slack_text.spelled(text)
    lost = [
        id for id in found.short_ids if id in written and (sentry is None or told[id] is UNKNOWN)
    ]
    return Adopted(
        seeds=tuple(dict.fromkeys((*found.ids, *(row.id for row in rows)))),
        service=services[0] if len({s.name for s in services}) == 1 else None,
        unseen=tuple(id for id in found.short_ids if sentry is not None and told[id] is LATER),
        parent=found.parent,
        note=_lost(lost),
    )


async def _within(asked: Awaitable[IssueRow]) -> IssueRow | Missing:
    try:
        async with asyncio.timeout(ASK_SECONDS):
            return await asked
    except TimeoutError:
        return LATER
    except PortError as error:
        return LATER if error.retryable else UNKNOWN


def _lost(short_ids: Sequence[str]) -> str:
    if not short_ids:
        return ""
    return f"({', '.join(short_ids)} could not be looked up in Sentry: not a part of what is measured.)"
