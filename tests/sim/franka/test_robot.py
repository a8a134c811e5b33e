"""The world stands for the robot: same contract, same motion, same kinematics."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest
import torch

from burnish.contract import ENVIRONMENT_STATE, STATE
from burnish.errors import ContractError
from burnish.fr3 import DOWN, frames
from burnish.real.base import State
from burnish.real.franka.body import FrankaBody
from burnish.real.franka.driver import SPEC
from burnish.real.safety import Safety
from burnish.sim.base import make_env
from burnish.sim.franka.kinematics import jacobian, tool_position
from burnish.sim.franka.model import DAMPING, STIFFNESS, TIMESTEP_S, physics_model
from burnish.sim.franka.motion import ACCELERATION, HIGH, LOW, SetpointMotion
from burnish.sim.franka.tasks import TASKS

PERIOD_S, CYCLES, TICKS = 0.05, 50, 25


def wandering(seed: int, amplitude: float) -> np.ndarray:
    """(60, 7) joint positions for 3 s at 20 Hz, from rest at `DOWN`."""
    random = np.random.default_rng(seed)
    t = np.arange(1, 61)[:, None] * PERIOD_S
    frequency, phase = random.uniform(0.2, 0.5, 7), random.uniform(0, 6, 7)
    begin = np.minimum(1, t)
    sway = amplitude * random.uniform(0.3, 1, 7) * (np.sin(2 * np.pi * frequency * t + phase) - np.sin(phase))
    return np.array(DOWN) + sway * begin**2 * (3 - 2 * begin)


def on_simulated_robot(actions: np.ndarray) -> np.ndarray:
    """(3000, 7) joints, every millisecond, of the simulated robot behind the driver's own `Safety`."""
    from franky_sim.mujoco_simulator import MujocoSimulator

    from burnish.real.franka.server import Arm

    world, arm = MujocoSimulator(), Arm(initial_q=DOWN, initial_hand_width=0.08)
    world.init()
    world.add_robot(initial_q=DOWN, initial_hand_width=0.08)
    world._robots[0] = arm
    world.start()
    world.model.dof_frictionloss[:] = 0
    safety, found = Safety(SPEC, body=FrankaBody()), []
    chunk = np.append(actions, np.full((len(actions), 1), 0.08), axis=1)
    for cycle in range(len(actions) * CYCLES):
        q = world.data.qpos[:7].copy()
        values, measured = np.concatenate([q, world.data.qvel[:7], [0.08]]), np.append(q, 0.08)
        state = State(cycle * 1e-3, values, measured, np.full(8, np.nan), reference=np.append(arm.q_d, 0.08))
        if cycle == 0:
            safety.start(state)
        if cycle % CYCLES == 0:
            safety.want(state, chunk[cycle // CYCLES :][:7], CYCLES)
        arm.joint_position_control(safety.step(state).values[:7])
        world.step()
        found.append(world.data.qpos[:7].copy())
    assert safety.verdict is None
    return np.array(found)


def in_the_world(actions: np.ndarray) -> np.ndarray:
    """(1500, 7) joints, every 2 ms."""
    model = physics_model(TASKS["reach"])
    data, motion, found = mujoco.MjData(model), SetpointMotion(1, TICKS, TIMESTEP_S), []
    data.qpos[:7], data.qpos[7:9], data.ctrl[7:] = DOWN, 0.04, 0.04
    motion.now[0], motion.last[:] = DOWN, DOWN
    for action in actions:
        for position, velocity in zip(*motion.follow(np.array([0]), action[None]), strict=True):
            data.ctrl[:7] = STIFFNESS * position[0] + DAMPING * velocity[0]
            mujoco.mj_step(model, data)
            found.append(data.qpos[:7].copy())
    return np.array(found)


@pytest.mark.parametrize(("amplitude", "tolerance"), [(0.15, 0.003), (0.4, 0.012)])
def test_actions_move_it_as_they_move_the_simulated_robot(amplitude, tolerance):
    """3 s of actions: the largest difference of any joint at any time, rad. What remains is that the driver knows
    which actions follow, and that a robot's motion joins the first ones later."""
    actions = wandering(1, amplitude)
    assert np.abs(on_simulated_robot(actions)[1::2] - in_the_world(actions)).max() < tolerance


def test_the_environment_plays_that_motion():
    actions = wandering(0, 0.2)
    expected = in_the_world(actions)
    with make_env("franka/reach", 1) as env:
        env.reset([0])
        snapshot = env.state()
        snapshot[0]["lane/physics"][1:8] = snapshot[0]["lane/last"][:] = DOWN
        snapshot[0]["lane/motion"][0], snapshot[0]["lane/target"][:] = DOWN, 9.0
        env.restore(snapshot)
        for count, action in enumerate(actions, start=1):
            wish = torch.tensor(np.append(action, 0.08)[None], dtype=torch.float32)
            obs = env.step(wish).obs
            assert np.allclose(obs[STATE][0, :7], expected[count * TICKS - 1], atol=1e-5)


def test_set_points_stay_inside_velocity_acceleration_and_range():
    motion, random = SetpointMotion(4, TICKS, TIMESTEP_S), np.random.default_rng(0)
    motion.now[0], motion.last[:] = DOWN, DOWN
    before = motion.now[1].copy()
    for _ in range(100):
        position, velocity = motion.follow(np.arange(4), random.uniform(LOW - 1, HIGH + 1, (4, 7)))
        change = np.diff(np.concatenate([before[None], velocity]), axis=0) / TIMESTEP_S
        before = velocity[-1]
        assert (np.abs(change) <= ACCELERATION * 1.01).all()
        assert (position >= LOW - 1e-9).all() and (position <= HIGH + 1e-9).all()
        assert (np.abs(velocity) <= 0.8 * np.array(SPEC.limits.velocity[:7]) + 1e-9).all()


def test_a_policy_without_the_simulators_knowledge_fits_the_robot():
    with make_env("franka/lift", 1) as env:
        SPEC.check(env.contract.only([STATE]), here="policy")
        with pytest.raises(ContractError, match=ENVIRONMENT_STATE):
            SPEC.check(env.contract, here="policy")


def test_the_tool_is_where_the_robots_own_kinematics_has_it():
    joints = np.random.default_rng(0).uniform(-1, 1, (5, 7))
    body = FrankaBody()
    assert np.allclose(tool_position(joints), [body.tool(one) for one in joints])
    moved = (tool_position(joints + 1e-6 * np.eye(7)[2]) - tool_position(joints)) / 1e-6
    assert np.allclose(jacobian(frames(joints))[:, :3, 2], moved, atol=1e-4)
