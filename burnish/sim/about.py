"""What is known of a simulator without importing it: its tasks, and whether they run on this machine.

Every simulator says it in a module of its own, registered in `registry.simulators`; it needs neither the simulator nor
torch, so that `burnish envs` is quick and works everywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from burnish import registry
from burnish.errors import BurnishError, UnknownNameError
from burnish.sim.needs import Lack, Need, first_lack


@dataclass(frozen=True)
class Group:
    """Tasks of which the same can be said.

    Attributes:
        tasks: names after "SIMULATOR/".
        observation: what a policy reads, with sizes.
        action: its size, meaning and rate.
        success: when an episode counts as solved.
        needs: what these tasks need beyond what the simulator does.
    """

    tasks: tuple[str, ...]
    observation: str
    action: str
    success: str
    needs: tuple[Need, ...] = ()


@dataclass(frozen=True)
class About:
    """One simulator.

    Attributes:
        title: what it is, with its version.
        needs: what must be on the machine, the first thing to be mended first.
    """

    title: str
    groups: tuple[Group, ...]
    needs: tuple[Need, ...] = ()

    def lack(self, group: Group | None = None) -> Lack | None:
        """The first thing missing for the tasks of `group`, or for all of them; None if they run."""
        return first_lack((*self.needs, *(group.needs if group else ())))

    @property
    def tasks(self) -> tuple[str, ...]:
        """Every task, group by group."""
        return tuple(task for group in self.groups for task in group.tasks)


def about(simulator: str) -> About:
    """What `simulator` says of itself. Raises `UnknownNameError` with the closest match.

    One that says nothing (of another package, perhaps) is loaded, for the names of its tasks.
    """
    known = registry.environments.names()
    if simulator not in known:
        raise registry.unknown(registry.environments.kind, simulator, known)
    if simulator in registry.simulators.names():
        return registry.simulators.load(simulator)
    try:
        environment: Any = registry.environments.load(simulator)
    except ImportError as error:
        return About(simulator, (), (Unimportable(str(error)),))
    title = (environment.__doc__ or simulator).strip().partition("\n")[0].rstrip(".")
    return About(title, (Group(tuple(environment.tasks), "see its contract", "see its contract", "its own"),))


def check(simulator: str, task: str) -> None:
    """Raise `BurnishError`, with the way out, if `task` of `simulator` cannot run here for want of something.

    A task that is not listed is left to the environment, which knows more names than it lists.
    """
    if simulator not in registry.simulators.names():
        return
    told = about(simulator)
    group = next((group for group in told.groups if task in group.tasks), None)
    if lack := told.lack(group):
        also = "" if group else f". And there may be none of that name: {unknown_task(simulator, task, told.tasks)}"
        raise BurnishError(f"{simulator}/{task} does not run on this machine: {lack.what}; {lack.mend}{also}")


def known_task(simulator: str, name: str, tasks: Iterable[str]) -> None:
    """Raise `UnknownNameError` with the closest match unless `name` is one of the `tasks` of `simulator`."""
    names = tuple(tasks)
    if name not in names:
        raise unknown_task(simulator, name, names)


def unknown_task(simulator: str, name: str, tasks: Iterable[str]) -> UnknownNameError:
    """The error for a task `name` that is not one of `tasks`, with the closest."""
    return registry.unknown("task", f"{simulator}/{name}", [f"{simulator}/{known}" for known in tasks])


@dataclass(frozen=True)
class Unimportable(Need):
    """An environment whose module cannot be imported."""

    error: str

    def lack(self) -> Lack:
        """What its import said."""
        return Lack(self.error, "install the package that it needs")


def selected(words: Sequence[str]) -> dict[str, About]:
    """The simulators that `words` name, or all; "metaworld/reach" is metaworld with tasks that begin so."""
    if not words:
        return {name: about(name) for name in registry.environments.names()}
    return {name: narrowed(name, beginning) for name, _, beginning in (word.partition("/") for word in words)}


def narrowed(simulator: str, beginning: str) -> About:
    """`simulator` with no other tasks than those whose names begin so. Raises `UnknownNameError` if there are none."""
    told = about(simulator)
    found = [(group, tuple(task for task in group.tasks if task.startswith(beginning))) for group in told.groups]
    groups = tuple(Group(tasks, g.observation, g.action, g.success, g.needs) for g, tasks in found if tasks)
    if beginning and not groups:
        raise registry.unknown("task", f"{simulator}/{beginning}", [f"{simulator}/{task}" for task in told.tasks])
    return About(told.title, groups, told.needs)
