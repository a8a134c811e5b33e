"""How long one call takes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch

LONGEST_TIMING_S = 3.0
"""A busy machine gets fewer timed calls rather than a long wait."""


def time_calls(call: Callable[[], object], calls: int) -> dict[str, float]:
    """`p50_ms` and `p99_ms` of up to `calls` calls, after a few that do not count."""
    times: list[float] = []
    while len(times) < calls + 10 and sum(times) < LONGEST_TIMING_S * 1e3:
        begin = time.perf_counter()
        call()
        times.append((time.perf_counter() - begin) * 1e3)
    steady = times[min(10, len(times) - 1) :]
    return {f"p{share}_ms": round(float(np.percentile(steady, share)), 4) for share in (50, 99)}


@contextmanager
def torch_threads(threads: int) -> Iterator[None]:
    """torch with that many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
