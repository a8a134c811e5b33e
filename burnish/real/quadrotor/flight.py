"""The simulated autopilot's modes, after PX4's commander: who flies, what is refused, what it does when nobody does."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from burnish.real.quadrotor.control import Mixer, PositionHold, rates_towards
from burnish.real.quadrotor.dynamics import Quadrotor
from burnish.real.quadrotor.frames import angles, tilt

Mode = Literal["MANUAL", "POSCTL", "HOLD", "TAKEOFF", "LAND", "OFFBOARD"]
AIRBORNE_M = 0.05
TAKEOFF_SPEED, LAND_SPEED = 1.0, 0.7
"""m/s; MPC_TKO_SPEED is 1.5, MPC_LAND_SPEED 0.7."""
DISARM_AFTER_S = 1.0
"""On the ground after a landing; COM_DISARM_LAND is 2.0."""
CRASH_SPEED, CRASH_TILT = 1.5, math.radians(75)
"""What counts as a crash: m/s at the ground, and an attitude no controller here asks for."""
PHYSICS_S = 1e-3
STILL = np.zeros(4)
STREAM_HZ = 2.0
"""OFFBOARD is refused unless setpoints come at least as often."""


@dataclass(frozen=True)
class Rules:
    """PX4's parameters that decide here.

    Attributes:
        offboard_loss_s: COM_OF_LOSS_T, without setpoints until OFFBOARD is left.
        hold_s: COM_FAIL_ACT_T, held after that before it lands.
        battery_arm, battery_land: remaining share below which it does not arm (COM_ARM_BAT_MIN), and lands
            (BAT_EMERGEN_THR).
    """

    offboard_loss_s: float = 0.5
    hold_s: float = 3.0
    battery_arm: float = 0.2
    battery_land: float = 0.05


@dataclass(frozen=True)
class Wish:
    """The last setpoint from outside: `values` are an attitude (3, 3), rates (3,) or rotors (4,)."""

    kind: Literal["attitude", "rates", "motors"]
    values: np.ndarray
    thrust: float
    time_s: float


class Flight:
    """One vehicle's state machine and its loops.

    Attributes:
        texts: what it wants to tell (STATUSTEXT), oldest first; taken by who sends them.
        modes: every mode so far with the time it began, s.
        crashed: why, or "".
        longest_gap_s: between two setpoints in OFFBOARD.
    """

    def __init__(self, body: Quadrotor, rules: Rules) -> None:
        self.body, self._rules = body, rules
        self.time_s, self.battery, self.takeoff_m = 0.0, 1.0, 2.5
        self.armed, self.failsafe, self.refuses_offboard, self.positioned = False, False, False, True
        self.mode: Mode = "HOLD"
        self.modes: list[tuple[float, Mode]] = [(0.0, "HOLD")]
        self.texts: list[str] = []
        self.crashed = ""
        self.longest_gap_s = 0.0
        self._mixer, self._hold = Mixer(body.airframe), PositionHold(body.airframe)
        self._target, self._yaw = body.position.copy(), 0.0
        self._wish: Wish | None = None
        self._streaming_since: float | None = None
        self._mode_since, self._grounded_since = 0.0, 0.0

    @property
    def airborne(self) -> bool:
        """Whether it has left the ground."""
        return bool(self.body.position[2] > AIRBORNE_M)

    def unready(self) -> list[str]:
        """Why it would not arm."""
        reasons = []
        if self.battery < self._rules.battery_arm:
            reasons.append(f"Preflight Fail: battery at {self.battery:.0%}")
        if not self.positioned:
            reasons.append("Preflight Fail: no valid local position estimate")
        if self.crashed:
            reasons.append("Preflight Fail: attitude failure (roll)")
        return reasons

    def arm(self) -> bool:
        """Whether it is armed now."""
        reasons = self.unready()
        self.texts += [f"Arming denied: {reason}" for reason in reasons]
        if not reasons and not self.armed:
            self.armed, self._grounded_since = True, self.time_s
        return self.armed

    def disarm(self, *, force: bool = False) -> bool:
        """Whether it is disarmed now; refused in the air unless forced."""
        if self.armed and self.airborne and not force:
            self.texts.append("Disarming denied: not landed")
            return False
        self.armed = False
        return True

    def switch(self, mode: Mode) -> bool:
        """Whether `mode` is flown now."""
        if mode == "OFFBOARD":
            if self.refuses_offboard or not self._streams():
                self.texts.append("Switching to Offboard is currently not available: no setpoints")
                return False
            self.failsafe = False
        if mode != self.mode:
            self._enter(mode)
        return True

    def take(self, wish: Wish) -> None:
        """A setpoint from outside."""
        gap = math.inf if self._wish is None else wish.time_s - self._wish.time_s
        if gap > 1 / STREAM_HZ:
            self._streaming_since = wish.time_s
        if self.mode == "OFFBOARD":
            self.longest_gap_s = max(self.longest_gap_s, gap)
        self._wish = wish

    def step(self, seconds: float) -> None:
        """Fly on by `seconds`: modes and outer loops once, rates and physics every `PHYSICS_S`."""
        self._watch()
        rates, thrust, rotors = self._outer(seconds)
        for _ in range(round(seconds / PHYSICS_S)):
            if not self.armed:
                rotors = STILL
            self.body.step(self._mixer(rates, thrust, self.body) if rotors is None else rotors, PHYSICS_S)
            if self.body.landing_speed > CRASH_SPEED:
                self._crash(f"hit the ground at {self.body.landing_speed:.1f} m/s")
        self.time_s += seconds
        if tilt(self.body.rotation) > CRASH_TILT:
            self._crash(f"flipped: tilt {math.degrees(tilt(self.body.rotation)):.0f}°")

    def _streams(self) -> bool:
        """Setpoints have come, often enough, for as long as two of them take, and still do."""
        if self._wish is None or self._streaming_since is None:
            return False
        fresh = self.time_s - self._wish.time_s < 1 / STREAM_HZ
        return fresh and self.time_s - self._streaming_since >= 0.1

    def _enter(self, mode: Mode) -> None:
        self.mode, self._mode_since = mode, self.time_s
        self.modes.append((round(self.time_s, 3), mode))
        self._target, self._yaw = self.body.position.copy(), float(angles(self.body.rotation)[2])
        self._hold.start()
        if mode == "TAKEOFF":
            self._target[2] = self.takeoff_m

    def _watch(self) -> None:
        """Failsafes, and what ends by itself."""
        for_s = self.time_s - self._mode_since
        lost = self._wish is None or self.time_s - self._wish.time_s > self._rules.offboard_loss_s
        if self.mode == "OFFBOARD" and lost:
            self.fail("no offboard setpoints")
        elif self.failsafe and self.mode == "HOLD" and for_s > self._rules.hold_s:
            self._enter("LAND")
        elif self.armed and self.battery < self._rules.battery_land and self.mode != "LAND":
            self.texts.append("Emergency battery level, landing")
            self._enter("LAND")
        elif self.mode == "TAKEOFF" and abs(self.body.position[2] - self.takeoff_m) < 0.1:
            self._enter("HOLD")
            self._target[2] = self.takeoff_m
        if not self.armed or self.airborne or self.mode in ("TAKEOFF", "OFFBOARD"):
            self._grounded_since = self.time_s
        elif self.time_s - self._grounded_since > DISARM_AFTER_S:
            self.armed = False
            self.failsafe = False

    def fail(self, reason: str) -> None:
        """A failsafe begins: held, then landed."""
        self.failsafe = True
        self.texts.append(f"Failsafe activated: {reason}")
        self._enter("HOLD")

    def _crash(self, reason: str) -> None:
        if not self.crashed:
            self.crashed, self.armed = reason, False
            self.texts.append(f"Crash: {reason}")

    def _outer(self, seconds: float) -> tuple[np.ndarray, float, np.ndarray | None]:
        """Rates (3,) and thrust for the mixer, or the rotors (4,) themselves."""
        body, wish = self.body, self._wish
        if self.mode == "OFFBOARD" and wish is not None:
            if wish.kind == "motors":
                return STILL[:3], 0.0, wish.values
            rates = wish.values if wish.kind == "rates" else rates_towards(wish.values, body.rotation)
            return rates, wish.thrust, None
        if body.on_ground and self.mode != "TAKEOFF":
            return STILL[:3], 0.0, STILL
        climb = -LAND_SPEED if self.mode == "LAND" else None
        wanted, thrust = self._hold(self._target, self._yaw, body, seconds, climb)
        return rates_towards(wanted, body.rotation), thrust, None
