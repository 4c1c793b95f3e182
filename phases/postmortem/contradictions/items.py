"""Action items: one that nobody could ever call done, one that is late already, one twice.

"Write action items that are actionable, specific and bounded": Google's SRE workbook, chapter 10
(https://sre.google/workbook/postmortem-culture/), whose bad example is "Improve monitoring".
"""

import re
from collections.abc import Iterator

from phases.postmortem.contradictions.case import Case, contradiction, quoted
from phases.record.documents import Contradiction

_FRONT = re.compile(
    r"^(?:(?:we|the team|everyone|everybody|people|engineers|devs?|all)\s+)?"
    r"(?:(?:should|must|need(?:s)? to|have to|will|to|let's|lets|please|try to|aim to|always|also"
    r"|start|continue(?: to)?|all|everyone|everybody|just|really|keep|actively"
    r"|generally|in (?:the )?future,?)\s+)*",
    re.IGNORECASE,
)
_NEVER_DONE = re.compile(
    r"(?:be(?:ing)?|stay|remain)\b.*\b(?:careful|vigilant|alert|mindful|aware|attentive|cautious"
    r"|diligent|proactive|thorough|faster|better|quicker)\b"
    r"|(?:be(?:ing)?|stay)\s+(?:more|extra|very|better|faster)\b"
    r"|pay(?:ing)?\b.*\battention\b|keep(?:ing)?\b.*\b(?:eye|mind)\b|(?:an |a close )?eye on\b"
    r"|remember(?:ing)?\b|encourag(?:e|ing)\b|rais(?:e|ing)\b.*\bawareness\b"
    r"|think(?:ing)?\b|brainstorm\b|take\b.*\b(?:care|seriously)\b|double[- ]check\b"
    r"|(?:do|work)\s+(?:better|more|harder)\b|learn(?:ing)?\b|avoid(?:ing)?\b|never\b|don't\b"
    r"|remind(?:ing)?\b.*\b(?:every(?:one|body)|team|people|engineers|developers|staff|all)\b"
    r"|train(?:ing)?\s+(?:up\s+)?(?:(?:the|all|our)\s+)?"
    r"(?:people|team|teams|everyone|everybody|staff|engineers|developers|on-?call)\W*$"
    r"|do not\b|not\b|communicat(?:e|ing)\b.*\b(?:better|more|earlier|clearly|proactively)\b"
    r"|better\b.*\bcommunicat|foster\b|promote\b|strive\b|watch\b.*\b(?:closely|carefully)\b",
    re.IGNORECASE,
)
_OPEN_ENDED = re.compile(
    r"(?:investigat|explor|consider|evaluat|discuss|research|assess|examin|analys|analyz|revisit"
    r"|ponder|understand|look(?:ing)?\s+(?:in|at|more|further)|see\s+(?:if|whether|how|what)"
    r"|find\s+out|figure\s+out|dig|follow\s+up|get\s+to\s+the\s+bottom|check\s+(?:if|whether)"
    r"|talk\s+(?:to|about|with)|review)\w*\b",
    re.IGNORECASE,
)
_MORE_OF_IT = re.compile(
    r"(?:improv|enhanc|strengthen|optimi[sz]|better|bolster|harden|streamlin|boost|ensur|guarante"
    r"|monitor|make\s+(?:sure|it|the|our|things|deploy)|work\s+on|invest|fix\s+(?:the\s+)?"
    r"(?:process|culture|monitoring|alerting|tests|testing)|more\b|have\s+(?:better|more)"
    r"|add\s+(?:more|better|some|additional|proper)|write\s+(?:more|better)|get\s+better"
    r"|do\s+a\s+better)\w*\b"
    r"|(?:respond|react|detect|notice|recover|escalat|act|roll\w*\s+back)\w*\b.*"
    r"\b(?:faster|quicker|sooner|earlier|better|quickly)\b"
    r"|(?:increas|tighten|upgrad|expand|rais|reduc|minimi[sz]|lower|simplif|clean|refactor|prevent"
    r"|address|handl|deal\s+with)\w*\b(?=.*\b(?:better|properly|gracefully|correctly|issues?|debt"
    r"|problems?|concerns?|edge\s+cases?|errors|failures|gaps?|coverage|visibility|awareness|risks?"
    r"|toil|complexity|noise|incidents?|outages?|downtime|quality|resilien\w+|reliability"
    r"|stability|things?|process(?:es)?|codebase|(?:the|our) code$|this|it|systems?|infrastructure"
    r"|documentation|docs|monitoring|alerting|observability|testing|tests|culture|future"
    r"|again|architecture|time to \w+|mttr|response|security|performance|capacity)\b)",
    re.IGNORECASE,
)
_ONE_WORD = re.compile(
    r"(?:(?:more|better|improved?|additional|proper|good|extra|some|unit|general|integration)\s+)*"
    r"(?:tests?|testing|monitoring|monitors?|alerts?|alerting|docs?|documentation|training"
    r"|communication|process(?:es)?|observability|reviews?|coverage|logging|logs|metrics|gates?"
    r"|checks?|quality|resilience|reliability|tooling)(?:\s+(?:and|&|/|,)\s+\w+)?",
    re.IGNORECASE,
)
_MEASURED = re.compile(
    r"\d|`[^`]+`|https?://|\w+\.(?:py|js|ts|go|rb|java|ya?ml|toml|sql|sh|md|tf)\b|\w+_\w+|\w+\(\)"
    r"|\b(?:page|pages|paged|alerts?) (?:on|when|if|for|the|us|on-?call)\b"
    r"|\bfails? (?:when|if|the|ci|on)\b|\bby (?:adding|blocking|requiring|refusing|failing|moving"
    r"|running|setting|making|splitting|pinning|deleting|removing|replacing|default)"
    r"|\b(?:requir|reject|refus|block)\w*\b|\bwhen(?:ever)? (?:the|a|an|it|one|any)\b"
    r"|\bso that\b|\bfrom \w+ to \w+\b",
    re.IGNORECASE,
)
_DELIVERED = re.compile(
    r"\b(?:write|writing|publish|document|record|post|present|file|open|decide|report|adr|rfc"
    r"|design doc|write-up|writeup|memo|spike|prototype)\b|\b(?:by|until|before) \d"
    r"|\bwith (?:a )?(?:written|list|decision|go/no-go)",
    re.IGNORECASE,
)


