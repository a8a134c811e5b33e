"""A clip: what joints of a robot do in some seconds, as it is read from a file, and where they are at a time.

The file is CSV: a line of names, `time_s` and joints as in the robot's URDF, then a line per moment, s and rad. Times
are evenly spaced; joints that have no column stay as they stand. Nobody asks whence a clip comes, so everything is
looked at before anything moves.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from burnish import registry
from burnish.errors import BurnishError
from burnish.files import atomic_file
from burnish.limits import Limits

TIME = "time_s"
UNEVEN = 0.02
"""Share of the time between two moments by which it may differ from the mean."""
LEAST_HZ, MOST_HZ = 5.0, 1000.0
"""Moments further apart do not say what happens between them."""


@dataclass(frozen=True)
class Clip:
    """One.

    Attributes:
        name: for messages.
        joints: names.
        rate_hz: of the poses.
        poses: (T, J) rad.
    """

    name: str
    joints: tuple[str, ...]
    rate_hz: float
    poses: np.ndarray

    @property
    def seconds(self) -> float:
        """From its first moment to its last."""
        return (len(self.poses) - 1) / self.rate_hz

    @cached_property
    def velocities(self) -> np.ndarray:
        """(T, J) rad/s, at rest before and after."""
        padded = np.concatenate([self.poses[:1], self.poses, self.poses[-1:]])
        return (padded[2:] - padded[:-2]) * (self.rate_hz / 2)

    def at(self, seconds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(…, J) rad and rad/s at `seconds` (…): cubics between its moments, at rest at both ends and beyond."""
        place = np.clip(np.asarray(seconds) * self.rate_hz, 0, len(self.poses) - 1)
        first = np.minimum(place.astype(int), len(self.poses) - 2)
        t, step = (place - first)[..., None], 1 / self.rate_hz
        p, q = self.poses[first], self.poses[first + 1]
        v, w = self.velocities[first] * step, self.velocities[first + 1] * step
        position = p + t * (v + t * (3 * (q - p) - 2 * v - w + t * (2 * (p - q) + v + w)))
        velocity = (v + t * (2 * (3 * (q - p) - 2 * v - w) + 3 * t * (2 * (p - q) + v + w))) / step
        inside = ((place > 0) & (place < len(self.poses) - 1))[..., None]
        return position, velocity * inside

    def check(self, limits: Limits, share: float = 1.0) -> None:
        """Raise `BurnishError` for the joint, the moment and by how much, where it leaves the ranges of `limits` or is
        faster than `share` of their speed; for an unknown joint with the closest match."""
        registry.check_known(f"joint in clip {self.name}:", self.joints, limits.names)
        own, step = limits.of(self.joints), self.rate_hz * np.abs(np.diff(self.poses, axis=0))
        fastest = np.max(step / (share * np.array(own.velocity)), axis=0)
        for which, joint in enumerate(self.joints):
            low, high = own.low[which], own.high[which]
            away = np.maximum(low - self.poses[:, which], self.poses[:, which] - high)
            row = int(np.argmax(away))
            if away[row] > 0:
                at = self.poses[row, which]
                side, bound = ("below", low) if at < low else ("above", high)
                raise BurnishError(
                    f"clip {self.name}: {joint} is {at:.3f} rad at {row / self.rate_hz:.2f} s, {away[row]:.3f} rad "
                    f"{side} {bound:g}; {_counted(away > 0)} of {len(away)} moments are outside its range (are they "
                    "radians, and is this its robot?)"
                )
            if fastest[which] > 1:
                row, most = int(np.argmax(step[:, which])), share * own.velocity[which]
                raise BurnishError(
                    f"clip {self.name}: {joint} moves at {step[row, which]:.1f} rad/s at {row / self.rate_hz:.2f} s, "
                    f"{step[row, which] - most:.1f} rad/s above the {most:g} that it may; at {self.rate_hz:g} moments "
                    f"a second it is to be played {fastest.max():.2g} times slower: is its {TIME} right?"
                )

    def save(self, path: Path) -> None:
        """As a file that `load` reads."""
        with atomic_file(path) as beside, beside.open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow([TIME, *self.joints])
            for count, pose in enumerate(self.poses):
                rows.writerow([f"{count / self.rate_hz:.6g}", *(f"{angle:.5g}" for angle in pose)])


def load(path: Path) -> Clip:
    """Read a file. Raises `BurnishError` that names the file, the line and what is wrong there."""
    try:
        with path.open(newline="") as file:
            rows = [row for row in csv.reader(file) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BurnishError(f"clip {path}: {getattr(error, 'strerror', None) or error}") from error
    if not rows or rows[0][0].strip() != TIME:
        begins = f"{rows[0][0]!r}" if rows else "nothing"
        raise BurnishError(
            f"clip {path} begins with {begins}, not with {TIME!r}: its first line names the columns, {TIME} and then "
            "joints as in the robot's URDF; the others are seconds and radians"
        )
    joints = tuple(name.strip() for name in rows[0][1:])
    if not joints or len({*joints}) < len(joints):
        raise BurnishError(f"clip {path}: its first line names no joint, or one twice: {', '.join(joints)}")
    numbers = np.array([_numbers(path, line, row, joints) for line, row in enumerate(rows[1:], 2)])
    if len(numbers) < 2:
        raise BurnishError(f"clip {path} has {len(numbers)} moments; it needs two or more")
    return Clip(path.name, joints, _rate_hz(path, numbers[:, 0]), numbers[:, 1:])


def _numbers(path: Path, line: int, row: Sequence[str], joints: Sequence[str]) -> list[float]:
    if len(row) != 1 + len(joints):
        raise BurnishError(f"clip {path}, line {line}: {len(row)} numbers for {1 + len(joints)} columns")
    found = []
    for name, text in zip((TIME, *joints), row, strict=True):
        try:
            found.append(float(text))
        except ValueError:
            found.append(math.nan)
        if not math.isfinite(found[-1]):
            raise BurnishError(f"clip {path}, line {line}: {name} is {text!r}, no finite number")
    return found


def _rate_hz(path: Path, times: np.ndarray) -> float:
    steps = np.diff(times)
    mean = float(steps.mean())
    uneven = np.abs(steps - mean) > UNEVEN * abs(mean)
    if mean <= 0 or uneven.any():
        row = int(np.argmax(uneven)) if mean > 0 else int(np.argmin(steps))
        raise BurnishError(
            f"clip {path}, line {row + 3}: {TIME} goes on by {steps[row]:.4g} s, elsewhere by {mean:.4g} s; moments "
            "must be evenly spaced"
        )
    if not LEAST_HZ <= 1 / mean <= MOST_HZ:
        raise BurnishError(
            f"clip {path}: {1 / mean:.4g} moments a second; {LEAST_HZ:g} … {MOST_HZ:g} can be played. Is {TIME} in "
            "seconds?"
        )
    return 1 / mean


def _counted(these: np.ndarray) -> int:
    return int(np.count_nonzero(these))
