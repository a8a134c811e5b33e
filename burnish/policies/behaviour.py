"""Behaviour tokens (OmniJARVIS, arXiv 2407.00114, section 2.1): what an expert does in a long segment, as one code.

Self-supervised, and trained as one: a non-causal transformer reads a segment's observations and actions, finite scalar
quantisation (arXiv 2309.15505) makes a code of it, and a causal transformer imitates the actions from the observations
so far and that code. The decoder is never told the instruction: what is to be done, only the code says.

Where the contract describes several things alike (`Field.slots`), a code is made of how the robot moved and of nothing
else, and decides which of them the decoder looks at: a behaviour is then the same whatever the other things are up to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from burnish.agent import Agent
from burnish.checkpoint import Stats
from burnish.contract import ACTION, TASK, Contract
from burnish.datasets.demonstrations import Demonstrations
from burnish.datasets.segments import SegmentSampler
from burnish.errors import BurnishError
from burnish.policies.base import Batch, Policy, masked_mean
from burnish.policies.networks.fsq import FSQ
from burnish.policies.networks.looking import Looking
from burnish.policies.networks.steps import Steps, causal
from burnish.policies.senses import SensesConfig


@dataclass(frozen=True)
class BehaviourConfig(SensesConfig):
    """The paper's segments and codes; small networks."""

    segment: int = 32
    """Steps that one code stands for."""
    levels: tuple[int, ...] = (8, 8, 8, 6, 5)
    """Of each of a code's tokens: 15,360 codes of 5 tokens, 35 of which exist."""
    replan: int | None = None
    """Steps played before the next code; None is the whole segment."""
    width: int = 128
    depth: int = 2
    """Blocks of the encoder, and as many of the decoder."""
    unconditioned: float = 0.15
    """Share of the segments whose code the decoder does not see, so that it can act without one."""

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "levels", tuple(self.levels))
        if self.segment < 1 or not 1 <= (self.replan or 1) <= self.segment:
            raise BurnishError(f"replan {self.replan} is not between 1 and the segment {self.segment}; set both")


