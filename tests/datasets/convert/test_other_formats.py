"""What other people's tools recorded becomes a dataset with a contract, and damage is named."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch

from burnish.contract import ACTION, ENVIRONMENT_STATE, POINTS, STATE, TASK, decode_text
from burnish.datasets.convert.base import End, Frame, Options, Reader
from burnish.datasets.convert.convert import RECORD, convert, open_recording
from burnish.datasets.demonstrations import compute_stats
from burnish.datasets.store import load_demonstrations
from burnish.errors import BurnishError, CorruptFileError
from burnish.policies.flow import Flow, FlowConfig
from tests.datasets.convert import other_formats as formats

MEANING = {"state": "px,px,px,px,rad@table", "action": "px@table", "point_cloud": "m@world"}
ZARR = Options(rate_hz=10.0, meaning=MEANING)
MILK = "pick_up_the_milk_and_place_it_in_the_basket"
SALSA = "pick_up_the_salad_dressing_and_place_it_in_the_basket"
WRITERS: dict[str, tuple[Callable[[Path], Path], Options]] = {
    "robomimic.hdf5": (lambda path: formats.robomimic(path, image=16), Options()),
    "maniskill.h5": (formats.maniskill, Options()),
    "push.zarr": (formats.diffusion_policy, ZARR),
    "push.zarr.zip": (formats.diffusion_policy, ZARR),
    "libero": (lambda path: formats.libero(_folder(path), MILK).parent, Options()),
}


@pytest.fixture(params=WRITERS)
def recording(request, tmp_path) -> tuple[Path, Options]:
    write, options = WRITERS[request.param]
    return write(tmp_path / request.param), options


def test_a_dataset_can_be_trained_on(recording, tmp_path):
    source, options = recording
    result = convert(source, tmp_path / "out", options)
    demos = load_demonstrations(tmp_path / "out")
    assert result["frames"] == len(demos.action)
    assert result["episodes"] == len(demos.lengths)
    assert demos.contract == open_recording(source, options).contract
    policy = Flow(FlowConfig(horizon=4), demos.contract, compute_stats(demos))
    optimizer = torch.optim.Adam(policy.parameters(), 1e-3)
    generator = torch.Generator().manual_seed(0)
    sampler = policy.sampler(demos, 8, seed=0)
    for step in range(2):
        loss, _ = policy.loss(sampler.batch(step), generator)
        loss.backward()
        optimizer.step()
        assert torch.isfinite(loss)


def test_robomimic_says_what_its_numbers_mean(tmp_path):
    reader, episodes = _read(formats.robomimic(tmp_path / "lift.hdf5", image=16))
    assert reader.task == "robosuite/Lift"
    fields = reader.contract.fields
    assert fields[STATE].unit == ("m",) * 3 + ("1",) * 4 + ("m",) * 2
    assert fields[STATE].names[:4] == (*(f"robot0_eef_pos.{axis}" for axis in "xyz"), "robot0_eef_quat.x")
    assert fields[ENVIRONMENT_STATE].shape == (10,)
    assert fields[ACTION].unit == ("0.05 m",) * 3 + ("0.5 rad",) * 3 + ("1",)
    assert fields[ACTION].low == (-1.0,) * 7
    assert {field.rate_hz for field in fields.values()} == {20.0}
    assert [len(one) for one in episodes] == [24, 30]  # by number, whatever their order in the file
    first, last = episodes[1][0], episodes[1][-1]
    np.testing.assert_allclose(first.obs[STATE][:4], [100, 100.1, 100.2, 100], rtol=1e-6)
    np.testing.assert_allclose(last.action, (29 + 0.1 * np.arange(7)) / 100, rtol=1e-6)
    assert last.obs["observation.images.agentview"][5, 5, 0] == 29
    assert "robot0_joint_pos" in reader.losses.lines[0]


def test_libero_becomes_what_our_libero_shows(tmp_path):
    """Images turned by 180°, the state before the action, and the contract of the environment itself."""
    from burnish.sim.libero.env import contract

    formats.libero(tmp_path, MILK)
    formats.libero(tmp_path, SALSA, convention="opencv")
    reader, episodes = _read(tmp_path)
    assert reader.task == "libero/object"
    reader.contract.check(contract(16).only(reader.contract.observation), here="recording", there="environment")
    assert [decode_text(one[0].obs[TASK]) for one in episodes] == [MILK.replace("_", " "), SALSA.replace("_", " ")]
    for one in episodes:
        assert len(one) == 29
        np.testing.assert_allclose(one[0].obs[STATE], [1, 1.1, 1.2, 1.3, 1.4, 1.5, 1.7, 1.8], rtol=1e-6)
        np.testing.assert_allclose(one[0].action[0], 0.01, rtol=1e-6)
        image = one[0].obs["observation.images.image"]
        assert image[0, 5, 0] == 200
        assert image[5, -1, 0] == 100
        assert image[5, 5, 0] == 1
    one, _ = _read(tmp_path / f"{MILK}_demo.hdf5")
    assert one.task == f"libero/object/{MILK}"


def test_maniskill_with_its_json(tmp_path):
    reader, episodes = _read(formats.maniskill(tmp_path / "t.h5"))
    assert reader.task == "maniskill/PickCube-v1"
    assert reader.contract.observation[STATE].unit[:9] == ("rad",) * 7 + ("m",) * 2
    assert reader.contract.observation[ENVIRONMENT_STATE].names == (
        "obs/extra/goal_pos.x", "obs/extra/goal_pos.y", "obs/extra/goal_pos.z", "obs/extra/is_grasped",
    )  # fmt: skip
    assert reader.contract.action.frame == "pd_joint_delta_pos"
    assert [len(one) for one in episodes] == [24, 30]
    assert episodes[1][3].obs["observation.images.base_camera"][5, 5, 0] == 3
    good, kept = _read(tmp_path / "t.h5", Options(successes_only=True))
    assert len(kept) == 1
    assert "1 episodes that did not succeed" in good.losses.lines[-1]


@pytest.mark.parametrize(("name", "zarr_format"), [("p.zarr", 2), ("p.zarr", 3), ("p.zarr.zip", 2)])
def test_diffusion_policy_and_its_codecs(tmp_path, name, zarr_format):
    path = formats.diffusion_policy(tmp_path / name, zarr_format=zarr_format)
    reader, episodes = _read(path, ZARR)
    assert [len(one) for one in episodes] == [24, 30]
    assert reader.contract.observation[STATE].unit == ("px",) * 4 + ("rad",)
    assert reader.contract.observation[POINTS].shape == (32, 3)
    first = episodes[1][0].obs
    assert first[STATE][0] == 24
    assert first["observation.images.img"][5, 5, 0] == first["observation.images.drawing"][5, 5, 0] == 24


def test_what_is_not_said_is_asked_for_all_at_once(tmp_path):
    path = formats.diffusion_policy(tmp_path / "p.zarr")
    with pytest.raises(BurnishError, match=r"--convert\.rate-hz HZ\n.*state \(5\): --convert\.meaning action UNIT"):
        open_recording(path, Options())
    with pytest.raises(BurnishError, match=r"state has 5 columns, 2 are known \(m, rad\)"):
        open_recording(path, replace(ZARR, meaning=MEANING | {"state": "m,rad@table"}))
    with pytest.raises(BurnishError, match=r"'px': expected UNIT\[,UNIT…\]@FRAME"):
        open_recording(path, replace(ZARR, meaning=MEANING | {"state": "px"}))
    with pytest.raises(BurnishError, match="whole number of frames per second"):
        convert(path, tmp_path / "out", replace(ZARR, rate_hz=12.5))
    with pytest.raises(BurnishError, match=r"no observations in it.*replay_trajectory"):
        with h5py.File(formats.maniskill(tmp_path / "t.h5"), "a") as file:
            del file["traj_0/obs"]
        open_recording(tmp_path / "t.h5", Options())
    assert sorted(one.name for one in tmp_path.iterdir()) == ["p.zarr", "t.h5", "t.json"]


def test_a_contract_chooses_columns_by_their_names(tmp_path):
    path = formats.robomimic(tmp_path / "lift.hdf5")
    reader, _ = _read(path)
    known = reader.contract
    names = ("robot0_gripper_qpos.1", "robot0_eef_pos.z")
    chosen = replace(known.observation[STATE], shape=(2,), names=names, unit=("m", "m"))
    said = {"observation": {STATE: chosen.__dict__}, ACTION: known.action.__dict__}
    (tmp_path / "contract.json").write_text(json.dumps(said))
    _, episodes = _read(path, Options(contract=tmp_path / "contract.json"))
    np.testing.assert_allclose(episodes[0][5].obs[STATE], [5.1, 5.2], rtol=1e-6)
    said["observation"][STATE] |= {"names": ("nothing", "robot0_eef_pos.z")}
    (tmp_path / "contract.json").write_text(json.dumps(said))
    with pytest.raises(BurnishError, match=r"has no 'nothing' for observation\.state"):
        _read(path, Options(contract=tmp_path / "contract.json"))


def test_an_interrupted_conversion_goes_on(tmp_path, monkeypatch):
    from burnish.datasets.convert.staging import Staging

    path, out, finish = formats.robomimic(tmp_path / "lift.hdf5", image=16), tmp_path / "out", Staging.end

    def interrupt(self: Staging, end: End) -> None:
        finish(self, end)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Staging, "end", interrupt)
        convert(path, out, Options())
    assert not out.exists()
    assert convert(path, out, Options())["episodes"] == 2
    record = json.loads((out / "meta" / RECORD).read_text())
    assert [one["ended"] for one in record["episodes"]] == ["success", "success"]
    assert sorted(one.name for one in tmp_path.iterdir()) == ["lift.hdf5", "out"]


def _cut(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def _edit(change: Callable[[h5py.File], None]) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        with h5py.File(path, "a") as file:
            change(file)

    return damage


def _put(file: Any, key: str, value: np.ndarray) -> None:
    del file[key]
    file[key] = value


def _link_out(file: h5py.File) -> None:
    del file["data/demo_1/obs/object"]
    file["data/demo_1/obs/object"] = h5py.ExternalLink("/etc/elsewhere.hdf5", "/numbers")


def _store_out(file: h5py.File) -> None:
    del file["data/demo_1/obs/object"]
    file["data/demo_1/obs"].create_dataset("object", (30, 10), "f8", external=[("/etc/passwd", 0, 2400)])


HDF5_DAMAGE: dict[str, tuple[Callable[[Path], None], str]] = {
    "truncated": (_cut, "not a readable HDF5 file"),
    "empty": (lambda path: path.write_bytes(b""), "of no format"),
    "wrong bits": (lambda path: _wrong_bits(path), "cannot be read"),
    "unknown": (_edit(lambda file: file.move("data", "things")), "of no format"),
    "nan": (_edit(lambda file: _nan(file["data/demo_1/obs/object"])), "demo_1/object is NaN or infinite in step 7"),
    "shape": (
        _edit(lambda file: _put(file, "data/demo_1/obs/object", np.zeros((30, 9)))),
        r"demo_1/object has steps of shape \(9,\), \(10,\) in the first episode",
    ),
    "short": (
        _edit(lambda file: _put(file, "data/demo_1/obs/object", np.zeros((29, 10)))),
        "demo_1/object has 29 steps, 30 are promised",
    ),
    "missing": (_edit(lambda file: file.pop("data/demo_1/obs/object")), "demo_1 has no object"),
    "promise": (
        _edit(lambda file: file["data/demo_0"].attrs.__setitem__("num_samples", 99)),
        "demo_0 has 24 actions, 99 are promised",
    ),
    "link": (_edit(_link_out), "a link to elsewhere"),
    "external": (_edit(_store_out), "are in another file"),
    "no demonstrations": (_edit(lambda file: [file.pop(f"data/demo_{n}") for n in (0, 1)]), "no demonstrations in it"),
}  # fmt: skip


def _wrong_bits(path: Path) -> None:
    """Bytes of one number in the middle of what a codec has packed."""
    with h5py.File(path) as file:
        packed = file["data/demo_1/obs/robot0_eef_pos"].id.get_chunk_info(0)
    data = bytearray(path.read_bytes())
    middle = packed.byte_offset + packed.size // 2
    data[middle : middle + 8] = b"\xff" * 8
    path.write_bytes(data)


def _nan(array: Any) -> None:
    array[7, 3] = np.nan


@pytest.mark.parametrize("damage", HDF5_DAMAGE)
def test_damaged_hdf5_is_named_and_leaves_nothing(tmp_path, damage):
    path = formats.robomimic(tmp_path / "broken.hdf5")
    act, message = HDF5_DAMAGE[damage]
    act(path)
    with pytest.raises(BurnishError, match=rf"broken\.hdf5.*{message}"):
        convert(path, tmp_path / "made" / "out", Options())
    assert not list(tmp_path.glob("made/*"))


@pytest.mark.parametrize("damage", ["no json", "torn json", "lost trajectory", "fewer actions"])
def test_damaged_maniskill_is_named(tmp_path, damage):
    path = formats.maniskill(tmp_path / "t.h5")
    beside = path.with_suffix(".json")
    with h5py.File(path, "a") as file:
        if damage == "no json":
            beside.unlink()
        elif damage == "torn json":
            _cut(beside)
        elif damage == "lost trajectory":
            del file["traj_1"]
        else:
            _put(file, "traj_1/actions", np.zeros((20, 8), np.float32))
    with pytest.raises(CorruptFileError, match=r"t\.(json|h5)"):
        convert(path, tmp_path / "made" / "out", Options())
    assert not list(tmp_path.glob("made/*"))


def _chunk(path: Path) -> Path:
    return path / "data/state/1.0"


def _pickled(path: Path) -> None:
    """A numeric array whose bytes a codec of numcodecs would unpickle."""
    about = path / "data/state/.zarray"
    about.write_text(json.dumps(json.loads(about.read_text()) | {"compressor": {"id": "pickle", "protocol": 5}}))


def _linked(path: Path) -> None:
    (path / "data/state").rename(path.parent / "elsewhere")
    (path / "data/state").symlink_to(path.parent / "elsewhere")


ZARR_DAMAGE: dict[str, tuple[Callable[[Path], Any], str]] = {
    "lost chunk": (lambda path: _chunk(path).unlink(), r"data/state: 1 of 4 chunks are missing"),
    "torn chunk": (lambda path: _cut(_chunk(path)), r"episode 0/state, steps 0 to 23: cannot be read"),
    "pickle": (_pickled, "pickle"),
    "link": (_linked, "a link, which could lead elsewhere"),
    "torn ends": (lambda path: (path / "meta/episode_ends/.zarray").write_text("{"), "episode_ends"),
}


@pytest.mark.parametrize("damage", ZARR_DAMAGE)
def test_damaged_zarr_is_named_and_leaves_nothing(tmp_path, damage):
    path = formats.diffusion_policy(tmp_path / "p.zarr")
    act, message = ZARR_DAMAGE[damage]
    act(path)
    with pytest.raises(CorruptFileError, match=rf"p\.zarr.*{message}"):
        convert(path, tmp_path / "made" / "out", ZARR)
    assert not list(tmp_path.glob("made/*"))


def test_a_zip_that_is_cut_is_named(tmp_path):
    path = formats.diffusion_policy(tmp_path / "p.zarr.zip")
    _cut(path)
    with pytest.raises(CorruptFileError, match=r"p\.zarr\.zip.*damaged"):
        convert(path, tmp_path / "made" / "out", ZARR)
    assert not zipfile.is_zipfile(path)


def _read(path: Path, options: Options | None = None) -> tuple[Reader, list[list[Frame]]]:
    reader = open_recording(path, options or Options())
    episodes: list[list[Frame]] = [[]]
    for one in reader.frames():
        if isinstance(one, End):
            episodes.append([])
        else:
            episodes[-1].append(one)
    return reader, episodes[:-1]


def _folder(path: Path) -> Path:
    path.mkdir()
    return path
