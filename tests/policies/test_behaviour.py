"""Behaviours: codes that know no padding, a decoder that sees no future, decisions that remember their own episode."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from burnish.contract import ACTION, ENVIRONMENT_STATE, STATE, TASK, Contract, Field, encode_text
from burnish.datasets.demonstrations import Demonstrations, Episode, compute_stats
from burnish.errors import BurnishError
from burnish.policies.base import load_policy, make_policy, save_policy
from burnish.policies.behaviour import use
from burnish.policies.networks.fsq import FSQ
from burnish.policies.omnijarvis import CODE, PROGRESS

LEVELS = st.lists(st.integers(2, 9), min_size=1, max_size=5)
ANYWHERE = st.floats(-20, 20, width=32)


@given(LEVELS, st.data())
def test_every_code_has_one_index_and_comes_back(levels, data):
    quantiser = FSQ(levels)
    index = torch.tensor(data.draw(st.lists(st.integers(0, math.prod(levels) - 1), min_size=1, max_size=20)))
    digits = quantiser.from_index(index)
    assert ((digits >= 0) & (digits < torch.tensor(levels))).all()
    assert torch.equal(quantiser.index(digits), index)
    values = quantiser.values(digits)
    assert values.abs().max() <= 1
    assert torch.equal(quantiser.digits(values), digits)


@settings(deadline=None)
@given(LEVELS, st.data())
def test_features_become_one_of_the_levels_and_the_gradient_goes_straight_through(levels, data):
    quantiser = FSQ(levels)
    row = data.draw(st.lists(ANYWHERE, min_size=len(levels), max_size=len(levels)))
    features = torch.tensor(row, requires_grad=True)
    values = quantiser(features)
    digits = quantiser.digits(values.detach())
    assert ((digits >= 0) & (digits < torch.tensor(levels))).all()
    assert torch.allclose(values, quantiser.values(digits), atol=1e-6)
    values.sum().backward()
    # As if nothing had been rounded: the derivative of the bounded features alone.
    bounded = (1 - torch.tanh(features.detach() + quantiser.shift) ** 2) * quantiser.reach / quantiser.width
    assert torch.allclose(features.grad, bounded, atol=1e-6)


def test_the_papers_codebook_and_all_levels_of_it_can_be_reached():
    quantiser = FSQ((8, 8, 8, 6, 5))
    assert quantiser.codes == 15_360
    ramp = torch.linspace(-10, 10, 2001)[:, None].expand(-1, 5)
    digits = quantiser.digits(quantiser(ramp))
    assert [len(column.unique()) for column in digits.T] == [8, 8, 8, 6, 5]
    assert (digits.diff(dim=0) >= 0).all()
    assert quantiser.digits(quantiser(torch.zeros(1, 5))).tolist() == [[4, 4, 4, 3, 2]]
    with pytest.raises(BurnishError, match="levels"):
        FSQ((8, 1))


def test_use_counts_codes_and_levels():
    found = use(torch.tensor([[0, 0], [0, 1], [0, 1], [1, 0]]), (4, 2))
    assert found["codes"] == 3 and found["used"] == 3 / 8 and found["levels"] == [0.5, 1.0]
    assert found["perplexity"][1] == pytest.approx(2.0)


@pytest.fixture
def behaviour(make, tiny_behaviour):
    return make("behaviour", **tiny_behaviour)


@pytest.fixture
def segments(make_chunks, observe):
    """A batch in which what is seen changes; of the last segment only half is inside its episode."""
    batch = make_chunks(6, 4)
    return batch | {key: torch.stack([observe(6, seed=s)[key] for s in range(4)], dim=1) for key in observe(1)}


def test_a_segments_code_and_loss_ignore_its_padding(behaviour, segments):
    other = {key: value.clone() for key, value in segments.items()}
    for key in (ACTION, *behaviour.contract.observation):
        other[key][segments["action_is_pad"]] += 0.3
    assert torch.equal(behaviour.digits(segments), behaviour.digits(other))
    losses = [behaviour.loss(batch, torch.Generator().manual_seed(0))[0] for batch in (segments, other)]
    assert torch.equal(*losses)
    other[ACTION][:, 0] = -segments[ACTION][:, 0]
    assert not torch.equal(behaviour.loss(other, torch.Generator().manual_seed(0))[0], losses[0])


@torch.no_grad()
def test_the_decoder_sees_the_past_and_the_code_and_no_future(behaviour):
    seen, start, values = torch.randn(2, 4, 9), torch.randn(2, 16), torch.rand(2, 3)
    known = torch.ones(2, dtype=torch.bool)
    made = behaviour.decode(seen, start, values, known)
    later = seen.clone()
    later[:, 2:] += 1
    assert torch.equal(behaviour.decode(later, start, values, known)[:, :2], made[:, :2])
    assert not torch.allclose(behaviour.decode(later, start, values, known)[:, 2:], made[:, 2:])
    assert not torch.allclose(behaviour.decode(seen, start, -values, known), made)
    without = behaviour.decode(seen, start, values, ~known)
    assert torch.equal(behaviour.decode(seen, start, -values, ~known), without)


def test_a_follower_plays_the_codes_of_its_seed_and_keeps_the_last(behaviour, observe):
    shown = {5: torch.tensor([[0, 0, 0], [1, 1, 1]]), 6: torch.tensor([[3, 2, 1]])}
    agent = behaviour.follower(shown, 2)
    agent.reset([0, 1], [5, 6])
    played = []
    for _ in range(6):
        agent.act(observe(2))
        played.append(behaviour.quantiser.digits(agent._values).tolist())
    first, second, only = [0, 0, 0], [1, 1, 1], [3, 2, 1]
    assert played == [[first, only]] * 2 + [[second, only]] * 4


@pytest.fixture
def omnijarvis(make, tiny_behaviour):
    return make("omnijarvis", behaviour_config=tiny_behaviour, memory=2, thoughts=2, width=16, depth=1)


def play(policy, observe, lanes: int, steps: int, seeds: list[int], first: int = 0) -> torch.Tensor:
    """(steps, lanes, A): a fresh agent; what lane i sees is decided by `seeds[i]`."""
    agent = policy.agent(lanes)
    agent.reset(range(lanes), seeds)
    return rollout(agent, observe, steps, seeds)


def rollout(agent, observe, steps: int, seeds: list[int]) -> torch.Tensor:
    def seen(step: int) -> dict[str, torch.Tensor]:
        rows = [observe(1, seed=100 * seed + step) for seed in seeds]
        return {key: torch.cat([row[key] for row in rows]) for key in rows[0]}

    return torch.stack([agent.act(seen(step)) for step in range(steps)])


def test_decisions_remember_their_episode_and_nothing_of_the_last_one(omnijarvis, observe):
    fresh = play(omnijarvis, observe, 2, 18, [7, 8])
    agent = omnijarvis.agent(2)
    agent.reset([0, 1], [1, 2])
    rollout(agent, observe, 11, [1, 2])
    agent.reset([0, 1], [7, 8])
    assert torch.equal(rollout(agent, observe, 18, [7, 8]), fresh)


@torch.no_grad()
def test_what_was_seen_earlier_decides_too(omnijarvis):
    told, seen = torch.zeros(2, 1, 0), torch.randn(1, 3, 9).repeat(2, 1, 1)
    words = torch.zeros(2, 3, 4, dtype=torch.long)
    seen[1, 0] += 1.0
    logits = omnijarvis.network(told, seen, words)[:, 2]
    assert not torch.allclose(logits[0], logits[1])
    words[1, 1] = 1
    changed = omnijarvis.network(told, seen[:1].repeat(2, 1, 1), words)
    assert torch.equal(changed[0, 0], changed[1, 0]) and not torch.allclose(changed[0, 2], changed[1, 2])


def test_two_lanes_do_not_influence_each_other(omnijarvis, observe):
    one, other = (play(omnijarvis, observe, 2, 14, [3, seed]) for seed in (4, 5))
    assert torch.equal(one[:, 0], other[:, 0])
    assert not torch.equal(one[:, 1], other[:, 1])
    agent = omnijarvis.agent(2)
    agent.reset([0, 1], [3, 4])
    rollout(agent, observe, 5, [3, 4])
    agent.reset([1], [5])  # the other lane's episode goes on, out of step from now on
    assert torch.equal(rollout(agent, observe, 1, [3, 5])[:, 0], play_on(omnijarvis, observe))


def play_on(policy, observe) -> torch.Tensor:
    agent = policy.agent(2)
    agent.reset([0, 1], [3, 4])
    rollout(agent, observe, 5, [3, 4])
    return rollout(agent, observe, 1, [3, 4])[:, 0]


def demonstrations() -> Demonstrations:
    """Two tasks that only the instruction tells apart: up or down, at last to the other side."""
    number = Field((2,), ("height", "time"), ("m", "s"), "world", 20.0, "mean_std")
    text = Field((16,), tuple(f"b{i}" for i in range(16)), ("UTF-8",) * 16, "none", 20.0, "identity", dtype="uint8")
    action = Field((1,), ("dy",), ("m",), "world", 20.0, "min_max", low=(-1.0,), high=(1.0,))
    episodes = []
    for number_of, word in enumerate(("up", "down") * 4):
        sign, time = 1.0 - 2.0 * (number_of % 2), np.arange(20, dtype=np.float32)
        moves = (sign * np.where(time < 12, 0.8, -0.5))[:, None].astype(np.float32)
        height = np.concatenate([np.zeros((1, 1), np.float32), moves.cumsum(0)[:-1]])
        obs = {STATE: np.concatenate([height, time[:, None]], 1), TASK: np.tile(encode_text(word, 16), (20, 1))}
        episodes.append(Episode(obs, moves))
    return Demonstrations.of(Contract({STATE: number, TASK: text}, action), "metaworld/reach", episodes)


def fitted(policy, demos, steps: int, lr: float = 3e-3):
    sampler, generator = policy.sampler(demos, 32, seed=0), torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam(policy.parameters(), lr)
    for step in range(steps):
        loss, metrics = policy.loss(sampler.batch(step), generator)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return policy.eval(), metrics


def test_a_sequence_shows_the_codes_and_stages_of_its_own_episode(tiny_behaviour):
    demos = demonstrations()
    stats = compute_stats(demos)
    policy = make_policy("omnijarvis", demos.contract, stats, behaviour_config=tiny_behaviour, memory=2, thoughts=4)
    batch = policy.sampler(demos, 4, seed=0).gather(torch.tensor([0, 10, 18, 20]))
    assert batch[CODE].shape == (4, 3, 3)
    assert torch.allclose(batch[PROGRESS][:2], torch.tensor([[0, 4, 8], [10, 14, 18]]) / 20)
    assert batch["action_is_pad"].tolist() == [[False] * 3, [False] * 3, [False, True, True], [False] * 3]
    segment = policy.behaviour.sampler(demos, 1, seed=0).gather(torch.tensor([14]))
    assert torch.equal(policy.behaviour.digits(segment)[0], batch[CODE][1, 1])


def test_the_instruction_decides_between_behaviours_and_the_decoder_is_never_told(tiny_behaviour):
    demos = demonstrations()
    stats = compute_stats(demos)
    torch.manual_seed(0)
    behaviour, _ = fitted(make_policy("behaviour", demos.contract, stats, **tiny_behaviour), demos, 150)
    assert TASK not in behaviour.contract.observation
    config = make_policy("omnijarvis", demos.contract, stats, width=32, depth=1, memory=1).config.with_part(behaviour)
    settings = {field.name: getattr(config, field.name) for field in dataclasses.fields(config)}
    policy = make_policy("omnijarvis", demos.contract, stats, **settings)
    policy.adopt(behaviour)
    policy, metrics = fitted(policy, demos, 150)
    assert metrics["right"] > 0.8
    agent = policy.agent(2)
    agent.reset([0, 1], [0, 1])
    text = torch.from_numpy(np.stack([encode_text(word, 16) for word in ("up", "down")]))
    action = agent.act({STATE: torch.zeros(2, 2), TASK: text})
    assert action[0, 0] > 0.4 and action[1, 0] < -0.4


def touching(pairs: list[tuple[str, str]], count: int) -> Demonstrations:
    """A hand goes to one of three things on a line, then to another: how far each is, and whether it was touched."""
    names, rng = ("red", "green", "blue"), np.random.default_rng(0)
    hand = Field((1,), ("x",), ("m",), "world", 20.0, "mean_std")
    things = Field((6,), tuple("abcdef"), ("m", "1") * 3, "world", 20.0, "mean_std", slots=3)
    text = Field((32,), tuple(f"b{i}" for i in range(32)), ("UTF-8",) * 32, "none", 20.0, "identity", dtype="uint8")
    action = Field((1,), ("dx",), ("m",), "world", 20.0, "min_max", low=(-1.0,), high=(1.0,))
    episodes = []
    for pair in (pairs * count)[:count]:
        wanted, told = [names.index(name) for name in pair], " and ".join(f"touch {name}" for name in pair)
        x, places, touched = rng.uniform(-1, 1), np.array([-3.0, 0.0, 3.0]) + rng.uniform(-0.3, 0.3, 3), np.zeros(3)
        rows = []
        for _ in range(16):
            aim = next((k for k in wanted if not touched[k]), wanted[-1])
            dx = np.clip(places[aim] - x, -1.0, 1.0)
            rows.append((x, np.stack([places - x, touched], 1).ravel(), dx))
            x += dx
            touched[aim] = max(touched[aim], abs(places[aim] - x) < 0.1)
        x, seen, dx = (np.array(part, np.float32) for part in zip(*rows, strict=True))
        obs = {STATE: x[:, None], ENVIRONMENT_STATE: seen, TASK: np.tile(encode_text(told, 32), (16, 1))}
        episodes.append(Episode(obs, dx[:, None]))
    return Demonstrations.of(
        Contract({STATE: hand, ENVIRONMENT_STATE: things, TASK: text}, action), "metaworld/reach", episodes
    )


def test_codes_are_of_the_motion_alone_where_things_are_described_alike(tiny_behaviour):
    demos = touching([("red", "green"), ("green", "blue"), ("blue", "red")], 6)
    behaviour = make_policy("behaviour", demos.contract, compute_stats(demos), **tiny_behaviour).eval()
    batch = behaviour.sampler(demos, 4, seed=0).batch(0)
    other = {key: value + 1.0 if key == ENVIRONMENT_STATE else value for key, value in batch.items()}
    assert torch.equal(behaviour.digits(batch), behaviour.digits(other))
    losses = [behaviour.loss(one, torch.Generator().manual_seed(0))[0] for one in (batch, other)]
    assert not torch.equal(*losses)


@pytest.mark.slow
def test_pairs_never_shown_are_decided_as_those_that_were(tiny_behaviour):
    """Every thing is first and second in training; with an instruction read as a whole half of the moves are wrong."""
    shown, held_out = [("red", "green"), ("green", "blue"), ("blue", "red")], [("green", "red"), ("red", "blue")]
    demos, others = touching(shown, 90), touching(held_out, 40)
    stats = compute_stats(demos)
    torch.manual_seed(0)
    behaviour, _ = fitted(make_policy("behaviour", demos.contract, stats, **tiny_behaviour), demos, 600)
    config = make_policy("omnijarvis", demos.contract, stats, width=32, depth=1, memory=0).config.with_part(behaviour)
    settings = {field.name: getattr(config, field.name) for field in dataclasses.fields(config)}
    policy = make_policy("omnijarvis", demos.contract, stats, **settings)
    policy.adopt(behaviour)
    policy, _ = fitted(policy, demos, 2000)
    right = {}
    for name, one in (("shown", demos), ("held out", others)):
        obs = {key: torch.from_numpy(value) for key, value in one.obs.items()}
        moves = policy.act(obs, torch.zeros(len(one.action), *policy.noise_shape))[:, 0, 0]
        wanted = torch.from_numpy(one.action[:, 0])
        right[name] = float((moves.sign() == wanted.sign())[wanted.abs() > 0.9].float().mean())
    assert right["shown"] > 0.85 and right["held out"] > right["shown"] - 0.1


def test_other_behaviours_than_its_own_are_refused_by_name(make, omnijarvis, behaviour, tiny_behaviour, tmp_path: Path):
    with pytest.raises(BurnishError, match=r"behaviour\.levels: the policy wants \(4, 3, 2\), given is \(4, 3\)"):
        omnijarvis.adopt(make("behaviour", **tiny_behaviour | {"levels": (4, 3)}))
    settings = dataclasses.asdict(omnijarvis.config.with_part(behaviour))
    policy = make("omnijarvis", **settings)
    policy.adopt(behaviour)
    save_policy(policy, tmp_path / "policy")
    loaded = load_policy(tmp_path / "policy")
    loaded.adopt(behaviour)
    with torch.no_grad():
        behaviour.nothing += 1.0
    with pytest.raises(
        BurnishError, match=f"behaviour_fingerprint: the policy wants '{loaded.config.behaviour_fingerprint}'"
    ):
        loaded.adopt(behaviour)
