"""Real-time chunking: guidance against mathematics, and chunks that go on where the last one left off."""

from __future__ import annotations

import functools
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from burnish.contract import ACTION
from burnish.errors import BurnishError, ContractError, NonFiniteError
from burnish.exported import ExportedPolicy
from burnish.handover import soft_mask
from burnish.policies.backward import flatten_derivatives
from burnish.policies.export import ExportConfig, export
from burnish.policies.networks.denoiser import Denoiser
from burnish.policies.realtime import RealTimeConfig

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
import two_ways  # the benchmark's own task

SMALL = {"width": 16, "depth": 1, "horizon": 8, "replan": 2}
KINDS = {
    "flow": ("flow", {"steps": 4}),
    "ddim": ("diffusion", {"steps": 4}),
    "ddpm": ("diffusion", {"steps": 4, "sampler": "ddpm"}),
    "v": ("diffusion", {"steps": 4, "prediction": "v_prediction"}),
    "meanflow": ("meanflow", {}),
    "consistency": ("flow", {"consistency": True, "steps": 2}),
}


@pytest.fixture(params=KINDS)
def planner(request, make):
    name, config = KINDS[request.param]
    return make(name, **SMALL, **config).realtime(RealTimeConfig(draws=4))


def previous_of(planner, rows: int, known: int) -> Tensor:
    chunk = torch.randn(rows, known, 4, generator=torch.Generator().manual_seed(2))
    return planner.policy.normalizer.action(0.5 * chunk)


@given(st.integers(1, 40), st.data())
def test_the_mask_is_1_where_frozen_then_falls_to_0(horizon, data):
    known = data.draw(st.integers(0, horizon))
    frozen = data.draw(st.integers(0, known))
    mask = soft_mask(horizon, known, np.array([frozen]))[0]
    assert (mask[:frozen] == 1).all()
    assert ((mask[frozen:known] > 0) & (mask[frozen:known] < 1)).all()
    assert (mask[known:] == 0).all()
    assert (np.diff(mask) <= 0).all()


def test_the_mask_is_the_papers():
    """Equation 5 with H = 5, s = 2, d = 1: c = (H − s − i) / (H − s − d + 1)."""
    c = np.array([2 / 3, 1 / 3])
    expected = [1.0, *(c * (np.exp(c) - 1) / (np.e - 1)), 0.0, 0.0]
    assert soft_mask(5, 3, np.array([1]))[0] == pytest.approx(expected, abs=1e-6)


class Gaussian(Denoiser):
    """The exact velocity where x ~ N(0, Σ) over the flattened chunk: e − x with x̂ = τ Σ (τ² Σ + (1 − τ)²)⁻¹ z."""

    def __init__(self, covariance: Tensor) -> None:
        super().__init__()
        self.covariance = covariance

    def forward(self, z, t, r, condition):
        tau = 1 - t[0]
        spread = tau**2 * self.covariance + t[0] ** 2 * torch.eye(len(self.covariance))
        x = (z.flatten(1) @ torch.linalg.solve(spread, tau * self.covariance)).view(z.shape)
        return (z - x) / t[:, None, None], condition


def smooth(length: int, reach: float) -> Tensor:
    index = torch.arange(length)
    return torch.exp(-(index[:, None] - index).square() / (2 * reach**2)) + 1e-3 * torch.eye(length)


def test_of_independent_normal_numbers_the_frozen_ones_are_met_exactly(make):
    """x ~ N(0, 1): x̂ = a z / (a² + b²), so the unclipped weight turns x̂ into the target itself."""
    policy = make("flow", **SMALL, steps=3)
    policy.network = Gaussian(torch.eye(32))
    planner = policy.realtime(RealTimeConfig(guidance=1e6))
    noise, target = torch.randn(2, 5, 8, 4, generator=torch.Generator().manual_seed(0))
    weights = (torch.arange(8) < 3).float().view(1, 8, 1)
    drawn = planner.draw(torch.zeros(5, 9), noise, target, weights)
    assert torch.allclose(drawn[:, :3], target[:, :3], atol=1e-5)
    free = policy.sample(torch.zeros(5, 9), noise)
    assert torch.allclose(drawn[:, 3:], free[:, 3:], atol=1e-5)
    half = RealTimeConfig(guidance=0.3)  # clipped: on the way, but not there
    near = policy.realtime(half).draw(torch.zeros(5, 9), noise, target, weights)
    assert (near - target)[:, :3].abs().mean() < 0.9 * (free - target)[:, :3].abs().mean()


