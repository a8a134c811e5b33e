"""A small recurrent network that acts on every observation and finds out in its memory what it is that it moves.

Dense, GRU, dense, as RAPTOR's (arXiv 2509.11481, 2,084 parameters for 22 inputs and 4 actions at width 16): it reads
the numbers observed and its own last action, so that what an action does can be learned while acting.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from burnish.agent import Agent
from burnish.checkpoint import Stats
from burnish.contract import ACTION, TASK, Contract
from burnish.datasets.demonstrations import Demonstrations
from burnish.datasets.segments import SegmentSampler
from burnish.errors import BurnishError
from burnish.policies.base import Batch, Policy, masked_mean
from burnish.policies.behaviour import over_time
from burnish.policies.normalize import LARGEST_INPUT, affine


@dataclass(frozen=True)
class RecurrentConfig:
    """RAPTOR's size."""

    width: int = 16
    """Of the memory, and of what enters it."""
    relative: tuple[tuple[str, str], ...] = ()
    """Pairs of observed numbers of which only the difference is read, in units of the first one's deviation, e.g. a
    place and its target."""
    trained: tuple[tuple[str, float, float], ...] = ()
    """What it was trained to move: name, lowest and highest value."""
    segment: int = 100
    """Steps that imitation shows at once."""

    def __post_init__(self) -> None:
        for part in ("relative", "trained"):
            object.__setattr__(self, part, tuple(tuple(row) for row in getattr(self, part)))
        if self.width < 1 or self.segment < 1:
            raise BurnishError(f"width {self.width} and segment {self.segment} must be 1 or more")


class Recurrent(Policy):
    """One action per observation. Its `memory` (B, M) is the network's, and the last action in network units."""

    name, deterministic = "recurrent", True
    Config = RecurrentConfig

    def __init__(self, config: RecurrentConfig, contract: Contract, stats: Stats) -> None:
        """Raises `BurnishError` for a pair whose numbers the contract does not name."""
        contract = contract.only(contract.observation.keys() - {TASK} - set(contract.looks))
        super().__init__(config, contract, {key: stats[key] for key in contract.fields})
        self.config: RecurrentConfig = config
        self.horizon, self.nfe = 1, 1
        self.trained = {**self.trained, **{name: (low, high) for name, low, high in config.trained}}
        self._pairs(config.relative)
        actions = contract.action.shape[-1]
        self.memory_size = config.width + actions
        self.enter = nn.Linear(len(self.kept) + actions, config.width)
        self.cell = nn.GRUCell(config.width, config.width)
        self.leave = nn.Linear(config.width, actions)
        self.first = nn.Parameter(torch.zeros(config.width))

    kept: Tensor
    partner: Tensor
    shift: Tensor
    scale: Tensor

    def sampler(
        self, demos: Demonstrations, batch_size: int, *, seed: int, device: torch.device | str = "cpu"
    ) -> SegmentSampler:
        """Segments of `config.segment` steps."""
        return SegmentSampler(demos, self.config.segment, batch_size, seed=seed, device=device)

    def begin(self, count: int) -> Tensor:
        """(count, M) the memory of an episode that begins."""
        nothing = self.first.new_zeros(count, self.contract.action.shape[-1])
        return torch.cat([self.first.expand(count, -1), nothing], dim=1)

    def read(self, obs: Mapping[str, Tensor]) -> Tensor:
        """(B, I) the numbers that the network reads beside its last action."""
        numbers = torch.cat([obs[key].flatten(1) for key in sorted(self.contract.observation)], dim=1)
        numbers = torch.cat([numbers, torch.zeros_like(numbers[:, :1])], dim=1)  # the partner of those without one
        value = (numbers[:, self.kept] - numbers[:, self.partner] - self.shift) / self.scale
        return value.clamp(-LARGEST_INPUT, LARGEST_INPUT)

    def step(self, read: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """The action (B, A) in network units, and the memory (B, M) that it leaves."""
        width = self.config.width
        hidden = self.cell(torch.relu(self.enter(torch.cat([read, memory[:, width:]], dim=1))), memory[:, :width])
        action = self.leave(hidden)
        if self.contract.action.normalization in ("min_max", "range"):
            action = torch.tanh(action)
        return action, torch.cat([hidden, action], dim=1)

    def go_on(self, obs: Mapping[str, Tensor], memory: Tensor) -> tuple[Tensor, Tensor]:
        """The action (B, A) in physical units, and the memory (B, M)."""
        action, memory = self.step(self.read(obs), memory)
        return self.normalizer.action(action), memory

    def encode(self, obs: Mapping[str, Tensor], generator: torch.Generator | None = None) -> Tensor:
        """What is `read`."""
        return self.read(obs)

    def sample(self, condition: Tensor, noise: Tensor) -> Tensor:
        """The first action of an episode (B, 1, A)."""
        return self.step(condition, self.begin(len(condition)))[0][:, None]

    def loss(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """Mean squared error of the actions of a segment, of which each follows what was seen up to it."""
        wanted = self.normalizer.normalize(ACTION, batch[ACTION]).clamp(-1.0, 1.0)
        count, steps = wanted.shape[:2]
        keys = self.contract.observation
        if over_time(batch, self.contract):
            seen = self.read({key: batch[key].flatten(0, 1) for key in keys}).view(count, steps, -1)
        else:
            seen = self.read({key: batch[key] for key in keys})[:, None].expand(-1, steps, -1)
        memory, made = self.begin(count), []
        for moment in range(steps):
            action, memory = self.step(seen[:, moment], memory)
            made.append(action)
        error = masked_mean((torch.stack(made, dim=1) - wanted).square(), batch)
        return error.mean(), {}

    def agent(self, lanes: int, *, replan: int | None = None) -> Agent:
        """It, with a memory per lane."""
        from burnish.policies.recurrent_agent import RecurrentAgent

        return RecurrentAgent(self, lanes)

    def _pairs(self, relative: tuple[tuple[str, str], ...]) -> None:
        """Which numbers are read (`kept`), what is taken from each (`partner`), and their scale."""
        names, offsets, scales = [], [], []
        for key in sorted(self.contract.observation):
            field = self.contract.observation[key]
            offset, scale = (torch.from_numpy(part).flatten() for part in affine(field, self.stats[key]))
            rows = max(1, len(offset) // max(1, len(field.names)))
            names += list(field.names) * rows
            offsets.append(offset)
            scales.append(scale)
        shift, scale = torch.cat(offsets), torch.cat(scales)
        for name in (name for pair in relative for name in pair):
            if names.count(name) != 1:
                raise BurnishError(f"relative: {name!r} is not one of the numbers observed: {', '.join(names)}")
        partners = {names.index(one): names.index(other) for one, other in relative}
        kept = [place for place in range(len(names)) if place not in partners.values()]
        self.register_buffer("kept", torch.tensor(kept), persistent=False)
        self.register_buffer("partner", torch.tensor([partners.get(place, len(names)) for place in kept]),
                             persistent=False)  # fmt: skip
        alone = torch.tensor([place not in partners for place in kept])
        self.register_buffer("shift", torch.where(alone, shift[kept], 0.0), persistent=False)
        self.register_buffer("scale", scale[kept], persistent=False)
