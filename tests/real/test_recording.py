"""A recording ends where the disk does, in one line, and what was written before can be read."""

from __future__ import annotations

import resource
import subprocess
import sys
import time

import pytest

from burnish.datasets.convert.mcap import Mcap
from burnish.errors import BurnishError
from burnish.real.recording import Recording
from tests.datasets.convert import robot_bag as bags

FULL = """
import os, sys, time
from pathlib import Path
from burnish.real.recording import Item, Recording

said = []
recording = Recording(Path(sys.argv[1]), {}, tell=said.append, warn_bytes=1 << 60)
began = time.monotonic()
while not recording.ended and time.monotonic() < began + 20:
    recording.add(Item("noise", "std_msgs/msg/String", time.time_ns(), os.urandom(4000)))
    time.sleep(0.002)
recording.add(Item("noise", "std_msgs/msg/String", time.time_ns(), os.urandom(4000)))
assert "GB free" in recording.warning, recording.warning
recording.close()
print(*said, sep="\\n")
"""


def test_a_full_disk_ends_the_recording_in_one_line(tmp_path):
    def small():
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))

    words = [sys.executable, "-c", FULL, str(tmp_path / "bag")]
    done = subprocess.run(words, capture_output=True, text=True, preexec_fn=small, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [f"{tmp_path / 'bag'}: File too large; not recorded any more; the robot goes on"]
    mcap = Mcap(tmp_path / "bag" / "bag.mcap")
    assert len([one for one in mcap.messages() if one.topic == "noise"]) > 100
    assert not mcap.finished


def test_it_never_waits_and_never_overwrites(tmp_path):
    recording = Recording(tmp_path / "bag", bags.ABOUT)
    began = time.monotonic()
    for one in bags.steps(0, 500):
        recording.add(one)
    assert time.monotonic() - began < 10
    recording.close()
    recording.close()
    assert recording.ended == "closed" and recording.written == 1501
    with pytest.raises(BurnishError, match="never overwritten"):
        Recording(tmp_path / "bag", bags.ABOUT)
