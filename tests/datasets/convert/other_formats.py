"""Recordings as other people's tools write them, small: robomimic, LIBERO, ManiSkill, diffusion_policy."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numcodecs
import numpy as np
import zarr
from imagecodecs import numcodecs as imagecodecs

OSC = {"type": "OSC_POSE", "control_delta": True, "output_max": [0.05] * 3 + [0.5] * 3, "output_min": [-0.05] * 3}
LENGTHS = (24, 30)


def ramp(length: int, width: int, start: float = 0.0) -> np.ndarray:
    """(length, width): row t holds start + t, start + t + 0.1, …"""
    return start + np.arange(length, dtype=np.float64)[:, None] + 0.1 * np.arange(width)


def pixels(length: int, size: int, first: int = 0) -> np.ndarray:
    """(length, size, size, 3): image t is t, but for its highest row (200) and its leftmost column (100)."""
    images = np.zeros((length, size, size, 3), np.uint8)
    images += (first + np.arange(length, dtype=np.uint8))[:, None, None, None]
    images[:, :, 0], images[:, 0] = 100, 200
    return images


def robomimic(path: Path, lengths: Sequence[int] = LENGTHS, image: int = 0, solved: bool = True) -> Path:
    """As `robomimic/scripts/dataset_states_to_obs.py` writes it (robosuite's Lift)."""
    with h5py.File(path, "w") as file:
        data = file.create_group("data")
        for number, length in reversed(list(enumerate(lengths))):  # not in their order
            demo = data.create_group(f"demo_{number}")
            demo.create_dataset("actions", data=ramp(length, 7) / 100)
            demo.create_dataset("states", data=ramp(length, 32))
            demo.create_dataset("rewards", data=np.eye(1, length, length - 1)[0] * solved)
            demo.create_dataset("dones", data=np.eye(1, length, length - 1)[0].astype(int))
            for group in ("obs", "next_obs"):
                start = 100.0 * number + (group == "next_obs")
                demo.create_dataset(f"{group}/robot0_eef_pos", data=ramp(length, 3, start), compression="gzip")
                demo.create_dataset(f"{group}/robot0_eef_quat", data=ramp(length, 4, start), compression="gzip")
                demo.create_dataset(f"{group}/robot0_gripper_qpos", data=ramp(length, 2, start), compression="gzip")
                demo.create_dataset(f"{group}/robot0_joint_pos", data=ramp(length, 7, start), compression="gzip")
                demo.create_dataset(f"{group}/object", data=ramp(length, 10, start), compression="gzip")
                if image:
                    demo.create_dataset(f"{group}/agentview_image", data=pixels(length, image), compression="gzip")
            demo.attrs["model_file"] = "<mujoco/>"
            demo.attrs["num_samples"] = length
        data.attrs["total"] = sum(lengths)
        kwargs = {"robots": ["Panda"], "control_freq": 20, "controller_configs": OSC}
        data.attrs["env_args"] = json.dumps({"env_name": "Lift", "type": 1, "env_kwargs": kwargs}, indent=4)
        file.create_dataset("mask/train", data=np.array([b"demo_0"]))
    return path


def libero(folder: Path, name: str, length: int = 30, convention: str = "opengl") -> Path:
    """As LIBERO's `scripts/create_dataset.py` writes it: what is seen beside an action is what it led to."""
    path = folder / f"{name}_demo.hdf5"
    with h5py.File(path, "w") as file:
        data = file.create_group("data")
        data.attrs["env_name"] = "Libero_Floor_Manipulation"
        data.attrs["problem_info"] = json.dumps({"language_instruction": name.replace("_", " ")})
        data.attrs["macros_image_convention"] = convention
        data.attrs["bddl_file_name"] = f"chiliocosm/bddl_files/libero_object/{name}.bddl"
        data.attrs["env_args"] = json.dumps({"type": 1, "env_kwargs": {"control_freq": 20}})
        data.attrs["num_demos"], data.attrs["total"] = 1, length
        demo = data.create_group("demo_0")
        states = np.concatenate([np.zeros((length, 1)), ramp(length, 9), np.zeros((length, 20))], axis=1)
        seen = ramp(length, 9, 1.0)
        obs = demo.create_group("obs")
        obs.create_dataset("joint_states", data=seen[:, :7])
        obs.create_dataset("gripper_states", data=seen[:, 7:])
        obs.create_dataset("ee_states", data=seen[:, :6])
        obs.create_dataset("ee_pos", data=seen[:, :3])
        obs.create_dataset("ee_ori", data=seen[:, 3:6])
        images = pixels(length, 16, 1)
        stored = images[:, ::-1] if convention == "opengl" else images
        obs.create_dataset("agentview_rgb", data=stored)
        obs.create_dataset("eye_in_hand_rgb", data=stored)
        demo.create_dataset("actions", data=ramp(length, 7) / 100)
        demo.create_dataset("states", data=states)
        demo.create_dataset("robot_states", data=seen)
        demo.create_dataset("rewards", data=np.eye(1, length, length - 1, dtype=np.uint8)[0])
        demo.create_dataset("dones", data=np.eye(1, length, length - 1, dtype=np.uint8)[0])
        demo.attrs["num_samples"], demo.attrs["init_state"] = length, states[0]
    return path


def maniskill(path: Path, lengths: Sequence[int] = LENGTHS, flat: bool = False) -> Path:
    """As `mani_skill.utils.wrappers.RecordEpisode` writes it: one observation more than actions; the last one fails."""
    episodes: list[dict[str, Any]] = []
    with h5py.File(path, "w") as file:
        for number, length in enumerate(lengths):
            group = file.create_group(f"traj_{number}", track_order=True)
            start = 100.0 * number
            if flat:
                group.create_dataset("obs", data=ramp(length + 1, 12, start).astype(np.float32))
            else:
                group.create_dataset("obs/agent/qpos", data=ramp(length + 1, 9, start).astype(np.float32))
                group.create_dataset("obs/agent/qvel", data=ramp(length + 1, 9, start).astype(np.float32))
                group.create_dataset("obs/extra/is_grasped", data=np.zeros(length + 1, bool))
                group.create_dataset("obs/extra/tcp_pose", data=ramp(length + 1, 7, start).astype(np.float32))
                group.create_dataset("obs/extra/goal_pos", data=ramp(length + 1, 3, start).astype(np.float32))
                camera = group.create_group("obs/sensor_data/base_camera")
                camera.create_dataset("rgb", data=pixels(length + 1, 16), compression="gzip", compression_opts=5)
                camera.create_dataset("depth", data=np.zeros((length + 1, 16, 16, 1), np.int16), compression="gzip")
                group.create_dataset("obs/sensor_param/base_camera/intrinsic_cv", data=np.zeros((length + 1, 3, 3)))
            group.create_dataset("actions", data=(ramp(length, 8) / 100).astype(np.float32))
            group.create_dataset("env_states/actors/cube", data=ramp(length + 1, 13).astype(np.float32))
            for name in ("terminated", "truncated", "success"):
                group.create_dataset(name, data=np.arange(length) == length - 1)
            solved = number < len(lengths) - 1
            episodes.append({"episode_id": number, "episode_seed": number, "control_mode": "pd_joint_delta_pos",
                             "elapsed_steps": length, "reset_kwargs": {}, "success": solved})  # fmt: skip
    info = {"env_id": "PickCube-v1", "max_episode_steps": 50, "env_kwargs": {"obs_mode": "rgbd"}}
    path.with_suffix(".json").write_text(json.dumps({"env_info": info, "episodes": episodes}, indent=2))
    return path


def diffusion_policy(path: Path, lengths: Sequence[int] = LENGTHS, zarr_format: Any = 2) -> Path:
    """As diffusion_policy's `ReplayBuffer.save_to_path` writes it, with its codecs for numbers and for images."""
    total = sum(lengths)
    store = zarr.storage.ZipStore(path, mode="w") if path.suffix == ".zip" else path
    root = zarr.open_group(store, mode="w", zarr_format=zarr_format)
    data, meta = root.create_group("data"), root.create_group("meta")
    blosc = numcodecs.Blosc("zstd", clevel=5, shuffle=numcodecs.Blosc.BITSHUFFLE)
    packed = {"compressors": blosc} if zarr_format == 2 else {}
    lossless = {"compressors": imagecodecs.Jpeg2k(level=0)} if zarr_format == 2 else {}
    actions, states = ramp(total, 2).astype(np.float32), ramp(total, 5).astype(np.float32)
    data.create_array("action", data=actions, chunks=(16, 2), **packed)
    data.create_array("state", data=states, chunks=(16, 5), **packed)
    data.create_array("img", data=pixels(total, 16), chunks=(1, 16, 16, 3), **lossless)
    data.create_array("drawing", data=pixels(total, 16).astype(np.float32), chunks=(16, 16, 16, 3), **packed)
    data.create_array("point_cloud", data=np.ones((total, 32, 6), np.float32), chunks=(16, 32, 6), **packed)
    meta.create_array("episode_ends", data=np.cumsum(lengths))
    if store is not path:
        store.close()
    return path
