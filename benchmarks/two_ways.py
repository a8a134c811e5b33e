"""Chunks that pass an obstacle on one of two sides: what a policy may not change its mind about half-way."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from burnish.contract import ACTION, STATE, Contract, Field
from burnish.policies.base import Policy, make_policy
from burnish.policies.realtime import RealTime

HORIZON = 16
PLACE = Field((2,), ("x", "y"), ("m", "m"), "world", 10.0, "min_max", low=(-1.0, -1.0), high=(1.0, 1.0))
CONTRACT = Contract({STATE: PLACE}, PLACE)


def demonstrations(count: int, generator: torch.Generator) -> dict[str, Tensor]:
    """Places to be at, along one of two arches; where on the way is observed, on which side is not."""
    begin = 0.3 * torch.rand(count, 1, generator=generator)
    height = 0.6 + 0.2 * torch.rand(count, 1, generator=generator)
    side = torch.randint(2, (count, 1), generator=generator) * 2 - 1
    way = begin + torch.arange(HORIZON) * 0.7 / HORIZON
    chunk = torch.stack([-0.9 + 1.8 * way, side * height * (math.pi * way).sin()], dim=2)
    return {STATE: observe(-0.9 + 1.8 * begin[:, 0]), ACTION: chunk}


def observe(x: Tensor) -> Tensor:
    """The state at x (B,)."""
    return torch.stack([x, torch.zeros_like(x)], dim=1)


def trained(name: str, updates: int = 800, **config: Any) -> Policy:
    """A small policy that has learned both sides."""
    torch.manual_seed(0)
    one = {"mean": np.zeros(2), "std": np.ones(2), "min": -np.ones(2), "max": np.ones(2)}
    stats = {key: {part: value.astype(np.float32) for part, value in one.items()} for key in CONTRACT.fields}
    policy = make_policy(name, CONTRACT, stats, horizon=HORIZON, replan=4, width=32, **config)
    optimizer, generator = torch.optim.Adam(policy.parameters(), 2e-3), torch.Generator().manual_seed(0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=updates)
    for _ in range(updates):
        loss, _ = policy.loss(demonstrations(256, generator), generator)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return policy.eval()


def splice(planner: RealTime, rows: int = 256, *, executed: int = 4, frozen: int = 3) -> dict[str, Tensor]:
    """Jumps (rows,) from the last frozen action of one chunk to the next one's first free action, m: `apart`, the next
    one drawn independently, and `realtime`; `within`: the largest step inside the first chunk. And whether the side
    changes (rows,) bool: `apart_turns`, `realtime_turns`.

    `executed` actions of the first chunk are over when the second observation is made, `frozen` follow meanwhile.
    """
    generator = torch.Generator().manual_seed(1)
    policy = planner.policy
    noise = torch.randn(2, rows, *planner.noise_shape, generator=generator)
    plain = noise.reshape(2, rows, -1, *policy.noise_shape)[:, :, 0]
    with torch.no_grad():
        first = policy.act({STATE: demonstrations(rows, generator)[STATE]}, plain[0])
        obs, previous = {STATE: observe(first[:, executed, 0])}, first[:, executed:]
        chunks = {"apart": policy.act(obs, plain[1]), "realtime": planner.plan(obs, noise[1], previous, frozen)}
    found = {"within": first.diff(dim=1).abs().amax((1, 2))}
    middle = HORIZON // 2  # of the new chunk: on the arch, where the side is plain to see
    for name, chunk in chunks.items():
        found[name] = (chunk[:, frozen] - previous[:, frozen - 1]).abs().amax(1)
        found[f"{name}_turns"] = chunk[:, middle, 1] * first[:, middle + executed, 1] < 0
    return found
