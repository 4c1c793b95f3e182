"""Random lives of an incident: in whatever order actions come, these invariants stay true.

The invariants (architecture: The life of an incident):
 1. one action on production a round, and it never becomes another;
 2. never resolved without a known cause, a written ADR and a verified recovery;
 3. no line of the timeline is changed or lost;
 4. a refused action leaves nothing behind;
 5. every open incident has a way on: a person may cancel it, or something is under way that ends;
 6. every effect's success and failure is an action that is heard, in every state;
 7. one deploy at a time: its claim is held exactly while one is under way, and only a person's word
    starts one;
 8. the channel, decision, triage, ticket and question, without which people cannot go on, are under
    way, there, or tried again;
 9. one message in the channel a word that is said, and one first post to Discord;
10. an end leaves no claim behind but the guard's, no timer that does anything, and nothing that is
    half done. Until the incident is closed four things go on: a hotfix's merge and a return of a
    resolved one are checked, the ticket is updated, and the action items are followed;
11. while users are hit in a SEV1 or SEV2, an update is always due at some time; and never
    afterwards;
12. closed means resolved, and nothing more to do;
13. nobody looks whether trouble is back while it burns, or when it is over for good.
"""

from __future__ import annotations

from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from phases.coordination.updates import awaits_update
from phases.messages import actions as said
from phases.messages import effects as wanted
from phases.record.documents import Adr
from phases.record.findings import (
    DeployProof,
    DeploySeen,
    Evidence,
    Look,
    LookVerdict,
    Release,
    Verdict,
    Word,
)
from phases.record.incident import RECORD_LIMIT_BYTES, Channel, Entry, Incident, Severity, Status
from phases.shared.change import Change, Refused, Timer
from phases.workflow import step
from tests.support.values.draws import draws
from tests.support.values.endings import endings, linear_issues
from tests.support.values.factories import NOW, declare, postmortem, report, service

AFTERWARDS = (
    *(wanted.FollowBisect, wanted.ArchiveChannel),
    *(
        wanted.OpenTicket,
        wanted.SyncTicket,
        wanted.CloseTicket,
        wanted.CatchUp,
        wanted.AttachToTicket,
    ),
    *(
        wanted.AttachChannel,
        wanted.LookAtTicket,
        wanted.OpenItems,
        wanted.SyncItem,
        wanted.RemindOwner,
    ),
)
"""Actions that are still allowed when an incident is over."""
PEOPLE = st.sampled_from(["U0ALICE", "U0BOB"])
ROUNDS = st.integers(min_value=0, max_value=4)
VERSIONS = st.sampled_from(["1.0.0", "1.1.0", "1.2.0", "1.3.0", "no/../good;", ""])
SHOP = service()


