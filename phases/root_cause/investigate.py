"""Phase 2, root cause: a hypothesis tree, a walk over the evidence, suspects in order, and the ends of a bisect.

Workflow: "Hypothesis tree from the Sentry stack trace; tracer agent for evidence walk; bisect to introducing commit (almost certainly the
most-recent deploy)". It runs beside the decision, read-only, and needs nobody's leave. The tree: `hypotheses.py`; the ranking of commits:
`suspects.py`; what the findings do to the record: `root_cause_steps.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from phases.messages.results import Investigated
from phases.ports.notes import Notes
from phases.ports.ports import PortError, PullRequests, SourceCode
from phases.ports.source_paths import foreign
from phases.ports.source_values import Commit, Place
from phases.record.findings import (
    Cause,
    Frame,
    HypothesisKind,
    Investigation,
    Suspect,
    TriageReport,
    Verdict,
    Word,
)
from phases.record.incident import Incident
from phases.record.service import Service
from phases.record.wording import counted, listed, short, stamp
from phases.root_cause.commit_ranking import Thrown, pull_request, rank
from phases.root_cause.hypotheses import Facts, after_bisect, best, merge, tree
from phases.root_cause.stack_trace import other_line, without_stack

__all__ = ["after_bisect", "best", "investigate", "merge", "proposed_cause"]

SUSPECTS = 5
WALKED_FRAMES = 5  # frames of our own that are followed to their commits
PULLS_SECONDS = 3.0
WORTH_IT = "is worth its time"  # said until a bisect is under way
CAUSE = 2000  # characters
NOTE = 300  # characters
SOURCE_SECONDS = 25.0  # the whole investigation ends within the 30 s that any effect may take
LINES_SECONDS = 10.0  # for one question about a line, so that its silence costs no pull request


# --- the cause as the bot would put it -------------------------------------------------------------------------


def proposed_cause(incident: Incident) -> Cause | None:
    """The bisect's culprit, else the best hypothesis that is supported; None where nothing is. A person, or the bisect, stands behind it."""
    report, bisect = incident.triage, incident.bisect
    at = report.at if report else incident.declared_at
    suspect = report.suspect.version if report and report.suspect else None
    if bisect is not None and bisect.state == "found" and bisect.culprit is not None:
        culprit = bisect.culprit
        known = next((s for s in incident.suspects if s.sha == culprit.sha), culprit)
        return Cause(
            text=_sentence(culprit, suspect),
            at=at,
            evidence=tuple(dict.fromkeys((*culprit.reasons, *known.reasons)))[:5],
            commit=culprit.sha,
            release=suspect,
        )
    supported = [h for h in incident.hypotheses if h.verdict is Verdict.SUPPORTED]
    if not supported:
        return None
    # That a release brought it says less than which of its commits, or whose data, it was.
    told = best([h for h in supported if h.kind is not HypothesisKind.RELEASE], 1) or best(
        supported, 1
    )
    first = told[0]
    culprit = next(
        (
            s
            for s in incident.suspects
            if first.kind is HypothesisKind.COMMIT and s.sha[:9] in first.says
        ),
        None,
    )
    others = [h.found for h in best(supported, 3) if h.id != first.id and h.found]
    of_release = first.kind in (HypothesisKind.RELEASE, HypothesisKind.COMMIT)
    return Cause(
        text=_sentence(culprit, suspect) if culprit else short(first.says, CAUSE),
        at=at,
        by=first.by,
        evidence=tuple(x for x in (first.found, *others) if x)[:5],
        commit=culprit.sha if culprit else None,
        release=suspect if of_release else None,
    )


def _sentence(culprit: Suspect, release: str | None) -> str:
    by = f" by {short(culprit.author, 200)}" if culprit.author else ""
    shipped = f", shipped in {short(release, 200)}" if release else ""
    return f"Commit {culprit.sha[:9]}{by}, “{short(culprit.subject, 200)}”{shipped}, brought it."


# --- the walk --------------------------------------------------------------------------------------------------


