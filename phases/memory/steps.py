"""The knowledge loop: what is remembered is told once, and an old record becomes small."""

from phases.memory.compaction import SHRINK, SHRINK_SECONDS
from phases.memory.recall import memory_sentences
from phases.messages.actions import ShrinkDue
from phases.messages.effects import Say
from phases.shared.change import Draft
from phases.text.wording import short

SENTENCE_LIMIT = 500
"""Characters of one sentence as it is said."""


def shrink_later(draft: Draft) -> None:
    """Makes the record small a month after its end; one that goes on before that stays as it is."""
    was, over = draft.before.status.over, draft.incident.status.over
    if over and not was:
        draft.timer(SHRINK, SHRINK_SECONDS, ShrinkDue())
    elif was and not over:
        draft.set(shrunk_at=None).cancel(SHRINK)


def tell_memories(draft: Draft) -> None:
    """Says all that is remembered in the decision's thread, once.

    The decision itself shows the first sentence.
    """
    incident = draft.incident
    memory = incident.recollection
    if memory is None or memory.told or not incident.open or "decision:1" not in incident.messages:
        return
    draft.set(recollection=memory.model_copy(update={"told": True}))
    lines = memory_sentences(incident)
    if len(lines) > 1:
        text = "\n".join(
            ("*From past incidents:*", *(f"• {short(line, SENTENCE_LIMIT)}" for line in lines))
        )
        draft.want(Say(text=text, thread=True))
