"""One call of git in a local clone: its settings, its limits, and its refusals in plain words.

Every call is an argv without a shell, with a time and an output limit, no prompt, no pager, and no
external diff. Names from outside never reach git as an option: a ref must fit a pattern and is
asked for below `refs/` or as a sha, and a path is one that git itself listed.
"""

import os
import re
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from bot.clients.processes.commands import CommandFailed, Output, run
from bot.runtime.redaction import redact
from phases.ports.ports import NotSetUp, PortError
from phases.record.findings import ABBREVIATED
from phases.record.service import Service
from phases.text.cleaning import foreign

GIT_SECONDS = 10.0
CONTENTS_SECONDS = 8.0
"""The time of a call that asks the network for what a partial clone lacks."""
LOG_BYTES = 8 * 1024 * 1024

_ENVIRONMENT = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_PAGER": "cat",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_GRAFT_FILE": os.devnull,
    "LC_ALL": "C",
}
"""Replacements and grafts are left out: history is told as it was committed
(https://git-scm.com/docs/git-replace)."""
_OFFLINE = {"GIT_ALLOW_PROTOCOL": "", "GIT_NO_LAZY_FETCH": "1"}
"""In a partial clone any read may ask the network for an object, one at a time.

`GIT_NO_LAZY_FETCH` came with git 2.45; before, no protocol is allowed to the fetch that git begins
by itself (https://git-scm.com/docs/git#Documentation/git.txt-GIT_ALLOW_PROTOCOL).
"""
_QUIET = {
    "GIT_ASKPASS": ("true", "core.askpass"),
    "SSH_ASKPASS": ("true", "core.askpass"),
    "GIT_SSH_COMMAND": ("ssh -oBatchMode=yes", "core.sshcommand"),
}
"""Programs that never ask a person.

The settings of the bot's environment or of the clone (a deploy key, a program that knows a token)
go first: these variables would hide them
(https://git-scm.com/docs/git-config#Documentation/git-config.txt-coresshCommand).
"""
_FUNCTIONS = "\n".join(
    (
        r"!^[ \t]*(if|else|elif|for|foreach|while|do|switch|catch|with|return|case|throw|raise|new"
        r"|await|yield)([^A-Za-z0-9_]|$)",
        r"^[ \t]*((async[ \t]+)?(def|class|module)[ \t].*)$",
        r"^[ \t]*((export[ \t]+)?(default[ \t]+)?(abstract[ \t]+)?"
        r"((async[ \t]+)?function|class|interface)([^A-Za-z0-9_]|$).*)$",
        r"^[ \t]*((export[ \t]+)?(const|let|var)[ \t]+[A-Za-z_$][A-Za-z0-9_$]*[ \t]*=[ \t]*"
        r"(async[ \t]*)?(\(|function).*)$",
        r"^[ \t]*((pub[^ \t]*[ \t]+)?(async[ \t]+)?(unsafe[ \t]+)?"
        r"(fn|impl|trait)([^A-Za-z0-9_]|$).*)$",
        r"^[ \t]*((public|private|protected|internal|static|override|virtual|final|abstract"
        r"|func|fun|sub)[ \t].*)$",
        r"^[ \t]*((async[ \t]+)?[A-Za-z_$][A-Za-z0-9_$]*\([^)]*\)[ \t]*\{)$",
        r"^([A-Za-z_$].*)$",
    )
)
"""The heads of hunks, in any language.

Git's own default knows only lines that begin in the first column, so it would name a class where a
method was changed. https://git-scm.com/docs/gitattributes#_defining_a_custom_hunk_header
"""
_SETTINGS = (
    "--no-pager",
    *("-c", "core.quotePath=false"),
    *("-c", "core.fsmonitor=false"),
    *("-c", "core.hooksPath=/dev/null"),
    *("-c", "log.showSignature=false"),
    *("-c", "diff.noprefix=false"),
    *("-c", "diff.mnemonicPrefix=false"),
    *("-c", "color.ui=false"),
    *("-c", "color.diff=false"),
    *("-c", "color.grep=false"),
    *("-c", "diff.srcPrefix=a/"),
    *("-c", "diff.dstPrefix=b/"),
    *("-c", "diff.relative=false"),
    *("-c", "i18n.logOutputEncoding=UTF-8"),
    *("-c", "advice.graftFileDeprecated=false"),
    *("-c", "safe.bareRepository=all"),
    *("-c", "gc.auto=0"),
    *("-c", "maintenance.auto=false"),
    *("-c", f"diff.default.xfuncname={_FUNCTIONS}"),
)
_HOTFIX = re.compile(r"hotfix .+@([0-9a-f]{7,64})")
_REF = re.compile(
    r"(?!.*(?:\.\.|@\{|//|\.lock(?:/|$)|/\.))"
    r"[^\x00-\x20\x7f~^:?*\[\\./-][^\x00-\x20\x7f~^:?*\[\\]{0,199}(?<![./])"
)
"""The names that a ref may have: https://git-scm.com/docs/git-check-ref-format."""
_NOT_GIT = re.compile(r"fatal: (?:Could not read from remote repository|the remote end hung up)")
"""Git's words after another program, ssh mostly, has just said why."""
_ERROR = re.compile(rb"(?m)^(?:error|fatal): ")


