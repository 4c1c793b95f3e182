"""Changes without a deploy (flags, settings, infrastructure), weighed as suspects.

Turning a flag off is the fastest cure there is. It is recommended where the change is nearer to the
beginning than the deploy, or where the events with the flag on fail and those without do not.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from phases.record.findings import ChangeSeen, DeploySeen, FlagEvidence
from phases.record.tokens import changed_thing
from phases.text.wording import lasting, stamp

LOOKED_BACK = timedelta(hours=2)
"""A change is a suspect for so long: as a release is (`hypotheses.py`, `LATER`)."""
NEAR_BEGINNING = timedelta(minutes=15)
"""A change leads by its time alone only so near to the beginning (workflow, phase 2)."""
CLOCK_TOLERANCE = timedelta(minutes=1)
"""A change may seem to follow what it brought: the beginning is known to a minute, and two systems
have two clocks."""
NEAR_DEPLOY = timedelta(hours=1)
"""Where only the events tell that a flag is off for all, it is no suspect beside such a deploy."""
SKEW = timedelta(seconds=15)
"""A change that is seen so long after the first event does not go before a deploy that is near."""
RIGHT_AFTER = timedelta(seconds=5)  # less is said as "right after"
EVENTS_LEAST = 5
"""With fewer events a share says nothing."""
CARRIED_SHARE = 2 / 3
"""Share of the events with the flag on above which it explains them: old errors burn beside it, and
drawn incidents (`tests/judgement/`) are judged better so than with more."""
NOT_CARRIED = 1 / 2
"""Share below which most of what fails has nothing to do with the flag."""
APART_SHARE = 3 / 10
"""The share among the other errors must be lower by so much, before the flag tells the two apart:
with a flag that is on for everybody every error carries it."""

OFF = frozenset({"off", "false", "0", "0%", "0 %", "disabled", "deleted", "none", "no", "inactive"})
ON = frozenset({"on", "true", "1", "100%", "100 %", "enabled", "yes", "active"})
ARGUMENT = re.compile(r"[^\W_](?:[\w.:/@+ -]{0,198}[\w.:/@+-])?")
"""A name that may become an argument of a command. It begins with a letter or a digit: a name with
`-` in front would be an option:
https://pubs.opengroup.org/onlinepubs/9799919799/basedefs/V1_chap12.html
"""


@dataclass(frozen=True, slots=True)
class Suspected:
    """A change that may have brought the trouble."""

    change: ChangeSeen
    before: timedelta
    """From the change to the beginning."""
    evidence: FlagEvidence | None = None

    @property
    def carried(self) -> bool:
        """The events of the fire carry the flag."""
        return self.evidence is not None and _share_on(self.evidence) >= CARRIED_SHARE

    @property
    def tells_apart(self) -> bool:
        """The events with the flag on fail, and those without do not."""
        evidence = self.evidence
        if evidence is None or not self.carried or evidence.others < EVENTS_LEAST:
            return False
        return _share_on(evidence) - evidence.others_on / evidence.others >= APART_SHARE

    @property
    def innocent(self) -> bool:
        if self.evidence is None or self.turned_off:
            return False
        return _share_on(self.evidence) <= NOT_CARRIED

    @property
    def turned_off(self) -> bool:
        """A kill switch, as only the events tell."""
        return self.evidence is not None and turned_off(self.change)

    def yields_to(self, deploy: DeploySeen | None) -> bool:
        """Say whether it is no suspect beside a deploy: the flag may be on for very few."""
        near = deploy is not None and self.change.at - deploy.started_at <= NEAR_DEPLOY
        return self.innocent or (self.turned_off and near)

    @property
    def began(self) -> str:
        """`2 min after flag new-pricing was turned on`."""
        after = "right" if self.before < RIGHT_AFTER else lasting(self.before)
        return f"{after} after {change_in_words(self.change)}"

    @property
    def seen(self) -> str:
        """Return what the events say of it, in a sentence; empty where they say nothing."""
        if self.evidence is None:
            return ""
        own = f"{round(100 * _share_on(self.evidence))} % of the events have it on"
        if self.evidence.others < EVENTS_LEAST:
            return f"{own}."
        others = round(100 * self.evidence.others_on / self.evidence.others)
        return f"{own}, against {others} % of the other errors."


def _share_on(seen: FlagEvidence) -> float:
    return seen.on / seen.events if seen.events else 0.0


# --- a change in words -------------------------------------------------------------------------


def change_in_words(change: ChangeSeen, *, author: bool = False) -> str:
    """`flag new-pricing was turned on by ann`, `setting pool.size was changed: 20 → 5`."""
    by = f" by {change.by}" if author and change.by else ""
    if change.kind == "flag" and turned_on(change):
        return f"{changed_thing(change)} was turned on{by}"
    if change.kind == "flag" and turned_off(change):
        deleted = (change.new or "").strip().lower() == "deleted"
        return f"{changed_thing(change)} was {'deleted' if deleted else 'turned off'}{by}"
    if change.kind == "flag" and _bare_word(change.new) == "created":
        return f"{changed_thing(change)} was created{by}"
    values = f": {change.old or '?'} → {change.new or '?'}" if change.old or change.new else ""
    return f"{changed_thing(change)} was changed{by}{values}"


def taking_back_in_words(change: ChangeSeen, *, past: bool = False) -> str:
    """`turn off flag new-pricing`, `set setting pool.size back to 20`; in the past likewise."""
    if switched_on(change):
        return f"{'turned' if past else 'turn'} off {changed_thing(change)}"
    if change.kind == "flag" and turned_off(change):
        return f"{'turned' if past else 'turn'} {changed_thing(change)} back on"
    back = f" to {change.old}" if change.old else ""
    if change.kind == "config":
        return f"set {changed_thing(change)} back{back}"
    return f"{'took' if past else 'take'} the change of {changed_thing(change)} back"


def turned_on(change: ChangeSeen) -> bool:
    new, old = _bare_word(change.new), _bare_word(change.old)
    return new in ON or (change.kind == "flag" and old in OFF and new not in OFF and bool(new))


def turned_off(change: ChangeSeen) -> bool:
    return _bare_word(change.new) in OFF


def switched_on(change: ChangeSeen) -> bool:
    """True for what can be turned off: a flag, if nobody says that it went off, or a switch.

    A setting with another value has no off: it is set back by hand.
    """
    if change.kind == "flag":
        return not turned_off(change)
    return turned_on(change)


def _bare_word(value: str | None) -> str:
    return (value or "").strip().lower()


def change_key(change: ChangeSeen) -> str:
    """Return the mark by which an incident remembers that it has heard of a change."""
    return f"{_change_key_prefix(change)}{change.at.isoformat()}"


def change_is_known(change: ChangeSeen, keys: Iterable[str]) -> bool:
    """Return whether it was heard of already, by this source or another one."""
    begins = _change_key_prefix(change)
    times = (datetime.fromisoformat(k.removeprefix(begins)) for k in keys if k.startswith(begins))
    return any(abs(at - change.at) <= CLOCK_TOLERANCE for at in times)


def _change_key_prefix(change: ChangeSeen) -> str:
    return f"change:{change.kind}:{change.name}@"


# --- suspects ----------------------------------------------------------------------------------


def changes_near(changes: Iterable[ChangeSeen], began: datetime | None) -> tuple[ChangeSeen, ...]:
    """Return the changes that may have brought it, the nearest first; of one name the nearest.

    Without a change after it that took it back: then it is back already.
    """
    if began is None:
        return ()
    every = sorted(changes, key=lambda change: change.at, reverse=True)
    by_name: dict[tuple[str, str], ChangeSeen] = {}
    gone: set[tuple[str, str]] = set()
    for change in every:
        key = (change.kind, change.name)
        if change.at > began + CLOCK_TOLERANCE:
            if key not in gone and turned_off(change):
                gone.add(key)
            continue
        if change.at >= began - LOOKED_BACK and key not in gone:
            by_name.setdefault(key, change)
    return tuple(by_name.values())


def merge_changes(*sources: Iterable[ChangeSeen]) -> tuple[ChangeSeen, ...]:
    """Return the changes of several sources, newest first; one that two tell of is one.

    The first source that tells of it is believed: a webhook knows the values, Sentry's flag log
    only that something was changed.
    """
    merged: list[ChangeSeen] = []
    for change in (change for source in sources for change in source):
        same = any(
            (other.kind, other.name) == (change.kind, change.name)
            and other.source != change.source
            and abs(other.at - change.at) <= CLOCK_TOLERANCE
            for other in merged
        )
        if not same and change not in merged:
            merged.append(change)
    return tuple(sorted(merged, key=lambda change: change.at, reverse=True))


def suspected_changes(
    changes: Sequence[ChangeSeen], began: datetime | None, evidence: FlagEvidence | None
) -> tuple[Suspected, ...]:
    """Return the suspects, the likeliest first."""
    if began is None:
        return ()
    suspects: list[Suspected] = []
    for change in changes_near(changes, began):
        events = _evidence_of(change, evidence)
        if events is not None and change.new is None and _off_for_all(events):
            change = change.model_copy(update={"new": "off"})
        suspects.append(Suspected(change, began - change.at, events))
    return tuple(
        sorted(suspects, key=lambda s: (s.innocent, not s.tells_apart, not s.carried, s.before))
    )


def _evidence_of(change: ChangeSeen, evidence: FlagEvidence | None) -> FlagEvidence | None:
    """Return the evidence if it is of this flag, and there is enough of it.

    Events with a flag on say nothing of one that was turned off.
    """
    fits = change.kind == "flag" and evidence is not None and evidence.flag == change.name
    if not fits or evidence is None or evidence.events < EVENTS_LEAST or turned_off(change):
        return None
    return evidence


def _off_for_all(seen: FlagEvidence) -> bool:
    """Say whether the events tell of a kill switch: where nobody tells its value, all have it off.

    A flag that was turned on for a part of the people is on in some of them.
    """
    return seen.on == seen.others_on == 0 and seen.off >= seen.events * CARRIED_SHARE


def change_leads(first: Suspected, deploy: DeploySeen | None, *, likely: bool = False) -> bool:
    """True if the change goes before the suspected deploy.

    Where the events tell it apart, whatever their order; else where it is nearer to the beginning,
    and most events carry the flag, or nobody can tell. `likely`: all the same, with the change
    weighed against it, the release is (`weighing.py`), as where it changed the code that crashes.
    """
    if first.innocent:
        return False
    if first.tells_apart:
        return True
    if likely or (first.evidence is not None and not (first.carried or first.turned_off)):
        return False
    if deploy is None:
        return first.before <= NEAR_BEGINNING
    before = first.before + (first.change.at - deploy.started_at)
    if first.before < -SKEW and timedelta(0) <= before <= NEAR_BEGINNING:
        return False  # it burned already, and a deploy had begun minutes before
    return first.change.at > deploy.started_at and first.before <= NEAR_BEGINNING


def reasons_for(first: Suspected, began: datetime) -> tuple[str, ...]:
    """Return the reasons for a change: when, and what the events say."""
    text = f"Trouble began {stamp(began)}, {first.began}."
    return (text, first.seen) if first.seen else (text,)
