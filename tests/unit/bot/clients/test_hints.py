"""Advice of `doctor` for each error.

Refused rights bring advice about rights, and nothing is made up.
"""

from __future__ import annotations

import httpx
import pytest

from bot.clients.advice import REINSTALL, SLACK_TOKEN, advice, at_start
from bot.clients.github.http import Rest
from bot.clients.http.errors import HttpError
from bot.clients.linear.client import LinearError
from bot.clients.slack.errors import SlackRefused
from phases.ports.ports import PortError

SCOPES = "SENTRY_AUTH_TOKEN: an internal integration with org:read"


def http(status: int | None, *, retryable: bool = False, mend: str = "") -> HttpError:
    error = HttpError("Sentry", "no", retryable=retryable, status=status)
    error.mend = mend
    return error


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_right_that_is_missing_brings_the_advice_about_rights(status: int) -> None:
    assert advice(http(status), SCOPES) == SCOPES


@pytest.mark.parametrize(
    "error",
    [
        http(None, retryable=True),  # not reached, or too slow
        http(200, retryable=True),  # a page in the place of JSON
        http(302),
        http(400),
        http(403, retryable=True),  # a limit
        http(429, retryable=True),
        http(503, retryable=True),
    ],
)
def test_other_troubles_bring_no_advice_about_rights(error: HttpError) -> None:
    assert advice(error, SCOPES) == ""


def test_what_is_known_to_help_on_the_way_is_said() -> None:
    assert advice(http(None, mend="SSL_CERT_FILE: a file"), SCOPES) == "SSL_CERT_FILE: a file"


SSO = "https://github.com/orgs/acme/sso?authorization_request=A1"


@pytest.mark.parametrize(
    ("headers", "said", "helps"),
    [
        ({"X-GitHub-SSO": f"required; url={SSO}"}, "Resource protected by organization SAML", SSO),
        ({}, "the `acme` organization has an IP allow list enabled", "IP allow list"),
        ({}, "Resource not accessible by personal access token", SCOPES),
    ],
)
async def test_what_an_organization_keeps_out_needs_no_permission(
    headers: dict[str, str], said: str, helps: str
) -> None:
    asked = httpx.Request("GET", "https://api.github.com/repos/acme/shop")
    answer = httpx.Response(403, headers=headers, json={"message": said}, request=asked)
    rest = Rest("https://api.github.com", "github_pat_abcdefgh", {})
    error = rest.refusal(answer, "Contents: read")
    await rest.aclose()
    assert isinstance(error, PortError)
    assert helps in advice(error, SCOPES)
    assert (advice(error, SCOPES) == SCOPES) is (helps == SCOPES)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("invalid_auth", SLACK_TOKEN),
        ("token_revoked", SLACK_TOKEN),
        ("missing_scope", REINSTALL),
        ("channel_not_found", ""),
        ("HTTP 403", ""),
        ("ratelimited", ""),
    ],
)
def test_slacks_own_word_decides(word: str, message: str) -> None:
    refused = SlackRefused("auth.test", word, retryable=word == "ratelimited")
    assert advice(refused, REINSTALL) == message
    assert advice(refused, SLACK_TOKEN) == message
    assert at_start(refused) == (message if message == SLACK_TOKEN else "")


def test_linears_code_decides() -> None:
    mend = "LINEAR_API_KEY: a personal key"
    assert advice(LinearError("no", code="AUTHENTICATION_ERROR", message=""), mend) == mend
    assert advice(LinearError("no", code="INPUT_ERROR", message=""), mend) == ""
    assert advice(LinearError("no", code="RATELIMITED", message=""), mend) == ""


def test_advice_about_a_thing_by_name_stays() -> None:
    assert (
        advice(PortError("git", "no clone", retryable=False), "checkout: a clone")
        == "checkout: a clone"
    )
