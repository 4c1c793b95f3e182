"""From an empty terminal to a bot that works: what `firebreak doctor` says on the way."""

from __future__ import annotations

from pathlib import Path

from tests.support.bots.setting_up import doctor, line
from tests.support.bots.stage import town


async def test_from_nothing_to_a_bot_that_works_and_back(tmp_path: Path) -> None:
    world = town(tmp_path / "world", with_bot=False)
    async with world:
        # An empty terminal: every setting that is missing, at once.
        code, output = await doctor(world, SLACK_BOT_TOKEN="", SLACK_SIGNING_SECRET="", DATA_DIR="")
        assert code == 1
        for name in ("SLACK_BOT_TOKEN", "SLACK_SIGNING_SECRET", "REDIS_URL nor DATA_DIR"):
            assert name in output

        # Everything right: nothing is left behind in Slack.
        code, output = await doctor(world)
        assert code == 0, output
        assert "✗" not in output.replace("✗ broken)", "")
        assert line(output, "INCIDENTS_CHANNEL").startswith(" ✓ ")
        assert "shop@1.3.0, shop@1.2.0, shop@1.1.0" in output
        assert "v1.3.0, v1.2.0, v1.1.0" in output
        assert not [
            m for m in world.workspace.channel("incidents").messages if "doctor" in m["text"]
        ]

        # Wrong tokens, a wrong name, a missing scope: each is named, with how to mend it.
        world.workspace.scopes.discard("pins:write")
        wrong = {
            "SENTRY_AUTH_TOKEN": "sntrys_wrong",
            "LINEAR_API_KEY": "lin_api_wrong",
            "INCIDENTS_CHANNEL": "nowhere",
        }
        code, output = await doctor(
            world, **wrong, DISCORD_WEBHOOK_URL=f"{world.url}/discord/api/webhooks/9/wrong"
        )
        assert code == 1
        for what in ("Slack scopes", "INCIDENTS_CHANNEL", "Sentry, shop", "Linear", "Discord"):
            assert line(output, what).startswith(" ✗ "), output
        assert "pins:write is missing" in output
        assert "wrong" not in output, "no token is shown"

        code, output = await doctor(world, SLACK_BOT_TOKEN="xoxb-wrong")
        assert code == 1
        assert "invalid_auth" in line(output, "Slack token")

        # A release name that the catalogue cannot read: the pattern that would is said.
        services = tmp_path / "world" / "services.toml"
        services.write_text(
            services.read_text().replace('sentry = "shop@{version}"', 'sentry = "web@{version}"')
        )
        code, output = await doctor(world)
        assert code == 1
        assert 'sentry = "shop@{version}"' in output
