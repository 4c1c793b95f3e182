"""Every text of a record is an attack, and every output is read as the other side reads it.

Nobody is mentioned, no link hides its target, and nothing breaks out of its place. The texts are
typed into Slack, thrown by a program, committed, or printed by a deploy.
"""

from __future__ import annotations

import json
import logging
import re
import unicodedata
from io import StringIO
from typing import Any

import pytest
import yaml

from bot.performers.slack import bookmark_title, channel_name
from bot.runtime.logs import JsonLines, Lines, Redact
from handlers import views
from handlers.views import forms, history, merge_and_reopen, notes, postmortem
from handlers.views.blocks import Message, View
from handlers.views.timeline import timeline
from phases.coordination.discord import discord_text
from phases.coordination.ticket import catch_up_text, text_so_far, ticket_body, ticket_title
from phases.coordination.updates import update_template
from phases.memory.trends import trends
from phases.messages.effects import Say
from phases.ports.ports import HotfixRef
from phases.postmortem.action_items import items, sub_issue_body
from phases.postmortem.adr import adr_text, summary, up_to_date
from phases.postmortem.adr_numbering import Numbering
from phases.postmortem.adr_status import with_items_settled
from phases.postmortem.form_parts import Parts
from phases.record.documents import ActionItem, Postmortem
from phases.record.findings import Picture, Release, Verdict
from phases.record.incident import (
    Channel,
    Entry,
    Incident,
    MessageRef,
    Round,
    RoundAction,
    Severity,
    Status,
)
from phases.record.memories import PastIncident, counted_of
from phases.record.privacy import page_text
from phases.text.cleaning import foreign
from phases.text.markdown import in_git, one_line, paragraphs
from tests.support.values.block_limits import check_blocks, objects
from tests.support.values.factories import NOW, service
from tests.support.values.hostile import ATTACKS, EVIL, GOOD, Hostile, later
from tests.support.worlds.homes import home_of

NAMES = {f"U0{n}": attack for n, attack in enumerate(ATTACKS)} | {
    "U0ALICE": "Alice <!channel> [x](https://evil.example)"
}
"""Names of people in Slack are texts like any other."""
FORMS = [(first, status) for first, status in enumerate([*Status] * 2)]


def record(first: int, status: Status) -> tuple[Incident, list[Entry]]:
    hostile = Hostile(first)
    action = hostile.make(RoundAction, by="U0ALICE")
    rounds = tuple(
        hostile.make(Round, number=n, action=action if n == 1 or first % 2 else None)
        for n in (1, 2)
    )
    written = hostile.make(
        Postmortem,
        by="U0ALICE",
        items=tuple(hostile.make(ActionItem, kind=kind) for kind in ("tests", "monitors", "gates")),
    )
    incident = hostile.make(
        Incident,
        id="INC-0001",
        number=1,
        ulid="01JD000000000000000000INC1",
        status=status,
        severity=Severity(first % 4 + 1),
        private=False,
        drill=False,
        channel=Channel(id="C0INC", name="inc-0001-x"),
        messages={"status": MessageRef(channel="C0INC", ts="1.0001")},
        rounds=rounds,
        picture=Picture(begin=later(-30), until=later(10), seconds=180, counts=tuple(range(14))),
        postmortem=written,
        hypotheses=tuple(
            h.model_copy(update={"id": f"H{n}"})
            for n, h in enumerate([*hostile.make(Incident).hypotheses])
        ),
        recovered_at=later(9) if first % 2 else None,
        detected_at=NOW,
    )
    entries = [
        hostile.make(Entry, at=later(n), hides=None, ref=f"r{n}", url=GOOD)
        for n in range(len(ATTACKS))
    ]
    return incident, entries


# --- Slack ----------------------------------------------------------------------------------------


