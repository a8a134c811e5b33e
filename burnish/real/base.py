"""The robot contract: what every driver gives, and what stands between a policy and it.

A robot is read and commanded in cycles of its own clock. Each cycle `read` gives a `State`; `Safety` makes a `Setpoint`
of whatever a policy wants; `write` sends it. Nothing else can make a setpoint, so nothing reaches a robot unchecked.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np

from burnish import registry
from burnish.contract import ACTION, STATE, Contract, Field, difference
from burnish.errors import BurnishError, ContractError
from burnish.limits import Limits

if TYPE_CHECKING:
    from burnish.real.energy import EnergyTank

COMPARED = ("shape", "dtype", "unit", "frame", "names")
"""What of a field must be the same. The rest is the policy's own matter: a robot has no statistics, and `Safety` keeps
its limits."""


class RobotError(BurnishError):
    """The robot cannot be reached, is not ready, or stopped; the message says what to do."""


class Body(Protocol):
    """The robot's shape at a setpoint (A,)."""

    def tool(self, setpoint: np.ndarray) -> np.ndarray:
        """(3,) m, base frame."""
        ...

    def clearances(self, setpoint: np.ndarray) -> Iterator[float]:
        """Smallest distances between parts that are not neighbours, or to the floor it stands on, m: of some of them,
        then of others, so that no cycle of the robot looks at all."""
        ...


class Translator(Protocol):
    """Of a robot whose policies command something else than its set points: the tool's pose, for an arm of joints."""

    field: Field
    """What they command."""

    def setpoints(
        self, actions: np.ndarray, start: np.ndarray, before: np.ndarray | None, period_s: float
    ) -> np.ndarray:
        """(H, A) set points of `actions` (H, N), as near as can be; `Safety` judges them as any others.

        Args:
            start: (A,) the set point from which the first one is gone on with.
            before: (N,) the action that led there, None where there is none.
            period_s: of the actions.
        Raises `BurnishError` for an action that means nothing.
        """
        ...

    def actions(self, setpoints: np.ndarray) -> np.ndarray:
        """(H, N) what set points (H, A) are as actions."""
        ...


@dataclass(frozen=True)
class State:
    """One cycle of a robot.

    Attributes:
        time_s: the robot's own clock.
        values: (S,) as `observation.state` of its contract says.
        measured: (A,) where each entry of a setpoint is now; NaN where nothing measures it.
        effort: (A,) measured torque or force, N·m or N; NaN where there is none.
        reference: (A,) where its own controller's set point is, from which a motion must begin; None: `measured`.
        fault: what the robot itself reports ("" while it is well): a reflex, a tripped motor, a failsafe.
    """

    time_s: float
    values: np.ndarray
    measured: np.ndarray
    effort: np.ndarray
    fault: str = ""
    reference: np.ndarray | None = None


@dataclass(frozen=True)
class Setpoint:
    """What a driver sends. Only `Safety` makes them.

    Attributes:
        values: (A,) in the unit and order of the contract's action.
        velocity: (A,) of `values`, per s.
        halted: hold (an arm), damp (legs) or hover and land (a quadrotor): what `Robot.write` does then.
    """

    values: np.ndarray
    velocity: np.ndarray
    halted: bool


@dataclass(frozen=True)
class RobotSpec:
    """What a robot is, before anything is connected.

    Attributes:
        contract: what it can observe and what its set points are, at the rate of its cycle.
        limits: of its setpoint.
        smooth: whether actions are joined by jerk-limited motion (arms) or applied as they come (legs, rotors).
        halt: what happens when it is halted, for messages ("held", "damped", "landed").
        adrift: whether a standing set point does not hold it (a quadrotor's tilt), so that it is halted in a pause too.
        ends_s: how long it may take to come to rest and be let go of.
        asked: what a policy commands, where that is something else than a set point (`Robot.translator`).
    """

    name: str
    contract: Contract
    limits: Limits
    smooth: bool
    halt: str
    adrift: bool = False
    ends_s: float = 4.0
    asked: Field | None = None

    @property
    def action(self) -> Field:
        """What a policy commands."""
        return self.asked or self.contract.action

    @property
    def state(self) -> Field:
        """What it measures of itself."""
        return self.contract.observation[STATE]

    @property
    def rate_hz(self) -> float:
        """Cycles per second."""
        return self.contract.action.rate_hz

    def check(self, policy: Contract, *, here: str) -> None:
        """Raise `ContractError` naming every field of a policy's contract that does not fit, with both values.

        Args:
            here: what `policy` belongs to, e.g. "checkpoint runs/lift/policy".
        """
        offered, problems = self.contract.fields | {ACTION: self.action}, []
        for key, field in policy.fields.items():
            if key not in offered:
                problems.append(f"{key}: the {here} reads it, robot {self.name} has {', '.join(sorted(offered))}")
                continue
            problems += _differences(key, field, offered[key], here, f"robot {self.name}")
        if policy.action.rate_hz > self.rate_hz:
            problems.append(f"action.rate_hz: {policy.action.rate_hz:g} in the {here}, robot {self.name}: at most"
                            f" {self.rate_hz:g}")  # fmt: skip
        if problems:
            listed = "\n  ".join(problems)
            raise ContractError(
                f"the {here} does not fit robot {self.name}:\n  {listed}\n"
                "Nothing was moved. Use a policy trained for this robot (a quadrotor: or another --robot.mode)."
            )


