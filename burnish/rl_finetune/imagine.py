"""A policy asked at states that nobody observed: those that a model imagines."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from burnish.policies.base import Policy
from burnish.policies.trace import Chain, NoiseConfig

CONDITION = "condition"
"""In place of observations: what the policy would have made of them (B, C)."""


class Told(nn.Module):
    """Stands where a chain has the policy that encodes observations, and passes on what it is told."""

    def __init__(self, policy: Policy) -> None:
        super().__init__()
        self.name, self.normalizer, self.contract = policy.name, policy.normalizer, policy.contract

    def encode(self, obs: Mapping[str, Tensor], generator: torch.Generator | None = None) -> Tensor:
        """The condition in `obs`."""
        return obs[CONDITION]


def imagining(policy: Policy, noise: NoiseConfig) -> Chain:
    """The chain of a policy of numbers at encoded states, `{CONDITION: (B, C)}`; it shares the policy's weights."""
    return policy.chain(noise, Told(policy))  # pyright: ignore[reportArgumentType]
