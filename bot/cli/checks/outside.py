"""Linear, GitHub, Discord, PagerDuty: the token, and what it sees of the catalogue."""

from bot.cli.checks import Finding, asked, broken, check, github, off, unproven, works
from bot.clients.discord import NEEDS, Discord
from bot.clients.github.client import GitHub
from bot.clients.linear.client import Linear
from bot.clients.pagerduty import PagerDuty
from bot.config.catalogue import Catalogue
from bot.config.settings import Settings
from bot.wiring import Outside
from phases.record.service import Service

MEND_LINEAR = (
    "LINEAR_API_KEY: a personal key (Settings, Security & access) "
    "that sees the teams of linear_team"
)
MEND_GITHUB = (
    "GITHUB_TOKEN must see the repositories of the catalogue; "
    "for the github deployer Actions: write, too"
)
MEND_DISCORD = "DISCORD_WEBHOOK_URL: copy it anew (the channel's Integrations)"
MEND_PIN = (
    "DISCORD_BOT_TOKEN: the bot has to be in that server, "
    f"and needs {NEEDS} in the webhook's channel"
)
MEND_PAGERDUTY = "PAGERDUTY_ROUTING_KEY: the Integration Key of an Events API v2 integration"
ROUTING_KEY = 32  # https://developer.pagerduty.com/docs/events-api-v2/trigger-events/


async def linear_and_others(
    settings: Settings, catalogue: Catalogue, outside: Outside
) -> list[Finding]:
    findings: list[Finding] = []
    if outside.tickets is not None:
        findings += await _linear(outside.tickets, catalogue)
    if outside.github is not None:
        findings += await _github(outside.github, catalogue)
    if outside.announcer is not None:
        has_bot = settings.discord_bot_token is not None
        findings += await _discord(outside.announcer, has_bot=has_bot)
    if outside.pager is not None and settings.pagerduty_routing_key is not None:
        key = settings.pagerduty_routing_key.get_secret_value()
        findings.append(await _pagerduty(outside.pager, key))
    return findings


async def _pagerduty(client: PagerDuty, key: str) -> Finding:
    what = "PagerDuty"
    if len(key) != ROUTING_KEY:
        says = f"the routing key has not {ROUTING_KEY} characters."
        return broken(what, says, MEND_PAGERDUTY)
    says = "takes our events; that somebody is called, only a page would prove"
    return await check(what, client.check(), lambda _: unproven(what, says), MEND_PAGERDUTY)


async def _discord(client: Discord, *, has_bot: bool) -> list[Finding]:
    name = await asked("Discord", client.check(), MEND_DISCORD)
    if isinstance(name, Finding):
        return [name]
    webhook = works("Discord", f"the webhook {name}")
    if not has_bot:
        return [webhook]

    def judge(bot: str) -> Finding:
        says = f"{bot} reads the channel; that it may pin, only a pin would prove"
        return unproven("Discord's pin", says)

    return [webhook, await check("Discord's pin", client.check_bot(), judge, MEND_PIN)]


async def _linear(client: Linear, catalogue: Catalogue) -> list[Finding]:
    owner = await asked("Linear", client.check(), MEND_LINEAR)
    if isinstance(owner, Finding):
        return [owner]
    teams = [await _team(client, service) for service in catalogue.all()]
    return [works("Linear", f"as {owner}"), *teams]


async def _team(client: Linear, service: Service) -> Finding:
    what = f"Linear, {service.name}"
    if service.linear_team is None:
        says = "no linear_team: its incidents get no ticket"
        return off(what, says, f"set linear_team of {service.name}")
    team = await asked(what, client.team_name(service), MEND_LINEAR)
    if isinstance(team, Finding):
        return team

    def judge(lacks: tuple[str, ...]) -> Finding:
        if not lacks:
            return works(what, f"team {team}")
        says = (
            f"team {team} has no state of type {', '.join(lacks)}: "
            "tickets or action items cannot go there."
        )
        mend = f"add them in Linear, Settings, Teams, {team}, Issue statuses"
        return broken(what, says, mend)

    return await check(what, client.lacks(service), judge, MEND_LINEAR)


async def _github(client: GitHub, catalogue: Catalogue) -> list[Finding]:
    services = catalogue.all()
    code = [service.repository for service in services]
    decisions = [service.adr.repository for service in services if service.adr is not None]
    repositories = dict.fromkeys(name for name in (*code, *decisions) if name)
    if not repositories:
        return [unproven("GitHub", "a token is set, and no service has a `repository`")]
    return [await github.place(name, client, MEND_GITHUB) for name in repositories]
