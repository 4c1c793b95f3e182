"""Every fault of the settings at once, each with its remedy. No message holds a secret."""

from __future__ import annotations

import io
import json
import logging
import os

import pytest

from bot.config import settings
from bot.config.settings import Faults, Settings
from bot.runtime import logs

NEEDED = {
    "SLACK_BOT_TOKEN": "xoxb-1-abc",
    "SLACK_APP_TOKEN": "xapp-1-abc",
    "REDIS_URL": "redis://:s3cret@localhost/0",
}


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower() in Settings.model_fields:
            monkeypatch.delenv(name)


def put(monkeypatch: pytest.MonkeyPatch, **values: str) -> None:
    for name, value in values.items():
        monkeypatch.setenv(name, value)


def faults(**given: object) -> tuple[str, ...]:
    with pytest.raises(Faults) as caught:
        settings.load(**given)
    return caught.value.faults


def test_with_the_needed_ones_everything_has_the_documented_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    put(monkeypatch, **NEEDED, LINEAR_API_KEY="")
    read = settings.load()
    assert read.slack_api_url == "https://slack.com/api/"
    assert read.sentry_url == "https://sentry.io"
    assert read.linear_api_url == "https://api.linear.app/graphql"
    assert read.github_api_url == "https://api.github.com"
    assert (read.recheck_after_seconds, read.recheck_until_seconds, read.window_seconds) == (
        300,
        600,
        900,
    )
    assert (read.port, read.host, read.log_level, read.slack_rich_blocks) == (
        3000,
        "0.0.0.0",
        "INFO",
        "auto",
    )
    assert str(read.services_file) == "services.toml"
    assert read.redis_wait_replicas == 0
    assert read.linear_api_key is None  # empty is not set
    assert read.socket_mode


def test_all_faults_come_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    put(
        monkeypatch,
        SLACK_BOT_TOKN="xoxb-9",
        SLACK_APP_TOKEN="xoxb-wrong",
        SLACK_API_URL="slack.com/api",
        SENTRY_AUTH_TOKEN="sntrys_x",
        LINEAR_API_URL="https://",
        DISCORD_WEBHOOK_URL="https://discord.com/channels/1",
        REDIS_URL="http://localhost",
        RECHECK_AFTER_SECONDS="600",
        WINDOW_SECONDS="soon",
        PORT="70000",
        LOG_LEVEL="LOUD",
        SLACK_RICH_BLOCKS="on",
        REDIS_WAIT_REPLICAS="-1",
    )
    messages = faults()
    text = "\n".join(messages)
    for name in (
        "SLACK_BOT_TOKEN is not set",
        "SLACK_BOT_TOKN is set: a slip",
        "SLACK_APP_TOKEN is no app-level token",
        "SLACK_API_URL is no URL",
        "SENTRY_ORG is not: set it",
        "LINEAR_API_URL is no URL",
        "DISCORD_WEBHOOK_URL is no webhook",
        "REDIS_URL must begin with",
        "RECHECK_UNTIL_SECONDS (600) must be more than RECHECK_AFTER_SECONDS (600)",
        "WINDOW_SECONDS must be a whole number",
        "PORT must be at most 65535",
        "LOG_LEVEL must be one of 'DEBUG'",
        "SLACK_RICH_BLOCKS must be one of",
        "REDIS_WAIT_REPLICAS must be at least 0",
    ):
        assert name in text, name
    assert len(messages) == 13
    assert all(messages)


def test_with_nothing_set_three_things_are_asked_for() -> None:
    messages = faults()
    assert len(messages) == 3
    assert messages[0].startswith("SLACK_BOT_TOKEN is not set")
    assert "SLACK_SIGNING_SECRET" in messages[1]
    assert "DATA_DIR" in messages[2]


def test_http_needs_only_the_signing_secret_and_a_folder_stands_for_redis() -> None:
    read = settings.load(
        slack_bot_token="xoxb-1", slack_signing_secret="abc", data_dir="/srv/firebreak"
    )
    assert not read.socket_mode
    assert read.redis_url is None


