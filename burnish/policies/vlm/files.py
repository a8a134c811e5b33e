"""Image-text models of `transformers`, by hub name or folder: loading them, and telling one from another."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from burnish.errors import BurnishError


@dataclass(frozen=True)
class Family:
    """In what the kinds of model differ, where `transformers` does not hide it."""

    first: int = 0
    """Position of the first token."""
    both_ways: bool = False
    """Every token of the prompt sees all of it (a prefix LM), not only those before."""


FAMILIES = {
    "smolvlm": Family(),
    "idefics3": Family(),  # the first SmolVLM
    "qwen2_5_vl": Family(),
    "paligemma": Family(first=1, both_ways=True),
}
"""By `model_type` of `config.json`."""


@dataclass(frozen=True)
class Loaded:
    """A model from disk, and what names it."""

    name: str
    """Hub name or absolute folder."""
    fingerprint: str
    family: Family
    model: Any
    processor: Any


def load(name: str, precision: str) -> Loaded:
    """The model `name` with its processor, in `precision`; only safetensors are read.

    Raises `BurnishError`: nothing there, or no image-text model of a known family.
    """
    if not name:
        raise BurnishError("no backbone: --policy.backbone takes the hub name or the folder of an image-text model")
    try:
        from transformers import AutoConfig, AutoModelForImageTextToText, AutoProcessor
        from transformers.utils import logging

        logging.disable_progress_bar()
        logging.set_verbosity_error()
        kind = AutoConfig.from_pretrained(name).model_type
        if kind not in FAMILIES:
            raise BurnishError(
                f"backbone {name!r} is a {kind!r} model; image-text models known here: {', '.join(FAMILIES)}"
            )
        settings: dict[str, Any] = {"dtype": getattr(torch, precision), "attn_implementation": "sdpa"}
        model = AutoModelForImageTextToText.from_pretrained(name, use_safetensors=True, **settings)
        processor = AutoProcessor.from_pretrained(name)
    except (ImportError, OSError, ValueError) as error:
        raise BurnishError(
            f"backbone {name!r} cannot be loaded ({error}); give the hub name or the folder of an image-text model "
            "with its processor (`pip install 'burnish[vla]'` brings the packages)"
        ) from error
    if not hasattr(processor, "image_processor"):
        raise BurnishError(f"backbone {name!r} has no image processor; copy its preprocessor_config.json beside it")
    folder = _folder(name)
    return Loaded(str(folder) if Path(name).is_dir() else name, fingerprint(folder), FAMILIES[kind], model, processor)


def fingerprint(folder: Path) -> str:
    """The same for folders whose `config.json` and weight files are the same, byte for byte."""
    found = hashlib.sha256()
    for path in sorted([folder / "config.json", *folder.glob("*.safetensors")]):
        with path.open("rb") as file:
            found.update(path.name.encode() + hashlib.file_digest(file, "sha256").digest())
    return found.hexdigest()[:16]


def _folder(name: str) -> Path:
    """Where the files of `name` are: itself, or the hub's snapshot."""
    if Path(name).is_dir():
        return Path(name).resolve()
    from transformers.utils.hub import cached_file

    return Path(str(cached_file(name, "config.json"))).parent
