"""The lanes of the Franka world: what `LaneGroup` does one by one, done for all at once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import override

import numpy as np

from burnish.contract import ENVIRONMENT_STATE, STATE
from burnish.sim.franka.bank import Bank
from burnish.sim.franka.task import Scene
from burnish.sim.franka.tasks import TASKS
from burnish.sim.franka.world import World
from burnish.sim.groups import Group, LaneSpec
from burnish.sim.lanes import Arrays, Buffers, Lanes
from burnish.sim.randomize import Randomization
from burnish.sim.seeds import next_seed


class RolloutGroup(Group):
    """Physics run on threads; some episodes begin in a state of a bank, if there is one."""

    def __init__(self, spec: LaneSpec, buffers: Buffers) -> None:
        """Raises `BurnishError` for a bank that is not there, or not of this task."""
        layout, settings = spec.layout, spec.arguments
        self.buffers, self._spec, self._closed = buffers, spec, False
        task, rate_hz, threads, bank = (settings[name] for name in ("task", "rate_hz", "threads", "bank"))
        self._bank = None if bank is None else Bank(Path(bank), settings["bank_share"], task, rate_hz)
        randomization = Randomization.of(settings["randomize"])
        if layout.looks:
            from burnish.sim.franka.cameras import Cameras  # MuJoCo-Warp takes seconds to load

            self._cameras = Cameras(**settings, lanes=layout.num_envs)
        self._halts: bool = settings["halts"]
        self._world = World(TASKS[task], layout.num_envs, threads, 1 / rate_hz, randomization)

    @override
    def step(self) -> None:
        buffers = self.buffers
        for flags in (buffers.success, buffers.terminated, buffers.truncated, buffers.crashed):
            flags[:] = False
        if not buffers.active.any():
            return
        rows = slice(None) if buffers.active.all() else np.flatnonzero(buffers.active)
        halted = self._world.step(rows, buffers.action[rows], buffers.steps[rows])
        buffers.steps[rows] += 1
        scene = self._observe(rows)
        task = self._world.task
        if buffers.dense_reward is not None:
            buffers.dense_reward[:] = 0
            buffers.dense_reward[rows] = task.reward(scene) * ~halted
        solved = task.solved(scene) & ~halted
        buffers.success[rows] = buffers.terminated[rows] = solved
        buffers.truncated[rows] = ~solved & ((halted & self._halts) | (buffers.steps[rows] >= self._spec.horizon))
        buffers.crashed[rows] = halted
        ended = buffers.terminated | buffers.truncated
        if ended.any():
            self._end(np.flatnonzero(ended))

    @override
    def reset(self) -> None:
        self._begin(np.flatnonzero(self.buffers.active))

    @override
    def states(self) -> list[Arrays]:
        return [self._state(row) for row in range(self._spec.layout.num_envs)]

    @override
    def restore(self, states: Sequence[Arrays]) -> None:
        buffers = self.buffers
        for row, state in enumerate(states):
            for name in ("seed", "steps", "ended"):
                getattr(buffers, name)[row] = state[name]
            for key, value in buffers.obs.items():
                value[row] = state[f"obs/{key}"]
            if state["steps"] >= 0:
                inner = {name[5:]: value for name, value in state.items() if name.startswith("lane/")}
                self._world.restore(row, inner)

    @override
    def poses(self) -> list[Arrays]:
        return [self._world.pose(int(row)) for row in np.flatnonzero(self.buffers.active)]

    @override
    def look(self) -> None:
        rows, seen = np.flatnonzero(self.buffers.active), self.buffers.look
        poses = self.poses()
        out = {key: np.empty((len(rows), *value.shape[1:]), value.dtype) for key, value in seen.items()}
        self._cameras.look_at(poses, out)
        for key, value in out.items():
            seen[key][rows] = value

    @override
    def close(self) -> None:
        if not self._closed:
            self._world.close()
            if self._spec.layout.looks:
                self._cameras.close()
        self._closed = True

    def _begin(self, rows: np.ndarray) -> None:
        for row in rows:
            seed = int(self.buffers.seed[row])
            if self._bank is not None and (state := self._bank.draw(seed)) is not None:
                self._world.restore(int(row), {**state, "seed": np.array(seed, np.uint64)})
            else:
                self._world.reset(int(row), seed)
        self.buffers.steps[rows], self.buffers.ended[rows] = 0, False
        self._observe(rows)

    def _end(self, rows: np.ndarray) -> None:
        """Keep the last observation; begin anew with the next seed, or wait for a reset."""
        buffers = self.buffers
        for key, value in buffers.final.items():
            value[rows] = buffers.obs[key][rows]
        if not self._spec.auto_reset:
            buffers.ended[rows] = True
            return
        for row in rows:
            buffers.seed[row] = next_seed(int(buffers.seed[row]))
        self._begin(rows)

    def _observe(self, rows: Lanes) -> Scene:
        """Write what `rows` see now; the scene behind it."""
        buffers = self.buffers
        state, know, scene = self._world.observe(rows, buffers.steps[rows])
        buffers.obs[STATE][rows], buffers.obs[ENVIRONMENT_STATE][rows] = state, know
        return scene

    def _state(self, row: int) -> Arrays:
        buffers = self.buffers
        state = {name: np.asarray(getattr(buffers, name)[row]) for name in ("seed", "steps", "ended")}
        state |= {f"obs/{key}": value[row].copy() for key, value in buffers.obs.items()}
        if state["steps"] >= 0:  # a lane that was never reset has no episode to save
            state |= {f"lane/{name}": value for name, value in self._world.state(row).items()}
        return state
