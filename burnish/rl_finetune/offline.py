"""Demonstrations as off-policy data for a residual."""

from __future__ import annotations

import torch

from burnish.contract import ACTION
from burnish.datasets.demonstrations import Demonstrations
from burnish.policies.base import Policy
from burnish.rl_finetune.buffer import NStep, Replay
from burnish.sim.base import next_seed


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
