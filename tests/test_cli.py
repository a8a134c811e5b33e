"""The command as a user meets it: help, mistakes, a light base install."""

from __future__ import annotations

import subprocess
import sys

import pytest

from burnish.cli import VERBS, main

HEAVY = ("torch", "tyro", "rich", "numpy", "onnxruntime")
TRAINING = ("torch", "lerobot", "diffusers", "metaworld", "mujoco", "datasets", "pyarrow", "onnx", "tensorboard")


def test_help_lists_every_verb_and_imports_nothing_heavy():
    code = (
        "import sys, burnish, burnish.cli\n"
        "assert burnish.cli.main(['--help']) == 0\n"
        f"print(*[name for name in {HEAVY} if name in sys.modules], sep='!')"
    )
    lines = _python(code).stdout.splitlines()
    assert lines[-1] == ""
    assert all(any(line.split()[:1] == [verb] for line in lines) for verb in VERBS)


def test_version(capsys: pytest.CaptureFixture[str]):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("burnish 0.")


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["colect"], "'collect'"),
        (["train", "meanflw"], "'meanflow'"),
        (["refine", "residul"], "'residual'"),
        (["train", "meanflow", "--train.stepz", "3"], "'--train.steps'"),
        (["train", "meanflow", "--policy.horizn=3"], "'--policy.horizon'"),
        (["demo", "--sed", "3"], "'--seed'"),
        (["demo", "--action-scale", "3"], "'--refine.action-scale'"),
        (["collect", "metaworld/peg-insert-sid", "--out", "{tmp}/x"], "'metaworld/peg-insert-side'"),
        (["collect", "metawrld/reach", "--out", "{tmp}/x"], "'metaworld'"),
        (["collect", "reach", "--out", "{tmp}/x"], "metaworld/reach"),
        (["collect"], "needs the task as its first word"),
        (["eval", "{tmp}/nowhere", "--task", "metaworld/reach", "--out", "{tmp}/x"], "nowhere: nothing there"),
        (["report", "{tmp}/nowhere"], "no runs there"),
        (["rerun", "{tmp}/nowhere", "--out", "{tmp}/x"], "config.json: the file is missing"),
    ],
)
def test_a_mistake_is_answered_with_the_way_out(words, hint, tmp_path, capsys):
    assert main([word.format(tmp=tmp_path) for word in words]) == 2
    error = capsys.readouterr().err
    assert hint in error
    assert "Traceback" not in error
    assert not (tmp_path / "x").exists()


def test_a_value_of_the_wrong_kind_names_its_flag(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["demo", "--refine.env-steps", "many"])
    assert stop.value.code == 2
    assert "--refine.env-steps" in capsys.readouterr().err


def test_an_extra_that_is_not_installed_is_named(tmp_path):
    done = _python(
        "import sys; sys.modules['torch'] = None\n"
        f"words = ['collect', 'metaworld/reach', '--out', {str(tmp_path / 'x')!r}]\n"
        "from burnish.cli import main; sys.exit(main(words))"
    )
    assert done.returncode == 2
    assert "pip install 'burnish[train]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_base_install_imports_without_the_extras():
    light = "contract errors files registry checkpoint agent run console cli commands.flags commands.stage report.page "
    light += "commands.serve real.server.client"
    code = f"import sys, importlib\nfor name in {TRAINING}: sys.modules[name] = None\n"
    code += f"for name in {light.split()}: importlib.import_module('burnish.' + name)"
    assert _python(code).returncode == 0


def _python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
