"""A policy's node whose policy was written for these tests: `checkpoint` says how it behaves."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from real.franka.conftest import LENGTH, RATE_HZ, Circle, Sway

from burnish.contract import ACTION, IMAGES, STATE, Contract, Field
from burnish.fr3 import contract
from burnish.real.control import make_robot
from burnish.real.ros import policy_node
from burnish.real.ros.description import Description
from burnish.real.ros.node import run

SIDE = 32
EYE = Field((SIDE, SIDE, 3), ("r", "g", "b"), ("1/255",) * 3, "front", RATE_HZ, "identity", "uint8")


def described(kind: str) -> Contract:
    """At 20 Hz; `seeing` reads a camera too, `permuted` has its joints in another order, `poses` are of the tool."""
    if kind == "poses":
        spec = make_robot("franka-tool", {}).spec
        return Contract({STATE: replace(spec.state, rate_hz=RATE_HZ)}, replace(spec.action, rate_hz=RATE_HZ))
    whole = contract()
    state, action = (replace(whole.fields[key], rate_hz=RATE_HZ) for key in (STATE, ACTION))
    if kind == "permuted":
        action = replace(action, names=action.names[::-1])
    return Contract({STATE: state, **({f"{IMAGES}front": EYE} if kind == "seeing" else {})}, action)


class Swaying:
    """To and fro; `slow` takes 0.1 s for each plan."""

    def __init__(self, kind: str, seed: int) -> None:
        self.description = Description(kind, described(kind), LENGTH, 8, realtime=True)
        self._sway, self._kind = Circle() if kind == "poses" else Sway(), kind

    def plan(self, obs: Mapping[str, np.ndarray], previous: np.ndarray | None, frozen: int) -> np.ndarray:
        if self._kind == "slow":
            time.sleep(0.1)
        return self._sway.plan(obs, previous, frozen)

    def close(self) -> None:
        pass


if __name__ == "__main__":
    policy_node.open_source = Swaying  # pyright: ignore[reportAttributeAccessIssue]
    sys.exit(run(policy_node.PolicyNode))
