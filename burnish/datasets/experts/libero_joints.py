"""The skill for whatever has a joint: drawers and doors are pulled open or pushed shut, knobs are turned."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.spatial.transform import Rotation

from burnish.datasets.experts import libero_hand as hands
from burnish.datasets.experts.libero_fingers import close, opening, release, shut, straight
from burnish.datasets.experts.libero_geometry import Joint, Pose
from burnish.datasets.experts.libero_grasps import Grasp, find_grasps
from burnish.datasets.experts.libero_grid import Grid
from burnish.datasets.experts.libero_motion import CLOSED, Aim, Motion, Route, travel
from burnish.datasets.experts.libero_planner import Step
from burnish.datasets.experts.libero_world import World

LEAD_M, LEAD_RAD = 0.04, 0.35
"""How far ahead of a moving joint the hand aims."""
TURN_STEPS = 100
BEHIND_M = 0.025
"""Kept between the fingers and what they are going to push."""
TILTS = np.radians([0, 20, 35, 50, 65])
PLACES, TRIED, ANOTHER = 400, 300, 10
"""Points at which pushing is considered, hands looked at, and how far down the list each new attempt begins."""
PULL_TILTS = np.radians([0, 30, 60, 75, 83, 90])


def turn(world: World, step: Step, attempt: int) -> Motion:
    """Bring the joint of the step's thing to where its predicate is true: push what closes, grasp all else."""
    closing = step.predicate[0] == "close"
    yield from (_push if closing else _pull)(world, step, attempt)


def _push(world: World, step: Step, attempt: int) -> Motion:
    """With closed fingers against the side that is left behind."""
    joint, change = _way(world, step)
    start = _contact(world, joint, change, attempt)
    in_part = world.link(joint.body).inverse() @ start
    route = Route(world.grid(), start.rotation, hands.TIP_M, np.array([0.03, 0.03]))
    yield from travel(world, lambda: start, route, shut, 0.012)
    for _ in range(TURN_STEPS):
        if world.true(step.predicate):
            break
        joint, change = _way(world, step)
        touching = world.link(joint.body) @ in_part
        # The fingers start a little behind the contact, so the aim is as much farther ahead.
        extra = np.sign(change) * BEHIND_M / (1.0 if joint.slides else _radius(joint, start))
        ahead = joint.carry(touching, _lead(joint, change) + extra)
        yield Aim(Pose(ahead.position, start.rotation), CLOSED)
    back = -np.sign(change) * (0.05 if joint.slides else 0.2)
    yield from straight(world, joint.carry(world.hand, back), shut, 0.015)


def _pull(world: World, step: Step, attempt: int) -> Motion:
    """With the handle or knob between the fingers."""
    joint, change = _way(world, step)
    grasp = _handle(world, joint, change, attempt)
    if grasp is None:
        return
    route = Route(world.grid(), grasp.pose.rotation, hands.TIP_M, np.abs(grasp.pose.rotation[:2]) @ hands.FINGERS)
    approach = Pose(grasp.pose.position - 0.06 * grasp.pose.rotation[:, 2], grasp.pose.rotation)
    if grasp.pose.rotation[2, 2] > hands.UPRIGHT:
        yield from travel(world, lambda: approach, route, opening(world, grasp.gap), 0.02, 0.015)
        yield from straight(world, grasp.pose, opening(world, grasp.gap), 0.005)
    else:
        yield from travel(
            world, lambda: grasp.pose, route, opening(world, grasp.gap), min(0.012, 0.7 * grasp.clearance)
        )
    yield from close(world)
    in_part = world.link(joint.body).inverse() @ world.hand
    for _ in range(TURN_STEPS):
        if world.true(step.predicate):
            break
        joint, change = _way(world, step)
        yield Aim(joint.carry(world.link(joint.body) @ in_part, _lead(joint, change)), CLOSED)
    yield from release(world)


def _way(world: World, step: Step) -> tuple[Joint, float]:
    """The joint, and how much it has to change."""
    joint = world.joint(step.predicate[1])
    return joint, world.end(step.predicate) - joint.value


