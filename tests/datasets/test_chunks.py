"""Chunk batches: every frame once per epoch, nothing across an episode's end, the same after a resume."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from burnish.contract import ACTION, STATE, Contract, Field
from burnish.datasets.chunks import ChunkSampler
from burnish.datasets.demonstrations import Demonstrations, Episode, compute_stats
from burnish.errors import BurnishError

CONTRACT = Contract(
    {STATE: Field((3,), ("a", "b", "c"), ("m",) * 3, "world", 80.0, "mean_std")},
    Field((2,), ("x", "y"), ("m", "m"), "world", 80.0, "identity"),
)


def demonstrations(*lengths: int) -> Demonstrations:
    """Frame t of episode e is (e, t, 0) with action (e, t): every number says where it came from."""
    episodes = []
    for number, length in enumerate(lengths):
        place = np.stack([np.full(length, number), np.arange(length), np.zeros(length)], axis=1).astype(np.float32)
        episodes.append(Episode({STATE: place}, place[:, :2]))
    return Demonstrations.of(CONTRACT, "metaworld/reach", episodes)


lengths_strategy = st.lists(st.integers(1, 12), min_size=1, max_size=6)


@settings(max_examples=60, deadline=None)
@given(lengths=lengths_strategy, horizon=st.integers(1, 9), batch=st.integers(1, 40), step=st.integers(0, 50))
def test_a_chunk_holds_the_actions_that_follow_and_stops_at_the_end_of_its_episode(lengths, horizon, batch, step):
    chunks = ChunkSampler(demonstrations(*lengths), horizon, batch, seed=0).batch(step)
    assert chunks[STATE].shape == (batch, 3)
    assert chunks[ACTION].shape == (batch, horizon, 2)
    episode, time = chunks[STATE][:, 0].long(), chunks[STATE][:, 1].long()
    last = torch.tensor(lengths)[episode] - 1
    expected = time[:, None] + torch.arange(horizon)
    assert torch.equal(chunks[ACTION][..., 0].long(), episode[:, None].expand(-1, horizon))
    assert torch.equal(chunks[ACTION][..., 1].long(), torch.minimum(expected, last[:, None]))
    assert torch.equal(chunks["action_is_pad"], expected > last[:, None])
    assert not chunks["action_is_pad"][:, 0].any()


@settings(max_examples=40, deadline=None)
@given(lengths=lengths_strategy, batch=st.integers(1, 40), seed=st.integers(0, 5))
def test_every_frame_comes_once_per_epoch(lengths, batch, seed):
    frames = sum(lengths)
    sampler = ChunkSampler(demonstrations(*lengths), 2, batch, seed=seed)
    steps = -(-2 * frames // batch)
    seen = torch.cat([sampler.batch(step)[STATE] for step in range(steps)])
    for epoch in (seen[:frames], seen[frames : 2 * frames]):
        assert len(torch.unique(epoch, dim=0)) == frames


def test_a_resumed_run_sees_the_batches_it_would_have_seen():
    demos = demonstrations(40, 30, 25)
    unbroken, resumed = (ChunkSampler(demos, 4, 16, seed=3) for _ in range(2))
    expected = [unbroken.batch(step) for step in range(40)]
    for step in (39, 17, 18, 0):
        for key, value in resumed.batch(step).items():
            assert torch.equal(value, expected[step][key])


def test_another_seed_and_another_epoch_come_in_another_order():
    demos = demonstrations(50, 50)
    first, second = ChunkSampler(demos, 1, 100, seed=0), ChunkSampler(demos, 1, 100, seed=1)
    assert not torch.equal(first.batch(0)[STATE], second.batch(0)[STATE])
    assert not torch.equal(first.batch(0)[STATE], first.batch(1)[STATE])


def test_a_batch_is_the_callers_own():
    sampler = ChunkSampler(demonstrations(5), 2, 5, seed=0)
    before = sampler.batch(0)[STATE].clone()
    sampler.batch(0)[STATE].zero_()
    assert torch.equal(sampler.batch(0)[STATE], before)


def test_an_empty_dataset_is_refused():
    empty = Demonstrations(CONTRACT, "t", {STATE: np.zeros((0, 3))}, np.zeros((0, 2)), np.zeros(0, int))
    with pytest.raises(BurnishError, match="no frames"):
        ChunkSampler(empty, 2, 2, seed=0)


def test_statistics_do_not_lose_a_small_spread_on_a_large_offset():
    values = (1000 + 1e-2 * np.random.default_rng(0).standard_normal((20_000, 3))).astype(np.float32)
    demos = Demonstrations.of(CONTRACT, "t", [Episode({STATE: values}, values[:, :2])])
    stats = compute_stats(demos)[STATE]
    assert stats["std"] == pytest.approx(values.astype(np.float64).std(axis=0), rel=1e-6)
    assert stats["min"].dtype == np.float32
    assert np.array_equal(stats["max"], values.max(axis=0))
    assert stats["count"] == 20_000
