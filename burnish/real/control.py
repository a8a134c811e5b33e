"""The control process: one robot, read and commanded in its own cycle, with nothing else in the way.

`python -m burnish.real.control FILE` runs what `Settings` in FILE says. It imports neither torch nor a policy: plans
come through the mailbox, and whatever happens to their maker (killed, hung, wrong), the robot is held from here.
"""

from __future__ import annotations

import gc
import math
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from burnish import extras, processes
from burnish.errors import BurnishError, CorruptFileError
from burnish.files import read_json, write_json
from burnish.real.base import Robot, RobotError, Setpoint, State, load_robot
from burnish.real.mailbox import PHASES, Layout, Mailbox
from burnish.real.player import Chunk, ChunkPlayer, PlayerConfig
from burnish.real.safety import Safety, SafetyConfig

OWNER_S = 1.0
"""An owner that is silent for so long is gone."""
ABANDONED_S = 20.0
"""After so long nobody will come back: let go of the robot."""
STOPPING = ("hold", "halt", "end")
"""Orders that a robot need not be ready for."""
PRIORITY = 50
MOST_CYCLES = 100
"""A robot whose clock leaps further than this in one cycle did not live through it."""
FAILED = 3
"""Exit status when the robot could not be reached."""


@dataclass(frozen=True)
class Settings:
    """All a control process is told.

    Attributes:
        robot: registered name.
        config: fields of the robot's own config.
        rate_hz: of the policy's actions.
        execute: actions of a chunk that the policy itself plays before it plans again.
        mailbox: file.
        patience_s: how long it waits, standing, for a plan: the first one, and in synchronous mode each.
    """

    robot: str
    config: dict[str, Any]
    rate_hz: float
    execute: int
    mailbox: str
    player: PlayerConfig = field(default_factory=PlayerConfig)
    safety: SafetyConfig = field(default_factory=SafetyConfig)
    patience_s: float = 2.0

    def write(self, path: Path) -> None:
        """As JSON, for `read`."""
        write_json(path, asdict(self))

    @classmethod
    def read(cls, path: Path) -> Settings:
        """The inverse of `write`. Raises `CorruptFileError` that names the file."""
        data = read_json(path)
        try:
            box = data["safety"]["workspace"]
            data["safety"]["workspace"] = None if box is None else tuple(map(tuple, box))
            data["player"], data["safety"] = PlayerConfig(**data["player"]), SafetyConfig(**data["safety"])
            return cls(**data)
        except (KeyError, TypeError) as error:
            why = f"{type(error).__name__}: {error}"
            raise CorruptFileError(f"{path}: not the settings of a session, or of another version's ({why})") from error


def make_robot(name: str, config: dict[str, Any]) -> Robot:
    """The driver `name` with its config's fields. Raises `BurnishError` on an unknown field or a wrong value."""
    kind = load_robot(name)
    for key, value in config.items():
        if not _finite(value):
            raise BurnishError(f"robot {name}: {key} is {value}; every number must be finite")
    try:
        return kind(kind.Config(**{key: tuple(v) if isinstance(v, list) else v for key, v in config.items()}))
    except TypeError as error:
        raise BurnishError(f"robot {name}: {error}") from error


def _finite(value: Any) -> bool:
    """Of numbers, also in rows; NaN would be on the right side of every limit."""
    if isinstance(value, tuple | list):
        return all(map(_finite, value))
    return not isinstance(value, float) or math.isfinite(value)


