"""A frozen image-text model with adapters: prompts to keys and values, and tokens that follow to hidden states.

The model's own `forward` is not used, only its parts, the same in every family: the eye, the embedding, the language
model with a mask of ours. So what follows a prompt may be anything, and a prompt is computed once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from burnish.errors import BurnishError
from burnish.policies.networks.expert import Attention
from burnish.policies.vlm.adapters import LoraConfig, adapt
from burnish.policies.vlm.files import Loaded
from burnish.policies.vlm.prefix import Prefix
from burnish.policies.vlm.prompt import Read


class Backbone(nn.Module):
    """Its state is what was trained of it: the model itself is named, not saved."""

    def __init__(self, loaded: Loaded, lora: LoraConfig, layers: int | None) -> None:
        """`layers`: how many of the language model's are used, from the first on; None is all."""
        super().__init__()
        self._family = loaded.family
        self.model = loaded.model.eval().requires_grad_(False)
        decoder = self.decoder
        if layers is not None:
            if not 1 <= layers <= len(decoder.layers):
                raise BurnishError(f"layers {layers}: the backbone {loaded.name!r} has 1 … {len(decoder.layers)}")
            decoder.layers = decoder.layers[:layers]
            decoder.config.num_hidden_layers = layers
        adapt(decoder, lora)
        self.trains = lora.rank > 0
        self.register_state_dict_post_hook(_keep_trained)
        self.register_load_state_dict_post_hook(_allow_untrained)

    @property
    def decoder(self) -> Any:
        """The language model."""
        return self.model.get_decoder()

    @property
    def embedding(self) -> Any:
        """Of its vocabulary."""
        return self.model.get_input_embeddings()

    @property
    def context(self) -> int:
        """Tokens it has room for."""
        config = self.decoder.config
        return min(config.max_position_embeddings, getattr(config, "sliding_window", None) or torch.inf)

    @property
    def width(self) -> int:
        """Of its hidden states."""
        return self.decoder.config.hidden_size

    @property
    def attention(self) -> Attention:
        """What shares its attention must have these sizes."""
        config = self.decoder.config
        width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        return Attention(len(self.decoder.layers), config.num_attention_heads, config.num_key_value_heads, width)

    @torch.no_grad()
    def like_words(self, rows: Tensor, *, inputs: bool) -> None:
        """Fill new rows (V, W) of the vocabulary, `inputs` or outputs, by chance: distributed as the old ones."""
        words = (self.embedding if inputs else self.model.get_output_embeddings()).weight.float()
        scale = getattr(self.embedding, "scalar_embed_scale", 1.0) if inputs else 1.0  # Gemma's inputs are scaled
        rows.copy_(scale * (words.mean(0) + words.std(0) * torch.randn_like(rows)))

    def train(self, mode: bool = True) -> Backbone:
        """Always as in evaluation: no dropout in what is frozen."""
        return super().train(False)

    def positions(self, prompt: Any) -> Tensor:
        """(P, L) of one prompt as its processor gives it: Qwen counts images in three directions, the others in one."""
        ids = prompt["input_ids"]
        if "mm_token_type_ids" in prompt and hasattr(self.model.model, "get_rope_index"):
            grid = {"image_grid_thw": prompt["image_grid_thw"]}
            return self.model.model.get_rope_index(ids, prompt["mm_token_type_ids"], **grid)[0][:, 0]
        return torch.arange(ids.shape[1])[None] + self._family.first

    def prefix(self, read: Read, state: Tensor) -> Prefix:
        """Keys and values of a prompt; without adapters no gradient passes through them."""
        with torch.set_grad_enabled(self.trains and torch.is_grad_enabled()):
            tokens = self.embedding(read.ids)
            if read.pixels:
                place = (read.ids == self.model.config.image_token_id) & read.seen
                tokens = tokens.masked_scatter(place[:, :, None], self._look(read.pixels).to(tokens.dtype))
            length = read.ids.shape[1]
            mask = read.seen[:, None].expand(-1, length, -1)
            if not self._family.both_ways:
                mask = mask & torch.ones(length, length, dtype=torch.bool, device=mask.device).tril()
            cache = self.cache()
            self.through(tokens, read.positions, mask, cache)
        end = read.positions.masked_fill(~read.seen, 0).amax((0, 2)) + 1
        keys, values = zip(*((layer.keys, layer.values) for layer in cache.layers), strict=True)
        return Prefix(self, keys, values, read.seen, end, state)

    def through(self, tokens: Tensor, positions: Tensor, mask: Tensor, cache: Any) -> Tensor:
        """The language model: tokens (B, S, W), positions (P, B, S), mask (B, S, all) bool → hidden states (B, S, W);
        their keys and values join the `cache`."""
        tokens = tokens.to(self.dtype)
        least = torch.finfo(tokens.dtype).min
        added = torch.zeros(mask.shape, dtype=tokens.dtype, device=mask.device).masked_fill(~mask, least)
        found = self.decoder(
            inputs_embeds=tokens,
            position_ids=positions[0] if len(positions) == 1 else positions,
            attention_mask=added[:, None],
            past_key_values=cache,
            use_cache=True,
        )
        return found.last_hidden_state

    def turns(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Cosines and sines (B, S, D) of the rotary embedding at `positions` (B, S)."""
        many = positions.expand(3, -1, -1) if self._in_space else positions
        cos, sin = self.decoder.rotary_emb(many.float(), many)
        return (cos[0], sin[0]) if self._in_space else (cos, sin)

    @staticmethod
    def cache(keys: Sequence[Tensor] = (), values: Sequence[Tensor] = ()) -> Any:
        """One of `transformers` that begins with `keys` and `values`, which it does not change."""
        from transformers import DynamicCache

        return DynamicCache(zip(keys, values, strict=True) if keys else None)

    @property
    def dtype(self) -> torch.dtype:
        """Of the frozen weights."""
        return self.embedding.weight.dtype

    @property
    def _in_space(self) -> bool:
        return hasattr(self.model.model, "get_rope_index")

    @torch.no_grad()
    def _look(self, pixels: dict[str, Tensor]) -> Tensor:
        """All images' tokens (N, W)."""
        found = self.model.get_image_features(**pixels).pooler_output
        return torch.cat([part.flatten(0, -2) for part in found])


def _keep_trained(module: nn.Module, state: dict[str, Any], prefix: str, _: Any) -> None:
    for key in [key for key in state if key.startswith(prefix) and not _is_trained(key)]:
        del state[key]


def _allow_untrained(module: nn.Module, keys: Any) -> None:
    named = [*module.named_parameters(remove_duplicate=False), *module.named_buffers(remove_duplicate=False)]
    untrained = tuple(f".{name}" for name, _ in named if not _is_trained(name))
    keys.missing_keys[:] = [key for key in keys.missing_keys if not f".{key}".endswith(untrained)]


def _is_trained(name: str) -> bool:
    return ".lora_" in name
