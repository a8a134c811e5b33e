"""Meta-World environments that start every episode as if freshly made."""

from __future__ import annotations

import copy
from functools import cache
from typing import Any

import mujoco
import numpy as np
from metaworld.env_dict import ALL_V3_ENVIRONMENTS

# What a reset of some task edits: a test goes through all 50.
MODEL_EDITS = ("body_pos", "site_pos")


def make_metaworld(task: str) -> Any:
    """Meta-World's environment of `task`: goal visible, start and goal drawn from `np_random` at every reset."""
    env = _quick_class(task)()
    # The public way to set these is `set_task`, which unpickles a task and freezes the start.
    env._partially_observable = False
    env._freeze_rand_vec = False
    env._set_task_called = True
    env.seeded_rand_vec = True
    # It was cached while the goal was hidden, and Meta-World clips observations to it.
    env.__dict__.pop("sawyer_observation_space", None)
    return env


class Pristine:
    """A fresh environment's memory: what one episode leaves behind must not reach the next."""

    def __init__(self, env: Any) -> None:
        self._data = copy.copy(env.data)
        self._model = {name: getattr(env.model, name).copy() for name in MODEL_EDITS}
        self._attributes = {name: _copied(value) for name, value in env.__dict__.items()}

    def restore(self, env: Any) -> None:
        """Put `env` back: edited model, simulation, Python attributes."""
        for name, value in self._model.items():
            getattr(env.model, name)[...] = value
        mujoco.mj_copyData(env.data, env.model, self._data)
        env.__dict__.clear()
        env.__dict__.update({name: _copied(value) for name, value in self._attributes.items()})


@cache
def _quick_class(task: str) -> type:
    """Meta-World's class with the costly parts of construction and reset done once per process."""
    base: Any = ALL_V3_ENVIRONMENTS[f"{task}-v3"]
    models: list[mujoco.MjModel] = []
    hands: dict[int, mujoco.MjData] = {}

    class Quick(base):
        def _initialize_simulation(self) -> tuple[mujoco.MjModel, mujoco.MjData]:
            if not models:
                models.append(super()._initialize_simulation()[0])
            model = copy.copy(models[0])
            return model, mujoco.MjData(model)

        def do_simulation(self, ctrl: Any, n_frames: int) -> None:
            self.data.ctrl[:] = ctrl
            mujoco.mj_step(self.model, self.data, nstep=n_frames)

        def _reset_hand(self, steps: int = 50) -> None:
            # Meta-World resets twice. The first time starts from a fresh simulation, so its end is always the same.
            first = not self.__dict__.get("_hand_was_reset", False)
            if not first or steps not in hands:
                super()._reset_hand(steps)
                if first:
                    hands[steps] = copy.copy(self.data)
            else:
                super()._reset_hand(0)
                mujoco.mj_copyData(self.data, self.model, hands[steps])
                self.init_tcp = self.tcp_center
            self._hand_was_reset = True

    Quick.__name__ = base.__name__
    return Quick


def _copied(value: Any) -> Any:
    """Arrays are copied, except views into MuJoCo's memory: those must stay alive."""
    if not isinstance(value, np.ndarray):
        return value
    base: Any = value
    while isinstance(base, np.ndarray) and base.base is not None:
        base = base.base
    return value.copy() if isinstance(base, np.ndarray) else value
