"""The bot's settings, from the environment (docs: README, Settings). Wrong ones are all named at once, each with how to mend it."""

from __future__ import annotations

import difflib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from bot import address
from phases.service import RECHECK_AFTER_SECONDS, RECHECK_UNTIL_SECONDS, WINDOW_SECONDS

PAGERDUTY_ENQUEUE = "/v2/enqueue"


class Faults(Exception):
    """What is wrong with the settings or the catalogue, one sentence a fault. The program ends with exit code 2."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(f"- {fault}" for fault in faults))
        self.faults = tuple(faults)


@dataclass(frozen=True, slots=True)
class Off:
    """A system without settings, and what its absence costs."""

    system: str
    variables: tuple[str, ...]
    costs: str

    def __str__(self) -> str:
        return f"{self.system} is off ({', '.join(self.variables)} not set): {self.costs}"


class Settings(BaseSettings):
    """Every variable that the bot knows; its name is the field's in capitals. Empty is the same as not set."""

    model_config = SettingsConfigDict(extra="ignore", env_ignore_empty=True, frozen=True, hide_input_in_errors=True)

    slack_bot_token: SecretStr
    slack_signing_secret: SecretStr | None = None
    slack_app_token: SecretStr | None = None
    slack_api_url: str = "https://slack.com/api/"
    slack_rich_blocks: Literal["auto", "off"] = "auto"
    incidents_channel: str | None = None
    watched_channels: str = ""
    """Ids or names, with commas or spaces between them; `watched` has them apart."""

    redis_url: SecretStr | None = None
    data_dir: Path | None = None
    redis_wait_replicas: int = Field(default=0, ge=0, le=16)

    services_file: Path = Path("services.toml")

    sentry_url: str = "https://sentry.io"
    sentry_org: str | None = None
    sentry_auth_token: SecretStr | None = None
    sentry_webhook_secret: SecretStr | None = None
    sentry_resolve: Literal["on", "off"] = "on"
    linear_api_url: str = "https://api.linear.app/graphql"
    linear_api_key: SecretStr | None = None
    linear_webhook_secret: SecretStr | None = None
    github_api_url: str = "https://api.github.com"
    github_token: SecretStr | None = None
    github_webhook_secret: SecretStr | None = None
    discord_webhook_url: SecretStr | None = None
    discord_bot_token: SecretStr | None = None
    pagerduty_events_url: str = f"https://events.pagerduty.com{PAGERDUTY_ENQUEUE}"
    pagerduty_routing_key: SecretStr | None = None
    deploy_webhook_secret: SecretStr | None = None

    recheck_after_seconds: int = Field(default=RECHECK_AFTER_SECONDS, ge=1, le=24 * 3600)
    recheck_until_seconds: int = Field(default=RECHECK_UNTIL_SECONDS, ge=1, le=24 * 3600)
    window_seconds: int = Field(default=WINDOW_SECONDS, ge=10, le=24 * 3600)

    port: int = Field(default=3000, ge=0, le=65535)
    """0: any free port."""
    host: str = "0.0.0.0"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @property
    def socket_mode(self) -> bool:
        return self.slack_app_token is not None

    @property
    def watched(self) -> tuple[str, ...]:
        """The channels in which the phrases are listened for; empty: every public channel the bot is in."""
        return tuple(name.lstrip("#") for name in self.watched_channels.replace(",", " ").split())

    @property
    def sentry_on(self) -> bool:
        return self.sentry_auth_token is not None and self.sentry_org is not None

    @property
    def linear_on(self) -> bool:
        return self.linear_api_key is not None

    @property
    def github_on(self) -> bool:
        return self.github_token is not None

    @property
    def discord_on(self) -> bool:
        return self.discord_webhook_url is not None

    @property
    def pagerduty_on(self) -> bool:
        return self.pagerduty_routing_key is not None

    def describe_off(self) -> tuple[Off, ...]:
        """Which systems have no settings, and what that costs: said at the start and by `firebreak doctor`."""
        found: list[Off] = []
        for on, system, variables, costs in (
            (self.sentry_on, "Sentry", ("SENTRY_ORG", "SENTRY_AUTH_TOKEN"), _NO_SENTRY),
            (self.sentry_webhook_secret, "Sentry's webhook", ("SENTRY_WEBHOOK_SECRET",), _NO_SENTRY_HOOK),
            (self.linear_on, "Linear", ("LINEAR_API_KEY",), _NO_LINEAR),
            (
                not self.linear_on or self.linear_webhook_secret,
                "Linear's webhook",
                ("LINEAR_WEBHOOK_SECRET",),
                _NO_LINEAR_HOOK,
            ),
            (self.github_on, "GitHub", ("GITHUB_TOKEN",), _NO_GITHUB),
            (self.discord_on, "Discord", ("DISCORD_WEBHOOK_URL",), _NO_DISCORD),
            (not self.discord_on or self.discord_bot_token, "Discord's pin", ("DISCORD_BOT_TOKEN",), _NO_DISCORD_PIN),
            (self.pagerduty_on, "PagerDuty", ("PAGERDUTY_ROUTING_KEY",), _NO_PAGER),
            (self.deploy_webhook_secret, "The deploy webhook", ("DEPLOY_WEBHOOK_SECRET",), _NO_DEPLOY_HOOK),
            (self.incidents_channel, "The announcement", ("INCIDENTS_CHANNEL",), _NO_ANNOUNCEMENT),
        ):
            if not on:
                found.append(Off(system, variables, costs))
        return tuple(found)


