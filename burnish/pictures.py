"""Pictures as a policy reads them: made in one way of those that are recorded and of those that a camera sees."""

from __future__ import annotations

import numpy as np

from burnish.errors import BurnishError


def square(image: np.ndarray, size: int) -> np.ndarray:
    """(H, W, 3) uint8 → (size, size, 3): the middle square, each pixel the mean of those it stands for."""
    height, width = image.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    middle = np.ascontiguousarray(image[top : top + side, left : left + side])
    if side == size:
        return middle
    try:
        from PIL import Image
    except ImportError as error:
        raise BurnishError(
            f"a picture of {width} × {height} is scaled by Pillow: pip install 'burnish[cameras]'"
        ) from error
    return np.asarray(Image.fromarray(middle).resize((size, size), Image.Resampling.BOX))
