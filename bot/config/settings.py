"""The bot's settings, from the environment (docs: README, Settings). Wrong ones are all named at once, each with how to mend it."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from bot.config import addresses, environment, pasted, redis_url, tokens
from phases.record.service import RECHECK_AFTER_SECONDS, RECHECK_UNTIL_SECONDS, WINDOW_SECONDS

SENTRY_ORG = re.compile(r"[A-Za-z0-9][\w-]*")
"""https://github.com/getsentry/sentry/blob/master/src/sentry/slug/patterns.py; underscores as in older ones."""
WORDS = ("slack_rich_blocks", "sentry_resolve")
"""Settings of one word, which may be written large."""


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

    model_config = SettingsConfigDict(
        extra="ignore", env_ignore_empty=True, frozen=True, hide_input_in_errors=True
    )

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
    pagerduty_events_url: str = f"https://events.pagerduty.com{addresses.ENQUEUE}"
    pagerduty_routing_key: SecretStr | None = None
    deploy_webhook_secret: SecretStr | None = None

    recheck_after_seconds: int = Field(default=RECHECK_AFTER_SECONDS, ge=1, le=24 * 3600)
    recheck_until_seconds: int = Field(default=RECHECK_UNTIL_SECONDS, ge=1, le=24 * 3600)
    window_seconds: int = Field(default=WINDOW_SECONDS, ge=10, le=24 * 3600)

    port: int = Field(default=3000, ge=0, le=65535)
    """0: any free port."""
    host: str = "0.0.0.0"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @model_validator(mode="before")
    @classmethod
    def _without_what_stands_around(cls, given: Any) -> Any:
        """Every value is cleaned before it is read; what is empty then is not set."""
        cleaned = {name: _cleaned(name, value) for name, value in dict(given).items()}
        return {name: value for name, value in cleaned.items() if value not in ("", None)}

    @property
    def socket_mode(self) -> bool:
        return self.slack_app_token is not None

    @property
    def watched(self) -> tuple[str, ...]:
        """The channels in which the phrases are listened for; empty: every public channel the bot is in."""
        return pasted.channels(self.watched_channels)

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

    def warnings(self) -> tuple[str, ...]:
        """What works and is not well: said at the start and by `firebreak doctor`."""
        seen = [name for name in _URLS if addresses.unencrypted(_text(getattr(self, name)))]
        said = "begins with http:// and leads out of this network: whoever is on the way reads the token. Use https://"
        found = [f"{name.upper()} {said}" for name in seen]
        if _text(self.sentry_auth_token).startswith("sntrys_"):
            # https://github.com/getsentry/sentry/blob/master/src/sentry/api/endpoints/org_auth_tokens.py
            only = "is an organisation token (sntrys_), which has the scope org:ci and may read nothing"
            found.append(f"SENTRY_AUTH_TOKEN {only}: {tokens.WHERE['sentry_auth_token']}")
        return tuple(found)

    def describe_off(self) -> tuple[Off, ...]:
        """Which systems have no settings, and what that costs: said at the start and by `firebreak doctor`."""
        found: list[Off] = []
        for on, system, variables, costs in (
            (self.sentry_on, "Sentry", ("SENTRY_ORG", "SENTRY_AUTH_TOKEN"), _NO_SENTRY),
            (
                self.sentry_webhook_secret,
                "Sentry's webhook",
                ("SENTRY_WEBHOOK_SECRET",),
                _NO_SENTRY_HOOK,
            ),
            (self.linear_on, "Linear", ("LINEAR_API_KEY",), _NO_LINEAR),
            (
                not self.linear_on or self.linear_webhook_secret,
                "Linear's webhook",
                ("LINEAR_WEBHOOK_SECRET",),
                _NO_LINEAR_HOOK,
            ),
            (self.github_on, "GitHub", ("GITHUB_TOKEN",), _NO_GITHUB),
            (self.discord_on, "Discord", ("DISCORD_WEBHOOK_URL",), _NO_DISCORD),
            (
                not self.discord_on or self.discord_bot_token,
                "Discord's pin",
                ("DISCORD_BOT_TOKEN",),
                _NO_DISCORD_PIN,
            ),
            (self.pagerduty_on, "PagerDuty", ("PAGERDUTY_ROUTING_KEY",), _NO_PAGER),
            (
                self.deploy_webhook_secret,
                "The deploy webhook",
                ("DEPLOY_WEBHOOK_SECRET",),
                _NO_DEPLOY_HOOK,
            ),
            (self.incidents_channel, "The announcement", ("INCIDENTS_CHANNEL",), _NO_ANNOUNCEMENT),
        ):
            if not on:
                found.append(Off(system, variables, costs))
        return tuple(found)


