"""Rights. Each cell of the table in docs/permissions.md is tried at the real routes.

Whoever is refused is told why, changes nothing in Redis, and leaves one line in the log.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bot.store.incident_store import Store
from handlers.command.grammar import NAMES
from handlers.slack.listening import LISTENERS
from phases.record.incident import Incident, Status
from sandbox.slack.channels import OTHER_TEAM, TEAM, person
from sandbox.slack.to_app import payloads
from sandbox.slack.to_app.delivery import Ack
from sandbox.slack.to_app.events import app_home_opened
from tests.support.redis.servers import served
from tests.support.worlds.handlers_world import House, house
from tests.support.worlds.rights import on_fire

PAGE = (Path(__file__).parents[4] / "docs/permissions.md").read_text(encoding="utf-8")
NO = "Only full members of this workspace can use Firebreak here. Nothing was done."
KINDS = ("commands", "buttons", "forms", "shortcuts", "opens", "reacts", "in the form")
PEOPLE = {
    "reporter": "U0REPORTER",
    "lead": "U0LEAD",
    "owner": "U0ALICE",
    "in its channel": "U0BOB",
    "member": "U0MEMBER",
    "guest": "U0GUEST",
    "guest of one channel": "U0SINGLE",
    "Slack Connect": "U0CONNECT",
    "other workspace": "U0OTHER",
    "bot": "U0ROBOT",
    "deactivated": "U0LEFT",
    "private: in it": "U0BOB",
    "private: not in it": "U0MEMBER",
}


@dataclass(frozen=True)
class Cell:
    kind: str
    id: str
    who: str
    may: str

    def __str__(self) -> str:
        return f"{self.kind} {self.id} by {self.who}: {self.may}"


def cells() -> list[Cell]:
    """The table as the page has it."""
    lines = PAGE.partition("## Who may do what")[2].partition("\n## ")[0].splitlines()
    table = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in lines
        if line.startswith("|")
    ]
    table_cells: list[Cell] = []
    for what, *may in table[2:]:
        kind = ""
        for heading, id in re.findall(rf"({'|'.join(KINDS)}) (?=`)|`([^`]+)`", what):
            kind = heading or kind
            if id:
                table_cells += [
                    Cell(kind, id, who, word) for who, word in zip(table[0][1:], may, strict=True)
                ]
    return table_cells


CELLS = cells()


@dataclass
class Town:
    """A public incident and a private one, put back as they were before each try."""

    runner: asyncio.Runner
    home: House
    store: Store
    public: Incident
    private: Incident
    decisions: dict[str, dict[str, Any]]
    log: list[logging.LogRecord]
    untouched: dict[bytes, bytes] = field(default_factory=dict)
    unchanged: bool = False
    """The last try was seen to change nothing."""

    async def everything(self) -> dict[bytes, bytes]:
        redis: Any = self.store.redis
        keys = sorted([key async for key in redis.scan_iter(count=1000)])
        async with redis.pipeline(transaction=False) as pipe:
            for key in keys:
                pipe.dump(key)
            return dict(zip(keys, await pipe.execute(), strict=True))

    async def as_it_was(self) -> None:
        redis: Any = self.store.redis
        if not self.unchanged:
            async with redis.pipeline(transaction=True) as pipe:
                pipe.flushdb()
                for key, value in self.untouched.items():
                    pipe.restore(key, 0, value)
                await pipe.execute()
        self.unchanged = False
        self.home.slack.workspace.ephemerals.clear()
        self.home.slack.workspace.modals.shown.clear()
        self.home.slack.workspace.modals.homes.clear()
        self.log.clear()


class _Kept(logging.Handler):
    def __init__(self, records: list[logging.LogRecord]) -> None:
        super().__init__(logging.INFO)
        self._records = records

    def emit(self, record: logging.LogRecord) -> None:
        self._records.append(record)


def settle(home: House) -> None:
    """Everybody whom the table knows."""
    users = home.slack.workspace.users
    for id in ("U0REPORTER", "U0LEAD", "U0MEMBER"):
        users[id] = person(id, id.lower(), f"{id} Full")
    users["U0SINGLE"] = {
        **person("U0SINGLE", "sid", "Sid Single", guest=True),
        "is_ultra_restricted": True,
    }
    users["U0CONNECT"] = {
        **person("U0CONNECT", "cora", "Cora Connect", team=OTHER_TEAM),
        "is_stranger": False,
    }
    users["U0OTHER"] = {**users["U0OTHER"], "is_stranger": False}
    users["U0ROBOT"] = person("U0ROBOT", "robot", "A Robot", bot=True)
    users["U0LEFT"] = {**person("U0LEFT", "leo", "Leo Left"), "deleted": True}


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    stack, log = AsyncExitStack(), list[logging.LogRecord]()
    handler = _Kept(log)

    async def opened() -> Town:
        server = served(tmp_path_factory.mktemp("rights"), "--databases", "1")
        store = Store.open((await stack.enter_async_context(server)).url)
        stack.push_async_callback(store.close)
        home = await stack.enter_async_context(house(store, private=True))
        settle(home)
        public, first_decision = await on_fire(home, 1, private=False)
        private, second_decision = await on_fire(home, 2, private=True)
        await home.idle()
        set_up = Town(
            runner,
            home,
            store,
            public,
            private,
            {public.id: first_decision, private.id: second_decision},
            log,
        )
        set_up.untouched = await set_up.everything()
        return set_up

    with asyncio.Runner() as runner:
        logging.getLogger().addHandler(handler)
        logging.getLogger("handlers").setLevel(logging.INFO)
        try:
            yield runner.run(opened())
        finally:
            logging.getLogger().removeHandler(handler)
            logging.getLogger("handlers").setLevel(logging.NOTSET)
            runner.run(stack.aclose())


# --- what a person presses, as Slack sends it -----------------------------------------------------

WORDS = {
    "declare": "declare the search is slow",
    "drill": "drill the search is slow",
    "update": "update {id} cards work again",
    "cause": "cause {id} a deploy divided by zero",
    "fixed": "fixed {id} the flag is off",
    "cancel": "cancel {id} false alarm",
    "lead": "lead {id}",
    "severity": "severity {id} 2",
    "merge": "merge {id} {id}",
    "split": "split {id}",
    "list": "list",
    "history": "history",
    "trends": "trends",
    "help": "help",
}
"""Texts of the other commands: the word and the incident's id."""
FIELDS = {
    "incident.declare": {"title": "the search is slow", "service": "search"},
    "incident.rollback": {"target": "1.1.0"},
    "incident.hotfix": {"fix": f"{'ab' * 20} fix/rate"},
    "incident.break_glass": {"reason": "nobody answers"},
    "incident.triage": {"users": "many", "features": "many", "report": "12 tickets"},
}
TEXTS = (
    "text",
    "reason",
    "sentence",
    "says",
    "cause",
    "monitoring",
    "tests",
    "timeline",
    "revisit",
)
PLAN = {"round": 1, "kind": "rollback", "target": "1.2.0", "running": "1.3.0"}


