"""Messages on a phone.

Words wrap, texts share the lines that there are, and the pinned status has everything known.
"""

from __future__ import annotations

import re
import textwrap
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers import views
from handlers.views.phone_layout import BODY, LARGE, SMALL, Fact, fitted, lines, shortened, shown
from handlers.views.status import LINES
from handlers.views.text import spoken, words
from phases.record.findings import Hypothesis, HypothesisKind, Suspect, Verdict
from phases.record.incident import Failure, Source, Status
from phases.root_cause.change_hypothesis import change_hypothesis
from phases.root_cause.hypotheses import Facts, hypothesis_tree
from tests.support.values.factories import NOW, incident, report, service
from tests.support.values.flagged import flagged
from tests.support.values.fullest import everything

FULLEST = everything()
SHOP = service(name="checkout-service", runbook="https://wiki.example.com/checkout")
FAILED = Failure(effect_id="7-1", kind="discord", reason="unknown webhook", at=NOW, effect="{}")
CULPRIT = Suspect(sha="c0ffee1234", author="Mara", subject="simplify tax", confidence=0.9)


def read(block: dict[str, Any]) -> str:
    """The text that a person reads of a block.

    It is counted otherwise than the bot does: names have 14 letters, times are as Slack shows them.
    """
    text = (
        block["text"]["text"]
        if "text" in block
        else "\n".join(e["text"] for e in block["elements"])
    )
    text = re.sub(r"<@\w+>", "@" + "x" * 13, text)
    text = re.sub(r"<!date\^\d+\^([^|]*)\|[^>]*>", r"\1", text)
    for form, shown_time in (
        ("{date_short_pretty}", "yesterday"),
        ("{time}", "3:02 AM"),
        ("{time_secs}", "3:02:07 AM"),
    ):
        text = text.replace(form, shown_time)
    return re.sub(r"<[^|>]*\|([^>]*)>", r"\1", text).replace("*", "").replace("`", "")


def wrapped(message: views.Message) -> list[str]:
    rows: list[str] = []
    for block in message.blocks:
        if block["type"] == "actions":
            continue
        width = {"header": LARGE, "context": SMALL}.get(block["type"], BODY)
        for line in read(block).split("\n"):
            rows += textwrap.wrap(line, width, break_on_hyphens=False) or [""]
    return rows


@pytest.mark.parametrize("state", FULLEST)
def test_with_everything_known_the_status_has_at_most_twelve_lines_on_a_phone(state: str) -> None:
    rows = wrapped(views.status(FULLEST[state], NOW, SHOP))
    assert len(rows) <= LINES == 12, "\n".join(rows)


def test_with_everything_known_each_of_what_a_newcomer_needs_is_there() -> None:
    text = "\n".join(wrapped(views.status(FULLEST["verifying"], NOW, SHOP)))
    for part in (
        *(
            "INC-1042",
            "Checking",
            "SEV1",
            "checkout-service",
            "48,211 users",
            "Rollback to",
            "check",
            "Lead: @",
        ),
        *(
            "Root cause",
            "The ticket comment failed",
            "Hold deploys",
            "CHECKOUT-12345",
            "SHOP-3",
            "runbook",
            "Check",
        ),
    ):
        assert part in text, text
    for state in (
        "deciding",
        "drill",
        "mitigating",
        "failed",
        "fixed",
        "verifying",
        "mitigated",
        "not merged",
    ):
        rows = wrapped(views.status(FULLEST[state], NOW, SHOP))
        assert any(row.startswith("Update 3:02 AM: The pool") for row in rows), (state, rows)
    assert "drill" in wrapped(views.status(FULLEST["drill"], NOW, SHOP))[1], (
        "it needs no line of its own"
    )
    owed = "\n".join(wrapped(views.status(FULLEST["mitigated"], NOW, SHOP)))
    for part in ("Users are fine", "Recovered after 16 min", "Next: post-mortem, asked for"):
        assert part in owed, owed


def test_a_short_status_stays_short_and_a_long_one_is_cut_where_it_matters_least() -> None:
    facts = [
        Fact("who " * 30, (1, 3, 4)),
        Fact("lead", (2,)),
        Fact("how it began " * 9, (5, 5)),
        Fact("", (1,)),
    ]
    assert [lines(text) for text in fitted(facts, 12)] == [3, 1, 2, 0]
    assert [lines(text) for text in fitted(facts, 4)] == [3, 1, 0, 0]
    assert [lines(text) for text in fitted(facts, 2)] == [1, 1, 0, 0]


def test_a_whole_fact_is_said_in_full_or_not_at_all_and_another_one_briefly() -> None:
    memory = Fact(
        "Last time it was the tax table of eu-west, and a rollback helped.", (7, 7, 7), whole=True
    )
    hold = Fact(
        "Hold: shop is rolled back to 1.2.0; a deploy could bring it back.",
        (3, 4),
        short="Hold deploys",
    )
    assert fitted([hold, memory], 4) == [hold.text, memory.text]
    assert fitted([hold, memory], 3) == [hold.text, ""]
    assert fitted([hold, memory], 1) == ["Hold deploys", ""]


