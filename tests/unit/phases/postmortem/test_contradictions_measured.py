"""Planted contradictions are named, sound post-mortems are left alone: measured on drawn ones."""

from __future__ import annotations

import pytest

from phases.postmortem.contradictions.named import contradictions
from tests.support.values.postmortems import KINDS, drawn

PLANTED, SOUND = 500, 500


def _missed(*, held_out: bool) -> list[str]:
    missed = []
    for seed in range(PLANTED):
        example = drawn(seed, KINDS[seed % len(KINDS)], held_out=held_out)
        if example.planted not in {named.rule for named in contradictions(example.case)}:
            missed.append(f"{example.planted}: {example.case.parts}")
    return missed


def _false_alarms(*, held_out: bool) -> list[str]:
    every = (contradictions(drawn(seed, "", held_out=held_out).case) for seed in range(SOUND))
    return [str([contradiction.says for contradiction in some]) for some in every if some]


@pytest.mark.parametrize("held_out", [False, True], ids=["tuned", "held out"])
def test_at_least_99_of_100_planted_contradictions_are_named(held_out: bool):
    missed = _missed(held_out=held_out)
    assert len(missed) <= PLANTED // 100, "\n".join(missed)


@pytest.mark.parametrize("held_out", [False, True], ids=["tuned", "held out"])
def test_at_most_1_of_100_sound_post_mortems_is_named(held_out: bool):
    alarms = _false_alarms(held_out=held_out)
    assert len(alarms) <= SOUND // 100, "\n".join(alarms)
