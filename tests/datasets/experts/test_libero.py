"""LIBERO's experts: what they plan, where they grasp, and that they solve real tasks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from burnish.datasets.experts.libero import LiberoExpert
from burnish.datasets.experts.libero_exits import SPARE_M, way_out
from burnish.datasets.experts.libero_geometry import Pose, box_shell
from burnish.datasets.experts.libero_grasps import find_grasps
from burnish.datasets.experts.libero_grid import Grid
from burnish.datasets.experts.libero_hand import DOWN, about_z
from burnish.datasets.experts.libero_planner import plan
from burnish.sim.libero.env import Libero
from burnish.sim.libero.starts import Start, address

HAND = Pose(np.array([-0.2, 0.0, 0.3]), DOWN)
SHOULDER = np.array([-0.6, 0.0])
PLACEMENT = 7


class Kitchen:
    """Facts as a test wants them."""

    def __init__(self, *true: tuple[str, ...], held: str | None = None, flat: str | None = None) -> None:
        self._true, self._held, self._flat = true, held, flat

    def true(self, predicate: Sequence[str]) -> bool:
        return tuple(predicate) in self._true

    def door(self, region: str) -> str | None:
        return {"drawer": "drawer", "microwave_inside": "microwave"}.get(region)

    def holds(self, name: str) -> bool:
        return name == self._held

    def flat(self, name: str) -> bool:
        return name == self._flat


def skills(goals: Sequence[Sequence[str]], facts: Kitchen) -> list[tuple[str, str]]:
    return [(step.skill, step.thing) for step in plan(goals, facts)]


def test_a_closed_drawer_is_opened_before_and_closed_after_something_goes_in():
    goals = [["close", "drawer"], ["in", "bowl", "drawer"]]
    expected = [("turn", "drawer"), ("pick", "bowl"), ("place", "bowl"), ("turn", "drawer")]
    assert skills(goals, Kitchen()) == expected
    assert skills(goals, Kitchen(("open", "drawer"))) == expected[1:]
    assert skills(goals, Kitchen(("in", "bowl", "drawer"))) == [("turn", "drawer")]


def test_a_door_is_closed_after_what_goes_behind_it():
    goals = [["close", "microwave"], ["in", "mug", "microwave_inside"]]
    steps = skills(goals, Kitchen(("open", "microwave")))
    assert steps == [("pick", "mug"), ("place", "mug"), ("turn", "microwave")]


def test_what_is_held_is_put_down_first_and_what_is_done_is_left_alone():
    goals = [["turnon", "stove"], ["on", "pot", "burner"], ["on", "pan", "burner"]]
    assert skills(goals, Kitchen(("on", "pan", "burner"), held="pot")) == [("place", "pot"), ("turn", "stove")]
    assert plan(goals, Kitchen(*(tuple(goal) for goal in goals))) == []


def test_what_carries_another_thing_is_moved_before_it():
    goals = [["on", "bowl", "other"], ["in", "other", "tray"]]
    assert [thing for _, thing in skills(goals, Kitchen())] == ["other", "other", "bowl", "bowl"]


def test_what_is_too_flat_to_grasp_is_pushed():
    assert skills([["on", "plate", "front"]], Kitchen(flat="plate")) == [("push", "plate")]


def empty(points: np.ndarray | None = None) -> Grid:
    return Grid(np.zeros((0, 3)) if points is None else points, floor=0.0)


@pytest.mark.parametrize("degrees", [0, 30, -60])
def test_a_box_is_grasped_across_its_narrower_side(degrees: int):
    turn = about_z(np.radians(degrees))
    box = box_shell(np.array([-0.05, -0.015, 0.0]), np.array([0.05, 0.015, 0.04])) @ turn.T
    best = find_grasps(box, empty(box), empty(), HAND, SHOULDER)[0]
    assert abs(best.pose.rotation[:, 0] @ turn[:, 1]) > 0.99
    assert best.width == pytest.approx(0.03, abs=0.002)
    assert np.linalg.norm(best.pose.position[:2]) < 0.01


def test_a_bowl_is_grasped_at_its_rim_along_the_normal():
    angles = np.arange(0, 2 * np.pi, 0.05)
    rings = [
        np.stack([r * np.cos(angles), r * np.sin(angles), np.full_like(angles, z)], axis=1)
        for r in (0.052, 0.056)
        for z in np.arange(0, 0.05, 0.004)
    ]
    bowl = np.concatenate(rings)
    best = find_grasps(bowl, empty(bowl), empty(), HAND, SHOULDER)[0]
    middle = best.pose.position[:2]
    assert np.linalg.norm(middle) == pytest.approx(0.054, abs=0.004)
    assert abs(best.pose.rotation[:2, 0] @ middle) / np.linalg.norm(middle) > 0.95


def test_the_hand_keeps_away_from_what_stands_beside_a_thing():
    box = box_shell(np.array([-0.02, -0.02, 0.0]), np.array([0.02, 0.02, 0.06]))
    walls = [box_shell(np.array([-0.1, y - 0.005, 0]), np.array([0.1, y + 0.005, 0.08])) for y in (-0.05, 0.05)]
    others = np.concatenate(walls)
    best = find_grasps(box, empty(np.concatenate([box, others])), empty(others), HAND, SHOULDER)[0]
    assert abs(best.pose.rotation[0, 0]) > 0.9


def test_a_thing_under_a_roof_comes_out_where_it_is_open():
    box = box_shell(np.array([-0.02, -0.02, 0.02]), np.array([0.02, 0.02, 0.06]))
    roof = box_shell(np.array([-0.2, -0.2, 0.09]), np.array([0.03, 0.2, 0.10]))
    assert not way_out(empty(), box).any()
    way = way_out(empty(roof), box)
    assert way[0] == pytest.approx(0.05 + SPARE_M, abs=0.015)
    assert abs(way[1]) < 0.01


def solve(task: str, state: int, **settings) -> tuple[bool, list[torch.Tensor]]:
    """One episode: whether it was solved, and the labels."""
    with Libero(task, num_envs=1) as env:
        expert = LiberoExpert(env, **settings)
        seeds = [address(Start(0, state, PLACEMENT))]
        obs = env.reset(seeds)
        expert.reset([0], seeds)
        labels = []
        while True:
            action = expert.act(obs)
            labels.append(expert.label[0].clone())
            step = env.step(action)
            obs = step.obs
            if step.done[0]:
                return bool(step.terminated[0]), labels


@pytest.mark.parametrize("task", ["object/1", "spatial/7", "goal/7"])
def test_it_picks_places_and_turns_a_knob(task: str):
    assert solve(task, 0)[0]


@pytest.mark.slow
@pytest.mark.parametrize("task", ["spatial/4", "goal/0", "goal/5", "goal/9", "10/2", "10/4", "10/5", "10/9"])
def test_it_opens_pushes_and_does_one_thing_after_the_other(task: str):
    assert solve(task, 0)[0]


def test_labels_are_clean_inside_the_bounds_and_the_same_again():
    solved, labels = solve("object/6", 31, noise=0.1, push_steps=8)
    again = solve("object/6", 31, noise=0.1, push_steps=8)[1]
    assert solved
    assert all(torch.equal(a, b) for a, b in zip(labels, again, strict=True))
    assert torch.stack(labels).abs().max() <= 1.0
    assert set(torch.stack(labels)[:, 6].tolist()) <= {-1.0, 0.0, 1.0}


def test_lanes_do_not_disturb_each_other():
    """An episode is the same alone and beside others, in this process and in another."""
    seeds = [address(Start(0, state, PLACEMENT)) for state in (3, 4, 5)]
    runs = []
    for lanes, workers in (((0, 1, 2), 0), ((2,), 0), ((1, 2), 2)):
        with Libero("object/1", num_envs=len(lanes), workers=workers) as env:
            expert = LiberoExpert(env, noise=0.1)
            mine = [seeds[lane] for lane in lanes]
            obs = env.reset(mine)
            expert.reset(range(len(lanes)), mine)
            taken = []
            for _ in range(12):
                taken.append(expert.act(obs)[-1])
                obs = env.step(expert.act(obs)).obs
            runs.append(torch.stack(taken))
    assert torch.equal(runs[0], runs[1])
    assert torch.equal(runs[0], runs[2])
