"""Modals and App Home: the views of each person, what they typed, and trigger ids.

No app here pushes a view onto another one, so each person has one modal at most.
https://docs.slack.dev/surfaces/modals
"""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from sandbox.slack.block_kit.blocks import stored
from sandbox.slack.changes import Change, Changes
from sandbox.slack.channels import APP, BOT, TEAM
from sandbox.slack.errors import SlackError
from sandbox.wire import Json, copied

TRIGGER_SECONDS = 3.0
"""https://docs.slack.dev/interactivity/handling-user-interaction#modal_responses"""


@dataclass(slots=True)
class Trigger:
    """A trigger id: good for one view, for three seconds."""

    user: str
    expires: float
    exchanged: bool = False


class Modals:
    """The views that are open, by id, and the App Home of each user."""

    def __init__(self, changes: Changes, now: Callable[[], float]) -> None:
        self._changes = changes
        self._now = now
        self._ids = itertools.count(1)
        self.views: dict[str, Json] = {}
        self.owners: dict[str, str] = {}
        self.shown: dict[str, str] = {}
        """User id → id of the modal that is in front of them."""
        self.homes: dict[str, Json] = {}
        self.typed: dict[str, dict[tuple[str, str], Json]] = {}
        """View id → values by block id and action id, entered and not sent yet."""
        self.errors: dict[str, dict[str, str]] = {}
        """View id → messages by block id, from `response_action: errors`."""
        self.triggers: dict[str, Trigger] = {}
        self.trigger_seconds = TRIGGER_SECONDS

    # Triggers

    def trigger(self, user: str) -> str:
        number = f"{next(self._ids)}{secrets.randbelow(10**9):09d}"
        trigger_id = f"{number}.{secrets.randbelow(10**9):09d}.{secrets.token_hex(16)}"
        self.triggers[trigger_id] = Trigger(user, self._now() + self.trigger_seconds)
        return trigger_id

    def exchange(self, trigger_id: str) -> Trigger:
        """Use up a trigger id, or raise `SlackError`.

        https://docs.slack.dev/reference/methods/views.open#errors
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

    # Reading

    def current(self, user: str) -> Json | None:
        """Return the modal that is in front of `user`."""
        view_id = self.shown.get(user)
        return self.views[view_id] if view_id else None

    def find(self, view_id: str | None, external_id: str | None) -> Json:
        """Raises `SlackError`."""
        for view in (*self.views.values(), *self.homes.values()):
            if view["id"] == view_id or (external_id and view["external_id"] == external_id):
                return view
        raise SlackError("not_found")

    # By the app

    def open(self, user: str, view: Json) -> Json:
        """Show `view` to `user`, in place of a modal that is open."""
        self._check_external_id(view, None)
        if user in self.shown:
            self._forget(self.shown[user])
        new = self._shape(view, self._id())
        self.views[new["id"]] = new
        self.owners[new["id"]] = user
        self.shown[user] = new["id"]
        self._changes.publish(Change("view_opened", user=user, data=new))
        return new

    def update(self, old: Json, view: Json, given_hash: str | None = None) -> Json:
        """Replace `old`, in place. Typed values stay where block id and action id stay."""
        if given_hash and given_hash != old["hash"]:
            raise SlackError("hash_conflict")
        user = self.owners[old["id"]]
        if old["type"] == "home":
            return self.publish(user, view)
        self._check_external_id(view, old["id"])
        new = self._shape(view, old["id"])
        self.views[old["id"]] = new
        self.errors.pop(old["id"], None)
        self._changes.publish(Change("view_updated", user=user, data=new))
        return new

    def publish(self, user: str, view: Json, given_hash: str | None = None) -> Json:
        """Set the App Home of `user`."""
        old = self.homes.get(user)
        if given_hash and (old is None or given_hash != old["hash"]):
            raise SlackError("hash_conflict")
        new = self._shape(view, old["id"] if old else self._id())
        self.homes[user] = new
        self.owners[new["id"]] = user
        self._changes.publish(Change("home", user=user, data=new))
        return new

    def show_errors(self, view_id: str, errors: dict[str, str]) -> None:
        self.errors[view_id] = errors
        data = {"view_id": view_id, "errors": errors}
        self._changes.publish(Change("view_errors", user=self.owners[view_id], data=data))

    # By the person

    def type_in(self, view_id: str, block_id: str, action_id: str, value: Json) -> None:
        self.typed.setdefault(view_id, {})[block_id, action_id] = value

    def close(self, user: str) -> None:
        """Close the modal that is in front of `user`, if there is one."""
        view_id = self.shown.pop(user, None)
        if view_id is None:
            return
        view = self.views[view_id]
        self._forget(view_id)
        self._changes.publish(Change("view_closed", user=user, data=view))

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
        view = copied(view)
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
            "root_view_id": view_id,
            "app_id": APP,
            "external_id": view.get("external_id", ""),
            "app_installed_team_id": TEAM,
            "bot_id": BOT,
        }
