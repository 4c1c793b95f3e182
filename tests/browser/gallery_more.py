"""Views that are seen less often.

They are past incidents, reminders, lists, odd ends of a round, questions, refusals, and a whole
story's messages.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

from handlers import views
from handlers.views import correction, history, merge_and_reopen, notes
from handlers.views.blocks import Message, View
from phases.memory.trends import Trends, trends
from phases.messages import actions as said
from phases.messages import effects as wanted
from phases.mitigation.decision import under_way_text
from phases.postmortem.proofs import proofs
from phases.record.documents import ActionItem, Adr, Contradiction, SubIssue
from phases.record.findings import (
    Bisect,
    Choice,
    Confidence,
    Investigation,
    Look,
    LookVerdict,
    MergeState,
    Recommendation,
    Release,
    Suspect,
    TriageReport,
)
from phases.record.going_back import Likelihood, Quote, TakenBack
from phases.record.incident import (
    ActionKind,
    Channel,
    Entry,
    Incident,
    Merge,
    Round,
    RoundAction,
    Severity,
    Status,
)
from phases.record.memories import PastIncident
from phases.record.timeline import shown_timeline
from tests.support.bots.story import Story, mitigated, verifying
from tests.support.values.factories import (
    BAD,
    FIX,
    GOOD,
    NOW,
    TICKET,
    blast,
    deploy_seen,
    evidence,
    incident,
    look,
    nothing_unusual,
    one_feature,
    report,
    service,
)
from tests.support.values.factories import postmortem as written
from tests.support.values.flagged import TURN_OFF, flagged

SHOP = service()
SWITCHED = SHOP.model_copy(update={"turn_off": TURN_OFF})
CHANNEL = Channel(id="C0GENERAL", name="inc-0001-checkout")
PULL = Release(version="hotfix #12@aaaaaaa", commit="a" * 40)
ADR = Adr(number=7, path="docs/adr/0007-x.md", url="https://github.com/acme/shop/pull/31")


def turning_off(measured: TriageReport) -> Round:
    return Round(number=1, opened_at=NOW, why="triage", recommendation=measured.recommendation)


# --- looking back ---------------------------------------------------------------------------------


def past_one(number: int, month: int = 10, **fields: Any) -> PastIncident:
    given: dict[str, Any] = {
        "id": f"INC-{number:04d}",
        "service": "shop",
        "at": datetime(2026, month, 1 + number % 27, 9, tzinfo=NOW.tzinfo),
        "title": "checkout is failing",
        "cause": "v1.3.0 rounds tax rates to whole numbers",
        "cause_kind": "release",
        "action": "rolled back to 1.2.0",
        "tried": ("rollback",),
        "worked": "rollback",
        "minutes": 9,
        "impact_minutes": 12,
        "severity": 1,
        "features": ("payment",),
        "file": "shop/pay.py",
        "detect_seconds": 70,
        "decide_seconds": 130,
        "recover_seconds": 540,
        "items_total": 3,
        "open_items": 1,
        "adr": f"ADR-{number:04d}",
        "adr_url": "https://github.com/acme/shop/pull/31",
    }
    return PastIncident.model_validate({**given, **fields})


YEAR = (
    past_one(42, 11),
    past_one(
        41, 11, service="search", title="search is slow", file="", cause_kind="data", severity=3
    ),
    past_one(
        40,
        10,
        action="",
        tried=(),
        worked="",
        minutes=None,
        cause="",
        cause_kind="",
        adr=None,
        open_items=0,
    ),
    past_one(39, 10, service="mail", drill=True, title="practise a rollback"),
    past_one(
        38,
        9,
        action="rolled back to 1.1.0; then shipped hotfix #12",
        tried=("rollback", "hotfix"),
        worked="hotfix",
    ),
    past_one(37, 8, private=True, title="private incident", cause="", action=""),
    past_one(36, 7, service="search", file="search/index.py", cause_kind="dependency", severity=2),
    past_one(35, 6),
)


def ten_thousand() -> Trends:
    """A big house: thirty services, ten thousand incidents, a tenth of them drills."""
    names = [f"service-{n:02d}" for n in range(30)]
    every = [
        past_one(
            n,
            6 + n % 6,
            service=names[n % 30 if n % 3 else n % 7],
            file=f"{names[n % 30]}/main.py",
            features=(f"feature {n % 11}",),
            drill=n % 10 == 0,
            impact_minutes=n % 90,
        )
        for n in range(1, 10_001)
    ]
    return trends(every, NOW)


def monthly_trends() -> dict[str, Message]:
    later = [past_one(n) for n in range(25, 0, -1)]
    return {
        "history": history.history(YEAR, "", {"INC-0037": "a key was in a public log"}),
        "history-page": history.history(later, "shop", {}, start=10, more=True),
        "history-none": history.history([], "mail", {}),
        "trends": history.trends(trends(YEAR, NOW)),
        "trends-one": history.trends(trends(YEAR[:1], NOW)),
        "trends-drills": history.trends(trends(YEAR[3:4], NOW)),
        "trends-none": history.trends(trends([], NOW)),
        "trends-10000": history.trends(ten_thousand()),
        "trends-post": history.trends(trends(YEAR, NOW, upto=1), post=True),
        "trends-post-quiet": history.trends(
            trends(YEAR, NOW + timedelta(days=40), upto=1), post=True
        ),
    }


# --- after the end --------------------------------------------------------------------------------

ENG = SubIssue(id="t2", identifier="ENG-2", url="https://linear.example.com/ENG-2")
ITEMS = (
    ActionItem(
        kind="tests",
        text="A test with an empty tax table",
        owner="<@U0ALICE>",
        due=date(2026, 11, 18),
    ),
    ActionItem(
        kind="monitors",
        text="Alert on rates of zero",
        owner="<@U0BOB>",
        due=date(2026, 12, 1),
        ticket=ENG,
    ),
    ActionItem(
        kind="gates", text="Prices are compared before a deploy", done=True, settled_by="<@U0BOB>"
    ),
    ActionItem(
        kind="gates", text="Two people look at a tax table", dropped=True, settled_by="Dana"
    ),
    ActionItem(kind="tests", text="Ask finance for a second table", owner="finance"),
)


UNFIT = (
    Contradiction(
        rule="recovery before action",
        part="timeline",
        says="Recovery at 03:02 comes before the action at 03:06: “Errors stopped”, then "
        "“rolled back to 1.2.0”.",
        key="a",
    ),
    Contradiction(
        rule="never done",
        part="item_2",
        says="Action item 2, “Improve monitoring”: how will anyone know it is done?",
        key="b",
    ),
    Contradiction(
        rule="blame",
        part="tests",
        says="“Bob forgot to run the migration” blames a person. What made it possible?",
        key="c",
        kept_by="U0ALICE",
        kept_at=NOW,
    ),
)


def resolved(**fields: Any) -> Incident:
    given: dict[str, Any] = {
        "status": Status.RESOLVED,
        "adr": ADR,
        "postmortem": written(items=ITEMS),
        "recovered_at": NOW + timedelta(minutes=12),
    }
    return incident(**{**given, **fields})


def after_the_end() -> dict[str, Message]:
    last = (ITEMS[0].model_copy(update={"due": None}), *ITEMS[2:4])
    settled = tuple(
        i.model_copy(update={"done": True, "settled_by": "<@U0ALICE>"}) for i in ITEMS[:2]
    )
    return {
        "items": views.items(resolved()),
        "items-last": views.items(resolved(postmortem=written(items=last))),
        "items-closed": views.items(
            resolved(status=Status.CLOSED, postmortem=written(items=settled))
        ),
        "items-burns-again": views.items(resolved(status=Status.DECIDING)),
        "contradictions": views.contradictions(resolved(contradictions=UNFIT)),
        "contradictions-settled": views.contradictions(resolved(contradictions=UNFIT[2:])),
        "overdue": views.overdue(resolved(), (1,), NOW.date(), mention="U0ALICE"),
        "status-closed": views.status(resolved(status=Status.CLOSED), NOW, SHOP),
        "status-month-later": views.status(
            resolved(status=Status.CLOSED, shrunk_at=NOW), NOW, SHOP
        ),
        "announcement-resolved": views.announcement(resolved(channel=CHANNEL)),
        "lifecycle-reopen-beside": merge_and_reopen.reopen_beside(
            resolved(), incident(id="INC-0007", number=7)
        ),
        "lifecycle-merge": merge_and_reopen.which_goes_on(
            deciding(channel=CHANNEL), incident(id="INC-0002", number=2, title="nobody can pay")
        ),
        "lifecycle-merge-three": merge_and_reopen.which_goes_on(
            deciding(channel=CHANNEL),
            incident(id="INC-0002", number=2, title="nobody can pay"),
            incident(id="INC-0003", number=3, title="search is slow"),
        ),
        "lifecycle-which-parts": merge_and_reopen.which_parts(
            deciding(channel=CHANNEL), [resolved(id="INC-0002", number=2, title="search is slow")]
        ),
        "lifecycle-both-over": merge_and_reopen.which_goes_on(
            resolved(), resolved(id="INC-0002", number=2)
        ),
    }


# --- odd ends of a round --------------------------------------------------------------------------


def deciding(**fields: Any) -> Incident:
    measured = fields.pop("triage", report())
    round_ = Round(number=1, opened_at=NOW, why="triage", recommendation=measured.recommendation)
    given: dict[str, Any] = {
        "status": Status.DECIDING,
        "triage": measured,
        "rounds": (round_,),
        "ticket": TICKET,
        "severity": Severity.SEV1,
    }
    return incident(**{**given, **fields})


def acted(
    status: Status = Status.DECIDING, round_fields: dict[str, Any] | None = None, **action: Any
) -> Incident:
    given: dict[str, Any] = {
        "kind": ActionKind.ROLLBACK,
        "by": "U0ALICE",
        "at": NOW,
        "from_release": BAD,
        "to_release": GOOD,
        "started_at": NOW,
        "result": "done",
    }
    before = deciding()
    round_ = before.rounds[0].model_copy(
        update={"action": RoundAction.model_validate({**given, **action}), **(round_fields or {})}
    )
    return before.model_copy(update={"rounds": (round_,), "status": status})


def shipped(release: Release, state: MergeState | None = None) -> Incident:
    merge = Merge(state=state) if state else None
    merged = acted(Status.MITIGATED, kind=ActionKind.HOTFIX, to_release=release, merge=merge)
    return merged.model_copy(update={"recovered_at": NOW + timedelta(minutes=9)})


def second_round() -> Incident:
    first = acted(
        round_fields={"verdict": "not recovered", "looks": (look(LookVerdict.NOT_RECOVERED),)},
        finished_at=NOW,
    )
    second = Round(
        number=2,
        opened_at=NOW,
        why="not better after the rollback to 1.2.0",
        recommendation=Recommendation(
            choice=Choice.INVESTIGATE,
            reasons=("Trouble began 3 min after 1.3.0 was deployed.",),
            against=("1.2.0 was rolled back to in this incident, and it did not help.",),
            brakes=("This incident rolled back already.",),
            offer_rollback=False,
        ),
    )
    return first.model_copy(update={"rounds": (*first.rounds, second), "rolled_back": ("1.3.0",)})


def braked() -> Incident:
    recommended = Recommendation(
        choice=Choice.INVESTIGATE,
        reasons=("Trouble began 3 min after 1.3.0 was deployed.",),
        brakes=(
            "migrations/0042_tax.sql changed between 1.2.0 and 1.3.0: going back may lose data.",
        ),
        loud=True,
        offer_rollback=False,
        suspect=BAD,
    )
    return deciding(
        triage=report(recommendation=recommended, notes=("Linear was not asked for known fixes.",))
    )


def going_back() -> Incident:
    """A rollback that takes back more than what brought the trouble, and that people warned of."""
    taken = TakenBack(
        since="1.2.0",
        commits=12,
        pull_requests=6,
        names=(
            "Round the tax to cents (#41)",
            "Faster search (#40)",
            "Carts keep their coupons (#39)",
            "New footer (#38)",
            "Retry the mail (#36)",
        ),
        fixes=("INC-0031 (fix/tax)",),
        security=("Bump jinja2 for CVE-2024-56326 (#37)",),
        one_way=("migrations/0042_drop_tax.sql",),
        oldest_schema="migrations/0041_tax.sql and 1 later migration",
    )
    measured = report()
    recommended = measured.recommendation.model_copy(
        update={
            "choice": Choice.INVESTIGATE,
            "likely": Likelihood.LIKELY,
            "points_to": ("1.3.0 changed the function that fails, in shop/pay.py.",),
            "points_away": ("The errors are older than 1.3.0.",),
            "written": (
                Quote(
                    text="Do not roll back, 0042 drops a column", where="the timeline", by="U0BOB"
                ),
                Quote(text="irreversible migration", where="the report", by="U0ALICE"),
            ),
            "brakes": (
                "The timeline says “Do not roll back, 0042 drops a column”.",
                "Going back takes back the fix for INC-0031 (fix/tax).",
            ),
            "takes_back": taken,
            "loud": True,
        }
    )
    return deciding(triage=report(recommendation=recommended))


EXPIRED = "The failure is a rejected certificate, and 1.3.0 changed no code in its stack."


def innocent() -> Incident:
    """A deploy is near, and a rollback would probably not end it."""
    recommended = report().recommendation.model_copy(
        update={
            "choice": Choice.INVESTIGATE,
            "likely": Likelihood.UNLIKELY,
            "reasons": (
                "37 users, 2 features: payment and cart.",
                "Trouble began 2026-11-22 02:58 UTC, 3 min after 1.3.0 was deployed.",
                f"A rollback would probably not end it. {EXPIRED}",
            ),
            "points_to": ("Trouble began 2026-11-22 02:58 UTC, 3 min after 1.3.0 was deployed.",),
            "points_away": (
                EXPIRED,
                "All of it is in one region, eu-west; 2 others do not fail.",
            ),
            "takes_back": TakenBack(since="1.2.0", commits=1, names=("New footer",)),
        }
    )
    return deciding(triage=report(recommendation=recommended))


def everything_at_once() -> Incident:
    """The longest pinned status that is likely."""
    base = shipped(PULL)
    return base.model_copy(
        update={
            "description": (
                "Card payments in eu-west end in a white page. Started with the release of this "
                "morning."
            ),
            "latest_update": (
                "Card payments work again; vouchers are still slow. We watch it for another half "
                "an hour."
            ),
            "adr": ADR,
            "severity": Severity.SEV1,
            "lead": "U0BOB",
            "channel": CHANNEL,
        }
    )


def odd_ends() -> dict[str, Message]:
    hotfix, branch = shipped(PULL), shipped(FIX)
    closed = shipped(PULL, MergeState(closed=True, head="b" * 40))
    bare = service(deployer=None, deploy=None)
    unknown = acted(result="unknown", reason="the deploy's process is gone")
    inferred = blast(
        inferred=True, user_count=None, sentences=("No user on the events: many, by two regions.",)
    )
    drill = deciding(drill=True, title="DRILL: practise a rollback", lead=None)
    private = deciding(private=True, channel=CHANNEL, title="a key was in a public log")
    cancelled = incident(
        status=Status.CANCELLED, cancel_reason="load test, no real users", cancelled_at=NOW
    )
    doubtful = report(blast=blast(confidence=Confidence.LOW, user_count=3))
    culprit = Suspect(
        sha="c0ffee1234567",
        subject="Round rates to whole numbers",
        author="Dana",
        at=NOW - timedelta(hours=2),
        pull_request="https://github.com/acme/shop/pull/7",
    )
    near = {"confidence": 0.3, "reasons": ("changes code near shop/pay.py:41",)}
    nearest = culprit.model_copy(update=near)
    too_late = under_way_text(acted(result="running"))
    fallen = Look(
        number=1,
        minute=3,
        at=NOW,
        verdict=LookVerdict.TOO_FEW,
        minutes=2,
        unchanged=25,
        traffic=0.31,
    )
    watched = acted(Status.VERIFYING, {"glance": fallen})
    running = Bisect(id="b", good="1.2.0", bad="1.3.0", step=2, steps=5, state="running")
    return {
        "decision-hotfix-done": views.decision(hotfix, NOW, SHOP, 1),
        "decision-watched": views.decision(watched, NOW, SHOP, 1),
        "decision-fixed": views.decision(
            acted(
                Status.VERIFYING,
                kind=ActionKind.FIXED,
                sentence="flag new-pricing switched off",
                started_at=None,
            ),
            NOW,
            SHOP,
            1,
        ),
        "decision-unknown": views.decision(unknown, NOW, SHOP, 1),
        "decision-break-glass": views.decision(
            acted(Status.VERIFYING, break_glass="No owner answers since ten minutes"), NOW, SHOP, 1
        ),
        "decision-not-helped": views.decision(second_round(), NOW, SHOP, 1),
        "decision-second": views.decision(second_round(), NOW, SHOP, 2),
        "decision-braked": views.decision(braked(), NOW, SHOP, 1),
        "decision-takes-back": views.decision(going_back(), NOW, SHOP, 1),
        "decision-innocent-release": views.decision(innocent(), NOW, SHOP, 1),
        "decision-investigating": views.decision(
            deciding(rounds=(deciding().rounds[0].model_copy(update={"investigate_by": "U0BOB"}),)),
            NOW,
            SHOP,
            1,
        ),
        "decision-inferred": views.decision(deciding(triage=report(blast=inferred)), NOW, SHOP, 1),
        "decision-doubtful": views.decision(deciding(triage=doubtful), NOW, SHOP, 1),
        "decision-no-deployer": views.decision(deciding(), NOW, bare, 1),
        "decision-drill": views.decision(drill, NOW, SHOP, 1),
        "decision-turn-off": views.decision(
            deciding(triage=flagged(), rounds=(turning_off(flagged()),)), NOW, SWITCHED, 1
        ),
        "decision-turn-off-by-hand": views.decision(
            deciding(triage=flagged(), rounds=(turning_off(flagged()),)), NOW, SHOP, 1
        ),
        "status-turn-off": views.status(
            deciding(triage=flagged(), rounds=(turning_off(flagged()),)), NOW, SWITCHED
        ),
        "decision-cancelled": views.decision(
            deciding(status=Status.CANCELLED, cancel_reason="load test", cancelled_at=NOW),
            NOW,
            SHOP,
            1,
        ),
        "decision-gone": views.decision(deciding(), NOW, SHOP, 9),
        "decision-ask-a-person": views.decision(
            acted(
                Status.VERIFYING, {"verdict": "ask a person", "looks": (look(LookVerdict.TOO_FEW),)}
            ),
            NOW,
            SHOP,
            1,
        ),
        "decision-sentry-away": views.decision(
            acted(Status.VERIFYING, {"looks": (look(LookVerdict.UNREACHABLE),)}), NOW, SHOP, 1
        ),
        "status-hotfix": views.status(hotfix, NOW, SHOP),
        "status-hotfix-branch": views.status(branch, NOW, SHOP),
        "status-hotfix-closed": views.status(closed, NOW, SHOP),
        "status-everything": views.status(everything_at_once(), NOW, SHOP),
        "status-drill": views.status(drill, NOW, SHOP),
        "status-private": views.status(private, NOW, SHOP),
        "status-cancelled": views.status(cancelled, NOW, SHOP),
        "status-second-round": views.status(second_round(), NOW, SHOP),
        "status-beside": views.status(deciding(else_reason="INC-0003"), NOW, SHOP),
        "status-sentry-silent": views.status(incident(triage_overdue=True), NOW, SHOP),
        "answer-status": notes.with_proofs(views.status(deciding(), NOW, SHOP), proofs(deciding())),
        "announcement-new": views.announcement(deciding(channel=CHANNEL)),
        "announcement-private": views.announcement(private),
        "announcement-cancelled": views.announcement(cancelled),
        "announcement-in-thread": views.announcement(
            deciding(channel=Channel(id="C0GENERAL", name="incidents", thread_ts="1.2"))
        ),
        "announcement-drill": views.announcement(drill),
        "output-gone": views.progress(deciding(), 1),
        "tree-bisecting": views.tree(deciding(bisect=running, investigating=True)),
        "tree-revert": views.tree(deciding(suspects=(culprit,)), reverts=True),
        "tree-nearest": views.tree(deciding(investigation=Investigation(nearest=nearest))),
        "tree-empty": views.tree(deciding(triage=nothing_unusual())),
        "evidence-none": views.evidence(deciding()),
        "topic": notes.note(views.topic(deciding())),
        "too-late": notes.note(too_late),
    }


# --- answers to one person ------------------------------------------------------------------------


def answers() -> dict[str, Message]:
    beside = incident(id="INC-0007", number=7, channel=CHANNEL)
    shown = {
        "answer-there": notes.goes_on_there(beside, noted=True),
        "answer-declared": notes.declared(incident(channel=CHANNEL)),
        "answer-in-thread": notes.declared(
            incident(channel=Channel(id="C0GENERAL", name="incidents", thread_ts="1.2"))
        ),
        "answer-lacking": notes.lacking(
            mitigated().record, mitigated().refuses(said.Resolve(by="U0ALICE")).text
        ),
    }
    return shown | {f"refused-{name}": notes.note(text) for name, text in refusals().items()}


def refusals() -> dict[str, str]:
    """Refusals as the rules say them."""
    over, running = mitigated(), Story().opened().measured().rolled_back()
    guest = Story(service(owners=("U0BOB",))).opened().measured()
    rollback = said.DecideRollback(by="U0CAROL", round=1, target=GOOD, running=BAD)
    return {
        "second-click": running.refuses(rollback).text,
        "over": over.refuses(rollback).text,
        "cancel-while-deploying": running.refuses(
            said.Cancel(by="U0ALICE", reason="a mistake")
        ).text,
        "empty-cancel": running.refuses(said.Cancel(by="U0ALICE", reason="")).text,
        "nothing-to-check": guest.refuses(said.RecheckNow(by="U0ALICE")).text,
        "leads-already": guest.refuses(said.TakeLead(by="U0ALICE", lead="U0ALICE")).text,
        "reopen-open": guest.refuses(said.Reopen(by="U0ALICE")).text,
    }


# --- what the channel hears -----------------------------------------------------------------------


def heard(story: Story) -> list[Message]:
    """The last action's messages in the channel."""
    return [views.say(effect, story.record) for effect in story.wants(wanted.Say)]


