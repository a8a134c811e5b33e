"""What travels between learner and workers: NumPy arrays by name, which Ray hands over without copying them.

A checkpoint travels as the bytes of its files, so that the worker checks it as it checks any other.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from burnish.policies.base import Policy, load_policy, save_policy
from burnish.policies.trace import ActionTrace
from burnish.rl_finetune.arena import Played
from burnish.rl_finetune.buffer import Transitions
from burnish.rl_finetune.episodes import Episode

Arrays = dict[str, np.ndarray]


def pack_policy(policy: Policy) -> Arrays:
    """File name → bytes of its checkpoint."""
    with tempfile.TemporaryDirectory() as folder:
        save_policy(policy, Path(folder) / "policy")
        files = sorted((Path(folder) / "policy").iterdir())
        return {file.name: np.frombuffer(file.read_bytes(), np.uint8) for file in files}


def unpack_policy(files: Mapping[str, np.ndarray]) -> Policy:
    """The inverse of `pack_policy`."""
    with tempfile.TemporaryDirectory() as folder:
        for name, data in files.items():
            (Path(folder) / Path(name).name).write_bytes(data.tobytes())
        return load_policy(Path(folder))


def arrays(tensors: Mapping[str, Tensor]) -> Arrays:
    """Of tensors by name."""
    return {key: value.detach().cpu().numpy() for key, value in tensors.items()}


def tensors(found: Mapping[str, np.ndarray]) -> dict[str, Tensor]:
    """The inverse of `arrays`; copies, since what Ray hands over cannot be written to."""
    return {key: torch.from_numpy(np.array(value)) for key, value in found.items()}


def pack_played(played: Sequence[Played]) -> Arrays:
    """Of several calls of `Collector.collect`, with one version, as one."""
    complete = [one.transitions for one in played if one.transitions is not None]
    parts = {name: torch.cat([getattr(one, name) for one in complete]) for name in Transitions._fields if complete}
    known = {"ended": torch.cat([one.ended for one in played])}
    return arrays(parts | known) | {"env_steps": np.array(sum(one.env_steps for one in played))}


def unpack_played(found: Mapping[str, np.ndarray], version: int) -> Played:
    """The inverse of `pack_played`."""
    parts = tensors(found)
    complete = Transitions(*(parts[name] for name in Transitions._fields)) if "obs" in parts else None
    return Played(complete, parts["ended"], int(parts["env_steps"]), version)


def pack_episodes(episodes: Sequence[Episode]) -> list[Arrays]:
    """Of whole episodes, one by one."""
    found = []
    for one in episodes:
        parts = {f"obs/{key}": value for key, value in one.obs.items()}
        parts |= {f"last/{key}": value for key, value in one.last.items()}
        parts |= {"path": one.trace.path, "chunk": one.trace.chunk, "reward": one.reward, "steps": one.steps}
        found.append(arrays(parts | {"success": torch.tensor(one.success), "frames": one.frames}))
    return found


def unpack_episode(found: Mapping[str, np.ndarray]) -> Episode:
    """The inverse of `pack_episodes`, of one."""
    parts = tensors(found)
    obs, last = (
        {key.removeprefix(begin): value for key, value in parts.items() if key.startswith(begin)}
        for begin in ("obs/", "last/")
    )
    trace = ActionTrace(parts["path"], parts["chunk"])
    return Episode(obs, trace, parts["reward"], parts["steps"], bool(parts["success"]), last, parts["frames"])
