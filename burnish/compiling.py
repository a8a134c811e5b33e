"""What `torch.compile` needs on a CPU, said before anything was computed."""

from __future__ import annotations

import os
import shutil
import sys

from burnish.errors import BurnishError


def check_compiler() -> None:
    """Raises `BurnishError` where there is no C++ compiler: `$CXX`, or else the one that torch would take."""
    name = os.environ.get("CXX", "clang++" if sys.platform == "darwin" else "g++")
    if shutil.which(name) is None:
        raise BurnishError(
            f"compiled steps need a C++ compiler, and {name} is not there; install it, name another in CXX, "
            "or do without (--refine.no-compiled, compiled=False): slower, otherwise the same"
        )
