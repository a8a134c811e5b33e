"""Demonstrations as off-policy data for a residual."""

from __future__ import annotations

import torch

from burnish.contract import ACTION
from burnish.datasets.demonstrations import Demonstrations
from burnish.policies.base import Policy
from burnish.policies.mlp import reported
from burnish.rl_finetune.buffer import NStep, Replay
from burnish.sim.base import next_seed

SET_POINT, LEAST = 3.0, 0.04
"""Medians that are the reach of a set point (of a normal distribution: two standard deviations), and the least reach,
network units: there is something to try even where nothing was ever shown."""


def correction_scale(base: Policy, demos: Demonstrations, share: float) -> list[float]:
    """(A,) the largest correction of each number of an action, network units: `share` of its reach.

    The reach of a velocity or an increment is half its range. A set point, of what the state reports too, reaches as
    far as those that were shown usually moved in one step, a small part of the range they cover; a gripper's, which
    mostly stays, next to nowhere.
    """
    shown = base.normalizer.normalize(ACTION, torch.from_numpy(demos.action))
    moved = (shown[1:] - shown[:-1]).abs()
    within = torch.ones(len(moved), dtype=torch.bool)
    within[torch.from_numpy(demos.ends[:-1]) - 1] = False
    usual = (SET_POINT * moved[within].median(dim=0).values).clamp(LEAST, 1.0).tolist()
    places = reported(base.contract)
    return [share * (reach if place is not None else 1.0) for place, reach in zip(places, usual, strict=True)]


def demonstration_replay(
    base: Policy, demos: Demonstrations, *, n_step: int, gamma: float, seed: int, room: int
) -> Replay:
    """Demonstrations as transitions: what was done beside what the base would have done, queue reset every episode.

    The noise of the base is drawn from `seed`; all rows carry episode number 0. `room` rows stay free for more.
    """
    normalizer, agent = base.normalizer, base.agent(1)
    obs = {key: torch.from_numpy(value) for key, value in demos.obs.items()}
    conditions = base.encode_state(obs)
    actions = normalizer.normalize(ACTION, torch.from_numpy(demos.action))
    replay = Replay(len(actions) + room, conditions.shape[1], actions.shape[1])
    for start, end in zip(demos.starts.tolist(), demos.ends.tolist(), strict=True):
        agent.reset([0], [next_seed(seed + start)])
        windows = NStep(n_step, gamma)
        for t in range(start, end):
            now, last = slice(t, t + 1), torch.tensor([t == end - 1])
            planned = agent.act({key: value[now] for key, value in obs.items()})
            step = (conditions[now], normalizer.normalize(ACTION, planned), actions[now])
            complete = windows.push(*step, last.float(), last, torch.zeros_like(last), torch.zeros(1))
            if complete is not None:
                replay.add(complete)
        for complete in windows.flush():
            replay.add(complete)
    return replay