async def git(
    directory: str,
    *arguments: str,
    seconds: float = GIT_SECONDS,
    limit: int = LOG_BYTES,
    online: bool = False,
    extra: Mapping[str, str] | None = None,
) -> Output:
    """Call git once in `directory`.

    Only where `online` may it reach another host. `extra` is added to its environment. Raises
    `CommandFailed` when it cannot be started or does not end in time.
    """
    environment = _ENVIRONMENT | (await _quiet_programs(directory) if online else _OFFLINE)
    return await run(
        ["git", *_SETTINGS, *arguments],
        cwd=directory,
        seconds=seconds,
        limit=limit,
        extra=environment | dict(extra or {}),
    )


async def _quiet_programs(directory: str) -> dict[str, str]:
    settings = await run(
        ["git", "config", "--get-regexp", r"^core\.(sshcommand|askpass)$"],
        cwd=directory,
        seconds=GIT_SECONDS,
        extra=_ENVIRONMENT,
    )
    set_there = {row.split(" ", 1)[0] for row in settings.text.splitlines()}
    taken = {"GIT_SSH_COMMAND"} if "GIT_SSH" in os.environ else set[str]()
    taken |= {"SSH_ASKPASS"} if "GIT_ASKPASS" in os.environ else set[str]()
    return {
        name: value
        for name, (value, setting) in _QUIET.items()
        if name not in os.environ and name not in taken and setting not in set_there
    }


def checkout_of(service: Service) -> str:
    """Return the clone's directory.

    Raises `NotSetUp` where the catalogue names none, or it is not there.
    """
    key = "(`checkout` in the catalogue)"
    if not service.checkout:
        raise NotSetUp("git", f"no local clone of {service.name} is set up {key}")
    if not Path(service.checkout).is_dir():
        raise NotSetUp("git", f"the local clone of {service.name} is not there {key}")
    return service.checkout


async def attempt(
    directory: str, *arguments: str, seconds: float = GIT_SECONDS, limit: int = LOG_BYTES
) -> Output:
    """Return a call whose failure is an answer. Only a git that cannot be asked is an error."""
    try:
        output = await git(directory, *arguments, seconds=seconds, limit=limit)
    except CommandFailed as error:
        raise PortError("git", error.text, retryable=error.timed_out) from error
    if (refused := refusal(output)) is not None:
        raise refused
    return output


def refusal(output: Output) -> NotSetUp | None:
    """Return why git does not read this directory at all, in words that say what to do."""
    if output.code != 128:
        return None
    if b"not a git repository" in output.err:
        return NotSetUp(
            "git", "the directory that the catalogue names as `checkout` is no git clone"
        )
    if b"dubious ownership" in output.err or b"unsafe repository" in output.err:
        text = "the clone belongs to another user: `git config --global --add safe.directory "
        return NotSetUp("git", f"{text}<its directory>`, as the bot's user")
    return None


