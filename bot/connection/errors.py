"""The trouble with Redis in words: the one place that reads redis-py's errors and the server's.

The words are our own. A server's words may hold a password ("unknown command `AUTH`, with args
beginning with: …"), and redis-py's errors hold what was taken for a host. An unknown reason is not
guessed: then only its code is said.
"""

import asyncio
import errno
import os
import re
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass

from redis import exceptions as redis_errors
from redis.asyncio.sentinel import MasterNotFoundError

ANSWERS = (
    redis_errors.ResponseError,
    redis_errors.BusyLoadingError,
    redis_errors.AuthenticationError,
    redis_errors.AuthorizationError,
)
"""Errors that Redis answered with: it carried nothing out."""
FAILURES = (redis_errors.RedisError, OSError, asyncio.IncompleteReadError)
"""Every error by which redis-py says that a command failed."""
LOGIN = (
    "REDIS_URL: user and password "
    "(redis://user:password@host; a password alone: redis://:password@host); "
    "characters such as / # ? [ ] @ : % have to be percent-encoded (docs/settings.md)"
)
RIGHTS = "give this user the rights in docs/operations.md, Rights in Redis"
REACH = "REDIS_URL: is it running, and reachable from here?"
IN_ITS_WORDS = (
    "Redis answers, and refuses in words that the bot does not know: "
    "redis-cli with the same address shows them"
)
TLS = (
    "REDIS_URL: rediss://, rediss+cluster:// or sentinels:// where Redis speaks TLS, "
    "redis://, redis+cluster:// or sentinel:// where it does not"
)
TRUST = (
    "SSL_CERT_FILE or rediss://…?ssl_ca_certs=FILE names a file with the authority's certificate; "
    "the name in REDIS_URL must be one that the certificate has"
)
NAMED = (
    "the name in REDIS_URL must be one that the certificate has, and so must the names that a "
    "cluster or sentinels announce; ssl_check_hostname=no looks at the authority alone"
)
_OF_TRUST = {
    # https://docs.openssl.org/3.0/man3/X509_STORE_CTX_get_error/#error-codes
    9: "set the clock here right, or give Redis a certificate that is valid",
    10: "renew it where Redis runs",
    62: NAMED,
    64: NAMED,
}
CLUSTER = (
    "REDIS_URL: redis+cluster://user:password@h1:6379,h2:6379, "
    "or rediss+cluster:// over TLS (docs/settings.md)"
)
PRIMARY = "REDIS_URL: name the primary, or its sentinels (sentinel://h1:26379,h2:26379/master)"
NEWEST = "use Redis 6.2 or newer, or Valkey"


@dataclass(frozen=True, slots=True)
class Trouble:
    """`says` is a sentence without its full stop, `mend` what to do.

    `final`: only other settings help.
    """

    says: str
    mend: str = REACH
    final: bool = False


