"""Phase 1: the brakes on a rollback, and the recommendation of rollback, hotfix or investigation.

Never a rollback without evidence, without a target that was shown to be well, or onto the suspect
(rules: table and brakes). Whether going back would end it is weighed in `weighing.py`; a brake says
that it is not safe, or not possible.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from phases.record.findings import (
    Choice,
    Confidence,
    Recommendation,
    Word,
)
from phases.record.going_back import Likelihood, Quote
from phases.shared.suspected_changes import Suspected, change_in_words, change_leads, reasons_for
from phases.text.wording import capital, counted, lasting, listed, stamp
from phases.triage.deploys.beginning_text import beginning_sentence
from phases.triage.picture.blast_radius import UNSURE_EVENTS
from phases.triage.picture.who_is_hit import scope
from phases.triage.rollback.changed_code import code_overlap
from phases.triage.rollback.edge_errors import edge_of
from phases.triage.rollback.situation import Situation
from phases.triage.rollback.weighing import Weighing, is_near, weigh

AGAINST = 5
POINTS = 4  # on either side
TRIED = 3  # what was tried last is said beside a recommendation
AROUND = timedelta(minutes=15)
"""A deploy of a neighbour so long before trouble began is said."""
AS_MANY = "What is not known counts as many."
HARDLY, OPEN = "A rollback would probably not end it", "Whether a rollback would end it is open"
"""The beginnings of the reason why going back does not come first."""


# --- brakes --------------------------------------------------------------------------------------


def brakes(situation: Situation) -> tuple[str, ...]:
    """Return why a rollback is not safe or not possible, each in a sentence (rules: Brakes)."""
    if situation.began is None and not situation.blast.down:
        return ("When trouble began is not known, so no release is suspected.",)
    if situation.suspect is None:
        if not situation.deploys_told:
            return ("Sentry's deploys could not be read, so no release is suspected.",)
        return (f"No deploy of {situation.service} is known from before trouble began.",)
    suspect = situation.suspect.release.version
    reasons = [warning_brake(quote) for quote in situation.written]
    if situation.listed is None:
        reasons.append(capital(f"{situation.cannot_deploy or 'the deployer cannot be queried'}."))
    elif not situation.targets:
        reasons.append(
            f"No release from before {suspect} that was shown to be well can be deployed."
        )
    if situation.one_way is None:
        reasons.append("Whether a one-way path changed since then cannot be seen.")
    elif situation.one_way:
        reasons.append(f"A one-way path changed since then: {listed(situation.one_way)}.")
    reasons.extend(_taken_back_brakes(situation))
    reasons.extend(_rolled_back_brakes(situation))
    if situation.rolled_back:
        reasons.append(f"This incident already rolled back {listed(situation.rolled_back)}.")
    if situation.broken_rollbacks:
        failed = f"The rollback to {listed(situation.broken_rollbacks)} failed"
        reasons.append(f"{failed}: the deploy itself may be broken.")
    return tuple(reasons)


def warning_brake(quote: Quote) -> str:
    """Return a warning as a brake: `The report says “do not roll back”.`"""
    return f"{capital(quote.where)} says “{quote.text}”."


def _taken_back_brakes(situation: Situation) -> list[str]:
    """Return what must not be taken back unseen: changes that stay, and what ended a fire."""
    taken = situation.takes_back
    if taken is None:
        return []
    reasons: list[str] = []
    if left := [path for path in taken.one_way if path not in (situation.one_way or ())]:
        what = f"{taken.since} may miss what {listed(left)} removed"
        reasons.append(f"{what}: going back does not undo it.")
    if taken.fixes:
        reasons.append(f"Going back takes back the fix for {listed(taken.fixes)}.")
    if (
        taken.security and situation.chosen_targets.why
    ):  # a newer release has it, which was passed over
        reasons.append(f"Going back takes back a security fix: {listed(taken.security)}.")
    return reasons


def _rolled_back_brakes(situation: Situation) -> list[str]:
    """Return that somebody has rolled back already, and it burns on."""
    suspect, began = situation.suspect, situation.began or situation.now
    if suspect is None:
        return []
    put_back = [
        d
        for d in situation.known.deploys
        if d.started_at >= began
        and d.started_at > suspect.started_at
        and d.release.version != suspect.release.version
        and situation.known.first[d.release.version] < suspect.started_at
    ]
    if not put_back:
        return []
    newest = max(put_back, key=lambda d: d.started_at)
    at = stamp(newest.started_at)
    return [f"{newest.release.version} was put back, {at}, after trouble began."]


# --- the table -----------------------------------------------------------------------------------


def recommend(situation: Situation) -> Recommendation:
    """Apply the decision table with all its brakes (rules: users × features)."""
    blast, chosen = situation.blast, situation.chosen_targets
    target = chosen.releases[0] if chosen.releases else None
    if (situation.events <= 0 and not blast.down) or blast.users is Word.NOBODY:
        why = blast.sentences[:1] or ("Sentry shows nothing unusual.",)
        return Recommendation(choice=Choice.INVESTIGATE, reasons=why, offer_rollback=False)
    many = blast.users is Word.MANY
    everything = many and blast.features is Word.MANY
    weighed = weigh(situation)
    put_back = bool(_rolled_back_brakes(situation))
    right = everything and _rollback_comes_first(weighed, near=is_near(situation)) and not put_back
    # Brakes and points are told whoever is hit: for the person who presses the button, and for a
    # cause that is confirmed later.
    advice = Recommendation(
        choice=Choice.INVESTIGATE,
        against=doubts_about(situation),
        brakes=brakes(situation),
        likely=weighed.likely if weighed else None,
        points_to=weighed.points_to[:POINTS] if weighed else (),
        points_away=weighed.points_away[:POINTS] if weighed else (),
        written=situation.written,
        takes_back=situation.takes_back if target is not None else None,
        offer_rollback=target is not None,
        suspect=situation.suspect.release if situation.suspect else None,
        target=target,
        change=situation.change.change if situation.change is not None else None,
    )
    reasons = [blast.sentences[0] if blast.down else scope(blast)]
    change = _leading_change(situation, weighed, many=many)
    if situation.began is not None and change is not None:
        why = reasons_for(change, situation.began)
        return advice.model_copy(update={"choice": Choice.TURN_OFF, "reasons": (*reasons, *why)})
    began = beginning_sentence(situation.began, situation.suspect, exact=situation.exact)
    if blast.down and weighed is not None:
        began = weighed.points_to[0] if weighed.points_to else ""
    if many and began:
        reasons.append(began)
    if right and not advice.brakes and target is not None and advice.suspect is not None:
        if blast.unknown:
            reasons.append(AS_MANY)
        reasons.append(chosen.why or f"{target.version}, the release before, ran well.")
        changed: dict[str, object] = {"choice": Choice.ROLLBACK, "reasons": tuple(reasons)}
    elif situation.fix is not None:
        known = f"A fix is known: {situation.fix}."
        changed = {"choice": Choice.HOTFIX, "reasons": (*reasons, known), "loud": right}
    else:
        if not right and (why_not := _why_no_action(blast.features, many, weighed)):
            reasons.append(why_not)
        beside = (
            many and not right and not put_back and not blast.unknown and _offers_rollback(advice)
        )
        if beside and advice.suspect is not None:
            reasons.append(f"{advice.suspect.version} is likely the cause.")
        changed = {"reasons": tuple(reasons), "loud": right, "likely_beside": beside}
    return advice.model_copy(update=changed)


def _offers_rollback(advice: Recommendation) -> bool:
    """Say whether the rollback beside an investigation would likely end it, and may be made."""
    likely = advice.likely is Likelihood.LIKELY and advice.target is not None
    return likely and not advice.brakes


def _leading_change(
    situation: Situation, weighed: Weighing | None, *, many: bool
) -> Suspected | None:
    """Return the change that leads: turning it off goes before everything else.

    A release that is unlikely without the change, too, is no rival of a setting, however near its
    deploy. Where few are hit, the time alone is not enough.
    """
    if situation.change is None:
        return None
    likely = (
        weighed is not None
        and weighed.likely is Likelihood.LIKELY
        and _crash_is_in_changed_file(situation)
    )
    alone = weigh(replace(situation, other_changes=()))
    cleared = alone is None or alone.likely is Likelihood.UNLIKELY
    is_flag = situation.change.change.kind == "flag"  # what fails elsewhere clears a flag, too
    suspect = None if cleared and not is_flag else situation.suspect
    if not change_leads(situation.change, suspect, likely=likely):
        return None
    if situation.change.turned_off and _is_at_edge(situation):
        return None  # that the flag is off for all is not even known for sure
    return situation.change if many or situation.change.carried else None


def _is_at_edge(situation: Situation) -> bool:
    crash = situation.crash
    return crash is not None and edge_of(crash.exception_type, crash.exception_value) is not None


def _crash_is_in_changed_file(situation: Situation) -> bool:
    """Say whether what crashes is in a file that the suspect changed."""
    if situation.commits is None or situation.crash is None:
        return False
    return bool(code_overlap(situation.commits, situation.crash.frames).file)


def _rollback_comes_first(weighed: Weighing | None, *, near: bool) -> bool:
    """Say whether going back comes first: in doubt it does, with a deploy within the hour."""
    if weighed is None or weighed.likely is Likelihood.UNLIKELY:
        return False
    return near or weighed.likely is Likelihood.LIKELY


def _why_no_action(features: Word, many: bool, weighed: Weighing | None) -> str:
    if many and features is Word.MANY:
        return why_not_first(weighed)
    if many:
        return "One feature is hit: look for the cause now, with a rollback ready beside it."
    if features is Word.MANY:
        return "One account in several features points at its data: a rollback would not help."
    return "The blast radius is limited: find the cause first."


def why_not_first(weighed: Weighing | None) -> str:
    """Return in one sentence why going back does not come first."""
    if weighed is None or not weighed.points_away:
        return ""
    says = HARDLY if weighed.likely is Likelihood.UNLIKELY else OPEN
    return f"{says}. {weighed.points_away[0]}"


def doubts_about(situation: Situation) -> tuple[str, ...]:
    """Return the doubts about this picture."""
    doubts = [*situation.tried[:TRIED], *situation.unasked]
    weak = situation.blast.confidence is Confidence.LOW
    if weak and (situation.blast.knows("users") or situation.events < UNSURE_EVENTS):
        doubts.append("Few events, or none that name users: treat the numbers with care.")
    if situation.sampled:
        doubts.append("Sentry counted a sample: the numbers are estimates.")
    if situation.last_event is not None:
        quiet = situation.now - situation.last_event - timedelta(minutes=1)
        if quiet >= situation.window / 3:
            doubts.append(f"No event for {lasting(quiet)}: it may be over.")
    if situation.began is not None:
        doubts.extend(_unweighed_deploys(situation, situation.began))
    return tuple(doubts[:AGAINST])


def _unweighed_deploys(situation: Situation, began: datetime) -> list[str]:
    """Return deploys near the trouble that are not weighed."""
    doubts: list[str] = []
    inside = [
        d
        for d in situation.known.deploys
        if began - situation.window <= d.started_at <= situation.now
    ]
    if len({d.release.version for d in inside}) > 1:
        doubts.append(f"{counted(len(inside), 'deploy')} around that time.")
    for d in situation.neighbours:
        weighed = situation.suspect is not None and situation.suspect.started_at < d.started_at
        if began - AROUND <= d.started_at <= began and not weighed:
            before = f"{lasting(began - d.started_at)} before trouble began"
            doubts.append(f"{d.service} {d.release.version} was deployed {before}.")
    suspected = situation.change
    if suspected is not None and not change_leads(suspected, situation.suspect):
        before = lasting(suspected.before)
        text = f"{change_in_words(suspected.change)}, {before} before trouble began."
        doubts.append(capital(text))
    return doubts
