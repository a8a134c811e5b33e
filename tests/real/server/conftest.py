"""An exported policy and a checkpoint of it, planners written for a test, and a server in a thread of this process."""

from __future__ import annotations

import asyncio
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
import pytest

from burnish.contract import ACTION, IMAGES, STATE, TASK, Contract, Field
from burnish.real.server.planner import ExportedPlanner, Planner
from burnish.real.server.server import PolicyServer, Settings

ACTION_FIELD = Field((4,), ("dx", "dy", "dz", "gripper"), ("m", "m", "m", "1"), "world", 80.0, "min_max")
CONTRACT = Contract({STATE: Field((6,), tuple("abcdef"), ("m",) * 6, "world", 80.0, "mean_std")}, ACTION_FIELD)
EYE = f"{IMAGES}eye"
SEEING = Contract(
    {
        **CONTRACT.observation,
        EYE: Field((8, 8, 3), ("r", "g", "b"), ("1/255",) * 3, "camera", 80.0, "identity", "uint8"),
        TASK: Field((16,), tuple(map(str, range(16))), ("1",) * 16, "world", 80.0, "identity", "uint8"),
    },
    ACTION_FIELD,
)


class Written(Planner):
    """Plans what a test wrote: a function of an observation, or of a chunk to go on with."""

    name, contract, horizon, replan, noise_shape = "written", CONTRACT, 3, 2, (3, 4)
    realtime_noise_shape = (3, 4)

    def __init__(self, act: Callable[..., Any], contract: Contract = CONTRACT, *, realtime: bool = False) -> None:
        self.act, self.contract, self.realtime = act, contract, realtime

    def _act(self, obs: Mapping[str, np.ndarray], noise: np.ndarray) -> np.ndarray:
        return np.broadcast_to(np.float32(self.act(obs)), (self.horizon, 4))

    def _go_on(self, obs: Mapping[str, np.ndarray], noise: Any, previous: np.ndarray, frozen: int) -> np.ndarray:
        return np.broadcast_to(np.float32(self.act(obs, previous, frozen)), (self.horizon, 4))


@contextmanager
def serve(planner: Planner, **settings: Any) -> Iterator[str]:
    """The address of a server that ends with the block."""
    found: SimpleQueue[Any] = SimpleQueue()

    async def run() -> None:
        server = PolicyServer(planner, Settings(**{"host": "127.0.0.1", "port": 0, **DEFAULTS, **settings}))
        stop = asyncio.Event()
        await server.run(stop, lambda host, port: found.put((host, port, asyncio.get_running_loop(), stop)))

    def work() -> None:
        try:
            asyncio.run(run())
        except Exception as error:
            found.put(error)

    thread = threading.Thread(target=work)
    thread.start()
    first = found.get(timeout=20)
    if isinstance(first, Exception):
        raise first
    host, port, loop, stop = first
    try:
        yield f"{host}:{port}"
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(20)
    assert not thread.is_alive()
    assert found.empty(), found.get()


DEFAULTS = {"token": None, "seed": 0, "max_message_bytes": 1_000_000}


def get(address: str, path: str, **headers: str) -> tuple[int, str]:
    """Status and text of an HTTP answer."""
    request = urllib.request.Request(f"http://{address}{path}", headers=headers)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=10) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """One policy twice: exported, and as a checkpoint."""
    import torch

    from burnish.policies.base import make_policy, save_policy
    from burnish.policies.export import ExportConfig, export

    numbers = {"mean": 0.0, "std": 1.0, "min": -1.0, "max": 1.0}
    sizes = {STATE: 6, ACTION: 4}
    stats = {key: {name: np.full(size, number, "f") for name, number in numbers.items()} for key, size in sizes.items()}
    torch.manual_seed(0)
    policy = make_policy("meanflow", CONTRACT, stats, width=16, depth=1, horizon=8, replan=4).eval()
    root = tmp_path_factory.mktemp("served")
    save_policy(policy, root / "checkpoint")
    export(policy, root / "exported", ExportConfig(observations=8, calls=2))
    return root / "exported", root / "checkpoint"


@pytest.fixture(scope="session")
def exported(folders: tuple[Path, Path]) -> Path:
    return folders[0]


@pytest.fixture(scope="session")
def checkpoint(folders: tuple[Path, Path]) -> Path:
    return folders[1]


@pytest.fixture(scope="module")
def address(exported: Path) -> Iterator[str]:
    """A server of the exported policy for all tests of a file."""
    with serve(ExportedPlanner(exported)) as found:
        yield found


@pytest.fixture
def serving() -> Callable[..., Any]:
    return serve


@pytest.fixture
def written() -> type[Written]:
    return Written


@pytest.fixture(name="get")
def get_fixture() -> Callable[..., tuple[int, str]]:
    return get


@pytest.fixture
def seeing() -> Contract:
    return SEEING
