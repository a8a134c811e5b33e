"""What a Meta-World V3 task observes and when it is solved, without its dense reward.

Meta-World computes `info["success"]` together with a reward that costs five times the physics. The table at the
end says the same thing for each of the 50 tasks in the words of `evaluate_state`, and a test holds it to Meta-World's
own answer, bit for bit.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import mujoco

Read = Callable[[], Any]
Source = Callable[["mujoco.MjData"], Read]
"""From a simulation to a function that reads one present value of it; the look-up by name happens once."""
Solved = Callable[[Any, np.ndarray], bool]
"""Meta-World environment and observation (39,) to success."""


@dataclass(frozen=True)
class Task:
    """The objects in the observation, as (position, quaternion) sources, and the success test."""

    objects: tuple[tuple[Source, Source], ...]
    solved: Solved


def body(name: str, *offset: float) -> Source:
    """Position of a body (3,), metres."""
    return lambda data: _shifted(data.body(name).xpos, offset)


def site(name: str, *offset: float) -> Source:
    """Position of a site (3,), metres."""
    return lambda data: _shifted(data.site(name).xpos, offset)


def geom(name: str) -> Source:
    """Position of a geom (3,), metres."""
    return lambda data: _shifted(data.geom(name).xpos, ())


def knob(data: mujoco.MjData) -> Read:
    """Position of the marking on the dial (3,), metres."""
    center, angle = data.body("dial").xpos, data.joint("knob_Joint_1").qpos

    def read() -> np.ndarray:
        return center + np.array([np.sin(angle).item(), -np.cos(angle).item(), 0.0]) * 0.05

    return read


def quaternion(name: str) -> Source:
    """Orientation of a body, scalar first, as MuJoCo has it."""
    return lambda data: _shifted(data.body(name).xquat, ())


def rotation(kind: str, name: str) -> Source:
    """Orientation of a "body", "geom" or "site", scalar last, as SciPy's `Rotation.from_matrix` has it."""

    def source(data: mujoco.MjData) -> Read:
        matrix = getattr(data, kind)(name).xmat
        return lambda: matrix_to_quaternion(matrix.tolist())

    return source


def constant(*values: float) -> Source:
    """The same numbers always."""
    return lambda data: lambda: values


def matrix_to_quaternion(m: list[float]) -> list[float]:
    """Row-major rotation matrix (9,) to a scalar-last quaternion, with SciPy's operations in SciPy's order."""
    trace = m[0] + m[4] + m[8]
    decision = (m[0], m[4], m[8], trace)
    choice = decision.index(max(decision))
    if choice == 3:
        q = [m[7] - m[5], m[2] - m[6], m[3] - m[1], 1 + trace]
    else:
        i, j, k = choice, (choice + 1) % 3, (choice + 2) % 3
        q = [0.0] * 4
        q[i] = 1 - trace + 2 * m[4 * i]
        q[j] = m[3 * j + i] + m[3 * i + j]
        q[k] = m[3 * k + i] + m[3 * i + k]
        q[3] = m[3 * k + j] - m[3 * j + k]
    norm = math.sqrt(q[0] * q[0] + q[1] * q[1] + q[2] * q[2] + q[3] * q[3])
    return [value / norm for value in q]


def near(radius: float, *offset: float) -> Solved:
    """The first object (moved by `offset`) is within `radius` metres of the goal."""
    if not offset:
        return lambda env, obs: _distance(obs[4:7], env._target_pos) <= radius
    moved = np.array(offset)
    return lambda env, obs: _distance(obs[4:7] + moved, env._target_pos) <= radius


def aligned(axis: int, radius: float) -> Solved:
    """The first object is within `radius` metres of the goal along one axis."""
    return lambda env, obs: abs(obs[4 + axis] - env._target_pos[axis]) <= radius


def tool_at_goal(radius: float) -> Solved:
    """The point between the fingers is within `radius` metres of the goal."""
    return lambda env, obs: _distance(env.tcp_center, env._target_pos) <= radius


def _shifted(view: np.ndarray, offset: tuple[float, ...]) -> Read:
    if not offset:
        return lambda: view
    moved = np.array(offset)
    return lambda: view + moved


