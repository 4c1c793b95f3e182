"""Every way in which an effect can end well, for random lives of an incident."""

from __future__ import annotations

from datetime import datetime

from hypothesis import strategies as st

from phases.messages import actions as said
from phases.messages import effects as wanted
from phases.record.documents import Adr, LinearIssue, SubIssue, Ticket
from phases.record.findings import (
    Bisect,
    Choice,
    DeployOutput,
    DeployProof,
    Hypothesis,
    HypothesisKind,
    Investigation,
    Look,
    LookVerdict,
    MergeState,
    Suspect,
    Verdict,
    Word,
)
from phases.record.incident import Channel, MessageRef
from tests.support.values.factories import blast, report


def linear_issues(id: str, now: datetime) -> st.SearchStrategy[LinearIssue]:
    """An issue as Linear may tell of it."""
    return st.builds(
        LinearIssue,
        id=st.just(id),
        state=st.sampled_from(["unstarted", "started", "started", "completed", "canceled"]),
        priority=st.integers(min_value=0, max_value=4),
        at=st.just(now),
    )


def endings(effect: wanted.Effect, now: datetime) -> st.SearchStrategy[said.Action]:
    """Every way in which an effect can end well."""
    done = st.just(said.EffectDone(kind=effect.type))
    match effect:
        case wanted.OpenChannel():
            return st.just(said.ChannelOpened(channel=Channel(id="C1", name="inc-0001-checkout")))
        case wanted.PostLive(name=name):
            return st.just(
                said.MessagePosted(
                    name=name, ref=MessageRef(channel="C1", ts=f"{len(name)}.000100")
                )
            )
        case wanted.AskZone(people=people):
            return st.integers(-12, 14).map(
                lambda hours: said.Zones(offsets=dict.fromkeys(people, hours * 3600))
            )
        case wanted.SetBookmark(name=name):
            return st.one_of(done, st.just(said.BookmarkSet(name=name, id="Bk1")))
        case wanted.ArchiveChannel():
            return st.one_of(
                done, st.sampled_from([said.ChannelArchived(channel="C1"), said.PutOffArchive()])
            )
        case wanted.Remind(who=who):
            return st.sampled_from(
                [said.EffectDone(kind=effect.type), said.PeopleLeft(people=(who,))]
            )
        case wanted.Invite(people=people):
            return st.just(said.Invited(people=people))
        case wanted.Triage():
            choices = st.sampled_from(Choice)
            words = st.sampled_from(Word)
            return st.builds(
                lambda c, u, f: said.Triaged(report=report(c, at=now, blast=blast(u, f))),
                choices,
                words,
                words,
            )
        case wanted.LookUpIssues(short_ids=ids):
            return st.sampled_from(
                [
                    said.IssuesLookedUp(issues=("42",), short_ids=ids[0]),
                    said.IssuesLookedUp(lost=ids),
                ]
            )
        case wanted.Investigate():
            hypothesis = Hypothesis(
                id="H1",
                kind=HypothesisKind.RELEASE,
                says="1.3.0 broke it",
                verdict=Verdict.SUPPORTED,
                found="x",
            )
            return st.sampled_from(
                [
                    said.Investigated(
                        investigation=Investigation(
                            hypotheses=(hypothesis,), good="1.2.0", bad="1.3.0"
                        )
                    ),
                    said.Investigated(investigation=Investigation()),
                ]
            )
        case wanted.StartBisect(bisect_id=id) | wanted.FollowBisect(bisect_id=id):
            culprit = Suspect(sha="a" * 40, author="Mara", subject="simplify tax")
            states = ["running", "found", "cannot tell", "failed", "cancelled"]
            return st.sampled_from(states).map(
                lambda s: said.BisectMoved(
                    bisect=Bisect.model_validate(
                        {
                            "id": id,
                            "good": "1.2.0",
                            "bad": "1.3.0",
                            "state": s,
                            "culprit": culprit if s == "found" else None,
                        }
                    )
                )
            )
        case wanted.Revert(pull_request=pull):
            return st.just(
                said.RevertPrepared(pull_request=pull, url="https://github.com/acme/shop/pull/8")
            )
        case wanted.StartDeploy(deploy_id=id):
            return st.sampled_from(
                [
                    said.DeployStarted(deploy_id=id),
                    said.DeployNotStarted(
                        deploy_id=id, running="1.2.9", reason="1.2.9 runs by now"
                    ),
                    said.DeployNotStarted(deploy_id=id, reason="no such tag"),
                ]
            )
        case wanted.FollowDeploy(deploy_id=id):
            proof = DeployProof(before="1.3.0", after="1.2.0", started_at=now, finished_at=now)
            printed = DeployOutput(lines=("checkout", "0123456789" * 270), cut=True)
            ends = [
                said.DeployFinished.model_validate({"deploy_id": id, "result": r, "proof": proof})
                for r in ("done", "failed", "unknown")
            ]
            return st.sampled_from(
                [*ends, said.DeployProgressed(deploy_id=id, lines=("checkout",), output=printed)]
            )
        case wanted.MergePullRequest(round=number, commit=commit):
            return st.sampled_from(
                [
                    said.MergeSeen(round=number, state=MergeState(merged=True, head=commit)),
                    said.MergeRefused(round=number, reason="its checks are still running"),
                ]
            )
        case wanted.LookAtMerge(round=number):
            heads = st.sampled_from([None, "a" * 40, "b" * 40])
            states = st.builds(MergeState, merged=st.booleans(), closed=st.booleans(), head=heads)
            return st.builds(said.MergeSeen, round=st.just(number), state=st.none() | states)
        case wanted.LookAgain(round=number, number=look, minute=minute):
            counted = {"number": look, "minute": minute, "at": now}
            return st.sampled_from(LookVerdict).map(
                lambda v: said.Looked(round=number, look=Look(**counted, verdict=v))
            )
        case wanted.LookBack(look=look):
            outcome = st.sampled_from(
                ["back", "fires", "quiet", "cannot tell", "not asked", "not set up"]
            )
            return st.builds(
                said.GuardLooked,
                look=st.just(look),
                at=st.just(now),
                outcome=outcome,
                minutes=st.just(15.0),
            )
        case wanted.OpenTicket():
            url = "https://linear.example.com/ENG-1"
            ticket = Ticket(
                id="t1",
                identifier="ENG-1",
                url=url,
                state="started",
                state_at=now,
                priority=1,
                priority_at=now,
            )
            known = Ticket(id="t0", identifier="ENG-12", url="https://linear.example.com/ENG-12")
            opened = st.sampled_from(
                [said.TicketOpened(ticket=ticket), said.TicketOpened(ticket=ticket, parent=known)]
            )
            return st.one_of(done, opened)
        case wanted.SyncTicket() | wanted.CloseTicket():
            issues = linear_issues("t1", now)
            synced = st.builds(
                said.TicketSynced,
                issue=issues,
                wrote=st.sampled_from([(), ("state",), ("state", "priority")]),
                kind=st.just(effect.type),
            )
            return st.one_of(synced, issues.map(lambda i: said.TicketLooked(issues=(i,))))
        case wanted.LookAtTicket():
            return linear_issues("t1", now).map(lambda i: said.TicketLooked(issues=(i,)))
        case wanted.OpenItems():
            made = SubIssue(
                id="s1",
                identifier="ENG-2",
                url="https://linear.example.com/ENG-2",
                state="unstarted",
            )
            return st.just(said.ItemsOpened(issues={1: made}))
        case wanted.SyncItem(number=number):
            return linear_issues("s1", now).map(lambda i: said.ItemSynced(number=number, issue=i))
        case wanted.TellDiscord():
            return st.just(said.DiscordPosted(id="9"))
        case wanted.ReadMessage(ts=ts, seen=event_ts):
            texts = st.sampled_from(["", "db-2 is full", "db-2 was full"])
            return texts.map(
                lambda text: said.MessageRead(
                    ts=ts, event_ts=event_ts, at=now, text=text, by="U0BOB"
                )
            )
        case wanted.Page(key=key):
            return st.just(said.Paged(key=key, via="PagerDuty"))
        case wanted.NumberAdr():
            return st.just(said.AdrNumbered(repository="/srv/shop/docs/adr", number=2))
        case wanted.WriteAdr(number=number):
            return st.just(
                said.AdrWritten(adr=Adr(number=number, path="docs/adr/0002-inc-0001.md"))
            )
        case _:
            return done
