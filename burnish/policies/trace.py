"""A policy as a short Markov chain: what was drawn on the way to a chunk, and how likely that was.

A diffusion policy draws a chunk in K denoising steps, a flow policy in K Euler steps, a token policy code by code. Each
of these steps has a density, so one objective refines all of them (DPPO, arXiv 2409.00588, section 4; ReinFlow, arXiv
2505.22094, section 4). What decides nothing is left out: the noise a chain begins with has no parameters.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn

from burnish.errors import BurnishError

if TYPE_CHECKING:
    from burnish.policies.base import Policy
    from burnish.policies.denoising import Denoising
    from burnish.policies.tokens import TokenPolicy


class ActionTrace(NamedTuple):
    """B draws: the `chunk` (B, H, A) they ended in, network units, and their `path`.

    The path of a Gaussian chain is every state of it (B, K + 1, H, A); that of a token policy its codes (B, L).
    """

    path: Tensor
    chunk: Tensor


@dataclass(frozen=True)
class NoiseConfig:
    """How far the steps of a Gaussian chain scatter, network units, and at what temperature codes are drawn."""

    least: float = 0.2
    """Standard deviation where the policy itself adds less, or none (DPPO: 0.1). With less, what is tried decides too
    little to learn from: on `metaworld/peg-insert-side` two halves of 1,280 episodes agree three times better on where
    to go with 0.2 than with 0.1."""
    most: float = 0.5
    learned: bool = False
    """Whether a small network learns how far, between the two, from observation and step (ReinFlow)."""
    temperature: float = 1.0
    """A token policy draws its codes at, while it is refined; acting, it has its own, which may be 0."""

    def __post_init__(self) -> None:
        if not 0 < self.least <= self.most:
            raise BurnishError(f"noise from {self.least} to {self.most}: it must be 0 < least ≤ most")
        if self.temperature <= 0:
            raise BurnishError(
                f"noise of temperature {self.temperature}: it must be positive, or no other code is tried"
            )


class Chain(nn.Module, ABC):
    """A policy that tells how likely its draws were. Observations are as for `Policy.act`."""

    policy: Policy
    noise_shape: tuple[int, ...]
    """Of the standard normal numbers that one draw consumes."""

    @abstractmethod
    def draw(self, obs: Mapping[str, Tensor], noise: Tensor) -> ActionTrace:
        """Draws made from `noise` (B, *noise_shape); zeros give the likeliest step everywhere."""

    @abstractmethod
    def log_prob(self, obs: Mapping[str, Tensor], trace: ActionTrace) -> Tensor:
        """(B, K, D) log densities of the D independent numbers drawn in each of K steps, with gradient.

        The density of a step is their sum; DPPO takes their mean.
        """

    @abstractmethod
    def executed(self, replan: int) -> int:
        """How many of the D numbers, the first ones, tell of what is executed of a chunk before the next is drawn."""


class GaussianChain(Chain):
    """z_{k+1} ~ N(advance(z_k, k), σ_k²); σ_k is the policy's own, or what `NoiseConfig` makes of it."""

    def __init__(self, policy: Policy, steps: Denoising, noise: NoiseConfig) -> None:
        """`policy` encodes observations for `steps`, which draws; mostly they are the same."""
        super().__init__()
        self.policy, self.config = policy, noise
        self._steps = [steps]  # not a module of its own: its weights are the policy's
        chunk = (steps.horizon, steps.contract.action.shape[-1])
        self.noise_shape = (steps.nfe + 1, *chunk)
        self.spread = _Spread(policy.normalizer.condition_dim, steps.nfe, chunk, noise) if noise.learned else None

    def draw(self, obs: Mapping[str, Tensor], noise: Tensor) -> ActionTrace:
        """See `Chain`."""
        steps, condition = self._read(obs)
        path = [noise[:, 0]]
        for k in range(steps.nfe):
            path.append(steps.advance(path[-1], k, condition) + self.deviation(obs, k) * noise[:, k + 1])
        return ActionTrace(torch.stack(path, dim=1), path[-1])

    def log_prob(self, obs: Mapping[str, Tensor], trace: ActionTrace) -> Tensor:
        """See `Chain`; D = H · A."""
        steps, condition = self._read(obs)
        found = []
        for k in range(steps.nfe):
            sigma = self.deviation(obs, k)
            error = (trace.path[:, k + 1] - steps.advance(trace.path[:, k], k, condition)) / sigma
            found.append((-0.5 * error.square() - torch.log(sigma) - 0.5 * math.log(2 * math.pi)).flatten(1))
        return torch.stack(found, dim=1)

    def executed(self, replan: int) -> int:
        """See `Chain`: those of the first `replan` actions."""
        horizon, numbers = self.noise_shape[1:]
        return min(replan, horizon) * numbers

    def deviation(self, obs: Mapping[str, Tensor], k: int) -> Tensor:
        """σ_k: a number, or (B, H, A) if it is learned."""
        if self.spread is not None:
            return self.spread(self.policy.normalizer.condition(obs), k)
        own = self._steps[0].deviation(k)
        # A tensor without dimensions takes the precision of what it meets.
        return torch.tensor(min(max(own, self.config.least), self.config.most), dtype=torch.float64)

    def _read(self, obs: Mapping[str, Tensor]) -> tuple[Denoising, Any]:
        steps = self._steps[0]
        return steps, steps.network.read(self.policy.encode(obs))


