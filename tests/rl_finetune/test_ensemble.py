"""The hand-written backward pass against autograd and finite differences."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import layer_norm, relu

from burnish.policies.ensemble import Adam, EnsembleMLP


def reference(net: EnsembleMLP, flat: Tensor, x: Tensor) -> Tensor:
    """One head after the other, the way a reader would write it."""
    w1, b1, w2, b2, w3, b3 = net.views(flat)
    outs = []
    for k in range(net.heads):
        h = relu(layer_norm(x @ w1[k] + b1[k], (net.hidden,)))
        h = relu(layer_norm(h @ w2[k] + b2[k], (net.hidden,)))
        outs.append(h @ w3[k] + b3[k])
    return torch.stack(outs)


@settings(max_examples=20, deadline=None)
@given(heads=st.integers(1, 4), inputs=st.integers(1, 7), hidden=st.integers(2, 9), outputs=st.integers(1, 3))
def test_gradients_are_autograds(heads: int, inputs: int, hidden: int, outputs: int) -> None:
    """Parameters and inputs, for any sizes."""
    net = EnsembleMLP(heads, inputs, hidden, outputs)
    flat = net.init(torch.Generator().manual_seed(0)).double().requires_grad_()
    x = torch.randn(5, inputs, dtype=torch.float64, requires_grad=True)
    dy = torch.randn(heads, 5, outputs, dtype=torch.float64)
    (reference(net, flat, x) * dy).sum().backward()
    with torch.no_grad():
        weights = net.views(flat)
        y, tape = net.forward(weights, x)
        grad = torch.zeros_like(flat)
        net.backward(weights, tape, dy, net.views(grad))
        torch.testing.assert_close(y, reference(net, flat, x))
        torch.testing.assert_close(grad, flat.grad)
        torch.testing.assert_close(net.input_gradient(weights, tape, dy), x.grad)


def test_gradient_is_the_finite_difference() -> None:
    """Independent of autograd: central differences along random directions, float64. Drawn from a seed: a difference
    across a kink is no gradient."""
    random = torch.Generator().manual_seed(2)
    net = EnsembleMLP(3, 4, 16, 2)
    flat = net.init(torch.Generator().manual_seed(1)).double()
    x, dy = (torch.randn(*shape, dtype=torch.float64, generator=random) for shape in ((6, 4), (3, 6, 2)))
    grad = torch.zeros_like(flat)
    weights = net.views(flat)
    net.backward(weights, net.forward(weights, x)[1], dy, net.views(grad))
    for _ in range(5):
        direction = torch.randn(flat.shape, dtype=torch.float64, generator=random)
        step = 1e-6
        up, down = ((net.forward(net.views(flat + s * step * direction), x)[0] * dy).sum() for s in (1, -1))
        assert float((up - down) / (2 * step)) == pytest.approx(float(grad @ direction), rel=1e-4, abs=1e-6)


def test_some_heads_alone_give_what_they_give_together() -> None:
    """`heads_forward` is a row selection of `forward`."""
    net = EnsembleMLP(10, 4, 8, 1)
    weights, x = net.views(net.init(torch.Generator().manual_seed(0))), torch.randn(6, 4)
    picked = torch.tensor([7, 2])
    torch.testing.assert_close(net.heads_forward(weights, x, picked), net.forward(weights, x)[0][picked])


def test_adam_is_torchs() -> None:
    """The fused step on a flat vector follows `torch.optim.Adam` with gradient-norm clipping."""
    flat = torch.randn(20)
    theirs = flat.clone().requires_grad_()
    ours, optimizer = Adam(flat, 1e-2, 1.0), torch.optim.Adam([theirs], 1e-2)
    for _ in range(10):
        gradient = torch.randn(20)
        ours.grad.copy_(gradient)
        ours.step()
        theirs.grad = gradient.clone()
        torch.nn.utils.clip_grad_norm_([theirs], 1.0)
        optimizer.step()
    torch.testing.assert_close(flat, theirs.detach())
