"""The skills that solve LIBERO: pick, place, push, and turn (a drawer, a door, a knob)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from burnish.datasets.experts import libero_hand as hands
from burnish.datasets.experts.libero_exits import CLEAR_M, way_out
from burnish.datasets.experts.libero_fingers import RELEASE_M, close, opening, release, shut, straight
from burnish.datasets.experts.libero_geometry import Pose, thinned
from burnish.datasets.experts.libero_grasps import ENOUGH, Grasp, find_grasps
from burnish.datasets.experts.libero_grid import Grid
from burnish.datasets.experts.libero_joints import turn
from burnish.datasets.experts.libero_motion import CLOSED, LOOSELY_M, REACHED_M, Aim, Motion, Route, travel
from burnish.datasets.experts.libero_places import Place, find_places, with_hand
from burnish.datasets.experts.libero_planner import Step
from burnish.datasets.experts.libero_world import World

LIFT_M = 0.04
FUNNEL_M = 0.012
CARRY_M = 0.01
"""More room than an empty hand needs: what is carried hangs a little lower when it is fast."""
PLACED_M = 0.01
MANY = 60
"""Grasps per rotation of the hand to choose from where few will do."""
LOST_M = 0.03
"""A thing that moved so far in the hand has been dropped."""


def pick(world: World, step: Step, attempt: int) -> Motion:
    """Take hold of the step's thing and lift it."""
    grasp = _choose(world, step, attempt)
    if grasp is None:
        return
    in_thing = world.body(step.thing).inverse() @ grasp.pose

    def at() -> Pose:
        held = world.body(step.thing) @ in_thing
        return Pose(held.position, grasp.pose.rotation)

    route = Route(world.grid(), grasp.pose.rotation, hands.TIP_M, np.abs(grasp.pose.rotation[:2]) @ hands.FINGERS)
    funnel, near = min(FUNNEL_M, 0.7 * grasp.clearance), float(np.clip(0.5 * grasp.clearance, REACHED_M, LOOSELY_M))
    # Beside its middle a thing is drawn into the grip; too high over it, the fingers close on its edge or on nothing.
    yield from travel(world, at, route, opening(world, grasp.gap), funnel, near, REACHED_M)
    yield from close(world)
    start = world.hand
    grid, cloud = world.grid(without=step.thing), thinned(world.cloud(step.thing))
    way = way_out(grid, cloud)
    if way is not None and way.any():
        yield from straight(world, Pose(start.position + np.array([*way, CLEAR_M]), start.rotation), shut)
        start = world.hand
    yield from straight(world, Pose(start.position + np.array([0, 0, LIFT_M]), start.rotation), shut)


def place(world: World, step: Step, attempt: int) -> Motion:
    """Bring what the hand holds to where the step's predicate is true, and let go."""
    grid = world.grid(without=step.thing)
    body, hand = world.body(step.thing), world.hand
    gap = round(min(world.gap + RELEASE_M, 2 * hands.OPEN_M), 3)
    places = find_places(world, step.thing, step.predicate, grid)
    inside = _inside(world, step, places)
    chosen = with_hand(places, body.inverse() @ hand, gap, grid, world.shoulder, inside)[0]
    rotation = chosen.pose.rotation @ body.rotation.T @ hand.rotation

    held = hand.inverse().points(body.position)

    def at() -> Pose:
        return Pose(world.hand.position + chosen.entry.position - world.body(step.thing).position, rotation)

    def lost() -> bool:
        return float(np.linalg.norm(world.hand.points(held) - world.body(step.thing).position)) > LOST_M

    carried = world.cloud(step.thing) - hand.position
    below = max(-float(carried[:, 2].min()), hands.TIP_M)
    # What is turned on the way sweeps a circle.
    turns = hands.angle_between(rotation, hand.rotation) > 0.2
    sides = np.abs(carried[:, :2]).max(axis=0)
    around = np.full(2, np.linalg.norm(carried[:, :2], axis=1).max()) if turns else sides
    route = Route(grid, rotation, below + CARRY_M, around)
    yield from travel(world, at, route, shut, FUNNEL_M, PLACED_M, lost=lost)
    if chosen.way.any() and not lost():
        rest = world.hand.position + chosen.pose.position - world.body(step.thing).position
        yield from straight(world, Pose(rest, rotation), shut, 0.006)
    yield from release(world)


def push(world: World, step: Step, attempt: int) -> Motion:
    """Drag a plate along from the inside of its rim: what is pulled at its front stays on course."""
    cloud = world.cloud(step.thing)
    inside = float(cloud[:, 2].min()) + 0.012
    hand = world.hand

    def over() -> Pose:
        return Pose(np.array([*world.body(step.thing).position[:2], inside]), hands.DOWN)

    route = Route(world.grid(), hands.DOWN, hands.TIP_M, np.full(2, 0.03))
    yield from travel(world, over, route, shut, FUNNEL_M)
    target = world.spot(step.predicate[2]).position
    for _ in range(100):
        missing = target[:2] - world.body(step.thing).position[:2]
        if np.linalg.norm(missing) < 0.01:
            break
        ahead = 0.03 * missing / max(float(np.linalg.norm(missing)), 0.03)
        yield Aim(Pose(np.array([*(world.hand.position[:2] + ahead), inside]), hands.DOWN), CLOSED)
    hand = world.hand
    yield from straight(world, Pose(hand.position + np.array([0, 0, 0.06]), hand.rotation), shut, 0.02)


def _choose(world: World, step: Step, attempt: int) -> Grasp | None:
    """The grasp that is good both for taking the thing and for putting it where it belongs."""
    body, grid = world.body(step.thing), world.grid(without=step.thing)
    places = find_places(world, step.thing, step.predicate, grid)
    inside = _inside(world, step, places)
    # What goes in under a roof may have to be held at its far end.
    enough = ENOUGH if inside is None else MANY
    grasps = find_grasps(world.cloud(step.thing), world.grid(), grid, world.hand, world.shoulder, enough=enough)
    rated = []
    for grasp in grasps:
        gap = round(min(grasp.width + RELEASE_M, 2 * hands.OPEN_M), 3)
        best = with_hand(places, body.inverse() @ grasp.pose, gap, grid, world.shoulder, inside)[0]
        rated.append(grasp._replace(cost=grasp.cost + best.cost))
    rated.sort(key=lambda grasp: grasp.cost)
    return rated[attempt % len(rated)] if rated else None


def _inside(world: World, step: Step, places: list[Place]) -> Grid | None:
    """Everything solid but the step's thing, filled, if that thing goes in under a roof."""
    return world.grid(without=step.thing, filled=True) if places[0].way.any() else None


SKILLS: dict[str, Callable[[World, Step, int], Motion]] = {"pick": pick, "place": place, "push": push, "turn": turn}
