"""Long tasks made of LIBERO's own: two goals of the suite `goal`, whose ten tasks share one scene, both to be reached.

Every first link goes with every second one. (No bowl goes on the plate: it stands under the middle drawer where that is
open.) A third of the pairs is held out, every second link once, so that every link, but not every pair, is met in
training.
"""

from __future__ import annotations

from itertools import product

LINKS = "goal"
"""The suite whose tasks are chained."""
FIRST = (
    "open_the_middle_drawer_of_the_cabinet",
    "turn_on_the_stove",
    "push_the_plate_to_the_front_of_the_stove",
)
SECOND = (
    "put_the_bowl_on_the_stove",
    "put_the_bowl_on_top_of_the_cabinet",
    "put_the_cream_cheese_in_the_bowl",
    "put_the_wine_bottle_on_the_rack",
    "put_the_wine_bottle_on_top_of_the_cabinet",
)
_HELD_OUT = {(0, 0), (0, 4), (1, 3), (2, 1), (2, 2)}


def _pairs(held_out: bool) -> tuple[tuple[str, str], ...]:
    numbers = product(range(len(FIRST)), range(len(SECOND)))
    return tuple((FIRST[i], SECOND[j]) for i, j in numbers if ((i, j) in _HELD_OUT) == held_out)


CHAINS = {"chains": _pairs(held_out=False), "chains-held-out": _pairs(held_out=True)}
"""Suite → names of the two tasks of `LINKS` that make each of its tasks."""
