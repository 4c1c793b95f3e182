"""`firebreak`: serve a workspace, or try everything in the sandbox."""

import argparse
import asyncio
import gc
import re
import sys
from datetime import date
from pathlib import Path
from typing import TypeAlias

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
UNITS = {"s": 1, "m": 60, "h": 3600, "": 1}


def duration(text: str) -> int:
    """`20`, `20s`, `5m`, `1h` in seconds. Raises what argparse shows as a usage error."""
    match = re.fullmatch(r"(\d{1,6})([smh]?)", text.strip())
    if match is None or int(match.group(1)) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no duration; say 20s, 5m or 1h")
    return int(match.group(1)) * UNITS[match.group(2)]


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="firebreak", description="Blast radius first: an incident bot for Slack."
    )
    commands = top.add_subparsers(dest="command", required=True)
    commands.add_parser("serve", help="run the bot for a real workspace (settings: environment)")
    _add_sandbox(commands)
    commands.add_parser(
        "doctor", help="check settings, tokens, scopes, channels, catalogue; say how to mend them"
    )
    _add_mcp(commands)
    commands.add_parser("suspects", help="rank commits for a crash: JSON on stdin, JSON on stdout")
    _add_keeping(commands)
    return top


def _add_sandbox(commands: Commands) -> None:
    sandbox = commands.add_parser(
        "sandbox", help="a local world to try it in: one URL, nothing to set up"
    )
    sandbox.add_argument("--port", type=int, default=4280, help="port of the page (default 4280)")
    sandbox.add_argument(
        "--folder", type=Path, default=Path(".firebreak"), help="where the world keeps its files"
    )
    sandbox.add_argument(
        "--recheck-after",
        type=duration,
        default=20,
        metavar="5m",
        help="first re-check after this (default 20s)",
    )
    sandbox.add_argument(
        "--socket-mode",
        action="store_true",
        help="the bot connects to Slack, instead of being called",
    )


def _add_mcp(commands: Commands) -> None:
    agents = commands.add_parser(
        "mcp", help="a door for agents (MCP, stdio): they read, and add hypotheses and evidence"
    )
    agents.add_argument(
        "--person", required=True, metavar="SLACK-ID", help="for whom the agent works: U024BE7LH"
    )
    agents.add_argument(
        "--agent",
        default="tracer",
        type=agent_name,
        metavar="NAME",
        help="its name, in the timeline",
    )


def _add_keeping(commands: Commands) -> None:
    """Add what takes incidents out of Redis, into it, and people out of them."""
    out = commands.add_parser(
        "export", help="incidents with their timelines as JSON lines on stdout"
    )
    out.add_argument("ids", nargs="*", metavar="INC-0042", help="only these; default: all")
    out.add_argument(
        "--since", type=day, metavar="2026-01-01", help="detected on this day or later (UTC)"
    )
    out.add_argument(
        "--until", type=day, metavar="2026-12-31", help="detected on this day or earlier (UTC)"
    )
    out.add_argument("--without-private", action="store_true", help="leave private incidents out")
    taken = commands.add_parser(
        "import", help="what export wrote, from stdin; twice changes nothing"
    )
    taken.add_argument(
        "--go-on",
        action="store_true",
        help="open incidents go on here, with their timers: the bot they come from is off",
    )
    forget = commands.add_parser(
        "forget", help="put nobody in the place of a person, everywhere in Redis"
    )
    forget.add_argument("person", metavar="SLACK-ID", help="e.g. U024BE7LH")
    forget.add_argument(
        "--name",
        action="append",
        default=[],
        help="a name that was typed in plain words; may be repeated",
    )


def agent_name(text: str) -> str:
    """Return the name. Raises what argparse shows as a usage error."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,39}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no name; say tracer, 40 letters at most")
    return text


def day(text: str) -> date:
    """`2026-11-22`. Raises what argparse shows as a usage error."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no day; say 2026-11-22") from None


def kept(arguments: argparse.Namespace) -> int:
    """The commands that look at what is kept, beside the bot or without it."""
    if arguments.command == "export":
        from bot.cli.export import export_main

        ids, private = [id.upper() for id in arguments.ids], not arguments.without_private
        return export_main(ids, arguments.since, arguments.until, private=private)
    if arguments.command == "import":
        from bot.cli.import_ import import_main

        return import_main(go_on=arguments.go_on)
    from bot.cli.forget import forget_main

    return forget_main(arguments.person, arguments.name)


def agent_door(person: str, agent: str) -> int:
    try:
        from bot.cli.mcp_server import mcp_main
    except ModuleNotFoundError as error:
        if error.name is None or not error.name.startswith("mcp"):
            raise
        print("The MCP SDK is not installed. Try: pip install 'firebreak[mcp]'", file=sys.stderr)
        return 2
    return mcp_main(person, agent)


def main(argv: list[str] | None = None) -> int:
    arguments = parser().parse_args(argv)
    if arguments.command == "serve":
        # Nothing of what is imported is garbage, and looking for it takes an eighth of the start.
        # `bot.runtime.ending.freeze_garbage` turns the collector on, in each process that serves.
        gc.disable()
        from bot.server import serve

        return serve()
    if arguments.command == "doctor":
        from bot.cli.doctor import doctor

        return doctor()
    if arguments.command == "suspects":
        from bot.cli.rank_suspects import suspects_main

        return suspects_main(sys.stdin, sys.stdout)
    if arguments.command == "mcp":
        return agent_door(arguments.person, arguments.agent)
    if arguments.command in ("export", "import", "forget"):
        return kept(arguments)
    from sandbox import world

    try:
        asyncio.run(
            world.run(
                arguments.folder,
                arguments.port,
                arguments.recheck_after,
                socket_mode=arguments.socket_mode,
            )
        )
    except KeyboardInterrupt:
        print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
