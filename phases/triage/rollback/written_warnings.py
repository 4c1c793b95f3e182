"""Phase 1: what people wrote against a rollback, found in their words and quoted.

A question is no warning, a plan for the good case is none (`rollback is safe`), and neither is what
code does to its own transactions (`do not roll back the session on a 404`).
"""

import re
from collections.abc import Iterable, Sequence
from functools import cache

from phases.ports.source_values import Commit
from phases.record.going_back import Quote
from phases.record.incident import Entry, Incident
from phases.text.cleaning import foreign
from phases.text.letters import spelled
from phases.text.wording import short

QUOTED = 140
"""Characters of a quote: two lines on a phone."""
QUOTES = 3
READ = 4000
"""Characters of one text that are looked at."""
PEOPLES = ("pin", "update", "note", "evidence", "comms", "cause")
"""Kinds of timeline entries that can hold people's words."""

_BACK = (
    r"(?:roll(?:ed|ing|s)?[- ]?(?:it |this |that |them |us |v?[\d.]+ |the \w+ )?back"
    r"|rollbacks?|revert(?:ed|ing)?|go(?:ing)? back|downgrad(?:e|ed|ing))"
)
_DO_NOT = (
    r"(?:do not|don'?t|never|must ?n[o']t|must not|should ?n[o']?t|should not|cannot|can'?t"
    r"|can not|could ?n[o']?t|could not|may not|won'?t be able to|(?:un|not )able to"
    r"|not (?:safe|possible|allowed) to|impossible to|unsafe to|dangerous to|refuse to|avoid"
    r"|please not?|under no circumstances|no way to|stop)"
)
_CHANGE = (
    r"(?:(?:schema|data|db|database|storage|format|api)[- ]?)?"
    r"(?:migrations?|changes?|upgrades?|releases?|deploy(?:ment)?s?|schemas?|steps?|conversions?)"
)
_WARNINGS = (
    rf"\b{_DO_NOT}\b(?:\W+(?:simply|just|ever|try|to|be|please|then|yet|now|\d+)){{0,3}}"
    rf"\W+{_BACK}\b",
    rf"\b(?:no|not an?|without an?y?) {_BACK}(?: (?:possible|allowed|please|here|of this))?"
    r"(?= (?:possible|allowed|please|here|of this|from|after|below|past)|\s*(?:[.!:,;)]|$))",
    rf"\b{_BACK}(?: of \S+| to \S+)? (?:is|are|would be|will be|isn'?t|is not|are not|not)"
    r"(?: \w+)? ?(?:unsafe|impossible|dangerous|forbidden|no option|(?:not )?an option"
    r"|(?:not )?(?:safe|possible|allowed|supported))",
    rf"\b{_BACK}(?: \w+)? (?:will|would|could|may|can)"
    r" (?:lose|destroy|corrupt|break|delete|drop)\b",
    r"\b(?:can'?t|cannot|can not|not|never) be (?:undone|reverted|rolled back|reversed"
    r"|downgraded|taken back)\b",
    rf"\b(?:irreversible|non-?reversible|not reversible|one[- ]way|destructive"
    rf"|(?:not |non-?)backwards?[- ]compatible|backwards?[- ]incompatible)\b(?:\W+\w+)?"
    rf"\W+{_CHANGE}\b",
    rf"\b{_CHANGE} (?:is|are) (?:irreversible|not reversible|one[- ]way|destructive"
    r"|(?:not |non-?)backwards?[- ]compatible|backwards?[- ]incompatible)",
    r"\bIrreversible(?:Migration|Error)\b|\bpoint of no return\b|\bno way back\b",
    r"\b(?:roll[- ])?forward[- ]only\b|\broll forward only\b",
    # German
    r"\bkein(?:en|e)? (?:rollback|zurückrollen|revert|downgrade|weg zurück)\b",
    r"\b(?:nicht|niemals|nie|auf keinen fall)(?: \w+){0,2}"
    r" (?:zurück ?(?:zu)?(?:ge)?roll\w*|zurückgehen|zurücksetzen|rollback\w*|revert\w*"
    r"|rückgängig\w*|umkehrbar)",
    r"\b(?:rollback|zurückrollen|downgrade) (?:ist |wäre )?(?:nicht|un)[ -]?"
    r"(?:möglich|sicher|erlaubt)",
    r"\b(?:unumkehrbar|irreversib(?:el|le[rns]?)|nicht rückgängig|nicht umkehrbar)\b",
    # French, Spanish, Portuguese, Italian, Dutch, Polish
    r"\bne (?:surtout )?pas (?:faire (?:de |un )?|lancer (?:de |un )?)?"
    r"(?:rollback|revenir en arrière|annuler le déploiement|restaurer)",
    r"\b(?:pas de|aucun) (?:rollback|retour en arrière)|\bimpossible de revenir en arrière",
    r"\bno (?:hacer|hagan|hagas|hagáis|haga)(?: \w+)? (?:rollback|marcha atrás)"
    r"|\bno (?:revertir|reviertan|reviertas|volver atrás)|\bsin vuelta atrás",
    r"\bnão (?:fazer|façam?|faça)(?: \w+)? rollback|\bnão (?:reverter|revertam?|voltar atrás)",
    r"\bnon (?:fare|fate|eseguire)(?: \w+)? rollback|\bnon tornare indietro",
    r"\bgeen rollback\b|\bniet (?:terugrollen|terugdraaien)\b|\bonomkeerbare?\b",
    r"\bnie (?:cofać|wycofywać|robić rollbacku)\b",
    r"\birréversible\b|\birreversible migración\b|\bmigra(?:ción|ção|zione) irrevers\w+",
    # Russian, Chinese, Japanese
    r"не откатыва\w*|без отката|откат (?:невозможен|запрещ\w+)|необратим\w*",
    r"(?:不要|不能|无法|禁止|請勿|请勿)(?:进行)?(?:回滚|回滾|回退)|不可逆",
    r"(?:ロールバック|切り戻し)(?:は)?(?:しない|不可|禁止|できない|できません|しないで)",
)


