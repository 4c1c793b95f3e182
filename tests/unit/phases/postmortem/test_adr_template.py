"""The post-mortem follows the folder's own template.

It is MADR's, Nygard's, a post-mortem's, or anything that somebody put there.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phases.postmortem.adr import summary
from phases.postmortem.adr_numbering import template_among
from tests.support.values import incidents
from tests.support.values.adr_templates import MADR, NYGARD, POSTMORTEM, headings, written
from tests.support.values.incidents import NAMES


def test_madr() -> None:
    text = written(MADR)
    assert text.startswith(
        '---\nstatus: "accepted"\ndate: "2026-11-22"\ndecision-makers: "Ann"\nlayout: decision\n'
        "tags: [adr]\n---\n\n"
        "# ADR-0007: INC-0042, checkout is failing\n\n```text\nPRODUCTION INCIDENT — checkout is "
        "failing\n"
    )
    assert headings(text)[1:] == [
        "## Context and Problem Statement",
        "### Impact",
        "### Timeline",
        "### Root cause",
        "## Considered Options",
        "## Decision Outcome",
        "### What was done",
        "### Action items",
        "### Consequences",
        "#### Why monitoring did not catch it earlier",
        "#### Why it slipped through tests and CI",
        "#### Revisit when",
        "## More Information",
    ]
    assert "{" not in text
    assert "- Round 1: nothing was recommended, rollback to v41 was chosen" in text
    assert "- Record: 01JD000000000000000000000A" in text


def test_nygards() -> None:
    text = written(NYGARD)
    assert text.startswith("# 0007. INC-0042, checkout is failing\n\n```text\nPRODUCTION INCIDENT")
    assert "\n- Date: 2026-11-22\n" in text
    assert "\n## Status\n\naccepted\n" in text
    assert "- Status:" not in text, "said once"
    assert [h for h in headings(text) if h.startswith("## ")] == [
        "## Status",
        "## Context",
        "## Decision",
        "## Consequences",
    ]
    assert "motivating this decision" not in text
    assert "The alert waits for five minutes." in text


def test_a_post_mortems() -> None:
    text = written(POSTMORTEM)
    assert text.startswith("# PM-0007: INC-0042, checkout is failing\n\n```text\n")
    assert "\n* Status: accepted\n* Authors: Ann\n" in text
    assert "[SEV]" not in text
    assert headings(text)[1:] == [
        "## Summary",
        "## Impact",
        "## Root Causes",
        "## Resolution",
        "## Detection",
        "## Action Items",
        "## Lessons Learned",
        "### Why it slipped through tests and CI",
        "### Revisit when",
        "### Proofs",
        "## Timeline",
        "## Sign-off",
    ]
    assert text.rstrip().endswith("\n## Sign-off"), "that is for people to fill"
    assert "not apply" not in text
    assert "- [ ] tests: price a cart without region" in text


@pytest.mark.parametrize("template", ["", MADR, NYGARD, POSTMORTEM])
def test_everything_of_the_workflow_is_in_it_once(template: str) -> None:
    text = written(template)
    incident = incidents.incident(adr=None)
    assert text.count(summary(incident, NAMES, number=7)) == 1
    for words in (
        "14:03 the alert",
        "v42 dropped the region key.",
        "The alert waits for five minutes.",
        "Every test sets a region.",
        "- [ ] monitors: alert after one minute",
        "When the action items are complete.",
        "| Deploy proof | complete | v42 → v41 (done) |",
        "40 users, 3 features",
    ):
        assert words in text, words
    assert text.count("Every test sets a region.") == 1
    assert incident.ulid in text


def test_which_file_is_the_template() -> None:
    assert template_among(["0001-x.md", "0000-template.md", "readme.md"]) == "0000-template.md"
    assert template_among(["adr-template.md", "template-postmortem.md"]) == "template-postmortem.md"
    assert template_among(["_template.md"]) == "_template.md"
    assert template_among(["0007-inc-0042-the-template-engine-is-down.md", "TEMPLATE.txt"]) is None


@given(
    template=st.text(max_size=2000)
    | st.lists(st.sampled_from((MADR + NYGARD + POSTMORTEM).split("\n"))).map("\n".join)
)
def test_no_template_hides_a_part(template: str) -> None:
    text = written(template)
    for words in (
        "PRODUCTION INCIDENT — ",
        "Every test sets a region.",
        "The alert waits for five minutes.",
        "price a cart",
    ):
        assert words in text
    assert incidents.incident().ulid in text