async def investigate(
    incident: Incident,
    service: Service,
    source: SourceCode | None,
    bisector_available: bool,
    now: datetime,
) -> Investigated:
    """One walk over the evidence: from the crashing frame outwards to commits, pull requests and authors; then the tree.

    Never raises for a source that cannot be asked: what is missing stands in `notes`. Ends within `SOURCE_SECONDS` and a little.
    """
    del now  # everything here is a fact of triage or of the history
    notes = Notes(form="{cost}: {why}.", ends=asyncio.get_running_loop().time() + SOURCE_SECONDS)
    report = incident.triage
    if report is None:
        notes.say("There is no triage yet: nothing to start the walk from.")
        return Investigated(
            investigation=Investigation(notes=tuple(text[:NOTE] for text in notes.sentences))
        )
    if report.manual_by is not None:
        notes.say("Sentry was not asked: there is no stack to walk along.")
    older, newer = _ends(report)
    commits, stops = await asyncio.gather(
        _commits(service, source, older, newer, notes),
        _stops(report, service, source, newer, notes),
    )
    for remark in source.remarks(service) if source else ():
        notes.say(remark)
    walk = _walk(
        stops[:WALKED_FRAMES], commits, older, newer, crashed=report.event_kind != "message"
    )
    suspects: list[Suspect] = []
    message = error_text(report)
    if commits:
        known = [stop for stop in stops if not stop.elsewhere or foreign(stop.frame.file)]
        frames = [stop.in_source for stop in known]
        if report.event_kind == "message":
            frames = [frame.model_copy(update={"of": "the logged message"}) for frame in frames]
        blamed = {number: stop.blame.sha for number, stop in enumerate(known) if stop.blame}
        thrown = Thrown(type=report.exception_type or "", value=message)
        ranked = rank(frames, thrown, commits, blamed)[:SUSPECTS]
        ranked = [_linked(suspect, service) for suspect in ranked]
        suspects = await _with_pulls(ranked, service, source)
    span = f"{older}..{newer}" if older and newer else "the release"
    facts = Facts(
        report=report,
        service=service,
        suspects=tuple(suspects),
        commits=tuple(commits) if commits is not None else None,
        span=span,
        message=message,
    )
    good, bad = _bisect_ends(report, older, newer, commits, bisector_available, notes)
    found = Investigation(
        hypotheses=tree(facts),
        suspects=tuple(suspects),
        walk=tuple(walk),
        good=good,
        bad=bad,
        notes=tuple(text[:NOTE] for text in notes.sentences),
    )
    return Investigated(investigation=found)


def _ends(report: TriageReport) -> tuple[str | None, str | None]:
    """From the last release that was well to the one under suspicion (without one: the one that runs)."""
    newer = report.suspect or report.running
    if newer is None:
        return None, None
    healthy = report.recommendation.target or (report.targets[0] if report.targets else None)
    if healthy is not None and healthy.version != newer.version:
        return healthy.version, newer.version
    earlier = False
    for deploy in report.deploys:
        if earlier and deploy.release.version != newer.version:
            return deploy.release.version, newer.version
        earlier = earlier or deploy.release.version == newer.version
    return None, newer.version


async def _commits(
    service: Service, source: SourceCode | None, older: str | None, newer: str | None, notes: Notes
) -> Sequence[Commit] | None:
    if source is None:
        notes.say(
            f"No source: `checkout` of {service.name} is not set in the catalogue, so no commits and no blame."
        )
        return None
    if newer is None:
        notes.say("Which release runs is not known: no commits to look at.")
        return None
    if older is None:
        notes.say(
            f"No release before {newer} is known: which commits are new in it cannot be told."
        )
        return None
    commits = await notes.soft(
        source.commits(service, older, newer), None, "The commits are not known"
    )
    if commits is not None and not commits:
        notes.say(f"There is no commit in {newer} that is not in {older} too.")
    return commits


