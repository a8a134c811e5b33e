"""Which start an episode's seed stands for: task, init state and placement of the furniture.

Seeds below 2^63 draw a start from the first `TRAINING_STATES` init states only, so that the others are never seen
before the evaluation. Seeds from 2^63 on address one: LIBERO's starts are fixed, and evaluation goes through them.
"""

from __future__ import annotations

from typing import NamedTuple

from burnish.errors import BurnishError
from burnish.sim.seeds import EVALUATION_FIRST, next_seed

TRAINING_STATES = 30
"""Init states 0 … 29 of a task are for demonstrations and reinforcement learning."""
PLACEMENTS = 8
"""Furniture placements met in training: LIBERO shifts cabinets and stoves by some millimetres at every reset."""
SETTLE_STEPS = 10
"""Steps of doing nothing before an episode, in which objects fall into place: openpi's and lerobot's number."""


class Start(NamedTuple):
    """`task`: number in the environment's tasks. `state`: init state. `placement`: seed of the furniture's place."""

    task: int
    state: int
    placement: int


def address(start: Start, attempt: int = 0) -> int:
    """The seed that stands for `start`; `attempt` (0 … 32767) tells its repetitions apart, e.g. in their noise."""
    for part, value in (*start._asdict().items(), ("attempt", 2 * attempt)):
        if not 0 <= value < 1 << 16:
            raise BurnishError(f"{start}, attempt {attempt}: {part} is out of range")
    return EVALUATION_FIRST | attempt << 48 | start.placement << 32 | start.task << 16 | start.state


def start_of(seed: int, tasks: int) -> Start:
    """The start of an episode in an environment of so many `tasks`. Raises `BurnishError` for a task it lacks."""
    if seed < EVALUATION_FIRST:
        draw = next_seed(seed)
        return Start(draw % tasks, draw // tasks % TRAINING_STATES, draw // tasks // TRAINING_STATES % PLACEMENTS)
    start = Start(seed >> 16 & 0xFFFF, seed & 0xFFFF, seed >> 32 & 0xFFFF)
    if start.task >= tasks:
        raise BurnishError(f"seed {seed} is an episode of task {start.task}; this environment has {tasks}")
    return start
