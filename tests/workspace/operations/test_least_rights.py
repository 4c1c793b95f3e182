"""A whole incident on a Redis with the least rights.

Its user has exactly the rights of docs/operations.md, and every sign of a URL is in the password.
"""

from __future__ import annotations

import re
import time
from pathlib import Path
from urllib.parse import quote

from redis.asyncio import Redis

from sandbox.slack.people import plain
from tests.chaos.store import Server
from tests.support.bots.stage import PAGES, declared, doctor_of, eventually, town, transcript
from tests.support.redis.dump import dumped

PASSWORD = "ca/na#ry?[pa]ss@wo:rd%"
PARTS = ("na#ry", "[pa]", "ss@wo", "rd%", quote("na#ry", safe=""), quote(PASSWORD, safe=""))
DOCS = Path(__file__).parents[3] / "docs" / "operations.md"


async def test_the_least_rights_carry_a_whole_incident_and_nobody_says_the_password(
    tmp_path: Path,
) -> None:
    server = Server(tmp_path)
    admin = Redis.from_url(server.url, decode_responses=True)
    try:
        await server.up()
        [line] = re.findall(r"^ACL (SETUSER firebreak .*)$", DOCS.read_text(), re.MULTILINE)
        await admin.execute_command("ACL", *line.replace(">PASSWORD", f">{PASSWORD}").split())
        url = f"unix://firebreak:{quote(PASSWORD, safe='')}@{server.socket}"
        async with town(tmp_path / "town", env={"REDIS_URL": url}) as world:
            alice = world.alice
            for page in PAGES:
                people = tuple(f"id:{n}" for n in range(30))
                world.sentry.load(
                    at=time.time() - 35,
                    every=0.1,
                    times=350,
                    users=people,
                    transaction=page,
                    release="shop@1.3.0",
                )
            channel = await declared(alice, "checkout is failing")
            decision = await alice.sees("Recommended: roll back", channel)
            await alice.click(decision, "decision.rollback")
            await alice.sees("Recovered.", channel)
            await alice.command("/incident postmortem", channel)
            form = await alice.open_modal("incident.postmortem", text="Root cause")
            filled = {
                "cause": "A release divides by zero.",
                "monitoring": "Nothing watched it.",
                "tests": "None.",
            }
            await alice.submit(
                form, {field: text for field, text in filled.items() if f"'{field}'" in str(form)}
            )
            await alice.sees("PRODUCTION INCIDENT —", channel)
            await alice.sees("is resolved", channel)
            await alice.open_home()
            await eventually(
                world,
                lambda: "INC-0001" in plain(alice.home() or {"blocks": []}),
                "App Home shows it",
            )

            output = await doctor_of(world)
            assert "✗" not in output.split("Redis")[1].splitlines()[0]
            log = (world.folder / "bot.log").read_text()
            written = {
                "doctor": output,
                "the log": log,
                "Slack": transcript(world),
                "Redis": str(await dumped(admin)),
            }
            leaks = [
                f"{part} in {where}"
                for where, text in written.items()
                for part in PARTS
                if part in text
            ]
            assert leaks == []
            assert "no permission" not in log
            assert "does not let this user" not in log
        refused = await admin.execute_command("ACL", "LOG")
        commands = {
            entry["object"]
            if isinstance(entry, dict)
            else dict(zip(entry[::2], entry[1::2], strict=True))["object"]
            for entry in refused
        }
        assert commands <= {"info", "config|get"}  # doctor asks, and does without
    finally:
        await admin.aclose()
        server.kill()
