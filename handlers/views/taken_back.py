"""The cost of a rollback and written warnings against it: beside its button, in its form."""

from collections.abc import Collection

from handlers.views.blocks import Block, context
from handlers.views.text import local, person, words
from phases.record.findings import Recommendation
from phases.record.going_back import Quote, TakenBack
from phases.text.wording import listed
from phases.triage.deploys.taken_back import commits_in_words, taken_back_in_short
from phases.triage.rollback.recommendation import warning_brake

QUOTES = 2


def quotes(recommendation: Recommendation | None, above: Collection[str] = ()) -> list[str]:
    """Return the warnings that people wrote, each with its author and place.

    `above`: the sentences that stand above already, without their full stop.
    """
    if recommendation is None:
        return []
    return [
        f"*Warned*: “{words(quote.text, 200)}” ({_quote_source(quote)})"
        for quote in recommendation.written[:QUOTES]
        if warning_brake(quote).rstrip(".") not in above
    ]


def _quote_source(quote: Quote) -> str:
    return f"{person(quote.by)}, {words(quote.where, 80)}" if quote.by else words(quote.where, 80)


def what_it_takes_back(recommendation: Recommendation | None) -> Block | None:
    """Return what goes with the release, under the reasons; None where nothing is known of it."""
    if recommendation is None or recommendation.takes_back is None:
        return None
    taken = recommendation.takes_back
    parts: list[str] = []  # what matters most comes first
    if taken.fixes:
        parts.append(f"the fix for {_listed(taken.fixes)}")
    if taken.security:
        parts.append(f"security: {_listed(taken.security)}")
    if taken.commits:
        more = len(taken.names) < max(
            taken.pull_requests, 0 if taken.pull_requests else taken.commits
        )
        named = "; ".join(words(name, 80).rstrip(".") for name in taken.names)
        parts.append(f"{words(commits_in_words(taken), 120)}: {named}{' and more' if more else ''}")
    lines = [f"*A rollback takes back* {', '.join(parts)}."] if parts else []
    if taken.one_way:
        lines.append(f"*It does not undo* {_listed(taken.one_way)}.")
    if taken.oldest_schema:
        since = words(taken.since, 80)
        unknown = words(taken.oldest_schema, 200)
        lines.append(f"*The schema stays newer*: {since} does not know {unknown}.")
    if taken.unknown:
        lines.append(local(words(taken.unknown, 300)))
    return context("\n".join(lines)) if lines else None


def _listed(names: tuple[str, ...]) -> str:
    return words(listed(names, most=len(names)), 900)


def in_the_dialog(taken: TakenBack | None) -> str:
    """Return the same for a dialog, which is cut at its end: what matters most comes first.

    It has 300 characters:
    https://docs.slack.dev/reference/block-kit/composition-objects/confirmation-dialog-object
    """
    if taken is None or not (sentences := taken_back_in_short(taken)):
        return ""
    return f" {sentences}"
