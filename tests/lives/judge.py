"""What must be true at the end of a life, whatever happened to the bot meanwhile.

Nothing is lost, nothing is done twice, and a minute after the last change nothing shows what is
over.
"""

from __future__ import annotations

from collections import Counter

from phases.messages.notifications import PostLive
from phases.record.incident import Entry, Incident, Status
from sandbox.slack.people import plain
from tests.lives.life import SEEN, UPDATE, Life
from tests.lives.place import Place, marks_of
from tests.lives.stale import stale
from tests.lives.town import Town
from tests.lives.versions import UNKNOWN_FIELD

AGAIN = "Tried again: "
"""Begins what is said when somebody presses *Try again*, as often as they do."""
EACH_ROUND = ("triage", "decision", "deploy", "check")
"""Kinds of entries of which each round may have one in the same words."""


async def faults(town: Town, life: Life) -> list[str]:
    """Every fault of a life. Empty: nothing was lost, doubled or left stale."""
    places = life.places
    if len(places) != 1:
        return [f"{len(places)} channels or threads: {[place.describe() for place in places]}"]
    incident, timeline = _record(town, life), _timeline_of(town, life)
    return [
        *life.faults,
        *_counted(town, life, incident),
        *_messages(town, life.place, incident),
        *_deploys(town, life, incident),
        *_written(life, incident),
        *_ticket(town, life, incident),
        *_pages(town, incident, timeline),
        *_timeline(town, life, incident, timeline),
        *_claims(town, life, incident),
        *_unknown_field_lost(town, incident),
        *town.committed.twice(incident.id),
        *await stale(town, incident),
    ]


def _record(town: Town, life: Life) -> Incident:
    return Incident.model_validate(life.record())


def _lines(answer: bytes) -> list[str]:
    """The bulk strings of an answer that is a list."""
    texts, at = list[str](), answer.find(b"\r\n") + 2
    while at < len(answer):
        end = answer.find(b"\r\n", at)
        size = int(answer[at + 1 : end])
        texts.append(answer[end + 2 : end + 2 + max(0, size)].decode())
        at = end + 2 + size + 2
    return texts


def _timeline_of(town: Town, life: Life) -> list[Entry]:
    id = life.id.encode()
    lines, words = town.redis.server.ask(
        [b"LRANGE", b"{fb}:timeline:" + id, b"0", b"-1"], [b"HVALS", b"{fb}:words:" + id]
    )
    entries = [Entry.model_validate_json(line) for line in _lines(lines)]
    plain_ones = [entry for entry in entries if entry.ref is None]
    return [*plain_ones, *(Entry.model_validate_json(line) for line in _lines(words))]


def other_than_one(exact: dict[str, int]) -> list[str]:
    return [f"{count} {what}" for what, count in exact.items() if count != 1]


def _counted(town: Town, life: Life, incident: Incident) -> list[str]:
    name = life.shop.name
    (answer,) = town.redis.server.ask(
        [b"ZRANGE", b"{fb}:index:service:" + name.encode(), b"0", b"-1"]
    )
    of_discord = [post for post in town.discord.posts if name in post.content]
    titled = [
        issue for issue in town.linear.issues if name in issue.title and issue.parent_id is None
    ]
    common = town.workspace.channel("incidents")
    live = f"{incident.ulid}:announcement"
    announced = [message for message in common.roots() if marks_of(message).get("live") == live]
    in_thread = life.place.root is not None  # its first message is the announcement
    return other_than_one(
        {
            "incidents of this service": len(_lines(answer)),
            "pinned messages": max(life.place.pins(), int(_status_was_given_up(town, incident))),
            "tickets": max(len(titled), int(incident.ticket is None)),
            "posts on Discord": len(of_discord),
            "announcements": len(announced) + in_thread,
            "recorded incidents with this channel": int(_is_recorded(life.place, incident)),
        }
    )


def _status_was_given_up(town: Town, incident: Incident) -> bool:
    """Return whether the status could not be posted, and is not wanted in what is cancelled."""
    cancelled = incident.status is Status.CANCELLED and "status" not in incident.messages
    return cancelled and town.given_up.ever(incident.id, PostLive.words)


