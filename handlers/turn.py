"""One person's turn: who says something, where, and how they are answered. The same for command, click, form and shortcut.

Every listener goes: check → `door.say` → ack, last. Answers that cannot ride on the ack are tracked tasks, never awaited.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from slack_bolt.app.async_app import AsyncApp
from slack_bolt.context.ack.async_ack import AsyncAck
from slack_sdk.errors import SlackApiError
from slack_sdk.webhook import WebhookResponse
from slack_sdk.webhook.async_client import AsyncWebhookClient

from handlers import deliveries, elsewhere, rich
from handlers.door import Delivery, Recorded, Unknown
from handlers.insist import ANSWER_SECONDS, OPEN_SECONDS, insist
from handlers.kit import Kit
from handlers.seeing import may_see, seen_by
from handlers.views import forms, says
from handlers.views.blocks import Message, View
from phases.actions import Action
from phases.change import Refused
from phases.incident import Incident
from phases.ports import PortError

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
class Turn:
    kit: Kit
    user: str
    team: str | None
    enterprise: str | None
    channel: str
    trigger: str
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
                person = await self.kit.people.person(self.user, self.team, self.enterprise)
        except (TimeoutError, PortError):
            return "I could not ask Slack who you are. Nothing was done; try again in a moment."
        if person.member:
            return None
        self.refused("no full member of this workspace")
        return STRANGER

    def refused(self, why: str, incident: str = "") -> None:
        """One line in the log for what somebody has no right to: who, what and why, never what they wrote."""
        because = " ".join(self.delivery.claims)
        told = {"person": self.user, "doing": self.doing, "incident": incident, "delivery": because}
        log.info("refused: %s", why, extra={field: value for field, value in told.items() if value})

    async def find(self, id: str) -> Incident | None:
        """The incident of this id; to who may not know of it, it is not there, whatever they clicked or sent."""
        incident = await self.kit.door.look(id) if id else None
        if incident is None or await self.sees(incident):
            return incident
        self.refused("not in the channel of a private incident", incident.id)
        return None

    async def sees(self, incident: Incident) -> bool:
        """Whether this person may know of it (rules: Private incidents)."""
        return await may_see(self.kit.members, self.user, incident)

    async def seen(self, incidents: Sequence[Incident]) -> list[Incident]:
        return await seen_by(self.kit.members, self.user, incidents)

    async def say(self, action: Action, incident: str | None, *, part: str = "") -> Recorded | Refused | Unknown:
        because = deliveries.part(self.delivery, part) if part else self.delivery
        return await self.kit.door.say(action, incident, because)

    async def told(self, action: Action, incident: str, done: str = "") -> Message | None:
        """Says it; the answer for the person: what was refused, or `done`."""
        return reply(await self.say(action, incident), done)

    def elsewhere(self, incident: Incident, done: str) -> str:
        """`done`, unless they stand in the incident's channel, which says the same to everybody at this moment."""
        return "" if incident.channel is not None and incident.channel.id == self.channel else done

    # --- views; never state ------------------------------------------------------------------------------------

    def open(self, view: View, fill: Fill | None = None) -> None:
        """Opens a form: the one thing that must happen within 3 s of the click. `fill` completes it in place."""
        self.kit.tasks.start(self._open(view, fill), "open a form")

    async def _open(self, view: View, fill: Fill | None) -> None:
        # An id of our own: where the answer is lost, it is still known which form is there.
        mark = self.trigger[-EXTERNAL_ID:]
        shown = {**view.payload(), "external_id": mark}
        there: dict[str, str] = {"external_id": mark}
        try:
            opened = await insist(lambda: self.kit.client.views_open(trigger_id=self.trigger, view=shown), OPEN_SECONDS)
            known: Any = opened.get("view") or {}
            there = {"view_id": str(known["id"])} if known.get("id") else there
        except SlackApiError as error:
            if error.response.get("error") != "exchanged_trigger_id":  # an earlier try has opened it
                await self._tell(says.note(NOT_OPENED), False)
                raise
        except Exception:
            await self._tell(says.note(NOT_OPENED), False)
            raise
        if fill is None:
            return
        try:
            async with asyncio.timeout(FILL_SECONDS):
                filled = await fill()
        except TimeoutError:
            filled = forms.failed(view.callback_id, view.title, "This takes too long to look up. Nothing was done.")
        except PortError as error:
            filled = forms.failed(view.callback_id, view.title, f"{error.text}. Nothing was done; try again.")
        whole = {**filled.payload(), "external_id": mark}
        await insist(lambda: self.kit.client.views_update(**there, view=whole), ANSWER_SECONDS)

    def show(self, view: View) -> None:
        """Puts another view in the place of the one in which this was said."""
        self.kit.tasks.start(self._show(view), "show a form")

    async def _show(self, view: View) -> None:
        await insist(lambda: self.kit.client.views_update(view_id=self.view, view=view.payload()), ANSWER_SECONDS)

    def tell(self, message: Message, *, replace: bool = False) -> None:
        """Answers this person alone, wherever they are."""
        self.kit.tasks.start(self._tell(message, replace), "answer a person")

    async def _tell(self, message: Message, replace: bool) -> None:
        if self.view:
            view = View("incident.told", "Firebreak", message.blocks or says.note(message.text).blocks)
            await insist(lambda: self.kit.client.views_update(view_id=self.view, view=view.payload()), ANSWER_SECONDS)
        elif elsewhere.answers(self.response_url, self.kit.client.base_url):
            answer = {"text": message.text, "response_type": "ephemeral", "replace_original": replace}
            await rich.send(self.kit.taste, message, lambda blocks: self._respond({**answer, "blocks": list(blocks)}))
        elif self.channel:
            await rich.send(self.kit.taste, message, lambda blocks: self._whisper(message.text, blocks))
        elif self.trigger:  # in the app's Home there is nothing to write under
            view = View("incident.told", "Firebreak", message.blocks or says.note(message.text).blocks)
            await insist(lambda: self.kit.client.views_open(trigger_id=self.trigger, view=view.payload()), OPEN_SECONDS)

    async def _respond(self, answer: dict[str, Any]) -> None:
        """https://docs.slack.dev/interactivity/handling-user-interaction#message_responses; on the kept session."""
        hook = AsyncWebhookClient(self.response_url, session=self.kit.client.session, retry_handlers=[])

        async def send() -> WebhookResponse:
            said = await hook.send_dict(answer)
            if said.status_code == 429 or said.status_code >= 500:
                raise TimeoutError  # it has said nothing of use: once more
            return said

        said = await insist(send, ANSWER_SECONDS)
        if said.status_code == 400 and said.body in rich.REFUSALS:
            raise rich.Refused(said.body)

    async def _whisper(self, text: str, blocks: rich.Blocks) -> None:
        try:
            shown = [dict(block) for block in blocks]
            post = self.kit.client.chat_postEphemeral
            await insist(lambda: post(channel=self.channel, user=self.user, text=text, blocks=shown), ANSWER_SECONDS)
        except SlackApiError as error:
            word = str(error.response.get("error"))
            if word in rich.REFUSALS:
                raise rich.Refused(word) from error
            raise


