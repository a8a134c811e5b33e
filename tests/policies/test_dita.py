"""Denoising in context: nothing sees what comes after it, and what is read once is what would be read every step."""

import pytest
import torch

from burnish.policies.networks.dita import Dita

HORIZON = 5
PARTS = {"state": (1, 6), "language": (1, 4), "images": (8, 3)}
SEEN = 10


@pytest.fixture
def network() -> Dita:
    torch.manual_seed(0)
    made = Dita(HORIZON, 2, PARTS, width=16, depth=1).double()
    torch.nn.init.normal_(made.out.weight)
    return made


@pytest.fixture
def given() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    z = torch.randn(3, HORIZON, 2, generator=generator, dtype=torch.float64)
    t, r = torch.rand(2, 3, generator=generator, dtype=torch.float64)
    return {"z": z, "t": t, "r": r, "condition": torch.randn(3, 34, generator=generator, dtype=torch.float64)}


@torch.no_grad()
@pytest.mark.parametrize("changed", range(HORIZON))
def test_an_action_depends_on_no_later_one(network, given, changed):
    seen = network.read(given["condition"])
    other = given["z"].clone()
    other[:, changed] += 1.0
    before, after = (network(z, given["t"], given["r"], seen)[0] for z in (given["z"], other))
    assert torch.equal(before[:, :changed], after[:, :changed])
    assert ((before - after)[:, changed:].abs().amax((0, 2)) > 1e-6).all()


@torch.no_grad()
@pytest.mark.parametrize("changed", [0, 1, 2, SEEN - 1])
def test_what_is_observed_is_read_in_order(network, given, changed):
    begins = [0, 6, *range(10, 34, 3)]
    other = given["condition"].clone()
    other[:, begins[changed]] += 1.0
    first, second = network.read(given["condition"]), network.read(other)
    same = (first - second).abs().amax((0, 1, 2, 3, 5)) == 0
    assert same.tolist() == [index < changed for index in range(SEEN)]
    for seen in (first, second):
        assert seen.shape[:2] == (3, len(network.blocks))
    outs = [network(given["z"], given["t"], given["r"], seen)[0] for seen in (first, second)]
    assert ((outs[0] - outs[1]).abs().amax((0, 2)) > 1e-6).all()


@torch.no_grad()
def test_what_is_read_once_is_what_one_pass_over_everything_would_read(network, given):
    x = torch.cat([network.observed(given["condition"]), network.noised(given["z"], given["t"], given["r"])], dim=1)
    for block in network.blocks:
        x, _ = block(x, network.mask)
    whole = network.out(network.norm(x))[:, SEEN + 1 :]
    in_steps, _ = network(given["z"], given["t"], given["r"], network.read(given["condition"]))
    assert torch.allclose(in_steps, whole, rtol=0, atol=1e-12)


@torch.no_grad()
def test_both_times_count(network, given):
    seen = network.read(given["condition"])
    outs = [network(given["z"], t, r, seen)[0] for t, r in ((0.9, 0.9), (0.9, 0.1), (0.5, 0.1))
            for t, r in [(torch.full_like(given["t"], t), torch.full_like(given["r"], r))]]  # fmt: skip
    assert not torch.allclose(outs[0], outs[1]) and not torch.allclose(outs[1], outs[2])


@torch.no_grad()
def test_a_chunk_reads_its_observation_once(make, observe, monkeypatch):
    policy, count = make("flow", width=16, horizon=4, denoiser="dita", steps=7), []
    read, forward = Dita.read, Dita.forward
    monkeypatch.setattr(Dita, "read", lambda *given: count.append("read") or read(*given))
    monkeypatch.setattr(Dita, "forward", lambda *given: count.append("forward") or forward(*given))
    policy.act(observe(2), torch.randn(2, 4, 4))
    assert count == ["read"] + 7 * ["forward"]
