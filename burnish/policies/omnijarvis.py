"""OmniJARVIS (arXiv 2407.00114): one sequence of instruction, observations, thoughts and behaviours.

Section 2.2: instruction → memory → [observation → thought → behaviour]*. A transformer writes a thought and the tokens
of a behaviour, every segment anew; in between the decoder of `behaviour` acts. The paper tunes a large vision-language
model and lets another one write the thoughts. Here a small transformer reads what every policy here reads, and the
thought is how far the task has come: which share of its demonstration lay behind.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from burnish import registry
from burnish.agent import Agent
from burnish.checkpoint import Stats
from burnish.contract import ACTION, Contract
from burnish.datasets.demonstrations import Demonstrations
from burnish.datasets.segments import SegmentSampler
from burnish.errors import BurnishError
from burnish.policies.base import Batch, Policy, load_policy
from burnish.policies.behaviour import Behaviour, BehaviourConfig
from burnish.policies.language import FEATURES
from burnish.policies.networks.interleaved import Interleaved
from burnish.policies.networks.reading import AtOnce, InTurn
from burnish.policies.parts import Part
from burnish.policies.senses import SensesConfig
from burnish.policies.tokens import draw

CODE, PROGRESS = "behaviour", "progress"
"""What `sampler` knows of each frame: the digits of the segment that begins there, and which share lies behind it."""
UNKNOWN = -100
"""In place of a word that is not to be learned."""


@dataclass(frozen=True)
class OmniJarvisConfig(SensesConfig):
    """Behaviours, and the transformer that chooses them."""

    clauses: int = 3
    behaviour: str = "behaviour"
    """`behaviour`, which is trained first, or the folder of a trained one."""
    behaviour_config: Mapping[str, Any] = field(default_factory=dict)
    behaviour_fingerprint: str = ""
    """Of the trained behaviours that the sequence is made of; written by training."""
    memory: int = 1
    """Decisions before the present one that are remembered. With more, imitation copies what it did before (arXiv
    1905.11979) and, of pairs never shown, does the other goal."""
    thoughts: int = 8
    """Stages into which a demonstration is divided; which one is reached is the thought."""
    replan: int | None = None
    """Steps between decisions; None is a whole segment."""
    width: int = 128
    depth: int = 3
    temperature: float = 0.0
    """Of the draw; 0 takes the likeliest word."""

    def __post_init__(self) -> None:
        super().__post_init__()
        settings = self.behaviour_config.items()
        settings = {key: tuple(value) if isinstance(value, list) else value for key, value in settings}
        object.__setattr__(self, "behaviour_config", settings)
        for part, least in (("memory", 0), ("thoughts", 1), ("temperature", 0)):
            if getattr(self, part) < least:
                raise BurnishError(f"omnijarvis: {part} is at least {least}, not {getattr(self, part)}")

    @property
    def part(self) -> Part:
        """The behaviours."""
        return Part("behaviour", registry.policies, self.behaviour, self.behaviour_config, _load)

    def with_part(self, made: Behaviour) -> Self:
        """For the behaviours `made`."""
        settings, mark = dataclasses.asdict(made.config), made.fingerprint()
        return dataclasses.replace(self, behaviour=made.name, behaviour_config=settings, behaviour_fingerprint=mark)


class OmniJarvis(Policy):
    """Cross-entropy on thoughts and behaviour tokens; a decision costs one pass per word."""

    name = "omnijarvis"
    Config = OmniJarvisConfig

    def __init__(self, config: OmniJarvisConfig, contract: Contract, stats: Stats) -> None:
        super().__init__(config, contract, stats)
        self.config: OmniJarvisConfig = config
        self.behaviour = Behaviour(BehaviourConfig(**config.behaviour_config), contract, stats).requires_grad_(False)
        self.horizon, sizes = self.behaviour.horizon, (config.thoughts, *self.behaviour.config.levels)
        self.decisions, self.words, self.nfe = config.memory + 1, len(sizes), len(sizes) + 1
        own, numbers = super().condition_dim, self.normalizer.condition_dim
        told = self.state_dim - numbers
        self._parts = [numbers, told, own - self.state_dim]
        self.network = Interleaved(sizes, self.decisions, self._reading(own - told), config.width, config.depth)

    @property
    def noise_shape(self) -> tuple[int, ...]:
        """One number per word and name (W, V), by which `decide` draws; zeros take the likeliest."""
        return (self.words, self.network.vocabulary)

    @property
    def replan(self) -> int:
        """Steps between decisions."""
        return self.config.replan or self.horizon

    @property
    def condition_dim(self) -> int:
        """C: what the sequence is told, and what the decoder is."""
        return sum(self._parts) + self.behaviour.condition_dim

    def encode(self, obs: Mapping[str, Tensor], generator: torch.Generator | None = None) -> Tensor:
        """As every policy, and then as its behaviours."""
        return torch.cat([super().encode(obs, generator), self.behaviour.encode(obs)], dim=1)

    def split(self, condition: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """An encoded observation (…, C): the clauses told (…, K, I), what is seen (…, S), and by the decoder."""
        own, begun = condition.split([sum(self._parts), self.behaviour.condition_dim], dim=-1)
        return *self._read(own), begun

    def adopt(self, part: Behaviour) -> None:
        """Take over trained behaviours. Raises `BurnishError` if they are not those this policy is made for."""
        for setting in dataclasses.fields(BehaviourConfig):
            wanted, given = (getattr(one.config, setting.name) for one in (self.behaviour, part))
            if wanted != given:
                raise BurnishError(f"behaviour.{setting.name}: the policy wants {wanted!r}, given is {given!r}")
        part.contract.check(self.behaviour.contract, here="behaviour", there="policy")
        wanted, given = self.config.behaviour_fingerprint, part.fingerprint()
        if wanted not in ("", given):
            raise BurnishError(
                f"behaviour_fingerprint: the policy wants {wanted!r}, given is {given!r}: these behaviours were "
                "trained otherwise, so that their codes mean something else; train the policy on them"
            )
        self.behaviour.load_state_dict(part.state_dict())

    def sampler(
        self, demos: Demonstrations, batch_size: int, *, seed: int, device: torch.device | str = "cpu"
    ) -> SegmentSampler:
        """Sequences of decisions, `replan` steps apart, from every frame on."""
        segments = self.behaviour.sampler(demos, 1, seed=seed, device=device)
        behaviour = self.behaviour.to(device)
        rows = torch.arange(len(segments), device=device).split(1024)
        codes = torch.cat([behaviour.digits(segments.gather(some)) for some in rows])
        length, start = (np.repeat(each, demos.lengths) for each in (demos.lengths, demos.starts))
        behind = (np.arange(len(length)) - start) / length
        known = {**demos.obs, CODE: codes.cpu().numpy(), PROGRESS: behind.astype(np.float32)}
        demos = dataclasses.replace(demos, obs=known)
        return SegmentSampler(demos, self.decisions, batch_size, seed=seed, device=device, stride=self.replan)

    def loss(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """Mean cross-entropy per word of all decisions in the sequence; of a plain chunk, of one without memory."""
        if CODE in batch:
            count, inside = batch[CODE].shape[1], ~batch[f"{ACTION}_is_pad"]
            thought = (batch[PROGRESS] * self.config.thoughts).long()[:, :, None]
            words = torch.cat([thought, batch[CODE]], dim=2)
            obs = {key: batch[key].flatten(0, 1) for key in self.contract.observation}
        else:
            code, obs, count = self.behaviour.digits(batch)[:, None], batch, 1
            words = torch.cat([torch.full_like(code[:, :, :1], UNKNOWN), code], dim=2)
            inside = torch.ones_like(words[:, :, 0], dtype=torch.bool)
        told, seen = self._read(super().encode(obs, generator).unflatten(0, (-1, count)))
        room = (0, 0, 0, self.decisions - count)
        row = functional.pad(seen, room), functional.pad(words.clamp_min(0), room)
        logits = self.network(told[:, 0], *row)[:, :count]
        wanted = torch.where(inside[:, :, None] & (words >= 0), words + self.network.firsts, UNKNOWN)
        loss = functional.cross_entropy(logits.flatten(0, 2), wanted.flatten(), ignore_index=UNKNOWN)
        right = (logits.argmax(3) == wanted)[wanted != UNKNOWN].float().mean()
        return loss, {"cross_entropy": loss.detach(), "right": right}

    def sample(self, condition: Tensor, noise: Tensor) -> Tensor:
        """Decide without memory; the segment that would follow if nothing seen changed. `agent` remembers and looks."""
        told, seen, begun = self.split(condition)
        before = seen.new_zeros(len(seen), self.decisions, seen.shape[1])
        before[:, 0] = seen
        words = torch.zeros((*before.shape[:2], self.words), dtype=torch.long, device=seen.device)
        chosen = self.decide(told, before, words, torch.zeros_like(words[:, 0, 0]), noise)
        return self.behaviour.plan(begun, self.values(chosen))

    def decide(self, told: Tensor, seen: Tensor, words: Tensor, place: Tensor, noise: Tensor) -> Tensor:
        """The words (B, W) of the decision at `place` (B,) of sequences seen (B, N, S) and words (B, N, W)."""
        words, here = words.clone(), (torch.arange(len(place), device=place.device), place)
        for i in range(self.words):
            logits = self.network(told, seen, words)[here][:, i]
            words[*here, i] = draw(logits, noise[:, i], self.config.temperature) - self.network.firsts[i]
        return words[here]

    def values(self, words: Tensor) -> Tensor:
        """What the behaviour tokens among a decision's words (B, W) stand for (B, D)."""
        return self.behaviour.quantiser.values(words[:, 1:])

    def check_export(self) -> None:
        """Always raises `BurnishError`."""
        raise BurnishError(
            f"a {self.name!r} policy cannot be one ONNX file: it remembers earlier decisions, and its decoder what it "
            "saw since the last one; distil it, or play the checkpoint itself"
        )

    def agent(self, lanes: int, *, replan: int | None = None) -> Agent:
        """Decisions with memory, and the decoder between them."""
        from burnish.policies.behaviour_agent import DecidingAgent

        return DecidingAgent(self, lanes, replan=replan)

    def _read(self, own: Tensor) -> tuple[Tensor, Tensor]:
        numbers, told, perceived = own.split(self._parts, dim=-1)
        clauses = 1 if self.language is None else self.language.clauses
        return told.unflatten(-1, (clauses, -1)), torch.cat([numbers, perceived], dim=-1)

    def _reading(self, seen: int) -> AtOnce | InTurn:
        slots, width = self.normalizer.slots, self.config.width
        if slots is None or self.language is None:
            return AtOnce(self._parts[1], seen, width)
        return InTurn(self.language.clauses, FEATURES, seen, slots, width)


def _load(folder: Path) -> Behaviour:
    made = load_policy(folder)
    if not isinstance(made, Behaviour):
        raise BurnishError(f"--policy.behaviour {folder}: a {made.name!r} policy; name the folder of a 'behaviour' one")
    return made
