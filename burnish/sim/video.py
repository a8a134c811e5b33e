"""Videos of episodes that play in a browser: H.264 through PyAV, whose wheel brings the encoder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

from burnish.agent import Agent
from burnish.console import track
from burnish.errors import BurnishError
from burnish.files import atomic_file
from burnish.sim.evaluate import evaluate
from burnish.sim.lanes import Arrays
from burnish.sim.protocols import Protocol
from burnish.sim.vector import LanesEnv

SPEED = 0.5
"""Playback speed: a task solved in a second is over before one has seen it."""
HOLD_S = 1.0
"""The last frame stays this long."""


def record_episodes(
    agent: Agent,
    env: LanesEnv,
    protocol: Protocol,
    episodes: Sequence[int],
    folder: Path,
    *,
    size: int = 256,
    every: int = 2,
) -> list[Path]:
    """Play `episodes` of `protocol` again and write `episode_007_success.mp4`, … into `folder`, at half speed.

    They are the very episodes that `evaluate` counted: an episode depends on nothing but its number and the agent.
    Those that `folder` holds already are not played again.

    Args:
        size: width and height in pixels, even.
        every: draw one step of so many.
    Raises `RenderError` where no renderer runs.
    """
    missing = [episode for episode in episodes if _find(folder, protocol.title(episode)) is None]
    if missing:
        camera = _PoseRecorder(env)
        results = evaluate(agent, env, protocol, only=missing, watch=camera)
        with track(f"Rendering {len(missing)} videos", len(missing)) as advance:
            for result in results.records:
                frames = env.draw(_thinned(camera.poses[result.episode], every), size).numpy()
                fps = SPEED * env.contract.action.rate_hz / every
                held = np.concatenate([frames, np.repeat(frames[-1:], round(HOLD_S * fps), axis=0)])
                outcome = "success" if result.success else "failure"
                write_video(folder / f"{protocol.title(result.episode)}_{outcome}.mp4", held, fps)
                advance()
    return [path for episode in episodes if (path := _find(folder, protocol.title(episode)))]


class _PoseRecorder:
    """Watches an evaluation: `poses` of each episode, at its start and after each of its steps (kilobytes each)."""

    def __init__(self, env: LanesEnv) -> None:
        self.poses: dict[int, list[Arrays]] = {}
        self._env = env

    def __call__(self, running: Mapping[int, int], steps: Sequence[int]) -> None:
        for (lane, episode), pose in zip(running.items(), self._env.poses(list(running)), strict=True):
            if steps[lane] == 0:
                self.poses[episode] = []
            self.poses[episode].append(pose)


def _thinned(poses: Sequence[Arrays], every: int) -> list[Arrays]:
    """One of `every`, counted from the end: the last one shows how it went."""
    return list(poses[::-1][::every][::-1])


def _find(folder: Path, title: str) -> Path | None:
    return next(iter(sorted(folder.glob(f"{title}_*.mp4"))), None)


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
        stream = file.add_stream(
            "libx264", rate=Fraction(fps).limit_denominator(1000), options={"crf": "23", "preset": "veryfast"}
        )
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for frame in frames:
            file.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        file.mux(stream.encode())
