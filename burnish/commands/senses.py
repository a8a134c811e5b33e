"""What a policy observes besides the robot's own state, as `burnish deploy` is told: cameras, a tracker, a sentence."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, override

import numpy as np

from burnish import registry
from burnish.contract import ENVIRONMENT_STATE, TASK, Contract, encode_text
from burnish.errors import BurnishError
from burnish.opening import Opened
from burnish.real.base import Robot
from burnish.real.cameras.views import Views
from burnish.real.session import Session
from burnish.real.simulated import SimulatedProcess
from burnish.real.trackers.base import Tracker, load_tracker

if TYPE_CHECKING:
    from burnish.commands.deploy import Config


class Senses(Opened):
    """For `with`.

    Attributes:
        given: contract key → its latest value.
    """

    def __init__(
        self, config: Config, kind: type[Robot], contract: Contract | None, simulated: SimulatedProcess | None
    ) -> None:
        """Open what the policy of `contract` reads, and nothing else.

        Raises `BurnishError` that names what it reads and nobody gives, or what is given and it does not read.
        """
        super().__init__()
        self.given: dict[str, Callable[[], Any]] = {}
        self._config, self._contract, self._simulated = config, contract, simulated
        self._session, self._task = None, None
        self._own = kind.senses(config.robot)
        if contract is None and (config.cameras or config.task or config.instruction):
            raise BurnishError(
                f"{config.checkpoint} does not say what its policy reads, so that --cameras, --task and --instruction "
                "cannot be given to it; serve it with `burnish serve`"
            )

    def follow(self, session: Session) -> None:
        """What a tracker sees is told together with where this session's robot is."""
        self._session = session

    def verdict(self) -> str:
        """Whether the task is done, in words; "" without one."""
        if self._task is None:
            return ""
        return f"; {self._config.task} is {'' if self._task.solved() else 'not '}done"

    @override
    def _open(self) -> None:
        config, contract = self._config, self._contract
        if contract is None:
            return
        reads = contract.observation
        self.given |= {key: sense for key, sense in self._own.items() if key in reads}
        if config.task or ENVIRONMENT_STATE in reads.keys() - self.given.keys():
            self.given[ENVIRONMENT_STATE] = self._tracked(contract)
        if TASK in reads:
            told = encode_text(config.instruction, reads[TASK].shape[0])
            self.given[TASK] = lambda: told
        elif config.instruction:
            raise BurnishError(f"--instruction: this policy is told nothing; it reads {', '.join(sorted(reads))}")
        views = Views(config.cameras, contract, config.camera_timeout)
        self.given |= self._stack.enter_context(views).senses

    def _tracked(self, contract: Contract) -> Callable[[], np.ndarray]:
        """Of the task's things: their poses by the tracker, and what else it knows by the robot's own state."""
        config, simulated = self._config, self._simulated
        if ENVIRONMENT_STATE not in contract.observation:
            raise BurnishError(f"--task {config.task}: the policy does not read {ENVIRONMENT_STATE}; leave it out")
        if not (config.task and config.tracker):
            raise BurnishError(
                f"the policy reads {ENVIRONMENT_STATE}: of which task, and who sees it? "
                f"--task {config.name}/TASK --tracker {' or '.join(registry.trackers.names())}"
            )
        kind = registry.tracked_tasks.load(config.name)
        kind.check(config.task)
        self._task = task = kind(config.task, self._tracker(), self._state)
        task.serve(contract)
        if simulated is not None:
            simulated.ask("place", **task.begin(config.seed))
        else:
            task.aim(config.target)
        return task.know

    def _tracker(self) -> Tracker:
        name, _, address = self._config.tracker.partition(":")
        kind, own = load_tracker(name), self._simulated
        if not address and own is not None:
            address = str(own.door)
        if not address:
            raise BurnishError(f"--tracker {name}: say where it is, {name}:ADDRESS")
        tracker = kind(kind.Config(int(address) if address.isdigit() else address))
        self._stack.callback(tracker.close)
        return tracker

    def _state(self) -> np.ndarray:
        """(S,) the robot's latest."""
        assert self._session is not None and self._session.row is not None
        return self._session.row.state
