"""The bot's settings, from the environment (docs/settings.md).

Wrong ones are all named at once, each with how to mend it.
"""

import difflib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import (
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict

from bot.config import addresses, environment, pasted, tokens
from bot.config.values import read_value
from phases.record.service import RECHECK_AFTER_SECONDS, RECHECK_UNTIL_SECONDS, WINDOW_SECONDS


class Faults(Exception):
    """The faults of the settings or the catalogue, a sentence each. Exit code 2."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(f"- {fault}" for fault in faults))
        self.faults = tuple(faults)


@dataclass(frozen=True, slots=True)
class Off:
    """A system without settings, and the cost of its absence."""

    system: str
    variables: tuple[str, ...]
    costs: str

    def __str__(self) -> str:
        return f"{self.system} is off ({', '.join(self.variables)} not set): {self.costs}"


class Storage(BaseSettings):
    """The settings of the store, for commands that need nothing else."""

    model_config = SettingsConfigDict(
        extra="ignore", env_ignore_empty=True, frozen=True, hide_input_in_errors=True
    )

    redis_url: SecretStr | None = None
    data_dir: Path | None = None

    @model_validator(mode="before")
    @classmethod
    def _without_empty(cls, given: dict[str, Any]) -> dict[str, Any]:
        """A value with nothing but blanks or quotes is not set."""
        return {name: value for name, value in given.items() if pasted.clean(_text(value))}

    @field_validator("*", mode="before")
    @classmethod
    def _read(cls, given: Any, info: ValidationInfo) -> Any:
        if not isinstance(given, str | SecretStr):
            return given
        faults: list[str] = []
        value = read_value(info.field_name or "", _text(given), info.data, faults)
        if faults:
            raise PydanticCustomError("faults", "{faults}", {"faults": faults})
        return value


class Settings(Storage):
    """Every variable that the bot knows; its name is the field's in capitals. Empty is not set."""

    slack_bot_token: SecretStr
    slack_signing_secret: SecretStr | None = None
    slack_app_token: SecretStr | None = None
    slack_api_url: str = "https://slack.com/api/"
    slack_rich_blocks: Literal["auto", "off"] = "auto"
    incidents_channel: str | None = None
    watched_channels: str = ""
    """Ids or names, with commas or spaces between them; `watched` has them as a tuple."""

    redis_wait_replicas: int = Field(default=0, ge=0, le=16)

    services_file: Path = Path("services.toml")

    sentry_org: str | None = None
    sentry_url: str = "https://sentry.io"
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
    change_webhook_secret: SecretStr | None = None
    alert_webhook_secret: SecretStr | None = None
    api_token: SecretStr | None = None

    recheck_after_seconds: int = Field(default=RECHECK_AFTER_SECONDS, ge=1, le=24 * 3600)
    recheck_until_seconds: int = Field(
        default=RECHECK_UNTIL_SECONDS, ge=1, le=24 * 3600, validate_default=True
    )
    window_seconds: int = Field(default=WINDOW_SECONDS, ge=10, le=24 * 3600)

    port: int = Field(default=3000, ge=0, le=65535)
    """0: any free port."""
    host: str = "0.0.0.0"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @field_validator("recheck_until_seconds")
    @classmethod
    def _second_look_after_the_first(cls, until: int, info: ValidationInfo) -> int:
        after = info.data.get("recheck_after_seconds", 0)
        if after >= until:
            fault = (
                f"RECHECK_UNTIL_SECONDS ({until}) must be more than RECHECK_AFTER_SECONDS "
                f"({after}): the second look comes after the first"
            )
            raise PydanticCustomError("faults", "{faults}", {"faults": [fault]})
        return until

    @property
    def socket_mode(self) -> bool:
        return self.slack_app_token is not None

    @property
    def watched(self) -> tuple[str, ...]:
        """The channels in which the phrases are listened for; empty: all that the bot is in."""
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
        """Return oddities that work: shown at the start and by `firebreak doctor`."""
        warnings = [
            f"{name.upper()} begins with http:// and leads out of this network: whoever is on the "
            "way reads the token. Use https://"
            for name in addresses.EXAMPLES
            if addresses.unencrypted(_text(getattr(self, name)))
        ]
        if _text(self.sentry_auth_token).startswith("sntrys_"):
            # https://github.com/getsentry/sentry/blob/master/src/sentry/api/endpoints/org_auth_tokens.py
            warnings.append(
                "SENTRY_AUTH_TOKEN is an organisation token (sntrys_), which has the scope org:ci "
                f"and may read nothing: {tokens.WHERE['sentry_auth_token']}"
            )
        return tuple(warnings)

    def describe_off(self) -> tuple[Off, ...]:
        """Return the systems without settings: shown at the start and by `firebreak doctor`."""
        on: dict[str, object] = {
            "Sentry": self.sentry_on,
            "Sentry's webhook": self.sentry_webhook_secret,
            "Linear": self.linear_on,
            "Linear's webhook": not self.linear_on or self.linear_webhook_secret,
            "GitHub": self.github_on,
            "Discord": self.discord_on,
            "Discord's pin": not self.discord_on or self.discord_bot_token,
            "PagerDuty": self.pagerduty_on,
            "The deploy webhook": self.deploy_webhook_secret,
            "The change webhook": self.change_webhook_secret,
            "The alert webhook": self.alert_webhook_secret,
            "The API": self.api_token,
            "The announcement": self.incidents_channel,
        }
        return tuple(off for off in _OFF if not on[off.system])


_OFF = (
    Off(
        "Sentry",
        ("SENTRY_ORG", "SENTRY_AUTH_TOKEN"),
        "nothing is measured; people fill in the triage form, and recovery counts only on a "
        "person's word, marked not measured",
    ),
    Off(
        "Sentry's webhook",
        ("SENTRY_WEBHOOK_SECRET",),
        "alerts of Sentry open no incidents",
    ),
    Off("Linear", ("LINEAR_API_KEY",), "incidents have no ticket; the summary says Linear: none"),
    Off(
        "Linear's webhook",
        ("LINEAR_WEBHOOK_SECRET",),
        "what people move in Linear is seen by asking: after up to 5 minutes, action items after "
        "up to an hour",
    ),
    Off(
        "GitHub",
        ("GITHUB_TOKEN",),
        "pull requests, the github deployer and ADRs by pull request do not work; local clones do",
    ),
    Off("Discord", ("DISCORD_WEBHOOK_URL",), "no status post outside Slack"),
    Off(
        "Discord's pin",
        ("DISCORD_BOT_TOKEN",),
        "the post in Discord is not pinned, and after a lost answer there may be two",
    ),
    Off(
        "PagerDuty",
        ("PAGERDUTY_ROUTING_KEY",),
        "nobody is paged; the owners are mentioned in the incident's channel instead",
    ),
    Off(
        "The deploy webhook",
        ("DEPLOY_WEBHOOK_SECRET",),
        "CI cannot report deploys or ask whether to hold",
    ),
    Off(
        "The change webhook",
        ("CHANGE_WEBHOOK_SECRET",),
        "of changes without a deploy only Sentry's flag log is known",
    ),
    Off(
        "The alert webhook",
        ("ALERT_WEBHOOK_SECRET",),
        "alerts of Alertmanager, Grafana, Datadog and PagerDuty do not open incidents",
    ),
    Off("The API", ("API_TOKEN",), "scripts cannot declare incidents"),
    Off(
        "The announcement",
        ("INCIDENTS_CHANNEL",),
        "incidents are not announced in a common channel; whoever is not in the incident's channel "
        "hears nothing",
    ),
)


def load(**given: Any) -> Settings:
    """Read the environment; `given` wins over it. Raises `Faults` with everything that is wrong."""
    environment.strip(os.environ)
    values = _environment(given)
    faults: list[str] = []
    settings: Settings | None = None
    try:
        settings = Settings(**given)
    except ValidationError as error:
        faults = _sentences(error)
    faults = [*_missing(values), *faults, *environment.faults(os.environ)]
    if settings is None or faults:
        raise Faults(faults)
    return settings


def where_it_is_kept() -> tuple[str | None, Path | None]:
    """Return `REDIS_URL`, else `DATA_DIR`. Raises `Faults`."""
    environment.strip(os.environ)
    faults = _kept_nowhere(_environment({}))
    storage = Storage.model_construct()
    try:
        storage = Storage()
    except ValidationError as error:
        faults += _sentences(error)
    if faults:
        raise Faults(faults)
    if storage.redis_url is not None:
        return storage.redis_url.get_secret_value(), None
    return None, storage.data_dir


def services_file() -> tuple[Path, bool]:
    """Return the catalogue's file, and if SERVICES_FILE names it; other settings may be wrong."""
    named = _environment({}).get("services_file", "")
    return pasted.folder(named or Settings.model_fields["services_file"].default), bool(named)


def _text(value: Any) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return "" if value is None else str(value)


def _sentences(error: ValidationError) -> list[str]:
    """Return the faults of single variables in words. `_missing` has the others."""
    sentences: list[str] = []
    for fault in error.errors(include_url=False):
        name, context = str(fault["loc"][0]).upper(), fault.get("ctx", {})
        match fault["type"]:
            case "missing":
                pass
            case "faults":
                sentences += context["faults"]
            case "int_parsing" | "int_type" | "int_from_float":
                sentences.append(f"{name} must be a whole number")
            case "greater_than_equal":
                sentences.append(f"{name} must be at least {context.get('ge')}")
            case "less_than_equal":
                sentences.append(f"{name} must be at most {context.get('le')}")
            case "literal_error":
                sentences.append(f"{name} must be one of {context.get('expected')}")
            case _:
                sentences.append(f"{name}: {fault['msg']}")
    return sentences


# --- settings that are missing -------------------------------------------------------------------


def _environment(given: Mapping[str, Any]) -> dict[str, str]:
    """Return every value that is set, also of other programs, by its name in small letters."""
    values = {name.lower(): value for name, value in os.environ.items()}
    values |= {name: _text(value) for name, value in given.items() if value is not None}
    return {name: text for name, value in values.items() if (text := pasted.clean(value))}


def _mistyped(given: Mapping[str, str], *fields: str) -> str:
    """Return a hint if a name in the environment looks like one of the fields mistyped."""
    strange = [name for name in given if name not in Settings.model_fields]
    for field in fields:
        if near := difflib.get_close_matches(field, strange, 1, 0.85):
            return f" ({near[0].upper()} is set: a slip of the pen?)"
    return ""


def _missing(given: Mapping[str, str]) -> list[str]:
    faults: list[str] = []
    if "slack_bot_token" not in given:
        faults.append(
            "SLACK_BOT_TOKEN is not set: copy the Bot User OAuth Token (xoxb-…) from your app's "
            f"page, OAuth & Permissions{_mistyped(given, 'slack_bot_token')}"
        )
    if "slack_signing_secret" not in given and "slack_app_token" not in given:
        faults.append(
            "neither SLACK_APP_TOKEN nor SLACK_SIGNING_SECRET is set: set SLACK_APP_TOKEN (xapp-…, "
            "scope connections:write) for Socket Mode, or SLACK_SIGNING_SECRET for HTTP; both are "
            f"under Basic Information of your app"
            f"{_mistyped(given, 'slack_app_token', 'slack_signing_secret')}"
        )
    faults += _kept_nowhere(given)
    if "sentry_auth_token" in given and "sentry_org" not in given:
        faults.append(
            "SENTRY_AUTH_TOKEN is set but SENTRY_ORG is not: set it to the slug in the URL of your "
            "organisation, or unset SENTRY_AUTH_TOKEN"
        )
    if "sentry_org" in given and "sentry_auth_token" not in given:
        faults.append(
            "SENTRY_ORG is set but SENTRY_AUTH_TOKEN is not: set it to an internal integration's "
            "token, or unset SENTRY_ORG"
        )
    return faults


def _kept_nowhere(given: Mapping[str, str]) -> list[str]:
    if "redis_url" in given or "data_dir" in given:
        return []
    return [
        "neither REDIS_URL nor DATA_DIR is set: set REDIS_URL to a Redis or Valkey, or DATA_DIR to "
        "a folder that is kept, in which the bot runs its own"
        f"{_mistyped(given, 'redis_url', 'data_dir')}"
    ]
