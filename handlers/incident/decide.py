"""Deciding: roll back, ship a hotfix, investigate, fixed another way; who may, and the way round when nobody else can."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from slack_bolt.app.async_app import AsyncApp

from handlers.dispatcher import Recorded, Unknown
from handlers.slack import slack_text
from handlers.slack.context import Context
from handlers.slack.interaction import Interaction, reply
from handlers.slack.listening import Errors, after, on_incident, on_submit
from handlers.views import forms, notes, phrasing
from handlers.views.blocks import Message, View
from handlers.views.decision import seal
from phases.messages.commands import DecideFixed, DecideHotfix, DecideInvestigate, DecideRollback
from phases.mitigation.decision import may_act, rollback_target, running_release, who_may
from phases.ports.ports import HotfixRef, PortError
from phases.record.findings import Release
from phases.record.incident import ActionKind, Incident, Round, Status
from phases.record.service import Service
from phases.steps.change import Refused

OWNERS_SECONDS = 0.8  # of the 3 s in which Slack wants its ack
LOOK_UP_SECONDS = 6.0


@dataclass(frozen=True, slots=True)
class Plan:
    """A deploy that somebody wants; travels in buttons and metadata while it is asked about."""

    incident: str
    round: int
    kind: Literal["rollback", "hotfix"]
    target: Release
    running: Release | None
    forward: bool = False

    def value(self) -> dict[str, Any]:
        return {
            "incident": self.incident,
            "round": self.round,
            "kind": self.kind,
            "target": self.target.version,
            "commit": self.target.commit or "",
            "running": self.running.version if self.running else "",
            "forward": self.forward,
        }

    @classmethod
    def read(cls, value: Mapping[str, Any]) -> Plan:
        running = str(value.get("running") or "")
        return cls(
            incident=str(value.get("incident", "")),
            round=int(value.get("round") or 1),
            kind="hotfix" if value.get("kind") == "hotfix" else "rollback",
            target=Release(
                version=str(value.get("target", "")), commit=str(value.get("commit") or "") or None
            ),
            running=Release(version=running) if running else None,
            forward=bool(value.get("forward")),
        )

    def words(self, service: Service) -> str:
        what = "Roll back" if self.kind == "rollback" else "Ship"
        return f"{what} {service.name}: {phrasing.bare(self.running)} → {self.target.version}."


async def not_allowed(
    interaction: Interaction, service: Service, what: str = "deploy it"
) -> Refused | None:
    """Rules, Who may: the service's owners; no owners set: any full member. The member check was done before."""
    try:
        async with asyncio.timeout(OWNERS_SECONDS):
            owners = await interaction.ctx.people.owners(service)
    except (TimeoutError, PortError) as error:
        if isinstance(error, PortError) and not error.retryable:
            return Refused(
                "who", f"I cannot tell who owns {service.name}: {error.text}. Nothing was done."
            )
        return Refused(
            "who", f"I could not ask Slack who owns {service.name}. Nothing was done; try again."
        )
    refused = who_may(owners, interaction.user, member=True, what=what)
    if refused is not None:
        interaction.refused(f"no owner of {service.name}")
    return refused


async def carry_out(
    interaction: Interaction, plan: Plan, reason: str | None = None
) -> Recorded | Refused | Unknown:
    if plan.kind == "hotfix":
        hotfix = DecideHotfix(
            by=interaction.user,
            round=plan.round,
            forward=plan.forward,
            fix=plan.target,
            running=plan.running,
            break_glass=reason,
        )
        return await interaction.dispatch(hotfix, plan.incident)
    rollback = DecideRollback(
        by=interaction.user,
        round=plan.round,
        forward=plan.forward,
        target=plan.target,
        running=plan.running,
        break_glass=reason,
    )
    return await interaction.dispatch(rollback, plan.incident)


# --- the buttons of the decision message -------------------------------------------------------------------------


def _round(incident: Incident, value: Mapping[str, Any]) -> Round | str:
    """The round that a button means, if it is open; else who won, with what and when."""
    number = int(value.get("round") or 0)
    if (refused := may_act(incident, number)) is not None:
        return refused.text
    return incident.round_of(number) or "That decision is not open any more. Nothing was done."


def _mine(interaction: Interaction, incident: Incident, value: Mapping[str, Any]) -> Plan | None:
    """What this person's click on this button became already: the door tells a second delivery of it from a second click."""
    number = int(value.get("round") or 0)
    current = incident.round_of(number)
    acted = current.action if current is not None else None
    if (
        acted is None
        or acted.kind is not ActionKind.ROLLBACK
        or acted.by != interaction.user
        or acted.to_release is None
    ):
        return None
    return Plan(incident.id, number, "rollback", acted.to_release, acted.from_release)


async def _rollback_clicked(
    interaction: Interaction, incident: Incident, value: dict[str, Any]
) -> Message | None:
    if (mine := _mine(interaction, incident, value)) is not None and isinstance(
        await carry_out(interaction, mine), Recorded
    ):
        return None  # the same click, delivered twice
    current = _round(incident, value)
    if isinstance(current, str):
        return notes.note(current)
    target = rollback_target(incident, current)
    if target is None:
        return await rollback(interaction, incident)
    if interaction.block != seal(incident, current):
        now = f"{phrasing.bare(running_release(incident))} → {target.version}"
        return notes.note(
            f"The decision changed while you looked at it: it now says {now}. Nothing was done; click again."
        )
    plan = Plan(incident.id, current.number, "rollback", target, running_release(incident))
    service = interaction.ctx.service(incident)
    if (refused := await not_allowed(interaction, service)) is not None:
        return notes.break_glass(refused.text, plan.value())
    return reply(await carry_out(interaction, plan))


async def _investigate_clicked(
    interaction: Interaction, incident: Incident, value: dict[str, Any]
) -> Message | None:
    number = int(value.get("round") or 0)
    return await interaction.told(DecideInvestigate(by=interaction.user, round=number), incident.id)


async def _fixed_clicked(
    interaction: Interaction, incident: Incident, value: dict[str, Any]
) -> Message | None:
    current = _round(incident, value)
    if isinstance(current, str):
        return notes.note(current)
    interaction.open(forms.fixed(incident, current.number, str(value.get("sentence", ""))))
    return None


async def _hotfix_clicked(
    interaction: Interaction, incident: Incident, value: dict[str, Any]
) -> Message | None:
    current = _round(incident, value)
    if isinstance(current, str):
        return notes.note(current)
    return await hotfix(interaction, incident)


async def _other_release(
    interaction: Interaction, incident: Incident, value: dict[str, Any]
) -> Message | None:
    current = _round(incident, value)
    if isinstance(current, str):
        return notes.note(current)
    return await rollback(interaction, incident)


# --- the forms; also what the subcommands do ---------------------------------------------------------------------


def _number(incident: Incident) -> int:
    return incident.round.number if incident.round else 1


async def rollback(interaction: Interaction, incident: Incident) -> Message | None:
    """`incident.rollback`: choose a release; the form's submit is the confirmation."""
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
            metadata=_meta(incident, running),
        )

    interaction.open(forms.loading("incident.rollback", "Roll back", incident), fill)
    return None


async def hotfix(interaction: Interaction, incident: Incident) -> Message | None:
    """`incident.hotfix`: choose a branch or pull request; it is shipped by its head commit."""
    service = interaction.ctx.service(incident)
    if (refused := may_act(incident)) is not None:
        return notes.note(refused.text)
    deployer, source = interaction.ctx.deployer_for(service), interaction.ctx.source_for(service)
    if missing := service.cannot("hotfix", deployer=deployer is not None):
        return notes.note(missing)
    assert deployer is not None  # else something is missing
    if source is None:
        return notes.note(
            f"I cannot see the branches of {service.name}: the catalogue names no repository or checkout."
        )

    async def fill() -> View:
        async with asyncio.timeout(LOOK_UP_SECONDS):
            running, refs = await asyncio.gather(
                deployer.running(service), source.hotfixes(service)
            )
        if not refs:
            text = "There is no unmerged branch and no open pull request. Push the fix, then open this again."
            return forms.failed("incident.hotfix", "Ship a hotfix", text)
        return forms.hotfix(
            incident, service, refs, running=running, metadata=_meta(incident, running)
        )

    interaction.open(forms.loading("incident.hotfix", "Ship a hotfix", incident), fill)
    return None


def _meta(incident: Incident, running: Release | None) -> dict[str, Any]:
    return {
        "incident": incident.id,
        "round": _number(incident),
        "running": running.version if running else "",
        "forward": incident.status is Status.MITIGATED,
    }


async def investigate(interaction: Interaction, incident: Incident) -> Message | None:
    action = DecideInvestigate(by=interaction.user, round=_number(incident))
    return await interaction.told(
        action,
        incident.id,
        f"{incident.id}: you chose to investigate. Rollback and hotfix stay open.",
    )


def ask_fixed(interaction: Interaction, incident: Incident, sentence: str = "") -> Message | None:
    if (refused := may_act(incident)) is not None:
        return notes.note(refused.text)
    forward = incident.status is Status.MITIGATED
    interaction.open(forms.fixed(incident, _number(incident), sentence, forward=forward))
    return None


