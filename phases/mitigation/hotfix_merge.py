"""Phase 3, what a hotfix leaves open: it was shipped past its merge, and the next normal deploy would undo it until it is merged.

Workflow: "Skip normal merge gates … still NOT `--admin`". It is merged by the ordinary call at the commit that was shipped, when its own
checks allow, or by people; the bot sees it on GitHub (webhook, and asking now and then) or in the local clone, and a person's word counts, too.
"""

from __future__ import annotations

import re
from datetime import timedelta

from phases.messages.actions import MergeDue
from phases.messages.commands import HotfixIsIn, MergeHotfix
from phases.messages.effects import LookAtMerge, MergePullRequest
from phases.messages.results import MergeRefused, MergeSeen
from phases.record.findings import MergeState, Release
from phases.record.incident import ActionKind, Incident, Merge, Round, RoundAction, Status
from phases.record.tokens import REASON, mentioned, what_was_done
from phases.record.wording import capital, short
from phases.steps.announce import tell
from phases.steps.change import Draft, Refused
from phases.steps.rounds import replace_round

MERGE = "merge"  # timer: is the hotfix merged by now?
LOOK_SECONDS = 60  # asked conditionally, so that a look without news costs GitHub's limit nothing
SLOWER = 10  # what was shipped an hour ago is looked at every sixth minute …
LONGEST_SECONDS = 6 * 60 * 60  # … and what was shipped days ago four times a day
GIVE_UP = timedelta(days=30)  # rules: Size and memory

_PULL = re.compile(r"hotfix #([1-9][0-9]{0,8})@[0-9a-f]{7,40}")


# --- how it stands ---------------------------------------------------------------------------------------------


def newest_deploy(incident: Incident) -> Round | None:
    """The round of this incident's newest deploy that came to its end; a drill deploys nothing."""
    if incident.drill:
        return None
    return next(
        (
            r
            for r in reversed(incident.rounds)
            if r.action is not None
            and r.action.result == "done"
            and r.action.kind is not ActionKind.FIXED
        ),
        None,
    )


def open_hotfix(incident: Incident) -> tuple[Round, RoundAction, Merge] | None:
    """The hotfix that runs and is not merged, as far as is known."""
    newest = newest_deploy(incident)
    if newest is None or newest.action is None or newest.action.kind is not ActionKind.HOTFIX:
        return None
    merge = newest.action.merge or Merge()
    return None if merge.state.merged else (newest, newest.action, merge)


def unmerged(incident: Incident) -> str | None:
    """A hotfix is shipped past its merge: until somebody merges it, it can be lost (rules: Hotfix)."""
    if (found := open_hotfix(incident)) is None:
        return None
    _, action, merge = found
    shipped, head = _commit(action), merge.state.head
    line = f"{capital(what_was_done(action))} is not merged: the next normal deploy would undo it."
    if merge.state.closed:
        return f"{line} Its pull request was closed without a merge."
    if head is not None and head != shipped:
        return f"{line} Its pull request has moved on to {head[:7]} since it was shipped."
    return line


def pull_of(release: Release | None) -> int | None:
    """The number of the pull request that a hotfix was shipped from; None where it was a branch."""
    named = _PULL.fullmatch(release.version) if release is not None else None
    return int(named.group(1)) if named else None


def _commit(action: RoundAction) -> str:
    return (action.to_release.commit if action.to_release else None) or ""


def _named(action: RoundAction) -> str:
    number = pull_of(action.to_release)
    return f"pull request #{number}" if number is not None else what_was_done(action)


# --- people ----------------------------------------------------------------------------------------------------


def _meant(incident: Incident, number: int) -> tuple[Round, RoundAction, Merge] | Refused:
    """The hotfix that a button means, if it is still to be merged."""
    meant = next((r for r in incident.rounds if r.number == number), None)
    merge = meant.action.merge if meant is not None and meant.action is not None else None
    if merge is not None and merge.state.merged:
        return Refused("stale", f"It is merged already{_by(merge.by)}. Nothing more was done.")
    found = open_hotfix(incident)
    if found is None or found[0].number != number:
        return Refused("stale", "That hotfix is not what runs any more. Nothing was done.")
    if found[2].asked_by is not None:
        return Refused(
            "stale", f"{mentioned(found[2].asked_by)} is merging it already. Nothing more was done."
        )
    return found


def merge_hotfix(draft: Draft, action: MergeHotfix) -> Refused | None:
    incident = draft.incident
    found = _meant(incident, action.round)
    if isinstance(found, Refused):
        return found
    current, acted, merge = found
    number, commit = pull_of(acted.to_release), _commit(acted)
    if number is None or not commit:
        return Refused(
            "missing",
            "It was shipped from a branch. Merge that as you always do, then say *It is merged*.",
        )
    _kept(draft, current, acted, merge.model_copy(update={"asked_by": action.by}))
    draft.note("decision", f"{mentioned(action.by)} merges {_named(acted)}", by=action.by)
    draft.want(MergePullRequest(round=current.number, number=number, commit=commit))
    return None


