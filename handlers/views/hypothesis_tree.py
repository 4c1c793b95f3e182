"""The hypothesis tree: the one that leads with its buttons, and how the bisect stands."""

from collections.abc import Sequence

from handlers.views.blocks import (
    Block,
    Element,
    Message,
    actions,
    button,
    confirm,
    context,
    message,
    section,
)
from handlers.views.phrasing import DONE, RUNNING, WAITING, WRONG
from handlers.views.text import inline_code, link, person, spoken, when, words
from phases.record.findings import Bisect, Hypothesis, HypothesisKind, Suspect, Verdict
from phases.record.incident import Incident
from phases.root_cause.hypotheses import best_hypotheses
from phases.root_cause.investigate import WORTH_IT
from phases.root_cause.leading_cause import leading_cause
from phases.root_cause.revert import commit_to_revert, revert_was_asked
from phases.root_cause.steps import NEW_IN
from phases.text.wording import counted

ALL_EVIDENCE = "All evidence"
OTHERS_SHOWN = 5
"""Hypotheses in one line each under the one that leads."""
SHOWN = 12
"""Hypotheses of the whole list, and steps of the walk."""
LEADING_STEPS = 2
"""Steps of the walk from the crash beside the leading hypothesis."""
NOTES_SHOWN = 2
SUSPECTS = 3
SUPPORTING = frozenset((HypothesisKind.RELEASE, HypothesisKind.COMMIT))
"""Kinds that the walk from the crash to its commit speaks for."""
_SIGNS = {Verdict.SUPPORTED: DONE, Verdict.OPEN: WAITING, Verdict.RULED_OUT: WRONG}


def tree(incident: Incident, *, reverts: bool = False) -> Message:
    """Return the tree, edited in place: the hypothesis that leads, the others in one line each.

    A person confirms the one that leads or rules it out. `reverts`: pull requests can be made here.
    """
    ranked = best_hypotheses(incident.hypotheses, len(incident.hypotheses))
    leads = leading_cause(incident).hypothesis  # the one that the status names
    ranked = tuple(sorted(ranked, key=lambda hypothesis: hypothesis is not leads))
    undecided = incident.open and incident.cause is None
    blocks: list[Block | None] = [section(_headline(incident))]
    if incident.bisect is not None:
        headline_says_bisect = incident.cause is None and _leads_by_bisect(incident.bisect, ranked)
        blocks.append(section(_bisect(incident.bisect)) if not headline_says_bisect else None)
        if incident.bisect.state == "running" and incident.open:
            stop = button("Stop the bisect", "incident.bisect_cancel", {"incident": incident.id})
            blocks.append(actions([stop]))
    if ranked and incident.cause is None:
        blocks.append(section(_leading(incident, ranked[0])))
    choices = _judge_buttons(incident, ranked[0]) if ranked and undecided else []
    if not ranked and undecided:
        choices.append(button("Name the cause …", "incident.cause", {"incident": incident.id}))
    if undecided:
        value = {"incident": incident.id}
        choices.append(button("Add a hypothesis …", "incident.hypothesis", value))
    blocks.append(
        actions([*choices, button(ALL_EVIDENCE, "incident.evidence", {"incident": incident.id})])
    )
    if reverts and incident.open:
        blocks.append(_revert(incident))
    if incident.cause is None and (hint := nearest(incident)):
        blocks.append(context(hint))
    others = ranked[1 : 1 + OTHERS_SHOWN] if incident.cause is None else ()
    if others:
        blocks.append(context("\n".join(_line(hypothesis) for hypothesis in others)))
    supported = bool(ranked) and ranked[0].verdict is Verdict.SUPPORTED
    if undecided and not supported and (notes := _notes(incident)[:NOTES_SHOWN]):
        blocks.append(context(*notes))
    return message(_fallback(incident, ranked), blocks)


