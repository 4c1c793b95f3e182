"""Deploys that CI told of, in Redis: what triage knows of them, and which of them are watched.

A watch is one field of one hash, written before the webhook is answered and removed when the watch
has ended: a killed bot finds it again. It fires once, because the incident is declared with a
delivery claim of the watch.
"""

from collections.abc import Sequence
from typing import Any

from bot.connection.client import store_errors
from bot.store.commit import to_ms
from bot.store.incident_store import Store
from phases.record.findings import DeploySeen
from phases.verification.post_deploy import WatchedDeploy

KEPT = 100  # deploys of a service that are remembered


class Deploys:
    """Also `handlers.ports.Deploys`. Everything raises `PortError` where Redis cannot be used."""

    def __init__(self, store: Store, *, watching: bool) -> None:
        """`watching`: whether there is a Sentry that could be asked."""
        self._redis = store.redis
        self._prefix = store.keys.prefix
        self._watches = f"{self._prefix}:watches"
        self._watching = watching

    def _key(self, service: str) -> str:
        return f"{self._prefix}:deploys:{service}"

    async def record(self, deploy: DeploySeen, environment: str) -> None:
        """Remember a finished deploy and begin its watch, together; a second time is no change."""
        at = deploy.finished_at or deploy.started_at
        key = self._key(deploy.service)
        pipe = self._redis.pipeline(transaction=True)
        pipe.zadd(key, {deploy.model_dump_json(): to_ms(at)})
        pipe.zremrangebyrank(key, 0, -KEPT - 1)
        if self._watching:
            release = deploy.release
            watch = WatchedDeploy(
                service=deploy.service,
                environment=environment,
                version=release.version,
                commit=release.commit,
                at=at,
            )
            pipe.hset(self._watches, watch.key, watch.model_dump_json())
        with store_errors():
            await pipe.execute()

    async def known(self, service: str) -> Sequence[DeploySeen]:
        """Newest first."""
        with store_errors():
            deploys: Any = await self._redis.zrange(self._key(service), 0, -1, desc=True)
        return tuple(DeploySeen.model_validate_json(deploy) for deploy in deploys)

    async def watches(self) -> Sequence[WatchedDeploy]:
        with store_errors():
            watches: Any = await self._redis.hgetall(  # pyright: ignore[reportGeneralTypeIssues]
                self._watches
            )
        return tuple(WatchedDeploy.model_validate_json(watch) for watch in watches.values())

    async def ended(self, watched: WatchedDeploy) -> None:
        with store_errors():
            await self._redis.hdel(  # pyright: ignore[reportGeneralTypeIssues]
                self._watches, watched.key
            )
