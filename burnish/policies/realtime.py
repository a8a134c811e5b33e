"""Real-time chunking: the next chunk is planned while the last one plays (RTC, arXiv 2506.07339).

What is executed meanwhile is frozen: the new chunk has to begin with it, and to go on from there. So planning is to
fill in the rest of a chunk whose beginning is known, with the trained policy as it is.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from burnish.contract import ACTION
from burnish.errors import BurnishError, ContractError
from burnish.handover import hand_over

if TYPE_CHECKING:
    from burnish.policies.base import Policy
    from burnish.policies.denoising import Denoising


@dataclass(frozen=True)
class RealTimeConfig:
    """How the beginning is brought about."""

    guidance: float = 5.0
    """β, the largest weight of the guidance (RTC, section 4.1); of policies that take several steps."""
    draws: int = 16
    """Chunks to choose from; of policies that take one step."""

    def __post_init__(self) -> None:
        if self.guidance <= 0 or self.draws < 1:
            raise BurnishError(f"guidance {self.guidance} must be above 0 and draws {self.draws} at least 1")


class RealTime(ABC):
    """A policy that plans around actions which will be executed anyway.

    Attributes:
        noise_shape: of the standard normal numbers that one plan consumes.
    """

    noise_shape: tuple[int, ...]

    def __init__(self, policy: Policy, steps: Denoising, config: RealTimeConfig) -> None:
        """`policy` encodes observations for `steps`, which draws; mostly they are the same."""
        self.policy, self.steps, self.config = policy, steps, config

    @torch.no_grad()
    def plan(self, obs: Mapping[str, Tensor], noise: Tensor, previous: Tensor, frozen: int | Tensor) -> Tensor:
        """Action chunks (B, H, A) in physical units, inside the contract's bounds; the first d are the previous ones.

        Args:
            obs: as for `Policy.act`.
            noise: (B, *noise_shape), standard normal.
            previous: (B, K, A) what is left of the last chunk, physical units: index 0 is the first action that is
                executed after the observation was made. With K = 0 this is `Policy.act`.
            frozen: d, how many of them will be executed before this plan is there; one number, or one per row (B,).
        Raises:
            ContractError: noise, `previous` or `frozen` has another shape.
            BurnishError: K exceeds H, or d does not lie between 0 and K.
            NonFiniteError: a previous action is NaN or infinite.
        """
        expected = (len(next(iter(obs.values()))), *self.noise_shape)
        if noise.shape != expected:
            raise ContractError(f"noise has the shape {tuple(noise.shape)}, expected {expected}")
        start, action = torch.as_tensor(frozen).cpu().numpy(), self.policy.contract.action
        given = hand_over(previous.cpu().numpy(), start, len(noise), self.steps.horizon, action)
        if previous.shape[1] == 0:
            return self.policy.act(obs, noise.reshape(len(noise), -1, *self.policy.noise_shape)[:, 0])
        return self.complete(obs, noise, *(torch.from_numpy(part).to(noise) for part in given))

    def complete(self, obs: Mapping[str, Tensor], noise: Tensor, previous: Tensor, weights: Tensor) -> Tensor:
        """The plan, of tensors alone: `previous` (B, H, A) and `weights` (B, H) as of `Handover`."""
        normalizer = self.policy.normalizer
        condition = self.steps.network.read(self.policy.encode(obs))
        drawn = self.draw(condition, noise, normalizer.normalize(ACTION, previous), weights[:, :, None])
        return torch.where(weights[:, :, None] == 1, previous, normalizer.action(drawn))

    @abstractmethod
    def draw(self, condition: Any, noise: Tensor, target: Tensor, weights: Tensor) -> Tensor:
        """A chunk (B, H, A) near `target` (B, H, A) as far as `weights` (B, H, 1) say, network units.

        `condition`: as `network.read` returned it.
        """


class Guided(RealTime):
    """Every step is turned towards what is given (ΠGDM; RTC, algorithm 1 and equations 2–4)."""

    def __init__(self, policy: Policy, steps: Denoising, config: RealTimeConfig) -> None:
        super().__init__(policy, steps, config)
        self.noise_shape = steps.noise_shape
        self._levels = [steps.level(k) for k in range(steps.nfe + 1)]
        self._deviations = [steps.deviation(k) for k in range(steps.nfe)]

    def draw(self, condition: Any, noise: Tensor, target: Tensor, weights: Tensor) -> Tensor:
        """See `RealTime`. With z = a x + b e, and x̂ the estimate of the chunk from which a step goes on,

            x̂ ← x̂ + min(β b, (a² + b²) / a) · (∂x̂/∂z)ᵀ W (target − x̂).

        This is Tweedie's x̂ + (b² / a) ∇_z log N(target; x̂, r²/W) with ΠGDM's r² = b² / (a² + b²) (Song et al., ICLR
        2023). For a flow, a = τ and b = 1 − τ, it is RTC's equation 2 with the weight min(β, (1 − τ) / (τ r²)) of its
        velocity. Scaling z scales neither side: β means the same for diffusion, a = √ᾱ and b = √(1 − ᾱ).
        """
        steps, every = self.steps, noise.ndim == 4
        z = noise[:, 0] if every else noise
        for k in range(steps.nfe):
            (a, b), (a_after, b_after), sigma = *self._levels[k : k + 2], self._deviations[k]
            kept = math.sqrt(b_after**2 - sigma**2) / b  # z' = a' x̂ + kept (z − a x̂): so x̂ is read off `advance`

            def estimate(z: Tensor, k: int = k, kept: float = kept, gain: float = a_after - kept * a) -> Tensor:
                return (steps.advance(z, k, condition) - kept * z) / gain

            x, pull_back = torch.func.vjp(estimate, z)  # pyright: ignore[reportAssignmentType]
            weight = min(self.config.guidance * b, (a**2 + b**2) / max(a, 1e-9))
            x = (x + weight * pull_back(weights * (target - x))[0]).clamp(-steps.limit, steps.limit)
            z = a_after * x + kept * (z - a * x)
            if every:
                z = z + sigma * noise[:, k + 1]
        return z


class Nearest(RealTime):
    """Of several independent chunks the one nearest to what is given (BID's backward coherence, arXiv 2408.17355,
    section 4.2).

    For policies that plan in one step: guidance has no later step to repair what the first one does. Turned by it, a
    MeanFlow policy left the actions' range or changed sides (docs/realtime.md).
    """

    def __init__(self, policy: Policy, steps: Denoising, config: RealTimeConfig) -> None:
        super().__init__(policy, steps, config)
        self.noise_shape = (config.draws, *steps.noise_shape)

    def draw(self, condition: Any, noise: Tensor, target: Tensor, weights: Tensor) -> Tensor:
        """See `RealTime`; "near" is the weighted square of the difference."""
        draws = self.config.draws
        z = noise.flatten(0, 1)
        repeated = condition[torch.arange(len(noise), device=noise.device).repeat_interleave(draws)]
        for k in range(self.steps.nfe):
            z = self.steps.advance(z, k, repeated)
        chunks = z.unflatten(0, (-1, draws))
        distance = (weights[:, None] * (chunks - target[:, None]).square()).sum((2, 3))
        nearest = distance.argmin(1)[:, None, None, None].expand(-1, 1, *chunks.shape[2:])
        return chunks.gather(1, nearest)[:, 0]