def test_what_is_cut_keeps_its_names_times_and_links_whole() -> None:
    text = (
        "*Next*: ask <@U0ALICE> about <https://wiki.example.com/a/very/long/address|the pool> "
        f"`shop` {'x' * 90}"
    )
    assert shortened(text, 1, LARGE) == "*Next*: ask <@U0ALICE>…"
    next_step = (
        "*Next*: ask <@U0ALICE> about <https://wiki.example.com/a/very/long/address|the pool>"
    )
    assert shortened(text, 1) == f"{next_step}…"
    assert shortened(text, 2) == f"{next_step} `shop`…"
    assert shown(text).startswith("Next: ask @nnnnnnnnnnnnn about the pool shop xxx")
    assert shortened("a &lt;b&gt; " + "y" * 200, 1) == "a &lt;b&gt;…"
    assert lines("漢" * 40) == 2, "a wide letter is as wide as two"


@given(st.text(max_size=300), st.integers(1, 5), st.sampled_from([BODY, SMALL, LARGE]))
def test_whatever_people_write_is_cut_to_its_lines(raw: str, many: int, width: int) -> None:
    for text in (words(raw, 250), spoken(raw, 250, lines=False)):
        cut = shortened(text, many, width)
        assert lines(cut, width) <= many
        assert cut.count("<") == cut.count(">")
        assert cut.count("\u2068") == cut.count("\u2069")


def test_where_nothing_is_measured_the_alert_itself_says_what_burns() -> None:
    why = "Sentry is not set up (SENTRY_ORG, SENTRY_AUTH_TOKEN): nothing can be measured"
    burning = incident(
        status=Status.DECIDING,
        title="Orders fail",
        source=Source(kind="alert", text="Alertmanager"),
        description="7 % of requests fail\nseverity critical · region eu-west · pod shop-3",
        triage=None,
        triage_overdue=True,
        failures=(Failure(effect_id="1", kind="triage", reason=why, at=NOW, effect="{}"),),
    )
    text = " ".join(wrapped(views.status(burning, NOW, SHOP)))
    assert "› 7 % of requests fail severity critical · region eu-west · pod shop-3" in text
    assert text.count("Sentry is not set up") == 1


@pytest.mark.parametrize("width", range(12, 60))
def test_a_number_is_never_cut_from_what_it_counts(width: int) -> None:
    burning = incident(
        triage=report(per_minute=5.4, baseline_per_minute=0.2, began_at=NOW),
        failures=tuple(FAILED.model_copy(update={"effect_id": f"7-{n}"}) for n in range(3)),
    )
    for line in "\n".join(read(b) for b in views.status(burning, NOW, SHOP).blocks[1:3]).split(
        "\n"
    ):
        cut = shortened(line, 1, width)
        assert not re.search(r"(normally|; 5\.4|\(and|\(and\W\d+)…$", cut), cut


@pytest.mark.parametrize("state", ["deciding", "mitigating", "verifying"])
def test_a_private_incident_says_so_on_a_phone_and_nothing_hangs_on_the_word(state: str) -> None:
    secret = FULLEST[state].model_copy(update={"private": True})
    line = views.status(secret, NOW, SHOP).blocks[1]["text"]["text"].split("\n")[0]
    assert "private" in line
    assert "private…" not in line


def test_one_hypothesis_leads_in_decision_status_and_thread() -> None:
    """What the decision turns off is what the status suspects, however sure a commit looks."""
    change = change_hypothesis(flagged_report := flagged())
    assert change is not None
    commit = Hypothesis(
        id="H2",
        kind=HypothesisKind.COMMIT,
        says="Commit c0ffee123 by Mara caused it: “simplify tax”",
        verdict=Verdict.SUPPORTED,
        confidence=0.93,
    )
    facts = Facts(report=flagged_report, service=SHOP, suspects=(CULPRIT,), commits=())
    raised = {h.kind: h for h in hypothesis_tree(facts)}
    assert raised[HypothesisKind.COMMIT].verdict is Verdict.OPEN
    burning = incident(
        triage=flagged_report, hypotheses=tuple(raised.values()), suspects=(CULPRIT,)
    )
    text = views.status(burning, NOW, SHOP).blocks[2]["text"]["text"]
    assert "*Suspected*: Flag new-pricing" in text.split("\n")
    assert "Flag new-pricing caused it" in views.tree(burning).blocks[1]["text"]["text"]
    judged = burning.model_copy(update={"hypotheses": (*burning.hypotheses, commit)})
    suspected = re.search(r"Suspected\*: (\w+)", str(views.status(judged, NOW, SHOP).blocks))
    leading = re.search(r"\*H\d\* (?:<[^|]*\|)?(\w+)", str(views.tree(judged).blocks))
    assert suspected is not None
    assert leading is not None
    assert suspected[1] == leading[1]
