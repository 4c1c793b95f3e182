"""A deploy's output, made fit to be shown, and the short commands of the deployer and git."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from bot.clients.processes import records
from bot.clients.processes.commands import CommandFailed, child_environment, run
from bot.config.settings import Settings
from bot.runtime.redaction import OUTPUT_BYTES, printed, redact

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("using xoxb-1234567890-abcdef for Slack", "xoxb-1234567890-abcdef"),
        ("push with ghp_0123456789abcdefghijABCD", "ghp_0123456789abcdefghijABCD"),
        ("key AKIAIOSFODNN7EXAMPLE", "AKIAIOSFODNN7EXAMPLE"),
        ("PASSWORD=hunter2", "hunter2"),
        ("db_password: 'correct horse'", "correct horse"),
        ('{"api_key": "abc def", "x": 1}', "abc def"),
        ("export AWS_SECRET_ACCESS_KEY=wJalrXUt", "wJalrXUt"),
        ("curl --token s3cr3t https://x", "s3cr3t"),
        ("Authorization: Bearer abcdefgh12345", "abcdefgh12345"),
        ("postgres://shop:hunter2@db/shop", "hunter2"),
        (f"id {JWT} ok", JWT),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----", "MIIE"),
        ("mail to ada@example.com now", "ada@example.com"),
        ("https://hooks.slack.com/services/T0/B0/xyz", "T0/B0/xyz"),
        ("https://discordapp.com/api/webhooks/1/xyz", "1/xyz"),
        ("xapp-1-A0-1234567890", "xapp-1-A0-1234567890"),
        ("with github_pat_0123456789abcdefghij", "github_pat_0123456789abcdefghij"),
        ("github_pat_11ABCDE0123456789_abc", "github_pat_11ABCDE0123456789_abc"),
        ("with glpat-0123456789abcdef", "glpat-0123456789abcdef"),
        ("sntrys_0123456789abcdefghij", "sntrys_0123456789abcdefghij"),
        ("sntryi_0123456789abcdefghij", "sntryi_0123456789abcdefghij"),
        ("lin_api_0123456789abcdefghij", "lin_api_0123456789abcdefghij"),
        ("lin_wh_0123456789abcdefghij", "lin_wh_0123456789abcdefghij"),
        ("AIzaSyA0123456789abcdefghijklmnopqrstu", "AIzaSyA0123456789abcdefghijklmnopqrstu"),
        ("ya29.a0123456789abcdefghij", "ya29.a0123456789abcdefghij"),
        ("rk_live_0123456789", "rk_live_0123456789"),
        ("sk-0123456789abcdefghij", "sk-0123456789abcdefghij"),
        ("npm_0123456789abcdefghijkl", "npm_0123456789abcdefghijkl"),
        ("pypi-0123456789abcdefghijkl", "pypi-0123456789abcdefghijkl"),
        ("dop_v1_0123456789abcdefghijkl", "dop_v1_0123456789abcdefghijkl"),
        ("hvs.0123456789abcdefghijkl", "hvs.0123456789abcdefghijkl"),
        ("the Passphrase = horse", "horse"),
        ("CREDENTIALS: horse", "horse"),
        ("authkey=horse", "horse"),
        ("session_id=horse", "horse"),
        ("Set-Cookie: sid=horse", "horse"),
        ("basic dXNlcjpwYXNz", "dXNlcjpwYXNz"),
    ],
)
def test_what_looks_like_a_secret_is_hidden(text: str, secret: str) -> None:
    assert secret not in redact(text)
    assert "[redacted]" in redact(text)


@pytest.mark.parametrize(
    "text", ["checking out v42", "HEAD is now at 0123456 Rates (#12)", "12:03:04 step 3/5: 80 %"]
)
def test_ordinary_lines_stay(text: str) -> None:
    assert redact(text) == text


def test_lines_are_whole_plain_and_few() -> None:
    output = (
        b"\x1b[31mred\x1b[0m\n\n 10%\r 50%\r100%\n" + b"x" * 1000 + b"\nbell\x07 \xff end\nlast"
    )
    lines = printed(output, from_the_start=True, going_on=False).lines
    assert lines[0] == "red"
    assert lines[1] == "100%"
    assert (len(lines[2]), lines[2][-1]) == (300, "…")
    assert lines[3] == "bell  \ufffd end"
    assert lines[4] == "last"
    assert printed(b"", from_the_start=True, going_on=False).lines == ()


def test_the_thread_shows_the_newest_lines_up_to_a_limit_and_says_that_there_were_more() -> None:
    few = printed(b"one\ntwo\n", from_the_start=True, going_on=True)
    assert (few.lines, few.cut) == (("one", "two"), False)
    many = printed(b"".join(b"%d\n" % n for n in range(1000)), from_the_start=True, going_on=True)
    assert many.lines == tuple(str(n) for n in range(960, 1000))
    assert many.cut
    wide = printed(
        "ä".encode() * 200 + b"\n" + b"y" * 290 + b"\n" * 3 + b"z\n" * 20,
        from_the_start=True,
        going_on=False,
    )
    assert len(wide.lines) == 22
    long = printed((b"x" * 290 + b"\n") * 30, from_the_start=True, going_on=False)
    assert (len(long.lines), long.cut) == (9, True)
    assert sum(len(line) + 1 for line in long.lines) <= OUTPUT_BYTES


def test_half_a_secret_is_not_shown() -> None:
    """A line that is still being written may end in one.

    The tail may have lost a line's beginning.
    """
    half = printed(b"building\npushing with ghp_0123456", from_the_start=True, going_on=True)
    assert half.lines == ("building",)
    whole = printed(b"building\npushing with ghp_0123456", from_the_start=True, going_on=False)
    assert whole.lines[-1] == "pushing with ghp_0123456", "nothing more will come"
    waits = printed(
        b"built\nContinue with ghp_0123456", from_the_start=True, going_on=True, stands_still=True
    )
    assert waits.lines == ("built", "Continue with [redacted]"), (
        "it may be a question, and still half a secret"
    )
    tail = printed(b"56789abcdefghij is the token\nbuilt\n", from_the_start=False, going_on=False)
    assert (tail.lines, tail.cut) == (("built",), True)
    redrawn = printed(b" 10%\r 50%\r 5", from_the_start=True, going_on=True)
    assert redrawn.lines == ("50%",)


def test_a_key_whose_beginning_is_out_of_sight_is_hidden() -> None:
    text = "MIIEvQIBADANBg\nkqhkiG9w0BAQ\n-----END PRIVATE KEY-----\nbuilt"
    assert redact(text) == "[redacted]\nbuilt"
    two = (
        "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\nx\n"
        f"{'-----BEGIN EC PRIVATE KEY-----'}\nMHc"
    )
    assert redact(two) == "[redacted]\nx\n[redacted]"
    ordinary = "a\nb"
    assert redact(ordinary) == ordinary


async def test_a_command_that_does_not_end_is_ended_with_its_children(tmp_path: Path) -> None:
    before = time.monotonic()
    with pytest.raises(CommandFailed, match="did not end within") as failed:
        await run(["sh", "-c", "sleep 600 & echo $! > child; wait"], cwd=str(tmp_path), seconds=0.5)
    assert failed.value.timed_out
    assert time.monotonic() - before < 100
    child = int((tmp_path / "child").read_text())
    deadline = time.monotonic() + 60
    while records.mark(child)["started"] is not None:
        assert time.monotonic() < deadline


async def test_output_has_a_limit_and_stops_the_command(tmp_path: Path) -> None:
    output = await run(["yes"], cwd=str(tmp_path), seconds=100, limit=1000)
    assert len(output.out) == 1000
    assert output.truncated


async def test_what_cannot_be_started_says_why(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("no program")
    for argv, cwd, why in (
        (["no-such-program"], tmp_path, "there is no such program"),
        (["true"], tmp_path / "nowhere", "does not exist"),
        (["./plain"], tmp_path, "may not be executed"),
        (["a\0b"], tmp_path, "null byte"),
    ):
        with pytest.raises(CommandFailed, match=why):
            await run(argv, cwd=str(cwd), seconds=60)


def test_the_bots_settings_stay_with_the_bot(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = {
        name.upper()
        for name, field in Settings.model_fields.items()
        if "SecretStr" in str(field.annotation)
    }
    assert len(secret) > 12
    for name in (*secret, "GIT_DIR"):
        monkeypatch.setenv(name, "x")
    environment = child_environment({"LC_ALL": "C"})
    assert environment["LC_ALL"] == "C"
    assert environment["PATH"] == os.environ["PATH"]
    assert not {*secret, "GIT_DIR"} & set(environment)


def test_records_are_written_once_and_whole(tmp_path: Path) -> None:
    path = tmp_path / "a" / "job.json"
    assert records.create(path, {"n": 1})
    assert not records.create(path, {"n": 2})
    assert records.read(path) == {"n": 1}
    records.replace(path, {"n": 3})
    assert records.read(path) == {"n": 3}
    assert [p.name for p in path.parent.iterdir()] == ["job.json"]
    assert records.folder_of(tmp_path, "d", "INC-1:a/../b").parent == tmp_path / "d"
    assert records.folder_of(tmp_path, "d", "a:b") != records.folder_of(tmp_path, "d", "a-b")


def test_a_log_that_grows_too_large_keeps_its_tail(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"x" * (records.KEEP_OUTPUT_BYTES + 1) + b"\nlast")
    records.cut_down(path)
    tail = path.read_bytes()
    assert len(tail) < 2 * records.TAIL_BYTES
    assert tail.startswith(b"[earlier output was cut]")
    assert tail.endswith(b"\nlast")
