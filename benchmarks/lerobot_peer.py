"""What `latency.py` and `training.py` share: the same data and contract for ours and lerobot's `DiffusionPolicy`.

lerobot's policy wants an image or an environment state beside the state, so the data carries two numbers as such.
"""

from __future__ import annotations

import os
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import numpy as np
import torch

from burnish.contract import STATE, Contract, Field
from burnish.datasets.demonstrations import Demonstrations, Episode, compute_stats
from burnish.policies.base import Policy, make_policy

HORIZON, EPISODES, FRAMES = 8, 10, 100
ENVIRONMENT = "observation.environment_state"
CONTRACT = Contract(
    {
        STATE: Field((39,), tuple(f"s{i}" for i in range(39)), ("m",) * 39, "world", 80.0, "min_max"),
        ENVIRONMENT: Field((2,), ("sin", "cos"), ("1",) * 2, "world", 80.0, "min_max"),
    },
    Field((4,), ("dx", "dy", "dz", "gripper"), ("m",) * 3 + ("1",), "world", 80.0, "min_max"),
)


def demonstrations() -> Demonstrations:
    """As many random numbers as ten demonstrations of a manipulation task."""
    rng = np.random.default_rng(0)

    def episode() -> Episode:
        obs = {key: rng.normal(size=(FRAMES, *field.shape)).astype("f") for key, field in CONTRACT.observation.items()}
        return Episode(obs, rng.uniform(-1, 1, (FRAMES, 4)).astype("f"))

    return Demonstrations.of(CONTRACT, "benchmark/random", [episode() for _ in range(EPISODES)])


def our_policy(name: str, demos: Demonstrations) -> Policy:
    """One of our policies with a UNet of two levels."""
    unet = {"horizon": HORIZON, "denoiser": "unet", "width": 64, "depth": 2}
    return make_policy(name, demos.contract, compute_stats(demos), **unet)


def lerobot_config(width: int) -> Any:
    """lerobot's diffusion config with the same inputs, chunk and number of UNet levels."""
    from lerobot.configs.types import FeatureType, PolicyFeature
    from lerobot.policies.diffusion.configuration_diffusion import DiffusionConfig

    return DiffusionConfig(
        input_features={
            STATE: PolicyFeature(FeatureType.STATE, (39,)),
            ENVIRONMENT: PolicyFeature(FeatureType.ENV, (2,)),
        },
        output_features={"action": PolicyFeature(FeatureType.ACTION, (4,))},
        n_obs_steps=1,
        horizon=HORIZON,
        n_action_steps=1,  # so that every call of `select_action` plans
        drop_n_last_frames=0,
        down_dims=(width, 2 * width),
        kernel_size=3,
        noise_scheduler_type="DDIM",
        num_inference_steps=10,
        device="cpu",
        push_to_hub=False,
    )


def lerobot_policy(parameters: int) -> Any:
    """lerobot's policy with the number of parameters nearest to `parameters`; both are printed."""
    from lerobot.policies.diffusion.modeling_diffusion import DiffusionPolicy

    def size(width: int) -> int:
        with torch.device("meta"):
            return count(DiffusionPolicy(lerobot_config(width)))

    width = min(range(16, 257, 8), key=lambda width: abs(size(width) - parameters))
    policy = DiffusionPolicy(lerobot_config(width))
    theirs = count(policy)
    print(f"parameters: ours {parameters:,}, lerobot {theirs:,} (down_dims {width}, {2 * width})")
    if abs(theirs / parameters - 1) > 0.05:
        raise SystemExit("the two networks differ by more than 5 % in size")
    return policy


def count(module: torch.nn.Module) -> int:
    """Learned numbers."""
    return sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)
