"""From LIBERO's goal predicates to an order of skills."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Step:
    """One use of a skill: `skill` ("pick", "place", "push", "turn") on `thing`, to make `predicate` true."""

    skill: str
    thing: str
    predicate: tuple[str, ...]


class Facts(Protocol):
    """What the planner asks about the world."""

    def true(self, predicate: Sequence[str]) -> bool:
        """LIBERO's verdict."""
        ...

    def door(self, region: str) -> str | None:
        """The drawer or door that closes `region`; None if it is always open."""
        ...

    def holds(self, name: str) -> bool:
        """Whether the hand holds the object."""
        ...

    def flat(self, name: str) -> bool:
        """Whether the object is too wide and too low to be grasped."""
        ...


def plan(goals: Sequence[Sequence[str]], facts: Facts) -> list[Step]:
    """The steps still missing, in order; empty if every goal is reached.

    A drawer or door is opened before something goes in and closed only after it. What the hand holds is put down
    first. What carries another thing is moved before that thing.
    """
    missing = [tuple(goal) for goal in goals if not facts.true(goal)]
    moves = [goal for goal in missing if len(goal) == 3]
    joints = [goal for goal in missing if len(goal) == 2]
    waiting = {facts.door(goal[2]) for goal in moves if goal[0] == "in"}
    late = [goal for goal in joints if goal[0] == "close" and goal[1] in waiting]
    carriers = {goal[2] for goal in moves}
    moves.sort(key=lambda goal: (not facts.holds(goal[1]), goal[1] not in carriers))
    held = [goal for goal in moves if facts.holds(goal[1])]
    steps = [step for goal in held for step in _move(goal, facts)]
    steps += [Step("turn", goal[1], goal) for goal in joints if goal not in late]
    steps += [step for goal in moves if goal not in held for step in _move(goal, facts)]
    return steps + [Step("turn", goal[1], goal) for goal in late]


def _move(goal: tuple[str, ...], facts: Facts) -> list[Step]:
    kind, thing, target = goal
    if facts.flat(thing):
        return [Step("push", thing, goal)]
    if facts.holds(thing):
        return [Step("place", thing, goal)]
    door = facts.door(target) if kind == "in" else None
    steps = [Step("pick", thing, goal), Step("place", thing, goal)]
    if door is not None and not facts.true(("open", door)):
        steps.insert(0, Step("turn", door, ("open", door)))
    return steps