def everything_in_slack(
    incident: Incident, entries: list[Entry], first: int
) -> list[Message | View]:
    """One of each view, with hostile texts in whatever else it takes."""
    hostile = Hostile(first)
    word = hostile.word
    shop = service(name=word() or "shop", owners=("U0ALICE",))
    release = Release(version=word())
    ask: dict[str, str] = {"incident": incident.id, "title": word()[:300]}
    parts = Parts(
        **dict.fromkeys(postmortem.PARTS, word()),
        items=incident.postmortem.items if incident.postmortem else (),
    )
    remembered = [
        hostile.make(PastIncident, at=NOW, id=f"INC-{n:04d}", private=False, drill=False)
        for n in range(3)
    ]
    counted = [counted_of(r) for r in remembered]
    shown: list[Message | View] = [
        views.status(incident, NOW, shop),
        notes.with_proofs(views.status(incident, NOW, shop), ()),
        views.decision(incident, NOW, shop, 1),
        views.decision(incident, NOW, shop, 2),
        views.progress(incident, 1),
        views.tree(incident, reverts=True),
        views.evidence(incident),
        views.announcement(incident),
        views.say(
            Say(
                text=word(),
                mention=(word(), "U0ALICE"),
                try_again="e",
                ask="foreign deploy",
                picture=True,
            ),
            incident,
        ),
        views.reminder(word(), incident),
        views.summary(summary(incident, NAMES)),
        views.listing([incident], 30),
        views.items(incident),
        views.overdue(incident, [1, 2, 3], NOW.date(), mention=word()),
        notes.which_incident(word(), [incident], 30, {"text": word()[:300]}),
        notes.note(word()),
        notes.lacking(incident, word()),
        notes.declared(incident),
        notes.goes_on_there(incident, noted=True),
        notes.open_already(word(), incident, ask),
        notes.either(word(), (word() or "a", ask), ("b", ask)),
        notes.offer(word(), ask),
        notes.break_glass(word(), {"incident": incident.id}),
        merge_and_reopen.which_goes_on(incident, incident.model_copy(update={"id": "INC-0002"})),
        merge_and_reopen.reopen_beside(incident, incident),
        merge_and_reopen.which_parts(incident, [incident]),
        merge_and_reopen.which_are_one([incident], incident),
        history.history(remembered, word(), {r.id: word() for r in remembered}, start=0, more=True),
        history.trends(trends(counted, NOW)),
        timeline(incident, entries),
        forms.declare(
            [shop], forms.Prefill(word(), word()), metadata={"place": word()[:200]}, note=word()
        ),
        forms.triage(incident, 1),
        forms.loading("incident.rollback", "Roll back", incident),
        forms.failed("incident.rollback", word(), word()),
        forms.rollback(
            incident,
            shop,
            [release, Release(version="1.0")],
            running=release,
            healthy=[release],
            metadata={},
        ),
        forms.hotfix(
            incident,
            shop,
            [HotfixRef(name=word(), commit="a" * 40, subject=word())],
            running=release,
            metadata={},
        ),
        forms.fixed(incident, 1, word()),
        forms.cause(incident, text=word(), metadata={}),
        forms.update(incident, update_template(incident), 30),
        forms.cancel(incident, word()),
        forms.break_glass(incident, shop, word(), {}),
        forms.hypothesis(incident),
        forms.refused(word(), word()),
        forms.home_refused(word()),
        postmortem.postmortem(
            incident,
            parts,
            me="U0ALICE",
            drafts=postmortem.KnownDrafts(word(), NOW, notes=(word(),)),
        ),
        home_of(
            [incident],
            "U0ALICE",
            NOW,
            owned=[incident.service],
            owing=[incident],
            site="https://firebreak.slack.com/",
        ),
    ]
    return shown


TOKEN = re.compile(r"<([^<>]*)>")
ALLOWED = re.compile(
    r"@[UW][A-Z0-9]+|#[CGD][A-Z0-9]+|!subteam\^S[A-Z0-9]+|!date\^\d+\^(?:\{[a-z_]+\} "
    r"?)+\|[0-9-]{10} [0-9:]{5} UTC|https?://[^|\s]+(?:\|.+)?"
)
ISOLATES = {"\u2068": 1, "\u2069": -1}


