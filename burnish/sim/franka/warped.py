"""The Franka world on MuJoCo-Warp: the same tasks as one batch, thousands side by side on a GPU."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from burnish.sim.about import known_task
from burnish.sim.batched import BatchEnv
from burnish.sim.franka.batch import WarpBatch
from burnish.sim.franka.env import PRACTICE, RATE_HZ, contract, default_horizon, fitting
from burnish.sim.franka.tasks import TASKS
from burnish.sim.randomize import EVERYTHING, uncertain


class FrankaOnWarp(BatchEnv):
    """One task ("lift"); an episode is a function of its own seed, as on CPU threads."""

    tasks = tuple(TASKS)
    has_cameras = True
    has_points = True
    has_bank = True
    practice = PRACTICE
    randomizes = tuple(name for name in EVERYTHING if name != "pause")  # all worlds of a batch go on together

    def __init__(
        self,
        name: str,
        *,
        horizon: int | None = None,
        cameras: int | None = None,
        points: int | None = None,
        rate_hz: float = RATE_HZ,
        randomize: Mapping[str, float] | None = None,
        bank: str | Path | None = None,
        bank_share: float = 0.5,
        halts: bool = True,
        backend: str = "warp",
        **settings: Any,
    ) -> None:
        """What is not said here is as in `FrankaWorld`.

        Args:
            backend: by which `make_env` has chosen this class.
            settings: of `BatchEnv`, `device` among them.
        Raises `UnknownNameError` with the closest match; `BurnishError` where packages, or the GPU, are missing.
        """
        known_task("franka", name, TASKS)
        task, kept = fitting(name, rate_hz), None if bank is None else (Path(bank), bank_share)
        drawn = uncertain(f"franka/{name}", randomize, self.randomizes, 1 / rate_hz)
        make = partial(WarpBatch, task, contract(task, rate_hz, cameras, points), drawn, kept, halts)
        steps = default_horizon(f"franka/{name}", rate_hz) if horizon is None else horizon
        super().__init__(f"franka/{name}", make, horizon=steps, **settings)
