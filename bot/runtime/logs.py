"""Logging: short lines on a terminal, else JSON; never a token, a body, or an end user."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any, TextIO

from bot.runtime.redaction import CONTROL, redact

QUIET = {
    # Bolt logs whole bodies: of requests that it refuses at INFO, of all requests at DEBUG.
    # slack_sdk logs requests and their answers at DEBUG. httpx and httpcore log URLs at INFO, and
    # the URL of a Discord webhook is a secret. APScheduler logs every run at INFO, four times a
    # second.
    "slack_bolt": logging.ERROR,
    "slack_sdk": logging.WARNING,
    "httpx": logging.WARNING,
    "httpcore": logging.WARNING,
    "aiohttp": logging.WARNING,
    "apscheduler": logging.WARNING,
    "uvicorn.access": logging.WARNING,
    "asyncio": logging.WARNING,
}
_OWN = frozenset(logging.makeLogRecord({}).__dict__) | {
    "message",
    "asctime",
    "taskName",
    "color_message",
}


class Redact(logging.Filter):
    """Hides secrets in the message, its arguments, the extra fields and the traceback."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg = _without_controls(redact(record.getMessage()))
        record.args = None
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        record.exc_info = None
        if record.exc_text:
            record.exc_text = _without_controls(redact(record.exc_text))
        if record.stack_info:
            record.stack_info = redact(record.stack_info)
        for key, value in record.__dict__.items():
            if key not in _OWN and isinstance(value, str):
                record.__dict__[key] = _without_controls(redact(value))
        return True


def _without_controls(text: str) -> str:
    """Return the text without what a terminal would obey. A second line is indented."""
    shown = CONTROL.sub(
        lambda match: match[0].encode("unicode_escape").decode("ascii"), text.replace("\r\n", "\n")
    )
    return shown.replace("\n", "\n    ")


class JsonLines(logging.Formatter):
    """One JSON object a line.

    Keys are `at` (UTC), `level`, `logger`, `said`, the extra fields, `error` with the traceback.
    """

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "said": record.getMessage(),
        }
        line |= {key: value for key, value in record.__dict__.items() if key not in _OWN}
        if record.exc_text:
            line["error"] = record.exc_text
        return json.dumps(line, ensure_ascii=False, default=lambda value: redact(str(value)))


class Lines(logging.Formatter):
    """`14:03:07 INFO bot.wiring  message  key=value`."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s  %(message)s", "%H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:
        extra = "".join(
            f"  {key}={value}" for key, value in record.__dict__.items() if key not in _OWN
        )
        return super().formatMessage(record) + extra


def _collect_less() -> None:
    """Collect for a record only what a line shows: the rest is a third of its cost.

    https://docs.python.org/3/howto/logging.html#optimization
    """
    logging._srcfile = None  # type: ignore[attr-defined]  the page names it so
    logging.logThreads = logging.logProcesses = False
    logging.logMultiprocessing = False
    logging.logAsyncioTasks = False  # type: ignore[attr-defined]  from Python 3.12 on


def set_up(level: str = "INFO", stream: TextIO | None = None) -> None:
    """Give the root logger one handler on `stream` (stderr). It may be called again."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.addFilter(Redact())
    handler.setFormatter(Lines() if handler.stream.isatty() else JsonLines())
    _collect_less()
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
    for name, floor in QUIET.items():
        logging.getLogger(name).setLevel(max(floor, logging.getLevelName(level)))
