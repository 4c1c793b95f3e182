"""An incident as a test tells it.

Every action goes through the one table, and its results can be asked for.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal, TypeVar

from phases.messages import actions as said
from phases.messages import effects as wanted
from phases.record.documents import Adr
from phases.record.findings import DeployProof, LookVerdict, Release, TriageReport
from phases.record.incident import Channel, Entry, Incident, MessageRef
from phases.record.service import Service
from phases.shared.change import Change, Refused, Timer
from phases.workflow import step
from tests.support.values.factories import (
    BAD,
    FIX,
    GOOD,
    NOW,
    TICKET,
    declare,
    look,
    postmortem,
    report,
    service,
)

E = TypeVar("E", bound=wanted.Effect)
Found = Literal["back", "fires", "quiet", "cannot tell", "not asked", "not set up"]


class Story:
    """An incident declared at 03:02.

    `last` holds the results of the last action; timers and claims are the present ones.
    """

    def __init__(self, of: Service | None = None, /, **declared: object) -> None:
        self.service = of or service()
        self.now: datetime = NOW
        self.timers: dict[str, Timer] = {}
        self.claims: dict[str, int | None] = {}
        self.timeline: list[Entry] = []
        self.incident: Incident | None = None
        self.say(declare(**declared), after=0)

    # --- telling ----------------------------------------------------------------------------------

    def say(self, action: said.Action, *, after: float = 1) -> Change:
        """Said `after` seconds; fails where it is refused."""
        answer = self._step(action, after)
        assert isinstance(answer, Change), answer.text
        self.last = answer
        self.incident = Incident.model_validate_json(answer.incident.model_dump_json())
        self.timeline += answer.entries
        for name in answer.cancels:
            self.timers.pop(name, None)
        self.timers |= {timer.name: timer for timer in answer.timers}
        for key in answer.releases:
            self.claims.pop(key, None)
        self.claims |= {claim.key: claim.seconds for claim in answer.claims}
        return answer

    def refuses(self, action: said.Action, *, after: float = 1) -> Refused:
        answer = self._step(action, after)
        assert isinstance(answer, Refused), answer
        return answer

    def _step(self, action: said.Action, after: float) -> Change | Refused:
        self.now += timedelta(seconds=after)
        return step(self.incident, action, self.service, self.now)

    def fires(self, name: str) -> Change:
        """The timer of this name is due."""
        timer = self.timers.pop(name)
        self.now = max(self.now, timer.at)
        return self.say(timer.action, after=0)

    def fails(
        self, effect: wanted.Effect, reason: str = "out of reach", id: str = "INC-0001.9.1"
    ) -> Change:
        body = wanted.EFFECT.dump_json(effect).decode()
        return self.say(
            said.EffectFailed(
                effect_id=id, kind=effect.type, reason=reason, effect=body, at=self.now
            )
        )

    # --- the usual way, a step a method -----------------------------------------------------------

    def opened(self) -> Story:
        """Channel, status, ticket and Discord are there."""
        self.say(said.ChannelOpened(channel=Channel(id="C1", name="inc-0001-checkout")))
        self.posted("status")
        self.say(said.TicketOpened(ticket=TICKET))
        self.say(said.DiscordPosted(id="9"))
        return self

    def posted(self, name: str) -> Change:
        return self.say(
            said.MessagePosted(name=name, ref=MessageRef(channel="C1", ts=f"{len(name)}.000100"))
        )

    def measured(self, triage: TriageReport | None = None) -> Story:
        self.say(said.Triaged(report=triage or report()))
        if self.record.round and f"decision:{self.record.round.number}" not in self.record.messages:
            self.posted(f"decision:{self.record.round.number}")
        return self

    def rolled_back(
        self, by: str = "U0ALICE", *, running: Release | None = BAD, forward: bool = False
    ) -> Story:
        """Decided; the deploy is not started yet."""
        self.say(
            said.DecideRollback(
                by=by, round=self.round, target=GOOD, running=running, forward=forward
            )
        )
        return self

    def hotfixed(self, by: str = "U0ALICE", *, forward: bool = False) -> Story:
        self.say(said.DecideHotfix(by=by, round=self.round, fix=FIX, running=GOOD, forward=forward))
        return self

    def deployed(self, result: str = "done", reason: str = "") -> Story:
        """Started, and ended after 12 s."""
        self.say(said.DeployStarted(deploy_id=self.deploy))
        current = self.record.round
        assert current is not None
        assert current.action is not None
        before, after = current.action.from_release, current.action.to_release
        proof = DeployProof(
            before=before.version if before else None, after=after.version if after else None
        )
        ended = {"deploy_id": self.deploy, "result": result, "proof": proof, "reason": reason}
        self.say(said.DeployFinished.model_validate(ended), after=12)
        return self

    def looked(self, verdict: LookVerdict, number: int | None = None) -> Change:
        """The look that is due (or the asked one, number 0) comes back with this."""
        if number is None:
            action = self.timers["look"].action
            assert isinstance(action, said.LookDue)
            number = action.number
            self.fires("look")
        return self.say(said.Looked(round=self.round, look=look(verdict, number, at=self.now)))

    def recovered(self) -> Story:
        self.looked(LookVerdict.RECOVERED)
        return self

    def written(self) -> Story:
        """The post-mortem is submitted, numbered and written."""
        self.say(said.SubmitPostmortem(postmortem=postmortem()))
        self.say(said.AdrNumbered(repository="/srv/shop/docs/adr", number=2))
        self.say(said.AdrWritten(adr=Adr(number=2, path="docs/adr/0002-inc-0001.md")))
        return self

    def rings(
        self,
        alarm: said.SeenAgain | said.AddEvidence,
        outcome: Found = "back",
        *,
        after: float = 1,
        **fields: object,
    ) -> Change:
        """An alarm after recovery, and what the look that it brings sees."""
        self.say(alarm, after=after)
        return self.looks_back(outcome, **fields)

    def looks_back(self, outcome: Found, *, after: float = 1, **fields: object) -> Change:
        """The look at Sentry that the last word wanted comes back with this."""
        (effect,) = self.wants(wanted.LookBack)
        at = self.now + timedelta(seconds=after)
        answer = {
            "look": effect.look,
            "at": at,
            "outcome": outcome,
            "minutes": 15,
            "allowed": 3,
            **fields,
        }
        return self.say(said.GuardLooked.model_validate(answer), after=after)

    # --- asking -----------------------------------------------------------------------------------

    @property
    def record(self) -> Incident:
        assert self.incident is not None
        return self.incident

    @property
    def round(self) -> int:
        return self.record.round.number if self.record.round else 1

    @property
    def deploy(self) -> str:
        return f"{self.record.mark}-{self.round}"

    def wants(self, kind: type[E]) -> list[E]:
        """Return the last action's effects of this kind, whether or not they are tried again."""
        return [e.anew() for e in self.last.effects if isinstance(e, kind)]

    @property
    def in_channel(self) -> list[str]:
        """Return the last action's messages in the channel itself, not in a thread."""
        return [e.text for e in self.wants(wanted.Say) if not e.thread]

    @property
    def in_thread(self) -> list[str]:
        return [e.text for e in self.wants(wanted.Say) if e.thread]

    @property
    def on_ticket(self) -> list[str]:
        return [e.text for e in self.wants(wanted.CommentTicket)]

    @property
    def pages(self) -> list[str]:
        return [e.text for e in self.wants(wanted.Page)]

    @property
    def noted(self) -> list[str]:
        return [e.text for e in self.last.entries]

    @property
    def roots(self) -> int:
        """New messages in the channel itself that the last word brought."""
        return len(self.in_channel) + len(
            [e for e in self.wants(wanted.PostLive) if e.name.startswith("decision")]
        )

    def due(self, name: str) -> float:
        """Seconds from now until the timer."""
        return (self.timers[name].at - self.now).total_seconds()


def verifying() -> Story:
    return Story().opened().measured().rolled_back().deployed()


def mitigated() -> Story:
    return verifying().recovered()
