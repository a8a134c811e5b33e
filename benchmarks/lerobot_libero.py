"""The peer of `libero_eval.py`: lerobot's own LIBERO evaluation, as `lerobot-eval` runs it without videos.

The installed LIBERO has its fixed starts as `.npz`, lerobot wants them as torch files: they are written to a temporary
folder, to which LIBERO's own configuration file points. Nothing of lerobot is replaced.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("MUJOCO_GL", "egl")

import torch
from torch import Tensor

from burnish.contract import STATE
from burnish.sim.libero.suites import LiberoTask, select, suite_tasks

FIRST_SEED = 1000
"""lerobot-eval's own, and so the protocol's."""


@dataclass
class Played:
    """What one side did with every episode, task by task, start by start."""

    seconds: float
    """Wall time, everything included but the imports."""
    success: list[bool]
    states: list[Tensor] = field(default_factory=list)
    """Per episode (T, 8): the robot's state at every decision."""


def play(folder: Path, names: Sequence[str], trials: int, size: int, batch: int) -> Played:
    """Evaluate the lerobot policy in `folder` on the first starts of each task, `batch` environments at a time."""
    from lerobot.configs import PreTrainedConfig
    from lerobot.envs import close_envs, make_env, make_env_pre_post_processors
    from lerobot.envs.configs import LiberoEnv
    from lerobot.policies import make_policy, make_pre_post_processors
    from lerobot.scripts.lerobot_eval import eval_policy_all

    suite, tasks = names[0].partition("/")[0], [select(name)[0] for name in names]
    numbers = [suite_tasks(suite).index(task) for task in tasks]
    with starts_as_torch_files(tasks):
        begin = time.perf_counter()
        scene = LiberoEnv(task=f"libero_{suite}", task_ids=numbers, observation_height=size, observation_width=size)
        settings = PreTrainedConfig.from_pretrained(folder)
        settings.pretrained_path = folder
        envs = make_env(scene, n_envs=batch, use_async_envs=True)
        policy = make_policy(settings, env_cfg=scene)
        before, after = make_pre_post_processors(settings, pretrained_path=str(folder))
        env_before, env_after = make_env_pre_post_processors(env_cfg=scene, policy_cfg=settings)
        watch = Watch(env_before)
        watch.begin_with(policy)
        try:
            info = eval_policy_all(
                envs,
                policy,
                watch,
                env_after,
                before,
                after,
                trials,
                start_seed=FIRST_SEED,  # pyright: ignore
            )
        finally:
            close_envs(envs)
        seconds = time.perf_counter() - begin
    success = [bool(one) for task in info["per_task"] for one in task["metrics"]["successes"]]
    return Played(seconds, success, watch.episodes())


class Watch:
    """lerobot's preparation of LIBERO's observations, remembering the robot's state in them."""

    def __init__(self, prepare: Any) -> None:
        self._prepare = prepare
        self._rollouts: list[list[Tensor]] = []

    def begin_with(self, policy: Any) -> None:
        """A rollout begins when the policy is told to forget the one before."""
        forget = policy.reset

        def reset() -> None:
            self._rollouts.append([])
            forget()

        policy.reset = reset

    def __call__(self, observation: dict[str, Any]) -> dict[str, Any]:
        prepared = self._prepare(observation)
        self._rollouts[-1].append(prepared[STATE].clone())
        return prepared

    def episodes(self) -> list[Tensor]:
        """Per episode (T, 8). After its end an environment of a batch repeats its last state."""
        return [row for rollout in self._rollouts for row in torch.stack(rollout, dim=1)]


@contextlib.contextmanager
def starts_as_torch_files(tasks: Sequence[LiberoTask]) -> Iterator[None]:
    """Inside, LIBERO's `get_libero_path("init_states")` leads to the starts of `tasks` as lerobot reads them."""
    with tempfile.TemporaryDirectory() as name:
        for task in tasks:
            folder = Path(name) / f"libero_{task.suite}"
            folder.mkdir(exist_ok=True)
            torch.save(task.load_init_states(), folder / f"{task.name}.pruned_init")
        (Path(name) / "config.yaml").write_text(f"init_states: {name}\n")
        before = os.environ.get("LIBERO_CONFIG_PATH")
        os.environ["LIBERO_CONFIG_PATH"] = name
        try:
            yield
        finally:
            os.environ.pop("LIBERO_CONFIG_PATH")
            if before is not None:
                os.environ["LIBERO_CONFIG_PATH"] = before
