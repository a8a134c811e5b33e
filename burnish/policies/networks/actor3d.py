"""3D Diffuser Actor (arXiv 2402.10885, section 3): noised actions attend to patches of images by where these are.

Every patch is a token at its place in the world; state, instruction and noised actions are tokens where the hand is.
Attention knows places by rotary embedding (section 3.2), so by differences alone: moving the world and the hand
together changes nothing. The time scales and shifts every block (adaptive layer norm).

Where it differs from the paper: actions are the contract's own (there: poses, each at its own place, of keyframes or
trajectories); all of a chunk stand where the hand is now, so that what rotates is a patch's place minus the hand's.
Values are rotated as well as keys (arXiv 2310.10375): what an action gathers says where it was found. Patches are
mixed with the instruction by an MLP (there: attention to its words), and do not attend to each other, so that they are
read once per chunk. Rotation angles are of metres, not of places scaled to a workspace.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from burnish.errors import BurnishError
from burnish.policies.networks.attention import HEADS, heads
from burnish.policies.networks.denoiser import Denoiser, Parts, TimeEmbedding, pieces
from burnish.policies.networks.dit import Block

SLOWEST, FASTEST = 2.0, 60.0
"""Rotation, rad per metre: half a turn in 1.6 m … 5 cm."""


class Actor3D(Denoiser):
    """2·`depth` blocks of token width 2·`width`; any horizon."""

    frequency: Tensor

    def __init__(self, horizon: int, action_dim: int, parts: Parts, width: int, depth: int) -> None:
        """Raises `BurnishError` for a width with no room for three axes."""
        super().__init__()
        size = 2 * width
        pairs = size // HEADS // 6
        if pairs == 0:
            raise BurnishError(f"width {width}: actor3d needs 12 or more, for three axes in every attention head")
        self.parts = parts
        self.into = nn.ModuleDict({name: nn.Linear(parts[name][1], size) for name in parts if name != "places"})
        self.look = nn.Sequential(nn.SiLU(), nn.Linear(size, size))
        self.norm = nn.LayerNorm(size)
        self.context = nn.ModuleList(nn.Linear(size, 2 * size) for _ in range(2 * depth))
        self.time, self.action = TimeEmbedding(0, size), nn.Linear(action_dim, size)
        self.position = nn.Parameter(torch.randn(horizon, size) * 0.02)
        self.blocks = nn.ModuleList(Block(size) for _ in range(2 * depth))
        self.last = nn.LayerNorm(size)
        self.out = nn.Linear(size, action_dim)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)
        exponent = torch.linspace(math.log(SLOWEST), math.log(FASTEST), pairs)
        self.register_buffer("frequency", exponent.exp(), persistent=False)

    def read(self, condition: Tensor) -> Tensor:
        """Keys and values of what is observed, in every block: (B, C) → (B, blocks, 2, heads, N, D)."""
        given = pieces(condition, self.parts)
        away = given.pop("places")
        tokens = {name: self.into[name](piece) for name, piece in given.items()}
        patches = tokens.pop("images")
        if "language" in tokens:
            patches = patches + tokens["language"]
        with_hand = torch.cat(list(tokens.values()), dim=1)
        x = self.norm(torch.cat([with_hand, self.look(patches)], dim=1))
        away = nn.functional.pad(away, (0, 0, len(tokens), 0))
        angles = (away[:, :, :, None] * self.frequency).flatten(2)[:, None, None]
        return torch.stack([rotate(torch.stack(heads(each(x), 2), dim=1), angles) for each in self.context], dim=1)

    def forward(self, z: Tensor, t: Tensor, r: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """z (B, H, A) and what was `read` → prediction (B, H, A) and the mean action token (B, F)."""
        e, h = self.time(t, r), self.action(z) + self.position
        for index, block in enumerate(self.blocks):
            h = block(h, e, before=condition[:, index])
        h = self.last(h)
        return self.out(h), h.mean(1)


def rotate(x: Tensor, angles: Tensor) -> Tensor:
    """x (…, D) with its first n numbers and the next n as n points in the plane, turned by `angles` (…, n), rad.

    q · rotate(k, α − β) = rotate(q, β) · rotate(k, α): a product of the two that knows the difference of places alone.
    """
    n = int(angles.shape[-1])
    a, b, rest = x[..., :n], x[..., n : 2 * n], x[..., 2 * n :]
    cos, sin = angles.cos(), angles.sin()
    return torch.cat([a * cos - b * sin, a * sin + b * cos, rest], dim=-1)
