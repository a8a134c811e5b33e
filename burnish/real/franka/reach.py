"""From where the tool should be to joints: what a policy that commands poses of the tool asks of a Franka.

Inverse kinematics by damped least squares (Wampler 1986; Nakamura and Hanafusa 1986), action after action from where
the one before led: the nearest pose that the joints can come to in the time of an action. Damping is what that limit
needs and no more: exact in the open, and near a singular pose or out of reach the tool lags and the joints stay calm.
What the task leaves free drifts towards the start pose. Its result is all that `Safety` sees.
"""

from __future__ import annotations

import math

import numpy as np

from burnish.contract import Field
from burnish.fr3 import ARM_LIMITS, DOWN, RATE_HZ, TOOL, WIDTH, frames
from burnish.real.base import state_field
from burnish.rotations import ROTATIONS, turn
from burnish.sim.franka.kinematics import jacobian

SHARE = 0.8
"""Of the velocity limits, as `Safety` has it."""
TURN_M = 0.3
"""What a radian of the tool's turn counts, in metres."""
LEAP_M = 0.15
"""A pose that is further from the one before than this, its turn counted as above, is not come to little by little:
whether the joints may leap so far is `Safety`'s matter, for it is no motion but an error."""
DAMPINGS = np.concatenate([[1e-6], np.geomspace(1e-3, 10.0, 33)])
"""m/rad, from the least on."""
STEPS, DONE, STEP_RAD = 12, 1e-4, 0.5
"""At most so many iterations, until no joint moved further than this, rad, for what is left is its square; and how far
one may move in each."""
HAIR = 1e-9
HARDER = 6
"""Places in `DAMPINGS` further on, where a step led away."""
HOMEWARD = 0.5
"""1/s back to the start pose where the tool leaves the choice."""
HOME = np.array(DOWN)
LOW, HIGH, SPEED = (np.array(part) for part in (ARM_LIMITS.low, ARM_LIMITS.high, ARM_LIMITS.velocity))


class ToolPoses:
    """The `Translator` of actions that are poses of the tool: position (m), rotation, and the gripper's width (m).

    Attributes:
        rotation: how it is written down.
    """

    def __init__(self, rotation: str) -> None:
        """`rotation`: a name in `ROTATIONS`."""
        self.rotation = ROTATIONS[rotation]
        names = ("tool_x", "tool_y", "tool_z", *(f"tool_{name}" for name in self.rotation.names), WIDTH)
        units = ("m",) * 3 + (self.rotation.unit,) * len(self.rotation.names) + ("m",)
        self.field: Field = state_field(names, units, "base", RATE_HZ)

    def setpoints(
        self, actions: np.ndarray, start: np.ndarray, before: np.ndarray | None, period_s: float
    ) -> np.ndarray:
        """(H, 8) joints, rad, and widths, m, of `actions` (H, 4 + R), begun at the set point `start` (8,).

        A row that is not finite becomes one that is not. Raises `BurnishError` for what is no rotation.
        """
        asked = np.vstack([self.actions(start[None]) if before is None else before, actions])
        with np.errstate(invalid="ignore"):  # what is infinite is no rotation
            turns = self.rotation.read(asked[:, 3:-1])
        joints, found = start[:7], np.full((len(actions), 8), np.nan)
        for number, row in enumerate(found):
            (last, place), (turned, wish) = asked[number : number + 2, :3], turns[number : number + 2]
            if np.isfinite(asked[number + 1]).all():
                leaps = not np.linalg.norm(_between(last, turned, place, wish)) < LEAP_M
                joints = follow(joints, place, wish, np.inf if leaps else period_s)
                row[:7], row[7] = joints, asked[number + 1, -1]
        return found

    def actions(self, setpoints: np.ndarray) -> np.ndarray:
        """(N, 4 + R): where the tool is at `setpoints` (N, 8)."""
        tool = frames(setpoints[:, :7])[:, TOOL]
        return np.concatenate([tool[:, :3, 3], self.rotation.write(tool[:, :3, :3]), setpoints[:, 7:]], axis=1)


def follow(joints: np.ndarray, place: np.ndarray, wish: np.ndarray, period_s: float) -> np.ndarray:
    """(7,) rad: from `joints` (7,), rad, towards the tool at `place` (3,), m, turned as `wish` (3, 3), base frame."""
    away, moves = _look(joints, place, wish)
    reach = SHARE * SPEED * period_s
    low, high = np.maximum(LOW, joints - reach), np.minimum(HIGH, joints + reach)
    free = np.eye(7) - np.linalg.pinv(moves, rcond=1e-3) @ moves
    home = min(period_s, 1.0) * HOMEWARD * (HOME - joints)
    joints = np.clip(joints + free @ np.clip(home, -reach / 2, reach / 2), low, high)
    away, moves = _look(joints, place, wish)
    damping = 0
    for _ in range(STEPS):
        bounds = np.maximum(low - joints, -STEP_RAD), np.minimum(high - joints, STEP_RAD)
        step, damping = _step(moves, away, *bounds, damping)
        found, led = _look(joints + step, place, wish)
        if np.linalg.norm(found) < np.linalg.norm(away):
            joints, away, moves, damping = joints + step, found, led, max(0, damping - HARDER)
        else:
            damping += HARDER
        if np.abs(step).max() < DONE or damping >= len(DAMPINGS):
            break
    return joints


def _look(joints: np.ndarray, place: np.ndarray, wish: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(6,) m from the tool to its goal, and (6, 7) m/rad how joints move it; turns count `TURN_M`."""
    placed = frames(joints[None])
    tool, moves = placed[0, TOOL], jacobian(placed)[0]
    moves[3:] *= TURN_M
    return _between(tool[:3, 3], tool[:3, :3], place, wish), moves


def _between(here: np.ndarray, turned: np.ndarray, place: np.ndarray, wish: np.ndarray) -> np.ndarray:
    """(6,) m: from one pose to another, base frame; the turn counts `TURN_M`."""
    both = wish @ turned.T
    (_, a, b), (c, _, d), (e, f, _) = both.tolist()
    x, y, z = f - d, b - e, c - a  # twice the axis times the sine
    sine, cosine = math.sqrt(x * x + y * y + z * z) / 2, (np.trace(both) - 1) / 2
    if not cosine > -0.9:
        return np.concatenate([place - here, TURN_M * turn(both)])
    share = TURN_M / 2 * (math.atan2(sine, cosine) / sine if sine > HAIR else 1.0)
    return np.array([*(place - here).tolist(), share * x, share * y, share * z])


def _step(moves: np.ndarray, away: np.ndarray, low: np.ndarray, high: np.ndarray, first: int) -> tuple[np.ndarray, int]:
    """(7,) rad: least squares with the least damping, from the `first` on, that stays between `low` and `high` (7,);
    and which one that is. A joint that stands at its bound and would go further is left out: the others do without it.
    """
    able = np.ones(7, bool)
    for _ in range(7):
        left, sizes, right = np.linalg.svd(moves * able, full_matrices=False)
        shares = sizes / (sizes**2 + DAMPINGS[first:, None] ** 2)
        steps = (shares * (left.T @ away)) @ right
        stuck = able & (((low > -HAIR) & (steps[-1] < 0)) | ((high < HAIR) & (steps[-1] > 0)))
        if not stuck.any():
            break
        able &= ~stuck
    fits = np.all((steps >= low - HAIR) & (steps <= high + HAIR), axis=1)
    which = int(fits.argmax()) if fits.any() else len(steps) - 1
    return np.clip(steps[which], np.minimum(low, 0), np.maximum(high, 0)), first + which
