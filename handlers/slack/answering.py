"""Answers to one person: a form that opens, a view in its place, a note that only they see.

None of them rides on the ack: each is a task that goes on after it. None of them is state.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from slack_sdk.errors import SlackApiError
from slack_sdk.webhook import WebhookResponse
from slack_sdk.webhook.async_client import AsyncWebhookClient

from handlers.slack import response_url, rich_blocks
from handlers.slack.context import Context
from handlers.slack.retry import ANSWER_SECONDS, OPEN_SECONDS, retry
from handlers.views import forms, notes
from handlers.views.blocks import Message, View
from phases.ports.ports import PortError

FILL_SECONDS = 8.0  # a form that waits for a look-up says so after this
EXTERNAL_ID = 255
"""Characters: https://docs.slack.dev/reference/views"""
NOT_OPENED = "Slack did not open the form. Nothing was done; click again in a moment."

Fill = Callable[[], Awaitable[View]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answering:
    """The person who is answered, and the ways that lead to them."""

    ctx: Context
    user: str
    channel: str
    trigger_id: str
    response_url: str = ""
    view_id: str = ""
    """The view in which they clicked or submitted."""

    def open(self, view: View, fill: Fill | None = None) -> None:
        """Open a form, which Slack allows within 3 s of the click. `fill` completes it in place."""
        self.ctx.tasks.start(self._open_and_fill(view, fill), "open a form")

    def show(self, view: View) -> None:
        """Put another view in the place of the one in which they clicked."""
        self.ctx.tasks.start(
            self._update_view({"view_id": self.view_id}, view.payload()), "show a form"
        )

    def tell(self, message: Message, *, replace: bool = False) -> None:
        """Answer this person alone, wherever they are."""
        self.ctx.tasks.start(self._send_answer(message, replace), "answer a person")

    async def _open_and_fill(self, view: View, fill: Fill | None) -> None:
        # With an id of our own the form can be updated even where the answer of Slack is lost.
        external_id = self.trigger_id[-EXTERNAL_ID:]
        reference = {"external_id": external_id}
        try:
            opened = await self._open_view({**view.payload(), "external_id": external_id})
            view_id = (opened.get("view") or {}).get("id")
            reference = {"view_id": str(view_id)} if view_id else reference
        except SlackApiError as error:
            # An exchanged trigger id: an earlier try has opened it.
            if error.response.get("error") != "exchanged_trigger_id":
                await self._send_answer(notes.note(NOT_OPENED), False)
                raise
        except Exception:
            await self._send_answer(notes.note(NOT_OPENED), False)
            raise
        if fill is not None:
            filled = await _filled(view, fill)
            await self._update_view(reference, {**filled.payload(), "external_id": external_id})

    async def _open_view(self, payload: dict[str, Any]) -> Any:
        return await retry(
            lambda: self.ctx.client.views_open(trigger_id=self.trigger_id, view=payload),
            OPEN_SECONDS,
        )

    async def _update_view(self, reference: dict[str, str], payload: dict[str, Any]) -> None:
        await retry(lambda: self.ctx.client.views_update(**reference, view=payload), ANSWER_SECONDS)

    async def _send_answer(self, message: Message, replace: bool) -> None:
        rich_support = self.ctx.rich_support
        if self.view_id:
            await self._update_view({"view_id": self.view_id}, _as_view(message).payload())
        elif response_url.answers(self.response_url, self.ctx.client.base_url):
            answer = {
                "text": message.text,
                "response_type": "ephemeral",
                "replace_original": replace,
            }
            await rich_blocks.send(
                rich_support,
                message,
                lambda blocks: self._respond({**answer, "blocks": list(blocks)}),
            )
        elif self.channel:
            await rich_blocks.send(
                rich_support, message, lambda blocks: self._post_ephemeral(message.text, blocks)
            )
        elif self.trigger_id:  # App Home has no messages
            await self._open_view(_as_view(message).payload())

    async def _respond(self, answer: dict[str, Any]) -> None:
        """https://docs.slack.dev/interactivity/handling-user-interaction#message_responses"""
        hook = AsyncWebhookClient(
            self.response_url, session=self.ctx.client.session, retry_handlers=[]
        )

        async def send() -> WebhookResponse:
            response = await hook.send_dict(answer)
            if response.status_code == 429 or response.status_code >= 500:
                raise TimeoutError  # such an answer says nothing of use: it is tried again
            return response

        response = await retry(send, ANSWER_SECONDS)
        if response.status_code == 400 and response.body in rich_blocks.REFUSALS:
            raise rich_blocks.Refused(response.body)

    async def _post_ephemeral(self, text: str, blocks: rich_blocks.Blocks) -> None:
        post, payload = self.ctx.client.chat_postEphemeral, [dict(block) for block in blocks]
        try:
            await retry(
                lambda: post(channel=self.channel, user=self.user, text=text, blocks=payload),
                ANSWER_SECONDS,
            )
        except SlackApiError as error:
            code = str(error.response.get("error"))
            if code in rich_blocks.REFUSALS:
                raise rich_blocks.Refused(code) from error
            raise


async def _filled(view: View, fill: Fill) -> View:
    """Return the completed form, or one that says why it could not be completed."""
    try:
        async with asyncio.timeout(FILL_SECONDS):
            return await fill()
    except TimeoutError:
        text = "The lookup took too long. Nothing was done."
    except PortError as error:
        text = f"{error.text}. Nothing was done; try again."
    return forms.failed(view.callback_id, view.title, text)


def _as_view(message: Message) -> View:
    return View("incident.told", "Firebreak", message.blocks or notes.note(message.text).blocks)
