"""What refinement by likelihood shares: advantages, and the clipped objective over the steps of a chain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor


@dataclass(frozen=True)
class ClipConfig:
    """PPO's objective (arXiv 1707.06347, equation 7) on a chain of draws."""

    low: float = 0.2
    high: float = 0.2
    """A ratio counts between 1 − low and 1 + high."""
    first: float = 1.0
    """The bounds of a chain's first step, as a share of the last one's: they grow exponentially in between (DPPO's
    trick: what is decided early moves everything after it)."""
    numbers: Literal["mean", "sum"] = "mean"
    """How the log densities of a step's numbers become one. With `mean` ratios stay near 1 however long a chunk is
    (DPPO, Flow-GRPO); with `sum` they are true ratios (RL-100, ReinFlow). Bounds do not carry over."""
    clamp: tuple[float, float] | None = None
    """Bounds of a single number's log density (DPPO: −5, 2)."""
    discount: float = 1.0
    """γ_d: the advantage of a step that is i before the chunk counts γ_dⁱ (DPPO)."""


class Clipped(NamedTuple):
    """The loss (scalar, with gradient), and what it says about the step, as numbers."""

    loss: Tensor
    kl: Tensor
    """How far the policy has moved, mean of ratio − 1 − log ratio (Schulman's k3)."""
    share: Tensor
    """Of ratios outside the bounds."""


def step_log_prob(log_prob: Tensor, cfg: ClipConfig) -> Tensor:
    """(B, K) of the log densities (B, K, D) of single numbers."""
    if cfg.clamp is not None:
        log_prob = log_prob.clamp(*cfg.clamp)
    return log_prob.mean(2) if cfg.numbers == "mean" else log_prob.sum(2)


def clipped(new: Tensor, old: Tensor, advantage: Tensor, cfg: ClipConfig) -> Clipped:
    """−E min(ρ A, clip(ρ) A) of step log densities (B, K), then and now, and advantages (B,)."""
    count = new.shape[1]
    position = torch.linspace(0.0, 1.0, count) if count > 1 else torch.ones(1)
    share = cfg.first ** (1.0 - position)
    spread = advantage[:, None] * cfg.discount ** torch.arange(count - 1, -1, -1)
    change = new - old
    ratio = change.exp()
    bounded = torch.minimum(torch.maximum(ratio, 1 - cfg.low * share), 1 + cfg.high * share)
    loss = -torch.minimum(ratio * spread, bounded * spread).mean()
    with torch.no_grad():
        return Clipped(loss, (ratio - 1 - change).mean(), (ratio != bounded).float().mean())


def gae(
    reward: Tensor, value: Tensor, last_value: float, *, gamma: float, lam: float, steps: Tensor
) -> tuple[Tensor, Tensor]:
    """Advantages and returns (D,) of one episode's D decisions (generalised advantage estimation, arXiv 1506.02438).

    Args:
        reward, value: (D,) of each decision.
        last_value: of what follows the last decision: 0 after success.
        gamma: per environment step; decision i took `steps` (D,) of them, so that γ^steps lies between it and the next.
    """
    advantage = torch.zeros_like(reward)
    ahead, following = 0.0, last_value
    for i in reversed(range(len(reward))):
        discount = gamma ** float(steps[i])
        error = float(reward[i]) + discount * following - float(value[i])
        ahead = error + discount * lam * ahead
        advantage[i], following = ahead, float(value[i])
    return advantage, advantage + value


def group_advantage(reward: Tensor, size: int, *, scaled: bool = True) -> Tensor:
    """(G · size,) each episode's reward against its own group's mean, in its standard deviations (GRPO, arXiv
    2402.03300, section 4.1.2). Groups lie one after the other; where all rewards of one are equal, it teaches nothing.
    """
    groups = reward.view(-1, size)
    centred = groups - groups.mean(1, keepdim=True)
    spread = groups.std(1, keepdim=True, correction=0)
    return torch.where(spread > 1e-6, centred / spread.clamp_min(1e-6) if scaled else centred, 0.0).flatten()
