"""Phase 2: walk from the crashing frame outwards to commits, pull requests and authors.

Workflow: "Hypothesis tree from the Sentry stack trace; tracer agent for evidence walk; bisect to
introducing commit (almost certainly the most-recent deploy)". It only reads, beside the decision.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from phases.messages.results import Investigated
from phases.ports.library_paths import is_library_file
from phases.ports.notes import Notes
from phases.ports.ports import PortError, PullRequests, SourceCode
from phases.ports.source_values import Commit, Place
from phases.record.findings import Frame, Investigation, Suspect, TriageReport, Word
from phases.record.incident import Incident
from phases.record.service import Service
from phases.root_cause.commit_ranking import RaisedError, Ranking, pull_request, rank_commits
from phases.root_cause.hypotheses import GAP_UNKNOWN, Facts, after_deploy, hypothesis_tree
from phases.root_cause.no_culprit import nearest_commit, no_culprit_finding
from phases.root_cause.stack_trace import other_line, why_no_stack
from phases.root_cause.steps import NEW_IN
from phases.text.wording import counted, listed, short, stamp

SUSPECTS = 5
WALKED_FRAMES = 5  # frames of our own that are followed to their commits
PULLS_SECONDS = 3.0
WORTH_IT = "is worth running"  # said until a bisect is under way
NOTE_LIMIT = 300  # characters
SOURCE_SECONDS = 25.0  # the whole investigation ends within the 30 s that any effect may take
LINES_SECONDS = 10.0  # for one question about a line, so that its silence costs no pull request


@dataclass(frozen=True, slots=True)
class _Range:
    """The versions between which the trouble began."""

    older: str | None
    """The last release that was well."""
    newer: str | None
    """The release under suspicion; without one, that which runs."""

    def __str__(self) -> str:
        return f"{self.older}..{self.newer}" if self.older and self.newer else "the release"


async def investigate(
    incident: Incident,
    service: Service,
    source: SourceCode | None,
    bisector_available: bool,
    now: datetime,
) -> Investigated:
    """Walk over the evidence once, rank the commits, and raise the hypotheses.

    Never raises for a source that cannot be asked: what is missing stands in the notes. Ends
    within `SOURCE_SECONDS` and a little.
    """
    del now  # everything here is a fact of triage or of the history
    ends = asyncio.get_running_loop().time() + SOURCE_SECONDS
    notes = Notes(form="{cost}: {why}.", ends=ends)
    report = incident.triage
    if report is None:
        notes.say("There is no triage yet: nothing to start the walk from.")
        return Investigated(investigation=Investigation(notes=_note_texts(notes)))
    if report.manual_by is not None:
        notes.say("Sentry was not queried: there is no stack to walk along.")
    span = _suspected_range(report)
    commits, stops = await asyncio.gather(
        _commits_in_range(service, source, span, notes),
        _walk_frames(report, service, source, span.newer, notes),
    )
    for remark in source.remarks(service) if source else ():
        notes.say(remark)
    ranking = _rank(report, commits or (), stops)
    close = nearest_commit(ranking)
    if ranking.nobody_leads and close is None:
        notes.say(no_culprit_finding(ranking, str(span)))
    likely = [_with_links(suspect, service) for suspect in ranking.suspects[:SUSPECTS]]
    suspects = await _with_pulls(likely, service, source)
    facts = Facts(
        report=report,
        service=service,
        suspects=tuple(suspects),
        commits=tuple(commits) if commits is not None else None,
        span=str(span),
        message=error_text(report),
        nobody=ranking.nobody,
        nobody_leads=ranking.nobody_leads,
    )
    good, bad = _bisect_ends(report, span, commits, bisector_available, notes)
    return Investigated(
        investigation=Investigation(
            hypotheses=hypothesis_tree(facts),
            suspects=() if ranking.nobody_leads else tuple(suspects),
            nearest=_with_links(close, service) if close else None,
            walk=tuple(_walk_sentences(report, stops[:WALKED_FRAMES], commits, span)),
            good=good,
            bad=bad,
            notes=_note_texts(notes),
        )
    )


def _note_texts(notes: Notes) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text[:NOTE_LIMIT] for text in notes.sentences))


def _suspected_range(report: TriageReport) -> _Range:
    newer = report.suspect or report.running
    if newer is None:
        return _Range(None, None)
    healthy = report.recommendation.target or (report.targets[0] if report.targets else None)
    if healthy is not None and healthy.version != newer.version:
        return _Range(healthy.version, newer.version)
    versions = [deploy.release.version for deploy in report.deploys]
    at = versions.index(newer.version) if newer.version in versions else len(versions)
    older = next((version for version in versions[at:] if version != newer.version), None)
    return _Range(older, newer.version)


async def _commits_in_range(
    service: Service, source: SourceCode | None, span: _Range, notes: Notes
) -> Sequence[Commit] | None:
    newer = span.newer
    if source is None:
        lacks = f"`checkout` of {service.name} is not set in the catalogue"
        notes.say(f"No source: {lacks}, so no commits and no blame.")
        return None
    if newer is None:
        notes.say("Which release runs is not known: no commits to look at.")
        return None
    if span.older is None:
        new = "which commits are new in it cannot be told"
        notes.say(f"No release before {newer} is known: {new}.")
        return None
    asked = source.commits(service, span.older, newer)
    commits = await notes.soft(asked, None, "The commits are not known")
    if commits is not None and not commits:
        notes.say(f"There is no commit in {newer} that is not in {span.older} too.")
    return commits


# --- from the crash outwards -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _WalkedFrame:
    """One frame on the way from the crash outwards, with what the source says of its line."""

    frame: Frame
    place: Place | None = None
    """Its file in the source; None: not asked for, or no answer."""
    blame: Suspect | None = None
    missing: bool = False
    """The file has fewer lines."""
    differs: str = ""
    """The line at its place in the source, where that is not what the stack shows."""

    @property
    def elsewhere(self) -> bool:
        """The source has no such file: nothing that changed there is on the way to the crash."""
        place = self.place
        return (
            place is not None
            and place.complete
            and not (place.path or place.several or place.built_from)
        )

    @property
    def in_source(self) -> Frame:
        """The frame by its path in the source, and by its line where that is the same."""
        if self.place is not None and self.place.built_from:
            return self.frame.model_copy(
                update={"file": self.place.built_from, "path": "", "line": None, "context": ()}
            )
        if self.place is not None and self.place.several:  # of which of them is its line?
            return self.frame.model_copy(update={"line": None, "context": ()})
        if self.place is None or self.place.path is None:
            return self.frame
        here: dict[str, Any] = {"file": self.place.path, "path": ""}
        if self.missing or self.differs:  # its number says nothing here, its text still does
            text = [row for row in self.frame.context if row[0] == self.frame.line]
            here |= {"line": None, "context": tuple(text)}
        return self.frame.model_copy(update=here)


async def _walk_frames(
    report: TriageReport,
    service: Service,
    source: SourceCode | None,
    newer: str | None,
    notes: Notes,
) -> list[_WalkedFrame]:
    """Return the frames of our own code, each with its file in the source.

    The first of them have the commit that last touched their line.
    """
    frames = list(report.frames) or ([report.frame] if report.frame else [])
    if not frames:
        notes.say(why_no_stack(report.event_kind) or "No frame of our own code is known.")
    if source is None or newer is None:
        return [_WalkedFrame(frame) for frame in frames]
    if report.running and report.running.version != newer:
        notes.say(f"Lines are read at {newer}; by now {report.running.version} runs.")
    cost = "Who last touched the lines is not known"

    async def stop(number: int, frame: Frame) -> _WalkedFrame:
        place = await notes.soft(source.place(service, newer, frame), None, cost, LINES_SECONDS)
        if place is None or place.path is None or frame.line is None or number >= WALKED_FRAMES:
            return _WalkedFrame(frame, place)
        where = (service, newer, place.path, frame.line)
        blame, snippet = await asyncio.gather(
            notes.soft(source.blame(*where), None, cost, LINES_SECONDS),
            notes.soft(source.snippet(*where), None, cost, LINES_SECONDS),
        )
        if differs := other_line(frame, snippet or ()):
            return _WalkedFrame(frame, place, differs=differs)
        known = frame.model_copy(update={"context": frame.context or tuple(snippet or ())[:5]})
        missing = blame is None and snippet is not None and not snippet
        return _WalkedFrame(known, place, blame, missing=missing)

    stops = await asyncio.gather(*(stop(number, frame) for number, frame in enumerate(frames)))
    if any(stop.place is not None and not stop.place.complete for stop in stops):
        notes.say(
            "The repository has more files than could be listed: "
            "a frame that was not found may still be in it."
        )
    return list(stops)


def _walk_sentences(
    report: TriageReport,
    stops: Sequence[_WalkedFrame],
    commits: Sequence[Commit] | None,
    span: _Range,
) -> list[str]:
    """Return sentences for the thread, from the crashing frame outwards."""
    crashed = report.event_kind != "message"
    new = {commit.sha for commit in commits} if commits is not None else None
    walk: list[str] = []
    for number, stop in enumerate(stops):
        sentence = _frame_sentence(number, stop.frame, crashed=crashed)
        if stop.blame is not None:
            sentence += f" {_blame_sentence(stop.blame, new, span)}"
        elif (unknown := _why_unknown(stop, span.newer or "this release")) is not None:
            sentence += f" {unknown}"
        walk.append(sentence)
    return walk


def _why_unknown(stop: _WalkedFrame, release: str) -> str | None:
    """Return why nobody is named for a line, as far as the source was looked at."""
    place = stop.place
    if place is None:
        return None
    if place.several:
        several = f"Several files of {release} fit ({listed(place.several)})"
        return f"{several}, so who last touched the line is not known."
    if place.built_from:
        lost = "which line of that it was is not known without its source map"
        return f"It is built from {place.built_from}: {lost}."
    if place.path is None and stop.frame.file in ("?", stop.frame.module):
        return "The stack names no file for it."
    if place.path is None:
        whole = f"in the source of {release}"
        where = whole if place.complete else "among the files that were looked at"
        return f"Its file could not be found {where}."
    if stop.differs:
        return f"In {release} another line stands there: {short(stop.differs, 120)}."
    return f"{place.path} has fewer lines in {release}." if stop.missing else None


def _frame_sentence(number: int, frame: Frame, *, crashed: bool) -> str:
    begin = ("Crashes in" if crashed else "Logged in") if number == 0 else "Called from"
    if frame.of and number:
        begin = f"Raised again as {frame.of} in" if frame.again else f"In the stack of {frame.of}:"
    where = f"{frame.file}:{frame.line}" if frame.line is not None else frame.file
    function = f" in {frame.function}" if frame.function else ""
    if frame.file == "?":  # a native frame without symbols, or one that a compiler made
        where, function = frame.function or "a function that is not named", ""
    code = dict(frame.context).get(frame.line or 0, "").strip()
    return f"{begin} {where}{function}{f': {short(code, 120)}' if code else ''}."


def _blame_sentence(blame: Suspect, new: set[str] | None, span: _Range) -> str:
    pull = pull_request(blame.subject)
    text = f"Last touched by {blame.sha[:9]} “{short(blame.subject, 100)}”"
    text += f" by {blame.author}" if blame.author else ""
    text += f", {stamp(blame.at)}" if blame.at else ""
    text += f", pull request {pull}" if pull and pull not in blame.subject else ""
    if new is None:
        return f"{text}."
    if blame.sha in new:
        return f"{text}{NEW_IN}{span.newer}."
    return f"{text}: it was in {span.older} already."


# --- the suspects ------------------------------------------------------------------------------


def _rank(
    report: TriageReport, commits: Sequence[Commit], stops: Sequence[_WalkedFrame]
) -> Ranking:
    stops = [stop for stop in stops if not stop.elsewhere or is_library_file(stop.frame.file)]
    frames = [stop.in_source for stop in stops]
    if report.event_kind == "message":
        frames = [frame.model_copy(update={"of": "the logged message"}) for frame in frames]
    blamed = {number: stop.blame.sha for number, stop in enumerate(stops) if stop.blame}
    thrown = RaisedError(type=report.exception_type or "", value=error_text(report))
    return rank_commits(frames, thrown, commits, blamed, before=_prior_by_time(report))


def _prior_by_time(report: TriageReport) -> float:
    """Return how sure time makes the release, before any of its commits is looked at."""
    suspect = report.suspect
    return after_deploy(report, suspect.version)[0] if suspect else GAP_UNKNOWN


def error_text(report: TriageReport) -> str:
    """Return the cause's text; where the event did not tell, that of the loudest issue's title.

    Sentry's titles are `<type>: <text>`.
    """
    if report.exception_value:
        return report.exception_value
    title = report.issues[0].title if report.issues else ""
    kind, _, text = title.partition(": ")
    return text if text and kind.strip() and " " not in kind.strip() else title


def _with_links(suspect: Suspect, service: Service) -> Suspect:
    """Add links to a repository on GitHub, which `repository` of services.toml names."""
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
    """Add the pull requests that the source knows; a missing link is worth no word and no wait."""
    if not isinstance(source, PullRequests):
        return list(suspects)

    async def pull(suspect: Suspect) -> Suspect:
        if suspect.pull_request is not None:
            return suspect
        try:
            async with asyncio.timeout(PULLS_SECONDS):
                url = await source.pull_request(service, suspect.sha)
        except (TimeoutError, PortError):
            return suspect
        return suspect.model_copy(update={"pull_request": url})

    return list(await asyncio.gather(*(pull(suspect) for suspect in suspects)))


# --- bisect ------------------------------------------------------------------------------------


def _bisect_ends(
    report: TriageReport,
    span: _Range,
    commits: Sequence[Commit] | None,
    available: bool,
    notes: Notes,
) -> tuple[str | None, str | None]:
    """Return the ends of a bisect, where one is worth running.

    It is where a deploy is under suspicion, and there are commits between.
    """
    missing: list[str] = []
    if report.suspect is None:
        missing.append("no release is under suspicion")
    if not available:
        missing.append("no reproduction script is set up (bisect and checkout in the catalogue)")
    if span.older is None or span.newer is None:
        missing.append("no release that was well is known")
    if commits is not None and not commits:
        missing.append("there is no commit between the releases")
    if report.blast.users is Word.ONE and not report.blast.inferred:
        missing.append("one user is hit, so it is rather their data")
    if missing:
        notes.say(f"No bisect: {listed(missing)}.")
        return None, None
    if commits is not None:
        many = f"{counted(len(commits), 'commit')} between them"
        notes.say(f"A bisect from {span.older} to {span.newer} {WORTH_IT}: {many}.")
    return span.older, span.newer
