"""A signed webhook of CI about a deploy."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import httpx

from sandbox.credentials import DEPLOY_SECRET
from sandbox.world import World
from tests.support.worlds.webhook_bodies import deploy_body


async def ci(world: World, version: str, event: str = "finished") -> dict[str, Any]:
    """CI's webhook, as the pipeline of the shop sends it."""
    body = json.dumps(deploy_body(event, version=version)).encode()
    signature = "sha256=" + hmac.new(DEPLOY_SECRET.encode(), body, hashlib.sha256).hexdigest()
    async with httpx.AsyncClient(trust_env=False, verify=False, timeout=60) as http:
        headers = {"X-Firebreak-Signature": signature}
        answer = await http.post(f"{world.bot_url}/webhooks/deploys", content=body, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()
