"""One incident as people live through it: a plot drawn from the seed, and people who err."""

from __future__ import annotations

import asyncio
import json
import random
import re
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from phases.record.incident import Incident
from sandbox.slack.channels import ALICE, BOB, GUEST, Channel
from sandbox.slack.errors import ClientRefused, SlackError
from sandbox.slack.people import Json, Person
from sandbox.webhook_delivery import LATER_SECONDS
from tests.lives.patience import AGAIN, LOOKS, PATIENCE, Lost
from tests.lives.place import Place, places
from tests.lives.plot import Plot
from tests.lives.rest import unrest
from tests.lives.restless import comes_anew, restless
from tests.lives.shops import Shop
from tests.lives.town import FIX, Town

SEEN = "The pool of the database is full"
UPDATE = "Half of the carts are empty"
"""Said once; it may come twice, and counts once."""


def _taken(ack: Any) -> bool:
    """Return whether a command was acked with something else than the wish to say it again."""
    text = json.dumps(getattr(ack, "body", None))
    return bool(ack is not None and ack.ok and not re.search(r"again|recorded|could not", text))


class Life:
    """The life of one shop's incident. `live` goes through it."""

    def __init__(self, town: Town, shop: Shop, seed: str) -> None:
        self.town, self.shop = town, shop
        self.dice = random.Random(seed)
        self.plot = Plot.drawn(self.dice)
        self.step = "nothing yet"
        self.ended = False
        people = {id: Person(town.workspace, town.delivery, id) for id in (ALICE, BOB, GUEST)}
        self.alice, self.bob, self.guest = people[ALICE], people[BOB], people[GUEST]
        self._place: Place | None = None
        self._read: tuple[bytes, dict[str, Any]] = (b"", {})
        self.faults: list[str] = []
        """What went wrong while it was lived, beside what its end shows."""
        self.pinned = self.updated = False
        """Somebody pinned a message; an update was acked, and nothing but a death is in its way."""
        self._pressed = 0.0
        """When somebody tried again what had failed."""

    # --- what people see --------------------------------------------------------------------------

    @property
    def places(self) -> list[Place]:
        return places(self.town.workspace, self.shop.name)

    @property
    def place(self) -> Place:
        assert self._place is not None
        return self._place

    @property
    def channel(self) -> Channel:
        return self.place.channel

    @property
    def id(self) -> str:
        return self.place.incident

    def record(self) -> dict[str, Any]:
        """The newest record, past every replica. Empty: there is none."""
        (answer,) = self.town.redis.server.ask(
            [b"HGET", b"{fb}:incident:" + self.id.encode(), b"record"]
        )
        if self._read[0] != answer:
            fields = json.loads(answer.split(b"\r\n", 1)[1] if answer[:3] != b"$-1" else b"{}")
            if fields and (self.town.older or fields.get("shrunk_at")):  # without its defaults
                fields = Incident.model_validate(fields).model_dump(mode="json")
            self._read = (answer, fields)
        return self._read[1]

    def offered(self, action: str) -> Json | None:
        """The newest message of the channel that offers this button."""
        for message in reversed(self.place.roots()):
            if action in json.dumps(message.get("blocks") or []):
                return {**message, "channel": self.channel.id}
        return None

    async def until(
        self,
        what: str,
        true: Callable[[], Any],
        seconds: float = PATIENCE,
        looks: float = LOOKS,
    ) -> Any:
        """Raises `Lost` where it does not come true."""
        self.step, ends = what, time.monotonic() + seconds
        while not (result := true()):
            if time.monotonic() > ends:
                raise Lost(f"not within {seconds:.0f} s: {what}")
            await asyncio.sleep(looks)
        return result

    def says(self, text: str) -> None:
        self.town.log(f"{self.shop.name}: {text}")

    # --- the life ---------------------------------------------------------------------------------

    async def live(self) -> None:
        await asyncio.sleep(self.dice.uniform(0, 40))
        self.says(f"begins: {self.plot}")
        self.shop.fails = int(self.plot.run_fails)
        if self.plot.decide == "turn_off":
            await self.town.flag_on(self.shop)
            self.town.burn(self.shop, mended_by=("nothing",))
        else:
            self.town.burn(self.shop)
        await self._declared()
        if self.plot.decide == "cancel":
            await self._cancelled()
        else:
            await self._through()
        await self._rests()
        self.ended = True
        self.says(f"{self.id} is at its end: {self.record()['status']}")

    async def _through(self) -> None:
        if self.plot.pins:
            surely = self.town.answers_surely
            self.updated = _taken(await self.types(self.bob, "update", UPDATE)) and surely
        await self._mended(self.plot.decide)
        if self.plot.closes_ticket:
            await self._ticket_closed_too_early()
        if self.plot.recurs:
            await self._recurs()
        if self.plot.restless:
            await restless(self)
        if self.plot.late:
            await comes_anew(self)
        await self._written()

    async def _declared(self) -> None:
        """Until its channel is there. What was taken is not said again: it must not be lost."""
        self.step = "declare"
        ends, taken = time.monotonic() + PATIENCE, False
        if self.plot.begin == "watch":
            self.town.ci_deploys(self.shop)
            self.town.beside(self.town.ci_tells(self.shop, "1.3.0"))
        while time.monotonic() < ends:
            taken = taken or await self._declare_once()
            waits = time.monotonic() + AGAIN
            while time.monotonic() < waits:
                if here := self.places:
                    self._place = here[0]
                    for person in (BOB, *([GUEST] if self.plot.wrong else ())):
                        self.town.workspace.join(self.channel, person)  # else they can do nothing
                    if self.plot.pins:  # the bot may not know yet that it is its channel
                        self.alice.join(self.channel)
                        self.alice.react(self.alice.say(self.channel, SEEN, self.place.root))
                        self.pinned = True
                    await self.until("its channel in the record", self._has_channel)
                    return
                await asyncio.sleep(LOOKS)
        there = ", ".join(channel.name for channel in self.town.workspace.channels.values())
        taken_words = " of what was taken" * taken
        raise Lost(f"{self.shop.name}: no channel was opened{taken_words}; there are {there}")

    def _has_channel(self) -> bool:
        """The bot knows its own channel: from here on it hears what is said and pinned there."""
        return bool(self.record().get("channel"))

    async def _declare_once(self) -> bool:
        """Return whether the bot said that it has it."""
        match self.plot.begin:
            case "command":
                words = f"/incident {self.shop.name} is failing"
                acts = [self.act(self.alice.command(words))]
                if self.plot.twice:  # two people at once
                    acts.append(self.act(self.bob.command(words)))
                acks = await asyncio.gather(*acts)
                return any(_taken(ack) for ack in acks)
            case "alert":
                return (await self.town.alert(self.shop)).status == 200
            case "phrase":
                return await self._by_phrase()
            case _:
                return True

    async def _by_phrase(self) -> bool:
        """Somebody says it aloud, and somebody declares it."""
        general = self.town.workspace.channel("general")
        self.alice.say(general, f"prod is down: {self.shop.name} is failing")
        await asyncio.sleep(3)
        words = f"/incident {self.shop.name} is failing"
        return _taken(await self.act(self.alice.command(words)))

    async def types(self, person: Person, verb: str, rest: str = "") -> Any:
        """Type a command where the incident runs."""
        return await self.act(person.command(self.place.words(verb, rest), self.channel))

    async def act(self, act: Any) -> Any:
        """Do it; what a client would not let them do, and what is gone by now, they leave."""
        try:
            return await act
        except (ClientRefused, SlackError):
            return None

    async def _press(self, person: Person, message: Json, action: str) -> None:
        now = person.now(message)
        before, ephemerals_before, forms = (
            self._undecided(),
            len(person.ephemerals()),
            self._forms(person),
        )
        deaths = self.town.fleet.deaths
        twice = [self.act(person.click(now, action))]
        if self.plot.twice:
            twice.append(self.act(person.click(now, action)))
        acks = await asyncio.gather(*twice)
        acked = any(ack is not None and ack.ok for ack in acks)
        if acked and before and action == "decision.rollback" and self.town.answers_surely:
            await asyncio.sleep(AGAIN)
            answered = len(person.ephemerals()) > ephemerals_before or self._forms(person) > forms
            survived = self.town.fleet.deaths == deaths  # else a refusal may have died unsaid
            if survived and self._undecided() == before and not answered:
                self.faults.append(f"{action} by {person.id} was acked, and nothing came of it")

    def _forms(self, person: Person) -> int:
        """Return how many forms were opened for somebody, who may have closed them since."""
        triggers = self.town.workspace.modals.triggers.values()
        return sum(trigger.exchanged for trigger in triggers if trigger.user == person.id)

    def _undecided(self) -> int:
        """The number of the round in which nothing is decided; 0: there is none."""
        record = self.record()
        rounds = record.get("rounds") or []
        open_one = record.get("status") in ("declared", "deciding") and rounds
        return len(rounds) if open_one and not rounds[-1].get("action") else 0

    # --- deciding ---------------------------------------------------------------------------------

    async def _mended(self, way: str) -> None:
        """Decide until users are fine: what did not help is decided anew."""
        self.step = f"users are fine by {way}"
        ends = time.monotonic() + 2 * PATIENCE
        acted_at = 0.0
        while self.record().get("status") not in ("mitigated", "resolved", "closed"):
            if time.monotonic() > ends:
                raise Lost(f"users are not fine: {self.record().get('status')}")
            undecided = self.record().get("status") in ("declared", "deciding")
            if undecided and time.monotonic() > acted_at + AGAIN and self.offered("decision."):
                acted_at = time.monotonic()
                await self._decide(way)
                if self.plot.wrong:
                    await self._err()
            elif time.monotonic() > acted_at + AGAIN and self._asked():
                acted_at = time.monotonic()
                await self._says_how_it_is()
            await self._tries_again()
            await asyncio.sleep(LOOKS)

    def _asked(self) -> bool:
        """Nobody could measure it: a person is asked whether users are fine."""
        rounds = self.record().get("rounds")
        return bool(rounds) and rounds[-1].get("verdict") == "ask a person"

    async def _says_how_it_is(self) -> None:
        answer = "incident.not_recovered" if self.shop.burns else "incident.recovered"
        if (message := self.offered(answer)) is not None:
            await self._press(self.alice, message, answer)

    async def _decide(self, way: str) -> None:
        rollback = self.offered("decision.rollback")
        acts = []
        if way == "investigate":
            if message := self.offered("decision.investigate"):
                await self._press(self.bob, message, "decision.investigate")
                await asyncio.sleep(self.dice.uniform(3, 20))
            way = "rollback"
        if way == "rollback" and rollback is not None:
            acts.append(self._press(self.alice, rollback, "decision.rollback"))
            if self.plot.at_once:
                acts.append(self._press(self.bob, rollback, "decision.rollback"))
        elif way == "turn_off" and (message := self.offered("decision.turn_off")):
            acts.append(self._press(self.alice, message, "decision.turn_off"))
        elif way == "hotfix" and (message := self.offered("decision.hotfix")):
            acts.append(self._hotfix(message))
        else:
            acts.append(self._fixed())
        await asyncio.gather(*acts)
        if self.plot.late and rollback is not None:
            await asyncio.sleep(self.dice.uniform(5, 40))
            await self.act(self.bob.click(rollback, "decision.rollback"))

    async def _hotfix(self, message: Json) -> None:
        self.shop.mended_by = (*self.shop.mended_by, FIX, f"hotfix #9@{FIX[:7]}")
        await self.act(self.alice.click(self.alice.now(message), "decision.hotfix"))
        form = await self._form(self.alice, "incident.hotfix", "Branch or pull request")
        if form is not None:
            await self.act(self.alice.submit(form, {"fix": f"{FIX} #9"}))

    async def _fixed(self) -> None:
        self.shop.on_fire = False
        sentence = "switched the flag off by hand"
        await self.types(self.alice, "fixed", sentence)

    async def _form(self, person: Person, callback: str, text: str) -> Json | None:
        with suppress(AssertionError, TimeoutError):
            return await person.open_modal(callback, text=text, seconds=AGAIN)
        return None

    async def _err(self) -> None:
        """What people should not do: none of it may change anything."""
        for words in ("resolve", "rollback 9.9.9", "recovery", "reopen", "merge INC-9999"):
            if self.dice.random() < 0.4:
                await self.types(self.bob, *words.split())
        if (message := self.offered("decision.rollback")) is not None:
            await self.act(self.guest.click(message, "decision.rollback"))

    # --- after ------------------------------------------------------------------------------------

    async def _ticket_closed_too_early(self) -> None:
        ticket = (await self.until("its ticket", lambda: self.record().get("ticket")))["identifier"]
        self.says(f"somebody closes {ticket}")
        self.town.linear.move(ticket, "completed", by="Bob Okafor")

    async def _recurs(self) -> None:
        """The same again: an alarm tells, and it is decided anew."""
        await asyncio.sleep(self.dice.uniform(5, 60))
        rounds = len(self.record()["rounds"])
        self.says("burns again")
        self.town.burn(self.shop, mended_by=("nothing",))
        ends, acted_at = time.monotonic() + PATIENCE, 0.0
        self.step = "the recurrence is seen"
        while len(self.record()["rounds"]) == rounds:
            if time.monotonic() > ends:
                raise Lost("nobody saw that it burns again")
            if time.monotonic() > acted_at + 3 * AGAIN:
                if acted_at and self.town.clocks_are_apart:
                    await self._says_that_it_is_back()
                acted_at = time.monotonic()
                await self.town.alert(self.shop)
            await asyncio.sleep(LOOKS)
        await self._mended("fixed")

    async def _says_that_it_is_back(self) -> None:
        """Where nothing can be counted, a person's word opens it again."""
        await self.act(self.alice.command(f"/incident reopen {self.id}", self.channel))

    async def _cancelled(self) -> None:
        if self.plot.twice and self.town.delivery.twice:
            await asyncio.sleep(LATER_SECONDS)  # told again after the end it is another incident
        self.shop.on_fire = False
        away = self.town.wire.away
        if self.plot.late:
            away.add("pagerduty")  # a page that is not sent yet comes through after the end
            with suppress(Lost):
                await self.until(
                    "people are to be paged", lambda: self.record()["paged"], AGAIN, 0.1
                )
        else:
            await asyncio.sleep(self.dice.uniform(0, 30))
        while self.record()["status"] != "cancelled":
            await self.types(self.alice, "cancel", "false alarm")
            with suppress(Lost):
                await self.until(
                    "it is cancelled", lambda: self.record()["status"] == "cancelled", AGAIN, 0.1
                )
        if self.plot.late:
            away.discard("pagerduty")

    async def _written(self) -> None:
        self.step, ends = "the post-mortem", time.monotonic() + PATIENCE
        while self.record().get("status") not in ("resolved", "closed"):
            if time.monotonic() > ends:
                raise Lost("no post-mortem was written")
            if self.record().get("postmortem") is None or self.record().get("rewriting"):
                await self._write_once()
            await self._tries_again()
            await asyncio.sleep(LOOKS)

    async def _write_once(self) -> None:
        person = self.alice
        async with self.town_form():
            self.town.workspace.modals.close(person.id)
            await self.act(person.command(f"/incident postmortem {self.id}"))
            form = await self._form(person, "incident.postmortem", "Root cause")
            if form is None:
                return
            words = {"monitoring": "Nothing watched it.", "tests": "None."}
            if self.dice.random() < 0.5 or "root_cause" in str(self.town.workspace.modals.errors):
                words["root_cause"] = "Regions reads a key that old accounts lack."
            await self.act(person.submit(form, words))
            if person.errors(form):
                words["root_cause"] = "Regions reads a key that old accounts lack."
                await self.act(person.submit(form, words))
        await self._some_seconds(lambda: self.record().get("postmortem") is not None)

    def town_form(self) -> asyncio.Lock:
        """A person fills in one form at a time."""
        if not hasattr(self.town, "form"):
            self.town.form = asyncio.Lock()  # pyright: ignore
        return self.town.form  # pyright: ignore

    async def _some_seconds(self, true: Callable[[], Any]) -> None:
        with suppress(Lost):
            await self.until(self.step, true, AGAIN)

    async def _rests(self) -> None:
        """Until nothing is left to be done. What failed for good is tried again by its button."""
        ends = time.monotonic() + PATIENCE
        self.step = "it comes to rest"
        while not self.at_rest():
            if time.monotonic() > ends:
                failed = [failure["kind"] for failure in self.record()["failures"]]
                status = self.record()["status"]
                raise Lost(f"it does not come to rest: {status}, {self.unrest()}, {failed} failed")
            await self._tries_again()
            await asyncio.sleep(LOOKS)

    async def _tries_again(self) -> None:
        """What failed for good, say because the bot died five times at it, has a button.

        Bob presses it: what failed may be Alice's invitation.
        """
        failed = [failure["effect_id"] for failure in self.record()["failures"]]
        if not failed or time.monotonic() < self._pressed + AGAIN:
            return
        self._pressed = time.monotonic()
        for message in reversed(self.place.messages()):
            shown = json.dumps(message.get("blocks") or [])
            if "incident.try_again" in shown and any(id in shown for id in failed):
                where = {**message, "channel": self.channel.id}
                await self.act(self.bob.click(where, "incident.try_again"))
                return

    def at_rest(self) -> bool:
        over = self.record()["status"] in ("resolved", "closed", "cancelled")
        return over and not self.record()["failures"] and not self.unrest()

    def unrest(self) -> list[str]:
        """What waits to be done for this incident."""
        return unrest(self.town.redis.server, self.id, self.record())
