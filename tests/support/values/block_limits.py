"""Random incidents, and checks that blocks hold Slack's limits."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from handlers.views.text import size
from phases.record.documents import Adr, Ticket
from phases.record.findings import (
    Bisect,
    Cause,
    Choice,
    DeployOutput,
    DeployProof,
    DeploySeen,
    EndpointAnswer,
    Frame,
    Hypothesis,
    HypothesisKind,
    Investigation,
    IssueSeen,
    Look,
    LookVerdict,
    Picture,
    Recommendation,
    Release,
    Share,
    Suspect,
    TriageReport,
    Verdict,
    Word,
)
from phases.record.going_back import Likelihood, Quote, TakenBack
from phases.record.incident import (
    ActionKind,
    Channel,
    Failure,
    Incident,
    Round,
    RoundAction,
    Severity,
    Source,
    Status,
)
from phases.record.memories import Recollection
from tests.support.values.factories import NOW, blast, incident, report

NASTY = (
    "<!channel> <!here|here> <!everyone> @channel @here <!subteam^S0123|ops>",
    "*bold* _it_ ~no~ `code` ```fence``` > quote",
    "<https://evil.example/?a=1&b=2|click here> & <b>",
    "<@U0ALICE> <@U0ALICE|alice> <#C0GENERAL|general> <!date^1^{date}|x>",
    "שלום עולם \u202eabc\u202c مرحبا",
    "🔥" * 400,
    "&amp;" * 600,
    "a\x00b\x07cd\r\ne\u2028f",
    "x" * 4000,
    "```\n" * 300,
    '\\"' * 2000,
    "",
    "   ",
)

texts = st.one_of(
    st.sampled_from(NASTY),
    st.text(alphabet=st.characters(exclude_categories=("Cs",)), max_size=80),
    st.text(alphabet="<>&@!*_~`|^#\n ahereU0123", max_size=60),
)

times = st.integers(0, 600).map(lambda m: NOW + timedelta(minutes=m))


def some(strategy: st.SearchStrategy[Any], most: int = 12) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(strategy, max_size=most).map(tuple)


releases = st.builds(Release, version=texts, commit=st.none())

shares = st.builds(Share, name=texts, events=st.integers(0, 9999))

maybe = st.none() | texts

issues = st.builds(
    IssueSeen,
    id=texts,
    short_id=texts,
    title=texts,
    url=maybe,
    first_seen=times,
    events=st.integers(0, 10**7),
    new=st.booleans(),
)

deploys = st.builds(
    DeploySeen,
    release=releases,
    service=texts,
    started_at=times,
    by=maybe,
    source=st.just("sentry"),
)

frames = st.builds(
    Frame,
    file=texts,
    function=texts,
    line=st.none() | st.integers(0, 10**6),
    context=some(st.tuples(st.integers(0, 9999), texts), 5),
)

taken_back = st.builds(
    TakenBack,
    since=texts,
    commits=st.integers(0, 500),
    pull_requests=st.integers(0, 500),
    names=some(texts, 5),
    fixes=some(texts, 10),
    security=some(texts, 10),
    one_way=some(texts, 10),
    oldest_schema=texts,
    unknown=texts,
)

recommendations = st.builds(
    Recommendation,
    choice=st.sampled_from(Choice),
    reasons=some(texts),
    against=some(texts),
    brakes=some(texts),
    likely=st.none() | st.sampled_from(Likelihood),
    points_to=some(texts),
    points_away=some(texts),
    written=some(st.builds(Quote, text=texts, where=texts, by=st.none() | st.just("U0BOB"))),
    takes_back=st.none() | taken_back,
    offer_rollback=st.booleans(),
    suspect=st.none() | releases,
    target=st.none() | releases,
    loud=st.booleans(),
)

blasts = st.builds(
    lambda users, features, names, sentences: blast(
        users, features, top_features=names, regions=names, organisations=names, sentences=sentences
    ),
    st.sampled_from(Word),
    st.sampled_from(Word),
    some(shares),
    some(texts),
)

reports: st.SearchStrategy[TriageReport] = st.builds(
    lambda **fields: report(**fields),
    blast=blasts,
    issues=some(issues, 10),
    running=st.none() | releases,
    suspect=st.none() | releases,
    deploys=some(deploys, 5),
    targets=some(releases, 5),
    exception_type=maybe,
    frame=st.none() | frames,
    recommendation=recommendations,
    notes=some(texts),
    manual_by=st.none() | st.just("U0ALICE"),
)

looks = st.builds(
    Look,
    number=st.integers(0, 2),
    at=times,
    verdict=st.sampled_from(LookVerdict),
    reasons=some(texts, 4),
    endpoint=st.none() | st.builds(EndpointAnswer, ok=st.booleans(), said=texts),
)

acts = st.builds(
    RoundAction,
    kind=st.sampled_from(ActionKind),
    by=st.just("U0BOB"),
    at=times,
    from_release=st.none() | releases,
    to_release=st.none() | releases,
    sentence=texts,
    result=st.sampled_from(["waiting", "running", "done", "failed", "unknown", "not started"]),
    reason=texts,
    lines=some(texts, 5),
    output=st.none()
    | st.builds(
        DeployOutput, lines=st.lists(texts, min_size=1, max_size=41).map(tuple), cut=st.booleans()
    ),
    proof=st.none() | st.builds(DeployProof, before=maybe, after=maybe),
    break_glass=maybe,
)

rounds = st.lists(
    st.builds(
        Round,
        number=st.just(1),
        opened_at=times,
        why=texts,
        recommendation=st.none() | recommendations,
        action=st.none() | acts,
        looks=some(looks, 6),
        verdict=st.sampled_from(
            [None, "recovered", "not recovered", "ask a person", "confirmed by a person"]
        ),
        investigate_by=st.none() | st.just("U0BOB"),
    ),
    max_size=3,
).map(lambda drawn: tuple(r.model_copy(update={"number": n}) for n, r in enumerate(drawn, 1)))

suspects = st.builds(
    Suspect,
    sha=texts,
    author=texts,
    subject=texts,
    reasons=some(texts, 4),
    url=maybe,
    pull_request=maybe,
)

hypotheses = st.lists(
    st.builds(
        Hypothesis,
        id=st.just("H1"),
        kind=st.sampled_from(HypothesisKind),
        says=texts,
        predicts=texts,
        check=texts,
        found=texts,
        verdict=st.sampled_from(Verdict),
        confidence=st.floats(0, 1),
        url=maybe,
    ),
    max_size=12,
).map(lambda drawn: tuple(h.model_copy(update={"id": f"H{n}"}) for n, h in enumerate(drawn, 1)))

pictures = st.builds(
    lambda begin, seconds, counts: Picture(
        begin=begin,
        until=begin + timedelta(seconds=seconds * len(counts)),
        seconds=seconds,
        counts=counts,
    ),
    times,
    st.sampled_from([5, 30, 60, 180, 5400]),
    st.lists(st.integers(0, 10**7), min_size=1, max_size=20).map(tuple),
)


@st.composite
def incidents(draw: st.DrawFn) -> Incident:
    """Any record, also such as no sequence of actions would make."""
    fields: dict[str, Any] = {
        "title": draw(texts)[:300],
        "description": draw(texts)[:3000],
        "service": draw(texts),
        "environment": draw(texts),
        "status": draw(st.sampled_from(Status)),
        "severity": draw(st.none() | st.sampled_from(Severity)),
        "source": Source(kind="sentry", text=draw(texts), url=draw(maybe)),
        "lead": draw(st.sampled_from([None, "U0ALICE", "<!channel>"])),
        "channel": draw(st.none() | st.just(Channel(id="C0INC0001", name="inc-0001-x"))),
        "triage": draw(st.none() | reports),
        "triage_overdue": draw(st.booleans()),
        "rounds": draw(rounds),
        "hypotheses": draw(hypotheses),
        "suspects": draw(some(suspects, 5)),
        "investigation": draw(
            st.none() | st.builds(Investigation, walk=some(texts), notes=some(texts))
        ),
        "bisect": draw(
            st.none()
            | st.builds(
                Bisect,
                id=st.just("b"),
                good=texts,
                bad=texts,
                state=st.sampled_from(["running", "found", "cannot tell", "failed", "cancelled"]),
                culprit=st.none() | suspects,
                reason=texts,
            )
        ),
        "cause": draw(
            st.none() | st.builds(lambda t: Cause(text=t[:2000], at=NOW, by="U0ALICE"), texts)
        ),
        "ticket": draw(st.none() | st.builds(Ticket, id=texts, identifier=texts, url=texts)),
        "adr": draw(st.none() | st.builds(Adr, number=st.integers(1, 9999), path=texts, url=maybe)),
        "recovered_at": draw(st.none() | times),
        "picture": draw(st.none() | pictures),
        "cancel_reason": draw(maybe),
        "latest_update": draw(maybe),
        "recollection": draw(
            st.none() | st.builds(Recollection, pattern=texts, lines=some(texts, 5))
        ),
        "failures": draw(
            some(
                st.builds(
                    Failure,
                    effect_id=st.just("e1"),
                    kind=texts,
                    reason=texts,
                    at=times,
                    effect=st.just("{}"),
                ),
                8,
            )
        ),
        "else_reason": draw(maybe),
    }
    return incident(**fields)


TOKEN = re.compile(
    r"<(?:@[UW][A-Z0-9]+|#[CGD][A-Z0-9]+|!subteam\^S[A-Z0-9]+|!date\^\d+\^[^<>|]+\|[^<>|]+ UTC|https?://[^<>|\s]+(?:\|[^<>|\n]+)?)>"
)

ENTITY = re.compile(r"&(?:amp|lt|gt);")


def check_mrkdwn(text: str) -> None:
    rest = TOKEN.sub("", text)
    assert "<" not in rest, text
    assert ">" not in rest, text
    assert "&" not in ENTITY.sub("", rest), text
    assert not re.search(r"@(channel|here|everyone)\b", rest), text


def objects(thing: Any) -> Any:
    """Every dict in there."""
    if isinstance(thing, dict):
        yield thing
        for value in thing.values():
            yield from objects(value)
    elif isinstance(thing, list | tuple):
        for value in thing:
            yield from objects(value)


def check_blocks(blocks: Any) -> None:
    """https://docs.slack.dev/reference/block-kit/blocks"""
    for thing in objects(blocks):
        match thing.get("type"):
            case "mrkdwn":
                assert 1 <= size(thing["text"]) <= 3000
                assert thing["verbatim"] is True
                check_mrkdwn(thing["text"])
            case "plain_text":
                assert 1 <= len(thing["text"]) <= 3000
                assert not re.search(r"@(channel|here|everyone)\b", thing["text"])
                assert "<!" not in TOKEN.sub("", thing["text"]) or not re.search(
                    r"<![a-z]+[>|]", thing["text"]
                )
            case "header":
                assert size(thing["text"]["text"]) <= 150
            case "section":
                assert len(thing.get("fields", [])) <= 10
                assert all(size(f["text"]) <= 2000 for f in thing.get("fields", []))
            case "context":
                assert 1 <= len(thing["elements"]) <= 10
            case "actions":
                assert 1 <= len(thing["elements"]) <= 25
                ids = [e["action_id"] for e in thing["elements"]]
                assert len(ids) == len(set(ids))
                assert sum(e.get("style") == "primary" for e in thing["elements"]) <= 1
            case "button":
                assert size(thing["text"]["text"]) <= 75
                assert size(thing.get("value", "")) <= 2000
                assert size(thing.get("url", "")) <= 3000
                assert isinstance(json.loads(thing.get("value", "{}")), dict)
                if "confirm" in thing:
                    assert size(thing["confirm"]["title"]["text"]) <= 100
                    assert size(thing["confirm"]["text"]["text"]) <= 300
            case "plain_text_input":
                assert size(thing.get("initial_value", "")) <= thing["max_length"] <= 3000
            case "static_select" | "radio_buttons":
                assert 1 <= len(thing["options"]) <= 100
                values = [o["value"] for o in thing["options"]]
                assert all(1 <= len(v) <= 150 for v in values)
            case _:
                pass
