"""The classes that all actions and all effects share, and how they are read from JSON."""

from typing import Annotated, Any, ClassVar, Self, TypeVar, Union, cast

from pydantic import Field, TypeAdapter

from phases.record.findings import Value

RETRY_SECONDS = 60
"""Nobody can go on without channel, decision, triage or question: each is tried again by itself."""

M = TypeVar("M", bound=Value)


class Action(Value):
    """Something that is reported to an incident. A subclass is one kind; its `type` names it."""

    type: Any
    """A text. Each subclass narrows it to its own `Literal`."""


class Effect(Value):
    """Something to be done in an outside system. A subclass is one kind; its `type` names it.

    Each effect may run twice; docs/code.md says how each is safe then. The class variables are the
    policy of the kind. Their values here hold for a kind that this version does not know.
    """

    type: Any
    """A text. Each subclass narrows it to its own `Literal`."""
    words: ClassVar[str] = "Something could not be done"
    """The sentence that people read when it failed."""
    system: ClassVar[str] = "slack"
    """The outside system that it waits for: so many run at once for each (bot/outbox/turns.py)."""
    needed: ClassVar[bool] = False
    """Nobody can go on without it: its failure is the last to be forgotten."""
    small: ClassVar[bool] = False
    """People can do without it: its failure is said in the thread."""
    after_end: ClassVar[bool] = False
    """It is worth trying again when the incident is over."""
    one_of_a_kind: ClassVar[bool] = False
    """It is the same whenever it is wanted: one that succeeded makes up for one that failed."""
    retry_seconds: ClassVar[float | None] = None
    """Seconds until a failed one is tried again by itself; None: only a person tries it again."""

    wanted_as: str | None = None
    """The id under which it was wanted first: it was given up then, and is tried again.

    Performers recognise by it what went out before.
    """

    def same_as(self, other: "Effect") -> bool:
        """Return whether both want the same, whether or not they were given up before."""
        return self.anew() == other.anew()

    def anew(self) -> Self:
        """Return the same effect, wanted for the first time."""
        return self if self.wanted_as is None else self.model_copy(update={"wanted_as": None})


def kinds(base: type[M]) -> tuple[type[M], ...]:
    """Return every kind: the subclasses of `base`, at any depth, that have a `type`."""
    every: list[type[M]] = []
    for subclass in base.__subclasses__():
        if not subclass.model_fields["type"].is_required():
            every.append(subclass)
        every.extend(kinds(subclass))
    return tuple(every)


def adapter(base: type[M]) -> TypeAdapter[M]:
    """Return what reads and writes every kind of `base` as JSON, told apart by `type`."""
    union = cast(Any, Union)[kinds(base)]
    return TypeAdapter(cast(Any, Annotated[union, Field(discriminator="type")]))
