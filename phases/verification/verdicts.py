"""Phase 5: the verdict of one look, with reasons that people can check."""

from collections.abc import Sequence

from phases.record.findings import EndpointAnswer, Look, LookVerdict
from phases.text.wording import counted, listed
from phases.verification.event_counts import EXPECTED_EVENTS_LEAST, Limits
from phases.verification.traffic import STEADY, UNKNOWN, Traffic

ABOUT_THE_SAME = (0.8, 1.25)
"""Traffic that changed by less is not spoken of."""


def judge_look(
    events: int,
    limits: Limits,
    endpoint: EndpointAnswer | None,
    new: Sequence[str],
    traffic: Traffic = STEADY,
) -> tuple[LookVerdict, tuple[str, ...]]:
    """Judge one look, with the reasons, the comparison of the counts first.

    Recovery is few enough events, *and* an endpoint that answers well, *and* no issue that is new
    in what runs now. What is surely better and surely not over is neither: people decide on it.
    """
    reasons = [compared_in_words(events, limits), *traffic_in_words(traffic.share)]
    bad: list[str] = []
    if endpoint is not None and not endpoint.ok:
        bad.append(f"the endpoint does not answer well: {endpoint.said}")
    if new:
        bad.append(
            f"{counted(len(new), 'issue')} new in the release that runs now: {listed(list(new))}"
        )
    if not bad and limits.better(events):
        return LookVerdict.TOO_FEW, (*reasons, _left_in_words(events, limits))
    if bad or events > limits.burning:
        return LookVerdict.NOT_RECOVERED, (*reasons, *bad)
    if events <= limits.recovered:
        return LookVerdict.RECOVERED, tuple(reasons)
    return LookVerdict.TOO_FEW, (*reasons, _why_too_few(events, limits, traffic))


def _left_in_words(events: int, limits: Limits) -> str:
    """`down by 81 %, still 21 above normal`."""
    above = round(events - limits.expected)
    return f"down by {round(100 * (1 - events / limits.unchanged))} %, still {above:,} above normal"


def _why_too_few(events: int, limits: Limits, traffic: Traffic) -> str:
    if traffic.gone:
        return "there is no traffic, so silence proves nothing"
    if limits.small:
        return f"too little to tell below {EXPECTED_EVENTS_LEAST}"
    if not traffic.known and events <= limits.quiet_if_steady:
        return f"a fall to {round(100 * UNKNOWN.of_fire_least)} % would explain the quiet"
    return "an ongoing problem could look this quiet by chance"


def compared_in_words(events: int, limits: Limits) -> str:
    """`4 events where up to 12 are normal, about 180 if nothing had changed`."""
    normal = f"{counted(events, 'event')} where up to {limits.allowed:,} are normal"
    return f"{normal}, about {would_have_come_in_words(limits.unchanged)} if nothing had changed"


def would_have_come_in_words(events: float) -> str:
    return f"{events:,.0f}" if events >= 1 or events == 0 else "less than 1"


def traffic_in_words(share: float | None) -> tuple[str, ...]:
    """Say what traffic did, where it changes what the counts mean, or that nobody knows.

    `share`: of that of the fire.
    """
    if share is None:
        return ("traffic is unknown",)
    if ABOUT_THE_SAME[0] <= share <= ABOUT_THE_SAME[1]:
        return ()
    return (f"traffic is {round(share * 100)} % of what it was during the fire",)


NOT_MEASURED = ", so nothing was measured"
"""Ends the reason of a look that had nothing to count: no number of it may be shown."""


def was_measured(look: Look) -> bool:
    """Return whether the numbers of a look say anything."""
    if look.verdict is LookVerdict.UNREACHABLE:
        return False
    return not (look.reasons and look.reasons[0].endswith(NOT_MEASURED))