def _is_recorded(place: Place, incident: Incident) -> bool:
    known = incident.channel
    return known is not None and (known.id, known.thread_ts) == (place.channel.id, place.root)


def _messages(town: Town, place: Place, incident: Incident) -> list[str]:
    common = town.workspace.channel("incidents")
    beside = [] if place.root is not None else place.messages()
    ours = [m for m in common.messages if marks_of(m).get("incident") == incident.id]
    posted = dict[str, list[str]]()
    for message in (*beside, *ours):
        if effect := marks_of(message).get("effect"):
            where = f" in {message['thread_ts']}" if "thread_ts" in message else ""
            posted.setdefault(effect, []).append(f"{plain(message)[:60]!r}{where}")
    wrong = [f"posted {len(n)} times: {text}: {n}" for text, n in posted.items() if len(n) > 1]
    titles = Counter(mark["title"] for mark in place.channel.bookmarks)
    wrong += [f"{n} bookmarks {title}" for title, n in titles.items() if n > 1]
    texts = [plain(m) for m in place.roots() if m.get("bot_id")]
    for number in range(1, len(incident.rounds) + 1):
        times = sum(f"Decision {number}" in text for text in texts)
        asked = incident.rounds[number - 1].asked
        if times > 1 or (asked and times == 0):
            wrong.append(f"{times} messages of decision {number}")
    summaries = sum("PRODUCTION INCIDENT —" in text for text in texts)
    if incident.status in (Status.RESOLVED, Status.CLOSED) and summaries != 1:
        wrong.append(f"{summaries} summaries")
    return wrong


def _deploys(town: Town, life: Life, incident: Incident) -> list[str]:
    runs = Counter(run.inputs["decision"] for run in life.shop.hub.runs)
    runs += Counter(
        {id: n for id, n in town.host.runs.items() if id.startswith(f"{incident.mark}-")}
    )
    decided = {each.action.deploy_id for each in incident.rounds if each.action}
    wrong = [f"{decision} ran {times} times" for decision, times in runs.items() if times > 1]
    wrong += [f"a run of nobody's decision: {decision}" for decision in runs.keys() - decided]
    for round_ in incident.rounds:
        if (action := round_.action) is None:
            continue
        # A run of GitHub's was there, however it ended; a command may have failed to start.
        ended = action.result == "done" or (
            action.result == "failed" and action.deploys and not life.shop.by_command
        )
        ended = ended and action.deploy_id is not None
        if ended and runs[action.deploy_id or ""] != 1:
            wrong.append(f"{action.deploy_id} is said to be {action.result}: no run")
        if action.result in ("waiting", "running"):
            wrong.append(f"round {round_.number} still says {action.result}")
    return wrong


def _written(life: Life, incident: Incident) -> list[str]:
    hub = life.shop.hub
    if incident.status not in (Status.RESOLVED, Status.CLOSED):
        return []
    return other_than_one(
        {
            "pull requests of the post-mortem": len(hub.pulls) - 1,
            "branches": len(hub.branches),
            "ADRs": len({path for at, path in hub.files if at in hub.branches.values()}),
        }
    )


def _ticket(town: Town, life: Life, incident: Incident) -> list[str]:
    if incident.ticket is None:
        # One that could not be made while the incident was open is not made for what is cancelled.
        cancelled = incident.status is Status.CANCELLED
        return [] if cancelled else ["no ticket in the record"]
    issue = town.linear.issue(incident.ticket.identifier)
    wanted = "canceled" if incident.status is Status.CANCELLED else "completed"
    wrong = [] if issue.state.type == wanted else [f"the ticket is {issue.state.type}"]
    bodies = Counter(comment.body for comment in town.linear.comments_on(issue))
    rounds = max(1, len(incident.rounds))
    wrong += [f"{n} comments {body[:60]!r}" for body, n in bodies.items() if n > rounds]
    urls = Counter(attachment.url for attachment in town.linear.attachments_on(issue))
    wrong += [f"{n} attachments of {url}" for url, n in urls.items() if n > 1]
    return wrong


