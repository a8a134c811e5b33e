"""Low-rank adapters (LoRA, arXiv 2106.09685) in a frozen language model, by `peft`."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from burnish.errors import BurnishError


@dataclass(frozen=True)
class LoraConfig:
    """What is trained of a backbone; its own weights stay as they are."""

    rank: int = 16
    """0: the backbone is frozen."""
    alpha: float = 32.0
    """The adapter's output counts alpha / rank."""
    targets: tuple[str, ...] = ("q_proj", "k_proj", "v_proj", "o_proj")
    """Names of linear layers of the language model; its eye stays frozen."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "targets", tuple(self.targets))  # as a checkpoint's JSON has it
        if self.rank < 0 or self.alpha <= 0:
            raise BurnishError(f"lora: rank {self.rank} must be 0 or more, alpha {self.alpha} positive")


def adapt(decoder: nn.Module, config: LoraConfig) -> None:
    """Put adapters beside the target layers of `decoder`. Raises `BurnishError` that names the layers there are."""
    if not config.rank:
        return
    names = {name.rpartition(".")[2] for name, part in decoder.named_modules() if isinstance(part, nn.Linear)}
    missing = sorted(set(config.targets) - names)
    if missing:
        known = ", ".join(sorted(names))
        raise BurnishError(f"lora.targets: the backbone has no linear layer {', '.join(missing)}; it has {known}")
    try:
        import peft
    except ImportError as error:
        raise BurnishError(
            f"lora.rank {config.rank} needs the package peft: `pip install 'burnish[vla]'`, or take rank 0 ({error})"
        ) from error
    settings = peft.LoraConfig(r=config.rank, lora_alpha=config.alpha, target_modules=list(config.targets))  # pyright: ignore[reportArgumentType]
    peft.inject_adapter_in_model(settings, decoder)
    for name, parameter in decoder.named_parameters():
        if "lora_" in name:
            parameter.data = parameter.data.float()  # small steps are lost in bfloat16
