"""Videos that play in a browser: H.264 through PyAV, whose wheel brings the encoder."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from burnish.errors import BurnishError
from burnish.files import atomic_file


def write_video(path: Path, frames: np.ndarray, fps: float) -> None:
    """Write `frames` (T, h, w, 3) uint8, h and w even, as H.264/yuv420p MP4; `path` is whole or absent."""
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[-1] != 3 or len(frames) == 0:
        raise BurnishError(f"{path}: a video needs frames (T, h, w, 3) of uint8, got {frames.shape} of {frames.dtype}")
    height, width = frames.shape[1:3]
    if height % 2 or width % 2:
        raise BurnishError(f"{path}: frames of {width}×{height} pixels; H.264 needs even numbers")
    import av

    with (
        atomic_file(path) as beside,
        av.open(str(beside), "w", format="mp4", options={"movflags": "faststart"}) as file,
    ):
        stream = file.add_stream("libx264", rate=round(fps), options={"crf": "23", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for frame in frames:
            file.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        file.mux(stream.encode())
