"""A VLA learns from images and instructions, acts as it was saved, and says what is wrong with what it is given."""

from __future__ import annotations

import dataclasses
import shutil

import pytest
import torch

from burnish import checkpoint
from burnish.contract import ACTION, POINTS, STATE, TASK, Field
from burnish.datasets.chunks import ChunkSampler
from burnish.datasets.store import write_dataset
from burnish.errors import BurnishError, ContractError, NonFiniteError
from burnish.policies.base import load_policy, make_policy, save_policy
from burnish.policies.train import TrainConfig, train
from burnish.policies.vlm.adapters import LoraConfig
from burnish.run import Run

BINS = {"tokenizer": "bins", "tokenizer_config": {"horizon": 2, "bins": 16}}
MINT = {
    "tokenizer": "mint",
    "tokenizer_config": {"horizon": 4, "scales": (1, 2), "codebook": 16, "code_width": 8, "width": 8},
}
HEADS = {"flow": {"horizon": 2, "steps": 4}, "meanflow": {"horizon": 2}, "tokens": BINS, "mint": MINT}


def vla(folder: str, demos, stats, head="flow", **config):
    torch.manual_seed(0)
    kind = "tokens" if head == "mint" else head
    settings = {"lora": LoraConfig(rank=4, alpha=8), "expert_width": 32, "shift": 0, "replan": 1} | HEADS[head] | config
    return make_policy("vla", demos.contract, stats, backbone=folder, head=kind, **settings).eval()


def noisy(policy):
    """Random weights also where training starts from zero."""
    with torch.no_grad():
        for parameter in policy.parameters():
            if parameter.requires_grad and not parameter.any():
                parameter.normal_(std=0.1, generator=torch.Generator().manual_seed(0))
    return policy


