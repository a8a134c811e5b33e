"""The environment contract: N episodes side by side, tensors on one device."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from burnish import registry
from burnish.agent import Agent
from burnish.contract import PLACES, Contract
from burnish.errors import BurnishError, ContractError
from burnish.sim import about
from burnish.sim.checks import check_step
from burnish.sim.seeds import next_seed as next_seed

Obs = dict[str, Tensor]
"""Contract key → tensor (N, *field.shape), physical units."""


@dataclass(frozen=True)
class Step:
    """What one step of N lanes returns; every tensor has N rows and is the caller's own (never a view of a buffer).

    Attributes:
        obs: the observation to act on next: of the new episode where the lane was auto-reset.
        reward: (N,) float32, sparse: 1 on the step that first succeeds, else 0.
        terminated: (N,) bool, the episode ended in success.
        truncated: (N,) bool, the episode ended at its horizon, or `crashed`.
        info: `success` (N,) bool; `final_obs` (Obs): the last observation of the episode where it ended, else `obs`;
            `crashed` (N,) bool, where a simulator knows such a thing: by what cannot be mended, such as a fall; without
            `truncated` where the world goes on all the same, for practice;
            `dense_reward` (N,) float32, if it was asked for: how good the moment is to which the action led, which of
            an episode that ended is its last, 1 at best where there is a best. 0 in lanes that were not stepped.
    """

    obs: Obs
    reward: Tensor
    terminated: Tensor
    truncated: Tensor
    info: dict[str, Any]

    @property
    def done(self) -> Tensor:
        """(N,) bool: the episode ended, for either reason."""
        return self.terminated | self.truncated

    def then(self, after: Step) -> Step:
        """This one and, in lanes that did not end in it, the one `after` it, as one."""
        over, info = self.done, dict(after.info)
        for key in ("success", "crashed"):
            if key in info:
                info[key] = self.info[key] | info[key]
        if "dense_reward" in info:
            info["dense_reward"] = self.info["dense_reward"] + info["dense_reward"]
        info["final_obs"] = {
            key: torch.where(over.view(-1, *[1] * (value.dim() - 1)), self.info["final_obs"][key], value)
            for key, value in after.info["final_obs"].items()
        }
        flags = self.terminated | after.terminated, self.truncated | after.truncated
        return Step(after.obs, self.reward + after.reward, *flags, info)

    @property
    def crashed(self) -> Tensor:
        """(N,) bool: nothing would have come after: the episode ended so, or goes on for practice alone."""
        return self.info.get("crashed", torch.zeros_like(self.truncated))


class VecEnv(ABC):
    """N lanes, each running one episode at a time. An episode is a pure function of its seed and its actions."""

    tasks: ClassVar[tuple[str, ...]]
    """Names that `make_env` accepts after "SIMULATOR/"."""
    has_cameras: ClassVar[bool] = False
    """Whether it takes `cameras`."""
    has_places: ClassVar[bool] = False
    """Whether it takes `places`."""
    has_points: ClassVar[bool] = False
    """Whether it takes `points`."""
    has_dense_reward: ClassVar[bool] = False
    """Whether it takes `dense_reward`."""
    has_bank: ClassVar[bool] = False
    """Whether it takes the setting `bank`: states in the middle of a task, in which episodes begin."""
    practice: ClassVar[Mapping[str, Any]] = {}
    """Settings with which a learner begins from nothing; a policy is judged without them."""
    randomizes: ClassVar[tuple[str, ...]] = ()
    """What it draws anew in every episode if the setting `randomize` asks for it: fields of `Randomization`."""
    num_envs: int
    contract: Contract
    task: str
    """Full name, e.g. "metaworld/reach"."""
    max_episode_steps: int
    device: torch.device
    cores: int = 1
    """Processes or threads that step its lanes."""
    settings: Mapping[str, Any] = {}
    """Of the simulator, as given to `make_env`."""

    @classmethod
    def backend(cls, settings: Mapping[str, Any]) -> type[VecEnv]:
        """The class that steps its tasks with `settings`: itself, unless the simulator has several engines."""
        return cls

    @abstractmethod
    def reset(self, seed: Sequence[int], ids: Sequence[int] | None = None) -> Obs:
        """Start an episode in lanes `ids` (default all), one seed per lane. Returns the observations of *all* lanes.

        After an auto-reset, lane i's next episode is seeded with `next_seed` of the one that ended.
        """

    @abstractmethod
    def step(self, action: Tensor, ids: Sequence[int] | None = None) -> Step:
        """Apply `action` (N, A), physical units, to lanes `ids` (default all); other lanes stand still.

        With `auto_reset` a lane that ends starts its next episode in the same step (`info["final_obs"]`
        holds the last observation); without it, a lane that ended must be `reset` before it steps again.
        Raises `NonFiniteError` that names the lane if an action is NaN or infinite.
        """

    def step_chunk(self, chunk: Tensor, ids: Sequence[int] | None = None) -> Step:
        """Apply T actions (N, T, A) of each of lanes `ids` (default all), one after the other, without looking.

        A lane whose episode ends takes no more. Rewards are summed, flags say what happened in any step, observations
        are those after a lane's last one, and `info["steps"]` (N,) int64 is how many it took. Raises as `step` does,
        `BurnishError` without any action.
        """
        if chunk.dim() != 3 or not chunk.shape[1]:
            raise BurnishError(f"{self.task}: a chunk of shape {tuple(chunk.shape)}, expected (lanes, steps, action)")
        running = list(range(self.num_envs) if ids is None else ids)
        check_step(self.task, chunk, [lane for lane in running if not torch.isfinite(chunk[lane]).all()], [])
        taken, all_of_it = torch.zeros(self.num_envs, dtype=torch.int64), None
        for action in chunk.unbind(1):
            if not running and all_of_it is not None:
                break
            step = self.step(action, running)
            taken[running] += 1
            all_of_it = step if all_of_it is None else all_of_it.then(step)
            over = step.done.tolist()
            running = [lane for lane in running if not over[lane]]
        assert all_of_it is not None
        all_of_it.info["steps"] = taken
        return all_of_it

    def step_beside(self) -> bool:
        """Leave this process out of the stepping, so that it can plan for some lanes while another thread steps others.

        To be called before the first reset; no two threads may use the environment at once. Returns whether it works:
        not where the simulator runs in this process alone.
        """
        return False

    def look(self, ids: Sequence[int]) -> Obs:
        """What the contract calls `looks`, as it is now in lanes `ids`; other rows show what was seen there before.

        `step` and `reset` return everything else: an image that nobody reads is never rendered.
        """
        return {}

    @property
    def num_tasks(self) -> int:
        """How many tasks its episodes are of: one, unless it is a suite."""
        return 1

    def attempt_seed(self, seed: int, task: int, attempt: int) -> int:
        """The seed of an expert's attempt number `attempt` at task number `task`, of a recording seeded with `seed`."""
        return int(np.random.SeedSequence([seed, attempt]).generate_state(1, np.uint64)[0] >> np.uint64(1))

    @abstractmethod
    def render(self, ids: Sequence[int], size: int) -> Tensor:
        """(len(ids), size, size, 3) uint8 frames; nothing is rendered unless this is called."""

    @abstractmethod
    def state(self) -> list[Any]:
        """One snapshot per lane, for `restore`."""

    @abstractmethod
    def restore(self, snapshot: list[Any]) -> Obs:
        """Put every lane back; what follows is bit-exactly what followed the snapshot."""

    @abstractmethod
    def restart(self) -> None:
        """Begin anew after a `DeadWorkerError`: new worker processes; every lane waits for a reset."""

    @abstractmethod
    def close(self) -> None:
        """End worker processes and free memory. Safe to call twice."""

    def __enter__(self) -> VecEnv:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def with_looks(obs: Obs, env: VecEnv, agent: Agent, lanes: Container[int] | None = None) -> Obs:
    """`obs` and the images, places and points that the next `act` of `agent` reads.

    They are new in those of `lanes` (None: all) it asks for. Where it asks for none, `obs` as it is: a chunked policy
    costs one frame per plan.
    """
    asked = agent.looks()
    if not asked:
        return obs
    return obs | env.look([lane for lane in asked if lanes is None or lane in lanes])


