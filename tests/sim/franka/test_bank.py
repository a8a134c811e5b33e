"""Starts in the middle of a task: made by the expert, landed in bit for bit, never by an evaluation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from burnish.cli import main
from burnish.errors import BurnishError, CorruptFileError
from burnish.run import read_metrics
from burnish.sim.base import VecEnv, make_env
from burnish.sim.seeds import EVALUATION_FIRST

TASK, LANES = "franka/lift", 4


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("bank") / "lift.safetensors"
    words = f"collect {TASK} --out {out} --states 4 --collect.episodes 3 --collect.lanes 2 --collect.workers 0"
    assert main(words.split()) == 0
    return out


def lanes(path: Path, share: float) -> VecEnv:
    return make_env(TASK, LANES, settings={"bank": str(path), "bank_share": share})


def physics(env: VecEnv) -> list[np.ndarray]:
    return [state["lane/physics"] for state in env.state()]


def test_a_reset_lands_in_a_state_of_the_bank_and_goes_on_as_it_did(path: Path):
    bank = load_file(path)
    with lanes(path, 1.0) as env, lanes(path, 0.0) as plain:
        obs = env.reset([1, 2, 3, 4])
        rows = [int(np.flatnonzero((bank["physics"] == found).all(axis=1))[0]) for found in physics(env)]
        assert len({*rows}) > 1
        for name, kept in bank.items():
            assert all(np.array_equal(kept[row], env.state()[lane][f"lane/{name}"]) for lane, row in enumerate(rows))
        plain.reset([1, 2, 3, 4])
        assert not any((bank["physics"] == found).all(axis=1).any() for found in physics(plain))
        plain.restore(env.state())
        action = torch.from_numpy(np.concatenate([bank["last"][rows][:, :7], np.full((4, 1), 0.02)], axis=1)).float()
        a, b = env.step(action), plain.step(action)
        assert all(torch.equal(a.obs[key], b.obs[key]) for key in obs)
        assert not a.done.any()


def test_where_an_episode_begins_is_a_function_of_its_seed_and_evaluations_begin_as_the_task_does(path: Path):
    with lanes(path, 0.5) as env, lanes(path, 0.5) as again, make_env(TASK, LANES) as plain:
        begun = 0
        for first in range(0, 80, LANES):
            seeds = [*range(first, first + LANES)]
            found, expected, started = env.reset(seeds), again.reset(seeds[::-1]), plain.reset(seeds)
            assert all(torch.equal(found[key], expected[key].flip(0)) for key in found)
            begun += sum(
                not torch.equal(found["observation.state"][i], started["observation.state"][i]) for i in range(4)
            )
        assert 20 < begun < 60
        seeds = [EVALUATION_FIRST + one for one in range(LANES)]
        found, started = env.reset(seeds), plain.reset(seeds)
        assert all(torch.equal(found[key], started[key]) for key in found)


def test_ppo_takes_a_bank_by_one_flag(path: Path, tmp_path: Path):
    words = "--train.env-steps 128 --train.lanes 4 --train.workers 0 --train.steps 16 --train.minibatches 2"
    line = f"train ppo --task {TASK} --bank {path} --out {tmp_path / 'ppo'} {words} --train.horizon 9"
    assert main(line.split()) == 0
    assert read_metrics(tmp_path / "ppo")[-1]["step"] == 128


def test_a_bank_that_does_not_fit_is_one_line(path: Path, tmp_path: Path):
    with pytest.raises(BurnishError, match="is not there; make it: burnish collect franka/lift"):
        lanes(tmp_path / "none", 0.5)
    with pytest.raises(BurnishError, match="bank_share must be from 0 to 1, is 2"):
        lanes(path, 2.0)
    with pytest.raises(BurnishError, match=r"a bank of .*lift.*, but these lanes are .*reach"):
        make_env("franka/reach", 1, settings={"bank": str(path)})
    with pytest.raises(BurnishError, match=r"but these lanes are .*'rate_hz': '50'"):
        make_env(TASK, 1, settings={"bank": str(path), "rate_hz": 50.0})
    with pytest.raises(BurnishError, match="metaworld begins its episodes in no given state"):
        make_env("metaworld/reach", 1, settings={"bank": str(path)})
    for name, content in (("cut", path.read_bytes()[:100]), ("text", b"not a bank")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(CorruptFileError, match="not a bank of states"):
            lanes(tmp_path / name, 0.5)
    save_file({"physics": np.zeros((1, 3))}, tmp_path / "other")
    with pytest.raises(CorruptFileError, match="not a bank of states"):
        lanes(tmp_path / "other", 0.5)
