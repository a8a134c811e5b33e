"""The side door of a simulated robot."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from burnish.real import simulated
from burnish.real.base import RobotError
from burnish.real.simulated import Door, SimulatedRobot, serve


class Slow(SimulatedRobot):
    """Needs a while for its first report."""

    address, late_s = "nowhere", 0.4
    faults = ("fall",)

    def step(self) -> None:
        time.sleep(0.001)

    def report(self) -> dict[str, Any]:
        late_s, self.late_s = self.late_s, 0.0
        time.sleep(late_s)
        return {"late_s": late_s}

    def hurt(self, fault: str, settings: dict[str, Any]) -> None:
        float(settings.get("height", 0.0))

    def close(self) -> None:
        pass


def test_a_late_answer_is_not_taken_for_the_next_one(monkeypatch, capsys):
    monkeypatch.setattr(simulated, "ANSWER_S", 0.2)
    monkeypatch.setattr(simulated.processes, "real_time", lambda _: None)
    thread = threading.Thread(target=serve, args=(Slow(),), daemon=True)
    thread.start()
    while not (line := capsys.readouterr().out):
        time.sleep(0.01)
    door = Door(simulated.json.loads(line)["control"])
    with pytest.raises(RobotError, match="does not answer 'report'"):
        door.ask("report")
    time.sleep(0.4)  # its answer is there by now
    assert door.ask("fall") == {"done": "fall"}
    assert door.ask("report") == {"late_s": 0.0}
    with pytest.raises(RobotError, match="unknown fault 'fly'"):
        door.ask("fly")
    with pytest.raises(RobotError, match=r"refuses 'fall'.*could not convert string to float: 'high'"):
        door.ask("fall", height="high")
    door.ask("stop")
    thread.join(5)
    door.close()
