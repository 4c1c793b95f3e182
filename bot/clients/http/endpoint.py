"""The affected endpoint (workflow, phase 5: "Hit affected endpoint manually to confirm")."""

import asyncio
import ssl
import time

import httpx

from bot.clients.http.call_counts import NO_ANSWER, count
from bot.clients.http.certificates import context
from bot.clients.http.unreachable import cause_of
from phases.record.findings import EndpointAnswer

SYSTEM = "endpoint"

TRIES = 3  # rules, Verification: "the endpoint answers well (3 tries)"
PAUSE_SECONDS = 0.5


class HttpEndpoint:
    """Calls only what the catalogue names. `timeout` in seconds a try, `pause` between tries."""

    def __init__(self, *, timeout: float = 5.0, pause: float = PAUSE_SECONDS) -> None:
        self._timeout = timeout
        self._pause = pause
        self._client = httpx.AsyncClient(
            timeout=timeout,
            follow_redirects=False,
            headers={"User-Agent": "firebreak-check"},
            verify=context(),
        )

    async def call(self, url: str) -> EndpointAnswer:
        """Return the first good answer of three tries, else the last bad one. Never raises."""
        answer = EndpointAnswer(ok=False, said="not called")
        for attempt in range(TRIES):
            if attempt:
                await asyncio.sleep(self._pause)
            answer = await self._call_once(url)
            if answer.ok:
                break
        return answer

    async def aclose(self) -> None:
        await self._client.aclose()

    async def _call_once(self, url: str) -> EndpointAnswer:
        began = time.monotonic()
        try:
            async with asyncio.timeout(self._timeout), self._client.stream("GET", url) as answer:
                took = round((time.monotonic() - began) * 1000)
                count(SYSTEM, "GET", answer.status_code)
                return EndpointAnswer(
                    ok=answer.is_success, said=f"{answer.status_code} in {took} ms"
                )
        except (TimeoutError, httpx.TimeoutException):
            count(SYSTEM, "GET", NO_ANSWER)
            return EndpointAnswer(ok=False, said=f"no answer within {self._timeout:g} s")
        except httpx.InvalidURL:
            return EndpointAnswer(ok=False, said="the catalogue's endpoint is no URL")
        except (httpx.HTTPError, ssl.SSLError) as error:
            count(SYSTEM, "GET", NO_ANSWER)
            cause = cause_of("the endpoint", error, url)
            text = f"{cause.says}: {cause.mend}" if cause.mend else cause.says
            return EndpointAnswer(ok=False, said=text)
