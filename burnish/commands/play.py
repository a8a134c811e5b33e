"""What `burnish eval` does with a policy: play each protocol's fixed episodes, film some, count them together."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from burnish.agent import Agent
from burnish.console import say, track
from burnish.datasets.store import load_demonstrations
from burnish.errors import BurnishError
from burnish.policies.base import Policy
from burnish.policies.mint import Mint
from burnish.sim.base import make_env_for
from burnish.sim.comparison import combine
from burnish.sim.evaluate import evaluate
from burnish.sim.protocols import Protocol
from burnish.sim.raytrace import RenderError
from burnish.sim.records import Evaluation
from burnish.sim.vector import LanesEnv
from burnish.sim.video import record_episodes

if TYPE_CHECKING:
    from burnish.commands.eval import Config


def play(policy: Policy, plan: list[Protocol], config: Config) -> dict[str, Any]:
    """One protocol in the run's folder itself, several in a folder each; together they count as one evaluation."""
    replan = _replan(policy, plan[0], config)
    if len(plan) == 1:
        return _judge(policy, plan[0], config, config.out).to_json() | replan
    folders = [config.out / part.task.partition("/")[2] for part in plan]
    played = [_judge(policy, part, config, folder) for part, folder in zip(plan, folders, strict=True)]
    return combine(played) | replan


def _judge(policy: Policy, protocol: Protocol, config: Config, folder: Path) -> Evaluation:
    settings = config.eval
    with make_env_for(
        policy.contract,
        protocol.task,
        protocol.lanes,
        here=f"checkpoint {config.checkpoint}",
        workers=settings.workers,
        horizon=protocol.horizon,
        settings=protocol.world,
    ) as env:
        agent = _agent(policy, env.num_envs, _replan(policy, protocol, config)["replan"], config)
        with track(f"Evaluating on {env.task}", protocol.episodes) as advance:
            evaluation = evaluate(agent, env, protocol, folder=folder, advance=advance)
        if isinstance(env, LanesEnv):  # it can draw what it remembers; others are judged without a film
            films = evaluation.telling(settings.videos)
            try:
                record_episodes(agent, env, protocol, films, folder / "videos", size=settings.video_size)
            except RenderError as error:  # the numbers stand without a film
                say(f"  no videos: {error}")
    return evaluation


def _agent(policy: Policy, lanes: int, replan: int, config: Config) -> Agent:
    if config.intent_from is None:
        return policy.agent(lanes, replan=replan)
    if not isinstance(policy, Mint):
        raise BurnishError(f"--intent-from: {config.checkpoint} is a {policy.name!r} policy; only 'mint' has intents")
    folder, _, number = config.intent_from.partition(":")
    demos = load_demonstrations(Path(folder), only=[])
    if number and (not number.isdecimal() or int(number) >= len(demos.lengths)):
        raise BurnishError(f"--intent-from {config.intent_from}: {folder} has episodes 0 … {len(demos.lengths) - 1}")
    demos.contract.check(policy.contract.only([]), here=f"dataset {folder}", there=f"checkpoint {config.checkpoint}")
    shown = demos.action[demos.episode_index == int(number or 0)]
    return policy.follower(torch.from_numpy(shown), lanes, replan=replan)


def _replan(policy: Policy, protocol: Protocol, config: Config) -> dict[str, Any]:
    """After how many steps the policy plans again, and who says so."""
    wish = config.replan
    if wish == "own" or (wish == "protocol" and protocol.replan is None):
        return {"replan": policy.replan, "replan_from": "policy"}
    if wish == "protocol":
        return {"replan": min(protocol.replan or policy.horizon, policy.horizon), "replan_from": protocol.name}
    if not wish.isdecimal() or not 1 <= int(wish) <= policy.horizon:
        raise BurnishError(
            f"--replan {wish!r}: write own, protocol, or a number of steps from 1 to {policy.horizon} (the chunk)"
        )
    return {"replan": int(wish), "replan_from": "--replan"}