_NO_SENTRY = "nothing is measured; people fill in the triage form, and recovery counts only on a person's word, marked not measured"
_NO_SENTRY_HOOK = "alerts do not open incidents; people declare them"
_NO_LINEAR = "incidents have no ticket; the summary says Linear: none"
_NO_LINEAR_HOOK = "what people move in Linear is seen by asking: after up to 5 minutes, action items after up to an hour"
_NO_GITHUB = (
    "pull requests, the github deployer and ADRs by pull request do not work; local clones do"
)
_NO_DISCORD = "no status post outside Slack"
_NO_DISCORD_PIN = "the post in Discord is not pinned, and after a lost answer there may be two"
_NO_PAGER = "nobody is paged; the owners are mentioned in the incident's channel instead"
_NO_DEPLOY_HOOK = "CI cannot report deploys or ask whether to hold"
_NO_ANNOUNCEMENT = "incidents are not announced in a common channel; whoever is not in the incident's channel hears nothing"

_URLS = tuple(addresses.EXAMPLES)


def load(**given: Any) -> Settings:
    """Reads the environment; `given` wins over it (tests, the local world). Raises `Faults` with everything that is wrong."""
    faults: list[str] = []
    settings: Settings | None = None
    environment.strip(os.environ)
    try:
        settings = Settings(**given)
    except ValidationError as error:
        found = error.errors(include_url=False)
        faults += [
            _said(str(fault["loc"][0]), dict(fault))
            for fault in found
            if fault["type"] != "missing"
        ]
    raw = _Raw(given)
    read, wrong = _addresses(raw)
    faults += _missing(raw) + _shapes(raw) + wrong + environment.faults(os.environ)
    if settings is None or faults:
        raise Faults(faults)
    return settings.model_copy(update=read)


def services_file() -> tuple[Path, bool]:
    """The catalogue's file, and whether SERVICES_FILE names it, although other settings may be wrong."""
    named = _Raw({})("services_file")
    return pasted.folder(named or Settings.model_fields["services_file"].default), bool(named)


def _text(value: SecretStr | str | None) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else value or ""


def _cleaned(name: str, value: Any) -> Any:
    if isinstance(value, SecretStr):
        return SecretStr(cleaned) if (cleaned := pasted.clean(value.get_secret_value())) else None
    if not isinstance(value, str):
        return value
    value = pasted.clean(value)
    match name:
        case "log_level":
            return value.upper()
        case "incidents_channel":
            return pasted.channel(value)
        case "host":
            return value.removeprefix("[").removesuffix("]")
        case "data_dir" | "services_file":
            return str(pasted.folder(value)) if value else ""
        case _:
            return value.lower() if name in WORDS else value


def where_it_is_kept() -> tuple[str | None, Path | None]:
    """`REDIS_URL`, else `DATA_DIR`, for commands that need nothing else. Raises `Faults`."""
    environment.strip(os.environ)
    raw = _Raw({})
    redis = raw("redis_url")
    faults = _kept_nowhere(raw) + _redis_shape(redis) + _paths(raw, "data_dir")
    if faults:
        raise Faults(faults)
    return (redis, None) if redis else (None, pasted.folder(raw("data_dir")))


