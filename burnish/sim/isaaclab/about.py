"""What `burnish envs` says of Isaac Lab."""

from __future__ import annotations

from dataclasses import dataclass

from burnish.sim.about import About, Group
from burnish.sim.isaaclab.assets import Assets
from burnish.sim.isaaclab.tasks import COUNTED, GROWING, TASKS
from burnish.sim.needs import Lack, Need, Package

_SHARE = "joint positions (share of a scale, from the default pose)"
_CARTPOLE = "1: force on the cart (100 N); 60 Hz"
_HELD = "pole within 0.2 rad of upright for 2 s on end, cart on its rail"
_WALKED = "Isaac Lab's own: 20 s without a fall, mean velocity errors below its thresholds"
_SURVIVED = "Isaac Lab's own: 16 s without a fall, however far it went"
_SIZES = "state; see its contract for its size"


@dataclass(frozen=True)
class NotHere(Need):
    """Tasks that Isaac Lab has and this contract has no place for."""

    why: str

    def lack(self) -> Lack:
        """Nothing that could be installed."""
        return Lack(self.why, "take another task (burnish envs isaaclab), or run it with Isaac Lab itself")


def _of(verdict: str) -> tuple[str, ...]:
    return tuple(name for name, task in TASKS.items() if task.verdict == verdict and not task.cameras)


ABOUT = About(
    "Isaac Lab 3.0.0: batches on Newton (MuJoCo-Warp), without Isaac Sim, on a GPU or a CPU",
    (
        Group(_of("held"), "state 4", _CARTPOLE, _HELD),
        Group(("Isaac-Cartpole-Camera",), "environment_state 4, a camera's image", _CARTPOLE, _HELD),
        Group(_of("survived"), _SIZES, "8 or 21: torques (share of a scale); 60 Hz", _SURVIVED),
        Group(_of("reached"), _SIZES, f"7 or 6: {_SHARE}; 30 Hz", "Isaac Lab's own: hand within 5 cm and 0.2 rad"),
        Group(_of("drawer") + _of("opened"), _SIZES, f"8: {_SHARE}, grip; 60 Hz", "Isaac Lab's own: open by 30 cm"),
        Group(_of("walked"), _SIZES, f"one per joint: {_SHARE}; 50 Hz", _WALKED),
        Group(COUNTED, _SIZES, "one per joint", "no success signal", (NotHere("it has no success signal"),)),
        Group(
            GROWING,
            _SIZES,
            "one per joint",
            "Isaac Lab's own",
            (NotHere("its curriculum brings gravity, so that an episode depends on all before it"),),
        ),
    ),
    (Package("isaaclab", "isaaclab", alone=True), Assets()),
)