class Told(redis_errors.RedisError):
    """An error whose trouble is known where it is raised. Nothing was carried out; it may pass."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.says)
        self.trouble = trouble


NO_CONNECTION = Trouble("No connection to Redis came about in time")
CLOSED = Trouble(
    "Redis closed the connection",
    f"{REACH} One that wants TLS (rediss://), or a certificate of the bot's "
    "(ssl_certfile, ssl_keyfile), does so, too",
)
NO_SENTINEL = Trouble(
    "No sentinel names a primary of that name, or none answers",
    "REDIS_URL: are the sentinels reachable from here, "
    "and is the name behind the / the one that they watch?",
)
ONLY_TLS = Trouble("Redis speaks TLS there, and REDIS_URL does not", TLS, final=True)
NO_TLS = Trouble("What answers there speaks no TLS, and REDIS_URL does", TLS, final=True)
_NO_PASSWORD = Trouble("Redis wants a password, and REDIS_URL gives none", LOGIN, final=True)
_WRONG_PASSWORD = Trouble("Redis does not take this user and password", LOGIN, final=True)
_BY_CODE = {
    "NOAUTH": _NO_PASSWORD,
    "WRONGPASS": _WRONG_PASSWORD,
    "OOM": Trouble(
        "Redis is full: the memory it may use (maxmemory) is used up",
        "raise maxmemory, or remove what is not the bot's",
    ),
    "READONLY": Trouble("This Redis is a read-only replica", PRIMARY),
    "MISCONF": Trouble(
        "Redis takes no writes, because it cannot save to its disk",
        "its log says why: a full disk, rights, a fork",
    ),
    "NOREPLICAS": Trouble(
        "Redis takes no writes, because it has fewer replicas than its min-replicas-to-write",
        "start its replicas, or lower min-replicas-to-write",
    ),
    "LOADING": Trouble("Redis has just started and is still reading its data", "wait until it has"),
    "MASTERDOWN": Trouble("This Redis is a replica that has lost its primary", PRIMARY),
    **dict.fromkeys(
        ("MOVED", "ASK", "CROSSSLOT", "TRYAGAIN"),
        Trouble("This Redis is part of a cluster, and REDIS_URL names none", CLUSTER, final=True),
    ),
    "CLUSTERDOWN": Trouble("This Redis is part of a cluster that is down", CLUSTER),
    "DENIED": Trouble(
        "Redis is in protected mode: it has no password, and takes nobody from another machine",
        "give it a password (requirepass), or let it listen on an address of this machine only",
    ),
    "BUSY": Trouble(
        "Redis is held up by a script that does not end", "SCRIPT KILL, or look whose script it is"
    ),
}
_CODE_OF: tuple[tuple[type[BaseException], str], ...] = (
    (redis_errors.NoPermissionError, "NOPERM"),
    (redis_errors.OutOfMemoryError, "OOM"),
    (redis_errors.ReadOnlyError, "READONLY"),
    (redis_errors.BusyLoadingError, "LOADING"),
    (redis_errors.MasterDownError, "MASTERDOWN"),
    (redis_errors.ClusterDownError, "CLUSTERDOWN"),
    (redis_errors.ClusterCrossSlotError, "CROSSSLOT"),
    (redis_errors.TryAgainError, "TRYAGAIN"),
    (redis_errors.AskError, "MOVED"),
)
_BY_TEXT = (
    ("running in protected mode", _BY_CODE["DENIED"]),
    ("authentication required", _BY_CODE["NOAUTH"]),
    ("the previous master is now a slave", _BY_CODE["READONLY"]),
    ("invalid password", _BY_CODE["WRONGPASS"]),
    ("invalid username", _BY_CODE["WRONGPASS"]),
    (
        "without any password",
        Trouble(
            "REDIS_URL gives a password, and this Redis has none for that user", LOGIN, final=True
        ),
    ),
    (
        "no password is set",
        Trouble("REDIS_URL gives a password, and this Redis has none", LOGIN, final=True),
    ),
    (
        "db index is out of range",
        Trouble(
            "Redis has no database of this number",
            "REDIS_URL: another number behind the host",
            final=True,
        ),
    ),
    (
        "select is not allowed in cluster mode",
        Trouble("This Redis is part of a cluster, which has database 0 only", CLUSTER, True),
    ),
    (
        "max number of clients",
        Trouble(
            "Redis has as many clients as it may have (maxclients)",
            "raise maxclients, or look who holds them",
        ),
    ),
    (
        "non deterministic commands",
        Trouble(
            "This Redis copies scripts as they are written",
            "set lua-replicate-commands yes, as is its default",
        ),
    ),
    ("exec without multi", Trouble("Redis does not let this user run MULTI", RIGHTS, final=True)),
    (
        "syntax error",  # the bot's commands are always the same
        Trouble(
            "This Redis does not know the form of a command that the bot uses", NEWEST, final=True
        ),
    ),
    ("non local key", _BY_CODE["MOVED"]),
    *(
        (
            words,
            Trouble(
                "What this Redis takes in a day or a month is used up",
                "raise its plan, or use another Redis",
            ),
        )
        for words in ("max daily request limit exceeded", "max requests limit exceeded")
        # https://upstash.com/docs/redis/troubleshooting/max_daily_request_limit
    ),
)
_RIGHTS = re.compile(
    r"no permission|can't run this command|can't access at least one of the keys|ACL failure",
    re.IGNORECASE,
)
_KEYS = re.compile(r"access (?:a|the|one|at least one)\b.* keys?\b")
_UNKNOWN = re.compile(r"unknown (?:redis )?(?:sub)?command", re.IGNORECASE)
_NAME = re.compile(
    r"run the '([a-z]+(?:\|[a-z]+)?)' command|[Uu]nknown command [`']([A-Za-z]{2,20})[`']"
)
_INSIDE = re.compile(r"@user_script:\s*\d+:\s*-?([A-Z]{2,20}) ")
"""How Redis 6.2 tells what a command inside a script answered."""
_CODE = re.compile(r"-?([A-Z]{2,20})\b")


def trouble_of(error: BaseException) -> Trouble:
    """Return the trouble behind an error of redis-py, of the operating system, or of ours."""
    chain = list(_chain(error))
    for cause in chain:
        if trouble := _classified(cause):
            return trouble
    text = getattr(chain[0], "text", "")
    answered = any(isinstance(cause, ANSWERS) for cause in chain)
    return Trouble(
        str(text).rstrip(".") or _unknown_code(chain[-1]), IN_ITS_WORDS if answered else REACH
    )


def sentence_of(error: BaseException) -> str:
    """The same as one sentence."""
    return f"{trouble_of(error).says}."


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what it came of, the outermost first."""
    known: set[int] = set()
    while error is not None and id(error) not in known:
        known.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _classified(error: BaseException) -> Trouble | None:
    if isinstance(error, Told):
        return error.trouble
    if isinstance(error, MasterNotFoundError):
        return _sentinels(error)
    if isinstance(error, redis_errors.RedisError) and (trouble := _named_trouble(error)):
        return trouble
    if isinstance(error, redis_errors.InvalidResponse):
        return _no_redis(str(error))
    return _of_the_way(error)


