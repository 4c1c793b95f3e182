"""Phase 1: what is no new fire although it is loud: regular, renamed, the same few, no customers.

Each rule says so in one sentence, and only where it is sure: what cannot be told apart from a fire
is one.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from statistics import fmean

from phases.ports.tracker_values import EventPicture, IssueRow
from phases.record.findings import IssueSeen, Share
from phases.shared.counts import SPREAD, Measured, at_least_above, at_most, usual
from phases.text.wording import capital, counted, listed, short, stamp
from phases.triage.fire import CHANCE, DAY, FEW, HOUR, MINUTE, STEP, Series, step_of

PERIODS = 3  # "for three periods or more"
PEAK = 3.0  # times what came just before it: else it is a level, not a rhythm
RHYTHMS = ((HOUR, 4, timedelta(minutes=30)), (DAY, 7, timedelta(hours=6)))
"""Period, how many of them are looked at, and how long a burst of it may last. A job of working
days has five of seven."""

BEFORE = timedelta(hours=1)  # a place's rate just before: the same hour of traffic
CEASED = 0.05  # what failed there before is as quiet by chance in one of twenty
NEARLY_ALL = 0.95  # of the events: then the picture is theirs

SAME_FEW = 5  # users, who are no wide fire …
SHOUTED = 10  # … with so many events each …
LONG = timedelta(days=7)  # … for so long

HEALTH = re.compile(
    r"(?:/(?:api|internal|actuator|_|-|v\d+))*"
    r"/(?:health(?:z|y|[-_]?checks?)?|livez|readyz|live(?:ness)?|ready|readiness|ping|heartbeat|up)"
    r"(?:/(?:live(?:ness)?|ready|readiness|db|full))?/?",
    re.IGNORECASE,
)
"""Kubernetes' and the common frameworks' paths:
https://kubernetes.io/docs/reference/using-api/health-checks/"""
SCANNED = re.compile(
    r"\.(?:php\d?|aspx?|jsp|cgi|env|git|svn|aws|ssh|bak|sql|ini|htaccess|DS_Store)(?:$|[/.?])"
    r"|/(?:wp-|wordpress|phpmyadmin|pma|cgi-bin|vendor/phpunit|boaform|HNAP1|owa/|solr/|hudson"
    r"|manager/html|_ignition|telescope/|etc/passwd|xmlrpc|autodiscover|geoserver|druid/)"
    r"|\.\./|%2e%2e",
    re.IGNORECASE,
)
"""What scanners ask any server for: https://owasp.org/www-project-core-rule-set/ and the lists of
https://github.com/projectdiscovery/nuclei-templates."""
NOT_SERVED = re.compile(
    r"(?:\w+[.:\\])*(?:Http404|HTTPNotFound|NotFound|NotFoundHttpException|RoutingError"
    r"|NoHandlerFoundException|NoResourceFoundException|NoRouteFoundException|RouteNotFound\w*"
    r"|DisallowedHost|NoMatchingRoute\w*)(?:$|[:( ])|(?:404\b|Not Found\b)"
)
"""Titles of errors that say that there is no such page (Django, Symfony, Rails, Spring)."""
PATHS = 10  # of such errors: a page that is missing is one path, or a few


# --- regular -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Rhythm:
    period: timedelta
    typical: float
    """Events of one burst."""
    began: datetime

    @property
    def sentence(self) -> str:
        hourly = self.period == HOUR
        when = f"hour at :{self.began:%M}" if hourly else f"day at {self.began:%H:%M} UTC"
        much = counted(round(self.typical), "event")
        return f"It does this every {when}, about {much} each time."

    def explains(
        self, issues: Sequence[IssueSeen], rows: Mapping[str, IssueRow], began: datetime
    ) -> set[str]:
        """Return the issues that are the rhythm's.

        Those that were there in the periods before are. New ones are where those are missing: a job
        that names its errors anew each time.
        """
        first = began - (PERIODS - 1) * self.period
        there = [i for i in issues if i.first_seen < first]
        old = {i.id for i in there if _in_hours(rows.get(i.id), self, began)}
        if sum(i.events for i in issues if i.id in old) >= self.typical / 2:
            return old
        return {issue.id for issue in issues}


def rhythm(series: Series, began: datetime) -> Rhythm | None:
    """Return the period in which the same volume came at the same time, three times or more."""
    begin, end = step_of(began) - 1, series.end
    volume = series.events(begin, end)
    for period, looked_at, longest in RHYTHMS:
        if series.now - began > longest:
            continue
        found: list[int] = []
        length, shift = end - begin, period // STEP
        for number in range(1, looked_at + 1):
            start = begin - number * shift
            if start - length < series.first:
                break
            burst = series.events(start, start + length + 1)
            if burst >= FEW and burst >= PEAK * series.events(start - length, start):
                found.append(burst)
        if len(found) >= PERIODS and FEW <= volume <= at_most(fmean(found), SPREAD, CHANCE):
            return Rhythm(period, fmean(found), began)
    return None


