"""`REDIS_URL`, read by our own rules: every fault is named, and no fault holds a part of a secret.

`urllib.parse` reads a `/`, `?` or `#` in a password as the end of the host and repeats parts of it
in its errors. redis-py takes `redis://h/name` for database 0 and any `?x=` for an argument. So the
URL is parsed here, as in RFC 3986
(https://datatracker.ietf.org/doc/html/rfc3986#section-3), and anything else is refused.
"""

import ipaddress
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import unquote

from bot.config import pasted

CLUSTER, SENTINEL = ("redis+cluster", "rediss+cluster"), ("sentinel", "sentinels")
SECURE = ("rediss", "rediss+cluster", "sentinels")
SCHEMES = ("redis", "rediss", *CLUSTER, *SENTINEL, "unix")
SPELT = {"redis+sentinel": "sentinel", "rediss+sentinel": "sentinels"}
"""Other spellings of the same, which operators bring along."""
PORT, SENTINEL_PORT = 6379, 26379
FORM = {
    "redis": "redis://user:password@host:6379/0",
    "rediss": "rediss://user:password@host:6379/0",
    "redis+cluster": "redis+cluster://user:password@h1:6379,h2:6379",
    "rediss+cluster": "rediss+cluster://user:password@h1:6379,h2:6379",
    "unix": "unix:///run/redis.sock?db=0",
    "sentinel": "sentinel://user:password@h1:26379,h2:26379/master?db=0",
    "sentinels": "sentinels://user:password@h1:26379,h2:26379/master?db=0",
}
WRITTEN = "/ as %2F, # as %23, ? as %3F, [ as %5B, ] as %5D, @ as %40, : as %3A, % as %25"
_LOGIN = ("username", "password")
_TLS_FILES = ("ssl_ca_certs", "ssl_ca_path", "ssl_certfile", "ssl_keyfile")
_TLS = (*_TLS_FILES, "ssl_cert_reqs", "ssl_check_hostname")
_SENTINELS = ("sentinel_username", "sentinel_password")
TAKEN: Mapping[str, tuple[str, ...]] = {
    "redis": ("db", *_LOGIN),
    "rediss": ("db", *_LOGIN, *_TLS),
    "redis+cluster": ("db", *_LOGIN),
    "rediss+cluster": ("db", *_LOGIN, *_TLS),
    "unix": ("db", *_LOGIN),
    "sentinel": ("db", *_LOGIN, *_SENTINELS),
    "sentinels": ("db", *_LOGIN, *_SENTINELS, *_TLS),
}
"""The parameters of each scheme. Time limits are the bot's own: an ack waits for a bounded time."""
_SECRET = ("password", "sentinel_password")
_YES, _NO = ("true", "yes", "on", "1"), ("false", "no", "off", "0")
_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9_.])?")
_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}")


class WrongAddress(ValueError):
    """The faults of a URL. None of them repeats a part of the URL that may be a secret."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(f"REDIS_URL {fault}" for fault in faults))
        self.faults = tuple(faults)


@dataclass(frozen=True, slots=True)
class Address:
    """The place of Redis, and the bot's login there."""

    scheme: str
    hosts: tuple[tuple[str, int], ...] = ()
    """One host, or any number of sentinels or of nodes of a cluster."""
    path: str = ""
    """The path of a unix socket."""
    master: str = ""
    """The sentinels' name of the primary."""
    db: int = 0
    username: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    sentinel_username: str | None = field(default=None, repr=False)
    sentinel_password: str | None = field(default=None, repr=False)
    tls: Mapping[str, str | bool] = field(default_factory=dict[str, "str | bool"])
    """Arguments of redis-py's connection."""

    @property
    def secure(self) -> bool:
        return self.scheme in SECURE

    @property
    def kind(self) -> Literal["one", "cluster", "sentinel", "unix"]:
        if self.scheme in CLUSTER:
            return "cluster"
        if self.scheme in SENTINEL:
            return "sentinel"
        return "unix" if self.scheme == "unix" else "one"


def faults(url: str) -> tuple[str, ...]:
    """Return everything that is wrong with such a URL."""
    try:
        parsed(url)
    except WrongAddress as wrong:
        return wrong.faults
    return ()


