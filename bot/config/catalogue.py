"""The service catalogue: `services.toml` read into `Service` values, every fault at once with its service and key."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypedDict, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bot.config import text_file
from bot.config.addresses import is_url
from bot.config.settings import Faults, Settings
from handlers.slack.slack_text import spelled
from phases.record.service import AdrPlace, DeployCommands, DeployWorkflow, ReleaseNames, Service

DEFAULT = "default"
"""The one service of a bot without a catalogue."""

_NAME = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9._ -]{0,58}[A-Za-z0-9]|[A-Za-z0-9]"
)  # a part of Redis keys: no colon
_REPOSITORY = re.compile(r"[A-Za-z0-9-]+/[A-Za-z0-9._-]+")
_UNSPACED = (
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]"
)
"""Letters of Thai, Lao, Burmese, Khmer, Japanese and Chinese, which have no blanks between words, and of Korean, whose endings have none."""
_LETTER = rf"(?!{_UNSPACED})[^\W_]"
_URL_IN_TEXT = re.compile(r"https?://[^\s>|]+")


class Numbers(TypedDict, total=False):
    """The settings that every service carries; seconds."""

    window_seconds: int
    recheck_after_seconds: int
    recheck_until_seconds: int


class _Part(BaseModel):
    """What may stand in the file; `strict`, so that a number is no text and a text no list."""

    model_config = ConfigDict(extra="forbid", strict=True)


P = TypeVar("P", bound=_Part)


class _Release(_Part):
    sentry: str = "{version}"
    tag: str = "{version}"
    deploy: str = "{version}"


class _Commands(_Part):
    directory: str
    run: list[str] = Field(min_length=1)
    current: list[str] = Field(min_length=1)
    releases: list[str] = Field(min_length=1)
    hotfix: list[str] = Field(default_factory=list[str])
    limit_seconds: int = Field(default=900, ge=1, le=24 * 3600)


class _Workflow(_Part):
    via: Literal["workflow", "deployments"] = "workflow"
    workflow: str = "deploy.yml"
    hotfix_workflow: str = "hotfix.yml"
    environment: str = "production"


class _Adr(_Part):
    directory: str | None = None
    repository: str | None = None
    path: str = "docs/adr"


class _Entry(_Part):
    # A blank that was pasted along is no part of a slug, an environment or an address.
    model_config = ConfigDict(extra="forbid", strict=True, str_strip_whitespace=True)

    aliases: list[str] = Field(default_factory=list[str])
    owners: str | list[str] = ""
    sentry: list[str] = Field(default_factory=list[str])
    environments: list[str] = Field(default_factory=lambda: ["production"], min_length=1)
    features: dict[str, str] = Field(default_factory=dict[str, str])
    region_tag: str = "region"
    org_tag: str = "customer"
    not_users: list[str] = Field(default_factory=list[str])
    release: _Release = Field(default_factory=_Release)
    depends_on: list[str] = Field(default_factory=list[str])
    runbook: str | None = None
    one_way: list[str] = Field(default_factory=list[str])
    repository: str | None = None
    deployer: Literal["command", "github"] | None = None
    deploy: dict[str, Any] | None = None
    checkout: str | None = None
    bisect: list[str] = Field(default_factory=list[str])
    endpoint: str | None = None
    linear_team: str | None = None
    adr: _Adr | None = None


class Catalogue:
    """The services, with the numbers of the settings in each. Keeps `phases.ports.ports.Catalogue`."""

    def __init__(self, services: Sequence[Service], warnings: Sequence[str] = ()) -> None:
        self._services = {service.name: _beside(service, services) for service in services}
        self.warnings = tuple(warnings)
        """What is odd but does no harm; said by `firebreak doctor`."""
        self._spoken: dict[str, str] = {}
        self._by_project: dict[str, str] = {}
        for service in services:
            self._by_project |= dict.fromkeys(service.sentry, service.name)
            for word in (service.name, *service.aliases):
                self._spoken[spelled(word).casefold()] = service.name
        # The longest first: "shop-api is down" does not name the service "shop".
        words = sorted(self._spoken, key=lambda word: (-len(word), word))
        self._pattern = re.compile("|".join(map(_whole_word, words)), re.IGNORECASE)

    def get(self, name: str) -> Service | None:
        """By name, else by alias."""
        return self._services.get(name) or self._services.get(
            self._spoken.get(spelled(name).strip().casefold(), "")
        )

    def all(self) -> Sequence[Service]:
        return tuple(self._services.values())

    def named_in(self, text: str) -> Service | None:
        """The service that the text names as a whole word; where it names none, the only one there is; else None.

        Addresses do not count as text: a link holds all kinds of names.
        """
        text = spelled(_URL_IN_TEXT.sub(" ", text))
        named = {self._spoken[match.group().casefold()] for match in self._pattern.finditer(text)}
        if len(named) == 1:
            return self._services[named.pop()]
        if not named and len(self._services) == 1:
            return next(iter(self._services.values()))
        return None

    def by_sentry_project(self, slug: str) -> Service | None:
        return self._services.get(self._by_project.get(slug, ""))


def _whole_word(word: str) -> str:
    """The pattern of a name that is not a part of another word.

    The marks of slanted words (`_shop_`) and letters that are written without blanks (`shopが`) end it.
    """
    before = "" if re.match(_UNSPACED, word) else f"(?<!{_LETTER})(?<!{_LETTER}_)"
    behind = "" if re.match(_UNSPACED, word[-1:]) else f"(?!_?{_LETTER})"
    return f"{before}{re.escape(word)}{behind}"


def _beside(service: Service, services: Sequence[Service]) -> Service:
    """The service, knowing how others in its repository write their tags: these are never its own."""
    place = (service.repository or "").lower()
    others = [
        one
        for one in services
        if one.name != service.name and place and (one.repository or "").lower() == place
    ]
    own = service.release
    tags = dict.fromkeys(p for one in others for p in (one.release.tag, one.release.deploy))
    beside = tuple(p for p in tags if p not in ("{version}", own.tag, own.deploy))
    names = dict.fromkeys(one.release.sentry for one in others)
    in_sentry = tuple(p for p in names if p not in ("{version}", own.sentry))
    return (
        service.model_copy(update={"beside": beside, "beside_in_sentry": in_sentry})
        if others
        else service
    )


def load(settings: Settings) -> Catalogue:
    """The catalogue that the settings name; without a file, one service `default`. Raises `Faults`."""
    numbers: Numbers = {
        "window_seconds": settings.window_seconds,
        "recheck_after_seconds": settings.recheck_after_seconds,
        "recheck_until_seconds": settings.recheck_until_seconds,
    }
    path = settings.services_file
    if not path.exists():
        if "services_file" in settings.model_fields_set:
            raise Faults([_not_there(path)])
        return Catalogue([Service(name=DEFAULT, **numbers)])
    return read(path, numbers)


def _not_there(path: Path) -> str:
    return (
        f"SERVICES_FILE names {path}, and there is no such file: write it, or unset SERVICES_FILE"
    )


def faults(path: Path, named: bool = False) -> tuple[str, ...]:
    """Everything that is wrong with a file, if there is one; `named`: there must be."""
    try:
        if path.exists():
            read(path)
        elif named:
            return (_not_there(path),)
    except Faults as wrong:
        return wrong.faults
    return ()


def read(path: Path, numbers: Numbers | None = None) -> Catalogue:
    """Reads one file; relative directories are beside it. Raises `Faults` with everything that is wrong."""
    if path.is_dir():
        made = "docker makes one where the file of a mount is not there"
        raise Faults(
            [f"{path} is a folder ({made}): put the file in its place, or leave the mount out"]
        )
    text = text_file.read(path)
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Faults(
            [f"{path} is no TOML: {error}{text_file.odd_letter(text, str(error))}"]
        ) from error
    faults = [
        f"{path.name}: unknown table [{key}]: services are tables [services.<name>]"
        for key in table
        if key != "services"
    ]
    tables = table.get("services", {})
    if not isinstance(tables, dict):
        raise Faults([*faults, f"{path.name}: services must be tables [services.<name>]"])
    entries: dict[str, _Entry] = {}
    for name, raw in tables.items():
        if not _NAME.fullmatch(name):
            faults.append(
                f"service {name!r}: a name has letters a to z, digits, '.', '_', '-' and blanks, at most 60; aliases may have any letters"
            )
        entry = _checked(_Entry, raw, f"service {name}", faults)
        if entry is not None:
            entries[name] = entry
    known = _spoken(entries, faults)
    _one_service_a_project(entries, faults)
    warnings: list[str] = []
    services = [
        _service(
            name,
            entry,
            path.resolve().parent,
            set(tables) | set(known),
            known,
            faults,
            warnings,
            numbers or {},
        )
        for name, entry in entries.items()
    ]
    if faults:
        raise Faults(faults)
    return Catalogue(services or [Service(name=DEFAULT, **numbers or {})], warnings)


def _checked(model: type[P], raw: Any, where: str, faults: list[str]) -> P | None:
    """`raw` as `model`, or None, and its faults with the key that each is in."""
    if not isinstance(raw, dict):
        faults.append(f"{where}: must be a table")
        return None
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        faults += [
            f"{where}: {_said(model, dict(fault))}" for fault in error.errors(include_url=False)
        ]
        return None


def _said(model: type[BaseModel], fault: dict[str, Any]) -> str:
    """One fault in words, with its key as written in the file."""
    place = [
        part
        for part in fault["loc"]
        if part not in ("str", "list[str]", "constrained-str", "list[constrained-str]")
    ]
    key = ".".join(str(part) if isinstance(part, str) else f"[{part}]" for part in place).replace(
        ".[", "["
    )
    match fault["type"]:
        case "extra_forbidden":
            return f"unknown key {key}{_nearest(str(place[-1]), _keys(model, place[:-1]))}"
        case "missing":
            return f"{key} is missing"
        case "string_type":
            return f"{key} must be a text in quotes" + (
                ", or a list of them" if key == "owners" else ""
            )
        case "list_type":
            return (
                f"{key} must be a list"
                if key != "owners"
                else "owners must be a text in quotes, or a list of them"
            )
        case "dict_type" | "model_type":
            return f"{key} must be a table"
        case "int_type":
            return f"{key} must be a whole number"
        case "too_short":
            return f"{key} must not be empty"
        case "literal_error":
            return f"{key} must be {fault['ctx']['expected']}"
        case _:
            return f"{key}: {fault['msg']}"


def _keys(model: type[BaseModel], place: Sequence[str | int]) -> Sequence[str]:
    """The keys that are known at `place` of `model`."""
    for part in place:
        field = model.model_fields.get(str(part))
        found = {"release": _Release, "adr": _Adr}.get(str(part)) if field else None
        if found is None:
            return ()
        model = found
    return tuple(model.model_fields)


def _nearest(word: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(word, known, 1, 0.5)
    if near:
        return f"; did you mean {near[0]}?"
    return f"; known are {', '.join(known)}" if known else ""


def _spoken(entries: Mapping[str, _Entry], faults: list[str]) -> dict[str, str]:
    """Every name and alias, folded, with its service; a word that means two services is a fault."""
    known: dict[str, str] = {}
    for name, entry in entries.items():
        for word in dict.fromkeys((name, *entry.aliases)):
            if not word.strip():
                faults.append(f"service {name}: aliases holds an empty word")
                continue
            other = known.setdefault(word.casefold(), name)
            if other != name:
                faults.append(
                    f"service {name}: {word!r} is a name or alias of service {other} already; a word names one service"
                )
    return known


def _one_service_a_project(entries: Mapping[str, _Entry], faults: list[str]) -> None:
    owner: dict[str, str] = {}
    for name, entry in entries.items():
        for slug in entry.sentry:
            other = owner.setdefault(slug, name)
            if other != name:
                faults.append(
                    f"service {name}: Sentry project {slug!r} belongs to service {other} already; a project is one service's"
                )


def _service(
    name: str,
    entry: _Entry,
    beside: Path,
    declared: set[str],
    known: Mapping[str, str],
    faults: list[str],
    warnings: list[str],
    numbers: Numbers,
) -> Service:
    """The value of one entry; what fits no shape is added to `faults`, and left out."""
    where = f"service {name}"
    for key in ("runbook", "endpoint"):
        value = getattr(entry, key)
        if value is not None and not is_url(value):
            faults.append(f"{where}: {key} must be an http or https URL")
    for key, pattern in (
        ("sentry", entry.release.sentry),
        ("tag", entry.release.tag),
        ("deploy", entry.release.deploy),
    ):
        if pattern.count("{version}") != 1:
            faults.append(f"{where}: release.{key} must hold {{version}} once")
        if key != "sentry" and ("{build}" in pattern or "*" in pattern):
            faults.append(
                f"{where}: release.{key} must be whole: {{build}} and * may stand in release.sentry alone"
            )
    if entry.repository is not None and not _REPOSITORY.fullmatch(entry.repository):
        faults.append(f"{where}: repository must be owner/name")
    neighbours: list[str] = []
    for word in entry.depends_on:
        neighbour = known.get(word.casefold())
        if neighbour == name:
            warnings.append(f"{where}: depends_on names the service itself ({word!r}); left out")
        elif neighbour is not None:
            neighbours.append(neighbour)
        elif word not in declared:
            faults.append(
                f"{where}: depends_on names {word!r}, which is no service{_nearest(word, sorted(known))}"
            )
    owners = (
        entry.owners.replace(",", " ").split() if isinstance(entry.owners, str) else entry.owners
    )
    return Service(
        name=name,
        aliases=tuple(entry.aliases),
        owners=tuple(dict.fromkeys(owners)),
        sentry=tuple(dict.fromkeys(entry.sentry)),
        environments=tuple(entry.environments),
        features=entry.features,
        region_tag=entry.region_tag,
        org_tag=entry.org_tag,
        not_users=tuple(entry.not_users),
        release=ReleaseNames(**entry.release.model_dump()),
        depends_on=tuple(dict.fromkeys(neighbours)),
        runbook=entry.runbook,
        one_way=tuple(entry.one_way),
        repository=entry.repository,
        deployer=entry.deployer,
        deploy=_deploy(entry, where, beside, faults),
        checkout=_directory(entry.checkout, beside),
        bisect=tuple(entry.bisect),
        endpoint=entry.endpoint,
        linear_team=entry.linear_team,
        adr=_adr(entry.adr, where, beside, faults),
        **numbers,
    )


def _deploy(
    entry: _Entry, where: str, beside: Path, faults: list[str]
) -> DeployCommands | DeployWorkflow | None:
    match entry.deployer:
        case None:
            if entry.deploy is not None:
                faults.append(f'{where}: deploy needs deployer = "command" or "github" beside it')
            return None
        case "github":
            if entry.repository is None:
                faults.append(f'{where}: deployer = "github" needs repository = "owner/name"')
            workflow = _checked(_Workflow, entry.deploy or {}, f"{where}, deploy", faults)
            return DeployWorkflow(**workflow.model_dump()) if workflow else None
        case "command":
            if entry.deploy is None:
                faults.append(
                    f'{where}: deployer = "command" needs deploy with directory, run, current and releases'
                )
                return None
            commands = _checked(_Commands, entry.deploy, f"{where}, deploy", faults)
            if commands is None:
                return None
            _placeholders(commands, f"{where}, deploy", faults)
            return DeployCommands(
                directory=_directory(commands.directory, beside) or "",
                run=tuple(commands.run),
                current=tuple(commands.current),
                releases=tuple(commands.releases),
                hotfix=tuple(commands.hotfix),
                limit_seconds=commands.limit_seconds,
            )


def _placeholders(commands: _Commands, where: str, faults: list[str]) -> None:
    """A placeholder fills one whole argument, so that no name of a release can become anything else than an argument."""
    for key in ("run", "current", "releases", "hotfix"):
        for argument in getattr(commands, key):
            for placeholder in ("{release}", "{commit}", "{version}"):
                if placeholder in argument and argument != placeholder:
                    faults.append(
                        f"{where}: {key}: {placeholder} must be a whole argument of its own, not a part of {argument!r}"
                    )
    if not {"{release}", "{version}", "{commit}"} & set(commands.run):
        faults.append(f"{where}: run never names what to deploy: one argument must be {{release}}")
    if commands.hotfix and not {"{commit}", "{release}"} & set(commands.hotfix):
        faults.append(
            f"{where}: hotfix never names what to deploy: one argument must be {{commit}}"
        )


def _adr(entry: _Adr | None, where: str, beside: Path, faults: list[str]) -> AdrPlace | None:
    if entry is None:
        return None
    if (entry.directory is None) == (entry.repository is None):
        faults.append(f"{where}: adr needs either directory or repository")
    if entry.repository is not None and not _REPOSITORY.fullmatch(entry.repository):
        faults.append(f"{where}: adr.repository must be owner/name")
    return AdrPlace(
        directory=_directory(entry.directory, beside),
        repository=entry.repository,
        path=entry.path.strip("/"),
    )


def _directory(value: str | None, beside: Path) -> str | None:
    """Absolute; `~` is the bot's home, and what is relative is beside the file."""
    return str(beside / Path(value).expanduser()) if value else None
