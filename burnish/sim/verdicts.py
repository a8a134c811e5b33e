"""When an episode in a batch counts as solved, where the simulator rewards but does not say so."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from torch import Tensor


class Verdict(ABC):
    """Counts what it needs of the episodes of `count` lanes."""

    has_object: ClassVar[bool] = False
    """Whether there is something that the robot handles."""

    def __init__(self, count: int, device: str) -> None:
        self.count, self.device = count, device

    def begin(self, lanes: Tensor) -> None:  # noqa: B027, most remember nothing
        """New episodes in `lanes` (n,) int64."""

    @abstractmethod
    def judge(self, env: Any, last: Tensor) -> Tensor:
        """(N,) bool: solved, after a step of the simulator's `env`. `last` (N,) bool: at the horizon."""
