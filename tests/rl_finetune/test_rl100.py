"""RL-100: decisions from data, critics and models against what is known, the gate and its way back."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from burnish.errors import BurnishError
from burnish.policies.base import Policy, load_policy
from burnish.rl_finetune import rl100
from burnish.rl_finetune.decisions import Decisions, of_demonstrations, of_episodes
from burnish.rl_finetune.dynamics import Dynamics, DynamicsConfig
from burnish.rl_finetune.iql import Iql, IqlConfig
from burnish.rl_finetune.one_step import OneStepConfig
from burnish.rl_finetune.ranks import rank_correlation
from burnish.rl_finetune.rl100 import Rl100, Rl100Config
from burnish.run import Run, read_metrics
from burnish.sim.base import make_env

SMALL = {
    "env_steps": 1500, "episodes": 8, "lanes": 4, "workers": 0, "rounds": 2, "offline_decisions": 128, "imitation": 5,
    "epochs": 2, "critic": IqlConfig(hidden=32, updates=50), "one_step": OneStepConfig(updates=20, last_updates=20),
    "dynamics": DynamicsConfig(hidden=32, updates=30, imagined=16, horizon=4),
}  # fmt: skip


def refine(base: Policy, demos, folder: Path, **changes):
    cfg, run = Rl100Config(**(SMALL | changes)), Run(folder, "refine", {})
    with make_env("metaworld/reach", cfg.lanes, horizon=40) as env:
        return rl100.train(run, base, env, demos, cfg)


def line(count: int = 2000) -> Decisions:
    """A line of ten places: action +1 or −1, success at the right end, at which most of the data never arrives."""
    generator = torch.Generator().manual_seed(0)
    place = torch.randint(10, (count,), generator=generator)
    step = torch.randint(2, (count,), generator=generator) * 2 - 1
    following = (place + step).clamp(0, 10)
    final = following == 10

    def one(index: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.one_hot(index.clamp(max=9), 10).float()

    action = step.float()[:, None, None]
    inside, taken = torch.ones(count, 1, dtype=torch.bool), torch.ones(count, dtype=torch.long)
    return Decisions({}, one(place), action, inside, final.float(), taken, final, one(following), final)


def test_values_of_a_line_are_the_discounted_distance_from_its_end():
    data = line()
    critic = Iql(10, 1, IqlConfig(gamma=0.9, expectile=0.95, hidden=64, tau=0.05), seed=0)
    critic.fit(data, 1, 3000, torch.Generator().manual_seed(0))
    right = critic.value(torch.eye(10), torch.ones(10, 1, 1))
    torch.testing.assert_close(right, 0.9 ** torch.arange(9, -1, -1.0), atol=0.1, rtol=0)
    left = critic.value(torch.eye(10), -torch.ones(10, 1, 1))
    assert (critic.advantage(torch.eye(10), torch.ones(10, 1, 1)) > left - right)[2:].all()
    assert (right > left)[2:].all()


def test_the_model_knows_which_of_two_policies_is_better():
    data, generator = line(), torch.Generator().manual_seed(0)
    critic = Iql(10, 1, IqlConfig(gamma=0.9, expectile=0.9, hidden=64, tau=0.05), seed=0)
    critic.fit(data, 1, 2000, generator)
    model = Dynamics(10, 1, DynamicsConfig(hidden=64, updates=600), seed=0)
    first = model.fit(data, 1, generator)
    assert model.fit(data, 1, generator) < first

    def always(step: float) -> float:
        return model.estimate(lambda state, _: torch.full((len(state), 1, 1), step), data.state, critic, seed=0)

    assert always(1.0) > always(-1.0) + 0.2
    assert always(1.0) == always(1.0)


def test_decisions_of_demonstrations_end_in_success(base: Policy, demos):
    data = of_demonstrations(base, demos, 4)
    assert len(data) == len(demos.action)
    end = int(demos.ends[0]) - 1
    assert data.final[end - 3 : end + 1].all()
    assert not data.final[: end - 3].any()
    assert data.inside[end].sum() == 1
    assert torch.equal(data.next_state[0], data.state[4])
    assert data.steps[end] == 1


def test_decisions_of_episodes_are_what_was_executed(base: Policy, demos):
    with make_env("metaworld/reach", 2, horizon=30) as env:
        trainer = Rl100(base, env, Rl100Config(**SMALL), of_demonstrations(base, demos, base.replan))
        played = trainer.play()
    data = of_episodes(base, played)
    assert len(data) == sum(len(one) for one in played)
    one = played[0]
    replan = trainer.player.replan
    executed = one.trace.chunk[:2, :replan].clamp(-1, 1).flatten(0, 1)
    torch.testing.assert_close(data.action[0][: len(executed)], executed[: data.action.shape[1]])
    assert bool(data.final[len(one) - 1]) == one.success
    assert bool(data.good[0]) == one.success


def test_rounds_are_logged_with_estimate_and_success_and_leave_two_policies(base: Policy, demos, tmp_path):
    result = refine(base, demos, tmp_path / "run")
    rows = [row for row in read_metrics(tmp_path / "run") if "estimate" in row]
    assert len(rows) == 2
    assert {"estimate_before", "accepted", "success", "rank_correlation"} <= set(rows[0])
    assert -1 <= result["rank_correlation"] <= 1
    policy, student = (load_policy(tmp_path / "run" / name) for name in ("policy", "one_step"))
    assert student.nfe == 1
    assert student.horizon == policy.horizon


def test_what_the_gate_refuses_is_taken_back(base: Policy, demos, tmp_path):
    """A margin that nothing reaches, and no imitation: the policy ends as it began."""
    before = {key: value.clone() for key, value in base.state_dict().items()}
    refine(base, demos, tmp_path / "run", margin=1e9, imitation=0, env_steps=1)
    assert [row["accepted"] for row in read_metrics(tmp_path / "run") if "accepted" in row] == [0.0, 0.0]
    for key, value in base.state_dict().items():
        assert torch.equal(value, before[key]), key


def test_an_interrupted_run_ends_like_one_that_was_not(imitated, demos, tmp_path, monkeypatch):
    refine(load_policy(imitated), demos, tmp_path / "whole")
    seen, log = [], Run.log

    def killed(self, step, **scalars):
        log(self, step, **scalars)
        if seen:
            raise KeyboardInterrupt
        seen.append(step)

    monkeypatch.setattr(Run, "log", killed)
    with pytest.raises(KeyboardInterrupt):
        refine(load_policy(imitated), demos, tmp_path / "killed")
    monkeypatch.undo()
    refine(load_policy(imitated), demos, tmp_path / "killed")
    for name in ("policy", "one_step"):
        ours, theirs = (load_policy(tmp_path / folder / name).state_dict() for folder in ("killed", "whole"))
        for key, value in theirs.items():
            torch.testing.assert_close(ours[key], value, msg=key)


def test_without_demonstrations_the_flag_is_named(base: Policy, tmp_path):
    with pytest.raises(BurnishError, match="--dataset DATASET"):
        refine(base, None, tmp_path / "run")


def test_rank_correlation_is_spearmans():
    assert rank_correlation([1, 2, 3], [10, 40, 90]) == pytest.approx(1.0)
    assert rank_correlation([1, 2, 3], [3, 2, 1]) == pytest.approx(-1.0)
    assert rank_correlation([1, 2, 2, 4], [1, 3, 2, 4]) == pytest.approx(0.9486833)
    assert rank_correlation([1.0], [2.0]) == 0.0