def check_slack(text: str, *, mrkdwn: bool) -> None:
    for character in text:
        assert unicodedata.category(character) != "Cs"
        assert character in "\n\t" or unicodedata.category(character) != "Cc", text
        assert character not in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067", text
    assert sum(ISOLATES.get(c, 0) for c in text) == 0, text
    assert not re.search(r"@(channel|here|everyone)\b", text, re.IGNORECASE), text
    if not mrkdwn:
        return
    for token in TOKEN.findall(text):
        assert ALLOWED.fullmatch(token), token
        if token.startswith("!subteam"):
            assert token == "!subteam^S0123456", "a group stays one where people name it"
        address, _, label = token.partition("|")
        if label and address.startswith("http"):
            assert EVIL not in address, f"a masked link leads to {address}"
    rest = TOKEN.sub("", text)
    assert "<" not in rest, text
    assert ">" not in rest, text
    assert text.count("```") % 2 == 0, "something got out of its code block"


def strings_of(shown: Message | View) -> list[tuple[str, bool]]:
    payload: Any = shown.payload()
    texts = [(payload["text"], True)] if isinstance(shown, Message) else []
    todo: list[Any] = [
        payload.get("blocks"),
        list(getattr(shown, "rich", None) or ()),
        payload.get("title"),
    ]
    while todo:
        thing = todo.pop()
        if isinstance(thing, list | tuple):
            todo += thing
        elif isinstance(thing, dict):
            if thing.get("type") in ("mrkdwn", "plain_text"):
                texts.append((thing["text"], thing["type"] == "mrkdwn"))
            else:
                todo += [
                    v
                    for k, v in thing.items()
                    if k not in ("value", "initial_value", "private_metadata")
                ]
    return texts


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Höhe für alle", "inc-0001-hohe-fur-alle"),
        ("Ho\u0308he", "inc-0001-hohe"),
        ("Straße: ＡＰＩ ½", "inc-0001-strasse-api-1-2"),
        ("דנה 🔥", "inc-0001"),
    ],
)
def test_a_channel_is_named_in_plain_letters(title: str, name: str) -> None:
    incident, _ = record(*FORMS[0])
    assert channel_name(incident.model_copy(update={"title": title})) == name


@pytest.mark.parametrize(("first", "status"), FORMS)
def test_slack_shows_words_as_words(first: int, status: Status) -> None:
    incident, entries = record(first, status)
    for number in range(2):
        for shown in everything_in_slack(incident, entries, first + 7 * number):
            check_blocks(shown.payload()["blocks"])
            for text, mrkdwn in strings_of(shown):
                check_slack(text, mrkdwn=mrkdwn)
            for thing in objects(shown.payload()["blocks"]):
                assert re.match(r"https?://", str(thing.get("url", "https://"))), thing
    check_slack(views.topic(incident), mrkdwn=False)
    assert re.fullmatch(r"inc-0001(?:-[a-z0-9-]+)?", channel_name(incident))
    for name in ("ticket", "adr", "sentry"):
        check_slack(bookmark_title(name, incident), mrkdwn=False)


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_programs_tell_mentions_nobody(attack: str) -> None:
    """People may mention a person; an error, a commit or a ticket may not.

    It is defused where it comes in.
    """
    quoted = foreign(f"{attack} <@U0ALICE> <@U0ALICE|alice> <#C0GENERAL> <!subteam^S0123456>")
    for text in (
        views.say(Say(text=quoted), record(0, Status.DECIDING)[0]).text,
        notes.note(quoted).text,
    ):
        assert not [token for token in TOKEN.findall(text) if token.startswith(("@", "#", "!"))], (
            text
        )


# --- Markdown: the ADR, Linear --------------------------------------------------------------------

