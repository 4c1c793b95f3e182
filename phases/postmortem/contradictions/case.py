"""The case that the rules read: record, timeline, the words as they stand, and who has left."""

import hashlib
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from phases.postmortem.form_parts import Parts
from phases.record.documents import Contradiction
from phases.record.incident import Entry, Incident
from phases.text.wording import short

QUOTE_LIMIT = 90
"""Characters of people's words in a sentence about them: one line on a phone."""
SAYS_LIMIT = 240
WHYS = ("root_cause", "monitoring", "tests", "factors")
TEXTS = ("timeline", "impact", *WHYS, "went_well", "revisit")
_ENDS = re.compile(r"(?<=[.!?])(?<!i\.e\.)(?<!e\.g\.)(?<!approx\.)\s+(?=[\"“(]?[A-Z0-9<@])|\n+")


@dataclass(frozen=True, slots=True)
class Case:
    incident: Incident
    parts: Parts
    at: datetime
    """When it is, or was, submitted."""
    entries: Sequence[Entry] = ()
    gone: Collection[str] = ()
    """Slack ids of people whose account is deactivated."""
    names: Mapping[str, str] = field(default_factory=dict[str, str])
    """The names that people go by, by Slack id."""

    def text(self, part: str) -> str:
        return str(getattr(self.parts, part))

    def sentences(self, *parts: str) -> Iterator[tuple[str, str]]:
        """Yield part and sentence; a line of the timeline is one."""
        for part in parts or TEXTS:
            yield from ((part, sentence) for sentence in split_sentences(self.text(part)))


def split_sentences(text: str) -> list[str]:
    return [sentence.strip() for sentence in _ENDS.split(text) if sentence.strip()]


def quoted(text: str, limit: int = QUOTE_LIMIT) -> str:
    return f"“{short(' '.join(text.split()).rstrip('.'), limit)}”"


def contradiction(rule: str, part: str, says: str, quote: str) -> Contradiction:
    """Name a contradiction by the words in which it stands."""
    words = "|".join((rule, part, " ".join(quote.split())))
    key = hashlib.sha256(words.encode("utf-8", "surrogatepass")).hexdigest()[:10]
    return Contradiction(rule=rule, part=part, says=short(says, SAYS_LIMIT), key=key)