def _distance(a: np.ndarray, b: np.ndarray) -> float:
    # What np.linalg.norm computes, without its overhead.
    difference = a - b
    return math.sqrt(difference.dot(difference))


def _nut_on_peg(env: Any, obs: np.ndarray) -> bool:
    error = env._target_pos - env.data.site("RoundNut").xpos
    return bool(math.sqrt(error[:2].dot(error[:2])) < 0.02 and error[2] > 0.0)


def _in_basket(env: Any, obs: np.ndarray) -> bool:
    target = np.array([env._target_pos[0], env._target_pos[1], 0.3])
    error = (obs[4:7] - target) * np.array([1.0, 1.0, 2.0])
    return math.sqrt(error.dot(error)) <= 0.08


def _lid_on(env: Any, obs: np.ndarray) -> bool:
    return _distance(obs[4:7], env._target_pos) < 0.08


def _nut_above_peg(env: Any, obs: np.ndarray) -> bool:
    return bool(obs[6] > env._target_pos[2])


def _nail_driven(env: Any, obs: np.ndarray) -> bool:
    return bool(env.data.joint("NailSlideJoint").qpos[0] > 0.09)


def _lever_up(env: Any, obs: np.ndarray) -> bool:
    return abs(-env.data.joint("LeverAxis").qpos.item() - np.pi / 2.0) <= np.pi / 24


def _peg_in_hole(env: Any, obs: np.ndarray) -> bool:
    error = (env.data.site("pegHead").xpos - env._target_pos) * np.array([1.0, 2.0, 2.0])
    return math.sqrt(error.dot(error)) <= 0.07


def _container_pulled(env: Any, obs: np.ndarray) -> bool:
    handle, end = obs[11:14], env.data.site("stick_end").xpos
    inserted = end[0] >= handle[0] and abs(end[1] - handle[1]) <= 0.040 and abs(end[2] - handle[2]) <= 0.060
    return bool(inserted and _distance(handle, env._target_pos) <= 0.12)


def _container_pushed(env: Any, obs: np.ndarray) -> bool:
    if not (_distance(obs[11:14], env._target_pos) <= 0.12 and obs[3] > 0 and obs[6] - 0.01 > env.stick_init_pos[2]):
        return False
    import mujoco  # the names of the tasks are wanted where it is not installed

    # Contact forces are as old as the last physics substep; Meta-World looks at the present ones.
    mujoco.mj_forward(env.model, env.data)
    return bool(env.touching_main_object)


def _swept_in(env: Any, obs: np.ndarray) -> bool:
    target = np.array([env._target_pos[0], env._target_pos[1], obs[6]])
    return _distance(obs[4:7], target) <= 0.05


_NONE = constant(0.0, 0.0, 0.0, 0.0)
_BUTTON = quaternion("button")
_BLOCK, _PUCK, _HANDLE = rotation("geom", "objGeom"), rotation("geom", "puck"), rotation("geom", "handle")
_STICK = (body("stick"), rotation("body", "stick"))

