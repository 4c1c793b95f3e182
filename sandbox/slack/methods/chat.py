"""`chat.*`: https://docs.slack.dev/reference/methods/chat.postMessage and its neighbours."""

from __future__ import annotations

from typing import Any

from sandbox.slack.block_kit.limits import check_message_blocks
from sandbox.slack.channels import Channel
from sandbox.slack.errors import SlackError
from sandbox.slack.methods.call import Call, Method
from sandbox.wire import Json, copied

POST_CHARACTERS = 40_000
"""Longer texts of new messages are cut.

https://docs.slack.dev/reference/methods/chat.postMessage#truncating
"""
UPDATE_CHARACTERS = 4_000
"""Longer texts of edits are refused: https://docs.slack.dev/reference/methods/chat.update#errors"""


def post_message(call: Call) -> Json:
    call.needs("chat:write")
    channel = _destination(call)
    blocks, metadata = _blocks(call), _metadata(call)
    text = call.text("text")[:POST_CHARACTERS]
    if not text and not blocks and not call.structure("attachments"):
        raise SlackError("no_text")
    message = call.workspace.post(
        channel,
        call.caller,
        text,
        blocks=blocks,
        thread_ts=call.text("thread_ts") or None,
        broadcast=call.flag("reply_broadcast"),
        **({"metadata": copied(metadata)} if metadata else {}),
    )
    return {"channel": channel.id, "ts": message["ts"], "message": copied(message)}


def update(call: Call) -> Json:
    """Text alone takes the blocks away, blocks alone keep the text; neither is `no_text`."""
    call.needs("chat:write")
    channel = call.channel()
    message = call.workspace.message(channel, call.required("ts"))
    if message.get("user") != call.caller or message.get("subtype") not in (
        None,
        "thread_broadcast",
    ):
        raise SlackError("cant_update_message")
    if channel.is_archived:
        raise SlackError("is_inactive")
    blocks, text = _blocks(call), call.args.get("text")
    if not text and not blocks and not call.structure("attachments"):
        raise SlackError("no_text")
    if text is not None and len(str(text)) > UPDATE_CHARACTERS:
        raise SlackError("msg_too_long")
    new: dict[str, Any] = {"blocks": blocks or None}
    if text is not None:
        new["text"] = str(text)
    if not blocks:
        new["edited"] = {"user": call.caller, "ts": call.workspace.timestamp()}
    if (metadata := _metadata(call)) is not None:
        new["metadata"] = metadata
    edited = call.workspace.edit(channel, message["ts"], **new)
    return {
        "channel": channel.id,
        "ts": edited["ts"],
        "text": edited["text"],
        "message": copied(edited),
    }


def delete(call: Call) -> Json:
    call.needs("chat:write")
    channel = call.channel()
    message = call.workspace.message(channel, call.required("ts"))
    if message.get("user") != call.caller:
        raise SlackError("cant_delete_message")
    call.workspace.delete(channel, message["ts"])
    return {"channel": channel.id, "ts": message["ts"]}


def post_ephemeral(call: Call) -> Json:
    call.needs("chat:write")
    channel = _destination(call)
    user = call.required("user")
    if user not in channel.members:
        raise SlackError("user_not_in_channel")
    blocks, text = _blocks(call), call.text("text")
    if not text and not blocks:
        raise SlackError("no_text")
    message = call.workspace.whisper(
        channel,
        user,
        text[:POST_CHARACTERS],
        blocks=blocks,
        thread_ts=call.text("thread_ts") or None,
    )
    return {"message_ts": message["ts"]}


def get_permalink(call: Call) -> Json:
    channel = call.channel()
    message = call.workspace.message(channel, call.required("message_ts"))
    return {"channel": channel.id, "permalink": call.workspace.permalink(channel.id, message["ts"])}


def _destination(call: Call) -> Channel:
    """Return the channel that is named; a user id means the direct message with them.

    A public channel that the bot is not in needs `chat:write.public`.
    """
    reference = call.text("channel")
    if reference in call.workspace.users:
        return call.workspace.direct(reference)
    channel = call.channel(by_name=True)
    if channel.is_archived:
        raise SlackError("is_archived")
    if call.caller not in channel.members and "chat:write.public" not in call.workspace.scopes:
        raise SlackError("not_in_channel")
    return channel


def _blocks(call: Call) -> list[Json] | None:
    blocks = call.structure("blocks", "invalid_blocks_format")
    if blocks is None:
        return None
    check_message_blocks(blocks, rich=call.workspace.rich_blocks)
    return blocks


def _metadata(call: Call) -> Json | None:
    """https://docs.slack.dev/messaging/message-metadata"""
    metadata = call.structure("metadata", "invalid_metadata_format")
    if metadata is None:
        return None
    if not isinstance(metadata, dict) or not isinstance(metadata.get("event_payload"), dict):
        raise SlackError("invalid_metadata_format")
    if not isinstance(metadata.get("event_type"), str):
        raise SlackError("invalid_metadata_schema")
    return metadata


METHODS: dict[str, Method] = {
    "chat.postMessage": post_message,
    "chat.update": update,
    "chat.delete": delete,
    "chat.postEphemeral": post_ephemeral,
    "chat.getPermalink": get_permalink,
}
