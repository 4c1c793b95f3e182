"""Every kind of effect can be performed, and says what failed when it could not."""

from __future__ import annotations

from typing import Any

import pytest

from bot.outbox.turns import LIMITS
from bot.performers.context import registered
from phases.messages.base import Effect
from phases.messages.effects import KINDS, policy

NOBODY: Any = None


def test_each_kind_of_effect_has_a_performer():
    assert set(registered(NOBODY)) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS.values())
def test_each_kind_of_effect_has_words_of_its_own(kind: type[Effect]):
    assert "words" in vars(kind)
    assert kind.words[0].isupper()
    assert not kind.words.endswith(".")


def test_an_effect_of_another_version_has_a_policy_too():
    assert policy("of.tomorrow") is Effect
    assert policy("of.tomorrow").words == "Something could not be done"


def test_limits_are_of_systems_that_effects_wait_for():
    assert set(LIMITS) - {"redis"} <= {kind.system for kind in KINDS.values()}