def value_of(id: str, incident: str) -> dict[str, Any]:
    more: dict[str, Any] = {
        "incident.break_glass": PLAN,
        "incident.merge": {"keep": incident, "end": incident},
        "incident.merge_other": {"keep": incident, "end": incident},
        "incident.merge_into": {"of": incident},
        "incident.more": {"severity": 2},
        "incident.meant": {"name": "status", "text": ""},
        "incident.meant_new": {"text": "the search is slow"},
        "incident.something_else": {
            "title": "the search is slow",
            "service": "search",
            "of": "INC-0001",
        },
        "incident.declare": {"text": "the search is slow"},
    }.get(id, {})
    return {"incident": incident, "round": 1, "item": 0, **more}


@dataclass
class Try:
    """One person, and one thing that they press."""

    town: Town
    user: str
    who: str
    incident: str
    message: dict[str, Any]

    @property
    def slack(self) -> Any:
        return self.town.home.slack

    async def press(self, kind: str, id: str) -> str:
        """Does it; everything that this person alone was told, as text."""
        tries = {
            "commands": self.command,
            "buttons": self.button,
            "forms": self.form,
            "shortcuts": self.shortcut,
            "opens": self.opens,
            "reacts": self.react,
            "in the form": self.in_form,
        }
        ack = await tries[kind](id)
        await self.town.home.idle()
        assert ack is None or ack.ok, ack
        workspace = self.slack.workspace
        visible = [ack.body if ack is not None else "", workspace.ephemerals.get(self.user, [])]
        visible += [workspace.modals.current(self.user), workspace.modals.homes.get(self.user)]
        return json.dumps(visible, ensure_ascii=False)

    def theirs(self, body: dict[str, Any]) -> dict[str, Any]:
        """A guest of Slack Connect.

        Some payloads name our own workspace for one: then only `users.info` tells.
        """
        if self.who == "Slack Connect":
            body["team"] = {"id": TEAM, "domain": "firebreak"}
            body["user"]["team_id"] = TEAM
        return body

    async def command(self, id: str) -> Ack:
        workspace, channel = self.slack.workspace, self.slack.workspace.channel("general")
        line = "/incident " + WORDS.get(id, f"{id} {{id}}").format(id=self.incident)
        url = self.slack.delivery.response_urls.make(self.user, channel)
        body = payloads.command(workspace, self.user, channel, line, url)
        if self.who == "Slack Connect":
            body["team_id"] = TEAM
        return await self.slack.delivery.command(body)

    async def button(self, id: str) -> Ack:
        workspace, channel = (
            self.slack.workspace,
            self.slack.workspace.channel(self.message["channel"]),
        )
        seal = next(b["block_id"] for b in self.message["blocks"] if "decision.rollback" in str(b))
        action: dict[str, Any] = {
            "type": "button",
            "action_id": id,
            "block_id": seal,
            "action_ts": "1.0",
        }
        value = json.dumps(value_of(id, self.incident))
        action |= (
            {"selected_option": {"value": value}} if id == "incident.more" else {"value": value}
        )
        url = self.slack.delivery.response_urls.make(self.user, channel, self.message)
        body = payloads.message_click(workspace, self.user, self.message, action, {}, url)
        return await self.slack.delivery.interaction(self.theirs(body))

    def view(self, id: str) -> dict[str, Any]:
        """A form that is open in front of them, with something in every field."""
        entered = FIELDS.get(id) or dict.fromkeys(TEXTS, "A person wrote this.")
        meta = {"incident": self.incident, "hypothesis": "", "rows": 1, "edition": 0, **PLAN}
        if id == "incident.declare":
            meta = {"way": "form"}
        values = {
            name: {"value": {"type": "plain_text_input", "value": text}}
            for name, text in entered.items()
        }
        shown = {
            "type": "modal",
            "callback_id": id,
            "title": {"type": "plain_text", "text": "A form"},
            "blocks": [],
        }
        opened = self.slack.workspace.modals.open(
            self.user, {**shown, "private_metadata": json.dumps(meta)}
        )
        return {**opened, "state": {"values": values}}

    async def form(self, id: str) -> Ack:
        workspace, view = self.slack.workspace, self.view(id)
        workspace.modals.shown.clear()
        body = payloads.submission(workspace, self.user, view)
        return await self.slack.delivery.interaction(self.theirs(body))

    async def in_form(self, id: str) -> Ack:
        """The buttons and selects of the post-mortem's form."""
        workspace, view = self.slack.workspace, self.view("incident.postmortem")
        value = json.dumps({"incident": self.incident, "of": "U0ALICE"})
        action = {
            "type": "button",
            "action_id": id,
            "block_id": "b",
            "value": value,
            "action_ts": "1.0",
        }
        body = payloads.view_click(workspace, self.user, view, action)
        return await self.slack.delivery.interaction(self.theirs(body))

    async def shortcut(self, id: str) -> Ack:
        workspace, where = self.slack.workspace, self.slack.workspace.channel("general")
        if id == "global":
            body = payloads.shortcut(workspace, self.user, "incident.declare")
        else:
            url = self.slack.delivery.response_urls.make(self.user, where, self.message)
            body = payloads.message_shortcut(
                workspace, self.user, "incident.declare", self.message, url
            )
        return await self.slack.delivery.interaction(self.theirs(body))

    async def opens(self, id: str) -> None:
        assert id == "App Home"
        await self.slack.delivery.event(app_home_opened(self.slack.workspace, self.user))

    async def react(self, id: str) -> None:
        """https://docs.slack.dev/reference/events/reaction_added"""
        item = {"type": "message", "channel": self.message["channel"], "ts": self.message["ts"]}
        at = self.slack.workspace.timestamp()
        await self.slack.delivery.event(
            {
                "type": "reaction_added",
                "user": self.user,
                "reaction": id,
                "item": item,
                "event_ts": at,
            }
        )


