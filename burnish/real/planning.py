"""Where plans come from: a policy server, on this computer in a process of its own, or on another one.

A policy that crashes or hangs takes nothing else with it: not the robot's control process, not the recording.
"""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import numpy as np

from burnish import processes
from burnish.contract import Contract
from burnish.errors import BurnishError
from burnish.real.server.access import read_token
from burnish.real.server.client import RemotePolicy

TIMEOUT_S = 2.0
"""A plan that takes longer is none."""
START_S = 120.0
"""A large checkpoint is read, and its first plan compiled, in less."""
LISTENING = re.compile(rb"ws://[^\s]+:\d+")


class Plans:
    """A connection to a policy server that can be renewed.

    Attributes:
        rate_hz: of the policy's actions.
        replan: actions to execute from each chunk before the next one is asked for.
        trained: ranges of what it was trained to move, where it says so.
    """

    def __init__(self, address: str, token: str | None = None, rate_hz: float | None = None) -> None:
        """`rate_hz`: of a policy whose server does not tell. Raises `BurnishError` if it is needed and missing."""
        self._address, self._token = address, token
        self._remote: RemotePolicy | None = None
        self.renew()
        remote = self._remote
        assert remote is not None
        self.contract: Contract | None = remote.contract
        self.realtime: bool = remote.realtime
        self.trained = remote.trained
        told = None if self.contract is None else self.contract.action.rate_hz or None
        wanted = told if rate_hz is None else rate_hz
        if wanted is None:
            raise BurnishError(f"{address} does not say how many actions a second it plans; give --rate-hz")
        if told is not None and wanted != told:
            raise BurnishError(f"--rate-hz {wanted:g}: the policy was made for {told:g} actions a second; leave it out")
        self.rate_hz = float(wanted)
        self.replan = remote.replan or remote.horizon or 1

    def renew(self) -> None:
        """Connect, again after a failure. Raises `BurnishError` if there is no server."""
        if self._remote is not None:
            self._remote.close()
        self._remote = RemotePolicy(self._address, self._token, timeout_s=TIMEOUT_S)

    def plan(self, obs: Mapping[str, Any], previous: np.ndarray | None = None, frozen: int = 0) -> np.ndarray:
        """(H, A) from one observation; see `RemotePolicy.plan`."""
        assert self._remote is not None
        return self._remote.plan(obs, previous, frozen)

    def close(self) -> None:
        """Hang up."""
        if self._remote is not None:
            self._remote.close()


class LocalPlans(Plans):
    """A policy server of its own, in a process of its own.

    Attributes:
        process: the server's.
    """

    def __init__(self, checkpoint: str, log: Path, rate_hz: float | None = None) -> None:
        """Start `burnish serve CHECKPOINT`; what it says goes to `log`."""
        self._checkpoint, self._log, self._fresh = checkpoint, log, False
        token = read_token(None)  # the server reads the same environment, and wants what is there
        self._start()
        try:
            super().__init__(self._address, token, rate_hz)
        except BurnishError:
            self.close()
            raise

    def renew(self) -> None:
        """Connect again, to a new server if the old one died or hangs."""
        if not self._fresh:
            self._stop()
            self._start()
        self._fresh = False  # whatever comes of it, the next time there is a new one
        super().renew()

    def close(self) -> None:
        """End the server."""
        super().close()
        self._stop()

    def _start(self) -> None:
        command = [sys.executable, "-m", "burnish", "serve", self._checkpoint, "--port", "0"]
        # Ctrl-C is for the owner, who needs plans until the robot stands.
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True, env=processes.owned()
        )
        said, found = [], threading.Event()
        assert self.process.stderr is not None
        threading.Thread(target=_copy, args=(self.process.stderr, self._log, said, found), daemon=True).start()
        if not found.wait(START_S) or not (match := LISTENING.search(b"".join(said))):
            self._stop()
            last = b"".join(said).decode(errors="replace").strip().removeprefix("burnish: ")
            raise BurnishError(last or f"the policy server is not ready after {START_S:g} s; see {self._log}")
        self._address, self._fresh = match.group().decode(), True

    def _stop(self) -> None:
        self.process.kill()
        self.process.wait()


@contextmanager
def open_plans(policy: str, folder: Path, *, token: str | None = None, rate_hz: float | None = None) -> Iterator[Plans]:
    """`policy`: ws://HOST:PORT of a server, or a checkpoint to serve from here, whose log is in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    plans = Plans(policy, token, rate_hz) if is_server(policy) else LocalPlans(policy, folder / "policy.log", rate_hz)
    try:
        yield plans
    finally:
        plans.close()


def is_server(policy: str) -> bool:
    """Whether it is the address of a policy server, not a folder."""
    return policy.startswith(("ws://", "wss://"))


def _copy(source: IO[bytes], log: Path, said: list[bytes], found: threading.Event) -> None:
    for line in source:
        if not found.is_set():
            said.append(line)
        with suppress(OSError), log.open("ab", 0) as file:  # a server whose words nobody takes would wait, disk or not
            file.write(line)
        if LISTENING.search(line):
            found.set()
    found.set()  # it ended
