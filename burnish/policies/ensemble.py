"""A batch of small LayerNorm MLPs with a hand-written backward pass: the critic ensemble and the actor.

On two CPU cores a 10-head critic spends its time in launching hundreds of tiny kernels, not in
arithmetic. Here all heads live in one flat parameter vector and run as three batched matrix
products forward and five backward; no graph is recorded, and Adam and Polyak averaging each are
one fused call. Gradients are checked against autograd and against finite differences in the tests.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

_EPS = 1e-5
Weights = list[Tensor]
"""Weight and bias of the three layers, as `EnsembleMLP.views` gives them of a flat vector."""


class Tape(NamedTuple):
    """What `backward` needs of a forward pass."""

    x: Tensor
    z1: Tensor
    norm1: tuple[Tensor, Tensor]
    h1: Tensor
    z2: Tensor
    norm2: tuple[Tensor, Tensor]
    h2: Tensor


@dataclass(frozen=True)
class EnsembleMLP:
    """`heads` networks input → hidden → hidden → output; LayerNorm (no affine) and ReLU after each hidden layer.

    The object holds sizes only; parameters are a flat vector (`parameters`,) that the caller owns. The caller also
    keeps its `views`: making six of them anew for every pass would cost a tenth of an update.
    """

    heads: int
    inputs: int
    hidden: int
    outputs: int

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """Weight and bias of the three layers, heads first."""
        h, i, d, o = self.heads, self.inputs, self.hidden, self.outputs
        return [(h, i, d), (h, 1, d), (h, d, d), (h, 1, d), (h, d, o), (h, 1, o)]

    @property
    def parameters(self) -> int:
        """Length of the flat parameter vector."""
        return sum(math.prod(shape) for shape in self.shapes)

    def init(self, generator: torch.Generator, *, zero_output: bool = False) -> Tensor:
        """Flat parameters, U(±1/sqrt(fan-in)); `zero_output` zeroes the last layer (ResFiT's actor)."""
        flat = torch.empty(self.parameters)
        fans = [self.inputs, self.inputs, self.hidden, self.hidden, self.hidden, self.hidden]
        for view, fan in zip(self.views(flat), fans, strict=True):
            view.uniform_(-1 / math.sqrt(fan), 1 / math.sqrt(fan), generator=generator)
        if zero_output:
            for view in self.views(flat)[-2:]:
                view.zero_()
        return flat

    def views(self, flat: Tensor) -> Weights:
        """The six weights and biases as views of `flat`."""
        parts = flat.split([math.prod(shape) for shape in self.shapes])
        return [part.view(shape) for part, shape in zip(parts, self.shapes, strict=True)]

    def forward(self, weights: Weights, x: Tensor) -> tuple[Tensor, Tape]:
        """`x` (B, inputs) → (heads, B, outputs) and the tape for `backward`."""
        w1, b1, w2, b2, w3, b3 = weights
        x = x.expand(len(w1), *x.shape)
        z1 = torch.baddbmm(b1, x, w1)
        h1, *norm1 = torch.native_layer_norm(z1, [self.hidden], None, None, _EPS)
        z2 = torch.baddbmm(b2, h1.relu_(), w2)
        h2, *norm2 = torch.native_layer_norm(z2, [self.hidden], None, None, _EPS)
        out = torch.baddbmm(b3, h2.relu_(), w3)
        return out, Tape(x, z1, (norm1[0], norm1[1]), h1, z2, (norm2[0], norm2[1]), h2)

    def heads_forward(self, weights: Weights, x: Tensor, picked: Tensor) -> Tensor:
        """Outputs (len(picked), B, outputs) of some heads only, at the price of those heads only."""
        return self.forward([view.index_select(0, picked) for view in weights], x)[0]

    def backward(self, weights: Weights, tape: Tape, dy: Tensor, grads: Weights) -> None:
        """Gradient of the parameters for output gradient `dy` (heads, B, outputs), written into `grads`."""
        g1, gb1, g2, gb2, g3, gb3 = grads
        torch.bmm(tape.h2.transpose(1, 2), dy, out=g3)
        torch.sum(dy, 1, keepdim=True, out=gb3)
        dz2 = _through_second(weights, tape, dy)
        torch.bmm(tape.h1.transpose(1, 2), dz2, out=g2)
        torch.sum(dz2, 1, keepdim=True, out=gb2)
        dz1 = _through_first(weights, tape, dz2)
        torch.bmm(tape.x.transpose(1, 2), dz1, out=g1)
        torch.sum(dz1, 1, keepdim=True, out=gb1)

    def input_gradient(self, weights: Weights, tape: Tape, dy: Tensor) -> Tensor:
        """Gradient (B, inputs) of the input, summed over heads; the parameters' own are not computed."""
        dz1 = _through_first(weights, tape, _through_second(weights, tape, dy))
        return torch.bmm(dz1, weights[0].transpose(1, 2)).sum(0)


def _through_second(weights: Weights, tape: Tape, dy: Tensor) -> Tensor:
    dh2 = torch.bmm(dy, weights[4].transpose(1, 2))
    return _norm_relu_backward(dh2, tape.h2, tape.z2, tape.norm2)


def _through_first(weights: Weights, tape: Tape, dz2: Tensor) -> Tensor:
    dh1 = torch.bmm(dz2, weights[2].transpose(1, 2))
    return _norm_relu_backward(dh1, tape.h1, tape.z1, tape.norm1)


def _norm_relu_backward(dh: Tensor, h: Tensor, z: Tensor, norm: tuple[Tensor, Tensor]) -> Tensor:
    dn = torch.ops.aten.threshold_backward(dh, h, 0)
    return torch.ops.aten.native_layer_norm_backward(dn, z, [z.shape[-1]], *norm, None, None, [True, False, False])[0]


class Adam:
    """Adam (arXiv 1412.6980) over one flat vector: a single fused kernel per step, with gradient-norm clipping."""

    def __init__(self, flat: Tensor, lr: float, max_norm: float) -> None:
        self.flat, self.lr, self.max_norm = flat, lr, max_norm
        self.grad = torch.zeros_like(flat)
        self.mean = torch.zeros_like(flat)
        self.square = torch.zeros_like(flat)
        self.count = torch.zeros((), device=flat.device)

    def step(self) -> None:
        """One update from `grad`."""
        self.grad.mul_((self.max_norm / (torch.linalg.vector_norm(self.grad) + 1e-6)).clamp_(max=1.0))
        self.count += 1
        torch._fused_adam_(
            [self.flat], [self.grad], [self.mean], [self.square], [], [self.count],
            lr=self.lr, beta1=0.9, beta2=0.999, weight_decay=0.0, eps=1e-8, amsgrad=False, maximize=False,
        )  # fmt: skip

    def state(self, prefix: str) -> dict[str, Tensor]:
        """Everything a resumed run needs, by name; views, so `load` can copy back into them."""
        return {
            f"{prefix}.flat": self.flat,
            f"{prefix}.mean": self.mean,
            f"{prefix}.square": self.square,
            f"{prefix}.count": self.count,
        }
