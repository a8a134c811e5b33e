"""What a simulator needs of a machine, looked for without importing or starting anything heavy."""

from __future__ import annotations

import ctypes
import os
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path


@dataclass(frozen=True)
class Lack:
    """What is missing, and the one thing to do about it."""

    what: str
    mend: str


class Need(ABC):
    """One thing that must be there."""

    @abstractmethod
    def lack(self) -> Lack | None:
        """What is missing; None if it is there."""


@dataclass(frozen=True)
class Package(Need):
    """A Python package, by the name it is imported with; `extra` of ours brings it.

    Attributes:
        alone: whether it conflicts with what the other simulators need.
    """

    module: str
    extra: str
    alone: bool = False

    def lack(self) -> Lack | None:
        """Looks for its files only."""
        if find_spec(self.module) is not None:
            return None
        extras, where = (f"train,{self.extra}", " in an environment of its own") if self.alone else (self.extra, "")
        return Lack(f"{self.module} is not installed", f"pip install 'burnish[{extras}]'{where}")


@dataclass(frozen=True)
class Cuda(Need):
    """A GPU of NVIDIA's whose driver works."""

    def lack(self) -> Lack | None:
        """Asks the driver itself."""
        try:
            driver, count = ctypes.CDLL("libcuda.so.1"), ctypes.c_int(0)
        except OSError:
            return Lack("no CUDA driver", "install NVIDIA's driver, or take a task that runs on a CPU")
        if driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count)) or not count.value:
            return Lack("no CUDA device", "see what nvidia-smi says, or take a task that runs on a CPU")
        return None


@dataclass(frozen=True)
class Location(Need):
    """Files that no package brings, named by an environment variable."""

    variable: str
    what: str

    def lack(self) -> Lack | None:
        """Whether the variable names something that is there."""
        path = os.environ.get(self.variable)
        if path and Path(path).exists():
            return None
        found = f"{self.variable} is {path!r}, where nothing is" if path else f"{self.variable} is not set"
        return Lack(found, f"export {self.variable}={self.what}")


def first_lack(needs: Iterable[Need]) -> Lack | None:
    """Of the first of `needs` that is not met."""
    return next((lack for need in needs if (lack := need.lack()) is not None), None)
