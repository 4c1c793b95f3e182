"""The picture of who is hit, from four tables of `events/` or from the tags of single issues.

Each part may be missing by itself. `EventPicture.unknown` names the parts that could not be asked
for.
"""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from bot.clients.http.errors import HttpError
from bot.clients.sentry.models import (
    RowsShape,
    TagDetailShape,
    UserRows,
    count_of,
    moment,
    number,
    shares,
    split_users,
    without_count,
)
from phases.ports.tracker_values import EventPicture, OtherErrors
from phases.record.findings import Part, Share
from phases.record.service import Service

SECONDS = 6.0
"""The time of one of several questions: a triage asks in rounds, and ends within 30 s."""
FIELDS_BY_THEMSELVES = ("geo.", "user.", "device.", "os.")
"""Event fields that are no tags: https://docs.sentry.io/concepts/search/"""

BROWSER = "browser.name"
"""https://docs.sentry.io/concepts/search/searchable-properties/events/"""

TOTALS = ("count()", "count_unique(user)", "count_unique(user.ip)", "min(timestamp)")

T = TypeVar("T")
TagKey = tuple[str, str]
"""Issue and key."""
Table = RowsShape | HttpError


async def tried(asked: Awaitable[T]) -> T | HttpError:
    """Return the answer, or why there is none.

    One of several questions spoils no other one, and keeps none waiting.
    """
    try:
        async with asyncio.timeout(SECONDS):
            return await asked
    except TimeoutError:
        return HttpError("Sentry", f"Sentry did not answer within {SECONDS:g} s", retryable=True)
    except HttpError as error:
        return error


def tag(name: str) -> str:
    return name if name.startswith(FIELDS_BY_THEMSELVES) else f"tags[{name}]"


def place_fields(service: Service) -> tuple[str, str, str]:
    """Return the fields of the table that tells where it fails."""
    return tag(service.region_tag), tag(service.org_tag), BROWSER


def tag_keys(service: Service) -> tuple[str, ...]:
    return tuple(dict.fromkeys(("user", "transaction", service.region_tag, service.org_tag)))


# --- from tables ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Tables:
    """The answers to four questions. `page` is the size of a page: a shorter table is complete."""

    totals: Table
    people: Table
    transactions: Table
    places: Table
    page: int


def of_tables(service: Service, asked: Tables) -> EventPicture:
    """Return the picture of those tables that were answered.

    Raises `HttpError` where none was.
    """
    totals = _with_counts(asked.totals)
    total = next(iter(_rows(totals)), {})
    events = count_of(total, "count()")
    people, transactions, places = (
        _with_counts(table, events=events)
        for table in (asked.people, asked.transactions, asked.places)
    )
    tables = (totals, people, transactions, places)
    errors = [table for table in tables if isinstance(table, HttpError)]
    if len(errors) == len(tables):
        raise errors[0]
    users = split_users(
        (
            (row.get("user"), count_of(row, "count()"), count_of(row, "count_unique(user.ip)"))
            for row in _rows(people)
        ),
        service.not_users,
    )
    if isinstance(totals, HttpError):
        events = max(sum(count_of(row, "count()") for row in _rows(table)) for table in tables)
    user_count = _distinct_users(service, total, people, users, asked.page)
    lacks: dict[Part, bool] = {
        "users": user_count is None,
        "features": isinstance(transactions, HttpError),
        "places": isinstance(places, HttpError),
    }

    def by(field: str, table: Table) -> list[tuple[object, int]]:
        return [(row.get(field), count_of(row, "count()")) for row in _rows(table)]

    return EventPicture(
        events=events,
        users=tuple(users.users),
        user_count=user_count,
        events_without_user=users.events_without,
        events_of_not_users=users.events_of_not_users,
        addresses=count_of(total, "count_unique(user.ip)") or None,
        first=moment(total.get("min(timestamp)")),
        transactions=with_users(_rows(transactions), shares(by("transaction", transactions))),
        regions=shares(by(tag(service.region_tag), places)),
        organisations=shares(by(tag(service.org_tag), places)),
        browsers=shares(by(BROWSER, places)),
        sampled=any(_is_sampled(table) for table in tables),
        unknown=tuple(part for part, lacking in lacks.items() if lacking),
        why=_reasons(errors),
        passing=any(error.retryable for error in errors),
    )


def with_users(rows: Sequence[Mapping[str, Any]], named: Sequence[Share]) -> tuple[Share, ...]:
    """Return the transactions with their distinct users, where these were told."""
    users = {row.get("transaction"): number(row.get("count_unique(user)")) for row in rows}
    return tuple(share.model_copy(update={"users": users.get(share.name)}) for share in named)


def _is_sampled(table: Table) -> bool:
    return not isinstance(table, HttpError) and table.meta.dataScanned == "partial"


