"""Images to features: a small CNN of its own, or a backbone of `timm` or `transformers` by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from burnish.errors import BurnishError

SMALL = "small"
TIMM = "timm:"
CHANNELS = 64


@dataclass(frozen=True)
class VisionConfig:
    """How a policy sees. Without images in its contract, none of this matters."""

    encoder: str = SMALL
    """`small` (a CNN from scratch for each camera), timm:NAME, or the folder or hub name of a `transformers` model."""
    features: int = 64
    """Numbers per camera."""
    shift: int = 4
    """Training images are moved by up to this many pixels, at random (DrQ, arXiv 2004.13649); 0 for not at all."""

    def __post_init__(self) -> None:
        if self.features < 1 or self.shift < 0:
            raise BurnishError(f"vision: features {self.features} must be 1 or more, shift {self.shift} 0 or more")


class Vision(nn.Module):
    """All cameras of a contract to one vector."""

    def __init__(self, config: VisionConfig, cameras: list[str]) -> None:
        """`cameras`: contract keys. Raises `BurnishError` that says how to get an encoder that cannot be loaded."""
        super().__init__()
        self._shift, self._cameras = config.shift, sorted(cameras)
        self.features = len(cameras) * config.features
        if config.encoder == SMALL:
            self.encoders = nn.ModuleList(SmallCNN(config.features) for _ in cameras)
        else:
            self.encoders = nn.ModuleList([Backbone(config.encoder, config.features)])  # large: one for all cameras

    def forward(self, obs: Mapping[str, Tensor], generator: torch.Generator | None = None) -> Tensor:
        """Images (B, H, W, 3) uint8 by contract key → (B, `features`); with a `generator`, shifted at random."""
        parts = []
        for index, key in enumerate(self._cameras):
            images, encoder = obs[key], self.encoders[index % len(self.encoders)]
            if generator is not None and self._shift:
                images = random_shift(images, self._shift, generator)
            parts.append(encoder(images.permute(0, 3, 1, 2).float() / 255.0))
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
    """Three convolutions, then where in the image each channel is most active (spatial softmax, arXiv 1504.00702).

    0.1 million weights: two images of 128² take a CPU core some milliseconds.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *(nn.Conv2d(3, CHANNELS // 2, 7, stride=4, padding=3), nn.GroupNorm(4, CHANNELS // 2), nn.SiLU()),
            *(nn.Conv2d(CHANNELS // 2, CHANNELS, 3, stride=2, padding=1), nn.GroupNorm(8, CHANNELS), nn.SiLU()),
            *(nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1), nn.GroupNorm(8, CHANNELS), nn.SiLU()),
        )
        self.out = nn.Linear(3 * CHANNELS, features)

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) in [0, 1] → (B, features)."""
        maps = self.layers(images * 2.0 - 1.0)
        down, right = (torch.linspace(-1.0, 1.0, int(side), device=maps.device) for side in maps.shape[2:])
        places = torch.cartesian_prod(down, right)
        maps = maps.flatten(2)
        return self.out(torch.cat([(maps.softmax(2) @ places).flatten(1), maps.amax(2)], dim=1))


class Backbone(nn.Module):
    """A pretrained network, all of it trained further, and one linear layer."""

    def __init__(self, name: str, features: int) -> None:
        super().__init__()
        self._run, self.network, size, mean, std = _timm(name) if name.startswith(TIMM) else _transformers(name)
        self._size = size
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(3, 1, 1), persistent=False)
        self.out = nn.Linear(self._pooled(torch.zeros(1, 3, *size)).shape[1], features)

    mean: Tensor
    std: Tensor

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) in [0, 1] → (B, features)."""
        return self.out(self._pooled(images))

    def train(self, mode: bool = True) -> Backbone:
        """Always as in evaluation: averages of batch norms and the like stay as they were pretrained."""
        return super().train(False)

    def _pooled(self, images: Tensor) -> Tensor:
        if tuple(images.shape[2:]) != self._size:
            images = nn.functional.interpolate(images, self._size, mode="bilinear", antialias=True)
        return self._run(self.network, (images - self.mean) / self.std)


Loaded = tuple[Callable[[Any, Tensor], Tensor], nn.Module, tuple[int, int], list[float], list[float]]
"""How to run the network, the network, its image size, and the mean and standard deviation of its pixels."""


def _transformers(name: str) -> Loaded:
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
    return _pool, model, _pair(size), list(processor.image_mean), list(processor.image_std)


def _pool(model: Any, images: Tensor) -> Tensor:
    out = model(pixel_values=images)
    pooled = getattr(out, "pooler_output", None)
    return out.last_hidden_state.mean(1) if pooled is None else pooled.flatten(1)


def _timm(name: str) -> Loaded:
    try:
        import timm  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise BurnishError(f"vision encoder {name!r} needs the package timm: `pip install timm` ({error})") from error
    try:
        model: Any = timm.create_model(name.removeprefix(TIMM), pretrained=True, num_classes=0)
    except (RuntimeError, OSError, ValueError) as error:
        raise BurnishError(f"vision encoder {name!r} cannot be loaded ({error})") from error
    config = model.pretrained_cfg
    return _call, model, _pair(config["input_size"][1:]), list(config["mean"]), list(config["std"])


def _call(model: Any, images: Tensor) -> Tensor:
    return model(images)


def _pair(size: Any) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else (int(size[0]), int(size[1]))