class Control:
    """Plays what the mailbox brings."""

    def __init__(self, robot: Robot, settings: Settings, mailbox: Mailbox) -> None:
        self.robot, self.settings, self.mailbox = robot, settings, mailbox
        self.safety = Safety(robot.spec, settings.safety, robot.body, robot.tank())
        limits = robot.spec.limits
        free = [limits.names.index(name) for name in limits.free]
        self.player = ChunkPlayer(settings.player, settings.execute, free)
        self.phase, self._told, self._cycle, self._missed = "holding", None, 0, 0
        self._due_s, self._clock_s, self._verdicts, self._begun = 0.0, 0.0, 0, 0
        self._resuming, self._ending, self._order = False, False, ""
        self._taking: Iterator[None] | None = None
        self._ready = self._commanded = not robot.prepares

    def run(self) -> None:
        """Until told to end, or until the robot is gone (`RobotError`)."""
        gc.collect()
        gc.freeze()
        gc.disable()  # a collection takes longer than a cycle
        state = self.robot.connect()
        self.safety.start(state)
        self._clock_s = state.time_s
        while self.phase != "ended":
            state = self.robot.read()
            self.cycle(state)

    def cycle(self, state: State) -> None:
        """One cycle: orders, the set point, plans and the action that is due.

        An arm has its set point first: it waits for that alone, and its motion reaches beyond its end. Legs and rotors
        are given an action as it comes.
        """
        begin = time.perf_counter()
        cycles = min(MOST_CYCLES, max(1, round((state.time_s - self._clock_s) * self.robot.spec.rate_hz)))
        self._clock_s, self._missed = state.time_s, self._missed + cycles - 1
        state, smooth = self._obey(state), self.robot.spec.smooth
        if not smooth:
            self._follow(state)
        setpoint = self.safety.step(state, cycles=cycles, silence_s=self._patience)
        if self.robot.spec.adrift and self.phase == "holding":
            setpoint = replace(setpoint, halted=True)
        if self._commanded:
            self.robot.write(setpoint)
        answered = time.perf_counter()
        if smooth:
            self._follow(state)
        if self.safety.verdict is not self._told:
            self._tell()
        self._report(state, setpoint, answered - begin, time.perf_counter() - begin)

    def _follow(self, state: State) -> None:
        """The plan that came, the action that is due, and one part of what it asks for."""
        self._receive()
        if self.phase == "playing":
            self._play(state)
        self.safety.look_ahead(state.time_s)

    def _receive(self) -> None:
        """The plan that came. An arm's, whose cycles are short, waits until nothing is left to do for the last action,
        and is read, looked at and mixed with others in one cycle each."""
        smooth = self.robot.spec.smooth
        if self._taking is None and not (smooth and self.safety.busy):
            chunk = self.mailbox.receive()
            if chunk is None or self.player.asked != chunk.slot:
                return
            self._taking = self._take(chunk)
            if smooth:
                return
        for _ in self._taking or ():
            if smooth:
                return
        self._taking = None

    def _take(self, chunk: Chunk) -> Iterator[None]:
        due = chunk.actions[self.player.slot - chunk.slot :]
        if len(due) and not self.safety.examine(self._clock_s, due):
            return
        yield
        self.player.add(chunk)

    def _report(self, state: State, setpoint: Setpoint, answer_s: float, compute_s: float) -> None:
        asked = -1 if self.player.asked is None else self.player.asked
        head = (self._cycle, state.time_s, time.monotonic(), PHASES.index(self.phase), self.player.slot, asked)
        more = (self.player.delay, self._verdicts, self._missed, answer_s * 1e6, compute_s * 1e6)
        self.mailbox.put(head + more, state.values, state.measured, state.effort, setpoint.values, setpoint.velocity)
        self._cycle += 1

    def _obey(self, state: State) -> State:
        """Follow the operator's order, if there is one; the state to go on with."""
        order, age_s = self._order or self.mailbox.obey(), self.mailbox.age_s()
        self._order = ""
        if age_s > ABANDONED_S:
            self.phase = "ended"
        if age_s > OWNER_S and self.phase == "playing":
            self.safety.halt("owner", f"nothing heard from the process that plans for {OWNER_S:g} s", state.time_s)
        if order == "halt":
            self.safety.halt("operator", "an operator stopped it", state.time_s)
        elif order == "resume" and self.phase == "halted":
            self._resuming = True
        elif order == "play" and self.phase == "holding":
            return self._begin(state)
        elif order in ("hold", "end"):
            self._hold()
            self._ending = self._ending or order == "end"
        if self._ending and not self.safety.moving:  # however long its clock takes until then
            self.phase = "ended"
        elif self._resuming and not self.safety.moving:  # a set point that still brakes must not be begun anew
            self._resuming = False
            return self._resume(state)
        return state

    def _hold(self) -> None:
        if self.phase == "playing":
            self.phase = "holding"
            self.safety.pause()
            self.player.reset()

    def _begin(self, state: State) -> State:
        """Let the policy play, after the robot was brought to where it can."""
        if not self._ready:
            self._commanded = True
            try:
                state = self.robot.prepare(self._heed)
            except RobotError as error:
                self.safety.halt("operator" if self._order else "robot", str(error), state.time_s)
                return state
            self._anew(state)
            self._ready = True
        self.phase, self._due_s, self._begun = "playing", state.time_s, self.player.slot
        return state

    def _heed(self) -> None:
        """While the robot is prepared: raise `RobotError` when it is to stop; the order itself is obeyed after that."""
        order, age_s = self.mailbox.obey(), self.mailbox.age_s()
        if order in STOPPING:
            self._order = order
            raise RobotError("stopped before it was ready, as an operator asked")
        if age_s > OWNER_S:
            raise RobotError(f"nothing heard from the process that plans for {OWNER_S:g} s while it was made ready")

    def _anew(self, state: State) -> None:
        self._clock_s = state.time_s
        self.safety.start(state)
        self.player.reset()

    def _resume(self, state: State) -> State:
        try:
            self.robot.recover()
        except RobotError as error:
            self.mailbox.tell("robot", str(error))
            return state
        state = self.robot.read()
        self._anew(state)
        self.phase, self._told = "holding", None
        self._ready = self._commanded = not self.robot.prepares
        return state

    def _play(self, state: State) -> None:
        """Ask for a plan when one is wanted; begin the action that is due."""
        period, due = 1 / self.settings.rate_hz, state.time_s >= self._due_s - 1e-9
        if self.player.wants() and (due or not self._looks_at_rest):
            self.player.ask()
        if not due:
            return
        actions = self.player.next(1 + FOLLOWING)
        if actions is None:
            return  # the clock of actions stands still; the first of the next plan is due at once
        late = state.time_s - self._due_s
        self._due_s = (self._due_s if late < period else state.time_s) + period
        self.safety.want(state, actions, max(1, round((self._due_s - state.time_s) * self.robot.spec.rate_hz)))
        if self.player.wants() and not self._looks_at_rest:
            self.player.ask()

    @property
    def _looks_at_rest(self) -> bool:
        """An arm whose plans follow one another looks when the last action is over, as it does where it was trained;
        legs and rotors cannot wait for that."""
        return self.settings.player.mode == "synchronous" and self.robot.spec.smooth

    @property
    def _patience(self) -> float | None:
        """How long actions may stay away; None while none are due."""
        if self.phase != "playing":
            return None
        waits = self.settings.player.mode == "synchronous" or self.player.slot == self._begun
        return self.settings.patience_s if waits else self.robot.spec.limits.silence

    def _tell(self) -> None:
        verdict = self._told = self.safety.verdict
        if verdict is not None:
            self.phase, self._verdicts = "halted", self._verdicts + 1
            self.mailbox.tell(verdict.rule, verdict.message)


FOLLOWING = 6
"""Actions beyond the one that is due that motion may be planned to join."""


def main(path: Path) -> int:
    """Run the control process that the file describes; its exit status."""
    settings = Settings.read(path)
    robot = make_robot(settings.robot, settings.config)
    layout = Layout(*(field.shape[-1] for field in (robot.spec.state, robot.spec.contract.action)))
    mailbox = Mailbox(Path(settings.mailbox), layout)
    processes.real_time(PRIORITY)
    processes.stay_awake()
    try:
        Control(robot, settings, mailbox).run()
    except BurnishError as error:
        mailbox.tell("line", str(error))
        return FAILED
    except ModuleNotFoundError as error:
        mailbox.tell("line", extras.needed(f"robot {settings.robot}", error))
        return FAILED
    finally:
        robot.close()
        Path(settings.mailbox).unlink(missing_ok=True)  # its owner may have been killed, and both have it mapped
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
