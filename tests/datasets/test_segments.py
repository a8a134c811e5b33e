"""Segments: what was seen at each step, never another episode's."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from burnish.contract import ACTION, STATE, Contract, Field
from burnish.datasets.demonstrations import Demonstrations, Episode
from burnish.datasets.segments import SegmentSampler

WHERE = Field((2,), ("episode", "time"), ("1", "1"), "world", 20.0, "identity")
CONTRACT = Contract({STATE: WHERE, "observation.dear": WHERE}, WHERE)


def demonstrations(*lengths: int) -> Demonstrations:
    """Frame t of episode e is (e, t), whatever is asked for."""
    frames = [np.stack([np.full(length, e), np.arange(length)], 1).astype("f4") for e, length in enumerate(lengths)]
    episodes = [Episode({STATE: frame, "observation.dear": frame}, frame) for frame in frames]
    return Demonstrations.of(CONTRACT, "metaworld/reach", episodes)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(1, 12), min_size=1, max_size=5), st.integers(1, 6), st.integers(1, 4), st.integers(0, 20))
def test_a_segment_shows_what_was_seen_at_each_step_and_stops_at_the_end_of_its_episode(lengths, length, stride, step):
    demos = demonstrations(*lengths)
    sampler = SegmentSampler(demos, length, 7, seed=0, stride=stride, once=["observation.dear"])
    batch = sampler.batch(step)
    assert torch.equal(batch[STATE], batch[ACTION])
    assert torch.equal(batch["observation.dear"], batch[STATE][:, 0])
    episode, time = batch[STATE][:, 0].long().T
    ahead, last = time[:, None] + stride * torch.arange(length), torch.tensor(lengths)[episode][:, None] - 1
    assert torch.equal(batch[STATE][..., 0].long(), episode[:, None].expand(-1, length))
    assert torch.equal(batch[STATE][..., 1].long(), torch.minimum(ahead, last))
    assert torch.equal(batch["action_is_pad"], ahead > last)
