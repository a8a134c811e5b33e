"""A Ray cluster of two nodes of one CPU each, on this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")  # workers run in this environment as it is
os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # all addresses are 127.0.0.1
TRIES = 3
NODE = {"num_cpus": 1, "node_ip_address": "127.0.0.1", "object_store_memory": 100_000_000}


@pytest.fixture(scope="module")
def running() -> Iterator[Any]:
    import ray
    from ray.cluster_utils import Cluster

    cluster = Cluster()
    for left in reversed(range(TRIES)):
        try:
            cluster.add_node(**NODE, include_dashboard=False)
            break
        except Exception:  # Ray gives a node 30 s to come up, which on a busy machine is little
            cluster.shutdown()
            if not left:
                raise
    ray.init(cluster.address, log_to_driver=False)
    yield cluster
    ray.shutdown()
    cluster.shutdown()


@pytest.fixture
def cluster(running: Any) -> Any:
    """With both nodes, whatever became of the second one before."""
    if not running.worker_nodes:
        running.add_node(**NODE)
        running.wait_for_nodes()
    return running
