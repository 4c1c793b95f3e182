"""What fails and how it says so, in the words of five languages' own libraries."""

from __future__ import annotations

from typing import Literal, NamedTuple

Language = Literal["python", "node", "java", "ruby", "go"]
LANGUAGES: tuple[Language, ...] = ("python", "python", "node", "node", "java", "ruby", "go")


class Said(NamedTuple):
    type: str
    value: str
    file: str = ""
    """The library's file that raised it; empty: our own code did."""
    function: str = ""


CRASHES: dict[Language, tuple[Said, ...]] = {
    "python": (
        Said("KeyError", "'currency'"),
        Said("AttributeError", "'NoneType' object has no attribute 'total'"),
        Said("ValueError", "invalid literal for int() with base 10: ''"),
        Said("UnboundLocalError", "cannot access local variable 'basket'"),
        Said("ValidationError", "1 validation error for Order", "pydantic/main.py", "validate"),
        Said("TemplateSyntaxError", "Could not parse the remainder", "django/template/base.py"),
    ),
    "node": (
        Said("TypeError", "Cannot read properties of undefined (reading 'price')"),
        Said("TypeError", "basket.items.map is not a function"),
        Said("ReferenceError", "currency is not defined"),
        Said("Error", "Objects are not valid as a React child", "react-dom/server.js", "render"),
        Said("RangeError", "Invalid time value"),
    ),
    "java": (
        Said("NullPointerException", ""),
        Said("ClassCastException", "java.lang.Integer cannot be cast to java.lang.Long"),
        Said("IllegalStateException", "Duplicate key 42", "java/util/stream/Collectors.java"),
        Said("IllegalArgumentException", "No enum constant Status.HELD"),
    ),
    "ruby": (
        Said("NoMethodError", "undefined method `total' for nil"),
        Said("ArgumentError", "wrong number of arguments (given 2, expected 1)"),
        Said("ActionView::Template::Error", "undefined local variable or method `basket'"),
        Said("KeyError", "key not found: :currency"),
    ),
    "go": (
        Said("runtime.errorString", "invalid memory address or nil pointer dereference"),
        Said("runtime.boundsError", "index out of range [3] with length 3"),
        Said("*errors.errorString", "price: unknown currency"),
    ),
}
EDGES: dict[str, dict[Language, Said]] = {
    "database": {
        "python": Said(
            "OperationalError",
            "connection to server failed: Connection refused",
            "psycopg/connection.py",
            "connect",
        ),
        "node": Said(
            "Error", "connect ECONNREFUSED 10.0.3.7:5432", "net.js", "TCPConnectWrap.afterConnect"
        ),
        "java": Said(
            "PSQLException",
            "Connection to 10.0.3.7:5432 refused. Check that the hostname and port are correct",
            "org/postgresql/core/v3/ConnectionFactoryImpl.java",
            "openConnectionImpl",
        ),
        "ruby": Said(
            "PG::ConnectionBad",
            "could not connect to server: Connection refused",
            "pg/connection.rb",
            "connect_start",
        ),
        "go": Said(
            "*net.OpError", "dial tcp 10.0.3.7:5432: connect: connection refused", "net/dial.go"
        ),
    },
    "pool": {
        "python": Said(
            "TimeoutError",
            "QueuePool limit of size 10 overflow 20 reached, connection timed out",
            "sqlalchemy/pool/impl.py",
            "_do_get",
        ),
        "node": Said(
            "TimeoutError",
            "Knex: Timeout acquiring a connection. The pool is probably full.",
            "knex/lib/client.js",
            "acquireConnection",
        ),
        "java": Said(
            "SQLTransientConnectionException",
            "HikariPool-1 - Connection is not available, request timed out after 30000ms.",
            "com/zaxxer/hikari/pool/HikariPool.java",
            "createTimeoutException",
        ),
        "ruby": Said(
            "ActiveRecord::ConnectionTimeoutError",
            "could not obtain a connection from the pool",
            "active_record/connection_adapters/pool.rb",
            "acquire",
        ),
        "go": Said(
            "*errors.errorString", "context deadline exceeded", "database/sql/sql.go", "conn"
        ),
    },
    "memory": {
        "python": Said("MemoryError", "", "json/decoder.py", "raw_decode"),
        "node": Said("RangeError", "Array buffer allocation failed", "buffer.js", "allocate"),
        "java": Said("OutOfMemoryError", "Java heap space", "java/util/Arrays.java", "copyOf"),
        "ruby": Said("NoMemoryError", "failed to allocate memory", "json/common.rb", "parse"),
        "go": Said("*errors.errorString", "cannot allocate memory", "os/exec.go", "StartProcess"),
    },
    "provider": {
        "python": Said(
            "ReadTimeout",
            "HTTPSConnectionPool(host='api.provider.com', port=443): Read timed out",
            "requests/adapters.py",
            "send",
        ),
        "node": Said("AxiosError", "timeout of 10000ms exceeded", "axios/lib/core/AxiosError.js"),
        "java": Said("SocketTimeoutException", "Read timed out", "java/net/SocketInputStream.java"),
        "ruby": Said(
            "Net::ReadTimeout", "Net::ReadTimeout with #<TCPSocket:(closed)>", "net/protocol.rb"
        ),
        "go": Said(
            "*url.Error",
            'Post "https://api.provider.com/v1": context deadline exceeded',
            "net/http/client.go",
        ),
    },
    "provider5xx": {
        "python": Said(
            "HTTPError",
            "503 Server Error: Service Unavailable for url: https://api.provider.com/v1",
            "requests/models.py",
            "raise_for_status",
        ),
        "node": Said(
            "AxiosError",
            "Request failed with status code 503",
            "axios/lib/core/settle.js",
            "settle",
        ),
        "java": Said(
            "HttpServerErrorException$ServiceUnavailable",
            "503 Service Unavailable",
            "org/springframework/web/client/RestTemplate.java",
        ),
        "ruby": Said(
            "Faraday::ServerError",
            "the server responded with status 503",
            "faraday/response/raise_error.rb",
        ),
        "go": Said(
            "*errors.errorString", "provider: unexpected status 503", "provider-go/client.go", "Do"
        ),
    },
    "quota": {
        "python": Said(
            "RateLimitError", "429 Too Many Requests", "provider/api_requestor.py", "request"
        ),
        "node": Said(
            "ProviderError", "Request rate limit exceeded (429)", "provider-node/lib/Error.js"
        ),
        "java": Said(
            "HttpClientErrorException$TooManyRequests",
            "429 Too Many Requests",
            "org/springframework/web/client/RestTemplate.java",
        ),
        "ruby": Said("Provider::RateLimitError", "429", "provider/api_operations/request.rb"),
        "go": Said("*provider.Error", "429: rate limit exceeded", "provider-go/client.go", "Do"),
    },
    "secret": {
        "python": Said(
            "AuthenticationError",
            "Invalid API key provided: sk_live_***",
            "provider/api_requestor.py",
            "request",
        ),
        "node": Said(
            "AxiosError",
            "Request failed with status code 401",
            "axios/lib/core/settle.js",
            "settle",
        ),
        "java": Said(
            "HttpClientErrorException$Unauthorized",
            "401 Unauthorized",
            "org/springframework/web/client/RestTemplate.java",
        ),
        "ruby": Said(
            "Provider::AuthenticationError",
            "Invalid API key provided",
            "provider/api_operations/request.rb",
        ),
        "go": Said("*provider.Error", "401: invalid key", "provider-go/client.go", "Do"),
    },
    "certificate": {
        "python": Said(
            "SSLError",
            "certificate verify failed: certificate has expired (_ssl.c:1006)",
            "urllib3/connectionpool.py",
            "urlopen",
        ),
        "node": Said("Error", "certificate has expired", "tls.js", "TLSSocket.onConnectSecure"),
        "java": Said(
            "SSLHandshakeException",
            "PKIX path validation failed: validity check failed",
            "sun/security/ssl/Alert.java",
        ),
        "ruby": Said(
            "OpenSSL::SSL::SSLError",
            "certificate verify failed (certificate has expired)",
            "net/protocol.rb",
        ),
        "go": Said(
            "*url.Error", "x509: certificate has expired or is not yet valid", "net/http/client.go"
        ),
    },
    "dns": {
        "python": Said(
            "ConnectionError",
            "[Errno -2] Name or service not known",
            "urllib3/connection.py",
            "connect",
        ),
        "node": Said("Error", "getaddrinfo ENOTFOUND payments.internal", "dns.js", "onlookup"),
        "java": Said(
            "UnknownHostException", "payments.internal", "java/net/InetAddress.java", "getAllByName"
        ),
        "ruby": Said(
            "SocketError", "getaddrinfo: Name or service not known", "net/http.rb", "connect"
        ),
        "go": Said(
            "*net.OpError", "dial tcp: lookup payments.internal: no such host", "net/dial.go"
        ),
    },
    "disk": {
        "python": Said(
            "OSError", "[Errno 28] No space left on device", "django/core/files/storage.py", "_save"
        ),
        "node": Said("Error", "ENOSPC: no space left on device, write", "fs.js", "writeSync"),
        "java": Said(
            "IOException", "No space left on device", "java/io/FileOutputStream.java", "writeBytes"
        ),
        "ruby": Said("Errno::ENOSPC", "No space left on device @ io_write", "tempfile.rb", "write"),
        "go": Said("*fs.PathError", "write /tmp/x: no space left on device", "os/file.go", "Write"),
    },
    "cache": {
        "python": Said(
            "ConnectionError",
            "Error 111 connecting to redis:6379. Connection refused.",
            "redis/connection.py",
            "connect",
        ),
        "node": Said(
            "MaxRetriesPerRequestError",
            "Reached the max retries per request limit",
            "ioredis/built/redis/event_handler.js",
        ),
        "java": Said(
            "RedisConnectionException",
            "Unable to connect to redis:6379",
            "io/lettuce/core/RedisClient.java",
        ),
        "ruby": Said(
            "Redis::CannotConnectError",
            "Connection refused - connect(2) for redis:6379",
            "redis/client.rb",
        ),
        "go": Said(
            "*net.OpError", "dial tcp 10.0.3.9:6379: connect: connection refused", "net/dial.go"
        ),
    },
    "neighbour": {
        "python": Said(
            "HTTPStatusError",
            "Server error '500 Internal Server Error' for url 'http://payments.internal/charge'",
            "httpx/_models.py",
            "raise_for_status",
        ),
        "node": Said("FetchError", "payments responded with 500", "node-fetch/lib/index.js"),
        "java": Said(
            "FeignException$InternalServerError",
            "[500] during [POST] to [http://payments/charge]",
            "feign/FeignException.java",
        ),
        "ruby": Said(
            "Faraday::ServerError",
            "the server responded with status 500 (payments)",
            "faraday/response/raise_error.rb",
        ),
        "go": Said(
            "*status.Error",
            "rpc error: code = Internal desc = charge failed",
            "google.golang.org/grpc/call.go",
            "Invoke",
        ),
    },
}
"""The edge of a service, by what is behind it."""
NOISE = (
    Said("TimeoutError", "read timed out"),
    Said("BrokenPipeError", "[Errno 32] Broken pipe"),
    Said("PermissionDenied", "csrf token missing"),
    Said("IntegrityError", "duplicate key value violates unique constraint"),
    Said("ConnectionResetError", "[Errno 104] Connection reset by peer"),
    Said("ChunkLoadError", "Loading chunk 7 failed"),
    Said("AbortError", "The operation was aborted"),
)


def file_of(language: Language, name: str) -> str:
    """Return where a project of this language keeps a part of its own."""
    return {
        "python": f"app/{name}.py",
        "node": f"src/{name}.ts",
        "java": f"src/main/java/com/acme/shop/{name.capitalize()}Service.java",
        "ruby": f"app/services/{name}.rb",
        "go": f"internal/{name}/{name}.go",
    }[language]
