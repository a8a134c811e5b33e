"""A function with derivatives inside as a graph of plain operations, which the tracing ONNX exporter can write."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch._decomp import core_aten_decompositions
from torch.fx import GraphModule
from torch.fx.experimental.proxy_tensor import make_fx

_aten = torch.ops.aten


def flatten_derivatives(function: Callable[..., Tensor], example: Sequence[Tensor]) -> GraphModule:
    """`function` of tensors shaped as `example`, its vector-Jacobian products written out."""
    table = {**core_aten_decompositions(), _aten.slice_backward.default: _slice_backward}
    with torch.no_grad():
        module = make_fx(lambda *inputs: function(*inputs), decomposition_table=table)(*example)
    for node in module.graph.nodes:
        if node.target is _aten._softmax.default:  # what softmax is inside, for which ONNX has no name
            node.target, node.args = _aten.softmax.int, node.args[:2]
    module.recompile()
    return module


def _slice_backward(gradient: Tensor, sizes: Sequence[int], dim: int, start: int, end: int, step: int) -> Tensor:
    """Zeros of `sizes` with `gradient` at start, start + step, …: padding alone, where torch writes into a slice."""
    spread = gradient
    if step > 1:
        spread = _pad(gradient.unsqueeze(dim + 1), dim + 1, 0, step - 1).flatten(dim, dim + 1)
        spread = spread.narrow(dim, 0, min(spread.shape[dim], sizes[dim] - start))
    return _pad(spread, dim, start, sizes[dim] - start - spread.shape[dim])


def _pad(x: Tensor, dim: int, before: int, after: int) -> Tensor:
    return torch.nn.functional.pad(x, (0, 0) * (x.ndim - 1 - dim) + (before, after))
