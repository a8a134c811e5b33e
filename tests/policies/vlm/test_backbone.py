"""A backbone's prefix is what its own `forward` computes; what follows may come in pieces."""

from __future__ import annotations

import copy

import pytest
import torch

from burnish.contract import TASK, decode_text
from burnish.errors import BurnishError
from burnish.policies.vlm.adapters import LoraConfig
from burnish.policies.vlm.backbone import Backbone
from burnish.policies.vlm.files import load
from burnish.policies.vlm.prompt import Prompt

FROZEN = LoraConfig(rank=0)


def parts(folder: str, contract, known=(b"",), lora=FROZEN, layers=None):
    loaded = load(folder, "float32")
    backbone = Backbone(loaded, lora, layers)
    cameras = {key: contract.observation[key] for key in contract.images}
    return loaded, backbone, Prompt(loaded.processor, cameras, known, backbone.context, backbone.positions)


@pytest.fixture
def contract(demos):
    return demos.contract


def prefix_of(backbone, prompt, obs):
    count = len(obs[TASK])
    return backbone.prefix(prompt(obs, count, 0, None), torch.zeros(count, 0))


@torch.no_grad()
def test_a_prefix_is_what_the_models_own_forward_computes(backbone_folder, contract, observe):
    loaded, backbone, prompt = parts(backbone_folder, contract)
    obs = observe(9)
    prefix = prefix_of(backbone, prompt, obs)
    assert not prefix.seen.all()  # instructions of different lengths, so that padding is there to be wrong
    for row in (0, 4, 8):
        images = [obs[key][row].permute(2, 0, 1) for key in sorted(contract.images)]
        written = prompt._written(decode_text(obs[TASK][row].numpy()))
        inputs = loaded.processor(text=[written], images=[images], return_tensors="pt", **prompt._options)
        inputs.pop("labels", None)
        theirs = loaded.model(**inputs, use_cache=True).past_key_values
        length = inputs["input_ids"].shape[1]
        assert int(prefix.seen[row].sum()) == length
        for ours, values, layer in zip(prefix.keys, prefix.values, theirs.layers, strict=True):
            assert torch.allclose(ours[row, :, :length], layer.keys[0], atol=1e-5)
            assert torch.allclose(values[row, :, :length], layer.values[0], atol=1e-5)


@torch.no_grad()
def test_reading_on_in_pieces_is_reading_on_at_once(backbone_folder, contract, observe):
    _, backbone, prompt = parts(backbone_folder, contract)
    prefix = prefix_of(backbone, prompt, observe(9))
    tokens = torch.randn(9, 6, backbone.width, generator=torch.Generator().manual_seed(0))
    levels = torch.tensor([0, 1, 1, 2, 2, 2])
    mask = levels[:, None] >= levels
    whole, reader = prefix.read(tokens, mask), prefix.reader()
    pieces = [reader.read(tokens[:, a:b], mask[a:b, :b]) for a, b in ((0, 1), (1, 3), (3, 6))]
    assert torch.allclose(torch.cat(pieces, dim=1), whole, atol=1e-5)
    changed = tokens.clone()
    changed[:, 3:] += 1.0
    assert torch.equal(prefix.read(changed, mask)[:, :3], whole[:, :3])


@torch.no_grad()
def test_rows_of_a_prefix_are_prefixes(backbone_folder, contract, observe):
    _, backbone, prompt = parts(backbone_folder, contract, known=[row.tobytes() for row in observe(96)[TASK].numpy()])
    obs, chosen = observe(6), torch.tensor([4, 1])
    some = prefix_of(backbone, prompt, obs)[chosen]
    alone = prefix_of(backbone, prompt, {key: value[chosen] for key, value in obs.items()})
    both = [(*one.keys, *one.values, one.end, *one.turns(3)) for one in (some, alone)]
    for left, right in zip(*both, strict=True):
        assert torch.allclose(left.float(), right.float(), atol=1e-5)


def test_the_rotary_turns_are_the_models_own(backbone_folder, contract, observe):
    _, backbone, prompt = parts(backbone_folder, contract)
    prefix = prefix_of(backbone, prompt, observe(4))
    tokens = torch.randn(4, 1, backbone.width)
    seen = {}
    first = backbone.decoder.layers[0].self_attn
    hook = first.register_forward_pre_hook(lambda _m, _a, kw: seen.update(kw), with_kwargs=True)
    prefix.read(tokens, torch.ones(1, 1, dtype=torch.bool))
    hook.remove()
    cos, sin = seen["position_embeddings"]
    for ours, theirs in zip(prefix.turns(1), (cos, sin), strict=True):
        assert torch.allclose(ours, theirs if theirs.ndim == 3 else theirs[0])


def test_only_adapters_are_trained_and_saved(backbone_folder, contract, observe):
    _, backbone, prompt = parts(backbone_folder, contract, lora=LoraConfig(rank=2))
    prefix = prefix_of(backbone, prompt, observe(4))
    prefix.keys[-1].square().sum().backward()
    learning = {name for name, p in backbone.named_parameters() if p.requires_grad}
    assert learning == set(backbone.state_dict()) and all(".lora_" in name for name in learning)
    assert any(p.grad is not None and p.grad.any() for p in backbone.parameters())
    _, fresh, _ = parts(backbone_folder, contract, lora=LoraConfig(rank=2))
    with torch.no_grad():
        for parameter in backbone.parameters():
            if parameter.requires_grad:
                parameter.normal_(std=0.2)
    fresh.load_state_dict(backbone.state_dict())
    ours, theirs = (prefix_of(one, prompt, observe(3)).keys[-1] for one in (backbone, fresh))
    assert torch.equal(ours, theirs) and not torch.allclose(ours, prefix.keys[-1][:3])
    with pytest.raises(RuntimeError, match="lora_"):
        fresh.load_state_dict({})


def test_a_frozen_backbone_takes_no_gradient_and_fewer_layers_cost_less(backbone_folder, contract, observe):
    _, backbone, prompt = parts(backbone_folder, contract, layers=1)
    prefix = prefix_of(backbone, prompt, observe(2))
    assert len(prefix.keys) == backbone.attention.layers == 1
    assert not prefix.keys[0].requires_grad and not backbone.state_dict()
    whole = prefix_of(*parts(backbone_folder, contract)[1:], observe(2))
    assert torch.equal(whole.keys[0], prefix.keys[0])
    assert copy.deepcopy(prompt) is prompt


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"layers": 3}, "layers 3: .* has 1 … 2"),
        ({"lora": LoraConfig(rank=2, targets=("q_proj", "query"))}, "no linear layer query; it has .*v_proj"),
    ],
)
def test_what_a_backbone_does_not_have_is_named(wrong, said, tiny, contract):
    with pytest.raises(BurnishError, match=said):
        parts(tiny["smolvlm"], contract, **wrong)


def test_folders_that_are_no_image_text_model_are_named(tmp_path):
    from transformers import ViTConfig, ViTModel

    ViTModel(ViTConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8)).save_pretrained(
        tmp_path / "vit"
    )
    with pytest.raises(BurnishError, match=r"vit' is a 'vit' model; .*smolvlm.*qwen2_5_vl, paligemma"):
        load(str(tmp_path / "vit"), "float32")
    with pytest.raises(BurnishError, match=r"nowhere' cannot be loaded .* hub name or the folder"):
        load(str(tmp_path / "nowhere"), "float32")
    with pytest.raises(BurnishError, match=r"--policy\.backbone"):
        load("", "float32")
