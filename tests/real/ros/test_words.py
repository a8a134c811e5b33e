"""Words on a node's command line that it cannot mean: one line and status 2, as with every command."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

pytestmark = pytest.mark.robots


@pytest.mark.parametrize(
    ("node", "words", "why"),
    [
        ("franka_node", ["-p", "safety.share:=1"], "parameter safety.share cannot be that: .* expecting type 'DOUBLE'"),
        ("policy_node", ["-p", "cameras:=front"], "parameter cameras cannot be that: .* expecting type 'STRING_ARRAY'"),
        ("franka_node", ["-p", "out:="], "parameter override rule: '-p out:='. .*an empty text is written"),
        ("teleop_node", ["-p", "device:="], "parameter override rule: '-p device:='. .*an empty text is written"),
        ("teleop_node", ["-p", "robot:=franka", "-p", "device:=''"], "the keyboard needs a terminal"),
    ],
)
def test_it_is_one_line(node: str, words: list[str], why: str) -> None:
    command = [sys.executable, "-m", "burnish.real.ros.main", node, "--ros-args", *words]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert re.search(why, done.stderr), done.stderr
