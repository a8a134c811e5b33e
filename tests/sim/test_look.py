"""A policy that reads images costs one look per plan, at the right moment, whatever the number of workers."""

import dataclasses
import sys

import numpy as np
import pytest
import torch

from burnish.contract import ACTION, IMAGES, STATE, Contract, Field
from burnish.policies.base import Policy
from burnish.sim.evaluate import evaluate
from burnish.sim.protocols import Protocol
from burnish.sim.vector import LanesEnv
from burnish.sim.workers import WorkerError

REPLAN, HORIZON, EYE = 3, 8, f"{IMAGES}eye"
ONE = Field((1,), ("looks",), ("1",), "none", 10.0, "identity")
PIXEL = Field((1, 1, 3), ("r", "g", "b"), ("1/255",) * 3, "camera", 10.0, "identity", "uint8")
CONTRACT = Contract({STATE: ONE, EYE: PIXEL}, dataclasses.replace(ONE, low=(-200.0,), high=(200.0,)))
PROTOCOL = Protocol("toy", 1, "toy/toy", episodes=6, horizon=HORIZON, lanes=4)
TOY = f"""
class Toy:
    '''Its image shows how many steps it took; it refuses an action planned on any other image than it should be.'''

    def reset(self, seed):
        self.steps = self.looks = 0

    def step(self, action):
        if action[0] != self.steps - self.steps % {REPLAN}:
            raise ValueError(f"step {{self.steps}}: planned on the image of step {{action[0]}}")
        self.steps += 1
        return False

    def observe(self, out):
        out["{STATE}"][:] = self.looks

    def look(self, out, pose=None):
        if self.steps % 7 == 5:
            raise ValueError("the toy went blind")
        self.looks += 1
        out["{EYE}"][:] = self.steps
"""


@dataclasses.dataclass(frozen=True)
class Config:
    replan: int = REPLAN


class Seer(Policy):
    """Does what it sees."""

    name, Config, horizon, nfe = "seer", Config, 4, 1

    def encode(self, obs, generator=None):
        return obs[EYE][:, 0, 0, :1].float()

    def loss(self, batch, generator):
        raise NotImplementedError

    def sample(self, condition, noise):
        return condition[:, None].expand(-1, self.horizon, -1)


@pytest.fixture
def seer() -> Policy:
    policy = Seer(Config(), CONTRACT, {key: {"count": np.array(1)} for key in (STATE, EYE, ACTION)})
    policy.register_parameter("nothing", torch.nn.Parameter(torch.zeros(1)))
    return policy


@pytest.fixture(params=[0, 2])
def env(request, tmp_path, monkeypatch):
    (tmp_path / "burnish_test_eye.py").write_text(TOY)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "burnish_test_eye", raising=False)
    settings = {"num_envs": 4, "workers": request.param, "horizon": HORIZON, "auto_reset": False}
    with LanesEnv("toy/toy", CONTRACT, "burnish_test_eye:Toy", {}, renderer=None, **settings) as made:
        yield made


def test_every_plan_costs_one_look_at_the_present(env, seer):
    looks = []
    evaluation = evaluate(
        seer.agent(4), env, PROTOCOL, watch=lambda running, steps: looks.append(env._buffers.obs[STATE].copy())
    )
    assert evaluation.episodes == 6 and evaluation.env_steps == 6 * HORIZON
    assert max(float(each.max()) for each in looks) == -(-HORIZON // REPLAN)


def test_a_camera_that_fails_is_told_with_its_lane(env):
    env.reset([1, 2, 3, 4])
    for step in range(5):
        env.step(torch.full((4, 1), float(step - step % REPLAN)), ids=[3])
    assert env.look([0, 1])[EYE].flatten(1)[:, 0].tolist() == [0, 0, 0, 0]
    with pytest.raises(WorkerError, match=r"(?s)lane 3.*the toy went blind"):
        env.look([3])
