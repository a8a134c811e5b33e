"""Long tasks made of LIBERO's own: two goals of the suite `goal`, whose ten tasks share one scene, both to be reached.

No goal is in the other's way, and the scripted expert reaches both. The suite's other goals are left out: the middle
drawer opens over the plate, and where it is open or the plate was pushed, the expert's arm gets stuck. Of the twelve
pairs four are held out; every goal of them is met in training, at the same place of another pair. The environment state
describes the goals of all pairs alike, so that nothing but the instruction says which of them are to be reached.
"""

from __future__ import annotations

LINKS = "goal"
"""The suite whose tasks are chained."""
_STOVE = "turn_on_the_stove"
_CHEESE = "put_the_cream_cheese_in_the_bowl"
_BOWL_STOVE, _BOWL_CABINET = "put_the_bowl_on_the_stove", "put_the_bowl_on_top_of_the_cabinet"
_WINE_RACK, _WINE_CABINET = "put_the_wine_bottle_on_the_rack", "put_the_wine_bottle_on_top_of_the_cabinet"

CHAINS = {
    "chains": (
        (_STOVE, _CHEESE),
        (_STOVE, _BOWL_CABINET),
        (_STOVE, _WINE_CABINET),
        (_CHEESE, _BOWL_STOVE),
        (_CHEESE, _WINE_RACK),
        (_CHEESE, _WINE_CABINET),
        (_BOWL_STOVE, _WINE_RACK),
        (_BOWL_CABINET, _WINE_RACK),
    ),
    "chains-held-out": (
        (_STOVE, _BOWL_STOVE),
        (_STOVE, _WINE_RACK),
        (_CHEESE, _BOWL_CABINET),
        (_BOWL_STOVE, _WINE_CABINET),
    ),
}
"""Suite → names of the two tasks of `LINKS` that make each of its tasks."""
SHOWN = (_STOVE, _CHEESE, _BOWL_STOVE, _BOWL_CABINET, _WINE_RACK, _WINE_CABINET)
"""Whose goals, one each, the environment state describes in every pair."""
