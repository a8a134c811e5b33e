"""One Meta-World environment as a lane: an episode is a pure function of its seed, and a step costs little beyond
its physics. Imports no torch, so that worker processes start fast.

Observations and success are Meta-World's own, bit for bit; its dense reward is computed only if somebody asks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import mujoco
import numpy as np
from gymnasium.utils import seeding

from burnish.contract import ENVIRONMENT_STATE, POINTS, STATE
from burnish.points import Cloud, lift, sample
from burnish.sim.camera import TABLE_VIEW
from burnish.sim.depth import DepthCamera, put
from burnish.sim.lanes import Arrays
from burnish.sim.metaworld_reset import Pristine, make_metaworld
from burnish.sim.metaworld_tasks import TASKS
from burnish.sim.uncertain import Uncertainty

MAX_STEP_M = 0.01
"""Largest commanded displacement per step; Meta-World's `action_scale`."""
FRAME = 18
"""Numbers that describe one moment: hand, gripper opening, two objects."""
_OBJECT = tuple(f"object{i}_{part}" for i in (1, 2) for part in ("x", "y", "z", "qa", "qb", "qc", "qd"))
_NAMES = ("hand_x", "hand_y", "hand_z", "gripper_opening", *_OBJECT)
_UNITS = ("m", "m", "m", "1") + ("m", "m", "m", "1", "1", "1", "1") * 2
BEST_REWARD = 10.0
"""Of Meta-World's dense rewards."""
HAND = 4
"""The first of them are what a robot knows of itself: hand and gripper opening."""
STATE_NAMES = (*_NAMES, *(f"previous_{name}" for name in _NAMES), "goal_x", "goal_y", "goal_z")
STATE_UNITS = (*_UNITS, *_UNITS, "m", "m", "m")
DEPTH_PX = 96
"""Rays per side of the depth camera."""
LOW, HIGH = (-0.55, 0.35, 0.005), (0.55, 0.95, 0.45)
"""What of a cloud is kept, m: the space over the table."""


