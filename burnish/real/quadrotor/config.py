"""How a quadrotor is reached, how it is commanded, and how far it may go."""

from __future__ import annotations

from dataclasses import dataclass

from burnish.errors import BurnishError
from burnish.quadrotor import Mode, Path


@dataclass(frozen=True)
class QuadrotorConfig:
    """Of the driver."""

    address: str = "udpin://127.0.0.1:14540"
    """mavsdk's connection url; udpin: listen there for the autopilot's MAVLink."""
    mode: Mode = "attitude"
    """attitude: roll, pitch, yaw and thrust. rates: of the body, and thrust. motors: four of them (PX4 before 1.14)."""
    path: Path = "hover"
    """What a policy is told to fly that reads a target: the place above where it took off, or a lying eight there."""
    mass: float | None = None
    """kg, if it is known; as the next ones, compared with what a policy was trained to fly."""
    thrust_to_weight: float | None = None
    spin_up: float | None = None
    """s, time constant of a rotor that becomes faster."""
    spin_down: float | None = None
    force: bool = False
    """Fly a policy that was not trained for such a vehicle."""
    height_m: float = 1.5
    """To which it takes off."""
    fence_m: tuple[float, float, float] = (5.0, 5.0, 4.0)
    """From where it took off: to the east and west, to the north and south, and up. Outside, it is halted."""
    land_after_s: float = 10.0
    """How long it hovers after a halt before it lands."""
    battery_start: float = 0.3
    """Charge below which it does not start, 0 … 1."""
    battery_stop: float = 0.15
    """Charge below which it is halted; PX4's BAT_LOW_THR."""
    silence_s: float = 0.25
    """Longest time without telemetry, and by which its clock or its position may be off."""
    wait_s: float = 10.0
    """For the autopilot to answer and to be ready."""

    def __post_init__(self) -> None:
        if not 0 < self.height_m < self.fence_m[2]:
            raise BurnishError(f"quadrotor: height_m must be between 0 and the fence ({self.fence_m[2]:g} m), is"
                               f" {self.height_m:g}")  # fmt: skip
