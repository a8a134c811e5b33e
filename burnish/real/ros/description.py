"""What a policy's node tells of its policy, so that a robot's node can check whether both fit before anything moves."""

from __future__ import annotations

import json
from dataclasses import dataclass

from burnish.contract import Contract
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
    """

    policy: str
    contract: Contract
    horizon: int | None
    replan: int
    realtime: bool

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
            return cls(contract=contract, **told)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise CorruptFileError(f"topic policy: not a policy's description: {error}") from error
