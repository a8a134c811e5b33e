"""Images of recordings: rendered afterwards, the same as seen live, in a dataset that lerobot reads."""

from pathlib import Path

import numpy as np
import pytest
import torch

from burnish.commands import train
from burnish.contract import ACTION, PLACES, STATE, TASK, decode_text
from burnish.datasets.attempts import attempt_path, save_attempt
from burnish.datasets.chunks import ChunkSampler
from burnish.datasets.collect import CollectConfig, collect
from burnish.datasets.demonstrations import compute_stats
from burnish.datasets.frames import images_path, load_images, render_attempts
from burnish.datasets.store import load_demonstrations
from burnish.errors import BurnishError, CorruptFileError
from burnish.policies.base import load_policy
from burnish.policies.meanflow import MeanFlowConfig
from burnish.policies.train import TrainConfig
from burnish.sim.base import make_env
from burnish.sim.libero.camera import CAMERAS
from burnish.sim.libero.lane import LiberoLane

SIZE, STEPS = 48, 3


pytestmark = pytest.mark.needs("opengl")


class Pusher:
    """Pushes another way in every lane."""

    def reset(self, lanes, seeds) -> None:
        self.label = torch.zeros(2, 7)

    def looks(self) -> list[int]:
        return []

    def act(self, obs) -> torch.Tensor:
        self.label = torch.tensor([[1.0] * 7, [-1.0] * 7])
        return self.label


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """Two short "successful" episodes, and what the cameras showed while they were recorded."""
    out, live = tmp_path_factory.mktemp("frames") / "dataset", []
    with (
        pytest.MonkeyPatch.context() as patch,
        make_env("libero/object/3", 2, horizon=STEPS, cameras=SIZE, places=True) as env,
    ):
        step, poses = LiberoLane.step, env.poses

        def watched(ids):
            live.append(env.look([0, 1]))
            return poses(ids)

        patch.setattr(
            LiberoLane, "step", lambda lane, action: step(lane, action) or env._buffers.steps.min() >= STEPS - 1
        )
        patch.setattr(env, "poses", watched)
        config = CollectConfig(
            task="libero/object/3", episodes=2, lanes=2, workers=2, horizon=STEPS, images=SIZE, places=True
        )
        result = collect(env, Pusher(), config, out)
    assert result["episodes"] == 2
    return out, live


def test_frames_are_what_the_cameras_showed_at_the_time(recorded):
    folder, live = recorded
    demos = load_demonstrations(folder)
    assert len(demos.action) == 2 * STEPS
    for key in CAMERAS:
        assert demos.obs[key].dtype == np.uint8 and demos.obs[key].shape == (2 * STEPS, SIZE, SIZE, 3)
    assert demos.contract.looks == (*CAMERAS, PLACES)
    for key in demos.contract.looks:
        for row in range(2 * STEPS):
            lane, step = divmod(row, STEPS)
            assert np.array_equal(demos.obs[key][row], live[step][key][lane].numpy())


def test_lerobot_reads_the_dataset(recorded):
    folder, _ = recorded
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

    demos = load_demonstrations(folder)
    dataset = LeRobotDataset("burnish/dataset", root=folder)
    row = dataset[4]
    assert {*CAMERAS, STATE, ACTION, TASK, "observation.environment_state"} <= row.keys()
    assert row[TASK] == decode_text(demos.obs[TASK][4])
    for key in CAMERAS:
        assert row[key].shape == (3, SIZE, SIZE)
        assert np.array_equal((row[key].permute(1, 2, 0) * 255).round().numpy(), demos.obs[key][4])
    assert np.array_equal(row[STATE], demos.obs[STATE][4])


def test_a_policy_that_reads_no_images_need_not_load_them(recorded):
    folder, _ = recorded
    demos = load_demonstrations(folder, only=[STATE, TASK])
    assert demos.obs.keys() == demos.contract.observation.keys() == {STATE, TASK}
    assert np.array_equal(demos.action, load_demonstrations(folder).action)


def test_a_policy_may_be_trained_on_the_state_alone(recorded, tmp_path):
    folder, _ = recorded
    settings = MeanFlowConfig(horizon=2, replan=1, width=16)
    config = train.Config("meanflow", folder, tmp_path, settings, TrainConfig(steps=1, log_every=1), state=True)
    train.run(config)
    assert load_policy(tmp_path / "policy").contract.cameras is None


def test_batches_keep_images_as_bytes(recorded):
    folder, _ = recorded
    demos = load_demonstrations(folder)
    batch = ChunkSampler(demos, 4, 5, seed=0).batch(0)
    assert all(batch[key].dtype == torch.uint8 and batch[key].shape == (5, SIZE, SIZE, 3) for key in CAMERAS)
    assert compute_stats(demos)[next(iter(CAMERAS))]["count"] == 2 * STEPS


def attempts_in(folder: Path) -> list[Path]:
    lane = LiberoLane("object/0")
    paths = []
    for number in range(3):
        lane.reset(number)
        poses, frames = [], []
        for _ in range(2):
            poses.append(lane.pose())
            frames.append(({STATE: np.zeros(8, np.float32)}, np.zeros(7, np.float32)))
            lane.step(np.ones(7, np.float32))
        paths.append(attempt_path(folder, number))
        save_attempt(paths[-1], frames, True, poses)
    return paths


def test_an_interrupted_rendering_goes_on_where_it_was(tmp_path):
    paths = attempts_in(tmp_path)
    with make_env("libero/object/0", 1, cameras=SIZE) as env:
        spec = env.spec
    render_attempts(paths[:2], spec, workers=2)
    assert [images_path(path).exists() for path in paths] == [True, True, False]
    before = [images_path(path).stat().st_mtime_ns for path in paths[:2]]
    render_attempts(paths, spec, workers=1)
    assert before == [images_path(path).stat().st_mtime_ns for path in paths[:2]]
    assert all(load_images(paths[2])[key].shape == (2, SIZE, SIZE, 3) for key in CAMERAS)
    images_path(paths[0]).write_bytes(b"torn")
    with pytest.raises(CorruptFileError, match=r"attempt_000000\.images\.safetensors"):
        load_images(paths[0])


def test_what_was_recorded_without_poses_is_named(tmp_path):
    path = attempt_path(tmp_path, 7)
    save_attempt(path, [({STATE: np.zeros(8, np.float32)}, np.zeros(7, np.float32))], True)
    with (
        make_env("libero/object/0", 1, cameras=SIZE) as env,
        pytest.raises(BurnishError, match=r"attempt_000007.*recorded without poses"),
    ):
        render_attempts([path], env.spec, workers=1)
