"""A checkpoint is a folder of safetensors and JSON: `model.safetensors`, `stats.safetensors`,
`config.json`, `contract.json`, `README.md` and, while training, `training.safetensors`.

Nothing in it can run code. `config.json` carries the size and SHA-256 of every tensor file, so a
truncated or altered file is named before a single weight is used. Only numpy is needed to read one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as parse_tensors
from safetensors.numpy import save_file

from burnish import __version__, registry
from burnish.contract import Contract
from burnish.errors import CorruptFileError
from burnish.files import atomic_folder, fingerprint, inside, read_json, read_marked, recover_folder, write_json

FORMAT = 1
IN_LEROBOT = {
    "policy_preprocessor": [
        {"registry_name": "rename_observations_processor", "config": {"rename_map": {}}},
        {"registry_name": "device_processor", "config": {"device": "cpu", "float_dtype": None}},
    ],
    "policy_postprocessor": [
        {"registry_name": "device_processor", "config": {"device": "cpu", "float_dtype": None}},
    ],
}
"""What lerobot does before and after a policy of ours: nothing but moving tensors, for it normalises by itself."""
Tensors = dict[str, np.ndarray]
Stats = dict[str, Tensors]
"""Per contract key: `mean`, `std`, `min`, `max` (each of the field's shape) and `count` (scalar).

A field (D,) with whitening also has its `covariance` (D, D)."""


@dataclass(frozen=True)
class Checkpoint:
    """Everything that makes a policy: its registered name, config, contract, statistics and weights.

    `training` (optimizer, EMA, generator states) and `progress` (plain JSON) are there to resume.
    """

    policy: str
    config: Mapping[str, Any]
    contract: Contract
    stats: Stats
    tensors: Tensors
    training: Tensors = field(default_factory=dict)
    progress: Mapping[str, Any] = field(default_factory=dict)


def save(checkpoint: Checkpoint, folder: Path) -> None:
    """Write `checkpoint` to `folder`; until the last rename an earlier checkpoint there stays whole.

    lerobot can run it as it is (`burnish.policies.lerobot_plugin`): `type` and the `IN_LEROBOT` files are for it.
    """
    with atomic_folder(folder) as beside:
        files = {"model.safetensors": checkpoint.tensors, "stats.safetensors": _flatten(checkpoint.stats)}
        if checkpoint.training:
            files["training.safetensors"] = checkpoint.training
        for name, tensors in files.items():
            # Not `ascontiguousarray`: it would give a scalar a dimension.
            save_file({key: np.require(value, requirements="C") for key, value in tensors.items()}, beside / name)
        write_json(beside / "contract.json", checkpoint.contract.to_json())
        for name, steps in IN_LEROBOT.items():
            write_json(beside / f"{name}.json", {"name": name, "steps": steps})
        config = {
            "type": "burnish",
            "format": FORMAT,
            "burnish": __version__,
            "policy": checkpoint.policy,
            "config": dict(checkpoint.config),
            "progress": dict(checkpoint.progress),
            "files": {name: fingerprint((beside / name).read_bytes()) for name in files},
        }
        write_json(beside / "config.json", config)
        (beside / "README.md").write_text(_model_card(checkpoint))


def split_format(path: Path) -> tuple[str | None, Path]:
    """ "lerobot:FOLDER" to ("lerobot", FOLDER), and a plain FOLDER to (None, FOLDER)."""
    name, colon, folder = str(path).partition(":")
    return (name, Path(folder)) if colon and name in registry.formats.names() else (None, path)


def exists(folder: Path) -> bool:
    """Whether there is a checkpoint to `load`, one that a kill left half replaced included."""
    recover_folder(folder)
    return folder.exists()


def load(folder: Path) -> Checkpoint:
    """Read a checkpoint. Raises `CorruptFileError` that names the file and what is wrong with it."""
    recover_folder(folder)
    if not folder.is_dir():
        raise CorruptFileError(f"{folder}: no checkpoint folder there")
    config_path = folder / "config.json"
    config = read_json(config_path)
    if not isinstance(config, dict) or config.get("format") != FORMAT:
        found = config.get("format") if isinstance(config, dict) else config
        raise CorruptFileError(f"{config_path}: checkpoint format {found!r}, this version reads {FORMAT}")
    try:
        files = {name: _parse(inside(folder, name), mark) for name, mark in config["files"].items()}
        return Checkpoint(
            policy=config["policy"],
            config=config["config"],
            contract=Contract.load(folder / "contract.json"),
            stats=_unflatten(files["stats.safetensors"]),
            tensors=files["model.safetensors"],
            training=files.get("training.safetensors", {}),
            progress=config["progress"],
        )
    except (KeyError, AttributeError, TypeError) as error:
        raise CorruptFileError(f"{config_path}: a field is missing or of the wrong kind ({error})") from error


def _parse(path: Path, mark: Mapping[str, Any]) -> Tensors:
    try:
        return parse_tensors(read_marked(path, mark))
    except SafetensorError as error:
        raise CorruptFileError(f"{path}: not a safetensors file ({error})") from error


def _flatten(stats: Stats) -> Tensors:
    return {f"{key}/{name}": np.asarray(value) for key, part in stats.items() for name, value in part.items()}


def _unflatten(tensors: Tensors) -> Stats:
    stats: Stats = {}
    for path, value in tensors.items():
        key, _, name = path.rpartition("/")
        stats.setdefault(key, {})[name] = value
    return stats


def _model_card(checkpoint: Checkpoint) -> str:
    parameters = sum(value.size for value in checkpoint.tensors.values())
    rows = [
        f"| `{key}` | {list(field.shape)} | {field.frame} | {field.rate_hz:g} Hz | {field.normalization} |"
        for key, field in checkpoint.contract.fields.items()
    ]
    return "\n".join(
        [
            f"# A burnish `{checkpoint.policy}` policy",
            "",
            f"{parameters:,} numbers in `model.safetensors`. Actions are in physical units.",
            "",
            "| key | shape | frame | rate | normalisation |",
            "|---|---|---|---|---|",
            *rows,
            "",
            "Evaluate it with `burnish eval CHECKPOINT`, export it with `burnish export CHECKPOINT`.",
            "",
        ]
    )
