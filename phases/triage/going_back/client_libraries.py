"""Phase 1: libraries that speak with what stands behind a service.

Words of errors are many; that an error was raised in the client of a database, a queue or a
provider says as much where the words are not known.
"""

from __future__ import annotations

import re

_PYTHON = (
    r"psycopg\w*|asyncpg|MySQLdb|pymysql|mysql/connector|pyodbc|cx_Oracle|oracledb|aiomysql"
    r"|sqlalchemy/(?:engine|pool|dialects)|django/db/backends|redis|rediscluster|pymemcache|pylibmc"
    r"|pymongo|motor|kafka|confluent_kafka|aiokafka|pika|aio_pika|amqp|kombu/transport|botocore"
    r"|boto3|aiobotocore|google/(?:api_core|cloud|auth)|azure|requests|urllib3|httpx|httpcore"
    r"|aiohttp/client\w*|http/client\.py|socket\.py|ssl\.py|smtplib\.py|grpc|elasticsearch"
    r"|elastic_transport|opensearchpy|cassandra|clickhouse_\w+|stripe|twilio|sendgrid"
    r"|ldap3?|paramiko|slack_sdk|paypal\w*|snowflake|kazoo|hvac|openai|anthropic|consul|jwt/jwks_client|minio|pysolr|nats|zeep|celery/backends"
)
_NODE = (
    r"pg(?:-pool|-protocol)?|mysql2?|tedious|oracledb|ioredis|redis(?:-parser)?|@redis|memjs"
    r"|mongodb|kafkajs|amqplib|amqp-connection-manager|@prisma|sequelize/lib/(?:dialects|query)"
    r"|axios|got|node-fetch|undici|superagent|@aws-sdk|@smithy|aws-sdk|@azure|@google-cloud|gaxios"
    r"|@grpc|@elastic|cassandra-driver|stripe|twilio|@sendgrid|nodemailer|openai"
    r"|typeorm/driver|@supabase|jwks-rsa|contentful\w*|algoliasearch|@algolia|@anthropic-ai|@firebase|@apollo/client|cloudinary|ldapjs"
)
_RUBY = (
    r"(?:pg|mysql2|redis(?:-client)?|dalli|mongo|bunny|ruby-kafka|rdkafka|aws-sdk-\w+|faraday"
    r"|httparty|rest-client|excon|elasticsearch\w*|grpc|stripe|tiny_tds|shopify_api|octokit)-\d|net/(?:http|protocol)\.rb"
    r"|active_record/connection_adapters"
)
_JVM = (
    r"org[/.]postgresql|com[/.]mysql|org[/.]mariadb|oracle[/.]jdbc|com[/.]microsoft[/.]sqlserver"
    r"|com[/.]zaxxer|redis[/.]clients|io[/.]lettuce|org[/.]redisson|org[/.]apache[/.](?:kafka|http)"
    r"|com[/.](?:mongodb|amazonaws|datastax|rabbitmq|stripe)|software[/.]amazon|io[/.]grpc"
    r"|org[/.]elasticsearch|co[/.]elastic|okhttp3|org[/.]apache[/.]activemq|com[/.](?:hazelcast|netflix[/.]hystrix)|java[/.]net|sun[/.](?:nio[/.]ch|net|security[/.]ssl)"
)
_GO = (
    r"database/sql|lib/pq|jackc/pg\w+|go-sql-driver|redis/go-redis|go-redis/redis|redigo"
    r"|mongo-driver|kafka-go|sarama|amqp091-go|streadway/amqp|aws-sdk-go(?:-v2)?|google\.golang\.org/grpc"
    r"|net/http/(?:client|transport)\.go|go-elasticsearch|gocql|stripe-go"
    r"|hashicorp/(?:consul|vault)|etcd/client|minio-go|nats\.go"
)
_PHP = r"doctrine/dbal|predis|guzzlehttp|aws/aws-sdk-php|php-amqplib|illuminate/database|mongodb"
_NET = (
    r"(?:System|Microsoft)\.Data\.SqlClient|Npgsql|MySqlConnector|StackExchange\.Redis|MongoDB\.Driver"
    r"|Confluent\.Kafka|RabbitMQ\.Client|System\.Net\.(?:Http|Sockets)|Grpc\.(?:Net|Core)"
)
_INSTALLED = re.compile(
    rf"(?:site-packages/|python\d[.\d]*/)(?:{_PYTHON})(?:[/.]|$)"
    rf"|node_modules/(?:{_NODE})/|node:(?:net|dns|_tls_wrap|internal/(?:net|deps/undici))"
    rf"|(?:^|/)(?:{_RUBY})|(?:^|/)(?:{_JVM})[/.]|(?:^|/)(?:{_GO})(?:[@/.]|$)|vendor/(?:{_PHP})/|{_NET}",
)
"""Packages by the path of a frame, as SDKs of each language send it. Some SDKs call every frame the
application's own (https://docs.sentry.io/platforms/java/configuration/options/#inAppInclude)."""
_BARE = re.compile(rf"^(?:{_PYTHON})(?:[/.]|$)")
"""The same without the place of the installation: so may a file of ours be called."""
_OF_CODE = re.compile(
    r"syntax error|does not exist|no such (?:table|column)|unknown column|Undefined(?:Column|Table)"
    r"|IntegrityError|Violation\b|violates|duplicate (?:key|entry)|null value|cannot be null"
    r"|too long|data truncat|invalid input|invalid (?:text|json|byte)|DataError|ProgrammingError"
    r"|could not serialize|deadlock|WRONGTYPE|mapper_parsing|Validation|Conditional\w*Failed"
    r"|NoSuch(?:Key|Bucket)|InvalidRequest|invalid_request|CardError|card_declined"
    r"|\b4(?:00|04|05|09|13|15|22)\b|bad request|not found|unsupported|InvalidArgument"
    r"|Missing(?:Schema|Parameter)|InvalidURL|InvalidSchema|InvalidHeader|not JSON serializable",
    re.IGNORECASE,
)
"""What they say of a question that our code asked wrongly."""


_OF_SERVERS = re.compile(
    r"internal (?:server|service) error|unreachable|terminated unexpectedly|short-circuited"
    r"|unable to (?:fetch|reach|contact|connect)|max(?:imum)?.?retries|retries exceeded|retry limit"
    r"|server (?:error|is (?:busy|down))|maintenance|no (?:servers|nodes|hosts) available"
    r"|(?:\"status\"|status_?code)[\"': =]{1,4}50\d",
    re.IGNORECASE,
)
"""What the client of any server may say of it, in whatever library."""


def speaks_of_server(said: str) -> bool:
    return _OF_SERVERS.search(said) is not None and _OF_CODE.search(said) is None


def raised_in_client(path: str, said: str, *, in_app: bool) -> bool:
    """Say whether a frame is a client's, and its error is not about a question asked wrongly."""
    client = _INSTALLED.search(path) or (not in_app and _BARE.search(path))
    return bool(client) and _OF_CODE.search(said) is None
