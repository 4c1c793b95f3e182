"""Sentry and Linear issues that people name in their words: they belong to the incident.

Workflow, auto-invocation: "Manual escalation from a regular bug that turned out to be
production-impacting". A short id is Sentry's where it begins with a project of the catalogue, and
Linear's where it begins with a team of it: `SHOP-3` is one, `COVID-19` is nobody's. Nothing typed
into Slack is ever called.
"""

import asyncio
import re
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from enum import Enum

from handlers.slack import slack_text
from phases.ports.ports import Catalogue, ErrorTracker, PortError
from phases.ports.tracker_values import IssueRow
from phases.record.service import Service
from phases.text.letters import spelled

ASK_SECONDS = 0.7  # of the 3 s in which Slack wants its ack; a dispatch needs up to 2
AT_MOST = 5

# https://docs.sentry.io/product/issues/ : the project's slug in capitals, and a number in base 32
# Letters of other scripts, which know no blanks, and the marks of slanted words are no part of it.
_SHORT_ID = re.compile(
    r"(?<![0-9A-Z/-])(?<![0-9A-Z]_)([A-Z0-9][A-Z0-9_-]{0,49}-[0-9A-Z]{1,10})(?![-_]?[0-9A-Z])",
    re.IGNORECASE,
)
_VERSION = re.compile(r"[A-Za-z]+|[vV]\d+")
"""The part behind the dash of a name: `shop-api` and `shop-v2` are no issues."""
_LINK = re.compile(r"https?://\S+")


class Missing(Enum):
    UNKNOWN = "Sentry does not know it"
    LATER = "Sentry has not answered"


UNKNOWN, LATER = Missing.UNKNOWN, Missing.LATER


@dataclass(frozen=True, slots=True)
class Named:
    """The issues that a text names."""

    ids: tuple[str, ...] = ()
    """Numbers in Sentry links."""
    short_ids: tuple[str, ...] = ()
    parent: str | None = None
    """A Linear identifier."""
    rest: str = ""
    """The text without the short ids; a service may be named in it."""


@dataclass(frozen=True, slots=True)
class Adopted:
    seeds: tuple[str, ...] = ()
    service: Service | None = None
    unseen: tuple[str, ...] = ()
    """Short ids for which Sentry gave no answer in time; they are looked up later."""
    parent: str | None = None
    note: str = ""
    """A note on unknown short ids; it is shown with the incident's description."""
    title: str = ""
    """The title of the first issue that Sentry told of."""


def named(text: str, catalogue: Catalogue) -> Named:
    """Return the ids of Sentry links and short ids, and the first Linear issue.

    Their dash may be written as a phone writes it. Links and Sentry's short ids count in small
    letters, too. Linear's do not: `eng-12` alone is more often a branch or a word.
    """
    services = catalogue.all()
    teams = {service.linear_team.upper() for service in services if service.linear_team}
    projects = {slug.upper() for service in services for slug in service.sentry}
    text = spelled(text)
    sentry = [id for id in slack_text.sentry_short_ids(text) if id.rpartition("-")[0] in projects]
    linear = list(slack_text.linear_issues(text))
    taken: list[str] = []
    for id in dict.fromkeys(_SHORT_ID.findall(_LINK.sub(" ", text))):
        beginning, _, number = id.upper().rpartition("-")
        if beginning in projects and (id.isupper() or not _VERSION.fullmatch(number)):
            sentry.append(id.upper())
        elif id.isupper() and beginning in teams and number.isdigit():
            linear.append(id)
        else:
            continue
        taken.append(id)
    rest = text
    if taken:
        longest_first = sorted(taken, key=len, reverse=True)
        rest = re.sub("|".join(map(re.escape, longest_first)), " ", text)
    return Named(
        ids=slack_text.sentry_issues(text)[:AT_MOST],
        short_ids=tuple(dict.fromkeys(sentry))[:AT_MOST],
        parent=linear[0] if linear else None,
        rest=rest,
    )


def service_named(
    text: str, catalogue: Catalogue, adopted: Adopted | None = None
) -> Service | None:
    """Return the service that is named in the text, or the one of a Sentry issue's project."""
    issues = named(text, catalogue)
    if (service := catalogue.named_in(issues.rest)) is not None:
        return service
    if adopted is not None and adopted.service is not None:
        return adopted.service
    slugs = {id.rpartition("-")[0].casefold() for id in issues.short_ids}
    services = {s.name: s for s in catalogue.all() for slug in s.sentry if slug.casefold() in slugs}
    return next(iter(services.values())) if len(services) == 1 else None


async def adopt(
    text: str, catalogue: Catalogue, sentry: ErrorTracker | None, *, titles: bool = False
) -> Adopted:
    """Look up briefly in Sentry the issues that the text names.

    Unknown ones are noted; those for which the answer is slow are left for later. `titles`: their
    titles are wanted, too.
    """
    issues = named(text, catalogue)
    rows: dict[str, IssueRow | Missing] = {}
    if sentry is not None:
        # A link holds the id: its look-up only tells the project, and so the service.
        links = titles or (len(catalogue.all()) > 1 and catalogue.named_in(issues.rest) is None)
        asked = {id: sentry.issue(id) for id in issues.ids if links}
        asked |= {id: sentry.by_short_id(id) for id in issues.short_ids}
        answers = await asyncio.gather(*map(_ask_briefly, asked.values()))
        rows = dict(zip(asked, answers, strict=True))
    known = [row for row in rows.values() if isinstance(row, IssueRow)]
    services = [s for row in known if (s := catalogue.by_sentry_project(row.project)) is not None]
    # `shop-3` may be a machine: only an id that is written as Sentry writes it is noted as unknown.
    written = spelled(text)
    lost = [id for id in issues.short_ids if id in written and rows.get(id, UNKNOWN) is UNKNOWN]
    return Adopted(
        seeds=tuple(dict.fromkeys((*issues.ids, *(row.id for row in known)))),
        service=services[0] if len({s.name for s in services}) == 1 else None,
        unseen=tuple(id for id in issues.short_ids if rows.get(id) is LATER),
        parent=issues.parent,
        note=_unknown_note(lost),
        title=known[0].title if known else "",
    )


async def _ask_briefly(call: Awaitable[IssueRow]) -> IssueRow | Missing:
    try:
        async with asyncio.timeout(ASK_SECONDS):
            return await call
    except TimeoutError:
        return LATER
    except PortError as error:
        return LATER if error.retryable else UNKNOWN


def _unknown_note(short_ids: Sequence[str]) -> str:
    if not short_ids:
        return ""
    ids = ", ".join(short_ids)
    return f"({ids} could not be looked up in Sentry: left out of the measurement.)"
