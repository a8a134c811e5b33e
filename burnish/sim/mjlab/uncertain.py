"""What is uncertain in N worlds of mjlab's, drawn from each episode's own seed, beside what mjlab's events do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from burnish.sim.quadrotor.noise import normal
from burnish.sim.randomize import Draw, Randomization

DRAWN = ("object_noise", "mass", "friction")
"""Of `Randomization`; what comes after the first needs an object."""
FIELDS = {"body_mass": "mass", "body_inertia": "mass", "geom_friction": "friction"}
"""Of the model → factor of `Draw`."""


class Uncertainty:
    """Of all worlds of `env`."""

    def __init__(self, env: Any, randomization: Randomization) -> None:
        """Objects are entities that move freely and have no joints of their own."""
        self._randomization, count = randomization, env.num_envs
        self._seed = torch.zeros(count, dtype=torch.int64, device=env.device)
        self._moment = torch.zeros(count, dtype=torch.int64, device=env.device)
        wanted = [name for name, factor in FIELDS.items() if getattr(randomization, factor)]
        env.sim.expand_model_fields(tuple(wanted))
        things = [thing for thing in env.scene.entities.values() if not (thing.is_articulated or thing.is_fixed_base)]
        self._parts: dict[str, tuple[Tensor, Tensor, Tensor]] = {}
        for name in wanted:
            kind = "body_ids" if name.startswith("body") else "geom_ids"
            places = torch.cat([getattr(thing.indexing, kind) for thing in things])
            field = _tensor(getattr(env.sim.wp_model, name))
            self._parts[name] = field, places, field[:, places].clone()

    def begin(self, lanes: Tensor, seeds: Sequence[int]) -> None:
        """The episodes of `seeds` in `lanes` (n,)."""
        self._moment[lanes] = 0
        self._seed[lanes] = torch.tensor([seed % 2**63 for seed in seeds], device=lanes.device)
        draws = [Draw(self._randomization, seed) for seed in seeds] if self._parts else []
        for name, (field, places, nominal) in self._parts.items():
            factor = torch.tensor(
                [getattr(draw, FIELDS[name]) for draw in draws], dtype=field.dtype, device=field.device
            )
            field[lanes[:, None], places] = nominal[lanes] * factor.view(-1, *[1] * (nominal.ndim - 1))

    def step(self) -> None:
        """A step on, in all worlds."""
        self._moment += 1

    def seen(self, known: Tensor) -> Tensor:
        """What only a simulator knows, (N, K), as it is seen."""
        if not self._randomization.object_noise:
            return known
        even = known.shape[1] + known.shape[1] % 2
        drawn = normal(self._seed, self._moment * even, even)[: known.shape[1]].T
        return known + self._randomization.object_noise * drawn


def _tensor(array: Any) -> Tensor:
    import warp

    return warp.to_torch(array)
