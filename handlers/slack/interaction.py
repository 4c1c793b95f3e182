"""One person's turn: who says something, where, and how they are answered. The same for command, click, form and shortcut.

Every listener goes: check → `door.say` → ack, last. Answers that cannot ride on the ack are tracked tasks, never awaited.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from slack_sdk.errors import SlackApiError
from slack_sdk.webhook import WebhookResponse
from slack_sdk.webhook.async_client import AsyncWebhookClient

from handlers import deliveries
from handlers.dispatcher import Delivery, Recorded, Unknown
from handlers.slack import response_url as elsewhere
from handlers.slack import rich_blocks
from handlers.slack.context import Context
from handlers.slack.retry import ANSWER_SECONDS, OPEN_SECONDS, insist
from handlers.slack.visibility import may_see, seen_by
from handlers.views import forms, notes
from handlers.views.blocks import Message, View
from phases.messages.actions import Action
from phases.ports.ports import PortError
from phases.record.incident import Incident
from phases.steps.change import Refused

log = logging.getLogger(__name__)

WHO_SECONDS = 0.8  # of the 3 s in which Slack wants its ack; the door needs up to 2
FILL_SECONDS = 8.0  # a form that waits for a look-up says so after this

EXTERNAL_ID = 255
"""Characters: https://docs.slack.dev/reference/views"""

NOT_OPENED = "Slack did not open the form. Nothing was done; click again in a moment."
STRANGER = "Only full members of this workspace can use Firebreak here. Nothing was done."
GONE = "There is no incident {id}. `/incident list` shows the open ones."

Value = Mapping[str, Any]
Fill = Callable[[], Awaitable[View]]


