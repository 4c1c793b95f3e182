"""The Web API methods that this Slack knows, by name; one file a family.

https://docs.slack.dev/reference/methods
"""

from __future__ import annotations

from sandbox.slack.methods import (
    auth,
    chat,
    conversations,
    history,
    membership,
    pins_and_bookmarks,
    users,
    views,
)
from sandbox.slack.methods.call import Method

METHODS: dict[str, Method] = {
    **auth.METHODS,
    **chat.METHODS,
    **conversations.METHODS,
    **membership.METHODS,
    **history.METHODS,
    **pins_and_bookmarks.METHODS,
    **users.METHODS,
    **views.METHODS,
}
