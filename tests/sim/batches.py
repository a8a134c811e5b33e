"""What every simulator that steps a batch must do, of four carts with poles: collected where they are imported."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from burnish.contract import STATE
from burnish.errors import BurnishError, NonFiniteError
from burnish.sim.base import make_env

SPEEDS = ("data.qvel", "state.joint_qd")
"""What MuJoCo and Newton call them."""


def test_only_flags_come_to_the_host(poles: Any, host_copies: Any):
    poles.reset([1, 2, 3, 4])
    action = torch.zeros(4, 1)
    with host_copies as copies:
        for _ in range(3):
            step = poles.step(action)
    assert copies.found and all(dtype == torch.bool for dtype, _ in copies.found)
    assert sum(count for _, count in copies.found) <= 3 * 2 * poles.num_envs * 2
    assert all(value.device == poles.device for value in (step.obs[STATE], step.reward, step.info["success"]))


def test_nobody_elses_random_numbers_change(poles: Any):
    torch.manual_seed(3)
    expected = torch.rand(5)
    torch.manual_seed(3)
    poles.reset([1, 2, 3, 4])
    poles.step(torch.zeros(4, 1))
    assert torch.equal(torch.rand(5), expected)


def test_a_world_that_diverges_is_named_with_what_to_do(poles: Any):
    poles.reset([1, 2, 3, 4])
    rows, third = poles._batch.rows(), torch.tensor([False, False, True, False])
    wild = {name: torch.full_like(row, torch.nan) for name, row in rows.take(third).items() if name in SPEEDS}
    assert wild
    rows.put(third, wild)
    with pytest.raises(NonFiniteError, match="lane 2 is not finite: its physics diverged; reset that lane"):
        poles.step(torch.zeros(4, 1))
    poles.reset([5], ids=[2])
    assert torch.isfinite(poles.step(torch.zeros(4, 1)).obs[STATE]).all()


def test_no_gpu_is_one_line(poles: Any):
    if not torch.cuda.is_available():
        with pytest.raises(BurnishError, match="device='cuda', but torch finds no CUDA device; take 'cpu'"):
            make_env(poles.task, 1, settings={"device": "cuda"})
