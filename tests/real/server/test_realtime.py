"""Real-time chunking over the wire: what is executed meanwhile comes back unchanged, by both kinds of planners."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from burnish.checkpoint import Stats
from burnish.contract import ACTION, STATE
from burnish.policies.base import make_policy, save_policy
from burnish.policies.export import ExportConfig, export
from burnish.real.server.client import RemotePolicy
from burnish.real.server.planner import open_planner
from tests.real.server.conftest import CONTRACT, serve


def statistics(size: int) -> dict[str, np.ndarray]:
    one = np.ones(size, np.float32)
    return {"mean": 0 * one, "std": one, "min": -one, "max": one, "count": np.array(9)}


@pytest.mark.parametrize("kind", ["checkpoint", "exported"])
def test_a_plan_begins_with_what_is_executed_meanwhile(kind: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    stats: Stats = {STATE: statistics(6), ACTION: statistics(4)}
    policy = make_policy("flow", CONTRACT, stats, horizon=8, width=16, depth=1, steps=2).eval()
    if kind == "checkpoint":
        save_policy(policy, tmp_path / "policy")
    else:
        export(policy, tmp_path / "policy", ExportConfig(calls=2, observations=8, realtime=True))
    obs, previous = {STATE: np.zeros(6, np.float32)}, np.linspace(-0.5, 0.5, 24, dtype=np.float32).reshape(6, 4)
    with serve(open_planner(tmp_path / "policy")) as address:
        remote = RemotePolicy(address)
        assert remote.realtime
        chunk = remote.plan(obs, previous, 3)
        assert chunk.shape == (8, 4)
        np.testing.assert_allclose(chunk[:3], previous[:3], atol=1e-6)
        assert remote.plan(obs).shape == (8, 4)
        remote.close()
