"""The service catalogue: `services.toml` read into `Service` values, every fault said at once."""

import itertools
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast

from pydantic import BaseModel, ValidationError

from bot.config import text_file
from bot.config.addresses import is_url
from bot.config.catalogue_faults import (
    COMPUTED,
    Numbers,
    fault_sentence,
    keys_of,
    nearest_of,
    placeholder_faults,
    turn_off_faults,
)
from bot.config.settings import Faults, Settings
from phases.record.service import DeployCommands, DeployWorkflow, Service
from phases.text.letters import spelled

DEFAULT = "default"
"""The one service of a bot without a catalogue."""

# A name is a part of Redis keys, so it has no colon.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._ -]{0,58}[A-Za-z0-9]|[A-Za-z0-9]")
_REPOSITORY = re.compile(r"[A-Za-z0-9-]+/[A-Za-z0-9._-]+")
_UNSPACED = (
    "(?-i:[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"
    "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff])"
)
"""Letters of scripts without blanks between words (Thai, Lao, Burmese, Khmer, Japanese, Chinese),
and of Korean, whose endings have none. None has a case, and Python need not look each of them up
for one: that took 10 ms a catalogue."""
_LETTER = rf"(?!{_UNSPACED})[^\W_]"
_URL_IN_TEXT = re.compile(r"https?://[^\s>|]+")


Model = TypeVar("Model", bound=BaseModel)


class Catalogue:
    """The services, each with the settings' numbers. Implements `phases.ports.ports.Catalogue`."""

    def __init__(self, services: Sequence[Service], warnings: Sequence[str] = ()) -> None:
        self._services = {service.name: _with_neighbours(service, services) for service in services}
        self.warnings = tuple(warnings)
        """Oddities that do no harm; `firebreak doctor` shows them."""
        self._names: dict[str, str] = {}
        self._by_project: dict[str, str] = {}
        for service in services:
            self._by_project |= dict.fromkeys(service.sentry, service.name)
            for word in (service.name, *service.aliases):
                self._names[spelled(word).casefold()] = service.name
        # The longest first: "shop-api is down" does not name the service "shop".
        words = sorted(self._names, key=lambda word: (-len(word), word))
        self._pattern = re.compile(_whole_words(words), re.IGNORECASE)

    def get(self, name: str) -> Service | None:
        """Return the service with this name or, failing that, with this alias."""
        return self._services.get(name) or self._services.get(
            self._names.get(spelled(name).strip().casefold(), "")
        )

    def all(self) -> Sequence[Service]:
        return tuple(self._services.values())

    def named_in(self, text: str) -> Service | None:
        """Return the service that the text names as a whole word.

        Where the text names none, the only service there is; else None. URLs do not count as text:
        a link holds all kinds of names.
        """
        text = spelled(_URL_IN_TEXT.sub(" ", text))
        named = {self._names[match.group().casefold()] for match in self._pattern.finditer(text)}
        if len(named) == 1:
            return self._services[named.pop()]
        if not named and len(self._services) == 1:
            return next(iter(self._services.values()))
        return None

    def by_sentry_project(self, slug: str) -> Service | None:
        return self._services.get(self._by_project.get(slug, ""))


def _whole_words(words: Iterable[str]) -> str:
    """Return a pattern that finds a name only where it is not a part of another word.

    Names stand in their order. Those that may stand between the same letters share what looks at
    these, since Python reads that slowly.
    """
    parts: list[str] = []
    for (before, behind), alike in itertools.groupby(words, _affixes):
        parts.append(f"{before}(?:{'|'.join(map(re.escape, alike))}){behind}")
    return "|".join(parts)


def _affixes(word: str) -> tuple[str, str]:
    """Return the patterns of what may stand before and behind a name.

    Marks of slanted words (`_shop_`) and letters written without blanks (`shopが`) end a word.
    """
    before = "" if re.match(_UNSPACED, word) else f"(?<!{_LETTER})(?<!{_LETTER}_)"
    behind = "" if re.match(_UNSPACED, word[-1:]) else f"(?!_?{_LETTER})"
    return before, behind


