"""What stands between every policy and every robot, and cannot be switched off.

Actions within the limits pass; those a little outside are limited and counted; what cannot be meant (NaN, a jump, a
pose outside the workspace, silence) halts the robot by jerk-limited braking, until an operator resumes. Each rule has a
name, and says in one line why it halted.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from burnish import quintic
from burnish.errors import BurnishError
from burnish.real.base import Body, RobotSpec, Setpoint, State
from burnish.real.energy import EnergyTank
from burnish.real.motion import INSIDE, DirectMotion, Moment, Motion, SmoothMotion


@dataclass(frozen=True)
class SafetyConfig:
    """How much of a robot's limits is used. There is no way to use more, and none to use no `Safety`."""

    share: float = 0.8
    """Of the limits of velocity and acceleration."""
    workspace: tuple[tuple[float, float, float], tuple[float, float, float]] | None = None
    """Lowest and highest corner of the tool's box, m, base frame; inside the robot's own. None: the robot's own."""

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise BurnishError(f"safety: share must be above 0 and at most 1, is {self.share}")
        if self.workspace is not None and not np.isfinite(self.workspace).all():
            raise BurnishError(f"safety: the corners of the workspace must be finite, are {self.workspace}")


@dataclass(frozen=True)
class Verdict:
    """Why a robot was halted.

    Attributes:
        rule: its name.
        message: one line with the values.
        time_s: of the robot's clock.
    """

    rule: str
    message: str
    time_s: float


Fault = tuple[str, str]
"""The rule that is broken, and how."""


