"""A service's local clone: whether git reads it, whether what is new comes in, and how much of the history and the contents it holds."""

from __future__ import annotations

from bot.cli.checks import Finding, asked, broken, works
from bot.clients.git.clone import Clones, cut_at, remote_of
from bot.clients.git.run import ask, attempt, checkout_of, promisor
from phases.ports.ports import PortError
from phases.record.service import Service


async def clone(service: Service) -> list[Finding]:
    """Fetches as the bot does; brings in nothing more, and changes nothing else."""
    what, mend = (
        f"Clone, {service.name}",
        f"checkout of {service.name}: a Git clone that the bot's user may read",
    )
    try:
        directory = checkout_of(service)
        clones = Clones()
        main = await asked(what, clones.main(directory), mend)
        if isinstance(main, Finding):
            return [main]
        found = [*await _new(what, directory, main.fresh, clones.trouble(directory))]
        reachable = main.fresh and await remote_of(directory) is not None
        found += await _history(what, directory, reachable)
        found += await _contents(what, directory, reachable)
    except PortError as error:
        return [broken(what, f"{error.text}.", mend)]
    return found or [
        works(what, f"all of its history is there, and its main branch stands at {main.commit[:9]}")
    ]


async def _new(what: str, directory: str, fresh: bool, trouble: str) -> list[Finding]:
    """Whether new branches and tags come in."""
    remote = await remote_of(directory)
    if remote is None:
        says = "no remote: releases and hotfixes are those that somebody else puts into it"
        return [
            Finding(
                "unproven",
                what,
                says,
                f"git remote add origin … in {directory}, or nothing, where that is so",
            )
        ]
    mend = f"let `git fetch` work in {directory}, as the bot's user and without a prompt"
    if trouble:
        return [broken(what, f"not all that is new comes in: {trouble}.", mend)]
    if not fresh:
        return [
            broken(
                what,
                f"whether its main branch is that of {remote} is not known: the remote did not answer.",
                mend,
            )
        ]
    patterns = (
        await attempt(directory, "config", "--get-all", f"remote.{remote}.fetch")
    ).text.split()
    if not any("*" in one for one in patterns):
        says = f"only {', '.join(patterns) or 'the main branch'} is fetched: new hotfix branches are not seen"
        return [
            Finding("unproven", what, says, f"git remote set-branches {remote} '*' in {directory}")
        ]
    return []


async def _history(what: str, directory: str, reachable: bool) -> list[Finding]:
    if not await cut_at(directory):
        return []
    there = (await ask(directory, "rev-list", "--count", "--all")).text.strip()
    says = f"its history is cut (a shallow clone, {there} commits). Behind the cut nobody is named, and nothing is said to be unmerged"
    mend = f"git fetch --unshallow in {directory}"
    if not reachable:
        return [broken(what, f"{says}.", mend)]
    return [
        Finding(
            "unproven",
            what,
            f"{says}; an incident that needs more fetches it, as fast as that goes",
            mend,
        )
    ]


async def _contents(what: str, directory: str, reachable: bool) -> list[Finding]:
    remote = await promisor(directory)
    if not remote:
        return []
    says = f"a partial clone: contents are asked of {remote} when an incident needs them, for a few seconds"
    mend = "a clone without --filter"
    return [
        Finding("unproven", what, says, mend)
        if reachable
        else broken(what, f"{says}, and it does not answer.", mend)
    ]