def draw(policy, count, seed=0):
    return torch.randn(count, *policy.noise_shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("head", HEADS)
def test_saved_and_loaded_it_acts_the_same_and_only_what_was_trained_is_saved(
    head, backbone_folder, demos, stats, observe, tmp_path
):
    policy = noisy(vla(backbone_folder, demos, stats, head))
    save_policy(policy, tmp_path / "policy")
    loaded = load_policy(tmp_path / "policy", contract=demos.contract)
    obs, noise = observe(5), draw(policy, 5)
    with torch.no_grad():
        chunk = policy.act(obs, noise)
        assert torch.equal(loaded.act(obs, noise), chunk)
        assert chunk.shape == (5, policy.horizon, 2) and (chunk.abs() <= 1).all()
        assert not torch.equal(policy.act(obs, draw(policy, 5, seed=1)), chunk)
    assert loaded.config == policy.config
    saved = checkpoint.load(tmp_path / "policy").tensors
    assert {name for name in saved if name.startswith("backbone.")} == {
        f"backbone.{name}" for name in policy.backbone.state_dict()
    }
    assert all(".lora_" in name for name in saved if name.startswith("backbone."))


@torch.no_grad()
@pytest.mark.parametrize("head", HEADS)
def test_a_row_does_not_depend_on_the_other_rows(head, backbone_folder, demos, stats, observe):
    policy = noisy(vla(backbone_folder, demos, stats, head))
    obs, noise = observe(6), draw(policy, 6)
    others = observe(6, 40)
    other = {key: torch.cat([value[:1], others[key][1:]]) for key, value in obs.items()}
    assert torch.allclose(policy.act(obs, noise)[0], policy.act(other, noise)[0], atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("head", ["tokens", "mint"])
def test_decoding_with_a_cache_is_decoding_without(head, backbone_folder, demos, stats, observe):
    policy = noisy(vla(backbone_folder, demos, stats, head))
    tokenizer, prefix = policy.head.tokenizer, policy.encode(observe(6))
    codes = torch.randint(16, (6, tokenizer.length), generator=torch.Generator().manual_seed(0))
    whole, read, begin = policy.head.logits(codes, prefix), policy.head.reader(prefix), 0
    for count in tokenizer.blocks:
        block = slice(begin, begin + count)
        hidden = codes.clone()
        hidden[:, block.start :] = 0  # what comes later is not known yet
        assert torch.allclose(read(hidden, block), whole[:, block], atol=1e-5)
        begin += count


def test_the_prompt_is_computed_once_per_chunk(backbone_folder, demos, stats, observe):
    for head, passes in (("flow", 1), ("tokens", 1 + 2)):
        policy = vla(backbone_folder, demos, stats, head)
        lengths = []
        policy.backbone.decoder.register_forward_pre_hook(
            lambda _m, _a, given, lengths=lengths: lengths.append(given["inputs_embeds"].shape[1]), with_kwargs=True
        )
        policy.act(observe(2), draw(policy, 2))
        assert len(lengths) == passes and max(lengths[1:], default=0) <= 3


@pytest.mark.parametrize(("head", "family"), [("flow", "smolvlm"), ("meanflow", "qwen2_5_vl"), ("tokens", "paligemma")])
def test_it_learns_what_the_image_shows_and_the_instruction_says(head, family, tiny, demos, stats, tmp_path):
    policy = vla(tiny[family], demos, stats, head, horizon=1)
    before = {name: value.clone() for name, value in policy.backbone.named_parameters() if not value.requires_grad}
    settings = TrainConfig(steps=150, batch_size=32, lr=1e-2, warmup_steps=10, ema_decay=0.9)
    train(Run(tmp_path, "train", {}), policy, ChunkSampler(demos, policy.horizon, 32, seed=0), settings)
    trained = load_policy(tmp_path / "policy")
    batch = ChunkSampler(demos, policy.horizon, 64, seed=1).batch(0)
    with torch.no_grad():
        made = trained.act(batch, torch.zeros(64, *policy.noise_shape))[:, 0]
    error = (made - batch[ACTION][:, 0]).square().mean(0).sqrt() / batch[ACTION][:, 0].std(0)
    assert (error < 0.6).all(), error
    after = dict(policy.backbone.named_parameters())
    assert all(torch.equal(after[name], value) for name, value in before.items())


def test_a_nan_never_reaches_the_robot(tiny, demos, stats, observe):
    for head in HEADS:
        agent = noisy(vla(tiny["smolvlm"], demos, stats, head)).agent(3)
        agent.reset([0, 1, 2], [0, 1, 2])
        assert agent.looks() == [0, 1, 2]
        obs = {key: value.clone() for key, value in observe(3).items()}
        obs[STATE][1, 2] = torch.nan
        with pytest.raises(NonFiniteError, match="lane 1"):
            agent.act(obs)


def test_a_policy_needs_images_or_an_instruction_and_one_will_do(backbone_folder, demos, stats, observe):
    for left_out in ((TASK,), tuple(demos.contract.images), (STATE,)):
        contract = demos.contract.only(set(demos.contract.observation) - set(left_out))
        config = {"backbone": backbone_folder, "horizon": 2, "steps": 1, "lora": LoraConfig(rank=0)}
        policy = make_policy("vla", contract, stats, **config).eval()
        obs = {key: value for key, value in observe(2).items() if key not in left_out}
        assert policy.act(obs, draw(policy, 2)).shape == (2, 2, 2)
    with pytest.raises(BurnishError, match="images or an instruction, and the dataset has neither"):
        make_policy("vla", demos.contract.only([STATE]), stats, backbone=backbone_folder)


def test_another_backbone_is_refused_with_both_fingerprints_and_the_same_elsewhere_is_not(
    tiny, demos, stats, observe, tmp_path
):
    mine = tmp_path / "mine"
    shutil.copytree(tiny["smolvlm"], mine)
    policy = vla(str(mine), demos, stats)
    save_policy(policy, tmp_path / "policy")
    chunk = policy.act(observe(2), draw(policy, 2))
    shutil.move(mine, tmp_path / "moved")
    with pytest.raises(BurnishError, match="mine' cannot be loaded"):
        load_policy(tmp_path / "policy")
    config = tmp_path / "policy/config.json"
    config.write_text(config.read_text().replace(str(mine), str(tmp_path / "moved")))
    with torch.no_grad():
        assert torch.equal(load_policy(tmp_path / "policy").act(observe(2), draw(policy, 2)), chunk)
    weights = tmp_path / "moved/model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4] + b"\0\0\0\1")
    with pytest.raises(BurnishError, match=f"moved' has the fingerprint .*{policy.config.fingerprint}"):
        load_policy(tmp_path / "policy")


def test_what_is_observed_wrongly_is_named(tiny, demos, stats, observe):
    policy, obs = vla(tiny["smolvlm"], demos, stats), observe(2)
    left = demos.contract.images[0]
    with pytest.raises(ContractError, match=rf"{left}: not observed, but the policy reads .*{left}"):
        policy.encode({key: value for key, value in obs.items() if key != left})
    with pytest.raises(ContractError, match=rf"{left}: shape \(14, 28, 3\) observed, \(28, 28, 3\) in the checkpoint"):
        policy.encode(obs | {left: obs[left][:, :14]})
    with pytest.raises(ContractError, match=r"task: shape \(64,\) observed, \(48,\)"):
        policy.encode(obs | {TASK: torch.zeros(2, 64, dtype=torch.uint8)})


def test_an_instruction_longer_than_the_backbone_has_room_for_is_named(tiny, demos, stats, observe):
    long = {"tokenizer": "bins", "tokenizer_config": {"horizon": 70, "bins": 8}}
    with pytest.raises(
        BurnishError, match=r"'open the top drawer.*' with 2 images is \d+ tokens; .* room for 19 beside"
    ):
        vla(tiny["smolvlm"], demos, stats, "tokens", **long)


def test_a_cloud_of_points_is_left_out_by_hand(tiny, demos, stats):
    cloud = Field((8, 3), ("x", "y", "z"), ("m",) * 3, "world", 10.0, "mean_std")
    contract = dataclasses.replace(demos.contract, observation={**demos.contract.observation, POINTS: cloud})
    with pytest.raises(BurnishError, match=f"--without {POINTS}"):
        make_policy("vla", contract, stats | {POINTS: stats[STATE]}, backbone=tiny["smolvlm"])


def test_a_tokenizer_of_another_kind_or_on_another_head_is_refused(tiny, demos, stats):
    policy = vla(tiny["smolvlm"], demos, stats, "tokens")
    other = vla(tiny["smolvlm"], demos, stats, "tokens", tokenizer_config={"horizon": 2, "bins": 8}).head.tokenizer
    with pytest.raises(BurnishError, match=r"tokenizer\.config: .*bins=16.*bins=8"):
        policy.adopt(other)
    with pytest.raises(BurnishError, match=r"--policy\.head tokens"):
        vla(tiny["smolvlm"], demos, stats).adopt(other)


def test_it_is_not_exported_and_says_why(tiny, demos, stats):
    with pytest.raises(BurnishError, match="does not become an ONNX file"):
        vla(tiny["smolvlm"], demos, stats).check_export()


@pytest.mark.parametrize("head", ["flow", "tokens"])
def test_the_command_line_trains_one_from_a_dataset(head, tiny, demos, tmp_path):
    from burnish.commands import train as command

    write_dataset(demos, tmp_path / "dataset")
    words = ["vla", "--dataset", tmp_path / "dataset", "--out", tmp_path / "run", "--policy.backbone", tiny["smolvlm"]]
    words += ["--policy.head", head, "--policy.lora.rank", 2, "--policy.tokenizer", "fast", "--policy.horizon", 4]
    words += ["--train.steps", 2, "--train.batch-size", 4, "--train.log-every", 1]
    command.run(command.configure([str(word) for word in words]))
    policy = load_policy(tmp_path / "run/policy", contract=demos.contract)
    assert policy.config.head == head and policy.config.lora.rank == 2
    assert (tmp_path / "run/tokenizer").exists() == (head == "tokens")
