"""Deadlines of the bot that a busy machine may miss, and how they are put off in a test.

How fast the bot is belongs to the bench. In a test a slow machine would let people try again,
decide without numbers, or leave a name out, each now and then. A test of such a deadline sets it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bot.clients.deployers import github_workflows
from bot.clients.git import clone as git_clone
from bot.clients.git import run as git_run
from bot.clients.git import source as git_source
from bot.clients.github import clone as github_clone
from bot.clients.github import deployments as github_deployments
from bot.clients.github import source as github_source
from bot.clients.sentry import blast_radius
from bot.clients.slack import channel_members
from bot.connection import client, sentinel
from bot.outbox import worker
from bot.runtime import ending, halves
from bot.store import incidents
from handlers.incident import correction, decide, issue_links, postmortem, prefill, unfit
from handlers.slack import answering, interaction
from handlers.webhooks import sentry as sentry_webhook
from phases.coordination import declare
from phases.root_cause import investigate
from phases.triage.reading import questions, unavailable

DEADLINES: dict[str, tuple[tuple[object, str, float], ...]] = {
    "people": (
        (interaction, "ACK_SECONDS", 60),
        (interaction, "WHO_SECONDS", 20),
        (channel_members, "ASK_SECONDS", 20),
        (correction, "NAMES_SECONDS", 20),
        (postmortem, "NAMES_SECONDS", 20),
        (prefill, "READ_SECONDS", 20),
        (answering, "OPEN_SECONDS", 20),
        (answering, "FILL_SECONDS", 60),
        (unfit, "LOOK_SECONDS", 20),
    ),
    "redis": (
        (incidents, "DISPATCH_SECONDS", 20),
        (client.connect, "read_seconds", 20),
        (client.connect, "take_seconds", 20),
        (sentinel, "ANSWER_SECONDS", 20),
    ),
    "sources": (
        (git_clone, "FETCH_SECONDS", 60),
        (git_run, "CONTENTS_SECONDS", 60),
        (git_source, "HISTORY_SECONDS", 60),
        (github_clone, "HUB_SECONDS", 20),
        (github_deployments, "SECONDS", 20),
        (github_deployments, "NAME_SECONDS", 20),
        (github_source, "DETAIL_SECONDS", 60),
        (github_source, "TREE_SECONDS", 20),
        (github_workflows, "LOOKS_SECONDS", 20),
        (decide, "LOOK_UP_SECONDS", 20),
        (investigate, "PULLS_SECONDS", 20),
        (investigate, "LINES_SECONDS", 20),
        (investigate, "SOURCE_SECONDS", 60),
    ),
    "stop": (
        (ending, "STOP_SECONDS", 60),
        (halves, "KILL_SECONDS", 61),
    ),
    "decision": ((declare, "OVERDUE_SECONDS", 20),),
    "triage": (
        (unavailable, "PART_SECONDS", 20),
        (questions, "PART_SECONDS", 20),
        (questions, "COMMITS_SECONDS", 20),
        (blast_radius, "SECONDS", 20),
        (issue_links, "ASK_SECONDS", 20),
        (sentry_webhook, "ANSWER_SECONDS", 20),
        (sentry_webhook, "WHERE_SECONDS", 20),
        (worker, "PERFORM_SECONDS", 90),
    ),
}
"""By what is waited for: whose, by which name (of a module, or an option of a function), seconds.
"""


def deadlines(*kinds: str) -> Iterator[tuple[dict[str, Any], str, float]]:
    """Give what has to be set: the dictionary that holds a deadline, its name there, seconds."""
    for whose, name, seconds in (each for kind in kinds for each in DEADLINES[kind]):
        held = getattr(whose, "__kwdefaults__", None) or vars(whose)
        assert name in held, f"{whose!r} has no {name} any more"
        yield held, name, seconds
