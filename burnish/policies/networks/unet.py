"""1-D conditional UNet over the action chunk (Diffusion Policy, arXiv 2303.04137, section 3), FiLM-conditioned.

Chunks are short (8 … 32 steps) and channels few, so a convolution is one matrix product over the three neighbours
joined, which on a CPU takes a fraction of a convolution kernel's time; layer norm stands in for group norm.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from burnish.errors import BurnishError
from burnish.policies.networks.denoiser import Denoiser, TimeEmbedding


class UNet1d(Denoiser):
    """`levels` resolutions of `width` · 2^level channels; the horizon must halve `levels` − 1 times."""

    def __init__(self, horizon: int, action_dim: int, condition_dim: int, width: int, levels: int) -> None:
        super().__init__()
        shrink = 2 ** (levels - 1)
        if horizon % shrink:
            raise BurnishError(
                f"a UNet of {levels} levels needs a horizon divisible by {shrink}, not {horizon}; "
                "use another denoiser or depth"
            )
        embedding = 4 * width
        sizes = [width * 2**level for level in range(levels)]
        self.embed = TimeEmbedding(condition_dim, embedding)
        inputs = [action_dim, *sizes[:-1]]
        self.down = nn.ModuleList(FiLMBlock(i, o, embedding) for i, o in zip(inputs, sizes, strict=True))
        self.shrink = nn.ModuleList(Conv3(size, size) for size in sizes[:-1])
        self.middle = FiLMBlock(sizes[-1], sizes[-1], embedding)
        pairs = list(zip(sizes[1:], sizes[:-1], strict=True))[::-1]
        self.grow = nn.ModuleList(Conv3(big, small) for big, small in pairs)
        self.up = nn.ModuleList(FiLMBlock(2 * small, small, embedding) for _, small in pairs)
        self.out = nn.Linear(width, action_dim)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, z: Tensor, t: Tensor, r: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """z (B, H, A) → prediction (B, H, A) and the bottleneck features (B, F)."""
        e = self.embed(t, r, condition)[:, None]
        h = z
        skips: list[Tensor] = []
        for level, block in enumerate(self.down):
            h = block(h, e)
            if level < len(self.shrink):
                skips.append(h)
                h = self.shrink[level](h)[:, ::2]
        h = self.middle(h, e)
        features = h.mean(1)
        for grow, block in zip(self.grow, self.up, strict=True):
            h = block(torch.cat([grow(h.repeat_interleave(2, dim=1)), skips.pop()], dim=2), e)
        return self.out(h), features


class Conv3(nn.Module):
    """Convolution over time with kernel 3 and zero padding, as one matrix product: (B, L, C) → (B, L, C')."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.linear = nn.Linear(3 * inputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """x (B, L, inputs) → (B, L, outputs)."""
        padded = nn.functional.pad(x, (0, 0, 1, 1))
        return self.linear(torch.cat([padded[:, :-2], x, padded[:, 2:]], dim=2))


class FiLMBlock(nn.Module):
    """Two convolutions with a skip; the embedding scales and shifts the channels between them."""

    def __init__(self, inputs: int, outputs: int, embedding: int) -> None:
        super().__init__()
        self.first = nn.Sequential(Conv3(inputs, outputs), nn.LayerNorm(outputs), nn.SiLU())
        self.film = nn.Linear(embedding, 2 * outputs)
        self.second = nn.Sequential(Conv3(outputs, outputs), nn.LayerNorm(outputs), nn.SiLU())
        self.skip = nn.Linear(inputs, outputs) if inputs != outputs else nn.Identity()

    def forward(self, x: Tensor, e: Tensor) -> Tensor:
        """x (B, L, inputs), embedding e (B, 1, E) → (B, L, outputs)."""
        scale, shift = self.film(e).chunk(2, dim=2)
        return self.second(self.first(x) * (1 + scale) + shift) + self.skip(x)
