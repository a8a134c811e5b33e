"""What a policy that follows a clip is told: where the joints that follow are to be now, and how fast they are to move.

They go from standing to where the clip begins, then as it does, and stay where it ends. The joints that no clip moves
balance (the split of ALMI, arXiv 2504.14305).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from burnish import clip as clips
from burnish import registry
from burnish.clip import Clip
from burnish.errors import BurnishError
from burnish.greet import greet
from burnish.quintic import least_jerk
from burnish.ranges import Ranges, outside
from burnish.unitree import Model

LEAD_IN_S = 2.0
"""From standing to the first moment of a clip."""
SHARE = 0.8
"""Of the speed limits, that `Safety` uses."""
ROOM = (0.05, 0.2)
"""rad, rad/s, around a clip, for which a policy that learned it is as good."""
SUFFIX = ".csv"
CLIPS: dict[str, Callable[[], Clip]] = {"greet": greet}
"""Those that need no file."""


class Reference:
    """Of one clip, for one robot.

    Attributes:
        units: of what is told, by name: K = 2 J of them, positions and then velocities.
        ranges: of these numbers, for this clip and what is within `ROOM` of it.
    """

    def __init__(self, model: Model, name: str) -> None:
        """`name`: in `CLIPS`, or of a file. Raises `BurnishError` as `Clip.check` and `load` do."""
        if not model.follows:
            raise BurnishError(f"{model.name} has no joints that follow a clip; unitree-g1 has")
        self.units = units(model)
        self._clip = _led_in(model, clip(name, model))
        self._least, self._most = self._extremes()
        room = np.repeat(ROOM, len(model.follows))
        bounds = zip((self._least - room).round(3).tolist(), (self._most + room).round(3).tolist(), strict=True)
        self.ranges: Ranges = dict(zip(self.units, bounds, strict=True))

    @property
    def seconds(self) -> float:
        """How long it takes, the way to its beginning and all."""
        return self._clip.seconds

    def unlike(self, trained: Ranges) -> str:
        """Which of its numbers a policy that was `trained` for such ranges never met, and by how much; "" for none."""
        known = {}
        for name, least, most in zip(self.units, self._least.tolist(), self._most.tolist(), strict=True):
            low, high = trained.get(name, (least, most))
            known[name] = least if low - least > most - high else most
        return outside(known, trained, self.units)

    def told(self, seconds: np.ndarray) -> np.ndarray:
        """(…, K) float32 at `seconds` (…) since it began."""
        return np.concatenate(self._clip.at(seconds), axis=-1).astype(np.float32)

    def _extremes(self) -> tuple[np.ndarray, np.ndarray]:
        """(K,) and (K,) the least and the most of its numbers, at its moments."""
        rows = np.concatenate([self._clip.poses, self._clip.velocities], axis=1)
        return rows.min(axis=0), rows.max(axis=0)


class Following:
    """`observation.environment_state` (K,) of a robot that follows a clip. It begins with the first question."""

    def __init__(self, reference: Reference, clock: Callable[[], float] = time.monotonic) -> None:
        self._reference, self._clock = reference, clock
        self._began: float | None = None

    def __call__(self) -> np.ndarray:
        """Now."""
        now = self._clock()
        self._began = now if self._began is None else self._began
        return self._reference.told(np.array(now - self._began))


def units(model: Model) -> Mapping[str, str]:
    """Of what a policy for `model` is told, by name."""
    names = {f"{joint}_reference": "rad" for joint in model.follows}
    return names | {f"{name}_velocity": "rad/s" for name in names}


def clip(name: str, model: Model) -> Clip:
    """A clip that `model` can follow, by its name or file. Raises `BurnishError`."""
    if not name.endswith(SUFFIX):
        if name not in CLIPS:
            raise registry.unknown(f"clip (a file's name ends in {SUFFIX})", name, CLIPS)
        found = CLIPS[name]()
    else:
        found = clips.load(Path(name))
    found.check(model.limits, SHARE)
    return found


def _led_in(model: Model, found: Clip) -> Clip:
    """`found` with all joints that follow, in their order, and the way to where it begins."""
    standing = np.array([model.path[-1][model.joints.index(joint)] for joint in model.follows])
    poses = np.tile(standing, (len(found.poses), 1))
    for column, joint in enumerate(found.joints):
        if joint in model.follows:
            poses[:, model.follows.index(joint)] = found.poses[:, column]
    share = np.arange(round(LEAD_IN_S * found.rate_hz))[:, None] / (LEAD_IN_S * found.rate_hz)
    way = standing + least_jerk(share) * (poses[0] - standing)
    return Clip(found.name, model.follows, found.rate_hz, np.concatenate([way, poses]))
