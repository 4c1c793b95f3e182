"""An incident for the tests of rights, and the people in its channel."""

from __future__ import annotations

from typing import Any

from handlers import views
from phases.messages.commands import Declare, TakeLead
from phases.messages.results import ChannelOpened, Triaged
from phases.record.findings import Choice
from phases.record.incident import Channel, Incident, Source
from sandbox.slack.channels import BOT_USER
from tests.support.values.factories import report
from tests.support.values.flagged import FLAG
from tests.support.worlds.handlers_world import SHOP, House

INSIDE = (
    "U0REPORTER",
    "U0LEAD",
    "U0ALICE",
    "U0BOB",
    "U0GUEST",
    "U0SINGLE",
    "U0CONNECT",
    "U0OTHER",
    "U0ROBOT",
    "U0LEFT",
)


async def on_fire(home: House, number: int, *, private: bool) -> tuple[Incident, dict[str, Any]]:
    """A measured incident with its channel and decision posted.

    Outbox and performers would make the same.
    """
    workspace = home.slack.workspace
    source = Source(kind="person", text="/incident by <@U0REPORTER>")
    incident = await home.dispatch(
        Declare(
            ulid=f"01JD00000000000000000INC{number:02d}",
            title="the signing key is public" if private else "checkout is failing",
            service="shop",
            source=source,
            by="U0REPORTER",
            private=private,
        ),
        None,
    )
    channel = workspace.create_channel(f"inc-{number:04d}-shop", BOT_USER, is_private=private)
    for who in ("U0REPORTER", "U0LEAD", "U0BOB") if private else INSIDE:
        workspace.join(channel, who)
    await home.dispatch(
        ChannelOpened(channel=Channel(id=channel.id, name=channel.name)), incident.id
    )
    await home.dispatch(TakeLead(by="U0LEAD", lead="U0LEAD"), incident.id)
    measured = report(Choice.ROLLBACK, changes=(FLAG,))
    advice = measured.recommendation.model_copy(update={"change": FLAG})
    measured = measured.model_copy(update={"recommendation": advice})
    incident = await home.dispatch(Triaged(report=measured), incident.id)
    shown = home.slack.person("U0BOB")
    posted = views.decision(incident, home.heard.ctx.now(), SHOP, 1).payload()
    await home.slack.client.chat_postMessage(channel=channel.id, **posted)
    return incident, await shown.sees("Recommended:", channel.id)