def _lead(joint: Joint, change: float) -> float:
    most = LEAD_M if joint.slides else LEAD_RAD
    return float(np.clip(change, -most, most))


def _radius(joint: Joint, pose: Pose) -> float:
    arm = pose.position - joint.anchor
    return float(np.linalg.norm(arm - joint.axis * (arm @ joint.axis)))


def _motion(joint: Joint, points: np.ndarray, change: float) -> np.ndarray:
    """(P, 3) level unit directions in which `points` of the moving part set off."""
    around = np.cross(np.sign(change) * joint.axis, points - joint.anchor)
    ways = np.broadcast_to(np.sign(change) * joint.axis, points.shape) if joint.slides else around
    level = ways * [1.0, 1.0, 0.0]
    return level / np.maximum(np.linalg.norm(level, axis=1, keepdims=True), 1e-6)


def _contact(world: World, joint: Joint, change: float, attempt: int) -> Pose:
    """Where closed fingers stand before they push: behind the part, far from a hinge, as upright as there is room."""
    every = world.part(joint.body)
    points = every[np.linspace(0, len(every) - 1, PLACES).astype(int)]
    ways = _motion(joint, points, change)
    from_centre = points - every.mean(axis=0)
    behind = (from_centre * ways).sum(axis=1)
    aside = np.linalg.norm(np.cross(from_centre, ways), axis=1)
    lever = -aside if joint.slides else np.linalg.norm(np.cross(points - joint.anchor, joint.axis), axis=1)
    deep = every[:, 2].max() - points[:, 2]
    rated: list[tuple[float, Pose]] = []
    for tilt in TILTS:
        for point, way, cost in zip(points, ways, 8.0 * behind - 2.0 * lever + 0.3 * tilt + 1.5 * deep, strict=True):
            pose = Pose(point - BEHIND_M * way, _facing(way, tilt, world.hand.rotation))
            rated.append((float(cost) + hands.strain(world.shoulder, pose), pose))
    rated.sort(key=lambda one: one[0])
    poses = [pose for _, pose in rated[:TRIED]]
    free = np.flatnonzero(hands.touching(world.grid(), poses, gap=0.0) == 0)
    return poses[free[min(attempt * ANOTHER, len(free) - 1)]] if len(free) else poses[0]


def _facing(way: np.ndarray, tilt: float, present: np.ndarray) -> np.ndarray:
    """A hand whose fingers point down, tilted so that they lead and the palm stays behind; it closes across `way`."""
    across = np.array([-way[1], way[0], 0.0])
    if across @ present[:, 0] < 0:
        across = -across
    forward = np.cos(tilt) * np.array([0, 0, -1.0]) + np.sin(tilt) * way
    return np.stack([across, np.cross(forward, across), forward], axis=1)


def _handle(world: World, joint: Joint, change: float, attempt: int) -> Grasp | None:
    """A grasp of the part that moves; of a drawer or door from the side it opens to."""
    points = world.part(joint.body)
    if joint.slides:
        way = np.sign(change) * joint.axis
        front = points @ way
        points = points[front > front.max() - 0.02]
        rotations = list(_pulls(way))
    else:
        points = points[points[:, 2] > points[:, 2].max() - 0.03]
        rotations = None
    grid = world.grid()
    nothing = Grid(np.zeros((0, 3)), grid.floor)
    found = find_grasps(points, grid, nothing, world.hand, world.shoulder, rotations)
    return found[attempt % len(found)] if found else None


def _pulls(way: np.ndarray) -> Iterator[np.ndarray]:
    """Hands that point down to level against `way`, closing along it or across."""
    for tilt in PULL_TILTS:
        forward = np.cos(tilt) * np.array([0, 0, -1.0]) - np.sin(tilt) * way
        across = np.cross(way, [0, 0, 1.0])
        base = np.stack([across, np.cross(forward, across), forward], axis=1)
        for roll in (0.0, np.pi / 2):
            yield base @ Rotation.from_rotvec([0, 0, roll]).as_matrix()
