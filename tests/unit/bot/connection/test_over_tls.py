"""A cluster and sentinels over TLS: certificates are held against the names that are announced."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from bot.self_test import check_at_start
from tests.support.redis.authority import OPENSSL, Authority
from tests.support.redis.either_way import either_way
from tests.support.redis.redis_doctor import doctor, refused
from tests.support.redis.replicated import MASTER, eventually, sentinel_of
from tests.support.redis.servers import served

pytestmark = pytest.mark.skipif(OPENSSL is None, reason="certificates need the program openssl")


async def test_a_cluster_over_tls(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with (
        served(tmp_path / "a", "--cluster-enabled", "yes") as server,
        either_way(server.port, authority.signed("node", "DNS:localhost")) as port,
    ):
        await server.ask("CLUSTER", "ADDSLOTSRANGE", 0, 16_383)

        async def serves() -> bool:
            return "cluster_state:ok" in str(await server.ask("CLUSTER", "INFO"))

        await eventually(serves)
        await server.ask("CONFIG", "SET", "cluster-announce-port", port)
        await server.ask("CONFIG", "SET", "cluster-announce-ip", "127.0.0.1")
        tls = f"ssl_ca_certs={authority.file}"

        # It announces 127.0.0.1, and its certificate is for the one name in the URL.
        await check_at_start(f"rediss+cluster://localhost:{port}?{tls}")
        several = f"rediss+cluster://localhost:{port},127.0.0.1:{port}?{tls}"
        [finding] = await doctor(several)
        assert "certificate" in finding.says
        await check_at_start(f"{several}&ssl_check_hostname=no")

        await server.ask("CONFIG", "SET", "cluster-announce-hostname", "localhost")
        await server.ask("CONFIG", "SET", "cluster-preferred-endpoint-type", "hostname")
        await check_at_start(several)

        await refused(f"rediss+cluster://localhost:{port}", "certificate", "ssl_ca_certs")
        [finding] = await doctor(f"rediss+cluster://127.0.0.1:{server.port}")
        assert "speaks no TLS, and REDIS_URL does" in finding.says


async def test_sentinels_over_tls_and_the_server_behind_them(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate = authority.signed("node", "DNS:localhost", "IP:127.0.0.1")
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(served(tmp_path / "a"))
        port = await stack.enter_async_context(either_way(server.port, certificate))
        sentinel = await stack.enter_async_context(sentinel_of(tmp_path, port))
        door = await stack.enter_async_context(either_way(sentinel, certificate))
        url = f"sentinels://127.0.0.1:1,localhost:{door}/{MASTER}?ssl_ca_certs={authority.file}"
        await check_at_start(url)
        assert {row.state for row in await doctor(url)} <= {"works", "unproven"}
        [finding] = await doctor(f"sentinels://localhost:{sentinel}/{MASTER}")
        assert "speaks no TLS, and REDIS_URL does" in finding.says
