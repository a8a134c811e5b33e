"""Online refinement of flow policies with learned noise: ReinFlow (arXiv 2505.22094).

The flow's deterministic steps become Gaussian ones, whose deviations a small network learns between two bounds (section
4.1); with them the density of a whole chain is known exactly, whatever the number of steps, and PPO follows it (section
4.3). At inference the noise is left out again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from burnish.datasets.demonstrations import Demonstrations
from burnish.policies.base import Policy
from burnish.policies.trace import NoiseConfig
from burnish.rl_finetune.arena import Arena
from burnish.rl_finetune.dppo import ActorCritic, DppoConfig
from burnish.rl_finetune.loop import refine
from burnish.rl_finetune.objective import ClipConfig
from burnish.run import Run
from burnish.sim.base import VecEnv


@dataclass(frozen=True, kw_only=True)
class ReinflowConfig(DppoConfig):
    """Noise within bounds, learned; no discount along the chain."""

    noise: NoiseConfig = field(default_factory=lambda: NoiseConfig(least=0.15, most=0.4, learned=True))
    clip: ClipConfig = field(default_factory=lambda: ClipConfig(low=0.02, high=0.02, clamp=(-5.0, 5.0)))


def train(
    run: Run, policy: Policy, env: VecEnv | Arena, demos: Demonstrations | None, cfg: ReinflowConfig
) -> dict[str, Any]:
    """Refine all of `policy` in `env`; see `loop.refine`."""
    return refine(run, ActorCritic(policy, env, cfg), "ReinFlow")
