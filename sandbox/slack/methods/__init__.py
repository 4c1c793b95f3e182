"""The Web API methods that this Slack knows, by name; one file a family. https://docs.slack.dev/reference/methods"""

from __future__ import annotations

from sandbox.slack.methods import about, chat, conversations, history, marks, membership, users, views
from sandbox.slack.methods.call import Method

METHODS: dict[str, Method] = {
    **about.METHODS,
    **chat.METHODS,
    **conversations.METHODS,
    **membership.METHODS,
    **history.METHODS,
    **marks.METHODS,
    **users.METHODS,
    **views.METHODS,
}
