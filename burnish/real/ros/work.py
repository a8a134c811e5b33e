"""A session looked after in a thread of its own, so that no callback of ROS is ever in its way."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from burnish.errors import BurnishError
from burnish.real.asking import Plans
from burnish.real.control import Settings
from burnish.real.ros.orphan import PID
from burnish.real.session import BEAT_S, Session

SAMPLES = 2000


class Work:
    """Owns a session from `open` to `close`.

    Attributes:
        session: under `lock`.
        lost: why the robot is gone; "" while it is there.
        compute_us: what cycles took lately; those that the owner happened to see.
    """

    def __init__(
        self,
        settings: Settings,
        plans: Plans,
        folder: Path,
        *,
        senses: Mapping[str, Callable[[], np.ndarray]],
        tell: Callable[[str], None],
        look: Callable[[Session], None],
        gone: Callable[[str], None],
    ) -> None:
        """Start the session; nothing moves.

        Args:
            senses: observations that the robot does not measure.
            look: called after every step.
            gone: called once when the robot is gone, with the reason.
        Raises `BurnishError` as `Session` does.
        """
        self._box, self._folder, self._look, self._gone = Path(settings.mailbox), folder, look, gone
        self.lock, self.compute_us = threading.RLock(), deque[float](maxlen=SAMPLES)
        try:
            self.session = Session(settings, plans, folder, senses=senses, tell=tell)
        except BaseException:
            self._box.unlink(missing_ok=True)
            raise
        try:
            (folder / PID).write_text(str(self.session.process.pid))
        except OSError:
            self.session.close()
            raise
        self.lost, self._ending = "", threading.Event()
        self._thread = threading.Thread(target=self._run, name="session", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Come to rest and let go of the robot."""
        self._ending.set()
        self._thread.join()
        self.session.close()
        self._box.unlink(missing_ok=True)
        (self._folder / PID).unlink(missing_ok=True)

    @property
    def p99_us(self) -> float:
        """Of the control process's cycles."""
        return float(np.percentile(self.compute_us, 99)) if self.compute_us else 0.0

    def _run(self) -> None:
        while not self._ending.is_set():
            try:
                with self.lock:
                    self.session.step()
                    if self.session.row is not None:
                        self.compute_us.append(self.session.row.compute_us)
                    self._look(self.session)
            except Exception as error:  # whatever it is, the robot is held without its owner from now on
                self.lost = str(error) if isinstance(error, BurnishError) else f"{type(error).__name__}: {error}"
                self._gone(self.lost)
                if not isinstance(error, BurnishError):
                    raise
                return
            time.sleep(BEAT_S)
