"""A bag becomes a dataset: what was seen and done at each step, where episodes end, and damage is named."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from burnish.contract import ACTION, STATE, Contract
from burnish.datasets.convert.bag import BagReader
from burnish.datasets.convert.base import Frame, Options
from burnish.datasets.convert.convert import RECORD, convert
from burnish.datasets.convert.mcap import CHUNK, DATA_END, MAGIC, _decompress
from burnish.datasets.convert.meaning import image_field
from burnish.datasets.convert.staging import INTERVENTION
from burnish.datasets.store import load_demonstrations
from burnish.errors import BurnishError, CorruptFileError
from tests.datasets.convert import robot_bag as bags

WRIST = "observation.images.wrist"
OPTIONS = Options(images=8, shortest_s=0.5)


@pytest.fixture(scope="module")
def bag(tmp_path_factory) -> Path:
    """Three episodes: a hold ends the first, a verdict the second; a human drives in the middle of the third."""
    items = bags.steps(0, 30, jitter=0.2)
    items += [bags.verdict(bags.at(30), 0, "holding, as asked", phase="holding")]
    items += bags.steps(31, 20)
    items += [bags.verdict(bags.at(51), 2, "joint 2 too fast", rule="velocity")]
    items += bags.steps(80, 40)
    items += [bags.flag(bags.at(90) - 1, True), bags.flag(bags.at(110) - 1, False)]
    items += bags.steps(200, 3)
    return bags.write(tmp_path_factory.mktemp("bag") / "toy", items)


@pytest.fixture(scope="module")
def made(bag: Path, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("made") / "toy"
    convert(bag, out, OPTIONS)
    return out


def test_every_step_has_what_was_seen_before_its_command(made):
    demos = load_demonstrations(made)
    assert demos.task == "real/toy"
    assert demos.lengths.tolist() == [30, 20, 40]
    numbers = [*range(30), *range(31, 51), *range(80, 120)]
    assert demos.obs[STATE][:, 0].tolist() == numbers
    assert demos.action[:, 0].tolist() == [1000 + k for k in numbers]
    assert demos.obs[WRIST].shape == (90, 8, 8, 3)
    assert demos.obs[WRIST][:, 0, 0, 0].tolist() == numbers  # taken before the command, though it arrived after it


def test_ends_and_interventions_are_marked(made):
    record = json.loads((made / "meta" / RECORD).read_text())
    assert [(one["ended"], one["detail"]) for one in record["episodes"]] == [
        ("hold", ""),
        ("verdict", "joint 2 too fast"),
        ("pause", "4.0 s without a command"),
    ]
    assert record["result"]["short"] == 1
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

    dataset = LeRobotDataset("burnish/toy", root=made, video_backend="pyav")
    human = [bool(dataset[row][INTERVENTION]) for row in range(len(dataset))]
    assert human == [False] * 60 + [True] * 20 + [False] * 10
    assert dataset[0][ACTION].tolist() == [1000.0, 0.0]


def test_again_is_already_complete_and_other_settings_are_refused(bag, made):
    before = (made / "meta/sha256.json").stat().st_mtime_ns
    assert convert(bag, made, OPTIONS)["episodes"] == 3
    assert (made / "meta/sha256.json").stat().st_mtime_ns == before
    with pytest.raises(BurnishError, match="images: 8 there, 16 now"):
        convert(bag, made, Options(images=16, shortest_s=0.5))


def test_an_interrupted_run_goes_on_and_ends_the_same(bag, made, tmp_path, monkeypatch):
    from burnish.datasets.convert import convert as module
    from burnish.datasets.convert.staging import Staging

    ended = []
    finish = Staging.end

    def interrupt(self, end):
        finish(self, end)
        ended.append(end)
        if len(ended) == 2:
            raise KeyboardInterrupt

    out = tmp_path / "toy"
    with monkeypatch.context() as patch:
        patch.setattr(Staging, "end", interrupt)
        with pytest.raises(KeyboardInterrupt):
            convert(bag, out, OPTIONS)
    kept = sorted(tmp_path.glob(".toy.convert/*.safetensors"))
    times = [path.stat().st_mtime_ns for path in kept]
    assert len(kept) == 2 and not out.exists()
    written = {}
    with monkeypatch.context() as patch:
        write = module.write_episodes
        patch.setattr(
            module, "write_episodes", lambda *a: (written.update({p: p.stat().st_mtime_ns for p in kept}), write(*a))
        )
        convert(bag, out, OPTIONS)
    assert list(written.values()) == times
    assert (out / "meta/sha256.json").read_text() == (made / "meta/sha256.json").read_text() or _same(out, made)
    assert [path.name for path in tmp_path.iterdir()] == ["toy"]


def _same(one: Path, other: Path) -> bool:
    a, b = load_demonstrations(one), load_demonstrations(other)
    return all(np.array_equal(a.obs[key], b.obs[key]) for key in a.obs) and np.array_equal(a.action, b.action)


@pytest.mark.parametrize("damage", ["flip", "unknown", "empty"])
def test_damage_is_named_and_leaves_nothing(bag, tmp_path, damage):
    file = tmp_path / "broken.mcap"
    data = bytearray((bag / "toy.mcap").read_bytes())
    if damage == "flip":
        data[len(data) // 3] ^= 1
    file.write_bytes(data if damage == "flip" else b"no bag at all" if damage == "unknown" else b"")
    with pytest.raises(CorruptFileError, match=r"broken\.mcap"):
        convert(file, tmp_path / "out" / "toy", OPTIONS)
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


def test_a_bag_of_others_needs_a_contract(tmp_path):
    bag = bags.write(tmp_path / "foreign", bags.steps(0, 30), about={})
    with pytest.raises(BurnishError, match=r"--convert\.contract"):
        convert(bag, tmp_path / "out", OPTIONS)
    (tmp_path / "contract.json").write_text(json.dumps(bags.CONTRACT.to_json()))
    result = convert(bag, tmp_path / "out", Options(contract=tmp_path / "contract.json"))
    assert result["frames"] == 30


def test_a_contract_of_images_alone_leaves_the_joints(tmp_path):
    bag = bags.write(tmp_path / "seen", bags.steps(0, 30))
    contract = Contract({WRIST: image_field(8, "wrist", bags.RATE_HZ)}, bags.CONTRACT.action)
    (tmp_path / "contract.json").write_text(json.dumps(contract.to_json()))
    made = convert(bag, tmp_path / "out", Options(contract=tmp_path / "contract.json"))
    assert made["frames"] >= 28
    assert set(load_demonstrations(tmp_path / "out").obs) == {WRIST}


def test_a_chunk_that_would_fill_the_memory_is_refused():
    from backports import zstd

    packed = zstd.compress(bytes(1 << 20))
    assert len(_decompress("zstd", packed, 100)) == 100
    assert _decompress("zstd", packed * 2, 1 << 22) == bytes(1 << 21)
    with pytest.raises(ValueError):
        _decompress("zstd", b"no frame", 100)


def test_a_recorder_killed_outright_loses_at_most_a_second(tmp_path):
    script = str(Path(bags.__file__))
    process = subprocess.Popen([sys.executable, script, str(tmp_path / "bag")], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for _ in range(4):  # seconds
        steps = int(process.stdout.readline())
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    result = convert(tmp_path / "bag", tmp_path / "out", OPTIONS)
    assert steps - 45 <= result["frames"] <= steps + 20
    assert "cut off while it was recorded" in result["losses"][0]


def test_what_a_cut_bag_holds_is_read_and_the_rest_is_counted(bag, tmp_path):
    data = (bag / "toy.mcap").read_bytes()
    file = tmp_path / "cut.mcap"
    file.write_bytes(data[: _last_chunk(data) + 100])
    reader = BagReader(file, OPTIONS)
    frames = [one for one in reader.frames() if isinstance(one, Frame)]
    assert len(frames) < 90
    assert re.search(r"cut\.mcap: cut off .* the last \d+ bytes are no whole chunk", reader.losses.lines[0])


def _last_chunk(data: bytes) -> int:
    """Where it begins."""
    at = last = len(MAGIC)
    while data[at] != DATA_END:
        last = at if data[at] == CHUNK else last
        at += 9 + int.from_bytes(data[at + 1 : at + 9], "little")
    return last
