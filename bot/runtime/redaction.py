"""What a deploy or a script printed, made fit to be shown: whole lines, no control characters, nothing that looks like a secret."""

from __future__ import annotations

import re

from phases.record.findings import DeployOutput
from phases.record.text import foreign

LINE_LIMIT = 300
"""Characters of a line that are shown."""
LINES_SHOWN = 5
OUTPUT_LINES = 40
"""Newest lines that the thread shows …"""
OUTPUT_BYTES = 2_800
"""… and how much they may be together: one block of Slack's, and a tenth of a record."""

HIDDEN = "[redacted]"
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")

_WHOLE = re.compile(
    r"""
      xox[a-z]-[\w-]{8,} | xapp-[\w-]{8,}                        # Slack
    | gh[pousr]_\w{16,} | github_pat_\w{16,} | glpat-[\w-]{12,}   # GitHub, GitLab
    | sntry[suia]_[\w=+/-]{16,} | lin_(?:api|oauth|wh)_\w{16,}         # Sentry, Linear
    | (?:AKIA|ASIA)[0-9A-Z]{16}                                   # AWS
    | AIza[\w-]{30,} | ya29\.[\w-]{16,}                           # Google
    | (?:sk|pk|rk)_(?:live|test)_\w{8,} | sk-[\w-]{16,}           # Stripe and the like
    | npm_\w{20,} | pypi-[\w-]{20,} | dop_v1_\w{20,} | hvs\.[\w-]{20,}
    | eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*                             # JSON web tokens
    | https://hooks\.slack\.com/\S+ | https://discord(?:app)?\.com/api/webhooks/\S+
    """,
    re.VERBOSE,
)
_ADDRESS = re.compile(
    r"[\w.+-]+@(?!v?\d+\.\d+(?:\.\d+)?(?:[-+][\w.]+)?(?![\w.-]))[\w-]+\.[\w.-]*\w"
)
"""Whatever looks like an address, but for `shop@1.3.0`."""
_SURE_ADDRESS = re.compile(r"[\w.+-]+@(?:[\w-]+\.)+[A-Za-z]{2,}\b")
"""An address of a person, and not `shop@1.3.0`."""
_NAMED = re.compile(
    r"""(?ix)
    ( [\w.-]* (?: passw(?:or)?d | passphrase | secret | token | api[_-]?key | access[_-]?key | private[_-]?key
        | credential s? | auth[_-]?key | session[_-]?id ) [\w.-]* ["']? \s* [=:] \s* )
    ( "[^"]*" | '[^']*' | [^\s,;&"']+ )
    """
)
_FLAGGED = re.compile(r"(?i)(--?[\w-]*(?:password|secret|token|api-?key)[\w-]*\s+)(\S+)")
_HEADER = re.compile(r"(?i)\b((?:authorization|x-api-key|cookie|set-cookie)\s*:\s*)(.+)")
_BEARER = re.compile(r"(?i)\b((?:bearer|basic)\s+)([\w.~+/=-]{8,})")
_IN_URL = re.compile(r"(?i)\b([a-z][a-z0-9+.-]*://)([^\s/@]+)@")
_TELLING = re.compile(
    r"(?i)passw|passphrase|secret|token|key|credential|auth|session|cookie|bearer|basic"
)
"""Of `_HEADER`, `_BEARER`, `_NAMED` and `_FLAGGED`: none of them fits a text without one of these."""
_BEGINNING = re.compile(
    r"xox|xapp|gh|gl|sntry|lin_|AKIA|ASIA|AIza|ya29|[srp]k[_-]|npm_|pypi-|dop_|hvs|eyJ|https://"
)
"""Of `_WHOLE`: how its alternatives begin."""
_BEGUN = re.compile(
    r"\b(?:xox[a-z]-|xapp-|gh[pousr]_|github_pat_|glpat-|sntry[suia]_|lin_|AKIA|ASIA|AIza|ya29\.|[srp]k[_-]|npm_|pypi-|dop_v1_|hvs\.|eyJ)\S*\Z"
)
"""The beginning of one of `_WHOLE`, of which nobody knows yet how long it gets."""
_PEM_END = re.compile(r"\A(?:(?!-----BEGIN )[\s\S])*-----END [A-Z ]*PRIVATE KEY-----")
_PEM = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL
)


def redact(text: str) -> str:
    """`text` with everything hidden that looks like a secret. Rather too much than too little: it is shown in a channel."""
    text = _secretless(text)
    return _ADDRESS.sub(HIDDEN, text) if "@" in text else text


def without_secrets(text: str) -> str:
    """The same for texts that stay what they are otherwise: names of releases do not count as addresses."""
    return _SURE_ADDRESS.sub(HIDDEN, _secretless(text))


def _secretless(text: str) -> str:
    """Each pattern is tried only where the signs stand that it cannot do without: most lines of a log have none of them."""
    if "-----" in text:
        text = _PEM.sub(
            HIDDEN, _PEM_END.sub(HIDDEN, text)
        )  # of a key whose beginning is cut off the end is known
    if "@" in text:
        text = _IN_URL.sub(rf"\1{HIDDEN}@", text)
    if _TELLING.search(text):
        text = _HEADER.sub(rf"\1{HIDDEN}", text)
        text = _BEARER.sub(rf"\1{HIDDEN}", text)
        text = _NAMED.sub(rf"\1{HIDDEN}", text)
        text = _FLAGGED.sub(rf"\1{HIDDEN}", text)
    return _WHOLE.sub(HIDDEN, text) if _BEGINNING.search(text) else text


def printed(
    output: bytes, *, from_the_start: bool, going_on: bool, stands_still: bool = False
) -> DeployOutput:
    """The newest lines for the thread. While it is `going_on`, the last line may be half a secret: it waits for its end.

    Where it `stands_still` it is a question or a wait, and shown, but for a word that begins like a secret. Not
    `from_the_start`: the first line lacks its beginning, and with it what would give a secret away.
    """
    if going_on:
        whole = max(output.rfind(b"\n"), output.rfind(b"\r")) + 1
        last = _BEGUN.sub(HIDDEN, output[whole:].decode("utf-8", "replace")) if stands_still else ""
        output = output[:whole] + last.encode()
    if not from_the_start:
        output = output.partition(b"\n")[2]
    every = _lines(output)
    kept: list[str] = []
    room = OUTPUT_BYTES
    for line in reversed(every[-OUTPUT_LINES:]):
        room -= len(line.encode()) + 1
        if room < 0:
            break
        kept.append(line)
    return DeployOutput(
        lines=tuple(reversed(kept)), cut=not from_the_start or len(kept) < len(every)
    )


def _lines(output: bytes) -> tuple[str, ...]:
    """Those that say something, redacted. Of a line that redraws itself (`\\r`) the last state counts."""
    text = foreign(redact(_ESCAPES.sub("", output.decode("utf-8", "replace"))))
    lines: list[str] = []
    for line in text.split("\n"):
        states = [part for part in line.split("\r") if part.strip()]
        if states:
            lines.append(_CONTROL.sub(" ", states[-1]).strip())
    return tuple(
        line if len(line) <= LINE_LIMIT else line[: LINE_LIMIT - 1] + "…" for line in lines if line
    )
