"""Which arrays of a recording become which fields of a contract."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import accumulate
from pathlib import Path

from burnish.contract import ACTION, IMAGES, POINTS, STATE, TASK, Contract, Field
from burnish.datasets.convert.base import Options
from burnish.datasets.convert.meaning import Meaning, cloud_field, image_field, text_field, told, vector_field
from burnish.errors import BurnishError, CorruptFileError

CAMERA = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True)
class About:
    """What a recording says of itself.

    Attributes:
        shapes: key → of one step, of every array that could be taken.
        action: key of the actions.
        usual: arrays that are taken unless `--convert.keys` says which, shell patterns.
        cameras: key of an image → name of its camera.
        clouds: keys of point clouds, (N, 3) or with more than that of each point.
        rate_hz: None where it is not said.
        task: full name of the environment.
        episodes: how many; 0 where that is not known.
        instructed: whether it says what was to be done.
        contract: where the format leaves nothing open; None: it is made of what the arrays mean.
    """

    shapes: Mapping[str, tuple[int, ...]]
    action: str
    task: str
    usual: Sequence[str] = ("*",)
    cameras: Mapping[str, str] = field(default_factory=dict)
    clouds: Sequence[str] = ()
    rate_hz: float | None = None
    episodes: int = 0
    instructed: bool = False
    contract: Contract | None = None


class Layout:
    """The contract of a recording, and where its numbers come from.

    Attributes:
        fields: the contract's key → arrays, and which of their columns, side by side, in which order.
        sources: every array that is read.
        left_out: arrays that are not, to tell the user.
    """

    def __init__(
        self, path: Path, about: About, options: Options, meaning: Callable[[str, int], Meaning | None]
    ) -> None:
        """Raises `BurnishError` that lists what must be said, `CorruptFileError` for a camera's name that is none."""
        self.path, self.shapes, self._about, self._options = path, about.shapes, about, options
        images = () if options.images == 0 else about.cameras
        wanted = options.keys or about.usual
        taken = [key for key in about.shapes if any(fnmatchcase(key, one) for one in wanted)]
        if about.action not in about.shapes:
            raise BurnishError(f"{path} has no {about.action}: without actions there is nothing to imitate")
        self._numbers = [key for key in dict.fromkeys([*taken, about.action]) if key not in about.cameras]
        self._images = {IMAGES + about.cameras[key]: key for key in taken if key in images}
        for key in self._images:
            if not CAMERA.fullmatch(key.removeprefix(IMAGES)):
                raise CorruptFileError(f"{path}: {key.removeprefix(IMAGES)!r} is no name of a camera; do not trust it")
        self._meanings = {key: self._meaning(key, meaning) for key in self._numbers}
        self.left_out: list[str] = []
        given = Contract.load(options.contract) if options.contract is not None else about.contract
        self.contract = self._made() if given is None else given
        self.fields = {key: self._origin(key, one) for key, one in self.contract.fields.items() if key != TASK}
        self.sources = list(dict.fromkeys(source for sources, _ in self.fields.values() for source in sources))
        passed = [key for key in about.shapes if key not in self.sources and key not in about.cameras]
        if passed:
            self.left_out.append(f"{path}: not taken: {', '.join(passed)} (--convert.keys says what is)")

    def _meaning(self, key: str, meaning: Callable[[str, int], Meaning | None]) -> Meaning | None:
        width = math.prod(self.shapes[key])
        if key in self._options.meaning:
            cloud = key in self._about.clouds
            one = told(key, self._options.meaning[key], POINTS if cloud else self._role(key))
            return one._replace(names=(key,)) if cloud else one.of(key, width)
        known = meaning(key, width)
        return None if known is None else known.of(key, width)

    def _role(self, key: str) -> str:
        return ACTION if key == self._about.action else STATE

    def _made(self) -> Contract:
        about, options = self._about, self._options
        rate = options.rate_hz or about.rate_hz
        self._complain([key for key, one in self._meanings.items() if one is None], rate)
        assert rate is not None
        by_role: dict[str, list[Meaning]] = {}
        for one in self._meanings.values():
            if one is not None:
                by_role.setdefault(one.role, []).append(one)
        action = vector_field(by_role.pop(ACTION), rate)
        observation: dict[str, Field] = {}
        for role in sorted(by_role, key=lambda role: role != STATE):
            parts = by_role[role]
            count = self.shapes[parts[0].names[0]][0] if role == POINTS else 0
            observation[role] = cloud_field(count, parts[0], rate) if count else vector_field(parts, rate)
        for key, source in self._images.items():
            size = min(sorted(self.shapes[source])[-2:]) if options.images is None else options.images
            observation[key] = image_field(size, key.removeprefix(IMAGES), rate)
        if about.instructed or options.instruction:
            observation[TASK] = text_field(rate)
        return Contract(observation, action)

    def _complain(self, unknown: list[str], rate_hz: float | None) -> None:
        """Raise `BurnishError` with all that must be said, if there is something."""
        lines = [] if rate_hz is not None else ["how many steps a second has: --convert.rate-hz HZ"]
        if unknown:
            listed = ", ".join(f"{key} ({math.prod(self.shapes[key])})" for key in unknown)
            flags = " ".join(f"{key} UNIT[,UNIT…]@FRAME" for key in unknown)
            lines += [f"what these columns mean, {listed}: --convert.meaning {flags}",
                      "  (or take only others: --convert.keys KEY …)"]  # fmt: skip
        if lines:
            raise BurnishError("\n  ".join([f"{self.path} does not say", *lines]))

    def _origin(self, key: str, field: Field) -> tuple[list[str], list[int]]:
        """Where the numbers of the contract's `key` come from. Raises `BurnishError` for what the recording lacks."""
        if key.startswith(IMAGES):
            if key not in self._images:
                have = ", ".join(self._images) or "no images"
                raise BurnishError(f"{self.path} has no {key} ({have}); the contract is of another robot or policy")
            return [self._images[key]], []
        if key == POINTS and self._about.clouds:
            return [self._about.clouds[0]], []
        columns = self._columns()
        missing = [name for name in field.names if name not in columns]
        if missing:
            raise BurnishError(f"{self.path} has no {missing[0]!r} for {key} (it has {', '.join(columns)}); "
                               "the contract is of another robot or policy: --convert.contract FILE")  # fmt: skip
        sources = list(dict.fromkeys(columns[name][0] for name in field.names))
        ends = accumulate(math.prod(self.shapes[one]) for one in sources)
        before = dict(zip(sources, [0, *ends], strict=False))
        return sources, [before[columns[name][0]] + columns[name][1] for name in field.names]

    def _columns(self) -> dict[str, tuple[str, int]]:
        """Name of a column → its array, and which of that array's columns it is."""
        found: dict[str, tuple[str, int]] = {}
        for key in self._numbers:
            known = self._meanings[key]
            width = math.prod(self.shapes[key])
            names = Meaning("", ("",), "").of(key, width).names if known is None else known.names
            found |= {name: (key, column) for column, name in enumerate(names)}
        return found