def parsed(url: str) -> Address:
    """Parse the URL. Raises `WrongAddress` with everything that is wrong."""
    scheme, colon, rest = url.strip().partition("://")
    scheme = SPELT.get(scheme.lower(), scheme.lower())
    if not colon or scheme not in SCHEMES:
        *schemes, last = (f"{known}://" for known in SCHEMES)
        raise WrongAddress([f"must begin with {', '.join(schemes)} or {last}"])
    if not pasted.is_text(url):
        raise WrongAddress([pasted.NO_TEXT])
    if pasted.unfilled(url):
        raise WrongAddress([pasted.UNFILLED])
    if any(char.isspace() or not char.isprintable() for char in rest):
        raise WrongAddress(["has a blank or a line break inside it"])
    return _Reader(scheme, rest).address()


class _Reader:
    """Parses one URL and collects its faults."""

    def __init__(self, scheme: str, rest: str) -> None:
        self._scheme = scheme
        self._faults: list[str] = []
        before, self._hash, _ = rest.partition("#")
        before, _, query = before.partition("?")
        authority, slash, path = before.partition("/")
        self._login, self._at, self._hosts = authority.rpartition("@")
        self._path = slash + path
        behind = rest[len(authority) :]
        self._split = "@" in behind and not (scheme == "unix" and not authority)
        """An @ behind the host: the seeming host is the beginning of a password."""
        self._query = query
        self._given: dict[str, str] = {}

    def address(self) -> Address:
        if self._split:
            fault = (
                "has a / ? or # in its user, its password or a parameter: write it "
                f"percent-encoded ({WRITTEN})"
            )
            raise WrongAddress([fault])
        if self._hash:
            self._faults.append("has something behind a #; in a password a # is written %23")
        self._read_query()
        username, password = self._read_login()
        hosts = self._read_hosts()
        tls = self._read_tls()
        path = master = ""
        if self._scheme == "unix":
            path, db = self._socket(), self._db("")
        elif self._scheme in SENTINEL:
            master, db = self._master(), self._db("")
        else:
            db = self._db(self._path.removeprefix("/").removesuffix("/"))
            if db and self._scheme in CLUSTER:
                self._faults.append(
                    "names a database: the bot uses a cluster's database 0, so leave it out"
                )
        if self._faults:
            raise WrongAddress(list(dict.fromkeys(self._faults)))
        return Address(
            self._scheme,
            hosts,
            path,
            master,
            db,
            username,
            password,
            self._given.get("sentinel_username"),
            self._given.get("sentinel_password"),
            tls,
        )

    def _read_query(self) -> None:
        for part in self._query.split("&") if self._query else ():
            name, _, value = part.partition("=")
            if name not in TAKEN[self._scheme]:
                self._faults.append(self._unknown_option(name))
            elif name in self._given:
                self._faults.append(f"gives {name} twice")
            else:
                self._given[name] = self._decoded(value, name)

    def _unknown_option(self, name: str) -> str:
        # The rest of a password behind an & looks like a name: such a name is not repeated.
        secret = any(f"{field}=" in self._query for field in _SECRET)
        shown = name if re.fullmatch(r"[a-z][a-z_]{0,30}", name) and not secret else "one"
        takes = ", ".join(TAKEN[self._scheme])
        return (
            f"has a parameter that the bot does not know ({shown}); {self._scheme}:// takes {takes}"
        )

    def _decoded(self, text: str, part: str) -> str:
        """Decode escapes. A % that begins no escape is one, unless other % begin escapes."""
        escapes = len(_ESCAPE.findall(text))
        if escapes and text.count("%") > escapes:
            self._faults.append(f"has a % in its {part} that is not percent-encoded: write it %25")
        return unquote(text)

    def _read_login(self) -> tuple[str | None, str | None]:
        user, colon, password = self._login.partition(":")
        username = self._decoded(user, "user") or None
        secret = self._decoded(password, "password") if colon else None
        for name, here in zip(_LOGIN, (username, secret), strict=True):
            if here and self._given.get(name):
                self._faults.append(f"gives {name} twice")
        username = username or self._given.get("username") or None
        return username, secret or self._given.get("password") or None

    def _read_hosts(self) -> tuple[tuple[str, int], ...]:
        if self._scheme == "unix":
            if self._hosts:
                self._faults.append(f"needs three slashes before its path ({FORM['unix']})")
            return ()
        several = self._scheme in (*SENTINEL, *CLUSTER)
        default = SENTINEL_PORT if self._scheme in SENTINEL else PORT
        named = self._hosts.split(",") if several else [self._hosts]
        hosts = [self._host(name, default) for name in named]
        return tuple(host for host in hosts if host is not None)

    def _host(self, text: str, default: int) -> tuple[str, int] | None:
        what = "sentinel" if self._scheme in SENTINEL else "host"
        if text.startswith("["):
            host, bracket, port = text[1:].partition("]")
            host = unquote(host)
            if not bracket or not _is_ipv6(host) or (port and not port.startswith(":")):
                self._faults.append("has something in [ ] that is no IPv6 address")
                return None
            port = port.removeprefix(":")
        elif text.count(":") > 1:
            self._faults.append(
                f"has a {what} and a port that cannot be told apart: an IPv6 address stands in "
                "[ ], and user and password end with @"
            )
            return None
        else:
            host, _, port = text.partition(":")
            host = unquote(host)
        if not host:
            self._faults.append(f"names no {what} ({FORM[self._scheme]})")
            return None
        if "," in host:
            self._faults.append(
                f"names several hosts: those of a cluster are written {FORM['redis+cluster']}, "
                f"sentinels {FORM['sentinel']}"
            )
            return None
        if not _is_ipv6(host) and not _HOST.fullmatch(host):
            self._faults.append(f"has a {what} with a character that no {what} has")
            return None
        if port and not (port.isascii() and port.isdecimal() and 1 <= int(port[:6]) <= 65535):
            self._faults.append("has a port that is no number from 1 to 65535")
            return None
        return host, int(port) if port else default

    def _socket(self) -> str:
        path = unquote(self._path)
        if not path.strip("/"):
            self._faults.append(f"names no socket ({FORM['unix']})")
        return path

    def _master(self) -> str:
        name = unquote(self._path.strip("/"))
        if not name or "/" in name:
            self._faults.append(
                "must end with the name of the master that the sentinels watch "
                "(sentinel://h1:26379,h2:26379/master)"
            )
        return name

    def _db(self, path: str) -> int:
        given = self._given.get("db", "")
        if path and not _is_number(path):
            self._faults.append(
                "has something behind the host that is no number: only the number of a database "
                "may stand there (/0)"
            )
            return 0
        if "db" in self._given and not _is_number(given):
            self._faults.append("has a db that is no number")
            return 0
        if path and given and int(path) != int(given):
            self._faults.append("names two databases")
        return int(given or path or 0)

    def _read_tls(self) -> dict[str, str | bool]:
        tls: dict[str, str | bool] = {}
        for name in _TLS:
            if (value := self._given.get(name)) is None:
                continue
            if name == "ssl_cert_reqs":
                value = value.lower().removeprefix("cert_")
                if value not in ("required", "optional", "none"):
                    self._faults.append(
                        "has an ssl_cert_reqs that is not required, optional or none"
                    )
                tls[name] = value
            elif name == "ssl_check_hostname":
                if value.lower() not in (*_YES, *_NO):
                    self._faults.append("has an ssl_check_hostname that is not true or false")
                tls[name] = value.lower() in _YES
            else:
                if not Path(value).exists():
                    self._faults.append(f"names a file in {name} that is not there")
                tls[name] = value
        if not self._faults:
            self._faults += _unreadable(tls)
        return tls


