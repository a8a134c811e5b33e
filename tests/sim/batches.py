"""What every simulator that steps a batch must do, of `four` worlds and an `action` that ends no episode: collected
where they are imported."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from burnish.contract import STATE
from burnish.errors import BurnishError, NonFiniteError
from burnish.sim.base import make_env

SPEEDS = ("data.qvel", "state.joint_qd", "qvel")
"""What MuJoCo, Newton and the Franka world call them."""


def test_only_flags_come_to_the_host(four: Any, action: torch.Tensor, host_copies: Any):
    four.reset([1, 2, 3, 4])
    with host_copies as copies:
        for _ in range(3):
            step = four.step(action)
    assert copies.found and all(dtype == torch.bool for dtype, _ in copies.found)
    assert sum(count for _, count in copies.found) <= 3 * 2 * four.num_envs * 2
    assert all(value.device == four.device for value in (step.obs[STATE], step.reward, step.info["success"]))


def test_nobody_elses_random_numbers_change(four: Any, action: torch.Tensor):
    torch.manual_seed(3)
    expected = torch.rand(5)
    torch.manual_seed(3)
    four.reset([1, 2, 3, 4])
    four.step(action)
    assert torch.equal(torch.rand(5), expected)


def test_a_world_that_diverges_is_named_with_what_to_do(four: Any, action: torch.Tensor):
    four.reset([1, 2, 3, 4])
    rows, third = four._batch.rows(), torch.tensor([False, False, True, False])
    wild = {name: torch.full_like(row, torch.nan) for name, row in rows.take(third).items() if name in SPEEDS}
    assert wild
    rows.put(third, wild)
    with pytest.raises(NonFiniteError, match="lane 2 is not finite: its physics diverged; reset that lane"):
        four.step(action)
    four.reset([5], ids=[2])
    assert torch.isfinite(four.step(action).obs[STATE]).all()


def test_no_gpu_is_one_line(four: Any):
    if not torch.cuda.is_available():
        with pytest.raises(BurnishError, match="device='cuda', but torch finds no CUDA device; take 'cpu'"):
            make_env(four.task, 1, settings={"device": "cuda"})
