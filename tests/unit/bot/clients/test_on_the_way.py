"""Obstacles between us and a system name themselves, over real TLS and HTTP.

They are certificates, names, ports, proxies, and redirects.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from bot.cli.checks import outside, sentry
from bot.clients.advice import advice
from bot.clients.discord import Discord
from bot.clients.github.client import GitHub
from bot.clients.http.client import Http
from bot.clients.http.endpoint import HttpEndpoint
from bot.clients.http.errors import HttpError
from bot.clients.http.unreachable import cause_of
from bot.clients.linear.client import Linear
from bot.clients.pagerduty import PagerDuty
from bot.clients.sentry.client import Sentry
from bot.clients.slack.client import Slack
from bot.config.catalogue import Catalogue
from bot.config.settings import load
from bot.wiring import Outside
from phases.ports.ports import PortError
from tests.support.redis.authority import OPENSSL, Authority
from tests.support.values.factories import service
from tests.support.worlds.local_http import serving

needs_openssl = pytest.mark.skipif(
    OPENSSL is None, reason="certificates are made with the program openssl"
)
ANSWER = {"ok": True, "team_id": "T1", "user_id": "U1", "data": {}, "id": "1", "name": "n"}


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "HTTPS_PROXY",
        "HTTP_PROXY",
        "ALL_PROXY",
        "NO_PROXY",
    ):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def anything(answer: Response | None = None) -> Starlette:
    async def handle(_: Request) -> Response:
        return answer or JSONResponse(ANSWER)

    return Starlette(routes=[Route("/{rest:path}", handle, methods=["GET", "POST", "PUT"])])


@pytest.fixture
async def company(authority: Authority) -> AsyncIterator[str]:
    """Everything behind a certificate of the company's own authority."""
    async with serving(
        anything(), authority.signed("company", "IP:127.0.0.1", "DNS:localhost")
    ) as url:
        yield url


async def refusals(url: str) -> tuple[str, str]:
    """The errors of a client of httpx, and of Slack's of aiohttp.

    Both are without secrets.
    """
    http = Http("Sentry", url, {"Authorization": "Bearer sntrys_hush"})
    with pytest.raises(HttpError) as first:
        await http.request("POST", "/", json={})
    await http.aclose()
    slack = Slack("xoxb-hush", f"{url}/api/")
    await slack.start()
    with pytest.raises(PortError) as other:
        await slack.call("auth.test")
    await slack.aclose()
    for error in (first.value, other.value):
        assert "hush" not in str(error)
    assert not first.value.sent
    return first.value.text, other.value.text


@needs_openssl
async def test_a_private_authority_is_named_by_every_client(company: str) -> None:
    every = (
        Sentry(company, "acme", "t"),
        GitHub(company, "t"),
        Linear(company, "k"),
        Discord(f"{company}/webhooks/1/x"),
        PagerDuty(company, "k" * 32),
    )
    sentry, github, linear, discord, pagerduty = every
    asking = (
        sentry.warm([service()]),
        github.about("acme/shop"),
        linear.check(),
        discord.check(),
        pagerduty.page(key="k", text="t"),
    )
    for question in asking:
        with pytest.raises(
            PortError, match=r"certificate .*unknown issuer.*SSL_CERT_FILE"
        ) as caught:
            await question
        assert not caught.value.retryable, "people are told at once: only they can mend it"
    for client in every:
        await client.aclose()
    endpoint = HttpEndpoint(pause=0)
    answer = await endpoint.call(f"{company}/health")
    await endpoint.aclose()
    assert not answer.ok
    assert "certificate" in answer.said
    assert "SSL_CERT_FILE" in answer.said
    assert all(
        "certificate" in text and "SSL_CERT_FILE" in text for text in await refusals(company)
    )


@needs_openssl
async def test_doctor_says_certificate_and_nothing_of_scopes(company: str, tmp_path: Path) -> None:
    settings = load(
        slack_bot_token="xoxb-1",
        slack_signing_secret="s",
        data_dir=tmp_path,
        sentry_url=company,
        sentry_org="acme",
        sentry_auth_token="t",
        linear_api_url=company,
        linear_api_key="k",
    )
    async with AsyncExitStack() as stack:
        clients, catalogue = Outside.of(settings, stack), Catalogue([service()])
        findings = [
            *await sentry.sentry(clients.tracker, catalogue),
            *await outside.linear_and_others(settings, catalogue, clients),
        ]
    assert len(findings) == 2
    for finding in findings:
        assert finding.state == "broken"
        assert "certificate" in finding.says
        assert "SSL_CERT_FILE" in finding.mend
        for guess in ("org:read", "SENTRY_AUTH_TOKEN", "LINEAR_API_KEY"):
            assert guess not in finding.mend


