"""Policies that see: encoders by name, augmentation in training only, one look per plan."""

import sys

import numpy as np
import pytest
import torch

from burnish.contract import ACTION, IMAGES, STATE, Contract, Field
from burnish.datasets.chunks import ChunkSampler
from burnish.datasets.demonstrations import Demonstrations, compute_stats
from burnish.errors import BurnishError, ContractError
from burnish.policies.base import load_policy, make_policy, save_policy
from burnish.policies.networks.vision import Vision, VisionConfig, area_means, random_shift, resize
from burnish.policies.residual import ResidualPolicy
from burnish.policies.train import TrainConfig, train
from burnish.run import Run

SIZE = 24
LEFT, RIGHT = f"{IMAGES}left", f"{IMAGES}right"
IMAGE = Field((SIZE, SIZE, 3), ("r", "g", "b"), ("1/255",) * 3, "camera", 10.0, "identity", "uint8")
ONE = Field((1,), ("x",), ("m",), "world", 10.0, "mean_std")
MOVE = Field((2,), ("x", "y"), ("m", "m"), "world", 10.0, "min_max", low=(-1.0, -1.0), high=(1.0, 1.0))
CONTRACT = Contract({STATE: ONE, LEFT: IMAGE, RIGHT: IMAGE}, MOVE)
DENOISERS = ("mlp", "dita")


