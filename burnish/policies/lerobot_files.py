"""lerobot's folders, read by lerobot's own code."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import draccus
from lerobot.configs import PreTrainedConfig
from lerobot.policies.factory import get_policy_class, make_pre_post_processors
from lerobot.processor import PolicyProcessorPipeline
from lerobot.processor.converters import policy_action_to_transition, transition_to_policy_action
from lerobot.utils.import_utils import register_third_party_plugins
from safetensors import SafetensorError
from torch import Tensor, nn

from burnish.errors import BurnishError, CorruptFileError
from burnish.files import read_json
from burnish.registry import unknown

if TYPE_CHECKING:
    from lerobot.policies import PreTrainedPolicy

CONFIG, PREPROCESSOR, POSTPROCESSOR = "config.json", "policy_preprocessor.json", "policy_postprocessor.json"
FILES = (CONFIG, "model.safetensors", PREPROCESSOR, POSTPROCESSOR)
DEVICE_STEP = "device_processor"


class Processors(nn.Module):
    """What stands before and after a policy; its statistics are saved with the module's weights."""

    def __init__(self, before: Any, after: Any) -> None:
        super().__init__()
        self.before, self.after = before, after

    def describe(self, config: PreTrainedConfig) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        """Plain JSON of the policy's `config` and of both processors: what `build` takes."""
        return draccus.encode(config, PreTrainedConfig), self.before.get_config(), self.after.get_config()

    def _save_to_state_dict(self, destination: dict[str, Tensor], prefix: str, keep_vars: bool) -> None:
        for side in ("before", "after"):
            for step, tensors in getattr(self, side).state_dict().items():
                destination.update({f"{prefix}{side}/{step}/{name}": tensor for name, tensor in tensors.items()})

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *_: Any) -> None:
        states: dict[str, dict[str, dict[str, Tensor]]] = {"before": {}, "after": {}}
        for key in [key for key in state_dict if key.startswith(prefix)]:
            side, step, name = key.removeprefix(prefix).split("/", 2)
            states[side].setdefault(step, {})[name] = state_dict[key]
        for side, state in states.items():
            getattr(self, side).load_state_dict(state)


def read(folder: Path) -> tuple[PreTrainedPolicy, Processors]:
    """Policy and processors of `folder`; errors as in `lerobot.load`."""
    for name in FILES:
        if not (folder / name).is_file():
            raise CorruptFileError(
                f"{folder}: no lerobot policy folder: {name} is missing; wanted are {', '.join(FILES)}"
            )
    settings = _settings(read_json(folder / CONFIG), str(folder / CONFIG))
    try:
        inner = _class(settings).from_pretrained(folder, config=settings)
        before, after = make_pre_post_processors(
            settings, str(folder), preprocessor_overrides={DEVICE_STEP: {"device": str(settings.device)}}
        )
    except (SafetensorError, RuntimeError, ValueError, KeyError) as error:
        raise CorruptFileError(f"{folder}: lerobot cannot read it: {error}") from error
    return inner.eval(), Processors(before, after)


def build(
    config: Mapping[str, Any], preprocessor: Mapping[str, Any], postprocessor: Mapping[str, Any]
) -> tuple[PreTrainedPolicy, Processors]:
    """A policy with random weights, and processors that wait for their statistics."""
    settings = _settings(dict(config), CONFIG)
    inner = _class(settings)(settings).to(settings.device).eval()
    before = PolicyProcessorPipeline.from_config(dict(preprocessor))
    after = PolicyProcessorPipeline.from_config(
        dict(postprocessor), to_transition=policy_action_to_transition, to_output=transition_to_policy_action
    )
    return inner, Processors(before, after)


def _settings(data: dict[str, Any], source: str) -> PreTrainedConfig:
    register_third_party_plugins()
    kind, known = data.get("type"), PreTrainedConfig.get_known_choices()
    if kind not in known:
        raise unknown(f"type of lerobot policy in {source}:", str(kind), known)
    try:
        settings = draccus.decode(known[kind], {key: value for key, value in data.items() if key != "type"})
    except draccus.utils.DecodingError as error:
        raise CorruptFileError(f"{source}: not a config of lerobot's {kind!r}: {error}") from error
    if settings.use_peft:
        raise BurnishError(f"{source}: use_peft: an adapter without its base; merge it into the base and save that")
    if hasattr(settings, "pretrained_backbone_weights"):
        settings.pretrained_backbone_weights = None  # else torchvision downloads what is overwritten right after
    return settings


def _class(settings: PreTrainedConfig) -> type[PreTrainedPolicy]:
    try:
        return get_policy_class(settings.type)
    except ImportError as error:
        raise BurnishError(f"lerobot's policy {settings.type!r} cannot be imported: {error}") from error
