"""What a human at a joystick or a keyboard wants: a deadman's switch, and one direction per joint.

Joystick: the kernel's protocol (linux/joystick.h), 8 bytes per event. Keyboard: a terminal does not say when a key is
let go, so a key counts as held for as long as the terminal takes to repeat it.
"""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from burnish.errors import BurnishError

EVENT = struct.Struct("<IhBB")
BUTTON, AXIS, INITIAL = 0x01, 0x02, 0x80
FULL = 32767.0
DEADZONE = 0.1
"""Of an axis: what a stick that nobody touches still says."""
REPEAT_S = 0.6
KEYS = ("qa", "ws", "ed", "rf", "tg", "yh", "uj", "ik")
"""Up and down for each entry of the action, in order."""


class Wish(NamedTuple):
    """What the human wants now.

    Attributes:
        held: the deadman's switch.
        axes: (A,) in [-1, 1], part of the largest speed.
        fault: why nobody can drive; "" while all is well.
    """

    held: bool
    axes: np.ndarray
    fault: str = ""


class Input(Protocol):
    """Something that a human holds."""

    def poll(self) -> Wish:
        """What came since the last call, taken together; returns at once."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


class Joystick:
    """A device of the kernel's joystick protocol. A button that makes `size` entries unreachable is no mistake:
    `axes` says which axis drives which entry, and what it lacks stands still."""

    def __init__(self, path: Path, size: int, deadman: int, axes: Sequence[int], buttons: Sequence[int] = ()) -> None:
        """Open `path`.

        Args:
            size: entries of the action.
            deadman: number of the button that must be held.
            axes: for each entry the number of its axis, -1 for none.
            buttons: two numbers that drive the last entry (a gripper) up and down, or none.
        Raises `BurnishError` if it cannot be opened, or `buttons` are others.
        """
        if len(buttons) not in (0, 2):
            raise BurnishError(f"buttons: two, up and down, or none; given are {tuple(buttons)}")
        try:
            self._handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        except OSError as error:
            raise BurnishError(f"{path}: {error.strerror}; is a joystick connected? `ls /dev/input/js*`") from error
        self._path, self._size, self._deadman, self._axes, self._drive = path, size, deadman, axes, tuple(buttons)
        self._values: dict[int, float] = {}
        self._down: dict[int, bool] = {}
        self._rest, self._fault, self._heard = b"", "", False

    def poll(self) -> Wish:
        """As `Input` says. A device that is gone is a switch let go."""
        try:
            data = self._rest + os.read(self._handle, 4096)
            self._heard |= bool(data)
            if not data and self._heard:
                self._fault = f"{self._path}: gone"
            whole = len(data) // EVENT.size * EVENT.size
            self._rest = data[whole:]
            for _, value, kind, number in EVENT.iter_unpack(data[:whole]):
                self._event(kind & ~INITIAL, number, value)
        except BlockingIOError:
            pass
        except OSError as error:
            self._fault = f"{self._path}: {error.strerror}"
        if self._fault:
            return Wish(False, np.zeros(self._size), self._fault)
        return Wish(self._down.get(self._deadman, False), self._directions())

    def close(self) -> None:
        """Let go of it."""
        os.close(self._handle)

    def _event(self, kind: int, number: int, value: int) -> None:
        if kind == BUTTON:
            self._down[number] = bool(value)
        elif kind == AXIS:
            part = value / FULL
            self._values[number] = 0.0 if abs(part) < DEADZONE else float(np.clip(part, -1, 1))

    def _directions(self) -> np.ndarray:
        wanted = np.array([self._values.get(axis, 0.0) for axis in self._axes[: self._size]])
        wanted = np.pad(wanted, (0, self._size - len(wanted)))
        if self._drive:
            up, down = self._drive
            wanted[-1] = float(self._down.get(up, False)) - float(self._down.get(down, False))
        return wanted


class Keyboard:
    """A terminal: keys in pairs (`KEYS`), the space bar to hold without moving."""

    def __init__(self, handle: int, size: int) -> None:
        """`handle`: of a terminal, which is put into a mode without echo until `close`. Raises `BurnishError` if it
        is none."""
        import termios
        import tty

        if not os.isatty(handle):
            raise BurnishError("the keyboard needs a terminal; start this node in one, or set parameter device")
        self._handle, self._size, self._pressed = handle, size, dict[str, float]()
        self._saved = termios.tcgetattr(handle)
        tty.setcbreak(handle)
        os.set_blocking(handle, False)

    def poll(self) -> Wish:
        """As `Input` says."""
        now_s = time.monotonic()
        try:
            self._pressed |= dict.fromkeys(os.read(self._handle, 256).decode(errors="ignore"), now_s)
        except BlockingIOError:
            pass
        except OSError as error:
            return Wish(False, np.zeros(self._size), f"keyboard: {error.strerror}")
        held = {key for key, since_s in self._pressed.items() if now_s - since_s < REPEAT_S}
        axes = np.array([float(up in held) - float(down in held) for up, down in KEYS[: self._size]])
        known = held & {" ", *"".join(KEYS)}
        return Wish(bool(known), np.pad(axes, (0, self._size - len(axes))))

    def close(self) -> None:
        """Give the terminal back as it was."""
        import termios

        os.set_blocking(self._handle, True)
        termios.tcsetattr(self._handle, termios.TCSADRAIN, self._saved)
