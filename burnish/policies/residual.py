"""A frozen chunked base policy plus a per-step residual: a = a_base + scale · tanh(π_θ(s, a_base)).

ResFiT, arXiv 2509.19301, section 3: the base plans a chunk, the residual corrects every action of it from the newest
observation. The residual's weights are one flat vector.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from burnish import registry
from burnish.checkpoint import Stats
from burnish.contract import ACTION, Contract
from burnish.policies.base import Batch, Policy
from burnish.policies.ensemble import EnsembleMLP
from burnish.policies.language import PACKAGED
from burnish.policies.mlp import reported


class Reach(NamedTuple):
    """How far a correction may go, of each number of an action (A,), network units.

    Attributes:
        scale: the largest correction. What is added is said as a share of it, between -1 and 1.
        low, high: where the action ends up, at most: the contract's bounds.
        set_points: bool, which numbers the state reports too.
    """

    scale: Tensor
    low: Tensor
    high: Tensor
    set_points: Tensor

    def add(self, base: Tensor, share: Tensor) -> Tensor:
        """(B, A) the corrected action."""
        return (base + self.scale * share).clamp(self.low, self.high)

    def share(self, base: Tensor, action: Tensor) -> Tensor:
        """(B, A) what was added to `base`."""
        return (action - base) / self.scale


@dataclass(frozen=True)
class ResidualPolicyConfig:
    """Which base it corrects, and by how much."""

    base: str
    """Registry name of the base policy."""
    base_config: Mapping[str, Any]
    hidden: int = 256
    action_scale: float | Sequence[float] = 0.3
    """Largest correction, as a fraction of half the action range: of every number of an action, or one for each."""
    replan: int = 1

    @property
    def language(self) -> str:
        """The base's sentence encoder."""
        return self.base_config.get("language", PACKAGED)


class ResidualPolicy(Policy):
    """The pair that residual RL produces and distillation labels with."""

    name = "residual"
    Config = ResidualPolicyConfig

    def __init__(self, config: ResidualPolicyConfig, contract: Contract, stats: Stats) -> None:
        super().__init__(config, contract, stats)
        contract.need_unit_actions("a residual")
        base = registry.policies.load(config.base)
        self.base: Policy = base(base.Config(**config.base_config), contract, stats)
        self.horizon, self.nfe = 1, self.base.nfe + 1
        action = contract.action.shape[-1]
        self.register_buffer("_scale", torch.as_tensor(config.action_scale).expand(action).clone(), persistent=False)
        self.network = EnsembleMLP(1, self.state_dim + action, config.hidden, action)
        self.actor = nn.Parameter(self.network.init(torch.Generator().manual_seed(0), zero_output=True))

    @classmethod
    def around(cls, base: Policy, *, hidden: int, action_scale: float | Sequence[float]) -> ResidualPolicy:
        """`base` with a residual that is still zero everywhere."""
        config = ResidualPolicyConfig(base.name, dataclasses.asdict(base.config), hidden, action_scale)
        pair = cls(config, base.contract, base.stats)
        pair.base.load_state_dict(base.state_dict())
        return pair.eval().requires_grad_(False)

    @property
    def reach(self) -> Reach:
        """How far it may go."""
        low, high = (self.normalizer.normalize(ACTION, bound) for bound in (self.normalizer.low, self.normalizer.high))
        set_points = torch.tensor([place is not None for place in reported(self.contract)])
        return Reach(self.get_buffer("_scale"), low, high, set_points)

    @property
    def noise_shape(self) -> tuple[int, ...]:
        """The base policy's."""
        return self.base.noise_shape

    def encode(self, obs: Mapping[str, Tensor], generator: torch.Generator | None = None) -> Tensor:
        """The state, then the base's; only the base looks at images, which would be too dear at every step."""
        return torch.cat([self.encode_state(obs), self.base.encode(obs, generator)], dim=1)

    def correct(self, state: Tensor, base_action: Tensor) -> Tensor:
        """Corrected action (B, A) of an encoded state and a base action (B, A); network units."""
        return self.reach.add(base_action, self.share(self.actor, state, base_action))

    def share(self, actor: Tensor, state: Tensor, base_action: Tensor) -> Tensor:
        """What flat weights `actor` add to a base action (B, A), as a share of the largest correction."""
        out, _ = self.network.forward(self.network.views(actor), torch.cat([state, base_action], dim=1))
        return torch.tanh(out[0])

    def sample(self, condition: Tensor, noise: Tensor) -> Tensor:
        """A fresh plan's first action, corrected: (B, 1, A). `agent` plays whole base chunks instead."""
        state, condition = condition[:, : self.state_dim], condition[:, self.state_dim :]
        return self.correct(state, self.base.sample(condition, noise)[:, 0])[:, None]

    def loss(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """Squared error of the corrected action against the batch's first action: what imitation would minimise."""
        noise = torch.randn((len(batch[ACTION]), *self.noise_shape), generator=generator)
        predicted = self.sample(self.encode(batch), noise)[:, 0]
        error = (predicted - self.normalizer.normalize(ACTION, batch[ACTION][:, 0])).square().mean()
        return error, {"mse": error.detach()}

    def check_export(self) -> None:
        """Raise `BurnishError` if the base cannot be exported."""
        self.base.check_export()

    def agent(self, lanes: int, *, replan: int | None = None) -> ResidualAgent:
        """The pair acting closed-loop: base chunks, replaced every `replan` steps (None: the base's own interval), and
        a correction every step.
        """
        return ResidualAgent(self, lanes, replan=replan)


class ResidualAgent:
    """Plays the base's chunks and corrects each action; the base's queue is emptied at every episode start."""

    def __init__(self, policy: ResidualPolicy, lanes: int, *, replan: int | None = None) -> None:
        self.policy = policy
        self.base = policy.base.agent(lanes, replan=replan)

    def reset(self, lanes: Sequence[int], seeds: Sequence[int]) -> None:
        """Start a new episode in `lanes`."""
        self.base.reset(lanes, seeds)

    def looks(self) -> list[int]:
        """Those of the base."""
        return self.base.looks()

    @torch.no_grad()
    def act(self, obs: Mapping[str, Tensor]) -> Tensor:
        """Corrected action of every lane (N, A), physical units."""
        normalizer = self.policy.normalizer
        base_action = normalizer.normalize(ACTION, self.base.act(obs))
        return normalizer.action(self.policy.correct(self.policy.encode_state(obs), base_action))
