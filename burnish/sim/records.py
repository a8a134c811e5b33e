"""What an evaluation leaves behind: one line per finished episode, and a summary."""

from __future__ import annotations

import dataclasses
import json
import math
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from burnish.errors import BurnishError, CorruptFileError
from burnish.files import atomic_file, read_json, write_json
from burnish.sim.protocols import Protocol


@dataclass(frozen=True)
class Episode:
    """One finished episode: `length` in steps, `ret` the sum of its rewards."""

    episode: int
    seed: int
    success: bool
    length: int
    ret: float

    def to_json(self) -> dict[str, Any]:
        """One line of `episodes.jsonl`."""
        row = dataclasses.asdict(self)
        row["return"] = row.pop("ret")
        return row

    @classmethod
    def from_json(cls, row: dict[str, Any]) -> Episode:
        """The inverse of `to_json`."""
        return cls(row["episode"], row["seed"], row["success"], row["length"], row["return"])


@dataclass(frozen=True)
class Evaluation:
    """The episodes of a protocol, in order."""

    protocol: Protocol
    records: tuple[Episode, ...]
    restarts: int = field(default=0, compare=False)
    """How often a worker process died and was started again."""

    @property
    def episodes(self) -> int:
        """How many were run."""
        return len(self.records)

    @property
    def successes(self) -> int:
        """How many succeeded."""
        return sum(record.success for record in self.records)

    @property
    def success(self) -> float:
        """Success rate."""
        return self.successes / max(self.episodes, 1)

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson 95 % interval of `success`."""
        return wilson(self.successes, self.episodes)

    @property
    def mean_length(self) -> float:
        """Steps per episode."""
        return self.env_steps / max(self.episodes, 1)

    @property
    def env_steps(self) -> int:
        """Steps of all episodes together."""
        return sum(record.length for record in self.records)

    def telling(self, count: int) -> list[int]:
        """`count` episodes worth looking at: failures before successes, and of every task one before a second."""
        seen: Counter[tuple[bool, str]] = Counter()
        ranked = []
        for record in self.records:
            kind = record.success, self.protocol.member(record.episode)
            ranked.append((record.success, seen[kind], record.episode))
            seen[kind] += 1
        return [episode for *_, episode in sorted(ranked)[:count]]

    def tasks(self) -> list[dict[str, Any]]:
        """Per single task in the order played: its name, success, interval, episodes and mean length."""
        groups: dict[str, list[Episode]] = {}
        for record in self.records:
            groups.setdefault(self.protocol.member(record.episode), []).append(record)
        parts = ((name, Evaluation(self.protocol, tuple(group))) for name, group in groups.items())
        return [{"task": name} | part.numbers() for name, part in parts]

    def numbers(self) -> dict[str, Any]:
        """Success with its interval, episodes and their lengths."""
        return {
            "success": self.success,
            "interval": list(self.interval),
            "episodes": self.episodes,
            "mean_length": self.mean_length,
            "env_steps": self.env_steps,
        }

    def to_json(self) -> dict[str, Any]:
        """The summary, as in `evaluation.json`."""
        return {
            **self.numbers(),
            "restarts": self.restarts,
            "tasks": self.tasks(),
            "protocol": self.protocol.to_json(),
        }


class Ledger:
    """Finished episodes of one protocol, kept in `folder` (or only in memory)."""

    def __init__(self, folder: Path | None, protocol: Protocol) -> None:
        self.folder, self.protocol = folder, protocol
        self.episodes: dict[int, Episode] = {}
        self.restarts = 0
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            _same_protocol(folder / "protocol.json", protocol)
            self._read(folder / "episodes.jsonl", protocol)
            if (path := folder / "restarts.json").exists():
                self.restarts = int(read_json(path)["restarts"])

    @property
    def success(self) -> float:
        """Success rate of the episodes so far."""
        return sum(record.success for record in self.episodes.values()) / max(len(self.episodes), 1)

    def add(self, record: Episode) -> None:
        """Keep a finished episode; it survives a kill of this process."""
        self.episodes[record.episode] = record
        if self.folder is not None:
            with (self.folder / "episodes.jsonl").open("a") as file:
                file.write(json.dumps(record.to_json() | self.protocol.describe(record.episode)) + "\n")

    def restarted(self) -> None:
        """A worker process died and is started again: an evaluation says how often."""
        self.restarts += 1
        if self.folder is not None:
            write_json(self.folder / "restarts.json", {"restarts": self.restarts})

    def finish(self, evaluation: Evaluation) -> None:
        """Write the summary."""
        if self.folder is not None:
            write_json(self.folder / "evaluation.json", evaluation.to_json())

    def _read(self, path: Path, protocol: Protocol) -> None:
        lines = path.read_text(errors="replace").split("\n") if path.exists() else [""]
        for number, line in enumerate(lines[:-1], start=1):
            try:
                record = Episode.from_json(json.loads(line))
            except (json.JSONDecodeError, KeyError, TypeError) as error:
                raise CorruptFileError(
                    f"{path}: line {number} is not an episode ({error}); delete that line"
                ) from error
            if record.seed != protocol.episode_seed(record.episode):
                raise CorruptFileError(f"{path}: line {number} has a seed that is not its episode's; delete the folder")
            self.episodes[record.episode] = record
        if lines[-1]:
            # A kill cut the last line off; that episode runs again.
            with atomic_file(path) as beside:
                beside.write_text("".join(line + "\n" for line in lines[:-1]))


def _same_protocol(path: Path, protocol: Protocol) -> None:
    if not path.exists():
        write_json(path, protocol.to_json())
        return
    saved, now = read_json(path), json.loads(json.dumps(protocol.to_json()))
    # More or fewer of the same episodes are still the same episodes.
    for part in (part for part in saved | now if part != "episodes"):
        if saved.get(part) != now.get(part):
            there = f"{part} {saved.get(part)!r} there, {now.get(part)!r} now"
            raise BurnishError(f"{path.parent} holds the episodes of another protocol ({there}); choose another folder")


def wilson(successes: int, n: int, z: float = 1.959963984540054) -> tuple[float, float]:
    """Wilson score interval of a success rate (Wilson 1927), 95 % by default; (0, 1) for n = 0."""
    if n == 0:
        return 0.0, 1.0
    rate = successes / n
    center = (rate + z * z / (2 * n)) / (1 + z * z / n)
    spread = z / (1 + z * z / n) * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
    return max(0.0, center - spread), min(1.0, center + spread)
