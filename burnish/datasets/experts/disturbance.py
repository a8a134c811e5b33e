"""What an expert executes beside what it means: demonstrations then visit a learner's errors (DART, 1703.09327)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

PUSH_STEPS = 4
"""Steps for which one random push at the start of an episode keeps its direction."""


class Disturbance:
    """Noise on actions in [-1, 1], and random pushes at the start of an episode."""

    def __init__(self, lanes: int, noisy: int, pushed: int, *, noise: float, push_steps: int) -> None:
        """
        Args:
            noisy, pushed: how many of an action's first numbers are disturbed, and pushed; the grip is left alone.
            noise: standard deviation of the Gaussian that is added, in largest actions.
            push_steps: the first 0 … `push_steps` steps of an episode (drawn per episode) are random pushes.
        """
        self._noisy, self._pushed, self._noise, self._push_steps = noisy, pushed, noise, push_steps
        self._random = [np.random.default_rng(0) for _ in range(lanes)]
        self._pushes: list[list[np.ndarray]] = [[] for _ in range(lanes)]

    def reset(self, lanes: Sequence[int], seeds: Sequence[int]) -> None:
        """Draw what is to come in `lanes`."""
        for lane, seed in zip(lanes, seeds, strict=True):
            # A stream of its own: the environment draws its start from the same seed.
            self._random[lane] = random = np.random.default_rng([seed, 1])
            steps = int(random.integers(self._push_steps + 1))
            directions = random.uniform(-1, 1, (-(-steps // PUSH_STEPS), self._pushed))
            self._pushes[lane] = list(np.repeat(directions, PUSH_STEPS, axis=0)[:steps])

    def of(self, clean: np.ndarray) -> np.ndarray:
        """(N, A) what is executed where `clean` is meant."""
        executed = clean.copy()
        for lane, (row, pushes) in enumerate(zip(executed, self._pushes, strict=True)):
            if pushes:
                row[: self._pushed] = pushes.pop(0)
            elif self._noise:
                row[: self._noisy] += self._noise * self._random[lane].standard_normal(self._noisy)
        return np.clip(executed, -1, 1)