async def read(
    directory: str,
    *arguments: str,
    seconds: float = GIT_SECONDS,
    limit: int = LOG_BYTES,
    before: Callable[[], Awaitable[None]] | None = None,
) -> Output:
    """Return as `attempt`; where a partial clone lacks something, again with the network.

    `before` may bring in one request what git would ask for one by one.
    """
    output = await attempt(directory, *arguments, seconds=seconds, limit=limit)
    if not output.code or output.truncated or not await promisor_remote(directory):
        return output
    if before is not None:
        await before()
    try:
        return await git(directory, *arguments, seconds=CONTENTS_SECONDS, limit=limit, online=True)
    except CommandFailed as error:
        text = "the clone is a partial one, and its remote did not give what it lacks"
        raise PortError("git", f"{text} ({error.text})", retryable=error.timed_out) from error


async def ask(
    directory: str,
    *arguments: str,
    seconds: float = GIT_SECONDS,
    limit: int = LOG_BYTES,
    before: Callable[[], Awaitable[None]] | None = None,
) -> Output:
    """Return as `read`. A call that did not work is a `PortError` in git's own words."""
    output = await read(directory, *arguments, seconds=seconds, limit=limit, before=before)
    return checked(output, arguments[0])


def checked(output: Output, what: str, answers: tuple[int, ...] = (0,)) -> Output:
    """Return the same output, if its exit code is an answer.

    Raises `PortError` for another one, and where git went on over something that it could not read:
    half a history accuses the wrong commit.
    """
    if not output.truncated and (output.code not in answers or _ERROR.search(output.err)):
        raise PortError("git", f"git {what}: {complaint(output)}")
    return output


def complaint(output: Output) -> str:
    """Return the first line that git calls an error.

    Behind it stand what follows from it, and what to try by hand.
    """
    lines = [
        line.strip() for line in output.err.decode("utf-8", "replace").split("\n") if line.strip()
    ]
    first = next(
        (n for n, line in enumerate(lines) if line.startswith(("fatal: ", "error: ", "! ["))), None
    )
    if first is None:
        return redact(output.complaint)
    why = f"{lines[first - 1]} " if first and _NOT_GIT.match(lines[first]) else ""
    return redact(foreign(f"{why}{lines[first]}"[:300]))


async def promisor_remote(directory: str) -> str:
    """Return the remote that a partial clone asks for what it lacks; empty for a whole clone.

    https://git-scm.com/docs/partial-clone
    """
    settings = await attempt(
        directory, "config", "--get-regexp", r"^(remote\..*\.promisor|extensions\.partialclone)$"
    )
    for row in settings.text.splitlines():
        key, _, value = row.partition(" ")
        if key == "extensions.partialclone" and value:
            return value
        if value.strip().lower() in ("", "true", "yes", "on", "1"):
            return key.removeprefix("remote.").removesuffix(".promisor")
    return ""


def tag_of(service: Service, name: str) -> str | None:
    """Return the tag of a version, or None where nothing of that name can be one."""
    tag = service.release.tag.replace("{version}", name)
    return tag if _HOTFIX.fullmatch(name) is None and _REF.fullmatch(tag) else None


def sha_of(name: str) -> str | None:
    """Return the sha, whole or short, that a version or a `hotfix <branch>@<sha>` is."""
    hotfix = _HOTFIX.fullmatch(name)
    sha = hotfix.group(1) if hotfix else name.lower()
    return sha if ABBREVIATED.fullmatch(sha) else None


async def resolve(directory: str, service: Service, name: str) -> str | None:
    """Return the full sha of a version, as its tag says; of a hotfix; or of a sha.

    A hotfix is named `hotfix <branch>@<sha>`. None: git does not know it.
    """
    tag, sha = tag_of(service, name), sha_of(name)
    if tag is not None and (commit := await commit_of(directory, f"refs/tags/{tag}")) is not None:
        return commit
    if sha is not None and (commit := await commit_of(directory, sha)) is not None:
        return commit if commit.startswith(sha) else None  # else a branch of that name
    return None


async def commit_of(directory: str, name: str) -> str | None:
    """Return the commit that a full ref, a sha or an annotated tag stands for."""
    output = await attempt(
        directory, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"
    )
    return output.text.strip() if not output.code else None
