"""Where an image's patches are, seen from the hand: for networks that attend by distance."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from burnish.checkpoint import Stats
from burnish.contract import IMAGES, PLACES, STATE, Contract
from burnish.errors import ContractError


class Space(nn.Module):
    """Places of all patches minus the hand's: the first three numbers of `observation.state`."""

    rest: Tensor

    def __init__(self, contract: Contract, stats: Stats) -> None:
        """Raises `ContractError` that names what is missing or does not fit."""
        super().__init__()
        cameras, self.patches = _check(contract)
        self.shape = (cameras * self.patches**2, 3)
        self.register_buffer("rest", torch.from_numpy(stats[STATE]["mean"][:3].copy()), persistent=False)

    def forward(self, obs: Mapping[str, Tensor]) -> Tensor:
        """(B, N · 3) m: cameras in the order of their names, patches row by row."""
        return (obs[PLACES].flatten(1, 3) - obs[STATE][:, None, :3]).flatten(1)

    def without_hand(self, obs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """`obs`, the hand at its mean place: what else the state says does not depend on where in the world it is."""
        state = obs[STATE]
        return {**obs, STATE: torch.cat([torch.zeros_like(state[:, :3]) + self.rest, state[:, 3:]], dim=1)}


def _check(contract: Contract) -> tuple[int, int]:
    """Cameras, and patches per side of the image of each."""
    places, state = contract.observation.get(PLACES), contract.observation.get(STATE)
    if places is None:
        raise ContractError(
            f"{PLACES}: the denoiser reads it, and there is none; `burnish collect --images --places` records it, "
            "`--policy.denoiser dita` does without"
        )
    cameras, patches = len(contract.images), places.shape[-2]
    if cameras == 0 or places.shape != (cameras, patches, patches, 3):
        raise ContractError(
            f"{PLACES}: of shape {places.shape}, for {cameras} images ({IMAGES}…); it must be (images, P, P, 3). "
            f"Record both again, or use `--policy.denoiser dita --without {PLACES}`"
        )
    if state is None or len(state.shape) != 1 or state.unit[:3] != ("m",) * 3 or state.frame != places.frame:
        found = "missing" if state is None else f"{state.names[:3]}, unit {state.unit[:3]}, frame {state.frame!r}"
        raise ContractError(
            f"{STATE}: its first three numbers must be the hand's place in m, in the frame of {PLACES} "
            f"({places.frame!r}), but it is {found}; `--policy.denoiser dita --without {PLACES}` needs no hand"
        )
    return cameras, patches
