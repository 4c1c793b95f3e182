"""Linear, GitHub, Discord, PagerDuty: is the token right, and does it see what the catalogue names?"""

from __future__ import annotations

from contextlib import AsyncExitStack

from pydantic import SecretStr

from bot.cli.checks import Finding, asked, broken, github, works
from bot.clients.discord import NEEDS, Discord
from bot.clients.github.client import GitHub
from bot.clients.linear.client import Linear
from bot.clients.pagerduty import PagerDuty
from bot.config.catalogue import Catalogue
from bot.config.settings import Settings

MEND_LINEAR = "LINEAR_API_KEY: a personal key (Settings, Security & access) that sees the teams of linear_team"
MEND_GITHUB = "GITHUB_TOKEN must see the repositories of the catalogue; for the github deployer Actions: write, too"
ROUTING_KEY = 32  # https://developer.pagerduty.com/docs/events-api-v2/trigger-events/


async def linear_and_others(
    settings: Settings, catalogue: Catalogue, stack: AsyncExitStack
) -> list[Finding]:
    found: list[Finding] = []
    if settings.linear_api_key is not None:
        found += await _linear(
            settings.linear_api_url, settings.linear_api_key.get_secret_value(), catalogue, stack
        )
    if settings.github_token is not None:
        found += await _github(
            settings.github_api_url, settings.github_token.get_secret_value(), catalogue, stack
        )
    if settings.discord_webhook_url is not None:
        found += await _discord(
            settings.discord_webhook_url.get_secret_value(), settings.discord_bot_token, stack
        )
    if settings.pagerduty_routing_key is not None:
        key = settings.pagerduty_routing_key.get_secret_value()
        found.append(await _pagerduty(settings.pagerduty_events_url, key, stack))
    return found


async def _pagerduty(url: str, key: str, stack: AsyncExitStack) -> Finding:
    mend = "PAGERDUTY_ROUTING_KEY: the Integration Key of an Events API v2 integration"
    if len(key) != ROUTING_KEY:
        return broken("PagerDuty", f"the routing key has not {ROUTING_KEY} characters.", mend)
    client = PagerDuty(url, key)
    stack.push_async_callback(client.aclose)
    wrong = await asked("PagerDuty", client.check(), mend)
    says = "takes our events; that somebody is called, only a page would prove"
    return wrong if wrong is not None else Finding("unproven", "PagerDuty", says)


async def _discord(url: str, token: SecretStr | None, stack: AsyncExitStack) -> list[Finding]:
    client = Discord(url, token.get_secret_value() if token is not None else None)
    stack.push_async_callback(client.aclose)
    name = await asked(
        "Discord", client.check(), "DISCORD_WEBHOOK_URL: copy it anew (the channel's Integrations)"
    )
    if isinstance(name, Finding):
        return [name]
    found = [works("Discord", f"the webhook {name}")]
    if token is not None:
        mend = f"DISCORD_BOT_TOKEN: the bot has to be in that server, and needs {NEEDS} in the webhook's channel"
        bot = await asked("Discord's pin", client.check_bot(), mend)
        says = f"{bot} reads the channel; that it may pin, only a pin would prove"
        found.append(
            bot if isinstance(bot, Finding) else Finding("unproven", "Discord's pin", says)
        )
    return found


async def _linear(url: str, key: str, catalogue: Catalogue, stack: AsyncExitStack) -> list[Finding]:
    client = Linear(url, key)
    stack.push_async_callback(client.aclose)
    who = await asked("Linear", client.check(), MEND_LINEAR)
    if isinstance(who, Finding):
        return [who]
    found = [works("Linear", f"as {who}")]
    for service in catalogue.all():
        if service.linear_team is None:
            mend = f"set linear_team of {service.name}"
            found.append(
                Finding(
                    "off",
                    f"Linear, {service.name}",
                    "no linear_team: its incidents get no ticket",
                    mend,
                )
            )
            continue
        team = await asked(f"Linear, {service.name}", client.team_name(service), MEND_LINEAR)
        if isinstance(team, Finding):
            found.append(team)
            continue
        lacks = await asked(f"Linear, {service.name}", client.lacks(service), MEND_LINEAR)
        if lacks and not isinstance(lacks, Finding):
            mend = f"add them in Linear, Settings, Teams, {team}, Issue statuses"
            says = f"team {team} has no state of type {', '.join(lacks)}: tickets or action items cannot go there."
            found.append(broken(f"Linear, {service.name}", says, mend))
        else:
            found.append(
                lacks
                if isinstance(lacks, Finding)
                else works(f"Linear, {service.name}", f"team {team}")
            )
    return found


async def _github(
    url: str, token: str, catalogue: Catalogue, stack: AsyncExitStack
) -> list[Finding]:
    client = GitHub(url, token)
    stack.push_async_callback(client.aclose)
    found: list[Finding] = []
    every = catalogue.all()
    places = [one.adr.repository for one in every if one.adr is not None]
    for repository in dict.fromkeys(
        name for name in (*(one.repository for one in every), *places) if name
    ):
        found.append(await github.place(repository, client, MEND_GITHUB))
    return found or [
        Finding("unproven", "GitHub", "a token is set, and no service has a `repository`")
    ]
