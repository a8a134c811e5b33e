"""The state of an optimizer as named tensors, to be saved without a pickle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor


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