@dataclass(frozen=True, slots=True)
class _Stop:
    """One frame on the way from the crash outwards, with what the source says of its line."""

    frame: Frame
    place: Place | None = None
    """Its file in the source; None: not asked for, or no answer."""
    blame: Suspect | None = None
    missing: bool = False
    """The file has fewer lines."""
    differs: str = ""
    """What stands at its line in the source, where that is not what the stack shows."""

    @property
    def elsewhere(self) -> bool:
        """Whether the source has no such file: then nothing that changed there is on the way to the crash."""
        place = self.place
        return (
            place is not None
            and place.complete
            and not (place.path or place.several or place.built_from)
        )

    @property
    def in_source(self) -> Frame:
        """The frame as the ranking compares it with changed files: by its path in the source, and by its line where that is the same."""
        if self.place is not None and self.place.built_from:
            return self.frame.model_copy(
                update={"file": self.place.built_from, "path": "", "line": None, "context": ()}
            )
        if self.place is None or self.place.path is None:
            return self.frame
        here: dict[str, Any] = {"file": self.place.path, "path": ""}
        if self.missing or self.differs:  # its number says nothing here, its text still does
            text = [row for row in self.frame.context if row[0] == self.frame.line]
            here |= {"line": None, "context": tuple(text)}
        return self.frame.model_copy(update=here)


async def _stops(
    report: TriageReport,
    service: Service,
    source: SourceCode | None,
    newer: str | None,
    notes: Notes,
) -> list[_Stop]:
    """The frames of our own code, each with its file in the source, and the first with the commit that last touched their line."""
    frames = _frames(report)
    if not frames:
        notes.say(without_stack(report.event_kind) or "No frame of our own code is known.")
    if source is None or newer is None:
        return [_Stop(frame) for frame in frames]
    if report.running and report.running.version != newer:
        notes.say(f"Lines are read at {newer}; by now {report.running.version} runs.")
    cost = "Who last touched the lines is not known"

    async def stop(number: int, frame: Frame) -> _Stop:
        place = await notes.soft(source.place(service, newer, frame), None, cost, LINES_SECONDS)
        if place is None or place.path is None or frame.line is None or number >= WALKED_FRAMES:
            return _Stop(frame, place)
        blame, snippet = await asyncio.gather(
            notes.soft(
                source.blame(service, newer, place.path, frame.line), None, cost, LINES_SECONDS
            ),
            notes.soft(
                source.snippet(service, newer, place.path, frame.line), None, cost, LINES_SECONDS
            ),
        )
        if differs := other_line(frame, snippet or ()):
            return _Stop(frame, place, differs=differs)
        known = frame.model_copy(update={"context": frame.context or tuple(snippet or ())[:5]})
        return _Stop(
            known, place, blame, missing=blame is None and snippet is not None and not snippet
        )

    found = list(
        await asyncio.gather(*(stop(number, frame) for number, frame in enumerate(frames)))
    )
    if any(one.place is not None and not one.place.complete for one in found):
        notes.say(
            "The repository has more files than could be listed: a frame that was not found may still be in it."
        )
    return found


def _walk(
    stops: Sequence[_Stop],
    commits: Sequence[Commit] | None,
    older: str | None,
    newer: str | None,
    *,
    crashed: bool,
) -> list[str]:
    """Sentences for the thread, from the crashing frame outwards."""
    new = {commit.sha for commit in commits} if commits is not None else None
    walk: list[str] = []
    for number, stop in enumerate(stops):
        sentence = _place(number, stop.frame, crashed=crashed)
        if stop.blame is not None:
            sentence += f" {_touched(stop.blame, new, older, newer)}"
        elif (unknown := _unknown(stop, newer or "this release")) is not None:
            sentence += f" {unknown}"
        walk.append(sentence)
    return walk


def _unknown(stop: _Stop, release: str) -> str | None:
    """Why nobody is named for a line: said of the source only where that was looked at."""
    place = stop.place
    if place is None:
        return None
    if place.several:
        return f"Several files of {release} fit ({listed(place.several)}), so who last touched the line is not known."
    if place.built_from:
        return f"It is built from {place.built_from}: which line of that it was is not known without its source map."
    if place.path is None and stop.frame.file in ("?", stop.frame.module):
        return "The stack names no file for it."
    if place.path is None:
        where = (
            f"in the source of {release}"
            if place.complete
            else "among the files that were looked at"
        )
        return f"Its file could not be found {where}."
    if stop.differs:
        return f"In {release} another line stands there: {short(stop.differs, 120)}."
    return f"{place.path} has fewer lines in {release}." if stop.missing else None


