"""A contract as Meta-World's, statistics and chunks to learn from, and one small config per registered policy."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from burnish.checkpoint import Stats
from burnish.contract import ACTION, IMAGES, PLACES, STATE, Contract, Field
from burnish.policies.base import Policy, make_policy

ACTION_FIELD = Field(
    (4,), ("dx", "dy", "dz", "gripper"), ("m", "m", "m", "1"), "world", 80.0, "min_max",
    low=(-0.01, -0.01, -0.01, -1.0), high=(0.01, 0.01, 0.01, 1.0),
)  # fmt: skip
CONTRACT = Contract(
    {
        STATE: Field((6,), tuple("abcdef"), ("m",) * 6, "world", 80.0, "whitening"),
        "observation.force": Field((3,), ("x", "y", "z"), ("N",) * 3, "tool", 80.0, "identity"),
    },
    ACTION_FIELD,
)
SIDE = 4
SEEING = Contract(
    {
        **CONTRACT.observation,
        f"{IMAGES}eye": Field((32, 32, 3), ("r", "g", "b"), ("1/255",) * 3, "camera", 80.0, "identity", "uint8"),
        PLACES: Field((1, SIDE, SIDE, 3), ("x", "y", "z"), ("m",) * 3, "world", 80.0, "identity"),
    },
    ACTION_FIELD,
)
"""For what reads where things are."""
SMALL: dict[str, Any] = {"width": 16, "depth": 2, "horizon": 4, "replan": 2}

IN_CONTEXT = ("dita", "actor3d")
SHOWN_BY_OTHERS = ("diffusion", "residual")
"""Policies that are tested with those with the slow tests: flow and meanflow show what these networks do."""
TINY_MINT: dict[str, Any] = {
    "tokenizer_config": {"horizon": 8, "scales": (1, 2), "codebook": 16, "code_width": 8, "width": 8},
    "width": 16, "depth": 1, "replan": 2, "temperature": 1.0,
}  # fmt: skip

TINY_BEHAVIOUR: dict[str, Any] = {"segment": 4, "levels": (4, 3, 2), "width": 16, "depth": 1, "replan": 2}

CONFIGS: dict[str, list[dict[str, Any]]] = {
    "meanflow": [SMALL | {"denoiser": name} for name in ("unet", "dit", "mlp", "dita", "actor3d")]
    + [SMALL | {"prior_std": 0.1}],
    "flow": [SMALL | {"denoiser": name, "steps": 2} for name in ("unet", "dit", "dita", "actor3d")],
    "diffusion": [
        SMALL | {"denoiser": "unet", "steps": 3},
        SMALL | {"denoiser": "dit", "steps": 3, "sampler": "ddpm", "prediction": "v_prediction"},
        SMALL | {"denoiser": "mlp", "steps": 3, "prediction": "sample"},
        *(SMALL | {"denoiser": name, "steps": 3} for name in ("dita", "actor3d")),
    ],
    "tokens": [
        {"tokenizer": "bins", "tokenizer_config": {"horizon": 4, "bins": 16}, "width": 16, "depth": 1, "replan": 2},
    ],
    "mint": [TINY_MINT | {"ensemble": "none"}, TINY_MINT],
    "behaviour": [TINY_BEHAVIOUR],
    "omnijarvis": [{"behaviour_config": TINY_BEHAVIOUR, "thoughts": 2, "width": 16, "depth": 1, "temperature": 1.0}],
    "vla": [],  # reads images and instructions, of which there are none here: tests/policies/vlm
    "mlp": [{"hidden": (16,)}, {"hidden": (16,), "step": None}],
    "recurrent": [{"width": 16, "segment": 4}],
    "residual": [
        {"base": "meanflow", "base_config": SMALL, "hidden": 16},
        *({"base": "flow", "base_config": SMALL | {"denoiser": name, "steps": 2}, "hidden": 16} for name in IN_CONTEXT),
    ],
    "lerobot": [],  # neither trained nor exported here: test_lerobot.py
}
"""A policy that is registered needs a line here: what the contract test builds it with."""


def statistics(contract: Contract) -> Stats:
    rng = np.random.default_rng(0)

    def one(field: Field) -> dict[str, np.ndarray]:
        mean, std = rng.normal(size=field.shape), rng.uniform(0.5, 2.0, field.shape)
        parts = {"mean": mean, "std": std, "min": mean - 2 * std, "max": mean + 2 * std}
        if field.normalization == "whitening":
            rotation = np.linalg.qr(rng.normal(size=field.shape * 2))[0]
            parts["covariance"] = np.outer(std, std) * (rotation * rng.uniform(0.01, 2.0, field.shape)) @ rotation.T
        return {name: part.astype(np.float32) for name, part in parts.items()} | {"count": np.array(100)}

    return {key: one(field) for key, field in contract.fields.items()}


def build(name: str, contract: Contract = CONTRACT, **config: Any) -> Policy:
    """A policy with random weights everywhere, also where training starts from zero."""
    torch.manual_seed(0)
    policy = make_policy(name, contract, statistics(contract), **config).eval()
    with torch.no_grad():
        for parameter in policy.parameters():
            if not parameter.any():
                parameter.normal_(std=0.1)
    return policy


def observations(batch: int, contract: Contract = CONTRACT, seed: int = 0) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)

    def one(field: Field) -> torch.Tensor:
        if not field.is_number:
            return torch.randint(256, (batch, *field.shape), generator=generator, dtype=torch.uint8)
        return torch.randn(batch, *field.shape, generator=generator)

    return {key: one(field) for key, field in contract.observation.items()}


def chunks(batch: int, horizon: int, contract: Contract = CONTRACT, seed: int = 0) -> dict[str, torch.Tensor]:
    """Observations with smooth chunks that depend on them; the last sample reaches past its episode's end."""
    obs = observations(batch, contract, seed)
    low, high = torch.tensor(contract.action.low), torch.tensor(contract.action.high)
    phase = obs[STATE][:, :4, None] + 0.3 * torch.arange(horizon)
    pad = torch.zeros(batch, horizon, dtype=torch.bool)
    pad[-1, (horizon + 1) // 2 :] = True
    unit = 0.5 + 0.45 * phase.sin().transpose(1, 2)
    return {**obs, ACTION: low + (high - low) * unit, f"{ACTION}_is_pad": pad}


def save_lerobot(folder: Path, kind: str, inputs: dict[str, tuple[int, ...]], actions: int, **settings: Any) -> Path:
    """A folder as `lerobot-train` leaves it: random weights, and statistics that are not 0 and 1."""
    from lerobot.configs.types import FeatureType, PolicyFeature
    from lerobot.policies.factory import get_policy_class, make_policy_config, make_pre_post_processors

    def kind_of(key: str) -> FeatureType:
        if key.startswith(IMAGES):
            return FeatureType.VISUAL
        return FeatureType.STATE if key == STATE else FeatureType.ENV

    def numbers(shape: tuple[int, ...]) -> dict[str, torch.Tensor]:
        mean, std = 0.1 * torch.rand(shape), 0.3 + torch.rand(shape)
        return {"mean": mean, "std": std, "min": mean - 2 * std, "max": mean + 2 * std}

    torch.manual_seed(0)
    features = {key: PolicyFeature(kind_of(key), shape) for key, shape in inputs.items()}
    common: dict[str, Any] = {"input_features": features, "device": "cpu", "push_to_hub": False}
    common["output_features"] = {ACTION: PolicyFeature(FeatureType.ACTION, (actions,))}
    config = make_policy_config(kind, **common, **settings)
    stats = {key: numbers((3, 1, 1) if key.startswith(IMAGES) else shape) for key, shape in inputs.items()}
    processors = make_pre_post_processors(config, dataset_stats=stats | {ACTION: numbers((actions,))})
    for part in (get_policy_class(kind)(config), *processors):
        part.save_pretrained(folder)
    return folder


@pytest.fixture
def statistics_of() -> Callable[[Contract], Stats]:
    return statistics


@pytest.fixture(scope="session")
def lerobot_folder() -> Callable[..., Path]:
    return save_lerobot


@pytest.fixture
def make() -> Callable[..., Policy]:
    return build


@pytest.fixture
def tiny_mint() -> dict[str, Any]:
    return TINY_MINT


@pytest.fixture
def tiny_behaviour() -> dict[str, Any]:
    return TINY_BEHAVIOUR


@pytest.fixture
def contract(request: pytest.FixtureRequest) -> Contract:
    """What the policy of a contract test reads; of any other test, numbers."""
    config = request.getfixturevalue("policy_config")[1] if "policy_config" in request.fixturenames else {}
    return SEEING if _kind(config or {}) == "actor3d" else CONTRACT


@pytest.fixture
def observe(contract: Contract) -> Callable[..., dict[str, torch.Tensor]]:
    return partial(observations, contract=contract)


@pytest.fixture
def make_chunks(contract: Contract) -> Callable[..., dict[str, torch.Tensor]]:
    return partial(chunks, contract=contract)


def _kind(config: dict[str, Any]) -> str:
    if "base_config" in config:
        return _kind(config["base_config"])
    return "prior" if "prior_std" in config else config.get("denoiser", config.get("ensemble", "plain"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that asks for `policy_config` runs for every registered policy and each of its configs."""
    if "policy_config" in metafunc.fixturenames:
        from burnish import registry

        cases = [(name, config) for name in registry.policies.names() for config in CONFIGS.get(name, [None])]
        metafunc.parametrize("policy_config", [_case(name, config) for name, config in cases])


def _case(name: str, config: dict[str, Any] | None) -> Any:
    kind = _kind(config or {})
    slow = name in SHOWN_BY_OTHERS and kind in IN_CONTEXT
    return pytest.param((name, config), id=f"{name}-{kind}", marks=[pytest.mark.slow] if slow else [])


@pytest.fixture
def policy(policy_config: tuple[str, dict[str, Any] | None], contract: Contract) -> Policy:
    name, config = policy_config
    assert config is not None, f"policy {name!r} is registered but has no config in tests/policies/conftest.py"
    return build(name, contract, **config)
