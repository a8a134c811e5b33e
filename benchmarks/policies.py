"""Every policy beside lerobot's ACT, Diffusion and VQ-BeT of the same size: size, training, planning, memory.

`uv run python benchmarks/policies.py [--device cpu] [--threads 2] [--rounds 3] [--only NAME …]`. All see one image of
96² through a ResNet-18 and a state of 39 numbers, plan 16 actions of 7 numbers and have about 16 million weights, 11 of
them the eye's; a VLA has a backbone of PaliGemma's class instead, of which it trains adapters. Training is forward,
backward and the optimizer's step on a batch of 64 in memory; what loading costs is `training.py`'s matter. Each policy
has a process of its own, so that its peak memory is its own; rounds alternate and medians are printed. On a GPU, which
is taken if there is one, all compute in bfloat16 where that is safe, and plans are replayed as CUDA graphs. The last
line is JSON: `ours` and `peer` are milliseconds per chunk at batch 1, of MeanFlow and of lerobot's Diffusion.
"""

from __future__ import annotations

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from backbone import save_backbone

from burnish.contract import ACTION, IMAGES, STATE, Contract, Field
from burnish.policies.base import Policy, make_policy
from burnish.policies.networks.vision import VisionConfig

PIXELS, STATES, ACTIONS, HORIZON, BATCH = 96, 39, 7, 16, 64
EYE = f"{IMAGES}front"
UNET = {"horizon": HORIZON, "denoiser": "unet", "width": 176, "depth": 2}
OURS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "meanflow, unet": ("meanflow", UNET),
    "meanflow, dit": ("meanflow", {"horizon": HORIZON, "denoiser": "dit", "width": 128, "depth": 2}),
    "meanflow, dita": ("meanflow", {"horizon": HORIZON, "denoiser": "dita", "width": 128, "depth": 2}),
    "meanflow, mlp": ("meanflow", {"horizon": HORIZON, "denoiser": "mlp", "width": 144, "depth": 2}),
    "flow, unet": ("flow", UNET),
    "diffusion, unet": ("diffusion", UNET),
    "mint": ("mint", {"width": 256, "depth": 4}),
    "vla, meanflow": ("vla", {"horizon": HORIZON, "head": "meanflow"}),
    "vla, flow": ("vla", {"horizon": HORIZON, "head": "flow"}),
    "vla, bins": ("vla", {"head": "tokens", "tokenizer": "bins", "tokenizer_config": {"horizon": HORIZON}}),
    "tokens, bins": ("tokens", {"tokenizer_config": {"horizon": HORIZON}, "width": 256, "depth": 4}),
}
PEERS: Mapping[str, dict[str, Any]] = {
    "act": {
        "chunk_size": HORIZON,
        "n_action_steps": HORIZON,
        "dim_model": 192,
        "dim_feedforward": 1024,
        "n_heads": 8,
    },
    "diffusion": {
        "n_obs_steps": 1,
        "horizon": HORIZON,
        "n_action_steps": HORIZON,
        "down_dims": (160, 320),
        "kernel_size": 3,
        "crop_shape": None,
        "noise_scheduler_type": "DDIM",
        "num_inference_steps": 10,
    },
    "vqbet": {
        "n_obs_steps": 1,
        "n_action_pred_token": 1,
        "action_chunk_size": HORIZON,
        "crop_shape": None,
        "gpt_input_dim": 256,
        "gpt_output_dim": 256,
        "gpt_hidden_dim": 256,
        "gpt_n_layer": 4,
    },
}


Measured = tuple[torch.nn.Module, Callable[[], torch.Tensor], Callable[[int], Any]]
"""A policy, its loss on a batch, and a plan for as many observations."""


def ours(name: str, device: torch.device) -> Measured:
    """One of burnish."""
    from transformers import ResNetConfig, ResNetModel, ViTImageProcessor

    kind, settings = OURS[name]
    stats: dict[str, Any] = {key: {} for key in (EYE, STATE, ACTION)}
    with tempfile.TemporaryDirectory() as folder:
        if kind == "vla":
            save_backbone(Path(folder), PIXELS)
            return measured(make_policy(kind, contract(), stats, backbone=folder, **settings), device)
        sizes = {"embedding_size": 64, "hidden_sizes": [64, 128, 256, 512], "depths": [2, 2, 2, 2]}
        ResNetModel(ResNetConfig(**sizes, layer_type="basic")).save_pretrained(folder)
        ViTImageProcessor(size={"height": PIXELS, "width": PIXELS}).save_pretrained(folder)
        vision = VisionConfig(encoder=folder)
        return measured(make_policy(kind, contract(), stats, vision=vision, **settings), device)


def measured(policy: Policy, device: torch.device) -> Measured:
    """With its loss and plan on random data."""
    policy = policy.to(device)
    data = {STATE: torch.randn(BATCH, STATES), EYE: torch.randint(256, (BATCH, PIXELS, PIXELS, 3), dtype=torch.uint8)}
    data = {key: value.to(device) for key, value in data.items()}
    batch = data | {ACTION: torch.rand(BATCH, HORIZON, ACTIONS, device=device) * 2 - 1}
    generator = torch.Generator(device).manual_seed(0)
    noise, act = torch.zeros(BATCH, *policy.noise_shape, device=device), graphed(policy.act, device)

    def plan(count: int) -> Any:
        return act({key: value[:count] for key, value in data.items()}, noise[:count])

    return policy, lambda: policy.loss(batch, generator)[0], plan


def graphed(call: Callable[..., Any], device: torch.device) -> Callable[..., Any]:
    """Recorded as CUDA graphs, as far as it can be; as it is on a CPU."""
    if device.type != "cuda":
        return call
    torch._dynamo.config.suppress_errors = True  # a peer that cannot be compiled is measured as it is
    return torch.compile(call, mode="reduce-overhead")


