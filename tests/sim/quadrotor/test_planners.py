"""Plans through gates: what a minimum-snap trajectory is, what it takes of the limits, and how it flies."""

import numpy as np
import pytest
import torch

from burnish.errors import BurnishError
from burnish.sim.base import make_env
from burnish.sim.quadrotor.planners import MinimumSnap, demand, middles
from burnish.sim.quadrotor.racing import Racer
from burnish.sim.quadrotor.snap import Trajectory, through
from burnish.sim.quadrotor.tasks import RACE
from burnish.sim.quadrotor.vehicles import named

LANES = 6


def some(seed: int = 0) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(seed)
    start, places, leaving = (
        torch.randn(*shape, LANES, generator=generator).double() for shape in ((4, 3), (2, 3), (3,))
    )
    return start, places, 1 + torch.rand(2, LANES, generator=generator).double(), leaving


def test_it_begins_passes_and_ends_as_it_was_told_without_a_jerk():
    start, places, times, leaving = some()
    plan = through(start, places, times, leaving)
    assert torch.allclose(plan.at(torch.zeros(LANES))[:4], start)
    before, after = (plan.at(times[0] + moment) for moment in (-1e-9, 1e-9))
    assert torch.allclose(before, after, atol=1e-4)
    assert torch.allclose(after[0], places[0], atol=1e-6)
    end = plan.at(times.sum(0))
    assert torch.allclose(end[0], places[1]) and torch.allclose(end[1], leaving)
    assert torch.allclose(plan.sampled(4)[:, :, 1, -1], end)


def test_no_other_way_through_the_same_places_has_less_snap():
    """Any change that keeps what was told is orthogonal to the snap: ∫ p⁗ q⁗ dt = 0."""
    start, places, times, leaving = some(1)
    plan, total, count = through(start, places, times, leaving), times.sum(0), 400
    step = torch.arange(1, count + 1).double()[:, None] / count
    moments = torch.stack([step * times[0], times[0] + step * times[1]])
    for extra in (0, 1):  # q = t⁴ (t − T₁) (t − T)² tᵏ, which keeps all that; its terms, highest power first
        changed = torch.zeros_like(moments)
        for lane in range(LANES):
            terms = np.poly([0.0] * (4 + extra) + [times[0, lane].item()] + [total[lane].item()] * 2)
            changed[..., lane] = torch.from_numpy(np.polyval(np.polyder(terms, 4), moments[..., lane].numpy()))
        product = plan.sampled(count)[4] * changed
        assert ((product.mean(2) * times).sum(1).abs() < 0.02 * (product.abs().mean(2) * times).sum(1)).all()


def at_home() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    start = torch.zeros(4, 3, LANES, dtype=torch.float64)
    start[0, 2] = 1.5
    gates = RACE.know(RACE.draw(torch.arange(LANES)).double(), torch.zeros(LANES), torch.zeros(LANES))
    return start, gates, named("x500", LANES).double()


def test_hanging_still_takes_its_weight_and_nothing_else():
    _, _, vehicle = at_home()
    still = Trajectory(torch.zeros(1, 8, 3, LANES, dtype=torch.float64), torch.ones(1, LANES, dtype=torch.float64))
    thrust, tilt, dive, spin, faster = demand(still, vehicle).amax(1)
    assert thrust.tolist() == pytest.approx([2.064 * 9.80665 / (4 * 8.55 * 0.9)] * LANES)
    assert dive.tolist() == pytest.approx([0.3] * LANES)
    assert max(part.max() for part in (tilt, spin, faster)) < 1e-4


@pytest.mark.parametrize("share", [0.85, 1.0])
def test_minimum_snap_goes_through_the_middles_within_the_limits_and_no_slower_than_it_must(share):
    start, gates, vehicle = at_home()
    plan = MinimumSnap(share).plan(start, gates, vehicle)
    assert torch.allclose(plan.at(plan.times[0])[0], middles(gates)[0][0], atol=1e-6)
    worst = demand(plan, vehicle).amax((0, 1))
    assert (worst <= share).all() and (worst > 0.8 * share).all()


def test_a_racer_passes_gates_and_plans_at_each():
    with make_env("quadrotor/race", 4, settings={"vehicle": "x500", "noise": 0.0}) as env:
        racer, obs = Racer(env, MinimumSnap(0.95)), env.reset(range(4))
        for _ in range(450):
            step = env.step(racer.act(obs))
            obs = step.obs
            assert not step.done.any()
        passed = racer.env.flights.progress
        assert (passed >= 1).all() and passed.sum() >= 6
        assert 4 + passed.sum() <= racer.count <= 40


def test_a_racer_flies_nothing_else():
    with (
        make_env("quadrotor/hover", 1) as env,
        pytest.raises(BurnishError, match="flies quadrotor/race, not quadrotor"),
    ):
        Racer(env, MinimumSnap())
