"""What a lerobot policy says about its observations: keys and shapes. Units, frames and rates are not in its config."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from burnish.contract import ACTION, IMAGES, Contract, Field
from burnish.errors import ContractError

RESIZE_SETTINGS = (
    "resize_imgs_with_padding", "image_resolution", "resize_shape", "image_resize_shape", "resize_images_to"
)  # fmt: skip
"""Settings by which lerobot's policies bring images of any size to their own."""
FILLED_IN = "empty_camera"
"""Cameras of this name are black: lerobot fills them in for policies that were made for more of them."""


@dataclass(frozen=True)
class Features(Contract):
    """A contract of which only keys and shapes are known. The other side may offer more than is read.

    Attributes:
        resizes: images of another size are welcome; the policy resizes them.
    """

    resizes: bool = False

    def check(self, other: Contract, *, here: str, there: str) -> None:
        """Raise `ContractError` naming every field that `other` lacks or has in another shape."""
        problems = []
        for key, field in self.fields.items():
            if key not in other.fields:
                near = difflib.get_close_matches(key, other.fields, n=1)
                problems.append(f"{key}: not in the {there}" + "".join(f", which has {name!r}" for name in near))
            elif not self._fits(key, field.shape, other.fields[key].shape):
                problems.append(f"{key}.shape: {field.shape} in the {here}, {other.fields[key].shape} in the {there}")
        if problems:
            listed = "\n  ".join(problems)
            raise ContractError(
                f"the {here} and the {there} do not fit together:\n  {listed}\n"
                "Other names belong into `rename_map` of the policy's policy_preprocessor.json; "
                "for other shapes it must be trained again."
            )

    def _fits(self, key: str, wanted: tuple[int, ...], offered: tuple[int, ...]) -> bool:
        free = self.resizes and key.startswith(IMAGES)
        return wanted == offered or (free and len(offered) == 3 and wanted[2] == offered[2])


def features(config: Any, preprocessor: Mapping[str, Any]) -> Features:
    """What the policy of lerobot `config` (a `PreTrainedConfig`) reads, by the names it has before `preprocessor`."""
    named = {new: old for old, new in _renamed(preprocessor).items()}
    inputs: dict[str, Any] = config.input_features
    reads = {named.get(key, key): _field(key, feature) for key, feature in inputs.items()}
    observation = {key: field for key, field in reads.items() if FILLED_IN not in key}
    resizes = any(getattr(config, setting, None) is not None for setting in RESIZE_SETTINGS)
    return Features(observation, _field(ACTION, config.output_features[ACTION]), resizes)


def _renamed(preprocessor: Mapping[str, Any]) -> dict[str, str]:
    """Old name → new name."""
    return {
        old: new
        for step in preprocessor["steps"]
        if step.get("registry_name") == "rename_observations_processor"
        for old, new in step["config"]["rename_map"].items()
    }


def _field(key: str, feature: Any) -> Field:
    """lerobot has images as (3, H, W) in [0, 1]; here they are (H, W, 3) uint8."""
    shape, dtype = tuple(feature.shape), "float32"
    if key.startswith(IMAGES):
        shape, dtype = (*shape[1:], shape[0]), "uint8"
    size = shape[-1]
    return Field(shape, tuple(str(i) for i in range(size)), ("unknown",) * size, "unknown", 0.0, "identity", dtype)