def test_what_follows_the_frozen_actions_goes_along_where_actions_are_smooth(make):
    """The exact posterior mean is known; r² is one number where it should be a matrix, so it is approached, not met."""
    policy, correlation = make("flow", **SMALL, steps=50), smooth(8, 2.0)
    policy.network = Gaussian(torch.kron(correlation, torch.eye(4)))
    planner = policy.realtime(RealTimeConfig(guidance=1e3))
    generator = torch.Generator().manual_seed(0)
    given = torch.linalg.cholesky(correlation) @ torch.randn(8, 4, generator=generator)
    target, weights = given.expand(200, 8, 4), (torch.arange(8) < 3).float().view(1, 8, 1)
    noise = torch.randn(200, 8, 4, generator=generator)
    drawn = planner.draw(torch.zeros(200, 9), noise, target, weights)
    assert float((drawn[:, :3] - target[:, :3]).abs().max()) < 0.1
    posterior = correlation[3:, :3] @ torch.linalg.solve(correlation[:3, :3], given[:3])
    apart = policy.sample(torch.zeros(200, 9), noise)
    missed, missed_apart = ((each[:, 3].mean(0) - posterior[0]).norm() for each in (drawn, apart))
    assert missed < 0.5 * missed_apart


@pytest.mark.parametrize("kind", ["flow", "v"])
def test_guidance_is_the_gradient_of_the_weighted_error(make, kind):
    """One step turned by −½ ∇ Σ w (target − x̂)², by finite differences; the estimate is the network's E[x | z]."""
    name, config = KINDS[kind]
    policy = make(name, **SMALL | {"denoiser": "dit"}, **config | {"steps": 2}).double()
    policy.limit = torch.inf  # diffusion's own would have no slope outside
    if name == "diffusion":
        policy.scheduler.register_to_config(clip_sample=False)
    generator = torch.Generator().manual_seed(0)
    z, target = 0.5 * torch.randn(2, 1, 8, 4, generator=generator, dtype=torch.float64)
    weights, condition = torch.rand(1, 8, 1, generator=generator, dtype=torch.float64), torch.ones(1, 9).double()
    (a, b), (a_after, b_after) = policy.level(0), policy.level(1)
    kept = b_after / b

    def estimate(z: Tensor) -> Tensor:
        if name == "flow":
            return z - policy._velocity(z, torch.ones(1).double(), condition)
        return a * z - b * policy._predict(z, torch.full((1,), float(policy._times[0])).double(), condition)

    def error(flat: Tensor) -> Tensor:
        return 0.5 * (weights * (target - estimate(flat.view_as(z))).square()).sum()

    with torch.no_grad():
        h, unit = 1e-6, torch.eye(32, dtype=torch.float64)
        slopes = torch.stack([(error(z.flatten() + h * e) - error(z.flatten() - h * e)) / (2 * h) for e in unit])
        scale = min(5.0 * b, (a * a + b * b) / max(a, 1e-9))
        x = estimate(z) - scale * slopes.view_as(z)
        after = a_after * x + kept * (z - a * x)
        expected = planner_from(policy, 1).draw(condition, after, target, weights)
        found = policy.realtime(RealTimeConfig()).draw(condition, z, target, weights)
    assert slopes.abs().max() > 1e-3
    assert torch.allclose(found, expected, rtol=1e-6, atol=1e-6)


def planner_from(policy, begin: int):
    """A planner whose steps before `begin` are over."""
    planner = policy.realtime(RealTimeConfig())
    whole, steps = planner.steps, policy.nfe

    class Rest:
        horizon, nfe, limit, noise_shape = whole.horizon, steps - begin, whole.limit, whole.noise_shape

        def level(self, k):
            return whole.level(k + begin)

        def deviation(self, k):
            return whole.deviation(k + begin)

        def advance(self, z, k, condition):
            return whole.advance(z, k + begin, condition)

    return type(planner)(policy, Rest(), RealTimeConfig())


@torch.no_grad()
def test_with_nothing_given_it_is_the_plain_plan(planner, observe):
    noise = torch.randn(3, *planner.noise_shape)
    plan = planner.plan(observe(3), noise, torch.zeros(3, 0, 4), 0)
    first = noise.reshape(3, -1, *planner.policy.noise_shape)[:, 0]
    assert torch.equal(plan, planner.policy.act(observe(3), first))
    free = planner.complete(observe(3), noise, torch.zeros(3, 8, 4), torch.zeros(3, 8))
    assert torch.allclose(free, plan, atol=1e-3)  # `diffusers` counts in single precision