class _Raw:
    """Values as they were given, so that every fault is found although some value does not fit its type."""

    def __init__(self, given: dict[str, Any]) -> None:
        self._values = {k.lower(): v for k, v in os.environ.items() if v} | {
            k: v.get_secret_value() if isinstance(v, SecretStr) else str(v)
            for k, v in given.items()
            if v is not None
        }

    def __call__(self, field: str) -> str:
        return pasted.clean(self.given(field))

    def given(self, field: str) -> str:
        """As it was given, with what stands around it."""
        return self._values.get(field, "")

    def slip(self, field: str) -> str:
        """A name in the environment that looks like `field` mistyped, as a hint."""
        near = difflib.get_close_matches(
            field, [n for n in self._values if n not in Settings.model_fields], 1, 0.85
        )
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
            faults.append(
                f"{one.upper()} is set but {other.upper()} is not: set it to {what}, or unset {one.upper()}"
            )
    return faults


def _kept_nowhere(raw: _Raw) -> list[str]:
    if raw("redis_url") or raw("data_dir"):
        return []
    return [
        "neither REDIS_URL nor DATA_DIR is set: set REDIS_URL to a Redis or Valkey, or DATA_DIR to a folder that is "
        f"kept, in which the bot runs its own{raw.slip('redis_url') or raw.slip('data_dir')}"
    ]


def _redis_shape(redis: str) -> list[str]:
    return [f"REDIS_URL {fault}" for fault in redis_url.faults(redis)] if redis else []


def _shapes(raw: _Raw) -> list[str]:
    faults = [fault for field in tokens.WHERE for fault in tokens.faults(field, raw.given(field))]
    org = raw("sentry_org")
    if org and not SENTRY_ORG.fullmatch(org):
        faults.append(
            "SENTRY_ORG is no slug: set the part of the URL behind /organizations/, or before .sentry.io"
        )
    for field, names in (
        ("incidents_channel", (pasted.channel(raw("incidents_channel")),)),
        ("watched_channels", pasted.channels(raw("watched_channels"))),
    ):
        if any(name and not pasted.is_channel(name) for name in names):
            faults.append(
                f"{field.upper()} names no channel: write an id (C0123…) or a name as Slack shows it"
            )
    if not addresses.is_host(_cleaned("host", raw("host")) or "0.0.0.0"):
        faults.append(
            "HOST must be an address or a name to listen on, without a port: that is PORT"
        )
    faults += _paths(raw, "data_dir", "services_file")
    no_text = (
        n for n in (*tokens.WHERE, "data_dir", "services_file") if not pasted.is_text(raw(n))
    )
    faults += [
        f"{name.upper()} {pasted.NO_TEXT}" for name in no_text if name not in tokens.IN_HEADERS
    ]
    faults += _redis_shape(raw("redis_url"))
    after = raw("recheck_after_seconds") or str(RECHECK_AFTER_SECONDS)
    until = raw("recheck_until_seconds") or str(RECHECK_UNTIL_SECONDS)
    if after.isdecimal() and until.isdecimal() and int(after) >= int(until):
        faults.append(
            f"RECHECK_UNTIL_SECONDS ({until}) must be more than RECHECK_AFTER_SECONDS ({after}): "
            "the second look comes after the first"
        )
    return faults


def _paths(raw: _Raw, *names: str) -> list[str]:
    faults: list[str] = []
    for name in names:
        given = raw(name)
        if pasted.unfilled(given):
            faults.append(f"{name.upper()} {pasted.UNFILLED}")
        elif given.startswith("~") and str(pasted.folder(given)).startswith("~"):
            faults.append(
                f"{name.upper()} begins with ~, and this machine knows no such home: write the whole path"
            )
        elif name == "data_dir" and given and pasted.folder(given).is_file():
            faults.append(f"DATA_DIR names {given}, which is a file: name a folder")
    return faults


def _addresses(raw: _Raw) -> tuple[dict[str, Any], list[str]]:
    """The addresses as they are called, and what is wrong with the others."""
    read: dict[str, Any] = {}
    faults: list[str] = []
    for field in _URLS:
        if not (value := raw(field)):
            continue
        try:
            address = addresses.read(field, value, org=raw("sentry_org"))
        except addresses.Wrong as wrong:
            faults.append(f"{field.upper()} {wrong}")
        else:
            read[field] = SecretStr(address) if field == "discord_webhook_url" else address
    return read, faults


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