@needs_openssl
async def test_with_ssl_cert_file_every_client_believes_it_and_the_public_ones_still(
    company: str, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    http = Http("Sentry", company, {})
    assert http.json(await http.get("/"))["ok"]
    await http.aclose()
    slack = Slack("xoxb-1", f"{company}/api/")
    await slack.start()
    assert (await slack.call("auth.test"))["ok"]
    await slack.aclose()
    endpoint = HttpEndpoint()
    assert (await endpoint.call(f"{company}/health")).ok
    await endpoint.aclose()
    trusted = slack.web.ssl
    assert trusted is not None
    names = {str(certificate.get("subject")) for certificate in trusted.get_ca_certs()}
    assert any("Acme authority" in name for name in names)
    assert any("ISRG Root X1" in name for name in names), (
        "who is believed already is believed still"
    )


@needs_openssl
async def test_each_fault_of_a_certificate_has_its_word(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(anything(), authority.self_signed("alone", "IP:127.0.0.1")) as url:
        assert all("certificate is self-signed" in text for text in await refusals(url))
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    async with serving(anything(), authority.signed("old", "IP:127.0.0.1", days=-1)) as url:
        messages = await refusals(url)
        assert all("certificate has expired" in text for text in messages)
        assert not any("SSL_CERT_FILE" in text for text in messages), "trust is not what it lacks"
    async with serving(anything(), authority.signed("other", "DNS:sentry.example.com")) as url:
        assert all("another host" in text for text in await refusals(url))
        by_name = url.replace("127.0.0.1", "localhost")
        assert all(
            "certificate is for another host name" in text for text in await refusals(by_name)
        )


@needs_openssl
async def test_who_wants_a_certificate_of_ours_says_so(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In TLS 1.3 the alert comes after the handshake, in the place of the answer."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.signed("strict", "IP:127.0.0.1"))
    context.load_verify_locations(authority.file)
    context.verify_mode = ssl.CERT_REQUIRED
    server = await asyncio.start_server(
        lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=context
    )
    url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    http = Http("Sentry", url, {})
    with pytest.raises(
        HttpError, match=r"wants a certificate of the bot's own|TLS failed|broke off"
    ) as caught:
        await http.get("/")
    await http.aclose()
    assert caught.value.status is None
    endpoint = HttpEndpoint()
    assert not (await endpoint.call(url)).ok
    await endpoint.aclose()
    server.close()


async def test_an_answer_that_is_not_theirs_is_no_fault_of_a_token() -> None:
    async with serving(anything(JSONResponse({}))) as url, AsyncExitStack() as stack:
        given = load(
            slack_bot_token="xoxb-1",
            slack_app_token="xapp-1",
            redis_url="redis://h",
            linear_api_url=f"{url}/graphql",
            linear_api_key="lin_api_1",
            discord_webhook_url=f"{url}/api/webhooks/1/abc",
        )
        findings = await outside.linear_and_others(given, Catalogue(()), Outside.of(given, stack))
        assert [(finding.what, finding.state, finding.mend) for finding in findings] == [
            ("Linear", "broken", ""),
            ("Discord", "broken", ""),
        ]
        slack = Slack("xoxb-1", f"{url}/api/")
        await slack.start()
        with pytest.raises(PortError, match=r"auth\.test") as caught:
            await slack.call("auth.test")
        assert "does not answer as Slack does" in caught.value.text
        await slack.aclose()


async def test_tls_to_a_port_without_it() -> None:
    async with serving(anything()) as url:
        assert all(
            "does not speak TLS" in text
            for text in await refusals(url.replace("http://", "https://"))
        )


@needs_openssl
async def test_no_tls_to_a_port_with_it(company: str) -> None:
    http = Http("Sentry", company.replace("https://", "http://"), {})
    with pytest.raises(HttpError, match=r"https://|broke off"):
        await http.request("POST", "/", json={})
    await http.aclose()
    page = "<html>400 The plain HTTP request was sent to HTTPS port</html>"
    async with serving(anything(PlainTextResponse(page, 400))) as url:
        http = Http("Sentry", url, {})
        with pytest.raises(HttpError, match="begins with https://"):
            await http.get("/")
        await http.aclose()


async def test_nobody_there() -> None:
    assert all("connection refused" in text for text in await refusals("http://127.0.0.1:1"))


@pytest.mark.parametrize(
    ("below", "words"),
    [
        (
            socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
            "cannot be resolved (no such name)",
        ),
        (
            socket.gaierror(socket.EAI_AGAIN, "Temporary failure"),
            "cannot be resolved (the name server does not answer)",
        ),
        (OSError(errno.EHOSTUNREACH, "No route to host"), "there is no route to it"),
        (OSError(errno.ENETUNREACH, "Network is unreachable"), "there is no route to it"),
    ],
)
def test_what_the_network_says_below_the_clients_own_error_is_said(
    below: OSError, words: str
) -> None:
    """Made by hand: no test asks a name server, or sends to a network that is not there."""
    above = httpx.ConnectError("All connection attempts failed")
    above.__cause__ = OSError("All connection attempts failed")
    above.__cause__.__cause__ = ExceptionGroup("several addresses", [below])
    error = cause_of("Sentry", above, "https://sentry.example.com")
    assert words in error.says
    assert not error.sent


async def test_something_that_is_no_web_server() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n{}")
        writer.write(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    http = Http("GitHub", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", {})
    with pytest.raises(HttpError, match="does not speak HTTP"):
        await http.request("POST", "/", json={})
    await http.aclose()
    server.close()
    await server.wait_closed()


async def test_a_proxy_that_is_not_there_or_wants_a_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def closed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(closed, "127.0.0.1", 0)
    address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    monkeypatch.setenv("HTTPS_PROXY", address.replace("//", "//me:hush@"))
    assert all(
        "proxy" in text and "407" in text for text in await refusals("https://sentry.invalid")
    )
    server.close()
    await server.wait_closed()
    assert all(
        "proxy" in text and "refused" in text for text in await refusals("https://sentry.invalid")
    )


async def test_a_redirect_is_not_followed_and_says_where_to() -> None:
    there = RedirectResponse("https://login.example.com/saml?token=hush", 302)
    async with serving(anything(there)) as url:
        http = Http("Sentry", url, {})
        with pytest.raises(HttpError, match=r"sends us elsewhere \(302, to https://\)") as caught:
            await http.get("/")
        await http.aclose()
        assert "hush" not in caught.value.text
        slack = Slack("xoxb-1", f"{url}/api/")
        await slack.start()
        with pytest.raises(PortError, match=r"Slack sends us elsewhere \(302\)"):
            await slack.call("auth.test")
        await slack.aclose()


async def test_a_request_that_cannot_be_sent_is_final_and_no_lost_answer() -> None:
    async with serving(anything()) as url:
        for header in ("Bearer hush\n", "Bearer hu\nsh", "Bearer hush\x00"):
            http = Http("Sentry", url, {"Authorization": header})
            with pytest.raises(HttpError, match=r"never sent.*header") as caught:
                await http.get("/")
            await http.aclose()
            assert (caught.value.retryable, caught.value.sent) == (False, False)
            assert "hush" not in repr(caught.value)
            assert caught.value.__cause__ is None, (
                "h11 says the whole header, and with it the token"
            )
        slack = Slack("xoxb-hu\nsh", f"{url}/api/")
        await slack.start()
        with pytest.raises(PortError, match="never sent") as refused:
            await slack.call("auth.test")
        assert not refused.value.retryable
        await slack.aclose()
    with pytest.raises(HttpError, match=r"never sent.*header"):
        Http("Sentry", url, {"Authorization": "Bearer hush…"})
    http = Http("Sentry", "ftp://sentry.example.com", {})
    with pytest.raises(HttpError, match="no URL") as caught:
        await http.get("/")
    assert not caught.value.retryable
    await http.aclose()


async def test_a_wall_before_a_system_is_not_the_token() -> None:
    for status in (403, 404):
        async with serving(
            anything(PlainTextResponse("<html>Access denied</html>", status))
        ) as url:
            http = Http("Sentry", url, {})
            with pytest.raises(
                HttpError, match="or what stands before it answers with a page"
            ) as caught:
                await http.get("/", scope="event:read")
            await http.aclose()
        assert "our token may not" not in caught.value.text
        assert advice(caught.value, "a token with other scopes") == caught.value.mend != ""


async def test_a_wall_before_a_system_knows_neither_keys_nor_permissions() -> None:
    async with serving(anything(PlainTextResponse("<html>Access denied</html>", 403))) as url:
        github, linear = GitHub(url, "token-7d1f"), Linear(url, "lin_api_1")
        discord = Discord(f"{url}/api/webhooks/1/x", "bot-token")
        calls = (
            github.about("acme/shop"),
            github.graphql(dict[str, str], "query { x }", {}, permission="Contents: read"),
            linear.check(),
            discord.pin("1", "2", pinned=True),
        )
        for call in calls:
            with pytest.raises(HttpError, match="or what stands before it answers") as refused:
                await call
            assert "token" not in refused.value.text
            assert refused.value.mend
        for client in (github, linear, discord):
            await client.aclose()


async def test_an_answer_that_cannot_be_unpacked_is_a_lost_one() -> None:
    packed = Response(b'{"ok": true}', headers={"Content-Encoding": "gzip"})
    async with serving(anything(packed)) as url:
        http = Http("Sentry", url, {})
        with pytest.raises(HttpError, match="cannot be unpacked") as lost:
            await http.request("POST", "/", json={})
        await http.aclose()
    assert lost.value.retryable
    assert lost.value.sent


def test_the_context_checks_names_and_certificates() -> None:
    trusted = Slack("xoxb-1").web.ssl
    assert trusted is not None
    assert trusted.check_hostname
    assert trusted.verify_mode is ssl.CERT_REQUIRED
