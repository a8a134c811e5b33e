"""Gradient updates per second of residual RL: 10-head REDQ critic + actor, batch 256, against a per-head PyTorch loop.

`uv run python benchmarks/residual.py [--quick]`. The peer does the same arithmetic the straightforward way: a list of
`nn.Sequential` heads, autograd, `torch.optim.Adam`, Polyak averaging per parameter. One update is one critic step plus,
every second time, one actor step. The last line is JSON.
"""

from __future__ import annotations

import argparse
import copy
import json
import statistics
import time
from collections.abc import Callable

import burnish  # noqa: F401, sets how threads wait, before torch is imported

# isort: split
import torch
from torch import Tensor, nn

from burnish.policies.ensemble import EnsembleMLP
from burnish.policies.residual import Reach
from burnish.rl_finetune.buffer import Transitions
from burnish.rl_finetune.critics import Learner, LearnerConfig

OBS, ACTION, BATCH, ACTOR_EVERY = 39, 4, 256, 2
SCALE = 0.5
REACH = Reach(torch.tensor(SCALE), torch.tensor(-1.0), torch.tensor(1.0), torch.tensor(False))


class PerHeadLoop:
    """TD3 + REDQ as one would first write it."""

    def __init__(self, cfg: LearnerConfig) -> None:
        self.cfg = cfg
        self.critics = [mlp(OBS + ACTION, cfg.critic_hidden, 1) for _ in range(cfg.critics)]
        self.actor = mlp(OBS + ACTION, cfg.critic_hidden, ACTION)
        self.target_critics, self.target_actor = copy.deepcopy(self.critics), copy.deepcopy(self.actor)
        parameters = [p for critic in self.critics for p in critic.parameters()]
        self.critic_optimizer = torch.optim.Adam(parameters, cfg.critic_lr)
        self.actor_optimizer = torch.optim.Adam(self.actor.parameters(), cfg.actor_lr)

    def residual(self, actor: nn.Module, obs: Tensor, base: Tensor) -> Tensor:
        return torch.tanh(actor(torch.cat([obs, base], 1)))

    def update(self, batch: Transitions, with_actor: bool) -> None:
        cfg = self.cfg
        with torch.no_grad():
            noise = (torch.randn_like(batch.next_base) * cfg.target_noise).clamp(
                -cfg.target_noise_clip, cfg.target_noise_clip
            )
            residual = self.residual(self.target_actor, batch.next_obs, batch.next_base)
            action = (batch.next_base + SCALE * (residual + noise)).clamp(-1, 1)
            picked = torch.randperm(cfg.critics)[: cfg.target_critics]
            x = torch.cat([batch.next_obs, action], 1)
            q = torch.stack([self.target_critics[int(k)](x)[:, 0] for k in picked]).amin(0)
            target = (batch.reward + batch.discount * q).clamp(0, 1)
        x = torch.cat([batch.obs, batch.action], 1)
        loss = sum(((critic(x)[:, 0] - target) ** 2).mean() for critic in self.critics)
        self.step(loss, self.critic_optimizer)
        for target_critic, critic in zip(self.target_critics, self.critics, strict=True):
            self.polyak(target_critic, critic)
        if with_actor:
            action = (batch.base + SCALE * self.residual(self.actor, batch.obs, batch.base)).clamp(-1, 1)
            x = torch.cat([batch.obs, action], 1)
            q = torch.stack([critic(x) for critic in self.critics])
            value = q.mean() - cfg.pessimism * q.std(0, unbiased=False).mean()
            imitation = 0.5 * cfg.imitation * (((action - batch.action) / SCALE) ** 2).sum(1).mean()
            self.step(imitation - value, self.actor_optimizer)
            self.polyak(self.target_actor, self.actor)

    def step(self, loss: Tensor, optimizer: torch.optim.Optimizer) -> None:
        optimizer.zero_grad()
        loss.backward()
        parameters = optimizer.param_groups[0]["params"]
        nn.utils.clip_grad_norm_(parameters, self.cfg.max_grad_norm)
        optimizer.step()

    def polyak(self, target: nn.Module, source: nn.Module) -> None:
        with torch.no_grad():
            for a, b in zip(target.parameters(), source.parameters(), strict=True):
                a.lerp_(b, self.cfg.tau)


def mlp(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    """The same network as one head of `EnsembleMLP`."""
    layers: list[nn.Module] = []
    for size in (inputs, hidden):
        layers += [nn.Linear(size, hidden), nn.LayerNorm(hidden, elementwise_affine=False), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(hidden, outputs))


def ours(cfg: LearnerConfig) -> Callable[[Transitions, bool], None]:
    """burnish's update."""
    generator = torch.Generator().manual_seed(0)
    network = EnsembleMLP(1, OBS + ACTION, cfg.critic_hidden, ACTION)
    learner = Learner(network, network.init(generator, zero_output=True), REACH, cfg, generator)

    def update(batch: Transitions, with_actor: bool) -> None:
        learner.update_critic(batch)
        if with_actor:
            learner.update_actor(batch, torch.ones(BATCH))

    return update


def random_batch() -> Transitions:
    """Rows of the sizes Meta-World gives."""
    obs, action = torch.randn(2, BATCH, OBS), torch.rand(3, BATCH, ACTION) * 2 - 1
    reward = (torch.rand(BATCH) < 0.05).float()
    return Transitions(obs[0], action[0], action[1], reward, 0.97 * (1 - reward), obs[1], action[2], reward.long())


def rate(update: Callable[[Transitions, bool], None], batch: Transitions, seconds: float) -> float:
    """Updates per second over about `seconds`."""
    count, begin = 0, time.perf_counter()
    while time.perf_counter() - begin < seconds:
        update(batch, count % ACTOR_EVERY == 0)
        count += 1
    return count / (time.perf_counter() - begin)


def main() -> None:
    """Alternate the two and print both rates, the arithmetic floor and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="end within a minute")
    quick = parser.parse_args().quick
    torch.manual_seed(0)
    torch.set_num_threads(2)
    cfg, batch = LearnerConfig(), random_batch()
    updates = {"ours": ours(cfg), "peer": PerHeadLoop(cfg).update}
    rates: dict[str, list[float]] = {name: [] for name in updates}
    for update in updates.values():
        rate(update, batch, 1.0)
    for _ in range(5 if quick else 15):
        for name, update in updates.items():
            rates[name].append(rate(update, batch, 2.0))
    ratio = statistics.median(a / b for a, b in zip(rates["ours"], rates["peer"], strict=True))
    mine, peer = (statistics.median(rates[name]) for name in ("ours", "peer"))
    h = cfg.critic_hidden
    multiply_adds = BATCH * cfg.critics * ((OBS + ACTION) * h * 2 + h * h * 3 + h * 3)
    print(f"critic arithmetic per update: {2 * multiply_adds / 1e9:.2f} GFLOP forward + backward")
    print(f"ours {mine:.0f} updates/s, per-head loop {peer:.0f} updates/s, ratio {ratio:.2f}")
    row = {"name": "residual", "ours": mine, "peer": peer, "unit": "updates/s", "ratio": ratio}
    print(json.dumps({key: round(value, 3) if isinstance(value, float) else value for key, value in row.items()}))


if __name__ == "__main__":
    main()
