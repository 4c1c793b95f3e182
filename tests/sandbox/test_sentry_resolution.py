"""The local Sentry's order of releases and its rule for regressions.

Source: models/groupresolution.py of getsentry/sentry.
"""

from __future__ import annotations

import json

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.sentry import Alerts, Sentry
from sandbox.sentry.models import Resolution
from sandbox.sentry.resolution import follows_semver, in_next, semver
from tests.support.worlds.local_http import serving

T = 1_800_000_000.0
SEMVER = ("shop@1.2.0", "shop@1.3.0", "shop@1.4.0")
DATED = ("c-9f", "a-1b", "b-77")


def burned(names: tuple[str, ...], *, last: int = 1) -> Sentry:
    """Three releases, a minute apart, and an issue.

    Its newest event is of the release number `last`.
    """
    sentry = Sentry(clock=lambda: T)
    for number, name in enumerate(names):
        sentry.add_release(name, created=T - 600 + 60 * number)
    sentry.load("Oops: a", at=T - 60, release=names[last])
    return sentry


def is_regression(
    sentry: Sentry, release: str, resolution: Resolution | None, *, at: float = T
) -> bool:
    [issue] = sentry.issues.values()
    sentry.set_status(issue.id, "resolved", resolution=resolution)
    sentry.load("Oops: a", at=at, release=release)
    return issue.status == "unresolved"


@pytest.mark.parametrize("names", [SEMVER, DATED])
def test_resolved_in_a_release_that_one_and_newer_ones_are_a_regression(
    names: tuple[str, ...],
) -> None:
    regressions = [is_regression(burned(names), name, Resolution(names[1])) for name in names]
    assert regressions == [False, True, True]
    assert not is_regression(burned(names), "", Resolution(names[1])), (
        "an event without a release is taken for older"
    )
    assert all(is_regression(burned(names), name, None) for name in (*names, "")), (
        "plainly: whatever comes"
    )


def test_resolved_in_the_next_release_is_after_the_greatest_number_whatever_burned() -> None:
    sentry = burned(SEMVER)
    [issue] = sentry.issues.values()
    made = in_next(issue, sentry.releases_of("shop"))
    assert made == Resolution("shop@1.4.0", current="shop@1.4.0")
    assert [is_regression(burned(SEMVER), name, made) for name in SEMVER] == [False, False, False]
    sentry.add_release("shop@1.10.0", created=T)
    assert is_regression(sentry, "shop@1.10.0", made), "by number, not by letter"


@pytest.mark.parametrize(
    ("last", "made", "regressions"),
    [
        (2, Resolution("b-77", next=True, current="b-77"), [False, False, False]),
        (
            1,
            Resolution("b-77", current="a-1b"),
            [False, False, True],
        ),  # the next one is known already
        (
            0,
            Resolution("a-1b", current="c-9f"),
            [False, True, True],
        ),  # the newest event came from the oldest release
    ],
)
def test_by_date_the_next_release_is_after_that_of_the_newest_event(
    last: int, made: Resolution, regressions: list[bool]
) -> None:
    sentry = burned(DATED, last=last)
    [issue] = sentry.issues.values()
    assert in_next(issue, sentry.releases_of("shop")) == made
    assert [is_regression(burned(DATED, last=last), name, made) for name in DATED] == regressions
    if made.next:
        sentry.set_status(issue.id, "resolved", resolution=made)
        sentry.add_release("d-00", created=T)
        assert issue.resolution == Resolution("d-00", current="b-77"), "it has come"
        sentry.load("Oops: a", at=T, release="d-00")
        assert issue.status == "unresolved"


def test_a_late_event_of_before_is_a_regression_too() -> None:
    assert is_regression(burned(SEMVER), "shop@1.4.0", Resolution("shop@1.4.0"), at=T - 3600)


def test_without_a_release_in_the_project_there_is_no_next_one() -> None:
    sentry = Sentry(clock=lambda: T)
    sentry.load("Oops: a", at=T - 60, release=None)
    [issue] = sentry.issues.values()
    assert in_next(issue, sentry.releases_of("shop")) is None


@pytest.mark.parametrize(
    ("names", "follows"),
    [
        (["shop@1.0.0"], True),
        (["1.0.0"], False),  # without a package
        (["sha-1", "shop@1.0.0", "sha-2"], True),  # one of the newest three
        (["shop@1.0.0", "sha-1", "sha-2", "sha-3"], False),
        (
            [*(f"sha-{n}" for n in range(8)), "shop@1.0.0", "shop@1.1.0"],
            False,
        ),  # of ten three have to be
        ([*(f"sha-{n}" for n in range(7)), "shop@1.0.0", "shop@1.1.0", "shop@1.2.0"], True),
    ],
)
def test_whether_a_project_counts_by_number(names: list[str], follows: bool) -> None:
    sentry = Sentry(clock=lambda: T)
    for number, name in enumerate(names):
        sentry.add_release(name, created=T + number)
    assert follows_semver(sentry.releases_of("shop")) is follows
    assert not follows_semver(sentry.releases_of("shop"), "sha-9")


def test_the_order_of_numbers() -> None:
    order = [
        "shop@1.2",
        "shop@1.2.1-rc.1",
        "shop@1.2.1-rc.2",
        "shop@1.2.1",
        "shop@1.2.1.1",
        "shop@1.10.0+812",
    ]
    numbers = [semver(name) for name in order]
    assert None not in numbers
    assert numbers == sorted(numbers, key=lambda version: version or (0, 0, 0, 0, (0, ())))


async def test_the_webhook_says_who_did_it_and_the_substatus() -> None:
    sentry = burned(SEMVER)
    [issue] = sentry.issues.values()
    requests: list[bytes] = []

    async def hook(request: Request) -> Response:
        requests.append(await request.body())
        return Response()

    async with serving(Starlette(routes=[Route("/", hook, methods=["POST"])])) as url:
        alerts = Alerts(sentry, url=f"{url}/", rule=None, issue_webhooks=False)
        await alerts.start()
        jane = {"type": "user", "id": 7, "name": "Jane"}
        for substatus, by in ((None, jane), ("escalating", None), ("regressed", None)):
            sentry.set_status(issue.id, "resolved")
            sentry.set_status(issue.id, "unresolved", substatus=substatus, by=by)
            await alerts.issue(issue, action="unresolved")
        await alerts.stop()
    bodies = [json.loads(body) for body in requests]
    assert [(body["actor"]["type"], body["data"]["issue"]["substatus"]) for body in bodies] == [
        ("user", "ongoing"),
        ("application", "escalating"),
        ("application", "regressed"),
    ]
    assert bodies[1]["actor"] == {"type": "application", "id": "sentry", "name": "Sentry"}
