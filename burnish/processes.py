"""Which of several processes this is, where a launcher (`accelerate launch`, `torchrun`) started more than one."""

from __future__ import annotations

import os


def count() -> int:
    """Processes that work on one run; 1 without a launcher."""
    launched = {"RANK", "WORLD_SIZE", "MASTER_ADDR"} <= os.environ.keys()
    return int(os.environ["WORLD_SIZE"]) if launched else 1


def rank() -> int:
    """This one's number, 0 … `count` − 1. The first alone writes files and speaks to the user."""
    return int(os.environ["RANK"]) if count() > 1 else 0
