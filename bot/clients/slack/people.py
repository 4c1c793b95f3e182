"""People in Slack, as far as the rules ask.

That is: member or not, owner of a service, and a name for texts outside Slack.
"""

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.clients.cache import Cache
from bot.clients.slack.client import Slack
from bot.clients.slack.errors import SlackRefused
from bot.clients.slack.listing import Listing
from phases.ports.ports import Person, PortError
from phases.record.service import Service
from phases.text.cleaning import FORGOTTEN, SOMEBODY
from phases.text.letters import spelled

CACHED_SECONDS = 3600  # rules, Who may: users.info, cached an hour
SLACKBOT = "USLACKBOT"  # Slack calls it no bot
LAST_KNOWN_SECONDS = 24 * 3600  # group members: last known for a day
ANEW_SECONDS = 60.0
"""A name that a list of that age does not have may be new."""
MENTION = re.compile(r"<@([UW][A-Z0-9]+)(?:\|[^>]*)?>")
CHANNEL = re.compile(r"<#([CG][A-Z0-9]+)(?:\|([^>]*))?>")


class SlackPeople:
    """`phases.ports.ports.People` over Slack. Names are kept in memory only."""

    def __init__(self, slack: Slack, team: str, enterprise: str | None) -> None:
        self._slack = slack
        self._team = team
        self._enterprise = enterprise
        self._known = Cache[str, Person](seconds=CACHED_SECONDS)
        self._asking: dict[str, asyncio.Task[Person]] = {}
        self._groups = Cache[str, tuple[str, ...]](seconds=CACHED_SECONDS)
        self._last_groups = Cache[str, tuple[str, ...]](seconds=LAST_KNOWN_SECONDS)
        self._handles = Cache[str, dict[str, str]](seconds=CACHED_SECONDS)
        self._users = Listing(slack, "users.list", "members", _user)

    async def person(self, id: str, team: str | None, enterprise: str | None = None) -> Person:
        """Return a person: a full member of our workspace, or not.

        Raises `PortError` where Slack cannot be asked.
        """
        ours = team in (None, self._team) or (
            self._enterprise is not None and enterprise == self._enterprise
        )
        if not ours:
            return Person(id=id, name="somebody of another workspace", member=False)
        if (known := self._known.get(id)) is not None:
            return known
        asking = self._asking.get(id)
        if asking is None:
            asking = self._asking[id] = asyncio.create_task(self._read_person(id))
            asking.add_done_callback(lambda _: self._asking.pop(id, None))
            # Seen, though nobody waits.
            asking.add_done_callback(lambda done: done.cancelled() or done.exception())
        # Who waits no longer leaves the answer to the next click, which so finds it.
        return await asyncio.shield(asking)

    async def _read_person(self, id: str) -> Person:
        try:
            user = (await self._slack.get("users.info", user=id))["user"]
        except SlackRefused as refused:
            if refused.error in ("user_not_found", "user_not_visible"):
                return Person(id=id, name=id, member=False)
            raise
        # Guests, bots, those who were invited and never came, and strangers:
        # https://docs.slack.dev/reference/objects/user-object. Somebody who shares a Slack Connect
        # channel with us is no "stranger" there: only the workspace tells them apart.
        no = (
            "deleted",
            "is_bot",
            "is_workflow_bot",
            "is_restricted",
            "is_ultra_restricted",
            "is_stranger",
            "is_invited_user",
        )
        profile = user.get("profile") or {}
        name = (
            profile.get("display_name")
            or user.get("real_name")
            or profile.get("real_name")
            or user.get("name")
            or id
        )
        offset = user.get("tz_offset")
        person = Person(
            id=id,
            name=str(name),
            member=self._at_home(user)
            and id != SLACKBOT
            and not any(user.get(flag) for flag in no),
            offset=offset if isinstance(offset, int) else 0,
            left=bool(user.get("deleted")),
        )
        self._known[id] = person
        return person

    def _at_home(self, user: Mapping[str, Any]) -> bool:
        """Return whether a user is of this workspace, or of another one of its Enterprise."""
        if user.get("team_id") in (None, self._team):
            return True
        grid = (user.get("enterprise_user") or {}).get("enterprise_id")
        return self._enterprise is not None and grid == self._enterprise

    async def name(self, id: str) -> str:
        if id == FORGOTTEN:
            return SOMEBODY
        try:
            return (await self.person(id, None)).name
        except PortError:
            return id  # the id says who as well

    async def email(self, id: str) -> str | None:
        """Return an address for one look-up elsewhere; it is kept nowhere.

        None without the scope `users:read.email`.
        """
        try:
            user = (await self._slack.get("users.info", user=id))["user"]
        except PortError:
            return None  # the name may fit as well
        return (user.get("profile") or {}).get("email") or None

    async def plain(self, text: str) -> str:
        """Return `text` for outside Slack.

        Mentions and channels become names, Slack dates their fallback.
        """
        names = {id: await self.name(id) for id in set(MENTION.findall(text))}
        text = MENTION.sub(lambda match: names[match.group(1)], text)
        text = CHANNEL.sub(lambda match: f"#{match.group(2) or match.group(1)}", text)
        return re.sub(r"<!date\^[^|>]*\|([^>]*)>", r"\1", text)

    async def owners(self, service: Service, *, every: bool = False) -> Sequence[str]:
        """Return the Slack ids of a service's owners. Groups are named by handle or id.

        An owner whom Slack does not know (one who left, a group that was renamed) takes nothing
        from the others; with `every`, that is raised, too. Raises `PortError` where nothing is
        known of a group.
        """
        owners: list[str] = []
        unknown: PortError | None = None
        for owner in service.owners:
            written = spelled(owner).strip()
            mentioned = re.fullmatch(r"<(?:@|!subteam\^)([A-Z0-9]+)(?:\|[^>]*)?>", written)
            word = mentioned.group(1) if mentioned else written.removeprefix("@")
            if re.fullmatch(r"[UW][A-Z0-9]{2,}", word):
                owners.append(word)
                continue
            try:
                owners.extend(await self._members(word))
            except PortError as error:
                if error.retryable or every:
                    raise
                unknown = unknown or error
        if service.owners and not owners:  # nobody would mean: any full member
            nobody = PortError("slack", "nobody is in the owners' groups of the catalogue")
            raise unknown or nobody
        return tuple(dict.fromkeys(owners))

    async def _members(self, word: str) -> tuple[str, ...]:
        if word in self._groups:
            return self._groups[word]
        try:
            members = await self._look_up_owner(word)
        except PortError:
            if word in self._last_groups:
                return self._last_groups[word]
            raise
        self._groups[word] = self._last_groups[word] = members
        return members

    async def _look_up_owner(self, word: str) -> tuple[str, ...]:
        """Return the members of a group, or a user by name.

        A user's name is found also where groups cannot be read (`missing_scope`, a plan without
        them).
        """
        handle, refused = word.casefold(), None
        group = word if re.fullmatch(r"S[A-Z0-9]{2,}", word) else None
        try:
            group = group or (await self._handle_ids()).get(handle)
        except SlackRefused as error:
            if error.retryable:
                raise
            refused = error
        if group is not None:
            return tuple(
                (await self._slack.get("usergroups.users.list", usergroup=group)).get("users", [])
            )
        try:
            return await self._user_named(handle)
        except PortError as error:
            raise (error if refused is None or error.retryable else refused) from error

    async def _handle_ids(self) -> dict[str, str]:
        handles = self._handles.get("")
        if not handles:
            groups = (await self._slack.get("usergroups.list")).get("usergroups", [])
            handles = {str(group["handle"]).casefold(): str(group["id"]) for group in groups}
            self._handles[""] = handles
        return handles

    async def _user_named(self, word: str) -> tuple[str, ...]:
        users = await self._users_named(word)
        if not users and self._users.age > ANEW_SECONDS:
            self._users.begin_anew()
            users = await self._users_named(word)
        if len(users) == 1:
            return tuple(users)
        text = f"the owners' group or user @{word} of the catalogue "
        if "@" in word:  # not repeated: no address is said or logged
            text = "an owner of the catalogue is written as an e-mail address"
            text += ": write the name or id in Slack"
        elif users:
            text += "is what several people are called: write their Slack ids"
        else:
            text += "is not known to Slack"
        raise PortError("slack", text)

    async def _users_named(self, word: str) -> list[str]:
        """Return the user who alone has that name, else all for whom it is shown."""
        shown: list[str] = []
        async for user in self._users.rows():
            if word == user.name:
                return [user.id]
            if word in user.shown:
                shown.append(user.id)
        return shown


@dataclass(frozen=True, slots=True)
class _User:
    id: str
    name: str
    shown: frozenset[str]


def _user(shape: Mapping[str, Any]) -> _User | None:
    """Return the user, or None for bots and for those who are gone."""
    if shape.get("deleted") or shape.get("is_bot") or shape.get("id") == SLACKBOT:
        return None
    profile = shape.get("profile") or {}
    shown = (
        profile.get("display_name"),
        profile.get("display_name_normalized"),
        profile.get("real_name"),
    )
    names = (*shown, profile.get("real_name_normalized"), shape.get("real_name"))
    return _User(
        id=str(shape["id"]),
        name=str(shape.get("name") or "").casefold(),
        shown=frozenset(str(name).casefold() for name in names if name),
    )
