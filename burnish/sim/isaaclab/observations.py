"""What Isaac Lab's environments observe, in the contract's words.

`observation.state` is Isaac Lab's "policy" group, noise included, `observation.environment_state` its "critic" group
where it has one; other groups keep their names. Images come from its cameras themselves, and only when they are looked
at.
"""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor

from burnish.contract import ENVIRONMENT_STATE, IMAGES, STATE, Contract, Field

GROUPS = {"policy": STATE, "critic": ENVIRONMENT_STATE}
"""Isaac Lab's group of observations → contract key."""
UNITS = {"joint_pos": "rad", "joint_vel": "rad/s", "base_lin_vel": "m/s", "base_ang_vel": "rad/s", "height_scan": "m"}
"""Of Isaac Lab's terms; what is not listed has none, or mixed ones."""


def contract(env: Any, eyes: dict[str, Any]) -> Contract:
    """What Isaac Lab's `env` observes, with the cameras `eyes`, and takes."""
    rate = 1 / env.step_dt
    fields: dict[str, Field] = {}
    for group, key in groups(env).items():
        names, units = _words(env, group)
        fields[key] = Field((len(names),), names, units, "base", rate, "mean_std")
    for key, camera in eyes.items():
        shape, unit = (camera.cfg.height, camera.cfg.width, 3), ("1/255",) * 3
        fields[key] = Field(shape, ("r", "g", "b"), unit, "camera", rate, "identity", dtype="uint8")
    size = math.prod(env.single_action_space.shape)
    names = tuple(f"action{index}" for index in range(size))
    bounds: dict[str, Any] = {"low": (-1.0,) * size, "high": (1.0,) * size}
    return Contract(fields, Field((size,), names, ("1",) * size, "base", rate, "min_max", **bounds))


def groups(env: Any) -> dict[str, str]:
    """Groups of observations that are numbers → contract key."""
    seen = {group: value for group, value in env.obs_buf.items() if isinstance(value, Tensor) and value.ndim == 2}
    return {group: GROUPS.get(group, f"observation.{group}") for group in seen}


def cameras(env: Any) -> dict[str, Any]:
    """Contract key → camera in colours."""
    sensors = env.scene.sensors.items()
    return {f"{IMAGES}{name}": sensor for name, sensor in sensors if "rgb" in getattr(sensor.cfg, "data_types", ())}


def see(env: Any) -> dict[str, Tensor]:
    """Observe anew, in either of Isaac Lab's two kinds of environments."""
    manager = getattr(env, "observation_manager", None)
    return env._compute_observations() if manager is None else manager.compute(update_history=True)


def remembers(env: Any) -> bool:
    """Whether what is observed depends on what was observed before."""
    manager = getattr(env, "observation_manager", None)
    kept = (manager._group_obs_term_history_buffer, manager._group_obs_term_delay_buffer) if manager else ()
    return any(buffers for group in kept for buffers in group.values())


def without_images(observations: Any) -> None:
    """Take the terms that are cameras' images out of the config: a camera tells them itself, when it is asked."""
    for name, group in dict(vars(observations) if observations else {}).items():
        terms = {key: term for key, term in vars(group).items() if hasattr(term, "params")} if group else {}
        blind = [key for key, term in terms.items() if "data_type" not in (term.params or {})]
        for key in terms.keys() - set(blind):
            setattr(group, key, None)
        if terms and not blind:
            setattr(observations, name, None)


def _words(env: Any, group: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    manager = getattr(env, "observation_manager", None)
    if manager is None:
        size = env.obs_buf[group].shape[1]
        return tuple(f"{group}{index}" for index in range(size)), ("1",) * size
    terms = zip(manager.active_terms[group], manager.group_obs_term_dim[group], strict=True)
    words = [(f"{term}{index}", UNITS.get(term, "1")) for term, shape in terms for index in range(math.prod(shape))]
    return tuple(name for name, _ in words), tuple(unit for _, unit in words)
