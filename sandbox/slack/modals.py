"""Modals and App Home: the stack of views that each person has open, what they typed, and the trigger ids that open them."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass

from sandbox.slack.block_kit.blocks import stored
from sandbox.slack.changes import Change, Changes, Json
from sandbox.slack.channels import APP, BOT, TEAM
from sandbox.slack.errors import SlackError

TRIGGER_SECONDS = 3.0
"""A trigger id lives 3 s: https://docs.slack.dev/interactivity/handling-user-interaction#modal_responses"""
MAX_STACK = 3
"""Views in one modal: https://docs.slack.dev/surfaces/modals#lifecycle"""


@dataclass(slots=True)
class Trigger:
    user: str
    expires: float
    view_id: str | None = None
    """The view in which the click was made, if any: `views.push` needs it."""
    exchanged: bool = False


class Modals:
    """Views per person. `views` holds every view that is open; `typed` what was entered in it and not yet sent."""

    def __init__(self, changes: Changes, now: Callable[[], float]) -> None:
        self._changes = changes
        self._now = now
        self._ids = itertools.count(1)
        self.views: dict[str, Json] = {}
        self.owners: dict[str, str] = {}
        self.stacks: dict[str, list[str]] = {}
        self.homes: dict[str, Json] = {}
        self.typed: dict[str, dict[tuple[str, str], Json]] = {}
        self.errors: dict[str, dict[str, str]] = {}
        """Messages under the fields of a view (block id → text), from `response_action: errors`."""
        self.triggers: dict[str, Trigger] = {}

    # Triggers

    def trigger(self, user: str, view_id: str | None = None) -> str:
        number = f"{next(self._ids)}{secrets.randbelow(10**9):09d}"
        trigger_id = f"{number}.{secrets.randbelow(10**9):09d}.{secrets.token_hex(16)}"
        self.triggers[trigger_id] = Trigger(user, self._now() + TRIGGER_SECONDS, view_id)
        return trigger_id

    def exchange(self, trigger_id: str) -> Trigger:
        """Use up a trigger id. Raises `invalid_trigger_id`, `expired_trigger_id` or `exchanged_trigger_id`.

        Errors: https://docs.slack.dev/reference/methods/views.open#errors
        """
        trigger = self.triggers.get(trigger_id)
        if trigger is None:
            raise SlackError("invalid_trigger_id")
        if trigger.exchanged:
            raise SlackError("exchanged_trigger_id")
        if self._now() > trigger.expires:
            raise SlackError("expired_trigger_id")
        trigger.exchanged = True
        return trigger

    # What a person has in front of them

    def top(self, user: str) -> Json | None:
        stack = self.stacks.get(user)
        return self.views[stack[-1]] if stack else None

    def find(self, view_id: str | None, external_id: str | None) -> Json:
        for view in (*self.views.values(), *self.homes.values()):
            if view["id"] == view_id or (external_id and view["external_id"] == external_id):
                return view
        raise SlackError("not_found")

    # What an app does

    def open(self, user: str, view: Json) -> Json:
        """Show `view` to `user` as a new modal, in place of one that is open."""
        for view_id in self.stacks.get(user, []):
            self._forget(view_id)
        self.stacks[user] = []
        return self._put_on_top(user, view)

    def push(self, user: str, view: Json) -> Json:
        if len(self.stacks.get(user, [])) >= MAX_STACK:
            raise SlackError("push_limit_reached")
        return self._put_on_top(user, view)

    def update(self, old: Json, view: Json, given_hash: str | None = None) -> Json:
        """Replace `old`, in place. What was typed stays where block id and action id stay."""
        if given_hash and given_hash != old["hash"]:
            raise SlackError("hash_conflict")
        user = self.owners[old["id"]]
        if old["type"] == "home":
            return self.publish(user, view)
        self._check_external_id(view, old["id"])
        new = self._shape(view, old["id"])
        new["previous_view_id"], new["root_view_id"] = old["previous_view_id"], old["root_view_id"]
        self.views[old["id"]] = new
        self.errors.pop(old["id"], None)
        self._changes.tell(Change("view_updated", user=user, data=new))
        return new

    def publish(self, user: str, view: Json, given_hash: str | None = None) -> Json:
        """Set the App Home of `user`."""
        old = self.homes.get(user)
        if given_hash and (old is None or given_hash != old["hash"]):
            raise SlackError("hash_conflict")
        new = self._shape(view, old["id"] if old else self._id())
        new["root_view_id"] = new["id"]
        self.homes[user] = new
        self.owners[new["id"]] = user
        self._changes.tell(Change("home", user=user, data=new))
        return new

    # What a person does

    def type_in(self, view_id: str, block_id: str, action_id: str, value: Json) -> None:
        self.typed.setdefault(view_id, {})[block_id, action_id] = value

    def pop(self, user: str) -> None:
        """The top view is done: the one below shows again."""
        stack = self.stacks.get(user)
        if stack:
            self._close(user, stack.pop())

    def done(self, view_id: str) -> None:
        """One view is done, wherever in the stack it is: the app may have put another on top meanwhile."""
        user = self.owners[view_id]
        self.stacks[user].remove(view_id)
        self._close(user, view_id)

    def clear(self, user: str) -> None:
        while self.stacks.get(user):
            self.pop(user)

    def show_errors(self, view_id: str, errors: dict[str, str]) -> None:
        self.errors[view_id] = errors
        self._changes.tell(
            Change(
                "view_errors",
                user=self.owners[view_id],
                data={"view_id": view_id, "errors": errors},
            )
        )

    def _put_on_top(self, user: str, view: Json) -> Json:
        self._check_external_id(view, None)
        stack = self.stacks.setdefault(user, [])
        new = self._shape(view, self._id())
        new["previous_view_id"] = stack[-1] if stack else None
        new["root_view_id"] = stack[0] if stack else new["id"]
        stack.append(new["id"])
        self.views[new["id"]] = new
        self.owners[new["id"]] = user
        self._changes.tell(Change("view_opened", user=user, data=new))
        return new

    def _close(self, user: str, view_id: str) -> None:
        view = self.views.get(view_id)
        self._forget(view_id)
        if view is not None:
            self._changes.tell(Change("view_closed", user=user, data=view))

    def _forget(self, view_id: str) -> None:
        self.views.pop(view_id, None)
        self.typed.pop(view_id, None)
        self.errors.pop(view_id, None)

    def _check_external_id(self, view: Json, own: str | None) -> None:
        external = view.get("external_id")
        if external and any(
            v["external_id"] == external and v["id"] != own for v in self.views.values()
        ):
            raise SlackError("duplicate_external_id")

    def _id(self) -> str:
        return f"V{next(self._ids):09d}"

    def _shape(self, view: Json, view_id: str) -> Json:
        """A view object as Slack returns and sends it: https://docs.slack.dev/reference/views"""
        view = deepcopy(view)
        return {
            "id": view_id,
            "team_id": TEAM,
            "type": view["type"],
            "blocks": stored(view["blocks"]),
            "private_metadata": view.get("private_metadata", ""),
            "callback_id": view.get("callback_id", ""),
            "state": {"values": {}},
            "hash": f"{int(self._now())}.{secrets.token_urlsafe(6)}",
            "title": view.get("title")
            or {"type": "plain_text", "text": "View Title", "emoji": True},
            "clear_on_close": bool(view.get("clear_on_close")),
            "notify_on_close": bool(view.get("notify_on_close")),
            "close": view.get("close"),
            "submit": view.get("submit"),
            "previous_view_id": None,
            "root_view_id": None,
            "app_id": APP,
            "external_id": view.get("external_id", ""),
            "app_installed_team_id": TEAM,
            "bot_id": BOT,
        }