TASKS: dict[str, Task] = {
    "assembly": Task(((site("RoundNut-8"), quaternion("RoundNut")),), _nut_on_peg),
    "basketball": Task(((body("bsktball"), quaternion("bsktball")),), _in_basket),
    "bin-picking": Task(((body("obj"), quaternion("obj")),), near(0.05)),
    "box-close": Task(((body("top_link"), quaternion("top_link")),), _lid_on),
    "button-press": Task(((body("button", 0.0, -0.193, 0.0), _BUTTON),), aligned(1, 0.02)),
    "button-press-topdown": Task(((body("button", 0.0, 0.0, 0.193), _BUTTON),), aligned(2, 0.024)),
    "button-press-topdown-wall": Task(((body("button", 0.0, 0.0, 0.193), _BUTTON),), aligned(2, 0.024)),
    "button-press-wall": Task(((body("button", 0.0, -0.193, 0.0), _BUTTON),), aligned(1, 0.03)),
    "coffee-button": Task(((site("buttonStart"), constant(1.0, 0.0, 0.0, 0.0)),), aligned(1, 0.02)),
    "coffee-pull": Task(((body("obj"), rotation("geom", "mug")),), near(0.07)),
    "coffee-push": Task(((body("obj"), rotation("geom", "mug")),), near(0.07)),
    "dial-turn": Task(((knob, quaternion("dial")),), near(0.07)),
    "disassemble": Task(((site("RoundNut-8"), quaternion("RoundNut")),), _nut_above_peg),
    "door-close": Task(((geom("handle"), _HANDLE),), near(0.08)),
    "door-lock": Task(((site("lockStartLock"), quaternion("door_link")),), aligned(2, 0.02)),
    "door-open": Task(((geom("handle"), _HANDLE),), aligned(0, 0.08)),
    "door-unlock": Task(((site("lockStartUnlock"), quaternion("door_link")),), aligned(0, 0.02)),
    "drawer-close": Task(((body("drawer_link", 0.0, -0.16, 0.05), _NONE),), near(0.05 + 0.015)),
    "drawer-open": Task(((body("drawer_link", 0.0, -0.16, 0.0), quaternion("drawer_link")),), near(0.03)),
    "faucet-close": Task(((site("handleStartClose", 0.0, 0.0, -0.01), quaternion("faucetBase")),), near(0.07)),
    "faucet-open": Task(
        ((site("handleStartOpen", 0.0, 0.0, -0.01), quaternion("faucetBase")),), near(0.07, -0.04, 0.0, 0.03)
    ),
    "hammer": Task(
        ((body("hammer"), quaternion("hammer")), (body("nail_link"), quaternion("nail_link"))), _nail_driven
    ),
    "hand-insert": Task(((body("obj"), quaternion("obj")),), near(0.05)),
    "handle-press": Task(((site("handleStart"), _NONE),), aligned(2, 0.02)),
    "handle-press-side": Task(((site("handleStart"), _NONE),), aligned(2, 0.02)),
    "handle-pull": Task(((site("handleRight"), _NONE),), aligned(2, 0.05)),
    "handle-pull-side": Task(((site("handleCenter"), _NONE),), near(0.08)),
    "lever-pull": Task(((site("leverStart"), _BLOCK),), _lever_up),
    "peg-insert-side": Task(((site("pegGrasp"), rotation("site", "pegGrasp")),), _peg_in_hole),
    "peg-unplug-side": Task(((site("pegEnd"), quaternion("plug1")),), near(0.07)),
    "pick-out-of-hole": Task(((body("obj"), quaternion("obj")),), near(0.07)),
    "pick-place": Task(((body("obj"), _BLOCK),), near(0.07)),
    "pick-place-wall": Task(((geom("objGeom"), _BLOCK),), near(0.07)),
    "plate-slide": Task(((geom("puck"), _PUCK),), near(0.07)),
    "plate-slide-back": Task(((geom("puck"), _PUCK),), near(0.07)),
    "plate-slide-back-side": Task(((geom("puck"), _PUCK),), near(0.07)),
    "plate-slide-side": Task(((geom("puck"), _PUCK),), near(0.07)),
    "push": Task(((body("obj"), _BLOCK),), near(0.05)),
    "push-back": Task(((geom("objGeom"), _BLOCK),), near(0.07)),
    "push-wall": Task(((geom("objGeom"), _BLOCK),), near(0.07)),
    "reach": Task(((body("obj"), _BLOCK),), tool_at_goal(0.05)),
    "reach-wall": Task(((body("obj"), _BLOCK),), tool_at_goal(0.05)),
    "shelf-place": Task(((body("obj"), _BLOCK),), near(0.07)),
    "soccer": Task(((body("soccer_ball"), rotation("body", "soccer_ball")),), near(0.07)),
    "stick-pull": Task((_STICK, (site("insertion"), _NONE)), _container_pulled),
    "stick-push": Task((_STICK, (site("insertion", 0.0, 0.09, 0.0), _NONE)), _container_pushed),
    "sweep": Task(((body("obj"), quaternion("obj")),), near(0.05)),
    "sweep-into": Task(((body("obj"), _BLOCK),), _swept_in),
    "window-close": Task(((site("handleCloseStart"), _NONE),), aligned(0, 0.05)),
    "window-open": Task(((site("handleOpenStart"), _NONE),), aligned(0, 0.05)),
}
