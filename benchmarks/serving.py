"""Milliseconds from an observation sent to an action chunk received, over loopback, beside a bare websocket echo.

`uv run python benchmarks/serving.py [--quick]`. A one-step MeanFlow policy, exported, behind `burnish serve` in a
process of its own; the client is `RemotePolicy`. Once with a state of 39 numbers, once with an image of 224 × 224 in
addition. The peer is the floor: a server of the same library in a process of its own, which sends every message back,
and a client that sends it the same bytes. Calls alternate and medians are compared. The last line is JSON: `ours`,
`peer` and `ratio` (peer to ours, so 1 would be a server that costs nothing) are for the state alone.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from websockets.sync.client import connect

from burnish.contract import ACTION, IMAGES, STATE, Contract, Field
from burnish.policies.base import make_policy
from burnish.policies.export import ExportConfig, export
from burnish.real.server import wire
from burnish.real.server.client import RemotePolicy

SIDE = 224
IMAGE = f"{IMAGES}eye"
STATE_FIELD = Field((39,), tuple(f"s{i}" for i in range(39)), ("m",) * 39, "world", 80.0, "mean_std")
IMAGE_FIELD = Field((SIDE, SIDE, 3), ("r", "g", "b"), ("1/255",) * 3, "camera", 80.0, "identity", "uint8")
ACTION_FIELD = Field((4,), ("dx", "dy", "dz", "gripper"), ("m",) * 3 + ("1",), "world", 80.0, "min_max")
CASES = {"state": (STATE,), "state+image": (STATE, IMAGE)}
ECHO = """
import asyncio
from websockets.asyncio.server import serve

async def main():
    async def echo(connection):
        async for message in connection:
            await connection.send(message)
    async with serve(echo, "127.0.0.1", 0, compression=None, max_size=None) as server:
        print(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]} ", flush=True)
        await server.serve_forever()

asyncio.run(main())
"""


@contextmanager
def process(*words: str) -> Iterator[str]:
    """The address that a server of its own prints first."""
    with subprocess.Popen(
        [sys.executable, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as server:
        assert server.stdout is not None
        line = server.stdout.readline()
        found = re.search(r"ws://\S+", line)
        if found is None:
            raise SystemExit(line + server.stdout.read())
        try:
            yield found[0]
        finally:
            server.terminate()


def export_policy(keys: tuple[str, ...], folder: Path) -> None:
    fields = {STATE: STATE_FIELD, IMAGE: IMAGE_FIELD}
    contract = Contract({key: fields[key] for key in keys}, ACTION_FIELD)
    sizes, numbers = {STATE: (39,), IMAGE: (1, 1, 3), ACTION: (4,)}, {"mean": 0.0, "std": 1.0, "min": -1.0, "max": 1.0}
    stats = {key: {name: np.full(sizes[key], value, "f") for name, value in numbers.items()} for key in contract.fields}
    policy = make_policy("meanflow", contract, stats, horizon=16).eval()
    export(policy, folder, ExportConfig(observations=4, calls=1))


def measure(calls: dict[str, Callable[[], Any]], rounds: int) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {name: [] for name in calls}
    for name, call in [*calls.items()] * rounds:
        for _ in range(20):
            begin = time.perf_counter()
            call()
            times[name].append((time.perf_counter() - begin) * 1e3)
    return {name: values[20:] for name, values in times.items()}  # the first round warms up


def measure_case(keys: tuple[str, ...], folder: Path, rounds: int) -> dict[str, float]:
    rng = np.random.default_rng(0)
    values = {STATE: rng.normal(size=39).astype("f"), IMAGE: rng.integers(256, size=(SIDE, SIDE, 3), dtype=np.uint8)}
    obs = {key: values[key] for key in keys}
    data = wire.pack(obs)
    with process("-m", "burnish", "serve", str(folder), "--port", "0") as ours, process("-c", ECHO) as peer:
        options: dict[str, Any] = {"compression": None, "max_size": None, "proxy": None}
        with RemotePolicy(ours) as remote, connect(peer, **options) as bare:

            def echo() -> None:
                bare.send(data)
                bare.recv()

            times = measure({"ours": lambda: remote.plan(obs), "peer": echo}, rounds)
    for name, values in times.items():
        print(f"{folder.name:11} {name:5} p50 {np.median(values):.3f} ms   p99 {np.percentile(values, 99):.3f} ms")
    return {name: statistics.median(values) for name, values in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer calls")
    rounds = 10 if parser.parse_args().quick else 50
    torch.manual_seed(0)
    found = {}
    with tempfile.TemporaryDirectory() as root:
        for case, keys in CASES.items():
            export_policy(keys, Path(root) / case)
        for case, keys in CASES.items():
            found[case] = measure_case(keys, Path(root) / case, rounds)
    state, image = found.values()
    result = {"name": "serving", **state, "unit": "ms", "ratio": state["peer"] / state["ours"]}
    result |= {"ours_image": image["ours"], "peer_image": image["peer"]}
    print(json.dumps({key: round(value, 4) if isinstance(value, float) else value for key, value in result.items()}))


if __name__ == "__main__":
    main()