def _rows(table: Table) -> list[dict[str, Any]]:
    return [] if isinstance(table, HttpError) else table.data


def _with_counts(table: Table, *, events: int = 0) -> Table:
    """Return the table, or why it says nothing.

    It lacks a count, or it has no row although there are `events`.
    """
    if isinstance(table, HttpError):
        return table
    if any(number(row.get("count()")) is None for row in table.data):
        return without_count()
    if not table.data and events > 0:
        text = f"Sentry counts {events:,} events and tells of none of them"
        return HttpError("Sentry", text, retryable=True)
    return table


def _distinct_users(
    service: Service, total: Mapping[str, Any], people: Table, users: UserRows, page: int
) -> int | None:
    """Return the distinct users without `not_users`, or None where nobody can tell.

    The total alone tells of many users where nobody has to be taken out of it.
    """
    distinct = number(total.get("count_unique(user)"))
    if isinstance(people, HttpError):
        many = distinct is not None and distinct >= 2 and not service.not_users
        return distinct if many else None
    if distinct is None:
        known = len(people.data) < page or len(users.users) >= 2
        return len(users.users) if known else None
    return max(distinct - users.not_users, len(users.users))


def _reasons(errors: Sequence[HttpError]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(error.text for error in errors))


# --- from tags -----------------------------------------------------------------------------------


def of_tags(
    service: Service,
    issues: Sequence[str],
    answers: Mapping[TagKey, TagDetailShape | HttpError | None],
) -> EventPicture:
    """Return the picture of the loudest issues over their lives.

    Source: https://docs.sentry.io/api/events/retrieve-tag-details/. An answer of None is a 404: the
    issue has no such tag, or Sentry has no such call. Raises `HttpError` where no tag was answered.
    """
    tags = {at: answer for at, answer in answers.items() if isinstance(answer, TagDetailShape)}
    errors = [answer for answer in answers.values() if isinstance(answer, HttpError)]
    if issues and not tags:
        text = "Sentry has no tags of these issues"
        nothing = HttpError("Sentry", text, retryable=False, status=404)
        raise max(errors, key=lambda error: error.retryable, default=nothing)
    passing = any(error.retryable for error in errors)

    def failed(*keys: str) -> bool:
        asked = [answers.get((i, key)) for i in issues for key in keys]
        return not issues or any(isinstance(answer, HttpError) for answer in asked)

    def values(key: str) -> list[tuple[str | None, int]]:
        details = [detail for (_, its_key), detail in tags.items() if its_key == key]
        return [(value.value, value.count) for detail in details for value in detail.topValues]

    of_users = [detail for (_, key), detail in tags.items() if key == "user"]
    rows = ((share.name, share.events, None) for share in shares(values("user")))
    users = split_users(rows, service.not_users)
    totals = ([tags[i, k].totalValues for k in tag_keys(service) if (i, k) in tags] for i in issues)
    events = sum(max(counts, default=0) for counts in totals)
    events_with_user = sum(detail.totalValues for detail in of_users)
    most_users = max((detail.uniqueValues for detail in of_users), default=0)
    lacks: dict[Part, bool] = {
        "users": failed("user"),
        "features": failed("transaction"),
        "places": failed(service.region_tag, service.org_tag),
    }
    return EventPicture(
        events=events,
        users=tuple(users.users),
        user_count=max(len(users.users), most_users - users.not_users),
        events_without_user=max(events - events_with_user, 0),
        events_of_not_users=users.events_of_not_users,
        transactions=shares(values("transaction")),
        regions=shares(values(service.region_tag)),
        organisations=shares(values(service.org_tag)),
        per_issue=True,
        unknown=tuple(part for part, lacking in lacks.items() if lacking),
        why=_reasons(errors),
        passing=passing,
    )


def of_some(picture: EventPicture, others: int) -> EventPicture:
    """Return what the loudest issues show, where `others` were not asked about.

    Two users or features are many whatever the others hold; fewer are not known.
    """
    lacks = set(picture.unknown)
    if (picture.user_count or 0) < 2:
        lacks.add("users")
    if len(picture.transactions) < 2:
        lacks.add("features")
    if not lacks:
        return picture
    why = f"the tags of {others} more issues were not asked for"
    return picture.model_copy(
        update={"unknown": tuple(sorted(lacks, reverse=True)), "why": (*picture.why, why)}
    )


def of_others(service: Service, rows: Sequence[Mapping[str, Any]]) -> OtherErrors:
    def by(field: str) -> tuple[Share, ...]:
        return shares((row.get(field), count_of(dict(row), "count()")) for row in rows)

    region, organisation, browser = place_fields(service)
    return OtherErrors(regions=by(region), organisations=by(organisation), browsers=by(browser))