_NO_SENTRY = "nothing is measured; people fill in the triage form, and recovery counts only on a person's word, marked not measured"
_NO_SENTRY_HOOK = "alerts do not open incidents; people declare them"
_NO_LINEAR = "incidents have no ticket; the summary says Linear: none"
_NO_LINEAR_HOOK = (
    "what people move in Linear is seen by asking: after up to 5 minutes, action items after up to an hour"
)
_NO_GITHUB = "pull requests, the github deployer and ADRs by pull request do not work; local clones do"
_NO_DISCORD = "no status post outside Slack"
_NO_DISCORD_PIN = "the post in Discord is not pinned, and after a lost answer there may be two"
_NO_PAGER = "nobody is paged; the owners are mentioned in the incident's channel instead"
_NO_DEPLOY_HOOK = "CI cannot report deploys or ask whether to hold"
_NO_ANNOUNCEMENT = (
    "incidents are not announced in a common channel; whoever is not in the incident's channel hears nothing"
)

_URLS = ("slack_api_url", "sentry_url", "linear_api_url", "github_api_url", "pagerduty_events_url")


def load(**given: Any) -> Settings:
    """Reads the environment; `given` wins over it (tests, the local world). Raises `Faults` with everything that is wrong."""
    faults: list[str] = []
    settings: Settings | None = None
    try:
        settings = Settings(**given)
    except ValidationError as error:
        found = error.errors(include_url=False)
        faults += [_said(str(fault["loc"][0]), dict(fault)) for fault in found if fault["type"] != "missing"]
    raw = _Raw(given)
    faults += _missing(raw) + _shapes(raw)
    if settings is None or faults:
        raise Faults(faults)
    changes: dict[str, Any] = {"slack_api_url": settings.slack_api_url.rstrip("/") + "/"}
    if urlsplit(settings.pagerduty_events_url).path in ("", "/"):
        changes["pagerduty_events_url"] = settings.pagerduty_events_url.rstrip("/") + PAGERDUTY_ENQUEUE
    return settings.model_copy(update=changes)


def where_it_is_kept() -> tuple[str | None, Path | None]:
    """`REDIS_URL`, else `DATA_DIR`, for commands that need nothing else. Raises `Faults`."""
    raw = _Raw({})
    redis = raw("redis_url")
    faults = _kept_nowhere(raw) + _redis_shape(redis)
    if faults:
        raise Faults(faults)
    return (redis, None) if redis else (None, Path(raw("data_dir")))


class _Raw:
    """Values as they were given, so that every fault is found although some value does not fit its type."""

    def __init__(self, given: dict[str, Any]) -> None:
        self._values = {k.lower(): v for k, v in os.environ.items() if v} | {
            k: v.get_secret_value() if isinstance(v, SecretStr) else str(v) for k, v in given.items() if v is not None
        }

    def __call__(self, field: str) -> str:
        return self._values.get(field, "").strip()

    def slip(self, field: str) -> str:
        """A name in the environment that looks like `field` mistyped, as a hint."""
        near = difflib.get_close_matches(field, [n for n in self._values if n not in Settings.model_fields], 1, 0.85)
        return f" ({near[0].upper()} is set: a slip of the pen?)" if near else ""