class Robot(ABC):
    """A driver. `connect`, then `read` and `write` in turn; `close` always."""

    Config: ClassVar[type]
    """A frozen dataclass whose first field is `address`."""
    prepares: ClassVar[bool] = False
    """Whether it must be prepared before a policy can move it: legs stand up, rotors take off."""
    spec: RobotSpec
    body: Body | None = None
    """Its shape, where its limits name a workspace or a clearance."""
    translator: Translator | None = None
    """What makes its set points of a policy's actions, where these are something else."""

    @abstractmethod
    def __init__(self, config: Any) -> None:
        """Nothing is reached yet. `config`: a `Config`."""

    @classmethod
    def unsuited(cls, config: Any, trained: Mapping[str, tuple[float, float]]) -> str:
        """Why a policy that was `trained` for such ranges should not move this one; "" where it may."""
        return ""

    @classmethod
    def senses(cls, config: Any) -> dict[str, Callable[[], np.ndarray]]:
        """What a policy may observe besides, that no sensor measures (a target): key → its latest value."""
        return {}

    @classmethod
    def simulation(cls, config: Any) -> list[str]:
        """Words for `burnish sim-robot` that make the simulated robot one for `config`."""
        return []

    @classmethod
    def lets_go(cls, config: Any) -> str:
        """What the simulated robot is asked for once a policy moves it, as an operator would do it to the real one: to
        take its strap off; "" for nothing."""
        return ""

    def tank(self) -> EnergyTank | None:
        """What it may spend on pushing; None for robots without a stiffness."""
        return None

    @abstractmethod
    def connect(self) -> State:
        """Reach the robot and make it ready to be commanded. Nothing moves.

        Raises `RobotError` if it is unreachable, of another protocol version, stopped, or commanded by somebody else.
        """

    def prepare(self, heed: Callable[[], None] = lambda: None) -> State:
        """Bring it, within seconds, to where a policy begins; only of robots with `prepares`.

        Args:
            heed: to be called every cycle; raises `RobotError` when an operator wants it to stop.
        Raises `RobotError` if it does not come there; set points that are halted are written then.
        """
        raise NotImplementedError

    @abstractmethod
    def read(self) -> State:
        """Wait for the next cycle. Raises `RobotError` when the robot or the line to it is gone.

        A reflex or failsafe of the robot's is no exception but `State.fault`.
        """

    @abstractmethod
    def write(self, setpoint: Setpoint) -> None:
        """Command this cycle; at once, without waiting. Raises `RobotError` as `read`."""

    @abstractmethod
    def recover(self) -> None:
        """After a reflex or failsafe, when an operator says so: ready to be commanded again, or `RobotError`."""

    @abstractmethod
    def close(self) -> None:
        """End the motion as this robot does when nobody commands it, and let go of it. Safe to call twice.

        Takes no longer than `spec.ends_s`.
        """


def state_field(names: tuple[str, ...], unit: tuple[str, ...], frame: str, rate_hz: float) -> Field:
    """A vector of numbers that a robot measures or is commanded."""
    return Field((len(names),), names, unit, frame, rate_hz, "min_max")


def load_robot(name: str) -> type[Robot]:
    """The driver registered under `name`. Raises `UnknownNameError` with the closest match."""
    return registry.robots.load(name)


def _differences(key: str, mine: Field, theirs: Field, here: str, there: str) -> list[str]:
    pairs = [(part, getattr(mine, part), getattr(theirs, part)) for part in COMPARED]
    return [difference(f"{key}.{part}", a, b, here, there) for part, a, b in pairs if a != b]
