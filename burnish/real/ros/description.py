"""What a policy's node tells of its policy, so that a robot's node can check whether both fit before anything moves."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from burnish.contract import STATE, Contract, Field
from burnish.errors import CorruptFileError


@dataclass(frozen=True)
class Description:
    """Of a policy, as JSON on the topic `policy`.

    Attributes:
        policy: its name.
        contract: what it reads and what it commands.
        horizon: actions per chunk; None if they vary.
        replan: actions to execute from each chunk before the next one is asked for.
        realtime: whether it goes on with a chunk that is being executed.
        asks: keys of the contract that the robot's node tells; the policy's node sees to the others.
        trained: ranges of what it was trained to move, by name; empty where that is one thing.
    """

    policy: str
    contract: Contract
    horizon: int | None
    replan: int
    realtime: bool
    asks: tuple[str, ...] = (STATE,)
    trained: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    @property
    def told(self) -> dict[str, Field]:
        """What the robot's node tells, by key, in order."""
        return {key: self.contract.observation[key] for key in self.asks if key in self.contract.observation}

    def to_json(self) -> str:
        """The inverse of `from_json`."""
        rest = {key: value for key, value in vars(self).items() if key != "contract"}
        return json.dumps(rest | {"contract": self.contract.to_json()})

    @classmethod
    def from_json(cls, text: str) -> Description:
        """Raises `CorruptFileError` if it is none."""
        try:
            told = json.loads(text)
            contract = Contract.from_json(told.pop("contract"), source="topic policy")
            asks, trained = tuple(told.pop("asks")), told.pop("trained")
            trained = {name: (float(low), float(high)) for name, (low, high) in trained.items()}
            return cls(contract=contract, asks=asks, trained=trained, **told)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise CorruptFileError(f"topic policy: not a policy's description: {error}") from error
