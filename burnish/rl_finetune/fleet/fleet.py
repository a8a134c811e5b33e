"""Who works where: workers are hired, given work, missed when they die, and replaced."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayActorError, RayError, RayTaskError

from burnish.console import say
from burnish.errors import BurnishError
from burnish.rl_finetune.fleet.cluster import FleetConfig

STILLBORN = 3
"""Workers that may die in a row before one has come up."""
DOOMED = 5
"""So many workers, and twice those that are wanted, may be lost with nothing finished between: then the work kills."""


@dataclass(eq=False)
class Member:
    """One worker.

    Attributes:
        number: never given twice.
        node: where it is, None before it has said so.
        work: what it has been given, None if it is idle; `since` when.
    """

    number: int
    actor: Any
    answer: Any
    since: float
    node: str | None = None
    work: Any = None


@dataclass(frozen=True)
class Done:
    """`work` is finished by `member`, with `result`."""

    member: Member
    work: Any
    result: Any


@dataclass(frozen=True)
class Lost:
    """`member` is dead and `work` (None if it had none) undone."""

    member: Member
    work: Any


@dataclass
class Diary:
    """What happened, for the result."""

    events: list[str] = field(default_factory=list)
    lost: int = 0

    def note(self, line: str) -> None:
        """Tell the user, and remember."""
        say(f"  {line}")
        self.events.append(line)


class Fleet:
    """`wanted` workers; while some are missing, the others go on."""

    def __init__(self, hire: Callable[[int], tuple[Any, Any]], wanted: int, cfg: FleetConfig) -> None:
        """`hire` makes the worker of a number: its handle, and the reference to its first answer, its machine."""
        self._hire, self._cfg, self._count = hire, cfg, 0
        self.members: list[Member] = []
        self.diary, self._stillborn, self._vain = Diary(), 0, 0
        self._patience = 2 * wanted + DOOMED
        for _ in range(wanted):
            self._add()
        while not self.idle():
            self.wait()

    def idle(self) -> list[Member]:
        """Those who have nothing to do."""
        return [one for one in self.members if one.node is not None and one.work is None]

    @property
    def busy(self) -> list[Member]:
        """Those who have."""
        return [one for one in self.members if one.work is not None]

    @property
    def nodes(self) -> int:
        """Machines with a worker."""
        return len({one.node for one in self.members if one.node is not None})

    def give(self, member: Member, work: Any, answer: Any) -> None:
        """`work` is what `wait` will hand back, `answer` the reference to its result."""
        member.work, member.answer, member.since = work, answer, time.monotonic()

    def wait(self) -> Done | Lost | None:
        """Until something happens: work is done, a worker is lost, or (None) one has joined.

        Raises `BurnishError` if nobody works and none has come for `join_s`, if one worker after the other is lost
        and nothing is finished, and what a worker raised that a user can mend.
        """
        waiting = {one.answer: one for one in self.members if one.answer is not None}
        ready, _ = ray.wait(list(waiting), timeout=1.0)
        if not ready:
            return self._overdue()
        member = waiting[ready[0]]
        try:
            result = ray.get(ready[0], timeout=self._cfg.silence_s)
        except RayTaskError as error:
            raise _own(error, member) from error
        except (RayActorError, GetTimeoutError, RayError) as error:
            return self._lose(member, _first_line(error) if member.node else str(error))
        if member.node is None:
            return self._join(member, result)
        work, member.work, member.answer, self._vain = member.work, None, None, 0
        return Done(member, work, result)

    def close(self) -> None:
        """End every worker."""
        for one in self.members:
            ray.kill(one.actor)
        self.members = []

    def _add(self) -> None:
        self._count += 1
        actor, answer = self._hire(self._count)
        self.members.append(Member(self._count, actor, answer, time.monotonic()))

    def _join(self, member: Member, node: str) -> None:
        member.node, member.answer, self._stillborn = node, None, 0
        if self.diary.lost:
            self.diary.note(f"rollout worker {member.number} has joined; {self._strength()}")

    def _overdue(self) -> Lost | None:
        now = time.monotonic()
        for one in self.busy:
            if now - one.since > self._cfg.silence_s:
                return self._lose(one, f"silent for {self._cfg.silence_s:.0f} s")
        if all(one.node is None and now - one.since > self._cfg.join_s for one in self.members):
            free, every = ray.available_resources().get("CPU", 0), ray.cluster_resources().get("CPU", 0)
            raise BurnishError(
                f"no rollout worker has come up in {self._cfg.join_s:.0f} s: {free:g} of the cluster's {every:g} "
                "CPUs are free; add machines (`ray start --address …`) or ask for fewer: --fleet.workers"
            )
        return None

    def _lose(self, member: Member, why: str) -> Lost:
        ray.kill(member.actor)
        self.members.remove(member)
        if member.node is None:
            self._stillborn += 1
            if self._stillborn == STILLBORN:
                raise BurnishError(f"{STILLBORN} rollout workers in a row died before they could play: {why}")
        self._vain += 1
        if self._vain > self._patience:
            raise BurnishError(f"{self._vain} rollout workers were lost and nothing was finished between, last: {why}")
        self._add()
        self.diary.lost += 1
        undone = "" if member.work is None else "; what it was playing begins anew elsewhere"
        self.diary.note(f"rollout worker {member.number} is lost ({why}){undone}; {self._strength()}")
        return Lost(member, member.work)

    def _strength(self) -> str:
        here = sum(one.node is not None for one in self.members)
        return f"{here} of {len(self.members)} workers are there, on {self.nodes} machines"


def spread(work: Sequence[Any], size: int) -> list[list[Any]]:
    """`work` in parts of at most `size`."""
    return [list(work[first : first + size]) for first in range(0, len(work), size)]


def _own(error: RayTaskError, member: Member) -> BurnishError:
    """What the worker raised, if it is ours, else with its traceback."""
    cause = error.cause
    if isinstance(cause, BurnishError):
        return type(cause)(f"rollout worker {member.number}: {cause}")
    return BurnishError(f"rollout worker {member.number} failed:\n{error}")


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0].rstrip(".") or type(error).__name__
