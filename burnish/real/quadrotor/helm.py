"""Who flies: this driver (OFFBOARD), the autopilot for it (HOLD, then LAND), or somebody else, who is left alone."""

from __future__ import annotations

import time
from typing import Literal

from mavsdk.plugins.telemetry import FlightMode

from burnish.real.quadrotor.link import LAND, SET_MODE, Link

OFFBOARD, HOLD = (1.0, 6.0, 0.0), (1.0, 4.0, 3.0)
"""Parameters of MAV_CMD_DO_SET_MODE for PX4: custom mode, its main and its sub mode."""
STICKS = ("MANUAL", "ALTCTL", "POSCTL", "ACRO", "STABILIZED", "RATTITUDE")
"""Modes that only somebody with a remote control flies."""
REPEAT_S = 0.5
"""A change of mode that is not seen by then is ordered again."""
STREAM_S = 0.3
"""Setpoints are streamed for so long before OFFBOARD is asked for: it is refused without."""
SEEN_S = 1.5
"""From the autopilot's yes to OFFBOARD until its heartbeat must say so; PX4 sends one a second by default."""

Phase = Literal["ground", "offboard", "hold", "land", "taken"]


class Helm:
    """Changes modes without ever waiting.

    Attributes:
        phase: ground: not flown. offboard: setpoints are followed. hold, land: as ordered from here. taken: by an
            operator or a failsafe.
        refused: how often OFFBOARD was refused since `rest`.
    """

    def __init__(self, link: Link, land_after_s: float) -> None:
        self._link, self._land_after_s = link, land_after_s
        self.phase: Phase = "ground"
        self.refused = 0
        self._since_s, self._ordered_s, self._streaming_s, self._seen = 0.0, 0.0, None, False

    def hold(self) -> None:
        """The autopilot hovers for this driver from now on."""
        self.phase, self._since_s, self._streaming_s, self.refused = "hold", time.monotonic(), None, 0

    def regain(self) -> None:
        """After a halt, whoever had it: it hovers for this driver, or stands on the ground for it."""
        self.hold()
        if not self._link.armed:
            self.phase = "ground"
        elif self._link.mode != FlightMode.HOLD:
            self._order_hold(time.monotonic())

    def take(self) -> None:
        """Setpoints are streamed: be in OFFBOARD as soon as the autopilot allows."""
        if self.phase not in ("hold", "land"):
            return
        now = time.monotonic()
        if self._streaming_s is None:
            self._streaming_s = now
        if now - self._streaming_s >= STREAM_S and now - self._ordered_s >= REPEAT_S:
            self._ordered_s = now
            self._link.order(SET_MODE, *OFFBOARD, then=self._answered)

    def rest(self) -> None:
        """Halted: hover at once, land after a while; unless somebody else has it."""
        now, mode = time.monotonic(), self._link.mode
        self._streaming_s = None
        if self.phase == "offboard":
            if self.lost():
                self.phase = "taken"
                return
            self.hold()
            self._order_hold(now)
        elif self.phase == "hold":
            if mode not in (FlightMode.HOLD, FlightMode.OFFBOARD, FlightMode.TAKEOFF):
                self.phase = "taken"
            elif now - self._since_s > self._land_after_s:
                self.land()
            elif mode != FlightMode.HOLD and now - self._ordered_s > REPEAT_S:
                self._order_hold(now)
        elif self.phase == "land" and mode == FlightMode.HOLD and now - self._ordered_s > REPEAT_S:
            self.land()

    def land(self) -> None:
        """Down from here."""
        self.phase, self._ordered_s = "land", time.monotonic()
        self._link.order(LAND, 0, 0, 0, float("nan"))

    def lost(self) -> str:
        """Who took over, "" while nobody did."""
        if self.phase != "offboard":
            return ""
        mode = self._link.mode.name
        if mode == "OFFBOARD":
            self._seen = True
        elif self._seen or time.monotonic() - self._since_s > SEEN_S:
            if mode in STICKS:
                return f"the operator took over: the mode is {mode}"
            said = f" ({self._link.texts[-1]})" if self._link.texts else ""
            return f"the autopilot left OFFBOARD for {mode}{said}"
        return ""

    def _order_hold(self, now: float) -> None:
        self._ordered_s = now
        self._link.order(SET_MODE, *HOLD)

    def _answered(self, accepted: bool) -> None:
        if accepted:
            self.phase, self._since_s, self._seen = "offboard", time.monotonic(), False
            self._link.texts.clear()  # what it says from here on is about this flight
        else:
            self.refused += 1