def reply(answer: Recorded | Refused | Unknown, done: str = "") -> Message | None:
    """For the person: what was refused and why, what could not be seen, or `done`."""
    match answer:
        case Refused(text=text) | Unknown(text=text):
            return says.note(text)
        case Recorded():
            return says.note(done) if done else None


# --- from payloads ---------------------------------------------------------------------------------------------


def from_command(kit: Kit, body: Mapping[str, Any]) -> Turn:
    """https://docs.slack.dev/interactivity/implementing-slash-commands#app_command_handling"""
    return Turn(
        kit=kit,
        user=str(body.get("user_id", "")),
        team=body.get("team_id") or None,
        enterprise=body.get("enterprise_id") or None,
        channel=str(body.get("channel_id", "")),
        trigger=str(body.get("trigger_id", "")),
        delivery=deliveries.interaction(body),
        response_url=str(body.get("response_url") or ""),
        place=_place(str(body.get("channel_id") or ""), str(body.get("channel_name") or "")),
        doing=str(body.get("command") or ""),
    )


def _place(channel: str, name: str) -> str:
    """Payloads name no private channel and no direct message; neither do we.

    https://docs.slack.dev/interactivity/implementing-slash-commands#app_command_handling
    """
    if not channel:
        return ""
    hidden = {"privategroup": "a private channel", "directmessage": "a direct message"}
    return hidden.get(name) or (f"<#{channel}|{name}>" if name else f"<#{channel}>")


def from_interaction(kit: Kit, body: Mapping[str, Any]) -> Turn:
    """https://docs.slack.dev/reference/interaction-payloads: in shared channels `user.team_id` is the person's own."""
    user = body.get("user") or {}
    team = user.get("team_id") or (body.get("team") or {}).get("id")
    container = body.get("container") or {}
    actions = body.get("actions") or [{}]
    view = body.get("view") or {}
    channel = body.get("channel") or {}
    return Turn(
        kit=kit,
        user=str(user.get("id", "")),
        team=team or None,
        enterprise=(body.get("enterprise") or {}).get("id"),
        channel=str(channel.get("id") or container.get("channel_id") or ""),
        trigger=str(body.get("trigger_id") or ""),
        delivery=deliveries.interaction(body),
        response_url=str(body.get("response_url") or ""),
        view="" if view.get("type") == "home" else str(view.get("id") or ""),
        block=str(actions[0].get("block_id") or ""),
        place=_place(str(channel.get("id") or ""), str(channel.get("name") or "")),
        more={"message": body.get("message") or {}, "view": view},
        doing=_doing(body),
    )


