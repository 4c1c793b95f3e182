"""The reasons why a request was not answered, in words.

httpx and aiohttp tell them in the errors below their own. What is not known here is not guessed at.
No address, header or certificate's content is said.
"""

import errno
import os
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
import httpx

SAID = "; to trust it, name its authority's certificate in SSL_CERT_FILE"
TRUST = (
    "SSL_CERT_FILE: a file with the certificate, in PEM form, of the authority that signed it "
    "(docs/operations.md)"
)
NOT_TRUSTED = {
    # https://docs.openssl.org/3.0/man3/X509_STORE_CTX_get_error/#error-codes
    9: (
        "is not valid yet by the clock here",
        "set the clock here right, or have a valid certificate issued",
    ),
    10: ("has expired by the clock here", "have it renewed where the system runs"),
    18: ("is self-signed and not trusted here" + SAID, TRUST),
    19: ("has an unknown issuer, which is self-signed" + SAID, TRUST),
    20: ("has an unknown issuer" + SAID, TRUST),
    21: ("has an unknown issuer" + SAID, TRUST),
    23: ("was revoked", "have another one issued where the system runs"),
    62: (
        "is for another host name",
        "write the name that stands in the certificate into the settings",
    ),
    64: (
        "is for another host than this IP address",
        "write the name that stands in the certificate into the settings",
    ),
}
NO_TLS = frozenset(
    {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"}
)
"""What OpenSSL reads where the other side does not speak TLS."""
OWN_CERTIFICATE = frozenset({"TLSV13_ALERT_CERTIFICATE_REQUIRED"})
"""TLS 1.2 says only *handshake failure* for the same."""
NO_ROUTE = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN})
E = TypeVar("E", bound=BaseException)
NEVER_SENT = "the request was never sent"


@dataclass(frozen=True, slots=True)
class Why:
    """`says` is a sentence about the system; `mend` what helps, where that is known."""

    says: str
    mend: str = ""
    sent: bool = False
    """Whether the request may have arrived."""
    final: bool = False
    """Sent again it would fail in the same way."""
    by_people: bool = False
    """Only people can mend it, so whoever waits for an answer is told at once."""


def cause_of(system: str, error: BaseException, url: str = "") -> Why:
    """Return why `error` came instead of an answer. `url` tells whether a proxy was used."""
    chain = list(_chain(error))
    # aiohttp's own classes are TLS's, too, and empty.
    below = [cause for cause in chain if not isinstance(cause, aiohttp.ClientError)]
    if fault := _first_of_kind(
        below, ssl.SSLCertVerificationError
    ):  # a ValueError, too: it comes first
        unknown = (f"is not accepted: {fault.verify_message}", "")
        says, mend = NOT_TRUSTED.get(fault.verify_code, unknown)
        return Why(f"{system}'s certificate {says}", mend, by_people=True)
    if isinstance(
        error, httpx.LocalProtocolError | httpx.UnsupportedProtocol | httpx.InvalidURL | ValueError
    ):
        return _never_sent(system, error)
    if isinstance(error, httpx.DecodingError):
        return Why(f"{system} answered with something that cannot be unpacked", sent=True)
    if (by := _by_proxy(chain)) is not None:
        return Why(
            f"{system} cannot be reached through the proxy: {by}",
            "check HTTPS_PROXY, HTTP_PROXY and NO_PROXY",
        )
    if (broken := _first_of_kind(below, ssl.SSLError)) and not _broken_off(broken):
        return _without_tls(system, broken)
    if (odd := _first_of_kind(chain, httpx.RemoteProtocolError)) and "illegal" in str(odd):
        return _no_http(system, odd)
    if (reason := _not_connected(chain)) is not None:
        through = " through the proxy" if _proxied(url) else ""
        return Why(f"{system} cannot be reached{through}: {reason}")
    return Why(f"{system} broke off the connection", sent=True)


