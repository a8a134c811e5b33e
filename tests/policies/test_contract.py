"""What every policy promises, checked on every registered one."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from burnish.contract import ACTION, STATE, Contract, Field
from burnish.errors import BurnishError, ContractError, CorruptFileError, NonFiniteError
from burnish.exported import ExportedPolicy
from burnish.policies.base import load_policy, make_policy, save_policy
from burnish.policies.export import ExportConfig, export


@torch.no_grad()
def test_a_plan_has_the_promised_shape_lies_in_bounds_and_is_decided_by_the_noise(policy, contract, observe):
    obs, noise = observe(5), torch.randn(5, *policy.noise_shape)
    chunk = policy.act(obs, noise)
    assert chunk.shape == (5, policy.horizon, 4)
    assert 1 <= policy.replan <= max(policy.horizon, policy.replan)
    low, high = torch.tensor(contract.action.low), torch.tensor(contract.action.high)
    far = {key: 1e3 * value for key, value in obs.items()}
    for each in (chunk, policy.act(far, 10 * noise)):
        assert ((each >= low) & (each <= high)).all()
    assert torch.equal(policy.act(obs, noise), chunk)
    if noise.numel():
        assert not torch.equal(policy.act(obs, torch.randn(5, *policy.noise_shape)), chunk)


@torch.no_grad()
def test_a_row_does_not_depend_on_the_other_rows(policy, observe):
    obs, other = observe(6), observe(6, seed=1)
    noise, other_noise = torch.randn(6, *policy.noise_shape), torch.randn(6, *policy.noise_shape)
    for row in (0, 5):
        for key in obs:
            other[key][row] = obs[key][row]
        other_noise[row] = noise[row]
        assert torch.equal(policy.act(obs, noise)[row], policy.act(other, other_noise)[row])


def test_saved_and_loaded_it_is_the_same_to_the_bit(policy, observe, tmp_path):
    save_policy(policy, tmp_path / "policy")
    loaded = load_policy(tmp_path / "policy", contract=policy.contract)
    assert type(loaded) is type(policy)
    assert loaded.config == policy.config
    assert not loaded.training
    for key, value in policy.state_dict().items():
        assert torch.equal(loaded.state_dict()[key], value)
    obs, noise = observe(3), torch.randn(3, *policy.noise_shape)
    with torch.no_grad():
        assert torch.equal(loaded.act(obs, noise), policy.act(obs, noise))


DIFFERENT = {
    "unit": lambda field: dataclasses.replace(field, unit=("mm", "mm", "mm", "1")),
    "rate_hz": lambda field: dataclasses.replace(field, rate_hz=20.0),
    "normalization": lambda field: dataclasses.replace(field, normalization="mean_std"),
    "shape": lambda _: Field((2,), ("dx", "dy"), ("m", "m"), "world", 80.0, "min_max", low=(-1, -1), high=(1, 1)),
    "high": lambda field: dataclasses.replace(field, high=(0.05, 0.05, 0.05, 1.0)),
}


@pytest.mark.parametrize("part", DIFFERENT)
def test_another_action_is_refused_with_field_and_both_values(policy, contract, tmp_path, part):
    save_policy(policy, tmp_path / "policy")
    theirs = Contract(contract.observation, DIFFERENT[part](contract.action))
    with pytest.raises(ContractError) as caught:
        load_policy(tmp_path / "policy", contract=theirs, there="environment other")
    message = str(caught.value)
    assert f"action.{part}" in message
    assert repr(getattr(contract.action, part)) in message
    assert repr(getattr(theirs.action, part)) in message
    assert "environment other" in message


@pytest.mark.parametrize("name", ["model.safetensors", "stats.safetensors", "config.json", "contract.json"])
def test_a_truncated_file_is_named(policy, tmp_path, name):
    folder = tmp_path / "policy"
    save_policy(policy, folder)
    path = folder / name
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(CorruptFileError, match=name):
        load_policy(folder)
    path.unlink()
    with pytest.raises(CorruptFileError, match=name):
        load_policy(folder)


def test_it_learns_a_batch_by_heart(policy, make_chunks):
    policy.train()
    batch = make_chunks(16, policy.horizon)
    optimizer = torch.optim.Adam(policy.parameters(), 5e-3)
    generator = torch.Generator().manual_seed(0)

    def mean_loss(rounds: int, learn: bool) -> float:
        total = 0.0
        for _ in range(rounds):
            loss, metrics = policy.loss(batch, generator)
            assert loss.ndim == 0
            assert all(value.ndim == 0 and not value.requires_grad for value in metrics.values())
            if learn:
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            total += float(loss.detach())
        return total / rounds

    before = mean_loss(10, learn=False)
    mean_loss(80, learn=True)
    assert mean_loss(10, learn=False) < 0.85 * before


def test_actions_beyond_the_episode_are_not_learned(policy, make_chunks):
    if policy.horizon == 1:
        return  # a chunk of one action never reaches beyond its episode
    batch, other = make_chunks(8, policy.horizon), make_chunks(8, policy.horizon)
    other[ACTION][batch["action_is_pad"]] = 0.0
    with torch.no_grad():  # a network that always answers zero, so that only the loss itself sees the padding
        for parameter in policy.parameters():
            parameter.zero_()
    losses = [float(policy.loss(each, torch.Generator().manual_seed(0))[0].detach()) for each in (batch, other)]
    assert losses[0] == losses[1]


def test_an_episode_starts_with_an_empty_queue(policy, observe):
    agent = policy.agent(2)
    obs = observe(2)
    agent.reset([0, 1], [7, 8])
    first = agent.act(obs)
    agent.act(observe(2, seed=1))
    agent.reset([0], [7])
    again = agent.act(obs)
    assert torch.equal(again[0], first[0])
    assert again.shape == (2, 4)


def test_a_nan_never_reaches_the_robot(policy, observe):
    agent = policy.agent(3)
    agent.reset([0, 1, 2], [0, 1, 2])
    obs = observe(3)
    obs[STATE][1, 2] = torch.nan
    with pytest.raises(NonFiniteError, match="lane 1"):
        agent.act(obs)


REFUSED = {"behaviour", "omnijarvis"}
"""They remember what they saw: one graph from an observation to a chunk would be another policy."""


def test_the_exported_policy_acts_the_same(policy, contract, observe, tmp_path):
    if policy.name in REFUSED:
        with pytest.raises(BurnishError, match=f"'{policy.name}' policy cannot be one ONNX file: .*remembers"):
            export(policy, tmp_path, ExportConfig())
        assert not list(tmp_path.iterdir())
        return
    result = export(policy, tmp_path, ExportConfig(observations=32, calls=3))
    assert result["max_abs_difference"] <= 1e-4
    assert result["latency_ms"] > 0
    exported = ExportedPolicy(tmp_path, contract=contract)
    assert (exported.horizon, exported.replan, exported.noise_shape) == (
        policy.horizon,
        policy.replan,
        policy.noise_shape,
    )
    for batch in (1, 3):
        obs, noise = observe(batch), torch.randn(batch, *policy.noise_shape)
        with torch.no_grad():
            expected = policy.act(obs, noise).numpy()
        actual = exported.act({key: value.numpy() for key, value in obs.items()}, noise.numpy())
        assert np.abs(actual - expected).max() <= 1e-4


def test_an_unknown_setting_gets_the_closest_one(policy):
    field = dataclasses.fields(policy.config)[0].name
    with pytest.raises(BurnishError, match=f"did you mean '{field}'"):
        make_policy(policy.name, policy.contract, policy.stats, **{field + "x": 1})


def test_a_config_of_another_version_is_a_corrupt_file(policy, tmp_path: Path):
    folder = tmp_path / "policy"
    save_policy(policy, folder)
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    config = other / "config.json"
    config.write_text(config.read_text().replace('"config": {', '"config": {"no_such_field": 1,', 1))
    with pytest.raises(CorruptFileError, match=r"config\.json.*no_such_field"):
        load_policy(other)