async def fixed(interaction: Interaction, incident: Incident, sentence: str) -> Message | None:
    """With a sentence it is said at once: it changes nothing on production."""
    if not sentence:
        return ask_fixed(interaction, incident)
    if (refused := may_act(incident)) is not None:
        return notes.note(refused.text)
    forward = incident.status is Status.MITIGATED
    action = DecideFixed(
        by=interaction.user, round=_number(incident), sentence=sentence, forward=forward
    )
    return await interaction.told(
        action,
        incident.id,
        f"{incident.id}: noted. The check of Sentry and the endpoint starts now.",
    )


async def _chosen(
    interaction: Interaction, plan: Plan, title: str, field_name: str
) -> View | Errors | None:
    """A form named a release: its submit is the confirmation."""
    incident = await interaction.ctx.dispatcher.load(plan.incident)
    if incident is None:
        return forms.refused(title, f"There is no incident {plan.incident}.")
    service = interaction.ctx.service(incident)
    if (refused := await not_allowed(interaction, service)) is not None:
        what = f"{plan.words(service)} {refused.text}"
        return forms.break_glass(incident, service, what, plan.value())
    return after(await carry_out(interaction, plan), title, field_name)


async def _rollback_submitted(
    interaction: Interaction, meta: dict[str, Any], entered: dict[str, str]
) -> View | Errors | None:
    target = entered.get("target", "")
    if not target:
        return {"target": "Choose the release to go back to."}
    plan = replace(Plan.read(meta), kind="rollback", target=Release(version=target))
    return await _chosen(interaction, plan, "Roll back", "target")


async def _hotfix_submitted(
    interaction: Interaction, meta: dict[str, Any], entered: dict[str, str]
) -> View | Errors | None:
    commit, _, name = entered.get("fix", "").partition(" ")
    if not name:
        return {"fix": "Choose a branch or pull request."}
    plan = replace(
        Plan.read(meta), kind="hotfix", target=HotfixRef(name=name, commit=commit).release
    )
    return await _chosen(interaction, plan, "Ship a hotfix", "fix")


async def _fixed_submitted(
    interaction: Interaction, meta: dict[str, Any], entered: dict[str, str]
) -> View | Errors | None:
    action = DecideFixed(
        by=interaction.user,
        round=int(meta.get("round") or 1),
        sentence=slack_text.typed(entered.get("sentence", "")),
        forward=bool(meta.get("forward")),
    )
    return after(
        await interaction.dispatch(action, str(meta.get("incident", ""))),
        "Fixed another way",
        "sentence",
    )


# --- break glass -------------------------------------------------------------------------------------------------


async def _break_glass_clicked(
    interaction: Interaction, incident: Incident, value: dict[str, Any]
) -> Message | None:
    service = interaction.ctx.service(incident)
    plan = Plan.read(value)
    interaction.open(forms.break_glass(incident, service, plan.words(service), plan.value()))
    return None


async def _break_glass_submitted(
    interaction: Interaction, meta: dict[str, Any], entered: dict[str, str]
) -> View | Errors | None:
    reason = slack_text.typed(entered.get("reason", ""))
    if not reason:
        return {"reason": "Say why it cannot wait for an owner."}
    return after(
        await carry_out(interaction, Plan.read(meta), slack_text.cut(reason, forms.SENTENCE)),
        "Break glass",
        "reason",
    )


def register(app: AsyncApp, ctx: Context) -> None:
    on_incident(app, ctx, "decision.rollback", _rollback_clicked)
    on_incident(app, ctx, "decision.hotfix", _hotfix_clicked)
    on_incident(app, ctx, "decision.investigate", _investigate_clicked)
    on_incident(app, ctx, "decision.fixed", _fixed_clicked)
    on_incident(app, ctx, "incident.rollback", _other_release)
    on_incident(app, ctx, "incident.break_glass", _break_glass_clicked)

    async def forward(
        interaction: Interaction, incident: Incident, value: dict[str, Any]
    ) -> Message | None:
        del value
        return await hotfix(interaction, incident)

    async def theirs(
        interaction: Interaction, incident: Incident, value: dict[str, Any]
    ) -> Message | None:
        """A deploy by somebody else is said to be the fix."""
        return ask_fixed(interaction, incident, str(value.get("sentence", "")))

    on_incident(app, ctx, "incident.hotfix", forward)
    on_incident(app, ctx, "incident.fixed", theirs)
    on_submit(app, ctx, "incident.rollback", _rollback_submitted)
    on_submit(app, ctx, "incident.hotfix", _hotfix_submitted)
    on_submit(app, ctx, "incident.fixed", _fixed_submitted)
    on_submit(app, ctx, "incident.break_glass", _break_glass_submitted)
