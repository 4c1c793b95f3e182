"""Phase 4, announcements: a change of state is said in the channel.

Ticket, Discord, pager and live messages are kept in step with it.
"""

import json
from typing import Literal

from phases.messages.actions import NobodyActed
from phases.messages.effects import (
    CommentTicket,
    Page,
    PinDiscord,
    Say,
    TellDiscord,
    TellPager,
)
from phases.record.incident import Failure, Severity
from phases.shared.change import Draft

LIVE_EVERYWHERE = ("status", "announcement")
NOBODY_TIMER = "nobody"  # timer: nobody acted on a SEV1
NOBODY_SECONDS = 600  # rules, Severity: nobody acts on a SEV1 within 10 minutes


def page_if_urgent(draft: Draft, said: str) -> Draft:
    """Page a SEV1 as soon as it is known, and once more when nobody acts on it (rules: Severity).

    Once users are fine nobody is woken by what somebody writes into a ticket.
    """
    fine = draft.incident.recovered_at is not None
    if fine or draft.incident.severity is not Severity.SEV1:
        return draft
    if "sev1" in draft.incident.paged and draft.before.severity is Severity.SEV1:
        return draft  # its timer runs already
    return await_action(page(draft, "sev1", said))


def await_action(draft: Draft) -> Draft:
    """Watch that somebody acts on a SEV1; the first action, or *Investigate*, ends it."""
    current = draft.incident.round
    waits = current is None or (current.action is None and current.investigate_by is None)
    if draft.incident.severity is not Severity.SEV1 or not waits:
        return draft
    return draft.timer(NOBODY_TIMER, NOBODY_SECONDS, NobodyActed())


def page(draft: Draft, key: str, text: str) -> Draft:
    """Page people once for each reason (rules: Severity, Pages)."""
    if key in draft.incident.paged:
        return draft
    if draft.incident.drill:
        draft.set(paged=(*draft.incident.paged, key)).note(
            "page", f"Drill: nobody was paged. For real: {text}"
        )
        return nobody_paged(draft, text)
    return (
        draft.set(paged=(*draft.incident.paged, key))
        .want(Page(key=key, text=text))
        .note("page", f"Paged: {text}")
    )


def tell(draft: Draft, said: str | Say, *, strong: str = "", ticket: bool = True) -> Draft:
    """Say a change of state in the channel, and keep ticket and Discord true with it.

    `said` is a `Say` where it has a question, a mention, a chart or a thread. `strong` stands in
    front: bold in Slack, plain words on the ticket.
    """
    say = said if isinstance(said, Say) else Say(text=said)
    if draft.incident.channel is not None:
        words = (f"*{strong}* {say.text}" if strong else say.text).strip()
        draft.want(say.model_copy(update={"text": words}))
    if ticket:
        update_outside(draft, f"{strong} {say.text}".strip())
    return draft


def update_outside(draft: Draft, text: str) -> Draft:
    """Follow a change with a comment on the ticket, with Discord and with the pinned status."""
    if draft.incident.ticket is not None and not draft.incident.private:
        draft.want(CommentTicket(text=text))
    return tell_discord(draft).dirty(*LIVE_EVERYWHERE)


def tell_discord(draft: Draft, effect: TellDiscord | None = None) -> Draft:
    """Post once, edit afterwards. `effect`: one that was given up, and is tried again.

    While the first post is under way its id is not known; its end asks again.
    """
    if draft.incident.apart or (draft.incident.discord_asked and draft.incident.discord_id is None):
        return draft
    return pin_discord(draft.set(discord_asked=True).want(effect or TellDiscord()))


def pin_discord(draft: Draft) -> Draft:
    """Pin the post while the incident is open: many incidents share that channel."""
    incident = draft.incident
    if incident.discord_id is None or incident.apart or incident.open is incident.discord_pinned:
        return draft
    return draft.set(discord_pinned=incident.open).want(PinDiscord())


def acknowledge_page(draft: Draft) -> Draft:
    """Somebody acts: the pager need not call the next person."""
    return _tell_pager(draft, "acknowledge")


def resolve_page(draft: Draft) -> Draft:
    """Users are fine, or it is over: the pager's alert ends."""
    return _tell_pager(draft, "resolve")


def _tell_pager(draft: Draft, what: Literal["acknowledge", "resolve"]) -> Draft:
    if not draft.incident.paged or draft.incident.drill:
        return draft
    return draft.want(TellPager(what=what, pages=len(draft.incident.paged)))


def nobody_paged(draft: Draft, text: str) -> Draft:
    """Say in place of a drill's page that nobody was paged, once there is a channel."""
    if draft.incident.channel is None or not draft.incident.paged:
        return draft
    words = f"*Drill: nobody was paged.* For real, people would be paged now: {text}"
    return draft.want(Say(text=words, thread=True))


def clear_failures(draft: Draft, kind: str, about: str = "") -> Draft:
    """Take back the failures of an effect that has succeeded since; nobody need try it again.

    `about` is the value of one of its fields, where several effects of the kind may have failed.
    """
    left = tuple(
        failure
        for failure in draft.incident.failures
        if failure.kind != kind or (about and about not in _effect_values(failure))
    )
    if len(left) == len(draft.incident.failures):
        return draft
    return draft.set(failures=left).dirty("status")


def _effect_values(failure: Failure) -> set[str]:
    return {str(value) for value in json.loads(failure.effect).values()}
