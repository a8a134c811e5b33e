"""Worker processes with a lane of the test's own: faults are told with their lane, nothing is left behind."""

import os
import signal
import subprocess
import sys
import time

import pytest
import torch

from burnish.contract import STATE, Contract, Field
from burnish.errors import BurnishError
from burnish.sim.pools import STARTS
from burnish.sim.vector import LanesEnv
from burnish.sim.workers import DeadWorkerError, WorkerError

FIELD = Field((2,), ("a", "b"), ("m", "m"), "world", 10.0, "identity")
CONTRACT = Contract({STATE: FIELD}, FIELD)
CAMERA = "observation.images.front"
IMAGE = Field((2, 2, 3), ("r", "g", "b"), ("1",) * 3, "camera", 10.0, "identity", "uint8")
TOY = """
import os
import numpy as np

class Toy:
    '''Adds up its actions; misbehaves on request.'''

    def reset(self, seed):
        self.total = np.full(2, float(seed))

    def step(self, action):
        if action[0] == 13:
            raise ValueError("the toy broke")
        if action[0] == 66:
            os._exit(3)
        self.total = self.total + action
        return self.total[0] >= 100

    def observe(self, out):
        out["observation.state"][:] = self.total

    def state(self):
        return {"total": self.total}

    def restore(self, state):
        self.total = state["total"]

    def pose(self):
        return {"total": self.total}
"""


@pytest.fixture
def toys(tmp_path, monkeypatch):
    (tmp_path / "burnish_test_toy.py").write_text(TOY)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "burnish_test_toy", raising=False)

    def make(workers: int, lanes: int = 4, horizon: int = 10, images: bool = False) -> LanesEnv:
        return LanesEnv(
            "toy/toy",
            Contract(CONTRACT.observation | {CAMERA: IMAGE}, FIELD) if images else CONTRACT,
            "burnish_test_toy:Toy",
            {},
            num_envs=lanes,
            workers=workers,
            horizon=horizon,
            auto_reset=False,
            renderer=lambda poses, size: NotImplemented,
        )

    return make


def act(env: LanesEnv, **lanes: float) -> torch.Tensor:
    action = torch.zeros(env.num_envs, 2)
    for lane, value in lanes.items():
        action[int(lane[1:])] = value
    return action


@pytest.mark.parametrize("workers", [0, 2])
def test_a_fault_is_told_with_its_lane(toys, workers):
    with toys(workers) as env:
        env.reset([0, 0, 0, 0])
        with pytest.raises(WorkerError, match=r"(?s)lane 3.*the toy broke"):
            env.step(act(env, _3=13))


def test_a_traceback_comes_across(toys):
    with toys(2) as env:
        env.reset([0, 0, 0, 0])
        with pytest.raises(WorkerError, match=r"(?s)Traceback.*in step.*ValueError: the toy broke"):
            env.step(act(env, _2=13))
        with pytest.raises(BurnishError, match="failed before"):
            env.step(act(env))


def test_a_dead_worker_is_told_with_its_lanes(toys):
    with toys(2) as env:
        env.reset([0, 0, 0, 0])
        with pytest.raises(WorkerError, match=r"lanes 2 to 3 died \(exit status 3\)"):
            env.step(act(env, _2=66))


def test_a_crash_while_images_are_drawn_leaves_the_caller_alive(toys):
    """OpenGL crashes: an environment with images keeps every lane in a process of its own."""
    with toys(2, images=True) as env:
        env.reset([0, 0, 0, 0])
        with pytest.raises(DeadWorkerError, match=r"lanes 0 to 1 died \(exit status 3\)") as death:
            env.step(act(env, _1=66))
        assert death.value.lane == 1
        env.restart()
        env.reset([0, 0, 0, 0])
        assert not env.step(act(env, _1=6)).done.any()


@pytest.mark.parametrize("deaths", [1, 9])
def test_a_worker_that_dies_before_it_is_ready_is_started_again(toys, tmp_path, capsys, monkeypatch, deaths):
    stillborn = f"""
    def __init__(self):
        path, apart = {str(tmp_path)!r}, os.environ["TESTS_RUN_IN"] != str(os.getpid())
        if apart and len([name for name in os.listdir(path) if name.startswith("died")]) < {deaths}:
            open(f"{{path}}/died{{os.getpid()}}", "w").close()
            os._exit(5)
"""
    (tmp_path / "burnish_test_toy.py").write_text(TOY + stillborn)
    monkeypatch.setenv("TESTS_RUN_IN", str(os.getpid()))
    if deaths > STARTS:
        with pytest.raises(DeadWorkerError, match=r"lanes 2 to 3 died \(exit status 5\)"):
            toys(2)
    else:
        with toys(2) as env:
            env.reset([0, 0, 0, 0])
    told = capsys.readouterr().err.count("died (exit status 5) before it was ready; started again")
    assert told == min(deaths, STARTS - 1)


def test_a_simulator_that_is_not_there_is_named(toys, tmp_path):
    (tmp_path / "burnish_test_toy.py").write_text("import a_simulator_nobody_has")
    for workers in (0, 2):
        with pytest.raises(BurnishError, match=r"burnish_test_toy:Toy cannot be imported: No module named 'a_sim"):
            toys(workers)


def test_more_workers_than_lanes(toys):
    with toys(7, lanes=2) as env:
        env.reset([1, 2])
        assert env.step(act(env, _1=5)).obs[STATE].tolist() == [[1, 1], [7, 7]]


def test_poses_come_in_the_order_asked_for(toys):
    with toys(2) as env:
        env.reset([1, 2, 3, 4])
        assert [pose["total"][0] for pose in env.poses([3, 0, 2])] == [4, 1, 3]


def test_big_seeds_arrive_whole(toys):
    with toys(2, lanes=2) as env:
        env.reset([2**64 - 1, 2**63])
        assert [int(snapshot["seed"]) for snapshot in env.state()] == [2**64 - 1, 2**63]


CTRL_C = """
import signal, sys, torch
signal.signal(signal.SIGINT, signal.default_int_handler)  # tests started in the background inherit "ignore"
sys.path.insert(0, sys.argv[1])
from burnish.contract import STATE, Contract, Field
from burnish.sim.vector import LanesEnv
FIELD = Field((2,), ("a", "b"), ("m", "m"), "world", 10.0, "identity")
with LanesEnv("toy/toy", Contract({STATE: FIELD}, FIELD), "burnish_test_toy:Toy", {}, num_envs=4, workers=2,
              horizon=10**9, auto_reset=True, renderer=lambda poses, size: None) as env:
    env.reset([0, 0, 0, 0])
    print("ready", flush=True)
    while True:
        env.step(torch.zeros(4, 2))
"""


def test_ctrl_c_is_one_clean_interrupt(toys, tmp_path):
    command = [sys.executable, "-c", CTRL_C, str(tmp_path)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes, start_new_session=True) as process:
        try:
            assert process.stdout is not None and process.stdout.readline() == "ready\n"
            time.sleep(0.2)
            # As a terminal does it: to the whole foreground process group.
            os.killpg(process.pid, signal.SIGINT)
            _, errors = process.communicate(timeout=20)
        finally:
            process.kill()  # one that did not listen would step for ever beside everything that runs later
    assert errors.count("Traceback") == 1 and errors.rstrip().endswith("KeyboardInterrupt")