def _with_neighbours(service: Service, services: Sequence[Service]) -> Service:
    """Return the service with the patterns of the others in its repository.

    A tag that fits one of these patterns is never the service's own.
    """
    repository = (service.repository or "").lower()
    others = [
        other.release
        for other in services
        if repository
        and other.name != service.name
        and (other.repository or "").lower() == repository
    ]
    own = service.release
    tags = dict.fromkeys(p for names in others for p in (names.tag, names.deploy))
    in_sentry = dict.fromkeys(names.sentry for names in others)
    return service.model_copy(
        update={
            "beside": tuple(p for p in tags if p not in ("{version}", own.tag, own.deploy)),
            "beside_in_sentry": tuple(p for p in in_sentry if p not in ("{version}", own.sentry)),
        }
    )


def load(settings: Settings) -> Catalogue:
    """Return the catalogue that the settings name. Raises `Faults`."""
    numbers: Numbers = {
        "window_seconds": settings.window_seconds,
        "recheck_after_seconds": settings.recheck_after_seconds,
        "recheck_until_seconds": settings.recheck_until_seconds,
    }
    path = settings.services_file
    if not path.exists():
        if "services_file" in settings.model_fields_set:
            raise Faults([_missing_file(path)])
        return Catalogue([Service(name=DEFAULT, **numbers)])
    return read(path, numbers)


def _missing_file(path: Path) -> str:
    return (
        f"SERVICES_FILE names {path}, and there is no such file: write it, or unset SERVICES_FILE"
    )


def faults(path: Path, named: bool = False) -> tuple[str, ...]:
    """Return everything that is wrong with the file. A missing file is a fault if it is `named`."""
    try:
        if path.exists():
            read(path)
        elif named:
            return (_missing_file(path),)
    except Faults as wrong:
        return wrong.faults
    return ()


def read(path: Path, numbers: Numbers | None = None) -> Catalogue:
    """Read one file. Raises `Faults` with everything that is wrong."""
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
    reading = _Reading(path.resolve().parent, numbers or {}, faults)
    services = reading.services(cast(dict[str, Any], tables))
    if faults:
        raise Faults(faults)
    return Catalogue(services or [Service(name=DEFAULT, **numbers or {})], reading.warnings)


