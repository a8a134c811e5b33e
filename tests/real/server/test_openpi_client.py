"""openpi's own client, unmodified, in an interpreter of its own: it wants a numpy older than ours."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from burnish.contract import STATE
from burnish.real.server.planner import ExportedPlanner

PACKAGES = ("openpi-client==0.1.2", "numpy<2", "websockets", "typing-extensions")
"""The last is what openpi's client imports without saying so."""
SCRIPT = """
import json, sys
import numpy as np
from openpi_client.action_chunk_broker import ActionChunkBroker
from openpi_client.websocket_client_policy import WebsocketClientPolicy

assert np.__version__ < "2"
port, key = int(sys.argv[1]), sys.argv[2] or None
policy = WebsocketClientPolicy("127.0.0.1", port, api_key=key)
told = policy.get_server_metadata()
obs = {"observation.state": np.linspace(-1, 1, 6), "burnish/seed": 4}
first = policy.infer(obs)
try:
    policy.infer({**obs, "observation.state": np.zeros(5)})
except RuntimeError as error:
    refused = str(error)
again = policy.infer(obs)
broker = ActionChunkBroker(policy, told["replan"])
played = [broker.infer({**obs, "burnish/seed": np.int64(4)})["actions"].tolist() for _ in range(told["replan"])]
print(json.dumps({
    "told": told, "actions": first["actions"].tolist(), "dtype": str(first["actions"].dtype), "refused": refused,
    "infer_ms": first["server_timing"]["infer_ms"], "again": again["actions"].tolist(), "played": played,
}))
"""


@pytest.fixture(scope="session")
def interpreter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with openpi's client."""
    uv = shutil.which("uv")
    if uv is None:
        pytest.skip("no uv on the path, which installs openpi-client: pip install uv")
    folder = tmp_path_factory.mktemp("openpi")
    python = folder / "venv/bin/python"
    elsewhere = [uv, "--directory", str(folder)]  # where this project's own numpy is not asked for
    make = [*elsewhere, "venv", "--quiet", "--python", "3.12", "venv"]
    install = [*elsewhere, "pip", "install", "--quiet", "--python", str(python), *PACKAGES]
    for command in (make, install):
        try:
            subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        except subprocess.SubprocessError as error:
            why = getattr(error, "stderr", "") or error
            pytest.skip(f"{' '.join(PACKAGES)}: cannot be installed; is a package index within reach? {why}")
    return python


@pytest.mark.parametrize("token", [None, "open-sesame"])
def test_openpis_client_works_as_it_is(interpreter, exported, serving, token):
    with serving(ExportedPlanner(exported), token=token) as address:
        port = address.split(":")[1]
        environment = {key: value for key, value in os.environ.items() if "proxy" not in key.lower()}
        words = [str(interpreter), "-c", SCRIPT, port, token or ""]
        done = subprocess.run(words, capture_output=True, text=True, env=environment, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    obs = {STATE: np.linspace(-1, 1, 6, dtype=np.float32)}
    expected = ExportedPlanner(exported).plan(obs, np.random.default_rng(4))
    assert np.array_equal(found["actions"], expected)
    assert found["dtype"] == "float32"
    assert found["again"] == found["actions"]
    assert np.array_equal(found["played"], expected[:4])
    assert "observation.state: the shape (5,), expected (6,)" in found["refused"]
    assert found["infer_ms"] > 0
    assert (found["told"]["horizon"], found["told"]["policy"]) == (8, "meanflow")
