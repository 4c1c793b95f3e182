"""`firebreak suspects`: rank commits for a crash, so that the ranking can be judged elsewhere, too.

JSON comes in on stdin:

    {"frames": [{"file", "function", "line", "in_app"}],
     "exception": {"type", "value"},
     "commits": [{"sha", "author", "date", "message",
                  "files": [{"path", "added", "deleted", "patch"}]}],
     "chained": [{"type", "value", "frames"}]}

Frames begin with the crashing one; a trace that plainly begins where the program does is turned
round. `chained` are the errors because of which `exception` was raised, the oldest first. Only
`sha` and `path` are needed. JSON goes out on stdout, best first:
`[{"sha", "score", "confidence", "reasons"}]`. `confidence` is the probability that the commit
brought the crash. Where it is likelier that none of them did, the first row is
`{"sha": null, "confidence", "reasons"}`.
"""

import json
import re
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Annotated, Any, TextIO, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from phases.ports.library_paths import is_library_file
from phases.ports.source_values import Commit, CommitFile
from phases.record.findings import Frame
from phases.root_cause.commit_ranking import RaisedError, rank_commits
from phases.root_cause.stack_trace import COMPONENTS, evidence_frames


def _date(value: Any) -> datetime | None:
    """Read ISO 8601, seconds since 1970, or a mail's date.

    A date that cannot be read only costs the order.
    """
    if isinstance(value, bool) or value is None:
        return None
    try:
        if isinstance(value, int | float):
            moment = datetime.fromtimestamp(value, tz=UTC)
        else:
            moment = datetime.fromisoformat(str(value).strip())
    except (ValueError, OverflowError, OSError):
        try:
            moment = parsedate_to_datetime(str(value))
        except (ValueError, TypeError):
            return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _text(value: Any) -> Any:
    return "" if value is None else value


def _number(value: Any) -> Any:
    return 0 if value is None or value == "-" else value


Text = Annotated[str, BeforeValidator(_text)]
Number = Annotated[int, BeforeValidator(_number)]


class _In(BaseModel):
    model_config = ConfigDict(extra="ignore")

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, value: Any) -> Any:
        """Leave out nulls in lists."""
        if not isinstance(value, dict):
            return value
        fields = cast("dict[str, Any]", value)
        return {
            name: [item for item in content if item is not None]
            if isinstance(content, list)
            else content
            for name, content in fields.items()
        }


class _Frame(_In):
    file: Text = ""
    function: Text = ""
    line: int | None = None
    in_app: bool | None = True
    module: Text = ""
    context: list[tuple[int, Text]] | None = None


class _Exception(_In):
    type: Text = ""
    value: Text = ""


class _Chained(_Exception):
    frames: list[_Frame] | None = None

    @property
    def counts(self) -> bool:
        return bool(self.type or self.value or self.frames) and not self.type.startswith(COMPONENTS)


class _File(_In):
    path: str
    added: Number = 0
    deleted: Number = 0
    patch: Text = ""


class _Commit(_In):
    sha: str = Field(min_length=1)
    author: Text = ""
    date: Annotated[datetime | None, BeforeValidator(_date)] = None
    message: Text = ""
    files: list[_File] | None = None


class _Question(_In):
    frames: list[_Frame] | None = None
    exception: _Exception | None = None
    chained: list[_Chained] | None = None
    commits: list[_Commit]


def suspects_main(stdin: TextIO, stdout: TextIO) -> int:
    """Read one question and write one answer. Return the exit code.

    The code is 2, with one line on stderr, where the question cannot be read.
    """
    try:
        question = _Question.model_validate(json.load(stdin))
    except json.JSONDecodeError as error:
        return _refuse(f"stdin is no JSON: {error.msg} in line {error.lineno}")
    except UnicodeDecodeError:
        return _refuse("stdin is no JSON: it is not UTF-8")
    except RecursionError:
        return _refuse("stdin is nested too deeply")
    except ValidationError as error:
        return _refuse(_first_fault(error))
    frames, thrown = _crash(question)
    ranked = rank_commits(frames, thrown, [_commit(c) for c in question.commits])
    rows: list[dict[str, Any]] = [
        {"sha": s.sha, "score": s.score, "confidence": s.confidence, "reasons": list(s.reasons)}
        for s in ranked.suspects
    ]
    if ranked.nobody_leads:
        rows.insert(0, {"sha": None, "confidence": ranked.nobody, "reasons": list(ranked.reasons)})
    json.dump(rows, stdout, ensure_ascii=False)
    stdout.write("\n")
    return 0


def crash_of(question: Mapping[str, Any]) -> tuple[list[Frame], RaisedError]:
    """Return the frames, the crash first, and the error of a question in the form above."""
    return _crash(_Question.model_validate(question))


def _crash(question: _Question) -> tuple[list[Frame], RaisedError]:
    thrown = question.exception or _Exception()
    frames = _crash_first(question.frames)
    if causes := [cause for cause in question.chained or () if cause.counts]:
        stacks = [(cause.type, _crash_first(cause.frames)) for cause in causes]
        frames = evidence_frames([*stacks, (thrown.type, frames)])
        thrown = next((cause for cause in causes if cause.type or cause.value), thrown)
    return frames, RaisedError(type=thrown.type, value=thrown.value)


def _first_fault(error: ValidationError) -> str:
    first, others = error.errors()[0], error.error_count() - 1
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"])
    where = "".join(parts).lstrip(".") or "the whole"
    more = f" (and {others} more)" if others else ""
    return f"{where}: {first['msg'][0].lower()}{first['msg'][1:]}{more}"


def _crash_first(given: Sequence[_Frame] | None) -> list[Frame]:
    marked = any(f.in_app and "in_app" in f.model_fields_set for f in given or ())
    frames = [
        Frame(
            file=f.file,
            function=f.function,
            line=f.line,
            in_app=bool(f.in_app) or (f.in_app is None and not marked),
            module=f.module,
            context=tuple(f.context or ()),
        )
        for f in given or ()
    ]
    return frames[::-1] if _begins(frames[:1]) and not _begins(frames[-1:]) else frames


_START = re.compile(
    r"<module>|(?:.*[.:])?main|Main|\{main\}|<main>|__main__|_run_module_as_main"
    r"|_bootstrap(?:_inner)?|runtime\.goexit|_start"
    r"|(?:java\.lang\.)?Thread\.run|processTicksAndRejections"
)
_SERVES = re.compile(
    r"(?:.*[.:])?(?:inner|__call__|wsgi_app|full_dispatch_request|run_asgi|handle_request|serve"
    r"|ServeHTTP|doFilter)"
)


def _begins(frames: Sequence[Frame]) -> bool:
    """Say whether a program, a thread or a request begins here, far from the crash."""
    return any(
        _START.fullmatch(f.function) or (is_library_file(f.file) and _SERVES.fullmatch(f.function))
        for f in frames
    )


def _commit(commit: _Commit) -> Commit:
    subject, _, body = commit.message.strip().partition("\n")
    return Commit(
        sha=commit.sha,
        author=commit.author,
        at=commit.date,
        subject=subject,
        body=body.strip(),
        files=tuple(
            CommitFile(path=f.path, added=f.added, deleted=f.deleted, patch=f.patch)
            for f in commit.files or ()
        ),
    )


def _refuse(text: str) -> int:
    print(f"firebreak suspects: {text}", file=sys.stderr)
    return 2
