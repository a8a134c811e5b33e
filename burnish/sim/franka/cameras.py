"""What cameras see of the Franka world: one in front of the table, one on the hand; images, depth, clouds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import mujoco
import numpy as np

from burnish.contract import POINTS
from burnish.points import Cloud, EmptyCropError, lift, sample
from burnish.sim.franka.model import ARM, set_fixture, visual_model
from burnish.sim.franka.tasks import TASKS
from burnish.sim.franka.views import CAMERAS, FRONT, HIGH, LOW, views
from burnish.sim.lanes import Arrays
from burnish.sim.randomize import Sight
from burnish.sim.tracer import Pose, Tracer, named_failures, pose_of

DEPTH_PX = 96
"""Pixels per side of the depth that clouds are made of, where no images are asked for."""


class Cameras:
    """Both cameras of `task`, for `lanes` of it at once on `threads` threads."""

    def __init__(
        self,
        task: str,
        cameras: int | None = None,
        points: int | None = None,
        lanes: int = 1,
        threads: int = 1,
        device: str = "cpu",
        **_: Any,
    ) -> None:
        """
        Args:
            cameras: pixels per side of images; None without.
            points: of the front camera's cloud, all of them in its lowest corner where nothing is; None without.
            device: where they are traced.
        Raises `RenderError` where Warp cannot compile or run.
        """
        self._task, self.model = TASKS[task], visual_model(TASKS[task])
        self._data, self._size = mujoco.MjData(self.model), cameras or DEPTH_PX
        self._cloud = None if points is None else Cloud(LOW, HIGH, points)
        self._focal_px = self._size / 2 / np.tan(np.radians(FRONT.fovy) / 2)
        self.fovys = list(CAMERAS.values()) if cameras else [FRONT.fovy]
        threads = max(1, min(threads, lanes))
        self._share = -(-lanes // threads)
        with named_failures():
            self._tracers = [Tracer(self.model, self.fovys, self._size, self._share, device) for _ in range(threads)]
        object_ = [geom for geom in range(self.model.ngeom) if self.model.geom(geom).name.startswith("object")]
        self._painted = [self.model.geom("table").id], object_
        self._threads = ThreadPoolExecutor(threads) if threads > 1 else None

    def look(self, out: Arrays, pose: Arrays) -> None:
        """Write what is seen at one `pose` of `World.pose` into `out`: contract key → image or cloud."""
        self.look_at([pose], {key: value[None] for key, value in out.items()})

    def look_at(self, poses: Sequence[Arrays], out: Mapping[str, np.ndarray]) -> None:
        """The same of several, row by row."""
        rgb, depth, eyes, rotations = self.see(poses)
        for number, key in enumerate(CAMERAS):
            if key in out:
                out[key][:] = rgb[:, number]
        if self._cloud is not None:
            for row, (near, eye, rotation) in enumerate(zip(depth[:, 0], eyes[:, 0], rotations[:, 0], strict=True)):
                try:
                    out[POINTS][row] = sample(lift(near, self._focal_px, eye, rotation), self._cloud)
                except EmptyCropError:  # the arm is elsewhere, and what it should grasp on the floor
                    out[POINTS][row] = self._cloud.low

    def see(self, poses: Sequence[Arrays]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Images (T, C, S, S, 3) and depth (T, C, S, S), m, of T `poses`, and the cameras' places (T, C, 3) and
        rotations (T, C, 3, 3)."""
        placed, eyes, rotations, colors = self.arranged(poses)
        seen = self._traced(placed, eyes, rotations, colors)
        light = np.array([Sight(pose["sight"]).light for pose in poses])
        rgb = seen[0] if (light == 1).all() else np.minimum(seen[0] * light[:, None, None, None, None], 255)
        return rgb.astype(np.uint8), seen[1], eyes, rotations

    def arranged(self, poses: Sequence[Arrays]) -> tuple[list[Pose], np.ndarray, np.ndarray, np.ndarray]:
        """What `Tracer.trace` wants to know of `poses`."""
        placed, sights = [self._placed(pose) for pose in poses], [Sight(pose["sight"]) for pose in poses]
        eyes, rotations = views(np.stack([pose["qpos"][ARM] for pose in poses]), sights)
        colors = np.repeat(self._tracers[0].colors[None], len(poses), axis=0)
        for geoms, paints in zip(self._painted, ([s.table for s in sights], [s.object for s in sights]), strict=True):
            colors[:, geoms, :3] *= np.array(paints)[:, None]
        cameras = len(self.fovys)
        return placed, eyes[:, :cameras], rotations[:, :cameras], np.clip(colors, 0, 1)

    def close(self) -> None:
        """End the threads."""
        if self._threads is not None:
            self._threads.shutdown()

    def _placed(self, pose: Arrays) -> Pose:
        model, data = self.model, self._data
        data.qpos[:] = pose["qpos"]
        set_fixture(model, self._task, pose["target"])
        mujoco.mj_kinematics(model, data)
        return pose_of(data)

    def _traced(
        self, poses: list[Pose], eyes: np.ndarray, rotations: np.ndarray, colors: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        parts = [slice(first, first + self._share) for first in range(0, len(poses), self._share)]

        def trace(number: int) -> tuple[np.ndarray, np.ndarray]:
            part = parts[number]
            tracer = self._tracers[number % len(self._tracers)]
            return tracer.trace(poses[part], eyes[part], rotations[part], colors[part])

        seen = list((map if self._threads is None else self._threads.map)(trace, range(len(parts))))
        return np.concatenate([rgb for rgb, _ in seen]), np.concatenate([depth for _, depth in seen])
