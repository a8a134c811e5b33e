"""A stage's folder: locked, refused when something differs, movable, repeatable."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from burnish.commands import stage
from burnish.errors import BurnishError
from burnish.files import write_json


@dataclass(frozen=True)
class Settings:
    rate: float = 1e-3
    sizes: tuple[int, ...] = (64, 64)
    horizon: int | None = None


@dataclass(frozen=True)
class Config:
    policy: Path
    out: Path
    train: Settings = field(default_factory=Settings)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    checkpoint(tmp_path / "imitate/policy", "a")
    return Config(tmp_path / "imitate/policy", tmp_path / "refine", Settings(sizes=(32, 16)))


def checkpoint(folder: Path, mark: str) -> None:
    write_json(folder / "config.json", {"files": {"model.safetensors": {"sha256": mark}}})


def test_a_config_comes_back_from_what_it_wrote(config: Config):
    data = stage.to_json(config)
    assert data["policy"] == "../imitate/policy"
    assert stage.from_json(Config(Path(), config.out), data, config.out) == config


def test_fields_that_a_run_did_not_record_keep_their_defaults(config: Config):
    data = stage.to_json(config)
    del data["train"]["rate"]
    assert stage.from_json(Config(Path(), config.out), data, config.out) == config


def test_runs_can_be_moved_together(config: Config, tmp_path: Path):
    with stage.open_stage("refine", config) as run:
        run.finish({})
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for name in ("imitate", "refine"):
        shutil.move(tmp_path / name, moved / name)
    with stage.open_stage("refine", replace(config, policy=moved / "imitate/policy", out=moved / "refine")) as run:
        assert run.result is not None


def test_other_settings_are_refused(config: Config):
    with stage.open_stage("refine", config) as run:
        run.log(1, loss=0.5)
    other = replace(config, train=Settings(rate=0.5))
    with pytest.raises(BurnishError, match="made with other settings"), stage.open_stage("refine", other):
        pass


def test_an_input_that_changed_is_refused(config: Config):
    with stage.open_stage("refine", config) as run:
        run.finish({})
    checkpoint(config.policy, "b")
    with pytest.raises(BurnishError, match="policy_fingerprint"), stage.open_stage("refine", config):
        pass


def test_a_file_that_changed_is_refused(config: Config, tmp_path: Path):
    config = replace(config, policy=tmp_path / "bank.safetensors")
    config.policy.write_bytes(b"a")
    with stage.open_stage("refine", config) as run:
        run.finish({})
    config.policy.write_bytes(b"b")
    with pytest.raises(BurnishError, match="policy_fingerprint"), stage.open_stage("refine", config):
        pass


def test_an_input_that_is_not_there_leaves_nothing_behind(config: Config, tmp_path: Path):
    wrong = replace(config, policy=tmp_path / "nowhere")
    with pytest.raises(BurnishError, match="nowhere: nothing there"), stage.open_stage("refine", wrong):
        pass
    assert not config.out.exists()


def test_a_stage_that_fails_before_it_did_anything_leaves_nothing_behind(config: Config):
    def begin() -> None:
        with stage.open_stage("refine", config):
            raise BurnishError("the checkpoint does not fit the task")

    with pytest.raises(BurnishError, match="does not fit"):
        begin()
    assert not config.out.exists()


def test_what_an_interrupted_stage_logged_is_on_disk(config: Config):
    def interrupted() -> None:
        with stage.open_stage("refine", config) as run:
            run.log(1, loss=0.5)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    (events,) = (config.out / "tensorboard").iterdir()
    assert b"loss" in events.read_bytes()


def test_two_processes_do_not_share_a_folder(config: Config):
    code = f"""
import sys
from pathlib import Path
from burnish.commands.stage import lock
with lock(Path({str(config.out)!r})):
    print("held", flush=True)
    sys.stdin.read()
"""
    with subprocess.Popen([sys.executable, "-c", code], stdin=-1, stdout=-1, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(BurnishError, match="another burnish is working there"), stage.lock(config.out):
            pass
        other.kill()
    with stage.lock(config.out):
        pass


def test_a_file_is_no_folder_for_a_run(config: Config):
    config.out.write_text("mine")
    with (
        pytest.raises(BurnishError, match="refine is a file; choose another --out"),
        stage.open_stage("refine", config),
    ):
        pass
    assert config.out.read_text() == "mine"