MADR = (
    "---\nstatus: {proposed}\ndate: YYYY-MM-DD\ntitle: {title}\ndecision-makers: {list}\n"
    "layout: decision\n---\n\n# {title}\n\n"
    "* Deciders: {list}\n* Title: {title}\n\n## Context and Problem Statement\n\nwhy\n\n"
    "## Decision Outcome\n\nwhat\n\n### Consequences\n\nso\n"
)
AUTOLINK = re.compile(r"<https?://[^\s<>|]+>")
TASK = re.compile(r"^\s*- \[[ x]\] ", re.MULTILINE)


def check_markdown(text: str, *, fences: int) -> list[str]:
    """Assert that the Markdown holds no attack.

    It has no HTML, no link that hides its target, no fence too many, and the right headings.
    """
    lines = text.split("\n")
    marks = [n for n, line in enumerate(lines) if re.match(r"\s*(```|~~~)", line)]
    assert len(marks) == 2 * fences, [lines[n] for n in marks]
    inside = {n for a, b in zip(marks[::2], marks[1::2], strict=True) for n in range(a, b + 1)}
    prose = "\n".join(line for n, line in enumerate(lines) if n not in inside)
    for character in text:
        assert character == "\n" or unicodedata.category(character) not in ("Cc", "Cs"), repr(
            character
        )
        assert character not in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028\u2029"
    assert not re.search(r"@(channel|here|everyone)\b", text, re.IGNORECASE)
    bare = re.sub(r"\\[\\`*_\[\]|~$#>+=:-]", "", TASK.sub("", AUTOLINK.sub("", prose)))
    assert "<" not in bare, "HTML"
    for sign in ("](", "][", "![", "[^", "]:", "`", "$$", "~~"):
        assert sign not in bare, (sign, bare)
    for line in prose.split("\n"):
        if line.startswith("|"):
            assert len(re.findall(r"(?<!\\)\|", line)) in (4, 5), line
        assert not re.match(r"\s*(=+|-{3,}|\*{3,}|_{3,})\s*$", line), (
            "a rule, or a heading by what stands under it"
        )
    return [line for line in prose.split("\n") if re.match(r"\s{0,3}#", line)]


@pytest.mark.parametrize(("first", "status"), FORMS)
def test_the_post_mortem_keeps_its_shape(first: int, status: Status) -> None:
    incident, entries = record(first, status)
    plain_one = Hostile(first)
    for template_text in ("", MADR):
        text = adr_text(incident, entries, 7, NAMES, template_text)
        text = with_items_settled(
            up_to_date(text, incident, 7, NAMES), items=items(incident), at=NOW, names=NAMES
        )
        body = text
        if template_text:
            _, front, body = text.split("---\n", 2)
            front_matter = yaml.safe_load(front)
            assert set(front_matter) == {"status", "date", "title", "decision-makers", "layout"}
            assert front_matter["layout"] == "decision"
            assert str(front_matter["status"]).startswith("done, action items settled"), (
                front_matter
            )
            assert all(
                isinstance(value, str) and "\n" not in value
                for key, value in front_matter.items()
                if key != "date"
            )
        headings = check_markdown(body, fences=2)
        assert headings[0].startswith("# ADR-0007: INC-0001, ")
        innocent = adr_text(calm(incident), [], 7, {}, template_text)
        innocent = innocent.split("---\n", 2)[2] if template_text else innocent
        assert headings[1:] == check_markdown(innocent, fences=2)[1:], "a heading came in"
        assert len(re.findall(r"^- \[[ x]\] (tests|monitors|gates): ", body, re.MULTILINE)) == 3
        (drawn,) = re.findall(r"```mermaid\n(.*?)\n```", body, re.DOTALL)
        assert re.fullmatch(r'xychart-beta\n(?: {4}[\w"\[\], .>-]+\n?){4}', drawn), drawn
    assert re.fullmatch(
        r"0007-inc-0001-[a-z0-9-]+\.md",
        Numbering().file(incident.model_copy(update={"title": plain_one.word()[:300]}), 7),
    )
    in_short = summary(incident, NAMES, number=7)
    assert len(in_short.split("\n")) == 13
    assert [line.partition(":")[0] for line in in_short.split("\n") if ":" in line][-2:] == [
        "Post-mortem",
        "Action items",
    ]