async def tried(town: Town, cell: Cell, *, incident: str | None = None) -> str:
    private = cell.who.startswith("private")
    about = incident or (town.private.id if private else town.public.id)
    message = town.decisions[town.private.id if private else town.public.id]
    await town.as_it_was()
    return await Try(town, PEOPLE[cell.who], cell.who, about, message).press(cell.kind, cell.id)


def refusals(town: Town) -> list[str]:
    return [
        record.getMessage() for record in town.log if record.getMessage().startswith("refused: ")
    ]


ROWS = sorted({(cell.kind, cell.id) for cell in CELLS})


@pytest.mark.parametrize(("kind", "id"), ROWS, ids=[" ".join(row) for row in ROWS])
def test_each_cell_of_the_table(town: Town, kind: str, id: str) -> None:
    async def each() -> None:
        for cell in CELLS:
            if (cell.kind, cell.id) == (kind, id) and cell.may != "Slack":
                try:
                    await held(town, cell)
                except AssertionError as error:
                    raise AssertionError(str(cell)) from error

    town.runner.run(each())


async def held(town: Town, cell: Cell) -> None:
    answers = await tried(town, cell)
    assert "a listener failed" not in str([r.getMessage() for r in town.log])
    if cell.may in ("yes", "without it"):
        await let_in(town, cell, answers)
        return
    assert len(refusals(town)) == 1, "one line in the log"
    assert await town.everything() == town.untouched, "nothing is changed"
    town.unchanged = True
    match cell.may:
        case "no":
            assert NO in answers
        case "glass":
            what = "turn it off" if cell.id == "decision.turn_off" else "deploy it"
            assert f"Only the owners of this service {what}: <@U0ALICE>" in answers
            assert "incident.break_glass" in answers
        case "owners":
            what = (
                "say that its deploys are free"
                if cell.id == "incident.cause_fixed"
                else "merge its hotfixes"
            )
            assert f"Only the owners of this service {what}: <@U0ALICE>" in answers
            assert "incident.break_glass" not in answers
        case word:
            assert word == "not there"
            nowhere = await tried(town, cell, incident="INC-0999")
            assert like(answers, town.private.id) == like(nowhere, "INC-0999"), (
                "as if it did not exist"
            )
            assert town.private.title not in answers
            assert refusals(town) == []


