"""The cause and the facts around it: no evidence, ruled out, not what the record says."""

import re
from collections.abc import Iterator

from phases.postmortem.contradictions.case import WHYS, Case, contradiction, quoted, split_sentences
from phases.record.documents import Contradiction
from phases.record.findings import Verdict, Word
from phases.record.incident import ActionKind
from phases.record.timeline import as_recorded
from phases.text.wording import listed, word_list

_GUESS = re.compile(
    r"\b(?:probably|presumably|possibly|perhaps|maybe|apparently|supposedly|likely|unclear|unknown"
    r"|unsure|not sure|not certain|uncertain|no idea|suspect(?:ed|s)?|guess(?:ed)?"
    r"|(?:we|i|is|was|be|are|it's) (?:all )?assume[ds]?|assume that"
    r"|(?:we|i) (?:think|believe|feel|reckon)|believed to|seems?|appears? to|appeared to"
    r"|(?:might|may|could|must) have|might be|could be|not (?:yet )?(?:known|understood|clear"
    r"|determined|identified|established|found)|(?:still )?being investigated"
    r"|under investigation|to be determined|working theory|our theory|our best guess"
    r"|for some reason"
    r"|somehow)\b",
    re.IGNORECASE,
)
_CITED = re.compile(
    r"https?://|#\d+|\b[0-9a-f]{7,40}\b|\b[A-Z][A-Z0-9]+-\d+\b|\bv?\d+\.\d+(?:\.\d+)*\b|\bv\d+\b"
    r"|`[^`]+`|\b\w+\(\)|[\w-]+/[\w./-]+|\b\w+\.(?:py|js|ts|tsx|go|rb|java|kt|php|ya?ml|toml|sql"
    r"|sh|tf|conf|json|rs|c|cpp|cs)\b|\b\w+(?:Error|Exception|Timeout)\b|\bbisect"
    r"|\bstack ?traces?\b"
    r"|\b(?:logs?|traces?|graphs?|dashboards?|metrics?|profiles?|heap dump|core dump|flame ?graph"
    r"|packet capture|audit trail|query plan|reproduc\w+|diff)\b",
    re.IGNORECASE,
)
_VERSION = r"(?:v\d+(?:\.\d+)*|\d+\.\d+\.\d+(?:[-+][\w.]+)?)"
_SHIPPED = re.compile(
    rf"\b(?:introduced|shipped|released|deployed|came|arrived|landed|went out|rolled out|contained"
    rf"|release|version|deploy(?:ment)? of|broke(?:n)? (?:in|by|since)|since|with)\s+"
    rf"(?:in |with |by |of |as |the )*(?:release |version )?(?P<version>{_VERSION})(?![\w.]*\d)",
    re.IGNORECASE,
)
_BACK_TO = re.compile(
    rf"\b(?:roll(?:ed|ing)?[ -]?back|rollback|revert(?:ed|ing)?|went back|restored|back)\s+"
    rf"(?:\w+ ){{0,3}}?to\s+(?:the |release |version |tag )*(?P<version>{_VERSION})",
    re.IGNORECASE,
)
_ROLLED_BACK = re.compile(
    r"\b(?:we |was |were |then |<@\w+> |\w+ )?(?:rolled (?:it |this |the \w+ |everything )?back"
    r"|rolling back fixed|rollback (?:completed|finished|done|succeeded))\b",
    re.IGNORECASE,
)
_NO_ALERT = re.compile(
    r"\bno (?:alert|alarm|monitor|page)s?\b.{0,30}\b(?:fired|rang|triggered|went off|noticed|told"
    r"|came|went out|was sent|were sent|caught)\b|\bnothing (?:alerted|paged|fired|rang|went off)\b"
    r"|\b(?:alert|alarm|monitor)(?:s|ing)? (?:never|did not|didn't|didn’t) (?:fired?|go off"
    r"|went off|rang|ring"
    r"|trigger(?:ed)?|paged?|alert(?:ed)?|noticed?|tell|told)\b|\bnobody was (?:alerted|paged)\b"
    r"|\bmonitoring (?:stayed|was|remained) "
    r"(?:silent|quiet|blind)\b|\bwe (?:only )?(?:learned|learnt|heard|found out)\b.{0,40}\bfrom "
    r"(?:customers?|users?|support|a customer|twitter)\b|\b(?:customers?|users?) told us first\b"
    r"|\bnot (?:a )?single alert\b",
    re.IGNORECASE,
)
_ALERTED = re.compile(
    r"\b(?:alert|alarm|monitor|pager)(?:s|ing)? (?:fired|rang|caught|told us|went off|triggered"
    r"|paged|picked|noticed|detected|worked|did its job)\b.{0,60}|\bmonitoring (?:caught|detected"
    r"|noticed|worked|picked)\b|\bpaged (?:us|on-?call|the on-?call)\b",
    re.IGNORECASE,
)
_NOBODY_HIT = re.compile(
    r"\b(?:no|zero|0) (?:\w+ )?(?:users?|customers?|people)\b.{0,30}\b(?:affected|impact(?:ed)?"
    r"|hit|noticed|saw|lost|were|was)\b|\bno (?:user|customer)[- ](?:facing )?impact\b"
    r"|\bnobody was (?:affected|hit|impacted)\b|\bwithout (?:any )?(?:user|customer) impact\b"
    r"|\b(?:users?|customers?) were(?: not|n't|n’t) (?:affected|impacted|hit)\b",
    re.IGNORECASE,
)
_PLACEHOLDER = re.compile(
    r"\b(?:TBD|TODO|FIXME|TBC|XXX+|lorem ipsum)\b|\?{3,}|_{3,}"
    r"|[\[<{](?:insert|fill|to be|name of|date|time|link|describe|add|placeholder)\b[^\]>}]*[\]>}]"
    r"|\b(?:to be (?:filled|completed|written|added)|fill (?:this )?in later"
    r"|more (?:details )?to come)\b",
    re.IGNORECASE,
)
_SOME_DAY = re.compile(
    r"^(?:\w+ )?(?:soon|later|later on|eventually|some ?day|sometime\b.*|at some point\b.*"
    r"|(?:when|once|if) (?:we|there|everyone|somebody|someone|people)(?:'s|’s| is| are| have| has"
    r"| get| gets| find| finds)* (?:\w+ )?(?:time|capacity|bandwidth|room|a chance|around to it"
    r"|nothing better).*|(?:if|as|when) (?:needed|necessary|required|appropriate|possible)"
    r"|maybe\b.*"
    r"|in (?:the|near|due) (?:near )?(?:future|course|time)|never|asap|whenever\b.*"
    r"|when (?:things|it) (?:calm|quiet|settle)s?.*|next time\b.*)[.!]*$",
    re.IGNORECASE,
)
_WORDS = re.compile(r"[a-z0-9][a-z0-9_.-]+[a-z0-9]")
_COMMON = frozenset(
    word_list(
        """
        the and was were has had have for with that this from its are not one into than then which
        when their our who all any because after before been being
        """
    )
)


