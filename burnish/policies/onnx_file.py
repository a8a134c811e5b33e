"""A module as an ONNX file."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from burnish.contract import ACTION
from burnish.files import atomic_file

OPSET = 18


def write_onnx(module: nn.Module, example: Sequence[Tensor], names: Sequence[str], path: Path, *, batch: bool) -> None:
    """Write `module`, whose only output is an action chunk.

    Args:
        names: of the inputs, in the order of `example`.
        batch: whether the number of rows is left open; otherwise it is the example's.
    """
    # The tracing exporter: the policies have no data-dependent control flow, and it takes a second where the
    # newer one takes a minute for ten denoising steps.
    with atomic_file(path) as beside, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            tuple(example),
            str(beside),
            dynamo=False,
            opset_version=OPSET,
            input_names=list(names),
            output_names=[ACTION],
            dynamic_axes={name: {0: "batch"} for name in (*names, ACTION)} if batch else None,
        )
