"""The route of every webhook: signature over the raw bytes, then the body, then what it means.

400, 401, 408, 413 and 503 are answered here.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from handlers.slack import slack_text
from handlers.slack.background import Tasks
from handlers.webhooks.signature import BODY_LIMIT, hmac_fits, refused, signed_body
from phases.text.cleaning import foreign

DELIVERY_CHARACTERS = 100
URL = 2000


class Unreadable(Exception):
    """The body is not what the sender's documentation says: 400, and it need not be sent again."""


class NotRecorded(Exception):
    """It may not be in Redis: 503, and the sender may send it again."""

    def __init__(self, text: str = "it could not be recorded; send it again") -> None:
        super().__init__(text)


@dataclass(frozen=True, slots=True)
class Signature:
    """A hex HMAC-SHA256 of the raw body in a header, behind a prefix."""

    header: str
    secret: str
    prefix: str = ""

    def __call__(self, request: Request, raw: bytes) -> bool:
        given = request.headers.get(self.header, "")
        return hmac_fits(raw, self.secret, given, prefix=self.prefix)


Signed = Callable[[Request, bytes], bool]
Receive = Callable[[Request, bytes], Awaitable[Response | Mapping[str, object]]]


def webhook(
    path: str, signed: Signed, receive: Receive, limit: Callable[[Request], int] | None = None
) -> Route:
    """Return the route of a webhook.

    `receive` is given signed bodies only. A mapping that it returns is the JSON of a 200. `limit`:
    the largest body, in bytes, where it is another than `BODY_LIMIT`.
    """

    async def endpoint(request: Request) -> Response:
        largest = limit(request) if limit is not None else BODY_LIMIT
        raw = await signed_body(request, lambda body: signed(request, body), largest)
        if isinstance(raw, Response):
            return raw
        try:
            answer = await receive(request, raw)
        except Unreadable as error:
            return refused(request, 400, str(error))
        except NotRecorded as error:
            return refused(request, 503, str(error))
        return answer if isinstance(answer, Response) else JSONResponse(answer)

    return Route(path, endpoint, methods=["POST"])


M = TypeVar("M", bound=BaseModel)
T = TypeVar("T")


def parsed(model: type[M], raw: bytes) -> M:
    """Raises `Unreadable` with the names of the fields that are wrong."""
    try:
        return model.model_validate_json(raw)
    except ValidationError as error:
        raise unreadable(error) from error


def unreadable(error: ValidationError) -> Unreadable:
    paths = {".".join(map(str, fault["loc"])) or "JSON" for fault in error.errors()}
    return Unreadable(f"the body cannot be read: {', '.join(sorted(paths))}")


async def finished(tasks: Tasks, recording: Coroutine[Any, Any, T | None], what: str) -> T:
    """Return what was recorded; a sender that hangs up does not stop it.

    Raises `NotRecorded` where it failed or returned None.
    """
    task = tasks.start(recording, what)
    await asyncio.wait({task})
    answer: T | None = task.result() if task.exception() is None else None
    if answer is None:
        raise NotRecorded
    return answer


def delivery_id(request: Request, header: str) -> str:
    """Return the sender's id of this delivery. Raises `Unreadable` without one."""
    id = request.headers.get(header, "").strip()
    if not id or len(id) > DELIVERY_CHARACTERS:
        raise Unreadable(f"{header} is missing")
    return id


def address(value: object) -> str | None:
    """Return a link that people may follow; anything else is left out, and the rest stands."""
    if not isinstance(value, str) or not value.startswith(("https://", "http://")):
        return None
    return value if len(value) <= URL and value.isprintable() and " " not in value else None


def one_line(text: str) -> str:
    """Return the first line of another program's text, in which nothing mentions anybody."""
    return slack_text.title(foreign(slack_text.typed(text)))


class Part(BaseModel):
    """A part of a body. What is null is not told: the field's default counts."""

    model_config = ConfigDict(extra="ignore")

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {name: part for name, part in value.items() if part is not None}


def _scalar_text(value: object) -> str:
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, bool | int | float) else ""


Word = Annotated[str, BeforeValidator(_scalar_text)]
"""Text that may be left out. A number is taken as its text, and another shape as not told: no alarm
is lost because of what stands beside it."""


def _time_or_none(value: Any, read: ValidatorFunctionWrapHandler) -> datetime | None:
    try:
        at: datetime | None = read(value)
    except ValidationError:
        return None
    at = at.replace(tzinfo=UTC) if at is not None and at.tzinfo is None else at
    return at if at is None or at.year > 1970 else None


Foreign = Annotated[Word, AfterValidator(foreign)]
"""Text of another program, in which nothing mentions anybody in Slack."""
Time = Annotated[datetime | None, WrapValidator(_time_or_none)]
"""A time; None where what stands there is none: Go's zero time is of the year 1, that of others of
1970. Without a zone it is UTC."""
