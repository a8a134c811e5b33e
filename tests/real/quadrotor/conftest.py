"""A simulated quadrotor in a process of its own, and a policy that flies it through driver and Safety."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from burnish.real.quadrotor.config import QuadrotorConfig
from burnish.real.quadrotor.driver import QuadrotorDriver
from burnish.real.quadrotor.pilot import Pilot
from burnish.real.safety import Safety
from burnish.real.simulated import SimulatedProcess

PLACE = np.array([0.0, 0.0, 1.2])


class Trip:
    """Driver, Safety and policy of one simulated quadrotor."""

    def __init__(self, sim: SimulatedProcess, **settings) -> None:
        defaults = {"height_m": 1.2, "land_after_s": 4.0, "fence_m": (2.0, 2.0, 3.0), "wait_s": 5.0, "silence_s": 1.0}
        self.sim = sim
        self.robot = QuadrotorDriver(QuadrotorConfig(address=sim.address, **{**defaults, **settings}))
        self.safety = Safety(self.robot.spec)
        self.pilot = Pilot(self.robot.config.mode)
        self.state = self.robot.connect()

    def ready(self) -> None:
        """In the air and followed, whatever was before."""
        self.sim.ask("battery", left=1.0)
        if self.sim.ask("report")["mode"] == "LAND":
            wait_for(self.sim, lambda seen: not seen["armed"])
        self.state = self.robot.read()
        self.listen()
        self.robot.recover()
        self.state = self.robot.prepare()
        self.safety.start(self.state)
        self.home = np.array([*self.state.values[:2], PLACE[2]])

    def fly(self, seconds: float, away: np.ndarray | None = None, act: Callable | None = None) -> np.ndarray:
        """(T, 3) how far it was from its place, m, for so long by its own clock: a busy machine slows it down.
        `act` stands in for the policy; None from it is silence."""
        place = self.home + (0.0 if away is None else away)
        errors = []
        end = self.state.time_s + seconds
        while self.state.time_s < end:
            self.state = self.robot.read()
            action = (act or self.pilot.act)(self.state.values, place)
            if action is not None:
                self.safety.want(self.state, action[None], 1)
            self.robot.write(self.safety.step(self.state, silence_s=0.2))
            errors.append(self.state.values[:3] - place)
        return np.array(errors)

    def listen(self) -> None:
        """Long enough to have heard of everything that the autopilot tells only now and then."""
        end = self.state.time_s + 0.7
        while self.state.time_s < end:
            self.state = self.robot.read()

    @property
    def rule(self) -> str:
        return self.safety.verdict.rule if self.safety.verdict else ""


def wait_for(sim: SimulatedProcess, done: Callable[[dict], bool], seconds: float = 20.0) -> dict:
    """Its report once `done`; the last one if it never is."""
    end = time.monotonic() + seconds
    while not done(seen := sim.ask("report")) and time.monotonic() < end:
        time.sleep(0.05)
    return seen


@pytest.fixture(scope="module")
def sim() -> Iterator[SimulatedProcess]:
    with SimulatedProcess("quadrotor", ["--port", "0", "--hold-s", "1.5", "--offboard-loss-s", "1.0"]) as process:
        yield process


@pytest.fixture(scope="module")
def trip(sim) -> Iterator[Trip]:
    trip = Trip(sim)
    yield trip
    trip.robot.close()