def cause_without_evidence(case: Case) -> Iterator[Contradiction]:
    """A cause is a guess until something shows it."""
    text = case.text("root_cause")
    first = (split_sentences(text) or [""])[0]
    if not first:
        return
    if _GUESS.search(first):
        says = f"The root cause is a guess: {quoted(first)}. What shows it?"
        yield contradiction("no evidence", "root_cause", says, first)
    elif not _CITED.search(text) and not _has_evidence(case):
        says = f"Nothing shows the root cause: {quoted(first)}. Name a commit, a log or a check."
        yield contradiction("no evidence", "root_cause", says, first)


def _has_evidence(case: Case) -> bool:
    incident = case.incident
    cause = incident.cause
    named = cause is not None and bool(cause.evidence or cause.commit or cause.release)
    tested = any(h.verdict is Verdict.SUPPORTED for h in incident.hypotheses)
    return named or tested or (incident.bisect is not None and incident.bisect.culprit is not None)


def cause_ruled_out(case: Case) -> Iterator[Contradiction]:
    """A hypothesis that the record rules out is not the cause."""
    for hypothesis in case.incident.hypotheses:
        wanted = _content_words(hypothesis.says)
        if hypothesis.verdict is not Verdict.RULED_OUT or len(wanted) < 2:
            continue
        for sentence in split_sentences(case.text("root_cause")):
            if len(wanted & _content_words(sentence)) < 0.8 * len(wanted):
                continue
            if not re.search(r"\bnot\b|n't\b|n’t\b|ruled out|innocent", sentence, re.IGNORECASE):
                says = f"{hypothesis.id} was ruled out, and is the cause here: {quoted(sentence)}."
                yield contradiction("ruled out", "root_cause", says, sentence)
                return


def _content_words(text: str) -> set[str]:
    return set(_WORDS.findall(text.lower())) - _COMMON


