"""Post-mortems as people write them, sound ones and ones with one planted contradiction.

The sentences follow the manner of published ones: a vendor's report (full sentences, UTC), a terse
record of an on-call team, and a start-up's blog. Each kind has sentences for tuning and held-out
ones; a rule may be mended by the first only.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from phases.postmortem.contradictions.case import Case
from phases.postmortem.form_parts import Parts
from phases.record.documents import ActionItem
from phases.record.findings import Hypothesis, HypothesisKind, Release, Share, Verdict, Word
from phases.record.incident import Entry, Incident, Source
from tests.support.values import incidents as base
from tests.support.values.post_mortem_words import HELD_OUT, SOUND, TUNED, Words

KINDS = (
    "recovery before action",
    "out of order",
    "owner left",
    "due in the past",
    "numbers",
    "no evidence",
    "ruled out",
    "another release",
    "alert",
    "blame",
    "never done",
    "unfinished",
    "no date",
)


@dataclass(frozen=True, slots=True)
class Drawn:
    case: Case
    planted: str
    """The rule that has to name it; empty in a sound one."""


def drawn(seed: int, planted: str, *, held_out: bool) -> Drawn:
    dice = random.Random(f"{seed} {planted} {held_out}")
    words = HELD_OUT if held_out else TUNED
    case = _sound(dice, words)
    if planted:
        case = _PLANTS[planted](case, dice, words)
    return Drawn(case, planted)


# --- a sound one ----------------------------------------------------------------------------------


def _sound(dice: random.Random, words: Words) -> Case:
    start = base.T0.replace(hour=dice.randrange(24), minute=dice.randrange(60))
    shift = start - base.T0
    took = dice.randrange(9, 170)
    incident = _moved(base.incident(postmortem=None, adr=None), shift, took, dice)
    facts = _facts(incident, took, dice)

    def say(kind: str) -> str:
        return dice.choice(words.sound[kind] + SOUND[kind]).format_map(facts)

    items = tuple(
        ActionItem(
            kind=kind,
            text=text.format_map(facts),
            owner=f"<@{dice.choice(('UANN', 'UBOB'))}>",
            due=(start + timedelta(days=dice.randrange(7, 60))).date(),
        )
        for kind, text in zip(
            ("tests", "monitors", "gates"),
            dice.sample(words.sound["item"] + SOUND["item"], 3),
            strict=True,
        )
    )
    parts = Parts(
        timeline=_timeline(facts, dice, words),
        impact=say("impact"),
        root_cause=say("cause"),
        monitoring=say("monitoring_person" if facts["by"] == "person" else "monitoring_alert"),
        tests=say("tests"),
        items=items,
        revisit=say("revisit"),
        factors=dice.choice(("", say("factors"))),
        went_well=dice.choice(("", say("went_well"))),
    )
    at = start + timedelta(hours=dice.randrange(3, 90))
    names = {"UANN": "Ann Okafor", "UBOB": "Bob Lee", "UMAR": "Marcus Webb", "UPRI": "Priya Nair"}
    alert = Entry(at=start, kind="declared", text="checkout is failing")
    return Case(incident, parts, at, (alert,), frozenset(), names)


def _moved(incident: Incident, shift: timedelta, took: int, dice: random.Random) -> Incident:
    """Another time, another length, and another number of users."""
    detected, count = incident.detected_at + shift, dice.randrange(12, 6000)
    assert incident.triage is not None
    began = detected - timedelta(minutes=dice.randrange(1, 6))
    # Divisible by four and by five, so that shares come out even.
    count = max(20, count // 20 * 20)
    blast = incident.triage.blast.model_copy(
        update={
            "user_count": count,
            "users": Word.MANY,
            "top_features": (Share(name="cart", events=300),),
        }
    )
    report = incident.triage.model_copy(
        update={
            "at": detected + timedelta(minutes=1),
            "began_at": began,
            "blast": blast,
            "targets": (Release(version="v41"),),
        }
    )
    (round,) = incident.rounds
    assert round.action is not None
    acted = detected + timedelta(minutes=max(2, took // 3))
    action = round.action.model_copy(update={"at": acted})
    by = dice.choice(("person", "sentry"))
    source = Source(
        kind=by, text="Sentry alert SHOP-3" if by == "sentry" else "/incident by <@UANN>"
    )
    tested = Hypothesis(
        id="H2",
        kind=HypothesisKind.DEPENDENCY,
        says="the card processor times out",
        verdict=Verdict.RULED_OUT,
    )
    return incident.model_copy(
        update={
            "detected_at": detected,
            "declared_at": detected,
            "triage": report,
            "source": source,
            "rounds": (round.model_copy(update={"action": action, "looks": ()}),),
            "hypotheses": (incident.hypotheses[0], tested),
            "recovered_at": detected + timedelta(minutes=took),
        }
    )


class _Facts(dict[str, object]):
    pass


def _facts(incident: Incident, took: int, dice: random.Random) -> _Facts:
    assert incident.triage is not None
    assert incident.recovered_at is not None
    count = incident.triage.blast.user_count or 20
    began = incident.detected_at
    quarter, half = count // 4, count // 2
    long = f"{took // 60} h {took % 60} min" if took >= 60 and took % 60 else f"{took} minutes"
    return _Facts(
        users=f"{count:,}",
        quarter=f"{quarter:,}",
        rest=f"{count - quarter:,}",
        half=f"{half:,}",
        more=f"{count * dice.choice((2, 3)):,}",
        off=f"{count - quarter + dice.choice((-3, 7, 11)):,}",
        huge=f"{count * 900:,}",
        few=f"{max(1, count // 5):,}",
        share=25,
        wrong_share=dice.choice((40, 62, 9)),
        took=long,
        minutes=took,
        wrong=f"{took * 2 + dice.randrange(9, 40)} minutes",
        very_wrong=f"{took // 60 * 3 + 6} hours",
        start=f"{began:%H:%M}",
        alert=f"{began:%H:%M}",
        looked=f"{began + timedelta(minutes=1):%H:%M}",
        acted=f"{began + timedelta(minutes=max(2, took // 3)):%H:%M}",
        end=f"{incident.recovered_at:%H:%M}",
        after=f"{incident.recovered_at + timedelta(minutes=4):%H:%M}",
        early=f"{began - timedelta(minutes=7):%H:%M}",
        by="sentry" if incident.source.kind == "sentry" else "person",
        day=f"{began:%Y-%m-%d}",
        who=dice.choice(("Ann", "Bob", "Priya", "Marcus Webb", "Marcus", "<@UBOB>", "@priya")),
    )


def _timeline(
    facts: Mapping[str, object],
    dice: random.Random,
    words: Words,
    order: tuple[str, ...] = ("alert", "looked", "acted", "end"),
) -> str:
    style = dice.choice(
        ("{time} UTC - {says}", "{time} {says}", "- {time}: {says}", "* {time} — {says}")
    )
    rows = []
    for moment in order:
        says = dice.choice(words.lines[moment]).format_map(facts)
        rows.append(style.format(time=facts[moment], says=says))
    return "\n".join(rows)


# --- one contradiction ----------------------------------------------------------------------------


def _with(case: Case, **parts: object) -> Case:
    return _case(case, parts=case.parts.model_copy(update=parts))


def _case(case: Case, **fields: object) -> Case:
    given = {name: getattr(case, name) for name in Case.__slots__}
    return Case(**{**given, **fields})  # type: ignore[arg-type]


def _again(case: Case, dice: random.Random) -> _Facts:
    incident = case.incident
    assert incident.recovered_at is not None
    took = round((incident.recovered_at - incident.detected_at).total_seconds() / 60)
    return _facts(incident, took, dice)


def _early_recovery(case: Case, dice: random.Random, words: Words) -> Case:
    facts = _again(case, dice)
    if dice.random() < 0.3:  # the record itself, after somebody corrected a time
        (round,) = case.incident.rounds
        assert round.action is not None
        assert case.incident.recovered_at is not None
        late = case.incident.recovered_at + timedelta(minutes=dice.randrange(2, 30))
        moved = round.model_copy(update={"action": round.action.model_copy(update={"at": late})})
        return _case(case, incident=case.incident.model_copy(update={"rounds": (moved,)}))
    swapped = _Facts({**facts, "acted": facts["end"], "end": facts["acted"]})
    order = ("alert", "looked", "end", "acted")
    return _with(case, timeline=_timeline(swapped, dice, words, order))


def _backwards(case: Case, dice: random.Random, words: Words) -> Case:
    facts = _again(case, dice)
    order = dice.choice((("looked", "alert", "acted", "end"), ("alert", "acted", "looked", "end")))
    return _with(case, timeline=_timeline(facts, dice, words, order))


def _left(case: Case, dice: random.Random, words: Words) -> Case:
    number = dice.randrange(3)
    items = [
        item.model_copy(update={"owner": "<@ULEFT>"}) if at == number else item
        for at, item in enumerate(case.parts.items)
    ]
    return _case(_with(case, items=tuple(items)), gone=frozenset({"ULEFT"}))


def _past(case: Case, dice: random.Random, words: Words) -> Case:
    number = dice.randrange(3)
    due = case.at.date() - timedelta(days=dice.randrange(1, 300))
    items = [
        item.model_copy(update={"due": due}) if at == number else item
        for at, item in enumerate(case.parts.items)
    ]
    return _with(case, items=tuple(items))


def _in(kind: str, *parts: str):
    """Plant a sentence in one of the parts: alone, or behind what stands there."""

    def plant(case: Case, dice: random.Random, words: Words) -> Case:
        part = dice.choice(parts)
        says = dice.choice(words.planted[kind]).format_map(_again(case, dice))
        before = case.parts.model_dump()[part]
        alone = kind in ("no evidence", "alert", "no date", "numbers") or not before
        text = says if alone else dice.choice((f"{before} {says}", says))
        return _with(case, **{part: text})

    return plant


def _guess(case: Case, dice: random.Random, words: Words) -> Case:
    """A cause that nothing in the record shows."""
    bare = {"cause": None, "hypotheses": (), "suspects": (), "bisect": None}
    case = _case(case, incident=case.incident.model_copy(update=bare))
    return _in("no evidence", "root_cause")(case, dice, words)


def _alarm(case: Case, dice: random.Random, words: Words) -> Case:
    by = "silent" if case.incident.source.kind == "sentry" else "rang"
    says = dice.choice(words.planted[by]).format_map(_again(case, dice))
    return _with(case, monitoring=says)


def _never(case: Case, dice: random.Random, words: Words) -> Case:
    number, text = dice.randrange(3), dice.choice(words.planted["never done"])
    items = [
        item.model_copy(update={"text": text}) if at == number else item
        for at, item in enumerate(case.parts.items)
    ]
    return _with(case, items=tuple(items))


_PLANTS = {
    "recovery before action": _early_recovery,
    "out of order": _backwards,
    "owner left": _left,
    "due in the past": _past,
    "numbers": _in("numbers", "impact"),
    "no evidence": _guess,
    "ruled out": _in("ruled out", "root_cause"),
    "another release": _in("another release", "root_cause"),
    "alert": _alarm,
    "blame": _in("blame", "root_cause", "tests", "monitoring", "factors"),
    "never done": _never,
    "unfinished": _in("unfinished", "tests", "monitoring", "root_cause", "factors"),
    "no date": _in("no date", "revisit"),
}
