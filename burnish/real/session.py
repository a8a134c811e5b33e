"""A robot at work: its control process, what plans for it, what watches it, and what is written down.

The owner of a session never blocks the robot: planning runs in a thread, the robot in a process of its own.
"""

from __future__ import annotations

import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from burnish.contract import Contract
from burnish.errors import BurnishError
from burnish.real.asking import Asking, Plans
from burnish.real.base import RobotError
from burnish.real.control import Settings, make_robot
from burnish.real.journal import Journal
from burnish.real.mailbox import Layout, Mailbox, Row

START_S = 30.0
RESUME_S = 5.0
OBEYED_S = 1.0
"""An order to halt is obeyed in less."""
HANGS_S = 2.0
"""A control process that plays says something in every cycle; one that is silent for so long hangs."""
PREPARE_S = 60.0
BEAT_S = 0.002
"""How often the owner looks; plans are asked for with this delay."""


class Session:
    """Owns one robot, for `with`.

    Attributes:
        row: the robot's latest cycle.
        verdict: the rule by which the robot is halted, and why; None while it is not.
    """

    def __init__(
        self,
        settings: Settings,
        plans: Plans,
        folder: Path,
        *,
        senses: Mapping[str, Callable[[], np.ndarray]] | None = None,
        tell: Callable[[str], None] = print,
    ) -> None:
        """Check that policy and robot fit, then start the control process. Nothing moves until `play`.

        Args:
            folder: where everything is recorded.
            senses: observations the robot itself does not give: key → its latest value.
            tell: one line to the operator.
        Raises:
            ContractError: policy and robot do not fit; names the field and both values.
            RobotError: the robot cannot be reached, or is not ready.
        """
        self._settings, self._plans, self._senses, self._tell = settings, plans, dict(senses or {}), tell
        robot = make_robot(settings.robot, settings.config)
        self.spec = robot.spec
        if plans.contract is not None:
            self.spec.check(_without(plans.contract, self._senses), here="policy")
        if not 0 < settings.rate_hz <= self.spec.rate_hz:  # NaN too
            raise BurnishError(
                f"{settings.rate_hz:g} actions a second: robot {self.spec.name} takes more than 0, and at most "
                f"{self.spec.rate_hz:g} (--rate-hz, where the policy does not say it)"
            )
        if settings.player.mode == "realtime" and not plans.realtime:
            raise BurnishError("this policy has no real-time chunking; use --player.mode ensemble or synchronous")
        folder.mkdir(parents=True, exist_ok=True)
        self._layout = Layout(self.spec.state.shape[-1], self.spec.contract.action.shape[-1])
        self._mailbox = Mailbox(Path(settings.mailbox), self._layout, create=True)
        self._journal = Journal(folder, self.spec, self._layout, settings)
        realtime = settings.player.mode == "realtime"
        self._asking = Asking(plans, self._senses, robot, settings.rate_hz, realtime=realtime)
        self._verdicts = 0
        self.row: Row | None = None
        self._first_s: float | None = None
        self._heard_s = 0.0
        self.verdict: tuple[str, str] | None = None
        settings.write(folder / "control.json")
        self._mailbox.beat()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "burnish.real.control", str(folder / "control.json")],
            stdin=subprocess.DEVNULL,
            env=os.environ | {"OMP_NUM_THREADS": "1"},  # its matrices are small, and its cycle short
            start_new_session=True,  # Ctrl-C is for the owner, who then lets the robot come to rest
        )
        self._await_start()

    def play(self, until: Callable[[], bool] = lambda: False) -> None:
        """Let the policy move the robot, which first stands up or takes off if it has to, `until` something is true."""
        # After a hold it asks from the same slot again, and what was planned before the hold is old.
        self._asking.forget()
        self._order("play", "playing")
        self.run(PREPARE_S, lambda: until() or (self.row is not None and self.row.phase != "holding"))

    def hold(self) -> None:
        """Come to rest; `play` goes on."""
        self._order("hold", "holding, as asked")

    def halt(self) -> None:
        """The operator's stop."""
        self._mailbox.order("halt")

    def resume(self) -> None:
        """After a halt, when whatever caused it is gone: ready for `play`.

        Raises `BurnishError` if it is not halted, or the policy or the robot is not ready.
        """
        self.run(OBEYED_S, lambda: self.row is not None and self.row.phase == "halted")
        if self.row is not None and self.row.phase != "halted":  # a policy that plays must not be begun anew
            raise BurnishError(f"it is {self.row.phase}, not halted; there is nothing to resume")
        with ThreadPoolExecutor(1) as pool:  # a policy may take minutes to load, and the robot is held only by an owner
            ready = pool.submit(self._asking.renew)
            self._quietly(math.inf, ready.done)
            ready.result()
        self._order("resume", "resumed by the operator")
        self.run(RESUME_S, lambda: self.row is not None and self.row.phase == "holding")
        if self.row is None or self.row.phase != "holding":
            raise RobotError(f"robot {self.spec.name} is not ready again: {self._mailbox.why().get('message', '?')}")
        self.verdict = None

    def step(self) -> None:
        """Look after everything once; call it every few milliseconds. Raises `RobotError` when the robot is gone."""
        self._mailbox.beat()
        rows = self._mailbox.rows()
        if len(rows):
            self._journal.add(rows)
            self.row, self._heard_s = Row(self._layout, rows[-1]), time.monotonic()
            self._first_s = self.row.time_s if self._first_s is None else self._first_s
            self._notice(self.row)
        elif self.process.poll() is not None:
            raise RobotError(
                self._mailbox.why().get("message", f"the control process ended ({self.process.returncode})")
            )
        elif self.row is not None and self.row.phase == "playing" and time.monotonic() - self._heard_s > HANGS_S:
            self.process.kill()
            raise RobotError(
                f"the control process has said nothing for {HANGS_S:g} s, and was ended; without it the robot stops by "
                "itself. Run the same command again"
            )
        self._plan()

    def run(self, seconds: float, until: Callable[[], bool] = lambda: False) -> None:
        """`step` for so long, or until something is true."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and not until():
            self.step()
            time.sleep(BEAT_S)

    def summary(self) -> dict[str, Any]:
        """What happened, in numbers."""
        row = self.row
        assert row is not None
        why = self._mailbox.why()
        return {
            "seconds": round(float(row.time_s - (self._first_s or 0.0)), 3),
            "actions": row.slot,
            "missed_cycles": row.missed,
            "halts": row.verdicts,
            "last_halt": why.get("rule", ""),
            "phase": row.phase,
        }

    def close(self) -> None:
        """Come to rest, let go of the robot, and finish what is written."""
        if self.process.poll() is None:
            self._mailbox.order("end")
            self._quietly(self.spec.ends_s, lambda: self.process.poll() is not None)
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._journal.add(self._mailbox.rows())  # its last cycles: how it came to rest
        self._asking.close()
        self._journal.close()

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _await_start(self) -> None:
        end = time.monotonic() + START_S
        try:
            while self.row is None:
                self.step()
                if time.monotonic() > end:
                    raise RobotError(f"robot {self.spec.name} says nothing after {START_S:g} s")
                time.sleep(BEAT_S)
        except BaseException:
            self.close()
            raise

    def _order(self, what: str, line: str) -> None:
        self._mailbox.order(what)
        self.say(what, line)

    def _notice(self, row: Row) -> None:
        if row.verdicts > self._verdicts:
            why = self._mailbox.why()
            self._verdicts = row.verdicts
            self._blame(why.get("rule", "?"), why.get("message", "?"))

    def _blame(self, rule: str, message: str) -> None:
        """Of several reasons the first is the cause."""
        self.verdict = self.verdict or (rule, message)
        self.say(rule, f"{self.spec.halt}: {message}")

    def say(self, rule: str, line: str) -> None:
        """Tell the operator, and write it down."""
        self._journal.event(rule, line, 0.0 if self.row is None else self.row.time_s)
        self._tell(line)

    def _plan(self) -> None:
        """Hand over the plan that is ready; ask for the one that the player wants."""
        try:
            chunk = self._asking.answer()
        except Exception as error:  # whatever a policy or a sense raises, the robot is held, and goes on when it can
            self._mailbox.order("halt")
            self._blame("policy", f"no plan: {error if isinstance(error, BurnishError) else repr(error)}")
            return
        if chunk is not None:
            self._mailbox.send(chunk)
        if self.row is not None and self.row.phase == "playing":
            self._asking.ask(self.row)

    def _quietly(self, seconds: float, until: Callable[[], bool] = lambda: False) -> None:
        """Go on recording, and be there, while something else is waited for."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and not until():
            self._mailbox.beat()
            self._journal.add(self._mailbox.rows())
            time.sleep(BEAT_S)


def mailbox_path() -> Path:
    """A fresh file in memory, where there is such a place."""
    shared = Path("/dev/shm")
    place = shared if shared.is_dir() else Path(os.environ.get("TMPDIR", "/tmp"))
    return place / f"burnish-{os.getpid()}-{time.monotonic_ns()}"


def _without(contract: Contract, senses: Mapping[str, Any]) -> Contract:
    return contract.only([key for key in contract.observation if key not in senses])
