"""Sentry over HTTP. An overload, which passes, is told from a refusal that is final.

The same fault of Sentry's store of events has several faces (https://github.com/getsentry/sentry,
`handle_query_errors` of `src/sentry/api/utils.py`, in older versions of
`src/sentry/api/bases/organization_events.py`):

- Too slow, too much memory, too many at once: 400 "Query timeout. Please try again. …". Too slow
  is 504 since https://github.com/getsentry/sentry/pull/109158, and 408 behind Sentry's own proxy.
- Rate limit of a query: the same 400, in newer versions 429 "Rate limit exceeded. Please try your
  query with a smaller date range …" without `Retry-After` (`src/sentry/api/handlers.py`).
- "Internal error. Please try again." and "Internal error. Your query failed to run.": 400 in older
  versions, 500 in newer ones.
- The store's own words, "Too many simultaneous queries" (`src/sentry/utils/snuba_rpc.py`): 400.
"""

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TypeVar
from urllib.parse import quote

import httpx
import msgspec

from bot.clients.http.client import Http, Params
from bot.clients.http.errors import HttpError, Unanswered
from phases.ports.ports import PortError

EVENTS = "event:read"
"""The scope that reading issues and events needs."""
RELEASES = "project:read or project:releases"
PAGE = 100
"""Most rows a page: https://docs.sentry.io/api/pagination/"""
KNOWN_SECONDS = 600.0
"""Slugs, environments, and calls that this Sentry lacks are remembered so long."""
AT_ONCE = 5
PASSING = frozenset({408, 425, 429})
"""Statuses that say so by themselves, beside all of 5xx."""
_FINAL = re.compile(r"\s*(?:invalid|parse error|cannot|could not parse|unknown)\b", re.IGNORECASE)
"""How a refusal of the question itself begins, whatever words it quotes."""
_OVERLOAD = re.compile(
    r"query time-?out|time-?out exceeded|timed out|execution time|took too long"
    r"|too many (?:simultaneous|concurrent|queries|requests)|simultaneous queries|allocation polic"
    r"|memory limit|(?:memory|rate|query|resource|concurren\w*) limits? .{0,20}exceeded"
    r"|rate[ -]?limit|throttled"
    r"|\bplease (?:re)?try (?:again|later)|\btry again (?:later|in a)|overload|temporarily"
    r"|\btoo busy"
    r"|(?:service|currently) unavailable|^\s*internal error",
    re.IGNORECASE,
)

Pairs = list[tuple[str, str]]
T = TypeVar("T")


def path_part(text: str) -> str:
    """Return one part of a path, quoted.

    Raises `HttpError` for what would lead to another path: `..` is no id of anything.
    """
    if text in ("", ".", ".."):
        raise Unanswered("Sentry", f"{text[:80]!r} is nothing that can be asked for")
    return quote(text, safe="")


class SentryHttp(Http):
    # A triage asks in three rounds, and has 3 s with all that is asked again.
    pauses = (0.15, 0.45)
    unknown_shape = "Sentry answered in a shape that is not known ({where})"

    def __init__(self, base_url: str, token: str, *, timeout: float) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        super().__init__("Sentry", base_url, headers, timeout=timeout)
        self._ahead = timedelta(0)

    def clock_ahead(self) -> timedelta:
        return self._ahead

    def refusal(self, answer: httpx.Response, scope: str | None) -> PortError | None:
        """Look at the clock of each answer, too.

        `Date` is when the answer was made, to the second; one that a cache has kept is older
        (https://www.rfc-editor.org/rfc/rfc9110#field.date).
        """
        if "age" not in answer.headers and (at := _http_date(answer.headers.get("date", ""))):
            self._ahead = at - datetime.now(UTC)
        return super().refusal(answer, scope)

    def passes(self, status: int, reason: str) -> bool:
        return passing(status, reason)

    async def get_or_none(self, path: str, params: Params | None = None) -> httpx.Response | None:
        """Return the answer of a reading call about an issue, or None where it is 404."""
        try:
            return await self.get(path, params, scope=EVENTS)
        except HttpError as error:
            if error.status == 404:
                return None
            raise

    def read_numbers(self, shape: type[T], answer: httpx.Response) -> T:
        """Return a long answer of which no text is kept, as a msgspec type. Raises as `read`.

        Two weeks by five minutes are 4,000 points: they are read for a third of the time.
        """
        try:
            return msgspec.json.decode(answer.content, type=shape, strict=False)
        except msgspec.ValidationError as error:
            text = self.unknown_shape.format(system=self.system, where=_json_path(str(error)))
            status = answer.status_code
            raise HttpError(self.system, text, retryable=False, status=status) from None
        except msgspec.DecodeError as error:
            self.json(answer)  # says so in its own words
            text = f"{self.system} answered with something that is not JSON"
            raise HttpError(self.system, text, retryable=True) from error


def _json_path(said: str) -> str:
    """Return `timeSeries.0.values` of "… - at `$.timeSeries[0].values`", or what is missing."""
    words = re.findall(r"`([^`]*)`", said)
    path = next((word[1:] for word in words if word.startswith("$")), "")
    missing = [words[0]] if said.startswith("Object missing") else []
    parts = [*re.findall(r"[^.\[\]]+", path), *missing]
    return ".".join(parts) or "as a whole"


def _http_date(text: str) -> datetime | None:
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def passing(status: int, reason: str) -> bool:
    """Return whether the same question may be answered a moment later."""
    if status in PASSING or status >= 500:
        return True
    if status not in (400, 422) or _FINAL.match(reason):
        return False
    return _OVERLOAD.search(reason) is not None


def next_cursor(answer: httpx.Response) -> str | None:
    """Return the cursor of the next page: https://docs.sentry.io/api/pagination/"""
    link = answer.links.get("next", {})
    return link.get("cursor") if link.get("results") == "true" else None


def span_params(since: datetime, until: datetime) -> Pairs:
    """https://docs.sentry.io/api/explore/ : ISO 8601 in UTC, without a zone."""
    return [
        ("start", f"{since.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}"),
        ("end", f"{until.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}"),
    ]
