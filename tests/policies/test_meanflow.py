"""MeanFlow against mathematics: finite differences, and flows whose average velocity is known in closed form."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from burnish.contract import ACTION
from burnish.policies.meanflow import dispersive_loss, normal_velocity
from burnish.policies.networks.denoiser import Denoiser

SMALL = {"width": 16, "depth": 2, "horizon": 4, "replan": 2}


class Closed(Denoiser):
    """A network given by a formula."""

    def __init__(self, formula) -> None:
        super().__init__()
        self.formula = formula

    def forward(self, z: Tensor, t: Tensor, r: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        return self.formula(z, t[:, None, None], r[:, None, None]), condition


@pytest.mark.parametrize("denoiser", ["unet", "dit", "mlp", "dita"])
def test_the_derivative_along_the_flow_matches_finite_differences(make, denoiser):
    policy = make("meanflow", **SMALL, denoiser=denoiser).double()
    generator = torch.Generator().manual_seed(0)
    z, v = torch.randn(2, 6, 4, 4, generator=generator, dtype=torch.float64)
    t, r = torch.rand(2, 6, generator=generator, dtype=torch.float64)
    seen = torch.randn(6, policy.condition_dim, generator=generator, dtype=torch.float64)
    condition = policy.network.read(seen).detach()
    du_dt = policy.derivative(z, t, r, v, condition)
    h = 1e-5
    ahead, behind = (policy.network(z + s * v, t + s, r, condition)[0] for s in (h, -h))
    assert torch.allclose(du_dt, (ahead - behind) / (2 * h), rtol=1e-5, atol=1e-8)
    assert du_dt.abs().max() > 1e-3


def test_a_single_target_has_no_loss_at_its_average_velocity_and_is_hit_in_one_step(make):
    """All data at x: the flow is straight and u(z, t, r) = (z − x) / t for every r."""
    policy = make("meanflow", **SMALL)
    low, high = (torch.tensor(bound) for bound in (policy.contract.action.low, policy.contract.action.high))
    action = low + 0.3 * (high - low)
    x = policy.normalizer.normalize(ACTION, action)
    policy.network = Closed(lambda z, t, r: (z - x) / t)
    obs = {key: torch.zeros(64, *field.shape) for key, field in policy.contract.observation.items()}
    loss, metrics = policy.loss({**obs, ACTION: action.expand(64, 4, 4)}, torch.Generator().manual_seed(0))
    assert float(metrics["velocity_mse"]) < 1e-8
    assert float(loss) < 1e-6
    assert torch.allclose(policy.act(obs, torch.randn(64, 4, 4)), action.expand(64, 4, 4), atol=1e-6)


def test_a_gaussian_obeys_the_identity_and_is_sampled_in_one_step(make):
    """x ~ N(0, σ²): z_t has deviation s(t), flows along z_r = z_t s(r)/s(t), so u = z (1 − s(r)/s(t)) / (t − r)."""
    sigma = 0.4
    policy = make("meanflow", **SMALL).double()

    def deviation(t: Tensor) -> Tensor:
        return ((1 - t) ** 2 * sigma**2 + t**2).sqrt()

    policy.network = Closed(lambda z, t, r: z * (1 - deviation(r) / deviation(t)) / (t - r))
    z = torch.randn(200, 4, 4, dtype=torch.float64)
    t, r = 0.5 + 0.5 * torch.rand(200, dtype=torch.float64), 0.45 * torch.rand(200, dtype=torch.float64)
    wide = t[:, None, None]
    marginal_velocity = z * (wide - (1 - wide) * sigma**2) / deviation(wide) ** 2
    condition = torch.zeros(200, policy.normalizer.condition_dim, dtype=torch.float64)
    u, du_dt = policy.network(z, t, r, condition)[0], policy.derivative(z, t, r, marginal_velocity, condition)
    assert torch.allclose(u, marginal_velocity - (t - r)[:, None, None] * du_dt, atol=1e-10)
    assert torch.allclose(policy.sample(condition, z), sigma * z)


def test_times_are_ordered_and_half_of_them_equal(make):
    policy = make("meanflow", **SMALL)
    t, r = policy.times(4000, torch.Generator().manual_seed(0), torch.device("cpu"))
    assert ((r > 0) & (r <= t) & (t < 1)).all()
    assert float((r == t).float().mean()) == pytest.approx(0.5, abs=0.03)


def test_the_dispersive_loss_pushes_features_apart(make, make_chunks):
    together, apart = torch.zeros(8, 3), 5 * torch.randn(8, 3, generator=torch.Generator().manual_seed(0))
    assert float(dispersive_loss(together, 1.0)) == pytest.approx(0.0, abs=1e-6)
    assert dispersive_loss(apart, 1.0) < -0.5
    policy = make("meanflow", **SMALL, dispersive_weight=0.5)
    loss, metrics = policy.loss(make_chunks(8, 4), torch.Generator().manual_seed(0))
    loss.backward()
    assert "dispersive" in metrics
    assert all(torch.isfinite(p.grad).all() for p in policy.parameters() if p.grad is not None)


@given(st.floats(0.0, 1.0), st.floats(0.0, 1.0), st.floats(0.01, 2.0))
def test_normal_actions_are_answered_exactly_without_a_network(first, second, std):
    t, r = (torch.tensor([each], dtype=torch.float64) for each in (max(first, second), min(first, second)))
    k = normal_velocity(t, r, std)

    def scale(time):
        return (time**2 + (1 - time) ** 2 * std**2) ** 0.5

    # z_t − z_r = (t − r) u, and the flow from t to r multiplies z by s(r) / s(t).
    assert torch.allclose(1 - (t - r) * k, scale(r) / scale(t), atol=1e-9)
    ends = normal_velocity(torch.ones(1, dtype=torch.float64), torch.zeros(1, dtype=torch.float64), std)
    assert float(1 - ends) == pytest.approx(std)  # one step makes x ~ N(0, std²) of noise
