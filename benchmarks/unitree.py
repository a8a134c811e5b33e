"""The line to a Unitree robot: losses, and microseconds per 2 ms cycle; driver and simulated robot in two processes.

`uv run python benchmarks/unitree.py [--robot unitree-g1] [--quick]`. The robot stands and sways a little through
`Safety` for 60 s of cycles. Beside our way of filling, signing and sending LowCmd, the SDK's own classes do the same to
a topic that nobody reads, in the same process, one cycle in ten. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from typing import Any

import numpy as np

from burnish.real.base import load_robot
from burnish.real.safety import Safety
from burnish.real.simulated import SimulatedProcess
from burnish.real.unitree.dds import Line

DOMAIN = 200 + os.getpid() % 30


class Peer:
    """LowCmd as the SDK's examples make it."""

    def __init__(self, robot: Any) -> None:
        from unitree_sdk2py.idl import default
        from unitree_sdk2py.utils.crc import CRC

        self.message = getattr(default, f"{robot.model.family}_msg_dds__LowCmd_")()
        self.writer = Line("lo", DOMAIN).writer("rt/lowcmd_unread", type(self.message))
        self.gains, self.check = robot.model.policy, CRC()

    def fill(self, target: np.ndarray) -> None:
        for motor, q, kp, kd in zip(
            self.message.motor_cmd, target.tolist(), self.gains.kp, self.gains.kd, strict=False
        ):
            motor.mode, motor.q, motor.dq, motor.kp, motor.kd, motor.tau = 1, q, 0.0, kp, kd, 0.0

    def sign(self) -> None:
        self.message.crc = self.check.Crc(self.message)

    def write(self) -> None:
        self.writer.write(self.message)


def play(robot: Any, seconds: float) -> tuple[dict[str, list[float]], int]:
    """Times of every part in µs, and how many commands were sent."""
    state, command, peer = robot.stand(), robot.command, Peer(robot)
    safety, standing = Safety(robot.spec), np.array(robot.model.path[-1])
    safety.start(state)
    robot.link.begin()
    first, times = command.sent, {}

    def clocked(name: str, call: Any, *given: Any) -> Any:
        begin = time.perf_counter()
        answer = call(*given)
        times.setdefault(name, []).append((time.perf_counter() - begin) * 1e6)
        return answer

    for cycle in range(round(seconds * robot.spec.rate_hz)):
        if cycle % 10 == 0:
            safety.want(state, (standing + 0.03 * np.sin(2 * np.pi * state.time_s))[None], 10)
        setpoint = clocked("safety", lambda: safety.step(state, silence_s=0.2))  # noqa: B023
        assert safety.verdict is None, safety.verdict
        clocked("fill", command.hold, setpoint.values, robot.model.policy)
        clocked("crc", command.message.sign)
        clocked("write", command.writer.write, command.message)
        command.sent += 1
        if cycle % 10 == 0:
            clocked("sdk_fill", peer.fill, setpoint.values)
            clocked("sdk_crc", peer.sign)
            clocked("sdk_write", peer.write)
        state = robot.read()
    return times, command.sent - first


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--robot", default="unitree-go2", choices=["unitree-go2", "unitree-g1"])
    parser.add_argument("--quick", action="store_true", help="5 s")
    wish = parser.parse_args()
    kind = load_robot(wish.robot)
    with SimulatedProcess(wish.robot, ["--domain", str(DOMAIN), "--timeout-s", "1"]) as simulated:
        robot = kind(kind.Config("lo", domain=DOMAIN, silence=2.0))
        robot.connect()
        before = simulated.ask("report")
        stood = before["commands"] - robot.command.sent
        times, sent = play(robot, 5.0 if wish.quick else 60.0)
        time.sleep(0.1)  # the last command arrives
        report = simulated.ask("report")
        lost_commands = robot.command.sent + stood - report["commands"]
        link = robot.link
        robot.close()
    for name, values in times.items():
        print(f"{name:10} p50 {np.median(values):8.1f} us   p99 {np.percentile(values, 99):8.1f} us")
    ours, sdk = (sum(np.median(times[kind + part]) for part in ("fill", "crc", "write")) for kind in ("", "sdk_"))
    result = {
        "name": "unitree", "robot": wish.robot, "sent": sent, "lost_commands": lost_commands, "lost_states": link.lost,
        "bad_crc": link.bad_crc + report["bad_crc"], "starved_cycles": report["late"] - before["late"],
        "robot_cycles": report["cycles"] - before["cycles"],
        "answer_us": report["answer_us"], "ours_us": round(float(ours), 1), "sdk_us": round(float(sdk), 1),
        "ratio": round(float(sdk / ours), 2), "fell": report["fell"],
    }  # fmt: skip
    print(json.dumps(result))


if __name__ == "__main__":
    main()
