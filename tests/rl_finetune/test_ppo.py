"""PPO: learns from rewards alone, leaves a policy like any other, and survives an interruption."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from burnish.cli import main
from burnish.contract import ENVIRONMENT_STATE, STATE
from burnish.datasets.demonstrations import Demonstrations, compute_stats
from burnish.errors import BurnishError, NonFiniteError
from burnish.policies.base import load_policy, make_policy
from burnish.policies.mlp import MLPConfig
from burnish.rl_finetune import ppo_refine
from burnish.rl_finetune.moments import Moments
from burnish.rl_finetune.ppo import PPOConfig, Trainer, fresh, numbers, train
from burnish.run import Run, read_metrics
from burnish.sim.base import VecEnv, make_env

TASK = "franka/reach"
SMALL = PPOConfig(
    policy=MLPConfig(hidden=(32, 32)), env_steps=512, lanes=8, workers=0, steps=16, minibatches=2, save_every=1
)


@pytest.fixture
def env() -> Iterator[VecEnv]:
    with make_env(TASK, SMALL.lanes, auto_reset=True, dense_reward=True) as made:
        yield made


def test_an_interrupted_run_goes_on_and_its_policy_stays_near_to_where_the_arm_is(
    env: VecEnv, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    iterate = Trainer.iterate

    def interrupted(self: Trainer, run: Run) -> dict[str, float]:
        if self.iterations == 2:
            monkeypatch.setattr(Trainer, "iterate", iterate)
            raise KeyboardInterrupt
        return iterate(self, run)

    monkeypatch.setattr(Trainer, "iterate", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train(Run(tmp_path / "run", "train", {}), env, SMALL)
    result = train(Run(tmp_path / "run", "train", {}), env, SMALL)
    assert result["env_steps"] == SMALL.env_steps
    assert [row["step"] for row in read_metrics(tmp_path / "run")] == [128, 256, 384, 512]
    policy = load_policy(tmp_path / "run" / "policy", contract=env.contract)
    obs = env.reset(range(SMALL.lanes))
    with torch.no_grad():
        action = policy.act(obs, torch.zeros(SMALL.lanes, 0))[:, 0]
    assert ((action[:, :7] - obs[STATE][:, :7]).abs() <= SMALL.policy.step + 1e-5).all()
    assert not torch.equal(action[:, :7], obs[STATE][:, :7])


def test_at_first_it_stays_where_it_is(env: VecEnv):
    trainer = Trainer(env, SMALL, fresh(env, SMALL))
    trainer.begin()
    obs = env.reset(range(SMALL.lanes))
    with torch.no_grad():
        action = trainer.policy.act(obs, torch.zeros(SMALL.lanes, 0))[:, 0]
    torch.testing.assert_close(action, torch.cat([obs[STATE][:, :7], obs[STATE][:, 14:]], dim=1), atol=2e-3, rtol=0)


def test_what_comes_after_a_crash_is_worth_nothing(tmp_path: Path):
    wild = replace(SMALL, policy=MLPConfig(hidden=(32, 32), step=None), deviation=5.0, steps=150)
    with make_env("unitree/stand", SMALL.lanes, auto_reset=True, dense_reward=True) as robots:
        trainer = Trainer(robots, wild, fresh(robots, wild))
        trainer.begin()
        with torch.no_grad():
            for _ in range(wild.steps):
                trainer._step(Run(tmp_path / "run", "train", {}))
        kept = trainer.learner.storage
        assert kept.dones.any()
        assert (kept.rewards[kept.dones.bool()] == 0).all()


def test_a_nan_is_told_with_what_was_observed(env: VecEnv, tmp_path: Path):
    trainer = Trainer(env, SMALL, fresh(env, SMALL))
    trainer.begin()
    with torch.no_grad():
        trainer.learner.actor.mlp[0].weight[:] = torch.nan
    with pytest.raises(NonFiniteError, match="lane 0"):
        trainer.iterate(Run(tmp_path / "run", "train", {}))
    assert (tmp_path / "run" / "nonfinite.safetensors").exists()


def test_statistics_of_what_was_observed_are_those_of_a_dataset(env: VecEnv):
    obs, random = env.reset(range(8)), torch.Generator().manual_seed(0)
    actions = torch.randn(8, 8, generator=random)
    moments = Moments(env.contract)
    for rows in (slice(0, 3), slice(3, 8)):
        moments.add({key: value[rows] for key, value in obs.items()}, actions[rows])
    arrays = {key: value.numpy() for key, value in obs.items()}
    expected = compute_stats(Demonstrations(env.contract, TASK, arrays, actions.numpy(), np.array([8])))
    found = moments.stats()
    assert found.keys() == expected.keys()
    for key, parts in expected.items():
        assert found[key].keys() == parts.keys()
        for name, value in parts.items():
            np.testing.assert_allclose(found[key][name], value, atol=1e-5, err_msg=f"{key} {name}")


def test_what_was_learned_is_evaluated_exported_shown_and_taught_like_any_other(tmp_path: Path):
    small = ["--train.env-steps", "256", "--train.lanes", "4", "--train.workers", "0", "--train.steps", "16"]
    small += ["--train.policy.hidden", "16"]
    teacher, task = tmp_path / "teacher", ["--task", "franka/reach"]
    assert main(["train", "ppo", *task, "--out", str(teacher), *small]) == 0
    policy = str(teacher / "policy")
    judge = ["--eval.episodes", "2", "--eval.videos", "0", "--eval.workers", "0"]
    assert main(["eval", policy, *task, "--out", str(tmp_path / "eval"), *judge]) == 0
    assert main(["export", policy, "--out", str(tmp_path / "onnx"), "--export.calls", "2"]) == 0
    few = ["--distill.env-steps", "80", "--distill.rounds", "2", "--distill.updates", "5", "--distill.lanes", "4"]
    words = ["distill", "mlp", "--policy", policy, *task, "--out", str(tmp_path / "student"), *few]
    assert main([*words, "--distill.workers", "0"]) == 0
    assert set(load_policy(tmp_path / "student" / "policy").contract.observation) == {STATE, ENVIRONMENT_STATE}
    assert main(["rerun", str(teacher), "--out", str(tmp_path / "again")]) == 0
    first, again = (load_policy(folder / "policy").state_dict() for folder in (teacher, tmp_path / "again"))
    assert all(torch.equal(again[key], value) for key, value in first.items())


def test_a_policy_shows_what_it_learned_and_a_word_that_is_no_expert_is_refused(tmp_path: Path, capsys):
    with make_env(TASK, 4, auto_reset=True, dense_reward=True) as env:
        train(Run(tmp_path / "run", "train", {}), env, PPOConfig(policy=SMALL.policy, env_steps=64, lanes=4, steps=16))
    collect = ["collect", TASK, "--out", str(tmp_path / "shown"), "--collect.episodes", "1", "--collect.workers", "0"]
    more = ["--collect.max-attempts-per-episode", "1", "--collect.horizon", "5"]
    assert main([*collect, *more, "--expert", str(tmp_path / "run" / "policy")]) == 2  # it has hardly learned
    assert "the expert succeeded in 0 of 1" in " ".join(capsys.readouterr().err.split())
    assert main([*collect, *more, "--expert", "scriptd"]) == 2
    assert "did you mean 'scripted'" in " ".join(capsys.readouterr().err.split())


def test_a_policy_is_improved_from_where_it_is_and_at_first_only_judged(tmp_path: Path, capsys):
    small = ["--train.env-steps", "64", "--train.lanes", "4", "--train.workers", "0", "--train.steps", "16"]
    begun = tmp_path / "begun"
    assert main(["train", "ppo", "--task", TASK, "--out", str(begun), *small, "--train.policy.hidden", "16"]) == 0
    words = ["refine", "ppo", str(begun / "policy"), "--task", TASK]
    few = ["--refine.lanes", "4", "--refine.workers", "0", "--refine.steps", "16"]
    judged = [*few, "--refine.env-steps", "128", "--refine.value-iterations", "2"]
    assert main([*words, "--out", str(tmp_path / "judged"), *judged]) == 0
    improved = [*few, "--refine.env-steps", "192", "--refine.value-iterations", "2"]
    assert main([*words, "--out", str(tmp_path / "improved"), *improved]) == 0
    assert [row["step"] for row in read_metrics(tmp_path / "improved")] == [64, 128, 192]
    first, same, other = (load_policy(tmp_path / name / "policy") for name in ("begun", "judged", "improved"))
    weights = [policy.network.state_dict() for policy in (first, same, other)]
    assert all(torch.equal(weights[1][key], value) for key, value in weights[0].items())
    assert not all(torch.equal(weights[2][key], value) for key, value in weights[0].items())
    assert all((other.stats[STATE][part] == first.stats[STATE][part]).all() for part in ("mean", "std"))


def test_another_kind_of_policy_is_not_improved_by_ppo(env: VecEnv, tmp_path: Path):
    contract = numbers(env.contract)
    flow = make_policy("flow", contract, Moments(contract).stats())
    with pytest.raises(BurnishError, match="improves an mlp policy, not flow"):
        ppo_refine.train(Run(tmp_path / "run", "refine", {}), flow, env, None, ppo_refine.RefineConfig())


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"minibatches": 100}, "100 minibatches of 4 lanes times 16 steps would be empty"),
        ({"epochs": 0}, "epochs must be 1 or more, is 0"),
        ({"gamma": 1.5}, "gamma must be at least 0 and below 1, is 1.5"),
        ({"lr": float("nan")}, "finite numbers above 0, are nan"),
    ],
)
def test_settings_that_learn_nothing_are_named_before_anything_begins(setting: dict, message: str):
    with pytest.raises(BurnishError, match=message):
        PPOConfig(**({"lanes": 4, "steps": 16} | setting))
