"""A task of the Franka world on the simulated robot: same starts, same knowledge, through driver and safety."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from burnish.cli import main
from burnish.contract import ENVIRONMENT_STATE, STATE
from burnish.datasets.experts.franka import follow
from burnish.datasets.experts.franka_scripts import lift
from burnish.real.control import Settings
from burnish.real.franka.tracked import TrackedTask
from burnish.real.player import PlayerConfig
from burnish.real.session import Session, mailbox_path
from burnish.real.simulated import SimulatedProcess
from burnish.real.trackers.base import load_tracker
from burnish.sim.base import make_env

pytestmark = pytest.mark.robots
SEED, RATE_HZ, ACTIONS = 3, 20.0, 8


class Script:
    """The world's scripted expert as a policy that plans: what it would do if the arm followed at once."""

    contract, realtime = None, False

    def plan(self, obs: Mapping[str, np.ndarray], previous: Any = None, frozen: int = 0) -> np.ndarray:
        state, know, plan = obs[STATE][None].astype(float), obs[ENVIRONMENT_STATE][None].astype(float), []
        tool, axis, width = lift(state, know)
        for _ in range(ACTIONS):
            joints = follow(state, tool, axis, 1 / RATE_HZ)
            state = np.concatenate([joints, (joints - state[:, :7]) * RATE_HZ, state[:, 14:]], axis=1)
            plan.append(np.append(joints[0], width))
        return np.array(plan)

    def renew(self) -> None:
        """Always ready."""


@pytest.fixture(scope="module")
def lifting(address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedProcess]:
    log = tmp_path_factory.mktemp("lift") / "log"
    with SimulatedProcess("franka", ["--address", address, "--task", "franka/lift"], log=log) as process:
        yield process


@pytest.fixture
def tracked(lifting: SimulatedProcess) -> Iterator[TrackedTask]:
    kind = load_tracker("simulated")
    tracker = kind(kind.Config(lifting.door))
    yield TrackedTask("franka/lift", tracker, lambda: np.zeros(15))
    tracker.close()


def test_an_episode_begins_on_the_robot_as_it_does_in_the_world(lifting: SimulatedProcess, tracked: TrackedTask):
    with make_env("franka/lift", 1) as env:
        obs = env.reset([SEED])
    placed = tracked.begin(SEED)
    lifting.ask("place", **placed)
    assert np.allclose(placed["joints"], obs[STATE][0, :7], atol=1e-6)
    tracked._state = lambda: obs[STATE][0].double().numpy()
    assert np.allclose(tracked.know(), obs[ENVIRONMENT_STATE][0], atol=2e-3)
    assert not tracked.solved()


def test_the_expert_lifts_the_cube_through_driver_and_safety(
    lifting: SimulatedProcess, tracked: TrackedTask, tmp_path: Path
):
    lifting.ask("place", **tracked.begin(SEED))
    box, said = mailbox_path(), []
    told = Settings("franka", {"address": lifting.address}, RATE_HZ, ACTIONS, str(box), PlayerConfig())
    senses = {ENVIRONMENT_STATE: tracked.know}
    with Session(told, Script(), tmp_path, senses=senses, tell=said.append) as session:
        tracked._state = lambda: session.row.state if session.row is not None else np.zeros(15)
        session.play()
        session.run(60, lambda: tracked.solved() or session.summary()["halts"] > 0)
        assert tracked.solved(), (said, session.summary(), lifting.ask("report"))
    assert not box.exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--task", "franka/lif"], "did you mean 'franka/lift'"),
        (["--task", "franka/lift", "--robot", "frank"], "did you mean 'franka'"),
    ],
)
def test_a_wrong_name_is_answered_with_the_closest(words, message, tmp_path: Path, capsys):
    assert main(["trial", str(tmp_path), "--out", str(tmp_path / "out"), *words]) == 2
    assert message in capsys.readouterr().err
    assert main(["demo", "--robot", "franka", "--out", str(tmp_path / "demo"), "--task", "franka/lift"]) == 2
    assert "add --sim" in capsys.readouterr().err
