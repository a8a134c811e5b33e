"""Vision-language-action policies: a pretrained image-text model and a head that acts.

The backbone reads images and instruction once per chunk. The head is an action expert that attends to it in every layer
and is trained by flow matching (π0, arXiv 2410.24164; SmolVLA, arXiv 2506.01844) or MeanFlow (arXiv 2505.13447), or new
words for the codes of an action tokenizer (π0-FAST, arXiv 2501.09747; MINT, arXiv 2602.08602).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

import torch
from torch import Tensor
from tyro.conf import Fixed, Suppress

from burnish.checkpoint import Stats
from burnish.contract import POINTS, TASK, Contract
from burnish.errors import BurnishError, ContractError
from burnish.policies.base import Batch, Policy
from burnish.policies.realtime import RealTime, RealTimeConfig
from burnish.policies.tokenizers.base import Tokenizer
from burnish.policies.tokens import TokenizerChoice
from burnish.policies.trace import Chain, NoiseConfig
from burnish.policies.vla_heads import PREFIX, TokenHead, make_head
from burnish.policies.vlm.adapters import LoraConfig
from burnish.policies.vlm.backbone import Backbone
from burnish.policies.vlm.files import load
from burnish.policies.vlm.prefix import Prefix
from burnish.policies.vlm.prompt import Prompt


@dataclass(frozen=True, kw_only=True)
class VLAConfig(TokenizerChoice):
    """Backbone, what of it is trained, and head."""

    language: ClassVar[None] = None
    """The backbone reads instructions itself."""
    backbone: str = ""
    """Hub name or folder of an image-text model: SmolVLM, Qwen2.5-VL, PaliGemma."""
    head: Literal["flow", "meanflow", "tokens"] = "flow"
    lora: LoraConfig = field(default_factory=LoraConfig)
    layers: int | None = None
    """Layers of the language model that are used, from the first on (SmolVLA: half of them); None is all."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Of the frozen weights."""
    horizon: int = 16
    """Actions per chunk, with `flow` and `meanflow`; a tokenizer has its own."""
    replan: int | None = None
    """Actions executed before the next chunk; None is a quarter of it."""
    expert_width: int | None = None
    """Of the action expert's tokens; None is half the backbone's."""
    steps: int = 10
    """With `flow`: Euler steps (NFE) at inference."""
    prior_std: float | None = None
    """With `meanflow`: as there."""
    tokenizer: str = "mint"
    """With `tokens`: registered name of a tokenizer, which is trained first, or the folder of a trained one."""
    shift: int = 4
    """Training images are moved by up to this many pixels, at random; 0 for not at all."""
    fingerprint: Annotated[str, Suppress, Fixed] = ""
    """Of the backbone's files; a checkpoint has the one it was trained on."""

    @property
    def tokenized(self) -> bool:
        """Whether it needs a tokenizer."""
        return self.head == "tokens"

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.lora, Mapping):  # as a checkpoint's JSON has it
            object.__setattr__(self, "lora", LoraConfig(**self.lora))
        if self.shift < 0:
            raise BurnishError(f"shift {self.shift} must be 0 or more pixels")


class VLA(Policy):
    """Of the backbone a checkpoint holds the name, a fingerprint and what was trained; the rest stays where it is."""

    name = "vla"
    Config = VLAConfig

    def __init__(self, config: VLAConfig, contract: Contract, stats: Stats) -> None:
        """Raises `BurnishError`: the backbone is not there, none that is known, or not the one of `fingerprint`."""
        super().__init__(config, contract, stats)
        _check_contract(contract)
        loaded = load(config.backbone, config.precision)
        if config.fingerprint not in ("", loaded.fingerprint):
            raise BurnishError(
                f"backbone {config.backbone!r} has the fingerprint {loaded.fingerprint}; the policy was trained on one "
                f"with {config.fingerprint}. Put that model there, or write where it is into the checkpoint's "
                'config.json, "backbone"'
            )
        self.config = dataclasses.replace(config, backbone=loaded.name, fingerprint=loaded.fingerprint)
        self.backbone = Backbone(loaded, config.lora, config.layers)
        self.head = make_head(self.config, contract, stats, self.backbone)
        self.horizon, self.nfe = self.head.horizon, self.head.nfe
        room = self.backbone.context - 1 - (self.head.tokenizer.length if isinstance(self.head, TokenHead) else 0)
        known = [row.tobytes() for row in stats[TASK]["text"]] if TASK in contract.observation else [b""]
        cameras = {key: contract.observation[key] for key in contract.images}
        self.prompt = Prompt(loaded.processor, cameras, known, room, self.backbone.positions)

    @property
    def noise_shape(self) -> tuple[int, ...]:
        """The head's."""
        return self.head.noise_shape

    def adopt(self, part: Tokenizer) -> None:
        """Take over the weights of a trained tokenizer. Raises `BurnishError` if it is another one."""
        if not isinstance(self.head, TokenHead):
            raise BurnishError(f"head {self.config.head!r} writes no tokens; --policy.head tokens does")
        self.head.adopt(part)

    def encode(self, obs: Mapping[str, Tensor], generator: torch.Generator | None = None) -> Prefix:
        """What the backbone makes of images and instruction, and the normalised numbers.

        Args:
            generator: in training, shifts the images at random.
        Raises:
            ContractError: an observation is missing, or an image or an instruction has another size.
        """
        self._check(obs)
        first = next(iter(obs.values()))
        numbers = self.normalizer.condition_dim > 0
        state = self.normalizer.condition(obs) if numbers else torch.zeros(len(first), 0, device=first.device)
        return self.backbone.prefix(self.prompt(obs, len(first), self.config.shift, generator), state)

    def loss(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """The head's."""
        told: dict[str, Any] = {**batch, PREFIX: self.encode(batch, generator)}
        return self.head.loss(told, generator)

    def sample(self, condition: Prefix, noise: Tensor) -> Tensor:
        """The head's chunk (B, H, A) in network units."""
        return self.head.sample(condition, noise)  # pyright: ignore[reportArgumentType]

    def chain(self, noise: NoiseConfig, told: Policy | None = None) -> Chain:
        """The head's, told what the backbone made of the observations."""
        return self.head.chain(noise, self)

    def realtime(self, config: RealTimeConfig, told: Policy | None = None) -> RealTime:
        """The head's, told what the backbone made of the observations."""
        return self.head.realtime(config, self)

    def check_export(self) -> None:
        """Raises `BurnishError`."""
        raise BurnishError(
            "a vla policy does not become an ONNX file: its backbone is a model of its own, with up to billions of "
            "weights, and is read with a cache; run it with torch"
        )

    def _check(self, obs: Mapping[str, Tensor]) -> None:
        for key, expected in self.contract.observation.items():
            if key not in obs:
                raise ContractError(f"{key}: not observed, but the policy reads {', '.join(self.contract.observation)}")
            shape = tuple(obs[key].shape[1:])
            if shape != expected.shape:
                raise ContractError(
                    f"{key}: shape {shape} observed, {expected.shape} in the checkpoint's contract; observe it in that "
                    "size, or train again"
                )


def _check_contract(contract: Contract) -> None:
    if not contract.images and TASK not in contract.observation:
        raise BurnishError(
            "a vla policy reads images or an instruction, and the dataset has neither; collect it with --images"
        )
    if POINTS in contract.observation:
        raise BurnishError(f"a vla policy does not read {POINTS}; leave it out: --without {POINTS}")
