"""Lanes of one simulator side by side in one process: buffers, horizon, auto-reset. Needs numpy only.

The same `LaneGroup` steps the lanes of a worker process and those of the caller's own process, so that
the number of workers can never change a result.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from burnish.errors import BurnishError
from burnish.sim.seeds import next_seed

Arrays = dict[str, np.ndarray]
Lanes = np.ndarray | slice
"""Numbers of lanes; of all a slice, since a view costs less than a copy."""
AHEAD = 32
"""Steps that a lane can be given at once."""
ALIGN = 64
"""Bytes: every array starts on its own cache line."""


class Lane(Protocol):
    """One simulated world. An episode is a pure function of its seed and its actions."""

    def reset(self, seed: int) -> None:
        """Start the episode of `seed`; nothing of an earlier episode may remain."""
        ...

    def step(self, action: np.ndarray) -> bool:
        """Apply `action` (A,), physical units; True if the task is now solved."""
        ...

    def observe(self, out: Arrays) -> None:
        """Write the present observation into `out` (contract key → array)."""
        ...

    def state(self) -> Arrays:
        """What `restore` needs to continue this episode bit-exactly."""
        ...

    def restore(self, state: Arrays) -> None:
        """Return to `state`, also in another process."""
        ...

    def pose(self) -> Arrays:
        """What a renderer needs to draw this moment."""
        ...

    def look(self, out: Arrays, pose: Arrays | None = None) -> None:
        """Write what the cameras see now, or at `pose`, into `out`. Only lanes that perceive have this method."""
        ...

    def dense_reward(self, action: np.ndarray) -> float:
        """How good the moment is to which the last step, with `action`, led. Only lanes that are asked have this."""
        ...


@dataclass(frozen=True)
class Layout:
    """Shapes of the arrays that parent and workers share. It is plain data, so that it travels as JSON."""

    num_envs: int
    action_dim: int
    observation: Mapping[str, Sequence[int]]
    dtypes: Mapping[str, str] = field(default_factory=dict)
    """Of the observations that are not float32."""
    looks: Mapping[str, Sequence[int]] = field(default_factory=dict)
    """Observations that are made only when asked for: images, places and points."""
    dense_reward: bool = False
    """Whether lanes are asked how good each moment is."""

    def _shapes(self) -> Iterator[tuple[str, np.dtype[Any], tuple[int, ...]]]:
        n = self.num_envs
        yield "action", np.dtype(np.float32), (n, self.action_dim)
        yield "chunk", np.dtype(np.float32), (n, AHEAD, self.action_dim)
        yield "length", np.dtype(np.int64), (1,)
        yield "taken", np.dtype(np.int64), (n,)
        yield "seed", np.dtype(np.uint64), (n,)
        yield "steps", np.dtype(np.int64), (n,)
        for name in ("active", "working", "ended", "success", "terminated", "truncated", "crashed"):
            yield name, np.dtype(bool), (n,)
        if self.dense_reward:
            yield "dense_reward", np.dtype(np.float32), (n,)
        for part in ("obs", "final"):
            for key, shape in self.observation.items():
                yield f"{part}/{key}", self.dtype(key), (n, *shape)
        for key, shape in self.looks.items():
            yield f"look/{key}", self.dtype(key), (n, *shape)

    def dtype(self, key: str) -> np.dtype[Any]:
        """Of the observation `key`."""
        return np.dtype(self.dtypes.get(key, "float32"))

    @property
    def nbytes(self) -> int:
        """Bytes one block of these arrays takes."""
        return sum(_padded(dtype, shape) for _, dtype, shape in self._shapes())

    def arrays(self, block: Any) -> Buffers:
        """The arrays inside `block`, a writable buffer of `nbytes` bytes."""
        found: Arrays = {}
        offset = 0
        for name, dtype, shape in self._shapes():
            found[name] = np.ndarray(shape, dtype, buffer=block, offset=offset)
            offset += _padded(dtype, shape)
        return Buffers(found)


class Buffers:
    """Everything that passes between the caller and the lanes; row i belongs to lane i.

    `chunk` holds `length` actions of every lane, for when it takes them all at once; `taken` says how many it took.
    `active` marks the lanes that a command is for, `working` the one of a process that is busy with it; `seed` is
    that of the running episode; `steps` counts its steps (-1: the lane was never reset); `ended` marks a lane that
    waits for a reset; `final` is the last observation of an ended episode; `look` holds the images and points each
    lane saw when it last looked; `dense_reward` is that of the last step, None where nobody asks.
    """

    def __init__(self, arrays: Arrays) -> None:
        self.action, self.seed, self.steps = arrays["action"], arrays["seed"], arrays["steps"]
        self.chunk, self.length, self.taken = arrays["chunk"], arrays["length"], arrays["taken"]
        self.active, self.working, self.ended = arrays["active"], arrays["working"], arrays["ended"]
        self.success = arrays["success"]
        self.terminated, self.truncated = arrays["terminated"], arrays["truncated"]
        self.crashed = arrays["crashed"]
        self.dense_reward = arrays.get("dense_reward")
        self.obs = {name[4:]: value for name, value in arrays.items() if name.startswith("obs/")}
        self.final = {name[6:]: value for name, value in arrays.items() if name.startswith("final/")}
        self.look = {name[5:]: value for name, value in arrays.items() if name.startswith("look/")}

    def clear(self) -> None:
        """Nothing has happened in any lane; to be called before a step, also of some lanes alone."""
        for happened in (self.success, self.terminated, self.truncated, self.crashed, self.taken, self.dense_reward):
            if happened is not None:
                happened[:] = 0


class LaneError(Exception):
    """A simulator raised; `lane` says where. The cause is chained."""

    def __init__(self, lane: int) -> None:
        super().__init__(f"the simulator failed in lane {lane}")
        self.lane = lane


class LaneGroup:
    """Steps the lanes `first`, `first + 1`, … of `buffers`."""

    def __init__(self, lanes: Sequence[Lane], first: int, buffers: Buffers, horizon: int, auto_reset: bool) -> None:
        self.lanes, self.first, self.buffers = lanes, first, buffers
        self.horizon, self.auto_reset = horizon, auto_reset
        rows = range(first, first + len(lanes))
        self._obs = [{key: value[row] for key, value in buffers.obs.items()} for row in rows]
        self._final = [{key: value[row] for key, value in buffers.final.items()} for row in rows]
        self._look = [{key: value[row] for key, value in buffers.look.items()} for row in rows]

    def reset(self) -> None:
        """Start the episode of `seed` in every active lane."""
        for index, lane in self._active():
            self._begin(index, lane)

    def step(self) -> None:
        """One step of every active lane; a lane that ends is reset in the same step if `auto_reset`."""
        self._play(self.buffers.action[:, None])

    def step_chunk(self) -> None:
        """All actions of its chunk in every active lane, or as many as its episode takes, and one observation."""
        self._play(self.buffers.chunk[:, : int(self.buffers.length[0])])

    def states(self) -> list[Arrays]:
        """One snapshot per lane."""
        return [self._state(index, lane) for index, lane in enumerate(self.lanes)]

    def restore(self, states: Sequence[Arrays]) -> None:
        """The inverse of `states`."""
        for index, (lane, state) in enumerate(zip(self.lanes, states, strict=True)):
            row = self.first + index
            for name in ("seed", "steps", "ended"):
                getattr(self.buffers, name)[row] = state[name]
            for key, value in self._obs[index].items():
                value[...] = state[f"obs/{key}"]
            inner = {name[5:]: value for name, value in state.items() if name.startswith("lane/")}
            if inner:
                lane.restore(inner)

    def poses(self) -> list[Arrays]:
        """What a renderer needs, of every active lane."""
        return [lane.pose() for _, lane in self._active()]

    def look(self) -> None:
        """Perceive images and points in every active lane."""
        for index, lane in self._active():
            try:
                lane.look(self._look[index])
            except Exception as error:
                raise LaneError(self.first + index) from error

    def close(self) -> None:
        """Let go of the lanes."""
        self.lanes = ()

    def _play(self, actions: np.ndarray) -> None:
        buffers, first = self.buffers, self.first
        for index, lane in self._active():
            row = first + index
            try:
                success, over = self._take(row, lane, actions[row])
                lane.observe((self._final if over else self._obs)[index])
            except Exception as error:
                raise LaneError(row) from error
            if over:
                buffers.success[row] = buffers.terminated[row] = success
                buffers.truncated[row] = not success
                self._end(index, lane)

    def _take(self, row: int, lane: Lane, actions: np.ndarray) -> tuple[bool, bool]:
        """Whether the task was solved, and whether the episode is over."""
        buffers, success, over = self.buffers, False, False
        for action in actions:
            success = lane.step(action)
            if buffers.dense_reward is not None:
                buffers.dense_reward[row] += lane.dense_reward(action)
            buffers.steps[row] += 1
            buffers.taken[row] += 1
            over = success or bool(buffers.steps[row] >= self.horizon)
            if over:
                break
        return success, over

    def _active(self) -> Iterator[tuple[int, Lane]]:
        active, working = self.buffers.active, self.buffers.working
        for row, lane in enumerate(self.lanes, start=self.first):
            if active[row]:
                working[row] = True  # if the process dies now, it was here
                yield row - self.first, lane
                working[row] = False

    def _begin(self, index: int, lane: Lane) -> None:
        row = self.first + index
        try:
            lane.reset(int(self.buffers.seed[row]))
            lane.observe(self._obs[index])
        except Exception as error:
            raise LaneError(row) from error
        self.buffers.steps[row] = 0
        self.buffers.ended[row] = False

    def _end(self, index: int, lane: Lane) -> None:
        row = self.first + index
        if self.auto_reset:
            self.buffers.seed[row] = next_seed(int(self.buffers.seed[row]))
            self._begin(index, lane)
            return
        self.buffers.ended[row] = True
        for key, value in self._final[index].items():
            self._obs[index][key][...] = value

    def _state(self, index: int, lane: Lane) -> Arrays:
        row = self.first + index
        state = {name: np.asarray(getattr(self.buffers, name)[row]) for name in ("seed", "steps", "ended")}
        state |= {f"obs/{key}": value.copy() for key, value in self._obs[index].items()}
        # A lane that was never reset has no episode to save.
        if state["steps"] >= 0:
            state |= {f"lane/{name}": value for name, value in lane.state().items()}
        return state


def make_lane(factory: str, arguments: Mapping[str, Any]) -> Lane:
    """The lane that `factory` ("package.module:Class") makes from keyword `arguments`."""
    module, _, name = factory.partition(":")
    try:
        return getattr(importlib.import_module(module), name)(**arguments)
    except ImportError as error:
        raise BurnishError(f"the simulator behind {factory} cannot be imported: {error}; install its extra") from error


def _padded(dtype: np.dtype[Any], shape: tuple[int, ...]) -> int:
    return -(-dtype.itemsize * math.prod(shape) // ALIGN) * ALIGN
