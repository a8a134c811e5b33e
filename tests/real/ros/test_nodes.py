"""Policy and robot as nodes: what they say to each other, and what stands between two lifecycle states."""

from __future__ import annotations

import time

import numpy as np
import pytest

from burnish.real.journal import read_cycles
from tests.real.ros.conftest import Stack, until


@pytest.mark.parametrize("mode", ["synchronous", "ensemble", "realtime"])
def test_the_arm_is_moved_through_nodes(stack: Stack, mode: str) -> None:
    probe = stack.probe
    stack.start_policy("slow" if mode == "realtime" else "sway")
    stack.start_robot(**{"player.mode": mode})
    stack.moving()
    assert probe.state("robot") == "active"
    assert probe.joints is not None and probe.joints.name[:2] == ["joint1", "joint2"]
    assert np.abs(np.subtract(probe.joints.position[:7], stack.arm.ask("report")["joints"])).max() < 0.1
    assert until(lambda: probe.told("robot").get("phase") == "playing"), probe.told("robot")
    assert float(probe.told("robot")["compute_p99_us"]) > 0
    if mode == "realtime":
        assert probe.under_way is not None and "frozen:" in probe.under_way.header.frame_id
    assert probe.change("robot", "deactivate")
    assert until(lambda: stack.arm.ask("report")["still_s"] > 0.1, 3.0)
    assert probe.change("robot", "activate")
    time.sleep(0.5)
    stack.sways()
    assert stack.violations() == {}
    assert stack.end(stack.robot) == 0  # SIGTERM while it moves
    assert stack.arm.ask("report")["still_s"] > 0.05 and stack.violations() == {}
    names, cycles = read_cycles(stack.folder)
    assert abs(cycles[-1, names.index("velocity/joint1")]) < 1e-3
