"""The picture of who is hit, from four tables of `events/` or from the tags of single issues.

Each part may be missing by itself. `EventPicture.unknown` names the parts that could not be asked
for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from bot.clients.http.client import HttpError
from bot.clients.sentry.models import RowsShape, TagDetailShape, UserRows, shares, split_users
from bot.clients.sentry.parsing import count_of, number, untold
from bot.clients.sentry.query import tag, tag_keys
from phases.ports.tracker_values import EventPicture
from phases.record.findings import Part
from phases.record.service import Service

SECONDS = 6.0
"""The time of one of several questions: a triage asks in rounds, and ends within 30 s."""

T = TypeVar("T")
TagKey = tuple[str, str]
"""Issue and key."""


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


def rows_of(answer: RowsShape | HttpError) -> list[dict[str, Any]]:
    return [] if isinstance(answer, HttpError) else answer.data


def counting(table: RowsShape | HttpError, *, of: int | None = None) -> RowsShape | HttpError:
    """Return the table, or why it says nothing: a row without its count, or none at all beside events (`of`)."""
    if isinstance(table, HttpError):
        return table
    if any(number(row.get("count()")) is None for row in table.data):
        return untold("count()")
    if not table.data and of is not None and of > 0:
        return HttpError(
            "Sentry", f"Sentry counts {of:,} events and tells of none of them", retryable=True
        )
    return table


def of_tables(
    service: Service,
    totals: RowsShape | HttpError,
    people: RowsShape | HttpError,
    transactions: RowsShape | HttpError,
    places: RowsShape | HttpError,
    most: int,
) -> EventPicture:
    """Return the picture of those tables that were answered.

    `most` is the size of a page: a table with fewer rows is complete. Raises `HttpError` where no
    table was answered.
    """
    totals = counting(totals)
    total = next(iter(rows_of(totals)), {})
    some = count_of(total, "count()")
    people, transactions, places = (
        counting(table, of=some) for table in (people, transactions, places)
    )
    tables = (totals, people, transactions, places)
    errors = [one for one in tables if isinstance(one, HttpError)]
    if len(errors) == len(tables):
        raise errors[0]
    region, org = tag(service.region_tag), tag(service.org_tag)
    users = split_users(
        (
            (r.get("user"), count_of(r, "count()"), count_of(r, "count_unique(user.ip)"))
            for r in rows_of(people)
        ),
        service.not_users,
    )
    events = count_of(total, "count()")
    if isinstance(totals, HttpError):
        events = max(sum(count_of(r, "count()") for r in rows_of(table)) for table in tables)
    count = _distinct(service, totals, people, users, most)
    lacks: dict[Part, bool] = {
        "users": count is None,
        "features": isinstance(transactions, HttpError),
        "places": isinstance(places, HttpError),
    }
    return EventPicture(
        events=events,
        users=tuple(users.users),
        user_count=count,
        events_without_user=users.events_without,
        events_of_not_users=users.events_of_not_users,
        addresses=count_of(total, "count_unique(user.ip)") or None,
        transactions=shares(
            (r.get("transaction"), count_of(r, "count()")) for r in rows_of(transactions)
        ),
        regions=shares((r.get(region), count_of(r, "count()")) for r in rows_of(places)),
        organisations=shares((r.get(org), count_of(r, "count()")) for r in rows_of(places)),
        sampled=any(
            t.meta.dataScanned == "partial" for t in tables if not isinstance(t, HttpError)
        ),
        unknown=tuple(part for part, lacking in lacks.items() if lacking),
        why=tuple(dict.fromkeys(error.text for error in errors)),
        passing=any(error.retryable for error in errors),
    )


def _distinct(
    service: Service,
    totals: RowsShape | HttpError,
    people: RowsShape | HttpError,
    users: UserRows,
    most: int,
) -> int | None:
    """Return the distinct users without `not_users`, or None where nobody can tell.

    The total alone tells of many users where nobody has to be taken out of it.
    """
    total = number(next(iter(rows_of(totals)), {}).get("count_unique(user)"))
    if isinstance(people, HttpError):
        return total if total is not None and total >= 2 and not service.not_users else None
    if total is None:
        return len(users.users) if len(people.data) < most or len(users.users) >= 2 else None
    return max(total - users.not_users, len(users.users))


def of_tags(
    service: Service,
    issues: Sequence[str],
    answers: Mapping[TagKey, TagDetailShape | HttpError | None],
) -> EventPicture:
    """Return the picture of the loudest issues over their lives.

    Source: https://docs.sentry.io/api/events/retrieve-tag-details/. An answer of None is a 404: the
    issue has no such tag, or Sentry has no such call. Where every answer is None, nothing is known.
    Raises `HttpError` where no tag was answered.
    """
    keys = tag_keys(service)
    told = {at: answer for at, answer in answers.items() if isinstance(answer, TagDetailShape)}
    errors = [answer for answer in answers.values() if isinstance(answer, HttpError)]
    if answers and len(errors) == len(answers):
        raise errors[0]
    if not told:
        return EventPicture(
            events=0,
            unknown=("users", "features", "places"),
            per_issue=True,
            why=tuple(dict.fromkeys(error.text for error in errors))
            or ("Sentry has no tags of these issues",),
            passing=any(error.retryable for error in errors),
        )

    def failed(*wanted: str) -> bool:
        return any(
            isinstance(answers.get((issue, key)), HttpError) for issue in issues for key in wanted
        )

    def rows(key: str) -> Iterable[tuple[str | None, int]]:
        return [
            (v.value, v.count) for (_, k), tag in told.items() if k == key for v in tag.topValues
        ]

    joined = {s.name: s.events for s in shares(rows("user"))}
    users = split_users(
        ((name, events, None) for name, events in joined.items()), service.not_users
    )
    events = sum(
        max((told[i, k].totalValues for k in keys if (i, k) in told), default=0) for i in issues
    )
    named = sum(t.totalValues for (_, k), t in told.items() if k == "user")
    most = max((t.uniqueValues for (_, k), t in told.items() if k == "user"), default=0)
    lacks: dict[Part, bool] = {
        "users": failed("user"),
        "features": failed("transaction"),
        "places": failed(service.region_tag, service.org_tag),
    }
    return EventPicture(
        events=events,
        users=tuple(users.users),
        user_count=max(len(users.users), most - users.not_users),
        events_without_user=max(events - named, 0),
        events_of_not_users=users.events_of_not_users,
        transactions=shares(rows("transaction")),
        regions=shares(rows(service.region_tag)),
        organisations=shares(rows(service.org_tag)),
        per_issue=True,
        unknown=tuple(part for part, lacking in lacks.items() if lacking),
        why=tuple(dict.fromkeys(error.text for error in errors)),
        passing=any(error.retryable for error in errors),
    )


def of_some(found: EventPicture, others: int) -> EventPicture:
    """Return what the loudest issues show, where other issues were not asked about.

    Two users or features are many whatever the others hold; fewer are not known.
    """
    lacks = set(found.unknown)
    if (found.user_count or 0) < 2:
        lacks.add("users")
    if len(found.transactions) < 2:
        lacks.add("features")
    why = f"the tags of {others} more issues were not asked for"
    return found.model_copy(
        update={"unknown": tuple(sorted(lacks, reverse=True)), "why": (*found.why, why)}
        if lacks
        else {}
    )
