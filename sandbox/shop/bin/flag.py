"""Turn a feature flag of the shop on or off, and tell Sentry's flag log, as a provider does.

    flag.py --home DIR [--as WHO] on NAME
    flag.py --home DIR [--as WHO] off NAME

Exit 0: it is so now. 2: there is no such flag; nothing was done. Only the standard library is used.
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import json
import os
import sys
import time
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from reports import TIMEOUT_SECONDS, opener, say

PERCENT = 70
"""Customers who have a flag that is on: so that the others show that it is the flag."""
UNKNOWN_FLAG = 2


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--home", required=True, type=Path)
    parser.add_argument("--as", dest="who", default="firebreak")
    parser.add_argument("state", choices=("on", "off"))
    parser.add_argument("name")
    asked = parser.parse_args()
    path = asked.home / "run" / "flags.json"
    flags = json.loads(path.read_text()) if path.exists() else {}
    if asked.name not in flags:
        say(f"there is no flag {asked.name}")
        return UNKNOWN_FLAG
    flags[asked.name] = PERCENT if asked.state == "on" else 0
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(flags))
    os.replace(fresh, path)
    say(f"{asked.name} is {asked.state}")
    report(json.loads((asked.home / "shop.json").read_text()), asked.name, asked.who)
    return 0


def report(config: dict[str, Any], name: str, who: str) -> None:
    """Tell Sentry by its generic webhook; it is not told to which value.

    https://docs.sentry.io/organization/integrations/feature-flag/generic/
    """
    now = datetime.now(UTC).isoformat()
    change = {
        "action": "updated",
        "change_id": time.time_ns(),
        "created_at": now,
        "created_by": {"id": who, "type": "email" if "@" in who else "name"},
        "flag": name,
    }
    body = json.dumps({"data": [change], "meta": {"version": 1}}).encode()
    secret = config["flag_secret"].encode()
    url = f"{config['sentry_url']}/api/0/organizations/{config['sentry_org']}"
    request = urllib.request.Request(f"{url}/flags/hooks/provider/generic/", body, method="POST")
    request.add_header("Content-Type", "application/json")
    request.add_header("X-Sentry-Signature", hmac.new(secret, body, hashlib.sha256).hexdigest())
    try:
        opener().open(request, timeout=TIMEOUT_SECONDS).close()
    except OSError as error:
        say(f"  Sentry was not told: {error}")


if __name__ == "__main__":
    sys.exit(main())
