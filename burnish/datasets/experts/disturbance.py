"""What an expert executes beside what it means: demonstrations then visit a learner's errors and show the way back from
them (DART, arXiv 1703.09327). Random pushes at the start of an episode widen the set of starts in the same way.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

PUSH_STEPS = 4
"""Steps for which one random push keeps its direction, unless said otherwise."""


class Disturbance:
    """Random pushes and noise of each lane, in the units of the caller's actions; one of each per step."""

    def __init__(
        self, lanes: int, noisy: int, pushed: int, *, noise: float, push_steps: int, hold: int = PUSH_STEPS
    ) -> None:
        """
        Args:
            noisy, pushed: how many of an action's first numbers are disturbed, and pushed; the grip is left alone.
            noise: standard deviation of the Gaussian that is added.
            push_steps: the first 0 … `push_steps` steps of an episode (drawn per episode) are random pushes.
            hold: steps for which one push keeps its direction.
        """
        self._noisy, self._pushed, self._noise = noisy, pushed, noise
        self._push_steps, self._hold = push_steps, hold
        self._random = [np.random.default_rng(0) for _ in range(lanes)]
        self._pushes: list[list[np.ndarray]] = [[] for _ in range(lanes)]

    def reset(self, lanes: Sequence[int], seeds: Sequence[int]) -> None:
        """Draw what is to come in `lanes`."""
        for lane, seed in zip(lanes, seeds, strict=True):
            # A stream of its own: the environment draws its start from the same seed.
            self._random[lane] = random = np.random.default_rng([seed, 1])
            steps = int(random.integers(self._push_steps + 1))
            directions = random.uniform(-1, 1, (-(-steps // self._hold), self._pushed))
            self._pushes[lane] = list(np.repeat(directions, self._hold, axis=0)[:steps])

    def push(self, lane: int) -> np.ndarray | None:
        """(pushed,) in [-1, 1]: where `lane` is pushed in this step; None once its pushes are over."""
        return self._pushes[lane].pop(0) if self._pushes[lane] else None

    def noise(self, lane: int) -> np.ndarray:
        """(noisy,): what this step's action is off by in `lane`."""
        return self._noise * self._random[lane].standard_normal(self._noisy)

    def of(self, clean: np.ndarray) -> np.ndarray:
        """(N, A) what is executed where `clean` is meant, both in [-1, 1]."""
        executed = clean.astype(np.float64)  # scripts may speak in float32
        for lane in range(len(executed)):
            push = self.push(lane)
            if push is None:
                executed[lane, : self._noisy] += self.noise(lane)
            else:
                executed[lane, : self._pushed] = push
        return np.clip(executed, -1, 1)


class DisturbedExpert:
    """What the experts that read states have in common: `act`, which a subclass gives, is disturbed."""

    label: Tensor

    def __init__(self, disturbance: Disturbance) -> None:
        self._disturbance = disturbance

    def reset(self, lanes: Sequence[int], seeds: Sequence[int]) -> None:
        """Start a new episode in `lanes`, its disturbances drawn from `seeds`."""
        self._disturbance.reset(lanes, seeds)

    def looks(self) -> list[int]:
        """It reads states."""
        return []
