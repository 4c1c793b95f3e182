"""Settings as files, `.env` lines and the clipboard leave them.

They are read as meant, or named at the start with the right form.
"""

from __future__ import annotations

import os
import ssl
from pathlib import Path

import certifi
import pytest

from bot.config import environment, settings
from bot.config.settings import Faults, Settings, where_it_is_kept

NEEDED = {
    "SLACK_BOT_TOKEN": "xoxb-1-abc",
    "SLACK_APP_TOKEN": "xapp-1-abc",
    "REDIS_URL": "redis://:s3cret@localhost/0",
}
EVERYTHING = {
    **NEEDED,
    "SLACK_SIGNING_SECRET": "0123456789abcdef",
    "SLACK_API_URL": "https://slack.com/api/",
    "SLACK_RICH_BLOCKS": "off",
    "INCIDENTS_CHANNEL": "incidents",
    "WATCHED_CHANNELS": "general,support",
    "SERVICES_FILE": "services.toml",
    "SENTRY_URL": "https://sentry.example.com",
    "SENTRY_ORG": "acme",
    "SENTRY_AUTH_TOKEN": "sntryu_abc",
    "SENTRY_WEBHOOK_SECRET": "abcdef0123456789",
    "SENTRY_RESOLVE": "off",
    "LINEAR_API_URL": "https://api.linear.app/graphql",
    "LINEAR_API_KEY": "lin_api_abc",
    "LINEAR_WEBHOOK_SECRET": "lin_wh_abc",
    "GITHUB_API_URL": "https://api.github.com",
    "GITHUB_TOKEN": "github_pat_abc",
    "GITHUB_WEBHOOK_SECRET": "made up",
    "DISCORD_WEBHOOK_URL": "https://discord.com/api/webhooks/1/abc",
    "DISCORD_BOT_TOKEN": "a.b.c",
    "PAGERDUTY_EVENTS_URL": "https://events.eu.pagerduty.com/v2/enqueue",
    "PAGERDUTY_ROUTING_KEY": "0123456789abcdef0123456789abcdef",
    "DEPLOY_WEBHOOK_SECRET": "made up, too",
    "RECHECK_AFTER_SECONDS": "200",
    "RECHECK_UNTIL_SECONDS": "400",
    "WINDOW_SECONDS": "600",
    "REDIS_WAIT_REPLICAS": "1",
    "PORT": "8080",
    "HOST": "127.0.0.1",
    "LOG_LEVEL": "WARNING",
}
SECRET = ("TOKEN", "SECRET", "KEY", "WEBHOOK_URL")


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower() in Settings.model_fields or name in (
            *environment.PROXIES,
            "SSL_CERT_FILE",
            "SSL_CERT_DIR",
        ):
            monkeypatch.delenv(name)


def load(monkeypatch: pytest.MonkeyPatch, **values: str) -> Settings:
    for name, value in {**NEEDED, **values}.items():
        monkeypatch.setenv(name, value)
    return settings.load()


def faults(monkeypatch: pytest.MonkeyPatch, **values: str) -> str:
    with pytest.raises(Faults) as caught:
        load(monkeypatch, **values)
    return str(caught.value)


def shown(read: Settings) -> dict[str, object]:
    return {
        name: value.get_secret_value() if hasattr(value, "get_secret_value") else value
        for name, value in dict(read).items()
    }


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "\n"),
        ("", "\r\n"),
        (" ", " \t"),
        ("\ufeff", "\n"),
        ("\u00a0", "\u00a0\u2003"),
        ("\u200b", "\u2060\u200e"),
        ("", "\n\n"),
    ],
)
def test_what_stands_around_a_value_is_taken_off_every_setting(
    monkeypatch: pytest.MonkeyPatch, before: str, after: str
) -> None:
    plain = shown(load(monkeypatch, **EVERYTHING))
    around_all = {name: f"{before}{value}{after}" for name, value in EVERYTHING.items()}
    assert shown(load(monkeypatch, **around_all)) == plain


@pytest.mark.parametrize("quote", ['""', "''", "“”"])
def test_quotes_are_taken_off_where_no_value_has_them(
    monkeypatch: pytest.MonkeyPatch, quote: str
) -> None:
    chosen = ("GITHUB_WEBHOOK_SECRET", "DEPLOY_WEBHOOK_SECRET")
    plain = shown(load(monkeypatch, **EVERYTHING))
    quoted = {
        name: value if name in chosen else f"{quote[0]}{value}{quote[1]}\n"
        for name, value in EVERYTHING.items()
    }
    assert shown(load(monkeypatch, **quoted)) == plain
    for name in chosen:
        assert f"{name} stands in quotes" in faults(
            monkeypatch, **{name: f"{quote[0]}made up{quote[1]}"}
        )


