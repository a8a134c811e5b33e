"""The world stands for the robot: same contract, same motion, and nothing is earned by what would halt it."""

import numpy as np
import pytest
import torch

from burnish import gait, registry
from burnish.contract import ENVIRONMENT_STATE, STATE
from burnish.errors import BurnishError, UnknownNameError
from burnish.real.base import State
from burnish.real.safety import Safety
from burnish.real.unitree.body import Body
from burnish.real.unitree.driver import robot_spec
from burnish.sim.base import make_env
from burnish.sim.unitree.model import TIMESTEP_S
from burnish.unitree import CYCLE_HZ, G1, GO2

CERTAIN = {"mass": 0.0, "friction": 0.0, "stiffness": 0.0, "early": 0.0, "noise": 0.0, "push": 0.0}
STANDING = torch.tensor([GO2.path[-1]], dtype=torch.float32)
SECONDS, RATE_HZ = 2.0, 50.0


def swaying(seconds: float) -> np.ndarray:
    """(T, 12) it goes up and down on its legs, twice a second."""
    time = np.arange(1, round(seconds * RATE_HZ) + 1)[:, None] / RATE_HZ
    return np.array(GO2.path[-1]) + np.array([0.0, 0.1, -0.2] * 4) * np.sin(4 * np.pi * time)


def on_simulated_robot(actions: np.ndarray) -> np.ndarray:
    """(T, 12) joints after each action, of the simulated robot's body behind the driver's own `Safety`."""
    spec, body, found = robot_spec(GO2), Body(GO2, GO2.path[-1]), []
    safety, cycles = Safety(spec), round(CYCLE_HZ / RATE_HZ)
    nothing = np.zeros(12)
    safety.start(State(0.0, nothing, body.q, nothing))
    for step, last in enumerate([body.q.copy(), *actions[:-1]]):  # an action is played a step after it was asked for
        for cycle in range(cycles):
            state = State((step * cycles + cycle) / CYCLE_HZ, nothing, body.q, nothing)
            if cycle == 0:
                safety.want(state, last[None], cycles)
            target = safety.step(state).values
            for _ in range(round(1 / CYCLE_HZ / TIMESTEP_S)):
                body.step(GO2.policy.kp * (target - body.q) - GO2.policy.kd * body.dq)
        found.append(body.q.copy())
    assert safety.verdict is None
    return np.array(found)


def as_it_begins(snapshot: list[dict]) -> list[dict]:
    """`snapshot` of one lane, where the simulated robot's body is at first."""
    rows, body = snapshot[0]["rows"], Body(GO2, GO2.path[-1])
    nq, nv = body.physics.nq, body.physics.nv
    rows["physics"][0, 1 : 1 + nq] = torch.from_numpy(body.data.qpos)
    rows["physics"][0, 1 + nq : 1 + nq + nv] = 0.0
    rows["target"][0] = rows["setpoint"][0] = torch.from_numpy(body.q)
    return snapshot


def test_actions_move_it_as_they_move_the_simulated_robot():
    actions = swaying(SECONDS)
    expected, found = on_simulated_robot(actions), []
    with make_env("unitree/stand", 1, settings={"randomize": CERTAIN}) as env:
        env.reset([0])
        env.restore(as_it_begins(env.state()))
        for action in actions:
            found.append(env.step(torch.tensor(action[None], dtype=torch.float32)).obs[STATE][0, 6:18].numpy())
    assert np.abs(np.array(found) - expected).max() < 0.05


def test_what_is_trained_here_fits_the_driver():
    with make_env("unitree/velocity", 1) as env:
        robot_spec(GO2).check(env.contract.only([STATE]), here="policy")
        assert env.contract.observation[ENVIRONMENT_STATE].names == gait.NAMES


def test_what_safety_would_halt_for_earns_nothing_and_is_no_success():
    options = {"horizon": 100, "dense_reward": True, "settings": {"randomize": CERTAIN}}
    with make_env("unitree/stand", 2, **options) as env:
        env.reset([1, 2])
        for count in range(100):
            action = STANDING.repeat(2, 1)
            action[1, 2] += 0.6 * (count == 50)
            step = env.step(action)
            assert (step.info["dense_reward"] > 0).tolist() == [True, count != 50]
    assert step.info["success"].tolist() == [True, False]
    assert not step.info["crashed"].any()


def test_one_that_falls_over_has_crashed_and_one_that_stands_has_not():
    folded = STANDING.repeat(2, 1)
    folded[1, [1, 2, 7, 8]] = torch.tensor([3.0, -2.7, 3.0, -2.7])  # the legs on its right
    with make_env("unitree/stand", 2, horizon=100, dense_reward=True, settings={"randomize": CERTAIN}) as env:
        env.reset([1, 2])
        running, solved, crashed, action = [0, 1], [], [], STANDING.repeat(2, 1)
        while running:
            action += (folded - action).clamp(-0.1, 0.1)
            step = env.step(action, ids=running)
            solved += [lane for lane in running if step.terminated[lane]]
            crashed += [lane for lane in running if step.info["crashed"][lane]]
            assert ((step.info["dense_reward"] >= 0) & (step.info["dense_reward"] <= 1)).all()
            running = [lane for lane in running if not step.done[lane]]
    assert (solved, crashed) == ([0], [1])