class Life(RuleBasedStateMachine):
    incident: Incident

    @initialize(
        seeds=st.sampled_from([(), ("41",)]),
        severity=st.sampled_from([None, Severity.SEV1]),
        parent=st.sampled_from([None, "ENG-12"]),
        unseen=st.sampled_from([(), ("SHOP-9",)]),
    )
    def declared(
        self,
        seeds: tuple[str, ...],
        severity: Severity | None,
        parent: str | None,
        unseen: tuple[str, ...],
    ) -> None:
        self.now = NOW
        self.timeline: list[Entry] = []
        self.pending: list[wanted.Effect] = []
        self.timers: dict[str, Timer] = {}
        self.claims: dict[str, int | None] = {}
        self.actions_seen: dict[int, tuple[str, str]] = {}
        self.no_tickets = self.asked = False
        action = declare(seeds=seeds, severity=severity, parent=parent, unseen=unseen)
        change = step(None, action, SHOP, self.now)
        assert isinstance(change, Change)
        self.commit(change, action)

    def commit(self, change: Change, action: said.Action) -> None:
        if any(isinstance(e, wanted.StartDeploy) for e in change.effects):
            assert isinstance(action, said.DecideRollback | said.DecideHotfix)  # 7
        says = [
            e
            for e in change.effects
            if isinstance(e, wanted.Say) and not e.thread and e.goes_to == "incident"
        ]
        decisions = [
            e
            for e in change.effects
            if isinstance(e, wanted.PostLive) and e.name.startswith("decision")
        ]
        assert len(says) + len(decisions) <= 1 or isinstance(action, said.ChannelOpened)  # 9
        assert len(set(change.effects)) == len(change.effects)  # 9
        # Through Redis and back.
        self.incident = Incident.model_validate_json(change.incident.model_dump_json())
        self.timeline.extend(change.entries)
        self.pending.extend(change.effects)
        for name in change.cancels:
            self.timers.pop(name, None)
        self.timers |= {timer.name: timer for timer in change.timers}
        for key in change.releases:
            self.claims.pop(key, None)
        self.claims |= {c.key: c.seconds for c in change.claims}

    def say(self, action: said.Action) -> Change | Refused:
        self.now += timedelta(seconds=1)
        before = self.incident.model_dump_json()
        answer = step(
            self.incident, said.ACTION.validate_json(said.ACTION.dump_json(action)), SHOP, self.now
        )
        if isinstance(answer, Change):
            self.commit(answer, action)
        else:
            assert answer.text, "a refusal says what to do instead"
            assert self.incident.model_dump_json() == before  # 4
        return answer

    def heard(self, action: said.Action) -> None:
        assert isinstance(self.say(action), Change), action  # 6

    # --- people -----------------------------------------------------------------------------------

    @rule(by=PEOPLE, number=ROUNDS, to=VERSIONS, running=VERSIONS, forward=st.booleans())
    def rollback(self, by: str, number: int, to: str, running: str, forward: bool) -> None:
        self.say(
            said.DecideRollback(
                by=by,
                round=number,
                target=Release(version=to),
                running=Release(version=running),
                forward=forward,
            )
        )

    @rule(
        by=PEOPLE,
        number=ROUNDS,
        name=st.sampled_from(["fix/tax", "#12"]),
        commit=st.sampled_from([None, "a" * 40]),
        glass=st.sampled_from([None, "on call"]),
    )
    def hotfix(
        self, by: str, number: int, name: str, commit: str | None, glass: str | None
    ) -> None:
        fix = Release(version=f"hotfix {name}@aaaaaaa", commit=commit)
        self.say(
            said.DecideHotfix(
                by=by, round=number, fix=fix, running=Release(version="1.3.0"), break_glass=glass
            )
        )

    @rule(
        by=PEOPLE,
        number=ROUNDS,
        sentence=st.sampled_from(["flag off", "  "]),
        forward=st.booleans(),
    )
    def fixed(self, by: str, number: int, sentence: str, forward: bool) -> None:
        self.say(said.DecideFixed(by=by, round=number, sentence=sentence, forward=forward))

    @rule(by=PEOPLE, number=ROUNDS)
    def investigate(self, by: str, number: int) -> None:
        self.say(said.DecideInvestigate(by=by, round=number))

    @rule(by=PEOPLE, users=st.sampled_from(Word), features=st.sampled_from(Word))
    def manual_form(self, by: str, users: Word, features: Word) -> None:
        self.say(
            said.ManualTriage(by=by, users=users, features=features, report="people cannot pay")
        )

    @rule(
        action=st.one_of(
            st.builds(
                said.PostUpdate,
                by=PEOPLE,
                text=st.text(max_size=50),
                doing=st.text(max_size=9),
                next_minutes=st.sampled_from([None, 15, 7, 120]),
            ),
            st.builds(said.SnoozeUpdate, by=PEOPLE),
            st.builds(said.SetSeverity, by=PEOPLE, severity=st.sampled_from(Severity)),
            st.builds(said.TakeLead, by=PEOPLE, lead=PEOPLE),
            st.builds(said.AddHypothesis, by=PEOPLE, says=st.text(max_size=40)),
            st.builds(
                said.JudgeHypothesis,
                by=PEOPLE,
                id=st.sampled_from(["H1", "H2", "H9"]),
                verdict=st.sampled_from(Verdict),
            ),
            st.builds(said.RecheckNow, by=PEOPLE),
            st.builds(said.ConfirmRecovery, by=PEOPLE, round=ROUNDS, recovered=st.booleans()),
            st.builds(said.CancelBisect, by=PEOPLE),
            st.builds(said.Resolve, by=PEOPLE),
            st.builds(said.MergeHotfix, by=PEOPLE, round=ROUNDS),
            st.builds(said.HotfixIsIn, by=PEOPLE, round=ROUNDS),
            st.builds(said.CauseFixed, by=PEOPLE),
            st.builds(
                said.CorrectEntry,
                by=PEOPLE,
                entry=st.sampled_from(["0", "7"]),
                text=st.sampled_from(["", "rolled back to v41"]),
                at=st.sampled_from([None, NOW - timedelta(minutes=9), NOW + timedelta(days=99)]),
            ),
            st.builds(said.MarkItem, by=PEOPLE, number=st.integers(0, 2), done=st.booleans()),
        )
    )
    def other_words(self, action: said.Action) -> None:
        self.say(action)

    @rule(
        by=PEOPLE,
        text=st.sampled_from(["tax table empty", " "]),
        release=st.sampled_from([None, "1.3.0"]),
    )
    def cause(self, by: str, text: str, release: str | None) -> None:
        self.say(said.NameCause(by=by, text=text, release=release))

    @rule(by=PEOPLE)
    def write_postmortem(self, by: str) -> None:
        self.say(said.SubmitPostmortem(postmortem=postmortem(by=by, at=self.now)))

    @rule(by=PEOPLE, reason=st.sampled_from(["", "", "", "", "", "load test"]))
    def cancel(self, by: str, reason: str) -> None:
        self.say(said.Cancel(by=by, reason=reason))

    @rule(by=PEOPLE)
    def reopen(self, by: str) -> None:
        self.say(said.Reopen(by=by))

    @rule(by=PEOPLE, channel=st.sampled_from(["C1", "C2"]))
    def archives_the_channel(self, by: str, channel: str) -> None:
        self.heard(said.ChannelArchived(channel=channel, by=by))

    # --- the usual way, so that lives come to their end -------------------------------------------

    @rule(verdict=st.sampled_from([LookVerdict.RECOVERED, LookVerdict.RECOVERED, *LookVerdict]))
    def what_usually_comes_next(self, verdict: LookVerdict) -> None:
        incident, number = self.incident, self.incident.round.number if self.incident.round else 1
        match incident.status:
            case Status.DECLARED:
                self.ends(
                    wanted.OpenChannel,
                    said.ChannelOpened(channel=Channel(id="C1", name="inc-0001-checkout")),
                )
                self.ends(wanted.Triage, said.Triaged(report=report(at=self.now)))
            case Status.DECIDING:
                bad, good = Release(version="1.3.0"), Release(version="1.2.0")
                self.say(said.DecideRollback(by="U0ALICE", round=number, target=good, running=bad))
            case Status.MITIGATING:
                proof = DeployProof(before="1.3.0", after="1.2.0")
                self.ends(
                    wanted.StartDeploy, said.DeployStarted(deploy_id=f"{incident.mark}-{number}")
                )
                if "deploy" in self.timers:
                    self.fire("deploy")
                done = said.DeployFinished(
                    deploy_id=f"{incident.mark}-{number}", result="done", proof=proof
                )
                self.ends(wanted.FollowDeploy, done)
            case Status.VERIFYING:
                if "look" in self.timers:
                    self.fire("look")
                due = next(
                    (
                        e
                        for e in self.pending
                        if isinstance(e, wanted.LookAgain) and e.round == number
                    ),
                    None,
                )
                if due is not None:
                    self.pending.remove(due)
                    self.heard(
                        said.Looked(
                            round=number, look=Look(number=due.number, at=self.now, verdict=verdict)
                        )
                    )
                else:
                    yes = verdict is LookVerdict.RECOVERED
                    self.say(said.ConfirmRecovery(by="U0BOB", round=number, recovered=yes))
            case Status.MITIGATED:
                self.say(said.SubmitPostmortem(postmortem=postmortem(by="U0BOB", at=self.now)))
                self.ends(
                    wanted.NumberAdr, said.AdrNumbered(repository="/srv/shop/docs/adr", number=2)
                )
                self.ends(
                    wanted.WriteAdr,
                    said.AdrWritten(adr=Adr(number=2, path="docs/adr/0002-inc-0001.md")),
                )
                self.say(said.Resolve(by="U0BOB"))
            case _:
                self.seen_again("41", late=False)

    def ends(self, kind: type[wanted.Effect], action: said.Action) -> None:
        effect = next((e for e in self.pending if isinstance(e, kind)), None)
        if effect is not None:
            self.pending.remove(effect)
            self.heard(action)

    def fire(self, name: str) -> None:
        timer = self.timers.pop(name)
        self.now = max(self.now, timer.at)
        self.heard(timer.action)

    @precondition(lambda self: self.incident.failures)
    @rule(data=st.data(), by=PEOPLE)
    def try_again(self, data: st.DataObject, by: str) -> None:
        failure = data.draw(st.sampled_from(self.incident.failures))
        self.heard(said.TryAgain(by=by, effect_id=failure.effect_id))

    # --- programs ---------------------------------------------------------------------------------

    @precondition(lambda self: self.incident.ticket is not None)
    @rule(
        data=st.data(),
        changed=st.sampled_from([("state",), ("priority",), ("state", "priority")]),
        late=st.booleans(),
    )
    def linear_says(self, data: st.DataObject, changed: tuple[str, ...], late: bool) -> None:
        at = self.now - timedelta(hours=2) if late else self.now
        issue = data.draw(linear_issues(data.draw(st.sampled_from(["t1", "s1", "s9"])), at))
        fields = {"issue": issue, "changed": changed, "by": data.draw(st.sampled_from(["Ann", ""]))}
        self.heard(said.TicketTold.model_validate(fields))

    @rule(issue=st.sampled_from(["41", "42"]), late=st.booleans())
    def alert(self, issue: str, late: bool) -> None:
        at = self.now - timedelta(hours=2) if late else self.now
        evidence = Evidence(at=at, source="Sentry alert", text="SHOP-3 fires")
        self.heard(said.AddEvidence(evidence=evidence, issue=issue))

    @rule(issue=st.sampled_from(["41", "42"]), late=st.booleans())
    def seen_again(self, issue: str, late: bool) -> None:
        at = self.now - timedelta(hours=2) if late else self.now
        self.heard(
            said.SeenAgain(
                issue=issue, evidence=Evidence(at=at, source="Sentry alert", text="SHOP-3 fires")
            )
        )

    @rule(version=st.sampled_from(["1.2.0", "1.4.0"]))
    def deployed_by_others(self, version: str) -> None:
        deploy = DeploySeen(
            release=Release(version=version), service="shop", started_at=self.now, source="webhook"
        )
        self.heard(said.DeployedByOthers(deploy=deploy))

    @rule(
        number=st.integers(min_value=1, max_value=3),
        second=st.integers(min_value=1, max_value=9),
        pinned=st.booleans(),
    )
    def message_touched(self, number: int, second: int, pinned: bool) -> None:
        self.heard(
            said.MessageTouched(ts=f"{number}.000100", event_ts=f"{second}.000000", pinned=pinned)
        )

    @precondition(lambda self: self.incident.messages)
    @rule(data=st.data())
    def message_deleted(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.incident.messages)))
        self.heard(said.LiveMessageDeleted(ref=self.incident.messages[name]))

    @rule(minutes=st.sampled_from([1, 30, 90]))
    def time_passes(self, minutes: int) -> None:
        """Without a timer being late: what is due comes first."""
        self.now = min(
            [self.now + timedelta(minutes=minutes), *(t.at for t in self.timers.values())]
        )
        self.now = max(self.now, self.timeline[-1].at)

    # --- timers and effects -----------------------------------------------------------------------

    @precondition(lambda self: self.timers)
    @rule()
    def next_timer(self) -> None:
        self.fire(min(self.timers.values(), key=lambda t: t.at).name)

    @precondition(lambda self: self.pending)
    @rule(data=st.data())
    def effect_fails(self, data: st.DataObject) -> None:
        effect = self.take(data)
        body = wanted.EFFECT.dump_json(effect).decode()
        id = f"INC-0001.{len(self.timeline)}.{len(self.pending)}"
        self.heard(
            said.EffectFailed(
                effect_id=id, kind=effect.type, reason="out of reach", effect=body, at=self.now
            )
        )

    @precondition(lambda self: self.pending)
    @rule(data=st.data())
    def effect_ends(self, data: st.DataObject) -> None:
        effect = self.take(data)
        if isinstance(effect, wanted.Say) and effect.ask == "recovered":
            self.asked = True
        ending = data.draw(endings(effect, self.now))
        if isinstance(effect, wanted.OpenTicket) and isinstance(ending, said.EffectDone):
            self.no_tickets = True
        self.heard(ending)
        if data.draw(st.booleans()):  # delivered twice
            self.heard(data.draw(endings(effect, self.now)))

    def take(self, data: st.DataObject) -> wanted.Effect:
        return self.pending.pop(
            data.draw(st.integers(min_value=0, max_value=len(self.pending) - 1))
        )

    # --- what stays true --------------------------------------------------------------------------

    @invariant()
    def one_action_a_round(self) -> None:
        for round_ in self.incident.rounds:
            if round_.action is not None:
                who = (round_.action.kind.value, round_.action.at.isoformat())
                assert self.actions_seen.setdefault(round_.number, who) == who

    @invariant()
    def never_resolved_without_understanding(self) -> None:
        if self.incident.status is Status.RESOLVED:
            assert self.incident.cause is not None
            assert self.incident.adr is not None
            assert self.incident.recovered_at is not None

    @invariant()
    def the_record_is_small(self) -> None:
        assert len(self.incident.model_dump_json().encode()) <= RECORD_LIMIT_BYTES

    @invariant()
    def rounds_are_numbered(self) -> None:
        assert [r.number for r in self.incident.rounds] == sorted(
            {r.number for r in self.incident.rounds}
        )

    @invariant()
    def there_is_a_way_on(self) -> None:
        if not self.incident.open:
            return
        if self.incident.status is Status.MITIGATING:
            under_way = any(
                isinstance(e, wanted.StartDeploy | wanted.FollowDeploy) for e in self.pending
            )
            assert under_way or "deploy" in self.timers
        else:
            assert isinstance(
                step(self.incident, said.Cancel(by="U0BOB", reason="r"), SHOP, self.now), Change
            )
        if self.incident.status is Status.VERIFYING:
            current = self.incident.round
            assert current is not None
            looking = any(isinstance(e, wanted.LookAgain) for e in self.pending)
            assert looking or "look" in self.timers or current.verdict == "ask a person"

    @invariant()
    def what_people_need_is_there_or_comes(self) -> None:
        incident = self.incident
        if not incident.open:
            return
        assert incident.channel is not None or self.comes(wanted.OpenChannel())
        assert incident.triage is not None or self.comes(wanted.Triage())
        current = incident.round
        if incident.channel is not None:
            assert incident.ticket is not None or self.comes(wanted.OpenTicket()) or self.no_tickets
            assert current is not None or self.comes(wanted.Triage()) or "triage" in self.timers
        if current is not None and incident.channel is not None:
            name = f"decision:{current.number}"
            assert name in incident.messages or self.comes(wanted.PostLive(name=name))
        if (
            current is not None
            and current.verdict == "ask a person"
            and incident.channel is not None
        ):
            assert self.asked or self.comes_question()

    def comes(self, effect: wanted.Effect) -> bool:
        """Return if it is under way or tried again.

        It is under way by itself or on a person's request, or has failed.
        """
        return any(effect.same_as(waiting) for waiting in self.pending) or any(
            effect.same_as(wanted.EFFECT.validate_json(f.effect))
            and f"retry:{f.effect_id}" in self.timers
            for f in self.incident.failures
        )

    def comes_question(self) -> bool:
        waiting = [e for e in self.pending if isinstance(e, wanted.Say) and e.ask == "recovered"]
        return bool(waiting) or any(name.startswith("retry:") for name in self.timers)

    @invariant()
    def one_first_post_to_discord(self) -> None:
        if self.incident.discord_id is None:
            assert sum(isinstance(e, wanted.TellDiscord) for e in self.pending) <= 1

    @invariant()
    def recovered_means_fine(self) -> None:
        status = self.incident.status
        if status in (Status.DECLARED, Status.DECIDING):
            assert self.incident.recovered_at is None
        if status in (Status.MITIGATED, Status.RESOLVED):
            assert self.incident.recovered_at is not None

    @invariant()
    def each_reason_pages_once(self) -> None:
        assert len(set(self.incident.paged)) == len(self.incident.paged)

    @invariant()
    def one_deploy_at_a_time(self) -> None:
        under_way = [
            r
            for r in self.incident.rounds
            if r.action and r.action.result in ("waiting", "running")
        ]
        assert len(under_way) <= 1
        assert ("deploying:shop" in self.claims) == bool(under_way)

    @invariant()
    def who_waits_for_an_update_gets_one(self) -> None:
        waiting = awaits_update(self.incident)
        assert ("update" in self.timers) == waiting  # 11
        assert (self.incident.update_due is not None) == waiting

    @invariant()
    def open_means_claimed(self) -> None:
        assert ("open:shop:production" in self.claims) == self.incident.open

    @invariant()
    def an_end_leaves_nothing_behind(self) -> None:
        if self.incident.open:
            return
        held = {
            key: seconds
            for key, seconds in self.claims.items()
            if not key.startswith(("adr:", "linear:"))
        }
        if self.incident.status is Status.CANCELLED:
            assert held == {}
        else:
            assert set(held.values()) <= {24 * 3600}, held
        for timer in self.timers.values():
            after = step(self.incident, timer.action, SHOP, self.now)
            assert isinstance(after, Change)
            goes_on = AFTERWARDS
            if self.incident.status is not Status.CANCELLED:
                goes_on += (wanted.LookAtMerge,)
            if self.incident.status in (Status.RESOLVED, Status.CLOSED):
                goes_on += (wanted.LookBack,)
            items = wanted.PostLive(name="items")
            still = [e for e in after.effects if not (isinstance(e, goes_on) or items.same_as(e))]
            assert still == [], timer

    @invariant()
    def closed_means_that_nothing_is_left(self) -> None:
        if self.incident.status is Status.CLOSED:
            assert self.incident.resolved_at is not None
            assert self.incident.closed_at is not None
            assert self.incident.adr is not None
            assert "items" not in self.timers

    @invariant()
    def only_recovery_is_looked_back_at(self) -> None:
        if self.incident.status in (
            Status.DECLARED,
            Status.DECIDING,
            Status.CANCELLED,
            Status.CLOSED,
        ):
            assert "guard" not in self.timers  # 13


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=draws(250), stateful_step_count=50)