def _named_trouble(error: redis_errors.RedisError) -> Trouble | None:
    """The trouble that Redis itself named."""
    text = str(error)
    low = text.lower()
    if isinstance(error, redis_errors.NoPermissionError) or (
        isinstance(error, redis_errors.ResponseError) and _RIGHTS.search(text)
    ):
        return _rights(text)
    for words, trouble in _BY_TEXT:
        if words in low:
            return trouble
    if isinstance(error, redis_errors.ResponseError) and _UNKNOWN.search(text):
        return _unknown_command(text)
    code = next((code for kind, code in _CODE_OF if isinstance(error, kind)), "")
    if (
        not code
        and isinstance(error, redis_errors.ResponseError)
        and (match := _INSIDE.search(text) or _CODE.match(text))
    ):
        code = match.group(1)
    if trouble := _BY_CODE.get(code):
        return trouble
    if isinstance(error, redis_errors.AuthenticationError):
        return _BY_CODE["WRONGPASS"]
    return None


def _rights(text: str) -> Trouble:
    if _KEYS.search(text):
        return Trouble(
            "Redis does not let this user touch the bot's keys ({fb}*)", RIGHTS, final=True
        )
    named = _NAME.search(text)
    what = (
        named.group(1).upper().replace("|", " ")
        if named and named.group(1)
        else "a command that the bot needs"
    )
    return Trouble(f"Redis does not let this user run {what}", RIGHTS, final=True)


def _unknown_command(text: str) -> Trouble:
    named = _NAME.search(text)
    what = named.group(2).upper() if named and named.group(2) else "a command that the bot needs"
    if what == "AUTH":
        return Trouble(
            "What answers there knows no AUTH, and REDIS_URL gives a password", LOGIN, final=True
        )
    return Trouble(f"This Redis does not know {what}", NEWEST, final=True)


