"""Attention by distance: the same wherever in the world it happens, learned from what only a place shows."""

import dataclasses

import numpy as np
import pytest
import torch

from burnish.contract import IMAGES, PLACES, STATE, Contract, Field
from burnish.datasets.chunks import ChunkSampler
from burnish.datasets.demonstrations import Demonstrations, compute_stats
from burnish.errors import BurnishError, ContractError
from burnish.policies.base import Policy, load_policy, make_policy, save_policy
from burnish.policies.networks.actor3d import Actor3D, rotate
from burnish.policies.residual import ResidualPolicy
from burnish.policies.train import TrainConfig, train
from burnish.run import Run

SIZE, SIDE = 32, 4
EYE = f"{IMAGES}eye"
IMAGE = Field((SIZE, SIZE, 3), ("r", "g", "b"), ("1/255",) * 3, "camera", 10.0, "identity", "uint8")
PLACE = Field((1, SIDE, SIDE, 3), ("x", "y", "z"), ("m",) * 3, "world", 10.0, "identity")
HAND = Field((4,), ("x", "y", "z", "grip"), ("m", "m", "m", "1"), "world", 10.0, "whitening")
MOVE = Field((2,), ("x", "y"), ("m", "m"), "world", 10.0, "min_max", low=(-0.6, -0.6), high=(0.6, 0.6))
CONTRACT = Contract({STATE: HAND, EYE: IMAGE, PLACES: PLACE}, MOVE)


