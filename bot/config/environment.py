"""Variables of the bot's clients: certificates and proxies.

They are checked by the clients' own rules, so that a wrong one is a sentence at the start and not a
traceback at the first call.
"""

import re
import ssl
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from bot.config import pasted

VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "NO_PROXY", "no_proxy")
PROXIES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")
_HASHED = re.compile(r"[0-9a-f]{8}\.\d+")
"""Files that OpenSSL finds in a folder: https://docs.openssl.org/3.0/man1/openssl-rehash/"""


def strip(environment: MutableMapping[str, str]) -> None:
    """Take off blanks and quotes around the values: the clients would not."""
    for name in (*VARIABLES, *PROXIES):
        if name in environment:
            environment[name] = pasted.clean(environment[name])


def faults(environment: Mapping[str, str]) -> list[str]:
    """Return the faults, a sentence each. None repeats a proxy's URL: it may hold a password."""
    return [
        *_file(environment.get("SSL_CERT_FILE", "")),
        *_folders(environment.get("SSL_CERT_DIR", "")),
        *(wrong for name in PROXIES if (wrong := _proxy(name, environment.get(name, "")))),
    ]


def _file(name: str) -> list[str]:
    if not name:
        return []
    if "-----BEGIN" in name or len(name.splitlines()) > 1:
        return [
            "SSL_CERT_FILE holds a certificate or a key itself: put it into a file, and name that"
        ]
    if not Path(name).is_file():
        return [
            f"SSL_CERT_FILE names {name}, and there is no such file: name a file of "
            "certificates in PEM form"
        ]
    try:
        ssl.create_default_context(cafile=name)
    except ssl.SSLError:
        return [f"SSL_CERT_FILE names {name}, which holds no certificate in PEM form"]
    except OSError as error:
        return [f"SSL_CERT_FILE names {name}, which cannot be read: {error.strerror}"]
    return []


def _folders(names: str) -> list[str]:
    wrong: list[str] = []
    for name in filter(None, names.split(":")):
        folder = Path(name)
        if not folder.is_dir():
            wrong.append(f"SSL_CERT_DIR names {name}, and there is no such folder")
        elif not any(_HASHED.fullmatch(file.name) for file in folder.iterdir()):
            wrong.append(
                f"SSL_CERT_DIR names {name}, in which OpenSSL finds no certificate: run openssl "
                f"rehash {name}"
            )
    return wrong


def _proxy(name: str, value: str) -> str:
    if not value.strip():
        return ""
    try:
        parts = urlsplit(value)
        httpx.Proxy(value)
    except (ValueError, httpx.InvalidURL):
        parts = urlsplit("")
    # Nothing follows a proxy's host: there a password ends that is not percent-encoded.
    plain = not (
        parts.path.strip("/") or parts.query or parts.fragment or "@" in value.partition("@")[2]
    )
    if parts.scheme in ("http", "https") and plain and value == value.strip():
        return ""
    return (
        f"{name} cannot be used: write it as http://proxy.example.com:3128 (with a user: "
        "http://name:password@…, percent-encoded)"
    )