def test_nothing_but_a_line_end_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    read = load(
        monkeypatch, LINEAR_API_KEY="\n", SENTRY_URL=' "" ', PORT="\r\n", INCIDENTS_CHANNEL="\ufeff"
    )
    assert (read.linear_api_key, read.sentry_url, read.port) == (None, "https://sentry.io", 3000)
    assert read.incidents_channel is None
    assert "SLACK_BOT_TOKEN is not set" in faults(monkeypatch, SLACK_BOT_TOKEN=" \n")


def test_what_the_clients_read_by_themselves_is_stripped_for_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    authorities = ssl.get_default_verify_paths().cafile or certifi.where()
    load(
        monkeypatch,
        HTTPS_PROXY="http://proxy.example.com:3128\r\n",
        SSL_CERT_FILE=f'"{authorities}"\n',
    )
    assert os.environ["HTTPS_PROXY"] == "http://proxy.example.com:3128"
    assert os.environ["SSL_CERT_FILE"] == authorities


def test_commands_beside_the_bot_read_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", '"redis://localhost/0"\r\n')
    assert where_it_is_kept() == ("redis://localhost/0", None)
    monkeypatch.delenv("REDIS_URL")
    monkeypatch.setenv("DATA_DIR", "~/firebreak\n")
    assert where_it_is_kept() == (None, Path.home() / "firebreak")


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("SLACK_BOT_TOKEN", "xoxp-hush", "a Slack user token (xoxp-): it must begin with xoxb-"),
        (
            "SLACK_BOT_TOKEN",
            "xapp-hush",
            "a Slack app-level token (xapp-), and belongs into SLACK_APP_TOKEN",
        ),
        ("SLACK_BOT_TOKEN", "hush", "is no bot token: it must begin with xoxb-"),
        ("SLACK_BOT_TOKEN", "xoxb-…", "ends in …"),
        ("SLACK_BOT_TOKEN", "xoxb-hush\nhush", "a line break inside"),
        ("SLACK_BOT_TOKEN", "xoxb-hush # the real one", "docker's --env-file takes a # comment"),
        ("SLACK_BOT_TOKEN", "SLACK_BOT_TOKEN=xoxb-hush", "holds a whole line"),
        ("SLACK_BOT_TOKEN", "export SLACK_BOT_TOKEN=xoxb-hush", "holds a whole line"),
        ("SLACK_BOT_TOKEN", "xoxb-hu\u200bsh", "U+200B as its character 8"),
        ("SLACK_BOT_TOKEN", '"xoxb-hush', "is no bot token"),
        (
            "SLACK_APP_TOKEN",
            "xoxb-hush",
            "is no app-level token but a Slack bot token (xoxb-), and belongs into SLACK_BOT",
        ),
        ("SLACK_SIGNING_SECRET", "xapp-hush", "is a Slack app-level token"),
        ("SENTRY_AUTH_TOKEN", "https://abc123@o1.ingest.sentry.io/42", "is a DSN of Sentry"),
        ("SENTRY_AUTH_TOKEN", "Bearer sntryu_hush", "holds the word Bearer before the token"),
        (
            "SENTRY_AUTH_TOKEN",
            "Authorization: Bearer hush",
            "holds the word Authorization: before the token",
        ),
        (
            "SENTRY_AUTH_TOKEN",
            "ghp_hush",
            "is a personal access token of GitHub (ghp_), and belongs into GITHUB_TOKEN",
        ),
        ("SENTRY_AUTH_TOKEN", "hüsh", "U+00FC as its character 2"),
        (
            "LINEAR_API_KEY",
            "lin_wh_hush",
            "a webhook's signing secret of Linear (lin_wh_), and belongs into LINEAR_WEBHOOK",
        ),
        ("LINEAR_API_KEY", "Bearer lin_api_hush", "holds the word Bearer"),
        ("LINEAR_WEBHOOK_SECRET", "lin_api_hush", "is a personal API key of Linear"),
        ("GITHUB_TOKEN", "token ghp_hush", "holds the word token"),
        ("GITHUB_TOKEN", "ghr_hush", "is a refresh token"),
        ("GITHUB_TOKEN", "https://github.com/hush", "is a URL and no token"),
        ("DISCORD_BOT_TOKEN", "Bot hush", "holds the word Bot"),
        ("SENTRY_AUTH_TOKEN", "${HUSH}", "holds a place that nobody filled in"),
        ("LINEAR_API_KEY", "$(hush)", "holds a place that nobody filled in"),
        ("GITHUB_TOKEN", "<hush>", "holds a place that nobody filled in"),
        ("DEPLOY_WEBHOOK_SECRET", "one\ntwo", "a line break or another control character inside"),
        ("DEPLOY_WEBHOOK_SECRET", "$(HUSH)", "holds a place that nobody filled in"),
        ("DEPLOY_WEBHOOK_SECRET", "p\udce4ssword", "holds bytes that are no UTF-8"),
        ("GITHUB_WEBHOOK_SECRET", "ghp_hush", "is a personal access token of GitHub (ghp_)"),
        ("GITHUB_TOKEN", "glpat-hush", "is a token of GitLab"),
        ("GITHUB_TOKEN", "eyJhbGci.eyJpc3Mi.c2ln", "is a GitHub App's own JWT"),
        ("GITHUB_TOKEN", "-----BEGIN RSA PRIVATE KEY-----\nhush", "is a key or a certificate"),
        ("LINEAR_API_KEY", "null", "is only the word null"),
        ("DISCORD_BOT_TOKEN", "undefined", "is only the word undefined"),
        ("SLACK_SIGNING_SECRET", "1234567890.9876543210", "is the Client ID"),
        ("SLACK_SIGNING_SECRET", "A012ABCD0A0", "is the App ID"),
        ("SLACK_SIGNING_SECRET", "gIkuvaNzQIHg97ATvDxqgjtO", "is the Verification Token"),
        (
            "PAGERDUTY_ROUTING_KEY",
            "https://events.pagerduty.com/integration/hush/enqueue",
            "is a URL and no token",
        ),
    ],
)
def test_a_token_of_another_kind_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: str
) -> None:
    text = faults(monkeypatch, **{**EVERYTHING, name: value})
    assert len(text.splitlines()) == 1, text
    assert f"{name} " in text
    assert words in text
    assert "hush" not in text.replace("github.com/hush", "")


