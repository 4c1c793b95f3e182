"""The workflow as one table: state × action → the step of a phase. The dispatcher calls `step`.

A row says in which states its action is heard; elsewhere the person is told why not. Results of
effects are heard in every state, because an effect may end after the incident has moved on: each
step then changes nothing that is over.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from phases import failures
from phases.coordination import (
    after_recovery,
    bookmarks,
    corrections,
    declare,
    duplicates,
    evidence,
    people,
    pinned_messages,
    reopening,
    ticket,
    updates,
)
from phases.memory import compaction
from phases.memory import steps as memory_steps
from phases.messages import actions
from phases.mitigation import changes, deploy_hold, hotfix_merge
from phases.mitigation import steps as mitigation
from phases.mitigation.decision import one_at_a_time_text, under_way_text
from phases.postmortem import action_items, reminders
from phases.postmortem import steps as postmortem_steps
from phases.postmortem.contradictions import steps as contradictions
from phases.record.incident import Incident, Status
from phases.record.service import Service
from phases.record_limit import fit
from phases.root_cause import revert
from phases.root_cause import steps as root_cause_steps
from phases.shared import people_left, resolution
from phases.shared.change import Change, Draft, Refused
from phases.shared.rounds import refuse_if_ended
from phases.triage import steps as triage_steps
from phases.verification import sentry_resolution
from phases.verification import steps as verification_steps

Step = Callable[[Draft, Any], Refused | None]
"""Applies an action to the draft, or refuses it; a draft that was refused is thrown away."""
Rule = Callable[[Draft], None]

D, C, M, V, G = (
    Status.DECLARED,
    Status.DECIDING,
    Status.MITIGATING,
    Status.VERIFYING,
    Status.MITIGATED,
)
ANY = frozenset(Status)
OPEN = frozenset({D, C, M, V, G})


@dataclass(frozen=True, slots=True)
class Row:
    heard: frozenset[Status]
    do: Step
    otherwise: Callable[[Incident], str] = one_at_a_time_text
    """Says why the action is not heard while the incident is open."""


def _decided_again(incident: Incident, nothing: str) -> str:
    again = f"It is being decided again what to do in production: {under_way_text(incident)}."
    return f"{again} Nothing was {nothing}."


DECIDABLE = frozenset({D, C, G})
RUNNING = frozenset({V, G, Status.RESOLVED})
_NOT_MERGED = partial(_decided_again, nothing="merged")


TABLE: dict[type[Any], Row] = {
    # Phase 1: triage
    actions.Triaged: Row(ANY, triage_steps.triaged),
    actions.TriageOverdue: Row(ANY, triage_steps.triage_overdue),
    actions.ManualTriage: Row(OPEN, triage_steps.manual_triage),
    actions.MeasureDue: Row(ANY, triage_steps.measure_due),
    actions.NobodyActed: Row(ANY, triage_steps.nobody_acted),
    # Phase 2: root cause
    actions.Investigated: Row(ANY, root_cause_steps.investigated),
    actions.BisectMoved: Row(ANY, root_cause_steps.bisect_moved),
    actions.BisectTick: Row(ANY, root_cause_steps.bisect_tick),
    actions.CancelBisect: Row(ANY, root_cause_steps.cancel_bisect),
    actions.PrepareRevert: Row(OPEN, revert.prepare_revert),
    actions.RevertPrepared: Row(ANY, revert.revert_prepared),
    actions.AddHypothesis: Row(OPEN, root_cause_steps.add_hypothesis),
    actions.JudgeHypothesis: Row(OPEN, root_cause_steps.judge_hypothesis),
    actions.NameCause: Row(OPEN, root_cause_steps.name_cause),
    # Phase 3: stop the bleeding
    actions.DecideRollback: Row(DECIDABLE, mitigation.decide_rollback),
    actions.DecideTurnOff: Row(DECIDABLE, mitigation.decide_turn_off),
    actions.DecideHotfix: Row(DECIDABLE, mitigation.decide_hotfix),
    actions.DecideFixed: Row(DECIDABLE, mitigation.decide_fixed),
    actions.DecideInvestigate: Row(OPEN, mitigation.decide_investigate),
    actions.DeployStarted: Row(ANY, mitigation.deploy_started),
    actions.DeployNotStarted: Row(ANY, mitigation.deploy_not_started),
    actions.DeployTick: Row(ANY, mitigation.deploy_tick),
    actions.DeployProgressed: Row(ANY, mitigation.deploy_progressed),
    actions.DeployFinished: Row(ANY, mitigation.deploy_finished),
    actions.DeployedByOthers: Row(ANY, deploy_hold.deployed_by_others),
    actions.ChangedByOthers: Row(ANY, changes.changed_by_others),
    actions.CauseFixed: Row(
        RUNNING, deploy_hold.cause_fixed, partial(_decided_again, nothing="changed")
    ),
    actions.MergeHotfix: Row(RUNNING, hotfix_merge.merge_hotfix, _NOT_MERGED),
    actions.HotfixIsIn: Row(RUNNING, hotfix_merge.hotfix_is_in, _NOT_MERGED),
    actions.MergeDue: Row(ANY, hotfix_merge.merge_due),
    actions.MergeSeen: Row(ANY, hotfix_merge.merge_seen),
    actions.MergeRefused: Row(ANY, hotfix_merge.merge_refused),
    # Phase 4: coordinate
    actions.ChannelOpened: Row(ANY, declare.channel_opened),
    actions.MessagePosted: Row(ANY, declare.message_posted),
    actions.LiveMessageDeleted: Row(ANY, declare.live_message_deleted),
    actions.Invited: Row(ANY, declare.invited),
    actions.TicketOpened: Row(ANY, ticket.ticket_opened),
    actions.TicketTold: Row(ANY, ticket.ticket_told),
    actions.TicketLookDue: Row(ANY, ticket.look_due),
    actions.TicketLooked: Row(ANY, ticket.ticket_looked),
    actions.TicketSynced: Row(ANY, ticket.ticket_synced),
    actions.DiscordPosted: Row(ANY, declare.discord_posted),
    actions.Paged: Row(ANY, declare.paged),
    actions.EffectDone: Row(ANY, declare.effect_done),
    actions.PostUpdate: Row(OPEN, people.post_update),
    actions.SnoozeUpdate: Row(OPEN, people.snooze_update),
    actions.UpdateDue: Row(ANY, people.update_due),
    actions.SetSeverity: Row(OPEN, people.set_severity),
    actions.TakeLead: Row(OPEN, people.take_lead),
    actions.PeopleLeft: Row(ANY, people_left.people_left),
    actions.MessageTouched: Row(ANY, pinned_messages.message_touched),
    actions.MessageRead: Row(ANY, pinned_messages.message_read),
    actions.CorrectEntry: Row(ANY, corrections.correct_entry),
    actions.MergeDuplicates: Row(OPEN, duplicates.merge_duplicates),
    actions.SplitOff: Row(ANY, duplicates.split_off),
    actions.Reopen: Row(ANY, reopening.reopen),
    actions.BookmarkSet: Row(ANY, bookmarks.bookmark_set),
    actions.ArchiveDue: Row(ANY, reopening.archive_due),
    actions.PutOffArchive: Row(ANY, reopening.put_off_archive),
    actions.ChannelArchived: Row(ANY, reopening.channel_archived),
    actions.AddEvidence: Row(ANY, evidence.add_evidence),
    actions.IssuesLookedUp: Row(ANY, evidence.issues_looked_up),
    actions.SeenAgain: Row(ANY, evidence.seen_again),
    # Phase 5: verify
    actions.LookDue: Row(ANY, verification_steps.look_due),
    actions.Looked: Row(ANY, verification_steps.looked),
    actions.GuardDue: Row(ANY, after_recovery.guard_due),
    actions.GuardLooked: Row(ANY, after_recovery.guard_looked),
    actions.IssuesResolved: Row(ANY, sentry_resolution.issues_resolved),
    actions.RecheckNow: Row(OPEN, verification_steps.recheck_now),
    actions.ConfirmRecovery: Row(OPEN, verification_steps.confirm_recovery),
    # Phase 6: post-mortem
    actions.SubmitPostmortem: Row(OPEN, postmortem_steps.submit_postmortem),
    actions.MendPostmortem: Row(ANY, contradictions.mend_postmortem),
    actions.KeepContradiction: Row(ANY, contradictions.keep_contradiction),
    actions.AdrMended: Row(ANY, contradictions.adr_mended),
    actions.PostmortemDue: Row(ANY, reminders.postmortem_due),
    actions.AdrNumbered: Row(ANY, postmortem_steps.adr_numbered),
    actions.AdrWritten: Row(ANY, postmortem_steps.adr_written),
    actions.Resolve: Row(OPEN, resolution.resolve),
    actions.Cancel: Row(OPEN, resolution.cancel),
    actions.MarkItem: Row(ANY, action_items.mark_item),
    actions.ItemsOpened: Row(ANY, action_items.items_opened),
    actions.ItemSynced: Row(ANY, action_items.item_synced),
    actions.ItemsDue: Row(ANY, action_items.items_due),
    actions.Zones: Row(ANY, action_items.zones_known),
    actions.ShrinkDue: Row(ANY, compaction.shrink_due),
    # Effects that failed
    actions.EffectFailed: Row(ANY, failures.effect_failed),
    actions.TryAgain: Row(ANY, failures.try_again),
    actions.RetryDue: Row(ANY, failures.retry_due),
}


FOLLOWS: tuple[Rule, ...] = (
    evidence.follow_growth,
    memory_steps.shrink_later,
    memory_steps.tell_memories,
    updates.follow_updates,
    reminders.follow_reminder,
    action_items.follow_items,
    ticket.follow_ticket,
    bookmarks.follow_bookmarks,
    fit,
)
"""The rules that follow each change, whichever action brought it, in this order."""


def step(
    incident: Incident | None, action: actions.Action, service: Service, now: datetime
) -> Change | Refused:
    """Return what `action` changes; `Refused` changed nothing and says what to do instead."""
    if isinstance(action, actions.Declare):
        return declare.declare(action, service, now)
    if incident is None:
        return Refused(
            "unknown", "There is no such incident. `/incident list` shows the open ones."
        )
    row = TABLE[type(action)]
    if incident.status not in row.heard:
        return refuse_if_ended(incident) or Refused("state", row.otherwise(incident))
    draft = Draft(incident, now, service)
    if (refused := row.do(draft, action)) is not None:
        return refused
    for changed in (draft, *draft.also):
        for rule in FOLLOWS:
            rule(changed)
    return draft.done()
