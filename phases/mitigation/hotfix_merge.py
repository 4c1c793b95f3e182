"""Phase 3, what a hotfix leaves open: it is not merged, so the next deploy may undo it.

Workflow: "Skip normal merge gates … still NOT `--admin`". The bot merges it by the ordinary call,
at the commit that was shipped, when its own checks allow; or people merge it. The bot sees the
merge on GitHub (webhook, and asking now and then) or in the local clone. A person's word counts,
too.
"""

import re
from datetime import timedelta
from typing import NamedTuple

from phases.messages.actions import MergeDue
from phases.messages.commands import HotfixIsIn, MergeHotfix
from phases.messages.effects import LookAtMerge, MergePullRequest, Say
from phases.messages.results import MergeRefused, MergeSeen
from phases.record.findings import MergeState, Release
from phases.record.incident import ActionKind, Incident, Merge, Round, RoundAction, Status
from phases.record.tokens import REASON, mentioned, what_was_done
from phases.shared.announce import tell
from phases.shared.change import Draft, Refused
from phases.shared.rounds import change_action
from phases.text.wording import capital, short

MERGE_TIMER = "merge"  # timer: is the hotfix merged by now?
LOOK_SECONDS = 60  # asked conditionally, so that a look without news costs GitHub's limit nothing
SLOWER_BY = 10  # what was shipped an hour ago is looked at every sixth minute …
LONGEST_SECONDS = 6 * 60 * 60  # … and what was shipped days ago four times a day
GIVE_UP = timedelta(days=30)  # rules: Size and memory

_PULL = re.compile(r"hotfix #([1-9][0-9]{0,8})@[0-9a-f]{7,40}")


# --- how it stands ------------------------------------------------------------------------------


class OpenHotfix(NamedTuple):
    """A hotfix that runs and is not merged."""

    round: Round
    action: RoundAction
    merge: Merge

    @property
    def commit(self) -> str:
        """The commit that was shipped."""
        return (self.action.to_release.commit if self.action.to_release else None) or ""

    @property
    def name(self) -> str:
        number = pull_of(self.action.to_release)
        return f"pull request #{number}" if number is not None else what_was_done(self.action)

    def moved_to(self, state: MergeState) -> str:
        """The commits from the shipped one to the newest, as `1a2b3c4 → 5d6e7f8`."""
        return f"{self.commit[:7]} → {(state.head or '?')[:7]}"


def newest_deploy(incident: Incident) -> Round | None:
    """Return the round of the newest deploy that was done; a drill deploys nothing."""
    if incident.drill:
        return None
    for current in reversed(incident.rounds):
        action = current.action
        if action and action.result == "done" and action.deploys:
            return current
    return None


def open_hotfix(incident: Incident) -> OpenHotfix | None:
    """Return the hotfix that runs and is not merged, as far as is known."""
    newest = newest_deploy(incident)
    if newest is None or newest.action is None or newest.action.kind is not ActionKind.HOTFIX:
        return None
    merge = newest.action.merge or Merge()
    return None if merge.state.merged else OpenHotfix(newest, newest.action, merge)


def _open_hotfix_of(draft: Draft, number: int) -> OpenHotfix | None:
    hotfix = open_hotfix(draft.incident)
    return hotfix if hotfix is not None and hotfix.round.number == number else None


def unmerged(incident: Incident) -> str | None:
    """Say that a hotfix is not merged: until then the next deploy can lose it (rules: Hotfix)."""
    if (hotfix := open_hotfix(incident)) is None:
        return None
    head = hotfix.merge.state.head
    what = capital(what_was_done(hotfix.action))
    line = f"{what} is not merged: the next normal deploy would undo it."
    if hotfix.merge.state.closed:
        return f"{line} Its pull request was closed without a merge."
    if head is not None and head != hotfix.commit:
        return f"{line} Its pull request has moved on to {head[:7]} since it was shipped."
    return line


def pull_of(release: Release | None) -> int | None:
    """Return the number of the pull request that a hotfix was shipped from; None for a branch."""
    match = _PULL.fullmatch(release.version) if release is not None else None
    return int(match.group(1)) if match else None


# --- people -------------------------------------------------------------------------------------


def _to_be_merged(incident: Incident, number: int) -> OpenHotfix | Refused:
    """Return the hotfix that a button means, if it is still to be merged."""
    current = incident.round_of(number)
    merge = current.action.merge if current is not None and current.action is not None else None
    if merge is not None and merge.state.merged:
        return Refused("stale", f"It is merged already{_by_whom(merge.by)}. Nothing more was done.")
    hotfix = open_hotfix(incident)
    if hotfix is None or hotfix.round.number != number:
        return Refused("stale", "That hotfix is no longer running. Nothing was done.")
    if hotfix.merge.asked_by is not None:
        who = mentioned(hotfix.merge.asked_by)
        return Refused("stale", f"{who} is merging it already. Nothing more was done.")
    return hotfix


def merge_hotfix(draft: Draft, action: MergeHotfix) -> Refused | None:
    hotfix = _to_be_merged(draft.incident, action.round)
    if isinstance(hotfix, Refused):
        return hotfix
    number = pull_of(hotfix.action.to_release)
    if number is None or not hotfix.commit:
        return Refused(
            "missing",
            "It was shipped from a branch. Merge that as you always do, then say *It is merged*.",
        )
    _change_merge(draft, hotfix, hotfix.merge.model_copy(update={"asked_by": action.by}))
    draft.note("decision", f"{mentioned(action.by)} merges {hotfix.name}", by=action.by)
    draft.want(MergePullRequest(round=action.round, number=number, commit=hotfix.commit))
    return None


