"""What git tracks: no address of a package index, no path of somebody's machine; the README's commands exist."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from burnish.cli import VERBS

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
    used = set(re.findall(r"(?:^|uv run |`)burnish (\w+)", text, re.MULTILINE))
    assert used <= set(VERBS)
    assert set(VERBS) <= used


def test_every_file_the_documents_link_to_exists():
    for document in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name} links to {target}"
