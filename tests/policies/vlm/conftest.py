"""Tiny image-text models of the classes a user loads: random weights, written to disk by `transformers` itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from burnish.contract import IMAGES, STATE, TASK, Contract, Field, encode_text
from burnish.datasets.demonstrations import Demonstrations, compute_stats

FAMILIES = ("smolvlm", "qwen2_5_vl", "paligemma")
SIZE, BYTES = 28, 48
LEFT, RIGHT = f"{IMAGES}left", f"{IMAGES}right"
TEXTS = ("pick up the milk", "open the top drawer of the cabinet", "push the plate")
IMAGE = Field((SIZE, SIZE, 3), ("r", "g", "b"), ("1/255",) * 3, "camera", 10.0, "identity", "uint8")
WORDS = Field((BYTES,), tuple(map(str, range(BYTES))), ("UTF-8",) * BYTES, "none", 10.0, "identity", "uint8")
NUMBERS = Field((3,), ("x", "y", "z"), ("m",) * 3, "world", 10.0, "mean_std")
MOVE = Field((2,), ("dx", "gripper"), ("m", "1"), "world", 10.0, "min_max", low=(-1.0, -1.0), high=(1.0, 1.0))
CONTRACT = Contract({STATE: NUMBERS, LEFT: IMAGE, RIGHT: IMAGE, TASK: WORDS}, MOVE)
TEXT: dict[str, Any] = {
    "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 160,
}  # fmt: skip
EYE: dict[str, Any] = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}


def save_tiny(family: str, folder: Path, seed: int = 0) -> Path:
    """Model and processor of one `family`, with random weights."""
    torch.manual_seed(seed)
    model, processor = {"smolvlm": _smolvlm, "qwen2_5_vl": _qwen, "paligemma": _paligemma}[family]()
    with torch.no_grad():
        for parameter in model.parameters():  # a norm of one and a bias of zero would hide mistakes
            parameter.add_(0.05 * torch.randn_like(parameter))
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def _tokenizer(special: list[str], **names: str) -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    made = Tokenizer(models.BPE())
    made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    letters = pre_tokenizers.ByteLevel.alphabet()
    made.train_from_iterator(
        TEXTS, trainers.BpeTrainer(vocab_size=320, special_tokens=special, initial_alphabet=letters)
    )
    return PreTrainedTokenizerFast(tokenizer_object=made, **names)


def _smolvlm() -> tuple[Any, Any]:
    from transformers import SmolVLMConfig, SmolVLMForConditionalGeneration, SmolVLMProcessor
    from transformers.models.smolvlm.image_processing_smolvlm import SmolVLMImageProcessor
    from transformers.models.smolvlm.video_processing_smolvlm import SmolVLMVideoProcessor

    special = ["<pad>", "<|im_start|>", "<end_of_utterance>", "<fake_token_around_image>", "<image>", "<global-img>"]
    tokenizer = _tokenizer(special, pad_token="<pad>", bos_token="<|im_start|>", eos_token="<end_of_utterance>")
    eye = EYE | {"image_size": 32, "patch_size": 8}
    text = TEXT | {"model_type": "llama", "vocab_size": len(tokenizer), "pad_token_id": 0}
    config = SmolVLMConfig(text_config=text, vision_config=eye, scale_factor=2, image_token_id=4, pad_token_id=0)
    size = {"longest_edge": 32}
    image = SmolVLMImageProcessor(size={"longest_edge": 64}, max_image_size=size)
    template = (
        "<|im_start|>{% for message in messages %}User:{% for line in message['content'] %}"
        "{% if line['type'] == 'text' %} {{line['text']}}"
        "{% else %}<image>{% endif %}{% endfor %}<end_of_utterance>\nAssistant:{% endfor %}"
    )
    video = SmolVLMVideoProcessor(size=size, max_image_size=size)
    processor = SmolVLMProcessor(image, tokenizer, video, image_seq_len=4, chat_template=template)
    return SmolVLMForConditionalGeneration(config), processor


def _qwen() -> tuple[Any, Any]:
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration, Qwen2_5_VLProcessor
    from transformers.models.qwen2_vl.image_processing_qwen2_vl import Qwen2VLImageProcessor
    from transformers.models.qwen2_vl.video_processing_qwen2_vl import Qwen2VLVideoProcessor

    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>"]
    tokenizer = _tokenizer([*special, "<|video_pad|>"], pad_token="<|endoftext|>", eos_token="<|im_end|>")
    eye = {"depth": 1, "hidden_size": 16, "num_heads": 2, "intermediate_size": 16, "out_hidden_size": 32}
    eye |= {"patch_size": 7, "spatial_merge_size": 2, "window_size": 28, "fullatt_block_indexes": [0]}
    rope = {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [1, 1, 2]}
    text = TEXT | {"vocab_size": len(tokenizer), "rope_parameters": rope}
    ids = {"image_token_id": 5, "video_token_id": 6, "vision_start_token_id": 3, "vision_end_token_id": 4}
    config = Qwen2_5_VLConfig(text_config=text, vision_config=eye, **ids)
    template = (
        "{% for message in messages %}<|im_start|>user\n{% for line in message['content'] %}"
        "{% if line['type'] == 'text' %}{{line['text']}}"
        "{% else %}<|vision_start|><|image_pad|><|vision_end|>{% endif %}{% endfor %}<|im_end|>\n"
        "<|im_start|>assistant\n{% endfor %}"
    )
    image = Qwen2VLImageProcessor(patch_size=7, min_pixels=28 * 28, max_pixels=28 * 28)
    processor = Qwen2_5_VLProcessor(image, tokenizer, Qwen2VLVideoProcessor(patch_size=7), chat_template=template)
    return Qwen2_5_VLForConditionalGeneration(config), processor


def _paligemma() -> tuple[Any, Any]:
    from transformers import PaliGemmaConfig, PaliGemmaForConditionalGeneration, PaliGemmaProcessor
    from transformers.models.siglip.image_processing_siglip import SiglipImageProcessor

    tokenizer = _tokenizer(["<pad>", "<eos>", "<bos>"], pad_token="<pad>", eos_token="<eos>", bos_token="<bos>")
    image = SiglipImageProcessor(size={"height": 16, "width": 16})
    image.image_seq_length = 4
    processor = PaliGemmaProcessor(image, tokenizer)
    eye = EYE | {"model_type": "siglip_vision_model", "image_size": 16, "patch_size": 8, "projection_dim": 32}
    text = TEXT | {"model_type": "gemma", "vocab_size": len(tokenizer), "head_dim": 8, "pad_token_id": 0}
    ids = {"image_token_id": processor.image_token_id, "projection_dim": 32}
    return PaliGemmaForConditionalGeneration(PaliGemmaConfig(text_config=text, vision_config=eye, **ids)), processor


@pytest.fixture(scope="session")
def tiny(tmp_path_factory) -> dict[str, str]:
    """Family → folder."""
    return {name: str(save_tiny(name, tmp_path_factory.mktemp(name))) for name in FAMILIES}


@pytest.fixture(params=FAMILIES)
def family(request) -> str:
    return request.param


@pytest.fixture
def backbone_folder(family, tiny) -> str:
    return tiny[family]


def rows(*texts: str) -> np.ndarray:
    return np.stack([encode_text(text, BYTES) for text in texts])


@pytest.fixture(scope="session")
def demos() -> Demonstrations:
    """The hand's speed is the left image's brightness, its gripper what the instruction says."""
    random = np.random.default_rng(0)
    light, said = random.integers(0, 256, 96), random.integers(0, len(TEXTS), 24).repeat(4)
    left = np.broadcast_to(light[:, None, None, None], (96, SIZE, SIZE, 3)).astype(np.uint8)
    action = np.stack([light / 127.5 - 1.0, said - 1.0], axis=1).astype(np.float32) * 0.8
    obs = {
        STATE: random.normal(size=(96, 3)).astype(np.float32), LEFT: left, TASK: rows(*(TEXTS[i] for i in said)),
        RIGHT: random.integers(0, 256, (96, SIZE, SIZE, 3), dtype=np.uint8),
    }  # fmt: skip
    return Demonstrations(CONTRACT, "toy/vla", obs, action, np.full(24, 4))


@pytest.fixture(scope="session")
def stats(demos):
    return compute_stats(demos)


@pytest.fixture(scope="session")
def observe(demos):
    """The first observations, or those from `begin` on."""
    return lambda count, begin=0: {
        key: torch.from_numpy(value[begin : begin + count]) for key, value in demos.obs.items()
    }
