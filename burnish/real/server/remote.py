"""`remote:HOST:PORT` wherever a checkpoint is read to act: a policy behind `burnish serve`.

So a simulator whose packages conflict with a policy's is played in its own environment: `burnish eval
remote:127.0.0.1:8000 --task isaaclab/Isaac-Cartpole`, and `burnish serve` in the policy's.
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import override

import torch
from torch import Tensor, nn

from burnish.contract import TASK, Contract, decode_text
from burnish.errors import BurnishError
from burnish.policies.base import Batch, Policy
from burnish.policies.chunks import ChunkAgent
from burnish.real.server.client import RemotePolicy

ELSEWHERE = "a policy on a server is played, and no more: its weights are where the server is"


@dataclass(frozen=True)
class ServedConfig:
    """Where it is."""

    address: str


class ServedPolicy(Policy):
    """What the server plans, one observation after the other. A plan is a function of its observation and noise."""

    name = "remote"
    Config = ServedConfig

    def __init__(self, config: ServedConfig, contract: Contract, remote: RemotePolicy) -> None:
        nn.Module.__init__(self)  # no normaliser: the server has its own
        self.config, self.contract, self.stats = config, contract, {}
        self._remote, self.horizon, self.nfe = remote, remote.horizon or 1, 1
        weakref.finalize(self, remote.close)
        self.place = nn.Parameter(torch.zeros(0), requires_grad=False)  # agents ask where a policy's weights are

    @property
    def noise_shape(self) -> tuple[int, ...]:
        """Two numbers, whose bits seed the server's own noise."""
        return (2,)

    @property
    def replan(self) -> int:
        """As the server says."""
        return self._remote.replan or self.horizon

    @override
    def act(self, obs: Mapping[str, Tensor], noise: Tensor) -> Tensor:
        seeds = noise.float().contiguous().view(torch.int64).flatten().tolist()
        chunks = []
        for row, seed in enumerate(seeds):
            seen = {key: obs[key][row].cpu().numpy() for key in self.contract.observation}
            told = {TASK: decode_text(seen[TASK])} if TASK in seen else {}
            chunks.append(torch.from_numpy(self._remote.plan(seen | told, seed=abs(seed))))
        return torch.stack(chunks).to(noise.device)

    @override
    def agent(self, lanes: int, *, replan: int | None = None) -> ServedAgent:
        return ServedAgent(self, lanes, replan=replan)

    @override
    def loss(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        raise BurnishError(ELSEWHERE)

    @override
    def sample(self, condition: Tensor, noise: Tensor) -> Tensor:
        raise BurnishError(ELSEWHERE)

    @override
    def check_export(self) -> None:
        raise BurnishError(ELSEWHERE)


class ServedAgent(ChunkAgent):
    """It asks for no more plans than are due: each one is a question of its own."""

    @override
    def _plan(self, obs: Mapping[str, Tensor], due: Tensor) -> Tensor:
        chunk, noise = self._chunk.clone(), self._draw(due)
        chunk[due] = self.policy.act({key: value[due] for key, value in obs.items()}, noise[due]).to(chunk)
        return chunk


def load(folder: Path, *, contract: Contract | None = None, there: str = "environment") -> ServedPolicy:
    """Connect to the server whose address is the last part of `folder`.

    Raises `ServerError` that names the address, `BurnishError` for a server that does not tell its contract, and
    `ContractError` that names each field in which `contract` differs.
    """
    address = folder.name
    remote = RemotePolicy(address)
    try:
        if remote.contract is None:
            raise BurnishError(f"{address}: the server does not tell what its numbers mean; `burnish serve` does")
        if contract is not None:
            remote.contract.check(contract.only(remote.contract.observation), here=f"policy at {address}", there=there)
    except BurnishError:
        remote.close()
        raise
    return ServedPolicy(ServedConfig(address), remote.contract, remote).eval()