@dataclass(frozen=True, slots=True)
class Interaction:
    ctx: Context
    user: str
    team: str | None
    enterprise: str | None
    channel: str
    trigger_id: str
    delivery: Delivery
    response_url: str = ""
    view: str = ""
    """Id of the view it was said in."""
    block: str = ""
    """Block id of what was clicked."""
    place: str = ""
    """The channel as it is written into texts: its link with its name, or what kind of place it is."""
    more: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What only one kind of payload has: a shortcut's message."""
    doing: str = ""
    """What was clicked, sent or typed, by its id; for the log."""

    async def stranger(self) -> str | None:
        """Why this person may not act here, or None (rules: Who may). A refusal is logged."""
        try:
            async with asyncio.timeout(WHO_SECONDS):
                person = await self.ctx.people.person(self.user, self.team, self.enterprise)
        except (TimeoutError, PortError):
            return "I could not ask Slack who you are. Nothing was done; try again in a moment."
        if person.member:
            return None
        self.refused("no full member of this workspace")
        return STRANGER

    def refused(self, why: str, incident: str = "") -> None:
        """One line in the log for what somebody has no right to: who, what and why, never what they wrote."""
        trigger = " ".join(self.delivery.claims)
        told = {"person": self.user, "doing": self.doing, "incident": incident, "delivery": trigger}
        log.info("refused: %s", why, extra={field: value for field, value in told.items() if value})

    async def find(self, id: str) -> Incident | None:
        """The incident of this id; to who may not know of it, it is not there, whatever they clicked or sent."""
        incident = await self.ctx.dispatcher.load(id) if id else None
        if incident is None or await self.sees(incident):
            return incident
        self.refused("not in the channel of a private incident", incident.id)
        return None

    async def sees(self, incident: Incident) -> bool:
        """Whether this person may know of it (rules: Private incidents)."""
        return await may_see(self.ctx.members, self.user, incident)

    async def seen(self, incidents: Sequence[Incident]) -> list[Incident]:
        return await seen_by(self.ctx.members, self.user, incidents)

    async def dispatch(
        self, action: Action, incident: str | None, *, part: str = ""
    ) -> Recorded | Refused | Unknown:
        trigger = deliveries.part(self.delivery, part) if part else self.delivery
        return await self.ctx.dispatcher.dispatch(action, incident, trigger)

    async def told(self, action: Action, incident: str, done: str = "") -> Message | None:
        """Says it; the answer for the person: what was refused, or `done`."""
        return reply(await self.dispatch(action, incident), done)

    def elsewhere(self, incident: Incident, done: str) -> str:
        """`done`, unless they stand in the incident's channel, which says the same to everybody at this moment."""
        return "" if incident.channel is not None and incident.channel.id == self.channel else done

    # --- views; never state ------------------------------------------------------------------------------------

    def open(self, view: View, fill: Fill | None = None) -> None:
        """Opens a form: the one thing that must happen within 3 s of the click. `fill` completes it in place."""
        self.ctx.tasks.start(self._open(view, fill), "open a form")

    async def _open(self, view: View, fill: Fill | None) -> None:
        # An id of our own: where the answer is lost, it is still known which form is there.
        mark = self.trigger_id[-EXTERNAL_ID:]
        shown = {**view.payload(), "external_id": mark}
        there: dict[str, str] = {"external_id": mark}
        try:
            opened = await insist(
                lambda: self.ctx.client.views_open(trigger_id=self.trigger_id, view=shown),
                OPEN_SECONDS,
            )
            known: Any = opened.get("view") or {}
            there = {"view_id": str(known["id"])} if known.get("id") else there
        except SlackApiError as error:
            if (
                error.response.get("error") != "exchanged_trigger_id"
            ):  # an earlier try has opened it
                await self._tell(notes.note(NOT_OPENED), False)
                raise
        except Exception:
            await self._tell(notes.note(NOT_OPENED), False)
            raise
        if fill is None:
            return
        try:
            async with asyncio.timeout(FILL_SECONDS):
                filled = await fill()
        except TimeoutError:
            filled = forms.failed(
                view.callback_id, view.title, "This takes too long to look up. Nothing was done."
            )
        except PortError as error:
            filled = forms.failed(
                view.callback_id, view.title, f"{error.text}. Nothing was done; try again."
            )
        whole = {**filled.payload(), "external_id": mark}
        await insist(lambda: self.ctx.client.views_update(**there, view=whole), ANSWER_SECONDS)

    def show(self, view: View) -> None:
        """Puts another view in the place of the one in which this was said."""
        self.ctx.tasks.start(self._show(view), "show a form")

    async def _show(self, view: View) -> None:
        await insist(
            lambda: self.ctx.client.views_update(view_id=self.view, view=view.payload()),
            ANSWER_SECONDS,
        )

    def tell(self, message: Message, *, replace: bool = False) -> None:
        """Answers this person alone, wherever they are."""
        self.ctx.tasks.start(self._tell(message, replace), "answer a person")

    async def _tell(self, message: Message, replace: bool) -> None:
        if self.view:
            view = View(
                "incident.told", "Firebreak", message.blocks or notes.note(message.text).blocks
            )
            await insist(
                lambda: self.ctx.client.views_update(view_id=self.view, view=view.payload()),
                ANSWER_SECONDS,
            )
        elif elsewhere.answers(self.response_url, self.ctx.client.base_url):
            answer = {
                "text": message.text,
                "response_type": "ephemeral",
                "replace_original": replace,
            }
            await rich_blocks.send(
                self.ctx.taste,
                message,
                lambda blocks: self._respond({**answer, "blocks": list(blocks)}),
            )
        elif self.channel:
            await rich_blocks.send(
                self.ctx.taste, message, lambda blocks: self._whisper(message.text, blocks)
            )
        elif self.trigger_id:  # in the app's Home there is nothing to write under
            view = View(
                "incident.told", "Firebreak", message.blocks or notes.note(message.text).blocks
            )
            await insist(
                lambda: self.ctx.client.views_open(trigger_id=self.trigger_id, view=view.payload()),
                OPEN_SECONDS,
            )

    async def _respond(self, answer: dict[str, Any]) -> None:
        """https://docs.slack.dev/interactivity/handling-user-interaction#message_responses; on the kept session."""
        hook = AsyncWebhookClient(
            self.response_url, session=self.ctx.client.session, retry_handlers=[]
        )

        async def send() -> WebhookResponse:
            said = await hook.send_dict(answer)
            if said.status_code == 429 or said.status_code >= 500:
                raise TimeoutError  # it has said nothing of use: once more
            return said

        said = await insist(send, ANSWER_SECONDS)
        if said.status_code == 400 and said.body in rich_blocks.REFUSALS:
            raise rich_blocks.Refused(said.body)

    async def _whisper(self, text: str, blocks: rich_blocks.Blocks) -> None:
        try:
            shown = [dict(block) for block in blocks]
            post = self.ctx.client.chat_postEphemeral
            await insist(
                lambda: post(channel=self.channel, user=self.user, text=text, blocks=shown),
                ANSWER_SECONDS,
            )
        except SlackApiError as error:
            word = str(error.response.get("error"))
            if word in rich_blocks.REFUSALS:
                raise rich_blocks.Refused(word) from error
            raise


def reply(answer: Recorded | Refused | Unknown, done: str = "") -> Message | None:
    """For the person: what was refused and why, what could not be seen, or `done`."""
    match answer:
        case Refused(text=text) | Unknown(text=text):
            return notes.note(text)
        case Recorded():
            return notes.note(done) if done else None


# --- from payloads ---------------------------------------------------------------------------------------------


# --- listening -------------------------------------------------------------------------------------------------
