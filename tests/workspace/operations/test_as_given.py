"""Settings as Kubernetes, `echo` and `.env` files give them, in a real start.

`doctor` checks the webhooks, and only the packages of this bot run.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from shutil import which

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount
from starlette.types import Receive, Scope, Send

from sandbox.credentials import DEPLOY_SECRET
from sandbox.slack.people import plain
from sandbox.world import World
from tests.support.bots.serving import serve, serve_as_host
from tests.support.bots.setting_up import doctor, line
from tests.support.bots.stage import PATIENCE_SECONDS, burn, declared, town
from tests.support.bots.stage import ephemeral_with as alone
from tests.support.redis.authority import Authority
from tests.support.worlds.local_http import serving

SECRET = ("TOKEN", "SECRET", "KEY", "URL")


def as_a_file_gives_them(env: dict[str, str]) -> dict[str, str]:
    """Settings as files give them.

    A line end, a byte order mark or quotes stand around each secret and address.
    """
    forms = ("{}\n", "{}\r\n", " {} ", "\ufeff{}\n", "{}\u00a0")
    named = [name for name in env if name.endswith(SECRET)]
    return env | {name: forms[n % len(forms)].format(env[name]) for n, name in enumerate(named)}


def ci(world: World, secret: str) -> dict[str, str]:
    body = json.dumps(
        {
            "service": "shop",
            "version": "1.3.0",
            "environment": "production",
            "event": "finished",
            "at": datetime.now(UTC).isoformat(),
        }
    )
    mark = hmac.new(secret.encode(), body.encode(), hashlib.sha256).hexdigest()
    return {"content": body, "headers": {"X-Firebreak-Signature": f"sha256={mark}"}}


async def tell(world: World, secret: str) -> int:
    async with httpx.AsyncClient(trust_env=False, verify=False, timeout=60) as http:
        request = ci(world, secret)
        url = f"{world.bot_url}/webhooks/deploys"
        answer = await http.post(url, content=request["content"], headers=request["headers"])
        return answer.status_code


async def test_a_bot_whose_secrets_end_in_line_ends_lives_through_an_incident(
    tmp_path: Path,
) -> None:
    world = town(tmp_path / "world")
    world.bot.env = as_a_file_gives_them(world.bot.env)
    async with world:
        burn(world)
        channel = await declared(world.alice, "checkout is failing")
        # Slack, its signature, and Sentry.
        await world.alice.sees("Recommended: roll back", channel)
        await world.alice.sees("ENG-", channel)  # Linear
        assert await tell(world, DEPLOY_SECRET) == 200
        code, output = await doctor(world, DATA_DIR=f"{world.bot.env['DATA_DIR']}\n")
        assert code == 0, output


async def test_what_cannot_be_read_ends_the_start_with_every_fault(tmp_path: Path) -> None:
    wrong = {
        "SLACK_BOT_TOKEN": "xoxp-hush",
        "SLACK_SIGNING_SECRET": "s\n",
        "DATA_DIR": str(tmp_path),
        "SENTRY_URL": "https://me:hush@sentry.example.com",
        "SENTRY_ORG": "acme",
        "SENTRY_AUTH_TOKEN": "Bearer hush",
        "LINEAR_API_KEY": "lin_api_hu\nsh",
        "HOST": "0.0.0.0:3000",
        "SERVICES_FILE": str(tmp_path),
        "HTTPS_PROXY": "socks5://hush@127.0.0.1:1",
    }
    code, output = await serve_as_host(wrong, tmp_path)
    assert code == 2
    named = (
        "SLACK_BOT_TOKEN",
        "SENTRY_URL",
        "SENTRY_AUTH_TOKEN",
        "LINEAR_API_KEY",
        "HOST",
        "HTTPS_PROXY",
        "folder",
    )
    for name in named:
        assert name in output, output
    assert len(output.strip().splitlines()) == 1 + len(named)
    assert "Traceback" not in output
    assert "hush" not in output


async def test_a_port_that_is_taken_is_one_sentence(tmp_path: Path) -> None:
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    good = {
        "SLACK_BOT_TOKEN": "xoxb-1",
        "SLACK_SIGNING_SECRET": "s",
        "DATA_DIR": str(tmp_path),
        "HOST": "127.0.0.1",
    }
    code, output = await serve({**good, "PORT": str(port)}, tmp_path)
    assert code == 1
    assert output.startswith(f"Firebreak cannot start: port {port} cannot be listened on")
    server.close()
    await server.wait_closed()
    code, output = await serve({**good, "HOST": "192.0.2.1"}, tmp_path)
    assert code == 2
    assert "HOST 192.0.2.1 is no address of this machine" in output


async def test_doctor_tells_when_each_webhook_came_and_with_what_signature(tmp_path: Path) -> None:
    world = town(tmp_path / "world")
    async with world:
        output = await until(world, "none has arrived since the bot first ran")
        assert line(output, "Webhook of CI").startswith(" ? ")

        for _ in range(3):
            assert await tell(world, "another secret") == 401
        output = await until(world, "refused with a wrong signature 3 times")
        assert line(output, "Webhook of CI").startswith(" ✗ ")
        output = " ".join(output.split())
        assert "and none was ever right" in output
        assert "DEPLOY_WEBHOOK_SECRET: choose" in output

        assert await tell(world, DEPLOY_SECRET) == 200
        output = await until(world, "✓ Webhook of CI")
        assert "last arrived" in line(output, "Webhook of CI")
        await world.alice.command("/incident list")
        await until(world, "✓ Requests of Slack")


async def until(world: World, words: str) -> str:
    """Return doctor's output once these words are in it. It is written behind the answer."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            _, output = await doctor(world)
            if words in output:
                return output


