"""Manual escalation of issues that people name.

Each has its service, and there is an answer where Sentry cannot be queried.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from bot.config.catalogue import Catalogue
from handlers.incident.issue_links import adopt, named, service_named
from phases.messages import effects as wanted
from phases.messages.results import IssuesLookedUp, TicketOpened
from phases.ports.ports import PortError
from phases.ports.tracker_values import IssueRow
from phases.record.documents import Ticket
from phases.record.service import Service
from tests.support.bots.story import Story
from tests.support.values.factories import TICKET

CATALOGUE = Catalogue(
    [
        Service(name="shop", sentry=("shop", "shop-web"), linear_team="ENG"),
        Service(name="search", sentry=("search",), aliases=("finder",), linear_team="FIND"),
    ]
)
SENTRY = "https://acme.sentry.io/issues/4711/?project=2"
LINEAR = "https://linear.app/acme/issue/ENG-12/customers-cannot-pay"
PARENT = Ticket(id="t0", identifier="ENG-12", url=LINEAR)


class Sentry:
    """Knows two issues; everything else, and everything while it is away, is refused."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def issue(self, id: str) -> IssueRow:
        return self._row(id, {"4711": "SEARCH-1"})

    async def by_short_id(self, short_id: str) -> IssueRow:
        return self._row(short_id, {"SHOP-WEB-3": "SHOP-WEB-3"})

    def _row(self, asked: str, known: dict[str, str]) -> IssueRow:
        self.asked.append(asked)
        if asked not in known:
            raise PortError("sentry", "Sentry does not know this", retryable=False)
        project = known[asked].rpartition("-")[0].lower()
        id = "4711" if asked == "4711" else "99"
        at = datetime(2026, 5, 4, tzinfo=UTC)
        return IssueRow(
            id=id,
            short_id=known[asked],
            title="x",
            url=None,
            project=project,
            level="error",
            first_seen=at,
            events=1,
        )


@pytest.mark.parametrize(
    ("text", "ids", "short_ids", "parent"),
    [
        (f"it burns: {SENTRY}", ("4711",), (), None),
        ("SHOP-WEB-3 and SEARCH-1A are on fire", (), ("SHOP-WEB-3", "SEARCH-1A"), None),
        (f"{LINEAR} is worse than we thought", (), (), "ENG-12"),
        ("ENG-12 (see SHOP-3)", (), ("SHOP-3",), "ENG-12"),
        ("COVID-19, UTF-8, HTTP-500, eng-12 and SHOP-3-beta are nobody's", (), (), None),
        ("https://example.com/SHOP-3 is an address", (), (), None),
        ("ENG-1A is no Linear issue", (), (), None),
    ],
)
def test_what_a_text_names(
    text: str, ids: tuple[str, ...], short_ids: tuple[str, ...], parent: str | None
) -> None:
    references = named(text, CATALOGUE)
    assert (references.ids, references.short_ids, references.parent) == (ids, short_ids, parent)


BEHIND = [
    *".,;:!?)]}>\"'",
    "’",
    "”",
    "»",
    "…",
    "、",
    "_",
    "は",
    "에서",
    "。",
    "|x",
    " ",
    "\n",
    "?project=2&x=1",
    "/?a=b#c",
    "#c",
    "/events/abc/",
    "/",
]


@pytest.mark.parametrize("behind", BEHIND)
@pytest.mark.parametrize(
    "link",
    [
        "https://acme.sentry.io/issues/4711",
        "https://sentry.io/organizations/acme/issues/4711",
        "https://sentry.io/acme/shop/issues/4711",
        "http://sentry.internal:9000/organizations/acme/issues/4711",
        "HTTPS://Acme.Sentry.IO/Issues/4711",
        "acme.sentry.io/issues/4711",
    ],
)
def test_a_sentry_link_ends_where_its_number_does(link: str, behind: str) -> None:
    for before in ("", "(", "<", "“", "see:"):
        assert named(f"{before}{link}{behind}", CATALOGUE).ids == ("4711",)


@pytest.mark.parametrize("behind", BEHIND)
@pytest.mark.parametrize(
    "link", ["https://linear.app/acme/issue/ENG-12", "https://linear.app/acme/issue/eng-12"]
)
def test_a_linear_link_ends_where_its_number_does(link: str, behind: str) -> None:
    assert named(f"({link}{behind}", CATALOGUE).parent == "ENG-12"
    assert named(f"({link}/customers-cannot-pay{behind}", CATALOGUE).parent == "ENG-12"


@pytest.mark.parametrize(
    ("text", "ids", "short_ids"),
    [
        ("shop-web-1f is on fire", (), ("SHOP-WEB-1F",)),
        ("_SHOP-3_ と SHOP-4が", (), ("SHOP-3", "SHOP-4")),
        ("SHOP–3, shop\u2011web\u20111F.", (), ("SHOP-3", "SHOP-WEB-1F")),
        (
            (
                "https://acme.sentry.io/issues/SHOP-3/?project=2 and "
                "https://acme.sentry.io/issues/shop-3."
            ),
            (),
            ("SHOP-3",),
        ),
        ("the shop-api, shop-v2 and shop-down are names", (), ()),
        (
            "https://github.com/acme/shop/issues/12 and https://gitlab.acme.com/a/b/-/issues/13",
            (),
            (),
        ),
        ("https://github.acme.internal/acme/shop/issues/12", (), ()),
        # GitLab, Gitea and GitHub Enterprise under a company's own names.
        (
            "https://work.acme.com/shop/web/-/issues/5 https://git.acme.com/shop/web/issues/6",
            (),
            (),
        ),
        ("https://example.com/login?next=/issues/41", (), ()),
        ("https://acme.sentry.io/issues/41abc and https://acme.sentry.io/issues/views/7", (), ()),
        ("and/or /issues/43", (), ()),
    ],
)
def test_what_is_named_in_small_letters_and_what_is_not(
    text: str, ids: tuple[str, ...], short_ids: tuple[str, ...]
) -> None:
    references = named(text, CATALOGUE)
    assert (references.ids, references.short_ids) == (ids, short_ids)