class Behaviour(Policy):
    """Tokenizer and decoder. As a policy of its own, without a code, it is the unconditioned one."""

    name, deterministic = "behaviour", True
    Config = BehaviourConfig

    def __init__(self, config: BehaviourConfig, contract: Contract, stats: Stats) -> None:
        contract.need_unit_actions("a behaviour")
        contract = contract.only(contract.observation.keys() - {TASK})
        super().__init__(config, contract, {key: stats[key] for key in contract.fields})
        self.config: BehaviourConfig = config
        self.horizon, self.nfe = config.segment, 1
        width, length, actions = config.width, config.segment, contract.action.shape[-1]
        self.quantiser = FSQ(config.levels)
        slots = self.normalizer.slots
        things = 0 if slots is None else slots.count * slots.size
        self.start = nn.Sequential(nn.Linear(self.condition_dim - things, width), nn.SiLU(), nn.Linear(width, width))
        self.encoder = Steps(self.state_dim - things + actions, len(config.levels), length, width, config.depth)
        self.code = nn.Sequential(nn.Linear(len(config.levels), width), nn.SiLU(), nn.Linear(width, width))
        self.nothing = nn.Parameter(torch.zeros(width))
        self.look = Looking(slots, self.state_dim, width, width // 2)
        self.decoder = Steps(self.look.features, actions, length, width, config.depth)
        self.register_buffer("causal", causal(length), persistent=False)

    causal: Tensor

    @property
    def replan(self) -> int:
        """Steps played before the next code."""
        return self.config.replan or self.horizon

    def sampler(
        self, demos: Demonstrations, batch_size: int, *, seed: int, device: torch.device | str = "cpu"
    ) -> SegmentSampler:
        """Segments; images and points of their first frame."""
        once = self.contract.looks
        return SegmentSampler(demos, self.horizon, batch_size, seed=seed, device=device, once=once)

    def loss(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """Mean |â − a|, with the code and for some without; padding is neither read nor learned."""
        action = self.normalizer.normalize(ACTION, batch[ACTION]).clamp(-1.0, 1.0)
        seen, start = self._seen(batch), self.begun(self.encode(first(batch, self.contract), generator))
        values = self._values(seen, action, start, batch.get(f"{ACTION}_is_pad"))
        known = torch.rand(len(values), generator=generator, device=values.device) >= self.config.unconditioned
        error = masked_mean((self.decode(seen, start, values, known) - action).abs(), batch)
        with_code = (error * known).sum() / known.sum().clamp_min(1)
        return error.mean(), {"error_with_code": with_code.detach()}

    @torch.no_grad()
    def digits(self, batch: Batch) -> Tensor:
        """The code of each segment of a `sampler`'s batch as digits (B, D), 0 … L_d − 1."""
        action = self.normalizer.normalize(ACTION, batch[ACTION]).clamp(-1.0, 1.0)
        start = self.begun(self.encode(first(batch, self.contract)))
        values = self._values(self._seen(batch), action, start, batch.get(f"{ACTION}_is_pad"))
        return self.quantiser.digits(values)

    def begun(self, condition: Tensor) -> Tensor:
        """What of an encoded observation (B, C) holds for a whole segment that begins with it (B, width)."""
        return self.start(self._own(condition))

    def decode(self, seen: Tensor, start: Tensor, values: Tensor, known: Tensor) -> Tensor:
        """Actions (B, T, A), network units, of which each depends on what was `seen` up to it.

        Args:
            seen: (B, T, S) numbers observed at each step of the segment, normalised.
            start: (B, width) how it had `begun`.
            values: (B, D) its code; where it is not `known` (B,) the decoder acts without one.
        """
        code = torch.where(known[:, None], self.code(values), self.nothing)
        return self.decoder(self.look(seen, code), start + code, self.causal)

    def sample(self, condition: Tensor, noise: Tensor) -> Tensor:
        """`plan` without a code."""
        return self.plan(condition, condition.new_zeros(len(condition), len(self.config.levels)), known=False)

    def plan(self, condition: Tensor, values: Tensor, known: bool = True) -> Tensor:
        """The segment (B, H, A) that would follow if nothing seen changed; `agent` looks at every step instead."""
        seen = condition[:, None, : self.state_dim].expand(-1, self.horizon, -1)
        return self.decode(seen, self.begun(condition), values, torch.full_like(condition[:, 0], known).bool())

    def check_export(self) -> None:
        """Always raises `BurnishError`."""
        raise BurnishError(
            f"a {self.name!r} policy cannot be one ONNX file: its decoder remembers what it saw since the last code; "
            "distil it, or play the checkpoint itself"
        )

    def agent(self, lanes: int, *, replan: int | None = None) -> Agent:
        """The decoder acting without a code."""
        from burnish.policies.behaviour_agent import BehaviourAgent

        return BehaviourAgent(self, self, lanes, replan=replan)

    def follower(self, shown: Mapping[int, Tensor], lanes: int) -> Agent:
        """The decoder with the codes of demonstrations, seed of the episode → digits (S, D) of each segment in turn."""
        from burnish.policies.behaviour_agent import FollowingAgent

        return FollowingAgent(self, shown, lanes)

    def _values(self, seen: Tensor, action: Tensor, start: Tensor, pad: Tensor | None) -> Tensor:
        inside = torch.ones_like(action[:, :, 0], dtype=torch.bool) if pad is None else ~pad
        features = self.encoder(torch.cat([self._own(seen), action], dim=2), start, inside[:, None, None, :])
        mean = (features * inside[:, :, None]).sum(1) / inside.sum(1, keepdim=True)
        return self.quantiser(mean)

    def _own(self, condition: Tensor) -> Tensor:
        slots = self.normalizer.slots
        return condition if slots is None else slots.rest(condition)

    def _seen(self, batch: Batch) -> Tensor:
        """(B, T, S) normalised numbers; of a plain chunk, as if what was seen first had stayed."""
        numbers = {key: batch[key] for key in self.contract.observation if key not in self.contract.looks}
        count, steps = batch[ACTION].shape[:2]
        if over_time(batch, self.contract):
            flat = {key: value.flatten(0, 1) for key, value in numbers.items()}
            return self.normalizer.condition(flat).view(count, steps, -1)
        return self.normalizer.condition(numbers)[:, None].expand(-1, steps, -1)


def over_time(batch: Batch, contract: Contract) -> bool:
    """Whether `batch` holds observations of every step (a segment), not only of the first (a chunk)."""
    key = next(key for key in contract.observation if key not in contract.looks)
    return batch[key].ndim == 2 + len(contract.observation[key].shape)


def first(batch: Batch, contract: Contract) -> dict[str, Tensor]:
    """The observations of the first step."""
    fields = contract.observation
    return {key: batch[key][:, 0] if batch[key].ndim == 2 + len(fields[key].shape) else batch[key] for key in fields}


def use(digits: Tensor, levels: tuple[int, ...]) -> dict[str, Any]:
    """How much of the codebook `digits` (N, D) use: `codes` that occur, their share `used`, and of each token the share
    of its `levels` that occur and the `perplexity` in levels.
    """
    quantiser = FSQ(levels)
    codes = len(quantiser.index(digits).unique())
    counts = [torch.bincount(digits[:, d], minlength=size).double() / len(digits) for d, size in enumerate(levels)]
    return {
        "segments": len(digits),
        "codes": codes,
        "used": codes / quantiser.codes,
        "levels": [float((share > 0).double().mean()) for share in counts],
        "perplexity": [float(torch.exp(-(share * (share + 1e-12).log()).sum())) for share in counts],
    }