def sentences() -> dict[str, Message]:
    """The channel's messages, made by the rules themselves along a few stories."""
    shown: dict[str, Message] = {}

    def take(name: str, story: Story) -> None:
        shown.update({f"said-{name}-{n}": message for n, message in enumerate(heard(story), 1)})

    first = verifying()
    take("deployed", first)
    first.recovered()
    take("recovered", first)
    drilled = Story(None, drill=True).opened().measured().rolled_back()
    drilled.recovered()
    take("drill-recovered", drilled)
    first.say(said.PostmortemDue(), after=90_000)
    take("postmortem-due", first)
    first.say(said.PostmortemDue(), after=300_000)
    take("postmortem-due-again", first)
    first.say(said.NameCause(by="U0BOB", text="1.3.0 rounds tax rates to whole numbers"))
    take("cause", first)
    first.written()
    take("resolved", first)
    first.say(said.MarkItem(by="U0BOB", number=1))
    take("closed", first)
    worse = verifying()
    worse.looked(LookVerdict.NOT_RECOVERED)
    take("not-clean", worse)
    worse.looked(LookVerdict.NOT_RECOVERED)
    take("not-recovered", worse)
    few = verifying()
    few.looked(LookVerdict.TOO_FEW)
    few.looked(LookVerdict.TOO_FEW)
    take("too-few", few)
    away = verifying()
    away.looked(LookVerdict.UNREACHABLE)
    take("sentry-away", away)
    failed = (
        Story()
        .opened()
        .measured()
        .rolled_back()
        .deployed("failed", "exit 1: the health check did not answer")
    )
    take("failed", failed)
    late = Story().opened().measured(one_feature())
    late.fires("update")
    take("update-due", late)
    broken = Story().opened().measured()
    broken.fails(wanted.OpenTicket(), "Linear: no such team")
    take("ticket-failed", broken)
    broken.say(said.AddEvidence(evidence=evidence()))
    take("evidence", broken)
    broken.say(said.DeployedByOthers(deploy=deploy_seen()))
    take("foreign-deploy", broken)
    broken.say(said.Cancel(by="U0ALICE", reason="load test, no real users"))
    take("cancelled", broken)
    return shown


