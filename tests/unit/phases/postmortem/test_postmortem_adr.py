"""The summary in its exact layout, and the ADR as a file that shows words as words."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phases.postmortem.adr import adr_text, minutes_taken, summary, what_was_done_in_all
from phases.postmortem.adr_numbering import Numbering
from phases.record.documents import ActionItem
from phases.record.findings import (
    BlastRadius,
    Cause,
    Investigation,
    Release,
    Share,
    Suspect,
    Word,
)
from phases.record.incident import ActionKind, Entry, Source
from phases.text.markdown import inline, one_line, paragraphs
from tests.support.values import incidents
from tests.support.values.incidents import NAMES, minute

EXACT = """\
PRODUCTION INCIDENT — checkout is failing

Detected:    2026-11-22 14:03 UTC via Sentry alert SHOP-3
Blast:       40 users, 3 features (cart, payment and search), in eu-west and us-east
Root cause:  v42 dropped the region key
Action:      rollback to v41
Resolution:  2026-11-22 14:19 UTC, took 16 min
Sentry:      42.3 / 0 events a minute before / after

Linear:      https://linear.app/acme/issue/SHOP-7
Post-mortem: ADR-0007

Action items: 3 (tests:1, monitors:1, gates:1)"""


def test_the_summary_in_its_exact_layout() -> None:
    assert summary(incidents.incident(), NAMES) == EXACT


def test_what_is_off_or_unknown_is_said() -> None:
    bare = incidents.incident(
        ticket=None,
        adr=None,
        cause=None,
        postmortem=None,
        triage=None,
        rounds=(),
        recovered_at=None,
        source=Source(kind="person", text="/incident by <@UANN>"),
    )
    lines = summary(bare, NAMES).splitlines()
    assert lines[2:] == [
        "Detected:    2026-11-22 14:03 UTC via /incident by Ann",
        "Blast:       not measured",
        "Root cause:  not known",
        "Action:      none",
        "Resolution:  recovery is not verified",
        "Sentry:      not measured",
        "",
        "Linear:      none",
        "Post-mortem: none",
        "",
        "Action items: 0 (tests:0, monitors:0, gates:0)",
    ]


def test_a_recovery_on_a_persons_word_is_marked() -> None:
    incident = incidents.incident(
        rounds=(incidents.rollback(verdict="confirmed by a person", looks=()),)
    )
    assert "Sentry:      42.3 / not measured, confirmed by a person (events a minute" in summary(
        incident, NAMES
    )


def test_the_rates_are_those_of_the_look_that_verified_recovery() -> None:
    """The last round has no say.

    It may be a fix forward after recovery, or a deploy that came to nothing.
    """
    first = incidents.rollback()
    later = first.looks[0].model_copy(
        update={"at": minute(90), "before_per_minute": 0.4, "after_per_minute": 0.2}
    )
    forward = incidents.rollback(number=2, opened_at=minute(80), looks=(later,))
    nothing = incidents.rollback(number=3, opened_at=minute(99), looks=(), verdict=None)
    measured = "Sentry:      42.3 / 0 events a minute"
    assert measured in summary(incidents.incident(rounds=(first, forward)), NAMES)
    assert measured in summary(incidents.incident(rounds=(first, nothing)), NAMES)
    again = incidents.incident(rounds=(first, forward), recovered_at=minute(90.1))
    assert "Sentry:      0.4 / 0.2 events a minute" in summary(again, NAMES), (
        "opened again: the newest recovery counts"
    )


def test_several_actions_are_joined_with_what_went_wrong() -> None:
    first = incidents.rollback().action
    assert first is not None

    def round(number: int, verdict: str | None = None, **changes: Any) -> Any:
        return incidents.rollback(
            number=number, verdict=verdict, action=first.model_copy(update=changes)
        )

    hotfix = {"kind": ActionKind.HOTFIX, "to_release": Release(version="hotfix fix/cart@1234567")}
    incident = incidents.incident(
        rounds=(
            round(1, result="failed"),
            round(2, result="not started"),
            round(3, "not recovered", **hotfix),
            round(4, "recovered", kind=ActionKind.FIXED, sentence="flag off"),
        )
    )
    assert what_was_done_in_all(incident) == (
        "rollback to v41 (failed); then hotfix fix/cart@1234567 (did not help); then fixed: "
        "flag off"
    )


@pytest.mark.parametrize(("after", "minutes"), [(0.1, 1), (16.4, 16), (16.6, 17), (75, 75)])
def test_it_took_whole_minutes_to_verified_recovery(after: float, minutes: int) -> None:
    assert (
        minutes_taken(incidents.incident(recovered_at=minute(after), resolved_at=minute(900)))
        == minutes
    )


def test_blast_in_counts_and_by_name_only() -> None:
    blast = BlastRadius(
        users=Word.ONE,
        features=Word.ONE,
        organisations=(Share(name="Globex", events=3),),
        inferred=True,
    )
    incident = incidents.incident(triage=incidents.report(blast=blast))
    assert "Blast:       one user, one feature, of Globex (inferred)\n" in summary(incident, NAMES)


LINES = (
    r"PRODUCTION INCIDENT — .+",
    "",
    r"Detected:    \d{4}-\d\d-\d\d \d\d:\d\d UTC via .*",
    r"Blast:       .+",
    r"Root cause:  .*",
    r"Action:      .+",
    r"Resolution:  \d{4}-\d\d-\d\d \d\d:\d\d UTC, took \d+ min",
    r"Sentry:      .+",
    "",
    r"Linear:      .+",
    r"Post-mortem: ADR-\d{4}",
    "",
    r"Action items: \d+ \(tests:\d+, monitors:\d+, gates:\d+\)",
)
NASTY = st.text(max_size=200) | st.sampled_from(
    [
        "a\n\nResolution:  never\r\n```\n# x",
        "<!channel> <@UANN|x> <script>alert(1)</script>",
        "@here | a | b |\n| --- |",
        "[click](javascript:x) ![i](http://x) **b** _i_ ~~s~~ `c` $x$",
        "---\n===\n# h\n> q\n- l\n1. n\n    code",
        "\u202egnp.exe\x1b[31m\x00",
        "https://example.com/a_b_c?x=1|2 and <https://example.com|masked>",
        "<!-- hidden -->&lt;b&gt;",
    ]
)


@given(
    title=NASTY.filter(lambda t: one_line(t, {}) != ""), cause=NASTY, source=NASTY, sentence=NASTY
)
def test_no_text_breaks_the_layout(title: str, cause: str, source: str, sentence: str) -> None:
    fixed = incidents.rollback().action
    assert fixed is not None
    action = fixed.model_copy(update={"kind": ActionKind.FIXED, "sentence": sentence})
    incident = incidents.incident(
        title=title[:300],
        cause=Cause(text=cause, at=minute(9)),
        source=Source(kind="person", text=source),
        rounds=(incidents.rollback(action=action),),
    )
    text = summary(incident, NAMES)
    lines = text.split("\n")
    assert len(text.splitlines()) == len(lines) == len(LINES)
    for line, pattern in zip(lines, LINES, strict=True):
        assert re.fullmatch(pattern, line), line
    assert "```" not in text
    assert "<!channel" not in text
    assert "@here" not in text


# --- the file -------------------------------------------------------------------------------------


def test_the_file_name_holds_number_incident_and_slug() -> None:
    assert Numbering().file(incidents.incident(), 7) == "0007-inc-0042-checkout-is-failing.md"
    assert (
        Numbering().file(incidents.incident(title="Ünïted/../Stätes!"), 12)
        == "0012-inc-0042-united-states.md"
    )
    assert Numbering().file(incidents.incident(title="結帳"), 12) == "0012-inc-0042-incident.md"


def test_the_adr_has_everything_in_its_order() -> None:
    text = adr_text(incidents.incident(adr=None), incidents.entries(), 7, NAMES)
    assert text.startswith(
        "# ADR-0007: INC-0042, checkout is failing\n\n```text\nPRODUCTION INCIDENT"
    )
    assert (
        "```\n\n- Status: accepted\n- Date: 2026-11-22\n"
        "- Incident: INC-0042, shop (production), SEV1\n- Written by: Ann\n"
        "- Record: 01JD000000000000000000000A\n\n## Impact\n"
    ) in text
    assert EXACT in text
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert headings == [
        "Impact",
        "Timeline",
        "Root cause",
        "What was done",
        "Why monitoring did not catch it earlier",
        "Why it slipped through tests and CI",
        "Action items",
        "Revisit when",
        "Proofs",
    ]
    for line in (
        "| Triage report | complete | 2026-11-22 14:04 UTC, 590 events measured |",
        "| Root cause with evidence | complete | Ann, 2026-11-22 14:23 UTC, 1 piece of evidence |",
        "| Deploy proof | complete | v42 → v41 (done) |",
        "| Ticket | complete | SHOP-7 <https://linear.app/acme/issue/SHOP-7> |",
        "| Post-mortem | complete | this file, ADR-0007 |",
        (
            "| 2026-11-22 14:03 UTC | declared | Sentry alert SHOP-3: checkout is failing "
            "<https://sentry.io/i/3> |"
        ),
        r"| 2026-11-22 14:04 UTC | triage | 40 users, cart \| payment; 590 events in 15 min |",
        "| 2026-11-22 14:06 UTC | decision | Ann chose rollback to v41 |",
        r"Nobody reads \`total()\` without one.",
        "- git bisect: 9f3c2d1",
        "- H1 supported: v42 broke pricing: first event 2 min after its deploy",
        "- H2 ruled out: one customer's data",
        "- Round 1: rollback to v41 by Ann, 2026-11-22 14:06 UTC: done, v42 → v41",
        (
            "  - 2026-11-22 14:19 UTC: recovered, 42.3 / 0 events a minute before / after, "
            "endpoint 200 in 31 ms"
        ),
        "- [ ] tests: price a cart without region (owner Ann, due 2026-12-01)",
        "- [ ] monitors: alert after one minute (no owner, no date)",
        "- [x] gates: canary for 5 minutes (owner Bob Lee, no date)",
    ):
        assert line in text.splitlines(), line
    assert re.search(
        r"^\| Recovery check \| complete \| .*0 events in 9 min, up to 3 allowed",
        text,
        re.MULTILINE,
    )
    with pytest.raises(ValueError, match="no post-mortem"):
        adr_text(incidents.incident(postmortem=None), [], 7, NAMES)


def test_the_adr_names_the_nearest_commit_where_none_stood_out() -> None:
    why = "changes code near `shop/pay.py:41`"
    near = Suspect(sha="abc1234567890", author="Eve", confidence=0.3, reasons=(why,))
    walked = {"investigation": Investigation(nearest=near), "adr": None}
    line = "- No commit stood out. Nearest: abc123456 (Eve), 30%: changes code near"

    def nearest_named(**fields: Any) -> bool:
        return line in adr_text(incidents.incident(**walked, **fields), [], 7, NAMES)

    assert nearest_named(cause=None)
    assert not nearest_named(cause=Cause(text="x", at=minute(20), by="UANN", commit="f" * 40))


@given(title=NASTY, part=NASTY, entry=NASTY, item=NASTY)
def test_words_stay_words(title: str, part: str, entry: str, item: str) -> None:
    incident = incidents.incident(
        title=title[:300],
        postmortem=incidents.written(
            timeline=part,
            root_cause=part,
            monitoring=part,
            tests=part,
            items=(ActionItem(kind="tests", text=item),),
        ),
    )
    text = adr_text(incident, [Entry(at=minute(0), kind="note", text=entry)], 7, NAMES)
    block, rest = text.split("```text\n", 1)[1].split("\n```\n", 1)
    assert "```" not in block
    assert len(re.findall(r"^#", rest, re.MULTILINE)) == 9
    assert "```" not in rest
    assert not re.search(r"<(?!https?://)", rest)  # no HTML, no Slack token
    assert not re.search(r"(?<!\\)\]\(", rest)
    assert not re.search(r"@(channel|here|everyone)\b", rest)
    rows = [line for line in rest.splitlines() if line.startswith("|")]
    assert len(rows) == 2 + 6 + 2 + 1
    assert all(len(re.findall(r"(?<!\\)\|", row)) == 4 for row in rows)
    assert len([line for line in rest.splitlines() if line.startswith("- [")]) == 1
    assert not re.search("[\u202a-\u202e\x00\x1b]", text)


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("# no heading\n- a list\n* stays\n1. one", "\\# no heading\n- a list\n- stays  \n1. one"),
        ("one\ntwo\n\n\n\nthree", "one  \ntwo\n\nthree"),
        ("---\n> quote", "\\---  \n&gt; quote"),
        ("snake_case _it_ 2*3", "snake_case \\_it\\_ 2\\*3"),
        ("see https://x.org/a_b_c, please", "see <https://x.org/a_b_c>, please"),
        (
            "<@UANN> and <@UNEW> in <#C1|general> <!subteam^S1|@oncall>",
            "Ann and UNEW in #general @oncall",
        ),
    ],
)
def test_lists_and_line_breaks_stay_and_the_rest_is_shown_as_written(raw: str, shown: str) -> None:
    assert paragraphs(raw, NAMES) == shown


def test_a_cell_is_one_line() -> None:
    assert inline("a\n| b", {}) == "a \\| b"
