"""Merging incidents, splitting one off, reopening one, and a channel that was archived."""

from typing import Any

from handlers import deliveries
from handlers.dispatcher import Delivery, Recorded
from handlers.slack.context import Context
from handlers.slack.interaction import GONE, Answer, Interaction, reply
from handlers.slack.listening import Outcome, listens, on_click, on_incident, on_submit
from handlers.slack.payloads import Form
from handlers.views import merge_and_reopen, notes
from handlers.views.blocks import Message, View
from phases.coordination.duplicates import AT_ONCE
from phases.messages.commands import MergeDuplicates, Reopen, SplitOff
from phases.messages.results import ChannelArchived
from phases.record.incident import Incident
from phases.shared.change import Refused
from phases.text.wording import listed


async def merge(interaction: Interaction, first: Incident | None, text: str) -> Message | None:
    """Ask which one goes on: nothing is merged by a slip.

    `text`: the ids of the others; without any the open incidents stand in a form.
    """
    ids = list(dict.fromkeys(text.split()))
    if not ids:
        return await _form(interaction, first)
    some = [] if first is None else [first]
    for id in ids:
        other = await interaction.find(id)
        if other is None:
            return notes.note(GONE.format(id=id))
        if all(other.id != chosen.id for chosen in some):
            some.append(other)
    if len(some) < 2:
        return notes.note(f"{some[0].id} cannot be its own duplicate.")
    if len(some) > AT_ONCE + 1:
        return notes.note(f"At most {AT_ONCE} duplicates at once. Nothing was changed.")
    return merge_and_reopen.which_goes_on(*some)


async def _form(interaction: Interaction, here: Incident | None) -> Message | None:
    every = await interaction.open_incidents()
    some = await interaction.first_records(every, AT_ONCE)
    if (
        len(
            {record.id for record in some}
            | ({here.id} if here is not None and here.open else set())
        )
        < 2
    ):
        return notes.note("Only one incident is open: there is nothing to merge.")
    interaction.open(merge_and_reopen.which_are_one(some, here))
    return None


@on_click("incident.merge", "incident.merge_other", replace=True)
async def merge_clicked(interaction: Interaction) -> Message | None:
    return await _merge(
        interaction, interaction.clicked("keep"), interaction.clicked("end").split()
    )


@on_click("incident.merge_into", replace=True)
async def merge_into_clicked(interaction: Interaction) -> Message | None:
    gone = [interaction.clicked("incident")]
    return await _merge(interaction, interaction.clicked("of"), gone)


@on_submit("incident.merge", "end")
async def merge_submitted(interaction: Interaction, form: Form) -> Outcome:
    keep_id = form.text("keep")
    gone = [id for id in form.text("end").split(",") if id and id != keep_id]
    if not gone:
        return {"end": f"Choose at least one that is the same as {keep_id}."}
    done = await _merge(interaction, keep_id, gone)
    return View("incident.merged", "Merge incidents", done.blocks if done is not None else ())


async def _merge(interaction: Interaction, kept: str, gone: list[str]) -> Message | None:
    for id in (kept, *gone):
        if await interaction.find(id) is None:
            return notes.note(GONE.format(id=id))
    action = MergeDuplicates(by=interaction.user, others=tuple(gone))
    answer = await interaction.dispatch(action, kept)
    where = ""
    if isinstance(answer, Recorded) and answer.incident.channel is not None:
        where = f" It goes on in <#{answer.incident.channel.id}>."
    are = "is a duplicate" if len(gone) == 1 else "are duplicates"
    return reply(answer, f"{listed(gone)} {are} of {kept} now.{where}")


async def split(interaction: Interaction, incident: Incident, of: str = "") -> Message | None:
    """Take a duplicate out again. `of`: the incident of which it is said to be no part."""
    if incident.duplicate_of is not None and of in ("", incident.duplicate_of):
        return await _split(interaction, incident)
    if of:
        return notes.note(f"{incident.id} is not part of {of}. Nothing was changed.")
    merged = [await interaction.find(id) for id in incident.merged]
    parts = [part for part in merged if part is not None and part.duplicate_of == incident.id]
    if not parts:
        return notes.note(f"Nothing is merged into {incident.id}.")
    return merge_and_reopen.which_parts(incident, parts)


@on_incident("incident.split")
async def split_clicked(interaction: Interaction, incident: Incident) -> Message | None:
    return await _split(interaction, incident)


async def _beside(interaction: Interaction) -> str | None:
    """Return the open incident that a button says this one is different from."""
    beside = await interaction.find(interaction.clicked("of"))
    return beside.id if beside else None


async def _split(interaction: Interaction, incident: Incident) -> Message | None:
    surviving = incident.duplicate_of or ""
    others = (surviving,) if surviving else ()
    action = SplitOff(by=interaction.user, others=others, beside=await _beside(interaction))
    answer = await interaction.dispatch(action, incident.id)
    if (owner := await _in_the_way(interaction, answer)) is not None:
        return merge_and_reopen.reopen_beside(incident, owner, split=True)
    if isinstance(answer, Recorded) and not answer.incident.open:
        return reply(answer, f"{incident.id} is no part of {surviving} any more.")
    return reply(
        answer, f"{incident.id} is open again, apart from {surviving}.{_goes_on_in(incident)}"
    )


async def _in_the_way(interaction: Interaction, answer: Answer) -> Incident | None:
    """Return the open incident of the same service because of which it could not be opened."""
    if not (isinstance(answer, Refused) and answer.code == "taken" and answer.owner):
        return None
    owner = await interaction.ctx.dispatcher.load(answer.owner)
    return owner if owner is not None and await interaction.may_see(owner) else None


def _goes_on_in(incident: Incident) -> str:
    """Return where what is open again goes on. `incident`: as it was before."""
    if incident.channel_archived:
        return (
            " Its channel was archived, and no bot can unarchive it: "
            "a new one is being created, and you will be invited."
        )
    return f" It goes on in <#{incident.channel.id}>." if incident.channel is not None else ""


@on_incident("incident.reopen")
async def reopen(interaction: Interaction, incident: Incident) -> Message | None:
    if incident.duplicate_of is not None:
        return await _split(interaction, incident)
    action = Reopen(by=interaction.user, beside=await _beside(interaction))
    answer = await interaction.dispatch(action, incident.id)
    if (owner := await _in_the_way(interaction, answer)) is not None:
        return merge_and_reopen.reopen_beside(incident, owner)
    return reply(answer, f"{incident.id} is open again.{_goes_on_in(incident)}")


@listens("event", "channel_archive", "group_archive", "channel_deleted", "group_deleted")
async def channel_archived(ctx: Context, body: dict[str, Any]) -> None:
    """A channel was archived or deleted; `group` is a private one. Bolt drops the bot's own.

    https://docs.slack.dev/reference/events/channel_archive and the like.
    """
    ctx.tasks.start(_archived(ctx, body), "a channel was archived or deleted")


async def _archived(ctx: Context, body: dict[str, Any]) -> None:
    event = body["event"]
    channel = str(event.get("channel", ""))
    by = str(event.get("user") or event.get("actor_id") or "") or None
    deleted = str(event.get("type")).endswith("_deleted")
    action = ChannelArchived(channel=channel, by=by, deleted=deleted)
    for incident in await ctx.dispatcher.find(channel=channel, open_only=False):
        if incident.own_channel is not None:
            delivery = Delivery(deliveries.event(body))
            await ctx.dispatcher.dispatch(action, incident.id, delivery)