def calm(incident: Incident) -> Incident:
    """The same record, with a word in the place of every text."""

    def quiet(thing: Any, name: str = "") -> Any:
        if isinstance(thing, dict):
            return {key: quiet(value, key) for key, value in thing.items()}
        if isinstance(thing, list):
            return [quiet(value, name) for value in thing]
        return "word" if isinstance(thing, str) and thing in CUT else thing

    return Incident.model_validate(quiet(json.loads(incident.model_dump_json())))


CUT = {attack[:most] for attack in ATTACKS for most in (300, 2000, 3000, 5000)} - {""}


@pytest.mark.parametrize(("first", "status"), FORMS)
def test_what_goes_to_the_other_systems_stays_in_its_place(first: int, status: Status) -> None:
    incident, entries = record(first, status)
    for markdown in (
        ticket_body(incident),
        text_so_far(incident),
        catch_up_text(entries, NOW),
        *(sub_issue_body(incident, i) for i in items(incident)),
    ):
        assert check_markdown(paragraphs(markdown, NAMES), fences=0) == [], (
            "Linear's descriptions and comments"
        )
    title = ticket_title(incident)
    check_discord(discord_text(incident, NAMES))
    page = one_line(page_text(incident, Hostile(first).word()), {}, 1000)
    for line in (title, page):
        assert "\n" not in line
        assert all(unicodedata.category(c) not in ("Cc", "Cs") for c in line)
    commit = in_git(incident.title, {})
    assert not re.search(r"[#@]\w|GH-\d|https?://", commit), "closes an issue, or calls somebody"
    assert "\n" not in commit


def check_discord(text: str) -> None:
    """Check the text without escaped signs and plain addresses.

    https://support.discord.com/hc/en-us/articles/210298617
    """
    assert len(text) <= 2000
    head, *lines = text.split("\n")
    assert head.startswith("**INC-0001 ")
    assert head.endswith("**")
    assert len(lines) <= 6
    bare = re.sub(r"\\.", "", AUTOLINK.sub("", "\n".join([head[2:-2], *lines])))
    for sign in ("*", "_", "`", "~~", "||", "[", "]", "<"):
        assert sign not in bare, (sign, text)
    assert not re.search(r"@(everyone|here)\b", text)
    assert not re.search(r"^(?:-#?|\+|>{1,3}|#{1,6}) ", bare, re.MULTILINE)


# --- the log --------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [JsonLines, Lines])
@pytest.mark.parametrize("attack", ATTACKS)
def test_a_line_of_the_log_is_one_line_and_gives_no_orders(
    attack: str, shape: type[logging.Formatter]
) -> None:
    out = StringIO()
    handler = logging.StreamHandler(out)
    handler.addFilter(Redact())
    handler.setFormatter(shape())
    log_record = logging.LogRecord(
        "bot.x", logging.WARNING, __file__, 1, "it said %s", (attack,), None
    )
    log_record.__dict__["incident"] = attack
    handler.handle(log_record)
    written = out.getvalue().removesuffix("\n")
    for line in written.split("\n")[1:]:
        assert line.startswith("    "), "a forged line"
    for character in written:
        assert character == "\n" or unicodedata.category(character) not in ("Cc", "Cs"), repr(
            character
        )
        assert character not in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028\u2029"
    if shape is JsonLines:
        assert "\n" not in written
        assert json.loads(written)["said"].startswith("it said")


def test_a_hypothesis_that_was_judged_is_shown() -> None:
    """The records are full enough to attack: nothing that a view shows is left out by chance."""
    incident, _ = record(3, Status.DECIDING)
    assert incident.triage is not None
    assert incident.hypotheses
    assert incident.suspects
    assert {h.verdict for h in incident.hypotheses} <= set(Verdict)
    assert incident.bisect is not None
    assert incident.bisect.culprit is not None
    assert incident.rounds[0].action is not None
    assert incident.rounds[0].looks
