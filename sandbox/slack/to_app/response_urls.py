"""`response_url`: how an app answers a command or a click afterwards, without a token.

https://docs.slack.dev/interactivity/handling-user-interaction#message_responses
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from sandbox.slack.channels import BOT_USER, Channel
from sandbox.slack.errors import SlackError
from sandbox.slack.workspace import Workspace
from sandbox.wire import Json

USES = 5
LIFE_SECONDS = 30 * 60


@dataclass(slots=True)
class ResponseUrl:
    user: str
    channel: str
    made: float
    message_ts: str | None = None
    """The message that was clicked in, if any."""
    is_ephemeral: bool = False
    used: int = 0


class ResponseUrls:
    def __init__(self, workspace: Workspace, public_url: str) -> None:
        self.public_url = public_url
        """Mount of this Slack, as the app reaches it, e.g. `http://127.0.0.1:8080/slack`."""
        self._workspace = workspace
        self._known: dict[str, ResponseUrl] = {}

    def make(self, user: str, channel: Channel, message: Json | None = None) -> str:
        key = secrets.token_urlsafe(18)
        self._known[key] = ResponseUrl(
            user,
            channel.id,
            self._workspace.now(),
            message["ts"] if message else None,
            bool(message and message.get("is_ephemeral")),
        )
        return f"{self.public_url.rstrip('/')}/response/{key}"

    def use(self, key: str, body: Json) -> None:
        """Carry out an app's post to a response URL.

        Raises `SlackError` (`expired_url`, `used_url`, `no_text`, …).
        """
        url = self._known.get(key)
        if url is None or self._workspace.now() > url.made + LIFE_SECONDS:
            raise SlackError("expired_url")
        if url.used >= USES:
            raise SlackError("used_url")
        url.used += 1
        channel = self._workspace.channel(url.channel)
        if body.get("delete_original"):
            self._replace(url, channel, None)
            return
        if not body.get("text") and not body.get("blocks"):
            raise SlackError("no_text")
        if body.get("replace_original") and url.message_ts:
            self._replace(url, channel, body)
        else:
            answer(self._workspace, url.user, channel, body)

    def _replace(self, url: ResponseUrl, channel: Channel, body: Json | None) -> None:
        if url.message_ts is None:
            raise SlackError("message_not_found")
        if url.is_ephemeral:
            self._workspace.rewhisper(url.user, url.message_ts, body)
        elif body is None:
            self._workspace.delete(channel, url.message_ts)
        else:
            self._workspace.edit(
                channel, url.message_ts, text=body.get("text", ""), blocks=body.get("blocks")
            )


def answer(workspace: Workspace, user: str, channel: Channel, body: Json) -> None:
    """Answer `user`: for their eyes only, unless `response_type` is `in_channel`."""
    text, blocks, thread_ts = body.get("text", ""), body.get("blocks"), body.get("thread_ts")
    if body.get("response_type") == "in_channel":
        workspace.post(channel, BOT_USER, text, blocks=blocks, thread_ts=thread_ts)
    else:
        workspace.whisper(channel, user, text, blocks=blocks, thread_ts=thread_ts)
