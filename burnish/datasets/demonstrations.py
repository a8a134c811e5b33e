"""Demonstrations decoded in memory: what training reads, whatever wrote them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from burnish.checkpoint import Stats
from burnish.contract import ACTION, PLACES, POINTS, TASK, Contract, decode_text


@dataclass(frozen=True)
class Episode:
    """One recorded episode: contract key → (T, *field.shape) observations, and the T actions taken on them (T, A)."""

    obs: dict[str, np.ndarray]
    action: np.ndarray

    def __len__(self) -> int:
        return len(self.action)


@dataclass(frozen=True)
class Demonstrations:
    """Every frame of a dataset, episodes one after the other, physical units.

    Attributes:
        contract: what the numbers mean.
        task: full name of the environment, e.g. "metaworld/reach" or "libero/object".
        obs: contract key → (T, *field.shape); instructions, where the contract has them, are UTF-8 bytes under "task".
        action: (T, A), to be taken on the observation of the same row.
        lengths: (E,) frames per episode; they add up to T.
    """

    contract: Contract
    task: str
    obs: dict[str, np.ndarray]
    action: np.ndarray
    lengths: np.ndarray

    @property
    def ends(self) -> np.ndarray:
        """(E,) one past the last row of each episode."""
        return np.cumsum(self.lengths)

    @property
    def starts(self) -> np.ndarray:
        """(E,) first row of each episode."""
        return self.ends - self.lengths

    @property
    def episode_index(self) -> np.ndarray:
        """(T,) the episode each row belongs to."""
        return np.repeat(np.arange(len(self.lengths)), self.lengths)

    @classmethod
    def of(cls, contract: Contract, task: str, episodes: list[Episode]) -> Demonstrations:
        """Join recorded `episodes` (at least one)."""
        obs = {key: np.concatenate([episode.obs[key] for episode in episodes]) for key in contract.observation}
        action = np.concatenate([episode.action for episode in episodes])
        return cls(contract, task, obs, action, np.array([len(episode) for episode in episodes]))


def instructions(demos: Demonstrations) -> list[str]:
    """What was asked for in each episode; without instructions, the environment's name."""
    if TASK not in demos.obs:
        return [demos.task] * len(demos.lengths)
    return [decode_text(row) for row in demos.obs[TASK][demos.starts]]


def compute_stats(demos: Demonstrations) -> Stats:
    """Statistics over all frames as a checkpoint keeps them; summed in float64, kept in float32."""
    fields = demos.contract.fields
    numbers = {key: values for key, values in {**demos.obs, ACTION: demos.action}.items() if fields[key].is_number}
    # A cloud's points are alike, and so are places: what is known of them is known of all.
    alike = (PLACES, POINTS)
    stats = {key: _stats(values.reshape(-1, 3) if key in alike else values) for key, values in numbers.items()}
    # Of pixels nothing is needed, of instructions only which there are.
    stats |= {key: {"count": np.array(len(demos.obs[key]))} for key in demos.obs if key not in numbers}
    if TASK in stats:
        stats[TASK]["text"] = np.unique(demos.obs[TASK], axis=0)
    for key, field in demos.contract.observation.items():
        if field.normalization == "whitening":
            covariance = np.cov(demos.obs[key].astype(np.float64), rowvar=False, bias=True)
            stats[key]["covariance"] = np.atleast_2d(covariance).astype(np.float32)
    return stats


def _stats(values: np.ndarray) -> dict[str, np.ndarray]:
    wide = values.astype(np.float64)
    parts = {"mean": wide.mean(axis=0), "std": wide.std(axis=0), "min": wide.min(axis=0), "max": wide.max(axis=0)}
    return {name: part.astype(np.float32) for name, part in parts.items()} | {"count": np.array(len(values))}