def hotfix_is_in(draft: Draft, action: HotfixIsIn) -> Refused | None:
    """Nobody can check it: the word of a person counts, by name."""
    hotfix = _to_be_merged(draft.incident, action.round)
    if isinstance(hotfix, Refused):
        return hotfix
    state = hotfix.merge.state.model_copy(update={"merged": True, "at": draft.now, "holds": True})
    text = f"{mentioned(action.by)} says that {hotfix.name} is merged."
    draft.note("deploy", text, by=action.by)
    _hotfix_merged(draft, hotfix, Merge(state=state, by=mentioned(action.by)), text)
    return None


# --- GitHub, the clone, and time ----------------------------------------------------------------


def watch_merge(draft: Draft, state: MergeState | None) -> str | None:
    """Begin to look now and then whether a hotfix, just deployed, is merged.

    Return what is open about it, or None if it is merged.
    """
    newest = newest_deploy(draft.incident)
    if newest is None or newest.action is None:
        return None
    if state is not None:
        change_action(draft, newest, merge=Merge(state=state, by=state.by if state.merged else ""))
    if (line := unmerged(draft.incident)) is not None:
        draft.timer(MERGE_TIMER, LOOK_SECONDS, MergeDue(round=newest.number))
    return line


def merge_due(draft: Draft, action: MergeDue) -> None:
    cancelled = draft.incident.status is Status.CANCELLED
    if _open_hotfix_of(draft, action.round) is not None and not cancelled:
        draft.want(LookAtMerge(round=action.round))


def merge_seen(draft: Draft, action: MergeSeen) -> None:
    """GitHub or the clone tells how it stands; news is said once, whoever tells it."""
    hotfix = _open_hotfix_of(draft, action.round)
    if action.state is None or hotfix is None:
        return
    known, state = hotfix.merge.state, action.state
    if state.merged:
        by = mentioned(hotfix.merge.asked_by) if hotfix.merge.asked_by else state.by
        text = f"{capital(hotfix.name)} is merged{_by_whom(by)}."
        draft.note("deploy", text)
        _hotfix_merged(draft, hotfix, Merge(state=state, by=by), text)
        return
    if state.head is None:  # a closed one's webhook, the clone: the head that was seen stays
        state = state.model_copy(update={"head": known.head})
    if state != known:
        _change_merge(draft, hotfix, hotfix.merge.model_copy(update={"state": state}))
        if state.closed and not known.closed:
            lost = "the next normal deploy would undo the hotfix"
            text = f"{capital(hotfix.name)} was closed without a merge: {lost}."
            tell(draft.note("deploy", text), text, strong="Careful:")
        elif state.head not in (None, known.head, hotfix.commit):
            moved = hotfix.moved_to(state)
            text = f"{capital(hotfix.name)} has moved on since it was shipped: {moved}."
            tell(draft.note("deploy", text), Say(text=text, thread=True), ticket=False)
    _look_again(draft, hotfix)


def merge_refused(draft: Draft, action: MergeRefused) -> None:
    """405, 409, red checks, a token without the right: said with the reason.

    The button is there again.
    """
    refuse_merge(draft, action.round, action.reason)


def refuse_merge(draft: Draft, number: int, reason: str) -> Draft:
    hotfix = _open_hotfix_of(draft, number)
    if hotfix is None or hotfix.merge.asked_by is None:
        return draft
    _change_merge(draft, hotfix, hotfix.merge.model_copy(update={"asked_by": None}))
    text = f"{capital(hotfix.name)} was not merged: {short(reason, REASON).rstrip('.')}."
    return tell(draft.note("deploy", text), text, ticket=False)


def _change_merge(draft: Draft, hotfix: OpenHotfix, merge: Merge) -> None:
    change_action(draft, hotfix.round, merge=merge)


def _hotfix_merged(draft: Draft, hotfix: OpenHotfix, merge: Merge, said: str) -> Draft:
    """Say whether what was merged is what was shipped."""
    _change_merge(draft, hotfix, merge)
    draft.cancel(MERGE_TIMER)
    if merge.state.head in (None, hotfix.commit):
        return tell(draft, f"{said} The next normal deploy keeps the hotfix.")
    moved = hotfix.moved_to(merge.state)
    if merge.state.holds:
        more = f"It has moved on since it was shipped ({moved})"
        return tell(draft, f"{said} {more}: the rest of it has never run in production.")
    more = f"It is not what was shipped ({moved}): look whether the fix is still in."
    return tell(draft, f"{said} {more}", strong="Careful:")


def look_later(draft: Draft, number: int) -> Draft:
    """Nobody could be asked: look again, if the hotfix still runs."""
    hotfix = _open_hotfix_of(draft, number)
    return draft if hotfix is None else _look_again(draft, hotfix)


def _look_again(draft: Draft, hotfix: OpenHotfix) -> Draft:
    age = draft.now - (hotfix.action.finished_at or hotfix.action.at)
    if age > GIVE_UP or draft.incident.status is Status.CANCELLED:
        return draft
    wait = min(max(LOOK_SECONDS, age.total_seconds() / SLOWER_BY), LONGEST_SECONDS)
    return draft.timer(MERGE_TIMER, wait, MergeDue(round=hotfix.round.number))


def _by_whom(by: str) -> str:
    return f" by {by}" if by else ""
