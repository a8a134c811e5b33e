"""MINT's tokenizer (arXiv 2602.08602, section 3): a chunk at several time scales, coarse to fine, by residual VQ.

At scale k the residual is shrunk to l_k places, each is replaced by its nearest code, and what these stand for is
taken off. The paper's spectral loss is a mean square over DCT coefficients, which by Parseval is the same mean square
over time, so that no scale has a frequency of its own. Here scale k answers for the lowest l_k / l_K of the frequencies
(`spectrum="bands"`); `spectrum="time"` is the ablation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from burnish.checkpoint import Stats
from burnish.contract import ACTION, Contract
from burnish.errors import BurnishError
from burnish.policies.base import Batch
from burnish.policies.tokenizers.autoencoder import Decoder, Encoder, groups_of
from burnish.policies.tokenizers.base import Tokenizer
from burnish.policies.tokenizers.spectrum import dct_matrix, low_pass


@dataclass(frozen=True)
class MintTokenizerConfig:
    """The paper's sizes for LIBERO."""

    horizon: int = 16
    scales: tuple[int, ...] = (1, 2, 4)
    """Codes at each scale, l_1 < … < l_K; the horizon is l_K times a power of two."""
    codebook: int = 512
    code_width: int = 32
    width: int = 32
    """Channels of the autoencoder."""
    spectrum: Literal["bands", "time"] = "bands"
    commitment: float = 0.25
    mixing: float = 0.5
    """Share of each scale's contribution that is convolved (φ_k)."""
    l1_weight: float = 0.5
    entropy_weight: float = 0.05
    """Keeps all codes in use: sure of each code, not always the same one (MAGVIT-v2, arXiv 2310.05737)."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "scales", tuple(self.scales))
        if not self.scales or sorted(set(self.scales)) != list(self.scales) or self.scales[0] < 1:
            raise BurnishError(f"scales {self.scales}: write numbers of codes from coarse to fine, e.g. 1 2 4")
        shrink = self.horizon / self.scales[-1]
        if shrink < 1 or not shrink.is_integer() or int(shrink) & (int(shrink) - 1):
            raise BurnishError(
                f"horizon {self.horizon} is not the finest scale {self.scales[-1]} times a power of two; change one"
            )


class MintTokenizer(Tokenizer):
    """Multi-scale residual VQ with one codebook; (1, 2, 4) is 7 codes per chunk, predicted in 3 passes."""

    name = "mint"
    Config = MintTokenizerConfig

    def __init__(self, config: MintTokenizerConfig, contract: Contract, stats: Stats) -> None:
        super().__init__(config, contract, stats)
        self.config: MintTokenizerConfig = config
        self.horizon, self.vocabulary, self.blocks = config.horizon, config.codebook, config.scales
        self.context_dim = config.code_width
        groups, places = groups_of(contract.action), config.scales[-1]
        self.encoder = Encoder(groups, config.horizon, places, config.width, config.code_width)
        self.decoder = Decoder(groups, config.horizon, places, config.width, config.code_width)
        self.codebook = nn.Parameter(torch.randn(config.codebook, config.code_width) * config.code_width**-0.5)
        self.mix = nn.ModuleList(nn.Conv1d(config.code_width, config.code_width, 3, padding=1) for _ in config.scales)
        self.register_buffer("dct", dct_matrix(config.horizon), persistent=False)
        bands = [low_pass(config.horizon, scale / places) for scale in config.scales]
        self.register_buffer("bands", torch.stack(bands), persistent=False)

    dct: Tensor
    bands: Tensor

    def encode(self, chunk: Tensor) -> Tensor:
        """Codes (B, L), coarse to fine."""
        return self._quantise(self.encoder(chunk.clamp(-1.0, 1.0)))[0]

    def decode(self, codes: Tensor) -> Tensor:
        """The chunk (B, H, A) of all scales together."""
        return self.decoder(self._sums(codes)[-1])[0]

    def context(self, codes: Tensor) -> Tensor:
        """Before scale k: the sum of the coarser ones, shrunk to l_k places; zeros before the first."""
        sums = self._sums(codes)
        before = [torch.zeros_like(sums[0]), *sums[:-1]]
        shrunk = [_resize(one, scale) for one, scale in zip(before, self.blocks, strict=True)]
        return torch.cat(shrunk, dim=2).transpose(1, 2)

    def intent(self, codes: Tensor) -> Tensor:
        """What the coarsest code stands for (B, code_width)."""
        return self.codebook[codes[:, 0]]

    def loss(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """Reconstruction of each scale in its band, of all together in time, gripper as two classes, VQ losses."""
        chunk = self.normalizer.normalize(ACTION, batch[ACTION]).clamp(-1.0, 1.0)
        features = self.encoder(chunk)
        codes, quantised, likeness = self._quantise(features)
        commitment = torch.stack([self._apart(features, one) for one in quantised]).mean()
        entropy = torch.stack([_entropy(one) for one in likeness]).mean()
        # Straight through: what the decoder wants of the sum is told to the codes and to the features.
        sums = [one + (features - features.detach()) for one in quantised]
        made, logits = (part.chunk(len(sums)) for part in self.decoder(torch.cat(sums)))
        total = commitment + self.config.entropy_weight * entropy
        for scale in range(len(sums)):
            total = total + self._reconstruction(chunk, made[scale], logits[scale], scale)
        error = (made[-1] - chunk).abs().mean()
        used = len(codes.unique()) / self.vocabulary
        metrics = {"error": error.detach(), "commitment": commitment.detach(), "used": torch.tensor(used)}
        return total, metrics

    def _reconstruction(self, chunk: Tensor, made: Tensor, logits: Tensor, scale: int) -> Tensor:
        arm = self.decoder.arm
        difference = (made - chunk)[:, :, arm]
        if self.config.spectrum == "bands":
            loss = ((self.dct @ difference) * self.bands[scale]).square().mean() / self.bands[scale].mean()
        else:
            loss = difference.square().mean()
        if scale == len(self.blocks) - 1:
            loss = loss + self.config.l1_weight * difference.abs().mean()
        if logits.shape[2]:
            wanted = (chunk[:, :, self.decoder.hand] + 1.0) / 2.0
            loss = loss + 0.1 * functional.binary_cross_entropy_with_logits(logits, wanted)
        return loss

    def _apart(self, features: Tensor, quantised: Tensor) -> Tensor:
        """The codes come to the features, and with a smaller weight these to them (VQ-VAE, arXiv 1711.00937)."""
        commitment = self.config.commitment * (features - quantised.detach()).square().mean()
        return commitment + (features.detach() - quantised).square().mean()

    def _quantise(self, features: Tensor) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        """Of features (B, C, l_K): codes (B, L); per scale f̂^(k) (B, C, l_K) and cosines with all codes (B, l_k, V)."""
        rest, total = features, torch.zeros_like(features)
        codes, sums, alike = [], [], []
        book = functional.normalize(self.codebook, dim=1)
        for index, scale in enumerate(self.blocks):
            wanted = functional.normalize(_resize(rest, scale).transpose(1, 2), dim=2)
            likeness = wanted @ book.T
            found = likeness.argmax(2)
            codes.append(found)
            total = total + self._contribution(found, index)
            rest = features - total.detach()
            sums.append(total)
            alike.append(likeness)
        return torch.cat(codes, dim=1), sums, alike

    def _sums(self, codes: Tensor) -> list[Tensor]:
        """f̂^(k), (B, C, l_K), of codes (B, L)."""
        total, sums = torch.zeros(()), []
        for index, part in enumerate(codes.split(list(self.blocks), dim=1)):
            total = total + self._contribution(part, index)
            sums.append(total)
        return sums

    def _contribution(self, codes: Tensor, scale: int) -> Tensor:
        z = _resize(self.codebook[codes].transpose(1, 2), self.blocks[-1])
        return (1 - self.config.mixing) * z + self.config.mixing * self.mix[scale](z)


def _resize(features: Tensor, places: int) -> Tensor:
    """(B, C, l) to (B, C, places): means where it shrinks, straight lines where it grows."""
    if features.shape[2] == places:
        return features
    if features.shape[2] > places:
        return functional.interpolate(features, size=places, mode="area")
    return functional.interpolate(features, size=places, mode="linear", align_corners=False)


def _entropy(likeness: Tensor, temperature: float = 0.05) -> Tensor:
    """How unsure each choice is, less how varied they are altogether."""
    p = (likeness / temperature).softmax(2).flatten(0, 1)
    each = -(p * (p + 1e-9).log()).sum(1).mean()
    mean = p.mean(0)
    return each + (mean * (mean + 1e-9).log()).sum()