class MetaWorldLane:
    """One environment of `task` ("peg-insert-side"); `points`: of the cloud it sees, if it sees one."""

    def __init__(self, task: str, points: int | None = None, randomize: Mapping[str, float] | None = None) -> None:
        self.env = make_metaworld(task)
        self.model, self.data = self.env.model, self.env.data
        self._uncertain = Uncertainty(randomize, self.model, "hand")
        self._pristine = Pristine(self.env)
        self._seed = 0
        self._cloud = None
        if points is not None:
            self._cloud = Cloud(LOW, HIGH, points)
            self._depth, self._seen = DepthCamera(self.model, TABLE_VIEW, DEPTH_PX), mujoco.MjData(self.model)
        self._obs, self._frame = np.zeros(39), np.zeros(FRAME)
        data = self.data
        # Views of MuJoCo's memory: they always show the present values.
        self._mocap, self._ctrl, self._hand = data.mocap_pos[0], data.ctrl, data.body("hand").xpos
        self._right, self._left = data.body("rightclaw").xpos, data.body("leftclaw").xpos
        self._objects = [(position(data), rotation(data)) for position, rotation in TASKS[task].objects]
        self._solved = TASKS[task].solved
        self._reach = list(zip(self.env.mocap_low.tolist(), self.env.mocap_high.tolist(), strict=True))
        space = self.env.sawyer_observation_space
        self._low, self._high = space.low, space.high

    def reset(self, seed: int) -> None:
        """Meta-World's own reset, in the state of a freshly made environment, with `seed`."""
        self._pristine.restore(self.env)
        self._seed = seed
        self._uncertain.begin(seed)
        self.env.np_random = seeding.np_random(seed)[0]
        self._obs[:] = self.env.reset()[0]
        self._frame[:] = self._obs[:FRAME]

    def step(self, action: np.ndarray) -> bool:
        """Apply (dx, dy, dz) metres and grip effort; what exceeds Meta-World's bounds is clipped, as it does."""
        with self._uncertain.step(self.model) as late:
            self._move(action, late)
        # Meta-World runs all of mj_forward; only the poses of the new moment are looked at.
        mujoco.mj_kinematics(self.model, self.data)
        self._look()
        return self._solved(self.env, self._obs)

    def _move(self, action: np.ndarray, late: int) -> None:
        """Physics of one step; the first ticks, as many as the action is `late`, still follow the one before."""
        if late:
            mujoco.mj_step(self.model, self.data, nstep=late)
        *command, grip = normalized(action)
        for axis, (here, move, (low, high)) in enumerate(zip(self._mocap.tolist(), command, self._reach, strict=True)):
            self._mocap[axis] = min(max(here + min(max(move, -1.0), 1.0) * MAX_STEP_M, low), high)
        self._ctrl[0], self._ctrl[1] = grip, -grip
        mujoco.mj_step(self.model, self.data, nstep=self.env.frame_skip - late)

    def dense_reward(self, action: np.ndarray) -> float:
        """Meta-World's, between 0 and 1; it costs five times the physics, and wants the contacts of the new moment."""
        mujoco.mj_forward(self.model, self.data)
        return float(self.env.evaluate_state(self._obs, np.array(normalized(action)))[0]) / BEST_REWARD

    def observe(self, out: Arrays) -> None:
        """Meta-World's 39 numbers, goal included; with points, what the robot knows of itself and, apart, all 39."""
        known = self._seen_wrong()
        if self._cloud is None:
            out[STATE][:] = known
        else:
            out[STATE][:], out[ENVIRONMENT_STATE][:] = self._obs[:HAND], known

    def look(self, out: Arrays, pose: Arrays | None = None) -> None:
        """The cloud a depth camera sees of the table now, or at `pose`."""
        assert self._cloud is not None
        put(self._seen, self.pose() if pose is None else pose)
        points = lift(self._depth.look(self._seen), self._depth.focal_px, *self._depth.pose(self._seen))
        out[POINTS][:] = sample(points, self._cloud)

    def state(self) -> Arrays:
        """The episode's seed, MuJoCo's integration state and the last observation."""
        kind = mujoco.mjtState.mjSTATE_INTEGRATION
        physics = np.zeros(mujoco.mj_stateSize(self.model, kind))
        mujoco.mj_getState(self.model, self.data, physics, kind)
        kept = {"seed": np.array(self._seed), "physics": physics, "obs": self._obs.copy(), "frame": self._frame.copy()}
        return kept | self._uncertain.state()

    def restore(self, state: Arrays) -> None:
        """Replay the reset (it places bodies and goals), then put the physics back."""
        self.reset(int(state["seed"]))
        physics = np.ascontiguousarray(state["physics"])
        mujoco.mj_setState(self.model, self.data, physics, mujoco.mjtState.mjSTATE_INTEGRATION)
        mujoco.mj_kinematics(self.model, self.data)
        self._obs[:], self._frame[:] = state["obs"], state["frame"]
        self._uncertain.restore(state)

    def pose(self) -> Arrays:
        """World poses of geoms, sites and bodies."""
        return {name: getattr(self.data, name).copy() for name in ("geom_xpos", "geom_xmat", "site_xpos", "xipos")}

    def _seen_wrong(self) -> np.ndarray:
        """The observation with noise on the objects; what was seen before stays as it was seen."""
        seen, objects = self._obs.copy(), FRAME - HAND
        for first, before in ((HAND, 0), (FRAME + HAND, 1)):
            seen[first : first + objects] += self._uncertain.seen(objects, before)
        return seen

    def _look(self) -> None:
        obs, frame = self._obs, self._frame
        obs[FRAME : 2 * FRAME] = frame
        frame[:3] = self._hand
        fingers = self._right - self._left
        frame[3] = min(max(math.sqrt(fingers.dot(fingers)) / 0.1, 0.0), 1.0)
        start = 4
        for position, rotation in self._objects:
            frame[start : start + 3] = position()
            frame[start + 3 : start + 7] = rotation()
            start += 7
        obs[:FRAME] = frame
        obs[2 * FRAME :] = self.env._target_pos
        np.maximum(obs, self._low, out=obs)
        np.minimum(obs, self._high, out=obs)


def normalized(action: np.ndarray) -> list[float]:
    """Physical action (4,) to Meta-World's: [-1, 1] per axis."""
    x, y, z, grip = action.tolist()
    return [x / MAX_STEP_M, y / MAX_STEP_M, z / MAX_STEP_M, grip]
