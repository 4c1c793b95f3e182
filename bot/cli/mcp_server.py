"""`firebreak mcp`: a door for agents, by the Model Context Protocol over stdin and stdout.

The tools and their limits are those of `bot/cli/agent_door.py`. The official SDK speaks the
protocol; it comes with `pip install firebreak[mcp]`:
https://github.com/modelcontextprotocol/python-sdk
"""

import functools
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated, Any, ParamSpec, TypeVar

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import Field

from bot.cli import store_access
from bot.cli.agent_door import Door, Refusal
from bot.clients.slack.client import Slack
from bot.clients.slack.people import SlackPeople
from bot.config import catalogue, settings
from bot.config.catalogue import Catalogue
from bot.connection.client import StoreError
from bot.store.agent_calls import AgentCalls
from bot.store.incident_store import Store
from bot.store.incidents import Incidents
from bot.store.past_incidents import RedisMemory
from bot.wiring import identify
from phases.ports.ports import PortError
from phases.workflow import step

INSTRUCTIONS = """\
Firebreak runs production incidents in Slack. Read what it measured before you add anything.
Say a hypothesis in one sentence that can be wrong, with what it predicts and how to check it.
You cannot act on production: people decide in the incident's channel."""

P = ParamSpec("P")
R = TypeVar("R")
Id = Annotated[str, Field(description="an incident's id, such as INC-0042")]
ServiceName = Annotated[str | None, Field(description="a service of the catalogue; none: all")]


def server(door: Door) -> MCPServer:
    """Return the server with its tools; each answers JSON, or an error that says what to do."""
    mcp = MCPServer("firebreak", instructions=INSTRUCTIONS, log_level="WARNING")
    _add_readers(mcp, door)
    _add_writers(mcp, door)
    return mcp


def _tool(mcp: MCPServer, function: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]:
    """Register a tool under its function's name; what it refuses or cannot do becomes an error."""

    @functools.wraps(function)
    async def asked(*args: P.args, **named: P.kwargs) -> R:
        try:
            return await function(*args, **named)
        except Refusal as refusal:
            raise ToolError(str(refusal)) from refusal
        except (PortError, StoreError) as error:
            raise ToolError(f"{error.text}. Try again in a moment.") from error

    mcp.tool()(asked)
    return asked


def _add_readers(mcp: MCPServer, door: Door) -> None:
    tool = functools.partial(_tool, mcp)

    @tool
    async def list_incidents(
        service: ServiceName = None, open_only: bool = True
    ) -> list[dict[str, Any]]:
        """List incidents, newest first."""
        return await door.list_incidents(service=service, open_only=open_only)

    @tool
    async def get_incident(id: Id) -> dict[str, Any]:
        """Read an incident: who is hit, since when, the recommendation and the decisions."""
        return await door.incident(id)

    @tool
    async def get_timeline(id: Id) -> list[dict[str, Any]]:
        """Read the timeline of an incident, oldest first."""
        return await door.timeline(id)

    @tool
    async def get_evidence(id: Id) -> dict[str, Any]:
        """Read the hypotheses, the suspected commits, and the walk along the stack trace."""
        return await door.evidence(id)

    @tool
    async def get_what_a_rollback_takes_back(id: Id) -> dict[str, Any]:
        """Read what a rollback would take back: commits, fixes, schema; and who warned of it."""
        return await door.takes_back(id)

    @tool
    async def get_history(service: ServiceName = None) -> list[dict[str, Any]]:
        """Read past incidents with their causes and what ended them, newest first."""
        return await door.history(service)

    @tool
    async def get_trends() -> dict[str, Any]:
        """Read the last six months: incidents, impact, and the most fragile area."""
        return await door.trends()


def _add_writers(mcp: MCPServer, door: Door) -> None:
    tool = functools.partial(_tool, mcp)

    @tool
    async def add_hypothesis(
        id: Id,
        says: Annotated[str, Field(description="the hypothesis, in one sentence")],
        predicts: Annotated[str, Field(description="what would be seen if it is true")] = "",
        check: Annotated[str, Field(description="how to check it")] = "",
    ) -> str:
        """Add a hypothesis under your name; people rule it in or out."""
        return await door.add_hypothesis(id, says, predicts, check)

    @tool
    async def add_evidence(
        id: Id,
        text: Annotated[str, Field(description="what was seen, in one sentence")],
        url: Annotated[str | None, Field(description="where it can be seen")] = None,
    ) -> str:
        """Add a piece of evidence to the timeline under your name."""
        return await door.add_evidence(id, text, url)


def mcp_main(person: str, agent: str) -> int:
    """Serve until stdin ends. 2: wrong settings; 1: no store, or no such person."""
    try:
        read = settings.load()
        services = catalogue.load(read)
    except settings.Faults as faults:
        print(faults, file=sys.stderr)
        return 2

    async def serve(store: Store) -> int:
        slack = Slack(read.slack_bot_token.get_secret_value(), read.slack_api_url)
        try:
            return await _serve(slack, store, services, person, agent)
        finally:
            await slack.aclose()

    return store_access.run(serve)


async def _serve(slack: Slack, store: Store, services: Catalogue, person: str, agent: str) -> int:
    try:
        await slack.start()
        me = await identify(slack)
        people = SlackPeople(slack, me.team, me.enterprise)
        member = (await people.person(person, None)).member
    except PortError as error:
        print(f"Slack could not be asked who {person} is: {error.text}.", file=sys.stderr)
        return 1
    if not member:
        print(f"{person} is not a full member of this workspace.", file=sys.stderr)
        return 1

    async def is_member() -> bool:
        return (await people.person(person, None)).member

    door = Door(
        incidents=Incidents(store, step, services),
        past=RedisMemory(store),
        calls=AgentCalls(store, person),
        person=person,
        agent=agent,
        now=lambda: datetime.now(UTC),
        is_member=is_member,
    )
    await server(door).run_stdio_async()
    return 0
