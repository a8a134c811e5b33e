"""What acts in a vector environment: a policy, a policy with a residual, a scripted expert, a human."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import Tensor

    Observation = Mapping[str, Tensor]
    """Contract key → tensor (N, *field.shape)."""


class Agent(Protocol):
    """One actor per lane of a vector environment; all its randomness comes from the seeds given to `reset`."""

    def reset(self, lanes: Sequence[int], seeds: Sequence[int]) -> None:
        """Start a new episode in each of `lanes`: forget queued chunks, reseed the lane's noise."""
        ...

    def looks(self) -> list[int]:
        """The lanes whose images and points the next `act` reads; those of others may be old."""
        ...

    def act(self, obs: Observation) -> Tensor:
        """Observations of every lane (N, …) to the next action of every lane (N, A), in physical units.

        A lane's action depends on that lane's observations and seed alone.
        """
        ...
