"""Deciding: roll back, ship a hotfix, investigate, fixed another way; and breaking glass."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, Self

from handlers.dispatcher import Recorded
from handlers.slack.interaction import Answer, Interaction, reply
from handlers.slack.listening import Outcome, on_incident, on_submit
from handlers.slack.payloads import Form
from handlers.views import forms, notes, phrasing
from handlers.views.blocks import Message, View
from handlers.views.decision import seal
from phases.messages.commands import (
    DecideFixed,
    DecideHotfix,
    DecideInvestigate,
    DecideRollback,
    DecideTurnOff,
)
from phases.mitigation.decision import may_act, rollback_target, running_release, who_may
from phases.ports.ports import HotfixRef, PortError
from phases.record.findings import Release
from phases.record.incident import ActionKind, Incident, Round, RoundAction, Status
from phases.record.service import Service
from phases.shared.change import Refused
from phases.text.wording import short

LOOK_UP_SECONDS = 6.0


@dataclass(frozen=True, slots=True)
class Plan:
    """A deploy that somebody wants. It travels in buttons and metadata while it is asked about."""

    incident: str
    round: int
    kind: Literal["rollback", "hotfix", "turn off"]
    target: Release
    running: Release | None
    forward: bool = False
    change: str = ""
    """The name of what is turned off; nothing is deployed then, and `target` is empty."""

    def value(self) -> dict[str, Any]:
        return {
            "incident": self.incident,
            "round": self.round,
            "kind": self.kind,
            "target": self.target.version,
            "commit": self.target.commit or "",
            "running": self.running.version if self.running else "",
            "forward": self.forward,
            "change": self.change,
        }

    @classmethod
    def read(cls, value: Mapping[str, Any]) -> Self:
        running = str(value.get("running") or "")
        return cls(
            incident=str(value.get("incident", "")),
            round=int(value.get("round") or 1),
            kind=kind if (kind := value.get("kind")) in ("hotfix", "turn off") else "rollback",
            target=Release(
                version=str(value.get("target", "")), commit=str(value.get("commit") or "") or None
            ),
            running=Release(version=running) if running else None,
            forward=bool(value.get("forward")),
            change=str(value.get("change") or ""),
        )

    def words(self, service: Service) -> str:
        if self.kind == "turn off":
            return f"Turn off {self.change} for {service.name}."
        what = "Roll back" if self.kind == "rollback" else "Ship"
        return f"{what} {service.name}: {phrasing.bare(self.running)} → {self.target.version}."


async def not_allowed(
    interaction: Interaction, service: Service, what: str = "deploy it"
) -> Refused | None:
    """Refuse who is no owner of the service; without owners any full member may (rules: Who may).

    That this person is a member was checked before.
    """
    try:
        async with interaction.question_limit():
            owners = await interaction.ctx.people.owners(service)
    except (TimeoutError, PortError) as error:
        if isinstance(error, PortError) and not error.retryable:
            return Refused(
                "who", f"I cannot tell who owns {service.name}: {error.text}. Nothing was done."
            )
        return Refused(
            "who", f"I could not ask Slack who owns {service.name}. Nothing was done; try again."
        )
    refused = who_may(owners, interaction.user, what=what)
    if refused is not None:
        interaction.log_refusal(f"no owner of {service.name}")
    return refused


async def carry_out(interaction: Interaction, plan: Plan, reason: str | None = None) -> Answer:
    """Dispatch the decision. `reason`: why the glass is broken."""
    decision: dict[str, Any] = {
        "by": interaction.user,
        "round": plan.round,
        "forward": plan.forward,
        "running": plan.running,
        "break_glass": reason,
    }
    if plan.kind == "turn off":
        del decision["running"]
        return await interaction.dispatch(
            DecideTurnOff(change=plan.change, **decision), plan.incident
        )
    if plan.kind == "hotfix":
        return await interaction.dispatch(DecideHotfix(fix=plan.target, **decision), plan.incident)
    return await interaction.dispatch(DecideRollback(target=plan.target, **decision), plan.incident)


# --- the buttons of the decision message ---------------------------------------------------------


def open_round(interaction: Interaction, incident: Incident) -> Round | str:
    """Return the round of a button, if it is open; else who decided it, how and when."""
    if (refused := may_act(incident, interaction.round)) is not None:
        return refused.text
    gone = "That decision is no longer open. Nothing was done."
    return incident.round_of(interaction.round) or gone


def own_action(
    interaction: Interaction, incident: Incident, kind: ActionKind
) -> RoundAction | None:
    """Return what this person has decided in the round of a button, where it is of this kind.

    It is dispatched again: that tells a second delivery of their click from a second click.
    """
    current = incident.round_of(interaction.round)
    acted = current.action if current is not None else None
    own = acted is not None and acted.kind is kind and acted.by == interaction.user
    return acted if own else None


@on_incident("decision.rollback")
async def rollback_clicked(interaction: Interaction, incident: Incident) -> Message | None:
    acted = own_action(interaction, incident, ActionKind.ROLLBACK)
    if acted is not None and acted.to_release is not None:
        decided = Plan(
            incident.id, interaction.round, "rollback", acted.to_release, acted.from_release
        )
        if isinstance(await carry_out(interaction, decided), Recorded):
            return None  # the same click, delivered twice
    current = open_round(interaction, incident)
    if isinstance(current, str):
        return notes.note(current)
    target = rollback_target(incident, current)
    if target is None:
        return await rollback(interaction, incident)
    if interaction.block_id != seal(incident, current):
        now = f"{phrasing.bare(running_release(incident))} → {target.version}"
        return notes.note(
            f"The decision changed while you looked at it: it now says {now}. "
            "Nothing was done; click again."
        )
    plan = Plan(incident.id, current.number, "rollback", target, running_release(incident))
    service = interaction.ctx.service(incident)
    if (refused := await not_allowed(interaction, service)) is not None:
        return notes.break_glass(refused.text, plan.value())
    return reply(await carry_out(interaction, plan))


@on_incident("incident.rollback")
async def other_release_clicked(interaction: Interaction, incident: Incident) -> Message | None:
    current = open_round(interaction, incident)
    if isinstance(current, str):
        return notes.note(current)
    return await rollback(interaction, incident)


@on_incident("decision.hotfix")
async def hotfix_clicked(interaction: Interaction, incident: Incident) -> Message | None:
    current = open_round(interaction, incident)
    if isinstance(current, str):
        return notes.note(current)
    return await hotfix(interaction, incident)


@on_incident("decision.investigate")
async def investigate_clicked(interaction: Interaction, incident: Incident) -> Message | None:
    action = DecideInvestigate(by=interaction.user, round=interaction.round)
    return await interaction.act(action, incident.id)


@on_incident("decision.fixed")
async def fixed_clicked(interaction: Interaction, incident: Incident) -> Message | None:
    current = open_round(interaction, incident)
    if isinstance(current, str):
        return notes.note(current)
    interaction.open(forms.fixed(incident, current.number, interaction.clicked("sentence")))
    return None


@on_incident("incident.fixed")
async def foreign_deploy_clicked(interaction: Interaction, incident: Incident) -> Message | None:
    """Open the form with a deploy by somebody else as the fix."""
    return open_fixed_form(interaction, incident, interaction.clicked("sentence"))


# --- the forms, which the subcommands open, too --------------------------------------------------


def _round_number(incident: Incident) -> int:
    return incident.round.number if incident.round else 1


async def rollback(interaction: Interaction, incident: Incident) -> Message | None:
    """Open the form in which a release is chosen; its submit is the confirmation."""
    service = interaction.ctx.service(incident)
    if (refused := may_act(incident)) is not None:
        return notes.note(refused.text)
    deployer = interaction.ctx.deployer_for(service)
    if deployer is None:
        return notes.note(service.cannot("rollback", deployer=False))

    async def fill() -> View:
        async with asyncio.timeout(LOOK_UP_SECONDS):
            running, releases = await asyncio.gather(
                deployer.running(service), deployer.releases(service)
            )
        others = [r for r in releases if running is None or r.version != running.version]
        if not others:
            text = f"The deployer of {service.name} knows no other release. Nothing was done."
            return forms.failed("incident.rollback", "Roll back", text)
        healthy = incident.triage.targets if incident.triage else ()
        return forms.rollback(
            incident,
            service,
            releases,
            running=running,
            healthy=healthy,
            metadata=_metadata(incident, running),
        )

    interaction.open(forms.loading("incident.rollback", "Roll back", incident), fill)
    return None


@on_incident("incident.hotfix")
async def hotfix(interaction: Interaction, incident: Incident) -> Message | None:
    """Open the form in which a branch or pull request is chosen; its head commit is shipped."""
    service = interaction.ctx.service(incident)
    if (refused := may_act(incident)) is not None:
        return notes.note(refused.text)
    deployer, source = interaction.ctx.deployer_for(service), interaction.ctx.source_for(service)
    if missing := service.cannot("hotfix", deployer=deployer is not None):
        return notes.note(missing)
    assert deployer is not None  # else something is missing
    if source is None:
        return notes.note(
            f"I cannot see the branches of {service.name}: "
            "the catalogue names no repository or checkout."
        )

    async def fill() -> View:
        async with asyncio.timeout(LOOK_UP_SECONDS):
            running, refs = await asyncio.gather(
                deployer.running(service), source.hotfixes(service)
            )
        if not refs:
            text = (
                "There is no unmerged branch and no open pull request. "
                "Push the fix, then open this again."
            )
            return forms.failed("incident.hotfix", "Ship a hotfix", text)
        return forms.hotfix(
            incident, service, refs, running=running, metadata=_metadata(incident, running)
        )

    interaction.open(forms.loading("incident.hotfix", "Ship a hotfix", incident), fill)
    return None


def _metadata(incident: Incident, running: Release | None) -> dict[str, Any]:
    return {
        "incident": incident.id,
        "round": _round_number(incident),
        "running": running.version if running else "",
        "forward": incident.status is Status.MITIGATED,
    }


async def investigate(interaction: Interaction, incident: Incident) -> Message | None:
    action = DecideInvestigate(by=interaction.user, round=_round_number(incident))
    done = f"{incident.id}: you chose to investigate. Rollback and hotfix stay open."
    return await interaction.act(action, incident.id, done)


def open_fixed_form(
    interaction: Interaction, incident: Incident, sentence: str = ""
) -> Message | None:
    if (refused := may_act(incident)) is not None:
        return notes.note(refused.text)
    forward = incident.status is Status.MITIGATED
    number = _round_number(incident)
    interaction.open(forms.fixed(incident, number, sentence, forward=forward))
    return None


async def fixed(interaction: Interaction, incident: Incident, sentence: str) -> Message | None:
    """Record the sentence at once, as it changes nothing on production; without one ask for it."""
    if not sentence:
        return open_fixed_form(interaction, incident)
    if (refused := may_act(incident)) is not None:
        return notes.note(refused.text)
    forward = incident.status is Status.MITIGATED
    action = DecideFixed(
        by=interaction.user, round=_round_number(incident), sentence=sentence, forward=forward
    )
    done = f"{incident.id}: noted. The check of Sentry and the endpoint starts now."
    return await interaction.act(action, incident.id, done)


@on_submit("incident.rollback", "target")
async def rollback_submitted(interaction: Interaction, form: Form) -> Outcome:
    target = form.entered.get("target", "")
    if not target:
        return {"target": "Choose the release to go back to."}
    plan = replace(Plan.read(form.metadata), kind="rollback", target=Release(version=target))
    return await _confirmed(interaction, form, plan)


@on_submit("incident.hotfix", "fix")
async def hotfix_submitted(interaction: Interaction, form: Form) -> Outcome:
    commit, _, name = form.entered.get("fix", "").partition(" ")
    if not name:
        return {"fix": "Choose a branch or pull request."}
    release = HotfixRef(name=name, commit=commit).release
    plan = replace(Plan.read(form.metadata), kind="hotfix", target=release)
    return await _confirmed(interaction, form, plan)


async def _confirmed(interaction: Interaction, form: Form, plan: Plan) -> Outcome:
    """Carry out the plan: the submit of a form that names a release is the confirmation."""
    incident = await interaction.ctx.dispatcher.load(plan.incident)
    if incident is None:
        return forms.refused(form.title, f"There is no incident {plan.incident}.")
    service = interaction.ctx.service(incident)
    if (refused := await not_allowed(interaction, service)) is not None:
        what = f"{plan.words(service)} {refused.text}"
        return forms.break_glass(incident, service, what, plan.value())
    return await carry_out(interaction, plan)


@on_submit("incident.fixed", "sentence")
async def fixed_submitted(interaction: Interaction, form: Form) -> Outcome:
    action = DecideFixed(
        by=interaction.user,
        round=int(form.metadata.get("round") or 1),
        sentence=form.text("sentence"),
        forward=bool(form.metadata.get("forward")),
    )
    return await interaction.dispatch(action, form.incident)


# --- break glass ---------------------------------------------------------------------------------


@on_incident("incident.break_glass")
async def break_glass_clicked(interaction: Interaction, incident: Incident) -> Message | None:
    service = interaction.ctx.service(incident)
    plan = Plan.read(interaction.value)
    interaction.open(forms.break_glass(incident, service, plan.words(service), plan.value()))
    return None


@on_submit("incident.break_glass", "reason")
async def break_glass_submitted(interaction: Interaction, form: Form) -> Outcome:
    reason = form.text("reason")
    if not reason:
        return {"reason": "Say why it cannot wait for an owner."}
    plan, reason = Plan.read(form.metadata), short(reason, forms.SENTENCE)
    return await carry_out(interaction, plan, reason)