def _never_sent(system: str, error: BaseException) -> Why:
    if isinstance(error, httpx.UnsupportedProtocol | httpx.InvalidURL | aiohttp.InvalidURL):
        return Why(f"{NEVER_SENT}: the address set for {system} is no URL", final=True)
    if isinstance(error, httpx.LocalProtocolError) and "header" not in str(error).lower():
        return Why(f"{NEVER_SENT} to {system}: it breaks the rules of HTTP", final=True)
    says = f"{NEVER_SENT} to {system}: a header has a character that none may have"
    return Why(
        says, f"set the token of {system} anew, without a line break or a blank in it", final=True
    )


def _by_proxy(chain: list[BaseException]) -> str | None:
    """Return the proxy's own words, or that it is not there."""
    for cause in chain:
        if isinstance(cause, httpx.ProxyError):
            return " ".join(str(cause).split())[:80] or "it refuses"
        if isinstance(cause, aiohttp.ClientHttpProxyError):
            return f"{cause.status} {cause.message}"[:80]
        if isinstance(cause, aiohttp.ClientProxyConnectionError):
            return _not_connected(chain) or "it cannot be reached"
    return None


def _without_tls(system: str, error: ssl.SSLError) -> Why:
    if error.reason in OWN_CERTIFICATE:
        # https://www.rfc-editor.org/rfc/rfc8446#section-6.2
        says = (
            f"{system} cannot be reached: what answers there wants a certificate of the bot's own"
        )
        mend = "let the bot in there without a client certificate"
        return Why(f"{says}, and the bot has none", mend, by_people=True)
    if error.reason in NO_TLS:
        says = f"{system} cannot be reached: what answers on that port does not speak TLS"
        return Why(f"{says}, as https:// asks for")
    reason = (error.reason or "for no reason given").replace("_", " ").lower()
    return Why(f"{system} cannot be reached: TLS failed ({reason})")


def _no_http(system: str, error: BaseException) -> Why:
    tls = "\\x15\\x03" in str(error)  # an alert: https://www.rfc-editor.org/rfc/rfc8446#section-5.1
    how = "speaks TLS: its address begins with https://" if tls else "does not speak HTTP"
    return Why(f"{system} cannot be reached: what answers on that port {how}", sent=True)


def _not_connected(chain: list[BaseException]) -> str | None:
    """Return why there was no connection; None where there was one, or nobody knows."""
    if unknown := _first_of_kind(chain, socket.gaierror):
        away = unknown.errno == socket.EAI_AGAIN
        why = "the name server does not answer" if away else "no such name"
        return f"its host name cannot be resolved ({why})"
    if _first_of_kind(chain, ConnectionRefusedError):
        return "connection refused, nothing listens there"
    if any(isinstance(cause, OSError) and cause.errno in NO_ROUTE for cause in chain):
        return "there is no route to it"
    if _first_of_kind(chain, httpx.ConnectError) or _first_of_kind(
        chain, aiohttp.ClientConnectorError
    ):
        numbers = (cause.errno for cause in reversed(chain) if isinstance(cause, OSError))
        number = next(filter(None, numbers), None)
        return os.strerror(number).lower() if number else "no connection"
    return None


def _broken_off(error: ssl.SSLError) -> bool:
    """Return whether the other side was gone in the middle: no fault of TLS."""
    return isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError)


def _proxied(url: str) -> bool:
    """Return whether a proxy of the environment is used, as httpx and the Slack SDK read it."""
    parts, proxies = urlsplit(url), getproxies()
    if not (proxies.get(parts.scheme) or proxies.get("all")):
        return False
    return not proxy_bypass(parts.hostname or "")


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield the error, and every one that it came from."""
    known: set[int] = set()
    waiting: list[BaseException] = [error]
    while waiting:
        cause = waiting.pop(0)
        if id(cause) in known:
            continue
        known.add(id(cause))
        yield cause
        below: list[object] = [cause.__cause__, cause.__context__]
        below += [getattr(cause, name, None) for name in ("certificate_error", "os_error")]
        if isinstance(cause, BaseExceptionGroup):  # anyio, where a name has several addresses
            below += cause.exceptions
        waiting += [deeper for deeper in below if isinstance(deeper, BaseException)]


def _first_of_kind(chain: list[BaseException], kind: type[E]) -> E | None:
    return next((cause for cause in chain if isinstance(cause, kind)), None)