@torch.no_grad()
def test_frozen_actions_come_back_unchanged_and_in_bounds_row_by_row(planner, observe, contract):
    noise, previous = torch.randn(4, *planner.noise_shape), previous_of(planner, 4, 6)
    frozen = torch.tensor([0, 1, 3, 6])
    plan = planner.plan(observe(4), noise, previous, frozen)
    assert plan.shape == (4, 8, 4)
    low, high = torch.tensor(contract.action.low), torch.tensor(contract.action.high)
    assert ((plan >= low) & (plan <= high)).all()
    for row, count in enumerate(frozen.tolist()):
        assert torch.equal(plan[row, :count], previous[row, :count])
        one = {key: value[row : row + 1] for key, value in observe(4).items()}
        alone = planner.plan(one, noise[row : row + 1], previous[row : row + 1], count)
        assert torch.allclose(alone[0], plan[row], atol=1e-5)
    outside = planner.plan(observe(4), noise, 1e3 * previous, 6)
    assert ((outside >= low) & (outside <= high)).all()


def test_what_cannot_be_continued_is_refused(planner, observe):
    noise, previous = torch.randn(2, *planner.noise_shape), previous_of(planner, 2, 3)
    plan = functools.partial(planner.plan, observe(2), noise)
    with pytest.raises(BurnishError, match="4 frozen actions, but 3 previous ones"):
        plan(previous, 4)
    with pytest.raises(BurnishError, match="-1 frozen actions"):
        plan(previous, torch.tensor([0, -1]))
    with pytest.raises(BurnishError, match="9 previous actions are more than a chunk's 8"):
        plan(previous_of(planner, 2, 9), 1)
    with pytest.raises(ContractError, match=r"previous actions have the shape \(2, 3, 2\), expected \(2, K, 4\)"):
        plan(previous[:, :, :2], 1)
    with pytest.raises(ContractError, match=r"frozen has the shape \(3,\), expected one number or \(2,\)"):
        plan(previous, torch.zeros(3, dtype=torch.long))
    with pytest.raises(ContractError, match=r"noise has the shape \(1, "):
        planner.plan(observe(2), noise[:1], previous, 1)
    previous[1, 2, 0] = torch.nan
    with pytest.raises(NonFiniteError, match="previous action in row 1"):
        plan(previous, 1)


@pytest.mark.parametrize("setting", [{"guidance": 0.0}, {"draws": 0}])
def test_settings_that_do_nothing_are_refused(setting):
    with pytest.raises(BurnishError, match="must be above 0"):
        RealTimeConfig(**setting)


def test_a_policy_that_cannot_says_what_to_do_instead(make, tmp_path):
    tokenizer = {"tokenizer": "bins", "tokenizer_config": {"horizon": 4, "bins": 16}}
    policy = make("tokens", **tokenizer, width=16, depth=1, replan=2)
    with pytest.raises(BurnishError, match=r"'tokens' cannot plan around .*synchronously or as a temporal ensemble"):
        policy.realtime(RealTimeConfig())
    with pytest.raises(BurnishError, match="'tokens' cannot plan around"):
        export(policy, tmp_path, ExportConfig(realtime=True))
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module", params=["flow", "diffusion", pytest.param("meanflow", marks=pytest.mark.slow)])
def decided(request):
    """A policy that has learned two ways round an obstacle."""
    config = {"prediction": "sample"} if request.param == "diffusion" else {}
    return two_ways.trained(request.param, 300, **config)


def test_the_next_chunk_stays_on_its_side_where_independent_ones_jump_across(decided):
    found = two_ways.splice(decided.realtime(RealTimeConfig()))
    shares = {name: float(value.float().mean()) for name, value in found.items() if value.dtype is torch.bool}
    assert 0.35 < shares["apart_turns"] < 0.65
    assert shares["realtime_turns"] < 0.1
    assert found["apart"].median() > 2 * found["realtime"].median()
    assert found["realtime"].quantile(0.9) < 1.5 * found["within"].quantile(0.9)