async def test_what_may_be_a_machine_is_not_missed() -> None:
    assert (await adopt("shop-3 is down", CATALOGUE, Sentry())).note == ""
    assert "SHOP-3 could not" in (await adopt("SHOP-3 is down", CATALOGUE, Sentry())).note


async def test_a_short_id_is_looked_up_and_names_its_service() -> None:
    """`shop` stands in SHOP-WEB-3 by letters only; the words beside it win over both."""
    adopted = await adopt("SHOP-WEB-3 again", CATALOGUE, Sentry())
    assert (adopted.seeds, adopted.note) == (("99",), "")
    for text, name in (("SHOP-WEB-3 again", "shop"), ("the finder, as in SHOP-WEB-3", "search")):
        service = service_named(text, CATALOGUE)
        assert service is not None
        assert service.name == name


async def test_a_link_names_its_service_by_the_project_and_is_only_asked_about_where_it_is_open():
    sentry = Sentry()
    adopted = await adopt(SENTRY, CATALOGUE, sentry)
    service = service_named(SENTRY, CATALOGUE, adopted)
    assert adopted.seeds == ("4711",)
    assert service is not None
    assert service.name == "search"
    assert (await adopt(f"shop: {SENTRY}", CATALOGUE, sentry)).seeds == ("4711",)
    assert sentry.asked == ["4711"]


async def test_what_cannot_be_looked_up_is_said_and_stops_nothing() -> None:
    for sentry in (Sentry(), None):
        adopted = await adopt(f"SHOP-9 {SENTRY}", CATALOGUE, sentry)
        assert adopted.seeds == ("4711",)
        assert "SHOP-9 could not be looked up" in adopted.note


async def test_what_sentry_does_not_answer_in_time_is_left_for_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Slow(Sentry):
        async def by_short_id(self, short_id: str) -> IssueRow:
            if short_id == "SHOP-8":
                raise PortError("sentry", "Sentry is busy", retryable=True)
            await asyncio.sleep(60)
            raise AssertionError

    monkeypatch.setattr("handlers.incident.issue_links.ASK_SECONDS", 0.05)
    adopted = await adopt("SHOP-7 and SHOP-8", CATALOGUE, Slow())
    assert (adopted.seeds, adopted.unseen, adopted.note) == ((), ("SHOP-7", "SHOP-8"), "")


def test_what_was_left_for_later_becomes_a_part_of_the_incident_and_is_measured() -> None:
    story = Story(unseen=("SHOP-7", "SHOP-8"))
    assert story.wants(wanted.LookUpIssues) == [wanted.LookUpIssues(short_ids=("SHOP-7", "SHOP-8"))]
    story.opened().measured()
    answer = IssuesLookedUp(issues=("7",), short_ids="SHOP-7", lost=("SHOP-8",))
    story.say(answer)
    assert story.record.seeds == ("7",)
    assert "fingerprint:7" in story.claims
    assert story.wants(wanted.Triage) == [wanted.Triage()]
    assert story.in_thread == ["Sentry does not know SHOP-8: left out of the measurement."]
    story.say(IssuesLookedUp(issues=("7",), short_ids="SHOP-7"))
    assert story.wants(wanted.Triage) == [], "known already"


def test_after_a_decision_it_belongs_and_the_picture_stays() -> None:
    story = Story(unseen=("SHOP-7",)).opened().measured().rolled_back()
    story.say(IssuesLookedUp(issues=("7",), short_ids="SHOP-7"))
    assert story.record.seeds == ("7",)
    assert story.wants(wanted.Triage) == []


def test_the_linear_issue_becomes_the_parent_with_a_comment_both_ways() -> None:
    story = Story(parent="ENG-12")
    assert story.record.escalated == "ENG-12"
    story.say(TicketOpened(ticket=TICKET, parent=PARENT))
    assert story.record.parent == PARENT
    [up] = story.wants(wanted.CommentParent)
    assert "INC-0001" in up.text
    assert TICKET.url in up.text
    assert f"Escalated from ENG-12: {LINEAR}" in [
        comment.text for comment in story.wants(wanted.CommentTicket)
    ]


def test_a_linear_issue_that_is_not_there_is_said_and_the_ticket_is_opened_all_the_same() -> None:
    story = Story(parent="ENG-99")
    story.say(TicketOpened(ticket=TICKET))
    assert story.record.ticket is not None
    assert story.record.ticket.id == TICKET.id
    assert not story.wants(wanted.CommentParent)
    assert any("ENG-99 was not found" in line for line in story.noted)
