"""Simulated robots in processes of their own, each in a DDS domain of its own."""

import itertools
import os

import numpy as np
import pytest

from burnish.real.simulated import SimulatedProcess
from burnish.real.unitree.driver import Go2, UnitreeConfig, UnitreeG1

PATIENT = 1.0
"""s: what may pass on a machine that does other things too, before a line counts as lost."""
_domains = itertools.count(1 + os.getpid() * 7 % 200)


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """Start a simulated robot; the driver's class and config are with it."""
    processes = []

    def begin(name, *flags):
        domain = 1 + next(_domains) % 230
        log = tmp_path_factory.mktemp(name) / "log"
        processes.append(
            SimulatedProcess(name, ["--domain", str(domain), "--timeout-s", "0.4", *flags], log).__enter__()
        )
        processes[-1].domain = domain
        return processes[-1]

    yield begin
    for process in processes:
        process.__exit__()


@pytest.fixture
def driver():
    """A driver for a simulated robot; closed at the end."""
    drivers = []

    def make(robot, kind=Go2, **settings):
        settings = {"silence": PATIENT, **settings}
        drivers.append({"go2": Go2, "g1": UnitreeG1}.get(kind, kind)(UnitreeConfig("lo", robot.domain, **settings)))
        return drivers[-1]

    yield make
    for one in drivers:
        one.close()


@pytest.fixture
def play():
    """Play actions at 50 Hz through `Safety`, until so many cycles are over or it halts; the last state."""

    def run(robot, safety, state, cycles, action):
        for cycle in range(cycles):
            if cycle % 10 == 0:
                safety.want(state, np.asarray(action(state), float)[None], 10)
            robot.write(safety.step(state, silence_s=safety.spec.limits.silence))
            if safety.verdict is not None:
                break
            state = robot.read()
        return state

    return run
