"""Runs an exported policy on numpy and ONNX Runtime alone: what a robot computer needs, without torch.

The folder is what `burnish export` wrote: `policy.onnx` (observation in physical units + noise → physical
action chunk), `contract.json`, and `policy.json`, which carries the fingerprints of both. With real-time chunking there
is a second model, `realtime.onnx`, that also reads what is left of the last chunk.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from burnish.contract import Contract
from burnish.errors import BurnishError, ContractError, CorruptFileError, NonFiniteError
from burnish.files import inside, read_json, read_marked
from burnish.handover import hand_over

FORMAT = 1
MODEL, CONTRACT, DESCRIPTION = "policy.onnx", "contract.json", "policy.json"
REALTIME = "realtime.onnx"
NOISE_INPUT = "noise"
MEMORY_INPUT = "memory"
PREVIOUS_INPUT, WEIGHTS_INPUT = "previous", "weights"


class ExportedPolicy:
    """An exported policy, ready to act.

    Attributes:
        name: of the policy, as in the registry.
        contract: what observations and actions mean.
        horizon: actions per chunk, H.
        replan: actions to execute from each chunk before the next one is drawn.
        noise_shape: of the standard normal noise one sample consumes.
        realtime: whether it also plans around actions that are being executed (`act_realtime`).
        realtime_noise_shape: of the noise that takes.
        trained: ranges of what it was trained to move, by name; empty where that is one thing.
        memory_size: M, how many numbers it remembers from one action to the next (`begin`, `go_on`); 0: none.
    """

    def __init__(
        self, folder: Path, *, contract: Contract | None = None, there: str = "robot", threads: int = 1
    ) -> None:
        """Load `folder`.

        Args:
            contract: if given, must equal the exported one; otherwise `ContractError` names each field.
            there: what `contract` belongs to, for the message.
            threads: of ONNX Runtime; a small policy is fastest with one.
        Raises:
            CorruptFileError: a file is missing, truncated or altered.
        """
        self.folder = Path(folder)
        description = _describe(self.folder)
        try:
            marks = description["files"]
            model = read_marked(inside(self.folder, MODEL), marks[MODEL])
            read_marked(inside(self.folder, CONTRACT), marks[CONTRACT])
            self.name = str(description["policy"])
            self.horizon = int(description["horizon"])
            self.replan = int(description["replan"])
            self.noise_shape = tuple(int(size) for size in description["noise_shape"])
            self.inputs: dict[str, str] = dict(description["inputs"])
            self.realtime = description.get("realtime_noise_shape") is not None
            self.realtime_noise_shape = tuple(int(size) for size in description.get("realtime_noise_shape") or ())
            ranges = description.get("trained") or {}
            self.trained = {str(name): (float(low), float(high)) for name, (low, high) in ranges.items()}
            self._first = np.array(description.get("memory") or (), np.float32)
            planner = read_marked(inside(self.folder, REALTIME), marks[REALTIME]) if self.realtime else None
        except (KeyError, TypeError, ValueError) as error:
            path = self.folder / DESCRIPTION
            raise CorruptFileError(f"{path}: a field is missing or of the wrong kind ({error})") from error
        self.contract = Contract.load(self.folder / CONTRACT)
        if contract is not None:
            self.contract.check(contract.only(self.contract.observation), here=f"exported policy {folder}", there=there)
        self._session = _session(model, self.folder / MODEL, threads)
        self._planner = None if planner is None else _session(planner, self.folder / REALTIME, threads)

    def act(self, obs: Mapping[str, np.ndarray], noise: np.ndarray | np.random.Generator) -> np.ndarray:
        """Action chunks (B, H, A) in physical units, inside the contract's bounds.

        Args:
            obs: contract key → (B, *shape), physical units.
            noise: (B, *noise_shape) standard normal, or a generator to draw it from; zeros: the deterministic action.
        Raises:
            ContractError: a key is missing or has another shape.
            NonFiniteError: an action is NaN or infinite.
        """
        if self.memory_size:
            return self.go_on(obs, self.begin(len(next(iter(obs.values())))))[0]
        feed = {name: self._checked(key, obs) for key, name in self.inputs.items()}
        drawn = _noise(noise, len(next(iter(feed.values()))), self.noise_shape)
        if 0 not in self.noise_shape:  # a policy that draws nothing has no such input
            feed[NOISE_INPUT] = drawn
        return self._finite(np.asarray(self._session.run(None, feed)[0]))

    @property
    def memory_size(self) -> int:
        """M."""
        return len(self._first)

    def begin(self, batch: int) -> np.ndarray:
        """(B, M) the memory of episodes that begin."""
        return np.tile(self._first, (batch, 1))

    def go_on(self, obs: Mapping[str, np.ndarray], memory: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """As `act`, of a policy that remembers: action chunks, and the memory (B, M) for the next call."""
        feed = {name: self._checked(key, obs) for key, name in self.inputs.items()}
        chunk, memory = self._session.run(None, feed | {MEMORY_INPUT: memory.astype(np.float32)})
        return self._finite(np.asarray(chunk)), np.asarray(memory)

    def act_realtime(
        self,
        obs: Mapping[str, np.ndarray],
        noise: np.ndarray | np.random.Generator,
        previous: np.ndarray,
        frozen: int | np.ndarray,
    ) -> np.ndarray:
        """As `act`, while the last chunk plays: its actions that are executed meanwhile come first, unchanged.

        Args:
            obs: as for `act`.
            noise: (B, *realtime_noise_shape) standard normal, or a generator to draw it from.
            previous: (B, K, A) what is left of the last chunk, physical units: index 0 is the first action that is
                executed after the observation was made. With K = 0 this is `act`.
            frozen: d, how many of them will be executed before this plan is there; one number, or one per row (B,).
        Raises:
            BurnishError: it was exported without; K exceeds H; or d does not lie between 0 and K.
            ContractError: an observation, noise, `previous` or `frozen` has another shape.
            NonFiniteError: a previous or a planned action is NaN or infinite.
        """
        if self._planner is None:
            raise BurnishError(
                f"{self.folder} was exported without real-time chunking; `burnish export CHECKPOINT --export.realtime` "
                "adds it, where the policy can"
            )
        feed = {name: self._checked(key, obs) for key, name in self.inputs.items()}
        batch = len(next(iter(feed.values())))
        drawn = _noise(noise, batch, self.realtime_noise_shape)
        given = hand_over(previous, frozen, batch, self.horizon, self.contract.action)
        if np.shape(previous)[1] == 0:
            return self.act(obs, drawn.reshape(batch, -1, *self.noise_shape)[:, 0])
        feed |= {NOISE_INPUT: drawn, PREVIOUS_INPUT: given.previous, WEIGHTS_INPUT: given.weights}
        rows = [{name: value[row : row + 1] for name, value in feed.items()} for row in range(batch)]
        return self._finite(np.concatenate([self._planner.run(None, row)[0] for row in rows]))

    def _finite(self, chunk: np.ndarray) -> np.ndarray:
        if not np.isfinite(chunk).all():
            row = int(np.argwhere(~np.isfinite(chunk))[0][0])
            raise NonFiniteError(f"{self.folder}: NaN or infinite action in row {row}; do not execute it")
        return chunk

    def _checked(self, key: str, obs: Mapping[str, np.ndarray]) -> np.ndarray:
        if key not in obs:
            raise ContractError(f"the exported policy {self.folder} reads {key!r}; the observation has {sorted(obs)}")
        field = self.contract.observation[key]
        value, shape = np.asarray(obs[key], field.dtype), field.shape
        if value.shape[1:] != shape:
            raise ContractError(f"{key} has the shape {value.shape}, expected (B, {', '.join(map(str, shape))})")
        return value


def _noise(noise: np.ndarray | np.random.Generator, batch: int, shape: tuple[int, ...]) -> np.ndarray:
    if isinstance(noise, np.random.Generator):
        noise = noise.standard_normal((batch, *shape), np.float32)
    if noise.shape != (batch, *shape):
        raise ContractError(f"noise has the shape {noise.shape}, expected {(batch, *shape)}")
    return noise.astype(np.float32)


def _describe(folder: Path) -> dict[str, Any]:
    if not folder.is_dir():
        raise CorruptFileError(f"{folder}: no exported policy there; make one with `burnish export`")
    path = folder / DESCRIPTION
    description = read_json(path)
    if not isinstance(description, dict) or description.get("format") != FORMAT:
        found = description.get("format") if isinstance(description, dict) else description
        raise CorruptFileError(f"{path}: export format {found!r}, this version reads {FORMAT}")
    return description


def _session(model: bytes, path: Path, threads: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's own exceptions share no base class
        raise CorruptFileError(f"{path}: ONNX Runtime cannot load it ({error})") from error