def evidence(incident: Incident) -> Message:
    """Return all that is known of the cause, for the person who asks.

    The walk from the crash, the suspects, every hypothesis with its check, and what was not known.
    """
    investigation = incident.investigation
    walk = investigation.walk if investigation else ()
    blocks: list[Block | None] = [section(f"*Evidence · {incident.id}*")]
    if walk:
        steps = enumerate(walk[:SHOWN], 1)
        blocks.append(section("\n".join(f"{n}. {words(line, 400)}" for n, line in steps)))
    for commit in incident.suspects[:SUSPECTS]:
        why = "; ".join(spoken(reason, 160, lines=False) for reason in commit.reasons[:4])
        blocks.append(section(f"Suspect {suspect(commit)}\n{why}".strip()))
    if hint := nearest(incident):
        blocks.append(section(hint))
    if len(incident.suspects) > SUSPECTS:
        others = ", ".join(
            inline_code(s.sha[:9]) for s in incident.suspects[SUSPECTS : SUSPECTS + 9]
        )
        blocks.append(context(f"Less likely: {others}"))
    for hypothesis in best_hypotheses(incident.hypotheses, SHOWN):
        blocks.append(section(_hypothesis(hypothesis)))
        if incident.open and incident.cause is None:
            blocks.append(actions(_judge_buttons(incident, hypothesis)))
    if len(blocks) == 1:
        blocks.append(context("Nothing was found yet."))
    if notes := _notes(incident):
        blocks.append(context(*notes))
    return message(f"{incident.id}: evidence", blocks)


def _notes(incident: Incident) -> list[str]:
    """Return what the investigation could not see, and whether a bisect is worth running."""
    notes = incident.investigation.notes if incident.investigation is not None else ()
    useful = [n for n in notes if incident.bisect is None or WORTH_IT not in n]
    return [words(note, 300) for note in useful[:4]]


def nearest(incident: Incident) -> str:
    """Return the commit that comes closest where none stands out; empty where there is none."""
    commit = leading_cause(incident).nearest
    if commit is None:
        return ""
    sha = link(commit.url, commit.sha[:9]) if commit.url else inline_code(commit.sha[:9])
    by = f" ({words(commit.author, 80)})" if commit.author else ""
    why = "".join(f" – {spoken(reason, 160, lines=False)}" for reason in commit.reasons[:1])
    sure = f"{round(100 * commit.confidence)}\u00a0%"
    return f"No commit stands out. Nearest: {sha} {words(commit.subject, 120)}{by}{why} ({sure})"


def suspect(commit: Suspect) -> str:
    """Return a commit with its subject, author and time."""
    sha = inline_code(commit.sha[:9])
    at = f", {when(commit.at)}" if commit.at else ""
    by = f" by {words(commit.author, 80)}" if commit.author else ""
    where = f" ({link(commit.url, 'commit')})" if commit.url else ""
    pull = f" ({link(commit.pull_request, 'pull request')})" if commit.pull_request else ""
    return f"{sha} {words(commit.subject, 160)}{by}{at}{where}{pull}"


def _headline(incident: Incident) -> str:
    if incident.cause is not None:
        by = f"confirmed by {person(incident.cause.by)}" if incident.cause.by else "found by bisect"
        text = spoken(incident.cause.text, 1000, lines=False)
        at = when(incident.cause.at)
        return f"*Root cause · {incident.id}*\n{DONE} {text}\n{by}, {at}"
    any_known = incident.hypotheses or incident.suspects or incident.bisect
    if incident.investigating:
        return f"*Root cause · {incident.id}*: looking …"
    return f"*Root cause · {incident.id}*: {'not confirmed' if any_known else 'nothing found yet'}"


def _leads_by_bisect(bisect: Bisect, ranked: Sequence[Hypothesis]) -> bool:
    """Return whether the hypothesis that leads says already what the bisect found."""
    culprit = bisect.culprit if bisect.state == "found" else None
    return culprit is not None and bool(ranked) and culprit.sha[:9] in ranked[0].says


def _verdict(hypothesis: Hypothesis) -> str:
    return f"{_SIGNS[hypothesis.verdict]} {_judgement(hypothesis)}:"


def _judgement(hypothesis: Hypothesis) -> str:
    if hypothesis.verdict is Verdict.OPEN:
        agent = f", by agent {words(hypothesis.agent, 60)}" if hypothesis.agent else ""
        return f"open, {round(100 * hypothesis.confidence)}\u00a0%{agent}"
    by = f" by {person(hypothesis.by)}" if hypothesis.by else ""
    return f"{hypothesis.verdict.value}{by}"


