"""What each action would have cost: a world is run forward, minute by minute, to its end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tests.judgement.world import Failure, Mend, Production, World

HORIZON = 240.0
"""Minutes after the question at which the count ends: by then somebody has mended it anyhow."""
STEP = 2.0
CLICK = 2.0
"""Minutes from the decision to the click and its confirm."""
TURN_OFF = 1.0
HOTFIX = 30.0
"""Minutes at least until a fix is found, written and reviewed."""
WRITE = 15.0
"""… and after the cause is found."""
KNOWN_FIX = 3.0
CONSIDER = 5.0
"""Minutes in which people look whether the evidence fits, where a rollback is likely but does not
come first (workflow: many users, one feature: "Phase 2 + parallel Phase 3 (consider rollback)")."""
PROVE = 5.0
"""Minutes until everybody believes that an action did not help."""
CURED = 0.2
"""Share of the hits that is left when an action has ended the trouble."""
CODE: tuple[Mend, ...] = ("release", "code", "change")
EVERYTHING: tuple[Mend, ...] = ("release", "code", "change", "hand")

Verb = Literal["roll back", "turn off", "hotfix", "investigate", "nothing"]


@dataclass(frozen=True, slots=True)
class Act:
    verb: Verb
    to: str = ""
    """The release or the change."""
    wait: float = 0.0
    """Minutes until it is decided."""

    def __str__(self) -> str:
        joint = " to " if self.verb == "roll back" else " "
        first = "look, then " if self.wait else ""
        return f"{first}{self.verb}{joint}{self.to}" if self.to else self.verb


@dataclass(frozen=True, slots=True)
class Hindsight:
    """A world with the minutes that finding its cause would take after this advice."""

    world: World
    finding: float

    # --- how many are hit --------------------------------------------------------------------

    def hits(self, production: Production, at: float) -> float:
        """Return the customers a minute who are hit."""
        shares, world = production.shares(at), self.world
        total = sum(f.hit * production.strength(f, at, shares) for f in world.failures if f.hit > 0)
        return min(total, world.active) * world.traffic(at)

    def lost(self, production: Production, since: float, until: float) -> float:
        """Return user-minutes between two moments."""
        total, at = 0.0, since
        while at < until:
            step = min(STEP, until - at)
            total += self.hits(production, at + step / 2) * step
            at += step
        return total

    # --- what an action does -----------------------------------------------------------------

    def done(
        self, act: Act, since: float, *, cause_found: bool = False
    ) -> tuple[Production, float]:
        """Return production after the action alone, and when it has taken effect."""
        world = self.world
        production, begin = world.production(), since + act.wait + CLICK
        if act.verb == "roll back":
            return production.deployed(
                act.to, begin, world.deploy_minutes
            ), begin + world.deploy_minutes
        if act.verb == "turn off":
            return production.turned_off(act.to, begin), begin + TURN_OFF
        if act.verb == "hotfix":
            wait = WRITE if cause_found else max(HOTFIX, self.finding + WRITE)
            ready = begin + (KNOWN_FIX if world.fixes else wait) + world.deploy_minutes
            return production.cure(CODE, ready), ready
        return production, since

    def mended(self, since: float) -> float:
        """Return the cheapest cost from here once the cause is known."""
        by_hand = self.world.production().cure(EVERYTHING, since + CLICK + self.world.mend_minutes)
        ways = [
            by_hand,
            *(self.done(a, since, cause_found=True)[0] for a in self.acts(known_only=False)),
        ]
        return min(self.lost(p, since, self.world.asked + HORIZON) for p in ways)

    def cost(self, act: Act) -> float:
        """Return the user-minutes that are lost after the question, if that is what is done.

        An action that does not help is followed by an investigation.
        """
        asked = self.world.asked
        if act.verb == "nothing":
            return self.lost(self.world.production(), asked, asked + HORIZON)
        if act.verb == "investigate":
            found_at = asked + self.finding
            return self.lost(self.world.production(), asked, found_at) + self.mended(found_at)
        after, ends = self.done(act, asked)
        if self.helps(act):
            return self.lost(after, asked, asked + HORIZON)
        found_at = ends + PROVE + self.finding
        return self.lost(after, asked, found_at) + self.mended(found_at)

    def helps(self, act: Act) -> bool:
        """Return whether an action ends the trouble."""
        after, ends = self.done(act, self.world.asked)
        before = self.hits(self.world.production(), ends + 1)
        left = self.hits(after, ends + 1)
        return before > 0 and left <= CURED * before and not self.relit(after, ends)

    def relit(self, after: Production, ends: float) -> bool:
        """Return whether more customers are hit than without the action."""
        plain = self.world.production()
        return any(
            self.hits(after, ends + m) > 1.05 * self.hits(plain, ends + m) + 0.1
            for m in (1, 15, 40)
        )

    # --- what could have been done -----------------------------------------------------------

    def acts(self, *, known_only: bool = True) -> list[Act]:
        world, choices = self.world, list[Act]()
        running = world.production().shares(world.asked)
        made = [
            v
            for v in world.order
            if any(d.version == v and d.begins <= world.asked for d in world.deploys)
        ]
        choices += [Act("roll back", v) for v in reversed(made[-5:]) if running.get(v, 0.0) < 1.0]
        on = [c for c in world.changes if c.at <= world.asked < c.off_at]
        choices += [Act("turn off", c.name) for c in on if c.known or not known_only]
        return [*choices, Act("hotfix"), Act("nothing")]

    def best(self) -> tuple[Act, float]:
        acts = [Act("nothing"), Act("investigate"), *self.acts()]
        costs = {act: self.cost(act) for act in dict.fromkeys(acts)}
        return min(costs.items(), key=lambda pair: pair[1])

    def harms(self, act: Act) -> str:
        """Return how an action would make it worse, or nothing."""
        if act.verb not in ("roll back", "turn off"):
            return ""
        after, ends = self.done(act, self.world.asked)
        if self.relit(after, ends):
            return "more customers are hit than before"
        order = self.world.order
        for fix in self.world.security:
            if act.to in order and order.index(act.to) < order.index(fix):
                return f"it takes back the security fix {fix}"
        return ""


def customers(world: World) -> Sequence[Failure]:
    """Return the failures that hit customers at the moment of the question."""
    production = world.production()
    shares = production.shares(world.asked)
    return [
        f for f in world.failures if f.hit > 0 and production.strength(f, world.asked, shares) > 0
    ]
