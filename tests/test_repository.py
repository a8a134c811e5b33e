"""What git tracks: no address of a package index, no path of somebody's machine; the README's commands exist."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from burnish.cli import VERBS
from burnish.contract import Contract, Field

ROOT = Path(__file__).resolve().parents[1]
FORBIDDEN = re.compile(
    r"https?://[^\s\"')]*(?:/simple\b|pypi|pythonhosted|jfrog|artifactory|nexus|download\.pytorch)|"
    r"--(?:extra-)?index-url|(?<![\w.])/(?:home|root|Users)/\w",
    re.IGNORECASE,
)


def tracked_texts() -> dict[str, str]:
    """Path → content of every text file that git tracks."""
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        pytest.skip("not a git checkout")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    paths = [ROOT / name for name in listed.split("\0") if name and name != "tests/test_repository.py"]
    texts = {}
    for path in paths:
        if path.is_file():
            try:
                texts[path.relative_to(ROOT).as_posix()] = path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue
    return texts


def test_no_tracked_file_names_a_package_index_or_a_home_folder():
    found = {name: match[0] for name, text in tracked_texts().items() if (match := FORBIDDEN.search(text))}
    assert not found


def test_the_lock_file_is_not_tracked():
    assert "uv.lock" not in tracked_texts()


def test_every_command_in_the_readme_exists():
    text = (ROOT / "README.md").read_text()
    used = set(re.findall(r"(?:^|uv run |`)burnish ([a-z-]+)", text, re.MULTILINE))
    assert used <= set(VERBS)
    assert set(VERBS) <= used


def test_every_file_the_documents_link_to_exists():
    for document in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name} links to {target}"


def test_the_readmes_example_policy_learns():
    import torch

    code = re.findall(r"```python\n(# burnish/policies/.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)[0]
    names: dict = {}
    exec(code, names)
    field = {"frame": "world", "rate_hz": 10.0, "normalization": "identity"}
    action = Field(shape=(2,), names=("x", "y"), unit=("m", "m"), **field)
    contract = Contract({"observation.state": action}, action)
    numbers = {key: np.ones(2, np.float32) for key in ("mean", "std", "min", "max")}
    policy = names["Regression"](names["RegressionConfig"](), contract, dict.fromkeys(contract.fields, numbers))
    batch = {"observation.state": torch.rand(16, 2), "action": torch.rand(16, 8, 2)}
    optimizer = torch.optim.Adam(policy.parameters(), 1e-2)
    losses = []
    for _ in range(50):
        loss, _ = policy.loss(batch, torch.Generator())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 2
