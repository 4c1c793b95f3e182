"""Whether Sentry refuses a question for good, or could not answer it just now: told by its status and by its own sentence.

The same fault of Sentry's store of events has several faces, by version (`handle_query_errors` of `src/sentry/api/utils.py`, before
that of `src/sentry/api/bases/organization_events.py`, in https://github.com/getsentry/sentry): too slow, too much memory, too many at
once and limited are 400 "Query timeout. Please try again. If the problem persists try a smaller date range …" up to 25.x; limited is
429 "Rate limit exceeded. Please try your query with a smaller date range …" without `Retry-After` (`src/sentry/api/handlers.py`);
too slow is 504 since https://github.com/getsentry/sentry/pull/109158, and 408 behind its own proxy. "Internal error. Please try
again." and "Internal error. Your query failed to run." were 400 once, and are 500 today. The store's own words (`src/sentry/utils/
snuba_rpc.py`, "Too many simultaneous queries") come through with 400, too.
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
    """Whether the same question may be answered a moment later."""
    if status in PASSING or status >= 500:
        return True
    return status in (400, 422) and _FINAL.match(said) is None and _OVERLOAD.search(said) is not None
