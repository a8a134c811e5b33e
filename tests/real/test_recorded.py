"""What `burnish deploy` wrote, cycle by cycle, becomes frames at the policy's rate."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from burnish.contract import STATE
from burnish.datasets.convert.base import End, Frame, Options
from burnish.datasets.convert.convert import open_recording
from burnish.errors import BurnishError, CorruptFileError
from burnish.real.base import load_robot
from burnish.real.control import Settings, make_robot
from burnish.real.journal import Journal, read_cycles
from burnish.real.mailbox import PHASES, Layout

SECONDS = (0.5, 2.0, 0.5, 1.0, 0.3)
"""Holding, playing, holding, playing, halted."""
WENT = ("holding", "playing", "holding", "playing", "halted")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("deploy")
    settings = Settings("franka", asdict(load_robot("franka").Config()), 20.0, 8, "unused")
    settings.write(folder / "control.json")
    spec = make_robot("franka", settings.config).spec
    layout = Layout(spec.state.shape[-1], spec.contract.action.shape[-1])
    phases = np.repeat([PHASES.index(phase) for phase in WENT], [round(s * 1000) for s in SECONDS])
    rows = np.zeros((len(phases), layout.width))
    rows[:, 1] = np.arange(len(phases)) / 1000  # time_s
    rows[:, 3] = phases
    rows[:, len(layout.columns)] = rows[:, 1]  # the first of the state: the time
    rows[:, len(layout.columns) + layout.state + 2 * layout.action] = rows[:, 1]  # and of the set point
    journal = Journal(folder, spec, layout, settings)
    journal.add(rows)
    journal.event("play", "playing", 0.5)
    journal.event("velocity", "held: joint1 too fast", 4.0)
    journal.close()
    with (folder / "cycles.f64").open("ab") as file:
        file.write(b"cut")
    return folder


def test_each_step_has_the_state_at_its_start_and_the_set_point_at_its_end(folder):
    reader = open_recording(folder, Options())
    found = list(reader.frames())
    assert [(one.reason, one.detail) for one in found if isinstance(one, End)] == [
        ("hold", ""),
        ("verdict", "held: joint1 too fast"),
    ]
    frames = [one for one in found if isinstance(one, Frame)]
    assert abs(len(frames) - 58) <= 2  # the last step of each has no end
    state, action = (
        np.array([v[0] for v in part]) for part in zip(*[(f.obs[STATE], f.action) for f in frames], strict=True)
    )
    assert np.allclose(action - state, 0.05, atol=2e-3)
    assert state.min() >= 0.5 and reader.contract.action.rate_hz == 20.0
    assert reader.task == "real/franka"
    assert "3 bytes are no whole row" in reader.losses.lines[0]


def test_a_recording_without_its_numbers_is_named(folder, tmp_path):
    (tmp_path / "cycles.json").write_bytes((folder / "cycles.json").read_bytes())
    (tmp_path / "control.json").write_bytes((folder / "control.json").read_bytes())
    with pytest.raises(CorruptFileError, match=r"cycles\.f64: the file is missing"):
        open_recording(tmp_path, Options())


def test_a_folder_goes_on_with_whole_rows_and_refuses_another_robot(folder, tmp_path):
    settings = Settings.read(folder / "control.json")
    spec = make_robot(settings.robot, settings.config).spec
    layout = Layout(spec.state.shape[-1], spec.contract.action.shape[-1])
    row = np.arange(2.0 * layout.width).reshape(2, -1)
    first = Journal(tmp_path, spec, layout, settings)
    first.add(row)
    first.close()
    with (tmp_path / "cycles.f64").open("ab") as file:
        file.write(b"killed")
    second = Journal(tmp_path, spec, layout, settings)
    second.add(-row)
    second.close()
    assert np.array_equal(read_cycles(tmp_path)[1], [*row, *-row])
    with pytest.raises(BurnishError, match=r"holds another recording \(policy_rate_hz 20\.0\).*--out"):
        Journal(tmp_path, spec, layout, replace(settings, rate_hz=50.0))


def test_a_folder_is_of_one_session_at_a_time(folder, tmp_path):
    settings = Settings.read(folder / "control.json")
    spec = make_robot(settings.robot, settings.config).spec
    layout = Layout(spec.state.shape[-1], spec.contract.action.shape[-1])
    first = Journal(tmp_path, spec, layout, settings)
    with pytest.raises(BurnishError, match="another session records there; choose another folder"):
        Journal(tmp_path, spec, layout, settings)
    first.close()
    Journal(tmp_path, spec, layout, settings).close()


FULL = """
import resource, signal, sys
from pathlib import Path
import numpy as np
from burnish.real.control import Settings, make_robot
from burnish.real.journal import Journal, read_cycles
from burnish.real.mailbox import Layout

settings = Settings.read(Path(sys.argv[1]))
spec = make_robot(settings.robot, settings.config).spec
layout = Layout(spec.state.shape[-1], spec.contract.action.shape[-1])
journal = Journal(Path(sys.argv[2]), spec, layout, settings)
rows = np.arange(1000.0)[:, None] + np.zeros(layout.width)
most = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, most))
for first in range(0, 1000, 50):
    if first == 800:  # somebody made room
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    journal.add(rows[first : first + 50])
journal.close()
_, found = read_cycles(Path(sys.argv[2]))
assert (found == found[:, :1]).all(), "a row is not what was one"
assert (np.diff(found[:, 0]) > 0).all() and found[-1, 0] == 999 and len(found) < 700, len(found)
"""


def test_a_disk_that_is_full_for_a_while_leaves_whole_rows(folder, tmp_path):
    words = [sys.executable, "-c", FULL, str(folder / "control.json"), str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("not recorded any more: File too large") == 1
