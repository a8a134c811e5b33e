"""Videos: a browser can play them, and a file is whole or absent."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from burnish.contract import STATE
from burnish.errors import BurnishError
from burnish.sim.agents import RandomAgent
from burnish.sim.evaluate import evaluate
from burnish.sim.metaworld import MetaWorld
from burnish.sim.protocols import Protocol
from burnish.sim.video import record_episodes, write_video

PROTOCOL = Protocol("metaworld", 1, "metaworld/reach", episodes=6, horizon=70, lanes=3)


def ramp(frames: int, size: int = 64) -> np.ndarray:
    """Frame t is plain grey, 4 t bright."""
    return np.broadcast_to(np.arange(frames, dtype=np.uint8)[:, None, None, None] * 4, (frames, size, size, 3)).copy()


def decode(path: Path) -> np.ndarray:
    """(T, h, w, 3) uint8."""
    import av

    file = av.open(str(path))
    return np.stack([frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)])


def test_it_is_h264_in_the_pixel_format_browsers_play(tmp_path: Path):
    import av

    path = tmp_path / "videos/episode.mp4"
    write_video(path, ramp(40), fps=20)
    with av.open(str(path)) as file:
        stream = file.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert stream.average_rate == 20
    decoded = decode(path)
    assert len(decoded) == 40
    for time, frame in enumerate(decoded):
        assert abs(frame.mean() - 4 * time) < 3


def test_it_can_start_playing_before_it_is_loaded_whole(tmp_path: Path):
    path = tmp_path / "episode.mp4"
    write_video(path, ramp(10), fps=20)
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        (np.zeros((3, 63, 64, 3), np.uint8), "64×63 pixels"),
        (np.zeros((3, 64, 64, 3), np.float32), "float32"),
        (np.zeros((0, 64, 64, 3), np.uint8), r"\(0, 64, 64, 3\)"),
    ],
)
def test_unfit_frames_are_refused_and_nothing_is_written(tmp_path: Path, frames: np.ndarray, message: str):
    with pytest.raises(BurnishError, match=message):
        write_video(tmp_path / "episode.mp4", frames, fps=20)
    assert list(tmp_path.iterdir()) == []


class Reacher:
    """Moves straight at the goal, except in lane 0, where it is lost."""

    def reset(self, lanes, seeds) -> None:
        pass

    def looks(self):
        return ()

    def act(self, obs):
        state = obs[STATE]
        move = (10 * (state[:, 36:39] - state[:, :3])).clamp(-0.01, 0.01)
        move[0] = 0
        return torch.cat([move, torch.zeros(len(state), 1)], dim=1)


@pytest.fixture(scope="module")
def env() -> Iterator[MetaWorld]:
    env = MetaWorld("reach", num_envs=3, horizon=70)
    yield env
    env.close()


def test_the_episodes_that_were_evaluated_are_shown_with_their_outcome(env: MetaWorld, tmp_path: Path):
    import av

    paths = record_episodes(Reacher(), env, PROTOCOL, [4, 3], tmp_path, size=32, every=10)
    assert [path.name for path in paths] == ["episode_004_success.mp4", "episode_003_failure.mp4"]
    length = evaluate(Reacher(), env, PROTOCOL, only=[4]).records[0].length
    for path, steps in zip(paths, (length, 70), strict=True):
        with av.open(str(path)) as file:
            stream = file.streams.video[0]
            assert stream.average_rate == 4
            assert stream.frames == steps // 10 + 1 + 4


def test_the_picture_follows_the_gripper(env: MetaWorld, tmp_path: Path):
    (path,) = record_episodes(Reacher(), env, PROTOCOL, [1], tmp_path, size=64, every=8)
    frames = decode(path).astype(int)
    assert np.abs(frames[0] - frames[-1]).max() > 60
    assert np.abs(frames[-1] - frames[-2]).max() < 30


def test_a_video_that_is_there_is_not_made_again(env: MetaWorld, tmp_path: Path):
    path = tmp_path / "episode_002_success.mp4"
    path.write_bytes(b"made earlier")
    assert record_episodes(RandomAgent(env.contract, 3), env, PROTOCOL, [2], tmp_path, size=32) == [path]
    assert path.read_bytes() == b"made earlier"
