"""What every simulator says of itself, without being imported; one test over all of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from burnish import registry
from burnish.errors import BurnishError, UnknownNameError
from burnish.sim.about import about, narrowed
from burnish.sim.base import make_env
from burnish.sim.needs import Location, Package

SIMULATORS = registry.simulators.names()
RUNNING = [name for name in SIMULATORS if about(name).lack() is None]
SLOW = ("isaaclab", "maniskill", "mjlab")
SITE = Path(pytest.__file__).resolve().parents[1]
HEAVY = ("torch", "mujoco", "metaworld", "libero", "robosuite", "mjlab", "mani_skill", "sapien", "isaaclab", "warp")


def test_every_environment_describes_itself():
    assert registry.simulators.names() == registry.environments.names()


@pytest.mark.parametrize("simulator", SIMULATORS)
def test_every_task_is_described_once(simulator):
    told = about(simulator)
    assert len(set(told.tasks)) == len(told.tasks) > 0
    for group in told.groups:
        assert group.observation and group.action and group.success


@pytest.mark.parametrize(
    "simulator",
    [pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in RUNNING],
)
def test_what_is_said_is_so(simulator):
    told = about(simulator)
    assert told.tasks == registry.environments.load(simulator).tasks
    with make_env(f"{simulator}/{told.tasks[0]}", 1) as env:
        assert told.groups[0].action.startswith(f"{env.contract.action.shape[0]}:")
        for key, field in env.contract.observation.items():
            if field.is_number:
                assert f"{key.removeprefix('observation.')} {field.shape[0]}" in told.groups[0].observation


def test_nothing_heavy_is_imported():
    code = (
        "import sys; from burnish.sim.about import selected\n"
        "for told in selected([]).values(): [told.lack(group) for group in told.groups]\n"
        f"print(*[name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_an_unknown_simulator_or_beginning_gets_the_closest():
    with pytest.raises(UnknownNameError, match="unknown environment 'metawrld'; did you mean 'metaworld'"):
        about("metawrld")
    with pytest.raises(UnknownNameError, match="did you mean 'metaworld/reach'"):
        narrowed("metaworld", "raech")
    assert narrowed("metaworld", "reach").tasks == ("reach", "reach-wall")


def test_a_need_says_what_is_missing_and_what_to_do(monkeypatch, tmp_path):
    lack = Package("no_such_simulator", "metaworld").lack()
    assert lack and (lack.what, lack.mend) == ("no_such_simulator is not installed", "pip install 'burnish[metaworld]'")
    alone = Package("no_such_simulator", "isaaclab", alone=True).lack()
    assert alone and alone.mend == "pip install 'burnish[train,isaaclab]' in an environment of its own"
    assert Package("json", "metaworld").lack() is None
    need = Location("BURNISH_TEST_FOLDER", "FOLDER with meshes")
    monkeypatch.delenv("BURNISH_TEST_FOLDER", raising=False)
    assert (lack := need.lack()) and "BURNISH_TEST_FOLDER=FOLDER with meshes" in lack.mend
    monkeypatch.setenv("BURNISH_TEST_FOLDER", str(tmp_path / "nowhere"))
    assert (lack := need.lack()) and "nowhere', where nothing is" in lack.what
    monkeypatch.setenv("BURNISH_TEST_FOLDER", str(tmp_path))
    assert need.lack() is None


@pytest.mark.parametrize("simulator", RUNNING)
def test_a_simulator_that_is_not_installed_is_one_line_with_the_extra(simulator, tmp_path):
    """With everything of this environment but the simulators."""
    for entry in SITE.iterdir():
        if entry.name.partition(".")[0] not in {need.module for name in SIMULATORS for need in packages(name)}:
            (tmp_path / entry.name).symlink_to(entry)
    code = (
        "import sys; from burnish.errors import BurnishError; from burnish.sim.about import check\n"
        "try: check(*sys.argv[1:])\n"
        "except BurnishError as error: print(error)"
    )
    words = [sys.executable, "-S", "-c", code, simulator, about(simulator).tasks[0]]
    paths = {"PYTHONPATH": f"{tmp_path}:{Path(__file__).parents[2]}"}
    done = subprocess.run(words, env=paths, capture_output=True, text=True, check=True)
    need = packages(simulator)[0]
    extras = f"train,{need.extra}" if need.alone else need.extra
    assert f"{need.module} is not installed; pip install 'burnish[{extras}]'" in done.stdout


def packages(simulator: str) -> list[Package]:
    return [need for need in about(simulator).needs if isinstance(need, Package)]


def test_one_that_does_not_run_here_says_so_when_it_is_made():
    for simulator in {*SIMULATORS} - {*RUNNING}:
        told = about(simulator)
        lack = told.lack()
        assert lack
        with pytest.raises(BurnishError, match="does not run on this machine") as error:
            make_env(f"{simulator}/{told.tasks[0]}", 1)
        assert lack.mend in str(error.value) and "none of that name" not in str(error.value)
        with pytest.raises(BurnishError, match=f"did you mean '{simulator}/{told.tasks[0]}'"):
            make_env(f"{simulator}/{told.tasks[0]}x", 1)
