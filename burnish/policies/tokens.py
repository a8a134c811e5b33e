"""A policy that writes a chunk as tokens: a frozen tokenizer and a transformer that predicts its codes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from burnish import registry
from burnish.checkpoint import Stats
from burnish.contract import ACTION, Contract
from burnish.errors import BurnishError
from burnish.policies.base import Batch, Policy
from burnish.policies.networks.tokens import BlockCausal
from burnish.policies.parts import Part
from burnish.policies.senses import SensesConfig
from burnish.policies.tokenizers.base import Tokenizer, load_tokenizer
from burnish.policies.trace import Chain, NoiseConfig, TokenChain


@dataclass(frozen=True, kw_only=True)
class TokenizerChoice:
    """Which tokenizer a policy writes with, and how it draws codes."""

    tokenizer: str = "bins"
    """Registered name of a tokenizer, which is trained first, or the folder of a trained one."""
    tokenizer_config: Mapping[str, Any] = field(default_factory=dict)
    temperature: float = 1.0
    """Of the draw; 0 takes the likeliest code."""

    @property
    def tokenized(self) -> bool:
        """Whether the policy writes tokens, and so needs a tokenizer."""
        return True

    @property
    def part(self) -> Part | None:
        """The tokenizer, if there is one."""
        if not self.tokenized:
            return None
        return Part("tokenizer", registry.tokenizers, self.tokenizer, self.tokenizer_config, load_tokenizer)

    def with_part(self, made: Tokenizer) -> Self:
        """Of the kind and with the settings of `made`."""
        settings = dataclasses.asdict(made.config)
        return dataclasses.replace(self, tokenizer=made.name, tokenizer_config=settings)

    def __post_init__(self) -> None:
        settings = {
            key: tuple(value) if isinstance(value, list) else value for key, value in self.tokenizer_config.items()
        }
        object.__setattr__(self, "tokenizer_config", settings)
        if self.temperature < 0:
            raise BurnishError(f"temperature {self.temperature} is negative; 0 takes the likeliest code")


@dataclass(frozen=True)
class TokenConfig(SensesConfig, TokenizerChoice):
    """Tokenizer and transformer."""

    replan: int | None = None
    """Actions executed before the next chunk; None is a quarter of it."""
    width: int = 128
    depth: int = 4

    def __post_init__(self) -> None:
        SensesConfig.__post_init__(self)
        TokenizerChoice.__post_init__(self)


class TokenPolicy(Policy):
    """Cross-entropy on the tokenizer's codes; a chunk costs one pass per block of codes."""

    name = "tokens"
    Config = TokenConfig

    def __init__(
        self,
        config: TokenConfig,
        contract: Contract,
        stats: Stats,
        network: Callable[[Tokenizer], nn.Module] | None = None,
    ) -> None:
        """`network`: of a tokenizer, what predicts its codes from what is known before each and a condition; None: a
        `BlockCausal`."""
        super().__init__(config, contract, stats)
        self.config: TokenConfig = config
        kind = registry.tokenizers.load(config.tokenizer)
        self.tokenizer: Tokenizer = kind(kind.Config(**config.tokenizer_config), contract, stats)
        self.tokenizer.requires_grad_(False)
        tokenizer = self.tokenizer
        self.horizon, self.nfe = tokenizer.horizon, len(tokenizer.blocks)
        # Where codes are nothing but names, what is known before one is the name of the last; at first, nobody's.
        named = tokenizer.context_dim is None
        self.names = nn.Embedding(tokenizer.vocabulary + 1, config.width) if named else None
        self.network = (network or self._block_causal)(tokenizer)

    @property
    def noise_shape(self) -> tuple[int, ...]:
        """One number per possible code (L, V), by which `sample` draws; zeros take the likeliest."""
        return (self.tokenizer.length, self.tokenizer.vocabulary)

    def adopt(self, part: Tokenizer) -> None:
        """Take over the weights of a trained tokenizer. Raises `BurnishError` if it is another one."""
        wanted, given = self.tokenizer, part
        for name in ("name", "config"):
            if getattr(wanted, name) != getattr(given, name):
                raise BurnishError(
                    f"tokenizer.{name}: the policy wants {getattr(wanted, name)!r}, given is {getattr(given, name)!r}"
                )
        given.contract.check(wanted.contract, here="the tokenizer", there="the policy")
        wanted.load_state_dict(given.state_dict())

    def loss(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """Mean cross-entropy per code. A chunk that reaches past its episode goes on with the last action."""
        chunk = self.normalizer.normalize(ACTION, batch[ACTION])
        codes = self.tokenizer.encode(chunk)
        logits = self.logits(codes, self.encode(batch, generator))
        loss = functional.cross_entropy(logits.flatten(0, 1), codes.flatten())
        right = (logits.argmax(2) == codes).float().mean()
        return loss, {"cross_entropy": loss.detach(), "right": right, "clipped": self.tokenizer.outside(chunk).float()}

    def logits(self, codes: Tensor, condition: Tensor) -> Tensor:
        """(B, L, V): those of a block depend on the `codes` (B, L) of earlier blocks alone."""
        return self.network(self._known(codes), condition)

    def sample(self, condition: Tensor, noise: Tensor) -> Tensor:
        """Draw block after block and decode."""
        return self.decode(self.draw(condition, noise, self.config.temperature), condition)

    def reader(self, condition: Tensor) -> Callable[[Tensor, slice], Tensor]:
        """Of the codes so far and a block of places, in order: logits (B, count, V) of that block."""
        read = self.network.reader(condition)  # pyright: ignore[reportCallIssue]
        return lambda codes, block: read(self._known(codes)[:, block], block)

    def draw(self, condition: Tensor, noise: Tensor, temperature: float, first: Tensor | None = None) -> Tensor:
        """Codes (B, L); `first` (B,) is put in place of the first one, where it is not negative."""
        codes, begin = torch.zeros_like(noise[:, :, 0], dtype=torch.long), 0
        read = self.reader(condition)
        for count in self.tokenizer.blocks:
            block = slice(begin, begin + count)
            drawn = draw(read(codes, block), noise[:, block], temperature)
            if begin == 0 and first is not None:
                drawn = torch.where(first[:, None] >= 0, first[:, None], drawn)
            codes = torch.cat([codes[:, :begin], drawn, codes[:, begin + count :]], dim=1)
            begin += count
        return codes

    def chain(self, noise: NoiseConfig, told: Policy | None = None) -> Chain:
        """See `Policy.chain`."""
        return TokenChain(told or self, self, noise.temperature)

    def decode(self, codes: Tensor, condition: Tensor) -> Tensor:
        """The chunk that `codes` stand for; NaN where the `condition` has one, which no code could show."""
        return self.tokenizer.decode(codes).masked_fill(condition.isnan().any(1)[:, None, None], torch.nan)

    def _block_causal(self, tokenizer: Tokenizer) -> nn.Module:
        width, depth = self.config.width, self.config.depth
        inputs = tokenizer.context_dim or width
        return BlockCausal(tokenizer.blocks, tokenizer.vocabulary, inputs, self.condition_dim, width, depth)

    def _known(self, codes: Tensor) -> Tensor:
        if self.names is None:
            return self.tokenizer.context(codes)
        # Within a block nothing of it is known: each place sees the code that far back in the block before.
        blocks = codes.split(list(self.tokenizer.blocks), dim=1)
        nobody = torch.full_like(blocks[0], self.tokenizer.vocabulary)
        return self.names(torch.cat([nobody, *blocks[:-1]], dim=1))


def draw(logits: Tensor, noise: Tensor, temperature: float) -> Tensor:
    """Codes (…) drawn from the softmax of logits (…, V) by standard normal `noise` (…, V); zeros take the likeliest."""
    # Gumbel-max: argmax of logits and Gumbel noise is a draw from softmax; Φ(normal) is uniform.
    uniform = 0.5 + 0.5 * torch.erf(noise * 0.5**0.5)
    gumbel = -(-uniform.clamp(1e-6, 1 - 1e-6).log()).log()
    return (logits + temperature * gumbel).argmax(-1)
