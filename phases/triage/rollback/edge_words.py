"""Phase 1: the words of errors at the edge of a service, as clients and servers say them.

errno (https://man7.org/linux/man-pages/man3/errno.3.html), Node (https://nodejs.org/api/errors.html
#common-system-errors), PostgreSQL (https://www.postgresql.org/docs/current/errcodes-appendix.html),
MySQL (https://dev.mysql.com/doc/mysql-errors/8.0/en/), Redis (https://redis.io/docs/latest/),
MongoDB (https://github.com/mongodb/mongo/blob/master/src/mongo/base/error_codes.yml), Kafka
(https://kafka.apache.org/protocol#protocol_error_codes), gRPC (https://grpc.io/docs/guides/
status-codes/), AWS (https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html),
TLS alerts, Elasticsearch's blocks, Go's `net` and `crypto/x509`, java.net, System.Net, Ruby's Net,
PHP's PDO, Prisma (https://www.prisma.io/docs/orm/reference/error-reference), and browsers' `fetch`.
"""

import re
from enum import StrEnum


class Edge(StrEnum):
    """The part that failed at the edge, in words that follow `The crash is …`."""

    CERTIFICATE = "a rejected certificate"
    ISSUER = "a certificate whose issuer is not trusted"
    DISK = "a full or broken disk"
    READ_ONLY = "a file system that cannot be written"
    LIMIT = "a limit of the database: its numbers have run out"
    QUOTA = "a third party's quota, limit or credentials"
    ACCESS = "rejected credentials or a missing permission"
    NAME = "a host name that does not resolve"
    CONNECTION = "a connection that is refused or broken"
    FAILOVER = "a server that starts, stops or hands over"
    PROVIDER = "a third party that does not answer as it should"
    BEHIND = "a service behind it that does not answer as it should"
    OVERLOAD = "a timeout or an exhausted pool"
    LIBRARY = "an error that a library raised"


def _any_of(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE)


