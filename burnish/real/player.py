"""Which action is due now: chunks played one action after the other, with one queue and one clock.

The clock counts the actions that were actually consumed. A chunk carries the count at which its observation was made
(`slot`), so whenever it arrives it goes on with the action that is due then, however long planning took.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from burnish.errors import BurnishError

NOTHING = np.zeros((0, 0))
Mode = Literal["synchronous", "ensemble", "realtime"]


@dataclass(frozen=True)
class PlayerConfig:
    """How chunks follow one another."""

    mode: Mode = "synchronous"
    """synchronous: play `execute` actions, hold, look, plan; the robot pauses while a plan is made. ensemble: plan all
    the time and average what the plans say of the same moment (ACT, arXiv 2304.13705, section III-C). realtime: plan
    the next chunk while this one plays, continuing what is being executed (arXiv 2506.07339); flow and diffusion
    policies."""
    execute: int | None = None
    """Actions played from a chunk before the next is wanted; None: the policy's own `replan`."""
    decay: float = 0.1
    """ensemble: a plan made i plans before the newest weighs exp(−decay · i)."""
    delays: int = 5
    """realtime: how long planning takes is taken to be the longest of the last so many, in actions."""

    def __post_init__(self) -> None:
        if self.execute is not None and self.execute < 1:
            raise BurnishError(f"player: execute must be at least 1 action, is {self.execute}")
        if not 0 <= self.decay < math.inf:  # NaN too
            raise BurnishError(f"player: decay must be 0 or above, is {self.decay}")
        if self.delays < 1:
            raise BurnishError(f"player: delays must be at least 1 plan, is {self.delays}")


@dataclass(frozen=True)
class Chunk:
    """Planned actions (H, A), physical units, from the observation made when `slot` actions had been consumed."""

    slot: int
    actions: np.ndarray


class ChunkPlayer:
    """Plays chunks. `slot` is its clock: actions consumed since the start.

    Attributes:
        asked: the slot a plan was asked for from, until it comes.
        starved: how often an action was due and none was there.
        late: actions of chunks that were over before they arrived.
    """

    def __init__(self, config: PlayerConfig, execute: int, free: Sequence[int] = ()) -> None:
        """`execute`: the policy's own, where `config` says nothing; `free`: entries that are never averaged, for what
        is half way between open and closed nobody meant."""
        self.config, self._free = config, list(free)
        self.execute = config.execute or execute
        self.slot = 0
        self.reset()

    def reset(self) -> None:
        """Forget every plan; the clock goes on, so that a plan from before is known to be old."""
        self.starved, self.late = 0, 0
        self._plan: Chunk | None = None
        self.asked: int | None = None
        self._took = [0]
        # Weighted sums of what was planned for the moments from `_since` on, and, in the last column, of the weights.
        self._mixed, self._since, self._means = NOTHING, self.slot, NOTHING

    def wants(self) -> bool:
        """Whether an observation should be made and planned from now."""
        if self.asked is not None:
            return False
        if self._plan is None:
            return True
        begun, length = self._plan.slot, len(self._plan.actions)
        if self.config.mode == "ensemble":
            return self.slot > begun
        if self.config.mode == "synchronous":
            return self.slot - begun >= min(self.execute, length)
        return self.slot - begun >= max(1, min(self.execute, length - self.delay))

    def ask(self) -> int:
        """The slot to plan from; until the answer nothing else is wanted."""
        self.asked = self.slot
        return self.slot

    @property
    def delay(self) -> int:
        """Actions that are expected to be consumed before a plan asked for now arrives."""
        return max(self._took)

    def add(self, chunk: Chunk) -> bool:
        """Play `chunk` from the action that is due now on. False if it is over, or answers nothing that was asked."""
        if chunk.slot != self.asked:
            return False
        self.asked = None
        passed = self.slot - chunk.slot
        self._took = [*self._took, passed][-self.config.delays :]
        self.late += min(passed, len(chunk.actions))
        if passed >= len(chunk.actions):
            return False
        self._plan = chunk
        if self.config.mode == "ensemble":
            self._mix(chunk)
        return True

    def next(self, most: int = 1) -> np.ndarray | None:
        """(K, A): the action that is due, which is consumed, and at most `most` − 1 that follow it as far as they are
        known. None while there is none, and the clock stands still."""
        found = self._ensemble(most) if self.config.mode == "ensemble" else self._newest(most)
        if not len(found):
            self.starved += self._plan is not None and self.config.mode != "synchronous"
            return None
        self.slot += 1
        return found

    def _newest(self, most: int) -> np.ndarray:
        plan = self._plan
        if plan is None:
            return NOTHING
        begun = self.slot - plan.slot
        end = min(begun + most, self.execute) if self.config.mode == "synchronous" else begun + most
        return plan.actions[begun:end]

    def _ensemble(self, most: int) -> np.ndarray:
        """Weighted means of what all plans say of the moments from now on."""
        since = self.slot - self._since
        return self._means[since : since + most]

    def _mix(self, chunk: Chunk) -> None:
        """Each plan ages by one when another comes, so all that was said before is multiplied by exp(−decay) once."""
        since, mixed = chunk.slot - self._since, np.ones((len(chunk.actions), chunk.actions.shape[1] + 1))
        mixed[:, :-1] = chunk.actions
        if len(self._mixed) > since >= 0:
            earlier = self._mixed[since : since + len(mixed)]
            mixed[: len(earlier)] += earlier * math.exp(-self.config.decay)
        self._mixed, self._since, self._means = mixed, chunk.slot, mixed[:, :-1] / mixed[:, -1:]
        for entry in self._free:
            self._means[:, entry] = chunk.actions[:, entry]
