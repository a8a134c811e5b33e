"""Bags of a robot's ROS topics (MCAP): what `burnish.real.ros.recorder_node` writes, or `ros2 bag record`.

Topics are told apart by the last part of their names: `observation`, `setpoint`, `intervention`, `verdict`,
`camera/NAME/image`. An episode is what the policy or a human did between two holds or verdicts.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from burnish.contract import IMAGES, STATE, TASK, Contract, Field, encode_text
from burnish.datasets.convert.base import IMAGE_SIZE, End, Frame, Losses, Options
from burnish.datasets.convert.mcap import ABOUT, MAGIC, Mcap, Message, in_order
from burnish.datasets.convert.meaning import image_field
from burnish.datasets.convert.steps import Steps
from burnish.errors import BurnishError, CorruptFileError
from burnish.files import json_object

ABOUT_FIRST = 1000
"""Messages among which what they mean is looked for."""
CAMERA = re.compile(r"(?:^|/)camera/([^/]+)/image$")
LATE_NS = 500_000_000
"""How much later than it was stamped a message may have been recorded: slow cameras."""
FOREIGN_NS = 5_000_000_000
"""A stamp that is further from the recorder's clock is of another clock, and not believed."""
FAULT = 2
"""diagnostic_msgs/DiagnosticStatus.ERROR."""


