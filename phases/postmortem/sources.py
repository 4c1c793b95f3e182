"""The source of each sentence that the bot proposed, as long as it stands in the post-mortem.

The form proposes facts of the record, and facts that were looked up when it was opened. A person
may keep, change or drop each; what is kept word by word names its source in the file. *Revisit
when the action items are complete* is the workflow's own sentence, and states no fact.
"""

import re
from collections.abc import Iterator, Sequence

from phases.postmortem.contributing_factors import LookedUp, alert_entry, first_alert, first_report
from phases.postmortem.contributing_factors import how_it_passed as passed
from phases.postmortem.draft import cause_text, impact_text, proposed_items
from phases.postmortem.form_parts import Parts
from phases.record.findings import Value
from phases.record.incident import Entry, Incident
from phases.root_cause.leading_cause import leading_cause
from phases.text.markdown import Names, readable
from phases.text.wording import stamp


class Source(Value):
    """A proposed sentence with its entry, proof or measure."""

    part: str
    says: str
    comes_from: str
    url: str | None = None


_COMMIT = re.compile(r"(?:Suspect commit|Commit) (?P<sha>[0-9a-f]{7,9}) changed .+?\.(?= |$)")
_CHECKS = re.compile(
    r"(?:No check ran on|Checks on) (?P<pull>\S+?)(?:\.|: .+?\.)(?= No | It slipped|\n|$)"
)
_COVERED = re.compile(
    r"No test of that name lies in the usual places\.|No test is called after that file\."
    r"|The repository has no test file\.|The only test file does not name that file\."
    r"|None of the \d+ test files names that file\.|(?<=\. )[^\s.][^\n]*? names? that file\."
)


def sources(
    incident: Incident, entries: Sequence[Entry], parts: Parts, names: Names
) -> tuple[Source, ...]:
    """Return the sources of what was proposed and still stands, in the order of the form."""
    known = [
        source.model_copy(update={"says": says})
        for source in (*_record_sources(incident, entries), *_proposed_items(incident))
        if (says := " ".join(readable(source.says, names).split()))
        and says in " ".join(_part_text(parts, source.part).split())
    ]
    return (*known, *_looked_up(incident, parts.tests))


def _part_text(parts: Parts, part: str) -> str:
    return "\n".join(i.text for i in parts.items) if part == "items" else getattr(parts, part)


def _record_sources(incident: Incident, entries: Sequence[Entry]) -> Iterator[Source]:
    measured, url = _triage_in_words(incident)
    end = incident.recovered_at
    until = f"; the re-check of {stamp(end)}" if end is not None else ""
    yield Source(
        part="impact", says=impact_text(incident), comes_from=f"{measured}{until}", url=url
    )
    if says := cause_text(proposed_to := _before_it_was_written(incident)):
        yield _cause_source(proposed_to, says)
    first, begun = first_alert(incident, entries), _beginning_source(incident, entries)
    report = first_report(incident, entries)
    yield begun.model_copy(update={"says": report.removesuffix(first).strip()})
    if report.endswith(first):
        alert = alert_entry(entries)
        where = f"the timeline, {stamp(alert.at)}" if alert else "the whole timeline"
        address = alert.url if alert else None
        yield Source(part="monitoring", says=first, comes_from=where, url=address)
    if place := passed(incident, LookedUp()):
        yield Source(part="tests", says=place, comes_from=measured, url=url)


def _before_it_was_written(incident: Incident) -> Incident:
    """Return the incident without a cause that the post-mortem itself named: nobody proposed it."""
    written, named = incident.postmortem, incident.cause
    if written is not None and named is not None and named.at >= written.at:
        return incident.model_copy(update={"cause": None})
    return incident


def _triage_in_words(incident: Incident) -> tuple[str, str | None]:
    """Return the triage report in words, with the link to its loudest issue."""
    report = incident.triage
    if report is None:
        return f"the report of {stamp(incident.detected_at)}", incident.source.url
    loudest = next((issue for issue in report.issues if issue.url), None)
    name = f" ({loudest.short_id})" if loudest else ""
    return f"triage of {stamp(report.at)}{name}", loudest.url if loudest else incident.source.url


def _beginning_source(incident: Incident, entries: Sequence[Entry]) -> Source:
    declared = next((entry for entry in entries if entry.kind == "declared"), None)
    url = incident.source.url or (declared.url if declared else None)
    where = f"the timeline, {stamp(incident.detected_at)}"
    return Source(part="monitoring", says="", comes_from=where, url=url)


def _cause_source(incident: Incident, says: str) -> Source:
    lead = leading_cause(incident)
    url, where = _commit_url(incident, lead.commit), "the hypotheses below"
    if lead.named is not None:
        where = f"the timeline, {stamp(lead.named.at)}"
    elif lead.bisected is not None:
        where, url = f"bisect to {lead.bisected.sha[:9]}", lead.bisected.url or url
    elif lead.hypothesis is not None:
        where, url = f"hypothesis {lead.hypothesis.id}", lead.hypothesis.url
    return Source(part="root_cause", says=says, comes_from=where, url=url)


def _commit_url(incident: Incident, sha: str) -> str | None:
    if not sha:
        return None
    return next((suspect.url for suspect in incident.suspects if suspect.sha.startswith(sha)), None)


def _proposed_items(incident: Incident) -> Iterator[Source]:
    measured, url = _triage_in_words(incident)
    for item in proposed_items(incident, incident.detected_at):
        if item.text:
            yield Source(part="items", says=item.text, comes_from=measured, url=url)


def _looked_up(incident: Incident, text: str) -> Iterator[Source]:
    """Yield what the form had from the repository: it is told by its wording, which is ours."""
    report = incident.triage
    release = (report.suspect or report.running) if report else None
    at = f" at {release.version}" if release else ""
    for match in _COVERED.finditer(text):
        yield Source(part="tests", says=match[0], comes_from=f"the files of the repository{at}")
    for match in _COMMIT.finditer(text):
        url = _commit_url(incident, match["sha"])
        yield Source(part="tests", says=match[0], comes_from=f"commit {match['sha']}", url=url)
    for match in _CHECKS.finditer(text):
        pull = match["pull"]
        url = next((s.pull_request for s in incident.suspects if s.pull_request), None)
        yield Source(part="tests", says=match[0], comes_from=f"the checks of {pull}", url=url)
