"""`burnish tokenize`, and policies that write tokens: from a dataset to a checkpoint, in two ways."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from burnish.commands import tokenize, train
from burnish.contract import STATE, Contract, Field
from burnish.datasets.demonstrations import Demonstrations, Episode
from burnish.datasets.store import write_dataset
from burnish.errors import BurnishError, ContractError
from burnish.policies.base import load_policy
from burnish.policies.tokenizers.base import load_tokenizer

TRAIN = ["--train.steps", "2", "--train.batch-size", "8", "--train.log-every", "1"]
SMALL = ["--policy.width", "16", "--policy.depth", "1"]


def dataset(folder: Path, rate: float = 20.0, height: float = 0.0) -> Path:
    action = Field((2,), ("dx", "gripper"), ("m", "1"), "world", rate, "min_max", low=(-0.1, -1.0), high=(0.1, 1.0))
    time = np.arange(40, dtype=np.float32)[:, None]
    chunk = np.concatenate([0.12 * np.sin(time / 5), np.sign(time - 20.5)], axis=1).astype(np.float32)
    state = np.concatenate([time / 5, height * time], axis=1).astype(np.float32)
    contract = Contract({STATE: Field((2,), ("phase", "height"), ("rad", "m"), "world", rate, "mean_std")}, action)
    write_dataset(Demonstrations.of(contract, "metaworld/reach", [Episode({STATE: state}, chunk)] * 3), folder)
    return folder


def run(command, *words: str):
    return command.run(command.configure([*map(str, words)]))


@pytest.mark.parametrize("name", ["mint", "fast", "bins"])
def test_a_policy_learns_its_tokenizer_first(tmp_path: Path, name: str):
    demos, out = dataset(tmp_path / "dataset"), tmp_path / "run"
    kind = "mint" if name == "mint" else "tokens"
    run(train, kind, "--dataset", demos, "--out", out, "--policy.tokenizer", name, *SMALL, *TRAIN)
    policy, tokenizer = load_policy(out / "policy"), load_tokenizer(out / "tokenizer/policy")
    assert policy.name == kind
    assert policy.tokenizer.fingerprint() == tokenizer.fingerprint()


def test_a_tokenizer_serves_several_policies_where_actions_mean_the_same(tmp_path: Path, capsys):
    demos, made = dataset(tmp_path / "dataset"), tmp_path / "bins"
    result = run(
        tokenize, "bins", "--dataset", demos, "--out", made, "--tokenizer.bins", "32", "--tokenizer.horizon", "4"
    )
    assert result["error"] < 0.02 and result["tokens"] == 8
    assert result["clipped"] > 0  # 0.12 m is beyond the action's bound: counted, not wrapped
    words = ["--policy.tokenizer", made / "policy", *SMALL, *TRAIN]
    run(train, "tokens", "--dataset", demos, "--out", tmp_path / "one", *words)
    assert load_policy(tmp_path / "one/policy").tokenizer.fingerprint() == load_tokenizer(made / "policy").fingerprint()
    with pytest.raises(ContractError, match=r"action\.rate_hz"):
        run(train, "tokens", "--dataset", dataset(tmp_path / "slow", rate=10.0), "--out", tmp_path / "two", *words)


def test_a_tokenizer_that_does_not_exist_is_answered_with_the_closest(tmp_path: Path):
    with pytest.raises(BurnishError, match="unknown tokenizer 'mnt'; did you mean 'mint'"):
        run(tokenize, "mnt", "--dataset", tmp_path, "--out", tmp_path / "out")
    with pytest.raises(BurnishError, match="unknown tokenizer 'mnt'; did you mean 'mint'"):
        words = ["--out", tmp_path / "out", "--policy.tokenizer", "mnt"]
        run(train, "mint", "--dataset", dataset(tmp_path / "dataset"), *words)


def test_a_sequence_model_learns_its_behaviours_first_or_takes_given_ones(tmp_path: Path):
    demos, out = dataset(tmp_path / "dataset"), tmp_path / "run"
    run(train, "omnijarvis", "--dataset", demos, "--out", out, *SMALL, *TRAIN)
    policy, behaviour = load_policy(out / "policy"), load_policy(out / "behaviour/policy")
    assert (policy.name, behaviour.name) == ("omnijarvis", "behaviour")
    assert policy.config.behaviour_fingerprint == behaviour.fingerprint() == policy.behaviour.fingerprint()
    given = ["--policy.behaviour", out / "behaviour/policy"]
    other = dataset(tmp_path / "other", height=0.5)  # other statistics, but what is read in the behaviours' own units
    run(train, "omnijarvis", "--dataset", other, "--out", tmp_path / "second", *given, *SMALL, *TRAIN)
    second = load_policy(tmp_path / "second/policy")
    assert second.behaviour.fingerprint() == behaviour.fingerprint()
    seen = {STATE: torch.tensor([[1.0, 0.2]])}
    assert torch.equal(second.behaviour.encode(seen), behaviour.encode(seen))
    with pytest.raises(BurnishError, match="'omnijarvis' policy; name the folder of a 'behaviour' one"):
        run(train, "omnijarvis", "--dataset", demos, "--out", tmp_path / "third", *given[:1], out / "policy", *TRAIN)
    with pytest.raises(ContractError, match=r"action\.rate_hz"):
        slow = dataset(tmp_path / "slow", rate=10.0)
        run(train, "omnijarvis", "--dataset", slow, "--out", tmp_path / "fourth", *given, *SMALL, *TRAIN)