class Safety:
    """Makes the setpoint of each cycle.

    Attributes:
        verdict: why it is halted, or None.
        limited: how often an action was changed to stay within limits, by rule.
    """

    def __init__(
        self,
        spec: RobotSpec,
        config: SafetyConfig | None = None,
        body: Body | None = None,
        tank: EnergyTank | None = None,
    ) -> None:
        """`body`: needed where the limits name a workspace or a clearance."""
        config = config or SafetyConfig()
        limits = spec.limits
        if body is None and (limits.workspace or limits.clearance):
            raise BurnishError(f"robot {spec.name}: limits with a workspace or a clearance need its shape (body)")
        self.spec, self._body, self._tank = spec, body, tank
        self._box = _inside(limits.workspace, config.workspace)
        self._motion: Motion = (SmoothMotion if spec.smooth else DirectMotion)(limits, 1 / spec.rate_hz, config.share)
        inside = np.array([INSIDE if spec.smooth and name not in limits.free else 0.0 for name in limits.names])
        self._low, self._high = np.array(limits.low) + inside, np.array(limits.high) - inside
        self._range = self._low.tolist(), self._high.tolist()
        self._torque = limits.torque
        self.limited: Counter[str] = Counter()
        self.verdict: Verdict | None = None
        self._parts: Iterator[Fault | None] | None = None
        self._looked = False
        self._last_action_s: float | None = None
        self._strained = 0

    def start(self, state: State) -> None:
        """At rest where the robot is; an earlier verdict is done with. Where nothing is measured, at 0."""
        here = state.measured if state.reference is None else state.reference
        self._motion.start(np.clip(np.where(np.isfinite(here), here, 0.0), self._low, self._high))
        self.verdict, self._last_action_s, self._strained = None, None, 0
        self._parts = None
        if self._tank is not None:
            self._tank.fill()

    def want(self, state: State, actions: np.ndarray, cycles: int) -> None:
        """Head for `actions[0]` of (K, A), to be met in `cycles`; those that follow it say how it moves on."""
        self._last_action_s = state.time_s
        while self.verdict is None and self.look_ahead(state.time_s):
            continue  # what the last action left undone, if actions follow so closely
        if self.verdict is None:
            self._parts = self._follow(actions, cycles)

    def examine(self, time_s: float, actions: np.ndarray) -> bool:
        """Look at a plan (K, A), whose first action is due next, before it is mixed with others; False: it halted."""
        fault = self._wrong(actions)
        if fault:
            self.halt(*fault, time_s)
        return not fault

    def step(self, state: State, *, cycles: int = 1, silence_s: float | None = None) -> Setpoint:
        """This cycle's setpoint.

        Args:
            cycles: of the robot's clock since the last one; more than one when cycles were missed.
            silence_s: how long actions may stay away; None: none are due.
        """
        if self.verdict is None:
            fault = self._unwell(state, silence_s)
            if fault:
                self.halt(*fault, state.time_s)
            elif not self._looked:
                for _ in range(cycles):
                    self.look_ahead(state.time_s)
        self._looked = False
        for _ in range(cycles):
            position, velocity, _ = self._motion.step()
        return Setpoint(position, velocity, self.verdict is not None)

    def look_ahead(self, time_s: float) -> bool:
        """Do one part of what the action just begun asks for; False if nothing was left to do.

        Whoever calls it once the robot has its set point answers the robot sooner; else `step` does it.
        """
        self._looked = True
        if self._parts is None:
            return False
        for fault in self._parts:
            if fault:
                self.halt(*fault, time_s)
            return True
        self._parts = None
        return False

    @property
    def busy(self) -> bool:
        """Whether something is left to do for the action just begun."""
        return self._parts is not None

    @property
    def moving(self) -> bool:
        """Whether the set point still does."""
        return bool(np.abs(self._motion.now[1]).max() > STANDS)

    def halt(self, rule: str, message: str, time_s: float) -> None:
        """Brake now, and stay halted until `start`. A second reason does not replace the first."""
        if self.verdict is None:
            self.verdict, self._parts = Verdict(rule, message, time_s), None
            self._motion.brake()

    def pause(self) -> None:
        """Come to rest without any fault: nothing is planned for now."""
        self._parts = None
        if self.verdict is None:
            self._motion.brake()

    def _wrong(self, actions: np.ndarray) -> Fault | None:
        """What cannot be meant by `actions`, of which the first is due."""
        names = self.spec.limits.names
        if actions.shape[1:] != self._low.shape:
            return "dimension", f"actions of {actions.shape[1:]} numbers for {len(names)}: {', '.join(names)}"
        # Plain numbers: for so few they are sooner done than arrays, above all by what is not done every cycle.
        rows, now = actions.tolist(), self._motion.now[0].tolist()
        if not math.isfinite(sum(map(sum, rows))) and not np.isfinite(actions).all():
            step, which = np.argwhere(~np.isfinite(actions))[0]
            return "finite", f"{names[which]} is {actions[step, which]}"
        action = rows[0]
        shares = [abs(to - at) / most for to, at, most in zip(action, now, self.spec.limits.jump, strict=True)]
        if max(shares) > 1:
            which = shares.index(max(shares))
            unit = self.spec.contract.action.unit[which]
            return "jump", (
                f"{names[which]} is asked from {now[which]:.3f} to {action[which]:.3f} {unit} at once "
                f"(at most {self.spec.limits.jump[which]:g}); wrong unit, other order of joints, or a broken plan"
            )
        return None

    def _unwell(self, state: State, silence_s: float | None) -> Fault | None:
        """What is wrong with the robot or with the flow of actions."""
        if state.fault:
            return "robot", state.fault
        if not math.isfinite(sum(state.values.tolist())):
            return "state", "the robot reports a state that is not finite"
        # NaN where nothing is measured, which is never more than a limit
        strained = any(abs(effort) > most for effort, most in zip(state.effort.tolist(), self._torque, strict=True))
        self._strained = self._strained + 1 if strained else 0
        if self._strained > STRAIN_CYCLES:
            effort = np.abs(state.effort)
            which = int(np.nanargmax(effort / self._torque))
            name = self.spec.limits.names[which]
            return "torque", f"{name} takes {effort[which]:.1f}, at most {self._torque[which]:g}"
        if silence_s is None or self._last_action_s is None:
            self._last_action_s = state.time_s
        elif (since := state.time_s - self._last_action_s) > silence_s:
            return "silence", f"no action for {since:.2f} s (at most {silence_s:g})"
        if self._tank is not None and not self._tank.pays(state, self._motion.now, 1 / self.spec.rate_hz):
            return "energy", f"pushing took more than {self._tank.capacity_j:g} J; something is in the way"
        return None

    def _allowed(self, actions: np.ndarray) -> np.ndarray:
        low, high = self._range
        if all(least <= to <= most for row in actions.tolist() for least, to, most in zip(low, row, high, strict=True)):
            return actions
        allowed = np.minimum(np.maximum(actions, self._low), self._high)
        if (allowed[0] != actions[0]).any():
            self.limited["position"] += 1
        return allowed

    def _follow(self, actions: np.ndarray, cycles: int) -> Iterator[Fault | None]:
        """What an action asks for, in parts, one a cycle, so that no cycle does everything."""
        period, spread = cycles, self.spec.smooth and cycles >= SPREAD
        if spread:
            cycles -= 7  # motion goes on a little beyond its end, so that the seventh cycle is soon enough
            yield None  # the cycle in which an action begins has enough to do
        fault = self._wrong(actions)
        if fault:
            yield fault
            return
        allowed = self._allowed(actions)
        if spread:
            yield None
            yield self._leaves(allowed[0])  # before anything moves there
            moment = next(moments(self._motion.soon(4), allowed[:2], *self._spans(cycles, period)))
            yield None
            for _ in self._motion.foresee(moment, cycles):
                yield None
        self._aim(allowed, cycles, period)
        yield None if spread else self._leaves(allowed[0])
        if self._body is not None and self.spec.limits.clearance is not None:
            for found in self._body.clearances(allowed[0]):
                yield self._collides(found)
        if spread:  # and where it will be asked to go next: what moves fast needs room to brake
            yield self._leaves(allowed[min(1, len(allowed) - 1)])

    def _aim(self, allowed: np.ndarray, cycles: int, period: int) -> None:
        ahead = moments(self._motion.now[0], allowed, *self._spans(cycles, period))
        if not self._motion.aim(ahead, max(1, cycles), max(1, period)):
            self.limited["motion"] += 1

    def _spans(self, cycles: int, period: int) -> tuple[float, float]:
        return cycles / self.spec.rate_hz, period / self.spec.rate_hz

    def _leaves(self, action: np.ndarray) -> Fault | None:
        if self._box is None or self._body is None:
            return None
        tool, (low, high) = self._body.tool(action).tolist(), self._box
        if all(least <= at <= most for least, at, most in zip(low, tool, high, strict=True)):
            return None
        return "workspace", f"the tool would be at {_rounded(tool)} m, outside {_rounded(low)} … {_rounded(high)}"

    def _collides(self, found: float) -> Fault | None:
        least = self.spec.limits.clearance
        if least is None or found >= least:
            return None
        return "clearance", f"parts of the robot would be {found:.3f} m apart, at least {least:g}"


