"""Phase 1: errors that a library raised, and not our own code.

Words of errors are many, and so are the clients of databases, queues and providers. That the line
which failed is in a library, and none of the release's files in the stack, says as much where
neither is known.
"""

import re
from collections.abc import Iterable, Sequence

from phases.ports.library_paths import is_library_file
from phases.record.findings import Frame

_OF_CODE = re.compile(
    r"syntax error|does not exist|no such (?:table|column)|unknown column|Undefined(?:Column|Table)"
    r"|IntegrityError|Violation\b|violates|duplicate (?:key|entry)|null value|cannot be null"
    r"|too long|data truncat|invalid input|invalid (?:text|json|byte)|\bDataError|ProgrammingError"
    r"|could not serialize|deadlock|WRONGTYPE|mapper_parsing|Validation|Conditional\w*Failed"
    r"|NoSuch(?:Key|Bucket)|InvalidRequest|invalid_request|CardError|card_declined"
    r"|\b4(?:00|04|05|09|13|15|22)\b|bad request|not found|unsupported|InvalidArgument"
    r"|Missing(?:Schema|Parameter)|InvalidURL|InvalidSchema|InvalidHeader|not JSON serializable"
    r"|undefined|is not (?:an? |defined|valid)|not valid as|Template\w*(?:::)?Error|React error"
    r"|(?:IllegalState|InvalidOperation|UnsupportedOperation|NotSupported|ObjectDisposed)Exception",
    re.IGNORECASE,
)
"""What libraries say of a question that our code asked wrongly, or of our code that they ran."""
_PACKAGE = re.compile(
    r"^(?:.*/src/\w+/(?:java|kotlin|scala|groovy)/)?(\w+/\w+)/[\w/$]+\.(?:java|kts?|scala|groovy)$"
)
"""Maven's and Gradle's folders of sources, and the beginning of a package: the organisation's."""
_DOTNET = re.compile(r"\.(?:cs|fs|vb)$")
_SPACE = re.compile(r"\*?([A-Za-z_]\w+)(?:::|\.|\\)\w")
_EVERYBODYS = frozenset(
    ("errors", "fmt", "runtime", "std", "core", "alloc", "anyhow", "eyre", "builtins")
)
"""Namespaces of errors that any code makes."""
_GO_CLIENT = re.compile(
    r"(?:^|: )(?:pq|pgx|pgconn|mysql|mssql|redis|mongo|topology|gocql|kafka|sarama|amqp|nats"
    r"|etcdserver|memcache|elastic|consul|vault|nsq|smtp|ldap|ssh|tls|oauth2|s3): "
)
"""Clients of servers in Go begin their errors with the package's name, and their type tells nothing
(https://pkg.go.dev/errors#New): `*errors.errorString: pq: SSL is not enabled on the server`."""


def is_library_frame(frame: Frame, changed: Iterable[str] = ()) -> bool:
    """Say whether a frame is a library's. `changed`: files of ours that the release changed.

    On the JVM, an organisation's packages begin alike, and SDKs may call each frame the
    application's own (https://docs.sentry.io/platforms/java/configuration/options/#inAppInclude).
    In .NET a namespace is called as the folders are, and what is of no known vendor counts as ours
    (https://docs.sentry.io/platforms/dotnet/configuration/options/#InAppExclude).
    """
    if not frame.in_app or is_library_file(frame.file, frame.module):
        return True
    changed = tuple(changed)
    spaces = {word for path in changed if _DOTNET.search(path) for word in _folders(path)}
    if spaces and (_DOTNET.search(frame.file) or frame.file == frame.module):
        return spaces.isdisjoint(re.split(r"[./\\]", frame.module or frame.file))
    own = {match.group(1) for path in changed if (match := _PACKAGE.search(path))}
    file = frame.file if "/" in frame.file else f"{frame.module.replace('.', '/')}.java"
    its = _PACKAGE.search(file)
    return its is not None and bool(own) and its.group(1) not in own


def _folders(path: str) -> list[str]:
    """Return the words of the folders that a file is in: `src/Shop.Web/Cart.cs` has three."""
    return re.split(r"[./]", path.rpartition("/")[0])


def names_library(type: str | None, value: str, frames: Sequence[Frame]) -> bool:
    """Say whether an error is of a namespace that is in no frame of ours: `reqwest::Error`.

    Where errors are values (Go, Rust), the stack begins where our own code met them.
    """
    if frames and frames[0].file.endswith(".go") and _GO_CLIENT.search(value[:200]):
        return True
    space = _SPACE.match(type or "")
    if space is None or space.group(1).lower() in _EVERYBODYS:
        return False
    name = space.group(1).lower()
    own = (f"{f.file} {f.module} {f.function}".lower() for f in frames if f.in_app)
    return all(name not in text for text in own)


def is_wrong_use(text: str) -> bool:
    return _OF_CODE.search(text) is not None
