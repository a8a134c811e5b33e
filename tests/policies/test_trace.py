"""What every policy that can be refined by likelihood promises of its traces."""

from __future__ import annotations

import math

import pytest
import torch

from burnish.errors import BurnishError
from burnish.policies.base import Policy
from burnish.policies.trace import Chain, GaussianChain, NoiseConfig, TokenChain

WITHOUT = {"residual", "behaviour", "omnijarvis", "lerobot", "mlp", "recurrent"}
"""They say that they have none."""
NOISES = {"fixed": NoiseConfig(least=0.2, most=0.4), "learned": NoiseConfig(least=0.2, most=0.4, learned=True)}


@pytest.fixture(params=NOISES)
def chain(policy: Policy, request: pytest.FixtureRequest) -> Chain | None:
    if policy.name in WITHOUT:
        with pytest.raises(BurnishError, match=f"{policy.name}.*no trace.*burnish refine residual"):
            policy.chain(NOISES[request.param])
        return None
    torch.manual_seed(0)
    return policy.chain(NOISES[request.param]).double()


def doubled(obs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {key: value.double() if value.is_floating_point() else value for key, value in obs.items()}


@torch.no_grad()
def test_a_trace_is_as_likely_as_the_draws_that_made_it(chain, observe):
    if chain is None:
        return
    obs, noise = doubled(observe(5)), torch.randn(5, *chain.noise_shape, dtype=torch.float64)
    trace = chain.draw(obs, noise)
    found = chain.log_prob(obs, trace)
    assert found.dtype is torch.float64
    if isinstance(chain, GaussianChain):
        drawn = noise[:, 1:].flatten(2)
        sigma = torch.stack([chain.deviation(obs, k).expand(noise[:, 0].shape) for k in range(found.shape[1])], 1)
        expected = -0.5 * drawn.square() - sigma.flatten(2).log() - 0.5 * math.log(2 * math.pi)
    else:
        # The same code again: of everything that could have been written, the share of what was.
        assert isinstance(chain, TokenChain)
        every = chain.log_probs(obs, trace)
        torch.testing.assert_close(every.exp().sum(2), torch.ones_like(every[:, :, 0]))
        expected = every.gather(2, trace.path[:, :, None])
    torch.testing.assert_close(found, expected, atol=1e-9, rtol=1e-9)


@torch.no_grad()
def test_zeros_draw_the_policys_deterministic_chunk(chain, observe):
    if chain is None:
        return
    obs = doubled(observe(4))
    start = torch.zeros(4, *chain.noise_shape, dtype=torch.float64)
    policy = chain.policy
    own = torch.zeros(4, *policy.noise_shape, dtype=torch.float64)
    wanted = policy.sample(policy.encode(obs), own)
    torch.testing.assert_close(chain.draw(obs, start).chunk, wanted)


def test_the_gradient_is_the_slope(chain, observe):
    if chain is None:
        return
    obs = doubled(observe(3))
    with torch.no_grad():
        trace = chain.draw(obs, torch.randn(3, *chain.noise_shape, dtype=torch.float64))
    learned = [parameter for parameter in chain.parameters() if parameter.requires_grad]
    generator = torch.Generator().manual_seed(1)
    way = [torch.randn(each.shape, generator=generator, dtype=torch.float64) for each in learned]
    grads = torch.autograd.grad(chain.log_prob(obs, trace).sum(), learned, allow_unused=True)
    slope = sum(float((g * w).sum()) for g, w in zip(grads, way, strict=True) if g is not None)

    def moved(by: float) -> float:
        with torch.no_grad():
            for parameter, w in zip(learned, way, strict=True):
                parameter.add_(by * w)
            found = float(chain.log_prob(obs, trace).sum())
            for parameter, w in zip(learned, way, strict=True):
                parameter.sub_(by * w)
        return found

    step = 1e-6
    assert slope == pytest.approx((moved(step) - moved(-step)) / (2 * step), rel=1e-4, abs=1e-4)


@torch.no_grad()
def test_importance_ratios_average_to_one(chain, observe):
    if chain is None:
        return
    count = 1000
    one = doubled(observe(1))
    obs = {key: value.expand(count, *value.shape[1:]) for key, value in one.items()}
    noise = torch.randn(count, *chain.noise_shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    trace = chain.draw(obs, noise)
    before = chain.log_prob(obs, trace)
    for parameter in chain.parameters():
        if parameter.is_floating_point() and parameter.requires_grad:
            parameter.mul_(1.002)
    ratio = (chain.log_prob(obs, trace) - before).sum((1, 2)).exp()
    assert ratio.std() > 1e-4
    assert float(ratio.mean()) == pytest.approx(1.0, abs=5 * float(ratio.std()) / math.sqrt(count))


@torch.no_grad()
def test_a_policy_that_acts_by_the_likeliest_code_still_tries_others(make, tiny_mint, observe):
    policy = make("mint", **tiny_mint | {"temperature": 0.0})
    obs, noise = observe(20), torch.randn(20, *policy.noise_shape)
    drawn = policy.chain(NoiseConfig()).draw(obs, noise).path
    assert (drawn != policy.draw(policy.encode(obs), noise, 0.0)).any()
    cold = policy.chain(NoiseConfig(temperature=1e-4)).draw(obs, noise)
    torch.testing.assert_close(cold.chunk, policy.sample(policy.encode(obs), noise))
    with pytest.raises(BurnishError, match=r"temperature 0.*positive"):
        NoiseConfig(temperature=0.0)


@pytest.mark.parametrize(("least", "most"), [(0.0, 0.1), (0.3, 0.2)])
def test_noise_that_is_none_is_refused(least, most):
    with pytest.raises(BurnishError, match=f"from {least} to {most}"):
        NoiseConfig(least, most)
