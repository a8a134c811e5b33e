"""What turns a backbone's prefix into a chunk: the policies of this package, with another network and condition."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from burnish.checkpoint import Stats
from burnish.contract import Contract
from burnish.policies.base import Policy
from burnish.policies.flow import Flow, FlowConfig
from burnish.policies.meanflow import MeanFlow, MeanFlowConfig
from burnish.policies.networks.expert import Expert
from burnish.policies.networks.vocabulary import Vocabulary
from burnish.policies.tokens import TokenConfig, TokenPolicy
from burnish.policies.vlm.backbone import Backbone
from burnish.policies.vlm.prefix import Prefix

PREFIX = "prefix"
"""Beside a batch's tensors: what the backbone made of its images and instructions."""


class Prefixed:
    """A policy that is told its condition instead of encoding what is observed."""

    def encode(self, obs: Mapping[str, Any], generator: torch.Generator | None = None) -> Prefix:
        """The `Prefix` in `obs`."""
        return obs[PREFIX]


class FlowHead(Prefixed, Flow):
    """Rectified flow by an action expert (π0, arXiv 2410.24164; SmolVLA, arXiv 2506.01844)."""


class MeanFlowHead(Prefixed, MeanFlow):
    """One step by an action expert."""


class TokenHead(Prefixed, TokenPolicy):
    """Codes as new words of the backbone, block by block."""

    network: Vocabulary

    def reader(self, condition: Prefix) -> Callable[[Tensor, slice], Tensor]:
        """Reads the prompt no second time: keys and values of it and of all blocks so far are kept."""
        memory = condition.reader()

        def read(codes: Tensor, block: slice) -> Tensor:
            return self.network.piece(self._known(codes)[:, block], block.start, memory, condition)

        return read

    def decode(self, codes: Tensor, condition: Prefix) -> Tensor:
        """The chunk that `codes` stand for; NaN where the state has one."""
        return super().decode(codes, condition.state)


def make_head(config: Any, contract: Contract, stats: Stats, backbone: Backbone) -> Policy:
    """The head that `config` (a `VLAConfig`) names, for the numbers of `contract`."""
    numbers = contract.only(key for key, field in contract.observation.items() if field.is_number)
    return _HEADS[config.head](config, numbers, stats, backbone)


def _flow(config: Any, contract: Contract, stats: Stats, backbone: Backbone) -> Policy:
    settings = FlowConfig(horizon=config.horizon, replan=config.replan, steps=config.steps)
    return FlowHead(settings, contract, stats, _expert(config, contract, backbone))


def _meanflow(config: Any, contract: Contract, stats: Stats, backbone: Backbone) -> Policy:
    settings = MeanFlowConfig(horizon=config.horizon, replan=config.replan, prior_std=config.prior_std)
    return MeanFlowHead(settings, contract, stats, _expert(config, contract, backbone))


def _tokens(config: Any, contract: Contract, stats: Stats, backbone: Backbone) -> Policy:
    width = backbone.width
    choice = {"tokenizer_config": config.tokenizer_config, "temperature": config.temperature, "replan": config.replan}
    settings = TokenConfig(tokenizer=config.tokenizer, width=width, **choice)
    head = TokenHead(settings, contract, stats, lambda tokenizer: Vocabulary(tokenizer, _count(contract), width))
    if head.names is not None:
        backbone.like_words(head.names.weight, inputs=True)
    backbone.like_words(head.network.out.weight, inputs=False)
    return head


_HEADS = {"flow": _flow, "meanflow": _meanflow, "tokens": _tokens}


def _expert(config: Any, contract: Contract, backbone: Backbone) -> Expert:
    width = config.expert_width or backbone.width // 2
    return Expert(config.horizon, contract.action.shape[-1], _count(contract), width, backbone.attention)


def _count(contract: Contract) -> int:
    return sum(torch.Size(field.shape).numel() for field in contract.observation.values())
