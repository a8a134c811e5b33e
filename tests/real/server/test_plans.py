"""Where plans come from, for a robot: at which rate they are played, and a server of one's own that comes back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from burnish.contract import STATE
from burnish.errors import BurnishError, ServerError
from burnish.real.planning import LocalPlans, Plans
from burnish.real.server import server
from burnish.real.server.client import RemotePolicy


def test_the_rate_is_the_policys_own(serving: Any, written: Any):
    with serving(written(lambda _: 1)) as address:
        told = Plans(f"ws://{address}")
        assert told.rate_hz == 80.0 == Plans(f"ws://{address}", rate_hz=80.0).rate_hz
        with pytest.raises(BurnishError, match="--rate-hz 500: the policy was made for 80 actions a second"):
            Plans(f"ws://{address}", rate_hz=500.0)
        told.close()


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"replan": "4"}, "its replan is '4', expected a whole number above 0"),
        ({"horizon": -8}, "its horizon is -8, expected"),
        ({"trained": [1, 2]}, "what it was trained to move cannot be read"),
        ({"trained": {"mass": 2.0}}, "what it was trained to move cannot be read"),
    ],
)
def test_a_server_that_says_nonsense_of_itself_is_named(
    serving: Any, written: Any, said: dict[str, Any], why: str, monkeypatch: pytest.MonkeyPatch
):
    honest = server.metadata
    monkeypatch.setattr(server, "metadata", lambda planner: honest(planner) | said)
    with serving(written(lambda _: 1)) as address, pytest.raises(ServerError, match=why):
        RemotePolicy(address)


def test_a_server_of_ones_own_comes_back_as_often_as_it_is_asked_for(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("BURNISH_TOKEN", "open-sesame")  # for other servers; this one has no stranger to fear
    (tmp_path / "policy.log").symlink_to("/dev/full")
    here, away = tmp_path / "policy", tmp_path / "away"
    here.symlink_to(exported)
    plans = LocalPlans(str(here), tmp_path / "policy.log")
    try:
        assert plans.plan({STATE: np.zeros(6)}).shape == (8, 4)
        plans.process.kill()
        here.rename(away)
        for _ in range(2):
            with pytest.raises(BurnishError, match="nothing there"):
                plans.renew()
        away.rename(here)
        plans.renew()
        assert plans.plan({STATE: np.zeros(6)}).shape == (8, 4)
    finally:
        plans.close()
