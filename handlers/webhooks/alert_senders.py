"""Other systems show by a signature, a password or a token that an alert is theirs.

One of the secrets of `ALERT_WEBHOOK_SECRET` has to fit, in the way in which the sender can show it:

- ours: `X-Firebreak-Signature: sha256=<HMAC-SHA256 of the raw body>`;
- PagerDuty: `X-PagerDuty-Signature: v1=<the same>[,v1=…]`
  (https://developer.pagerduty.com/docs/verifying-webhook-signatures);
- Grafana 12: `X-Grafana-Alerting-Signature: <the same>`, of `<timestamp>:<body>` where a header for
  the timestamp is set
  (https://grafana.com/docs/grafana/latest/alerting/configure-notifications/manage-contact-points/integrations/webhook-notifier/);
- Alertmanager, Grafana and Datadog: `Authorization: Bearer <secret>`, or Basic with the secret as
  the password.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Iterable

from starlette.datastructures import Headers
from starlette.requests import Request

GRAFANA = "x-grafana-alerting-signature"
GRAFANA_TIMES = ("x-grafana-alerting-timestamp", "x-grafana-alerting-signature-timestamp")
"""Any name can be chosen; these are the ones of Grafana's own pages."""


def secrets_of(text: str) -> tuple[str, ...]:
    """Return the secrets of the setting, which may hold one for each sender, with commas."""
    return tuple(part for part in map(str.strip, text.split(",")) if part)


def sent_by(secrets: Iterable[str]) -> Callable[[Request, bytes], bool]:
    """Return the check of a request: does it show one of the secrets?"""
    known = tuple(secrets)

    def fits(request: Request, raw: bytes) -> bool:
        headers = request.headers
        return any(
            _equal_secrets(given, shown)
            for secret in known
            for given, shown in _proofs(headers, raw, secret)
        )

    return fits


def bearer(request: Request) -> str | None:
    """Return the token of `Authorization: Bearer …`; None where there is none."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.casefold() == "bearer" else None


def token_fits(given: str | None, expected: str) -> bool:
    return given is not None and _equal_secrets(given, expected)


def _proofs(headers: Headers, raw: bytes, secret: str) -> Iterable[tuple[str, str]]:
    """Yield what the request shows, and what it would show with this secret."""
    if ours := headers.get("x-firebreak-signature"):
        yield ours, f"sha256={_hex(secret, raw)}"
    for part in headers.get("x-pagerduty-signature", "").split(","):
        if part.strip():
            yield part, f"v1={_hex(secret, raw)}"
    if grafana := headers.get(GRAFANA):
        yield grafana, _hex(secret, raw)
        for name in GRAFANA_TIMES:
            if at := headers.get(name):
                yield grafana, _hex(secret, at.encode() + b":" + raw)
    scheme, _, given = headers.get("authorization", "").partition(" ")
    if scheme.casefold() == "bearer":
        yield given, secret
    if scheme.casefold() == "basic":
        yield _password(given), secret


def _password(given: str) -> str:
    """Return the password of Basic authentication; empty where it cannot be read (RFC 7617)."""
    try:
        return base64.b64decode(given.strip(), validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _hex(secret: str, raw: bytes) -> str:
    return hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()


def _equal_secrets(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.strip().encode("utf-8", "replace"), expected.encode())
