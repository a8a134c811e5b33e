"""Teachers: on-policy distillation of token policies, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from burnish.datasets.chunks import ChunkSampler
from burnish.datasets.demonstrations import Demonstrations, compute_stats
from burnish.errors import BurnishError, ContractError
from burnish.policies.base import Policy, load_policy, make_policy, save_policy
from burnish.policies.train import TrainConfig
from burnish.policies.train import train as imitate
from burnish.rl_finetune import opd, rpd
from burnish.run import Run, read_metrics
from burnish.sim.base import make_env

TINY = {"tokenizer_config": {"horizon": 4, "bins": 8}, "width": 32, "depth": 1}
SETTINGS = {"env_steps": 2400, "episodes": 8, "lanes": 4, "workers": 0, "batch_size": 64, "lr": 2e-3, "epochs": 4}


def tokens(demos: Demonstrations, seed: int, **changes) -> Policy:
    torch.manual_seed(seed)
    return make_policy("tokens", demos.contract, compute_stats(demos), **(TINY | changes))


@pytest.fixture(scope="module")
def teacher(demos: Demonstrations, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("teacher")
    run = Run(folder, "train", {})
    policy = tokens(demos, 1)
    imitate(run, policy, ChunkSampler(demos, 4, 64, seed=0), TrainConfig(steps=300, batch_size=64, warmup_steps=10))
    return folder / "policy"


def teach(student: Policy, folder: Path, **changes):
    cfg = opd.OpdConfig(**(SETTINGS | changes))
    with make_env("metaworld/reach", cfg.lanes, horizon=40) as env:
        result = opd.train(Run(folder, "refine", {}), student, env, None, cfg)
    return result, read_metrics(folder)


@pytest.mark.parametrize("divergence", ["reverse_kl", "forward_kl", "hard_ce"])
def test_the_student_comes_nearer_to_the_teacher_where_it_acts(demos, teacher, tmp_path, divergence):
    """The measure is the full KL from student to teacher on held-out observations."""
    student, judge = tokens(demos, 2), load_policy(teacher)
    obs = {key: torch.from_numpy(value[::7]) for key, value in demos.obs.items()}

    def distance() -> float:
        codes = judge.draw(judge.encode(obs), torch.zeros(len(next(iter(obs.values()))), *judge.noise_shape), 1.0)
        ours, theirs = (one.logits(codes, one.encode(obs)).log_softmax(2) for one in (student, judge))
        return float((ours.exp() * (ours - theirs)).sum(2).mean())

    with torch.no_grad():
        before = distance()
        with torch.enable_grad():
            _, rows = teach(student, tmp_path / "run", teacher=teacher, divergence=divergence)
        assert distance() < 0.7 * before
    assert all(row["entropy"] > 0 for row in rows)


def test_the_reverse_kl_is_left_alone_where_student_and_teacher_agree(teacher, tmp_path):
    """Advantages are all zero: nothing moves."""
    student = load_policy(teacher)
    before = {key: value.clone() for key, value in student.state_dict().items()}
    teach(student, tmp_path / "run", teacher=teacher, env_steps=100)
    for key, value in student.state_dict().items():
        torch.testing.assert_close(value, before[key], atol=1e-5, rtol=0)


def test_with_extrapolation_what_the_teacher_already_says_is_exaggerated(demos, teacher, tmp_path):
    student = load_policy(teacher)
    save_policy(tokens(demos, 3), tmp_path / "reference")
    before = {key: value.clone() for key, value in student.state_dict().items()}
    teach(
        student, tmp_path / "run", teacher=teacher, extrapolation=1.5, reference=tmp_path / "reference", env_steps=100
    )
    assert any(not torch.allclose(value, before[key], atol=1e-4) for key, value in student.state_dict().items())


def test_another_tokenizer_is_refused_by_name_and_mark(demos, teacher, tmp_path):
    student = tokens(demos, 2, tokenizer_config={"horizon": 4, "bins": 9})
    with pytest.raises(BurnishError, match=r"student's tokenizer 'bins' \(\w+\) is not the teacher's, 'bins'"):
        teach(student, tmp_path / "run", teacher=teacher)


def test_another_normalisation_is_refused(demos, teacher, tmp_path):
    stats = compute_stats(demos)
    action = {name: value * 2 if name == "max" else value for name, value in stats["action"].items()}
    student = make_policy("tokens", demos.contract, {**stats, "action": action}, **TINY)
    with pytest.raises(ContractError, match="action: the student normalises by max"):
        teach(student, tmp_path / "run", teacher=teacher)


def test_what_writes_no_tokens_is_told_what_to_do(imitated, teacher, tmp_path):
    with pytest.raises(BurnishError, match="the student is a 'meanflow' policy, which writes no tokens"):
        teach(load_policy(imitated), tmp_path / "run", teacher=teacher)


def test_without_a_teacher_the_flag_is_named(demos, tmp_path):
    with pytest.raises(BurnishError, match=r"--refine\.teacher CHECKPOINT"):
        teach(tokens(demos, 2), tmp_path / "run")


def test_a_student_that_never_succeeds_is_told_to_imitate_first(demos, teacher, tmp_path, capsys):
    cfg = opd.OpdConfig(**(SETTINGS | {"teacher": teacher, "env_steps": 8}))
    with make_env("metaworld/reach", 4, horizon=2) as env:
        opd.train(Run(tmp_path / "run", "refine", {}), tokens(demos, 2), env, None, cfg)
    assert "has not succeeded once" in capsys.readouterr().err


def test_rpd_asks_its_teacher_once_per_decision(imitated, teacher, tmp_path, monkeypatch):
    asked = []
    act = Policy.act

    def count(self, obs, noise):
        asked.append(len(noise))
        return act(self, obs, noise)

    monkeypatch.setattr(Policy, "act", count)
    cfg = rpd.RpdConfig(teacher=teacher, env_steps=1200, episodes=8, lanes=4, workers=0, value_iterations=0)
    with make_env("metaworld/reach", 4, horizon=40) as env:
        trained = rpd.Taught(load_policy(imitated), env, cfg, load_policy(teacher))
        played = trained.play()
        known = trained.experience(played)
        assert asked == [len(known.advantage)]
        trained.improve(known, Run(tmp_path / "run", "refine", {}))
    assert asked == [len(known.advantage)]
