"""Which tasks a suite holds, where their files are, and what the robot is told. Starts no simulator.

Names are short: `object` is LIBERO's `libero_object`, `object_swap` LIBERO-PRO's `libero_object_swap`; `all130` joins
`spatial`, `object`, `goal`, `10` and `90`; `chains` is ours. A single task is `object/3` or
`object/pick_up_the_milk_and_…`.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from burnish import registry
from burnish.errors import BurnishError
from burnish.sim.libero.chains import CHAINS, LINKS, SHOWN

STANDARD = ("spatial", "object", "goal", "10", "90")
ALL = "all130"
REWORDED = ("_lan", "_task")
"""Endings of the LIBERO-PRO suites that change the instruction: there it is the BDDL file's, else the file name's."""
INSTALL = "install it with `pip install 'burnish[libero]'` (or `uv sync --extra libero`)"


@dataclass(frozen=True)
class LiberoTask:
    """One task of one suite.

    Attributes:
        suite: short name, e.g. "object".
        name: as LIBERO names its files.
        language: the instruction.
        also: BDDL files of tasks in the same scene whose goals are to be reached too.
        shown: those whose goals the environment state describes, one each; none: the goals that are to be reached.
    """

    suite: str
    name: str
    language: str
    bddl: Path
    init_states: Path
    also: tuple[Path, ...] = ()
    shown: tuple[Path, ...] = ()

    def load_init_states(self) -> np.ndarray:
        """(50, 1 + nq + nv) float64: time, positions and velocities of each fixed start."""
        with np.load(self.init_states, allow_pickle=False) as file:
            return file["states"]


def suite_names() -> list[str]:
    """Every suite whose BDDL files and init states are all there, short names."""
    return sorted([name for name in _maps() if _complete(name)] + [ALL, *CHAINS])


def perturbations(suite: str) -> list[str]:
    """The complete LIBERO-PRO suites derived from standard `suite` ("object": "object_lan", "object_swap", …)."""
    return [name for name in suite_names() if name.startswith(f"{suite}_")]


@cache
def suite_tasks(suite: str) -> tuple[LiberoTask, ...]:
    """The tasks of `suite` in the benchmark's order. Raises `UnknownNameError` with the closest match."""
    if suite == ALL:
        return tuple(task for name in STANDARD for task in suite_tasks(name))
    if suite in CHAINS:
        return tuple(_chain(suite, links) for links in CHAINS[suite])
    if suite not in _maps():
        raise registry.unknown("task", f"libero/{suite}", [f"libero/{known}" for known in suite_names()])
    if not _complete(suite):
        raise BurnishError(f"LIBERO suite {suite!r}: its BDDL files or init states are not all installed; {INSTALL}")
    return tuple(_task(suite, name) for name in _maps()[suite])


def select(name: str) -> tuple[LiberoTask, ...]:
    """Tasks of "object" (all of the suite), "object/3" or "object/pick_up_the_milk_and_place_it_in_the_basket"."""
    suite, slash, one = name.partition("/")
    tasks = suite_tasks(suite)
    if not slash:
        return tasks
    if one.isdecimal():
        if int(one) >= len(tasks):
            raise BurnishError(f"LIBERO suite {suite!r} has tasks 0 … {len(tasks) - 1}, not {one}")
        return (tasks[int(one)],)
    named = {task.name: task for task in tasks}
    if one not in named:
        known = [*map(str, range(len(tasks))), *named]
        raise registry.unknown("task", f"libero/{name}", [f"libero/{suite}/{other}" for other in known])
    return (named[one],)


def _task(suite: str, name: str) -> LiberoTask:
    bddl, init_states = _files(suite, name)
    language = _bddl_language(bddl) if suite.endswith(REWORDED) else file_language(name)
    return LiberoTask(suite, name, language, bddl, init_states)


def _chain(suite: str, links: tuple[str, ...]) -> LiberoTask:
    first, *others = (_task(LINKS, link) for link in links)
    language = " and ".join(link.language for link in (first, *others))
    also, shown = tuple(link.bddl for link in others), tuple(_files(LINKS, link)[0] for link in SHOWN)
    return LiberoTask(suite, "_and_".join(links), language, first.bddl, first.init_states, also, shown)


def file_language(name: str) -> str:
    """What LIBERO's own evaluation says: the file name without its scene ("KITCHEN_SCENE3_turn_on_the_stove")."""
    words = name.split("_")
    scene = next((i for i, word in enumerate(words) if word.startswith("SCENE")), -1)
    return " ".join(words[scene + 1 :])


def _bddl_language(path: Path) -> str:
    text = path.read_text()
    start = text.index("(:language") + len("(:language")
    return " ".join(text[start : text.index(")", start)].split()).lower()


@cache
def _complete(suite: str) -> bool:
    names = _maps()[suite]
    return bool(names) and all(path.exists() for name in names for path in _files(suite, name))


def _files(suite: str, name: str) -> tuple[Path, Path]:
    folder = _long(suite)
    return _root("bddl_files") / folder / f"{name}.bddl", _root("init_states") / folder / f"{name}.pruned_init.npz"


def _long(suite: str) -> str:
    return f"libero_{suite}"


@cache
def _root(kind: str) -> Path:
    _maps()
    from libero.libero import get_libero_path

    return Path(get_libero_path(kind))


@cache
def _maps() -> dict[str, list[str]]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from libero.libero.benchmark.libero_suite_task_map import libero_task_map
    except ImportError as error:
        raise BurnishError(f"LIBERO is not installed ({error}); {INSTALL}") from error
    return {name.removeprefix("libero_"): names for name, names in libero_task_map.items()}
