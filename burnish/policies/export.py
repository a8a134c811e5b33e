"""A policy as one ONNX file: observation → normalisation → network(s) → physical, clipped action chunk."""

from __future__ import annotations

import dataclasses
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from burnish.contract import ACTION, TASK
from burnish.errors import BurnishError
from burnish.exported import CONTRACT, DESCRIPTION, FORMAT, MODEL, NOISE_INPUT, ExportedPolicy
from burnish.files import atomic_file, fingerprint, write_json
from burnish.policies.base import Policy
from burnish.policies.normalize import affine

OPSET = 18
LONGEST_TIMING_S = 3.0
"""A busy machine gets fewer timed calls rather than a long wait."""


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


def export(policy: Policy, out: Path, config: ExportConfig) -> dict[str, Any]:
    """Write `policy.onnx`, `contract.json` and `policy.json` to the folder `out`; `ExportedPolicy` runs them.

    Returns:
        `max_abs_difference` from torch (network units), `max_abs_difference_physical`, `parameters`, `nfe`,
        `latency` (engine → p50_ms, p99_ms; batch 1) and `latency_ms` (ONNX Runtime with one thread, p50).
    Raises:
        BurnishError: ONNX Runtime and torch differ by more than the tolerance; `policy.json` is not written.
    """
    policy.check_export()
    policy = policy.cpu().eval()
    (out / DESCRIPTION).unlink(missing_ok=True)  # from here until the end the folder is no policy
    with atomic_file(out / MODEL) as beside:
        _to_onnx(policy, beside)
    write_json(out / CONTRACT, policy.contract.to_json())
    write_json(out / DESCRIPTION, _description(policy, out))
    differences = _compare(policy, ExportedPolicy(out), config)
    worst = max(differences.values())
    if not worst <= config.tolerance:
        (out / DESCRIPTION).unlink()
        raise BurnishError(
            f"{out / MODEL}: actions differ from torch by {worst:.2e}, more than {config.tolerance:.0e}; "
            "train with smaller weights, or accept it with --export.tolerance"
        )
    latency = _latencies(policy, out, config)
    size = {"parameters": sum(value.numel() for value in policy.parameters()), "nfe": policy.nfe}
    fastest = latency["ONNX Runtime, 1 thread"]["p50_ms"]
    return {**differences, **size, "latency": latency, "latency_ms": fastest}


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


def _to_onnx(policy: Policy, path: Path) -> None:
    # The tracing exporter: the policies have no data-dependent control flow, and it takes a second where the
    # newer one takes a minute for ten denoising steps. `_compare` uses other batch sizes than the traced one.
    fields = policy.contract.observation.values()
    zeros = (torch.zeros(2, *field.shape, dtype=getattr(torch, field.dtype)) for field in fields)
    example = (torch.zeros(2, *policy.noise_shape), *zeros)
    names = [NOISE_INPUT, *_inputs(policy).values()]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            _WholePath(policy),
            example,
            str(path),
            dynamo=False,
            opset_version=OPSET,
            input_names=names,
            output_names=[ACTION],
            dynamic_axes={name: {0: "batch"} for name in (*names, ACTION)},
        )


def _inputs(policy: Policy) -> dict[str, str]:
    """Contract key → name of the ONNX input."""
    return {key: key.replace(".", "_") for key in policy.contract.observation}


def _description(policy: Policy, out: Path) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "policy": policy.name,
        "config": dataclasses.asdict(policy.config),
        "inputs": _inputs(policy),
        "noise_shape": list(policy.noise_shape),
        "horizon": policy.horizon,
        "replan": policy.replan,
        "nfe": policy.nfe,
        "files": {name: fingerprint((out / name).read_bytes()) for name in (MODEL, CONTRACT)},
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
        with _torch_threads(threads), torch.inference_mode():
            rows[f"torch, {many}"] = _time(lambda: policy.act(obs, noise), config.calls)
        session = ExportedPolicy(out, threads=threads)
        rows[f"ONNX Runtime, {many}"] = _time(lambda run=session: run.act(arrays, noise.numpy()), config.calls)
    return rows


def _time(call: Callable[[], object], calls: int) -> dict[str, float]:
    times: list[float] = []
    while len(times) < calls + 10 and sum(times) < LONGEST_TIMING_S * 1e3:
        begin = time.perf_counter()
        call()
        times.append((time.perf_counter() - begin) * 1e3)
    steady = times[min(10, len(times) - 1) :]
    return {f"p{share}_ms": round(float(np.percentile(steady, share)), 4) for share in (50, 99)}


@contextmanager
def _torch_threads(threads: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
