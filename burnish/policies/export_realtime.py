"""Real-time chunking as a second ONNX file beside the first: it also reads what is left of the last chunk."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from burnish.contract import ACTION
from burnish.exported import NOISE_INPUT, PREVIOUS_INPUT, WEIGHTS_INPUT, ExportedPolicy
from burnish.policies.backward import flatten_derivatives
from burnish.policies.normalize import affine
from burnish.policies.onnx_file import write_onnx
from burnish.policies.realtime import RealTime
from burnish.policies.timing import time_calls, torch_threads


class _Flat(RealTime):
    """A planner whose `draw`, which differentiates the network, is a graph of plain operations for one row."""

    def __init__(self, planner: RealTime, condition: Tensor) -> None:
        super().__init__(planner.policy, planner.steps, planner.config)
        self.noise_shape = planner.noise_shape
        chunk = torch.zeros(1, planner.steps.horizon, planner.policy.contract.action.shape[-1])
        example = (condition, torch.zeros(1, *self.noise_shape), chunk, chunk[:, :, :1])
        self.graph = flatten_derivatives(planner.draw, example)

    def draw(self, condition: Tensor, noise: Tensor, target: Tensor, weights: Tensor) -> Tensor:
        """See `RealTime`."""
        return self.graph(condition, noise, target, weights)


class _WholePlan(nn.Module):
    """`RealTime.complete` with positional inputs: noise, previous actions, weights, then the observations."""

    def __init__(self, planner: _Flat) -> None:
        super().__init__()
        self.policy, self.graph = planner.policy, planner.graph
        self._planner = planner

    def forward(self, noise: Tensor, previous: Tensor, weights: Tensor, *obs: Tensor) -> Tensor:
        """Physical action chunk (1, H, A)."""
        named = dict(zip(self.policy.contract.observation, obs, strict=True))
        return self._planner.complete(named, noise, previous, weights)


@torch.no_grad()
def write_realtime(planner: RealTime, inputs: Mapping[str, str], path: Path) -> None:
    """Write the planner for one robot at a time: a derivative's operations are written out for one batch size.

    `inputs`: contract key → name of the ONNX input.
    """
    obs = _nothing(planner)
    flat = _Flat(planner, planner.steps.network.read(planner.policy.encode(obs)))
    chunk = torch.zeros(1, planner.steps.horizon, planner.policy.contract.action.shape[-1])
    example = (torch.zeros(1, *planner.noise_shape), chunk, chunk[:, :, 0], *obs.values())
    names = (NOISE_INPUT, PREVIOUS_INPUT, WEIGHTS_INPUT, *inputs.values())
    write_onnx(_WholePlan(flat).eval(), example, names, path, batch=False)


def compare_realtime(
    planner: RealTime, exported: ExportedPolicy, obs: Mapping[str, Tensor], generator: torch.Generator
) -> float:
    """Largest difference from torch, network units: of plans around its own plans, any number of actions frozen."""
    rows, action = len(next(iter(obs.values()))), planner.policy.contract.action
    noise = torch.randn(rows, *planner.noise_shape, generator=generator)
    left = max(1, planner.steps.horizon - planner.policy.replan)
    with torch.no_grad():
        previous = planner.policy.act(obs, torch.randn(rows, *planner.policy.noise_shape, generator=generator))[
            :, -left:
        ]
    frozen = torch.arange(rows) % (left + 1)
    ours = planner.plan(obs, noise, previous, frozen).numpy()
    arrays = {key: value.numpy() for key, value in obs.items()}
    theirs = exported.act_realtime(arrays, noise.numpy(), previous.numpy(), frozen.numpy())
    return float((np.abs(ours - theirs) / affine(action, planner.policy.stats[ACTION])[1]).max())


def time_realtime(planner: RealTime, exported: ExportedPolicy, calls: int) -> dict[str, dict[str, float]]:
    """Engine → p50_ms, p99_ms of a plan for one robot, both with one thread."""
    obs = _nothing(planner)
    noise = torch.zeros(1, *planner.noise_shape)
    previous = planner.policy.normalizer.action(noise.new_zeros(1, 1, *planner.policy.contract.action.shape))
    arrays: dict[str, Any] = {key: value.numpy() for key, value in obs.items()}
    with torch_threads(1):
        ours = time_calls(lambda: planner.plan(obs, noise, previous, 1), calls)
    theirs = time_calls(lambda: exported.act_realtime(arrays, noise.numpy(), previous.numpy(), 1), calls)
    return {"torch, 1 thread": ours, "ONNX Runtime, 1 thread": theirs}


def _nothing(planner: RealTime) -> dict[str, Tensor]:
    fields = planner.policy.contract.observation.items()
    return {key: torch.zeros(1, *field.shape, dtype=getattr(torch, field.dtype)) for key, field in fields}
