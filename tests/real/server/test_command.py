"""`burnish serve` as a process of its own: without torch, stopped by a signal, and its mistakes in one line."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from burnish.cli import main
from burnish.contract import STATE
from burnish.errors import ServerError
from burnish.real.server.client import RemotePolicy

WITHOUT_TORCH = """
import sys
from burnish.cli import main
status = main(sys.argv[1:])
heavy = {"torch", "lerobot", "diffusers", "onnx", "scipy", "pandas"} & sys.modules.keys()
sys.exit(f"imported {heavy}" if heavy else status)
"""


@contextmanager
def process(*words: object) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server and its address."""
    command = [sys.executable, "-c", WITHOUT_TORCH, "serve", *map(str, words), "--port", "0"]
    environment = {key: value for key, value in os.environ.items() if key != "BURNISH_TOKEN"}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as server:
        assert server.stderr is not None
        line = server.stderr.readline()
        found = re.search(r"ws://(\S+) ", line)
        assert found, line + server.stderr.read()
        try:
            yield server, found[1]
        finally:
            server.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_without_torch_until_a_signal(exported: Path, tmp_path: Path, number: signal.Signals):
    (tmp_path / "token").write_text("open-sesame\n")
    with process(exported, "--token-file", tmp_path / "token") as (server, address):
        with pytest.raises(ServerError, match="wants a token"):
            RemotePolicy(address)
        with RemotePolicy(address, "open-sesame") as remote:
            assert remote.plan({STATE: np.zeros(6)}).shape == (8, 4)
            server.send_signal(number)
            assert server.wait(10) == 0
            assert server.stderr is not None
            assert server.stderr.read() == "stopped\n"


def test_the_seed_and_the_largest_message_are_settings(exported: Path):
    with process(exported, "--seed", 5, "--max-message-mb", "0.001") as (_, address):
        with RemotePolicy(address) as one, RemotePolicy(address) as two:
            assert np.array_equal(one.plan({STATE: np.zeros(6)}), two.plan({STATE: np.zeros(6)}, seed=5))
        with RemotePolicy(address) as large, pytest.raises(ServerError, match="exceeds limit of 1000 bytes"):
            large.plan({STATE: np.zeros(1000)})


def test_mistakes_are_one_line_and_status_2(exported: Path, checkpoint: Path, tmp_path: Path, monkeypatch, capsys):
    monkeypatch.delenv("BURNISH_TOKEN", raising=False)

    def fails(*words: object) -> str:
        assert main(["serve", *map(str, words)]) == 2
        error = capsys.readouterr().err
        assert error.startswith("burnish: ")
        assert error.count("\n") == 1
        return error

    assert "nothing there" in fails(tmp_path / "nowhere")
    assert "format None" in fails(_with(tmp_path / "config.json", "{}").parent)
    assert "format None" in fails(_with(tmp_path / "policy.json", "{}").parent)
    assert "there is no token" in fails(exported, "--host", "0.0.0.0")
    assert "--device cuda: leave it out" in fails(exported, "--device", "cuda")
    assert "--device nonsense: " in fails(checkpoint, "--device", "nonsense")
    assert "--max-message-mb 0.0" in fails(exported, "--max-message-mb", 0)
    assert "--token-file" in fails(exported, "--token-file", tmp_path / "nowhere")
    assert "did you mean '--port'" in fails(exported, "--prot", 1)


def _with(path: Path, text: str) -> Path:
    path.write_text(text)
    return path
