"""Texts are cut at words, and sentences end once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.views import text as slack
from phases.text.cleaning import TOKEN, WORD, foreign
from phases.text.wording import ended, short


def test_half_a_word_or_half_a_number_is_never_shown() -> None:
    text = "Traffic is 12,400 % of what it was during the fire"
    for limit in range(WORD + 2, len(text)):
        for shown in (short(text, limit), slack.cut(text, limit)):
            assert set(shown.removesuffix("…").split()) <= set(text.split()), shown


def test_a_word_without_an_end_is_cut_anywhere() -> None:
    assert short("x" * 90, 40) == f"{'x' * 39}…"
    assert slack.cut(f"at {'y' * 90}", 40) == f"at {'y' * 36}…"


@given(st.text(max_size=200), st.integers(1, 120))
def test_what_is_cut_fits_and_is_a_beginning(raw: str, limit: int) -> None:
    shortened = short(raw, limit)
    assert len(shortened) <= max(limit, 1)
    assert shortened == raw or raw.startswith(shortened.removesuffix("…"))


@pytest.mark.parametrize(
    ("text", "shown"),
    [("it is gone", "it is gone."), ("it is gone.", "it is gone."), ("is it?", "is it?")],
)
def test_a_sentence_ends_once(text: str, shown: str) -> None:
    assert ended(text) == shown


PIECES = st.sampled_from(
    ["<", ">", "@U0ALICE", "!", "!here", "#C1", "|", "x", " ", "\x00", "\u200e"]
)


@given(st.lists(PIECES, max_size=12).map("".join))
def test_no_token_is_left_in_what_a_program_tells(raw: str) -> None:
    for text in (raw, f"<<@U0ALICE>> {raw}", f"<\u200e@U0ALICE> {raw}"):
        assert "<@" not in slack.spoken(foreign(text)), text
        assert not TOKEN.search(foreign(foreign(text)))
