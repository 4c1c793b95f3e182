"""Switches of the panel that put the systems around the bot into trouble.

docs/operations.md says how each shows.
"""

from __future__ import annotations

from collections.abc import Callable

from sandbox.faults import Fault, Faults
from sandbox.page.model import Lever
from sandbox.slack.to_app.socket_mode import SocketMode
from sandbox.slack.workspace import Workspace

HANG_SECONDS = 30.0
STORM = tuple(Fault(status=429, retry_after=seconds) for seconds in (1, 3, 5, 2, 4))
"""https://docs.slack.dev/apis/web-api/rate-limits, https://docs.sentry.io/api/ratelimits/"""
LINEAR_STORM = tuple(
    Fault(status=400, error="RATELIMITED", retry_after=seconds) for seconds in (1, 3, 2)
)
"""https://linear.app/developers/rate-limiting: HTTP 400 with the code in `errors[].extensions`."""

OVERLOAD = (
    Fault(
        status=400,
        error="\nQuery timeout. Please try again. If the problem persists try a smaller date range "
        "or fewer projects. "
        "Also consider a\nfilter on the transaction field if you're filtering performance data.\n",
    ),
    Fault(
        status=429,
        error="Rate limit exceeded. Please try your query with a smaller date range or fewer "
        "projects.",
    ),
    Fault(status=504, error="Query timeout. Please try again."),
)
"""Sentry's store of events is overloaded, as its versions say it.

Only calls that count events meet it: issues and releases live elsewhere.
`handle_query_errors` of https://github.com/getsentry/sentry
"""
COUNTING = ("sentry.events", "sentry.timeseries")

DOWN = {
    "sentry": ("sentry.*", Fault(status=503, error="Sentry is down (a switch of the sandbox)")),
    "linear": ("linear.*", Fault(status=503)),
    "github": ("github.*", Fault(status=503)),
    "merge-refused": (
        "github.merge",
        Fault(status=405, error="At least 1 approving review is required"),
    ),
    "head-moved": (
        "github.merge",
        Fault(status=409, error="Head branch was modified. Review and try the merge again."),
    ),
    "linear-busy": ("linear.*", Fault(error="RATELIMITED", status=200, retry_after=600)),
    "slack-slow": ("slack.*", Fault(delay=2.0)),
}
SYSTEMS = ("slack", "sentry", "linear", "github", "discord", "pagerduty")
NO_CHARTS = "slack-plain"
"""The workspace has not got Slack's newer blocks yet."""
TWICE = "twice"
NO_SOCKET = "socket-off"


PLAIN = (
    Lever("sentry", "Sentry down"),
    Lever(
        "sentry-busy",
        "Sentry overloaded",
        "its issues are told; whoever counts events is refused: 400, 429, 504",
    ),
    Lever("linear", "Linear down"),
    Lever("linear-busy", "Linear rate-limited"),
    Lever("github", "GitHub down"),
    Lever("slack-slow", "Slack slow", "each call takes 2 s"),
    Lever(NO_CHARTS, "Slack without charts"),
)
ODD = (
    Lever("slack-429", "Slack says 429", "every second call, for 1 to 5 s"),
    Lever(
        "others-429",
        "The others say 429",
        "Sentry, Linear, GitHub, Discord, PagerDuty: every second call",
    ),
    Lever("slack-5xx", "Slack fails", "every third call: 503"),
    Lever("others-5xx", "The others fail", "every third call: 503, Linear with HTTP 200"),
    Lever("slack-hangs", "Slack hangs", "30 s without an answer; every second call is carried out"),
    Lever("sentry-hangs", "Sentry hangs", "30 s without an answer"),
    Lever(
        "linear-hangs", "Linear hangs", "30 s without an answer; every second call is carried out"
    ),
    Lever(
        "lost",
        "Answers get lost",
        "the first call of each method is carried out, and its answer never comes",
    ),
    Lever(TWICE, "Deliver twice", "Slack and all webhooks: twice, and out of order"),
)
SOCKET = (Lever(NO_SOCKET, "Socket Mode off", "as in the app's settings: link_disabled"),)
ACTS = (("socket:refresh_requested", "Slack asks to reconnect"), ("socket:drop", "Drop the socket"))
KEYS = frozenset(lever.key for lever in (*PLAIN, *ODD, *SOCKET)) | DOWN.keys()


class FaultSwitches:
    """The switches, and what turning one does to the systems around the bot."""

    def __init__(
        self,
        faults: Faults,
        workspace: Workspace,
        socket_mode: SocketMode | None,
        deliver_twice: Callable[[bool], None],
    ) -> None:
        self._faults = faults
        self._workspace = workspace
        self._socket_mode = socket_mode
        self._deliver_twice = deliver_twice
        self._on: set[str] = set()

    @property
    def on(self) -> frozenset[str]:
        return frozenset(self._on if self._workspace.rich_blocks else {*self._on, NO_CHARTS})

    def odd(self) -> list[Lever]:
        return [*ODD, *(SOCKET if self._socket_mode is not None else ())]

    def acts(self) -> list[tuple[str, str]]:
        """Buttons: lever and label."""
        return list(ACTS) if self._socket_mode is not None else []

    async def switch(self, key: str, on: bool) -> None:
        (self._on.add if on else self._on.discard)(key)
        if key == NO_CHARTS:
            self._on.discard(key)
            self._workspace.rich_blocks = not on
        elif key == TWICE:
            self._deliver_twice(on)
        elif key == NO_SOCKET and (socket := self._socket_mode) is not None:
            if on:
                await socket.disconnect("link_disabled")
            socket.on = not on
        self._faults.clear()
        for name in self._on:
            self._stage(name)

    async def socket(self, what: str) -> str | None:
        socket = self._socket_mode
        if socket is None or not socket.connected:
            return "No socket is connected."
        if what == "drop":
            socket.drop()
        else:
            await socket.refresh()
        return None

    def _stage(self, name: str) -> None:
        faults = self._faults
        others = [system for system in SYSTEMS if system not in ("slack", "linear")]
        if name in DOWN:
            faults.always(*DOWN[name])
        elif name == "sentry-busy":
            for call in COUNTING:
                faults.always(call, OVERLOAD)
        elif name == "slack-429":
            faults.always("slack.*", STORM, every=2)
        elif name == "others-429":
            faults.always("linear.*", LINEAR_STORM, every=2)
            for system in others:
                faults.always(f"{system}.*", STORM, every=2)
        elif name == "slack-5xx":
            faults.always("slack.*", Fault(status=503), every=3)
        elif name == "others-5xx":
            broken = (Fault(status=503), Fault(status=200, error="INTERNAL_SERVER_ERROR"))
            faults.always("linear.*", broken, every=3)
            for system in others:
                faults.always(f"{system}.*", Fault(status=503), every=3)
        elif name == "lost":
            for system in SYSTEMS:
                faults.once_each(system, Fault(lose_answer=True))
        elif name.endswith("-hangs"):
            faults.hang(name.removesuffix("-hangs"), HANG_SECONDS)
