"""A service's local clone: Git reads it, what is new comes in, and how much of it is there."""

from bot.cli.checks import Finding, asked, broken, unproven, works
from bot.clients.git.clone import Clones, cut_at, remote_of
from bot.clients.git.run import ask, attempt, checkout_of, promisor_remote
from phases.ports.ports import PortError
from phases.record.service import Service


async def clone(service: Service) -> list[Finding]:
    """Fetch as the bot does; bring in nothing more, and change nothing else."""
    what = f"Clone, {service.name}"
    mend = f"checkout of {service.name}: a Git clone that the bot's user may read"
    try:
        directory = checkout_of(service)
        clones = Clones()
        main = await asked(what, clones.main(directory), mend)
        if isinstance(main, Finding):
            return [main]
        findings = [*await _fetch_finding(what, directory, main.fresh, clones.trouble(directory))]
        reachable = main.fresh and await remote_of(directory) is not None
        findings += await _history(what, directory, reachable)
        findings += await _contents(what, directory, reachable)
    except PortError as error:
        return [broken(what, f"{error.text}.", mend)]
    says = f"all of its history is there, and its main branch stands at {main.commit[:9]}"
    return findings or [works(what, says)]


async def _fetch_finding(what: str, directory: str, fresh: bool, trouble: str) -> list[Finding]:
    """Check that new branches and tags come in."""
    remote = await remote_of(directory)
    if remote is None:
        says = "no remote: releases and hotfixes are those that somebody else puts into it"
        mend = f"git remote add origin … in {directory}, or nothing, where that is so"
        return [unproven(what, says, mend)]
    mend = f"let `git fetch` work in {directory}, as the bot's user and without a prompt"
    if trouble:
        return [broken(what, f"not all that is new comes in: {trouble}.", mend)]
    if not fresh:
        says = (
            f"whether its main branch is that of {remote} is not known: the remote did not answer."
        )
        return [broken(what, says, mend)]
    fetched = await attempt(directory, "config", "--get-all", f"remote.{remote}.fetch")
    patterns = fetched.text.split()
    if any("*" in pattern for pattern in patterns):
        return []
    says = (
        f"only {', '.join(patterns) or 'the main branch'} is fetched: "
        "new hotfix branches are not seen"
    )
    return [unproven(what, says, f"git remote set-branches {remote} '*' in {directory}")]


async def _history(what: str, directory: str, reachable: bool) -> list[Finding]:
    if not await cut_at(directory):
        return []
    commits = (await ask(directory, "rev-list", "--count", "--all")).text.strip()
    says = (
        f"its history is cut (a shallow clone, {commits} commits). "
        "Behind the cut nobody is named, and nothing is said to be unmerged"
    )
    mend = f"git fetch --unshallow in {directory}"
    if not reachable:
        return [broken(what, f"{says}.", mend)]
    more = "an incident that needs more fetches it, as fast as that goes"
    return [unproven(what, f"{says}; {more}", mend)]


async def _contents(what: str, directory: str, reachable: bool) -> list[Finding]:
    remote = await promisor_remote(directory)
    if not remote:
        return []
    says = (
        f"a partial clone: contents are asked of {remote} when an incident needs them, "
        "for a few seconds"
    )
    mend = "a clone without --filter"
    if not reachable:
        return [broken(what, f"{says}, and it does not answer.", mend)]
    return [unproven(what, says, mend)]