@pytest.mark.skipif(not which("openssl"), reason="certificates are made with the program openssl")
async def test_a_sentry_behind_a_private_authority_is_said_in_the_channel_and_by_doctor(
    tmp_path: Path,
) -> None:
    authority = Authority(tmp_path)
    behind = Starlette(routes=[Mount("/", Behind())])
    async with serving(behind, authority.signed("sentry", "IP:127.0.0.1")) as url:
        world = town(tmp_path / "world")
        behind.state.url = f"{world.url}/sentry"
        world.bot.env["SENTRY_URL"] = url
        async with world:
            burn(world)
            channel = await declared(world.alice, "checkout is failing")
            # The pinned status.
            text = plain(await world.alice.sees("Sentry could not be queried", channel))
            assert "Sentry's certificate has an unknown issuer" in text
            await world.alice.command("/incident timeline", channel)
            assert "SSL_CERT_FILE" in plain(await alone(world.alice, "timeline"))
            _, output = await doctor(world)
            output = " ".join(output.split())
            assert "✗ Sentry, shop" in output
            assert "SSL_CERT_FILE: a file with the certificate" in output
            assert "org:read" not in output

            code, output = await doctor(world, SSL_CERT_FILE=str(authority.file))
            assert code == 0, output


class Behind:
    """The local Sentry behind another address: what is asked here is asked there."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        async with httpx.AsyncClient(trust_env=False, verify=False, timeout=60) as http:
            url = f"{request.app.state.url}{request.url.path}?{request.url.query}"
            headers = {"Authorization": request.headers.get("authorization", "")}
            answer = await http.request(
                request.method, url, headers=headers, content=await request.body()
            )
        passed_on = {
            name: answer.headers[name]
            for name in ("content-type", "link")
            if name in answer.headers
        }
        await Response(answer.content, answer.status_code, passed_on)(scope, receive, send)


@pytest.mark.skipif(
    not (which("openssl") and which("curl")), reason="the example is for a shell that has both"
)
async def test_the_example_for_ci_works_as_it_stands_in_the_docs(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "alerts.md").read_text()
    first, *rest = page.split("```sh\n")[1].split("```")[0].splitlines()
    assert first.startswith("export DEPLOY_WEBHOOK_SECRET=… FIREBREAK=")
    async with town(tmp_path / "world") as world:
        env = {
            "DEPLOY_WEBHOOK_SECRET": DEPLOY_SECRET,
            "FIREBREAK": world.bot_url,
            "PATH": os.environ["PATH"],
        }
        for secret, answer in (
            (DEPLOY_SECRET, '{"hold":false,"incident":null} (HTTP 200)'),
            ("another", "(HTTP 401)"),
        ):
            process = await asyncio.create_subprocess_exec(
                *("sh", "-c", "\n".join(rest)),
                env={**env, "DEPLOY_WEBHOOK_SECRET": secret},
                stdout=-1,
            )
            out, _ = await process.communicate()
            assert answer in out.decode()


async def test_doctor_with_settings_missing_says_every_fault_of_settings_and_catalogue(
    tmp_path: Path,
) -> None:
    world = town(tmp_path / "world", with_bot=False)
    async with world:
        (world.folder / "services.toml").write_text('[services.shop]\nownerz = "@x"\n')
        wrong = {
            "SLACK_BOT_TOKEN": "",
            "DATA_DIR": "",
            "SENTRY_ORG": "",
            "PORT": "x",
            "LINEAR_API_KEY": "lin_wh_x",
        }
        code, output = await doctor(world, **wrong)
    assert code == 1
    for name in ("SLACK_BOT_TOKEN", "DATA_DIR", "SENTRY_ORG", "PORT", "LINEAR_API_KEY", "ownerz"):
        assert name in output, name


async def test_from_a_folder_that_has_packages_of_these_names_ours_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("bot", "handlers", "phases", "sandbox"):
        (tmp_path / "project" / name).mkdir(parents=True)
        (tmp_path / "project" / name / "__init__.py").write_text(
            "raise SystemExit('not Firebreak')\n"
        )
        (tmp_path / "project" / name / "__main__.py").write_text(
            "raise SystemExit('not Firebreak')\n"
        )
    monkeypatch.chdir(tmp_path / "project")
    async with town(tmp_path / "world") as world:
        assert world.bot.state == "running"
        channel = await declared(world.alice, "checkout is failing")
        await world.alice.sees("Decision 1", channel)