def _sentinels(error: BaseException) -> Trouble:
    """The trouble of sentinels: the answer of one is the cause (bot/connection/sentinel.py)."""
    why = trouble_of(error.__cause__) if isinstance(error.__cause__, ANSWERS) else None
    if why is None:
        return NO_SENTINEL
    if why is _NO_PASSWORD:
        mend = (
            "REDIS_URL: …/master?sentinel_password=… is the sentinels' own password "
            "(docs/settings.md)"
        )
        return Trouble(
            "The sentinels want a password, and REDIS_URL gives none for them", mend, final=True
        )
    mend = "REDIS_URL: sentinel_username and sentinel_password, percent-encoded (docs/settings.md)"
    if why is _WRONG_PASSWORD:
        return Trouble("The sentinels do not take their user and password", mend, final=True)
    if why.says.endswith("know SENTINEL"):
        mend = (
            "REDIS_URL: the sentinels' own port (26379), or redis://host:6379 where there are none"
        )
        return Trouble("What answers there is a Redis and no sentinel", mend, final=True)
    return Trouble(f"The sentinels do not answer: {why.says}", mend, final=why.final)


def _no_redis(text: str) -> Trouble:
    if "\\x15\\x03" in text or "\x15\x03" in text:  # a TLS alert, RFC 8446 section 6
        return ONLY_TLS
    return Trouble("What answers there is no Redis", REACH, final=True)


def _of_the_way(error: BaseException) -> Trouble | None:
    """The trouble on the way to Redis."""
    low = str(error).lower()
    match error:
        case ssl.SSLCertVerificationError():
            why = (error.verify_message or "it is not trusted here").rstrip(".")
            return Trouble(
                f"The certificate of Redis is not taken: {why}",
                _OF_TRUST.get(error.verify_code, TRUST),
                final=True,
            )
        case ssl.SSLError():
            return _tls(error)
        case socket.gaierror():
            return Trouble(
                "The host of Redis is not found",
                "REDIS_URL: is its name right, and known to this machine?",
            )
        case FileNotFoundError():
            return Trouble(
                "There is no socket at that path",
                "REDIS_URL: is Redis running, and its unixsocket there?",
            )
        case PermissionError():
            return Trouble(
                "This user may not open that socket",
                "REDIS_URL: the socket's unixsocketperm and group",
            )
        case redis_errors.TimeoutError() if "connect" in low:
            return NO_CONNECTION
        case redis_errors.TimeoutError() | TimeoutError():
            return Trouble(
                "Redis is too slow: it did not answer in time",
                "is it busy, or its disk, or the way to it?",
            )
        case redis_errors.MaxConnectionsError():
            return Trouble("All connections to Redis are in use")
        case redis_errors.ConnectionError() if "no connection available" in low:
            return Trouble("All connections to Redis are in use")
        case redis_errors.ConnectionError() if "connection closed by server" in low:
            return CLOSED
        case ConnectionResetError() | BrokenPipeError() | ConnectionAbortedError():
            return CLOSED
        case OSError():
            return _os(error)
        case _:
            return None


def _os(error: OSError) -> Trouble | None:
    """asyncio puts the errors of all addresses of a host into one text."""
    numbers = (
        {error.errno}
        if error.errno
        else {int(number) for number in re.findall(r"\[Errno (\d+)\]", str(error))}
    )
    if numbers == {errno.ECONNREFUSED}:
        return Trouble("Nothing answers where Redis should be (connection refused)")
    numbers.discard(errno.ECONNREFUSED)
    reasons = "; ".join(os.strerror(number) for number in sorted(numbers) if number)
    return Trouble(f"Redis cannot be reached: {reasons}") if reasons else None


def _tls(error: ssl.SSLError) -> Trouble:
    code = getattr(error, "reason", None) or ""  # one that Python made itself has none
    reason = code.replace("_", " ").lower()
    if code in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"):
        return NO_TLS
    if "certificate" in reason or code.endswith("_UNKNOWN_CA"):
        mend = (
            "REDIS_URL: rediss://…?ssl_certfile=FILE&ssl_keyfile=FILE is the bot's own certificate"
        )
        return Trouble(f"Redis and the bot do not agree on a certificate ({reason})", mend)
    return Trouble(f"TLS to Redis does not come about ({reason or type(error).__name__})", TLS)


def _unknown_code(error: BaseException) -> str:
    """Return the code of a text that nobody has looked at, and nothing else of it."""
    match = _CODE.match(str(error)) if isinstance(error, redis_errors.RedisError) else None
    code = match.group(1) if match and match.group(1) != "ERR" else type(error).__name__
    return f"Redis cannot be used ({code})"
