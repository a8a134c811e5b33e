"""Instructions as features of a policy."""

import numpy as np
import pytest
import torch

from burnish.contract import TASK, Contract, Field, encode_text
from burnish.errors import BurnishError
from burnish.policies.base import load_policy, make_policy, save_policy
from burnish.policies.language import (
    FEATURES,
    PACKAGED,
    Language,
    SentenceEncoder,
    divided,
    sentence_encoder,
    with_embeddings,
)

TEXTS = ["open the drawer", "pick up the milk", "pick up the butter", "turn on the stove"]


def rows(*texts: str) -> np.ndarray:
    return np.stack([encode_text(text, 64) for text in texts])


def stats():
    return with_embeddings({TASK: {"text": rows(*TEXTS)}}, "all-MiniLM-L6-v2")[TASK]


def test_the_packaged_encoder_puts_like_to_like():
    a, b, c = sentence_encoder("all-MiniLM-L6-v2").embed(
        ["pick up the milk and put it in the basket", "grab the milk and place it into the basket", "open the drawer"]
    )
    assert a.shape == (384,) and np.linalg.norm(a) == pytest.approx(1, abs=1e-5)
    assert a @ b > 0.8 > a @ c


def test_known_instructions_are_told_apart_without_the_encoder(monkeypatch):
    language = Language(stats(), "nowhere")
    features = language(torch.from_numpy(rows(*TEXTS)))
    assert features.shape == (4, FEATURES)
    assert torch.pdist(features).min() > 1
    with pytest.raises(BurnishError, match="nowhere"):
        language(torch.from_numpy(rows("close the drawer")))


def test_a_new_instruction_lands_near_the_one_it_rephrases():
    language = Language(stats(), "all-MiniLM-L6-v2")
    known, new = language(torch.from_numpy(rows(*TEXTS))), language(torch.from_numpy(rows("grab the milk")))
    assert int((known - new).norm(dim=1).argmin()) == TEXTS.index("pick up the milk")


def test_an_instruction_falls_into_its_clauses_and_the_last_keeps_the_rest():
    text = "open the drawer, then put the bowl in it and close it."
    assert divided(text, 3) == ["open the drawer", "put the bowl in it", "close it"]
    assert divided(text, 2) == ["open the drawer", "put the bowl in it and close it"]
    assert divided(text, 1) == [text]
    assert divided("handle the sandbox", 3) == ["handle the sandbox"]


def test_a_clause_means_the_same_wherever_it_stands_and_one_that_is_missing_is_zeros():
    texts = rows("open the drawer and pick up the milk", "pick up the butter", "turn on the stove and open the drawer")
    language = Language(with_embeddings({TASK: {"text": texts}}, PACKAGED, 3)[TASK], PACKAGED, 3)
    known = language(torch.from_numpy(texts)).unflatten(1, (3, FEATURES))
    torch.testing.assert_close(known[0, 0], known[2, 1])
    assert not known[1, 1:].any() and not known[:, 2].any() and known[1, 0].any()
    new = language(torch.from_numpy(rows("pick up the butter, then pick up the milk"))).unflatten(1, (3, FEATURES))
    torch.testing.assert_close(new[0], torch.stack([known[1, 0], known[0, 1], known[1, 1]]), atol=1e-5, rtol=1e-5)


def test_a_policy_that_reads_otherwise_than_its_statistics_reads_anew():
    once = with_embeddings({TASK: {"text": rows(*TEXTS)}}, PACKAGED, 1)
    twice = with_embeddings(once, PACKAGED, 2)
    assert twice[TASK]["embedding"].shape[:2] == (4, 2)
    assert with_embeddings(twice, PACKAGED, 2) is twice


def test_a_missing_encoder_says_how_to_get_it():
    with pytest.raises(BurnishError, match=r"burnish\[language\]"):
        SentenceEncoder("/no/such/folder")


def test_a_checkpoint_carries_its_instructions(tmp_path):
    state = Field((2,), ("x", "y"), ("m", "m"), "world", 10.0, "mean_std")
    words = Field((64,), tuple(map(str, range(64))), ("UTF-8",) * 64, "none", 10.0, "identity", dtype="uint8")
    action = Field((1,), ("dx",), ("m",), "world", 10.0, "min_max", low=(-1.0,), high=(1.0,))
    numbers = {name: np.ones(2, np.float32) for name in ("mean", "std", "min", "max")}
    one = {name: np.ones(1, np.float32) for name in ("mean", "std", "min", "max")}
    contract = Contract({"observation.state": state, TASK: words}, action)
    policy = make_policy(
        "meanflow", contract, {"observation.state": numbers, TASK: {"text": rows(*TEXTS)}, "action": one}, horizon=4
    ).eval()
    with torch.no_grad():
        for parameter in policy.network.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(0)) * 0.1)
    save_policy(policy, tmp_path / "policy")
    again = load_policy(tmp_path / "policy")
    obs = {"observation.state": torch.rand(4, 2), TASK: torch.from_numpy(rows(*TEXTS))}
    noise = torch.zeros(4, *policy.noise_shape)
    assert torch.equal(policy.act(obs, noise), again.act(obs, noise))
    same_state = {**obs, "observation.state": torch.zeros(4, 2)}
    assert torch.pdist(policy.act(same_state, noise).flatten(1)).min() > 0
