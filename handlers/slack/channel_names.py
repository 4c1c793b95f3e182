"""Channels as people name them in the settings, compared with those that Slack tells of. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from phases.text.letters import spelled

# https://docs.slack.dev/reference/objects/conversation-object: ids begin with C, or with G.
_ID = re.compile(r"[CG][A-Z0-9]{4,20}")
_MENTION = re.compile(r"<#([A-Za-z0-9]+)(?:\|[^>]*)?>")
_LINK = re.compile(
    r"<?(?:(?:https?://)?[^/\s]+\.[^/\s]+/"
    r"(?:(?:archives|messages|client/[A-Za-z0-9]+)/|app_redirect\?(?:.*&)?channel=)"
    r"|slack://channel\?(?:.*&)?id=)([CG][A-Z0-9]{4,20})(?:[/?#&|>].*)?",
    re.IGNORECASE,
)
"""https://docs.slack.dev/interactivity/deep-linking, too."""
_COPIED = re.compile(r"[cg](?=[a-z]*[0-9])[a-z0-9]{8,20}")
"""An id in small letters, which a name may look like, too."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A channel as it was written: try the `id` first, then the `name`, then the id `maybe`."""

    id: str | None = None
    name: str | None = None
    maybe: str | None = None

    def means(self, channel: Mapping[str, Any]) -> bool:
        """Return whether this channel is meant, by its name of now or one that it had before."""
        ids = {self.id, self.maybe} - {None}
        return channel.get("id") in ids or (self.name is not None and self.name in called(channel))


def reference(written: str) -> Reference:
    """Read `C0123ABCD`, `incidents`, `#Incidents`, `<#C0123ABCD|incidents>`, or a copied link."""
    text = spelled(written).strip().strip("\"'`,;").strip()
    for form in (_MENTION, _LINK):
        if (link := form.fullmatch(text)) is not None:
            return Reference(id=link.group(1).upper())
    name = text.lstrip("#").casefold()
    if not text.startswith("#") and _ID.fullmatch(text):
        return Reference(id=text, name=name)
    return Reference(name=name, maybe=name.upper() if _COPIED.fullmatch(name) else None)


def called(channel: Mapping[str, Any]) -> frozenset[str]:
    """Return the names of a channel, of now and before."""
    before = channel.get("previous_names") or ()
    names = (channel.get("name"), channel.get("name_normalized"), *before)
    return frozenset(str(name).casefold() for name in names if name)
