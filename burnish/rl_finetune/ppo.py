"""PPO from nothing but a task (arXiv 1707.06347), for teachers that know everything: rsl_rl's, on any environment.

What it learns from is the environment's dense reward, where there is one, and success, which ends an episode. So that
it is never better to stay near success than to have it, that counts as the best moment going on for ever: with d ≤ 1,

    r_t = d_t + γ / (1 − γ) s_t,    s_t = 1 where the episode ends in success, else 0,

and no state is worth more than 1 / (1 − γ). What ends in a crash is worth nothing from there on, what ends at the
horizon what the critic says; a crash after which the world goes on, for practice, lies between: the share of recent
episodes that succeeded says how much it costs, so that a beginner dares to try and a master needs no pardon.

Observations are normalised by the statistics of all that was observed so far. The first actor stays where it is: what
an arm does by chance, step upon step, leads far away. Steps and the wish for noise shrink linearly to nothing, as in
the paper's Atari games, unless `kl` chooses the steps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from burnish.console import say, track
from burnish.contract import Contract
from burnish.errors import BurnishError
from burnish.policies.base import save_policy
from burnish.policies.mlp import MLP, MLPConfig
from burnish.policies.optimizers import optimizer_state, restore_optimizer
from burnish.policies.resume import grouped, load_training, save_training
from burnish.rl_finetune.clock import Clock
from burnish.rl_finetune.counts import check_counts
from burnish.rl_finetune.moments import Moments
from burnish.run import Run
from burnish.sim.base import Obs, VecEnv, next_seed
from burnish.sim.nonfinite import keep_observations

SEEN = "seen"
"""What rsl_rl is told the actor and the critic read."""
RECENT = 500
"""Episodes whose success is reported."""


@dataclass(frozen=True, kw_only=True)
class ImproveConfig:
    """Few lanes and many small improvements, as suits a CPU. Steps are environment steps over all lanes."""

    env_steps: int = 6_000_000
    lanes: int = 64
    workers: int = 2
    enough: float = 0.98
    """It ends earlier when this share of recent episodes succeeded, exploration noise and all."""
    steps: int = 32
    """Of every lane between two improvements."""
    epochs: int = 6
    """Times every step is learned from."""
    minibatches: int = 8
    """Gradient steps per epoch."""
    gamma: float = 0.97
    lam: float = 0.95
    clip: float = 0.2
    lr: float = 5e-4
    """At first; falls to nothing."""
    kl: float | None = None
    """Divergence that an improvement is to cause, after which the learning rate is changed; None: it falls."""
    entropy: float = 0.002
    """Weight of the entropy at first; falls likewise."""
    deviation: float = 0.5
    """Of the noise at first, in half ranges of the action."""
    step_deviation: float = 0.3
    """The same of angles that are commanded as increments, in the largest one: an arm that shakes near a table halts,
    and learns to keep away from what lies on it."""
    max_grad_norm: float = 1.0
    save_every: int = 20
    """Improvements between two checkpoints."""
    seed: int = 0

    def __post_init__(self) -> None:
        check_counts("ppo", self, "env_steps", "lanes", "steps", "epochs", "minibatches", "save_every")
        if self.minibatches > self.lanes * self.steps:
            raise BurnishError(
                f"ppo: {self.minibatches} minibatches of {self.lanes} lanes times {self.steps} steps would be empty; "
                "give fewer minibatches, or more steps"
            )
        if not 0 <= self.gamma < 1:
            raise BurnishError(f"ppo: gamma must be at least 0 and below 1, is {self.gamma}")
        if not (0 < self.lr < math.inf and (self.kl is None or 0 < self.kl < math.inf)):
            raise BurnishError(f"ppo: lr and kl must be finite numbers above 0, are {self.lr} and {self.kl}")


@dataclass(frozen=True, kw_only=True)
class PPOConfig(ImproveConfig):
    """From nothing."""

    lanes: int = 128
    steps: int = 16
    gamma: float = 0.95
    horizon: int | None = None
    """Steps of an episode while it learns; None: the task's. With a bank, few are enough, and show more of what comes
    late."""
    policy: MLPConfig = field(default_factory=lambda: MLPConfig(step=0.06))
    """The actor, whose steps are larger than those of demonstrations; the critic has layers of the same size."""


def train(run: Run, env: VecEnv, cfg: PPOConfig) -> dict[str, Any]:
    """Learn the task of `env` (auto-reset, `cfg.lanes` lanes, its dense reward asked for) from its numbers.

    The mean of the actor is saved as `run.folder/policy`. Interrupted runs go on after the last checkpoint; episodes
    under way restart. Returns `env_steps`, `success` of the last 500 training episodes (with exploration noise) and the
    share of wall time in environment, inference and update.
    """
    with torch.random.fork_rng():
        torch.manual_seed(cfg.seed)
        return learn(run, Trainer(env, cfg, fresh(env, cfg)))


def fresh(env: VecEnv, cfg: PPOConfig) -> MLP:
    """A policy that knows nothing of `env`."""
    contract = numbers(env.contract)
    return MLP(cfg.policy, contract, Moments(contract, env.device).stats())


def learn(run: Run, trainer: Trainer) -> dict[str, Any]:
    """Go on until nothing is left to learn, or time is over; see `train`."""
    cfg = trainer.cfg
    trainer.resume(run)
    trainer.begin()
    with track("learning by PPO", cfg.env_steps, trainer.env_steps) as advance:
        while trainer.env_steps < cfg.env_steps and not trainer.solved:
            before, found = trainer.env_steps, trainer.iterate(run)
            run.log(trainer.env_steps, **found)
            advance(min(trainer.env_steps, cfg.env_steps) - before, f"success {trainer.success:.0%}")
            if trainer.iterations % cfg.save_every == 0:
                trainer.save(run)
    save_policy(trainer.policy, run.folder / "policy")
    shares = trainer.clock.shares()
    say("  wall time: " + ", ".join(f"{share:.0%} {part.removesuffix('_share')}" for part, share in shares.items()))
    return {"env_steps": trainer.env_steps, "success": trainer.success} | shares


class Trainer:
    """The loop's state: lanes acting, rsl_rl's actor and critic learning."""

    def __init__(self, env: VecEnv, cfg: ImproveConfig, policy: MLP) -> None:
        self.env, self.cfg, self.clock = env, cfg, Clock()
        self.policy = policy.to(env.device)
        self.moments = Moments(policy.contract, env.device)
        self.learner = learner(self.policy, env.num_envs, cfg)
        self.outcomes: list[float] = []
        self.env_steps, self.iterations = 0, 0

    @property
    def unit(self) -> float:
        """In which rewards are counted: what the critic has to reach, and nothing else, depends on it."""
        return 1.0

    @property
    def success(self) -> float:
        """Success rate of recent episodes."""
        recent = self.outcomes[-RECENT:]
        return sum(recent) / max(len(recent), 1)

    @property
    def solved(self) -> bool:
        """Whether there is nothing left to learn."""
        return len(self.outcomes) >= RECENT and self.success >= self.cfg.enough

    def begin(self) -> None:
        """Start a new episode in every lane; what comes first of all is only looked at."""
        first = int(torch.randint(2**31, ()))
        self.obs = self.env.reset([next_seed(first + lane) for lane in range(self.env.num_envs)])
        if self.iterations == 0:
            self.prepare()

    def prepare(self) -> None:
        """At first it stays where it is; what is observed then says how to read it."""
        self.learner.actor.mlp[-1].bias.data.copy_(self.policy.still(self.obs).mean(0))
        for _ in range(self.cfg.steps):
            centre, _ = self._read(self.obs)
            still = self.policy.still(self.obs)
            self._play(centre, still + deviations(self.policy, self.cfg) * torch.randn_like(centre))
        self.know()

    def iterate(self, run: Run) -> dict[str, float]:
        """Act for `cfg.steps` steps in every lane, then improve; numbers to log."""
        count, total = len(self.outcomes), 0.0
        with torch.no_grad():
            for _ in range(self.cfg.steps):
                total += self._step(run)
            self.learner.compute_returns(self._read(self.obs)[1])
        with self.clock.measure("update"):
            self._settle()
            losses = self.learner.update()
        bad = next((name for name, value in losses.items() if not math.isfinite(value)), None)
        if bad is not None:
            run.refuse(f"PPO's {bad} loss", losses[bad], self.env_steps, self.obs)
        self.know()
        self.iterations += 1
        new = self.outcomes[count:]
        deviation = float(self.learner.actor.output_std.detach().mean())
        found = {"dense_reward": total / self.cfg.steps, "deviation": deviation, **losses}
        return found | ({"success": sum(new) / len(new)} if new else {})

    def _settle(self) -> None:
        """Shorter steps and less noise, the nearer the end."""
        if self.cfg.kl is None:
            left = 1 - min(1.0, self.env_steps / self.cfg.env_steps)
            self.learner.entropy_coef = self.cfg.entropy * left
            for group in self.learner.optimizer.param_groups:
                group["lr"] = self.cfg.lr * left

    def _step(self, run: Run) -> float:
        """One step in every lane; its mean dense reward."""
        with keep_observations(self.obs, run.folder):
            with self.clock.measure("inference"):
                centre, seen = self._read(self.obs)
                output = self.learner.act(seen)
            step = self._play(centre, output)
        success = step.terminated.float()
        dense = step.info.get("dense_reward", torch.zeros_like(success))
        reward = self.unit * (dense + self.cfg.gamma / (1 - self.cfg.gamma) * success)
        with self.clock.measure("inference"):
            seen = self._read(self.obs)[1]
            over, pardoned = step.done | step.crashed, step.crashed & ~step.done
            worth = (step.truncated & ~step.crashed) + (1 - self.success) * pardoned
            self.learner.process_env_step(seen, reward, over, {"time_outs": worth})
        self.outcomes += success[step.done].tolist()
        self.env_steps += self.env.num_envs
        return float(dense.mean())

    def _play(self, centre: Tensor, output: Tensor) -> Any:
        action = self.policy.command(centre, output)
        action = action.clamp(self.policy.normalizer.low, self.policy.normalizer.high)
        self.moments.add(self.obs, action)
        with self.clock.measure("environment"):
            step = self.env.step(action)
        self.obs = step.obs
        return step

    def _read(self, obs: Obs) -> tuple[Tensor, Any]:
        """What an output of zero commands, and what actor and critic read."""
        from tensordict import TensorDict

        centre, seen = self.policy.split(self.policy.encode(obs))
        return centre, TensorDict({SEEN: seen}, batch_size=[len(seen)])

    def know(self) -> None:
        """The newest statistics and weights into the policy."""
        self.policy.renormalize(self.moments.stats())
        self.policy.network.load_state_dict(self.learner.actor.mlp.state_dict())

    def save(self, run: Run) -> None:
        """Everything needed to go on after a kill, as one checkpoint folder."""
        kept = grouped(
            moments=self.moments.state(),
            adam=optimizer_state(self.learner.optimizer, self._trained),
            actor=self.learner.actor.state_dict(),
            critic=self.learner.critic.state_dict(),
        )
        kept["generator"] = torch.get_rng_state()
        progress = {"env_steps": self.env_steps, "iterations": self.iterations, "outcomes": self.outcomes[-RECENT:]}
        save_training(run, self.policy, kept, progress)

    def resume(self, run: Run) -> None:
        """Go on from the checkpoint in `run.folder`, if there is one."""
        saved = load_training(run)
        if saved is None:
            return
        for name in ("actor", "critic"):
            getattr(self.learner, name).load_state_dict(saved.under(f"{name}/"))
        restore_optimizer(self.learner.optimizer, self._trained, saved.under("adam/"))
        self.moments.restore(saved.under("moments/"))
        self.know()
        torch.set_rng_state(saved.tensors["generator"])
        self.env_steps, self.iterations = saved.progress["env_steps"], saved.progress["iterations"]
        self.outcomes = list(saved.progress["outcomes"])
        run.rewind(self.env_steps)

    @property
    def _trained(self) -> list[Tensor]:
        return [*self.learner.actor.parameters(), *self.learner.critic.parameters()]


def numbers(contract: Contract) -> Contract:
    """Of what is observed, the numbers that every step tells."""
    fields = contract.observation
    return contract.only(key for key in fields if fields[key].is_number and key not in contract.looks)


def deviations(policy: MLP, cfg: ImproveConfig) -> Tensor:
    """(A,) of the noise at first."""
    return torch.where(policy.relative, cfg.step_deviation, cfg.deviation)


def learner(policy: MLP, lanes: int, cfg: ImproveConfig) -> Any:
    """rsl_rl's PPO for `policy`, with an actor and a critic of its size."""
    from rsl_rl.algorithms import PPO
    from rsl_rl.models import MLPModel
    from rsl_rl.storage import RolloutStorage
    from tensordict import TensorDict

    device, outputs = policy.middle.device, len(policy.middle)
    seen = TensorDict({SEEN: torch.zeros(lanes, policy.state_dim, device=device)}, batch_size=[lanes])
    groups, hidden = {"actor": [SEEN], "critic": [SEEN]}, list(policy.config.hidden)
    noise = {"class_name": "GaussianDistribution", "init_std": deviations(policy, cfg).cpu(), "std_type": "log"}
    actor: Any = MLPModel(seen, groups, "actor", outputs, hidden, "elu", distribution_cfg=noise)
    critic: Any = MLPModel(seen, groups, "critic", 1, hidden, "elu")
    with torch.no_grad():  # at first nothing is preferred, and nothing expected
        for last in (actor.mlp[-1], critic.mlp[-1]):
            last.weight.mul_(0.01)
            last.bias.zero_()
    return PPO(
        actor,
        critic,
        RolloutStorage("rl", lanes, cfg.steps, seen, [outputs], str(device)),
        num_learning_epochs=cfg.epochs,
        num_mini_batches=cfg.minibatches,
        clip_param=cfg.clip,
        gamma=cfg.gamma,
        lam=cfg.lam,
        entropy_coef=cfg.entropy,
        learning_rate=cfg.lr,
        max_grad_norm=cfg.max_grad_norm,
        use_clipped_value_loss=False,
        schedule="fixed" if cfg.kl is None else "adaptive",
        desired_kl=cfg.kl or math.inf,
        device=str(device),
    )
