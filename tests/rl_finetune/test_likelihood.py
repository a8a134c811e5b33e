"""Refinement by likelihood: what every such algorithm promises."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from burnish import registry
from burnish.commands.refine import settings_type
from burnish.errors import BurnishError
from burnish.policies.base import Policy, load_policy, save_policy
from burnish.policies.trace import NoiseConfig
from burnish.rl_finetune.grpo import GroupTrainer, GrpoConfig
from burnish.rl_finetune.likelihood import together
from burnish.run import Run, read_metrics
from burnish.sim.base import make_env

TASK, HORIZON = "metaworld/reach", 40
ALGORITHMS = ("dppo", "reinflow", "grpo", "srpo", "rpd")


def settings(name: str, **changes):
    small = {"env_steps": 1200, "episodes": 8, "lanes": 4, "workers": 0, "batch_size": 64, "epochs": 2}
    return settings_type(name)(**(small | changes))


def refine(name: str, base: Policy, folder: Path, **changes):
    if name == "rpd" and "teacher" not in changes:
        save_policy(base, folder.parent / "teacher")
        changes["teacher"] = folder.parent / "teacher"
    cfg, run = settings(name, **changes), Run(folder, "refine", {})
    with make_env(TASK, cfg.lanes, horizon=HORIZON) as env:
        return registry.algorithms.load(name)(run, base, env, None, cfg)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_an_interrupted_run_ends_like_one_that_was_not(name, imitated: Path, tmp_path, monkeypatch):
    whole = refine(name, load_policy(imitated), tmp_path / "whole")
    first, log = [], Run.log

    def killed(self, step, **scalars):
        log(self, step, **scalars)
        if first:
            raise KeyboardInterrupt
        first.append(step)

    monkeypatch.setattr(Run, "log", killed)
    with pytest.raises(KeyboardInterrupt):
        refine(name, load_policy(imitated), tmp_path / "killed")
    monkeypatch.undo()
    resumed = refine(name, load_policy(imitated), tmp_path / "killed")
    assert resumed["env_steps"] == whole["env_steps"] >= 1200
    ours, theirs = (load_policy(tmp_path / folder / "policy") for folder in ("killed", "whole"))
    for key, value in theirs.state_dict().items():
        assert torch.equal(ours.state_dict()[key], value), key
    steps = [row["step"] for row in read_metrics(tmp_path / "killed")]
    assert steps == sorted(set(steps))


@pytest.mark.parametrize("name", ALGORITHMS)
def test_a_policy_without_a_trace_is_told_what_needs_none(name, base: Policy, tmp_path):
    from burnish.policies.residual import ResidualPolicy

    pair = ResidualPolicy.around(base, hidden=8, action_scale=0.1)
    with pytest.raises(BurnishError, match="burnish refine residual"):
        refine(name, pair, tmp_path / "run")


def test_what_diverges_is_given_up_and_the_last_good_policy_kept(base: Policy, tmp_path, capsys):
    before = {key: value.clone() for key, value in base.state_dict().items()}
    result = refine(
        "grpo", base, tmp_path / "run", lr=30.0, target_kl=1e9, episodes=16, tries=9, noise=NoiseConfig(0.3, 0.4)
    )
    assert result["diverged"]
    said = " ".join(capsys.readouterr().err.split())
    assert "diverged at" in said
    assert "is kept in" in said
    kept = load_policy(tmp_path / "run" / "policy").state_dict()
    assert all(torch.equal(kept[key], value) for key, value in before.items())


def test_groups_that_end_alike_are_replaced_and_said_to_teach_nothing(base: Policy, tmp_path, capsys):
    cfg = settings("grpo", episodes=8, group=4)
    with make_env(TASK, 4, horizon=2) as env:  # too short for any success
        trainer = GroupTrainer(base, env, cfg)
        assert trainer.play() == []
    assert len(trainer.success) == cfg.tries * 8
    assert "nothing to learn from" in capsys.readouterr().err


def test_every_episode_of_a_group_begins_alike(base: Policy):
    with make_env(TASK, 4, horizon=8) as env:
        trainer = GroupTrainer(base, env, settings("grpo", group=4))
        trainer.useful = list  # keep them all
        played = trainer.play()
    for first in (0, 4):
        starts = torch.cat([one.obs["observation.state"][:1] for one in played[first : first + 4]])
        assert (starts == starts[:1]).all()
    assert not torch.equal(played[0].obs["observation.state"][0], played[4].obs["observation.state"][0])


def test_what_was_not_executed_is_neither_likely_nor_unlikely(base: Policy):
    with make_env(TASK, 4, horizon=8) as env:
        trainer = GroupTrainer(base, env, settings("grpo", group=4, replan=2))
        trainer.useful = list
        obs, trace = together(trainer.play())
    known = trainer.log_prob(trainer.chain, obs, trace)
    trace.path[:, -1, 2:] += 1.0
    torch.testing.assert_close(trainer.log_prob(trainer.chain, obs, trace), known)
    trace.path[:, -1, 1] += 1.0
    assert not torch.isclose(trainer.log_prob(trainer.chain, obs, trace)[:, -1], known[:, -1]).any()


def test_long_episodes_weigh_no_more_than_short_ones(base: Policy):
    with make_env(TASK, 4, horizon=16) as env:
        trainer = GroupTrainer(base, env, settings("grpo", group=4))
        trainer.useful = list
        played = trainer.play()[:4]
    for one, (length, success) in zip(played, [(1, True), (2, False), (2, True), (1, False)], strict=True):
        one.reward, one.success = one.reward[:length], success
    whole = [float(each.sum()) for each in trainer.judge(played).split([1, 2, 2, 1])]
    assert whole == pytest.approx([1.5, -1.5, 1.5, -1.5], rel=1e-4)


def test_episodes_that_do_not_make_whole_groups_are_refused():
    with pytest.raises(BurnishError, match="episodes 10 is not a multiple of group 4"):
        GrpoConfig(episodes=10, group=4)


def test_settings_are_plain_numbers_that_a_run_can_repeat():
    for name in ALGORITHMS:
        assert dataclasses.asdict(settings_type(name)())["env_steps"] > 0
