"""What must hold before a robot is commanded."""

from __future__ import annotations

import numpy as np

from burnish.real.base import RobotError
from burnish.real.unitree.dds import Line
from burnish.real.unitree.link import COMMAND
from burnish.real.unitree.service import MotionService
from burnish.real.unitree.wire import message_type
from burnish.unitree import Model

LISTEN_S = 0.2
"""How long another controller is listened for; as Unitree's own (`unitree_rl_lab`, deploy/robots/go2/main.cpp)."""


def is_that_model(model: Model, record: np.ndarray) -> None:
    """Raise `RobotError` if this LowState is of a robot with other motors.

    A motor that is there has a temperature; of the slots that are left over everything is 0.
    """
    if model.machines and int(record["mode_machine"]) not in model.machines:
        raise RobotError(
            f"the robot has mode_machine {int(record['mode_machine'])}, {model.name} with {len(model.joints)} motors "
            f"one of {model.machines}; bodies with fewer joints or a locked waist have no driver here"
        )
    heat = record["motor_state"]["temperature"].reshape(len(record["motor_state"]), -1)
    used = np.flatnonzero(heat.any(axis=1)).tolist()
    if used != list(range(len(model.joints))):
        raise RobotError(
            f"the robot has {len(used)} motors, {model.name} has {len(model.joints)}; use the driver of its own model"
        )


def is_free(model: Model, line: Line, interface: str, *, release: bool) -> None:
    """Raise `RobotError` if somebody else commands the motors.

    Args:
        release: take them from the robot's own motion service.
    """
    service = MotionService(line)
    if name := service.active():
        if not release:
            raise RobotError(
                f"the robot's motion service {name!r} has the motors; let a Go2 lie down, hang a G1 up, and give "
                "--robot.release"
            )
        service.release()
    other = line.reader(COMMAND, message_type(model.family, "LowCmd_"))
    if line.waiter(other).wait(int(LISTEN_S * 1e9)):
        raise RobotError(f"somebody else publishes {COMMAND} on interface {interface!r}; end that program first")


def too_empty(record: np.ndarray, least: int) -> str:
    """What is wrong with the battery, below `least` %; "" if nothing, or if it does not tell."""
    if "bms_state" not in (record.dtype.names or ()):
        return ""
    charge = int(record["bms_state"]["soc"])
    return f"its battery is at {charge} %, at least {least}; charge it" if charge < least else ""
