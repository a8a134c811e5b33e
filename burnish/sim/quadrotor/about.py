"""What `burnish envs` says of the quadrotors."""

from __future__ import annotations

from burnish.sim.about import About, Group
from burnish.sim.needs import Package

_ACTION = "4: speeds of the motors, share of the fastest; 100 Hz"
_STATE = "state 18, environment_state"

ABOUT = About(
    "a quadrotor, as `burnish deploy --robot quadrotor` flies it",
    (
        Group(("hover",), f"{_STATE} 6", _ACTION, "1 s within 5 cm"),
        Group(("track",), f"{_STATE} 6", _ACTION, "3 s within 40 cm of a moving place"),
        Group(("waypoints",), f"{_STATE} 6", _ACTION, "four places passed within 15 cm"),
        Group(("race",), f"{_STATE} 10", _ACTION, "through all gates"),
    ),
    (Package("torch", "train"),),
)
