"""How episodes ended, by their numbers."""

from __future__ import annotations

import torch

from burnish.rl_finetune.arena import Played


class Outcomes:
    """Episode number 0 stands for demonstrations.

    Attributes:
        succeeded: 1 for each number of an episode that ended in success, else 0.
        ends: 1.0 for each success and 0.0 for each failure, in the order in which they ended.
    """

    def __init__(self, room: int) -> None:
        """`room`: episodes to begin with; it grows."""
        self.succeeded = torch.zeros(room)
        self.succeeded[0] = 1.0
        self.ends: list[float] = []

    def add(self, played: Played) -> None:
        """Note which of its episodes ended, and how."""
        begun = played.ended[:, 0] if played.transitions is None else played.transitions.episode
        most = int(max(begun.max() if len(begun) else 0, played.ended[:, 0].max() if len(played.ended) else 0))
        if most >= len(self.succeeded):
            self.succeeded = torch.cat([self.succeeded, torch.zeros(most + 1)])
        self.succeeded[played.ended[:, 0].long()] = played.ended[:, 1]
        self.ends += played.ended[:, 1].tolist()

    def recent(self, enough: bool) -> float | None:
        """Success rate of the last 100 episodes.

        None while there are fewer and, without `enough` steps for a whole episode, only quick successes are over.
        """
        last = self.ends[-100:]
        if len(last) < 100 and not enough:
            return None
        return sum(last) / max(len(last), 1)