def undoable(text: str) -> bool:
    """Return whether nobody could ever say that it is done."""
    words = " ".join(text.split()).strip(" .!-*")
    body = _FRONT.sub("", words).strip()
    if _ONE_WORD.fullmatch(words) or _NEVER_DONE.match(body):
        return True
    if _OPEN_ENDED.match(body):
        return not _DELIVERED.search(body)
    return bool(_MORE_OF_IT.match(body)) and not _MEASURED.search(body)


def action_items(case: Case) -> Iterator[Contradiction]:
    first_numbers: dict[str, int] = {}
    for number, item in enumerate(case.parts.items, 1):
        text = " ".join(item.text.split())
        if not text or not item.open:
            continue
        part = f"item_{number}"
        if undoable(text):
            says = f"Action item {number}, {quoted(text)}: how will anyone know it is done?"
            yield contradiction("never done", part, says, text)
        if item.due is not None and item.due < case.at.date():
            says = f"Action item {number} was due {item.due:%-d %b %Y}, before this was written."
            yield contradiction("due in the past", part, says, f"{text} {item.due}")
        same = first_numbers.setdefault(text.casefold().rstrip("."), number)
        if same != number:
            says = f"Action items {same} and {number} are the same: {quoted(text)}."
            yield contradiction("twice", part, says, text)
        if (owner := item.person) is not None and owner in case.gone:
            says = f"<@{owner}> owns action item {number}, {quoted(text, 60)}, and has left."
            yield contradiction("owner left", part, says, f"{owner} {text}")