def reaches(count: int, seed: int = 0) -> Demonstrations:
    """A camera over a table shows one white patch; the action is the way there from the hand. The camera is turned
    and moved at random, so that the image alone does not tell.
    """
    random = np.random.default_rng(seed)
    images = np.zeros((count, SIZE, SIZE, 3), np.uint8)
    side = (np.arange(SIDE) + 0.5) / SIDE - 0.5
    grid = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2) * 0.4
    turns = random.uniform(-np.pi, np.pi, count)
    rotations = np.stack([np.cos(turns), -np.sin(turns), np.sin(turns), np.cos(turns)], axis=1).reshape(-1, 2, 2)
    flat = grid @ rotations.transpose(0, 2, 1) + random.uniform(-0.2, 0.2, (count, 1, 2))
    places = np.concatenate([flat, np.full((count, SIDE**2, 1), 0.02)], axis=2)
    white = random.integers(SIDE**2, size=count)
    for image, patch in zip(images, white, strict=True):
        row, column = divmod(int(patch), SIDE)
        image[row * 8 : row * 8 + 8, column * 8 : column * 8 + 8] = 255
    hands = np.concatenate([random.uniform(-0.1, 0.1, (count, 3)), random.uniform(0, 1, (count, 1))], axis=1)
    goals = places[np.arange(count), white, :2] - hands[:, :2]
    obs = {STATE: hands, EYE: images, PLACES: places.reshape(count, 1, SIDE, SIDE, 3)}
    obs = {key: value if key == EYE else value.astype(np.float32) for key, value in obs.items()}
    return Demonstrations(CONTRACT, "toy/reach", obs, goals.astype(np.float32), np.full(count // 4, 4))


@pytest.fixture(scope="module")
def demos() -> Demonstrations:
    return reaches(512)


def policy_of(demos: Demonstrations, contract: Contract = CONTRACT, **config) -> Policy:
    torch.manual_seed(0)
    settings = {"horizon": 1, "denoiser": "actor3d", "width": 24, "steps": 5} | config
    return make_policy("flow", contract, compute_stats(demos), **settings)


def awake(policy: Policy) -> Policy:
    """With random weights where training starts from zero."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in policy.parameters():
            if not parameter.any():
                parameter.normal_(std=0.2, generator=generator)
    return policy.eval()


def rows(demos: Demonstrations, count: int) -> dict[str, torch.Tensor]:
    return {key: torch.from_numpy(value[:count]) for key, value in demos.obs.items()}


@torch.no_grad()
def test_moving_the_world_and_the_hand_together_changes_nothing(demos):
    policy = awake(policy_of(demos))
    obs, noise = rows(demos, 8), torch.randn(8, 1, 2, generator=torch.Generator().manual_seed(0))
    step = torch.tensor([0.5, -0.25, 0.125])
    hand = torch.cat([obs[STATE][:, :3] + step, obs[STATE][:, 3:]], dim=1)
    calm = policy.act(obs, noise)
    together = policy.act(obs | {STATE: hand, PLACES: obs[PLACES] + step}, noise)
    assert torch.allclose(together, calm, atol=1e-5)
    for moved in ({STATE: hand}, {PLACES: obs[PLACES] + step}):
        assert (policy.act(obs | moved, noise) - calm).abs().amax() > 1e-3
    grip = torch.cat([obs[STATE][:, :3], 1 - obs[STATE][:, 3:]], dim=1)
    assert (policy.act(obs | {STATE: grip}, noise) - calm).abs().amax() > 1e-4


@torch.no_grad()
def test_patches_with_their_places_may_be_in_any_order():
    """What counts is where a patch is, not where in the image."""
    torch.manual_seed(0)
    parts = {"state": (1, 4), "images": (9, 5), "places": (9, 3)}
    network = Actor3D(3, 2, parts, width=12, depth=1).double()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    z, t = torch.randn(2, 3, 2).double(), torch.rand(2).double()
    state, images, places = torch.randn(2, 4).double(), torch.randn(2, 9, 5).double(), torch.randn(2, 9, 3).double()
    order = torch.randperm(9)
    outs = [
        network(z, t, t, network.read(torch.cat([state, i.flatten(1), p.flatten(1)], dim=1)))[0]
        for i, p in ((images, places), (images[:, order], places[:, order]), (images[:, order], places))
    ]
    assert torch.allclose(outs[0], outs[1], atol=1e-12) and not torch.allclose(outs[0], outs[2], atol=1e-3)


def test_a_product_of_rotated_vectors_knows_the_difference_of_angles_alone():
    q, k, a, b = torch.randn(4, 10, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    a, b = a[:, :3], b[:, :3]
    apart = (rotate(q, b) * rotate(k, a)).sum(1)
    assert torch.allclose(apart, (q * rotate(k, a - b)).sum(1))
    assert torch.allclose(rotate(k, a).norm(dim=1), k.norm(dim=1))
    assert torch.equal(rotate(k, 0 * a), k)


def test_a_policy_learns_what_only_image_and_places_together_show(demos, tmp_path):
    settings = TrainConfig(steps=120, batch_size=64, lr=3e-3, warmup_steps=10, ema_decay=0.95)
    train(Run(tmp_path, "train", {}), policy_of(demos), ChunkSampler(demos, 1, 64, seed=0), settings)
    trained, fresh = load_policy(tmp_path / "policy"), reaches(64, seed=1)
    with torch.no_grad():
        error = trained.act(rows(fresh, 64), torch.zeros(64, 1, 2))[:, 0] - torch.from_numpy(fresh.action)
    assert error.square().mean().sqrt() < 0.25 * fresh.action.std()


def test_it_is_exported_refined_and_saved_whole(demos, tmp_path):
    from burnish.policies.export import ExportConfig, export

    policy = awake(policy_of(demos))
    assert export(policy, tmp_path / "one", ExportConfig(observations=8, calls=3))["max_abs_difference"] < 1e-4
    pair = awake(ResidualPolicy.around(policy, hidden=8, action_scale=0.1))
    assert export(pair, tmp_path / "pair", ExportConfig(observations=8, calls=3))["max_abs_difference"] < 1e-4
    save_policy(pair, tmp_path / "policy")
    again, obs = load_policy(tmp_path / "policy"), rows(demos, 2)
    assert torch.equal(again.act(obs, torch.ones(2, 1, 2)), pair.act(obs, torch.ones(2, 1, 2)))
    agent = again.agent(2)
    agent.reset([0, 1], [1, 2])
    assert agent.looks() == [0, 1] and agent.act(obs).shape == (2, 2)


def test_images_are_not_shifted_away_from_their_places(demos):
    policy, obs = policy_of(demos), rows(demos, 4)
    assert torch.equal(policy.encode(obs), policy.encode(obs, torch.Generator().manual_seed(1)))


def without(*keys: str, **changed: Field) -> Contract:
    observation = {key: field for key, field in CONTRACT.observation.items() if key not in keys}
    return Contract(observation | {PLACES: changed["where"]} if changed else observation, MOVE)


BAD = {
    "places without images": (without(EYE), "actor3d", r"observation\.places: .*for 0 images.*--without"),
    "images without places": (without(PLACES), "actor3d", r"observation\.places: .*there is none.*--images --places"),
    "no hand": (without(STATE), "actor3d", r"observation\.state: .*the hand's place.*but it is missing"),
    "places of a camera more": (
        without(where=dataclasses.replace(PLACE, shape=(2, 4, 4, 3))), "actor3d", r"\(2, 4, 4, 3\), for 1 images",
    ),
    "another frame": (without(where=dataclasses.replace(PLACE, frame="camera")), "actor3d", r"frame 'world'"),
    "nobody reads them": (CONTRACT, "dita", r"observation\.places: .*actor3d.*--without observation\.places"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_what_does_not_fit_is_named_with_the_way_out(demos, case):
    contract, denoiser, message = BAD[case]
    with pytest.raises(ContractError, match=message):
        policy_of(demos, contract, denoiser=denoiser)


def test_places_that_are_missing_or_of_another_size_and_too_narrow_a_network_are_named(demos):
    policy, obs = policy_of(demos), rows(demos, 2)
    with pytest.raises(ContractError, match=r"observation\.places: .* reads \(1, 4, 4, 3\), given is \(1, 2, 2, 3\)"):
        policy.act(obs | {PLACES: obs[PLACES][:, :, ::2, ::2]}, torch.zeros(2, 1, 2))
    with pytest.raises(ContractError, match=r"observation\.places: .* given is nothing"):
        policy.act({key: obs[key] for key in (STATE, EYE)}, torch.zeros(2, 1, 2))
    with pytest.raises(BurnishError, match="width 8: actor3d needs 12 or more"):
        policy_of(demos, width=8)
