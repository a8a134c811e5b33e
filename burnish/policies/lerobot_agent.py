"""A lerobot policy acting closed-loop: in every lane exactly what lerobot's own evaluation loop does with one."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from burnish.contract import IMAGES
from burnish.errors import BurnishError, NonFiniteError

if TYPE_CHECKING:
    from burnish.policies.lerobot import LerobotPolicy


class LerobotAgent:
    """One `Player` per lane, so that a lane's actions never depend on the other lanes."""

    def __init__(self, policy: LerobotPolicy, lanes: int, *, replan: int | None = None) -> None:
        self.policy = policy
        self._players = [Player(policy, replan) for _ in range(lanes)]
        self._seen: dict[str, Tensor] = {}

    def reset(self, lanes: Sequence[int], seeds: Sequence[int]) -> None:
        """Forget the queues and histories of `lanes`."""
        for lane, seed in zip(lanes, seeds, strict=True):
            self._players[lane].reset(seed)

    def looks(self) -> list[int]:
        """The lanes whose images the next `act` reads: for a plan, or to remember them for the next one."""
        return [lane for lane, player in enumerate(self._players) if player.looks()]

    def act(self, obs: Mapping[str, Tensor]) -> Tensor:
        """Next action of every lane (N, A), physical units. Raises `NonFiniteError` that names the lane."""
        obs = self._seen | dict(obs)
        self._seen = {key: value for key, value in obs.items() if key.startswith(IMAGES)}
        rows = [{key: value[lane : lane + 1] for key, value in obs.items()} for lane in range(len(self._players))]
        action = torch.cat([player.act(row) for player, row in zip(self._players, rows, strict=True)])
        bad = ~torch.isfinite(action).all(dim=1)
        if bad.any():
            lane = int(bad.nonzero()[0])
            raise NonFiniteError(f"policy {self.policy.name!r} planned a NaN or infinite action in lane {lane}")
        return action


class Player:
    """One episode at a time: lerobot's `select_action`, with queues of its own and weights shared with all others."""

    def __init__(self, policy: LerobotPolicy, replan: int | None = None) -> None:
        """`replan`: steps after which what is left of a chunk is dropped; None: never."""
        self.policy = policy
        self._inner = share_weights(policy.inner)
        # Some policies switch to evaluation mode at every step, which takes longer than the rest of it.
        self._inner.eval = lambda: self._inner
        self._replan = policy.horizon if replan is None else min(replan, policy.horizon)
        if self._replan < policy.horizon and policy.history > 1:
            raise BurnishError(
                f"this lerobot policy remembers {policy.history} observations and plays {policy.horizon} actions of a "
                f"chunk; to play {self._replan} of them, set n_action_steps in its config.json"
            )
        self.reset(0)

    def reset(self, seed: int) -> None:
        """Start an episode; everything random in it comes from `seed`."""
        self._inner.reset()
        self._seeds = torch.Generator().manual_seed(seed)
        self._steps = 0

    def looks(self) -> bool:
        """Whether the next `act` reads images: it plans from them, or remembers them for the next plan."""
        age = self._steps % self._replan
        return self.policy.sees and (age == 0 or age > self._replan - self.policy.history)

    def act(self, obs: Mapping[str, Tensor]) -> Tensor:
        """Action (1, A), physical units, of observations (1, …)."""
        plans = self._steps % self._replan == 0
        if plans and self._replan < self.policy.horizon:
            self._inner.reset()
        with self._random() if plans else contextlib.nullcontext(), self.policy.precision(), torch.inference_mode():
            action = self._inner.select_action(self.policy.preprocess(obs))
        self._steps += 1
        return self.policy.postprocess(action)

    def plan(self, obs: Mapping[str, Tensor], seed: int) -> Tensor:
        """All actions (1, H, A) of an episode's first chunk."""
        self.reset(seed)
        return torch.stack([self.act(obs) for _ in range(self.policy.horizon)], dim=1)

    @contextlib.contextmanager
    def _random(self) -> Iterator[None]:
        """lerobot draws from torch's global generators; nobody else's stream may notice."""
        device = self.policy.device
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            torch.manual_seed(int(torch.randint(2**62, (), generator=self._seeds)))
            yield


def share_weights[T: nn.Module](module: T) -> T:
    """A copy with attributes of its own (queues) around the very same submodules and tensors."""
    kept: list[Any] = [*module.parameters(), *module.buffers(), *(m for m in module.modules() if m is not module)]
    kept.append(module.config)
    return copy.deepcopy(module, {id(one): one for one in kept})
