"""`burnish eval` on LIBERO: the field's protocols from the command line, and mistakes answered before anything runs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from burnish.cli import main
from burnish.contract import ACTION, TASK, encode_text
from burnish.policies.base import make_policy, save_policy
from burnish.sim.libero.env import CONTRACT
from burnish.sim.libero.lane import INSTRUCTION_BYTES

INSTRUCTION = "pick up the bbq sauce and place it in the basket"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    """A policy that was never trained. Its statistics bring their sentence embedding along."""
    stats = {}
    for key, field in {**CONTRACT.observation, ACTION: CONTRACT.action}.items():
        size = field.shape[-1]
        moments = {"mean": 0, "std": 1, "min": -1, "max": 1}
        stats[key] = {name: np.full(field.shape, value, np.float32) for name, value in moments.items()}
        stats[key] |= {"count": np.array(1), "covariance": np.eye(size, dtype=np.float32)}
    text = encode_text(INSTRUCTION, INSTRUCTION_BYTES)[None]
    parts = {"embedding": np.zeros((1, 4)), "mean": np.zeros(4), "projection": np.zeros((4, 16))}
    stats[TASK] = {"text": text} | {name: value.astype(np.float32) for name, value in parts.items()}
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("eval") / "policy"
    save_policy(make_policy("meanflow", CONTRACT, stats, width=8, horizon=8), folder)
    return folder


def read(path: Path):
    return json.loads(path.read_text())


@pytest.mark.timeout(300)
def test_a_task_by_openpis_rules(checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "eval"
    words = ["eval", str(checkpoint), "--protocol", "libero/object/3", "--trials", "2", "--first-trial", "30"]
    words += ["--replan", "protocol", "--eval.videos", "1", "--eval.video-size", "32", "--out", str(out)]
    assert main(words) == 0
    result = read(out / "result.json")
    assert (result["task"], result["episodes"], result["success"]) == ("libero/object/3", 2, 0)
    assert (result["replan"], result["replan_from"], result["restarts"]) == (5, "libero-openpi", 0)
    assert result["protocol"]["name"] == "libero-openpi" and result["protocol"]["horizon"] == 280
    lines = [json.loads(line) for line in (out / "episodes.jsonl").read_text().splitlines()]
    assert [(line["task"], line["trial"], line["init_state"], line["length"]) for line in lines] == [
        ("libero/object/3", 30, 30, 280),
        ("libero/object/3", 31, 31, 280),
    ]
    assert lines[0]["instruction"] == INSTRUCTION
    assert [path.name for path in (out / "videos").iterdir()] == ["object_task_3_trial_30_failure.mp4"]
    capsys.readouterr()
    assert main(words) == 0
    assert "already complete" in capsys.readouterr().err
    assert main([*words, "--replan", "own"]) == 2
    assert "replan: 'protocol' there, 'own' now" in capsys.readouterr().err


def test_without_libero_the_error_says_how_to_get_it(checkpoint: Path, tmp_path: Path):
    code = "import sys; sys.modules['libero'] = sys.modules['mujoco'] = None; from burnish.cli import main; "
    words = ["eval", str(checkpoint), "--protocol", "libero/object", "--out", str(tmp_path / "eval")]
    done = subprocess.run([sys.executable, "-c", code + f"sys.exit(main({words!r}))"], capture_output=True, text=True)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "LIBERO is not installed" in done.stderr and "pip install 'burnish[libero]'" in done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "either --task SIMULATOR/TASK or --protocol"),
        (["--task", "libero/object", "--protocol", "libero/object"], "either --task SIMULATOR/TASK or --protocol"),
        (["--task", "libero/object", "--trials", "2"], "--trials and --first-trial belong to --protocol"),
        (["--protocol", "libero/objct"], "did you mean 'libero/object'?"),
        (["--protocol", "libero-openpie/object"], "did you mean 'libero-openpi'?"),
        (["--protocol", "libero/object", "--trials", "0"], "trials must be 1 or more, not 0"),
        (["--protocol", "libero/object", "--trials", "60"], "60 trials from number 0 on are too many"),
        (["--protocol", "libero/object/0", "--replan", "9"], "from 1 to 8 (the chunk)"),
        (["--protocol", "metaworld/pegg-insert", "--trials", "2"], "did you mean 'metaworld/peg-insert-side'?"),
    ],
)
def test_mistakes_leave_nothing_behind(checkpoint: Path, tmp_path: Path, capsys, words: list[str], message: str):
    assert main(["eval", str(checkpoint), *words, "--out", str(tmp_path / "eval")]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "eval").exists()
