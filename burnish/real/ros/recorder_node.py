"""Records what a robot, its policy and its cameras say, as one MCAP bag that `burnish convert` reads.

A full disk ends the recording and is said on `diagnostics`; nothing else notices. Ctrl-C or SIGTERM closes the bag.

`python -m burnish.real.ros.recorder_node --ros-args -p out:=runs/monday -p robot:=franka -p cameras:="['wrist']"`
"""

from __future__ import annotations

import importlib
import json
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

from burnish.contract import IMAGES, Contract
from burnish.errors import BurnishError
from burnish.files import json_object
from burnish.real.control import make_robot
from burnish.real.recording import Item, Recording
from burnish.real.ros.nodes import ERROR, OK, WARN, Holder, Parameter, declare, run, status

TOPICS = [
    "joint_states", "observation", "chunk", "setpoint", "robot/verdict", "intervention", "intervention_chunk",
    "diagnostics",
]  # fmt: skip
PARAMETERS = (
    Parameter("out", "", "folder of the bag, which must not exist; empty for runs/recording-DATE-TIME"),
    Parameter("robot", "", "registered name of the robot"),
    Parameter("robot_config", "{}", "JSON of the robot's settings"),
    Parameter("checkpoint", "", "folder with the policy's contract.json; empty for the robot's own contract"),
    Parameter("rate_hz", 20.0, "of the policy, where no checkpoint says it", 0.1, 1000.0),
    Parameter("instruction", "", "what is to be done, in words"),
    Parameter("cameras", [], "names of cameras to record; empty for those of the checkpoint"),
    Parameter("topics", TOPICS, "topics to record beside the cameras'"),
    Parameter("warn_gb", 5.0, "free space below which a warning is given", 0.0, 10_000.0),
)
LOOK_S = 0.25
"""How often it is looked who publishes, and told how it goes."""
DEPTH = 1000
"""Messages that may wait for this process: a second of the fastest robot."""


class RecorderNode(Holder):
    """Subscribes to each topic as soon as, and as reliably as, somebody publishes it."""

    def __init__(self, **ros: Any) -> None:
        super().__init__("recorder", **ros)
        given = declare(self, PARAMETERS)
        about = describe(given)
        images = [f"camera/{name}/{part}" for name in about["cameras"] for part in ("image", "camera_info")]
        self._wanted = {self.resolve_topic_name(name) for name in [*given["topics"], *images]}
        folder = Path(given["out"] or time.strftime("runs/recording-%Y%m%d-%H%M%S"))
        tell = self.get_logger().error
        self._recording = Recording(folder, about, tell=tell, warn_bytes=round(given["warn_gb"] * 1e9))
        self._health = self.create_publisher(DiagnosticArray, "diagnostics", 10)
        self._said = ""
        self.create_timer(LOOK_S, self._look)
        self.get_logger().info(f"recording to {folder}")

    def close(self) -> None:
        """Close the bag."""
        self._recording.close()

    def _look(self) -> None:
        for topic in sorted(self._wanted):
            publishers = self.get_publishers_info_by_topic(topic)
            if publishers:
                self._wanted.remove(topic)
                self._subscribe(topic, publishers)
        self._tell()

    def _subscribe(self, topic: str, publishers: list[Any]) -> None:
        kind = publishers[0].topic_type
        if not self._recording.knows(kind):
            self.get_logger().warning(f"{topic} is not recorded: {kind} is no standard message")
            return
        package, _, name = kind.partition("/msg/")
        message = getattr(importlib.import_module(f"{package}.msg"), name)
        profiles = [publisher.qos_profile for publisher in publishers]
        reliable = all(profile.reliability == ReliabilityPolicy.RELIABLE for profile in profiles)
        lasting = all(profile.durability == DurabilityPolicy.TRANSIENT_LOCAL for profile in profiles)
        qos = QoSProfile(
            depth=DEPTH,
            reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
            durability=DurabilityPolicy.TRANSIENT_LOCAL if lasting else DurabilityPolicy.VOLATILE,
        )
        self.create_subscription(message, topic, self._keeper(topic, kind), qos, raw=True)

    def _keeper(self, topic: str, kind: str) -> Callable[[bytes], None]:
        return lambda data: self._recording.add(Item(topic, kind, time.time_ns(), bytes(data)))

    def _tell(self) -> None:
        recording = self._recording
        level, line = OK, "recording"
        if recording.ended:
            level, line = ERROR, recording.ended
        elif recording.dropped or recording.warning:
            late = f"the disk is too slow: {recording.dropped} messages left out" if recording.dropped else ""
            level, line = WARN, "; ".join(part for part in (late, recording.warning) if part)
        if level == WARN and line.partition(":")[0] != self._said:
            self._said = line.partition(":")[0]
            self.get_logger().warning(line)
        self._health.publish(status(self, "recorder", level, line, {"messages": recording.written}))


def describe(given: dict[str, Any]) -> dict[str, Any]:
    """What the recorded messages mean, as JSON values. Raises `BurnishError` if the parameters do not say enough."""
    if not given["robot"] and not given["checkpoint"]:
        raise BurnishError("the recorder must know what it records: set parameter robot, or checkpoint")
    about: dict[str, Any] = {"instruction": given["instruction"], "topics": given["topics"]}
    settings = json_object(given["robot_config"], "parameter robot_config")
    spec = make_robot(given["robot"], settings).spec if given["robot"] else None
    if given["checkpoint"]:
        contract = Contract.load(Path(given["checkpoint"]) / "contract.json")
    else:
        assert spec is not None
        rate = given["rate_hz"]
        observed = {key: replace(field, rate_hz=rate) for key, field in spec.contract.observation.items()}
        contract = Contract(observed, replace(spec.contract.action, rate_hz=rate))
    if spec is not None:
        limits = json.loads(json.dumps(asdict(spec.limits), default=lambda value: value.tolist()))
        about["robot"] = {"name": spec.name, "rate_hz": spec.rate_hz, "halt": spec.halt, "limits": limits}
    seen = [key.removeprefix(IMAGES) for key in contract.images]
    return about | {"contract": contract.to_json(), "cameras": given["cameras"] or seen}


def main() -> None:
    """Run until stopped."""
    run(RecorderNode)


if __name__ == "__main__":
    main()
