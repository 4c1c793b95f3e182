"""The edges of a service in further words: libraries say the same trouble in many ways.

Taken from the libraries: SQLAlchemy, psycopg_pool, Django, redis-py, httpx, node-postgres,
Sequelize, Prisma (P2024), mysql2, HikariCP, Tomcat's pool, Jedis, ActiveRecord, connection_pool,
Go's `database/sql`, `net` and pgx, PostgreSQL (53300, 55P03, 57P01, 25006), MySQL (1040, 1205,
1290), PgBouncer, errno.
"""

from __future__ import annotations

import random

from tests.judgement.errors import EDGES, Language, Said

FURTHER: dict[str, dict[Language, tuple[Said, ...]]] = {
    "pool": {
        "python": (
            Said(
                "PoolTimeout", "couldn't get a connection after 30.00 sec", "psycopg_pool/pool.py"
            ),
            Said(
                "OperationalError",
                'connection to server at "10.0.3.7", port 5432 failed: FATAL:  sorry, too many '
                "clients already",
                "psycopg2/__init__.py",
                "connect",
            ),
            Said(
                "ConnectionError",
                "No connection available.",
                "redis/connection.py",
                "get_connection",
            ),
            Said("OperationalError", "(1040, 'Too many connections')", "MySQLdb/connections.py"),
            Said("PoolTimeout", "", "httpx/_transports/default.py", "map_httpcore_exceptions"),
        ),
        "node": (
            Said("Error", "timeout exceeded when trying to connect", "pg-pool/index.js"),
            Said(
                "SequelizeConnectionAcquireTimeoutError",
                "Operation timeout",
                "sequelize/lib/dialects/abstract/connection-manager.js",
                "getConnection",
            ),
            Said(
                "PrismaClientKnownRequestError",
                "Timed out fetching a new connection from the connection pool. (Current connection "
                "pool timeout: 10, connection limit: 5)",
                "@prisma/client/runtime/library.js",
            ),
            Said("Error", "Too many connections", "mysql2/lib/packets/packet.js", "asError"),
            Said("error", "no more connections allowed (max_client_conn)", "pg/lib/parser.js"),
        ),
        "java": (
            Said(
                "PoolExhaustedException",
                "[http-nio-8080-exec-7] Timeout: Pool empty. Unable to fetch a connection in 30 "
                "seconds, none available[size:100; busy:100; idle:0; lastwait:30000].",
                "org/apache/tomcat/jdbc/pool/ConnectionPool.java",
                "borrowConnection",
            ),
            Said(
                "JedisExhaustedPoolException",
                "Could not get a resource since the pool is exhausted",
                "redis/clients/jedis/util/Pool.java",
            ),
            Said(
                "PSQLException",
                "FATAL: remaining connection slots are reserved for roles with the SUPERUSER "
                "attribute",
                "org/postgresql/core/v3/ConnectionFactoryImpl.java",
            ),
        ),
        "ruby": (
            Said(
                "ActiveRecord::ConnectionTimeoutError",
                "could not obtain a connection from the pool within 5.000 seconds (waited 5.004 "
                "seconds); all pooled connections were in use",
                "active_record/connection_adapters/abstract/connection_pool.rb",
            ),
            Said(
                "ConnectionPool::TimeoutError",
                "Waited 1.0 sec, 0/5 available",
                "connection_pool.rb",
            ),
        ),
        "go": (
            Said("*errors.errorString", "context deadline exceeded", "pgxpool/pool.go", "Acquire"),
            Said("*errors.errorString", "redis: connection pool timeout", "internal/pool/pool.go"),
            Said("*mysql.MySQLError", "Error 1040: Too many connections", "mysql/packets.go"),
        ),
    },
    "memory": {
        "python": (
            Said("OSError", "[Errno 12] Cannot allocate memory", "subprocess.py", "_execute_child"),
        ),
        "node": (
            Said(
                "Error",
                "Worker terminated due to reaching memory limit: JS heap out of memory",
                "node:internal/worker",
            ),
        ),
        "java": (Said("OutOfMemoryError", "GC overhead limit exceeded", "java/lang/String.java"),),
        "ruby": (Said("Errno::ENOMEM", "Cannot allocate memory - fork(2)", "open3.rb"),),
        "go": (Said("*os.SyscallError", "fork/exec: cannot allocate memory", "os/exec.go"),),
    },
    "failover": {
        "python": (
            Said(
                "ReadOnlySqlTransaction",
                "cannot execute INSERT in a read-only transaction",
                "psycopg/cursor.py",
            ),
            Said(
                "OperationalError",
                "terminating connection due to administrator command",
                "psycopg2/cursor.py",
            ),
        ),
        "node": (
            Said("error", "cannot execute UPDATE in a read-only transaction", "pg/lib/client.js"),
            Said(
                "Error",
                "The MySQL server is running with the --read-only option so it cannot execute this "
                "statement",
                "mysql2/lib/packets/packet.js",
            ),
        ),
        "java": (
            Said(
                "PSQLException",
                "ERROR: cannot execute INSERT in a read-only transaction",
                "org/postgresql/core/v3/QueryExecutorImpl.java",
            ),
            Said(
                "CommunicationsException",
                "Communications link failure",
                "com/mysql/cj/jdbc/exceptions/SQLError.java",
            ),
        ),
        "ruby": (
            Said(
                "PG::ConnectionBad",
                "PQconsumeInput() server closed the connection unexpectedly",
                "pg.rb",
            ),
        ),
        "go": (
            Said(
                "*pgconn.PgError", "FATAL: the database system is starting up", "pgconn/pgconn.go"
            ),
        ),
    },
    "lock": {
        "python": (
            Said(
                "LockNotAvailable", "canceling statement due to lock timeout", "psycopg/cursor.py"
            ),
            Said(
                "OperationalError",
                "(1205, 'Lock wait timeout exceeded; try restarting transaction')",
                "MySQLdb/cursors.py",
            ),
        ),
        "node": (
            Said("error", "canceling statement due to statement timeout", "pg/lib/parser.js"),
            Said(
                "Error",
                "Lock wait timeout exceeded; try restarting transaction",
                "mysql2/lib/packets/packet.js",
            ),
        ),
        "java": (
            Said(
                "PSQLException",
                "ERROR: canceling statement due to lock timeout",
                "org/postgresql/core/v3/QueryExecutorImpl.java",
            ),
        ),
        "ruby": (
            Said(
                "ActiveRecord::LockWaitTimeout",
                "Mysql2::Error::TimeoutError: Lock wait timeout exceeded",
                "mysql2/client.rb",
            ),
        ),
        "go": (
            Said("*pgconn.PgError", "canceling statement due to statement timeout", "pgconn.go"),
        ),
    },
    "vendor": {
        "node": (
            Said(
                "TypeError",
                "Cannot read properties of undefined (reading 'push')",
                "https://www.googletagmanager.com/gtm.js",
                "Object.fire",
            ),
            Said("ReferenceError", "Stripe is not defined", "https://js.stripe.com/v3/", "mount"),
            Said("Error", "Script error.", "https://cdn.vendor.com/widget.js", "?"),
        ),
    },
    "descriptors": {
        "python": (
            Said("OSError", "[Errno 24] Too many open files", "socket.py", "__init__"),
            Said(
                "OSError",
                "[Errno 99] Cannot assign requested address",
                "socket.py",
                "create_connection",
            ),
        ),
        "node": (
            Said("Error", "EMFILE: too many open files, open '/srv/app/x'", "node:fs", "open"),
            Said("Error", "connect EADDRNOTAVAIL 10.0.3.7:443", "node:net", "afterConnect"),
        ),
        "java": (
            Said("SocketException", "Too many open files", "sun/nio/ch/Net.java", "socket0"),
            Said(
                "NoRouteToHostException", "Cannot assign requested address", "java/net/Socket.java"
            ),
        ),
        "ruby": (
            Said("Errno::EMFILE", "Too many open files - socket(2)", "socket.rb", "initialize"),
        ),
        "go": (
            Said(
                "*net.OpError", "accept tcp [::]:8080: accept4: too many open files", "net/net.go"
            ),
            Said(
                "*net.OpError",
                "dial tcp 10.0.3.7:443: connect: cannot assign requested address",
                "net/dial.go",
            ),
        ),
    },
    "threads": {
        "python": (Said("RuntimeError", "can't start new thread", "threading.py", "start"),),
        "node": (Said("Error", "spawn /usr/bin/convert EAGAIN", "node:child_process", "spawn"),),
        "java": (
            Said(
                "OutOfMemoryError",
                "unable to create native thread: possibly out of memory or process/resource limits "
                "reached",
                "java/lang/Thread.java",
                "start0",
            ),
            Said(
                "RejectedExecutionException",
                "Task rejected from ThreadPoolExecutor[Running, pool size = 200, "
                "active threads = 200, queued tasks = 1000]",
                "java/util/concurrent/ThreadPoolExecutor.java",
            ),
        ),
        "ruby": (
            Said(
                "ThreadError", "can't create Thread: Resource temporarily unavailable", "thread.rb"
            ),
        ),
        "go": (Said("*os.PathError", "fork/exec: resource temporarily unavailable", "os/exec.go"),),
    },
}
"""What an edge says beside `EDGES`; an edge that is only here has no other words."""


def words_of(rng: random.Random, name: str, language: Language) -> Said:
    """Return one way in which an edge says its trouble."""
    known = [EDGES[name][language]] if name in EDGES else []
    further = FURTHER.get(name, {}).get(language, ())
    return rng.choice([*known, *further])
