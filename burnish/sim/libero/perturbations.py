"""LIBERO-PRO's suites: what each changes, and whether it can be played (some lack a model or have no init states)."""

from __future__ import annotations

import re
from functools import cache

from burnish.sim.libero.quiet import quiet
from burnish.sim.libero.suites import STANDARD, suite_tasks

AXES = {
    "lan": "instruction reworded",
    "object": "objects look different",
    "swap": "objects change places",
    "task": "another task in the scene",
    "with": "something lies in the way",
}
"""First word that a suite's name adds to the standard one's → what is changed."""
OTHER_AXIS = "other episodes"


def axis(suite: str) -> str:
    """What `suite` ("object_swap") changes of its standard suite; empty if nothing."""
    standard, _, change = suite.partition("_")
    return AXES.get(change.partition("_")[0], OTHER_AXIS) if change and standard in STANDARD else ""


@cache
def lacks(suite: str) -> str:
    """What `suite` cannot be played without and is not installed; empty if it is complete."""
    for task in suite_tasks(suite):
        if not len(task.load_init_states()):
            return f"init states of the task {task.name!r}"
        for category in _categories(task.bddl.read_text()):
            if not _has_model(category):
                return f"the model of the object {category!r}"
    return ""


def _categories(bddl: str) -> set[str]:
    """Kinds of the movable objects: those after the dash in `(:objects milk_1 milk_2 - milk …)`."""
    section = re.search(r"\(:objects(.*?)\)", bddl, re.DOTALL)
    return set(re.findall(r"-\s+(\S+)", section[1])) if section else set()


@cache
def _has_model(category: str) -> bool:
    with quiet():
        from libero.libero.envs.objects import get_object_fn

        try:
            get_object_fn(category)()
        except FileNotFoundError:
            return False
    return True
