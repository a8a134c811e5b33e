"""Settings as ROS parameters, and a node as a command line: what a launch system would do."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import fields
from typing import Any


def flat(value: Any) -> Any:
    """A tuple of tuples becomes one row of numbers, for ROS knows no other arrays."""
    if isinstance(value, tuple):
        return [number for part in value for number in (part if isinstance(part, tuple) else (part,))]
    return value


def parameters(prefix: str, config: Any) -> dict[str, Any]:
    """`PREFIX.FIELD` → value for every field of a dataclass that has one; an empty array has no type in ROS."""
    found = {f"{prefix}.{field.name}": flat(getattr(config, field.name)) for field in fields(config)}
    return {name: value for name, value in found.items() if value is not None and value != []}


def command(executable: str, name: str, given: Mapping[str, Any]) -> list[str]:
    """Starts `executable` (of `burnish.real.ros.main`) as the node `name` with parameters."""
    words = [sys.executable, "-m", "burnish.real.ros.main", executable, "--ros-args", "-r", f"__node:={name}"]
    return words + [word for key, value in given.items() for word in ("-p", f"{key}:={json.dumps(value)}")]
