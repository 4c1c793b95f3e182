"""Phase 1: the questions of one triage to Sentry, the deployer and the source of code.

Each of them fails by itself: what has no answer is noted, and the rest goes on.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fnmatch import fnmatchcase

from phases.ports.ports import (
    Deployer,
    DeployHistory,
    Endpoint,
    ErrorTracker,
    FlagLog,
    HotfixRef,
    PortError,
    SourceCode,
)
from phases.ports.source_values import Commit
from phases.ports.tracker_values import (
    EventDetail,
    EventPicture,
    IssuePage,
    IssueRow,
    Minutes,
    OtherErrors,
)
from phases.record.findings import (
    ChangeSeen,
    DeploySeen,
    EndpointAnswer,
    IssueSeen,
    Part,
    Release,
    Share,
)
from phases.record.service import Service
from phases.text.wording import listed, short
from phases.triage.deploys.deploy_history import UNTOLD
from phases.triage.picture.beginning import JUST_BEFORE
from phases.triage.picture.blast_radius import (
    ERROR,
    MINUTE,
    ONE_PLACE,
    PARTS,
    with_monitor_issues,
)
from phases.triage.picture.false_alarms import BEFORE
from phases.triage.picture.fire import DAY, HISTORY
from phases.triage.reading.unavailable import PART_SECONDS, TriageNotes, in_time
from phases.triage.rollback.more_people import SURGE_SPAN, USUAL_TRAFFIC_SPAN, rush_factor

COMMITS_SECONDS = 2.0
"""For the commits that a rollback takes back: people wait for the decision."""
BESIDE = timedelta(hours=1)
"""Others that had an error of any kind in this time are there now."""
PAGES = 2  # of 100 issues each, loudest first
NAMES: dict[Part, str] = {
    "users": "Users",
    "features": "Features",
    "places": "Regions and organisations",
}


@dataclass(frozen=True, slots=True)
class Sources:
    """The service that is triaged, and the systems that know of it."""

    service: Service
    tracker: ErrorTracker
    neighbours: Sequence[Service] = ()
    deployer: Deployer | None = None
    code: SourceCode | None = None
    deploy_history: DeployHistory | None = None
    endpoint: Endpoint | None = None
    flags: FlagLog | None = None

    @property
    def services(self) -> tuple[Service, ...]:
        return (self.service, *self.neighbours)


@dataclass(frozen=True, slots=True)
class Questions:
    """The window that is asked about, whom to ask, and what had no answer so far."""

    sources: Sources
    since: datetime
    now: datetime
    notes: TriageNotes = field(default_factory=TriageNotes)

    # --- deploys -------------------------------------------------------------------------------

    async def running(self) -> Release | None:
        deployer, service = self.sources.deployer, self.sources.service
        if deployer is None:
            return None
        return await self.notes.soft(
            deployer.running(service), None, "The running release could not be read"
        )

    async def releases(self) -> tuple[tuple[Release, ...] | None, str]:
        """Return what the deployer may deploy, or None and why that is not known."""
        deployer, service = self.sources.deployer, self.sources.service
        if deployer is None:
            by_hand = "so a rollback has to be made by hand"
            return None, f"no deployer is set up for {service.name}, {by_hand}"
        try:
            return tuple(await deployer.releases(service)), ""
        except PortError as error:
            return None, f"which releases can be deployed is not known: {error.text}"

    async def deploys_on_github(self) -> Sequence[DeploySeen]:
        history = self.sources.deploy_history
        if history is None:
            return ()
        return await self.notes.soft(
            history.deploys(self.sources.services), (), "GitHub's deployments are not known"
        )

    async def deploys_in_sentry(self) -> tuple[Sequence[DeploySeen], bool]:
        """Return the deploys that Sentry knows of, and whether these are all of them."""
        try:
            deploys = await in_time(self.sources.tracker.deploys(self.sources.services))
        except PortError as error:
            self.notes.miss(error, "Sentry's deploys are not known", decides=True)
            return (), False
        if untold := [short(d.release.version) for d in deploys if d.source == UNTOLD]:
            stands = (
                "its first event stands for it"
                if len(untold) == 1
                else "their first events stand for them"
            )
            self.notes.say(f"Sentry did not tell the deploys of {listed(untold)}: {stands}.")
        return deploys, True

    # --- flags ---------------------------------------------------------------------------------

    @property
    def flags_used(self) -> bool:
        return self.sources.flags is not None and not self.sources.flags.unused()

    async def flag_changes(self, page: IssuePage) -> Sequence[ChangeSeen]:
        """Return the flags that were changed since a day before the window, newest first.

        Beside a second page of issues it is not asked where flags are not used: the calls of a
        triage are counted (docs/performance.md).
        """
        flags, service = self.sources.flags, self.sources.service
        if flags is None or (page.next is not None and not self.flags_used):
            return ()
        asked = flags.changes(service, self.since - DAY, self.now)
        return await self.notes.ask(asked, (), "Flag changes are not known", decides=False)

    async def flag_off(self, flag: ChangeSeen) -> Mapping[str, tuple[int, int]]:
        """Return, by issue, its events with the flag off and all its events since the change."""
        if self.sources.flags is None:
            return {}
        span = (max(self.since, flag.at), self.now)
        asked = self.sources.flags.off(self.sources.services, flag.name, span)
        cost = f"Which events carry flag {short(flag.name)} is not known"
        return await self.notes.ask(asked, {}, cost, decides=False)

    # --- the source of code --------------------------------------------------------------------

    async def fixes(self) -> Sequence[HotfixRef]:
        code, service = self.sources.code, self.sources.service
        if code is None:
            return ()
        fixes = await self.notes.soft(
            code.hotfixes(service), (), "Whether a fix is there already is not known"
        )
        for remark in code.remarks(service):
            self.notes.say(remark)
        return fixes

    async def one_way_changes(
        self, targets: Sequence[Release], running: Release | None
    ) -> tuple[str, ...] | None:
        """Return the one-way paths (migrations) that changed between the target and what runs.

        The result is None where that cannot be seen.
        """
        code, service = self.sources.code, self.sources.service
        if not service.one_way or not targets or running is None:
            return ()
        if code is None:
            return None
        target = targets[0].version
        asked = code.changed_paths(service, target, running.version)
        changed = await self.notes.soft(asked, None, f"What changed since {target} is not known")
        if changed is None:
            return None
        return tuple(
            path
            for path in changed
            if any(one_way_match(path, pattern) for pattern in service.one_way)
        )

    async def commits(
        self, targets: Sequence[Release], running: Release | None
    ) -> tuple[Sequence[Commit] | None, str]:
        """Return the commits between the target and what runs, or None and why not.

        A decision does not wait long for them: the next look finds more of them read already.
        """
        code, service = self.sources.code, self.sources.service
        if code is None or not targets or running is None:
            return None, ""
        older, newer = targets[0].version, running.version
        try:
            async with asyncio.timeout(COMMITS_SECONDS):
                return await code.commits(service, older, newer), ""
        except TimeoutError:
            self.notes.incomplete = True
            return None, "their commits are still being read"
        except PortError as error:
            self.notes.incomplete = self.notes.incomplete or error.retryable
            return None, error.text

    # --- Sentry --------------------------------------------------------------------------------

    async def issues(self) -> IssuePage:
        """Return the loudest issues. Raises `PortError`: without them there is no triage."""
        page = await self.sources.tracker.page(self.sources.services, self.since, self.now)
        return page.model_copy(update={"rows": tuple(map(self._by_our_clock, page.rows))})

    def _by_our_clock(self, row: IssueRow) -> IssueRow:
        """Return an issue that was first seen in the future as one of this window."""
        if row.first_seen <= self.now:
            return row
        return row.model_copy(update={"first_seen": self.since})

    async def further_issues(self, page: IssuePage) -> tuple[list[IssueRow], PortError | None]:
        """Return the issues of the further pages, and why there are no more of them."""
        tracker, services = self.sources.tracker, self.sources.services
        rows: list[IssueRow] = []
        after = page.next
        for _ in range(1, PAGES):
            if after is None:
                break
            try:
                further = await in_time(tracker.page(services, self.since, self.now, after=after))
            except PortError as error:
                loudest = len(page.rows) + len(rows)
                cost = f"Issues beyond the {loudest} loudest are not known"
                self.notes.miss(error, cost, decides=True)
                return rows, error
            rows.extend(map(self._by_our_clock, further.rows))
            after = further.next
        if after is not None:
            loudest = len(page.rows) + len(rows)
            self.notes.say(f"Sentry has still more issues: the {loudest} loudest are counted.")
        return rows, None

    async def history(self) -> Minutes:
        """Return the service's errors together over two weeks."""
        asked = self.sources.tracker.history(self.sources.services, self.now - HISTORY, self.now)
        try:
            return await in_time(asked)
        except PortError as error:
            cost = "Whether the service is louder than usual is not known"
            self.notes.miss(error, cost, decides=False)
            self.notes.unasked_history = error.text
            return Minutes(known=False)

    async def before(self, began: datetime | None) -> dict[str, int]:
        """Return what failed in the hour before, by transaction; empty where that is not known."""
        if began is None:
            return {}
        asked = self.sources.tracker.transactions(self.sources.services, began - BEFORE, began)
        cost = "What failed in the same places before is not known"
        shares = await self.notes.ask(asked, None, cost, decides=False)
        return {share.name: share.events for share in shares or ()}

    async def minutes(self, issues: Sequence[IssueSeen]) -> Minutes:
        """Return the events by minute since a day before the window."""
        if not issues:
            return Minutes()
        ids = [issue.id for issue in issues]
        asked = self.sources.tracker.per_minute(
            self.sources.services, ids, self.since - DAY, self.now
        )
        unknown = Minutes(known=False)
        return await self.notes.ask(asked, unknown, "Events by minute are not known", decides=True)

    async def picture(self, issues: Sequence[IssueSeen], ids: Sequence[str]) -> EventPicture:
        """Return who is hit; where none of it can be asked, the issue list still counts events."""
        try:
            picture = await self.sources.tracker.picture(
                self.sources.services, ids, self.since, self.now
            )
        except PortError as error:
            self.notes.miss(error, "Users and features are not known", decides=True)
            events = sum(issue.events for issue in issues if issue.category == ERROR)
            return with_monitor_issues(EventPicture(events=events, unknown=PARTS), issues)
        for part in picture.unknown:
            self.notes.say(f"{NAMES[part]} are not known ({listed(picture.why)}).")
            if part != "places":
                self.notes.unasked.setdefault(f"{NAMES[part]} are not known.")
        self.notes.incomplete = self.notes.incomplete or picture.passing
        return with_monitor_issues(picture, issues)

    async def events_by_release(
        self, ids: Sequence[str], suspect: DeploySeen | None
    ) -> Sequence[Share]:
        """Return the releases that events carry since the suspect's deploy started."""
        begin = max(self.since, suspect.started_at) if suspect is not None else self.since
        if begin >= self.now:
            return ()
        asked = self.sources.tracker.releases(self.sources.service, ids, begin, self.now)
        cost = "Which releases the events carry is not known"
        return await self.notes.ask(asked, (), cost, decides=True)

    async def newest_event(self, rows: Sequence[IssueRow], issue: IssueSeen) -> EventDetail | None:
        project = next((row.project for row in rows if row.id == issue.id), "")
        services = self.sources.services
        owner = next((s for s in services if project in s.sentry), self.sources.service)
        asked = self.sources.tracker.detail(owner, issue.id)
        return await self.notes.ask(asked, None, "The stack trace is not known", decides=False)

    async def addresses(self, picture: EventPicture) -> int | None:
        """Return the client addresses of the last day, where many users could be one place."""
        if picture.addresses != 1 or (picture.user_count or 0) < ONE_PLACE:
            return None
        asked = self.sources.tracker.addresses(self.sources.service, self.now - DAY, self.now)
        return await self.notes.ask(asked, None, "Client addresses are not known", decides=False)

    async def endpoint(self) -> EndpointAnswer | None:
        """Return the answer of the endpoint that the catalogue names."""
        port, url = self.sources.endpoint, self.sources.service.endpoint
        if port is None or url is None:
            return None
        try:
            async with asyncio.timeout(PART_SECONDS):
                return await port.call(url)
        except TimeoutError:
            return EndpointAnswer(ok=False, said=f"no answer within {PART_SECONDS:g} s")

    async def others(self, ids: Sequence[str]) -> OtherErrors:
        """Return where the service's other errors are: these others are there now."""
        asked = self.sources.tracker.others(self.sources.service, ids, self.now - BESIDE, self.now)
        cost = "Whether others run into it is not known"
        return await self.notes.ask(asked, OtherErrors(), cost, decides=False)

    async def rush(self, began: datetime) -> float:
        """Return how many times the usual requests came just before trouble began; 0: not known."""
        tracker, service = self.sources.tracker, self.sources.service
        just = began - SURGE_SPAN
        try:
            traffic = await in_time(
                tracker.traffic_around(service, just - USUAL_TRAFFIC_SPAN, just, began)
            )
        except PortError:
            return 0.0  # it only speaks for the release
        return 0.0 if traffic is None else rush_factor(just=traffic[1], before=traffic[0])

    async def exact_beginning(
        self,
        issues: Sequence[IssueSeen],
        ids: Sequence[str],
        loud: datetime | None,
        *,
        told: bool = False,
    ) -> datetime | None:
        """Return the first event of the minute in which trouble began.

        `told`: another answer has it; then the minute.
        """
        if loud is None:
            return None
        end = min(loud + MINUTE, self.now)
        firsts = [issue.first_seen for issue in issues]
        if min(firsts) >= loud - JUST_BEFORE and min(firsts) < end:
            return min(firsts)
        if told:
            return loud
        asked = self.sources.tracker.first_event(self.sources.services, ids, loud, end)
        cost = "The beginning is known to the minute"
        return await self.notes.ask(asked, loud, cost, decides=False)


def one_way_match(path: str, pattern: str) -> bool:
    """Match `migrations/**` and what is under it; `*` and `?` as in a shell."""
    return fnmatchcase(path, pattern) or (
        pattern.startswith("**/") and fnmatchcase(path, pattern[3:])
    )
