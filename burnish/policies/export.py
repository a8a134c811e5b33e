"""A policy as one ONNX file: observation → normalisation → network(s) → physical, clipped action chunk."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from burnish.contract import ACTION, TASK
from burnish.errors import BurnishError
from burnish.exported import CONTRACT, DESCRIPTION, FORMAT, MEMORY_INPUT, MODEL, NOISE_INPUT, REALTIME, ExportedPolicy
from burnish.files import fingerprint, write_json
from burnish.policies.base import Policy
from burnish.policies.export_realtime import compare_realtime, time_realtime, write_realtime
from burnish.policies.normalize import affine
from burnish.policies.onnx_file import write_onnx
from burnish.policies.realtime import RealTime, RealTimeConfig
from burnish.policies.timing import time_calls, torch_threads

REALTIME_OBSERVATIONS = 32
"""At most so many to compare on: that file plans for one robot at a time."""


@dataclass(frozen=True)
class ExportConfig:
    """How strictly to compare, and how long to time."""

    tolerance: float = 1e-4
    """Largest absolute difference from torch, in physical and in network units."""
    observations: int = 256
    """Observations to compare on."""
    calls: int = 300
    """Timed calls per engine, one observation each."""
    seed: int = 0
    """Of the observations and the noise."""
    realtime: bool = False
    """Also write `realtime.onnx`, for chunks that are planned while the last one plays (real-time chunking)."""


def export(policy: Policy, out: Path, config: ExportConfig) -> dict[str, Any]:
    """Write `policy.onnx`, `contract.json` and `policy.json` to the folder `out`; `ExportedPolicy` runs them.

    With `realtime` also `realtime.onnx`.

    Returns:
        `max_abs_difference` from torch (network units), `max_abs_difference_physical`, `parameters`, `nfe`,
        `latency` (engine → p50_ms, p99_ms; batch 1) and `latency_ms` (ONNX Runtime with one thread, p50); with
        `realtime` also `max_abs_difference_realtime` (network units) and `latency_realtime`, of that second file.
    Raises:
        BurnishError: ONNX Runtime and torch differ by more than the tolerance, and `policy.json` is not written; or the
            policy cannot be exported, or not with `realtime`.
    """
    policy.check_export()
    policy = policy.cpu().eval()
    planner = policy.realtime(RealTimeConfig()) if config.realtime else None
    (out / DESCRIPTION).unlink(missing_ok=True)  # from here until the end the folder is no policy
    _to_onnx(policy, out / MODEL)
    if planner is not None:
        write_realtime(planner, _inputs(policy), out / REALTIME)
    write_json(out / CONTRACT, policy.contract.to_json())
    write_json(out / DESCRIPTION, _description(policy, planner, out))
    exported = ExportedPolicy(out)
    differences = _compare(policy, exported, config)
    if planner is not None:
        few = min(config.observations, REALTIME_OBSERVATIONS)
        generator = torch.Generator().manual_seed(config.seed)
        some = sample_observations(policy, few, generator)
        differences["max_abs_difference_realtime"] = compare_realtime(planner, exported, some, generator)
    worst = max(differences.values())
    if not worst <= config.tolerance:
        (out / DESCRIPTION).unlink()
        file = REALTIME if worst == differences.get("max_abs_difference_realtime") else MODEL
        raise BurnishError(
            f"{out / file}: actions differ from torch by {worst:.2e}, more than {config.tolerance:.0e}; "
            "train with smaller weights, or accept it with --export.tolerance"
        )
    latency = _latencies(policy, out, config)
    size = {"parameters": sum(value.numel() for value in policy.parameters()), "nfe": policy.nfe}
    fastest = latency["ONNX Runtime, 1 thread"]["p50_ms"]
    result = {**differences, **size, "latency": latency, "latency_ms": fastest}
    if planner is not None:
        result["latency_realtime"] = time_realtime(planner, exported, config.calls)
    return result


def sample_observations(policy: Policy, count: int, generator: torch.Generator) -> dict[str, Tensor]:
    """`count` observations: half normal around the data's mean, half anywhere between its extremes."""
    obs = {}
    for key, field in policy.contract.observation.items():
        if key == TASK:
            texts = torch.from_numpy(policy.stats[TASK]["text"])
            obs[key] = texts[torch.randint(len(texts), (count,), generator=generator)]
            continue
        if not field.is_number:
            obs[key] = torch.randint(256, (count, *field.shape), generator=generator, dtype=torch.uint8)
            continue
        if key not in policy.stats:  # a policy of another library
            obs[key] = torch.randn(count, *field.shape, generator=generator)
            continue
        stats = {name: torch.from_numpy(np.asarray(value)).float() for name, value in policy.stats[key].items()}
        normal = stats["mean"] + stats["std"] * torch.randn(count // 2, *field.shape, generator=generator)
        uniform = torch.rand(count - count // 2, *field.shape, generator=generator)
        obs[key] = torch.cat([normal, torch.lerp(stats["min"], stats["max"], uniform)])
    return obs


class _WholePath(nn.Module):
    """`policy.act` with positional inputs: the noise, then the observations in the order of the contract."""

    def __init__(self, policy: Policy) -> None:
        super().__init__()
        self.policy = policy

    def forward(self, noise: Tensor, *obs: Tensor) -> Tensor:
        """Physical action chunk (B, H, A)."""
        return self.policy.act(dict(zip(self.policy.contract.observation, obs, strict=True)), noise)


class _Remembering(nn.Module):
    """`policy.go_on` with positional inputs: the memory, then the observations in the order of the contract."""

    def __init__(self, policy: Policy) -> None:
        super().__init__()
        self.policy = policy

    def forward(self, memory: Tensor, *obs: Tensor) -> tuple[Tensor, Tensor]:
        """Physical action (B, 1, A) and the memory (B, M)."""
        action, memory = self.policy.go_on(dict(zip(self.policy.contract.observation, obs, strict=True)), memory)
        return action[:, None], memory


def _to_onnx(policy: Policy, path: Path) -> None:
    fields = policy.contract.observation.values()
    zeros = tuple(torch.zeros(2, *field.shape, dtype=getattr(torch, field.dtype)) for field in fields)
    if policy.memory_size:
        example = (torch.zeros(2, policy.memory_size), *zeros)
        write_onnx(_Remembering(policy), example, (MEMORY_INPUT, *_inputs(policy).values()), path, batch=True)
        return
    example = (torch.zeros(2, *policy.noise_shape), *zeros)
    # `_compare` uses other batch sizes than the traced one.
    write_onnx(_WholePath(policy), example, (NOISE_INPUT, *_inputs(policy).values()), path, batch=True)


def _inputs(policy: Policy) -> dict[str, str]:
    """Contract key → name of the ONNX input."""
    return {key: key.replace(".", "_") for key in policy.contract.observation}


def _description(policy: Policy, planner: RealTime | None, out: Path) -> dict[str, Any]:
    models = (MODEL, CONTRACT) if planner is None else (MODEL, CONTRACT, REALTIME)
    return {
        "format": FORMAT,
        "policy": policy.name,
        "config": dataclasses.asdict(policy.config),
        "inputs": _inputs(policy),
        "noise_shape": list(policy.noise_shape),
        "horizon": policy.horizon,
        "replan": policy.replan,
        "nfe": policy.nfe,
        "realtime_noise_shape": None if planner is None else list(planner.noise_shape),
        "trained": {name: list(bounds) for name, bounds in policy.trained.items()},
        "memory": policy.begin(1)[0].tolist() if policy.memory_size else None,
        "files": {name: fingerprint((out / name).read_bytes()) for name in models},
    }


@torch.no_grad()
def _compare(policy: Policy, exported: ExportedPolicy, config: ExportConfig) -> dict[str, float]:
    """Largest differences between the engines: on one large batch, and on its first row alone."""
    generator = torch.Generator().manual_seed(config.seed)
    obs = sample_observations(policy, config.observations, generator)
    noise = torch.randn(config.observations, *policy.noise_shape, generator=generator)
    difference = np.zeros(policy.contract.action.shape[-1])
    for rows in (slice(None), slice(0, 1)):
        ours = policy.act({key: value[rows] for key, value in obs.items()}, noise[rows]).numpy()
        theirs = exported.act({key: value[rows].numpy() for key, value in obs.items()}, noise[rows].numpy())
        difference = np.maximum(difference, np.abs(ours - theirs).max(axis=(0, 1)))
    _, scale = affine(policy.contract.action, policy.stats[ACTION])
    return {
        "max_abs_difference": float((difference / scale).max()),
        "max_abs_difference_physical": float(difference.max()),
    }


def _latencies(policy: Policy, out: Path, config: ExportConfig) -> dict[str, dict[str, float]]:
    generator = torch.Generator().manual_seed(config.seed)
    obs, noise = sample_observations(policy, 1, generator), torch.randn(1, *policy.noise_shape, generator=generator)
    arrays: Mapping[str, np.ndarray] = {key: value.numpy() for key, value in obs.items()}
    rows = {}
    for threads in (1, 2):
        many = f"{threads} thread{'s' if threads > 1 else ''}"
        with torch_threads(threads), torch.inference_mode():
            rows[f"torch, {many}"] = time_calls(lambda: policy.act(obs, noise), config.calls)
        session = ExportedPolicy(out, threads=threads)
        rows[f"ONNX Runtime, {many}"] = time_calls(lambda run=session: run.act(arrays, noise.numpy()), config.calls)
    return rows
