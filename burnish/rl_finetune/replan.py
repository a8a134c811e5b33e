"""Re-planning through gates in the shortest time: lap time descended through the plans of a whole race.

After multi-fidelity reinforcement learning for time-optimal re-planning (Ryou, Wang and Karaman, arXiv 2403.08152): a
network decides what minimum snap leaves open (`gate_planner`), it is trained where that is cheap, on plans alone, and
what counts is how they fly. A plan is a differentiable function of what the network says, and each begins where the
last one ends, so that no reward is estimated: with T_k the time to the k-th gate and d the shares of the limits that
the plans take (`planners.demand`),

    L = Σ_k T_k + w mean relu(d / share − 1)² + ...,

is descended through all plans of a race. `share` is drawn anew for every race and told to the network; which one a
quadrotor can follow only flights show, and those are made afterwards, for each of `shares`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from burnish.console import say, track
from burnish.errors import BurnishError
from burnish.policies.base import save_policy
from burnish.policies.mlp import MLP, MLPConfig
from burnish.policies.optimizers import optimizer_state, restore_optimizer
from burnish.policies.resume import grouped, load_training, save_training
from burnish.rl_finetune.counts import check_counts
from burnish.rl_finetune.gate_planner import LearnedPlanner, contract, scales
from burnish.run import Run
from burnish.sim.base import VecEnv
from burnish.sim.quadrotor import noise
from burnish.sim.quadrotor.env import QuadrotorWorld
from burnish.sim.quadrotor.planners import demand, middles
from burnish.sim.quadrotor.racing import race
from burnish.sim.quadrotor.snap import Trajectory, through
from burnish.sim.quadrotor.tasks import GATES, HOME, RACE
from burnish.sim.quadrotor.vehicles import named


@dataclass(frozen=True)
class ReplanConfig:
    """Minutes on one core."""

    policy: MLPConfig = field(default_factory=lambda: MLPConfig(hidden=(128, 128)))
    vehicle: str = "x500"
    """What is flown."""
    lanes: int = 128
    """Races at once."""
    updates: int = 400
    lr: float = 1e-3
    limits: float = 200.0
    """Weight of what is asked for beyond the limits, s."""
    slanting: float = 2.0
    """Weight of passing a gate more slantingly than 53°, s."""
    shares: tuple[float, ...] = (0.85, 0.9, 0.95, 1.0)
    """Of the limits; the network learns to plan for any between the first and the last."""
    late: float = 0.1
    """s at most from a gate to the next plan."""
    max_grad_norm: float = 1.0
    workers: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        check_counts("replan", self, "lanes", "updates")
        if not self.shares or not all(0 < share <= 1 for share in self.shares):
            raise BurnishError(f"replan: shares of the limits must be above 0 and at most 1, are {self.shares}")

    @property
    def world(self) -> dict[str, Any]:
        """Settings of the environment."""
        return {"vehicle": self.vehicle}


def train(run: Run, env: VecEnv, cfg: ReplanConfig) -> dict[str, Any]:
    """Learn to plan, then race in `env` with every one of `cfg.shares`; saved as `run.folder/policy`, an `mlp`.

    Goes on after an interruption. Returns `env_steps` (gates planned for), the `share` of the limits that was flown
    fastest without more failures than the safest, its `success` and its `lap_s`.
    """
    if not isinstance(env, QuadrotorWorld) or env.task != "quadrotor/race":
        raise BurnishError(f"replan learns to plan for quadrotor/race, not for {env.task}")
    learner = Replan(cfg)
    learner.resume(run)
    with track("learning to plan", cfg.updates, learner.updates) as advance:
        while learner.updates < cfg.updates:
            metrics = learner.update()
            advance(1, f"{metrics['time_s']:.2f} s, {metrics['beyond']:.1%} beyond the limits")
            if learner.updates % SAVE_EVERY == 0 or learner.updates == cfg.updates:
                run.log(learner.env_steps, **metrics)
                learner.save(run)
    save_policy(learner.policy, run.folder / "policy")
    raced = [race(env, LearnedPlanner(learner.policy, share), cfg.seed) for share in cfg.shares]
    for share, laps in zip(cfg.shares, raced, strict=True):
        say(f"  {share:.0%} of the limits: lap {laps.lap:.2f} s, {laps.failures} of {env.num_envs} failed")
    fewest = min(laps.failures for laps in raced)
    share, best = min(
        ((share, laps) for share, laps in zip(cfg.shares, raced, strict=True) if laps.failures == fewest),
        key=lambda pair: pair[1].lap,
    )
    success = 1 - best.failures / env.num_envs
    return {"env_steps": learner.env_steps, "success": success, "share": share, "lap_s": best.lap}


SAVE_EVERY = 100


class Replan:
    """The network, and races of its plans."""

    def __init__(self, cfg: ReplanConfig) -> None:
        with torch.random.fork_rng():
            torch.manual_seed(cfg.seed)
            self.policy = MLP(cfg.policy, contract(), scales())
        self.cfg, self.planner = cfg, LearnedPlanner(self.policy)
        self.optimizer = torch.optim.Adam(self.policy.network.parameters(), cfg.lr)
        self.vehicle = named(cfg.vehicle, cfg.lanes).double()
        self.updates = 0

    @property
    def env_steps(self) -> int:
        """Gates planned for."""
        return self.updates * self.cfg.lanes * (GATES + 1)

    def update(self) -> dict[str, float]:
        """Races by plans on new courses, and a step down the gradient of what they cost."""
        cfg = self.cfg
        seed = torch.arange(cfg.lanes) + ((cfg.seed + 1 << 32) + self.updates * cfg.lanes)
        cost, metrics = self.race(seed)
        self.optimizer.zero_grad()
        cost.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.policy.network.parameters(), cfg.max_grad_norm)
        for group in self.optimizer.param_groups:
            group["lr"] = cfg.lr * (0.02 + 0.49 * (1 + math.cos(math.pi * self.updates / cfg.updates)))
        if torch.isfinite(norm):
            self.optimizer.step()
        self.updates += 1
        return metrics

    def race(self, seed: Tensor) -> tuple[Tensor, dict[str, float]]:
        """Mean cost, s, of races on the courses of `seed` (N,), and numbers to log."""
        cfg, lanes = self.cfg, len(seed)
        course = RACE.draw(seed).double()
        random = noise.uniform(seed, 5 * noise.SALT, GATES + 11).double()
        share = cfg.shares[0] + (cfg.shares[-1] - cfg.shares[0]) * random[-1]
        start = torch.zeros(4, 3, lanes, dtype=torch.float64)
        start[:3] = (2 * random[-10:-1].view(3, 3, lanes) - 1) * torch.tensor(STARTS)[:, None, None]
        start[0] += torch.tensor(HOME)[:, None]
        time, cost, beyond = torch.zeros(lanes), torch.zeros(lanes), torch.zeros(lanes)
        for gate in range(GATES + 1):
            gates = RACE.know(course, torch.full((lanes,), float(gate)), time)
            places, times, leaving = self.planner.decide(start, gates, share)
            plan = through(start, places, times, leaving)
            over = torch.relu(demand(plan, self.vehicle) / share - 1)
            late = cfg.late * random[gate]
            cost = cost + times[0] + cfg.limits * over.square().sum(0).mean(0) + cfg.slanting * _slanting(plan, gates)
            time, beyond = time + times[0].detach(), beyond + (over.detach().amax((0, 1)) > SLIGHT)
            start = plan.at(times[0] + late)[:4]
        count = GATES + 1
        return cost.mean(), {
            "cost": float(cost.detach().mean()),
            "time_s": float(time.mean()),
            "beyond": float(beyond.mean()) / count,
        }

    def save(self, run: Run) -> None:
        """Everything needed to go on after a kill."""
        kept = grouped(adam=optimizer_state(self.optimizer, list(self.policy.network.parameters())))
        save_training(run, self.policy, kept, {"updates": self.updates})

    def resume(self, run: Run) -> None:
        """Go on after what was saved in `run.folder`, if something was."""
        saved = load_training(run)
        if saved is None:
            return
        self.policy.load_state_dict(saved.weights)
        restore_optimizer(self.optimizer, list(self.policy.network.parameters()), saved.under("adam/"))
        self.updates = saved.progress["updates"]
        run.rewind(self.env_steps)


STARTS = (0.5, 1.0, 3.0)
"""m, m/s and m/s² from rest at home, each axis, at which races begin at most."""
SLIGHT = 0.05
"""A plan that takes so much more than its limits is counted as beyond them."""
STRAIGHT = 0.6
"""Cosine of the most slanting way through a gate that costs nothing."""


def _slanting(plan: Trajectory, gates: Tensor) -> Tensor:
    """(N,) by how much both gates are passed more slantingly than they should be, squared."""
    velocity = torch.stack([plan.at(plan.times[0])[1], plan.at(plan.times.sum(0))[1]])
    ahead = middles(gates)[1]
    cosine = (velocity * ahead).sum(1) / velocity.square().sum(1).add(1e-6).sqrt()
    return torch.relu(STRAIGHT - cosine).square().sum(0)
