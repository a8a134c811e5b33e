"""MINT (arXiv 2602.08602): action chunks from coarse to fine; the coarsest code says what is intended.

Section 3.2: next-scale prediction over the codes of `tokenizers.mint`, 7 of them in 3 passes. Section 3.3: overlapping
chunks are averaged by how alike their intents are. Section 3.4: a demonstration's intents in place of the policy's own
show a new task in one shot.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from burnish.agent import Agent
from burnish.checkpoint import Stats
from burnish.contract import ACTION, Contract
from burnish.policies.overlap import OverlapAgent
from burnish.policies.tokenizers.mint import MintTokenizer
from burnish.policies.tokens import TokenConfig, TokenPolicy


@dataclass(frozen=True)
class MintConfig(TokenConfig):
    """The paper's tokenizer and ensemble."""

    tokenizer: str = "mint"
    """`mint`, which is trained first, or the folder of a trained one."""
    temperature: float = 0.0
    """Of the draw: the likeliest code, as in the released code, so that chunks that overlap agree."""
    ensemble: Literal["intent", "temporal", "none"] = "intent"
    """What the actions of chunks that overlap are weighted by."""
    intent_rate: float = 10.0
    """β: a chunk whose intent has cosine c with the newest one's weighs exp(β c); the released code's."""
    temporal_rate: float = 0.5
    """If temporal, a chunk made h steps ago weighs exp(−h times this); the released code's."""


class Mint(TokenPolicy):
    """Plans in as many passes as there are scales."""

    name = "mint"
    Config = MintConfig

    def __init__(self, config: MintConfig, contract: Contract, stats: Stats) -> None:
        super().__init__(config, contract, stats)
        self.config: MintConfig = config
        self.tokenizer: MintTokenizer

    def plan(self, obs: Mapping[str, Tensor], noise: Tensor, first: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Chunks (B, H, A) in physical units and their intents (B, C); `first` (B,): codes of intents to follow."""
        condition = self.encode(obs)
        codes = self.draw(condition, noise, self.config.temperature, first)
        return self.normalizer.action(self.decode(codes, condition)), self.tokenizer.intent(codes)

    def agent(self, lanes: int, *, replan: int | None = None) -> Agent:
        """Overlapping chunks are averaged as the config says."""
        if self.config.ensemble == "none":
            return super().agent(lanes, replan=replan)
        return OverlapAgent(self, lanes, replan=replan)

    def follower(self, actions: Tensor, lanes: int, *, replan: int | None = None) -> Agent:
        """This policy with the intents of one demonstration, `actions` (T, A) in physical units: one-shot transfer."""
        return OverlapAgent(self, lanes, replan=replan, intents=self.intents(actions))

    @torch.no_grad()
    def intents(self, actions: Tensor) -> Tensor:
        """(T,) the coarsest code of the chunk that begins at each step of `actions` (T, A), which ends by repeating."""
        ahead = torch.arange(len(actions))[:, None] + torch.arange(self.horizon)
        chunks = actions[ahead.clamp(max=len(actions) - 1)]
        return self.tokenizer.encode(self.normalizer.normalize(ACTION, chunks))[:, 0]

    def weights(self, intents: Tensor, ages: Tensor) -> Tensor:
        """How much each of K chunks counts (B, K), not yet of sum one; `intents` (B, K, C), the newest first.

        Args:
            ages: (K,) steps since each was made.
        """
        if self.config.ensemble == "none":
            return (ages == 0).float().expand(len(intents), -1)
        if self.config.ensemble == "temporal":
            return torch.exp(-self.config.temporal_rate * ages).expand(len(intents), -1)
        likeness = torch.nn.functional.cosine_similarity(intents[:, :1], intents, dim=2)
        return torch.exp(self.config.intent_rate * likeness)
