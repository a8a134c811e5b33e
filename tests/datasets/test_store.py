"""A dataset on disk: lerobot opens it, we read back what was written, and damage is named."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from burnish.contract import ACTION, STATE, Contract, Field
from burnish.datasets.demonstrations import Demonstrations, Episode
from burnish.datasets.store import load_demonstrations, write_dataset
from burnish.errors import BurnishError, CorruptFileError

POINTS = "observation.points"
CONTRACT = Contract(
    {
        STATE: Field((3,), ("a", "b", "c"), ("m", "m", "1"), "world", 80.0, "mean_std"),
        POINTS: Field((4, 3), ("x", "y", "z"), ("m",) * 3, "world", 80.0, "identity"),
    },
    Field((2,), ("x", "gripper"), ("m", "1"), "world", 80.0, "min_max", low=(-1.0, -1.0), high=(1.0, 1.0)),
)
LENGTHS = (5, 3, 4)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Demonstrations, Path]:
    random = np.random.default_rng(0)
    episodes = [
        Episode(
            {STATE: _normal(random, length, 3), POINTS: _normal(random, length, 4, 3)},
            _normal(random, length, 2),
        )
        for length in LENGTHS
    ]
    demos = Demonstrations.of(CONTRACT, "metaworld/reach", episodes)
    folder = tmp_path_factory.mktemp("store") / "reach"
    write_dataset(demos, folder)
    return demos, folder


@pytest.fixture
def copied(written: tuple[Demonstrations, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(written[1], tmp_path / "reach"))


def test_what_is_read_is_what_was_written(written):
    demos, folder = written
    read = load_demonstrations(folder)
    assert read.contract == demos.contract
    assert read.task == "metaworld/reach"
    assert read.lengths.tolist() == list(LENGTHS)
    assert read.starts.tolist() == [0, 5, 8]
    assert read.ends.tolist() == [5, 8, 12]
    assert read.episode_index.tolist() == [0] * 5 + [1] * 3 + [2] * 4
    assert np.array_equal(read.action, demos.action)
    for key in (STATE, POINTS):
        assert np.array_equal(read.obs[key], demos.obs[key])
        assert read.obs[key].dtype == np.float32


def test_lerobot_opens_it_and_sees_the_same_frames(written):
    demos, folder = written
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

    dataset = LeRobotDataset("burnish/reach", root=folder, video_backend="pyav")
    assert len(dataset) == sum(LENGTHS)
    assert dataset.meta.total_episodes == len(LENGTHS)
    assert dataset.meta.fps == 80
    assert dataset.meta.features[ACTION]["names"] == ["x", "gripper"]
    for row in range(len(dataset)):
        frame: Any = dataset[row]
        assert np.array_equal(frame[ACTION].numpy(), demos.action[row])
        assert np.array_equal(frame[STATE].numpy(), demos.obs[STATE][row])
        assert np.array_equal(frame[POINTS].numpy(), demos.obs[POINTS][row])
        assert int(frame["episode_index"]) == demos.episode_index[row]
        assert frame["task"] == "metaworld/reach"


def _files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("name", ["data/chunk-000/file-000.parquet", "meta/tasks.parquet", "meta/info.json"])
@pytest.mark.parametrize("damage", ["truncate", "flip", "remove"])
def test_damage_names_the_file(copied: Path, name: str, damage: str):
    file = copied / name
    data = file.read_bytes()
    if damage == "truncate":
        file.write_bytes(data[: len(data) // 2])
    elif damage == "flip":
        middle = len(data) // 2
        file.write_bytes(data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :])
    else:
        file.unlink()
    before = _files(copied)
    with pytest.raises(CorruptFileError, match=file.name):
        load_demonstrations(copied)
    assert _files(copied) == before


def test_a_damaged_file_is_named_without_recorded_marks_too(copied: Path):
    (copied / "meta/sha256.json").unlink()
    file = copied / "data/chunk-000/file-000.parquet"
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(CorruptFileError, match=r"file-000\.parquet.*copy the dataset again"):
        load_demonstrations(copied)


def test_a_dataset_made_by_others_needs_a_contract(copied: Path):
    (copied / "contract.json").unlink()
    with pytest.raises(BurnishError, match=r"contract\.json.*units"):
        load_demonstrations(copied)


def test_a_contract_that_does_not_fit_the_columns_is_named(copied: Path):
    (copied / "meta/sha256.json").unlink()
    path = copied / "contract.json"
    contract = json.loads(path.read_text())
    contract["observation"]["observation.force"] = contract["observation"][STATE]
    contract["action"]["rate_hz"] = 20.0
    path.write_text(json.dumps(contract))
    with pytest.raises(CorruptFileError, match=r"(?s)observation\.force.*80 fps.*20\.0 Hz"):
        load_demonstrations(copied)


def test_a_missing_folder_says_how_to_make_one(tmp_path: Path):
    with pytest.raises(CorruptFileError, match="burnish collect"):
        load_demonstrations(tmp_path / "none")


def test_a_failed_write_leaves_the_earlier_dataset_whole(written, copied: Path):
    demos, _ = written
    broken = Demonstrations(CONTRACT, demos.task, demos.obs, demos.action.astype(np.float64), demos.lengths)
    with pytest.raises(ValueError, match="dtype"):
        write_dataset(broken, copied)
    assert np.array_equal(load_demonstrations(copied).action, demos.action)
    assert [path.name for path in copied.parent.iterdir()] == ["reach"]


def _normal(random: np.random.Generator, *shape: int) -> np.ndarray:
    return random.standard_normal(shape).astype(np.float32)
