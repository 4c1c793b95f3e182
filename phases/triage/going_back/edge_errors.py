"""Phase 1: errors at the edge of a service, which its code meets and does not make.

The words are those of clients and servers themselves: errno (https://man7.org/linux/man-pages/man3/
errno.3.html), Node (https://nodejs.org/api/errors.html#common-system-errors), PostgreSQL
(https://www.postgresql.org/docs/current/errcodes-appendix.html), MySQL (https://dev.mysql.com/doc/
mysql-errors/8.0/en/), Redis (https://redis.io/docs/latest/), Go's `net` and `crypto/x509`,
java.net, System.Net, Ruby's Net and PHP's PDO.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum
from urllib.parse import urlsplit

from phases.record.findings import Frame


class Edge(StrEnum):
    """What failed at the edge, in words that follow `The crash is …`."""

    CERTIFICATE = "a rejected certificate"
    DISK = "a full or broken disk"
    QUOTA = "a third party's quota, limit or credentials"
    NAME = "a host name that does not resolve"
    CONNECTION = "a connection that is refused or broken"
    PROVIDER = "a third party that does not answer as it should"
    OVERLOAD = "a timeout or an exhausted pool"


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE)


_KINDS = (
    (
        Edge.CERTIFICATE,
        _any(
            r"certificate[ _](?:has[ _])?(?:expired|verify[ _]failed|is not yet valid|revoked)",
            r"\bx509: ",
            r"CERT_HAS_EXPIRED|UNABLE_TO_VERIFY_LEAF|DEPTH_ZERO_SELF_SIGNED|SELF_SIGNED_CERT",
            r"self[- ]signed certificate",
            r"PKIX path (?:building|validation) failed|CertificateExpiredException",
            r"remote certificate (?:is|was) (?:invalid|rejected)",
        ),
    ),
    (
        Edge.DISK,
        _any(
            r"\bENOSPC\b|no space left on device|not enough space on the disk|disk (?:is )?full",
            r"\bEDQUOT\b|disk quota exceeded|could not extend file|database or disk is full",
            r"\bEROFS\b|read-only file system|disk I/O error",
            r"MISCONF Redis is configured to save|flood.?stage disk watermark",
        ),
    ),
    (
        Edge.QUOTA,
        _any(
            r"insufficient_quota|quota (?:has been )?exceeded",
            r"exceeded (?:your|the) (?:current )?quota",
            r"quotaexceeded|over.?quota|rate.?limit(?:ed|error| exceeded|exceeded)",
            r"too many requests|\bstatus(?: code)?:? 429\b|\b429 (?:client error|too many)",
            r"throttlingexception|provisionedthroughputexceeded|\(SlowDown\)|requestlimitexceeded",
            r"OOM command not allowed|maximum memory limit|max number of clients reached",
            r"ExpiredToken|provided token has expired|security token .* is expired",
            r"account (?:has been )?suspended|payment required|billing hard limit",
        ),
    ),
    (
        Edge.NAME,
        _any(
            r"\bENOTFOUND\b|\bEAI_AGAIN\b|getaddrinfo|gaierror|UnknownHostException",
            r"name or service not known|temporary failure in name resolution|no such host",
            r"nodename nor servname|could not resolve host|NameResolutionError",
            r"could not translate host name",
        ),
    ),
    (
        Edge.CONNECTION,
        _any(
            r"\bE(?:CONNREFUSED|CONNRESET|CONNABORTED|HOSTUNREACH|NETUNREACH|HOSTDOWN|PIPE)\b",
            r"connection (?:was )?(?:refused|reset|aborted)|connection to server at .* failed",
            r"actively refused it|ConnectionRefused|HttpHostConnectException",
            r"no route to host|network is unreachable|host is down|broken pipe",
            r"(?:could not|can'?t|cannot|unable to|failed to) connect to (?!the customer)",
            r"ConnectionBad|ConnectionNotEstablished|Communications link failure",
            r"lost connection to mysql|mysql server has gone away|server closed the connection",
            r"network-related or instance-specific error|\[HY000\] \[200[236]\]|SQLSTATE\[08",
            r"MongoNetworkError|Mongo\w*ServerSelection\w*Error|\bServerSelectionTimeoutError",
            r"NoBrokersAvailable|NoNodeAvailable|NoHostAvailable|broker transport failure",
            r"terminating connection due to|the database system is (?:starting|shutting|in rec)",
            r"read-only (?:transaction|replica)|running with the --?read-only option",
            r"CLUSTERDOWN|MASTERDOWN|LOADING Redis|\bdial tcp\b",
        ),
    ),
    (
        Edge.PROVIDER,
        _any(
            r"\b50[234]\b[^\n]{0,40}(?:server error|bad gateway|unavailable|gateway time.?out)",
            r"(?:status(?: code)?|HTTP|code)[:= ]{1,3}50[234]\b|\bstatus\b[^\n]{0,12}\b50[234]\b",
            r"\b(?:bad gateway|gateway time-?out)\b",
            r"service ?(?:temporarily )?unavailable|upstream connect error|APIConnectionError",
        ),
    ),
    (
        Edge.OVERLOAD,
        _any(
            r"timed? ?out|timeout|deadline exceeded|TaskCanceledException|\bETIMEDOUT\b",
            r"too many (?:connections|clients)|remaining connection slots|pool (?:limit|exhaust)",
            r"pool (?:is )?(?:full|exhausted|empty)|PoolExhausted|ExhaustedPool|lock wait|deadlock",
            r"no (?:available connection|connection available)|no more connections allowed",
            r"waited [\d.]+ sec, \d+/\d+ available|max_user_connections|cannot assign requested",
            r"QueryCanceled|canceling statement due to",
        ),
    ),
)
_OF_CODE = re.compile(
    r"(?:.*[.:])?(?:TypeError|KeyError|AttributeError|NameError|ReferenceError|SyntaxError"
    r"|ImportError|ModuleNotFoundError|IndexError|AssertionError|ZeroDivisionError"
    r"|UnboundLocalError|NoMethodError|ArgumentError|NullPointerException|ClassCastException"
    r"|NullReferenceException|IllegalArgumentException|ArgumentException|ArgumentNullException"
    r"|NoSuchMethodError|NoClassDefFoundError|ClassNotFoundException|IndexOutOfRangeException"
    r"|ArrayIndexOutOfBoundsException|UndefinedColumn|UndefinedTable|ProgrammingError)"
)
"""Types of errors that code makes by itself: `got an unexpected keyword argument 'timeout'`."""
_HOST = re.compile(
    r"(?:https?://|host(?:name)?[=: ]{1,2}['\"]?|to )"
    r"((?:[a-z0-9-]+\.)+(?:com|net|org|io|co|dev|ai|app|cloud|eu|de|uk|us|gov))\b",
    re.IGNORECASE,
)
_OF_PROVIDERS = _any(
    r"\b(?:stripe|openai|anthropic|twilio|sendgrid|mailgun|braintree|paypal|adyen|auth0|okta)\b",
    r"\b(?:algolia|contentful|launchdarkly|plaid|shopify|salesforce|hubspot|cloudinary|pusher)\b",
    r"\b(?:botocore|boto3|aws-sdk|amazonaws|google\.api_core|googleapis|azure|firebase)\b",
)
_WORN_OUT = _any(
    # memory: CPython, the JVM, V8, Ruby, PHP, errno, the kernel
    r"\b(?:MemoryError|OutOfMemory\w*|OOMKilled|NoMemoryError)\b|out of memory|heap space",
    r"allocation failed|cannot allocate memory|allowed memory size|GC overhead limit",
    r"\bENOMEM\b|reaching memory limit",
    # file descriptors, ports, threads, processes
    r"\bEMFILE\b|\bENFILE\b|too many open files",
    r"\bEADDRNOTAVAIL\b|cannot assign requested address",
    r"can'?t (?:start new|create) thread|unable to create.*thread|goroutine.*limit",
    r"too many (?:threads|processes)|resource temporarily unavailable|\bspawn \S+ EAGAIN\b",
    r"queue (?:is |was )?full|QueueFull|RejectedExecution|queue limit of thread pool",
    # connections: SQLAlchemy, psycopg_pool, redis-py, httpx; node-postgres, Knex, Sequelize,
    # Prisma; HikariCP, Tomcat, DBCP, Jedis; ActiveRecord, connection_pool; go-redis; ADO.NET
    r"pool (?:limit|is (?:exhausted|probably full|full)|exhausted|empty\b|timeout)",
    r"Pool(?:Exhausted|Timeout|Empty)|ExhaustedPool|ConnectionAcquireTimeout",
    r"(?:obtain(?:ing)?|acquir(?:e|ing)|fetch(?:ing)?|get(?:ting)?|waiting for) an? (?:new )?"
    r"connection (?:from the|after|in \d)|connection is not available, request timed out",
    r"timeout (?:acquiring a connection|exceeded when trying to connect)",
    r"no connection available|waited [\d.]+ sec, \d+/\d+ available",
    # the server's side of them: PostgreSQL 53300, PgBouncer, MySQL 1040 and 1203
    r"too many (?:clients|connections)|remaining connection slots|no more connections allowed",
    r"max_(?:user_connections|client_conn)\b",
)
_POOL_CALLS = _any(r"database/sql\S* \S*\bconn$", r"pgxpool/\S* \S*Acquire", r"pool\.go \S*Get$")
"""Calls of Go's libraries that wait for a connection, and say only `context deadline exceeded`.
https://github.com/golang/go/blob/master/src/database/sql/sql.go"""
_LOCKED = _any(
    r"lock (?:wait )?timeout|LockNotAvailable|LockWaitTimeout|could not obtain lock|deadlock",
    r"canceling statement due to (?:lock|statement) timeout",
)
"""PostgreSQL 55P03 and 57014, MySQL 1205."""
_STALE_PAGE = _any(
    r"ChunkLoadError|loading (?:css )?chunk \S+ failed",
    r"dynamically imported module|importing a module script failed|unable to preload css",
)
"""An open page asks for a script that a deploy replaced: webpack, and browsers' import()
(https://vite.dev/guide/build#load-error-handling)."""