class BagReader:
    """A `Reader` of bags."""

    def __init__(self, path: Path, options: Options) -> None:
        from rosbags.typesys import Stores, get_typestore

        self._path, self._options, self.losses = path, options, Losses()
        self._types = get_typestore(Stores.ROS2_KILTED)
        self._bag = Mcap(_file(path))
        self._about = self._read_about()
        self.contract = self._contract()
        self.task = f"real/{self._about.get('robot', {}).get('name', 'robot')}"

    @staticmethod
    def accepts(path: Path) -> bool:
        """An .mcap file, or a folder with exactly one."""
        file = path
        if path.is_dir():
            found = list(path.glob("*.mcap"))
            file = found[0] if len(found) == 1 else path
        if not file.is_file():
            return False
        with file.open("rb") as opened:
            return file.suffix == ".mcap" or opened.read(len(MAGIC)) == MAGIC

    def frames(self) -> Iterator[Frame | End]:
        """As `Reader` says."""
        options, contract = self._options, self.contract
        steps = Steps(tuple(contract.observation), contract.action.rate_hz, options.pause_s, options.stale_s)
        if TASK in contract.observation:
            steps.see(TASK, math.inf, self._instruction(contract.observation[TASK].shape[0]))
        human, last_ns, first_ns = False, 0, 0
        for time_ns, message in in_order(self._stamped(), LATE_NS):
            if message.topic.endswith(ABOUT):
                continue
            first_ns, last_ns, time_s = first_ns or time_ns, time_ns, (time_ns - (first_ns or time_ns)) * 1e-9
            camera, role = CAMERA.search(message.topic), message.topic.rpartition("/")[2]
            if camera is not None and IMAGES + camera[1] in contract.observation:
                steps.see(IMAGES + camera[1], time_s, self._pixels(message))
            elif role == "observation" and STATE in contract.observation:
                steps.see(STATE, time_s, self._values(message, contract.observation[STATE]))
            elif role == "setpoint":
                yield from steps.act(time_s, self._values(message, contract.action), human)
            elif role == "intervention":
                human = bool(self._decode(message).data)
            elif role == "verdict":
                yield from self._verdict(steps, message)
        yield from steps.end("end")
        self._account(steps, (last_ns - first_ns) * 1e-9)

    def _verdict(self, steps: Steps, message: Message) -> Iterator[Frame | End]:
        """A halt ends the episode and marks it; a robot that says it holds ends it without a mark."""
        status = self._decode(message)
        if status.level >= FAULT:
            yield from steps.end("verdict", status.message)
        elif any(value.key == "phase" and value.value == "holding" for value in status.values):
            yield from steps.end("hold")

    def _account(self, steps: Steps, seconds: float) -> None:
        lines = self.losses.lines
        if not self._bag.finished:
            lines.append(
                f"{self._bag.path}: cut off while it was recorded; {seconds:.1f} s are read, the last "
                f"{self._bag.lost_bytes} bytes are no whole chunk, and at most the second before the cut is lost"
            )
        lines += [f"{count} commands without {key} make no frame" for key, count in steps.missing.items()]

    def _stamped(self) -> Iterator[tuple[int, Message]]:
        """With the time at which a camera looked or a robot was read, where the message says it."""
        for message in self._bag.messages():
            time_ns = message.time_ns
            if message.kind.startswith("sensor_msgs/"):
                seconds, rest = np.frombuffer(message.data, "<u4", 2, offset=4) if len(message.data) >= 12 else (0, 0)
                stamp_ns = int(seconds) * 1_000_000_000 + int(rest)  # a header begins every sensor message
                time_ns = stamp_ns if abs(stamp_ns - time_ns) < FOREIGN_NS else time_ns
            yield time_ns, message

    def _read_about(self) -> dict[str, Any]:
        for count, message in enumerate(self._bag.messages()):
            if message.topic.endswith(ABOUT):
                return json_object(self._decode(message).data, f"{self._bag.path}: {ABOUT}")
            if count == ABOUT_FIRST:
                break
        return {}

    def _contract(self) -> Contract:
        if self._options.contract is not None:
            contract = Contract.load(self._options.contract)
        elif "contract" in self._about:
            contract = Contract.from_json(self._about["contract"], source=f"{self._bag.path}, {ABOUT}")
        else:
            raise BurnishError(f"{self._path} does not say what its numbers mean; name the contract.json of the policy "
                               "or dataset it belongs to: --convert.contract FILE")  # fmt: skip
        size = IMAGE_SIZE if self._options.images is None else self._options.images
        fps = contract.action.rate_hz
        cameras = [] if contract.images or not size else self._about.get("cameras", [])
        added = {IMAGES + name: image_field(size, name, fps) for name in cameras}
        kept = {key: replace(field, rate_hz=fps) for key, field in contract.observation.items()}
        return Contract(kept | added, contract.action)

    def _instruction(self, size: int) -> np.ndarray:
        text = self._options.instruction or self._about.get("instruction", "")
        if not text:
            raise BurnishError(f"{self._path} does not say what was to be done: --convert.instruction TEXT")
        return encode_text(text, size)

    def _decode(self, message: Message) -> Any:
        """The message; what follows it in its buffer is left over from another one."""
        try:
            kind = self._types.get_msgdef(message.kind)
            return kind.deserialize_cdr_le(memoryview(message.data)[4:], 0, kind.cls, self._types)[0]
        except (KeyError, ValueError, IndexError, TypeError) as error:
            raise CorruptFileError(
                f"{self._bag.path}: a message of {message.topic} is no {message.kind} ({error})"
            ) from error

    def _values(self, message: Message, field: Field) -> np.ndarray:
        """The numbers that `field` names, in its order."""
        state = self._decode(message)
        have = dict(zip(state.name, state.position, strict=False))
        missing = [name for name in field.names if name not in have]
        if missing:
            raise BurnishError(f"{self._bag.path}: {message.topic} has no {missing[0]!r} (it has {', '.join(have)}); "
                               "the contract is of another robot or policy: --convert.contract FILE")  # fmt: skip
        return np.array([have[name] for name in field.names], np.float32)

    def _pixels(self, message: Message) -> np.ndarray:
        image = self._decode(message)
        if image.encoding not in ("rgb8", "bgr8"):
            raise BurnishError(f"{self._bag.path}: {message.topic} is {image.encoding}; rgb8 and bgr8 are read here")
        try:
            rows = np.asarray(image.data).reshape(image.height, image.step)[:, : image.width * 3]
            pixels = rows.reshape(image.height, image.width, 3)
        except ValueError as error:
            raise CorruptFileError(
                f"{self._bag.path}: {message.topic} has other pixels than it says ({error})"
            ) from error
        return pixels if image.encoding == "rgb8" else pixels[..., ::-1]


def _file(path: Path) -> Path:
    return next(path.glob("*.mcap")) if path.is_dir() else path
