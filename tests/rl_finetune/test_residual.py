"""Residual RL: starts as the base, never touches it, learns from sparse reward, survives an interruption."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from burnish.contract import STATE
from burnish.datasets.demonstrations import Demonstrations, compute_stats
from burnish.errors import NonFiniteError
from burnish.policies.base import Policy, load_policy, make_policy
from burnish.policies.ensemble import EnsembleMLP
from burnish.policies.residual import Reach, ResidualPolicy
from burnish.rl_finetune.buffer import Transitions
from burnish.rl_finetune.critics import Learner, LearnerConfig
from burnish.rl_finetune.offline import correction_scale, demonstration_replay
from burnish.rl_finetune.residual import ResidualConfig, Trainer, train
from burnish.rl_finetune.rollout import Rollout
from burnish.run import Run, read_metrics
from burnish.sim.base import make_env

SMALL = ResidualConfig(
    env_steps=240, warmup_steps=120, lanes=4, workers=0, hidden=16, batch_size=32, critic_warmup=5, log_every=80
)
HALF = Reach(torch.tensor(0.5), torch.tensor(-1.0), torch.tensor(1.0), torch.tensor(False))


def test_the_pair_starts_as_its_base(base: Policy) -> None:
    """The residual's last layer is zero, so before training nothing changes."""
    pair = ResidualPolicy.around(base, hidden=16, action_scale=0.5)
    agents = [pair.agent(3), base.agent(3)]
    for agent in agents:
        agent.reset(range(3), [1, 2, 3])
    for _ in range(6):
        obs = {STATE: torch.randn(3, 39)}
        torch.testing.assert_close(agents[0].act(obs), agents[1].act(obs))


def test_a_new_episode_gets_a_new_chunk(base: Policy) -> None:
    """An action planned in the last episode never reaches the next one."""
    agent, obs = base.agent(1), {STATE: torch.randn(1, 39)}
    agent.reset([0], [5])
    first = agent.act(obs)
    agent.act(obs)
    agent.reset([0], [5])
    torch.testing.assert_close(agent.act(obs), first)


@pytest.mark.parametrize("judged", ["value", "gain"])
def test_learns_a_correction_from_sparse_reward(judged: Literal["value", "gain"]) -> None:
    """One step, success only near 0.3 beside a base that plays 0: the correction finds it."""
    generator = torch.Generator().manual_seed(0)
    network = EnsembleMLP(1, 2, 32, 1)
    config = LearnerConfig(actor_lr=1e-3, judged=judged)
    learner = Learner(network, network.init(generator, zero_output=True), HALF, config, generator)
    zeros = torch.zeros(256, 1)
    for _ in range(600):
        obs = torch.randn(256, 1, generator=generator)
        action = torch.rand(256, 1, generator=generator) - 0.5
        reward = ((action - 0.3).abs() < 0.1).float()[:, 0]
        batch = Transitions(obs, zeros, action, reward, zeros[:, 0], obs, zeros, reward.long())
        learner.update_critic(batch)
        learner.update_actor(batch, torch.zeros(256))
    correction = 0.5 * learner.act(learner.actor_weights, torch.randn(256, 1, generator=generator), zeros)
    assert ((correction - 0.3).abs() < 0.1).float().mean() > 0.95


def test_learns_what_is_small_beside_a_set_point() -> None:
    """Base actions that follow the state over their whole range, corrected by a fiftieth of it at most."""
    generator = torch.Generator().manual_seed(0)
    network = EnsembleMLP(1, 2, 32, 1)
    reach = HALF._replace(scale=torch.tensor(0.02), set_points=torch.tensor(True))
    config = LearnerConfig(actor_lr=1e-3)
    learner = Learner(network, network.init(generator, zero_output=True), reach, config, generator)
    obs = torch.rand(256, 1, generator=generator) * 1.8 - 0.9
    for _ in range(600):
        share = torch.rand(256, 1, generator=generator) * 2 - 1
        reward = ((share - 0.6).abs() < 0.2).float()[:, 0]
        batch = Transitions(obs, obs, obs + 0.02 * share, reward, 0 * reward, obs, obs, reward.long())
        learner.update_critic(batch)
        learner.update_actor(batch, torch.zeros(256))
    assert ((learner.act(learner.actor_weights, obs, obs) - 0.6).abs() < 0.2).float().mean() > 0.95


