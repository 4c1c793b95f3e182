"""One interaction: the person, their rights, and the actions that they dispatch.

It is the same for a command, a click, a form and a shortcut. Every listener checks, dispatches an
action, and acks last.
"""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from handlers import deliveries
from handlers.dispatcher import Delivery, Recorded, Unknown
from handlers.slack.answering import Answering
from handlers.slack.visibility import Seen, may_see, visible_to
from handlers.views import notes
from handlers.views.blocks import Message
from phases.coordination.short_records import ShortRecord
from phases.messages.base import Action
from phases.ports.ports import PortError
from phases.record.incident import Incident
from phases.shared.change import Refused

log = logging.getLogger(__name__)

ACK_SECONDS = 2.8
"""Slack waits 3 s for its ack.

https://docs.slack.dev/interactivity/handling-user-interaction#acknowledgment_response
"""
WHO_SECONDS = 1.8
"""Of them all questions about the person may take so long together. A commit takes milliseconds of
the rest, so nobody is turned away because Slack needs a second; where Redis is slow as well, the
rest is what its tries get."""
LEAST_SECONDS = 0.8
"""What a commit gets in any case: one try with its answer."""
STRANGER = "Only full members of this workspace can use Firebreak here. Nothing was done."
GONE = "There is no incident {id}. `/incident list` shows the open ones."

Answer = Recorded | Refused | Unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Interaction(Answering):
    team: str | None
    enterprise: str | None
    delivery: Delivery
    block_id: str = ""
    """The block in which they clicked."""
    value: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """The value of the button or menu option that they clicked."""
    place: str = ""
    """The channel as texts name it: its link with its name, or the kind of place that it is."""
    message: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """The message of a message shortcut."""
    view: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """The view as Slack sent it, with what stands in its fields."""
    doing: str = ""
    """The id of what was clicked, submitted or typed; for the log."""
    received_at: float = field(default_factory=time.monotonic)
    """When it came here; Slack waits for its ack from then on."""

    @property
    def round(self) -> int:
        """The round that a button is about; 0 where it names none."""
        return int(self.value.get("round") or 0)

    def clicked(self, name: str) -> str:
        """Return a part of the value that they clicked; empty where it has none."""
        return str(self.value.get(name) or "")

    def question_limit(self) -> asyncio.Timeout:
        """Be around questions about the person. Raises `TimeoutError` once they took too long."""
        return asyncio.timeout(max(0.0, self.received_at + WHO_SECONDS - time.monotonic()))

    async def refusal(self) -> str | None:
        """Return why this person may not act here (rules: Who may). A refusal is logged."""
        try:
            async with self.question_limit():
                person = await self.ctx.people.person(self.user, self.team, self.enterprise)
        except (TimeoutError, PortError):
            return "I could not ask Slack who you are. Nothing was done; try again in a moment."
        if person.member:
            return None
        self.log_refusal("not a full member of this workspace")
        return STRANGER

    def log_refusal(self, why: str, incident: str = "") -> None:
        """Log who was refused, for what and why; never what they wrote."""
        delivery = " ".join(self.delivery.claims)
        extra = {
            "person": self.user,
            "doing": self.doing,
            "incident": incident,
            "delivery": delivery,
        }
        log.info("refused: %s", why, extra={name: value for name, value in extra.items() if value})

    async def find(self, id: str) -> Incident | None:
        """Return the incident of this id; None, too, where this person may not know of it."""
        incident = await self.ctx.dispatcher.load(id) if id else None
        if incident is None or await self.may_see(incident):
            return incident
        self.log_refusal("not in the channel of a private incident", incident.id)
        return None

    async def may_see(self, incident: Incident) -> bool:
        """Return whether this person may know of it (rules: Private incidents)."""
        return await may_see(self.ctx.members, self.user, incident)

    async def visible(self, incidents: Sequence[Seen]) -> list[Seen]:
        """Return those that this person may know of."""
        return await visible_to(self.ctx.members, self.user, incidents)

    async def open_incidents(self) -> list[ShortRecord]:
        """Return the open incidents that this person may know of, newest first."""
        return await self.visible(await self.ctx.dispatcher.short_records("open"))

    async def first_records(self, some: Sequence[ShortRecord], count: int) -> list[Incident]:
        """Return the records of the first `count`, without those that have ended meanwhile."""
        records = await self.ctx.dispatcher.records(
            short_record.id for short_record in some[:count]
        )
        return [incident for incident in await self.visible(records) if incident.open]

    async def dispatch(self, action: Action, incident: str | None, *, part: str = "") -> Answer:
        delivery = deliveries.sub_delivery(self.delivery, part) if part else self.delivery
        left = self.received_at + ACK_SECONDS - time.monotonic()
        seconds = max(left, LEAST_SECONDS) if left > 0 else None  # nobody waits for it any more
        return await self.ctx.dispatcher.dispatch(action, incident, delivery, seconds=seconds)

    async def act(self, action: Action, incident: str, done: str = "") -> Message | None:
        """Dispatch the action. Return the answer for the person: why it was refused, or `done`."""
        return reply(await self.dispatch(action, incident), done)

    def unless_in_channel(self, incident: Incident, done: str) -> str:
        """Return `done`; empty in the incident's channel, where everybody is told right now."""
        return "" if incident.channel is not None and incident.channel.id == self.channel else done


def reply(answer: Answer, done: str = "") -> Message | None:
    """Return the note for the person: why it was refused, that nothing could be seen, or `done`."""
    match answer:
        case Refused(text=text) | Unknown(text=text):
            return notes.note(text)
        case Recorded():
            return notes.note(done) if done else None
