"""Slack's Web API as the performers use it: typed errors, no retry of its own (the outbox retries), each call safe to repeat."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.clients.http.call_counts import NO_ANSWER, count, count_limited
from bot.clients.http.certificates import context
from bot.clients.http.client import AGAIN_PAUSES, repeated
from bot.clients.http.errors import HttpError, retry_after
from bot.clients.http.unreachable import why
from bot.clients.slack.channels import Channels
from bot.clients.slack.errors import LIMITS, WAITABLE, BlocksRefused, SlackRefused
from handlers.slack import rich_blocks as rich
from handlers.slack.message_text import by_person

METADATA = "firebreak_message"
"""`event_type` of the metadata on every message of an effect: how a redelivery finds what was posted."""
TIMEOUT_SECONDS = 10
PAGE = 200
UNANSWERED = (TimeoutError, aiohttp.ClientError, SlackClientError, OSError, ValueError)
"""The last: what aiohttp says of a header that it will not send."""

Blocks = Sequence[Mapping[str, Any]]


class Shown(rich.Shown, Protocol):
    """A message as `handlers.views` makes it."""

    @property
    def text(self) -> str: ...


class SentElsewhere(aiohttp.ClientError):
    """Instead of an answer came a redirect, which is not followed."""


class Counting(AsyncWebClient):
    """Counts every call, also those that Bolt and the listeners make."""

    async def api_call(self, api_method: str, **arguments: Any) -> AsyncSlackResponse:
        status = NO_ANSWER
        try:
            answer = await super().api_call(api_method, **arguments)
            status = str(answer.status_code)
        except SlackApiError as error:
            status = _word(error)
            if status in LIMITS or error.response.status_code == 429:
                count_limited("Slack")
            raise
        finally:
            count("Slack", api_method, status)
        return answer


class Slack:
    """One kept session. `retry_handlers=[]`: a lost answer of a post must not become two posts."""

    def __init__(
        self, token: str, base_url: str = "https://slack.com/api/", taste: rich.Taste | None = None
    ) -> None:
        self.taste = taste or rich.NEVER
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
        """Opens the kept session; without it the SDK opens a connection a call."""
        stay = aiohttp.TraceConfig()
        stay.on_request_redirect.append(_refuse_to_go)
        stay.on_request_end.append(self._answered)
        stay.on_request_exception.append(self._unanswered)
        self.session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=TIMEOUT_SECONDS), trace_configs=[stay]
        )
        self.web.session = self.session

    async def aclose(self) -> None:
        if self.session is not None:
            await self.session.close()

    async def _answered(
        self, session: object, context: object, params: aiohttp.TraceRequestEndParams
    ) -> None:
        self._count_answer(str(params.url), params.response.status)

    async def _unanswered(
        self, session: object, context: object, params: aiohttp.TraceRequestExceptionParams
    ) -> None:
        self._count_answer(str(params.url), NO_ANSWER)

    def _count_answer(self, url: str, status: int | str) -> None:
        """Answers to people go by addresses of their own, and not through the API that `Counting` counts."""
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
            raise _refusal(method, error) from error
        except UNANSWERED as error:
            raise self._unanswered_error(method, error) from error

    def _unanswered_error(self, method: str, error: BaseException) -> HttpError:
        """Why no answer came, in words."""
        if isinstance(error, SentElsewhere):
            text = f"Slack sends us elsewhere ({error}), and SLACK_API_URL must be the address that answers"
            return HttpError("slack", text, retryable=True)
        if isinstance(error, TimeoutError):
            return HttpError(
                "slack", f"Slack did not answer {method} within {TIMEOUT_SECONDS} s", retryable=True
            )
        told = why("Slack", error, self.web.base_url)
        text = f"Slack did not answer {method}: {told.says}"  # without Slack nobody could be told: it is waited for
        return HttpError("slack", text, retryable=not told.final, sent=told.sent, mend=told.mend)

    async def pages(self, method: str, key: str, **arguments: Any) -> AsyncIterator[Any]:
        cursor: str | None = None
        while True:
            answer = await self.get(method, **{"limit": PAGE, "cursor": cursor, **arguments})
            for one in answer.get(key, []):
                yield one
            cursor = (answer.get("response_metadata") or {}).get("next_cursor") or None
            if cursor is None:
                return

    async def who(self) -> tuple[dict[str, Any], frozenset[str]]:
        """auth.test with the scopes that the token has, as its answer's `X-OAuth-Scopes` tells. Raises `PortError`.

        https://docs.slack.dev/authentication/installing-with-oauth#scopes
        """
        answer = await self._send("auth.test")
        header = next(
            (str(v) for k, v in answer.headers.items() if k.lower() == "x-oauth-scopes"), ""
        )
        return _data(answer), frozenset(
            scope.strip() for scope in header.split(",") if scope.strip()
        )

    # --- messages ----------------------------------------------------------------------------------------------

    async def post(
        self,
        channel: str,
        message: Shown,
        *,
        incident: str,
        effect: str,
        since: datetime,
        maybe_posted: bool,
        thread_ts: str | None = None,
        live: str | None = None,
    ) -> str:
        """Posts once; where an earlier try may have arrived, looks for it in history first. Returns its `ts`.

        `live` names a message of which there is one, whichever effect posts it.
        """
        if (
            maybe_posted
            and (found := await self.posted(channel, effect, since, thread_ts, live)) is not None
        ):
            return found
        marked = {"incident": incident, "effect": effect, **({"live": live} if live else {})}
        answer = await self._put(
            message,
            "chat.postMessage",
            channel=channel,
            thread_ts=thread_ts,
            unfurl_links=False,
            unfurl_media=False,
            metadata={"event_type": METADATA, "event_payload": marked},
        )
        return str(answer["ts"])

    async def _put(self, message: Shown, method: str, **arguments: Any) -> dict[str, Any]:
        """With charts and tables where the workspace takes them."""

        async def put(blocks: Blocks) -> dict[str, Any]:
            return await self.call(method, text=message.text, blocks=list(blocks), **arguments)

        return await rich.send(self.taste, message, put)

    async def posted(
        self,
        channel: str,
        effect: str,
        since: datetime,
        thread_ts: str | None,
        live: str | None = None,
    ) -> str | None:
        """The `ts` of the message whose metadata names `effect` or `live`; None where there is none since then."""
        # clocks differ: a minute of grace. https://docs.slack.dev/reference/methods/conversations.history
        oldest = f"{since.timestamp() - 60:.6f}"
        method, more = (
            ("conversations.replies", {"ts": thread_ts})
            if thread_ts
            else ("conversations.history", {})
        )
        async for one in self.pages(
            method, "messages", channel=channel, oldest=oldest, include_all_metadata="true", **more
        ):
            payload = (one.get("metadata") or {}).get("event_payload") or {}
            if payload.get("effect") == effect or (
                live is not None and payload.get("live") == live
            ):
                return str(one["ts"])
        return None

    async def message(self, channel: str, ts: str) -> dict[str, Any] | None:
        """One message, in the channel or in a thread, with its reactions; None where there is none.

        https://docs.slack.dev/messaging/retrieving-messages#individual_messages
        """
        one = {"channel": channel, "oldest": ts, "latest": ts, "inclusive": "true", "limit": 1}
        one |= {"include_all_metadata": "true"}
        for method, more in (("conversations.history", {}), ("conversations.replies", {"ts": ts})):
            try:
                answer = await self.get(method, **one, **more)
            except SlackRefused as refused:
                if refused.error != "thread_not_found":
                    raise
                return None
            found = next((m for m in answer.get("messages", []) if m.get("ts") == ts), None)
            if found is not None:
                return dict(found)
        return None

    async def permalink(self, channel: str, ts: str) -> str | None:
        """None where there is no such message any more."""
        try:
            return str(
                (await self.get("chat.getPermalink", channel=channel, message_ts=ts))["permalink"]
            )
        except SlackRefused as refused:
            if refused.retryable:
                raise
            return None

    async def update(self, channel: str, ts: str, message: Shown) -> None:
        await self._put(message, "chat.update", channel=channel, ts=ts)

    async def pin(self, channel: str, ts: str) -> None:
        await self._unless({"already_pinned"}, "pins.add", channel=channel, timestamp=ts)

    # --- channels ----------------------------------------------------------------------------------------------

    async def create_channel(
        self, name: str, *, purpose: str, marker: str, private: bool, since: datetime
    ) -> tuple[str, str]:
        """Makes `name`, or finds the one an earlier try made: ours where its purpose is empty or holds `marker`.

        Returns id and name; a name that somebody else has becomes `…-2` and so on.
        """
        for number in range(1, 10):
            wanted = name if number == 1 else f"{name[:77]}-{number}"
            try:
                made = await self.call("conversations.create", name=wanted, is_private=private)
                channel, called = str(made["channel"]["id"]), str(made["channel"]["name"])
            except SlackRefused as refused:
                if refused.error != "name_taken":
                    raise
                found = await self.our_channel(wanted, marker, since)
                if found is None:
                    continue
                channel, called = found, wanted
            await self.call("conversations.setPurpose", channel=channel, purpose=purpose)
            return channel, called
        raise SlackRefused("conversations.create", "name_taken", retryable=False)

    async def our_channel(self, name: str, marker: str, since: datetime) -> str | None:
        # at most 999 a page: https://docs.slack.dev/reference/methods/users.conversations
        kinds = {
            "types": "public_channel,private_channel",
            "exclude_archived": "true",
            "limit": 999,
        }
        async for one in self.pages("users.conversations", "channels", **kinds):
            if one.get("name") != name:
                continue
            purpose = (one.get("purpose") or {}).get("value") or ""
            created = float(one.get("created") or 0)
            if marker in purpose or (not purpose and created >= since.timestamp() - 60):
                return str(one["id"])
        return None

    async def join(self, channel: str) -> None:
        await self._unless(
            {"method_not_supported_for_channel_type"}, "conversations.join", channel=channel
        )

    async def set_topic(self, channel: str, topic: str) -> None:
        await self.call("conversations.setTopic", channel=channel, topic=topic[:250])

    async def invite(self, channel: str, people: Sequence[str]) -> dict[str, str]:
        """Invites one by one where the whole fails; returns who could not be invited, and Slack's word for why."""
        if not people:
            return {}
        try:
            # one who is in already stops all the others: https://docs.slack.dev/reference/methods/conversations.invite
            await self.call("conversations.invite", channel=channel, users=",".join(people))
        except SlackRefused as refused:
            if refused.retryable:
                raise
        else:
            return {}
        failed: dict[str, str] = {}
        for person in people:
            try:
                await self._unless(
                    {"already_in_channel", "cant_invite_self"},
                    "conversations.invite",
                    channel=channel,
                    users=person,
                )
            except SlackRefused as refused:
                if refused.retryable:
                    raise
                failed[person] = refused.error
        return failed

    async def members(self, channel: str) -> list[str]:
        """Who is in a channel: https://docs.slack.dev/reference/methods/conversations.members"""
        pages = self.pages("conversations.members", "members", channel=channel)
        return [str(member) async for member in pages]

    async def talked_since(self, channel: str, since: datetime) -> bool:
        """Whether a person wrote in the channel; what bots post and Slack itself notes does not count."""
        oldest = f"{since.timestamp():.6f}"
        async for one in self.pages(
            "conversations.history", "messages", channel=channel, oldest=oldest
        ):
            if by_person(one):
                return True
        return False

    async def archive(self, channel: str) -> None:
        """https://docs.slack.dev/reference/methods/conversations.archive"""
        await self._unless({"already_archived"}, "conversations.archive", channel=channel)

    async def bookmark(
        self, channel: str, title: str, link: str, *, known: str | None, maybe_added: bool
    ) -> str:
        """Adds a bookmark, or makes the known one right; its id. https://docs.slack.dev/reference/methods/bookmarks.add

        Where an earlier try may have added it, it is looked for; without the scope for that there may be two.
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
        return next((str(one["id"]) for one in every if one.get("link") == link), None)

    async def direct_message(self, person: str) -> str:
        answer = await self.call("conversations.open", users=person)
        return str(answer["channel"]["id"])

    async def _unless(self, fine: set[str], method: str, **arguments: Any) -> None:
        try:
            await self.call(method, **arguments)
        except SlackRefused as refused:
            if refused.error not in fine:
                raise


async def _refuse_to_go(
    session: object, context: object, params: aiohttp.TraceRequestRedirectParams
) -> None:
    """aiohttp follows redirects by itself, and would take the token along; Slack's API never sends us elsewhere."""
    raise SentElsewhere(str(params.response.status))


def _without_none(arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in arguments.items() if value is not None}


def _data(answer: AsyncSlackResponse) -> dict[str, Any]:
    return dict(answer.data) if isinstance(answer.data, dict) else {}


def _refusal(method: str, error: SlackApiError) -> SlackRefused:
    data = error.response.data if isinstance(error.response.data, dict) else {}
    word = _word(error)
    details = (data.get("response_metadata") or {}).get("messages") or []
    again = (
        word in WAITABLE or error.response.status_code >= 500 or error.response.status_code == 429
    )
    said = f"{word} ({'; '.join(str(d) for d in details[:2])})" if details else word
    kind = BlocksRefused if word in rich.REFUSALS else SlackRefused
    refused = kind(method, word, retryable=again, retry_after=retry_after(error.response.headers))
    refused.text = f"Slack refused {method}: {said}"
    if word.startswith("HTTP ") and not again:
        refused.text = f"what answers {method} does not answer as Slack does ({word})"
    return refused


def _word(error: SlackApiError) -> str:
    """Slack's word for why, or the HTTP status where its answer has none."""
    data = error.response.data if isinstance(error.response.data, dict) else {}
    return str(data.get("error") or f"HTTP {error.response.status_code}")