def _pages(town: Town, incident: Incident, timeline: list[Entry]) -> list[str]:
    alerts = [alert for alert in town.pagerduty.events if incident.id in alert.summary]
    wrong: list[str] = []
    # Where PagerDuty fails again and again, the owners are mentioned in the channel.
    mentioned = any(entry.text.startswith("Page sent by mention") for entry in timeline)
    if incident.paged and not alerts and not mentioned:
        wrong.append(f"nobody was paged: {incident.paged}")
    counts = Counter(alert.summary for alert in alerts)
    if not town.lost_pages and len(alerts) > len(incident.paged):
        wrong.append(f"{len(alerts)} pages for {incident.paged}: {dict(counts)}")
    if not incident.open and any(alert.state == "triggered" for alert in alerts):
        wrong.append("the page still rings")
    return wrong


def _timeline(town: Town, life: Life, incident: Incident, entries: list[Entry]) -> list[str]:
    counts = Counter((entry.kind, entry.text) for entry in entries)
    rounds = max(1, len(incident.rounds))
    may = {**dict.fromkeys(EACH_ROUND, rounds), "page": max(1, len(set(incident.paged)))}
    may["lead"] = 11  # to and fro (tests/lives/restless.py)
    # Two looks that can measure nothing say so in the same words.
    may["check"] = max(rounds, sum(len(round_.looks) for round_ in incident.rounds))
    # An investigation while Sentry or GitHub is away walks otherwise, the next one as before.
    walked = set(incident.investigation.walk if incident.investigation else ())
    again = sum(entry.text.startswith(AGAIN) for entry in entries)

    def most(kind: str, text: str) -> int:
        if kind != "failure":
            return may.get(kind, 1)
        return again if text.startswith(AGAIN) else town.given_up.times(incident.id, text)

    wrong = [
        f"{times} times in the timeline: {kind}: {text[:80]!r}"
        for (kind, text), times in counts.items()
        if times > most(kind, text) and text not in walked
    ]
    kinds = {entry.kind for entry in entries}
    if incident.status in (Status.RESOLVED, Status.CLOSED):
        needed = ("declared", "triage", "decision", "check", "resolved")
        wrong += [f"no entry of kind {kind}" for kind in needed if kind not in kinds]
    if life.pinned and _heard(life) and not any(entry.text == SEEN for entry in entries):
        wrong.append("the pin is not in the timeline")
    if life.updated and not any(UPDATE in entry.text for entry in entries):
        wrong.append("an update was acked, and is not in the timeline")
    return wrong


def _heard(life: Life) -> bool:
    """Return whether the bot said that it has the event of the pin; else Slack gave it up."""
    for sent in life.town.delivery.log:
        event = sent.body.get("event") or {}
        item = event.get("item") or {}
        ours = event.get("type") == "reaction_added" and item.get("channel") == life.channel.id
        if ours and any(ack.ok for ack in sent.acks):
            return True
    return False


def _unknown_field_lost(town: Town, incident: Incident) -> list[str]:
    """What this version does not know is the next version's, and must not be lost."""
    preserved = UNKNOWN_FIELD in (incident.model_extra or {})
    return (
        ["a field of another version is lost"]
        if incident.id in town.with_newer_field and not preserved
        else []
    )


def _claims(town: Town, life: Life, incident: Incident) -> list[str]:
    ask, name = town.redis.server.ask, life.shop.name.encode()
    held, deploying, timers = ask(
        [b"GET", b"{fb}:claim:open:" + name + b":production"],
        [b"GET", b"{fb}:claim:deploying:" + name],
        [b"ZRANGE", b"{fb}:timers", b"0", b"-1", b"WITHSCORES"],
    )
    wrong: list[str] = []
    if not incident.open and held != b"$-1\r\n":
        wrong.append("its service is still claimed")
    if deploying != b"$-1\r\n":
        wrong.append("the deploy is still claimed")
    now = town.redis_ms()
    rows = _lines(timers)
    late = [
        name
        for name, at in zip(rows[::2], rows[1::2], strict=True)
        if name.startswith(f"{incident.id}|") and float(at) < now - 60_000
    ]
    return wrong + [f"a timer is overdue: {timer}" for timer in late]