def _doing(body: Mapping[str, Any]) -> str:
    """The id of what was clicked or sent; it is ours, or nothing listens to it."""
    clicked = (body.get("actions") or [{}])[0].get("action_id")
    return str(clicked or body.get("callback_id") or (body.get("view") or {}).get("callback_id") or "")[:80]


def from_closing(kit: Kit, body: Mapping[str, Any]) -> Turn:
    """Of what changes no incident, so that it needs no claim: a closed form has no trigger id.

    https://docs.slack.dev/reference/interaction-payloads/view-interactions-payload#view_closed
    """
    user = body.get("user") or {}
    return Turn(
        kit=kit,
        user=str(user.get("id", "")),
        team=user.get("team_id") or (body.get("team") or {}).get("id") or None,
        enterprise=(body.get("enterprise") or {}).get("id"),
        channel="",
        trigger="",
        delivery=Delivery(()),
        view=str((body.get("view") or {}).get("id") or ""),
        doing=_doing(body),
    )


def values(raw: str | None) -> dict[str, Any]:
    """A button's value or a form's metadata; empty where it is not ours."""
    try:
        found = json.loads(raw or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def fields(view: Mapping[str, Any]) -> dict[str, str]:
    """What was entered, by block id (by action id where that is not `value`): a text, the chosen option's value, or values joined
    by a comma; a person's id; a day.

    https://docs.slack.dev/reference/interaction-payloads/view-interactions-payload#view_submission
    """
    entered: dict[str, str] = {}
    for block, elements in ((view.get("state") or {}).get("values") or {}).items():
        for action, element in elements.items():
            chosen = element.get("selected_option") or {}
            several = element.get("selected_options") or []
            text = element.get("value") or chosen.get("value") or ",".join(str(o.get("value", "")) for o in several)
            text = text or element.get("selected_user") or element.get("selected_date")
            entered[block if action == "value" else action] = str(text or "")
    return entered


# --- listening -------------------------------------------------------------------------------------------------

Click = Callable[[Turn, dict[str, Any]], Awaitable[Message | None]]
Errors = dict[str, str]
Submit = Callable[[Turn, dict[str, Any], dict[str, str]], Awaitable[View | Errors | None]]
About = Callable[[Turn, Incident, dict[str, Any]], Awaitable[Message | None]]


def on_click(app: AsyncApp, kit: Kit, action_id: str, do: Click, *, replace: bool = False) -> None:
    """A button: `do` says it and returns what the person is told, if anything."""

    @app.action(action_id)
    async def clicked(ack: AsyncAck, body: dict[str, Any]) -> None:
        turn = from_interaction(kit, body)
        pressed = (body.get("actions") or [{}])[0]
        value = values(pressed.get("value") or (pressed.get("selected_option") or {}).get("value"))
        refused = await turn.stranger()
        message = says.note(refused) if refused else await do(turn, value)
        if message is not None:
            turn.tell(message, replace=replace and refused is None)
        await ack()


def on_incident(app: AsyncApp, kit: Kit, action_id: str, do: About) -> None:
    """A button that is about the incident in its value."""

    async def about(turn: Turn, value: dict[str, Any]) -> Message | None:
        incident = await turn.find(str(value.get("incident", "")))
        if incident is None:
            return says.note(GONE.format(id=value.get("incident", "of that name")))
        return await do(turn, incident, value)

    on_click(app, kit, action_id, about)


def on_submit(app: AsyncApp, kit: Kit, callback_id: str, do: Submit) -> None:
    """A form: `do` says it and returns errors under fields, a view in its place, or None to close it.

    https://docs.slack.dev/surfaces/modals#response_actions
    """

    @app.view(callback_id)
    async def submitted(ack: AsyncAck, body: dict[str, Any]) -> None:
        turn = from_interaction(kit, body)
        view = body.get("view") or {}
        title = str((view.get("title") or {}).get("text") or "Firebreak")
        meta = values(view.get("private_metadata"))
        refused = await turn.stranger() or await unseen(turn, meta)
        if refused:
            answer: View | Errors | None = forms.refused(title, refused)
        else:
            answer = await do(turn, meta, fields(view))
        match answer:
            case None:
                await ack()
            case View():
                await ack(response_action="update", view=answer.payload())
            case errors:
                await ack(response_action="errors", errors=errors)


async def unseen(turn: Turn, meta: Value) -> str | None:
    """Who left a private incident's channel while its form was open is told what any stranger is."""
    id = str(meta.get("incident") or "")
    return GONE.format(id=id) if id and await turn.find(id) is None else None


def after(answer: Recorded | Refused | Unknown, title: str, field_name: str) -> View | Errors | None:
    """What a form becomes: closed when it is recorded, an error under its field for bad input, else the refusal."""
    match answer:
        case Recorded():
            return None
        case Refused(code="input", text=text):
            return {field_name: text[:1000]}
        case Refused(text=text) | Unknown(text=text):
            return forms.refused(title, text)
