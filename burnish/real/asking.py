"""Plans, made in a thread: asking for one never blocks the owner of a robot, however long it takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

import numpy as np

from burnish.contract import STATE, Contract
from burnish.errors import BurnishError
from burnish.real.base import Robot
from burnish.real.mailbox import LONGEST, Row
from burnish.real.player import Chunk


class Plans(Protocol):
    """What plans: `burnish.real.server.client.RemotePolicy`, or a policy in this process."""

    @property
    def contract(self) -> Contract | None:
        """What observations and actions mean; None where nobody says."""
        ...

    @property
    def realtime(self) -> bool:
        """Whether it goes on with what is being executed."""
        ...

    def plan(self, obs: Mapping[str, np.ndarray], previous: np.ndarray | None = None, frozen: int = 0) -> np.ndarray:
        """(H, A) from one observation; `previous` (K, A) is under way, `frozen` of it will have been executed."""
        ...

    def renew(self) -> None:
        """Be ready again after a failure. Raises `BurnishError` if that cannot be."""
        ...


class Asking:
    """One question at a time."""

    def __init__(
        self,
        plans: Plans,
        senses: Mapping[str, Callable[[], np.ndarray]],
        robot: Robot,
        rate_hz: float,
        *,
        realtime: bool,
    ) -> None:
        """`senses`: observations that the `robot` itself does not give; `rate_hz`: of the actions."""
        self._plans, self._senses, self._realtime, self._period_s = plans, senses, realtime, 1 / rate_hz
        self._size, self._translator = robot.spec.action.shape[-1], robot.translator
        self._pool = ThreadPoolExecutor(1, "planning")
        self.forget()

    @property
    def busy(self) -> bool:
        """Whether an answer is still owed."""
        return self._pending is not None and not self._pending.done()

    def forget(self) -> None:
        """What was asked or planned before is not gone on with."""
        self._pending: Future[tuple[Chunk, Chunk]] | None = None
        self._answering = -1
        self._chunk: Chunk | None = None
        self._played: Chunk | None = None

    def renew(self) -> None:
        """Begin anew after a failure. Raises `BurnishError` if an answer is still owed, or nobody can plan."""
        if self.busy:
            raise BurnishError("the policy still owes an answer; try again")
        self.forget()
        self._plans.renew()

    def ask(self, row: Row) -> None:
        """For the plan that the player wants from the state of `row`, unless it was asked for already."""
        if self._pending is None and row.asked >= 0 and row.asked != self._answering:
            self._answering = row.asked
            self._pending = self._pool.submit(self._plan, row)

    def answer(self) -> Chunk | None:
        """The set points of the plan that is ready.

        Raises `BurnishError` if it could not be made, is of another shape, or means nothing.
        """
        if self._pending is None or self.busy:
            return None
        pending, self._pending = self._pending, None
        self._chunk, self._played = pending.result()
        return self._played

    def close(self) -> None:
        """Wait for nobody."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _plan(self, row: Row) -> tuple[Chunk, Chunk]:
        """What the policy says, and what the robot is to play of it."""
        actions = np.asarray(self._ask(row), float)
        if actions.ndim != 2 or actions.shape[1] != self._size or not 0 < len(actions) <= LONGEST:
            raise BurnishError(f"it has the shape {actions.shape}, expected (1 … {LONGEST}, {self._size})")
        chunk = Chunk(row.asked, actions)
        return chunk, self._translated(chunk, row)

    def _translated(self, chunk: Chunk, row: Row) -> Chunk:
        """Gone on with from the action before, where one is being played; else from where the robot is."""
        if self._translator is None:
            return chunk
        start, before = row.setpoint, None
        if self._chunk is not None and self._played is not None:
            last = chunk.slot - 1 - self._chunk.slot
            if 0 <= last < len(self._chunk.actions) and np.isfinite(self._played.actions[last]).all():
                start, before = self._played.actions[last], self._chunk.actions[last]
        setpoints = self._translator.setpoints(chunk.actions, start, before, self._period_s)
        return Chunk(chunk.slot, setpoints)

    def _ask(self, row: Row) -> np.ndarray:
        obs, contract = {key: sense() for key, sense in self._senses.items()}, self._plans.contract
        if contract is None or STATE in contract.observation:
            obs[STATE] = row.state.astype(np.float32)
        rest = self._chunk.actions[row.asked - self._chunk.slot :] if self._realtime and self._chunk else ()
        if not len(rest):
            return self._plans.plan(obs)
        return self._plans.plan(obs, np.asarray(rest), min(row.delay, len(rest)))