def _unreadable(tls: Mapping[str, str | bool]) -> list[str]:
    """Return OpenSSL's faults of the files at the first connection.

    Nobody is asked for the passphrase of a key.
    """
    wrong: list[str] = []
    context, asked_for = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), list[bool]()
    file, key = tls.get("ssl_certfile"), tls.get("ssl_keyfile")
    try:
        if authorities := tls.get("ssl_ca_certs"):
            context.load_verify_locations(cafile=str(authorities))
    except (OSError, ValueError):
        wrong.append(
            "names a file in ssl_ca_certs that holds no certificate in PEM form, or cannot be read"
        )
    if key and not file:
        return [*wrong, "gives ssl_keyfile without ssl_certfile"]
    if not file:
        return wrong
    try:
        context.load_cert_chain(
            str(file),
            str(key) if key else None,
            password=lambda: str(asked_for.append(True) or "-"),
        )
    except (OSError, ValueError) as error:
        if asked_for:
            wrong.append(
                "names a key with a passphrase, which nobody can type in for the bot: name one "
                "without"
            )
        elif getattr(error, "reason", None) == "KEY_VALUES_MISMATCH":
            wrong.append("names a key that does not belong to the certificate in ssl_certfile")
        else:
            also = "" if key else "; a key that is not in it is named in ssl_keyfile"
            wrong.append(
                "names files in ssl_certfile and ssl_keyfile that cannot be used as certificate "
                f"and key{also}"
            )
    return wrong


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 9


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True
