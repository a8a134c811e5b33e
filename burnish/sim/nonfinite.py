"""When an action is NaN: stop, and keep what the policy saw."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from torch import Tensor

from burnish.errors import NonFiniteError
from burnish.files import atomic_file

FILE = "nonfinite.safetensors"


@contextmanager
def keep_observations(obs: Mapping[str, Tensor], folder: Path | None) -> Iterator[None]:
    """Save `obs` in `folder` when what happens inside raises `NonFiniteError`; the message then says where they are."""
    try:
        yield
    except NonFiniteError as error:
        raise NonFiniteError(f"{error}; {_save(obs, folder)}") from error


def _save(obs: Mapping[str, Tensor], folder: Path | None) -> str:
    if folder is None:
        return "the observations were not saved, as no folder was given"
    from safetensors.torch import save_file

    with atomic_file(folder / FILE) as beside:
        save_file({key: value.contiguous() for key, value in obs.items()}, beside)
    return f"the observations of all lanes are in {folder / FILE}"
