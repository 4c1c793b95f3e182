"""Variables that are not the bot's own and that its clients obey: whom to believe, and which proxy to take.

Read here by the clients' own rules, so that a wrong one is a sentence at the start and not a traceback at the first call.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import httpx

PROXIES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")
_HASHED = re.compile(r"[0-9a-f]{8}\.\d+")
"""Files that OpenSSL finds in a folder: https://docs.openssl.org/3.0/man1/openssl-rehash/"""


def faults(environment: Mapping[str, str]) -> list[str]:
    """Return what is wrong with them, a sentence each. A proxy's address is never said: it may hold a password."""
    found = [*_file(environment.get("SSL_CERT_FILE", "")), *_folders(environment.get("SSL_CERT_DIR", ""))]
    return found + [wrong for name in PROXIES if (wrong := _proxy(name, environment.get(name, "")))]


def _file(name: str) -> list[str]:
    if not name:
        return []
    if not Path(name).is_file():
        return [f"SSL_CERT_FILE names {name}, and there is no such file: name a file of certificates in PEM form"]
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
            wrong.append(f"SSL_CERT_DIR names {name}, in which OpenSSL finds no certificate: run openssl rehash {name}")
    return wrong


def _proxy(name: str, value: str) -> str:
    if not value.strip():
        return ""
    try:
        scheme = urlsplit(value).scheme
        httpx.Proxy(value)
    except (ValueError, httpx.InvalidURL):
        scheme = ""
    if scheme in ("http", "https") and value == value.strip():
        return ""
    return f"{name} cannot be used: write it as http://proxy.example.com:3128 (with a user: http://name:password@…)"
