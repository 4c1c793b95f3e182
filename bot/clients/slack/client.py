"""Slack's Web API as the performers use it, with typed errors.

A writing call is never sent twice by itself (the outbox retries), and each is safe to repeat.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.clients.clocks import CLOCKS_APART
from bot.clients.http.call_counts import NO_ANSWER, count
from bot.clients.http.certificates import context
from bot.clients.http.client import AGAIN_PAUSES, repeated
from bot.clients.slack.channels import Channels
from bot.clients.slack.errors import SlackRefused
from bot.clients.slack.web import (
    TIMEOUT_SECONDS,
    UNANSWERED,
    Counting,
    refusal,
    refuse_redirects,
    refused_people,
    unanswered,
)
from handlers.slack import rich_blocks as rich
from handlers.slack.message_text import by_person
from handlers.views.blocks import Message

METADATA = "firebreak_message"
"""`event_type` of the metadata on every message of an effect: a redelivery finds the post by it."""
PAGE = 200
INVITED_AT_ONCE = 100
"""People in one call: https://docs.slack.dev/reference/methods/conversations.invite"""
IN_ALREADY = frozenset({"already_in_channel", "cant_invite_self"})
OF_THE_CHANNEL = frozenset(
    {
        "channel_not_found",
        "ekm_access_denied",
        "is_archived",
        "method_not_supported_for_channel_type",
        "missing_scope",
        "no_permission",
        "not_in_channel",
        "team_access_not_granted",
    }
)
"""Slack's words where no invitation would be taken, whomever it is for."""

Blocks = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class MessageKey:
    """The key that makes a message one message, whichever try or effect posts it."""

    incident: str
    effect: str
    since: datetime
    """When it was wanted: an earlier try cannot have posted it before."""
    maybe_posted: bool = False
    """An earlier try may have posted it: it is looked for in history first."""
    live: str | None = None
    """The name of a live message, of which there is one, whichever effect posts it."""
    threads: tuple[str | None, ...] = ()
    """Other threads of the channel in which an earlier try may have posted it.

    None is the channel itself.
    """


