"""What a script of the Franka world says."""

from __future__ import annotations

import numpy as np

OPEN, CLOSED = 0.08, 0.0
"""Widths, m."""
Wish = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Of n lanes: where the tool should be (n, 3), m; the direction of the fingers' axis (n, 2); the width (n,), m."""
