"""Frames of a flight: the ground's grid, the quadrotor as a cross on its shadow, and where it should be."""

from __future__ import annotations

import numpy as np

from burnish.sim.quadrotor.dynamics import ATTITUDE, POSITION

EYE, TARGET = np.array([4.5, -6.0, 4.0]), np.array([0.0, 0.0, 1.2])
FOCUS = 1.6
"""Focal length in half images."""
ARM_M, GRID_M = 0.25, 5
SKY, GROUND, BODY, FRONT, GOAL = (235, 240, 245), (200, 205, 210), (40, 45, 60), (220, 60, 40), (30, 130, 70)


def draw(state: np.ndarray, known: np.ndarray, size: int) -> np.ndarray:
    """(T, size, size, 3) uint8 of states (17, T) and what is `known` (K, T), of which the first three are a place."""
    from PIL import Image, ImageDraw

    frames = []
    for lane in range(state.shape[1]):
        image = Image.new("RGB", (size, size), SKY)
        pen = ImageDraw.Draw(image)
        for line in range(-GRID_M, GRID_M + 1):
            for ends in (([line, -GRID_M, 0], [line, GRID_M, 0]), ([-GRID_M, line, 0], [GRID_M, line, 0])):
                pen.line(_seen(np.array(ends, float), size), fill=GROUND)
        place, turned = state[POSITION, lane], _rotation(state[ATTITUDE, lane])
        goal = known[:3, lane]
        _dot(pen, goal, size, GOAL)
        pen.line(_seen(np.stack([goal, goal * (1, 1, 0)]), size), fill=GOAL)
        pen.line(_seen(np.stack([place, place * (1, 1, 0)]), size), fill=GROUND)
        for corner in ((1, 1, 0), (1, -1, 0)):
            arm = ARM_M * turned @ corner
            pen.line(_seen(np.stack([place - arm, place + arm]), size), fill=BODY, width=max(1, size // 80))
        _dot(pen, place + ARM_M * turned[:, 0], size, FRONT)
        frames.append(np.asarray(image))
    return np.stack(frames) if frames else np.zeros((0, size, size, 3), np.uint8)


def _seen(points: np.ndarray, size: int) -> list[tuple[float, float]]:
    """Where points (P, 3) of the world appear, pixels."""
    ahead = TARGET - EYE
    ahead /= np.linalg.norm(ahead)
    right = np.cross(ahead, [0, 0, 1.0])
    right /= np.linalg.norm(right)
    down = np.cross(ahead, right)
    local = (points - EYE) @ np.stack([right, down, ahead], axis=1)
    flat = local[:, :2] / np.maximum(local[:, 2:], 0.1) * FOCUS
    return [tuple(one) for one in (size / 2 * (1 + flat)).tolist()]


def _dot(pen: object, place: np.ndarray, size: int, colour: tuple[int, int, int]) -> None:
    (x, y), r = _seen(place[None], size)[0], max(1, size // 60)
    pen.ellipse([x - r, y - r, x + r, y + r], fill=colour)  # pyright: ignore[reportAttributeAccessIssue]


def _rotation(attitude: np.ndarray) -> np.ndarray:
    w, x, y, z = attitude
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )
