"""Output of deploys and scripts, made fit to be shown: whole lines, no secrets."""

import re

from phases.record.findings import DeployOutput
from phases.text.cleaning import foreign

LINE_LIMIT = 300
"""Characters of a line that are shown."""
LINES_SHOWN = 5
OUTPUT_LINES = 40
"""The newest lines that the thread shows."""
OUTPUT_BYTES = 2_800
"""The size of these lines together: one block of Slack's, and a tenth of a record."""

HIDDEN = "[redacted]"
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""Characters that a terminal obeys, or that turn a line around."""

_TOKENS = (
    (r"xox[a-z]-", r"[\w-]{8,}"),  # Slack
    (r"xapp-", r"[\w-]{8,}"),
    (r"gh[pousr]_", r"\w{16,}"),  # GitHub
    (r"github_pat_", r"\w{16,}"),
    (r"glpat-", r"[\w-]{12,}"),  # GitLab
    (r"sntry[suia]_", r"[\w=+/-]{16,}"),  # Sentry
    (r"lin_", r"(?:api|oauth|wh)_\w{16,}"),  # Linear
    (r"A[KS]IA", r"[0-9A-Z]{16}"),  # AWS
    (r"AIza", r"[\w-]{30,}"),  # Google
    (r"ya29\.", r"[\w-]{16,}"),
    (r"[srp]k_", r"(?:live|test)_\w{8,}"),  # Stripe and the like
    (r"sk-", r"[\w-]{16,}"),
    (r"npm_", r"\w{20,}"),
    (r"pypi-", r"[\w-]{20,}"),
    (r"dop_v1_", r"\w{20,}"),
    (r"hvs\.", r"[\w-]{20,}"),
    (r"eyJ", r"[\w-]{8,}\.[\w-]{8,}\.[\w-]*"),  # JSON web tokens
)
"""Patterns of known tokens: how each begins, and how it goes on."""
_WEBHOOK = r"https://hooks\.slack\.com/\S+|https://discord(?:app)?\.com/api/webhooks/\S+"
_BEGINNINGS = "|".join(beginning for beginning, _ in _TOKENS)
_WHOLE = re.compile("|".join((*(beginning + rest for beginning, rest in _TOKENS), _WEBHOOK)))
_BEGINNING = re.compile(f"{_BEGINNINGS}|https://")
"""Every match of `_WHOLE` begins so: a text without one of these is not searched."""
_BEGUN = re.compile(rf"\b(?:{_BEGINNINGS})\S*\Z")
"""The beginning of a token at the end of a text: nobody knows yet how long it gets."""
_ADDRESS = re.compile(
    r"[\w.+-]+@(?!v?\d+\.\d+(?:\.\d+)?(?:[-+][\w.]+)?(?![\w.-]))[\w-]+\.[\w.-]*\w"
)
"""Everything that looks like an address, except `shop@1.3.0`."""
_SURE_ADDRESS = re.compile(r"[\w.+-]+@(?:[\w-]+\.)+[A-Za-z]{2,}\b")
"""The address of a person, and not `shop@1.3.0`."""
_NAMED = re.compile(
    r"""(?ix)
    ( [\w.-]* (?: passw(?:or)?d | passphrase | secret | token | credential s? | session[_-]?id
        | (?: api | access | private | auth ) [_-]?key ) [\w.-]* ["']? \s* [=:] \s* )
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
"""`_HEADER`, `_BEARER`, `_NAMED` and `_FLAGGED` match only texts with one of these."""
_PEM_END = re.compile(r"\A(?:(?!-----BEGIN )[\s\S])*-----END [A-Z ]*PRIVATE KEY-----")
_PEM = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL
)


def redact(text: str) -> str:
    """Return `text` without what looks like a secret, and rather too little: a channel shows it."""
    text = _secretless(text)
    return _ADDRESS.sub(HIDDEN, text) if "@" in text else text


def without_secrets(text: str) -> str:
    """Return `text` without secrets and people's addresses. Names of releases stay."""
    return _SURE_ADDRESS.sub(HIDDEN, _secretless(text))


def _secretless(text: str) -> str:
    """Return `text` without secrets. A pattern is tried where its sign is."""
    if "-----" in text:
        # A key whose beginning is cut off is known by its end.
        text = _PEM.sub(HIDDEN, _PEM_END.sub(HIDDEN, text))
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
    """Return the newest lines for the thread.

    While the program is `going_on`, the last line may be half a secret, and waits for its end.
    Where the output `stands_still`, that line is a question or a wait. It is shown, except a word
    that begins like a secret. Where the output is not `from_the_start`, the first line is dropped:
    it lacks its beginning, which could have given a secret away.
    """
    if going_on:
        whole = max(output.rfind(b"\n"), output.rfind(b"\r")) + 1
        last = _BEGUN.sub(HIDDEN, output[whole:].decode("utf-8", "replace")) if stands_still else ""
        output = output[:whole] + last.encode()
    if not from_the_start:
        output = output.partition(b"\n")[2]
    every = _lines(output)
    newest: list[str] = []
    room = OUTPUT_BYTES
    for line in reversed(every[-OUTPUT_LINES:]):
        room -= len(line.encode()) + 1
        if room < 0:
            break
        newest.append(line)
    return DeployOutput(
        lines=tuple(reversed(newest)), cut=not from_the_start or len(newest) < len(every)
    )


def _lines(output: bytes) -> tuple[str, ...]:
    """Return the lines with text, redacted; of a line that redraws itself the last state."""
    text = foreign(redact(_ESCAPES.sub("", output.decode("utf-8", "replace"))))
    lines: list[str] = []
    for line in text.split("\n"):
        states = [part for part in line.split("\r") if part.strip()]
        if states:
            lines.append(CONTROL.sub(" ", states[-1]).strip())
    return tuple(
        line if len(line) <= LINE_LIMIT else line[: LINE_LIMIT - 1] + "…" for line in lines if line
    )