@pytest.mark.parametrize("key", ["lin_api_abc", "lin_oauth_abc", "0123456789abcdef"])
def test_both_kinds_of_linear_keys_are_right(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    read = load(monkeypatch, LINEAR_API_KEY=key)
    assert read.linear_api_key is not None
    assert read.linear_api_key.get_secret_value() == key


@pytest.mark.parametrize(
    ("name", "given", "meant"),
    [
        ("SENTRY_URL", "https://sentry.io/", "https://sentry.io"),
        ("SENTRY_URL", "https://sentry.io/api/0", "https://sentry.io"),
        ("SENTRY_URL", "https://de.sentry.io/api/0/", "https://de.sentry.io"),
        ("SENTRY_URL", "https://acme.sentry.io", "https://sentry.io"),
        ("SENTRY_URL", "https://acme.sentry.io/issues/", "https://sentry.io"),
        ("SENTRY_URL", "https://sentry.io/organizations/acme", "https://sentry.io"),
        (
            "SENTRY_URL",
            "HTTPS://Sentry.Example.com/organizations/acme/issues/",
            "https://sentry.example.com",
        ),
        (
            "SENTRY_URL",
            "https://tools.example.com/sentry/api/0/",
            "https://tools.example.com/sentry",
        ),
        ("SENTRY_URL", "http://sentry:9000", "http://sentry:9000"),
        ("SENTRY_URL", "http://[::1]:9000/", "http://[::1]:9000"),
        ("GITHUB_API_URL", "https://github.com", "https://api.github.com"),
        ("GITHUB_API_URL", "https://github.com/acme/shop", "https://api.github.com"),
        ("GITHUB_API_URL", "https://api.github.com/graphql", "https://api.github.com"),
        ("GITHUB_API_URL", "https://github.example.com", "https://github.example.com/api/v3"),
        ("GITHUB_API_URL", "https://git.example.com/api/v3/", "https://git.example.com/api/v3"),
        ("GITHUB_API_URL", "https://git.example.com/api/graphql", "https://git.example.com/api/v3"),
        ("GITHUB_API_URL", "https://acme.ghe.com", "https://api.acme.ghe.com"),
        ("LINEAR_API_URL", "https://linear.app/acme", "https://api.linear.app/graphql"),
        ("LINEAR_API_URL", "https://api.linear.app", "https://api.linear.app/graphql"),
        ("SLACK_API_URL", "https://slack.com", "https://slack.com/api/"),
        ("SLACK_API_URL", "https://slack.com/api", "https://slack.com/api/"),
        (
            "PAGERDUTY_EVENTS_URL",
            "https://events.pagerduty.com/v2",
            "https://events.pagerduty.com/v2/enqueue",
        ),
        (
            "DISCORD_WEBHOOK_URL",
            "https://discord.com/api/webhooks/1/abc/slack",
            "https://discord.com/api/webhooks/1/abc",
        ),
        ("INCIDENTS_CHANNEL", "#incidents", "incidents"),
        ("INCIDENTS_CHANNEL", "Incidents", "incidents"),
        ("INCIDENTS_CHANNEL", "https://acme.slack.com/archives/C0123ABC", "C0123ABC"),
        ("INCIDENTS_CHANNEL", "<#C0123ABC|incidents>", "C0123ABC"),
        ("LOG_LEVEL", "info", "INFO"),
        ("SENTRY_RESOLVE", "Off", "off"),
        ("HOST", "[::]", "::"),
    ],
)
def test_what_was_surely_meant_is_read(
    monkeypatch: pytest.MonkeyPatch, name: str, given: str, meant: str
) -> None:
    read = load(monkeypatch, **{**EVERYTHING, name: given})
    assert shown(read)[name.lower()] == meant


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("SENTRY_URL", "sentry.io", "must begin with https://"),
        ("SENTRY_URL", "//sentry.io", "must begin with https://"),
        ("SENTRY_URL", "https://sentry .io", "a blank or a line break inside"),
        ("SENTRY_URL", "https://sentry.io\n/hush", "a blank or a line break inside"),
        ("SENTRY_URL", "https://${SENTRY_HOST}", "holds a place that nobody filled in"),
        ("DATA_DIR", "$HOME/firebreak", "holds a place that nobody filled in"),
        ("DATA_DIR", "%h/firebreak", "holds a place that nobody filled in"),
        ("DATA_DIR", "~nobody-has-this-name/firebreak", "this machine knows no such home"),
        ("SERVICES_FILE", "~nobody-has-this-name/services.toml", "this machine knows no such home"),
        ("REDIS_URL", "redis://:$(HUSH)@localhost/0", "holds a place that nobody filled in"),
        ("REDIS_URL", "redis://:hush\udce4@localhost/0", "holds bytes that are no UTF-8"),
        ("INCIDENTS_CHANNEL", "st\udcf6rungen", "INCIDENTS_CHANNEL names no channel"),
        ("SENTRY_ORG", "\udce4", "SENTRY_ORG is no slug"),
        ("SENTRY_URL", "https:/sentry.io", "must begin with https://"),
        ("SENTRY_URL", "https://me:hush@sentry.example.com", "holds a user name or a password"),
        ("SENTRY_URL", "https://abc123@o1.ingest.us.sentry.io/42", "is a DSN of Sentry"),
        ("SENTRY_URL", "https://o1.ingest.de.sentry.io", "is where events are sent to"),
        ("SENTRY_URL", "http://sentry.io", "begins with http://"),
        (
            "SENTRY_URL",
            "https://sentry.io/organizations/umbrella",
            "names another organisation than SENTRY_ORG",
        ),
        ("SENTRY_URL", "https://sentry.example.com:port", "name a host"),
        ("SENTRY_URL", "https://sentry.example.com:99999", "name a host"),
        ("SENTRY_URL", "https://-.example.com", "name a host"),
        ("SENTRY_URL", "https://sentry.example.com?token=hush", "goes on with ? or #"),
        ("SENTRY_ORG", "https://sentry.io/organizations/acme", "SENTRY_ORG is no slug"),
        ("SENTRY_ORG", "Acme Corp", "SENTRY_ORG is no slug"),
        ("GITHUB_API_URL", "git@github.com:acme/shop.git", "must begin with https://"),
        ("GITHUB_API_URL", "http://api.github.com", "begins with http://"),
        ("PAGERDUTY_EVENTS_URL", "https://api.pagerduty.com", "is not where events are sent to"),
        ("PAGERDUTY_EVENTS_URL", "https://acme.pagerduty.com", "is not where events are sent to"),
        ("DISCORD_WEBHOOK_URL", "https://discord.com/api/webhooks/1", "is no webhook"),
        ("DISCORD_WEBHOOK_URL", "https://hooks.slack.com/services/T1/B1/hush", "is no webhook"),
        ("DISCORD_WEBHOOK_URL", "discord.com/api/webhooks/1/hush", "must begin with https://"),
        ("INCIDENTS_CHANNEL", "our incidents", "INCIDENTS_CHANNEL names no channel"),
        ("WATCHED_CHANNELS", "general, @ann", "WATCHED_CHANNELS names no channel"),
        ("HOST", "0.0.0.0:3000", "HOST must be an address or a name to listen on, without a port"),
        ("HOST", "http://localhost", "HOST must be"),
        ("PORT", "tcp://10.0.0.1:3000", "PORT must be a whole number"),
        ("WINDOW_SECONDS", "15m", "WINDOW_SECONDS must be a whole number"),
        ("DATA_DIR", __file__, "which is a file: name a folder"),
        (
            "HTTPS_PROXY",
            "proxy.example.com:3128",
            "HTTPS_PROXY cannot be used: write it as http://",
        ),
        ("ALL_PROXY", "socks5://me:hush@127.0.0.1:1080", "ALL_PROXY cannot be used"),
        ("HTTPS_PROXY", "http://me:a@hush#@proxy.example.com:3128", "HTTPS_PROXY cannot be used"),
        ("HTTPS_PROXY", "http://me:a@hush@proxy.example.com:3128", "HTTPS_PROXY cannot be used"),
        (
            "SSL_CERT_FILE",
            "-----BEGIN PRIVATE KEY-----\nhush",
            "holds a certificate or a key itself",
        ),
        (
            "SSL_CERT_FILE",
            "/nowhere.pem",
            "SSL_CERT_FILE names /nowhere.pem, and there is no such file",
        ),
        ("SSL_CERT_FILE", __file__, "holds no certificate in PEM form"),
        ("SSL_CERT_DIR", "/nowhere", "SSL_CERT_DIR names /nowhere, and there is no such folder"),
        ("SSL_CERT_DIR", str(Path(__file__).parent), "openssl rehash"),
    ],
)
def test_what_cannot_be_read_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: str
) -> None:
    text = faults(monkeypatch, **{**EVERYTHING, name: value})
    assert len(text.splitlines()) == 1, text
    assert f"{name} " in text
    assert words in text
    assert "hush" not in text


