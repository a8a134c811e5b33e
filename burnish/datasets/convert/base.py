"""What every format of recordings gives to the writer of datasets: frames in order, and where episodes end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from burnish.contract import Contract
from burnish.errors import BurnishError, CorruptFileError

IMAGE_SIZE = 128


@dataclass(frozen=True)
class Options:
    """What a recording does not say itself, and how to cut it."""

    contract: Path | None = None
    """contract.json of what was recorded (or a checkpoint's), where the recording carries none or another is meant."""
    instruction: str = ""
    """What was to be done, where the recording does not say it and the contract has instructions."""
    task: str = ""
    """SIMULATOR/TASK of the environment, where the recording does not say it or another is meant."""
    rate_hz: float | None = None
    """Steps per second, where the recording does not say it or another is meant."""
    keys: tuple[str, ...] = ()
    """Arrays to take, shell patterns ("obs/robot0_*"); none: those that policies of the format usually read."""
    meaning: Mapping[str, str] = field(default_factory=dict)
    """What numbers mean of which the recording does not say it: array → UNIT[,UNIT…]@FRAME, one unit for all or one for
    each ("state m,m,rad@table action m@table")."""
    successes_only: bool = False
    """Leave out episodes of which the recording says that they did not succeed."""
    images: int | None = None
    """Pixels per side of images whose size no contract says, 0 leaves images out; None: as they are, or 128."""
    pause_s: float = 0.5
    """An episode ends where nothing was commanded for longer than this."""
    stale_s: float = 0.5
    """An episode ends where an observation is older than this."""
    shortest_s: float = 1.0
    """Shorter episodes are left out."""


@dataclass(frozen=True)
class Frame:
    """One step: what was seen, and what was commanded then.

    Attributes:
        obs: contract key → value in the field's units; images as they were taken, (H, W, 3) uint8 RGB of any size.
        action: (A,).
        intervention: whether a human drove.
    """

    obs: Mapping[str, np.ndarray]
    action: np.ndarray
    intervention: bool = False


@dataclass(frozen=True)
class End:
    """The episode is over.

    Attributes:
        reason: "hold", "pause", "verdict", "stale", "success", "end".
        detail: what the recording says about it.
    """

    reason: str
    detail: str = ""


@dataclass
class Losses:
    """What a reader could not use; filled while it reads."""

    lines: list[str] = field(default_factory=list)


@contextmanager
def damage_named(where: object) -> Iterator[None]:
    """What a library raises over bytes that are not as they were written names `where` they are.

    Every codec raises a kind of its own (zlib.error, LZMAError, EOFError), and HDF5 whenever it comes upon damage.
    """
    try:
        yield
    except BurnishError:
        raise
    except Exception as error:
        raise CorruptFileError(f"{where}: cannot be read ({error or type(error).__name__}); copy it again") from error


class Reader(Protocol):
    """A recording of one format, open.

    Attributes:
        contract: of the frames. Images have the size they are to have in the dataset.
        task: full name of the environment, e.g. "real/franka".
        losses: complete once `frames` is exhausted.
    """

    contract: Contract
    task: str
    losses: Losses

    def __init__(self, path: Path, options: Options) -> None:
        """Open `path`. Raises `CorruptFileError`, or `BurnishError` if something must be said by `options`."""
        ...

    @staticmethod
    def accepts(path: Path) -> bool:
        """Whether `path` looks like this format; looks at names and first bytes only."""
        ...

    def frames(self) -> Iterator[Frame | End]:
        """Every frame, in memory one at a time. Raises `CorruptFileError` that names the file and the place."""
        ...
