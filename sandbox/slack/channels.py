"""Conversations and people of the workspace: their state, and their shapes on the wire."""

from __future__ import annotations

from dataclasses import dataclass, field

from sandbox.wire import Json

TEAM = "T0FIREBREAK"
OTHER_TEAM = "T0OTHER"
APP = "A0FIREBREAK"
BOT_USER = "U0FIREBREAK"
BOT = "B0FIREBREAK"
ALICE, BOB, GUEST, OTHER = "U0ALICE", "U0BOB", "U0GUEST", "U0OTHER"


@dataclass(slots=True)
class Channel:
    """A channel, public or private, or a direct message with the bot.

    `messages` holds roots and replies, in the order of their `ts`.
    """

    id: str
    name: str
    creator: str
    created: int
    is_private: bool = False
    im_user: str | None = None
    """The person at the other end, when this is a direct message with the bot."""
    topic: Json = field(default_factory=lambda: {"value": "", "creator": "", "last_set": 0})
    purpose: Json = field(default_factory=lambda: {"value": "", "creator": "", "last_set": 0})
    members: list[str] = field(default_factory=list)
    is_archived: bool = False
    messages: list[Json] = field(default_factory=list, repr=False)
    pins: list[Json] = field(default_factory=list)
    bookmarks: list[Json] = field(default_factory=list)
    previous_names: list[str] = field(default_factory=list)
    is_ext_shared: bool = False
    """Another company reads it: https://docs.slack.dev/apis/slack-connect/"""

    @property
    def is_im(self) -> bool:
        return self.im_user is not None

    @property
    def type(self) -> str:
        """`channel_type` of message events: https://docs.slack.dev/reference/events/message"""
        return "im" if self.is_im else "group" if self.is_private else "channel"

    def message(self, ts: str) -> Json | None:
        return next((message for message in self.messages if message["ts"] == ts), None)

    def roots(self) -> list[Json]:
        """Return the messages of the channel itself, oldest first.

        Replies are among them only where they were also sent to the channel.
        """
        return [
            m
            for m in self.messages
            if m.get("thread_ts", m["ts"]) == m["ts"] or m.get("subtype") == "thread_broadcast"
        ]

    def thread(self, ts: str) -> list[Json]:
        return [m for m in self.messages if m["ts"] == ts or m.get("thread_ts") == ts]

    def shape(self, viewer: str, team: str = TEAM) -> Json:
        """Return it as `viewer` gets it.

        https://docs.slack.dev/reference/objects/conversation-object
        """
        if self.is_im:
            return {
                "id": self.id,
                "created": self.created,
                "is_archived": self.is_archived,
                "is_im": True,
                "is_org_shared": False,
                "context_team_id": team,
                "updated": self.created * 1000,
                "user": self.im_user,
                "is_user_deleted": False,
                "is_open": True,
                "priority": 0,
            }
        return {
            "id": self.id,
            "name": self.name,
            "is_channel": not self.is_private,
            "is_group": self.is_private,
            "is_im": False,
            "is_mpim": False,
            "is_private": self.is_private,
            "created": self.created,
            "is_archived": self.is_archived,
            "is_general": self.name == "general",
            "unlinked": 0,
            "name_normalized": self.name,
            "is_shared": self.is_ext_shared,
            "is_org_shared": False,
            "is_pending_ext_shared": False,
            "pending_shared": [],
            "context_team_id": team,
            "updated": self.created * 1000,
            "parent_conversation": None,
            "creator": self.creator,
            "is_ext_shared": self.is_ext_shared,
            "shared_team_ids": [team],
            "pending_connected_team_ids": [],
            "is_member": viewer in self.members,
            "topic": dict(self.topic),
            "purpose": dict(self.purpose),
            "previous_names": list(self.previous_names),
            "num_members": len(self.members),
        }


def person(
    user_id: str,
    name: str,
    real_name: str,
    *,
    team: str = TEAM,
    guest: bool = False,
    bot: bool = False,
) -> Json:
    """A user object: https://docs.slack.dev/reference/objects/user-object"""
    shape: Json = {
        "id": user_id,
        "team_id": team,
        "name": name,
        "deleted": False,
        "color": "9f69e7",
        "real_name": real_name,
        "tz": "Etc/UTC",
        "tz_label": "Coordinated Universal Time",
        "tz_offset": 0,
        "profile": {
            "title": "",
            "real_name": real_name,
            "real_name_normalized": real_name,
            "display_name": name,
            "display_name_normalized": name,
            "team": team,
        },
        "is_admin": False,
        "is_owner": False,
        "is_primary_owner": False,
        "is_restricted": guest,
        "is_ultra_restricted": False,
        "is_bot": bot,
        "is_app_user": False,
        "updated": 1700000000,
    }
    if team != TEAM:
        shape["is_stranger"] = True
    if bot:
        shape["profile"] |= {"bot_id": BOT, "api_app_id": APP}
    return shape


def everybody() -> dict[str, Json]:
    people = [
        person(ALICE, "alice", "Alice Reyes"),
        person(BOB, "bob", "Bob Okafor"),
        person(GUEST, "gus", "Gus Guest", guest=True),
        person(OTHER, "olga", "Olga Other", team=OTHER_TEAM),
        person(BOT_USER, "firebreak", "Firebreak", bot=True),
    ]
    return {user["id"]: user for user in people}


def checkout_oncall() -> Json:
    """A usergroup object: https://docs.slack.dev/reference/objects/usergroup-object"""
    return {
        "id": "S0CHECKOUT",
        "team_id": TEAM,
        "is_usergroup": True,
        "is_subteam": True,
        "name": "Checkout on-call",
        "description": "Who looks after checkout this week",
        "handle": "checkout-oncall",
        "is_external": False,
        "date_create": 1700000000,
        "date_update": 1700000000,
        "date_delete": 0,
        "auto_type": None,
        "auto_provision": False,
        "enterprise_subteam_id": "",
        "created_by": ALICE,
        "updated_by": ALICE,
        "deleted_by": None,
        "prefs": {"channels": [], "groups": []},
        "users": [ALICE],
        "user_count": 1,
    }
