"""A run folder: resolved config, metrics (JSON lines + TensorBoard), and a result once it is complete.

A stage whose folder holds `result.json` is complete and is skipped; one without is resumed.
"""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from burnish import __version__
from burnish.errors import BurnishError, NonFiniteError
from burnish.files import atomic_file, read_json, write_json


class Run:
    """One stage's folder. Opening it with another config than it was made with is refused."""

    def __init__(self, folder: Path, stage: str, config: Mapping[str, Any]) -> None:
        self.folder, self.stage = folder, stage
        self.config = json.loads(json.dumps(config, default=str))
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "config.json"
        if path.exists():
            self._refuse_other(read_json(path))
        else:
            made_by = {"burnish": __version__, "python": platform.python_version(), "machine": platform.machine()}
            write_json(path, {"stage": stage, "config": self.config, "made_by": made_by})
        self._writer: Any = None
        self._opened, self._opened_cpu = time.monotonic(), _cpu_s()
        self._earlier_s, self._earlier_cpu_s = self._read_clock()

    @property
    def result(self) -> dict[str, Any] | None:
        """What `finish` wrote, or None while the stage is not complete."""
        path = self.folder / "result.json"
        return read_json(path) if path.exists() else None

    @property
    def wall_s(self) -> float:
        """Seconds spent in this stage, earlier interrupted sessions included."""
        return self._earlier_s + time.monotonic() - self._opened

    @property
    def cpu_s(self) -> float:
        """Seconds of computing in this stage on all cores together, by this process and by the ended ones it waited
        for; earlier interrupted sessions included. Unlike `wall_s`, what else the machine does is not in it."""
        return self._earlier_cpu_s + _cpu_s() - self._opened_cpu

    def save_clock(self) -> None:
        """Remember `wall_s` and `cpu_s` for a later session; call it with every checkpoint."""
        write_json(self.folder / "clock.json", {"wall_s": self.wall_s, "cpu_s": self.cpu_s})

    def log(self, step: int, **scalars: float) -> None:
        """Append scalars to `metrics.jsonl` and to TensorBoard."""
        row = {"step": step, "wall_s": round(self.wall_s, 3)} | {key: float(value) for key, value in scalars.items()}
        with (self.folder / "metrics.jsonl").open("a") as file:
            file.write(json.dumps(row) + "\n")
        if self._writer is None:
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(str(self.folder / "tensorboard"), purge_step=step)
        for key, value in scalars.items():
            self._writer.add_scalar(key, float(value), step)

    def rewind(self, step: int) -> None:
        """Drop metrics after `step`: those a resumed run will write again."""
        kept = [row for row in read_metrics(self.folder) if row["step"] <= step]
        with atomic_file(self.folder / "metrics.jsonl") as beside:
            beside.write_text("".join(json.dumps(row) + "\n" for row in kept))

    def close(self) -> None:
        """Give the disk what TensorBoard's thread still holds, up to two minutes of it. `log` opens it again."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def finish(self, result: Mapping[str, Any]) -> dict[str, Any]:
        """Mark the stage complete; returns `result` with `wall_s` and `cpu_s` filled in."""
        self.close()
        full = {**result, "wall_s": round(self.wall_s, 2), "cpu_s": round(self.cpu_s, 2)}
        write_json(self.folder / "result.json", full)
        return full

    def refuse(self, what: str, value: float, step: int, batch: Mapping[str, Any]) -> NoReturn:
        """Stop at a NaN or infinite number: `batch` (name → tensor) is saved, `NonFiniteError` names the file."""
        from safetensors.torch import save_file

        path = self.folder / f"offending_batch_{step}.safetensors"
        with atomic_file(path) as beside:
            save_file({key: tensor.detach().contiguous() for key, tensor in batch.items()}, str(beside))
        raise NonFiniteError(
            f"{what} is {value} at step {step}; the batch is in {path}. "
            "Look for NaN in it, or lower the learning rate; nothing was saved over an earlier checkpoint."
        )

    def _refuse_other(self, saved: Mapping[str, Any]) -> None:
        theirs, ours = _dotted(saved.get("config", {})), _dotted(self.config)
        differing = [key for key in {**theirs, **ours} if theirs.get(key) != ours.get(key)]
        if saved.get("stage") != self.stage:
            raise BurnishError(f"{self.folder} belongs to the stage {saved.get('stage')!r}, not {self.stage!r}")
        if differing:
            listed = ", ".join(f"{key}: {theirs.get(key)!r} there, {ours.get(key)!r} now" for key in differing)
            raise BurnishError(
                f"{self.folder} was made with other settings ({listed}); choose another --out or delete that folder"
            )

    def _read_clock(self) -> tuple[float, float]:
        path = self.folder / "clock.json"
        clock = read_json(path) if path.exists() else {}
        return float(clock.get("wall_s", 0.0)), float(clock.get("cpu_s", 0.0))


def _cpu_s() -> float:
    """User's and system's time, of this process and of the ended ones it waited for."""
    return sum(os.times()[:4])


class Follower(Run):
    """The run of a process that is not the first: it reads the folder and writes nothing there."""

    def __init__(self, folder: Path, stage: str, config: Mapping[str, Any]) -> None:
        self.folder, self.stage, self.config = folder, stage, config
        self._opened, self._opened_cpu = time.monotonic(), _cpu_s()
        self._earlier_s, self._earlier_cpu_s = 0.0, 0.0

    def save_clock(self) -> None:
        """Nothing."""

    def log(self, step: int, **scalars: float) -> None:
        """Nothing."""

    def rewind(self, step: int) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""

    def finish(self, result: Mapping[str, Any]) -> dict[str, Any]:
        """`result` as the first process writes it."""
        return {**result, "wall_s": round(self.wall_s, 2)}

    def refuse(self, what: str, value: float, step: int, batch: Mapping[str, Any]) -> NoReturn:
        """Stop at a NaN or infinite number."""
        raise NonFiniteError(
            f"{what} is {value} at step {step} in one of several processes; look for NaN in the dataset"
        )


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """The rows of `metrics.jsonl`; a last line cut off by a kill is left out."""
    path = folder / "metrics.jsonl"
    rows = []
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return rows


def _dotted(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings by their path, spelled as on the command line: `learner.critic_lr`."""
    flat: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, Mapping):
            flat |= _dotted(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat
