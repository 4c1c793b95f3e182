"""Words after /incident: what they mean, and what they never do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.command.grammar import (
    HELP,
    MARKS,
    NAMES,
    WITHOUT_TEXT,
    Ambiguous,
    Declare,
    Near,
    Subcommand,
    letters_apart,
    nearest,
    parse,
)
from phases.record.incident import Severity
from phases.text.letters import spelled


@pytest.mark.parametrize(
    ("text", "here", "means"),
    [
        ("", False, Declare("")),
        ("checkout is failing", False, Declare("checkout is failing")),
        ("declare status", False, Declare("status")),
        ("status", True, Subcommand("status")),
        ("STATUS inc-42", False, Subcommand("status", "INC-0042")),
        ("status page is down", True, Declare("status page is down")),
        ("rollback", True, Subcommand("rollback")),
        ("rollback INC-0042", False, Subcommand("rollback", "INC-0042")),
        ("rollback broke the cart", True, Declare("rollback broke the cart")),
        ("list", False, Subcommand("list")),
        ("severity 2", True, Subcommand("severity", severity=Severity.SEV2)),
        ("severity sev1 INC-7", False, Subcommand("severity", "INC-0007", severity=Severity.SEV1)),
        ("severity 5", True, Near("severity 5", "severity", Declare("severity 5"))),
        ("severity broken", True, Declare("severity broken")),
        ("severity filter is gone", True, Declare("severity filter is gone")),
        ("lead", True, Subcommand("lead")),
        ("lead <@U0BOB|bob>", True, Subcommand("lead", person="U0BOB")),
        ("lead @carol", True, Near("lead @carol", "lead", Declare("lead @carol"))),
        ("lead to <@U0BOB>", True, Subcommand("lead", person="U0BOB")),
        ("lead time is growing", True, Declare("lead time is growing")),
        *(
            (f"resolve {two}", False, Near(f"resolve {two}", "resolve", Declare(f"resolve {two}")))
            for two in ("INC-0042 INC-0043", "#42, #43", "INC-42 and INC-43")
        ),
        ("update cards work again", True, Subcommand("update", text="cards work again")),
        (
            "update INC-0042 cards work again",
            False,
            Subcommand("update", "INC-0042", "cards work again"),
        ),
        ("update fails for everybody", False, Declare("update fails for everybody")),
        ("cause the tax table is empty", True, Subcommand("cause", text="the tax table is empty")),
        ("fixed flag new-pricing off", True, Subcommand("fixed", text="flag new-pricing off")),
        ("cancel", True, Subcommand("cancel")),
        ("cancel false alarm", True, Subcommand("cancel", text="false alarm")),
        (
            "cancel it was a load test, nobody is hit",
            True,
            Subcommand("cancel", text="it was a load test, nobody is hit"),
        ),
        ("cancel it was nothing", True, Subcommand("cancel", text="it was nothing")),
        ("cancel that was me", True, Subcommand("cancel", text="that was me")),
        ("cancel we're fine", True, Subcommand("cancel", text="we're fine")),
        ("fixed it was the cache", True, Subcommand("fixed", text="it was the cache")),
        (
            "cancel it is broken",
            True,
            Ambiguous(Subcommand("cancel", text="it is broken"), Declare("cancel it is broken")),
        ),
        (
            "cancel wrong service",
            True,
            Ambiguous(Subcommand("cancel", text="wrong service"), Declare("cancel wrong service")),
        ),
        (
            "cancel config typo on our side",
            True,
            Subcommand("cancel", text="config typo on our side"),
        ),
        (
            "fixed restarted the dead worker",
            True,
            Subcommand("fixed", text="restarted the dead worker"),
        ),
        ("cancel INC-0042 load test", False, Subcommand("cancel", "INC-0042", "load test")),
        ("cancel button is broken", False, Declare("cancel button is broken")),
        ("reopen INC-1", False, Subcommand("reopen", "INC-0001")),
        ("reopen the shop", False, Declare("reopen the shop")),
        ("reopen please", True, Subcommand("reopen")),
        ("reopen", False, Near("reopen", "reopen", Declare("reopen"))),
        ("close", True, Near("close", "resolve", Declare("close"))),
        ("Undo!", True, Near("Undo!", "rollback", Declare("Undo!"))),
        ("ack", True, Near("ack", "lead", Declare("ack"))),
        ("merge INC-1 INC-2", False, Subcommand("merge", "INC-0001", "INC-0002")),
        ("merge INC-2", True, Subcommand("merge", text="INC-0002")),
        ("merge INC-1 INC-2 INC-3", False, Subcommand("merge", "INC-0001", "INC-0002 INC-0003")),
        ("merge", False, Subcommand("merge")),
        ("split INC-2", False, Subcommand("split", "INC-0002")),
        ("split INC-2 off from INC-1", False, Subcommand("split", "INC-0002", "INC-0001")),
        ("split", True, Subcommand("split")),
        ("split payments fail", False, Declare("split payments fail")),
        ("trends", False, Subcommand("trends")),
        ("history", False, Subcommand("history")),
        ("history shop", False, Subcommand("history", text="shop")),
        ("history till", False, Near("history till", "history", Declare("history till"))),
        ("history of orders is empty", False, Declare("history of orders is empty")),
        ("drill payments", False, Subcommand("drill", text="payments")),
        ("stauts", False, Near("stauts", "status", Declare("stauts"))),
        ("rolback", True, Near("rolback", "rollback", Declare("rolback"))),
        ("update", False, Near("update", "update", Declare("update"))),
        ("checkout", False, Declare("checkout")),
        ("db", False, Declare("db")),
        ("status\nof the page is red", True, Declare("status\nof the page is red")),
    ],
)
def test_means(text: str, here: bool, means: object) -> None:
    assert parse(text, here=here, services=("shop",)) == means


STATUS = Subcommand("status", "INC-0042")
SEVERITY = Subcommand("severity", "INC-0042", severity=Severity.SEV2)


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("status INC\u20130042", STATUS),  # en dash, as a phone writes it
        ("status INC\u20110042", STATUS),  # non-breaking hyphen, as a wiki has it
        ("status INC\u22120042", STATUS),  # minus
        ("status INC\u00ad-0042", STATUS),  # soft hyphen
        ("status\u00a0INC-0042", STATUS),  # no-break space
        ("status\u2003INC-0042", STATUS),
        ("status\u3000ＩＮＣ－００４２", STATUS),
        ("status INC-٤٢", STATUS),
        ("\u200bstatus\u200b INC-\u206000\ufeff42\u200d", STATUS),
        ("status\nINC-0042", STATUS),
        ("status\tinc 42", STATUS),
        ("status inc42", STATUS),
        ("status Inc_42", STATUS),
        ("status #42", STATUS),
        ("status 42", STATUS),
        ("status #inc-42", STATUS),
        ("status #inc-0042-checkout-is-failing", STATUS),
        ("status INC - 0042", STATUS),
        ("status: INC-0042.", STATUS),
        ("status — INC-0042!", STATUS),
        ("status (INC-0042)", STATUS),
        ("status INC-0042?", STATUS),
        ("“status INC-0042”", STATUS),
        ("`status INC-0042`", STATUS),
        ("`status` *INC-0042*", STATUS),
        ("INC–0042", Ambiguous(STATUS, Declare("INC–0042"))),
        ("inc 42?", Ambiguous(STATUS, Declare("inc 42?"))),
        ("INC-0042 status", Ambiguous(STATUS, Declare("INC-0042 status"))),
        ("INC-0042 severity 2", Ambiguous(SEVERITY, Declare("INC-0042 severity 2"))),
        ("INC-0042 is back again", Declare("INC-0042 is back again")),
        ("INC-0042 status page is red", Declare("INC-0042 status page is red")),
        ("inc 500 errors at checkout", Declare("inc 500 errors at checkout")),
        ("status?", Subcommand("status")),
        ("severity\u00a0２", Subcommand("severity", severity=Severity.SEV2)),
        (
            "severity: SEV\u20132, INC–7.",
            Subcommand("severity", "INC-0007", severity=Severity.SEV2),
        ),
        ("severity sev 2 inc 7", Subcommand("severity", "INC-0007", severity=Severity.SEV2)),
        ("lead\u00a0<@U0BOB|bob> #7", Subcommand("lead", "INC-0007", person="U0BOB")),
        ("merge INC–1, INC–2", Subcommand("merge", "INC-0001", "INC-0002")),
        ("merge #1 #2", Subcommand("merge", "INC-0001", "INC-0002")),
        ("reopen #7", Subcommand("reopen", "INC-0007")),
        ("history “Shop”", Subcommand("history", text="shop")),
        (
            "update INC\u20110042: cards – in eu‑west – work",
            Subcommand("update", "INC-0042", "cards – in eu‑west – work"),
        ),
        ("update inc 42\ncards work", Subcommand("update", "INC-0042", "cards work")),
        ("“update INC-0042 cards work”", Subcommand("update", "INC-0042", "cards work")),
        ("declare\u00a0the till – “again”", Declare("the till – “again”")),
        (
            "resolve INC-0042?",
            Ambiguous(Subcommand("resolve", "INC-0042"), Declare("resolve INC-0042?")),
        ),
        ("rollback #42", Ambiguous(Subcommand("rollback"), Declare("rollback #42"))),
        (
            "hotfix https://github.com/acme/shop/pull/42",
            Ambiguous(Subcommand("hotfix"), Declare("hotfix https://github.com/acme/shop/pull/42")),
        ),
        ("hotfix 42", Ambiguous(Subcommand("hotfix"), Declare("hotfix 42"))),
        (
            "“cancel” on the order page does nothing",
            Declare("“cancel” on the order page does nothing"),
        ),
        ("status INC-0042 is wrong", Declare("status INC-0042 is wrong")),
        ("status page–42 is red", Declare("status page–42 is red")),
        ("the till – “again” – 👩\u200d🔧", Declare("the till – “again” – 👩\u200d🔧")),
    ],
)
def test_what_a_phone_or_a_wiki_makes_of_words_is_read_as_meant(text: str, means: object) -> None:
    for here in (False, True):
        assert parse(text, here=here, services=("shop",)) == means, here


SEV2 = Subcommand("severity", severity=Severity.SEV2)


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("status INC-0042 please", STATUS),
        ("status of INC-0042", STATUS),
        ("status inc-0042-checkout-is-failing", STATUS),
        ("status inc.42", STATUS),
        ("status inc:42", STATUS),
        ("status INC/42", STATUS),
        ("status ＩＮＣー００４２", STATUS),  # the dash's key in Japanese
        ("status 「INC-42」", STATUS),
        ("/incident status INC-42", STATUS),
        ("status please", Subcommand("status")),
        ("/incident status", Subcommand("status")),
        ("recheck now", Subcommand("recheck")),
        ("lead me", Subcommand("lead")),
        ("?", Subcommand("help")),
        ("-h", Subcommand("help")),
        ("--help", Subcommand("help")),
        ("severity 2 please", SEV2),
        ("severity=2", Ambiguous(SEV2, Declare("severity=2"))),
        ("sev2", Ambiguous(SEV2, Declare("sev2"))),
        ("sev2 checkout is failing", Declare("sev2 checkout is failing")),
        ("merge INC-1 into INC-2", Subcommand("merge", "INC-0001", "INC-0002")),
        ("merge INC-1 -> INC-2", Subcommand("merge", "INC-0001", "INC-0002")),
        ("merge inc-1,inc-2", Subcommand("merge", "INC-0001", "INC-0002")),
        ("merge into INC-2", Subcommand("merge", text="INC-0002")),
        ("merge INC-1 into main fails", Declare("merge INC-1 into main fails")),
        (
            "reopen INC-7 because it burns",
            Ambiguous(Subcommand("reopen", "INC-0007"), Declare("reopen INC-7 because it burns")),
        ),
        ("roll back", Ambiguous(Subcommand("rollback"), Declare("roll back"))),
        (
            "post mortem INC-42",
            Ambiguous(Subcommand("postmortem", "INC-0042"), Declare("post mortem INC-42")),
        ),
        ("roll back of the till is stuck", Declare("roll back of the till is stuck")),
        ("rollback to 1.2.0", Ambiguous(Subcommand("rollback"), Declare("rollback to 1.2.0"))),
        ("rollback v1.2.0", Ambiguous(Subcommand("rollback"), Declare("rollback v1.2.0"))),
        ("hotfix fix/rate", Ambiguous(Subcommand("hotfix"), Declare("hotfix fix/rate"))),
        ("hotfix 4f9a2c1", Ambiguous(Subcommand("hotfix"), Declare("hotfix 4f9a2c1"))),
        ("rollback broke 1.2.0", Declare("rollback broke 1.2.0")),
        ("inc-0042-like errors at checkout", Declare("inc-0042-like errors at checkout")),
    ],
)
def test_small_words_and_other_ways_of_writing_declare_nothing(text: str, means: object) -> None:
    for here in (False, True):
        assert parse(text, here=here, services=("shop",)) == means, here


ROLLBACK = Subcommand("rollback")


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("resolve it", Subcommand("resolve")),
        ("resolve the incident", Subcommand("resolve")),
        ("list all", Subcommand("list")),
        ("list open incidents", Subcommand("list")),
        ("rollback ASAP!", ROLLBACK),
        ("recheck again", Subcommand("recheck")),
        ("investigate this", Subcommand("investigate")),
        ("merge this into INC-2", Subcommand("merge", text="INC-0002")),
        ("severity to 2", SEV2),
        ("severity P2 INC-42", SEVERITY),
        ("help rollback", Subcommand("help")),
        ("??", Subcommand("help")),
        ("history of shop please", Subcommand("history", text="shop")),
        ("history Till", Subcommand("history", text="till")),
    ],
)
def test_words_that_say_nothing_more_open_no_incident(text: str, means: object) -> None:
    for here in (False, True):
        assert parse(text, here=here, services=("shop", "till")) == means, here


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("close INC-0042", Subcommand("resolve", "INC-0042")),
        ("close it", Subcommand("resolve")),
        ("end the incident", Subcommand("resolve")),
        ("done for now", Subcommand("resolve")),
        ("undo INC-42", Subcommand("rollback", "INC-0042")),
        ("ack INC-42", Subcommand("lead", "INC-0042")),
        ("assign <@U0BOB>", Subcommand("lead", person="U0BOB")),
        ("abort INC-42 load test", Subcommand("cancel", "INC-0042", "load test")),
        ("stauts INC-42", STATUS),
        ("stauts please", Subcommand("status")),
        ("updaet INC-42 cards work", Subcommand("update", "INC-0042", "cards work")),
        ("INC-42 close", Subcommand("resolve", "INC-0042")),
        ("INC-42 rollback to 1.2.0", Subcommand("rollback", "INC-0042")),
        ("incident status", Subcommand("status")),
        ("please resolve", Subcommand("resolve")),
        ("take the lead", Subcommand("lead")),
        ("give the lead to <@U0BOB>", Subcommand("lead", person="U0BOB")),
        ("show me the timeline", Subcommand("timeline")),
        ("set severity to 2", SEV2),
        ("P2", SEV2),
        ("rollback shop", Subcommand("rollback", text="shop")),
        ("rollback Shop API to 1.2.0", Subcommand("rollback", text="Shop API")),
        ("roll back the shop", Subcommand("rollback", text="shop")),
        ("status of shop", Subcommand("status", text="shop")),
        ("rollback INC-42 to 1.2.0", Subcommand("rollback", "INC-0042")),
        ("rollback to 1.2.0 INC-42", Subcommand("rollback", "INC-0042")),
        ("hotfix #123 INC-42", Subcommand("hotfix", "INC-0042")),
        ("rollback to the previous release", ROLLBACK),
        ("rollback the last deploy", ROLLBACK),
        ("rollback prod", ROLLBACK),
    ],
)
def test_what_hardly_is_a_new_incident_is_asked_about(text: str, meant: Subcommand) -> None:
    for here in (False, True):
        read = parse(text, here=here, services=("shop", "shop api"))
        assert read == Ambiguous(meant, Declare(text)), here


@pytest.mark.parametrize(
    "text",
    [
        "close button does nothing",
        "end users cannot pay",
        "new orders are lost",
        "start page is blank",
        "report generation hangs",
        "the cancel button",
        "take payments fails",
        "show me orders is empty",
        "rollback shop is stuck",
        "rollback of shop failed twice",
        "status shop page",
        "P1 on shop: nobody can pay",
        "like INC-0042",
        "test it",
        "open orders vanish",
        "set of orders lost",
    ],
)
def test_what_is_wrong_is_declared_as_before(text: str) -> None:
    for here in (False, True):
        assert parse(text, here=here, services=("shop",)) == Declare(text), here


@pytest.mark.parametrize(
    "text",
    ["new", "create", "Start!", "new incident", "open an incident", "declare incident", "incident"],
)
def test_how_other_tools_open_one_opens_the_form(text: str) -> None:
    assert parse(text, here=False) == Declare("")


def test_a_reason_that_says_nothing_is_asked_for() -> None:
    assert parse("cancel it", here=True) == Subcommand("cancel")
    assert parse("cancel it", here=False) == Ambiguous(Subcommand("cancel"), Declare("cancel it"))


def test_what_is_said_in_a_channel_of_its_own_keeps_its_words() -> None:
    subcommand = parse("fixed\u00a0flag “new–pricing” off", here=True)
    assert subcommand == Subcommand("fixed", text="flag “new–pricing” off")
    assert isinstance(parse("cancel the button isn’t there", here=True), Ambiguous), (
        "a curly apostrophe is one, too"
    )


@pytest.mark.parametrize(
    "text",
    [
        "cancel button is broken",
        "fixed price is wrong",
        "cancel order fails",
        "cancel orders timing out",
        "cancel subscription gives 500s",
        "cancel link returns a blank screen",
        "cancel flow charges customers twice",
        "fixed header failing to load",
    ],
)
def test_both_readings_are_asked_about(text: str) -> None:
    read = parse(text, here=True)
    assert isinstance(read, Ambiguous)
    assert read.declare == Declare(text)


def test_elsewhere_with_some_open_incident_a_text_is_asked_about() -> None:
    assert isinstance(parse("update cards work", here=False, some_open=True), Ambiguous)
    assert parse("update cards work", here=False, some_open=False) == Declare("update cards work")


anything = st.text(max_size=60) | st.lists(
    st.sampled_from([*NAMES, "INC-1", "2", "is", "broken", "<@U1>"]), max_size=4
).map(" ".join)


@given(anything, st.booleans(), st.booleans())
def test_nothing_is_lost(text: str, here: bool, some_open: bool) -> None:
    """Whatever is typed means something, and a declaration keeps every word."""
    match parse(text, here=here, some_open=some_open):
        case Declare(text=reported):
            assert reported == text.strip() or text.strip().lower().startswith("declare")
        case Ambiguous(declare=read) | Near(declare=read):
            assert read.text.split() == text.split()
        case Subcommand(name="help") if text.strip().lower() in HELP:
            return
        case Subcommand(name=name):
            assert spelled(text).strip().lower().lstrip(MARKS + " ").startswith(name)


@given(st.sampled_from(WITHOUT_TEXT), st.text(min_size=1, max_size=40))
def test_a_bare_subcommand_with_other_words_declares(name: str, rest: str) -> None:
    read = parse(f"{name} is {rest}", here=True)
    assert isinstance(read, Declare)


@given(st.text(max_size=12), st.text(max_size=12))
def test_letters_apart_is_a_distance(first: str, other: str) -> None:
    apart = letters_apart(first, other)
    assert apart == letters_apart(other, first)
    assert (apart == 0) == (first == other)
    assert abs(len(first) - len(other)) <= apart <= max(len(first), len(other))


@given(st.sampled_from(NAMES), st.data())
def test_one_letter_wrong_is_near(name: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(name) - 1))
    typo = name[:at] + name[at + 1 :]
    if len(typo) >= 3:
        assert nearest(typo) is not None
