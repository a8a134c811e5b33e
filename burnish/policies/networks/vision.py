"""Images to features: a small CNN of its own, or a backbone of `timm` or `transformers` by name."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from burnish.errors import BurnishError

SMALL = "small"
TIMM = "timm:"
CHANNELS = 64
PATCHES = 4
"""Patches per side of an image, for a network that reads them one by one."""


@dataclass(frozen=True)
class VisionConfig:
    """How a policy sees. Without images in its contract, none of this matters."""

    encoder: str = SMALL
    """`small` (a CNN from scratch for each camera), timm:NAME, or the folder or hub name of a `transformers` model."""
    features: int = 64
    """Numbers per camera; where a network reads patches, of each."""
    shift: int = 4
    """Training images are moved by up to this many pixels, at random (DrQ, arXiv 2004.13649); 0 for not at all."""

    def __post_init__(self) -> None:
        if self.features < 1 or self.shift < 0:
            raise BurnishError(f"vision: features {self.features} must be 1 or more, shift {self.shift} 0 or more")


class Vision(nn.Module):
    """All cameras of a contract to one vector, in the order of their names."""

    def __init__(self, config: VisionConfig, cameras: list[str], patches: int | None = None) -> None:
        """
        Args:
            cameras: contract keys.
            patches: per side of an image, row by row, each with `config.features` numbers; None: one for all of it.
        Raises `BurnishError` that says how to get an encoder that cannot be loaded.
        """
        super().__init__()
        self._shift, self._cameras = config.shift, sorted(cameras)
        self.shape = (
            (1, len(cameras) * config.features) if patches is None else (len(cameras) * patches**2, config.features)
        )
        """How many tokens the vector is made of, and of how many numbers each."""
        if config.encoder == SMALL:
            self.encoders = nn.ModuleList(SmallCNN(config.features, patches) for _ in cameras)
        else:  # large: one for all cameras
            self.encoders = nn.ModuleList([Backbone(config.encoder, config.features, patches)])

    def forward(self, obs: Mapping[str, Tensor], generator: torch.Generator | None = None) -> Tensor:
        """Images (B, H, W, 3) uint8 by contract key → (B, tokens · numbers); with a `generator`, shifted at random."""
        parts = []
        for index, key in enumerate(self._cameras):
            images, encoder = obs[key], self.encoders[index % len(self.encoders)]
            if generator is not None and self._shift:
                images = random_shift(images, self._shift, generator)
            pixels = images.permute(0, 3, 1, 2).to(next(encoder.parameters()).dtype) / 255.0
            parts.append(encoder(pixels).flatten(1))
        return torch.cat(parts, dim=1)


def random_shift(images: Tensor, reach: int, generator: torch.Generator) -> Tensor:
    """Every image (B, H, W, C) moved by −reach … reach whole pixels each way; what comes in repeats the border."""
    batch, height, width, _ = images.shape
    moves = torch.randint(-reach, reach + 1, (2, batch, 1), generator=generator, device=images.device)
    rows = (torch.arange(height, device=images.device) + moves[0]).clamp(0, height - 1)
    columns = (torch.arange(width, device=images.device) + moves[1]).clamp(0, width - 1)
    which = torch.arange(batch, device=images.device)[:, None, None]
    return images[which, rows[:, :, None], columns[:, None, :]]


class SmallCNN(nn.Module):
    """Three convolutions, then where in the image each channel is most active (spatial softmax, arXiv 1504.00702), or
    what is in each of `patches`² parts of it.

    0.1 million weights: two images of 128² take a CPU core some milliseconds.
    """

    def __init__(self, features: int, patches: int | None = None) -> None:
        super().__init__()
        self._patches = patches
        self.layers = nn.Sequential(
            *(nn.Conv2d(3, CHANNELS // 2, 7, stride=4, padding=3), nn.GroupNorm(4, CHANNELS // 2), nn.SiLU()),
            *(nn.Conv2d(CHANNELS // 2, CHANNELS, 3, stride=2, padding=1), nn.GroupNorm(8, CHANNELS), nn.SiLU()),
            *(nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1), nn.GroupNorm(8, CHANNELS), nn.SiLU()),
        )
        self.out = nn.Linear(3 * CHANNELS if patches is None else CHANNELS, features)

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) in [0, 1] → (B, features), or (B, patches², features)."""
        maps = self.layers(images * 2.0 - 1.0)
        if self._patches is not None:
            return self.out(area_means(maps, self._patches))
        down, right = (torch.linspace(-1.0, 1.0, int(side), device=maps.device) for side in maps.shape[2:])
        places = torch.cartesian_prod(down, right)
        maps = maps.flatten(2)
        return self.out(torch.cat([(maps.softmax(2) @ places).flatten(1), maps.amax(2)], dim=1))


def area_means(maps: Tensor, parts: int) -> Tensor:
    """(B, C, H, W) → (B, parts², C): means over parts of equal area, row by row, whatever H and W are."""
    down, across = (_shares(parts, int(side)).to(maps) for side in maps.shape[2:])
    return (down @ maps @ across.T).flatten(2).transpose(1, 2)


