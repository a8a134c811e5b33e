"""Workers that die again and again: what can be finished is, and the error names the episode to blame."""

import json
import sys

import pytest

from burnish.contract import STATE, Contract, Field
from burnish.errors import BurnishError
from burnish.sim.agents import ZeroAgent
from burnish.sim.evaluate import evaluate
from burnish.sim.protocols import Protocol
from burnish.sim.recovery import REPEATS
from burnish.sim.vector import LanesEnv

FIELD = Field((2,), ("a", "b"), ("m", "m"), "world", 10.0, "identity")
CONTRACT = Contract({STATE: FIELD}, FIELD)
PROTOCOL = Protocol("mortal", 1, "mortal/mortal", 8, 5, lanes=4)
MORTAL = """
import os

class Mortal:
    '''Takes five steps; the process dies in the third one of the seed that `kills`, or when that is reset.'''

    def __init__(self, kills, when):
        self.kills, self.when = kills, when

    def reset(self, seed):
        self.seed, self.steps = seed, 0
        self.die(0)

    def step(self, action):
        self.steps += 1
        self.die(self.steps)
        return False

    def die(self, step):
        if self.seed == self.kills and step == self.when:
            os._exit(7)

    def observe(self, out):
        out["observation.state"][:] = self.steps
"""


@pytest.fixture
def mortal(tmp_path, monkeypatch):
    (tmp_path / "burnish_test_mortal.py").write_text(MORTAL)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "burnish_test_mortal", raising=False)

    def make(kills: int, when: int) -> LanesEnv:
        arguments = {"kills": PROTOCOL.episode_seed(kills), "when": when}
        settings = {"num_envs": 4, "workers": 2, "horizon": 5, "auto_reset": False}
        return LanesEnv(
            "mortal/mortal",
            CONTRACT,
            "burnish_test_mortal:Mortal",
            arguments,
            **settings,
            renderer=lambda poses, size: NotImplemented,
        )

    return make


@pytest.mark.parametrize(("episode", "when", "finished"), [(2, 0, []), (3, 3, []), (7, 3, [0, 1, 2, 3])])
def test_an_episode_that_always_kills_is_named(mortal, tmp_path, episode, when, finished):
    times = f"episode {episode} .mortal/mortal. killed its worker process {REPEATS + 1} times"
    with mortal(episode, when) as env, pytest.raises(BurnishError, match=rf"{times}.*exit status 7.*--eval.workers 1"):
        evaluate(ZeroAgent(CONTRACT, 4), env, PROTOCOL, folder=tmp_path)
    path = tmp_path / "episodes.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    assert sorted(json.loads(line)["episode"] for line in lines) == finished