STANDS = 1e-6
"""Slower than this, per s, is standing."""
SPREAD = 20
"""Cycles an action must take for its parts to be spread over them: 50 actions a second at 1 kHz."""
STRAIN_CYCLES = 5
"""A torque above its limit for longer than this halts: one cycle alone may be noise."""


def moments(here: np.ndarray, actions: np.ndarray, span_s: float, period_s: float) -> Iterator[Moment]:
    """The actions (K, A) with the velocity and acceleration of the parabola through each and its neighbours: `here` is
    `span_s` before the first, the others are `period_s` apart; one alone is a stop."""
    if len(actions) == 1:
        rest = np.zeros_like(here)
        yield actions[0], rest, rest
    for before, action, after in zip([here, *actions], actions, actions[1:], strict=False):
        velocity, acceleration = quintic.parabola(span_s, period_s) @ np.array((before, action, after))
        yield action, velocity, acceleration
        span_s = period_s


def _rounded(place: list[float]) -> list[float]:
    return [round(value, 3) for value in place]


def _inside(own: object, wish: object) -> tuple[list[float], list[float]] | None:
    """Lowest and highest corner of the box both allow."""
    boxes = [np.array(box, float) for box in (own, wish) if box is not None]
    if not boxes:
        return None
    low, high = np.max([box[0] for box in boxes], axis=0), np.min([box[1] for box in boxes], axis=0)
    if (low >= high).any():
        raise BurnishError(f"safety: the workspace {low.tolist()} … {high.tolist()} m is empty")
    return low.tolist(), high.tolist()
