"""The controllers inside a simulated Franka: what torque they give so that the arm follows a stream of joint positions.

Both are a spring and a damper, without friction, gravity compensated. What the manufacturer tells of the real ones is
their stiffness and its ranges; the damping here is of the same order as the real controllers' settling.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from burnish.fr3 import CARTESIAN_STIFFNESS, JOINT_STIFFNESS

pin: Any = importlib.import_module("pinocchio")  # in a folder of its own, which type checkers do not look into
SETTLING_S = 0.05
"""Damping per stiffness of the joint controller at libfranka's default; softer ones are damped as much critically."""
APPARENT = (5.0, 5.0, 5.0, 0.3, 0.3, 0.3)
"""kg and kg·m² at the tool for which the Cartesian controller is critically damped."""
ELBOW = 100.0
"""N·m/rad of what the tool's pose leaves free, and a tenth of it in N·m·s/rad."""
SINGULAR = 0.005
"""A Jacobian (m and rad per rad) with a singular value below it is that of a singular pose."""


class Controller(Protocol):
    """One of them."""

    def torque(self, q: np.ndarray, dq: np.ndarray, goal: np.ndarray, speed: np.ndarray) -> np.ndarray:
        """(7,) N·m at joints `q` (7,) rad moving at `dq`, towards `goal`, rad, which moves at `speed`, rad/s."""
        ...


class JointImpedance:
    """A spring per joint."""

    def __init__(self) -> None:
        self.set(JOINT_STIFFNESS)

    def set(self, stiffness: Sequence[float]) -> None:
        """(7,) N·m/rad."""
        self._stiffness = np.array(stiffness)
        self._damping = SETTLING_S * np.sqrt(self._stiffness * JOINT_STIFFNESS)

    def torque(self, q: np.ndarray, dq: np.ndarray, goal: np.ndarray, speed: np.ndarray) -> np.ndarray:
        """See `Controller`."""
        return self._stiffness * (goal - q) + self._damping * (speed - dq)


class CartesianImpedance:
    """A spring along and about each axis of the tool, and a weak one for the elbow, which never moves the tool."""

    def __init__(self, tool: Tool) -> None:
        self._tool = tool
        self.set(CARTESIAN_STIFFNESS)

    def set(self, stiffness: Sequence[float]) -> None:
        """(6,) N/m and N·m/rad."""
        self._stiffness = np.reshape(stiffness, (2, 3))
        self._damping = 2 * np.sqrt(self._stiffness * np.reshape(APPARENT, (2, 3)))

    def torque(self, q: np.ndarray, dq: np.ndarray, goal: np.ndarray, speed: np.ndarray) -> np.ndarray:
        """See `Controller`."""
        wanted, here, jacobian = self._tool.pose(goal), self._tool.pose(q), self._tool.jacobian(q)
        away = np.concatenate([wanted.translation - here.translation, pin.log3(wanted.rotation @ here.rotation.T)])
        behind = jacobian @ (speed - dq)
        turn = here.rotation  # the stiffness is told in the tool's own axes
        away, behind = (part.reshape(2, 3) @ turn for part in (away, behind))
        wrench = (self._stiffness * away + self._damping * behind) @ turn.T
        elbow = ELBOW * (goal - q) + ELBOW / 10 * (speed - dq)
        inner = np.linalg.solve(jacobian @ jacobian.T + 1e-9 * np.eye(6), jacobian @ elbow)
        return jacobian.T @ (wrench.ravel() - inner) + elbow


class Tool:
    """Where the simulated arm's tool is, by the model that it tells its clients."""

    def __init__(self, model: Any, frame: int) -> None:
        self._model, self._frame, self._data = model, frame, model.createData()

    def pose(self, q: np.ndarray) -> Any:
        """Of joints (7,), rad: `pin.SE3`, m, base frame."""
        pin.forwardKinematics(self._model, self._data, q)
        return pin.updateFramePlacement(self._model, self._data, self._frame).copy()

    def jacobian(self, q: np.ndarray) -> np.ndarray:
        """(6, 7) from joint velocities to the tool's velocity and angular velocity, base frame."""
        aligned = pin.ReferenceFrame.LOCAL_WORLD_ALIGNED
        return pin.computeFrameJacobian(self._model, self._data, q, self._frame, aligned)

    def singular(self, q: np.ndarray) -> bool:
        """Whether there is a direction in which the joints hardly move it."""
        return bool(np.linalg.svd(self.jacobian(q), compute_uv=False)[-1] < SINGULAR)
