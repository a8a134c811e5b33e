"""What `burnish envs` says of LIBERO."""

from __future__ import annotations

from burnish.sim.about import About, Group
from burnish.sim.libero.chains import CHAINS
from burnish.sim.libero.suites import ALL, STANDARD
from burnish.sim.needs import Package

TASKS = tuple(f"{suite}/{i}" for suite in STANDARD for i in range(90 if suite == "90" else 10))
SUITES = (*STANDARD, ALL, *CHAINS)
_OBSERVATION = "state 8, environment_state 60, the instruction; with --images two cameras, with --places patches"
_ACTION = "7: displacement (5 cm) and turn (0.5 rad) of the hand, grip; 20 Hz"

ABOUT = About(
    "LIBERO: a Panda arm, told in words what to do (arXiv 2306.03310)",
    (
        Group(TASKS, _OBSERVATION, _ACTION, "all goals of its BDDL file hold"),
        Group(SUITES, _OBSERVATION, _ACTION, "a task of the suite per episode; all goals of its BDDL file hold"),
    ),
    (Package("mujoco", "libero"), Package("libero", "libero")),
)
