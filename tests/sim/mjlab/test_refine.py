"""Residual refinement, as it is, on mjlab's arm that lifts a cube: one batch, no workers, actions without a unit."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from burnish.datasets.demonstrations import Demonstrations, Episode, compute_stats
from burnish.policies.base import load_policy, make_policy
from burnish.policies.residual import ResidualPolicy
from burnish.rl_finetune.residual import ResidualConfig, train
from burnish.run import Run, read_metrics
from burnish.sim.agents import RandomAgent
from burnish.sim.base import VecEnv, make_env

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
TASK, LANES = "mjlab/Lift-Cube-Yam", 4
SMALL = ResidualConfig(
    env_steps=240, warmup_steps=120, lanes=LANES, hidden=16, batch_size=32, critic_warmup=5, log_every=80
)


def played(env: VecEnv, steps: int) -> Demonstrations:
    """What a random agent did, as if somebody had shown it: nobody here can lift the cube."""
    agent, obs, seen, done = RandomAgent(env.contract, LANES), env.reset(range(LANES)), [], []
    agent.reset(range(LANES), range(LANES))
    for _ in range(steps):
        action = agent.act(obs)
        seen.append(obs)
        done.append(action)
        obs = env.step(action).obs
    episodes = []
    for lane in range(LANES):
        rows = {key: torch.stack([one[key][lane] for one in seen]).cpu().numpy() for key in obs}
        episodes.append(Episode(rows, torch.stack([action[lane] for action in done]).cpu().numpy()))
    return Demonstrations.of(env.contract, env.task, episodes)


def test_a_policy_that_lifts_a_cube_is_refined(tmp_path: Path):
    with make_env(TASK, LANES, auto_reset=True, horizon=40, settings={"device": "cpu"}) as env:
        demos = played(env, 20)
        torch.manual_seed(0)
        base = make_policy("flow", demos.contract, compute_stats(demos), denoiser="mlp", width=16, depth=1)
        result = train(Run(tmp_path / "run", "refine", {}), base, env, demos, SMALL)
        assert result["env_steps"] == SMALL.env_steps
        assert [row["step"] for row in read_metrics(tmp_path / "run")] == [80, 160, 240]
        pair = load_policy(tmp_path / "run/policy", contract=env.contract)
        assert isinstance(pair, ResidualPolicy) and bool(pair.actor.abs().sum() > 0)
        agent = pair.agent(LANES)
        agent.reset(range(LANES), range(LANES))
        assert torch.isfinite(agent.act(env.reset(range(LANES)))).all()