def messages() -> dict[str, Message]:
    return monthly_trends() | after_the_end() | odd_ends() | answers() | sentences()


__all__: Sequence[str] = ("messages",)


def _correction(of: str, by: str, text: str = "", to: datetime | None = None) -> Entry:
    return Entry(at=NOW, kind="correction", text=text, by=by, corrects=of, moved_to=to)


CORRECTED = shown_timeline(
    (
        Entry(at=NOW, kind="declared", text="Sentry alert SHOP-3: checkout is failing"),
        Entry(at=NOW + timedelta(minutes=2), kind="pin", text="All fine again", by="U0BOB"),
        Entry(
            at=NOW + timedelta(minutes=4),
            kind="lead",
            text="<@U0BOB> leads, in place of <@U0ALICE>",
            by="U0BOB",
        ),
        _correction("1", "U0ALICE", to=NOW + timedelta(minutes=9)),
        _correction("1", "U0CAROL", "Carts work again, payment does not"),
    ),
    {},
)


def corrections(of: Incident) -> dict[str, View]:
    """Which entry, the form, and the form of somebody who was not the only one."""
    names, pin = {"U0ALICE": "alice", "U0BOB": "bob"}, CORRECTED[-1]
    entered = correction.Entered(
        "Carts work again", NOW + timedelta(minutes=8), "*Changed while you wrote:* it is fine now."
    )
    again = {"names": correction.told_apart(names), "edition": 2}
    return {
        "form-correct-which": correction.which(of, CORRECTED, {}, names, 3600),
        "form-correct": correction.correction(of, CORRECTED[1], {"names": names}),
        "form-correct-again": correction.correction(of, pin, again, entered),
    }