def _in_hours(row: IssueRow | None, found: Rhythm, began: datetime) -> bool:
    """Return whether an issue came in the hours before, where its hours are told."""
    if row is None or not row.hours or found.period != HOUR:
        return True
    before = [count for at, count in row.hours if at + HOUR <= began]
    return sum(count > 0 for count in before[-RHYTHMS[0][1] :]) >= PERIODS


# --- renamed -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Places:
    """Failures by transaction: of the fire, of the issues beside it, and of the hour before."""

    fire: Mapping[str, int]
    others: Mapping[str, float]
    before: Mapping[str, int]
    minutes: float
    """How long the fire was counted."""


def renamed(places: Places) -> set[str]:
    """Return the transactions that fail at the rate of before, under another title.

    What failed there before has ceased, and both together are no more than it was. Where the old
    failure goes on beside the new one, or is too rare to be missed, nobody can say so.
    """
    found: set[str] = set()
    for name, events in places.fire.items():
        rate = Measured(places.before.get(name, 0) / (BEFORE / MINUTE), BEFORE / MINUTE)
        others = places.others.get(name, 0.0)
        ceased = others <= at_least_above(rate.per_minute * places.minutes, SPREAD, CEASED)
        if ceased and events + others <= usual(rate, places.minutes, CHANCE):
            found.add(name)
    return found


def others_now(
    rows: Sequence[IssueRow], ids: Collection[str], began: datetime, since: datetime, now: datetime
) -> dict[str, float]:
    """Return the events since the fire began of the issues beside it, by transaction.

    An issue that was last seen before is silent since; of any other one the window's share counts.
    """
    share = min((now - max(began, since)) / (now - since), 1.0)
    events: dict[str, float] = {}
    for row in rows:
        silent = row.last_seen is not None and row.last_seen < began + MINUTE
        if row.id not in ids and not silent:
            events[row.culprit] = events.get(row.culprit, 0.0) + row.events * share
    return events


def renamed_sentence(names: Collection[str], began: datetime) -> str:
    places = listed(sorted(short(name) for name in names))
    return f"Not new: until {stamp(began)} {places} failed as often under another title."


# --- the same few, and no customers --------------------------------------------------------------


def same_few(issues: Sequence[IssueSeen], picture: EventPicture, now: datetime) -> str:
    """Return the sentence where a few users loop, as for weeks; empty where they do not."""
    users = picture.user_count
    if not issues or not users or users > SAME_FEW or "users" in picture.unknown:
        return ""
    if any(issue.burns or issue.first_seen > now - LONG for issue in issues):
        return ""
    if picture.events < SHOUTED * users or picture.events_without_user * 2 > picture.events:
        return ""
    days = (now - max(issue.first_seen for issue in issues)) // DAY
    who = "The same user has" if users == 1 else f"The same few ({counted(users, 'user')}) have"
    return f"{who} run into it for {counted(days, 'day')}, and no more often than usual."


@dataclass(frozen=True, slots=True)
class NotCustomers:
    """The transactions that no customer asked for."""

    scanned: frozenset[str] = frozenset()
    health: frozenset[str] = frozenset()

    @property
    def names(self) -> frozenset[str]:
        return self.scanned | self.health

    @property
    def sentence(self) -> str:
        parts = [
            *([f"scanners ({counted(len(self.scanned), 'path')})"] if self.scanned else []),
            *([f"health checks ({listed(sorted(self.health))})"] if self.health else []),
        ]
        return capital(f"{listed(parts)} ran into it.") if parts else ""


def not_customers(
    transactions: Sequence[Share],
    issues: Sequence[IssueSeen],
    features: Mapping[str, str],
    served: Collection[str],
) -> NotCustomers:
    """Return the transactions of scanners and health checkers.

    `served` are paths that are known from before, which with the catalogue's features are the
    service's own. Errors that say "no such page" on many other paths are a scanner's, too.
    """

    def own(name: str) -> bool:
        return name in served or any(fnmatchcase(name, pattern) for pattern in features.values())

    paths = {share.name for share in transactions if not own(share.name)}
    missing = bool(issues) and all(NOT_SERVED.match(issue.title) for issue in issues)
    strange = paths if missing and len(paths) >= PATHS else {p for p in paths if SCANNED.search(p)}
    health = {path for path in paths if HEALTH.fullmatch(path.rpartition(" ")[2])}
    return NotCustomers(frozenset(strange - health), frozenset(health))


def nearly_all(names: Collection[str], shares: Sequence[Share], events: int) -> bool:
    return sum(s.events for s in shares if s.name in names) >= NEARLY_ALL * max(events, 1)