def hotfix_is_in(draft: Draft, action: HotfixIsIn) -> Refused | None:
    """Nobody can check it: the word of a person, by name."""
    incident = draft.incident
    found = _meant(incident, action.round)
    if isinstance(found, Refused):
        return found
    current, acted, merge = found
    state = merge.state.model_copy(update={"merged": True, "at": draft.now, "holds": True})
    _merged(draft, current, acted, state, mentioned(action.by), said_by=action.by)
    return None


# --- GitHub, the clone, and time ---------------------------------------------------------------------------------


def watch_merge(draft: Draft, state: MergeState | None) -> str | None:
    """A hotfix has just been deployed: says what is open about it, and looks now and then until it is not."""
    newest = newest_deploy(draft.incident)
    if newest is None or newest.action is None:
        return None
    if state is not None:
        by = state.by if state.merged else ""
        _kept(draft, newest, newest.action, Merge(state=state, by=by))
    if (line := unmerged(draft.incident)) is not None:
        draft.timer(MERGE, LOOK_SECONDS, MergeDue(round=newest.number))
    return line


def merge_due(draft: Draft, action: MergeDue) -> None:
    incident = draft.incident
    draft, found = draft, open_hotfix(incident)
    if (
        found is not None
        and found[0].number == action.round
        and incident.status is not Status.CANCELLED
    ):
        draft.want(LookAtMerge(round=action.round))


def merge_seen(draft: Draft, action: MergeSeen) -> None:
    """What GitHub or the clone tells; said once, whoever tells it."""
    incident = draft.incident
    draft, found = draft, open_hotfix(incident)
    if action.state is None or found is None or found[0].number != action.round:
        return
    current, acted, merge = found
    state = action.state
    if state.merged:
        by = mentioned(merge.asked_by) if merge.asked_by else state.by
        _merged(draft, current, acted, state, by)
        return
    known = merge.state
    if state.head is None:  # the webhook of a closed one, the clone: the head that was seen stays
        state = state.model_copy(update={"head": known.head})
    if state != known:
        _kept(draft, current, acted, merge.model_copy(update={"state": state}))
        if state.closed and not known.closed:
            said = f"{capital(_named(acted))} was closed without a merge: the next normal deploy would undo the hotfix."
            tell(draft.note("deploy", said), said, strong="Careful:")
        elif state.head not in (None, known.head, _commit(acted)):
            said = f"{capital(_named(acted))} has moved on since it was shipped: {_span(acted, state)}."
            tell(draft.note("deploy", said), said, thread=True, ticket=False)
    _look_again(draft, current, acted)


def merge_refused(draft: Draft, action: MergeRefused) -> None:
    """405, 409, red checks, a token that may not: said with the reason, and the button is there again."""
    refuse_merge(draft, action.round, action.reason)


def refuse_merge(draft: Draft, number: int, reason: str) -> Draft:
    found = open_hotfix(draft.incident)
    if found is None or found[0].number != number or found[2].asked_by is None:
        return draft
    current, acted, merge = found
    _kept(draft, current, acted, merge.model_copy(update={"asked_by": None}))
    said = f"{capital(_named(acted))} was not merged: {short(reason, REASON).rstrip('.')}."
    return tell(draft.note("deploy", said), said, ticket=False)


def _merged(
    draft: Draft,
    current: Round,
    acted: RoundAction,
    state: MergeState,
    by: str,
    *,
    said_by: str | None = None,
) -> Draft:
    named = _named(acted)
    _kept(draft, current, acted, Merge(state=state, by=by)).cancel(MERGE)
    said = (
        f"{capital(named)} is merged{_by(by)}."
        if said_by is None
        else f"{by} says that {named} is merged."
    )
    draft.note("deploy", said, by=said_by)
    if state.head in (None, _commit(acted)):
        return tell(draft, f"{said} The next normal deploy keeps the hotfix.")
    if state.holds:
        more = f"It has moved on since it was shipped ({_span(acted, state)}): the rest of it has never run in production."
        return tell(draft, f"{said} {more}")
    more = f"It is not what was shipped ({_span(acted, state)}): look whether the fix is still in."
    return tell(draft, f"{said} {more}", strong="Careful:")


def _kept(draft: Draft, current: Round, acted: RoundAction, merge: Merge) -> Draft:
    changed = acted.model_copy(update={"merge": merge})
    return replace_round(draft, current.model_copy(update={"action": changed}))


def look_later(draft: Draft, number: int) -> Draft:
    """Nobody could be asked."""
    found = open_hotfix(draft.incident)
    return (
        draft
        if found is None or found[0].number != number
        else _look_again(draft, found[0], found[1])
    )


def _look_again(draft: Draft, current: Round, acted: RoundAction) -> Draft:
    age = draft.now - (acted.finished_at or acted.at)
    if age > GIVE_UP or draft.incident.status is Status.CANCELLED:
        return draft
    wait = min(max(LOOK_SECONDS, age.total_seconds() / SLOWER), LONGEST_SECONDS)
    return draft.timer(MERGE, wait, MergeDue(round=current.number))


def _by(by: str) -> str:
    return f" by {by}" if by else ""


def _span(acted: RoundAction, state: MergeState) -> str:
    return f"{_commit(acted)[:7]} → {(state.head or '?')[:7]}"
