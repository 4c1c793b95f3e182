"""A failing endpoint beside errors that name nobody and no page: a release that does not start."""

from __future__ import annotations

import pytest

from phases.record.findings import BlastRadius, EndpointAnswer, Share, Word
from phases.triage.picture.no_fire import with_endpoint

DOWN, UP = EndpointAnswer(ok=False, said="503"), EndpointAnswer(ok=True, said="200 in 31 ms")
AT_BOOT = BlastRadius(users=Word.ONE, features=Word.ONE, inferred=True)


def test_errors_without_user_and_page_beside_a_dead_endpoint_hit_everybody() -> None:
    blast = with_endpoint(AT_BOOT, DOWN)
    assert (blast.users, blast.features) == (Word.MANY, Word.MANY)
    assert not blast.knows("users")
    assert not blast.knows("features")


@pytest.mark.parametrize(
    ("blast", "answer"),
    [
        (AT_BOOT, UP),
        (AT_BOOT.model_copy(update={"inferred": False}), DOWN),
        (AT_BOOT.model_copy(update={"top_features": (Share(name="/pay", events=9),)}), DOWN),
    ],
)
def test_where_somebody_or_something_is_named_the_count_stands(
    blast: BlastRadius, answer: EndpointAnswer
) -> None:
    combined = with_endpoint(blast, answer)
    assert (combined.users, combined.features) == (blast.users, blast.features)
