"""One small config of what is uncertain, the same in every simulator that draws it."""

from __future__ import annotations

import pytest
import torch

from burnish import registry
from burnish.errors import BurnishError, UnknownNameError
from burnish.sim.base import VecEnv, make_env
from tests.sim.calm import calm

SLOW = [pytest.mark.slow, pytest.mark.timeout(900)]
TASKS = [
    "franka/lift",
    "metaworld/push",
    "robosuite/Lift",
    "libero/object/0",
    pytest.param("mjlab/Lift-Cube-Yam", marks=SLOW),
    pytest.param("maniskill/PushCube-v1", marks=[*SLOW, pytest.mark.needs("vulkan")]),
]
WILD = {"mass": 0.5, "friction": 0.3, "latency_s": 0.012, "object_noise": 2e-3}


def made(task: str, **randomize: float) -> VecEnv:
    return make_env(task, 2, settings={"randomize": randomize} if randomize else {})


def wild(task: str) -> dict[str, float]:
    """What of `WILD` it draws."""
    able = registry.environments.load(task.partition("/")[0]).randomizes
    return {name: value for name, value in WILD.items() if name in able}


def played(env: VecEnv, steps: int = 3) -> list[dict[str, torch.Tensor]]:
    """What is seen along the same actions, from a reset with the same seeds on."""
    env.reset([2, 7])
    return [env.step(action(env, count)).obs for count in range(steps)]


def action(env: VecEnv, count: int) -> torch.Tensor:
    low, high = (torch.tensor(bound) for bound in (env.contract.action.low, env.contract.action.high))
    return calm(env.task, (low + (high - low) * (0.6 + 0.05 * count)).expand(2, -1))


def same(one: list[dict[str, torch.Tensor]], other: list[dict[str, torch.Tensor]]) -> bool:
    return all(torch.equal(a[key], b[key]) for a, b in zip(one, other, strict=True) for key in a)


@pytest.mark.parametrize("task", TASKS)
def test_what_is_drawn_belongs_to_the_episode(task):
    with made(task, **wild(task)) as env, made(task) as plain:
        seen = played(env)
        assert same(seen, played(env)) and not same(seen, played(plain))
        kept = env.state()
        expected = [env.step(action(env, 9)).obs for _ in range(3)]
        env.reset([8, 9])
        env.restore(kept)
        assert same(expected, [env.step(action(env, 9)).obs for _ in range(3)])


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("one", ["latency_s", "object_noise"])
def test_each_is_drawn_by_itself(task, one):
    if one not in wild(task):
        with pytest.raises(BurnishError, match=f"randomize.{one} is not drawn by this simulator"):
            made(task, **{one: WILD[one]})
        return
    with made(task, **{one: WILD[one]}) as env, made(task) as plain:
        assert not same(played(env, 1), played(plain, 1))


@pytest.mark.parametrize("task", TASKS[1:])
def test_worlds_of_the_same_process_are_as_they_were(task):
    with made(task) as plain, made(task, **wild(task)) as env:
        before = played(plain)
        played(env)
        assert same(before, played(plain))


@pytest.mark.parametrize(
    ("task", "randomize", "message"),
    [
        ("metaworld/push", {"mas": 0.1}, "unknown randomization 'mas'; did you mean 'mass'"),
        ("metaworld/push", {"stiffness": 0.1}, "randomize.stiffness is not drawn by this simulator; it has mass, "),
        ("metaworld/push", {"latency_s": 0.02}, "randomize.latency_s must be below one action's 0.0125 s"),
        ("robosuite/Lift", {"friction": -1}, "randomize.friction must be at least 0 and below 1"),
        ("quadrotor/hover", {"mass": 0.1}, "but quadrotor's world is always the same"),
    ],
)
def test_what_cannot_be_says_so(task, randomize, message):
    with pytest.raises((BurnishError, UnknownNameError), match=message):
        made(task, **randomize)