def dots(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Black images with a white spot, and where it is, in [-1, 1]."""
    random = np.random.default_rng(seed)
    places = random.integers(3, SIZE - 3, (count, 2))
    images = np.zeros((count, SIZE, SIZE, 3), np.uint8)
    for image, (row, column) in zip(images, places, strict=True):
        image[row - 2 : row + 3, column - 2 : column + 3] = 255
    return images, (places / (SIZE - 1) * 2 - 1).astype(np.float32)


@pytest.fixture(scope="module")
def demos() -> Demonstrations:
    """What is to be done is shown in the left image and nowhere else."""
    images, places = dots(256)
    other, _ = dots(256, seed=1)
    obs = {STATE: np.zeros((256, 1), np.float32), LEFT: images, RIGHT: other}
    return Demonstrations(CONTRACT, "toy/dots", obs, places, np.full(64, 4))


def policy_of(demos: Demonstrations, denoiser: str = "mlp", **vision):
    torch.manual_seed(0)
    config = {"horizon": 1, "denoiser": denoiser, "width": 16, "vision": VisionConfig(**vision)}
    return make_policy("flow", CONTRACT, compute_stats(demos), **config)


@pytest.fixture(scope="module")
def tiny_vit(tmp_path_factory) -> str:
    from transformers import ViTConfig, ViTImageProcessor, ViTModel

    folder = tmp_path_factory.mktemp("vit")
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    torch.manual_seed(0)
    ViTModel(ViTConfig(**sizes, image_size=16, patch_size=8)).save_pretrained(folder)
    ViTImageProcessor(size={"height": 16, "width": 16}).save_pretrained(folder)
    return str(folder)


@pytest.mark.parametrize("denoiser", DENOISERS)
def test_a_policy_learns_what_only_an_image_shows(demos, denoiser, tmp_path):
    policy = policy_of(demos, denoiser, shift=0)
    settings = TrainConfig(steps=150, batch_size=64, lr=3e-3, warmup_steps=10, ema_decay=0.9)
    train(Run(tmp_path, "train", {}), policy, ChunkSampler(demos, 1, 64, seed=0), settings)
    trained = load_policy(tmp_path / "policy")
    images, places = dots(64, seed=2)
    obs = {STATE: torch.zeros(64, 1), LEFT: torch.from_numpy(images), RIGHT: torch.from_numpy(dots(64, seed=3)[0])}
    with torch.no_grad():
        error = trained.act(obs, torch.zeros(64, 1, 2))[:, 0] - torch.from_numpy(places)
    assert error.square().mean().sqrt() < 0.5 * places.std()


@pytest.mark.parametrize("kind", ["small", "transformers"])
@pytest.mark.parametrize(("denoiser", "numbers"), [("mlp", 8), ("dita", 16 * 8)])
def test_a_checkpoint_sees_the_same(kind, denoiser, numbers, demos, tiny_vit, tmp_path):
    policy = policy_of(demos, denoiser, encoder="small" if kind == "small" else tiny_vit, features=8).eval()
    save_policy(policy, tmp_path / "policy")
    again = load_policy(tmp_path / "policy")
    obs = {key: torch.from_numpy(value[:5]) for key, value in demos.obs.items()}
    noise = torch.randn(5, 1, 2, generator=torch.Generator().manual_seed(0))
    assert again.config.vision == policy.config.vision
    assert policy.encode(obs).shape == (5, policy.condition_dim) == (5, 1 + 2 * numbers)
    assert torch.equal(policy.act(obs, noise), again.act(obs, noise))


@pytest.mark.parametrize("denoiser", DENOISERS)
def test_a_backbone_is_trained_with_the_policy(demos, denoiser, tiny_vit):
    policy = policy_of(demos, denoiser, encoder=tiny_vit).train()
    with torch.no_grad():
        for parameter in policy.network.parameters():  # a last layer of zeros lets no gradient pass in the first step
            parameter.normal_(std=0.1)
    loss, _ = policy.loss(ChunkSampler(demos, 1, 8, seed=0).batch(0), torch.Generator().manual_seed(0))
    loss.backward()
    assert policy.vision is not None
    reached = [p.grad is not None and bool(p.grad.any()) for p in policy.vision.encoders[0].out.parameters()]
    assert len(policy.vision.encoders) == 1 and any(reached)


@pytest.mark.parametrize(
    ("name", "advice"), [("timm:resnet18", "pip install timm"), ("/no/such/folder", "a folder or hub name")]
)
def test_an_encoder_that_is_not_there_is_named(name, advice, monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(BurnishError, match=f"{name}.*{advice}"):
        Vision(VisionConfig(encoder=name), [LEFT])


@pytest.mark.parametrize(("old", "new"), [((24, 24), (16, 16)), ((13, 30), (7, 41)), ((8, 9), (20, 9))])
def test_images_are_resized_as_torch_does_it(old, new):
    images = torch.rand(2, 3, *old, generator=torch.Generator().manual_seed(0))
    expected = torch.nn.functional.interpolate(images, new, mode="bilinear", antialias=True)
    assert torch.allclose(resize(images, new), expected, atol=1e-6)


def test_random_shifts_move_whole_images_and_repeat_the_border():
    images = torch.arange(2 * 6 * 6, dtype=torch.uint8).view(2, 6, 6, 1).expand(2, 6, 6, 3)
    padded = torch.nn.functional.pad(images.permute(0, 3, 1, 2).float(), (2,) * 4, mode="replicate")
    windows = {
        padded[index, :, row : row + 6, column : column + 6].permute(1, 2, 0).to(torch.uint8).numpy().tobytes()
        for index in (0, 1)
        for row in range(5)
        for column in range(5)
    }
    generator = torch.Generator().manual_seed(0)
    seen = {image.numpy().tobytes() for _ in range(200) for image in random_shift(images, 2, generator)}
    assert seen == windows


def test_images_are_shifted_in_training_alone(demos):
    policy = policy_of(demos)
    obs = {key: torch.from_numpy(value[:4]) for key, value in demos.obs.items()}
    calm = policy.encode(obs)
    assert torch.equal(calm, policy.encode(obs))
    shifted = policy.encode(obs, torch.Generator().manual_seed(1))
    assert not torch.equal(calm, shifted)
    assert torch.equal(shifted, policy.encode(obs, torch.Generator().manual_seed(1)))


def test_an_agent_asks_for_images_when_it_plans_and_not_before(demos):
    agent = make_policy("flow", CONTRACT, compute_stats(demos), horizon=4, replan=2, width=16).agent(3)
    agent.reset([0, 1, 2], [1, 2, 3])
    assert agent.looks() == [0, 1, 2]
    obs = {key: torch.from_numpy(value[:3]) for key, value in demos.obs.items()}
    first = agent.act(obs)
    assert agent.looks() == []
    agent.act({STATE: obs[STATE]})
    agent.reset([1], [4])
    assert agent.looks() == [0, 1, 2]
    assert first.shape == (3, 2)


def test_old_images_of_lanes_that_do_not_plan_change_nothing(demos):
    policy = make_policy("flow", CONTRACT, compute_stats(demos), horizon=4, replan=3, width=16)
    obs = {key: torch.from_numpy(value[:2]) for key, value in demos.obs.items()}
    found = []
    for stale in (0, 255):
        agent = policy.agent(2)
        agent.reset([0, 1], [1, 2])
        agent.act(obs)
        agent.reset([1], [3])
        assert agent.looks() == [1]
        images = {key: torch.cat([torch.full_like(obs[key][:1], stale), obs[key][1:]]) for key in (LEFT, RIGHT)}
        found.append(agent.act(obs | images))
    assert torch.equal(*found)


@pytest.mark.parametrize("denoiser", DENOISERS)
def test_a_residual_on_a_policy_that_sees_looks_when_its_base_does(demos, denoiser, tmp_path):
    pair = ResidualPolicy.around(policy_of(demos, denoiser), hidden=8, action_scale=0.1)
    save_policy(pair, tmp_path / "pair")
    pair = load_policy(tmp_path / "pair")
    obs = {key: torch.from_numpy(value[:2]) for key, value in demos.obs.items()}
    agent = pair.agent(2)
    agent.reset([0, 1], [1, 2])
    assert agent.looks() == [0, 1] and agent.act(obs).shape == (2, 2)
    assert pair.act(obs, torch.zeros(2, *pair.noise_shape)).shape == (2, 1, 2)
    assert ACTION in pair.contract.fields


@pytest.mark.parametrize(("denoiser", "encoder"), [("mlp", "small"), ("dita", "small"), ("dita", "transformers")])
def test_what_sees_can_be_exported(denoiser, encoder, demos, tiny_vit, tmp_path):
    from burnish.policies.export import ExportConfig, export

    policy = policy_of(demos, denoiser, encoder="small" if encoder == "small" else tiny_vit)
    result = export(policy.eval(), tmp_path, ExportConfig(observations=8, calls=3))
    assert result["max_abs_difference"] < 1e-4


@pytest.mark.parametrize("size", [(8, 8), (6, 9), (3, 4)])
def test_patches_are_means_over_equal_areas(size):
    maps = torch.rand(2, 5, *size, generator=torch.Generator().manual_seed(0))
    fine = maps.repeat_interleave(4, 2).repeat_interleave(4, 3)  # now both sides are multiples of 4
    expected = torch.nn.functional.avg_pool2d(fine, (size[0], size[1])).flatten(2).transpose(1, 2)
    assert torch.allclose(area_means(maps, 4), expected, atol=1e-6)


def test_a_patch_token_is_of_its_patch_and_its_camera(demos):
    vision = Vision(VisionConfig(features=6), [RIGHT, LEFT], patches=2).eval()
    assert vision.shape == (8, 6)
    images = {key: torch.from_numpy(demos.obs[key][:2]) for key in (LEFT, RIGHT)}
    other = {key: value.clone() for key, value in images.items()}
    calm = vision(images).unflatten(1, vision.shape)
    other[RIGHT][:, : SIZE // 2, SIZE // 2 :] = 128
    changed = (vision(other).unflatten(1, vision.shape) - calm).abs().amax((0, 2))
    assert (changed[:4] == 0).all() and changed[4:].argmax() == 1


@pytest.mark.parametrize("denoiser", DENOISERS)
def test_images_that_are_missing_or_of_another_size_are_named(demos, denoiser):
    policy = policy_of(demos, denoiser)
    obs = {key: torch.from_numpy(value[:2]) for key, value in demos.obs.items()}
    noise = torch.zeros(2, 1, 2)
    with pytest.raises(
        ContractError, match=r"observation\.images\.left: .* reads \(24, 24, 3\), given is \(12, 12, 3\)"
    ):
        policy.act(obs | {LEFT: obs[LEFT][:, ::2, ::2]}, noise)
    with pytest.raises(ContractError, match=r"observation\.images\.right: .* given is nothing"):
        policy.act({key: obs[key] for key in (STATE, LEFT)}, noise)
