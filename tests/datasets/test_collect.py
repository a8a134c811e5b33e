"""Recording the real expert in the real environment."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from burnish.contract import STATE
from burnish.datasets.collect import CollectConfig, collect
from burnish.datasets.demonstrations import Demonstrations
from burnish.datasets.experts.metaworld import MetaWorldExpert
from burnish.datasets.store import load_demonstrations
from burnish.errors import BurnishError, UnknownNameError
from burnish.sim.base import make_env

CONFIG = CollectConfig(task="metaworld/peg-insert-side", episodes=4, noise=0.3, push_steps=16, lanes=4)


def record(config: CollectConfig, out: Path, expert: MetaWorldExpert | None = None) -> tuple[dict, Demonstrations]:
    with make_env(config.task, config.lanes, workers=config.workers, horizon=config.horizon) as env:
        expert = expert or make_expert(config)
        return collect(env, expert, config, out), load_demonstrations(out)


def make_expert(config: CollectConfig) -> MetaWorldExpert:
    name = config.task.partition("/")[2]
    return MetaWorldExpert(name, config.lanes, noise=config.noise, push_steps=config.push_steps)


class Interrupted(MetaWorldExpert):
    """Stops like Ctrl-C after some calls."""

    calls_left = 120

    def act(self, obs):
        self.calls_left -= 1
        if self.calls_left < 0:
            raise KeyboardInterrupt
        return super().act(obs)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict, Demonstrations, Path]:
    out = tmp_path_factory.mktemp("collect") / "dataset"
    return *record(CONFIG, out), out


def same(a: Demonstrations, b: Demonstrations) -> bool:
    return np.array_equal(a.action, b.action) and np.array_equal(a.obs[STATE], b.obs[STATE])


def test_it_keeps_as_many_successes_as_asked_for_and_counts_the_rest(recorded):
    result, demos, _ = recorded
    assert result["episodes"] == len(demos.lengths) == 4
    assert result["frames"] == len(demos.action)
    assert result["attempts"] >= 4
    assert result["success"] == 4 / result["attempts"]
    assert result["env_steps"] >= result["frames"]
    assert demos.task == "metaworld/peg-insert-side"


def test_labels_are_physical_and_inside_the_bounds(recorded):
    _, demos, _ = recorded
    field = demos.contract.action
    assert field.low is not None
    assert field.high is not None
    assert (demos.action >= np.float32(field.low)).all()
    assert (demos.action <= np.float32(field.high)).all()
    assert np.abs(demos.action[:, :3]).max() == pytest.approx(0.01)


def test_labels_are_the_undisturbed_expert(recorded):
    _, demos, _ = recorded
    clean = MetaWorldExpert("peg-insert-side", len(demos.action))
    assert np.array_equal(clean.act({STATE: torch.from_numpy(demos.obs[STATE])}).numpy(), demos.action)


def test_lanes_and_workers_do_not_change_the_dataset(recorded, tmp_path: Path):
    result, demos, _ = recorded
    other = dataclasses.replace(CONFIG, lanes=3, workers=2)
    again, others = record(other, tmp_path / "dataset")
    assert same(demos, others)
    assert {**again, "wall_s": 0} == {**result, "wall_s": 0}


def test_an_interrupted_recording_resumes_without_repeating_what_was_finished(recorded, tmp_path: Path):
    result, demos, _ = recorded
    out = tmp_path / "dataset"
    config = dataclasses.replace(CONFIG, lanes=1)
    with pytest.raises(KeyboardInterrupt):
        record(config, out, Interrupted("peg-insert-side", 1, noise=CONFIG.noise, push_steps=CONFIG.push_steps))
    assert not out.exists()
    kept = list(tmp_path.glob(".dataset.attempts/attempt_*.safetensors"))
    assert kept
    written = {path: path.stat().st_mtime_ns for path in kept}

    class Watching(MetaWorldExpert):
        def act(self, obs):
            assert {path: path.stat().st_mtime_ns for path in kept} == written
            return super().act(obs)

    watching = Watching("peg-insert-side", 1, noise=CONFIG.noise, push_steps=CONFIG.push_steps)
    again, others = record(config, out, watching)
    assert same(demos, others)
    assert again["env_steps"] == result["env_steps"]
    assert [path.name for path in tmp_path.iterdir()] == ["dataset"]


def test_a_complete_recording_is_not_repeated_and_another_is_refused(recorded):
    result, _, out = recorded
    assert record(CONFIG, out)[0] == result
    with pytest.raises(BurnishError, match="seed: 0 there, 1 now"):
        record(dataclasses.replace(CONFIG, seed=1), out)


def test_what_another_expert_showed_is_not_mixed_with_it(tmp_path: Path):
    one = dataclasses.replace(CONFIG, episodes=1)
    with make_env(one.task, 1) as env:
        expert = MetaWorldExpert("peg-insert-side", 1)
        for _ in range(2):
            collect(env, expert, one, tmp_path / "dataset", {"expert_fingerprint": "first"})
        with pytest.raises(BurnishError, match="'first' there, 'second' now"):
            collect(env, expert, one, tmp_path / "dataset", {"expert_fingerprint": "second"})


def test_another_seed_gives_other_episodes(recorded, tmp_path: Path):
    _, demos, _ = recorded
    _, others = record(dataclasses.replace(CONFIG, seed=1, episodes=1), tmp_path / "dataset")
    assert not np.array_equal(demos.obs[STATE][0], others.obs[STATE][0])


def test_an_expert_that_never_succeeds_ends_with_advice(tmp_path: Path):
    hopeless = dataclasses.replace(CONFIG, horizon=5, episodes=1)
    with pytest.raises(BurnishError, match="0 of 20 attempts"):
        record(hopeless, tmp_path / "dataset")
    assert not (tmp_path / "dataset").exists()


def test_a_lane_of_the_expert_depends_on_its_own_seed_alone():
    obs = {STATE: torch.rand(3, 39)}
    one, other = (MetaWorldExpert("reach", 3, noise=0.5, push_steps=10) for _ in range(2))
    one.reset([0, 1, 2], [5, 6, 7])
    other.reset([1], [6])
    for _ in range(20):
        assert torch.equal(one.act(obs)[1], other.act(obs)[1])


def test_there_is_an_expert_for_each_of_the_fifty_tasks():
    from metaworld.env_dict import ALL_V3_ENVIRONMENTS

    for name in ALL_V3_ENVIRONMENTS:
        expert = MetaWorldExpert(name.removesuffix("-v3"), 2)
        assert expert.act({STATE: torch.zeros(2, 39)}).shape == (2, 4)


def test_an_unknown_task_is_answered_with_the_closest_one():
    with pytest.raises(UnknownNameError, match="did you mean 'peg-insert-side'"):
        MetaWorldExpert("pegg-insert", 1)
