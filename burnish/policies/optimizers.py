"""The state of an optimizer as named tensors, to be saved without a pickle."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn


def optimizer_state(optimizer: torch.optim.Optimizer, parameters: Sequence[Tensor]) -> dict[str, Tensor]:
    """INDEX/NAME → tensor, for every one of `parameters` that was updated before."""
    return {
        f"{index}/{name}": value
        for index, parameter in enumerate(parameters)
        for name, value in optimizer.state.get(parameter, {}).items()
    }


def restore_optimizer(
    optimizer: torch.optim.Optimizer, parameters: Sequence[Tensor], saved: Mapping[str, Tensor]
) -> None:
    """Put back what `optimizer_state` gave for the same `parameters`."""
    for path, value in saved.items():
        index, name = path.split("/")
        parameter = parameters[int(index)]
        optimizer.state[parameter][name] = value.to(parameter.device)


def learner_state(name: str, module: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Weights of `module` and moments of the `optimizer` of all its trained parameters, under NAME/."""
    moments = optimizer_state(optimizer, _trained(module))
    kept = {f"{name}/weights/{key}": value for key, value in module.state_dict().items()}
    return kept | {f"{name}/adam/{key}": value for key, value in moments.items()}


def restore_learner(
    name: str, module: nn.Module, optimizer: torch.optim.Optimizer, under: Callable[[str], dict[str, Tensor]]
) -> None:
    """Put back what `learner_state` gave; `under(prefix)` selects."""
    module.load_state_dict(under(f"{name}/weights/"))
    restore_optimizer(optimizer, _trained(module), under(f"{name}/adam/"))


def _trained(module: nn.Module) -> list[Tensor]:
    return [parameter for parameter in module.parameters() if parameter.requires_grad]
