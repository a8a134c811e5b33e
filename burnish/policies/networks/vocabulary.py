"""Action codes as new words of a language model: the rows that are trained, and who sees whom."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from burnish.policies.tokenizers.base import Tokenizer
from burnish.policies.vlm.prefix import Prefix, Reader


class Vocabulary(nn.Module):
    """After the prompt come the robot's numbers as one token, then the codes, those of a block side by side.

    Only a code can stand where a code is due, so the old words have no part in the softmax: the new output rows are all
    of it.
    """

    mask: Tensor

    def __init__(self, tokenizer: Tokenizer, state_dim: int, width: int) -> None:
        """`width`: of the backbone's hidden states."""
        super().__init__()
        inputs = tokenizer.context_dim
        self.state = nn.Linear(state_dim, width)
        self.into = nn.Identity() if inputs is None else nn.Linear(inputs, width)
        self.out = nn.Linear(width, tokenizer.vocabulary, bias=False)
        levels = torch.repeat_interleave(torch.arange(len(tokenizer.blocks)), torch.tensor(tokenizer.blocks))
        levels = torch.cat([torch.tensor([-1]), levels])
        self.register_buffer("mask", levels[:, None] >= levels, persistent=False)

    def forward(self, known: Tensor, condition: Prefix) -> Tensor:
        """known (B, L, inputs) → logits (B, L, V), all blocks at once; those of a block see it and all before."""
        tokens = torch.cat([self.state(condition.state)[:, None], self.into(known)], dim=1)
        return self._logits(condition.read(tokens, self.mask)[:, 1:])

    def piece(self, known: Tensor, begin: int, reader: Reader, condition: Prefix) -> Tensor:
        """The same for the codes from `begin` on that come next, known (B, S, inputs) → (B, S, V)."""
        tokens, first = self.into(known), begin + 1
        if begin == 0:
            tokens, first = torch.cat([self.state(condition.state)[:, None], tokens], dim=1), 0
        end = begin + 1 + known.shape[1]
        hidden = reader.read(tokens, self.mask[first:end, :end])
        return self._logits(hidden[:, -known.shape[1] :])

    def _logits(self, hidden: Tensor) -> Tensor:
        return self.out(hidden.to(self.out.weight.dtype))
