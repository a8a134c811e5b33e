"""What the recurrent policy promises beyond the contract of every policy."""

import numpy as np
import pytest
import torch

from burnish.contract import ENVIRONMENT_STATE, STATE
from burnish.errors import BurnishError
from burnish.exported import ExportedPolicy
from burnish.policies.base import make_policy
from burnish.policies.export import ExportConfig, export
from burnish.real.server.planner import open_planner
from burnish.rl_finetune.meta_imitation import RELATIVE, MetaImitationConfig, scales
from burnish.sim.quadrotor.env import contract
from burnish.sim.quadrotor.tasks import HOVER

CONTRACT = contract(HOVER)


@pytest.fixture(scope="module")
def student():
    return MetaImitationConfig().fresh(CONTRACT).eval()


def observe(count: int, seed: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {key: torch.randn(count, *field.shape, generator=generator) for key, field in CONTRACT.observation.items()}


def test_it_is_of_raptors_size(student):
    assert sum(value.numel() for value in student.parameters()) == 2084


@torch.no_grad()
def test_only_the_distance_to_the_target_counts(student):
    obs = observe(3, 0)
    moved = {key: value.clone() for key, value in obs.items()}
    moved[STATE][:, :3] += 5.0
    moved[ENVIRONMENT_STATE][:, :3] += 5.0
    assert torch.allclose(student.read(obs), student.read(moved), atol=1e-5)


def test_what_it_did_changes_what_it_does_and_a_new_episode_forgets(student):
    agent = student.agent(2)
    agent.reset([0, 1], [1, 2])
    first, second = agent.act(observe(2, 0)), agent.act(observe(2, 0))
    assert not torch.equal(first, second)
    agent.reset([1], [3])
    third = agent.act(observe(2, 0))
    assert torch.equal(third[1], first[1]) and not torch.equal(third[0], first[0])


def test_exported_and_served_it_remembers_as_in_torch(student, tmp_path):
    export(student, tmp_path, ExportConfig(observations=16, calls=3))
    exported, agent = ExportedPolicy(tmp_path), student.agent(1)
    served, other = open_planner(tmp_path).fresh(), open_planner(tmp_path).fresh()
    agent.reset([0], [0])
    memory, random = exported.begin(1), np.random.default_rng(0)
    for moment in range(5):
        obs = observe(1, moment)
        arrays = {key: value.numpy() for key, value in obs.items()}
        expected = agent.act(obs).numpy()
        chunk, memory = exported.go_on(arrays, memory)
        assert np.abs(chunk[:, 0] - expected).max() < 1e-5
        one = {key: value[0] for key, value in arrays.items()}
        assert np.abs(served.plan(one, random) - expected).max() < 1e-5
    assert np.abs(other.plan(one, random) - expected).max() > 1e-6
    assert exported.trained["mass"] == pytest.approx((0.02, 4.0))


def test_a_pair_that_nobody_observes_is_named():
    with pytest.raises(BurnishError, match="relative: 'target_q' is not one of the numbers observed: target_x"):
        make_policy("recurrent", CONTRACT, scales(CONTRACT), relative=(*RELATIVE[:2], ("z", "target_q")))