def _leading(incident: Incident, hypothesis: Hypothesis) -> str:
    """Return the hypothesis that leads, with its evidence and the first steps of the walk."""
    walk = incident.investigation.walk if incident.investigation else ()
    near = (step for n, step in enumerate(walk[:LEADING_STEPS]) if n == 0 or NEW_IN in step)
    steps = tuple(near) if hypothesis.kind in SUPPORTING else ()
    evidence = spoken(hypothesis.found, 400, lines=False) or "nothing found yet"
    lines = [
        f"*{hypothesis.id}* {link(hypothesis.url, hypothesis.says, 300)}",
        f"{_verdict(hypothesis)} {evidence}",
        *(words(step, 300) for step in steps),
    ]
    return "\n".join(lines)


def _line(hypothesis: Hypothesis) -> str:
    sign, judged = _SIGNS[hypothesis.verdict], _judgement(hypothesis)
    return f"{sign} {hypothesis.id} {words(hypothesis.says, 100)} · {judged}"


def _hypothesis(hypothesis: Hypothesis) -> str:
    """Return a hypothesis with its evidence, what it predicts and how it was checked."""
    evidence = spoken(hypothesis.found, 400, lines=False) or "nothing found yet"
    lines = [
        f"*{hypothesis.id}* {link(hypothesis.url, hypothesis.says, 300)}",
        f"{_verdict(hypothesis)} {evidence}",
    ]
    if hypothesis.verdict is Verdict.OPEN:
        if hypothesis.predicts:
            lines.append(f"If so: {words(hypothesis.predicts, 300)}")
        if hypothesis.check:
            lines.append(f"Check: {words(hypothesis.check, 300)}")
    return "\n".join(lines)


def _judge_buttons(incident: Incident, hypothesis: Hypothesis) -> list[Element]:
    value = {"incident": incident.id, "hypothesis": hypothesis.id}
    choices = [button("This is the cause …", "incident.cause", value)]
    if hypothesis.verdict is not Verdict.RULED_OUT:
        sure = confirm(f"Rule out {hypothesis.id}?", hypothesis.says, "Rule it out")
        choices.append(button("Rule out", "incident.rule_out", value, confirm=sure))
    return choices


def _revert(incident: Incident) -> Block | None:
    commit = commit_to_revert(incident)
    if (
        commit is None
        or commit.pull_request is None
        or revert_was_asked(incident, commit.pull_request)
    ):
        return None
    value = {"incident": incident.id, "pull_request": commit.pull_request}
    what = f"Opens a pull request that reverts: {commit.subject}"
    sure = confirm("Prepare the revert?", what, "Open it")
    return actions([button("Prepare revert", "incident.revert", value, confirm=sure)])


def _bisect(bisect: Bisect) -> str:
    ends = f"{inline_code(bisect.good[:40])} (good) … {inline_code(bisect.bad[:40])} (bad)"
    reason = f": {words(bisect.reason, 300)}" if bisect.reason else ""
    match bisect.state:
        case "running":
            of = (
                f"{bisect.step} of about {counted(bisect.steps, 'step')}"
                if bisect.steps
                else "starting"
            )
            return f"{RUNNING} *Bisect running*: {of}, {ends}"
        case "found":
            commit = suspect(bisect.culprit) if bisect.culprit else "a commit"
            return f"{DONE} *Bisect found it*: {commit}"
        case "cannot tell":
            return f"{WAITING} *Bisect cannot tell*{reason} ({ends})"
        case "failed":
            return f"{WRONG} *Bisect failed*{reason} ({ends})"
        case "cancelled":
            return f"{WAITING} *Bisect stopped*{reason} ({ends})"


def _fallback(incident: Incident, ranked: Sequence[Hypothesis]) -> str:
    if incident.cause is not None:
        return f"{incident.id}: root cause: {spoken(incident.cause.text, 300, lines=False)}"
    first = f": {words(ranked[0].says, 200)} ({ranked[0].verdict.value})" if ranked else ""
    return f"{incident.id}: looking for the cause{first}"