def test_a_token_that_travels_in_the_clear_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load(monkeypatch, SENTRY_URL="http://sentry.internal:9000").warnings() == ()
    assert load(monkeypatch, SENTRY_URL="http://192.168.1.7:9000").warnings() == ()
    [warning] = load(monkeypatch, SENTRY_URL="http://sentry.example.com").warnings()
    assert warning.startswith("SENTRY_URL begins with http://")


def test_a_token_that_may_read_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    [warning] = load(monkeypatch, SENTRY_ORG="acme", SENTRY_AUTH_TOKEN="sntrys_hush").warnings()
    assert "is an organisation token (sntrys_)" in warning
    assert "hush" not in warning
    assert load(monkeypatch, SENTRY_ORG="acme", SENTRY_AUTH_TOKEN="sntryi_hush").warnings() == ()


@pytest.mark.parametrize(
    "value", ["#general, C0123 support", "general;C0123\nsupport", '["general", "C0123","support"]']
)
def test_channels_may_be_written_in_any_list(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    assert load(monkeypatch, WATCHED_CHANNELS=value).watched == ("general", "C0123", "support")


def test_a_folder_in_the_place_of_the_catalogue_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from bot.config import catalogue

    (tmp_path / "services.toml").mkdir()
    with pytest.raises(
        Faults, match=r"is a folder .docker makes one where the file of a mount is not there"
    ):
        catalogue.load(load(monkeypatch, SERVICES_FILE=str(tmp_path / "services.toml")))


def test_the_container_starts_without_a_catalogue() -> None:
    """Nothing in it names or copies one: the working directory's is taken, where there is one."""
    root = Path(__file__).parents[4]
    steps = [
        line
        for line in (root / "Containerfile").read_text().splitlines()
        if not line.startswith("#")
    ]
    assert not [line for line in steps if "SERVICES_FILE" in line or "services.toml" in line]
    runs = [
        line
        for line in (root / "docs" / "operations.md").read_text().splitlines()
        if "podman run" in line
    ]
    assert runs
    assert not [line for line in runs if "services.toml" in line]
