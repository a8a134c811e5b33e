"""N arms side by side: per action, one call of `mujoco.rollout` on each thread for its share of them.

Every lane's physics begins each period from its own state alone (no warm start is carried over), so an episode is the
same whatever runs beside it and however many threads there are.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import mujoco
import numpy as np
from mujoco import rollout

from burnish.sim.franka.halts import refused
from burnish.sim.franka.hand import WIDEST, Hands
from burnish.sim.franka.model import (
    ARM,
    DAMPING,
    FINGER,
    STIFFNESS,
    TIMESTEP_S,
    has_fixture,
    physics_model,
    set_fixture,
)
from burnish.sim.franka.motion import SetpointMotion
from burnish.sim.franka.randomize import applied
from burnish.sim.franka.scene import opening, scene
from burnish.sim.franka.starts import FULL, first, moving
from burnish.sim.franka.task import Scene, Task
from burnish.sim.lanes import LaneError, Lanes
from burnish.sim.randomize import PAUSE_S, Draw, Randomization, pause


class World:
    """The physics of all lanes of one task."""

    def __init__(self, task: Task, lanes: int, threads: int, period_s: float, randomization: Randomization) -> None:
        """`threads`: the caller's own among them."""
        self.task, self._randomization = task, randomization
        self._model = physics_model(task)
        self._models, self._numbers = [self._model] * lanes, np.arange(lanes)
        self._furnished = has_fixture(self._model, task)
        ticks = round(period_s / TIMESTEP_S)
        self._motion, self._hands = SetpointMotion(lanes, ticks, TIMESTEP_S), Hands(lanes, ticks, TIMESTEP_S)
        self._physics, self._width = np.zeros((lanes, mujoco.mj_stateSize(self._model, FULL))), np.zeros(lanes)
        self._after = np.empty((lanes, ticks, self._physics.shape[1]))
        self._target, self._seed = np.zeros((lanes, task.targets)), [0] * lanes
        self._gains, self._sight = np.ones((lanes, 7)), np.zeros((lanes, 10))
        self._longest = round(PAUSE_S / period_s)
        self._late, self._plan = np.zeros(lanes, int), np.zeros((lanes, ticks, self._model.nu))
        self._data = [mujoco.MjData(self._model) for _ in range(max(threads, 1))]
        self._roll, self._beside = rollout.Rollout(nthread=0), ThreadPoolExecutor(max(threads - 1, 1))

    def reset(self, lane: int, seed: int) -> None:
        """Begin the episode of `seed`."""
        self.restore(lane, first(self.task, self._model, self._plan.shape[1], seed))
        self._plan[lane, :, ARM] *= self._gains[lane]

    def step(self, lanes: Lanes, action: np.ndarray, steps: np.ndarray) -> np.ndarray:
        """Apply `action` (n, 8): joint positions, rad, and the gripper's width, m; `steps` (n,) into the episodes.
        Returns (n,) bool: the robot's driver would have halted; what it refuses is not done."""
        action, here = action.astype(np.float64), self._motion.now[0, lanes]
        if (halted := refused(here, action[:, :7])).any():
            action[halted, :7], action[halted, 7] = here[halted], self._hands.wished(lanes)[halted]
        self._play(lanes, action)
        if self._randomization.pause:
            self._wait(self._numbers[lanes], steps)
        return halted

    def _wait(self, rows: np.ndarray, steps: np.ndarray) -> None:
        """Stand still for as long as is drawn for lanes `rows` (n,), `steps` (n,) into their episodes."""
        share, drawn = self._randomization.pause, zip(rows, steps, strict=True)
        waits = np.array([pause(share, self._seed[lane], int(step), self._longest) for lane, step in drawn])
        for spent in range(waits.max(initial=0)):
            still = rows[waits > spent]
            arm, hand = self._motion.last[still], self._hands.wished(still)
            self._play(still, np.concatenate([arm, hand[:, None]], axis=1))

    def _play(self, lanes: Lanes, action: np.ndarray) -> None:
        """One action's time."""
        position, velocity = self._motion.follow(lanes, action[:, :7])
        position *= STIFFNESS
        velocity *= DAMPING
        position += velocity
        plan = np.zeros((len(action), position.shape[0], self._model.nu))
        np.multiply(position.transpose(1, 0, 2), self._gains[lanes, None], out=plan[:, :, ARM])
        wish = np.minimum(np.maximum(action[:, 7], 0), WIDEST)
        plan[:, :, FINGER] = self._hands.follow(lanes, wish, self._width[lanes])[:, :, None] / 2
        control = self._delayed(lanes, plan)
        self._plan[lanes] = plan
        after = self._rolled(lanes, control)[:, -1]
        if not np.isfinite(after).all():
            lost = np.flatnonzero(~np.isfinite(after).all(axis=1))[0]
            raise LaneError(int(self._numbers[lanes][lost])) from ArithmeticError("the physics became unstable")
        self._physics[lanes], width = after, opening(moving(self._model, after)[0])
        self._width[lanes] = width
        self._hands.look(lanes, width)

    def observe(self, lanes: Lanes, steps: np.ndarray) -> tuple[np.ndarray, np.ndarray, Scene]:
        """Of `lanes`, after `steps` of their episodes: the robot's own state (n, 15), what only a simulator knows, and
        the scene without noise."""
        qpos, qvel = moving(self._model, self._physics[lanes])
        judged = scene(self.task, qpos, qvel, self._target[lanes])
        state = np.concatenate([qpos[:, ARM], qvel[:, ARM], self._hands.told(lanes)[:, None]], axis=1)
        know = self.task.know(judged)
        wrong = self._randomization
        if wrong.joint_noise or wrong.object_noise:
            for row, lane in enumerate(self._numbers[lanes]):
                observed = wrong.seen(self._seed[lane], int(steps[row]), state[row, ARM], know[row])
                state[row, ARM], know[row] = observed
        return state, know, judged

    def state(self, lane: int) -> dict[str, np.ndarray]:
        """What `restore` needs."""
        parts = {"physics": self._physics, "target": self._target, "plan": self._plan, "last": self._motion.last}
        copies = {name: part[lane].copy() for name, part in parts.items()}
        copies |= {"motion": self._motion.now[:, lane].copy(), "hand": self._hands.now[:, lane].copy()}
        return copies | {"seed": np.array(self._seed[lane], np.uint64)}

    def restore(self, lane: int, state: Mapping[str, np.ndarray]) -> None:
        """Go on from `state`, bit for bit."""
        self._physics[lane], self._target[lane] = state["physics"], state["target"]
        self._width[lane] = opening(moving(self._model, self._physics[lane])[0])
        self._motion.now[:, lane], self._motion.last[lane] = state["motion"], state["last"]
        self._hands.now[:, lane] = state["hand"]
        self._draw(lane, int(state["seed"]))
        self._plan[lane] = state["plan"]

    def pose(self, lane: int) -> dict[str, np.ndarray]:
        """`qpos`, the task's `target`, and how the episode looks (`randomize.Sight`)."""
        qpos, _ = moving(self._model, self._physics[lane])
        parts = {"qpos": qpos, "target": self._target[lane], "sight": self._sight[lane]}
        return {name: part.copy() for name, part in parts.items()}

    def close(self) -> None:
        """End the threads."""
        self._beside.shutdown()

    def _draw(self, lane: int, seed: int) -> None:
        """What is uncertain in the episode of `seed`."""
        draw = Draw(self._randomization, seed)
        self._seed[lane] = seed
        self._gains[lane], self._sight[lane] = draw.stiffness, draw.sight
        self._late[lane] = round(draw.latency_s / TIMESTEP_S)
        if self._randomization.changes_model or self._furnished:
            self._models[lane] = applied(draw, self._model)
            set_fixture(self._models[lane], self.task, self._target[lane])

    def _rolled(self, lanes: Lanes, control: np.ndarray) -> np.ndarray:
        """(n, ticks, S) states after every tick of `control` (n, ticks, U). What MuJoCo would check is so by now."""
        models, physics = [self._models[lane] for lane in self._numbers[lanes]], self._physics[lanes]
        after, parts = self._after[: len(control)], iter(_shares(len(control), len(self._data)))

        def roll(data: mujoco.MjData) -> None:
            for part in parts:
                given = (models[part], [data], physics[part], control[part])
                self._roll.rollout(*given, skip_checks=True, nstep=control.shape[1], state=after[part])

        # MuJoCo's own threads would wake this one after every task; and while it waited, its caches would grow cold.
        others = [self._beside.submit(roll, data) for data in self._data[1:]]
        roll(self._data[0])
        for one in others:
            one.result()
        return after

    def _delayed(self, lanes: Lanes, plan: np.ndarray) -> np.ndarray:
        """(n, ticks, 9) the end of the last plan, as long as actions are late, then the beginning of this one."""
        late = self._late[lanes]
        if not late.any():
            return plan
        ticks = plan.shape[1]
        both = np.concatenate([self._plan[lanes], plan], axis=1)
        return both[np.arange(len(plan))[:, None], ticks - late[:, None] + np.arange(ticks)]


@cache
def _shares(count: int, threads: int) -> list[slice]:
    """Of `count` lanes, for whichever of the `threads` is free: smaller and smaller, so that all end together."""
    shares, first = [], 0
    while first < count:
        size = max(4, 3 * (count - first) // (4 * threads)) if threads > 1 else count
        shares.append(slice(first, first + size))
        first += size
    return shares