def _shares(parts: int, size: int) -> Tensor:
    """(parts, size): by how much each of `size` equal cells lies in each of the parts; rows add up to one."""
    cells, edges = torch.arange(size, dtype=torch.float64) / size, torch.arange(parts, dtype=torch.float64) / parts
    end = torch.minimum(cells + 1 / size, edges[:, None] + 1 / parts)
    return (end - torch.maximum(cells, edges[:, None])).clamp_min(0.0) * parts


class Backbone(nn.Module):
    """A pretrained network, all of it trained further, and one linear layer."""

    def __init__(self, name: str, features: int, patches: int | None = None) -> None:
        super().__init__()
        load = _timm if name.startswith(TIMM) else _transformers
        self._patches = patches
        self._run, self.network, size, mean, std = load(name, patches is not None)
        self._size = size
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(3, 1, 1), persistent=False)
        self.out = nn.Linear(self._features(torch.zeros(1, 3, *size)).shape[-1], features)

    mean: Tensor
    std: Tensor

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) in [0, 1] → (B, features), or (B, patches², features)."""
        return self.out(self._features(images))

    def train(self, mode: bool = True) -> Backbone:
        """Always as in evaluation: averages of batch norms and the like stay as they were pretrained."""
        return super().train(False)

    def _features(self, images: Tensor) -> Tensor:
        if tuple(images.shape[2:]) != self._size:
            images = resize(images, self._size)
        found = self._run(self.network, (images - self.mean) / self.std)
        return found if self._patches is None else area_means(found, self._patches)


def resize(images: Tensor, size: tuple[int, int]) -> Tensor:
    """(B, C, H, W) → (B, C, *size): bilinear, antialiased; as two products, since ONNX has no such operator."""
    rows, columns = (_triangles(int(old), new) for old, new in zip(images.shape[2:], size, strict=True))
    return torch.from_numpy(rows).to(images) @ images @ torch.from_numpy(columns.T).to(images)


@cache
def _triangles(old: int, new: int) -> np.ndarray:
    """(new, old): how much each old pixel counts in each new one."""
    scale = old / new
    away = np.arange(old) + 0.5 - (np.arange(new)[:, None] + 0.5) * scale
    weights = np.clip(1.0 - np.abs(away) / max(scale, 1.0), 0.0, None)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


Loaded = tuple[Callable[[Any, Tensor], Tensor], nn.Module, tuple[int, int], list[float], list[float]]
"""How to run the network, to a vector (B, C) or a map (B, C, h, w), the network, its image size, and the mean and
standard deviation of its pixels."""


def _transformers(name: str, maps: bool) -> Loaded:
    try:
        from transformers import AutoImageProcessor, AutoModel

        model: Any = AutoModel.from_pretrained(name)
        processor: Any = AutoImageProcessor.from_pretrained(name)
    except (ImportError, OSError, ValueError) as error:
        raise BurnishError(
            f"vision encoder {name!r} cannot be loaded ({error}); give {SMALL!r}, {TIMM}NAME, or a folder or hub name "
            "of a `transformers` vision model (`pip install 'burnish[language]'` brings the package)"
        ) from error
    model = getattr(model, "vision_model", model)  # of a model of images and text, its eye
    size = getattr(model.config, "image_size", None) or processor.size.get("height", 224)
    return (_map if maps else _pool), model, _pair(size), list(processor.image_mean), list(processor.image_std)


def _pool(model: Any, images: Tensor) -> Tensor:
    out = model(pixel_values=images)
    pooled = getattr(out, "pooler_output", None)
    return out.last_hidden_state.mean(1) if pooled is None else pooled.flatten(1)


def _map(model: Any, images: Tensor) -> Tensor:
    hidden = model(pixel_values=images).last_hidden_state
    if hidden.ndim == 4:  # a convolutional network
        return hidden
    side = math.isqrt(int(hidden.shape[1]))  # before the patches there may be a class token, and registers
    return hidden[:, -(side**2) :].transpose(1, 2).unflatten(2, (side, side))


def _timm(name: str, maps: bool) -> Loaded:
    try:
        import timm  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise BurnishError(f"vision encoder {name!r} needs the package timm: `pip install timm` ({error})") from error
    try:
        model: Any = timm.create_model(name.removeprefix(TIMM), pretrained=True, num_classes=0)
    except (RuntimeError, OSError, ValueError) as error:
        raise BurnishError(f"vision encoder {name!r} cannot be loaded ({error})") from error
    config = model.pretrained_cfg
    run = _last_map if maps else _call
    return run, model, _pair(config["input_size"][1:]), list(config["mean"]), list(config["std"])


def _call(model: Any, images: Tensor) -> Tensor:
    return model(images)


def _last_map(model: Any, images: Tensor) -> Tensor:
    return model.forward_intermediates(images, indices=1, norm=True, intermediates_only=True)[0]


def _pair(size: Any) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else (int(size[0]), int(size[1]))
