"""Setting Sentry's issues to resolved: the one thing that is written there.

It needs event:write; everything else only reads.
https://docs.sentry.io/api/events/update-an-issue/
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from bot.clients.gather import at_once
from bot.clients.http.errors import HttpError
from bot.clients.sentry.http import AT_ONCE, RELEASES, SentryHttp, path_part
from bot.clients.sentry.models import ReleaseShape

SCOPE = "event:write"
SEMVER = re.compile(
    r".+@(\d+)\.(\d+)(?:\.(\d+))?(?:\.(\d+))?(-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.+-]+)?"
)
"""`package@1.2.3`: https://docs.sentry.io/product/releases/ (nothing is semantic without one)."""
NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Way:
    """A way to resolve an issue: in a release, in the next one, or in neither.

    Sentry then calls a regression (`has_resolution` of
    https://github.com/getsentry/sentry/blob/master/src/sentry/models/groupresolution.py): events of
    the release itself and of newer ones; events of releases newer than the newest so far; every
    event. *The newest so far* is the highest number; where a project orders its releases by date,
    it is the one in which this issue was last seen (`get_current_release_version_of_group` of
    …/api/helpers/group_index/update.py). After a rollback an old issue may have been seen last in
    the release that runs again: then Sentry calls stragglers of the other one a regression, and
    `phases/verification/alarms.py` tells them from a return. Refused with 400 are a release
    that the project does not have, and "next" where it has none at all
    (…/api/helpers/group_index/validators/status_details.py).
    """

    release: str = ""
    next: bool = False

    @property
    def details(self) -> dict[str, Any]:
        if self.next:
            return {"statusDetails": {"inNextRelease": True}}
        return {"statusDetails": {"inRelease": self.release}} if self.release else {}


PLAINLY = Way()


class SentryIssues:
    """The issues of one organisation. `page_url` is the address below which people see them.

    Setting to resolved what is resolved already changes nothing. Raises `PortError`.
    """

    def __init__(self, http: SentryHttp, page_url: str) -> None:
        self._http = http
        self._page_url = page_url

    async def resolve(self, issues: Sequence[str], ways: Sequence[Way]) -> tuple[Way, ...]:
        """Return the way in which each issue is resolved now.

        It is the first of `ways` that Sentry takes, else without a release. An issue that is gone
        is left out. Raises, too, where all of them are gone: a token of another organisation, or a
        wall before Sentry, answers the same 404.
        """
        answers = await at_once(AT_ONCE, lambda issue: self._resolve(issue, ways), issues)
        done = tuple(way for way in answers if isinstance(way, Way))
        gone = next((error for error in answers if isinstance(error, HttpError)), None)
        if gone is not None and not done:
            raise gone
        return done

    async def after(self, taken_back: str, projects: Sequence[str]) -> str | None:
        """Return the release that Sentry knows already as the next one after `taken_back`.

        None: there is none, or Sentry does not say.
        """
        params = [("project", "-1"), ("per_page", "100")]
        try:
            answer = await self._http.get("/releases/", params, scope=RELEASES)
        except HttpError as error:
            if error.retryable:
                raise
            return None
        return release_after(self._http.read(list[ReleaseShape], answer), taken_back, projects)

    def link(self, issue: str) -> str:
        """Return the address at which people look at an issue, on sentry.io and self-hosted.

        https://docs.sentry.io/product/issues/
        """
        return f"{self._page_url}/issues/{quote(issue, safe='')}/"

    async def _resolve(self, issue: str, ways: Sequence[Way]) -> Way | HttpError:
        """Return the way that was taken, or the 404.

        400 says that this project has no such release, or none at all. An overload, which may be a
        400 too, is no word on the way.
        """
        for way in (*ways, PLAINLY):
            try:
                return await self._resolve_one(issue, way)
            except HttpError as error:
                if error.status == 404:
                    return error
                if error.status != 400 or error.retryable or way is PLAINLY:
                    raise
        raise AssertionError("the last way returns or raises")

    async def _resolve_one(self, issue: str, way: Way) -> Way:
        """Return the way as the answer has it.

        GlitchTip takes the status and drops `statusDetails` (`UpdateIssueSchema` of
        https://gitlab.com/glitchtip/glitchtip-backend, `apps/issue_events/api/issues.py`): resolved
        in no release.
        """
        body = {"status": "resolved", **way.details}
        path = f"/issues/{path_part(issue)}/"
        answer = await self._http.request("PUT", path, json=body, scope=SCOPE)
        issue_now = self._http.json(answer) if answer.content else None
        taken = not isinstance(issue_now, dict) or issue_now.get("statusDetails")
        return way if taken else PLAINLY


# --- Sentry's order of releases ------------------------------------------------------------------


def release_after(
    rows: Sequence[ReleaseShape], taken_back: str, projects: Sequence[str]
) -> str | None:
    """Return the first release above `taken_back` that has not sent an event yet.

    It is above by every order that Sentry may use. None: there is none, or nobody can tell. One
    that sends events already may fail in the same way, in another environment.

    https://github.com/getsentry/sentry/blob/master/src/sentry/models/groupresolution.py compares
    semantic versions where a project has them, else dates: `date_added`, in newer versions
    `date_released` where there is one.
    """
    old = next((row for row in rows if row.version == taken_back), None)
    if old is None:
        return None
    ours = [row for row in rows if not projects or {p.slug for p in row.projects} & set(projects)]
    above = [row for row in ours if row.firstEvent is None and _is_above(row, old)]
    if not above:
        return None
    if _number(old.version) is not None:
        return min(above, key=lambda row: _number(row.version) or ()).version
    return min(above, key=lambda row: _released(row) or NEVER).version


def _is_above(row: ReleaseShape, old: ReleaseShape) -> bool:
    """Return whether a release is above another by number and by both dates.

    Releases that are written in two ways cannot be compared.
    """
    number, old_number = _number(row.version), _number(old.version)
    if (number is None) is not (old_number is None):
        return False
    created, released = row.dateCreated, _released(row)
    old_created, old_released = old.dateCreated, _released(old)
    if created is None or released is None or old_created is None or old_released is None:
        return False
    by_number = number is None or old_number is None or number > old_number
    return by_number and created > old_created and released > old_released


def _released(row: ReleaseShape) -> datetime | None:
    return row.dateReleased or row.dateCreated


def _number(version: str) -> tuple[int, ...] | None:
    """Return the number of a semantic version.

    One that is no final release stands below it, and beside others of its kind.
    """
    match = SEMVER.fullmatch(version)
    if match is None:
        return None
    return (*(int(number or 0) for number in match.groups()[:4]), 0 if match[5] else 1)