DEPLOYS = {
    ("buttons", "decision.rollback"),
    ("buttons", "decision.turn_off"),
    ("forms", "incident.rollback"),
    ("forms", "incident.break_glass"),
}


async def let_in(town: Town, cell: Cell, answers: str) -> None:
    assert refusals(town) == []
    assert NO not in answers
    if cell.may == "without it":
        assert town.private.title not in answers
        assert town.private.id not in answers
    if (cell.kind, cell.id) in DEPLOYS:
        about = town.private if cell.who.startswith("private") else town.public
        now = await town.home.dispatcher.load(about.id)
        assert now is not None
        assert now.status is Status.MITIGATING


def like(answers: str, incident: str) -> str:
    """Without what differs from one answer to the next: ids and times."""
    return re.sub(
        r'"(?:block_id|hash)": "[^"]*"|\d{10}\.\d{6}|[VB]0?[0-9A-Za-z]{8,}|\d{10,}\.[0-9a-f]{6,}',
        "·",
        answers.replace(incident, "INC"),
    )


def test_the_table_names_everything_that_can_be_pressed(town: Town) -> None:
    """Everything that Bolt listens to and every word after /incident is in the table.

    A new button fails here.
    """
    ids = {kind: {cell.id for cell in CELLS if cell.kind == kind} for kind in KINDS}
    heard = {
        kind: {listener.id for listener in LISTENERS if listener.kind == kind}
        for kind in ("click", "form")
    }
    choices = {id for id in heard["click"] if id.endswith(".")}
    assert heard["click"] - choices == ids["buttons"] | (
        ids["in the form"] - {"incident.item.kind.0"}
    )
    assert heard["form"] == ids["forms"]
    assert ids["commands"] == set(NAMES)
