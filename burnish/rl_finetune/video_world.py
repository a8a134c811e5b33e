"""Progress as a video model sees it: V-JEPA 2 (arXiv 2506.09985), as in SRPO."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from burnish.errors import BurnishError
from burnish.rl_finetune.episodes import Episode


class VideoWorld:
    """An episode is the mean feature of its film, of length 1: in many dimensions only its direction means something.

    Where it began is a film that shows the first frame all the time.
    """

    def __init__(self, name: str) -> None:
        """`name`: of a V-JEPA 2 model on the hub, or a folder. Raises `BurnishError` if there is none."""
        try:
            from transformers import AutoModel, AutoVideoProcessor
        except ImportError as error:
            raise BurnishError(
                f"--refine.world needs transformers ({error}): pip install 'burnish[language]'"
            ) from error
        try:
            self.model: Any = AutoModel.from_pretrained(name, use_safetensors=True).eval().requires_grad_(False)
            self.processor: Any = AutoVideoProcessor.from_pretrained(name)
        except (OSError, ValueError) as error:
            raise BurnishError(
                f"--refine.world {name}: no V-JEPA 2 model there ({str(error).splitlines()[0]}); give a folder that "
                "holds one, a model on the hub, or leave it out: an encoder is then learned from the rollouts"
            ) from error
        if self.model.config.model_type != "vjepa2":
            raise BurnishError(
                f"--refine.world {name} is a {self.model.config.model_type!r} model; it must be a vjepa2"
            )
        self.film, self.length = self.model.config.crop_size, self.model.config.frames_per_clip

    def fit(self, episodes: Sequence[Episode], generator: torch.Generator) -> None:
        """It is not trained."""

    def start(self, one: Episode) -> Tensor:
        """(1, Z) of the first frame, standing still."""
        return self._embed(one.frames[:1])

    def end(self, one: Episode) -> Tensor:
        """(1, Z) of the whole film."""
        return self._embed(one.frames)

    def way(self, one: Episode) -> Tensor:
        """Both: a film for every decision would take longer than playing it."""
        return torch.cat([self.start(one), self.end(one)])

    def latent(self, known: Tensor) -> Tensor:
        """As it is."""
        return known

    def state(self) -> dict[str, Tensor]:
        """Nothing."""
        return {}

    def restore(self, under: Callable[[str], dict[str, Tensor]]) -> None:
        """Nothing."""

    @torch.no_grad()
    def _embed(self, frames: Tensor) -> Tensor:
        which = torch.linspace(0, len(frames) - 1, self.length).round().long()
        video = self.processor(frames[which].permute(0, 3, 1, 2), return_tensors="pt")["pixel_values_videos"]
        return torch.nn.functional.normalize(self.model.get_vision_features(video).mean(1), dim=1)