def test_a_set_point_is_corrected_by_as_little_as_it_moves(base: Policy, demos: Demonstrations) -> None:
    """Of the same motion: half of what there is of velocities, a small part of the range that set points cover."""
    places = np.cumsum(demos.action, axis=0)
    state = demos.obs[STATE].copy()
    state[0, :4], state[1:, :4] = 0.0, places[:-1]
    names = demos.contract.observation[STATE].names[:4]
    units = demos.contract.observation[STATE].unit[:4]
    action = replace(demos.contract.action, names=names, unit=units, normalization="range", low=None, high=None)
    shown = replace(demos, contract=replace(demos.contract, action=action), action=places, obs={STATE: state})
    leads = make_policy(base.name, shown.contract, compute_stats(shown), denoiser="mlp", width=16, depth=1)
    assert correction_scale(base, demos, 0.5) == [0.5] * 4
    assert max(correction_scale(leads, shown, 0.5)) < 0.1


@pytest.mark.parametrize(("pessimism", "moved"), [(0.0, True), (2.0, False)])
def test_heads_that_disagree_on_the_gain_leave_the_base_alone(pessimism: float, moved: bool) -> None:
    """Critics that have learned nothing: each likes another action better than the base's."""
    generator = torch.Generator().manual_seed(0)
    network = EnsembleMLP(1, 4, 32, 2)
    config = LearnerConfig(actor_lr=1e-3, judged="gain", pessimism=pessimism)
    learner = Learner(network, network.init(generator, zero_output=True), HALF, config, generator)
    zeros = torch.zeros(256, 2)
    for _ in range(200):
        obs = torch.randn(256, 2, generator=generator)
        batch = Transitions(obs, zeros, zeros, zeros[:, 0], zeros[:, 0], obs, zeros, zeros[:, 0].long())
        learner.update_actor(batch, torch.zeros(256))
    correction = learner.act(learner.actor_weights, torch.randn(256, 2, generator=generator), zeros)
    assert bool(correction.abs().mean() > 0.1) == moved


def test_demonstrations_end_in_reward(base: Policy, demos: Demonstrations) -> None:
    """Every demonstrated step is there, and only the windows that see the end are rewarded."""
    replay = demonstration_replay(base, demos, n_step=3, gamma=0.99, seed=0, room=50)
    rows = replay.unpack(replay.rows[: len(replay)])
    assert len(replay) == len(demos.action)
    assert int((rows.reward > 0).sum()) == 3 * len(demos.lengths)
    assert torch.equal(rows.discount == 0, rows.reward > 0)


def test_an_interrupted_run_goes_on(
    base: Policy, demos: Demonstrations, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C loses at most one log interval; the base's weights are those it came with."""
    before = {key: value.clone() for key, value in base.state_dict().items()}
    step, calls = Trainer.step, 0

    def interrupted(self: Trainer) -> None:
        nonlocal calls
        calls += 1
        if calls == 50:
            raise KeyboardInterrupt
        step(self)

    with make_env(demos.task, SMALL.lanes, auto_reset=True) as env:
        monkeypatch.setattr(Trainer, "step", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train(Run(tmp_path / "run", "refine", {}), base, env, demos, SMALL)
        result = train(Run(tmp_path / "run", "refine", {}), base, env, demos, SMALL)
    assert calls == 50 + 20  # 160 of 240 steps were kept: 20 steps of 4 lanes were left
    assert result["env_steps"] == 240
    assert [row["step"] for row in read_metrics(tmp_path / "run")] == [80, 160, 240]
    pair = load_policy(tmp_path / "run" / "policy", contract=demos.contract)
    assert isinstance(pair, ResidualPolicy)
    for key, value in pair.base.state_dict().items():
        assert torch.equal(value, before[key])


def test_a_nan_action_stops_the_run_and_keeps_what_was_seen(
    base: Policy, demos: Demonstrations, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A diverged actor is named before it moves anything; the observations are there to look at."""
    monkeypatch.setattr(Rollout, "explore", lambda self, actor, obs, base, warm_up: torch.full_like(base, torch.nan))
    refused = pytest.raises(NonFiniteError, match=r"lane 0 is not finite.*nonfinite.safetensors")
    with make_env(demos.task, SMALL.lanes, auto_reset=True) as env, refused:
        train(Run(tmp_path / "run", "refine", {}), base, env, demos, SMALL)
    assert load_file(tmp_path / "run" / "nonfinite.safetensors")[STATE].shape == (SMALL.lanes, 39)
