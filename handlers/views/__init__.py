"""What people see. Pure functions of the record: `status`, `decision`, `tree`, … → Message or View; no client, no clock."""

from handlers.views.blocks import Message, View
from handlers.views.decision import decision
from handlers.views.items import items, overdue
from handlers.views.progress import progress
from handlers.views.says import announcement, listing, reminder, say, summary
from handlers.views.status import status, topic
from handlers.views.tree import evidence, tree

__all__ = [
    "Message",
    "View",
    "announcement",
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