@cache
def _warning_pattern() -> re.Pattern[str]:
    """Compiled when it is needed: that takes a twentieth of a start."""
    return re.compile("|".join(f"(?:{warning})" for warning in _WARNINGS), re.IGNORECASE)


_DENIED = re.compile(
    r"(?:\b(?:no|not|nothing|isn'?t|aren'?t|without|never|none|neither|kein\w*|nicht|ohne)"
    r"(?: (?:an?|any|is|are|the|eine?|about|of))*\s)$",
    re.IGNORECASE,
)
"""Before `irreversible migration`: there is none."""
_ONLY_NAMES = re.compile(
    r"irrevers|non-?revers|not revers|one[- ]way|destructive|compatib|unumkehr", re.IGNORECASE
)
_HARMLESS = re.compile(
    r"(?:do not|don'?t) (?:hesitate|be afraid|forget|wait|be shy|fear|think twice|need)"
    r"|(?:no|not a) (?:reason|need|harm|problem|risk|trouble|issue)|no longer (?:un)?safe"
    r"|(?:rollback|roll back|revert)\w* (?:is|was|would be) (?:perfectly |totally |quite )?"
    r"(?:safe|fine|ok(?:ay)?|possible)\b"
    r"|no rollbacks? (?:needed|required|necessary|yet|so far|happened|was|were|has|have|in )"
    r"|why (?:do|did|can|don'?t|didn'?t|can'?t)\b"
    r"|\bif (?:we|you|it) (?:do not|don'?t|can'?t)"
    r"|until (?:\w+ ){0,3}(?:said|confirmed|agreed)|without (?:having to |needing to )?roll",
    re.IGNORECASE,
)
_OF_A_DATABASE = re.compile(r"\btransactions?\b|\bsavepoint", re.IGNORECASE)
_OF_CODE = re.compile(
    r"\b(?:session|cursor|nested|commit\(\)|rollback\(\)|tx|tests?|fixture|autocommit|unit of work"
    r"|dialog|button|confirm\w*|warn\w*|deleting|tooltip|toast|message box|placeholder|label|modal"
    r"|prompt)\b|\bon (?:error|failure|exception|\d{3})\b|when (?:saving|a |an |the )",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"[^.!?\n;。！？]+(?:\.(?=\S)[^.!?\n;。！？]*)*[.!?;。！？]*")


def warning_in(text: str, *, code: bool = False) -> str:
    """Return the sentence that warns of a rollback; empty where none does.

    `code`: the text is of a commit, which may speak of what the code itself takes back.
    """
    for match in _SENTENCE.finditer(text[:READ]):
        sentence = " ".join(match.group().split())
        read = spelled(sentence)
        if not read or "?" in read[-3:]:
            continue
        warning = _warning_pattern().search(read)
        if warning is None or _HARMLESS.search(read) or _OF_A_DATABASE.search(read):
            continue
        if code and _OF_CODE.search(read):
            continue
        before = read[: warning.start()]
        if _ONLY_NAMES.search(warning.group()) and _DENIED.search(before):
            continue
        return short(sentence.strip(' -*#>_`"“”'), QUOTED)
    return ""


def warnings_of_people(incident: Incident, entries: Sequence[Entry]) -> tuple[Quote, ...]:
    """Return warnings from the report and from what people added since, the newest first."""
    texts: list[tuple[str, str, str | None]] = [
        (entry.text, "the timeline", entry.by)
        for entry in sorted(entries, key=lambda entry: entry.at, reverse=True)
        if entry.by and entry.kind in PEOPLES
    ]
    texts.append((incident.latest_update or "", "the latest update", None))
    if incident.source.kind not in ("sentry", "alert"):  # else an error message is the title
        texts.append((incident.title, "the title", None))
    texts.append((incident.description, "the report", None))
    return _quotes(texts)


def warnings_in_commits(commits: Iterable[Commit]) -> tuple[Quote, ...]:
    """Return warnings from messages of commits, which hold the descriptions of pull requests."""
    return _quotes(
        (
            (
                f"{commit.subject}\n{commit.body}",
                f"commit {commit.sha[:7]}{_commit_label(commit)}",
                None,
            )
            for commit in commits
            if not commit.subject.startswith('Revert "')
        ),
        code=True,
    )


def _commit_label(commit: Commit) -> str:
    return f" by {short(commit.author, 40)}" if commit.author else ""


def _quotes(
    texts: Iterable[tuple[str, str, str | None]], *, code: bool = False
) -> tuple[Quote, ...]:
    quotes: dict[str, Quote] = {}
    for text, where, by in texts:
        if sentence := warning_in(foreign(text), code=code):
            quotes.setdefault(sentence.casefold(), Quote(text=sentence, where=where, by=by))
    return tuple(quotes.values())[:QUOTES]
