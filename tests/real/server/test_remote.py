"""A policy on a server, where a checkpoint is asked for: it plays as it does at home, and does nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from burnish.contract import STATE, Contract
from burnish.errors import BurnishError, ContractError, ServerError
from burnish.policies.base import load_policy
from burnish.real.server.planner import ExportedPlanner


def test_it_plans_what_the_server_plans_and_asks_only_for_what_is_due(address, exported):
    planner = ExportedPlanner(exported)
    policy = load_policy(Path(f"remote:{address}"), contract=planner.contract)
    assert (policy.horizon, policy.replan, policy.contract) == (8, 4, planner.contract)
    obs, noise = torch.linspace(-1, 1, 12).view(2, 6), torch.tensor([[0.5, -1.0], [2.0, 0.1]])
    chunk = policy.act({STATE: obs}, noise)
    assert chunk.shape == (2, 8, 4) and torch.equal(chunk, policy.act({STATE: obs}, noise))
    seed = abs(int(noise[:1].contiguous().view(torch.int64)))
    expected = planner.plan({STATE: obs[0].numpy()}, np.random.default_rng(seed))
    assert np.array_equal(chunk[0].numpy(), expected)
    agent, alone = policy.agent(2), policy.agent(1)
    agent.reset([0, 1], [5, 6])
    alone.reset([0], [6])
    for count in range(6):
        if count == 2:  # lane 0 plans alone, between two plans of lane 1
            agent.reset([0], [7])
        assert torch.equal(agent.act({STATE: obs})[1:], alone.act({STATE: obs[1:]}))


def test_what_does_not_fit_is_said(address, exported):
    known = ExportedPlanner(exported).contract
    other = Contract({"observation.other": known.observation[STATE]}, known.action)
    with pytest.raises(ContractError, match=f"policy at {address}"):
        load_policy(Path(f"remote:{address}"), contract=other)
    with pytest.raises(BurnishError, match="its weights are where the server is"):
        load_policy(Path(f"remote:{address}")).check_export()
    with pytest.raises(ServerError, match=r"127.0.0.1:1: no server there .*`burnish serve`"):
        load_policy(Path("remote:127.0.0.1:1"))