_ADDRESS = (
    r"\b(?:tcp|tls|ssl|rediss?|amqps?|mongodb(?:\+srv)?|postgres(?:ql)?|mysql|nats|kafka|ldaps?"
    r"|smtps?|memcached?)://"
)
"""Of a server that speaks no HTTP: addresses of pages stand in errors of our own, too."""
KINDS = (
    (
        Edge.ISSUER,  # a release may bring another list of them, or ask another host
        _any_of(
            r"x509: certificate signed by unknown authority|path building failed|Trust anchor for",
            r"UNABLE_TO_VERIFY_LEAF|DEPTH_ZERO_SELF_SIGNED|SELF_SIGNED_CERT|GET_ISSUER_CERT",
            r"self[- ]signed certificate|unable to get (?:local )?issuer cert",
        ),
    ),
    (
        Edge.CERTIFICATE,
        _any_of(
            r"certificate[ _](?:has[ _])?(?:expired|verify[ _]failed|is not yet valid|revoked)",
            r"\bx509: |CERT_HAS_EXPIRED",
            r"certificate[_ ]expired|certificate has been revoked|ALTNAME_INVALID",
            r"tls: failed to verify|validity check failed",
            r"PKIX path validation failed|CertificateExpiredException",
            r"remote certificate (?:is|was) (?:invalid|rejected)",
        ),
    ),
    (
        Edge.DISK,
        _any_of(
            r"\bENOSPC\b|no space left on device|not enough space on the disk|disk (?:is )?full",
            r"\bEDQUOT\b|disk quota exceeded|could not extend file|database or disk is full",
            r"disk I/O error|the table '[^']*' is full",
            r"MISCONF Redis is configured to save|MISCONF Errors writing|flood.?stage",
            r"read-only ?/ ?allow delete|read-only-allow-delete",
        ),
    ),
    (
        Edge.READ_ONLY,  # a broken disk, or the setting of a container that the release brings
        _any_of(r"\bEROFS\b|read-only file system"),
    ),
    (
        Edge.LIMIT,
        _any_of(
            r"\binteger out of range|is out of range for ActiveModel::Type::(?:Big)?Integer",
            r"out of range value for column '\w*id'|reached maximum value of sequence",
            r"duplicate entry '(?:\d+-)?(?:2147483647|4294967295|16777215|8388607)' for key",
            r"overflow error converting IDENTITY|failed to read auto-increment value",
            r"to avoid wraparound|wraparound data loss|must be vacuumed before",
        ),
    ),
    (
        Edge.QUOTA,
        _any_of(
            r"insufficient_quota|quota (?:has been )?exceeded",
            r"exceeded (?:your|the) (?:current )?quota",
            r"quotaexceeded|over.?quota|rate.?limit(?:ed|error| exceeded|exceeded)",
            r"too many requests|\bstatus(?: code)?:? 429\b|\b429 (?:client error|too many)",
            r"throttlingexception|provisionedthroughputexceeded|requestlimitexceeded",
            r"\bSlow ?Down\b|reduce your request rate",
            r"OOM command not allowed|maximum memory limit|max number of clients reached",
            r"ExpiredToken|provided token has expired|security token .* is expired",
            r"account (?:has been )?suspended|payment required|billing hard limit",
        ),
    ),
    (
        Edge.ACCESS,
        _any_of(
            r"(?:password )?authentication failed (?:for|against)|access denied for user",
            r"Login failed for user|\bORA-0(?:1017|1031|28000|28001)\b",
            r"\bWRONGPASS\b|\bNOAUTH\b|invalid username-password pair|client sent AUTH",
            r"permission denied for (?:table|relation|schema|sequence|view|database|function)",
            r"\(AccessDenied(?:Exception)?\) when calling|is not authorized to perform:",
            r"InvalidClientTokenId|UnrecognizedClient|SignatureDoesNotMatch|InvalidAccessKeyId",
            r"(?:expired|invalid|incorrect) API[- _]key|\binvalid_client\b|token has been revoked",
            r"401 (?:client error|unauthorized)[^\n]{0,40} for url|role \"[^\"]*\" does not exist",
            r"StatusCode\.UNAUTHENTICATED|code = Unauthenticated",
            r"(?:Topic|Group|Cluster|TransactionalId)AuthorizationException|SaslAuthentication",
            r"not authorized to access (?:topics?|group|cluster)\b",
        ),
    ),
    (
        Edge.NAME,
        _any_of(
            r"\bENOTFOUND\b|\bEAI_AGAIN\b|getaddrinfo|gaierror|UnknownHostException",
            r"name or service not known|temporary failure in name resolution|no such host",
            r"nodename nor servname|could not resolve host|NameResolutionError",
            r"could not translate host name",
        ),
    ),
    (
        Edge.FAILOVER,
        _any_of(
            r"the database system is (?:starting|shutting|in rec)|administrator command",
            r"CLUSTERDOWN|MASTERDOWN|loading the dataset in memory",
            r"\bnot (?:primary|master)\b|NotWritablePrimary|NotPrimary|PrimarySteppedDown",
            r"leader.?not.?available|not.?leader.?(?:or.?follower|for.?partition)",
            r"master_not_discovered|no cluster leader",
        ),
    ),
    (
        Edge.CONNECTION,
        _any_of(
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
            r"terminating connection due to",
            r"read[- ]only (?:transaction|replica)|running with the --?(?:super-)?read-only option",
            r"\bdial tcp\b",
            r"database \"[^\"]*\" does not exist|Can'?t reach database server",
            r"SSL SYSCALL error|closed the connection|connection has been closed unexpectedly",
            r"all.?brokers.?down|coordinator.?not.?available|not.?enough.?replicas",
            r"CONNECTION_FORCED|forced connection closure|AMQPConnectionError|StreamLost",
            r"socket hang up|other side closed|UND_ERR_SOCKET|disconnected without sending",
            r"remote end closed connection|RemoteDisconnected|WSREP has not yet prepared",
            r"cannot achieve consistency level",
            r"transport-level error|\bORA-(?:0311[34]|03135|010(?:33|34|89)|12\d{3})\b",
            r"driver: bad connection|: EOF$|read error on connection|network-request-failed",
            r"no instances? available for|all \d+ node\(s\) tried|no connection is active",
            r"transport (?:is )?clos(?:ed|ing)|socket (?:is |was )?closed|channel (?:is )?closed",
            r"SSL connection could not be established|handshake (?:failed|failure|timeout)",
            r"can'?t contact LDAP server|SERVER_DOWN\b|connection unexpectedly closed",
            # an address of a server's own protocol, and what was wanted of it failed
            rf"(?:fail|could not|unable|cannot|can't|refused|lost|error)[^\n]{{0,80}}{_ADDRESS}",
            rf"{_ADDRESS}[^\n]{{0,80}}(?:fail|refused|lost|closed|unreachable|not respond)",
        ),
    ),
    (
        Edge.PROVIDER,
        _any_of(
            r"\b50[234]\b[^\n]{0,40}(?:server error|bad gateway|unavailable|gateway time.?out)",
            r"(?:status(?: code)?|HTTP|code)[:= ]{1,3}50[234]\b|\bstatus\b[^\n]{0,12}\b50[234]\b",
            r"\b(?:bad gateway|gateway time-?out)\b",
            r"service ?(?:temporarily )?unavailable|upstream connect error|APIConnectionError",
            r"StatusCode\.UNAVAILABLE|code = Unavailable\b|\bUNAVAILABLE: |all shards failed",
            r"cluster_block_exception|vault is sealed",
            r"An error occurred \((?:50\d|InternalError)\) when calling",
            r"\b50[0234]: (?:internal server error|bad gateway|service|gateway)",
            r"\b(?:answer|respond|return)ed (?:with )?(?:status )?(?:code )?50\d\b",
        ),
    ),
    (
        Edge.OVERLOAD,
        _any_of(
            r"timed? ?out|timeout|deadline exceeded|TaskCanceledException|\bETIMEDOUT\b",
            r"too many (?:connections|clients)|remaining connection slots",
            r"pool (?:\w+ ){0,2}(?:limit|exhaust)|pool (?:is )?(?:full|empty)",
            r"PoolExhausted|ExhaustedPool|lock wait|deadlock",
            r"no (?:available connection|connection available)|no more connections allowed",
            r"dropped from queue after",  # DBConnection of Ecto
            r"waited [\d.]+ sec, \d+/\d+ available|max_user_connections|cannot assign requested",
            r"QueryCanceled|canceling statement due to|DeadlineExceeded|UND_ERR_CONNECT_TIMEOUT",
            r"resource[ _]?exhausted|OutOfMemory\w* command|circuit.?breaker",
            r"\boverloaded\b|\b(?:server|service) ?(?:is )?(?:too )?busy\b|\btoo busy\b",
            r"out of memory\W+DETAIL:",  # PostgreSQL 53200: the server's memory
        ),
    ),
)
RATE = _any_of(r"^(?![\s\S]*quota)[\s\S]*(?:too many requests|\b429\b)")
"""An answer of 429 that names nobody may be that of our own gateway, or of a service of ours."""
FETCH = _any_of(
    r"^(?:Failed to fetch|NetworkError when attempting to fetch|Load failed|fetch failed)",
    r"^(?:Network request failed|The network connection was lost|terminated$)",
    r"unexpected token '?<|unexpected character \('<'|invalid character '<' looking for",
    r"^JSON\.parse: unexpected character at line 1 column 1",
)
"""What `fetch` says where nothing answers is a TypeError in every browser and in Node
(https://fetch.spec.whatwg.org/#fetch-method); a page of HTML where JSON was asked for is the answer
of a proxy or a load balancer."""
OF_CODE = re.compile(
    r"(?:.*[.:])?(?:TypeError|KeyError|AttributeError|NameError|ReferenceError|SyntaxError"
    r"|ImportError|ModuleNotFoundError|IndexError|AssertionError|ZeroDivisionError"
    r"|UnboundLocalError|NoMethodError|ArgumentError|NullPointerException|ClassCastException"
    r"|NullReferenceException|IllegalArgumentException|ArgumentException|ArgumentNullException"
    r"|NoSuchMethodError|NoClassDefFoundError|ClassNotFoundException|IndexOutOfRangeException"
    r"|ArrayIndexOutOfBoundsException|UndefinedColumn|UndefinedTable|ProgrammingError)"
)
"""Types of errors that code makes by itself: `got an unexpected keyword argument 'timeout'`."""
OF_PAGES = _any_of(
    r"violates the (?:following )?(?:document's )?(?:content security|permissions) policy",
    r"blocked by CORS policy|Mixed Content: |in the 'integrity' attribute",
)
"""A browser keeps a page to the headers that our server sent: no stack leads to their change."""
STORED = _any_of(
    r"InvalidClassException|serialVersionUID|undefined class/module|incompatible marshal",
    r"UnpicklingError|\bunpickl|can't get attribute '\w+' on <module|\bunserialize\(\)",
)
"""Objects of ours, in a cache, a session or a queue, as another release wrote them: Java, Ruby's
Marshal, Python's pickle, PHP."""
OF_A_BUILD = _any_of(
    r"[.-](?=[\w-]*\d)[\w-]{6,}\.[cm]?js\b|/_next/|/(?:static|assets|build|dist)/",
    r"\b(?:app|main|index|bundle|vendor|vendors|runtime|polyfills|chunk|entry)\b[^/]*\.[cm]?js\b",
)
"""Names of scripts that builds make, wherever they are kept."""
OF_PROVIDERS = _any_of(
    r"\b(?:stripe|openai|anthropic|twilio|sendgrid|mailgun|braintree|paypal|adyen|auth0|okta)\b",
    r"\b(?:algolia|contentful|launchdarkly|plaid|shopify|salesforce|hubspot|cloudinary|pusher)\b",
    r"\b(?:botocore|boto3|aws-sdk|amazonaws|google\.api_core|googleapis|azure|firebase)\b",
)
WORN_OUT = _any_of(
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
    r"no connection available|waited [\d.]+ sec, \d+/\d+ available|dropped from queue after",
    # the server's side of them: PostgreSQL 53300, PgBouncer, MySQL 1040 and 1203
    r"too many (?:clients|connections)|remaining connection slots|no more connections allowed",
    r"max_(?:user_connections|client_conn)\b",
)
POOL_CALLS = _any_of(r"database/sql\S* \S*\bconn$", r"pgxpool/\S* \S*Acquire", r"pool\.go \S*Get$")
"""Calls of Go's libraries that wait for a connection, and say only `context deadline exceeded`.
https://github.com/golang/go/blob/master/src/database/sql/sql.go"""
LOCKED = _any_of(
    r"lock (?:wait )?timeout|LockNotAvailable|LockWaitTimeout|could not obtain lock|deadlock",
    r"canceling statement due to (?:lock|statement) timeout",
)
"""PostgreSQL 55P03 and 57014, MySQL 1205."""
OTHER_BUILD = _any_of(
    r"request might be from an older or newer deployment",
    r"manifest version mismatch|version skew detected",
)
"""The framework itself says that an open page is of another build: Next.js
(https://nextjs.org/docs/messages/failed-to-find-server-action), React Router."""
STALE_PAGE = _any_of(
    r"ChunkLoadError|loading (?:css )?chunk \S+ failed",
    r"dynamically imported module|importing a module script failed|unable to preload css",
)
"""An open page asks for a script that a deploy replaced: webpack, and browsers' import()
(https://vite.dev/guide/build#load-error-handling)."""
