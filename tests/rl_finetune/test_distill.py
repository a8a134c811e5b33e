"""Distillation: the student comes to do what the pair does, and survives an interruption."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from burnish.contract import STATE
from burnish.datasets.demonstrations import Demonstrations
from burnish.errors import BurnishError, NonFiniteError
from burnish.policies.base import Policy, load_policy
from burnish.policies.meanflow import MeanFlowConfig
from burnish.rl_finetune.distill import DistillConfig, Distiller, train
from burnish.run import Run, read_metrics
from burnish.sim.base import make_env

SMALL = DistillConfig(
    student=MeanFlowConfig(horizon=1, width=16, depth=1),
    env_steps=1_200, rounds=3, updates=150, lanes=4, workers=0, ema_decay=0.9,
)  # fmt: skip


def test_the_student_learns_the_teachers_actions(base: Policy, demos: Demonstrations, tmp_path: Path) -> None:
    """The error falls from round to round, and the saved student needs one evaluation per action."""
    with make_env(demos.task, SMALL.lanes, auto_reset=True) as env:
        result = train(Run(tmp_path / "run", "distill", {}), base, env, demos, SMALL)
    losses = [row["loss"] for row in read_metrics(tmp_path / "run")]
    assert losses[-1] < 0.8 * losses[0]
    assert result["env_steps"] == SMALL.env_steps
    student = load_policy(tmp_path / "run" / "policy", contract=demos.contract)
    assert (student.horizon, student.nfe) == (1, 1)
    assert student.act({STATE: torch.zeros(2, 39)}, torch.zeros(2, *student.noise_shape)).shape == (2, 1, 4)


def test_an_interrupted_run_ends_like_one_that_was_not(
    base: Policy, demos: Demonstrations, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Finished rounds are kept, and on a CPU the student is the same bit for bit."""
    with make_env(demos.task, SMALL.lanes, auto_reset=True) as env:
        train(Run(tmp_path / "whole", "distill", {}), base, env, demos, SMALL)
        play = Distiller.play_round

        def interrupted(self: Distiller, run: Run) -> dict[str, float]:
            if self.round == 2:
                monkeypatch.setattr(Distiller, "play_round", play)
                raise KeyboardInterrupt
            return play(self, run)

        monkeypatch.setattr(Distiller, "play_round", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train(Run(tmp_path / "broken", "distill", {}), base, env, demos, SMALL)
        train(Run(tmp_path / "broken", "distill", {}), base, env, demos, SMALL)
    whole, broken = (load_policy(tmp_path / name / "policy").state_dict() for name in ("whole", "broken"))
    assert all(torch.equal(value, broken[key]) for key, value in whole.items())


def test_too_few_steps_are_named_before_anything_begins() -> None:
    with pytest.raises(BurnishError, match="100 env_steps are no step for each of 20 lanes in 6 rounds; give 120"):
        DistillConfig(env_steps=100)
    with pytest.raises(BurnishError, match="must be 1 or more"):
        DistillConfig(updates=0)


def test_a_nan_label_stops_the_run_and_keeps_what_was_seen(base: Policy, demos: Demonstrations, tmp_path: Path) -> None:
    """Nothing is learned from a broken teacher."""
    with torch.no_grad():
        next(base.parameters()).fill_(torch.nan)
    refused = pytest.raises(NonFiniteError, match=r"in lane 0.*nonfinite.safetensors")
    with make_env(demos.task, SMALL.lanes, auto_reset=True) as env, refused:
        train(Run(tmp_path / "run", "distill", {}), base, env, demos, SMALL)
    assert load_file(tmp_path / "run" / "nonfinite.safetensors")[STATE].shape == (SMALL.lanes, 39)