def _place(number: int, frame: Frame, *, crashed: bool) -> str:
    begin = ("Crashes in" if crashed else "Logged in") if number == 0 else "Called from"
    if frame.of and number:
        begin = f"Raised again as {frame.of} in" if frame.again else f"In the stack of {frame.of}:"
    where = f"{frame.file}:{frame.line}" if frame.line is not None else frame.file
    function = f" in {frame.function}" if frame.function else ""
    if frame.file == "?":  # a native frame without symbols, or one that a compiler made
        where, function = frame.function or "a function that is not named", ""
    code = dict(frame.context).get(frame.line or 0, "").strip()
    return f"{begin} {where}{function}{f': {short(code, 120)}' if code else ''}."


def _touched(blame: Suspect, new: set[str] | None, older: str | None, newer: str | None) -> str:
    pull = pull_request(blame.subject)
    told = f"Last touched by {blame.sha[:9]} “{short(blame.subject, 100)}”"
    told += f" by {blame.author}" if blame.author else ""
    told += f", {stamp(blame.at)}" if blame.at else ""
    told += f", pull request {pull}" if pull and pull not in blame.subject else ""
    if new is None:
        return f"{told}."
    return f"{told}: new in {newer}." if blame.sha in new else f"{told}: it was in {older} already."


def _frames(report: TriageReport) -> list[Frame]:
    return list(report.frames) or ([report.frame] if report.frame else [])


def error_text(report: TriageReport) -> str:
    """The cause's text; where the event did not tell: Sentry's title of the loudest issue is `<type>: <text>`."""
    if report.exception_value:
        return report.exception_value
    title = report.issues[0].title if report.issues else ""
    kind, _, text = title.partition(": ")
    return text if text and kind.strip() and " " not in kind.strip() else title


def _linked(suspect: Suspect, service: Service) -> Suspect:
    """Links of a repository on GitHub, which is what `repository` names (contract: services.toml)."""
    if not service.repository:
        return suspect
    base = f"https://github.com/{service.repository}"
    number = (pull_request(suspect.subject) or "").lstrip("#")
    return suspect.model_copy(
        update={
            "url": suspect.url or f"{base}/commit/{suspect.sha}",
            "pull_request": suspect.pull_request or (f"{base}/pull/{number}" if number else None),
        }
    )


async def _with_pulls(
    suspects: Sequence[Suspect], service: Service, source: SourceCode | None
) -> list[Suspect]:
    """The pull request of each, where the source knows it; a link that is missing is no loss worth a word or a wait."""
    if not isinstance(source, PullRequests):
        return list(suspects)

    async def pull(suspect: Suspect) -> Suspect:
        if suspect.pull_request is not None:
            return suspect
        try:
            async with asyncio.timeout(PULLS_SECONDS):
                return suspect.model_copy(
                    update={"pull_request": await source.pull_request(service, suspect.sha)}
                )
        except (TimeoutError, PortError):
            return suspect

    return list(await asyncio.gather(*(pull(suspect) for suspect in suspects)))


# --- bisect ----------------------------------------------------------------------------------------------------


def _bisect_ends(
    report: TriageReport,
    older: str | None,
    newer: str | None,
    commits: Sequence[Commit] | None,
    available: bool,
    notes: Notes,
) -> tuple[str | None, str | None]:
    """The ends of a bisect, where one is worth its time: a deploy is under suspicion, and there are commits between."""
    missing: list[str] = []
    if report.suspect is None:
        missing.append("no release is under suspicion")
    if not available:
        missing.append(
            "no reproduction script is set up (`bisect` and `checkout` in the catalogue)"
        )
    if older is None or newer is None:
        missing.append("no release that was well is known")
    if commits is not None and not commits:
        missing.append("there is no commit between the releases")
    if report.blast.users is Word.ONE and not report.blast.inferred:
        missing.append("one user is hit, so it is rather their data")
    if missing:
        notes.say(f"No bisect: {listed(missing)}.")
        return None, None
    if commits is not None:
        notes.say(
            f"A bisect from {older} to {newer} {WORTH_IT}: {counted(len(commits), 'commit')} between them."
        )
    return older, newer
