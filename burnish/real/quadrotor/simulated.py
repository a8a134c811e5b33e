"""`burnish sim-robot quadrotor`: a quadrotor with an autopilot like PX4's, reached over MAVLink on UDP."""

from __future__ import annotations

import math
import socket
import time
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from burnish.errors import BurnishError
from burnish.real.quadrotor.dynamics import Quadrotor
from burnish.real.quadrotor.flight import Flight, Rules
from burnish.real.quadrotor.frames import tilt
from burnish.real.quadrotor.wire import Wire
from burnish.real.simulated import SimulatedRobot

CYCLE_S = 5e-3
BEHIND_S = 0.02
"""Further behind than this it gives up catching up: its clock loses the time instead."""


@dataclass(frozen=True)
class SimulatedConfig:
    """What `burnish sim-robot quadrotor` takes."""

    port: int = 14540
    """UDP port of this machine to which it speaks, as PX4's simulation does; 0: a free one."""
    offboard_loss_s: float = 0.5
    """Without setpoints until it leaves OFFBOARD; PX4's COM_OF_LOSS_T, 1.0 by default there."""
    hold_s: float = 3.0
    """How long it then holds before it lands; PX4's COM_FAIL_ACT_T, 5.0 by default there."""
    battery: float = 1.0
    """Charge at the start, 0 … 1."""
    positioned: bool = True
    """Whether it has an estimate of its position."""
    motors: bool = False
    """Take commands for single motors over MAVLink, as PX4 did until 1.13."""
    seed: int = 0
    """Of the losses on the line."""

    def __post_init__(self) -> None:
        if not 0 <= self.port < 1 << 16:
            raise BurnishError(f"--port {self.port}: a port is a number from 0 (any that is free) to 65535")


class SimulatedQuadrotor(SimulatedRobot):
    """Physics, autopilot and line, in real time."""

    Config: ClassVar[type] = SimulatedConfig
    faults: ClassVar[tuple[str, ...]] = (
        "lose", "delay", "silent", "battery", "rc_takeover", "failsafe", "push", "wind", "motor_dead",
        "reject_offboard", "clock_jump",
    )  # fmt: skip

    def __init__(self, config: SimulatedConfig) -> None:
        self._port = config.port or _free_port()
        self._body = Quadrotor()
        self._flight = Flight(self._body, Rules(config.offboard_loss_s, config.hold_s))
        self._flight.battery, self._flight.positioned = config.battery, config.positioned
        self._wire = Wire(self._flight, self._port, motors=config.motors, seed=config.seed)
        self._push_until_s = 0.0
        self._cycles, self._slipped_s = 0, 0.0
        self._tilt, self._rates, self._speed = 0.0, np.zeros(3), 0.0
        self._low, self._high = np.zeros(3), np.zeros(3)
        self._due = time.monotonic()

    @property
    def address(self) -> str:
        """Where the driver has to listen."""
        return f"udpin://127.0.0.1:{self._port}"

    def step(self) -> None:
        """5 ms."""
        self._wire.receive()
        if self._flight.time_s > self._push_until_s:
            self._body.push = np.zeros(3)
        self._flight.step(CYCLE_S)
        self._wire.stream()
        self._note()
        self._due += CYCLE_S
        ahead = self._due - time.monotonic()
        if ahead > 0:
            self._wire.listen(ahead)
        elif ahead < -BEHIND_S:
            self._slipped_s -= ahead
            self._due = time.monotonic()

    def _note(self) -> None:
        self._cycles += 1
        self._tilt = max(self._tilt, tilt(self._body.rotation))
        self._rates = np.maximum(self._rates, np.abs(self._body.rates))
        self._speed = max(self._speed, float(np.linalg.norm(self._body.velocity)))
        self._low = np.minimum(self._low, self._body.position)
        self._high = np.maximum(self._high, self._body.position)

    def report(self) -> dict[str, Any]:
        """Positions in m (ENU), angles in degrees, times in s since its start; `answer_ms` median and 99th percentile
        from an attitude that it sends to the setpoint that answers it."""
        flight, body = self._flight, self._body
        seen = self._wire.seen
        late_ms = 1e3 * np.percentile(self._wire.answered_s or [0.0], (50, 99))
        return {
            "answer_ms": late_ms.round(3).tolist(),
            "time_s": round(flight.time_s, 3),
            "cycles": self._cycles,
            "slipped_s": round(self._slipped_s, 3),
            "setpoints": seen["setpoints"],
            "longest_gap_s": round(flight.longest_gap_s, 3),
            "violations": {name: count for name, count in seen.items() if name != "setpoints" and count},
            "tilt_deg": math.degrees(self._tilt),
            "rates": self._rates.tolist(),
            "speed": self._speed,
            "low": self._low.tolist(),
            "high": self._high.tolist(),
            "position": body.position.tolist(),
            "velocity": body.velocity.tolist(),
            "mode": flight.mode,
            "modes": flight.modes,
            "armed": flight.armed,
            "failsafe": flight.failsafe,
            "landed": body.on_ground,
            "landing_speed": body.landing_speed,
            "crashed": flight.crashed,
        }

    def hurt(self, fault: str, settings: dict[str, Any]) -> None:
        """lose: `fraction` of datagrams, each way. delay: by `seconds`. silent: `on`. battery: at `left`, 0 … 1.
        rc_takeover: to `mode` (POSCTL; HOLD to let go). push: `force` (3,) N for `seconds`. wind: `velocity` (3,) m/s,
        to stay. motor_dead: `rotor` 0 … 3. reject_offboard: `on`. clock_jump: by `seconds`. failsafe: for a `reason`.
        """
        flight, wire, body = self._flight, self._wire, self._body
        if fault == "lose":
            wire.lose = float(settings.get("fraction", 0.1))
        elif fault == "delay":
            wire.delay_s = float(settings.get("seconds", 0.05))
        elif fault == "silent":
            wire.silent = bool(settings.get("on", True))
        elif fault == "clock_jump":
            wire.clock_s += float(settings.get("seconds", 10.0))
        elif fault == "push":
            body.push = np.array(settings.get("force", (10.0, 0.0, 0.0)), float)
            self._push_until_s = flight.time_s + float(settings.get("seconds", 0.3))
        elif fault == "wind":
            body.wind = np.array(settings.get("velocity", (5.0, 0.0, 0.0)), float)
        elif fault == "motor_dead":
            body.dead = (*body.dead, int(settings.get("rotor", 0)))
        else:
            self._upset(fault, settings)

    def _upset(self, fault: str, settings: dict[str, Any]) -> None:
        """What befalls the autopilot itself."""
        flight = self._flight
        if fault == "battery":
            flight.battery = float(settings.get("left", 0.1))
        elif fault == "rc_takeover":
            flight.switch(settings.get("mode", "POSCTL"))
        elif fault == "failsafe":
            flight.fail(str(settings.get("reason", "data link lost")))
        elif fault == "reject_offboard":
            flight.refuses_offboard = bool(settings.get("on", True))

    def close(self) -> None:
        """The line."""
        self._wire.close()


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