def test_velocities_are_asked_for_within_what_the_contract_says():
    with make_env("unitree/velocity", 200) as env:
        field = env.contract.observation[ENVIRONMENT_STATE]
        told = env.reset(range(200))[ENVIRONMENT_STATE].numpy()
    assert (told >= np.array(field.low) - 1e-6).all() and (told <= np.array(field.high) + 1e-6).all()
    still = (told[:, :3] == 0).all(1)
    assert 0 < still.sum() < 100
    assert (told[still, 3:] == 0).all() and np.allclose(np.linalg.norm(told[~still, 3:], axis=1), 1, atol=1e-6)


def test_the_expert_walks():
    """Eight robots for 6 s at 0.5 m/s, from starts and on floors of their own."""
    with make_env("unitree/velocity", 8, horizon=300) as env:
        expert = registry.experts.load("unitree")(env)
        env.reset(range(8))
        snapshot = env.state()
        for lane in snapshot:
            lane["rows"]["asked"][:] = torch.tensor([0.5, 0.0, 0.0])
        obs, running, crashed = env.restore(snapshot), list(range(8)), 0
        while running:
            step = env.step(expert.act(obs), ids=running)
            obs, crashed = step.obs, crashed + int(step.info["crashed"].sum())
            running = [lane for lane in running if not step.done[lane]]
        walked = [lane["rows"]["physics"][0, 1] for lane in env.state()]
    assert crashed <= 3
    assert np.median(walked) > 1.5


@pytest.mark.parametrize(("task", "seconds"), [("unitree/g1-walk", 6), ("unitree/g1-walk-track", 4)])
def test_the_g1s_expert_walks(task, seconds):
    """Eight of them at 0.2 m/s, from starts and on floors of their own, with noise and pushes; a clip raises an arm."""
    with make_env(task, 8, horizon=50 * seconds) as env:
        expert = registry.experts.load("unitree")(env)
        env.reset(range(8))
        snapshot = env.state()
        for lane in snapshot:
            lane["rows"]["asked"][:] = torch.tensor([0.2, 0.0, 0.0])
        obs, running, crashed = env.restore(snapshot), list(range(8)), 0
        while running:
            step = env.step(expert.act(obs), ids=running)
            obs, crashed = step.obs, crashed + int(step.info["crashed"].sum())
            running = [lane for lane in running if not step.done[lane]]
        walked = [lane["rows"]["physics"][0, 1] for lane in env.state()]
    assert crashed <= 3
    assert np.median(walked) > 0.1 * seconds


@pytest.mark.parametrize("task", ["unitree/g1-stand", "unitree/g1-track"])
def test_a_g1_fits_the_driver_and_its_expert_balances_it(task):
    """Four robots for 5 s, from starts and on floors of their own; the clip waves by then."""
    with make_env(task, 4, horizon=250) as env:
        robot_spec(G1).check(env.contract.only([STATE]), here="policy")
        expert = registry.experts.load("unitree")(env)
        obs, running, solved = env.reset(range(4)), list(range(4)), 0
        while running:
            step = env.step(expert.act(obs), ids=running)
            obs, solved = step.obs, solved + int(step.terminated.sum())
            running = [lane for lane in running if not step.done[lane]]
    assert solved >= 3


def test_a_g1_follows_a_clip_from_a_file_and_is_told_of_a_bad_one(tmp_path):
    path = tmp_path / "turn.csv"
    path.write_text("time_s,waist_yaw_joint\n0,0\n0.1,0.3\n0.2,0.3\n")
    with make_env(f"unitree/g1-track:{path}", 1) as env:
        env.reset([0])
        env.restore([lane | {"rows": lane["rows"] | {"seconds": torch.tensor([9.0])}} for lane in env.state()])
        step = env.step(torch.tensor([G1.path[-1]]))
        assert step.obs[ENVIRONMENT_STATE][0, 0] == pytest.approx(0.3)
    path.write_text("time_s,waist_yaw_joint\n0,0\n0.1,3\n")
    with pytest.raises(BurnishError, match=r"waist_yaw_joint is 3.000 rad at 0.10 s, 0.382 rad above"):
        make_env(f"unitree/g1-track:{path}", 1)
    with pytest.raises(UnknownNameError, match="unknown task 'unitree/stand:"):
        make_env(f"unitree/stand:{path}", 1)


def test_the_robots_clock_begins_with_the_first_question():
    moments = iter([100.0, 100.0 + 0.25 / GO2.steps_hz])
    sense = gait.Gait((0.5, 0.0, 0.0), GO2.steps_hz, clock=lambda: next(moments))
    assert np.allclose(sense(), [0.5, 0, 0, 0, 1])
    assert np.allclose(sense(), [0.5, 0, 0, 1, 0], atol=1e-6)


@pytest.mark.parametrize(
    ("settings", "kind", "message"),
    [({"frictions": 0.1}, UnknownNameError, "did you mean 'friction'"), ({"mass": 1.5}, BurnishError, "mass")],
)
def test_bad_randomization_is_named(settings, kind, message):
    with pytest.raises(kind, match=message):
        make_env("unitree/stand", 1, settings={"randomize": settings})
