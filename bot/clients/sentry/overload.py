"""Tells an overload of Sentry, which passes, from a refusal that is final.

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

from __future__ import annotations

import re

PASSING = frozenset({408, 425, 429})
"""Statuses that say so by themselves, beside all of 5xx."""
_FINAL = re.compile(r"\s*(?:invalid|parse error|cannot|could not parse|unknown)\b", re.IGNORECASE)
"""How a refusal of the question itself begins, whatever words it quotes."""
_OVERLOAD = re.compile(
    r"query time-?out|time-?out exceeded|timed out|execution time|took too long"
    r"|too many (?:simultaneous|concurrent|queries|requests)|simultaneous queries|allocation polic"
    r"|memory limit|(?:memory|rate|query|resource|concurren\w*) limits? .{0,20}exceeded|rate[ -]?limit|throttled"
    r"|\bplease (?:re)?try (?:again|later)|\btry again (?:later|in a)|overload|temporarily|\btoo busy"
    r"|(?:service|currently) unavailable|^\s*internal error",
    re.IGNORECASE,
)


def passing(status: int, said: str) -> bool:
    """Return whether the same question may be answered a moment later."""
    if status in PASSING or status >= 500:
        return True
    return (
        status in (400, 422) and _FINAL.match(said) is None and _OVERLOAD.search(said) is not None
    )
