"""A monitor's issue alone: what it watches is what burns, and its events are no errors."""

from __future__ import annotations

import pytest

from phases.record.findings import Word
from tests.support.worlds.sentry_world import World, ago, world


def watch(w: World, title: str, tag: str) -> None:
    fields = {"tags": {tag: "7"}, "function": title, "release": None}
    w.local.load(title, at=ago(20000), times=1, **fields)
    w.local.load(title, at=ago(12), every=60, times=12, **fields)


@pytest.mark.parametrize(
    ("title", "tag", "features"),
    [
        ("Downtime detected for https://shop.example", "uptime_rule", Word.MANY),
        ("Cron failure: nightly-billing", "monitor.slug", Word.ONE),
    ],
)
async def test_a_known_monitor_that_fails_again_is_about_what_it_watches(
    title: str, tag: str, features: Word
) -> None:
    async with world() as w:
        watch(w, title, tag)
        report = await w.triage()
    assert report.events == 12
    assert [issue.title for issue in report.issues] == [title]
    assert (report.blast.users, report.blast.features) == (Word.MANY, features)
    assert not report.blast.knows("users")
    assert "12 events are not counted as errors: users not known." in report.blast.sentences
