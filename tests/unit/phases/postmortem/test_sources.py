"""Nothing in a proposed post-mortem is without a source."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from phases.ports.source_values import Check, Commit, CommitFile, Covered, PullChecks
from phases.postmortem.adr import adr_text
from phases.postmortem.contributing_factors import LookedUp
from phases.postmortem.draft import draft_parts
from phases.postmortem.form_parts import Parts
from phases.postmortem.sources import sources
from phases.record.findings import Cause, Suspect
from phases.record.incident import Entry, Incident, Source
from tests.support.values.draws import draws
from tests.support.values.incidents import NAMES, T0, entries, incident, minute, report, written

SHA = "9f3c2d1aa0b1c2d3e4f5a6b7c8d9e0f1a2b3c4d5"
COMMIT_URL = f"https://github.com/acme/shop/commit/{SHA}"
SUSPECT = Suspect(sha=SHA, url=COMMIT_URL, pull_request="https://github.com/acme/shop/pull/7")
FILES = (CommitFile(path="shop/pricing.py"), CommitFile(path="tests/test_pricing.py"))
PROMPTS = ("It was not caught earlier because …", "It slipped through because …")
"""What a person has to finish: it states nothing, and is refused as it stands."""

looked_up = st.builds(
    LookedUp,
    tests=st.none()
    | st.builds(
        Covered,
        naming=st.sampled_from([(), ("tests/test_pricing.py",), ("tests/a.py", "tests/b.py")]),
        files=st.integers(0, 50),
        read=st.booleans(),
        everywhere=st.booleans(),
    ),
    commit=st.none()
    | st.sampled_from([Commit(sha=SHA, files=FILES), Commit(sha=SHA, files=FILES[:1])]),
    confirmed=st.booleans(),
    checks=st.none()
    | st.sampled_from(
        [
            PullChecks(pull_request="#7"),
            PullChecks(
                pull_request="#7",
                checks=(
                    Check(name="unit", conclusion="passed"),
                    Check(name="e2e", conclusion="skipped"),
                ),
            ),
        ]
    ),
)
begun = st.sampled_from(
    [
        Source(kind="person", text="/incident by <@UANN>"),
        Source(kind="sentry", text="Sentry alert SHOP-3", url="https://sentry.io/i/3"),
        Source(kind="deploy", text="new errors after v42"),
    ]
)
alerts = st.sampled_from(
    [
        entries(),
        [
            *entries(),
            Entry(
                at=minute(2),
                kind="evidence",
                text="Sentry SHOP-3: 40 events",
                url="https://sentry.io/i/3",
            ),
        ],
    ]
)


@st.composite
def records(draw: st.DrawFn) -> Incident:
    fields: dict[str, object] = {
        "source": draw(begun),
        "triage": draw(st.sampled_from([report(), report(frame=None), None])),
        "suspects": draw(st.sampled_from([(), (SUSPECT,)])),
        "recovered_at": draw(st.sampled_from([minute(16.5), None])),
        "postmortem": None,
        "adr": None,
    }
    if draw(st.booleans()):
        fields["cause"] = None
    return incident(**fields)


def unsourced(parts: Parts, known: Incident, timeline: list[Entry]) -> dict[str, str]:
    """Return what is left of each part without what names its source."""
    left = {
        name: " ".join(getattr(parts, name).split())
        for name in ("impact", "root_cause", "monitoring", "tests")
    }
    left |= {f"item {n}": item.text for n, item in enumerate(parts.items)}
    for source in sources(known, timeline, parts, NAMES):
        assert source.comes_from
        left = {name: text.replace(source.says, "") for name, text in left.items()}
    for prompt in PROMPTS:
        left = {name: text.replace(prompt, "") for name, text in left.items()}
    return {name: text.strip() for name, text in left.items() if text.strip()}


@settings(max_examples=draws(150))
@given(records(), looked_up, alerts)
def test_no_proposed_sentence_is_without_a_source(
    known: Incident, facts: LookedUp, timeline: list[Entry]
):
    parts = draft_parts(known, timeline, T0 + timedelta(hours=2), NAMES, facts)
    assert unsourced(parts, known, timeline) == {}


def test_what_a_person_wrote_has_no_source():
    parts = Parts(root_cause="The pool was too small.", tests="Nobody ran them.")
    assert sources(incident(), entries(), parts, NAMES) == ()


def test_the_file_links_each_sentence_that_was_left_as_proposed():
    known = incident(suspects=(SUSPECT,), postmortem=None, adr=None)
    commit = LookedUp(commit=Commit(sha=SHA, files=FILES[:1]))
    parts = draft_parts(known, entries(), T0, NAMES, commit)
    done = written(impact=parts.impact, tests=parts.tests.replace("because …", "because of haste."))
    text = adr_text(known.model_copy(update={"postmortem": done}), entries(), 7, NAMES)
    cited = text.split("Proposed by the record, and left as it was:\n")[1]
    assert f"“Suspect commit 9f3c2d1aa changed no test.”: commit 9f3c2d1aa <{COMMIT_URL}>" in cited
    assert "“40 users (counted over 15 min), cart, payment and search" in cited
    assert "alert after one minute" not in cited


def test_a_cause_that_a_person_wrote_into_the_form_was_not_proposed():
    known = incident(postmortem=None, adr=None)
    done = written(root_cause="The import ran after the release.")
    own = Cause(text=done.root_cause, at=done.at, by=done.by)
    known = known.model_copy(update={"postmortem": done, "cause": own})
    text = adr_text(known, entries(), 7, NAMES)
    assert "“The import ran after the release.”" not in text.partition("left as it was:")[2]