class Slack:
    """One kept session. `retry_handlers=[]`: a lost answer of a post must not become two posts."""

    def __init__(
        self,
        token: str,
        base_url: str = "https://slack.com/api/",
        rich_support: rich.RichBlocksSupport | None = None,
    ) -> None:
        self.rich_support = rich_support or rich.NEVER
        self.web = Counting(
            token=token,
            base_url=base_url,
            timeout=TIMEOUT_SECONDS,
            retry_handlers=[],
            ssl=context(),
        )
        self.session: aiohttp.ClientSession | None = None
        self.channels = Channels(self)

    async def start(self) -> None:
        """Open the kept session; without it the SDK opens a connection a call."""
        stay = aiohttp.TraceConfig()
        stay.on_request_redirect.append(refuse_redirects)
        stay.on_request_end.append(self._count_traced_answer)
        stay.on_request_exception.append(self._unanswered)
        self.session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=TIMEOUT_SECONDS), trace_configs=[stay]
        )
        self.web.session = self.session

    async def aclose(self) -> None:
        if self.session is not None:
            await self.session.close()

    async def _count_traced_answer(
        self, session: object, context: object, params: aiohttp.TraceRequestEndParams
    ) -> None:
        self._count_answer(str(params.url), params.response.status)

    async def _unanswered(
        self, session: object, context: object, params: aiohttp.TraceRequestExceptionParams
    ) -> None:
        self._count_answer(str(params.url), NO_ANSWER)

    def _count_answer(self, url: str, status: int | str) -> None:
        """Count an answer to a person.

        It goes by an address of its own, and not through the API that `Counting` counts.
        """
        if not url.startswith(self.web.base_url):
            count("Slack", "response_url", status)

    async def call(self, method: str, **arguments: Any) -> dict[str, Any]:
        """Make one call as JSON.

        Raises `SlackRefused`, or `PortError` (retryable) where no answer came.
        """
        given = _without_none(arguments)

        async def send() -> dict[str, Any]:
            return _data(await self._send(method, json=given))

        return await repeated(send, ())

    async def get(self, method: str, **arguments: Any) -> dict[str, Any]:
        """Make one reading call. Raises as `call`.

        conversations.* and users.* take their arguments as a form, not as JSON.
        """
        given = _without_none(arguments)

        async def send() -> dict[str, Any]:
            return _data(await self._send(method, params=given))

        return await repeated(send, AGAIN_PAUSES)

    async def _send(self, method: str, **arguments: Any) -> AsyncSlackResponse:
        try:
            return await self.web.api_call(method, **arguments)
        except SlackApiError as error:
            raise refusal(method, error) from error
        except UNANSWERED as error:
            raise unanswered(method, error, self.web.base_url) from error

    async def pages(self, method: str, key: str, **arguments: Any) -> AsyncIterator[Any]:
        cursor: str | None = None
        while True:
            answer = await self.get(method, **{"limit": PAGE, "cursor": cursor, **arguments})
            for row in answer.get(key, []):
                yield row
            cursor = (answer.get("response_metadata") or {}).get("next_cursor") or None
            if cursor is None:
                return

    async def token_scopes(self) -> tuple[dict[str, Any], frozenset[str]]:
        """Return the answer of auth.test, and the scopes that the token has. Raises `PortError`.

        The header `X-OAuth-Scopes` of the answer tells them.
        https://docs.slack.dev/authentication/installing-with-oauth#scopes
        """
        answer = await self._send("auth.test")
        header = next(
            (str(v) for k, v in answer.headers.items() if k.lower() == "x-oauth-scopes"), ""
        )
        return _data(answer), frozenset(
            scope.strip() for scope in header.split(",") if scope.strip()
        )

    # --- messages ---------------------------------------------------------------------------------

    async def post(
        self, channel: str, message: Message, key: MessageKey, thread_ts: str | None = None
    ) -> str:
        """Post once, and return the `ts`."""
        places = dict.fromkeys((thread_ts, *key.threads)) if key.maybe_posted else ()
        for place in places:
            if (ts := await self.posted(channel, key, place)) is not None:
                return ts
        marked = {"incident": key.incident, "effect": key.effect}
        marked |= {"live": key.live} if key.live else {}
        answer = await self._send_message(
            message,
            "chat.postMessage",
            channel=channel,
            thread_ts=thread_ts,
            unfurl_links=False,
            unfurl_media=False,
            metadata={"event_type": METADATA, "event_payload": marked},
        )
        return str(answer["ts"])

    async def _send_message(
        self, message: Message, method: str, **arguments: Any
    ) -> dict[str, Any]:
        """Send the message, with charts and tables where the workspace takes them."""

        async def put(blocks: Blocks) -> dict[str, Any]:
            return await self.call(method, text=message.text, blocks=list(blocks), **arguments)

        return await rich.send(self.rich_support, message, put)

    async def posted(
        self, channel: str, key: MessageKey, thread_ts: str | None = None
    ) -> str | None:
        """Return the `ts` of the message whose metadata names this effect or live message."""
        # https://docs.slack.dev/reference/methods/conversations.history
        oldest = f"{(key.since - CLOCKS_APART).timestamp():.6f}"
        method, more = (
            ("conversations.replies", {"ts": thread_ts})
            if thread_ts
            else ("conversations.history", {})
        )
        given = {"channel": channel, "oldest": oldest, "include_all_metadata": "true", **more}
        try:
            async for message in self.pages(method, "messages", **given):
                payload = (message.get("metadata") or {}).get("event_payload") or {}
                same = key.live is not None and payload.get("live") == key.live
                if same or payload.get("effect") == key.effect:
                    return str(message["ts"])
        except SlackRefused as refused:
            if refused.error != "thread_not_found":
                raise
        return None

    async def message(self, channel: str, ts: str) -> dict[str, Any] | None:
        """Return one message, in the channel or in a thread, with its reactions, or None.

        https://docs.slack.dev/messaging/retrieving-messages#individual_messages
        """
        span = {"channel": channel, "oldest": ts, "latest": ts, "inclusive": "true", "limit": 1}
        span |= {"include_all_metadata": "true"}
        for method, more in (("conversations.history", {}), ("conversations.replies", {"ts": ts})):
            try:
                answer = await self.get(method, **span, **more)
            except SlackRefused as refused:
                if refused.error != "thread_not_found":
                    raise
                return None
            for message in answer.get("messages", []):
                if message.get("ts") == ts:
                    return dict(message)
        return None

    async def permalink(self, channel: str, ts: str) -> str | None:
        """Return the message's address, or None where there is no such message any more."""
        try:
            answer = await self.get("chat.getPermalink", channel=channel, message_ts=ts)
            return str(answer["permalink"])
        except SlackRefused as refused:
            if refused.retryable:
                raise
            return None

    async def update(self, channel: str, ts: str, message: Message) -> None:
        await self._send_message(message, "chat.update", channel=channel, ts=ts)

    async def pin(self, channel: str, ts: str) -> None:
        await self._call_unless_refused(
            {"already_pinned"}, "pins.add", channel=channel, timestamp=ts
        )

    # --- channels ---------------------------------------------------------------------------------

    async def create_channel(
        self, name: str, marker: str, *, private: bool, since: datetime
    ) -> tuple[str, str]:
        """Make a channel, or find the one that an earlier try made. Return its id and name.

        A channel is ours where its purpose is empty or holds `marker`: the purpose is set when the
        channel is recorded, so that nobody waits for it. A name that somebody else has becomes
        `…-2` and so on.
        """
        for number in range(1, 10):
            wanted = name if number == 1 else f"{name[:77]}-{number}"
            try:
                made = await self.call("conversations.create", name=wanted, is_private=private)
                return str(made["channel"]["id"]), str(made["channel"]["name"])
            except SlackRefused as refused:
                if refused.error != "name_taken":
                    raise
                ours = await self.our_channel(wanted, marker, since)
                if ours is not None:
                    return ours, wanted
        raise SlackRefused("conversations.create", "name_taken", retryable=False)

    async def our_channel(self, name: str, marker: str, since: datetime) -> str | None:
        # at most 999 a page: https://docs.slack.dev/reference/methods/users.conversations
        kinds = {
            "types": "public_channel,private_channel",
            "exclude_archived": "true",
            "limit": 999,
        }
        async for channel in self.pages("users.conversations", "channels", **kinds):
            if channel.get("name") != name:
                continue
            purpose = (channel.get("purpose") or {}).get("value") or ""
            created = float(channel.get("created") or 0)
            if marker in purpose or (not purpose and created >= (since - CLOCKS_APART).timestamp()):
                return str(channel["id"])
        return None

    async def join(self, channel: str) -> None:
        await self._call_unless_refused(
            {"method_not_supported_for_channel_type"}, "conversations.join", channel=channel
        )

    async def set_purpose(self, channel: str, purpose: str) -> None:
        await self.call("conversations.setPurpose", channel=channel, purpose=purpose[:250])

    async def set_topic(self, channel: str, topic: str) -> None:
        await self.call("conversations.setTopic", channel=channel, topic=topic[:250])

    async def invite(self, channel: str, people: Sequence[str]) -> dict[str, str]:
        """Invite people, in few calls. Return Slack's word for each who could not be invited.

        Raises `SlackRefused` where it is the channel or our token that Slack refuses.
        """
        failed: dict[str, str] = {}
        left, at_once = list(people), INVITED_AT_ONCE
        while left:
            some = left[:at_once]
            users = ",".join(some)
            try:
                # Forced: one who is in already stops none of the others.
                answer = await self.call(
                    "conversations.invite", channel=channel, users=users, force=True
                )
                refused, settled = refused_people(answer), frozenset(some)
            except SlackRefused as error:
                if error.retryable or error.error in OF_THE_CHANNEL:
                    raise
                alone = {some[0]: error.error} if len(some) == 1 else {}
                refused = dict(error.people) or alone
                settled = frozenset(refused).intersection(some)
                at_once = INVITED_AT_ONCE if settled else 1  # it does not say whom it means
            failed |= {person: word for person, word in refused.items() if word not in IN_ALREADY}
            left = [person for person in left if person not in settled]
        return failed

    async def members(self, channel: str) -> list[str]:
        """https://docs.slack.dev/reference/methods/conversations.members"""
        pages = self.pages("conversations.members", "members", channel=channel)
        return [str(member) async for member in pages]

    async def talked_since(self, channel: str, since: datetime) -> bool:
        """Return whether a person wrote in the channel. Bots and Slack's own notes do not count."""
        oldest = f"{since.timestamp():.6f}"
        history = self.pages("conversations.history", "messages", channel=channel, oldest=oldest)
        async for message in history:
            if by_person(message):
                return True
        return False

    async def archive(self, channel: str) -> None:
        """https://docs.slack.dev/reference/methods/conversations.archive"""
        await self._call_unless_refused(
            {"already_archived"}, "conversations.archive", channel=channel
        )

    async def bookmark(
        self, channel: str, title: str, link: str, *, known: str | None, maybe_added: bool
    ) -> str:
        """Add a bookmark, or make the known one right. Return its id.

        Where an earlier try may have added it, it is looked for. Without the scope for that there
        may be two. https://docs.slack.dev/reference/methods/bookmarks.add
        """
        if known is None and maybe_added:
            known = await self._bookmarked(channel, link)
        if known is not None:
            try:
                await self.call(
                    "bookmarks.edit", channel_id=channel, bookmark_id=known, title=title, link=link
                )
                return known
            except SlackRefused as refused:
                if refused.retryable or refused.error not in ("bookmark_not_found", "not_found"):
                    raise
        answer = await self.call(
            "bookmarks.add", channel_id=channel, title=title, type="link", link=link
        )
        return str(answer["bookmark"]["id"])

    async def _bookmarked(self, channel: str, link: str) -> str | None:
        try:
            every = (await self.call("bookmarks.list", channel_id=channel)).get("bookmarks") or []
        except SlackRefused as refused:
            if refused.error != "missing_scope":
                raise
            return None
        return next((str(mark["id"]) for mark in every if mark.get("link") == link), None)

    async def direct_message(self, person: str) -> str:
        answer = await self.call("conversations.open", users=person)
        return str(answer["channel"]["id"])

    async def _call_unless_refused(self, fine: set[str], method: str, **arguments: Any) -> None:
        try:
            await self.call(method, **arguments)
        except SlackRefused as refused:
            if refused.error not in fine:
                raise


def _without_none(arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in arguments.items() if value is not None}


def _data(answer: AsyncSlackResponse) -> dict[str, Any]:
    return dict(answer.data) if isinstance(answer.data, dict) else {}