@torch.no_grad()
def test_planning_alone_brings_the_frozen_actions_near(decided):
    planner, generator = decided.realtime(RealTimeConfig()), torch.Generator().manual_seed(3)
    obs = {"observation.state": two_ways.observe(torch.full((64,), -0.6))}
    noise = torch.randn(2, 64, *planner.noise_shape, generator=generator)
    target = decided.act(obs, noise[0].reshape(64, -1, *decided.noise_shape)[:, 0])
    weights = torch.from_numpy(soft_mask(two_ways.HORIZON, 12, np.full(64, 3)))[:, :, None]
    condition = decided.network.read(decided.encode(obs))
    wanted = decided.normalizer.normalize(ACTION, target)
    drawn = planner.draw(condition, noise[1], wanted, weights)
    apart = decided.sample(decided.encode(obs), noise[1].reshape(64, -1, *decided.noise_shape)[:, 0])

    def off(chunk: Tensor) -> Tensor:
        return (chunk - wanted)[:, :3].abs().amax((1, 2))

    assert off(drawn).median() < 0.2
    assert off(drawn).mean() < 0.5 * off(apart).mean()


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_flattened_derivatives_are_those_of_autograd(stride):
    def slope(x: Tensor) -> Tensor:
        return torch.func.vjp(lambda x: x[:, 1:6:stride].softmax(1).cos(), x)[1](torch.ones_like(x[:, 1:6:stride]))[0]

    flat, x = flatten_derivatives(slope, [torch.zeros(2, 7, 3)]), torch.randn(2, 7, 3)
    assert torch.allclose(flat(x), slope(x), atol=1e-6)


EXPORTED = [
    ("flow", {"denoiser": "mlp", "steps": 2}),
    ("diffusion", {"denoiser": "mlp", "steps": 2, "sampler": "ddpm", "prediction": "v_prediction"}),
    ("meanflow", {"denoiser": "mlp"}),
    pytest.param("flow", {"denoiser": "unet", "depth": 2, "steps": 2}, marks=pytest.mark.slow),
    *(
        pytest.param(name, {"denoiser": denoiser, **steps}, marks=pytest.mark.slow)
        for name, steps in (("flow", {"steps": 2}), ("diffusion", {"steps": 2}), ("meanflow", {}))
        for denoiser in ("dit", "dita")
    ),
]


@pytest.mark.parametrize(("name", "config"), EXPORTED)
def test_the_exported_planner_plans_the_same(make, observe, tmp_path, name, config):
    policy = make(name, **SMALL | config)
    result = export(policy, tmp_path, ExportConfig(observations=8, calls=2, realtime=True))
    assert result["max_abs_difference_realtime"] <= 1e-4
    assert result["latency_realtime"]["ONNX Runtime, 1 thread"]["p50_ms"] > 0
    exported, planner = ExportedPolicy(tmp_path), policy.realtime(RealTimeConfig())
    assert exported.realtime
    assert exported.realtime_noise_shape == planner.noise_shape
    arrays = {key: value.numpy() for key, value in observe(3).items()}
    for known in (0, 5, 8):
        previous, noise = previous_of(planner, 3, known), torch.randn(3, *planner.noise_shape)
        frozen = torch.tensor([0, known // 2, known])
        ours = planner.plan(observe(3), noise, previous, frozen).numpy()
        theirs = exported.act_realtime(arrays, noise.numpy(), previous.numpy(), frozen.numpy())
        assert np.abs(ours - theirs).max() <= 1e-4
    drawn = exported.act_realtime(arrays, np.random.default_rng(0), previous.numpy(), 2)
    assert drawn.shape == (3, 8, 4)
    with pytest.raises(BurnishError, match="9 frozen actions, but 8 previous ones"):
        exported.act_realtime(arrays, noise.numpy(), previous.numpy(), 9)


def test_a_folder_exported_without_says_how_to_add_it(make, observe, tmp_path):
    export(make("flow", **SMALL, steps=2), tmp_path, ExportConfig(observations=8, calls=2))
    description = json.loads((tmp_path / "policy.json").read_text())
    description.pop("realtime_noise_shape")  # as written before there was any
    (tmp_path / "policy.json").write_text(json.dumps(description))
    exported = ExportedPolicy(tmp_path)
    assert not exported.realtime
    arrays = {key: value.numpy() for key, value in observe(1).items()}
    with pytest.raises(BurnishError, match=r"without real-time chunking; .*--export\.realtime"):
        exported.act_realtime(arrays, np.random.default_rng(0), np.zeros((1, 2, 4)), 1)
