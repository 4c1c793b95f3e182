"""Messages and forms as pure functions of the record; no client, no clock."""

from handlers.views.action_items import items, overdue
from handlers.views.announcement import announcement
from handlers.views.blocks import Message, View
from handlers.views.contradictions import contradictions
from handlers.views.decision import decision
from handlers.views.deploy_output import progress
from handlers.views.hypothesis_tree import evidence, tree
from handlers.views.notes import listing, reminder, say, summary
from handlers.views.status import status, topic

__all__ = [
    "Message",
    "View",
    "announcement",
    "contradictions",
    "decision",
    "evidence",
    "items",
    "listing",
    "overdue",
    "progress",
    "reminder",
    "say",
    "status",
    "summary",
    "topic",
    "tree",
]