def test_no_secret_is_said_or_shown() -> None:
    text = "\n".join(
        faults(slack_bot_token="xoxp-hush-hush", redis_url="http://:hush@localhost", data_dir="/x")
    )
    assert "hush" not in text
    read = settings.load(
        slack_bot_token="xoxb-hush",
        slack_app_token="xapp-hush",
        redis_url="redis://:hush@localhost",
    )
    assert "hush" not in repr(read)


def test_lists_and_addresses_are_made_even() -> None:
    read = settings.load(
        slack_bot_token="xoxb-1",
        slack_app_token="xapp-1",
        data_dir="/x",
        watched_channels="#general, C0123 support",
        slack_api_url="http://127.0.0.1:1/api",
        pagerduty_events_url="https://events.eu.pagerduty.com",
    )
    assert read.watched == ("general", "C0123", "support")
    assert read.slack_api_url == "http://127.0.0.1:1/api/"
    assert read.pagerduty_events_url == "https://events.eu.pagerduty.com/v2/enqueue"


def test_what_is_off_says_what_that_costs() -> None:
    needed = {"slack_bot_token": "xoxb-1", "slack_app_token": "xapp-1", "data_dir": "/x"}
    off = settings.load(**needed).describe_off()
    assert [disabled.system for disabled in off] == [
        "Sentry",
        "Sentry's webhook",
        "Linear",
        "GitHub",
        "Discord",
        "PagerDuty",
        "The deploy webhook",
        "The change webhook",
        "The alert webhook",
        "The API",
        "The announcement",
    ]
    assert str(off[2]) == (
        "Linear is off (LINEAR_API_KEY not set): incidents have no ticket; the summary says "
        "Linear: none"
    )
    on = settings.load(
        **needed,
        sentry_org="acme",
        sentry_auth_token="x",
        linear_api_key="k",
        incidents_channel="incidents",
    )
    assert {"Sentry", "Linear", "The announcement"}.isdisjoint(
        disabled.system for disabled in on.describe_off()
    )
    assert on.sentry_on
    assert on.linear_on


# --- logs -----------------------------------------------------------------------------------------


@pytest.fixture
def logged() -> object:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in logs.QUIET}
    stream = io.StringIO()
    logs.set_up("INFO", stream)
    yield stream
    root.handlers[:] = before
    root.setLevel(level)
    for name, old in levels.items():
        logging.getLogger(name).setLevel(old)


def test_a_line_is_json_and_holds_no_token(logged: io.StringIO) -> None:
    log = logging.getLogger("bot.test")
    try:
        raise ValueError("refused xoxb-12345678-abcdefgh")
    except ValueError:
        log.exception(
            "posting to %s with %s",
            "https://discord.com/api/webhooks/1/abcdef",
            "Bearer abcdefghijkl",
            extra={"incident": "INC-0001", "key": "lin_api_abcdefghijklmnop1234"},
        )
    log.warning(
        "sntrys_abcdefghijklmnopqrstuv and ghp_abcdefghijklmnopqrst and xapp-1-A0-123-abcdef "
        "for ann@example.com"
    )
    lines = [json.loads(line) for line in logged.getvalue().splitlines()]
    assert lines[0]["level"] == "ERROR"
    assert lines[0]["logger"] == "bot.test"
    assert lines[0]["incident"] == "INC-0001"
    assert "ValueError: refused [redacted]" in lines[0]["error"]
    for secret in ("xoxb-", "abcdef", "lin_api_", "sntrys_", "ghp_", "xapp-", "example.com"):
        assert secret not in logged.getvalue(), secret


@pytest.mark.parametrize(
    "name", ["slack_bolt.AsyncApp", "httpx", "apscheduler.executors.default", "slack_sdk.web"]
)
def test_libraries_that_log_bodies_urls_or_every_run_are_quiet(
    logged: io.StringIO, name: str
) -> None:
    logging.getLogger(name).info("POST https://example.com/secret {body}")
    assert logged.getvalue() == ""
