"""Names to classes: lazy `package.module:Class` strings, no duplicates, helpful errors.

Adding a policy, an environment, a robot or an algorithm is one new file and one line at the end of
this module; packages from outside register through the entry points `burnish.<kind>`.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Collection, Iterable
from importlib.metadata import entry_points
from typing import Any

from burnish.errors import BurnishError, UnknownNameError


class Registry:
    """Maps names of one kind ("policy", "environment", …) to import strings, resolved on first use."""

    def __init__(self, kind: str, group: str) -> None:
        self.kind = kind
        self._group = group
        self._targets: dict[str, str] = {}
        self._outside_read = False

    def register(self, name: str, target: str) -> None:
        """Register `target` ("package.module:Class") under `name`. Raises `BurnishError` on a duplicate."""
        known = self._targets.get(name)
        if known is not None:
            raise BurnishError(f"{self.kind} {name!r} is registered twice: {known} and {target}; rename one of them")
        if target.count(":") != 1:
            raise BurnishError(f"{self.kind} {name!r}: target {target!r} is not of the form 'package.module:Class'")
        self._targets[name] = target

    def names(self) -> list[str]:
        """Every registered name, sorted; those of installed packages included."""
        self._read_outside()
        return sorted(self._targets)

    def load(self, name: str) -> Any:
        """Import and return what `name` stands for. Raises `UnknownNameError` with the closest match."""
        self._read_outside()
        if name not in self._targets:
            raise unknown(self.kind, name, self._targets)
        module, _, attribute = self._targets[name].partition(":")
        return getattr(importlib.import_module(module), attribute)

    def _read_outside(self) -> None:
        if not self._outside_read:
            self._outside_read = True
            for point in entry_points(group=self._group):
                self.register(point.name, point.value)


def check_known(kind: str, names: Iterable[str], known: Collection[str]) -> None:
    """Raise `UnknownNameError` for the first of `names` that is not among the `known` ones."""
    for name in names:
        if name not in known:
            raise unknown(kind, name, known)


def unknown(kind: str, name: str, known: Iterable[str]) -> UnknownNameError:
    """The error for an unknown `name`, with the closest of the `known` names."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.4)
    hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(names)}"
    return UnknownNameError(f"unknown {kind} {name!r}; {hint}")


policies = Registry("policy", "burnish.policies")
environments = Registry("environment", "burnish.envs")
simulators = Registry("description of an environment", "burnish.simulators")
"""What `burnish envs` says of an environment, without importing its simulator."""
algorithms = Registry("algorithm", "burnish.algorithms")
learners = Registry("learner", "burnish.learners")
"""Algorithms that learn a task with neither data nor a checkpoint."""
robots = Registry("robot", "burnish.robots")
simulated_robots = Registry("simulated robot", "burnish.simulated_robots")
experts = Registry("expert", "burnish.experts")
protocols = Registry("evaluation protocol", "burnish.protocols")
tokenizers = Registry("tokenizer", "burnish.tokenizers")
readers = Registry("format of recordings", "burnish.readers")
cameras = Registry("camera", "burnish.cameras")
tracked_tasks = Registry("robot with tasks", "burnish.tracked_tasks")
"""Robots whose tasks a tracker can see: what the simulator's `observation.environment_state` is there."""
trackers = Registry("tracker", "burnish.trackers")
formats = Registry("checkpoint format", "burnish.formats")
"""How to load the checkpoints of other libraries: what stands before the colon in "lerobot:PATH"."""

