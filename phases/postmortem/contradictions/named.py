"""All rules in one list, what they name, and what people kept."""

from collections.abc import Callable, Iterable, Sequence

from phases.postmortem.contradictions import (
    causes,
    changes,
    items,
    lengths,
    people,
    sums,
    times,
    users,
)
from phases.postmortem.contradictions.case import SAYS_LIMIT, Case
from phases.postmortem.form_parts import Parts
from phases.record.documents import IN_THE_ADR, Contradiction, Postmortem
from phases.text.wording import short

NAMED_MOST = 12
"""As many are named at once: more is a list that nobody reads. The next come as these are settled.
"""
RULES: tuple[Callable[[Case], Iterable[Contradiction]], ...] = (
    times.recovery_before_action,
    times.out_of_order,
    times.until_before,
    times.in_the_future,
    causes.cause_without_evidence,
    causes.cause_ruled_out,
    causes.other_releases,
    causes.alarms_against_record,
    causes.nobody_hit_against_triage,
    lengths.span_and_length,
    lengths.sum_of_lengths,
    lengths.length_of_outage,
    users.hit_too_long,
    sums.parts_of_wholes,
    sums.sums_of_parts,
    sums.products,
    changes.wrong_way,
    users.users_hit,
    people.blamed_people,
    items.action_items,
    causes.unfinished_words,
)


def contradictions(case: Case) -> tuple[Contradiction, ...]:
    """Return what cannot be true as it stands, or what nobody could check.

    Each once, and what was kept with the name of the person who keeps it.
    """
    every: dict[str, Contradiction] = {}
    for contradiction in (contradiction for rule in RULES for contradiction in rule(case)):
        before = every.get(contradiction.key)
        every[contradiction.key] = contradiction if before is None else _both(before, contradiction)
    settled = {
        contradiction.key: contradiction
        for contradiction in case.incident.contradictions
        if not contradiction.open
    }
    named = (settled.get(key, contradiction) for key, contradiction in every.items())
    return tuple(named)[:NAMED_MOST]


def _both(first: Contradiction, second: Contradiction) -> Contradiction:
    """Return one of two faults in the same words: they are mended, or kept, at once."""
    if second.says in first.says:
        return first
    says = f"{first.says.rstrip('.')}; {second.says}"
    return first.model_copy(update={"says": short(says, SAYS_LIMIT)})


def still_open(some: Sequence[Contradiction]) -> list[Contradiction]:
    return [contradiction for contradiction in some if contradiction.open]


def parts_of(written: Postmortem) -> Parts:
    """Return the form's parts as they were submitted."""
    return Parts.model_validate(written.model_dump(include=set(Parts.model_fields)))


def is_whole(written: Postmortem) -> bool:
    """Return whether the record has every part; a shortened one has some in the ADR only."""
    return IN_THE_ADR not in (written.timeline, written.root_cause, written.monitoring)