def edge_of(
    type: str | None, value: str, libraries: Sequence[str] = (), own: str = ""
) -> Edge | None:
    """Return what failed at the edge; None where the error is not of that kind.

    `libraries`: files of the stack that are not ours; `own`: a host of ours, which is no provider.
    """
    if type and _OF_CODE.fullmatch(type):
        return None
    text = f"{type or ''}: {value[:2000]}"
    kind = next((kind for kind, pattern in _KINDS if pattern.search(text)), None)
    if kind in (Edge.PROVIDER, Edge.OVERLOAD):
        outside = _elsewhere(text, own) or _OF_PROVIDERS.search(
            f"{text}\n{chr(10).join(libraries)}"
        )
        return Edge.PROVIDER if outside else Edge.OVERLOAD
    return kind


def worn_out(type: str | None, value: str, calls: Sequence[str] = ()) -> bool:
    """Say whether something was used up that a release can use up by itself, slowly.

    `calls`: `file function` of the libraries in the stack.
    """
    text = f"{type or ''}: {value[:2000]}"
    waited = "deadline exceeded" in text and any(map(_POOL_CALLS.search, calls))
    return waited or _WORN_OUT.search(text) is not None


def waits_for_lock(type: str | None, value: str) -> bool:
    return _LOCKED.search(f"{type or ''}: {value[:2000]}") is not None


def of_stale_page(type: str | None, value: str) -> bool:
    return _STALE_PAGE.search(f"{type or ''}: {value[:2000]}") is not None


def script_of(frames: Sequence[Frame], own: str) -> str:
    """Return the host of the script that failed in a browser, where it is none of ours.

    A stack of a browser names its scripts by their addresses; empty: it does not, or it is ours.
    """
    first = next(iter(frames), None)
    host = (urlsplit(first.path or first.file).hostname or "") if first is not None else ""
    if not host or any(frame.in_app for frame in frames[:1]):
        return ""
    ours = ".".join(own.lower().split(".")[-2:])
    return "" if ours and f".{host}".endswith(f".{ours}") else host


def _elsewhere(text: str, own: str) -> bool:
    """Say whether the text names a host outside that is none of ours."""
    ours = ".".join(own.lower().split(".")[-2:])
    hosts = (match.group(1).lower() for match in _HOST.finditer(text))
    return any(not ours or not f".{host}".endswith(f".{ours}") for host in hosts)