def contract() -> Contract:
    """One image, a state of 39 numbers, an action of seven."""

    def numbers(letter: str, count: int) -> Field:
        return Field((count,), tuple(f"{letter}{i}" for i in range(count)), ("1",) * count, "world", 20.0, "identity")

    image = Field((PIXELS, PIXELS, 3), ("r", "g", "b"), ("1",) * 3, "front", 20.0, "identity", "uint8")
    return Contract({EYE: image, STATE: numbers("s", STATES)}, numbers("a", ACTIONS))


def peer(name: str, device: torch.device) -> Measured:
    """One of lerobot. What its processors do before and after is left out."""
    from lerobot.configs.types import FeatureType, PolicyFeature
    from lerobot.policies.factory import get_policy_class, make_policy_config

    image, state = (PolicyFeature(FeatureType.VISUAL, (3, PIXELS, PIXELS)), PolicyFeature(FeatureType.STATE, (STATES,)))
    config = make_policy_config(
        name,
        input_features={EYE: image, STATE: state},
        output_features={ACTION: PolicyFeature(FeatureType.ACTION, (ACTIONS,))},
        pretrained_backbone_weights=None,
        device=device.type,
        push_to_hub=False,
        **PEERS[name],
    )
    policy = get_policy_class(name)(config).to(device)
    if name == "vqbet":  # its policy is trained after its codes
        policy.vqbet.action_head.vqvae_model.discretized.fill_(True)
    past = name != "act"
    data = {STATE: torch.randn(BATCH, STATES), EYE: torch.rand(BATCH, 3, PIXELS, PIXELS)}
    data = {key: value.to(device) for key, value in data.items()}
    batch = {key: value[:, None] if past else value for key, value in data.items()}
    batch |= {ACTION: torch.rand(BATCH, HORIZON, ACTIONS, device=device) * 2 - 1}
    batch |= {"action_is_pad": torch.zeros(BATCH, HORIZON, dtype=torch.bool, device=device)}
    act = graphed(policy.select_action, device)

    def plan(count: int) -> Any:
        policy.reset()
        return act({key: value[:count] for key, value in data.items()})

    return policy, lambda: policy.forward(dict(batch))[0], plan


def measure(name: str, device: torch.device, threads: int) -> dict[str, float]:
    """One policy in this process: millions of weights, samples/s, ms per chunk at batch 1 and 64, MiB of memory."""
    cuda = device.type == "cuda"
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    side, _, short = name.partition(" ")
    policy, loss, plan = ours(short, device) if side == "burnish" else peer(short, device)
    optimizer = torch.optim.AdamW(policy.parameters(), 1e-4, fused=True)

    def step() -> None:
        optimizer.zero_grad()
        with torch.autocast(device.type, torch.bfloat16, enabled=cuda):
            error = loss()
        error.backward()
        optimizer.step()

    def peak() -> float:
        """MiB since the process began, or since the GPU was asked first."""
        on_cpu = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        return torch.cuda.max_memory_allocated() / 2**20 if cuda else on_cpu

    before = peak()
    policy.train()
    step()
    seconds = timed(step, 5)
    memory = peak() - before
    policy.eval()
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=cuda):
        for _ in range(3 if cuda else 1):  # a graph is recorded after two calls
            plan(1), plan(BATCH)
        one, many = timed(lambda: plan(1), 20), timed(lambda: plan(BATCH), 5)
    weights = sum(parameter.numel() for parameter in policy.parameters()) / 1e6
    return {"million": weights, "rate": BATCH / seconds, "ms_1": one * 1e3, "ms_64": many * 1e3, "mib": memory}


def timed(call: Callable[[], Any], times: int) -> float:
    """Median seconds of a call, to its end also where a GPU does the work."""
    found = []
    for _ in range(times):
        begin = time.perf_counter()
        call()
        if torch.cuda.is_initialized():
            torch.cuda.synchronize()
        found.append(time.perf_counter() - begin)
    return float(np.median(found))


def main() -> None:
    """All policies in turn, or one as a process of its own."""
    names = [*(f"burnish {name}" for name in OURS), *(f"lerobot {name}" for name in PEERS)]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=names, default=names)
    parser.add_argument("--alone", choices=names, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.alone:
        print(json.dumps(measure(args.alone, torch.device(args.device), args.threads)))
        return
    found: dict[str, list[dict[str, float]]] = {name: [] for name in args.only}
    for _ in range(args.rounds):
        for name in args.only:
            words = [
                sys.executable,
                str(Path(__file__)),
                "--alone",
                name,
                "--device",
                args.device,
                "--threads",
                str(args.threads),
            ]
            said = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout
            found[name].append(json.loads(said.splitlines()[-1]))  # lerobot may print before
    print("| policy | weights | training | chunk, batch 1 | chunk, batch 64 | memory in training |")
    print("|---|---|---|---|---|---|")
    rows = {name: {key: statistics.median(run[key] for run in runs) for key in runs[0]} for name, runs in found.items()}
    for name, row in rows.items():
        sizes = "{million:.1f} M | {rate:.0f} samples/s | {ms_1:.1f} ms | {ms_64:.0f} ms | {mib:.0f} MiB".format(**row)
        print(f"| {name} | {sizes} |")
    fast, slow = rows.get("burnish meanflow, unet"), rows.get("lerobot diffusion")
    if fast and slow:
        line = {"name": "policies", "ours": round(fast["ms_1"], 2), "peer": round(slow["ms_1"], 2), "unit": "ms"}
        print(json.dumps(line | {"ratio": round(slow["ms_1"] / fast["ms_1"], 2), "rows": rows}))


if __name__ == "__main__":
    main()