def other_releases(case: Case) -> Iterator[Contradiction]:
    """A release that the record does not know; a rollback that did not take place, or not there."""
    versions, targets = _known_versions(case), _rollback_targets(case)
    for part, sentence in case.sentences("timeline", *WHYS):
        back = _BACK_TO.search(sentence)
        if back is not None and targets and _bare_version(back["version"]) not in targets:
            says = f"{quoted(sentence)}: the record has a rollback to {listed(sorted(targets))}."
            yield contradiction("another release", part, says, sentence)
            continue
        shipped = _SHIPPED.search(sentence) if back is None and part != "timeline" else None
        if shipped is not None and versions and _bare_version(shipped["version"]) not in versions:
            says = f"{quoted(sentence)}: the record knows no release {shipped['version']}."
            yield contradiction("another release", part, says, sentence)
    kinds = {round.action.kind for round in case.incident.rounds if round.action is not None}
    if kinds and not kinds & {ActionKind.ROLLBACK, ActionKind.FIXED}:
        for part, sentence in case.sentences("timeline", *WHYS):
            if _ROLLED_BACK.search(sentence) and not re.search(r"\bnot\b|n't|n’t", sentence):
                says = f"{quoted(sentence)}: the record has no rollback."
                yield contradiction("no such action", part, says, sentence)
                return


def _bare_version(version: str) -> str:
    return version.lower().removeprefix("v")


def _known_versions(case: Case) -> set[str]:
    report, known = case.incident.triage, set[str]()
    if report is not None:
        named = (report.running, report.suspect, *report.targets)
        known |= {release.version for release in named if release is not None}
        deployed = (*report.deploys, *report.deploys_beside)
        known |= {deploy.release.version for deploy in deployed}
    for round in case.incident.rounds:
        if (action := round.action) is not None:
            both = (action.from_release, action.to_release)
            known |= {release.version for release in both if release is not None}
    return {_bare_version(version) for version in known}


def _rollback_targets(case: Case) -> set[str]:
    actions = (round.action for round in case.incident.rounds)
    return {
        _bare_version(action.to_release.version)
        for action in actions
        if action is not None and action.kind is ActionKind.ROLLBACK and action.to_release
    }


def alarms_against_record(case: Case) -> Iterator[Contradiction]:
    """The record says whether an alert fired."""
    incident = case.incident
    alerts = [
        entry
        for entry in case.entries
        if entry.kind == "evidence" and as_recorded(entry).text.startswith("Sentry ")
    ]
    by_alert = incident.source.kind in ("sentry", "alert")
    for part, sentence in case.sentences("monitoring"):
        if by_alert and _NO_ALERT.search(sentence) and "earlier" not in sentence.lower():
            says = f"{quoted(sentence)}: the record begins with an alert, {incident.source.text}."
            yield contradiction("alert", part, says, sentence)
            return
        silent = incident.source.kind in ("person", "phrase") and not alerts
        if silent and _ALERTED.search(sentence) and not _hypothetical(sentence):
            says = f"{quoted(sentence)}: the record has no alert; a person reported it."
            yield contradiction("alert", part, says, sentence)
            return


def _hypothetical(sentence: str) -> bool:
    return bool(
        re.search(
            r"\b(?:no|not|never|nor|would|could|should|if|only after|until|had|when)\b|n't|n’t"
            r"|\ban? (?:\w+ )?(?:alert|alarm|monitor|page)",
            sentence,
            re.IGNORECASE,
        )
    )


def nobody_hit_against_triage(case: Case) -> Iterator[Contradiction]:
    """Whoever was measured was hit."""
    report = case.incident.triage
    if report is None or report.manual_by or report.blast.users is Word.NOBODY:
        return
    for part, sentence in case.sentences("impact", "timeline", *WHYS):
        if _NOBODY_HIT.search(sentence) and not re.search(
            r"\b(?:after|since|other|before)\b", sentence, re.IGNORECASE
        ):
            count = report.blast.user_count
            measured = f"{count:,} users" if count else f"{report.blast.users.value} user"
            says = f"{quoted(sentence)}: triage measured {measured}."
            yield contradiction("numbers", part, says, sentence)
            return


def unfinished_words(case: Case) -> Iterator[Contradiction]:
    """A gap that somebody meant to fill."""
    for part, sentence in case.sentences():
        if _PLACEHOLDER.search(sentence):
            yield contradiction(
                "unfinished", part, f"{quoted(sentence)} is not finished.", sentence
            )
    revisit = case.text("revisit").strip()
    if _SOME_DAY.match(revisit):
        says = f"Revisit {quoted(revisit)}: nobody will know when that is."
        yield contradiction("no date", "revisit", says, revisit)
