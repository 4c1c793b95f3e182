"""A judged world as a short story, and all of them as a table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tests.judgement.judge import Judged
from tests.judgement.world import DAY, Deploy, Failure, World

WORST = SHOWN = 5


def table(judged: Sequence[Judged]) -> str:
    kinds = sorted({j.world.kind for j in judged})
    counts = f"{'right':>7}{'harm':>6}{'needless':>10}{'missed':>8}{'paged':>7}"
    head = f"{'kind of world':24}{'n':>5}{counts}{'lost/best':>11}{'of it':>7}{'finding':>9}"
    total = sum(j.excess for j in judged)
    lines = [_line(k, [j for j in judged if j.world.kind == k], total) for k in kinds]
    return "\n".join((head, *lines, _line("all", judged, total), _by_table(judged)))


def _by_table(judged: Sequence[Judged]) -> str:
    """Return the figures without the look that the workflow's table asks for."""
    right = sum(j.right_by_table for j in judged) / len(judged)
    waits = sum(j.excess for j in judged if j.right_by_table and not j.right)
    lost, least = sum(j.lost for j in judged) - waits, sum(j.least for j in judged)
    ratio_ = lost / least if least else 1.0
    return f"without the look that one feature asks for: {right:.0%} right, lost/best {ratio_:.2f}"


def ratio(judged: Iterable[Judged]) -> float:
    """Return lost user-minutes over the least that could have been lost."""
    lost = least = 0.0
    for j in judged:
        lost, least = lost + j.lost, least + j.least
    return lost / least if least else 1.0 if lost < 1 else float("inf")


def _line(name: str, judged: Sequence[Judged], total: float) -> str:
    n = len(judged)
    counts = [
        sum(map(bool, column))
        for column in zip(
            *((j.right, j.harm, j.needless, j.missed, j.loud) for j in judged), strict=True
        )
    ]
    right, harm, needless, missed, loud = counts
    share = sum(j.excess for j in judged) / total if total else 0.0
    finding = sum(j.finding for j in judged) / n
    return (
        f"{name:24}{n:5}{right / n:7.0%}{harm:6}{needless:10}{missed:8}{loud:7}"
        f"{ratio(judged):11.2f}{share:7.0%}{finding:9.0f}"
    )


def worst(judged: Sequence[Judged], most: int = WORST) -> list[Judged]:
    """Return the worst: what harms first, then what was missed, then what cost the most."""
    wrong = [j for j in judged if not j.right]
    return sorted(wrong, key=lambda j: (not j.harm, not j.missed, -j.excess))[:most]


def story(judged: Judged) -> str:
    world, report = judged.world, judged.report
    advice, blast = report.recommendation, report.blast
    lines = [
        f"seed {world.seed}, {world.kind}: {_verdict(judged)}",
        f"  {world.zero:%a %H:%M}, {world.active:.0f} people a minute; "
        f"deploys told by {world.deploys_from}"
        f"{'' if world.releases_told else ', events name no release'}"
        f"{'' if world.users_told else ', nor a user'}. Truth: {world.truth}.",
        *(f"  {_when(at)} {what}" for at, what in _happened(world)),
        f"  asked at {_when(world.asked)}: {' '.join(blast.sentences[:1])}",
        f"       began {_when(world.minute(report.began_at)) if report.began_at else '?'}, "
        f"suspect {report.suspect.version if report.suspect else 'none'}",
        f"  bot: {judged.advice}. {' '.join(advice.reasons)}",
        *(f"       brake: {brake}" for brake in advice.brakes[:3]),
        f"       names {', '.join(judged.named) or 'nothing'}",
        f"  best: {judged.best}, {judged.least:,.0f} user-minutes; the bot's: {judged.lost:,.0f}",
    ]
    return "\n".join(lines)


def _verdict(judged: Judged) -> str:
    faults = {
        judged.harm: bool(judged.harm),
        "needless": judged.needless,
        "a wide fire missed": judged.missed,
        "paged for nothing": judged.loud,
        "right": judged.right,
    }
    return ", ".join(fault for fault, there in faults.items() if there) or "slow"


def _happened(world: World) -> list[tuple[float, str]]:
    begun = [d for d in world.deploys if d.begins <= world.asked]
    lines = [(d.begins, f"{d.version} is deployed{_canary(d)}") for d in begun[-SHOWN:]]
    for change in world.changes:
        note = "" if change.known else " (nobody told)"
        lines.append((change.at, f"{change.kind} {change.name} is changed{note}"))
    for service, deploys in world.neighbours:
        near = [d for d in deploys if d.begins > -DAY]
        lines += [(d.begins, f"{service.name} {d.version} is deployed") for d in near]
    lines += [_burns(f) for f in [f for f in world.failures if not f.noise][:SHOWN]]
    return sorted(lines)


def _canary(deploy: Deploy) -> str:
    return f" ({deploy.canary:.0%} canary)" if deploy.canary else ""


def _burns(failure: Failure) -> tuple[float, str]:
    releases = failure.when.releases
    where = f" in {sorted(releases)[-1]}" if releases is not None else ""
    if releases is not None and len(releases) > 1:
        where = f" in {min(releases)} … {max(releases)}"
    pages = f"{', '.join(failure.paths[:2])}{' …' if len(failure.paths) > 2 else ''}"
    much = f"{failure.rate:.1f} events and {failure.hit:.0f} people a minute"
    return failure.when.begins, f"{failure.title[:50]}{where} on {pages}: {much}"


def _when(minute: float) -> str:
    if abs(minute) < 120:
        return f"{minute:+.0f} min"
    return f"{minute / 60:+.1f} h" if abs(minute) < 2 * DAY else f"{minute / DAY:+.0f} d"
