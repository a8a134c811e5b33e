"""What every tokenizer promises, checked on every registered one."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch

from burnish import registry
from burnish.checkpoint import Stats
from burnish.contract import ACTION, Contract, Field
from burnish.errors import BurnishError, ContractError
from burnish.policies.base import make_policy, save_policy
from burnish.policies.tokenizers.base import Tokenizer, load_tokenizer, quality

HORIZON = 8
ACTION_FIELD = Field(
    (4,), ("dx", "dy", "rz", "gripper"), ("m", "m", "rad", "1"), "world", 20.0, "min_max",
    low=(-0.01, -0.01, -1.0, -1.0), high=(0.01, 0.01, 1.0, 1.0),
)  # fmt: skip
STATE_FIELD = Field((2,), ("a", "b"), ("m", "m"), "world", 20.0, "mean_std")
CONTRACT = Contract({"observation.state": STATE_FIELD}, ACTION_FIELD)
STATS: Stats = {
    ACTION: {name: np.zeros(4, np.float32) for name in ("mean", "std", "min", "max")},
    "observation.state": {"mean": np.zeros(2, np.float32), "std": np.ones(2, np.float32)},
}
CONFIGS: dict[str, dict[str, Any]] = {
    "bins": {"horizon": HORIZON, "bins": 64},
    "fast": {"horizon": HORIZON, "vocabulary": 128},
    "mint": {"horizon": HORIZON, "codebook": 32, "code_width": 8, "width": 8},
}
"""A tokenizer that is registered needs a line here."""


def smooth(count: int, seed: int = 0) -> torch.Tensor:
    """Chunks (count, H, 4) of half a period, of one phase and height; a gripper is open or closed; network units."""
    generator = torch.Generator().manual_seed(seed)
    phase, height = 6.3 * torch.rand(count, 1, 1, generator=generator), torch.rand(count, 1, 1, generator=generator)
    chunk = height * (phase + torch.arange(4) + torch.arange(HORIZON)[:, None] * 0.4).sin()
    chunk[:, :, 3] = chunk[:, :, 3].sign()
    return chunk


@pytest.fixture(params=registry.tokenizers.names())
def tokenizer(request) -> Tokenizer:
    assert request.param in CONFIGS, f"tokenizer {request.param!r} is registered but has no config here"
    torch.manual_seed(0)
    kind = registry.tokenizers.load(request.param)
    made = kind(kind.Config(**CONFIGS[request.param]), CONTRACT, STATS)
    made.fit(smooth(200))
    return made.eval()


@torch.no_grad()
def test_codes_and_chunks_have_the_promised_shapes_and_ranges(tokenizer):
    chunk = smooth(5)
    codes = tokenizer.encode(chunk)
    assert codes.shape == (5, tokenizer.length) and codes.dtype == torch.int64
    assert codes.min() >= 0 and codes.max() < tokenizer.vocabulary
    made = tokenizer.decode(codes)
    assert made.shape == (5, HORIZON, 4) and made.abs().max() <= 1.0
    some = torch.randint(tokenizer.vocabulary, codes.shape, generator=torch.Generator().manual_seed(0))
    assert torch.isfinite(tokenizer.decode(some)).all()


@torch.no_grad()
def test_a_chunk_has_its_codes_whatever_stands_beside_it(tokenizer):
    chunks = smooth(6)
    assert torch.equal(tokenizer.encode(chunks)[4:5], tokenizer.encode(chunks[4:5]))


@torch.no_grad()
def test_what_is_out_of_range_is_clipped_and_counted_and_never_wrapped(tokenizer):
    chunk = smooth(3)
    chunk[1, 2, 0], chunk[2, :, 1] = 1.7, -40.0
    codes = tokenizer.encode(chunk)
    assert torch.equal(codes, tokenizer.encode(chunk.clamp(-1.0, 1.0)))
    assert int(tokenizer.outside(chunk)) == 1 + HORIZON


@torch.no_grad()
def test_what_is_known_before_a_block_says_nothing_about_it(tokenizer):
    if tokenizer.context_dim is None:
        return
    codes = tokenizer.encode(smooth(1))
    known, begin = tokenizer.context(codes), 0
    assert known.shape == (1, tokenizer.length, tokenizer.context_dim)
    for count in tokenizer.blocks:
        other = codes.clone()
        other[:, begin:] = (other[:, begin:] + 1) % tokenizer.vocabulary
        assert torch.equal(tokenizer.context(other)[:, : begin + count], known[:, : begin + count])
        begin += count


def test_saved_and_loaded_it_is_the_same(tokenizer, tmp_path):
    save_policy(tokenizer, tmp_path / "tokenizer")
    loaded = load_tokenizer(tmp_path / "tokenizer")
    assert loaded.config == tokenizer.config and loaded.fingerprint() == tokenizer.fingerprint()
    with torch.no_grad():
        codes = tokenizer.encode(smooth(4, seed=1))
        assert torch.equal(loaded.encode(smooth(4, seed=1)), codes)
        assert torch.equal(loaded.decode(codes), tokenizer.decode(codes))


def test_after_learning_it_writes_what_it_has_not_seen(tokenizer):
    if tokenizer.learns:
        learn(tokenizer, 400)
    found = quality(tokenizer, smooth(300, seed=2))
    assert found["error"] < 0.06 and found["clipped"] == 0
    assert 0.02 < found["used"] <= 1.0 and 1 <= found["tokens"] <= tokenizer.length


def learn(tokenizer: Tokenizer, steps: int) -> None:
    chunks, generator = smooth(2000), torch.Generator().manual_seed(0)
    low, high = torch.tensor(ACTION_FIELD.low), torch.tensor(ACTION_FIELD.high)
    optimizer = torch.optim.AdamW(tokenizer.parameters(), 3e-3)
    for _ in range(steps):
        rows = torch.randint(len(chunks), (64,), generator=generator)
        loss, _ = tokenizer.loss({ACTION: low + (high - low) * (chunks[rows] + 1) / 2}, generator)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def test_a_policy_takes_over_its_tokenizer_and_no_other(tokenizer):
    settings = dataclasses.asdict(tokenizer.config)
    policy = make_policy(
        "tokens", CONTRACT, STATS, tokenizer=tokenizer.name, tokenizer_config=settings, width=16, depth=1
    )
    policy.adopt(tokenizer)
    assert policy.tokenizer.fingerprint() == tokenizer.fingerprint()
    other = type(tokenizer)(dataclasses.replace(tokenizer.config, horizon=16), CONTRACT, STATS)
    with pytest.raises(BurnishError, match=r"tokenizer\.config: the policy wants .*horizon=8.* given is .*horizon=16"):
        policy.adopt(other)
    elsewhere = Contract({}, dataclasses.replace(ACTION_FIELD, rate_hz=10.0))
    with pytest.raises(ContractError, match=r"action\.rate_hz"):
        policy.adopt(type(tokenizer)(tokenizer.config, elsewhere, STATS))
