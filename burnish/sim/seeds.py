"""Seeds of episodes. Training and collection use [0, 2^63), evaluation [2^63, 2^64): they can never meet."""

from __future__ import annotations

import hashlib

EVALUATION_FIRST = 1 << 63
"""The smallest evaluation seed."""


def next_seed(seed: int) -> int:
    """The seed of the episode after the one seeded with `seed`: SplitMix64, kept to 63 bits."""
    mask = (1 << 64) - 1
    z = (seed + 0x9E3779B97F4A7C15) & mask
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
    return (z ^ (z >> 31)) >> 1


def evaluation_seed(*key: str | int) -> int:
    """The evaluation seed that belongs to `key`, the same on every machine and in every version of Python."""
    digest = hashlib.sha256("\0".join(map(str, key)).encode()).digest()
    return EVALUATION_FIRST | int.from_bytes(digest[:8], "little")
