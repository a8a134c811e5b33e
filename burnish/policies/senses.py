"""What every policy that is trained here is told about reading instructions, images and points."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from burnish.errors import BurnishError
from burnish.policies.networks.points import PointsConfig
from burnish.policies.networks.vision import VisionConfig

Reading = Literal["vector", "patches", "places"]
"""How a network wants an image: as one vector, patch by patch, or patch by patch with the place of each."""


@dataclass(frozen=True, kw_only=True)
class SensesConfig:
    """Encoders of what is not a number."""

    language: str = "all-MiniLM-L6-v2"
    """Frozen sentence encoder, where there are instructions: this packaged one, a folder, or a hub model."""
    clauses: int = 1
    """Parts of an instruction that are encoded each on its own ("… and …", "…, then …"); 1 takes it as it is."""
    vision: VisionConfig = field(default_factory=VisionConfig)
    """Image encoder, where there are images."""
    points: PointsConfig = field(default_factory=PointsConfig)
    """Point encoder, where there is a cloud."""

    def __post_init__(self) -> None:
        if self.clauses < 1:
            raise BurnishError(f"clauses is at least 1, not {self.clauses}")
        if isinstance(self.vision, Mapping):  # as a checkpoint's JSON has it
            object.__setattr__(self, "vision", VisionConfig(**self.vision))
        if isinstance(self.points, Mapping):
            object.__setattr__(self, "points", PointsConfig(**self.points))

    @property
    def reads(self) -> Reading:
        """What the policy's network is made for."""
        return "vector"
