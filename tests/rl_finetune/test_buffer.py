"""n-step transitions against returns computed by hand."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from burnish.rl_finetune.buffer import NStep, Replay, Transitions

GAMMA = 0.9


def play(length: int, n_step: int, *, success: bool) -> list[Transitions]:
    """One lane: an episode of `length` steps whose state is its step number, then more steps of a next episode."""
    windows, rows = NStep(n_step, GAMMA), []
    for t in range(length + n_step + 2):
        state = torch.full((1, 1), float(t if t < length else 100 + t))
        last = torch.tensor([t == length - 1])
        reward, failed = (last & success).float(), last & ~torch.tensor(success)
        done = windows.push(state, state, state, reward, last & success, failed, state[0])
        rows += [done] if done is not None and len(done.obs) else []
    return [row for row in rows if row.obs.item() < 100]


@settings(max_examples=40, deadline=None)
@given(length=st.integers(1, 12), n_step=st.integers(1, 5))
def test_success_ends_the_return(length: int, n_step: int) -> None:
    """Discounted reward inside the window, no bootstrap after success, nothing from the next episode."""
    rows = play(length, n_step, success=True)
    assert len(rows) == length
    for t, row in enumerate(rows):
        steps_left = length - 1 - t
        if steps_left < n_step:
            assert row.reward.item() == torch.tensor(GAMMA**steps_left).item()
            assert row.discount.item() == 0.0
        else:
            assert row.reward.item() == 0.0
            assert row.next_obs.item() == t + n_step
            torch.testing.assert_close(row.discount, torch.tensor([GAMMA**n_step]))


@settings(max_examples=40, deadline=None)
@given(length=st.integers(1, 12), n_step=st.integers(1, 5))
def test_the_horizon_cuts_the_window_short(length: int, n_step: int) -> None:
    """A time-out bootstraps from the last state acted in, and never from the next episode."""
    rows = play(length, n_step, success=False)
    assert len(rows) == length - 1  # the last step has no state to bootstrap from
    for t, row in enumerate(rows):
        reached = min(t + n_step, length - 1)
        assert row.next_obs.item() == reached
        torch.testing.assert_close(row.discount, torch.tensor([GAMMA ** (reached - t)]))


def test_a_full_ring_forgets_the_oldest() -> None:
    """Rows come back as they went in."""
    replay = Replay(4, 1, 1)
    for value in range(6):
        part = torch.full((1, 1), float(value))
        replay.add(Transitions(part, part, part, part[:, 0], part[:, 0], part, part, part[:, 0]))
    assert len(replay) == 4
    rows = replay.unpack(replay.sample(200, torch.Generator().manual_seed(0)))
    assert set(rows.obs.flatten().tolist()) == {2.0, 3.0, 4.0, 5.0}
    assert torch.equal(rows.obs[:, 0], rows.reward)
