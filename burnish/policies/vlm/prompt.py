"""What a backbone reads: token ids of the instruction with a place for every image, and pixels, by its own processor.

The ids of an instruction are made once and kept; images are prepared with torch, a batch of them at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from burnish.contract import TASK, Field
from burnish.errors import BurnishError
from burnish.policies.networks.vision import random_shift


@dataclass(frozen=True)
class Read:
    """A batch as a backbone reads it: `ids` (B, L), `positions` (P, B, L), `seen` (B, L) bool: not padding."""

    ids: Tensor
    positions: Tensor
    seen: Tensor
    pixels: dict[str, Tensor]


class Prompt:
    """Observations to `Read`, for the cameras and the instruction of one contract."""

    def __init__(
        self,
        processor: Any,
        cameras: Mapping[str, Field],
        known: Sequence[bytes],
        context: int,
        positions: Callable[[Any], Tensor],
    ) -> None:
        """
        Args:
            cameras: contract key → image field.
            known: instructions of the training data, as bytes: prompts are filled up to the longest of them, so that a
                row never depends on the others.
            context: tokens that the backbone has room for.
            positions: of a processor's output for one prompt (1, L) → (P, L).
        """
        self._processor, self._context, self._positions = processor, context, positions
        self._cameras = dict(sorted(cameras.items()))
        eye = processor.image_processor
        # SmolVLM would cut every image into pieces of its own size, 17 times the tokens; SmolVLA does not either.
        cuts = hasattr(eye, "do_image_splitting")
        self._options: dict[str, Any] = {"do_image_splitting": False, "size": eye.max_image_size} if cuts else {}
        self._lines: dict[bytes, tuple[Tensor, Tensor]] = {}
        self._length = max([len(self._line(text)[0]) for text in known], default=0)

    def __deepcopy__(self, memo: Any) -> Prompt:
        return self  # nothing in it is trained

    def __call__(self, obs: Mapping[str, Tensor], rows: int, shift: int, generator: torch.Generator | None) -> Read:
        """Of `rows` observations; with a `generator`, images moved by up to `shift` pixels.

        Raises `BurnishError` that names the instruction which is too long, and by how many tokens.
        """
        texts = [bytes(row.tolist()) for row in obs[TASK].cpu()] if TASK in obs else [b""] * rows
        ids, positions = zip(*map(self._line, texts), strict=True)
        length = max(self._length, *map(len, ids))
        device = next(iter(obs.values())).device
        seen = torch.arange(length) < torch.tensor([len(one) for one in ids])[:, None]
        return Read(
            _joined(ids, length).to(device),
            torch.stack([_joined(part, length) for part in zip(*positions, strict=True)]).to(device),
            seen.to(device),
            self._pixels(obs, rows, shift, generator),
        )

    def _pixels(
        self, obs: Mapping[str, Tensor], rows: int, shift: int, generator: torch.Generator | None
    ) -> dict[str, Tensor]:
        if not self._cameras:
            return {}
        views = [obs[key] for key in self._cameras]
        if generator is not None and shift:
            views = [random_shift(view, shift, generator) for view in views]
        images = [[view[row].permute(2, 0, 1) for view in views] for row in range(rows)]
        return dict(self._processor.image_processor(images, return_tensors="pt", **self._options))

    def _line(self, text: bytes) -> tuple[Tensor, Tensor]:
        """Ids (L,) and positions (P, L) of one instruction, a place for each camera before it."""
        if text not in self._lines:
            instruction = text.rstrip(b"\0").decode()
            found = self._encode(self._written(instruction))
            ids = found["input_ids"]
            if ids.shape[1] > self._context:
                raise BurnishError(
                    f"the instruction {instruction!r} with {len(self._cameras)} images is {ids.shape[1]} tokens; the "
                    f"backbone has room for {self._context} beside the action: shorten it, or leave a camera out "
                    "(--without)"
                )
            self._lines[text] = ids[0], self._positions(found)
        return self._lines[text]

    def _written(self, instruction: str) -> str:
        """The prompt as text: by the backbone's own chat template, or images and then the instruction."""
        count = len(self._cameras)
        if getattr(self._processor, "chat_template", None):
            content = [{"type": "image"}] * count + [{"type": "text", "text": instruction}]
            return self._processor.apply_chat_template(
                [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=False
            )
        return self._processor.image_token * count + instruction

    def _encode(self, text: str) -> Any:
        if not self._cameras:
            return self._processor.tokenizer([text], return_tensors="pt")
        blank = [torch.zeros(3, *field.shape[:2], dtype=torch.uint8) for field in self._cameras.values()]
        return self._processor(text=[text], images=[blank], return_tensors="pt", **self._options)


def _joined(rows: Sequence[Tensor], length: int) -> Tensor:
    """Rows (l,) of different lengths as (B, length), filled up with zeros."""
    return torch.stack([functional.pad(row, (0, length - len(row))) for row in rows])
