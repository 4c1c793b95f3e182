"""The self-test of Redis that runs at the start."""

from __future__ import annotations

from typing import Any

import pytest

from bot.connection.client import AnswerLost
from bot.self_test import try_commits
from bot.store.incident_store import Store


async def test_an_answer_lost_on_the_way_is_asked_for_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
):
    write = Store.write
    lost: list[Any] = []

    async def lost_at_first(self: Store, request: Any, *records: str) -> Any:
        answer = await write(self, request, *records)
        if not lost:
            lost.append(answer)
            raise AnswerLost("Redis did not answer")
        return answer

    monkeypatch.setattr(Store, "write", lost_at_first)
    await try_commits(store)
    assert lost