def _missing(raw: _Raw) -> list[str]:
    faults: list[str] = []
    if not raw("slack_bot_token"):
        faults.append(
            "SLACK_BOT_TOKEN is not set: copy the Bot User OAuth Token (xoxb-…) from your app's page, "
            f"OAuth & Permissions{raw.slip('slack_bot_token')}"
        )
    if not raw("slack_signing_secret") and not raw("slack_app_token"):
        faults.append(
            "neither SLACK_APP_TOKEN nor SLACK_SIGNING_SECRET is set: set SLACK_APP_TOKEN (xapp-…, scope connections:write) "
            "for Socket Mode, or SLACK_SIGNING_SECRET for HTTP; both are under Basic Information of your app"
            f"{raw.slip('slack_app_token') or raw.slip('slack_signing_secret')}"
        )
    faults += _kept_nowhere(raw)
    for one, other in (("sentry_auth_token", "sentry_org"), ("sentry_org", "sentry_auth_token")):
        if raw(one) and not raw(other):
            what = (
                "the slug in the URL of your organisation"
                if other == "sentry_org"
                else "an internal integration's token"
            )
            faults.append(f"{one.upper()} is set but {other.upper()} is not: set it to {what}, or unset {one.upper()}")
    return faults


def _kept_nowhere(raw: _Raw) -> list[str]:
    if raw("redis_url") or raw("data_dir"):
        return []
    return [
        "neither REDIS_URL nor DATA_DIR is set: set REDIS_URL to a Redis or Valkey, or DATA_DIR to a folder that is "
        f"kept, in which the bot runs its own{raw.slip('redis_url') or raw.slip('data_dir')}"
    ]


def _redis_shape(redis: str) -> list[str]:
    return [f"REDIS_URL {fault}" for fault in address.faults(redis)] if redis else []


def _shapes(raw: _Raw) -> list[str]:
    faults: list[str] = []
    token, app = raw("slack_bot_token"), raw("slack_app_token")
    if token and not token.startswith(("xoxb-", "xoxe.xoxb-")):
        faults.append(
            "SLACK_BOT_TOKEN is no bot token: it must begin with xoxb- (OAuth & Permissions, Bot User OAuth Token)"
        )
    if app and not app.startswith("xapp-"):
        faults.append(
            "SLACK_APP_TOKEN is no app-level token: it must begin with xapp- (Basic Information, App-Level Tokens)"
        )
    for name in _URLS:
        value = raw(name)
        if value and not is_url(value):
            faults.append(f"{name.upper()} is no URL: it must begin with https:// (or http://) and name a host")
    discord = raw("discord_webhook_url")
    if discord and not (is_url(discord) and "/webhooks/" in urlsplit(discord).path):
        faults.append(
            "DISCORD_WEBHOOK_URL is no webhook: copy it from the channel's Integrations, Webhooks "
            "(https://discord.com/api/webhooks/…)"
        )
    faults += _redis_shape(raw("redis_url"))
    after = raw("recheck_after_seconds") or str(RECHECK_AFTER_SECONDS)
    until = raw("recheck_until_seconds") or str(RECHECK_UNTIL_SECONDS)
    if after.isdecimal() and until.isdecimal() and int(after) >= int(until):
        faults.append(
            f"RECHECK_UNTIL_SECONDS ({until}) must be more than RECHECK_AFTER_SECONDS ({after}): "
            "the second look comes after the first"
        )
    return faults


def is_url(value: str) -> bool:
    """Whether this is an absolute http or https URL with a host and no white space."""
    try:
        parts = urlsplit(value)
        host = parts.hostname
        _ = parts.port
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(host) and not any(c.isspace() for c in value)


def _said(field: str, fault: dict[str, Any]) -> str:
    """One fault of a single variable, in words; the value itself is never said, it may be a secret. `_missing` says the rest."""
    name, limits = field.upper(), fault.get("ctx", {})
    match fault["type"]:
        case "int_parsing" | "int_type" | "int_from_float":
            return f"{name} must be a whole number"
        case "greater_than_equal":
            return f"{name} must be at least {limits.get('ge')}"
        case "less_than_equal":
            return f"{name} must be at most {limits.get('le')}"
        case "literal_error":
            return f"{name} must be one of {limits.get('expected')}"
        case _:
            return f"{name}: {fault['msg']}"
