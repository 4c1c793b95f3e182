"""Events of developers' machines: a server on a port of one's own host, or a laptop's name.

Sentry's SDKs call an environment `production` where nobody says otherwise
(https://docs.sentry.io/platforms/python/configuration/options/#environment), so these are among
the others. Apps in a web view serve themselves from `http://localhost` without a port
(https://capacitorjs.com/docs/config), and their users are customers.
"""

import ipaddress
from fnmatch import fnmatchcase

URLS = ("*//localhost:*", "*//127.0.0.1:*")
"""The tag `url` (https://github.com/getsentry/sentry/tree/master/src/sentry/plugins/sentry_urls)."""
SERVERS = ("*MacBook*",)
"""The tag `server_name`: a laptop's usual name. Clusters end theirs in `.local`, too."""
NO_LAPTOPS = " ".join(
    [*(f"!url:{pattern}" for pattern in URLS), *(f"!server_name:{name}" for name in SERVERS)]
)
"""https://docs.sentry.io/concepts/search/#exclusion : events without the tag are left in."""


def from_laptop(url: str, server: str) -> bool:
    return any(fnmatchcase(url, p) for p in URLS) or any(fnmatchcase(server, p) for p in SERVERS)


def private(user: str) -> bool:
    """Return whether the tag `user` is an address of a private network or the host itself."""
    kind, _, value = user.partition(":")
    if kind != "ip":
        return False
    try:
        return ipaddress.ip_address(value).is_private
    except ValueError:
        return False
