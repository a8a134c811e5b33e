"""Videos: a browser can play them, and a file is whole or absent."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from burnish.errors import BurnishError
from burnish.sim.video import write_video


def ramp(frames: int, size: int = 64) -> np.ndarray:
    """Frame t is plain grey, 4 t bright."""
    return np.broadcast_to(np.arange(frames, dtype=np.uint8)[:, None, None, None] * 4, (frames, size, size, 3)).copy()


def test_it_is_h264_in_the_pixel_format_browsers_play(tmp_path: Path):
    import av

    path = tmp_path / "videos/episode.mp4"
    write_video(path, ramp(40), fps=20)
    with av.open(str(path)) as file:
        stream = file.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert stream.average_rate == 20
        decoded = [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]
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