class TokenChain(Chain):
    """One step per code: a draw from the softmax of its logits over the temperature."""

    def __init__(self, policy: Policy, writer: TokenPolicy, temperature: float) -> None:
        """`policy` encodes observations for `writer`."""
        super().__init__()
        self.policy, self.noise_shape, self.temperature = policy, writer.noise_shape, temperature
        self._writer = [writer]

    def draw(self, obs: Mapping[str, Tensor], noise: Tensor) -> ActionTrace:
        """See `Chain`."""
        writer, condition = self._writer[0], self.policy.encode(obs)
        codes = writer.draw(condition, noise, self.temperature)  # pyright: ignore[reportArgumentType]
        return ActionTrace(codes, writer.decode(codes, condition))  # pyright: ignore[reportArgumentType]

    def log_prob(self, obs: Mapping[str, Tensor], trace: ActionTrace) -> Tensor:
        """See `Chain`; K is the number of codes, D = 1."""
        return self.log_probs(obs, trace).gather(2, trace.path[:, :, None])

    def executed(self, replan: int) -> int:
        """See `Chain`: a code may tell of any action."""
        return 1

    def log_probs(self, obs: Mapping[str, Tensor], trace: ActionTrace) -> Tensor:
        """(B, L, V): of every code that could have been written after those of `trace` before it."""
        writer = self._writer[0]
        logits = writer.logits(trace.path, self.policy.encode(obs))  # pyright: ignore[reportArgumentType]
        return (logits / self.temperature).log_softmax(dim=2)


class _Spread(nn.Module):
    """σ(observation, k) between two bounds, at first near the lower one (ReinFlow, section 4.2)."""

    def __init__(self, numbers: int, steps: int, chunk: tuple[int, int], config: NoiseConfig) -> None:
        super().__init__()
        self.steps, self.chunk = steps, chunk
        self.low, self.high = math.log(config.least), math.log(config.most)
        out = nn.Linear(64, math.prod(chunk))
        nn.init.zeros_(out.weight)
        nn.init.constant_(out.bias, -2.0)
        self.network = nn.Sequential(nn.Linear(numbers + steps, 64), nn.SiLU(), out)

    def forward(self, numbers: Tensor, k: int) -> Tensor:
        """numbers (B, C) → (B, H, A)."""
        step = torch.zeros_like(numbers[:, :1]).repeat(1, self.steps)
        step[:, k] = 1.0
        share = self.network(torch.cat([numbers, step], dim=1)).sigmoid()
        return (self.low + (self.high - self.low) * share).exp().unflatten(1, self.chunk)
