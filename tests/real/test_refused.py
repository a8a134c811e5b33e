"""What cannot be meant is refused before a robot is reached, in one line that names it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from burnish.cli import main
from burnish.contract import Field
from burnish.errors import BurnishError, ContractError, CorruptFileError
from burnish.real.base import RobotError
from burnish.real.control import Settings, make_robot
from burnish.real.joystick import Joystick
from burnish.real.newest import Newest
from burnish.real.player import PlayerConfig
from burnish.real.safety import SafetyConfig
from burnish.real.session import Session, mailbox_path
from burnish.real.simulated import SimulatedProcess
from burnish.real.trackers.simulated import SimulatedTracker, SimulatedTrackerConfig

NAN, INF = float("nan"), float("inf")
HIDDEN = """
import sys

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name == "pylibfranka":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Hidden())
"""


class Nobody:
    """Plans nothing, for nothing moves."""

    contract, realtime = None, False

    def plan(self, *_: Any) -> Any:
        raise AssertionError("nothing moves in these tests")

    def renew(self) -> None:
        """Never."""


def begin(folder: Path, rate_hz: float = 20.0, safety: SafetyConfig | None = None) -> None:
    box = mailbox_path()
    told = Settings("franka", {"address": "127.0.99.98"}, rate_hz, 8, str(box), safety=safety or SafetyConfig())
    try:
        Session(told, Nobody(), folder).close()
    finally:
        box.unlink(missing_ok=True)


@pytest.mark.parametrize("rate_hz", [0.0, -5.0, NAN, INF, 2000.0])
def test_a_rate_that_no_robot_has(tmp_path: Path, rate_hz: float):
    with pytest.raises(BurnishError, match=r"actions a second: robot franka takes more than 0, and at most 1000"):
        begin(tmp_path, rate_hz)


@pytest.mark.parametrize("rate_hz", [-5.0, NAN, "20"])
def test_a_contract_of_such_a_rate(rate_hz: Any):
    with pytest.raises(ContractError, match="rate_hz must be a number, 0 or above, is"):
        Field((1,), ("x",), ("m",), "base", rate_hz, "min_max")


@pytest.mark.parametrize(
    ("name", "config", "why"),
    [
        ("quadrotor", {"fence_m": (NAN, 5.0, 4.0)}, r"robot quadrotor: fence_m is \(nan, 5.0, 4.0\); every number"),
        ("unitree-go2", {"silence": NAN}, "robot unitree-go2: silence is nan"),
        ("franka", {"contact_force": [INF] * 6}, "robot franka: contact_force is"),
    ],
)
def test_a_number_on_the_right_side_of_every_limit(name: str, config: dict[str, Any], why: str):
    with pytest.raises(BurnishError, match=why):
        make_robot(name, config)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: PlayerConfig(decay=NAN), "player: decay must be 0 or above, is nan"),
        (lambda: PlayerConfig(decay=-1e4), "player: decay must be 0 or above, is -10000.0"),
        (lambda: PlayerConfig(delays=-3), "player: delays must be at least 1 plan, is -3"),
        (lambda: SafetyConfig(workspace=((0.0, 0.0, NAN), (1.0, 1.0, 1.0))), "corners of the workspace must be finite"),
        (lambda: Newest("camera", "frame", ["front"], NAN), "a camera without a new frame is blind after"),
    ],
)
def test_settings_that_would_switch_something_off(make: Any, why: str):
    with pytest.raises(BurnishError, match=why):
        make()


def test_a_workspace_outside_of_the_robots_own(tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    with pytest.raises(RobotError, match=r"the workspace .* is empty"):
        begin(tmp_path, safety=SafetyConfig(workspace=((5.0, 5.0, 5.0), (6.0, 6.0, 6.0))))
    assert "Traceback" not in capfd.readouterr().err


def test_a_library_that_is_missing_is_named_with_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    (tmp_path / "sitecustomize.py").write_text(HIDDEN)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(RobotError, match=r"robot franka needs pylibfranka, .*pip install 'burnish\[franka\]'"):
        begin(tmp_path / "run")
    assert "Traceback" not in capfd.readouterr().err


def test_a_folder_that_is_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "file").touch()
    words = ["deploy", "anything", "--robot", "franka", "--out", str(tmp_path / "file")]
    assert main(words) == 2
    assert capsys.readouterr().err == f"burnish: {tmp_path / 'file'}: File exists\n"


@pytest.mark.parametrize("text", ["{}", "[]", '{"safety": {"workspace": 3}}', '{"safety": {}, "player": {"pace": 1}}'])
def test_settings_of_another_version_are_named(tmp_path: Path, text: str):
    (tmp_path / "control.json").write_text(text)
    with pytest.raises(CorruptFileError, match=r"control\.json: not the settings of a session"):
        Settings.read(tmp_path / "control.json")


@pytest.mark.parametrize("address", ["abc", 0, 99_999])
def test_a_tracker_at_no_port(address: Any):
    with pytest.raises(BurnishError, match=r"tracker simulated: its address is the port .* is none"):
        SimulatedTracker(SimulatedTrackerConfig(address))


def test_a_joystick_whose_buttons_cannot_drive(tmp_path: Path):
    (tmp_path / "js0").touch()
    with pytest.raises(BurnishError, match=r"buttons: two, up and down, or none; given are \(0,\)"):
        Joystick(tmp_path / "js0", 8, 5, [0, 1], [0])


def test_a_port_that_there_is_not(capsys: pytest.CaptureFixture[str]):
    assert main(["sim-robot", "quadrotor", "--port", "99999"]) == 2
    assert "--port 99999: a port is a number from 0" in capsys.readouterr().err


def test_two_simulated_arms_at_one_address(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    with SimulatedProcess("franka", ["--address", "127.99.1.1"]):
        assert main(["sim-robot", "franka", "--address", "127.99.1.1"]) == 2
        assert "nothing can listen at 127.99.1.1" in capsys.readouterr().err
        with pytest.raises(RobotError, match=r"ended \(status 2\): nothing can listen at 127\.99\.1\.1.*log"):
            SimulatedProcess("franka", ["--address", "127.99.1.1"], tmp_path / "log")
