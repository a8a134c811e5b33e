"""Fast DDS as images need it."""

from __future__ import annotations

import os
from pathlib import Path

PROFILES = ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE")


def use_profile() -> None:
    """Before `rclpy.init`; a profile of the user's own is left alone."""
    if not any(name in os.environ for name in PROFILES):
        os.environ[PROFILES[0]] = str(Path(__file__).with_name("fastdds.xml"))