@dataclass
class _Reading:
    """One file as it is read. Whatever is wrong is added to `faults`."""

    folder: Path
    """Relative directories are beside the file."""
    numbers: Numbers
    faults: list[str]
    warnings: list[str] = field(default_factory=list[str])

    def services(self, tables: Mapping[str, Any]) -> list[Service]:
        services: dict[str, Service] = {}
        for name, table in tables.items():
            if not _NAME.fullmatch(name):
                self.faults.append(
                    f"service {name!r}: a name has letters a to z, digits, '.', '_', '-' and "
                    "blanks, at most 60; aliases may have any letters"
                )
            if (service := self._service(name, table)) is not None:
                services[name] = service
        names = self._names(services)
        self._one_service_a_project(services)
        declared = set(tables) | set(names)
        for service in services.values():
            self._check(service)
        return [
            self._placed(service, self._neighbours(service, names, declared))
            for service in services.values()
        ]

    def _service(self, name: str, table: Any) -> Service | None:
        """Return one service as its table is written, or None where the table has faults."""
        where = f"service {name}"
        if not isinstance(table, dict):
            return self._validated(Service, table, where)
        written = dict(cast(dict[str, Any], table))
        for key in COMPUTED:
            if key in written:
                del written[key]
                self.faults.append(f"{where}: unknown key {key}{nearest_of(key, keys_of(Service))}")
        if isinstance(written.get("deploy", {}), dict):
            written["deploy"] = self._deploy(written, where)
        return self._validated(Service, {**written, "name": name, **self.numbers}, where)

    def _deploy(
        self, service: Mapping[str, Any], where: str
    ) -> DeployCommands | DeployWorkflow | None:
        table = service.get("deploy")
        match service.get("deployer"):
            case "github":
                if "repository" not in service:
                    self.faults.append(
                        f'{where}: deployer = "github" needs repository = "owner/name"'
                    )
                return self._validated(DeployWorkflow, table or {}, f"{where}, deploy")
            case "command":
                if table is None:
                    self.faults.append(
                        f'{where}: deployer = "command" needs deploy with directory, run, current '
                        "and releases"
                    )
                    return None
                commands = self._validated(DeployCommands, table, f"{where}, deploy")
                if commands is not None:
                    self.faults += placeholder_faults(commands, f"{where}, deploy")
                return commands
            case None if table is not None:
                self.faults.append(
                    f'{where}: deploy needs deployer = "command" or "github" beside it'
                )
                return None
            case _:
                return None

    def _validated(self, model: type[Model], table: Any, where: str) -> Model | None:
        if not isinstance(table, dict):
            self.faults.append(f"{where}: must be a table")
            return None
        try:
            return model.model_validate(table)
        except ValidationError as error:
            sentences = (
                fault_sentence(model, dict(fault)) for fault in error.errors(include_url=False)
            )
            self.faults += [f"{where}: {sentence}" for sentence in dict.fromkeys(sentences)]
            return None

    def _names(self, services: Mapping[str, Service]) -> dict[str, str]:
        """Return every name and alias, folded, with its service.

        A word that means two services is a fault.
        """
        names: dict[str, str] = {}
        for name, service in services.items():
            for word in dict.fromkeys((name, *service.aliases)):
                if not word.strip():
                    self.faults.append(f"service {name}: aliases holds an empty word")
                    continue
                other = names.setdefault(word.casefold(), name)
                if other != name:
                    self.faults.append(
                        f"service {name}: {word!r} is a name or alias of service {other} already; "
                        "a word names one service"
                    )
        return names

    def _one_service_a_project(self, services: Mapping[str, Service]) -> None:
        owner: dict[str, str] = {}
        for name, service in services.items():
            for slug in service.sentry:
                other = owner.setdefault(slug, name)
                if other != name:
                    self.faults.append(
                        f"service {name}: Sentry project {slug!r} belongs to service {other} "
                        "already; a project is one service's"
                    )

    def _check(self, service: Service) -> None:
        """Add the faults that no single field shows."""
        where, adr = f"service {service.name}", service.adr
        for key, url in (("runbook", service.runbook), ("endpoint", service.endpoint)):
            if url is not None and not is_url(url):
                self.faults.append(f"{where}: {key} must be an http or https URL")
        for key, pattern in service.release:
            if pattern.count("{version}") != 1:
                self.faults.append(f"{where}: release.{key} must hold {{version}} once")
            if key != "sentry" and ("{build}" in pattern or "*" in pattern):
                self.faults.append(
                    f"{where}: release.{key} must be whole: {{build}} and * may stand in "
                    "release.sentry alone"
                )
        if service.repository is not None and not _REPOSITORY.fullmatch(service.repository):
            self.faults.append(f"{where}: repository must be owner/name")
        self.faults += turn_off_faults(service.turn_off, where)
        if adr is not None and (adr.directory is None) == (adr.repository is None):
            self.faults.append(f"{where}: adr needs either directory or repository")
        if adr is not None and adr.repository and not _REPOSITORY.fullmatch(adr.repository):
            self.faults.append(f"{where}: adr.repository must be owner/name")

    def _neighbours(
        self, service: Service, names: Mapping[str, str], declared: set[str]
    ) -> tuple[str, ...]:
        """Return the names of the services that this one depends on."""
        where = f"service {service.name}"
        neighbours: list[str] = []
        for word in service.depends_on:
            neighbour = names.get(word.casefold())
            if neighbour == service.name:
                self.warnings.append(
                    f"{where}: depends_on names the service itself ({word!r}); left out"
                )
            elif neighbour is not None:
                neighbours.append(neighbour)
            elif word not in declared:
                self.faults.append(
                    f"{where}: depends_on names {word!r}, which is no service"
                    f"{nearest_of(word, sorted(names))}"
                )
        return tuple(dict.fromkeys(neighbours))

    def _placed(self, service: Service, neighbours: tuple[str, ...]) -> Service:
        """Return the service with absolute directories and its neighbours by their names."""
        deploy, adr = service.deploy, service.adr
        if isinstance(deploy, DeployCommands):
            deploy = deploy.model_copy(update={"directory": self._directory(deploy.directory)})
        if adr is not None and adr.directory:
            adr = adr.model_copy(update={"directory": self._directory(adr.directory)})
        checkout = self._directory(service.checkout) if service.checkout else None
        deployed_in = deploy.directory if isinstance(deploy, DeployCommands) else None
        return service.model_copy(
            update={
                "depends_on": neighbours,
                "deploy": deploy,
                "adr": adr,
                "checkout": checkout,
                "turn_off_in": deployed_in or checkout or str(self.folder),
            }
        )

    def _directory(self, written: str) -> str:
        """Return an absolute path. `~` is the bot's home."""
        return str(self.folder / Path(written).expanduser())
