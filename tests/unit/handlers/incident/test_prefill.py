"""What a message or a link already says stands in the form; a person decides."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from bot.config.catalogue import Catalogue
from bot.store.incident_store import Store
from handlers.incident.prefill import labelled_service, only_links, severity_named
from phases.record.incident import Severity
from phases.record.service import Service
from tests.support.worlds.handlers_world import House, house

CATALOGUE = Catalogue(
    [Service(name="shop", aliases=("checkout",)), Service(name="search"), Service(name="mail")]
)


@pytest.fixture
async def home(store: Store) -> AsyncIterator[House]:
    async with house(store) as opened:
        yield opened


@pytest.mark.parametrize(
    ("text", "severity"),
    [
        ("SEV2: checkout is slow", Severity.SEV2),
        ("this is a sev-1, everybody is hit", Severity.SEV1),
        ("severity 3", Severity.SEV3),
        ("[P1] orders fail", Severity.SEV1),
        ("P0 orders fail", Severity.SEV1),
        ("P5: a disk fills", Severity.SEV4),
        ("Labels:\n • severity = critical\n • service = shop", Severity.SEV1),
        ("*Severity:* `warning`", Severity.SEV3),
        ("severity: high, was severity: high", Severity.SEV2),
        ("SEV1 or SEV2?", None),
        ("severity: critical on shop, severity: low on mail", None),
        ("a critical bug in the low road", None),
        ("P1.5 of the plan, version p3-beta, P95 is 4 s, sev12", None),
        ("https://wiki.example.com/SEV1", None),
        ("checkout is failing", None),
    ],
)
def test_the_severity_that_a_text_names(text: str, severity: Severity | None) -> None:
    assert severity_named(text) is severity


@pytest.mark.parametrize(
    ("text", "service"),
    [
        ("HighErrorRate of search\nservice = shop\njob = node", "shop"),
        ("*Service:* `checkout`", "shop"),
        ("app: mail\nservice: search", "search"),
        ("service: mail, service: search", None),
        ("job = shop-exporter", None),
        ("service: billing", None),
        ("the service is down", None),
    ],
)
def test_the_service_of_a_label(text: str, service: str | None) -> None:
    labelled = labelled_service(text, CATALOGUE)
    assert (labelled.name if labelled else None) == service


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("https://acme.sentry.io/issues/4711/", True),
        ("<https://grafana.example.com/d/shop>", True),
        ("https://a.example.com https://b.example.com", True),
        ("look: https://acme.sentry.io/issues/4711/", False),
        ("", False),
    ],
)
def test_a_link_alone(text: str, bare: bool) -> None:
    assert only_links(text) is bare


def shown(view: object, block: str) -> object:
    """Return what a field of the form holds before anybody touches it."""
    blocks = view["blocks"] if isinstance(view, dict) else []
    element = next(
        candidate["element"] for candidate in blocks if candidate.get("block_id") == block
    )
    option = element.get("initial_option")
    return option["value"] if option else element.get("initial_value")


async def test_the_shortcut_on_an_alert_fills_title_service_and_severity(home: House) -> None:
    alice = home.slack.alice
    alert = alice.say(
        "general",
        "HighErrorRate\nLabels: severity = warning, service = search, job = shop-exporter\n"
        "https://grafana.example.com/d/shop",
    )
    await alice.shortcut("incident.declare", message=alert)
    view = await alice.open_modal("incident.declare")
    assert shown(view, "title") == "HighErrorRate"
    assert shown(view, "service") == "search"
    assert shown(view, "severity") == "3"
    assert "https://grafana.example.com/d/shop" in str(shown(view, "description"))
    await alice.submit(view)
    assert (await home.newest()).severity is Severity.SEV3


async def test_a_link_to_a_message_fills_the_form_with_its_words(home: House) -> None:
    alice, slack = home.slack.alice, home.slack
    message = slack.bob.say("general", "SEV2: the search is slow since noon")
    link = slack.workspace.permalink(slack.workspace.channel("general").id, message["ts"])
    await alice.command(f"/incident <{link}>")
    view = await alice.open_modal("incident.declare")
    assert shown(view, "title") == "SEV2: the search is slow since noon"
    assert (shown(view, "service"), shown(view, "severity")) == ("search", "2")
    assert await home.count() == 0


async def test_a_message_of_a_private_channel_is_told_to_nobody(home: House) -> None:
    alice, slack = home.slack.alice, home.slack
    room = slack.workspace.create_channel("board", slack.bob.id, is_private=True)
    room.members.append(slack.workspace.channel("general").members[0])
    secret = slack.bob.say(room, "the search is sold")
    await alice.command(f"/incident {slack.workspace.permalink(room.id, secret['ts'])}")
    view = await alice.open_modal("incident.declare")
    assert "sold" not in str(view)


async def test_a_link_alone_asks_for_words(home: House) -> None:
    alice = home.slack.alice
    await alice.command("/incident https://grafana.example.com/d/abc/orders?var-service=shop")
    view = await alice.open_modal("incident.declare")
    assert shown(view, "title") is None
    assert "grafana.example.com" in str(shown(view, "description"))
    assert await home.count() == 0
