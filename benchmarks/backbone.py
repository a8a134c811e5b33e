"""An image-text model of PaliGemma's class with random weights, small enough to be measured beside other policies."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def save_backbone(folder: Path, pixels: int) -> None:
    """Write model and processor as `transformers` does: 13 million weights, an image in patches of 16²."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import (
        PaliGemmaConfig,
        PaliGemmaForConditionalGeneration,
        PaliGemmaProcessor,
        PreTrainedTokenizerFast,
    )
    from transformers.models.siglip.image_processing_siglip import SiglipImageProcessor

    words = Tokenizer(models.BPE())
    words.pre_tokenizer, words.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    letters = pre_tokenizers.ByteLevel.alphabet()
    special = ["<pad>", "<eos>", "<bos>"]
    words.train_from_iterator([], trainers.BpeTrainer(special_tokens=special, initial_alphabet=letters))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, pad_token="<pad>", eos_token="<eos>", bos_token="<bos>")
    image = SiglipImageProcessor(size={"height": pixels, "width": pixels})
    image.image_seq_length = (pixels // 16) ** 2
    processor = PaliGemmaProcessor(image, tokenizer)
    shape: dict[str, Any] = {"num_hidden_layers": 6, "num_attention_heads": 4}
    eye = {"model_type": "siglip_vision_model", "image_size": pixels, "patch_size": 16, "projection_dim": 256}
    eye |= shape | {"hidden_size": 256, "intermediate_size": 1024}
    text = {"model_type": "gemma", "vocab_size": len(tokenizer), "head_dim": 64, "pad_token_id": 0}
    text |= shape | {"hidden_size": 256, "intermediate_size": 1024, "num_key_value_heads": 4}
    text |= {"max_position_embeddings": 512}
    ids = {"image_token_id": processor.image_token_id, "projection_dim": 256}
    config = PaliGemmaConfig(text_config=text, vision_config=eye, **ids)
    PaliGemmaForConditionalGeneration(config).save_pretrained(folder)
    processor.save_pretrained(folder)