policies.register("meanflow", "burnish.policies.meanflow:MeanFlow")
policies.register("flow", "burnish.policies.flow:Flow")
policies.register("diffusion", "burnish.policies.diffusion:Diffusion")
policies.register("tokens", "burnish.policies.tokens:TokenPolicy")
policies.register("mint", "burnish.policies.mint:Mint")
policies.register("behaviour", "burnish.policies.behaviour:Behaviour")
policies.register("omnijarvis", "burnish.policies.omnijarvis:OmniJarvis")
policies.register("vla", "burnish.policies.vla:VLA")
policies.register("mlp", "burnish.policies.mlp:MLP")
policies.register("residual", "burnish.policies.residual:ResidualPolicy")
policies.register("recurrent", "burnish.policies.recurrent:Recurrent")
policies.register("lerobot", "burnish.policies.lerobot:LerobotPolicy")
tokenizers.register("bins", "burnish.policies.tokenizers.bins:Bins")
tokenizers.register("fast", "burnish.policies.tokenizers.fast:Fast")
tokenizers.register("mint", "burnish.policies.tokenizers.mint:MintTokenizer")
formats.register("lerobot", "burnish.policies.lerobot:load")
formats.register("remote", "burnish.real.server.remote:load")
environments.register("metaworld", "burnish.sim.metaworld:MetaWorld")
environments.register("libero", "burnish.sim.libero.env:Libero")
environments.register("franka", "burnish.sim.franka.env:FrankaWorld")
environments.register("quadrotor", "burnish.sim.quadrotor.env:QuadrotorWorld")
environments.register("robosuite", "burnish.sim.robosuite.env:Robosuite")
environments.register("maniskill", "burnish.sim.maniskill.env:ManiSkill")
environments.register("mjlab", "burnish.sim.mjlab.env:Mjlab")
environments.register("isaaclab", "burnish.sim.isaaclab.env:IsaacLab")
environments.register("unitree", "burnish.sim.unitree.env:UnitreeWorld")
simulators.register("metaworld", "burnish.sim.metaworld_about:ABOUT")
simulators.register("libero", "burnish.sim.libero.about:ABOUT")
simulators.register("franka", "burnish.sim.franka.about:ABOUT")
simulators.register("quadrotor", "burnish.sim.quadrotor.about:ABOUT")
simulators.register("robosuite", "burnish.sim.robosuite.about:ABOUT")
simulators.register("maniskill", "burnish.sim.maniskill.about:ABOUT")
simulators.register("mjlab", "burnish.sim.mjlab.about:ABOUT")
simulators.register("isaaclab", "burnish.sim.isaaclab.about:ABOUT")
simulators.register("unitree", "burnish.sim.unitree.about:ABOUT")
algorithms.register("residual", "burnish.rl_finetune.residual:train")
algorithms.register("dppo", "burnish.rl_finetune.dppo:train")
algorithms.register("reinflow", "burnish.rl_finetune.reinflow:train")
algorithms.register("grpo", "burnish.rl_finetune.grpo:train")
algorithms.register("srpo", "burnish.rl_finetune.srpo:train")
algorithms.register("rl100", "burnish.rl_finetune.rl100:train")
algorithms.register("opd", "burnish.rl_finetune.opd:train")
algorithms.register("rpd", "burnish.rl_finetune.rpd:train")
algorithms.register("distill", "burnish.rl_finetune.distill:train")
algorithms.register("ppo", "burnish.rl_finetune.ppo_refine:train")
algorithms.register("meta-imitation", "burnish.rl_finetune.meta_imitation:train")
learners.register("ppo", "burnish.rl_finetune.ppo:train")
learners.register("replan", "burnish.rl_finetune.replan:train")
experts.register("metaworld", "burnish.datasets.experts.metaworld:expert")
experts.register("libero", "burnish.datasets.experts.libero:LiberoExpert")
experts.register("franka", "burnish.datasets.experts.franka:FrankaExpert")
experts.register("quadrotor", "burnish.datasets.experts.quadrotor:QuadrotorExpert")
experts.register("unitree", "burnish.datasets.experts.unitree:UnitreeExpert")
experts.register("maniskill", "burnish.datasets.experts.maniskill:ManiSkillExpert")
experts.register("mjlab", "burnish.datasets.experts.cartpole:CartpoleExpert")
experts.register("isaaclab", "burnish.datasets.experts.cartpole:CartpoleExpert")
protocols.register("metaworld", "burnish.sim.protocols:METAWORLD")
protocols.register("franka", "burnish.sim.protocols:FRANKA")
protocols.register("quadrotor", "burnish.sim.protocols:QUADROTOR")
protocols.register("unitree", "burnish.sim.protocols:UNITREE")
experts.register("robosuite", "burnish.datasets.experts.robosuite:RobosuiteExpert")
protocols.register("robosuite", "burnish.sim.protocols:ROBOSUITE")
protocols.register("maniskill", "burnish.sim.protocols:MANISKILL")
protocols.register("mjlab", "burnish.sim.protocols:MJLAB")
protocols.register("isaaclab", "burnish.sim.protocols:ISAACLAB")
protocols.register("libero", "burnish.sim.libero.families:OPENPI")
protocols.register("libero-openpi", "burnish.sim.libero.families:OPENPI")
protocols.register("libero-lerobot", "burnish.sim.libero.families:LEROBOT")
protocols.register("libero-rlinf", "burnish.sim.libero.families:RLINF")
protocols.register("libero-pro", "burnish.sim.libero.pro:PRO")
robots.register("franka", "burnish.real.franka.driver:Franka")
robots.register("franka-tool", "burnish.real.franka.tool:FrankaTool")
simulated_robots.register("franka", "burnish.real.franka.simulated:SimulatedFranka")
simulated_robots.register("franka-tool", "burnish.real.franka.simulated:SimulatedFranka")
robots.register("unitree-go2", "burnish.real.unitree.driver:Go2")
robots.register("unitree-g1", "burnish.real.unitree.driver:UnitreeG1")
simulated_robots.register("unitree-go2", "burnish.real.unitree.simulated:SimulatedGo2")
simulated_robots.register("unitree-g1", "burnish.real.unitree.simulated:SimulatedG1")
robots.register("quadrotor", "burnish.real.quadrotor.driver:QuadrotorDriver")
simulated_robots.register("quadrotor", "burnish.real.quadrotor.simulated:SimulatedQuadrotor")
readers.register("bag", "burnish.datasets.convert.bag:BagReader")
readers.register("deploy", "burnish.real.recorded:CyclesReader")
readers.register("libero", "burnish.datasets.convert.libero:LiberoReader")
readers.register("maniskill", "burnish.datasets.convert.maniskill:ManiSkillReader")
readers.register("diffusion-policy", "burnish.datasets.convert.diffusion_policy:DiffusionPolicyReader")
readers.register("robomimic", "burnish.datasets.convert.robomimic:RobomimicReader")
cameras.register("simulated", "burnish.real.cameras.simulated:SimulatedCamera")
cameras.register("v4l2", "burnish.real.cameras.v4l2:V4l2Camera")
cameras.register("realsense", "burnish.real.cameras.realsense:RealsenseCamera")
trackers.register("simulated", "burnish.real.trackers.simulated:SimulatedTracker")
tracked_tasks.register("franka", "burnish.real.franka.tracked:TrackedTask")
tracked_tasks.register("franka-tool", "burnish.real.franka.tracked:TrackedToolTask")