def make_env(
    task: str,
    num_envs: int,
    *,
    workers: int = 0,
    horizon: int | None = None,
    auto_reset: bool = False,
    cameras: int | None = None,
    places: bool = False,
    points: int | None = None,
    dense_reward: bool = False,
    settings: Mapping[str, Any] | None = None,
) -> VecEnv:
    """A vector environment by full task name ("metaworld/peg-insert-side").

    Args:
        workers: processes that share the lanes, this one among them; with 0 or 1 it steps them all.
        horizon: episode length in steps; None is the task's own default.
        cameras: pixels per side of the images that `VecEnv.look` returns; None for an environment without images.
        places: whether it also tells where the images' patches lie.
        points: how many the cloud has that `VecEnv.look` returns; None for an environment without.
        dense_reward: whether steps also tell `info["dense_reward"]`, for learners that cannot begin from success alone.
        settings: what only this simulator knows, e.g. `{"settle_steps": 15}` of LIBERO; other than its defaults.
    Raises `UnknownNameError` with the closest match for an unknown simulator or task, `BurnishError` for `cameras`,
    `places`, `points` or `dense_reward` where there are none, and for what this machine lacks.
    """
    simulator, slash, name = task.partition("/")
    if not slash:
        raise BurnishError(f"task {task!r} has no simulator; write SIMULATOR/TASK, e.g. metaworld/{task}")
    about.check(simulator, name)
    chosen = dict(settings or {})
    factory = registry.environments.load(simulator).backend(chosen)
    given = {"num_envs": num_envs, "workers": workers, "horizon": horizon, "auto_reset": auto_reset}
    if places and cameras is None:
        raise BurnishError(
            f"{task}: places=True are those of images' patches; give cameras=, pixels per side (--images), too"
        )
    lacks_images, lacks_points = "no images; use its state observations", "no point clouds"
    lacks_places = "no places of patches; read its images alone"
    lacks_dense = "no reward but success; learn there from demonstrations (`burnish collect`, `burnish train`)"
    for key, wanted, offered, lacks, advice in (
        ("cameras", cameras, factory.has_cameras, lacks_images, "give the pixels per side of the images"),
        ("places", places or None, factory.has_places, lacks_places, ""),
        ("points", points, factory.has_points, lacks_points, "give the number of points of a cloud"),
        ("dense_reward", dense_reward or None, factory.has_dense_reward, lacks_dense, ""),
    ):
        if wanted is None:
            continue
        if not offered:
            raise BurnishError(f"{task}: {key}={wanted}, but {simulator} has {lacks}")
        if wanted < 1:
            raise BurnishError(f"{task}: {key}={wanted}; {advice}")
        given[key] = wanted
    if "bank" in chosen and not factory.has_bank:
        raise BurnishError(f"{task}: bank={chosen['bank']!r}, but {simulator} begins its episodes in no given state")
    if "randomize" in chosen and not factory.randomizes:
        raise BurnishError(f"{task}: randomize={chosen['randomize']!r}, but {simulator}'s world is always the same")
    env: VecEnv = factory(name, **given, **chosen)
    env.settings = chosen
    return env


def make_env_for(reads: Contract, task: str, num_envs: int, *, here: str, **options: Any) -> VecEnv:
    """`make_env` with the images, places and points that `reads` names.

    Args:
        here: whose contract that is, e.g. "checkpoint runs/demo/policy".
        options: of `make_env`; what they let see beyond what `reads` names is there, too.
    Raises `ContractError` if the environment does not offer all that `reads` names, as it names it.
    """
    looks: dict[str, Any] = {"cameras": reads.cameras, "places": PLACES in reads.observation, "points": reads.points}
    env = make_env(task, num_envs, **(looks | options))
    try:
        reads.check(env.contract.only(reads.observation), here=here, there=f"environment {env.task}")
    except ContractError:
        env.close()
        raise
    return env
