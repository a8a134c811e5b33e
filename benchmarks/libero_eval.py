"""LIBERO evaluation: `burnish eval` beside `lerobot-eval`, the same policy on the same episodes.

`uv run python benchmarks/libero_eval.py [--checkpoint FOLDER] [--tasks object/0 object/1] [--trials 10]`. A lerobot
policy with two cameras of 128² plays fixed starts of LIBERO's tasks here and in lerobot's own loop
(`lerobot_libero.py`), one side after the other; wall time from loading the policy to the last episode.

Without `--checkpoint` an ACT with random weights plays. It never succeeds, so the robot's state at every decision is
compared as well. It reads nothing but images, which both sides have bit for bit: so a difference beyond the rounding
of the state (lerobot computes rotation vectors in float32) is one of the simulation. With `--batch 2` lerobot's plans
are rounded otherwise than ours, which some seconds of contact make centimetres. The last line is JSON: `ours` and
`peer` are episodes per hour; `floor_s` is what our steps and frames cost at least in as many processes.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

# A script's own folder comes first on the path, where files beside this one would pass for packages of their name.
HERE = str(Path(__file__).resolve().parent)
sys.path = [entry for entry in sys.path if Path(entry).resolve() != Path(HERE)]
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import torch
from torch import Tensor

from burnish.agent import Agent
from burnish.contract import ACTION, IMAGES, STATE
from burnish.policies.base import load_policy
from burnish.sim.base import make_env
from burnish.sim.evaluate import evaluate
from burnish.sim.protocols import protocols

sys.path.append(HERE)
import lerobot_libero as peer
from lerobot_libero import Played

SIZE = 128


class Watched:
    """An agent whose lanes' states are kept, from the start of an episode to its last decision."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self.episodes: dict[int, list[Tensor]] = {}
        self._lanes: dict[int, list[Tensor]] = {}

    def reset(self, lanes: Sequence[int], seeds: Sequence[int]) -> None:
        for lane, seed in zip(lanes, seeds, strict=True):
            self._lanes[lane] = self.episodes[seed] = []
        self._agent.reset(lanes, seeds)

    def looks(self) -> list[int]:
        return self._agent.looks()

    def act(self, obs: Mapping[str, Tensor]) -> Tensor:
        for lane, states in self._lanes.items():
            states.append(obs[STATE][lane].clone())
        return self._agent.act(obs)


def play(checkpoint: Path, tasks: Sequence[str], trials: int, workers: int) -> Played:
    """What `burnish eval lerobot:CHECKPOINT --protocol libero-lerobot/TASK --trials TRIALS` does, without videos."""
    begin = time.perf_counter()
    policy = load_policy(Path(f"lerobot:{checkpoint}"))
    played = Played(0.0, [])
    for task in tasks:
        (protocol,) = protocols(f"libero-lerobot/{task}", trials)
        protocol = replace(protocol, lanes=min(protocol.lanes, protocol.episodes))
        with make_env(
            protocol.task, protocol.lanes, workers=workers, horizon=protocol.horizon, cameras=policy.contract.cameras
        ) as env:
            agent = Watched(policy.agent(env.num_envs))
            result = evaluate(agent, env, protocol)
        for record in result.records:
            states = agent.episodes[protocol.noise_seed(record.episode)]
            played.states.append(torch.stack(states[: record.length]))
            played.success.append(record.success)
    return replace(played, seconds=time.perf_counter() - begin)


def random_act(folder: Path, plays: int) -> Path:
    """An ACT for LIBERO with lerobot's own sizes and random weights, which executes `plays` actions of each chunk."""
    from lerobot.configs.types import FeatureType, PolicyFeature
    from lerobot.policies.factory import get_policy_class, make_policy_config, make_pre_post_processors

    camera = PolicyFeature(FeatureType.VISUAL, (3, SIZE, SIZE))
    inputs = {f"{IMAGES}{name}": camera for name in ("image", "image2")}
    outputs = {ACTION: PolicyFeature(FeatureType.ACTION, (7,))}
    torch.manual_seed(0)
    config = make_policy_config(
        "act", input_features=inputs, output_features=outputs, chunk_size=plays, n_action_steps=plays, device="cpu",
        pretrained_backbone_weights=None, push_to_hub=False,
    )  # fmt: skip
    stats = {ACTION: {"mean": torch.zeros(7), "std": torch.full((7,), 0.3)}}
    for part in (get_policy_class("act")(config), *make_pre_post_processors(config, dataset_stats=stats)):
        part.save_pretrained(folder)
    return folder


def costs(task: str) -> tuple[float, float]:
    """Milliseconds of one step, and of one look through both cameras, in one process."""
    with make_env(f"libero/{task}", 1, cameras=SIZE) as env:
        env.reset([0])
        env.look([0])
        action = torch.zeros(1, 7)
        return _time(lambda: env.step(action), 50), _time(lambda: env.look([0]), 10)


def _time(call: Any, times: int) -> float:
    begin = time.perf_counter()
    for _ in range(times):
        call()
    return (time.perf_counter() - begin) / times * 1e3


def compare(ours: Played, theirs: Played) -> dict[str, Any]:
    """How far the two sides agree, episode by episode."""
    same = sum(a == b for a, b in zip(ours.success, theirs.success, strict=True))
    apart = [
        float((a - b[: len(a)]).abs().max()) if len(a) <= len(b) else float("inf")
        for a, b in zip(ours.states, theirs.states, strict=True)
    ]
    return {"successes": sum(ours.success), "same_success": same, "largest_state_difference": max(apart)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, help="folder of a lerobot policy; without: ACT with random weights")
    parser.add_argument("--tasks", nargs="+", default=["object/0", "object/1"], help="SUITE/NUMBER, of one suite")
    parser.add_argument("--trials", type=int, default=10, help="episodes of each task, at most 50")
    parser.add_argument("--plays", type=int, default=10, help="actions executed of each chunk of the random ACT")
    parser.add_argument("--workers", type=int, default=2, help="our processes")
    parser.add_argument("--batch", type=int, default=1, help="lerobot's environments; 1 is its default on two cores")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = options.checkpoint or random_act(Path(folder), options.plays)
        replan = load_policy(Path(f"lerobot:{checkpoint}")).replan
        ours = play(checkpoint, options.tasks, options.trials, options.workers)
        print(f"ours: {len(ours.success)} episodes in {ours.seconds:.1f} s", flush=True)
        theirs = peer.play(checkpoint, options.tasks, options.trials, SIZE, options.batch)
    step_ms, look_ms = costs(options.tasks[0])
    episodes, steps = len(ours.success), sum(map(len, ours.states))
    looks = sum(-(-len(states) // replan) for states in ours.states)
    floor = (steps * step_ms + looks * look_ms) / 1e3 / max(options.workers, 1)
    rates = [3600 * episodes / side.seconds for side in (ours, theirs)]
    print(f"{steps} steps of {step_ms:.1f} ms, {looks} looks of {look_ms:.1f} ms: at least {floor:.0f} s")
    row = {"name": "libero_eval", "ours": round(rates[0], 1), "peer": round(rates[1], 1), "unit": "episodes/h"}
    row |= {"ratio": round(rates[0] / rates[1], 2), "episodes": episodes} | compare(ours, theirs)
    row |= {"ours_s": round(ours.seconds, 1), "peer_s": round(theirs.seconds, 1), "floor_s": round(floor, 1)}
    print(json.dumps(row))


if __name__ == "__main__":
    main()
